package org.arborlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;

/**
 * The same verdicts as the Python verifier's, on each file of its own tests and on files that chance changed. ARBORLOG_ALL=1 takes tens of
 * thousands more, for some minutes.
 */
class VerdictsTest {
    private static final boolean ALL = System.getenv("ARBORLOG_ALL") != null;

    private static void ask(String... arguments) throws Exception {
        Assumptions.assumeTrue(new ProcessBuilder("python3", "-c", "import cryptography").start().waitFor() == 0,
            "python3 with its package cryptography is not there");
        List<String> command = new ArrayList<>(List.of("python3", "-B", "../go/testdata/verdicts.py", "../../docs/verifier"));
        command.addAll(List.of(arguments));
        Process python = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (BufferedReader lines = python.inputReader(StandardCharsets.UTF_8)) {
            compare(lines);
        } finally {
            python.destroy();
        }
        assertEquals(0, python.waitFor());
    }

    private static void compare(BufferedReader lines) throws IOException {
        Map<Object, Integer> counts = new TreeMap<>();
        List<String> differ = new ArrayList<>();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Map<String, Object> asked = Json.object(line);
            counts.merge(asked.get("outcome"), 1, Integer::sum);
            String what = differs(asked);
            if (what != null) {
                differ.add(what);
            }
        }
        assertTrue(differ.isEmpty(), differ.size() + ": " + differ.subList(0, Math.min(5, differ.size())));
        assertTrue(counts.getOrDefault("false", 0) > 50, counts.toString());
    }

    private static String differs(Map<String, Object> asked) {
        Receipt.Verdict verdict;
        try {
            Trust trust = Trust.of(VerifierKey.ofLog((String) asked.get("log")));
            trust = trust.withGenesis(asked.get("genesis") == null ? null : Bytes32.hex((String) asked.get("genesis")));
            List<VerifierKey> witnesses = ((List<?>) asked.get("witnesses")).stream().map(one -> VerifierKey.ofWitness((String) one)).toList();
            verdict = Receipt.check(Base64.getDecoder().decode((String) asked.get("receipt")), trust.withWitnesses(witnesses));
        } catch (ArborlogException noKey) {
            return "usage".equals(asked.get("outcome")) ? null : noKey.getMessage();
        }
        if (asked.get("question") != null && verdict.proven() != null) {
            try {
                verdict.proven().checkAbout((String) asked.get("question"));
            } catch (ArborlogException wrong) {
                verdict = new Receipt.Verdict(wrong.outcome(), null, wrong);
            }
        }
        String code = verdict.fault() == null ? null : verdict.fault().code();
        // Of what is false each verifier may find something else first.
        boolean isFalse = verdict.outcome() == Outcome.FALSE;
        String wanted = asked.get("code") == null || asked.get("code").equals("") ? null : (String) asked.get("code");
        if (!verdict.outcome().toString().equals(asked.get("outcome")) || !isFalse && !Objects.equals(code, wanted)) {
            return verdict + ", it must be " + asked.get("outcome") + " " + asked.get("code");
        }
        return verdict.proven() == null || asked.get("question") != null || means(verdict.proven(), asked) ? null : verdict.proven() + " means something else";
    }

    private static boolean means(Proven proven, Map<String, Object> asked) {
        List<String> leaves = proven.items().stream().map(item -> item.domain() + " " + HexFormat.of().formatHex(item.key()) + " "
            + (item.isThere() ? HexFormat.of().formatHex(item.value()) : "None")).toList();
        StateFile file = proven.file();
        boolean isSame = asked.get("skip_about") != null || Objects.equals(asked.get("about"), file == null ? null : file.about())
            && Objects.equals(asked.get("of"), file == null ? null : file.of())
            && Objects.equals(asked.get("next"), file == null || file.next() == null ? null : file.next().toString())
            && (asked.get("complete") == null || asked.get("complete").equals(file.complete()));
        return isSame && Hashes.unsigned(proven.index()).equals(asked.get("index")) && leaves.equals(asked.get("leaves"))
            && Objects.equals(asked.get("id"), proven.id() == null ? null : proven.id().toString())
            && Objects.equals(asked.get("genesis_is"), proven.genesis() == null ? null : proven.genesis().toString());
    }

    @Test
    void ofEachFileOfThePythonTests() throws Exception {
        ask(ALL ? "all" : "few");
    }

    @Test
    void ofFilesThatChanceChanged() throws Exception {
        ask("changes", ALL ? "20000" : "1500");
    }

    @Test
    void ofAFileOfVerdicts() throws Exception {
        String path = System.getenv("ARBORLOG_VERDICTS");
        Assumptions.assumeTrue(path != null, "ARBORLOG_VERDICTS names no file");
        try (BufferedReader lines = Files.newBufferedReader(Path.of(path))) {
            compare(lines);
        }
    }
}
