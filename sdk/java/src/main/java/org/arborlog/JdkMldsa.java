package org.arborlog;

import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.NoSuchAlgorithmException;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.HexFormat;

/** ML-DSA-44 by the JDK, which has it from 24 on. */
final class JdkMldsa {
    private static final String NAME = "ML-DSA-44";
    /** What stands in front of a key's bytes in its SubjectPublicKeyInfo (RFC 9881). */
    private static final byte[] HEAD = HexFormat.of().parseHex("30820532300b0609608648016503040311038205" + "2100");

    private JdkMldsa() {}

    /** The check, or null where the JDK has none. */
    static MldsaCheck find() {
        try {
            KeyFactory.getInstance(NAME);
            Signature.getInstance(NAME);
            return JdkMldsa::holds;
        } catch (NoSuchAlgorithmException older) {
            return null;
        }
    }

    private static boolean holds(byte[] key, byte[] signature, byte[] message) {
        try {
            PublicKey publicKey = KeyFactory.getInstance(NAME).generatePublic(new X509EncodedKeySpec(new Writer().put(HEAD).put(key).bytes()));
            Signature check = Signature.getInstance(NAME);
            check.initVerify(publicKey);
            check.update(message);
            return check.verify(signature);
        } catch (GeneralSecurityException wrong) {
            return false;
        }
    }
}
