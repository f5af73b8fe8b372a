package org.arborlog;

import java.util.Arrays;
import java.util.HexFormat;

/** A key, an account, a digest or an id. */
public final class Bytes32 implements Comparable<Bytes32> {
    private final byte[] bytes;

    private Bytes32(byte[] bytes) {
        this.bytes = bytes;
    }

    /** Takes 32 bytes. */
    public static Bytes32 of(byte[] bytes) {
        if (bytes.length != 32) {
            throw ArborlogException.notCanonical(bytes.length + " bytes, 32 are needed");
        }
        return new Bytes32(bytes.clone());
    }

    /** Reads 64 hexadecimal digits. */
    public static Bytes32 hex(String digits) {
        try {
            return of(HexFormat.of().parseHex(digits));
        } catch (IllegalArgumentException wrong) {
            throw ArborlogException.notCanonical("\"" + digits + "\" are no 64 hexadecimal digits");
        }
    }

    /** The bytes, in an array of their own. */
    public byte[] bytes() {
        return bytes.clone();
    }

    byte[] raw() {
        return bytes;
    }

    @Override
    public int compareTo(Bytes32 other) {
        return Arrays.compareUnsigned(bytes, other.bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Bytes32 that && Arrays.equals(bytes, that.bytes);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(bytes);
    }

    @Override
    public String toString() {
        return HexFormat.of().formatHex(bytes);
    }
}
