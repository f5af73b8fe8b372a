package org.arborlog;

import static org.arborlog.Golden.codeOf;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class GoldenTest {
    private static final String ORIGIN = "example.org/ledger";
    private static final VerifierKey LOG = VerifierKey.ofLog(Golden.text("note/log.vkey"));
    private static final VerifierKey NEXT_LOG = VerifierKey.ofLog(Golden.text("note/log_next.vkey"));
    private static final VerifierKey WITNESS = VerifierKey.ofWitness(Golden.text("note/witness.vkey"));
    private static final Bytes32 GENESIS = Bytes32.hex("adb789073dfd75acf87b0426e30c576a53ef73c979ab4e6c3910f86fd6bd3cfe");

    private static Signer signerOf(Bytes32 key) {
        for (Object one : (List<?>) Json.read(Golden.text("keys.json"))) {
            Map<?, ?> known = (Map<?, ?>) one;
            if (key.toString().equals(known.get("public_key"))) {
                return new KeySigner(Golden.hex(known.get("seed")));
            }
        }
        throw new AssertionError("no golden key " + key);
    }

    /** A server that has the files alone has the newest checkpoint at /checkpoint. */
    @Test
    void whereTheNewestCheckpointIsRead() throws Exception {
        String standing = Golden.text("log/55/checkpoint");
        String newest = Golden.text("log/257/checkpoint");
        assertEquals(List.of(newest, "/v1/checkpoint"), checkpointOf(Map.of("/checkpoint", standing, "/v1/checkpoint", newest), 404));
        assertEquals(List.of(standing, "/v1/checkpoint", "/checkpoint"), checkpointOf(Map.of("/checkpoint", standing), 404));
        // Another refusal is no server without the address.
        assertEquals(List.of("403", "/v1/checkpoint"), checkpointOf(Map.of("/checkpoint", standing), 403));
    }

    /** What a client reads as the newest checkpoint, or the status that it is refused with, and which paths it asks for. */
    private static List<String> checkpointOf(Map<String, String> files, int otherwise) throws InterruptedException {
        List<String> asked = new ArrayList<>();
        Transport transport = (request, timeout) -> {
            String path = request.url().replace("http://log.example", "");
            asked.add(path);
            String body = files.getOrDefault(path, otherwise == 404 ? "<p>no such page"
                : "{\"type\":\"urn:arborlog:problem:other\",\"status\":" + otherwise + ",\"code\":\"other\",\"detail\":\"\",\"advice\":\"\"}");
            return new Transport.Response(files.containsKey(path) ? 200 : otherwise, body.getBytes(StandardCharsets.UTF_8), null);
        };
        Client client = new Client(List.of("http://log.example"), transport, Duration.ofSeconds(5), Duration.ofSeconds(5));
        try {
            asked.add(0, client.checkpoint());
        } catch (Problem problem) {
            asked.add(0, Integer.toString(problem.status()));
        }
        return asked;
    }

    @Test
    void everyStatementIsWrittenAndSignedByteForByte() {
        for (Path path : Golden.files("statements", "*.hex", 25)) {
            String name = path.getFileName().toString().replace(".hex", "");
            Map<String, byte[]> hexes = new HashMap<>();
            Text.decode(Golden.bytes(path)).lines().forEach(line -> hexes.put(line.split(" ")[0], Golden.hex(line.split(" ")[1])));
            String json = Golden.text("statements/" + name + ".json");
            Statement said = Statement.fromJson(json);
            LedgerRecord read = LedgerRecord.decode(hexes.get("record"));
            LedgerRecord record = new LedgerRecord(read.issuer(), read.seq(), read.prev(), read.issuedOn(), said);
            assertArrayEquals(hexes.get("record"), record.encode(), name);
            assertArrayEquals(hexes.get("id"), LedgerRecord.id(ORIGIN, record.encode()).bytes(), name);
            SignedRecord signed = SignedRecord.decode(hexes.get("signed_record"));
            List<Signer> endorsers = new ArrayList<>();
            signed.endorsements().forEach(endorsement -> endorsers.add(signerOf(endorsement.key())));
            SignedRecord made = SignedRecord.sign(ORIGIN, record, signerOf(record.issuer()), endorsers);
            made = new SignedRecord(made.record(), made.signature(), made.endorsements(), signed.mldsaSignature());
            assertArrayEquals(hexes.get("signed_record"), made.encode(), name);
            Entry entry = Entry.decode(hexes.get("entry"));
            assertArrayEquals(hexes.get("id"), entry.checkSignatures(ORIGIN, Ed25519::holds).bytes(), name);
            assertArrayEquals(hexes.get("leaf_hash"), Hashes.leaf(hexes.get("entry")).bytes(), name);
            assertEquals(Json.read(json), Json.read(said.toJson()), name);
            assertEquals(said, Statement.decode(said.encode()), name);
        }
    }

    @Test
    void sealedAndStateEntriesAreRead() {
        Map<String, Object> forms = Golden.json(Golden.FOLDER.resolve("forms.json"));
        List<Bytes32> leaves = new ArrayList<>();
        ((List<?>) forms.get("sealed")).forEach(digits -> leaves.add(Hashes.leaf(Entry.decode(Golden.hex(digits)).statementBytes())));
        Statement.Seal seal = (Statement.Seal) Statement.fromJson(Golden.text("statements/seal.json"));
        assertEquals(seal.root(), Hashes.root(leaves));
        assertEquals(Entry.RULES_VERSION, Entry.decode(Golden.hex(forms.get("state"))).state().rulesVersion());
    }

    private static void read(Map<String, Object> file) {
        byte[] raw = Golden.hex(file.getOrDefault("hex", ""));
        switch ((String) file.get("what")) {
            case "record" -> LedgerRecord.decode(raw);
            case "signed_record" -> {
                assertEquals(codeOf(() -> SignedRecord.decode(raw)), codeOf(() -> Entry.decode(new Writer().uint(1, 2).uint(0, 8).uint(0, 8).put(raw).bytes())));
                SignedRecord.decode(raw);
            }
            case "entry" -> Entry.decode(raw);
            case "key" -> ArborlogException.need(Ed25519.isGood(Bytes32.of(raw)), "not_canonical", "no good key");
            case "signature" -> ArborlogException.need(Ed25519.holds(Bytes32.of(Golden.hex(file.get("key"))), Golden.hex(file.get("signature")),
                Golden.hex(file.get("message"))), "not_canonical", "it does not hold");
            case "vkey" -> VerifierKey.ofLog((String) file.get("text"));
            case "checkpoint" -> Checkpoint.read(utf8(file)).verify(LOG);
            case "receipt" -> Receipt.verify(utf8(file), Trust.of(LOG));
            default -> throw new AssertionError(file.get("what"));
        }
    }

    private static byte[] utf8(Map<String, Object> file) {
        return ((String) file.get("text")).getBytes(java.nio.charset.StandardCharsets.UTF_8);
    }

    @Test
    void whatMustBeRefusedIs() {
        for (Path path : Golden.files("rejected", "*.json", 60)) {
            Map<String, Object> file = Golden.json(path);
            String code = codeOf(() -> read(file));
            assertNotEquals(null, code, path.toString());
            if (List.of("record", "entry", "signed_record").contains(file.get("what"))) {
                boolean otherFormat = path.toString().matches(".*genesis_(without_format|of_format_2).*");
                assertEquals(otherFormat ? "other_format" : "not_canonical", code, path.toString());
            }
        }
    }

    @Test
    void goldenReceiptsHold() {
        for (Path path : Golden.files("receipts", "*", 20)) {
            String name = path.getFileName().toString();
            byte[] data = Golden.bytes(path);
            VerifierKey key = name.startsWith("state_") && !name.startsWith("state_items") ? NEXT_LOG : LOG;
            Proven proven = Receipt.verify(data, Trust.of(key).withGenesis(GENESIS));
            boolean namesNone = proven.entry().form() == 3 && proven.shown().isEmpty();
            assertEquals(namesNone ? null : GENESIS, proven.genesis(), name);
            namesNone &= proven.items().stream().noneMatch(item -> item.domain().equals("accounts"));
            assertEquals(namesNone ? null : "genesis_other",
                codeOf(() -> Receipt.verify(data, Trust.of(key).withGenesis(Bytes32.of(new byte[32])))), name);
            Policy policy = Policy.parse("log " + key + "\nwitness w " + WITNESS + "\nquorum w\n");
            for (Trust trust : List.of(Trust.of(key).withWitnesses(List.of(WITNESS)), Trust.of(policy))) {
                Receipt.Verdict verdict = Receipt.check(data, trust);
                assertEquals(name.contains("cosigned") ? Outcome.HOLDS : Outcome.UNCHECKED, verdict.outcome(), name);
                if (verdict.fault() == null) {
                    assertTrue(trust.policy() == null ? verdict.proven().witnesses().get(0).atS() > 0
                        : verdict.proven().byPolicy().cosignedBy().get(0).atS() > 0);
                } else {
                    assertEquals(trust.policy() == null ? "witness_missing" : "quorum_missing", verdict.fault().code());
                }
            }
        }
    }

    @Test
    void filesAboutTheStateThatDoNotHold() {
        for (Path path : Golden.files("state_rejected", "*.json", 30)) {
            Map<String, Object> file = Golden.json(path);
            Receipt.Verdict verdict = Receipt.check(utf8(file), Trust.of(NEXT_LOG));
            assertEquals(file.get("outcome") + " " + file.get("code"), verdict.outcome() + " " + verdict.fault().code(), path.toString());
        }
    }

    @Test
    @SuppressWarnings("unchecked")
    void forgedFilesComeToWhatTheyMust() {
        Map<String, Object> forged = Golden.json(Golden.FOLDER.resolve("state_forged.json"));
        VerifierKey log = VerifierKey.ofLog((String) forged.get("log"));
        List<Object> files = (List<Object>) forged.get("files");
        assertTrue(files.size() > 50);
        for (Object one : files) {
            Map<String, Object> file = (Map<String, Object>) one;
            Receipt.Verdict verdict = Receipt.check(utf8(file), Trust.of(log));
            String code = verdict.fault() == null ? null : verdict.fault().code();
            assertTrue(file.get("outcome").equals(verdict.outcome().toString()) && java.util.Objects.equals(file.get("code"), code),
                file.get("name") + ": " + verdict.fault());
        }
    }

    @Test
    void evidenceAndPoints() {
        // RFC 4231, test case 2.
        assertEquals("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            Statement.Award.evidenceOf("Jefe".getBytes(java.nio.charset.StandardCharsets.UTF_8),
                "what do ya want for nothing?".getBytes(java.nio.charset.StandardCharsets.UTF_8)).toString());
        assertEquals(6690, Statement.Award.points(40_000, 167_250_000));
    }

    @Test
    void limitsAreNamedWithTheirField() {
        Statement.Award award = new Statement.Award(GENESIS, 1L << 32, 1, 1, 1, 1, Day.of(2026, 3, 1), GENESIS);
        ArborlogException wrong = org.junit.jupiter.api.Assertions.assertThrows(ArborlogException.class, award::encode);
        assertEquals("award.method", wrong.where());
        Statement.Assignment assignment = new Statement.Assignment(1, 1, List.of());
        assertEquals("assignment.claims", org.junit.jupiter.api.Assertions.assertThrows(ArborlogException.class, assignment::encode).where());
        assertEquals("not_canonical", codeOf(() -> new Statement.Transfer(GENESIS, null, 5, Statement.Reason.GIFT).encode()));
        assertFalse(new Statement.Correction(1, "", new Statement.Remedy.Void(), 5L).canSeal());
    }
}
