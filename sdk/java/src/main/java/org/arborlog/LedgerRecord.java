package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.nio.charset.StandardCharsets;

/** A statement as its issuer signs it: in its place of the issuer's chain, on a day. */
public record LedgerRecord(Bytes32 issuer, long seq, Bytes32 prev, Day issuedOn, Statement statement) {
    /** A record has at most so many bytes. */
    public static final int BYTES_MAX = 25_600;
    static final int HEAD_BYTES = 32 + 8 + 32 + 4;

    /** The record's bytes. */
    public byte[] encode() {
        return encode(issuer, seq, prev, issuedOn, statement.encode());
    }

    static byte[] encode(Bytes32 issuer, long seq, Bytes32 prev, Day issuedOn, byte[] statement) {
        Writer out = new Writer().put(issuer).uint(seq, 8).put(prev).uint(issuedOn.days(), 4).put(statement);
        need(out.size() <= BYTES_MAX, "not_canonical", "the record has " + out.size() + " bytes, at most " + BYTES_MAX + " are allowed");
        return out.bytes();
    }

    /** Reads a record strictly. */
    public static LedgerRecord decode(byte[] bytes) {
        need(bytes.length <= BYTES_MAX, "not_canonical", "the record has " + bytes.length + " bytes, at most " + BYTES_MAX + " are allowed");
        Reader in = new Reader(bytes);
        LedgerRecord record = new LedgerRecord(in.bytes32(), in.uint(8), in.bytes32(), new Day(in.uint(4)), Codec.readStatement(in));
        in.end();
        return record;
    }

    /** What is signed of a record for the ledger of this origin. */
    public static byte[] signingInput(String origin, byte[] record) {
        return new Writer().put(("arborlog/record/v1\n" + origin + "\n").getBytes(StandardCharsets.UTF_8)).put(record).bytes();
    }

    /** The id of a record in the ledger of this origin. */
    public static Bytes32 id(String origin, byte[] record) {
        return Hashes.sha256(signingInput(origin, record));
    }
}
