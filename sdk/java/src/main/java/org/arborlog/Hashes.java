package org.arborlog;

import java.math.BigInteger;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;

/** SHA-256 and RFC 6962's trees. */
final class Hashes {
    private Hashes() {}

    static Bytes32 sha256(byte[]... parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (byte[] part : parts) {
                digest.update(part);
            }
            return Bytes32.of(digest.digest());
        } catch (NoSuchAlgorithmException never) {
            throw new IllegalStateException(never);
        }
    }

    static Bytes32 hmac(byte[] secret, byte[] data) {
        try {
            javax.crypto.Mac mac = javax.crypto.Mac.getInstance("HmacSHA256");
            mac.init(new javax.crypto.spec.SecretKeySpec(secret, "HmacSHA256"));
            return Bytes32.of(mac.doFinal(data));
        } catch (java.security.GeneralSecurityException impossible) {
            throw new IllegalStateException("every JDK has HmacSHA256", impossible);
        }
    }

    static Bytes32 leaf(byte[] data) {
        return sha256(new byte[] {0}, data);
    }

    static Bytes32 node(Bytes32 left, Bytes32 right) {
        return sha256(new byte[] {1}, left.raw(), right.raw());
    }

    /** The root over leaves, of which there is one at least. */
    static Bytes32 root(List<Bytes32> hashes) {
        List<Bytes32> level = hashes;
        while (level.size() > 1) {
            List<Bytes32> above = new ArrayList<>((level.size() + 1) / 2);
            for (int i = 0; i + 1 < level.size(); i += 2) {
                above.add(node(level.get(i), level.get(i + 1)));
            }
            if (level.size() % 2 == 1) {
                above.add(level.get(level.size() - 1));
            }
            level = above;
        }
        return level.get(0);
    }

    /** How many hashes prove a leaf: to where its way parts from the last leaf's, then one for each turn left. */
    static int pathLength(long index, long size) {
        int parted = 64 - Long.numberOfLeadingZeros(index ^ size - 1);
        return parted == 64 ? 64 : parted + Long.bitCount(index >>> parted);
    }

    /** The root that an inclusion proof of the right length leads to. */
    static Bytes32 rootByPath(Bytes32 leaf, long index, long size, List<Bytes32> path) {
        Bytes32 found = leaf;
        long last = size - 1;
        for (Bytes32 sibling : path) {
            if ((index & 1) == 1 || index == last) {
                while ((index & 1) == 0 && index != 0) {
                    index >>>= 1;
                    last >>>= 1;
                }
                found = node(sibling, found);
            } else {
                found = node(found, sibling);
            }
            index >>>= 1;
            last >>>= 1;
        }
        return found;
    }

    /** Whether a proof (RFC 6962, 2.1.2) leads from an old root to a new one, 0 < from < to. */
    static boolean consistent(long from, long to, Bytes32 oldRoot, Bytes32 newRoot, List<Bytes32> proof) {
        long index = from - 1;
        long last = to - 1;
        while ((index & 1) == 1) {
            index >>>= 1;
            last >>>= 1;
        }
        if (index > 0 && proof.isEmpty()) {
            return false;
        }
        Bytes32 oldNode = index > 0 ? proof.get(0) : oldRoot;
        Bytes32 newNode = oldNode;
        for (Bytes32 sibling : proof.subList(index > 0 ? 1 : 0, proof.size())) {
            if (last == 0) {
                return false;
            }
            if ((index & 1) == 1 || index == last) {
                oldNode = node(sibling, oldNode);
                newNode = node(sibling, newNode);
                while ((index & 1) == 0 && index != 0) {
                    index >>>= 1;
                    last >>>= 1;
                }
            } else {
                newNode = node(newNode, sibling);
            }
            index >>>= 1;
            last >>>= 1;
        }
        return last == 0 && oldNode.equals(oldRoot) && newNode.equals(newRoot);
    }

    /** Where the largest whole tree at the beginning of a range of leaves ends. */
    static long half(long start, long end) {
        return start + Long.highestOneBit(end - start - 1);
    }

    /** The points of an award: quantity × factor ÷ 10⁹, rounded down, as an unsigned number. */
    static long points(long quantity, long factor) {
        BigInteger points = unsigned(quantity).multiply(unsigned(factor)).divide(BigInteger.valueOf(1_000_000_000));
        ArborlogException.need(points.bitLength() <= 64, "points_mismatch", "the points don't fit 64 bits");
        return points.longValue();
    }

    static BigInteger unsigned(long n) {
        return new BigInteger(Long.toUnsignedString(n));
    }
}
