// Package arborlog writes into an arborlog ledger, and verifies what it shows.
//
// A platform puts statements into an [Outbox] in its own transaction; they are signed once, kept before they are sent, and come
// into the ledger just once, whatever is cut or killed. Whoever holds a receipt or a certificate verifies it offline with
// [VerifyReceipt].
//
// The package depends on the standard library alone. HTTP, signatures and storage are interfaces: [Transport], [Signer] and
// [SignatureCheck], [Store].
package arborlog
