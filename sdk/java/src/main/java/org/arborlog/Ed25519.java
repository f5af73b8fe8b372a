package org.arborlog;

import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.Arrays;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Signatures as docs/format.md, section 4, verifies them, on the JDK's Ed25519. */
public final class Ed25519 {
    private Ed25519() {}

    private static final BigInteger P = BigInteger.TWO.pow(255).subtract(BigInteger.valueOf(19));
    private static final BigInteger L = BigInteger.TWO.pow(252).add(new BigInteger("27742317777372353535851937790883648493"));
    private static final BigInteger D = new BigInteger("37095705934669439343138083508754565189542113879843219016388785533085940283555");
    private static final BigInteger SQRT_MINUS_1 = BigInteger.TWO.modPow(P.shiftRight(2), P);
    private static final byte[] X509 = HexFormat.of().parseHex("302a300506032b6570032100");
    /** What is remembered of keys is bounded: a check of one takes a millisecond. */
    private static final int KEYS_MAX = 4_096;
    private static final Map<Bytes32, Boolean> GOOD = new ConcurrentHashMap<>();
    private static final Set<Bytes32> SMALL_ORDER = smallOrder();

    private static Set<Bytes32> smallOrder() {
        Set<Bytes32> list = new HashSet<>();
        String[][] encodings = {{"01" + "00".repeat(30), "00", "80"}, {"ec" + "ff".repeat(30), "7f", "ff"}, {"00".repeat(31), "00", "80"},
            {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc", "05", "85"},
            {"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03", "7a", "fa"},
            {"ee" + "ff".repeat(30), "7f", "ff"}, {"ed" + "ff".repeat(30), "7f", "ff"}};
        for (String[] one : encodings) {
            list.add(Bytes32.hex(one[0] + one[1]));
            list.add(Bytes32.hex(one[0] + one[2]));
        }
        return list;
    }

    private static BigInteger littleEndian(byte[] bytes) {
        byte[] reversed = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            reversed[bytes.length - 1 - i] = bytes[i];
        }
        return new BigInteger(1, reversed);
    }

    /**
     * Whether a signature holds. The JDK reads R as a point and compares points; R must be canonical here, so that this is the comparison
     * of its bytes. The key, s and the list are checked here too.
     */
    public static boolean holds(Bytes32 key, byte[] signature, byte[] message) {
        if (signature.length != 64 || !isGood(key)) {
            return false;
        }
        byte[] r = Arrays.copyOf(signature, 32);
        if (littleEndian(Arrays.copyOfRange(signature, 32, 64)).compareTo(L) >= 0 || SMALL_ORDER.contains(Bytes32.of(r))
            || littleEndian(r).clearBit(255).compareTo(P) >= 0) {
            return false;
        }
        try {
            byte[] encoded = Arrays.copyOf(X509, X509.length + 32);
            System.arraycopy(key.raw(), 0, encoded, X509.length, 32);
            PublicKey publicKey = KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded));
            Signature verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(publicKey);
            verifier.update(message);
            return verifier.verify(signature);
        } catch (GeneralSecurityException wrong) {
            return false;
        }
    }

    /** Whether a key is a canonical encoding of a point that is not of small order and has no torsion. */
    public static boolean isGood(Bytes32 key) {
        if (GOOD.size() >= KEYS_MAX) {
            GOOD.clear();
        }
        return GOOD.computeIfAbsent(key, Ed25519::check);
    }

    private record Point(BigInteger x, BigInteger y, BigInteger z, BigInteger t) {
        boolean isIdentity() {
            return x.signum() == 0 && y.equals(z);
        }

        /** RFC 8032, 5.1.4, which is complete and so doubles too. */
        Point plus(Point o) {
            BigInteger a = y.subtract(x).multiply(o.y.subtract(o.x)).mod(P);
            BigInteger b = y.add(x).multiply(o.y.add(o.x)).mod(P);
            BigInteger c = t.multiply(o.t).mod(P).multiply(D.shiftLeft(1)).mod(P);
            BigInteger d = z.multiply(o.z.shiftLeft(1)).mod(P);
            BigInteger e = b.subtract(a);
            BigInteger f = d.subtract(c);
            BigInteger g = d.add(c);
            BigInteger h = b.add(a);
            return new Point(e.multiply(f).mod(P), g.multiply(h).mod(P), f.multiply(g).mod(P), e.multiply(h).mod(P));
        }
    }

    private static boolean check(Bytes32 key) {
        boolean isOdd = key.raw()[31] < 0;
        BigInteger y = littleEndian(key.raw()).clearBit(255);
        if (y.compareTo(P) >= 0) {
            return false;
        }
        BigInteger y2 = y.multiply(y).mod(P);
        BigInteger x2 = y2.subtract(BigInteger.ONE).multiply(D.multiply(y2).add(BigInteger.ONE).modInverse(P)).mod(P);
        BigInteger x = x2.modPow(P.add(BigInteger.valueOf(3)).shiftRight(3), P);
        if (!x.multiply(x).mod(P).equals(x2)) {
            x = x.multiply(SQRT_MINUS_1).mod(P);
        }
        if (!x.multiply(x).mod(P).equals(x2) || x.signum() == 0 && isOdd) {
            return false;
        }
        if (x.testBit(0) != isOdd) {
            x = P.subtract(x);
        }
        Point point = new Point(x, y, BigInteger.ONE, x.multiply(y).mod(P));
        Point result = new Point(BigInteger.ZERO, BigInteger.ONE, BigInteger.ONE, BigInteger.ZERO);
        for (int i = L.bitLength() - 1; i >= 0; i--) {
            result = result.plus(result);
            if (L.testBit(i)) {
                result = result.plus(point);
            }
        }
        return !point.isIdentity() && result.isIdentity();
    }
}
