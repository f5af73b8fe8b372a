package org.arborlog;

/** Says whether a signature holds by all of docs/format.md, section 4: strictly, and for good keys alone. */
@FunctionalInterface
public interface SignatureCheck {
    /** Whether a signature of 64 bytes by a key over a message holds. */
    boolean holds(Bytes32 key, byte[] signature, byte[] message);
}
