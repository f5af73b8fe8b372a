package org.arborlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/** The golden policies, and the golden signatures of ML-DSA-44, which need a JDK of 24 or later. */
class PolicyTest {
    private static final Map<String, Object> CASES = Golden.json(Golden.FOLDER.resolve("policy/cases.json"));
    private static final List<Map<String, Object>> TWO = as(Golden.json(Golden.FOLDER.resolve("policy/two_checkpoints.json")).get("cases"));
    private static final MldsaCheck MLDSA = JdkMldsa.find();

    @SuppressWarnings("unchecked")
    private static <T> T as(Object json) {
        return (T) json;
    }

    private static String vkey(String name) {
        Map<String, Map<String, String>> keys = as(CASES.get("keys"));
        return keys.containsKey(name) ? keys.get(name).get("vkey") : null;
    }

    /** A policy with the verifier keys in the places of their names. */
    private static String written(String text) {
        return Pattern.compile("\\{([^{}]+)\\}").matcher(text)
            .replaceAll(found -> Matcher.quoteReplacement(Objects.requireNonNullElse(vkey(found.group(1)), found.group())));
    }

    /** The award's golden receipt without its checkpoint. */
    private static String head() {
        return Golden.text("receipts/award.tlog-proof").split("\n\n", 2)[0] + "\n\n";
    }

    private static Receipt.Verdict judge(Map<String, Object> one, MldsaCheck mldsa) {
        Map<String, String> texts = as(CASES.get("texts"));
        Map<String, String> lines = as(CASES.get("lines"));
        StringBuilder receipt = new StringBuilder(one.containsKey("receipt") ? (String) one.get("receipt")
            : head() + texts.get(Objects.requireNonNullElse(one.get("text"), "golden")) + "\n");
        List<String> below = as(one.getOrDefault("lines", List.of()));
        below.forEach(line -> receipt.append(lines.get(line)));
        List<String> names = as(one.getOrDefault("witnesses", List.of()));
        Trust trust = Trust.of(Policy.parse(written((String) one.get("policy")))).withMldsa(mldsa)
            .withWitnesses(names.stream().map(name -> VerifierKey.ofWitness(vkey(name))).toList());
        if (one.get("log") != null) {
            trust = trust.withLog(VerifierKey.ofLog(vkey((String) one.get("log"))));
        }
        return Receipt.check(receipt.toString().getBytes(StandardCharsets.UTF_8), trust);
    }

    /** What a verdict is, in the words of the cases: just those things that the case speaks of. */
    private static void check(Map<String, Object> one, Map<String, Object> wanted, MldsaCheck mldsa) {
        Receipt.Verdict verdict = judge(one, mldsa);
        String name = one.get("name") + (mldsa == null ? ", without ML-DSA" : "") + ": " + verdict.fault();
        assertEquals(wanted.get("outcome"), verdict.outcome().toString(), name);
        assertEquals(wanted.get("code"), verdict.fault() == null ? null : verdict.fault().code(), name);
        if (verdict.fault() instanceof QuorumMissing quorum) {
            assertEquals(wanted.get("missing"), quorum.missing().stream().map(QuorumMissing.Witness::as).toList(), name);
            quorum.missing().forEach(missing -> assertTrue(quorum.getMessage().contains(missing.as() + " (" + missing.name() + ")"), name));
            assertEquals(wanted.getOrDefault("levels", quorum.levels()), quorum.levels(), name);
        }
        if (verdict.proven() == null) {
            assertTrue(!"quorum_missing".equals(wanted.get("code")) || verdict.fault() instanceof QuorumMissing, name);
            return;
        }
        ByPolicy by = verdict.proven().byPolicy();
        by.cosignedBy().forEach(cosigner -> assertEquals(cosigner.as().startsWith("audit-") ? "auditor" : "witness", cosigner.role(), name));
        boolean isOfTwo = wanted.containsKey("seen_to");
        List<List<String>> cosigners = by.cosignedBy().stream().map(cosigner -> {
            List<String> said = new ArrayList<>(Arrays.asList(cosigner.as(), cosigner.atS() == null ? null : cosigner.atS().toString()));
            if (isOfTwo) {
                said.add(Long.toString(cosigner.size()));
            }
            return said;
        }).toList();
        if (isOfTwo) {
            assertEquals(wanted.get("seen_to"), by.seenTo() == null ? null : by.seenTo().toString(), name);
            assertEquals(wanted.get("replayed_to"), by.replayedTo() == null ? null : by.replayedTo().toString(), name);
        }
        assertEquals(wanted.getOrDefault("by", cosigners), cosigners, name);
        assertEquals(wanted.getOrDefault("levels", by.levels()), by.levels(), name);
        assertEquals(wanted.getOrDefault("not_checked", by.notChecked()), by.notChecked(), name);
        List<List<String>> seen = new ArrayList<>();
        List<String> names = as(one.getOrDefault("witnesses", List.of()));
        for (int n = 0; n < names.size(); n++) {
            seen.add(List.of(names.get(n), Long.toString(verdict.proven().witnesses().get(n).atS())));
        }
        assertEquals(wanted.getOrDefault("seen", seen), seen, name);
    }

    @Test
    void goldenPoliciesWithoutMldsa() {
        List<Map<String, Object>> cases = as(CASES.get("cases"));
        assertTrue(cases.size() > 80 && cases.stream().filter(one -> one.containsKey("without_mldsa")).count() > 10);
        cases.forEach(one -> check(one, as(one.getOrDefault("without_mldsa", one)), null));
        assertTrue(TWO.size() > 30);
        TWO.forEach(one -> check(one, as(one.getOrDefault("without_mldsa", one)), null));
    }

    @Test
    void goldenPoliciesWithMldsa() {
        Assumptions.assumeTrue(MLDSA != null, "a JDK before 24 has no ML-DSA");
        List<Map<String, Object>> cases = as(CASES.get("cases"));
        cases.forEach(one -> check(one, one, MLDSA));
        TWO.forEach(one -> check(one, one, MLDSA));
    }

    @Test
    void goldenSignaturesHold() {
        Assumptions.assumeTrue(MLDSA != null, "a JDK before 24 has no ML-DSA");
        Map<String, Object> alone = Golden.json(Golden.FOLDER.resolve("mldsa/cases.json"));
        Map<String, Map<String, String>> keys = as(alone.get("keys"));
        List<Map<String, String>> signed = as(alone.get("signed"));
        assertTrue(signed.size() >= 5);
        for (Map<String, String> one : signed) {
            byte[] key = VerifierKey.ofLog(keys.get(one.get("key")).get("vkey")).key();
            byte[] message = Golden.hex(one.get("message"));
            byte[] signature = Base64.getDecoder().decode(one.get("signature"));
            assertTrue(MLDSA.holds(key, signature, message), one.get("key"));
            assertFalse(MLDSA.holds(key, Arrays.copyOf(signature, signature.length - 1), message));
            assertFalse(MLDSA.holds(Arrays.copyOf(key, key.length - 1), signature, message));
            message[message.length - 1] ^= 1;
            assertFalse(MLDSA.holds(key, signature, message));
        }
    }

    /** A checkpoint that litewitness's log signed: behind a receipt of ours the verdict is about the tree, if the line holds. */
    @Test
    void aLineOfAnotherProgram() {
        Map<String, Object> foreign = Golden.json(Golden.FOLDER.resolve("mldsa/foreign.json"));
        byte[] file = (head() + foreign.get("note")).getBytes(StandardCharsets.UTF_8);
        Trust trust = Trust.of(VerifierKey.ofLog((String) foreign.get("vkey")));
        assertEquals("mldsa_unsupported", Receipt.check(file, trust.withMldsa(null)).fault().code());
        Assumptions.assumeTrue(MLDSA != null, "a JDK before 24 has no ML-DSA");
        assertTrue(List.of("proof_incomplete", "not_included").contains(Receipt.check(file, trust).fault().code()));
        file[file.length - 200] = (byte) (file[file.length - 200] == 'A' ? 'B' : 'A');
        assertEquals("signature_invalid", Receipt.check(file, trust).fault().code());
    }

    @Test
    void policiesAreReadByTheirLines() {
        List<Map<String, Object>> forms = as(Golden.json(Golden.FOLDER.resolve("policy/forms.json")).get("forms"));
        assertTrue(forms.size() > 80 && forms.stream().filter(form -> form.get("valid").equals(true)).count() > 10);
        for (Map<String, Object> form : forms) {
            byte[] raw = form.containsKey("hex") ? Golden.hex(form.get("hex")) : written(((String) form.get("policy"))
                .replace("{fill}", "x".repeat(((Number) form.getOrDefault("fill", 0)).intValue()))).getBytes(StandardCharsets.UTF_8);
            String found = null;
            try {
                Policy.parse(raw);
            } catch (ArborlogException wrong) {
                found = wrong.code() + " " + wrong.where();
                assertEquals(Outcome.WRONG_USE, wrong.outcome());
            }
            String wanted = form.get("valid").equals(true) ? null : "policy_malformed " + (form.get("line") == null ? "" : "line " + form.get("line"));
            assertEquals(wanted, found, form.get("name").toString());
            String text = Text.decode(raw);
            if (text != null) {
                String inStatement = Golden.codeOf(() -> new Statement.Policy(text, 0).encode());
                assertEquals(wanted == null && raw.length <= 24_576 ? null : "not_canonical", inStatement, form.get("name").toString());
            }
        }
        assertNotEquals(null, Golden.codeOf(() -> Policy.parse("# \ud800\nquorum none\n")));
    }
}
