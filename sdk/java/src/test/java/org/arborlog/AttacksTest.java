package org.arborlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** What docs/threat-model.md says of whoever holds a receipt, or a file about the state. */
class AttacksTest {
    private static final String LOG = Golden.text("note/log.vkey").strip();
    private static final String WITNESS = Golden.text("note/witness.vkey").strip();

    private static String said(Receipt.Verdict verdict) {
        return verdict.fault() == null ? verdict.outcome().toString() : verdict.outcome() + " " + verdict.fault().code();
    }

    /** Each receipt of the attack table, which the attacks' own tests wrote. */
    @Test
    void theRowsOfTheAttackTable() {
        Map<Object, Integer> counts = new TreeMap<>();
        List<String> differ = new ArrayList<>();
        for (String line : Golden.text("attacks.ndjson").lines().toList()) {
            Map<String, Object> row = Json.object(line);
            Trust trust = Trust.of(VerifierKey.ofLog((String) row.get("log"))).withGenesis(Bytes32.hex((String) row.get("genesis")))
                .withWitnesses(((List<?>) row.get("witnesses")).stream().map(one -> VerifierKey.ofWitness((String) one)).toList());
            Receipt.Verdict verdict = Receipt.check(((String) row.get("receipt")).getBytes(StandardCharsets.UTF_8), trust);
            counts.merge(row.get("outcome"), 1, Integer::sum);
            // Of what is false each verifier may find something else first.
            boolean isSame = row.get("outcome").equals("false") ? verdict.outcome() == Outcome.FALSE
                : said(verdict).equals(row.get("outcome") + (row.get("code") == null ? "" : " " + row.get("code")));
            if (!isSame) {
                differ.add(row.get("attack") + ": " + said(verdict) + ", it must be " + row.get("outcome") + " " + row.get("code"));
            }
        }
        assertEquals(List.of(), differ);
        assertTrue(counts.get("false") >= 80 && counts.get("unchecked") >= 10 && counts.get("holds") >= 50, counts.toString());
    }

    @Test
    void aPolicysQuorum() {
        byte[] data = Golden.bytes("receipts/last_award_cosigned.tlog-proof");
        // A second witness, who did not sign: under a name of its own, the golden key of the next log.
        VerifierKey next = VerifierKey.ofLog(Golden.text("note/log_next.vkey"));
        String absent = Golden.witness("absent.example", next.key());
        // An ML-DSA key without a line: it is absent, whether such lines can be checked or not.
        String mldsa = Golden.verifierKey("pq.example", 6, new byte[1312]);
        String head = "log " + LOG + "\nwitness w1 " + WITNESS + "\nwitness w2 " + absent + "\nwitness pq " + mldsa + "\n";
        Map<String, String> rows = Map.of(
            "group g any w1 w2\nquorum g\n", "holds",
            "group g 2 w1 w2\nquorum g\n", "unchecked quorum_missing",
            "group g all w1 w2\nquorum g\n", "unchecked quorum_missing",
            "quorum w2\n", "unchecked quorum_missing",
            "quorum none\n", "holds",
            "group a any w1\ngroup b 2 a w2\nquorum b\n", "unchecked quorum_missing",
            "group a any w1\ngroup b any a w2\nquorum b\n", "holds",
            "quorum pq\n", "unchecked quorum_missing",
            "group g any w1 pq\nquorum g\n", "holds");
        rows.forEach((rest, wanted) -> assertEquals(wanted, said(Receipt.check(data, Trust.of(Policy.parse(head + rest)))), rest));
        Policy ofNoLog = Policy.parse(head.replace("log " + LOG + "\n", "") + "quorum w1\n");
        assertEquals("wrong_use", Golden.codeOf(() -> Receipt.verify(data, Trust.of(ofNoLog))));
    }

    @Test
    void aTrueFileMayAnswerAnotherQuestion() {
        byte[] award = Golden.bytes("receipts/award.tlog-proof");
        Trust trust = Trust.of(VerifierKey.ofLog(LOG));
        Receipt.verify(award, trust).checkAbout("receipt/11");
        assertEquals("about_other", Golden.codeOf(() -> Receipt.verify(award, trust).checkAbout("receipt/12")));
        for (String none : List.of("", "receipt", "receipt/011", "receipt/x", "forest/1", "totals/1")) {
            assertEquals("wrong_use", Golden.codeOf(() -> Receipt.verify(award, trust).checkAbout(none)), none);
        }
    }
}
