package org.arborlog;

import static org.arborlog.ArborlogException.need;

import java.util.ArrayList;
import java.util.List;

/** What is posted: its path and media type, the bytes, and the id, place and day of the record or seal. */
public record SignedBody(String path, String mediaType, byte[] body, Bytes32 id, long seq, Day issuedOn) {
    /** The statements of a batch have at most so many bytes together. */
    public static final int BATCH_MAX = 8 << 20;
    private static final String BATCHES = "/v1/batches";

    boolean isSealed() {
        return path.equals(BATCHES);
    }

    private record Signed(byte[] bytes, Bytes32 id) {}

    private static Signed sign(String origin, Chain chain, Day today, byte[] statement, Signer signer) {
        byte[] record = LedgerRecord.encode(signer.publicKey(), chain.seq(), chain.prev(), chain.day(today), statement);
        byte[] signature = signer.sign(LedgerRecord.signingInput(origin, record));
        return new Signed(new SignedRecord(record, signature, List.of(), new byte[0]).encode(), LedgerRecord.id(origin, record));
    }

    /** Signs a statement as the chain's next record. */
    public static SignedBody record(String origin, Chain chain, Day today, byte[] statement, Signer signer) {
        Statement.decode(statement);
        Signed signed = sign(origin, chain, today, statement, signer);
        return new SignedBody("/v1/records", "application/octet-stream", new Writer().framed(signed.bytes, 4).bytes(), signed.id, chain.seq(), chain.day(today));
    }

    /** Seals statements' bytes as the chain's next record: all of them are in then, or none. */
    public static SignedBody seal(String origin, Chain chain, Day today, List<byte[]> statements, Signer signer) {
        need(!statements.isEmpty() && statements.size() <= Entry.SEALED_MAX, "not_canonical",
            "a batch of " + statements.size() + " statements, a seal signs 1 to " + Entry.SEALED_MAX);
        List<Bytes32> leaves = new ArrayList<>();
        long total = 0;
        for (int i = 0; i < statements.size(); i++) {
            Statement said = Statement.decode(statements.get(i));
            if (!said.canSeal()) {
                throw new ArborlogException("not_canonical", "[" + i + "]", "no " + said.kind() + " of this kind may be sealed: send it as a record");
            }
            leaves.add(Hashes.leaf(statements.get(i)));
            total += statements.get(i).length;
        }
        need(total <= BATCH_MAX, "not_canonical", "the statements have " + total + " bytes, a batch has room for " + BATCH_MAX);
        Signed signed = sign(origin, chain, today, new Statement.Seal(statements.size(), Hashes.root(leaves)).encode(), signer);
        Writer body = new Writer().framed(signed.bytes, 4);
        statements.forEach(statement -> body.framed(statement, 4));
        return new SignedBody(BATCHES, "application/vnd.arborlog.batch", body.bytes(), signed.id, chain.seq(), chain.day(today));
    }
}
