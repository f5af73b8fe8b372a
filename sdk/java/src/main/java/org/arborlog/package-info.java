/**
 * Writes into an arborlog ledger, and verifies what it shows.
 *
 * <p>A platform puts statements into an {@link org.arborlog.Outbox} in its own transaction; they are signed once, kept before they are sent, and
 * come into the ledger just once, whatever is cut or killed. Whoever holds a receipt or a certificate verifies it offline with
 * {@link org.arborlog.Receipt}. HTTP, signatures and storage are interfaces: Transport, Signer and SignatureCheck, Store.
 */
package org.arborlog;
