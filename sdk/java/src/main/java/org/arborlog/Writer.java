package org.arborlog;

import java.io.ByteArrayOutputStream;

/** Bytes that are written one behind the other. */
final class Writer {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Writer uint(long n, int width) {
        for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
            out.write((int) (n >>> shift));
        }
        return this;
    }

    Writer put(byte[] bytes) {
        out.write(bytes, 0, bytes.length);
        return this;
    }

    Writer put(Bytes32 bytes) {
        return put(bytes.raw());
    }

    /** A length of so many bytes, and the bytes. */
    Writer framed(byte[] bytes, int width) {
        return uint(bytes.length, width).put(bytes);
    }

    int size() {
        return out.size();
    }

    byte[] bytes() {
        return out.toByteArray();
    }
}
