package org.arborlog;

/** Signs for one key: a file's, an agent's or a hardware key. */
public interface Signer {
    /** The key's public half. */
    Bytes32 publicKey();

    /** An Ed25519 signature, 64 bytes. */
    byte[] sign(byte[] message);
}
