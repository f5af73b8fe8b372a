package org.arborlog;

/** Says whether a signature of ML-DSA-44 holds (FIPS 204, pure, with an empty context). */
@FunctionalInterface
public interface MldsaCheck {
    /** Whether a signature of 2,420 bytes by a key of 1,312 over a message holds. */
    boolean holds(byte[] key, byte[] signature, byte[] message);
}
