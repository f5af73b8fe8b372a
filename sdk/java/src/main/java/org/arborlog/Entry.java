package org.arborlog;

import static org.arborlog.ArborlogException.need;
import static org.arborlog.ArborlogException.refuse;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One of the log's entries, in one of its three forms: 1 signed, 2 sealed, 3 state. What a form does not have is null, 0 or empty; the
 * record of a sealed entry is its seal's.
 */
public record Entry(int form, long admittedAt, List<Long> lineage, SignedRecord signed, LedgerRecord record, Statement statement, int ahead,
                    List<Long> places, State state, byte[] statementBytes) {
    /** An entry has at most so many bytes. */
    public static final int BYTES_MAX = 32_768;
    /** Stands for none in a lineage. */
    public static final long NONE = -1;
    static final int LINEAGE_MAX = 5;
    static final int SEALED_MAX = 16_384;
    static final int RULES_VERSION = 8;

    /** The sums beside a state root. */
    public record Totals(long awarded, long reversed, long expired, long spentElsewhere, long claimed, @Wire.Signed long balances, long owed,
                         long plantedRecorded, long plantedVoided, long lost, long standing, long assigned, long waiting, long claims,
                         long accountsNegative) {}

    /** The log's word on what the entries before a size make. */
    public record State(@Wire.Uint(2) int form, long admittedAt, long size, long before, @Wire.Uint(4) long rulesVersion, Bytes32 stateRoot,
                        Totals totals) {
        /** The most entries between a state entry and the size that it speaks of. */
        private static final long LAG_MAX = 1 << 18;

        /** Whether a state entry can stand at an index, whatever the entries are. */
        boolean mayStandAt(long index) {
            long least = before == -1 ? 1 : before + 1;
            return (before == -1 || Long.compareUnsigned(before, index) < 0) && Long.compareUnsigned(least, size) <= 0
                && Long.compareUnsigned(size, index) <= 0 && Long.compareUnsigned(index - size, LAG_MAX) <= 0;
        }
    }

    static int formOf(byte[] bytes) {
        return bytes.length < 2 ? 0 : (bytes[0] & 0xff) << 8 | bytes[1] & 0xff;
    }

    /** Reads an entry strictly; no signature is verified. */
    public static Entry decode(byte[] bytes) {
        need(bytes.length <= BYTES_MAX, "not_canonical", "the entry has " + bytes.length + " bytes, at most " + BYTES_MAX + " are allowed");
        Reader in = new Reader(bytes);
        Entry entry;
        switch (formOf(bytes)) {
            case 1 -> entry = readSigned(in);
            case 2 -> entry = readSealed(in);
            case 3 -> {
                State state = Codec.read(in, State.class);
                entry = new Entry(3, state.admittedAt, List.of(), null, null, null, 0, List.of(), state, null);
            }
            default -> throw refuse("not_canonical", "the entry's form is none of 1, 2 and 3");
        }
        in.end();
        return entry;
    }

    private static Entry readSigned(Reader in) {
        in.take(2);
        long admittedAt = in.uint(8);
        int count = in.count(LINEAGE_MAX, 8);
        List<Long> lineage = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            lineage.add(in.uint(8));
        }
        SignedRecord.Read read = SignedRecord.read(in);
        byte[] bytes = read.signed().record();
        return new Entry(1, admittedAt, List.copyOf(lineage), read.signed(), read.record(), read.record().statement(), 0, List.of(), null,
            Arrays.copyOfRange(bytes, LedgerRecord.HEAD_BYTES, bytes.length));
    }

    private static Entry readSealed(Reader in) {
        in.take(2);
        int ahead = (int) in.uint(2);
        need(ahead >= 1 && ahead <= SEALED_MAX, "not_canonical", "ahead is not within 1 to 16384");
        int start = in.at;
        long number = in.uint(4);
        Class<?>[] kinds = Codec.variants(Statement.class);
        need(number < kinds.length && Statement.SEALED_PLACES.containsKey(Codec.snake(kinds[(int) number].getSimpleName())), "not_canonical",
            "no statement of kind " + number + " is sealed");
        in.at = start;
        Statement statement = Codec.readStatement(in);
        byte[] bytes = Arrays.copyOfRange(in.data, start, in.at);
        need(bytes.length <= LedgerRecord.BYTES_MAX, "not_canonical", "a statement is longer than " + LedgerRecord.BYTES_MAX + " bytes");
        List<Long> places = new ArrayList<>();
        for (int i = 0; i < Statement.SEALED_PLACES.get(statement.kind()); i++) {
            places.add(in.uint(8));
        }
        return new Entry(2, 0, List.of(), null, null, statement, ahead, List.copyOf(places), null, bytes);
    }

    /** The statement's kind, or that it is a state entry. */
    public String kind() {
        return form == 3 ? "state" : statement.kind();
    }

    /** The statement's fields, behind its kind's number. */
    byte[] fieldBytes() {
        return Arrays.copyOfRange(statementBytes, 4, statementBytes.length);
    }

    boolean signedBy(Bytes32 key) {
        return key.equals(record.issuer()) || signed.endorsements().stream().anyMatch(endorsement -> endorsement.key().equals(key));
    }

    /** Verifies the issuer's signature and each endorsement, and gives the record's id. */
    Bytes32 checkSignatures(String origin, SignatureCheck check) {
        byte[] input = LedgerRecord.signingInput(origin, signed.record());
        need(check.holds(record.issuer(), signed.signature(), input), "signature_invalid", "the issuer's signature does not hold");
        for (SignedRecord.Endorsement endorsement : signed.endorsements()) {
            need(check.holds(endorsement.key(), endorsement.signature(), input), "signature_invalid",
                "the endorsement by " + endorsement.key() + " does not hold");
        }
        return Hashes.sha256(input);
    }
}
