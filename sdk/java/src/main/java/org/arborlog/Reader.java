package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.notCanonical;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Bytes that are read from the front. */
final class Reader {
    final byte[] data;
    int at;

    Reader(byte[] data) {
        this.data = data;
    }

    int left() {
        return data.length - at;
    }

    byte[] take(long count) {
        if (count < 0 || count > left()) {
            throw notCanonical("the bytes end too early");
        }
        at += (int) count;
        return Arrays.copyOfRange(data, at - (int) count, at);
    }

    long uint(int width) {
        long n = 0;
        for (byte b : take(width)) {
            n = n << 8 | b & 0xff;
        }
        return n;
    }

    Bytes32 bytes32() {
        return Bytes32.of(take(32));
    }

    byte[] byteString(long max) {
        long n = uint(8);
        need(Long.compareUnsigned(n, max) <= 0, "not_canonical", Long.toUnsignedString(n) + " bytes, at most " + max + " are allowed");
        return take(n);
    }

    /** The length of a list whose items have so many bytes at least: no length sets memory aside that is not there. */
    int count(long max, int itemBytes) {
        long n = uint(8);
        need(Long.compareUnsigned(n, max) <= 0, "not_canonical", "a list of " + Long.toUnsignedString(n) + ", at most " + max + " are allowed");
        need(n <= left() / itemBytes, "not_canonical", "the bytes end too early");
        return (int) n;
    }

    List<Bytes32> hashes(long max) {
        int n = count(max, 32);
        List<Bytes32> hashes = new ArrayList<>(n);
        for (int i = 0; i < n; i++) {
            hashes.add(bytes32());
        }
        return hashes;
    }

    void end() {
        need(left() == 0, "not_canonical", left() + " bytes are left over after the end");
    }
}
