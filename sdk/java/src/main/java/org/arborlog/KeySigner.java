package org.arborlog;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.interfaces.EdECPublicKey;
import java.security.spec.EdECPrivateKeySpec;
import java.security.spec.NamedParameterSpec;
import java.util.Arrays;
import java.util.Base64;

/** Signs with a private key in memory, by the JDK's Ed25519. */
public final class KeySigner implements Signer {
    /** PKCS#8 of an Ed25519 key, up to its seed: version 0, or 1 where the public key follows. */
    private static final byte[] BEHIND_VERSION = {0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

    private final PrivateKey key;
    private final Bytes32 publicKey;

    /** Takes a key's seed (RFC 8032), 32 bytes. */
    public KeySigner(byte[] seed) {
        try {
            key = KeyFactory.getInstance("Ed25519").generatePrivate(new EdECPrivateKeySpec(NamedParameterSpec.ED25519, seed));
            // The JDK tells no public half of a private key; a generator that is given the seed as its randomness makes both.
            KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
            generator.initialize(NamedParameterSpec.ED25519, new Fixed(seed));
            EdECPublicKey made = (EdECPublicKey) generator.generateKeyPair().getPublic();
            byte[] bytes = new byte[32];
            byte[] y = made.getPoint().getY().toByteArray();
            for (int i = 0; i < y.length && i < 32; i++) {
                bytes[i] = y[y.length - 1 - i];
            }
            bytes[31] |= (byte) (made.getPoint().isXOdd() ? 0x80 : 0);
            publicKey = Bytes32.of(bytes);
        } catch (GeneralSecurityException wrong) {
            throw new ArborlogException("wrong_use", "key", "the JDK takes no such Ed25519 key: " + wrong.getMessage());
        }
        if (!Ed25519.holds(publicKey, sign(new byte[0]), new byte[0])) {
            throw new ArborlogException("wrong_use", "key", "this JDK makes no key pair of a seed: bring a Signer of your own");
        }
    }

    /** Reads a key file of arborlog keygen or openssl: PKCS#8 in PEM. */
    public static KeySigner read(Path path) throws IOException {
        String pem = Files.readString(path, StandardCharsets.US_ASCII);
        String base64 = pem.replaceAll("-----(BEGIN|END) PRIVATE KEY-----", "").replaceAll("\\s", "");
        try {
            byte[] der = Base64.getDecoder().decode(base64);
            int seed = 5 + BEHIND_VERSION.length;
            if (der.length >= seed + 32 && Arrays.equals(der, 5, seed, BEHIND_VERSION, 0, BEHIND_VERSION.length)) {
                return new KeySigner(Arrays.copyOfRange(der, seed, seed + 32));
            }
        } catch (IllegalArgumentException wrong) {
            // It is told below.
        }
        throw new ArborlogException("wrong_use", path.toString(), "it holds no Ed25519 key in PKCS#8");
    }

    @Override
    public Bytes32 publicKey() {
        return publicKey;
    }

    @Override
    public byte[] sign(byte[] message) {
        try {
            Signature signature = Signature.getInstance("Ed25519");
            signature.initSign(key);
            signature.update(message);
            return signature.sign();
        } catch (GeneralSecurityException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    private static final class Fixed extends SecureRandom {
        private static final long serialVersionUID = 1;
        private final byte[] seed;

        Fixed(byte[] seed) {
            this.seed = seed;
        }

        @Override
        public void nextBytes(byte[] bytes) {
            System.arraycopy(seed, 0, bytes, 0, Math.min(seed.length, bytes.length));
        }
    }
}
