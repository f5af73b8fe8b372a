package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** A record's bytes with its signatures; an ML-DSA signature is empty where no such key is named. */
public record SignedRecord(byte[] record, byte[] signature, List<Endorsement> endorsements, byte[] mldsaSignature) {
    static final int ENDORSEMENTS_MAX = 32;
    static final int MLDSA_BYTES = 2_420;

    /** A signature beside the issuer's. */
    public record Endorsement(Bytes32 key, byte[] signature) {}

    /** Signs a record for the ledger of this origin; the endorsers sign too. */
    public static SignedRecord sign(String origin, LedgerRecord record, Signer issuer, List<Signer> endorsers) {
        need(record.issuer().equals(issuer.publicKey()), "wrong_use", "the record's issuer is not the signer's key");
        byte[] bytes = record.encode();
        byte[] input = LedgerRecord.signingInput(origin, bytes);
        List<Endorsement> endorsements = new ArrayList<>();
        for (Signer endorser : endorsers) {
            endorsements.add(new Endorsement(endorser.publicKey(), endorser.sign(input)));
        }
        endorsements.sort(Comparator.comparing(Endorsement::key));
        SignedRecord signed = new SignedRecord(bytes, issuer.sign(input), List.copyOf(endorsements), new byte[0]);
        signed.check(record);
        return signed;
    }

    private void check(LedgerRecord of) {
        need(endorsements.size() <= ENDORSEMENTS_MAX, "not_canonical", "there are more than 32 endorsements");
        for (int i = 0; i < endorsements.size(); i++) {
            Bytes32 key = endorsements.get(i).key();
            need(!key.equals(of.issuer()) && (i == 0 || endorsements.get(i - 1).key().compareTo(key) < 0), "not_canonical",
                "endorsements are not strictly ascending, or the issuer endorses");
        }
    }

    static boolean namesMldsa(Statement statement) {
        return statement instanceof Statement.Genesis genesis && genesis.mldsaKey() != null
            || statement instanceof Statement.LogKey key && key.mldsaKey() != null;
    }

    /** The signed record's bytes. */
    public byte[] encode() {
        LedgerRecord said = LedgerRecord.decode(record);
        check(said);
        need(mldsaSignature.length == (namesMldsa(said.statement()) ? MLDSA_BYTES : 0), "not_canonical",
            "an ML-DSA signature stands exactly where the statement names such a key, and has 2,420 bytes");
        Writer out = new Writer().framed(record, 8).put(signature).uint(endorsements.size(), 8);
        for (Endorsement endorsement : endorsements) {
            out.put(endorsement.key).put(endorsement.signature);
        }
        return out.put(mldsaSignature).bytes();
    }

    /** Reads a signed record strictly; its signatures are not verified. */
    public static SignedRecord decode(byte[] bytes) {
        Reader in = new Reader(bytes);
        SignedRecord signed = read(in).signed;
        in.end();
        return signed;
    }

    record Read(SignedRecord signed, LedgerRecord record) {}

    static Read read(Reader in) {
        byte[] bytes = in.byteString(LedgerRecord.BYTES_MAX);
        byte[] signature = in.take(64);
        int count = in.count(ENDORSEMENTS_MAX, 96);
        List<Endorsement> endorsements = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            endorsements.add(new Endorsement(in.bytes32(), in.take(64)));
        }
        LedgerRecord record = LedgerRecord.decode(bytes);
        new SignedRecord(bytes, signature, endorsements, new byte[0]).check(record);
        byte[] mldsa = namesMldsa(record.statement()) ? in.take(MLDSA_BYTES) : new byte[0];
        return new Read(new SignedRecord(bytes, signature, List.copyOf(endorsements), mldsa), record);
    }
}
