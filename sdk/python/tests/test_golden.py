"""By the golden files: each byte of every kind of statement, ids, signatures, batches, receipts and files of the state."""

import base64
import json
import unittest
from struct import pack

from ledger import GOLDEN, arborlog
from arborlog import merkle, records, verifier
from arborlog.remote import Remote
from arborlog.receipts import Policy, verify_receipt
from arborlog.statements import encode, kind_of

ORIGIN = "example.org/ledger"
NOTES = {name: (GOLDEN / "note" / f"{name}.vkey").read_text().strip() for name in ("log", "log_next", "witness")}


def golden_lines(name):
    lines = (GOLDEN / "statements" / f"{name}.hex").read_text().splitlines()
    return {what: bytes.fromhex(digits) for what, digits in (line.split(" ") for line in lines)}


NAMES = sorted(path.stem for path in (GOLDEN / "statements").glob("*.json"))
GENESIS = golden_lines("genesis")["id"]
KEYS = {key.public: key for key in (
    arborlog.Key.from_seed(bytes.fromhex(one["seed"])) for one in json.loads((GOLDEN / "keys.json").read_text()))}


def statement(name):
    return json.loads((GOLDEN / "statements" / f"{name}.json").read_text())


class Newest(unittest.TestCase):
    """The newest commit's checkpoint is at an address of its own; a server that has the files alone has it at /checkpoint."""

    def asked(self, answers):
        asked = []

        def transport(method, url, content_type, body, timeout):
            asked.append(url.removeprefix("http://log.example"))
            return answers.get(asked[-1], (404, b"{}"))

        remote = Remote("http://log.example", transport=transport)
        try:
            return remote.checkpoint(), asked
        except arborlog.RequestRefused as refused:
            return refused.code, asked

    def test_where_it_is_read(self):
        standing, newest = (200, b"what stands"), (200, b"the newest")
        self.assertEqual(self.asked({"/checkpoint": standing, "/v1/checkpoint": newest}), ("the newest", ["/v1/checkpoint"]))
        self.assertEqual(self.asked({"/checkpoint": standing}), ("what stands", ["/v1/checkpoint", "/checkpoint"]))
        # Another refusal is no server without the address.
        self.assertEqual(self.asked({"/checkpoint": standing, "/v1/checkpoint": (403, b"{}")}), ("status_403", ["/v1/checkpoint"]))


class Writing(unittest.TestCase):
    def test_every_statement_record_id_and_signature(self):
        self.assertEqual(len(NAMES), 32)
        for name in NAMES:
            with self.subTest(name):
                golden, said = golden_lines(name), statement(name)
                golden_record = golden["record"]
                record = records.record_bytes(
                    golden_record[:32], int.from_bytes(golden_record[32:40], "big"), golden_record[40:72],
                    int.from_bytes(golden_record[72:76], "big"), encode(said),
                )
                self.assertEqual(record, golden_record)
                self.assertEqual(kind_of(encode(said)), said["kind"])
                self.assertEqual(records.record_id(ORIGIN, record), golden["id"])
                message, signed = records.signing_input(ORIGIN, record), golden["signed_record"]
                place = 8 + len(record) + 64
                count = int.from_bytes(signed[place : place + 8], "big")
                ends = [place + 8 + 96 * number for number in range(count + 1)]
                endorsers = [signed[end : end + 32] for end in ends[:-1]]
                made = records.signed_record(
                    record, KEYS[record[:32]].sign(message),
                    [(key, KEYS[key].sign(message)) for key in reversed(endorsers)], signed[ends[-1] :],
                )
                self.assertEqual(made, signed)
                entry = records.read_signed_entry(golden["entry"])
                self.assertEqual((entry.record, entry.seq), (record, int.from_bytes(record[32:40], "big")))

    def test_every_kind_is_among_them(self):
        self.assertEqual({statement(name)["kind"] for name in NAMES}, set(verifier.KIND_NUMBERS))

    def test_the_golden_seal(self):
        # It signs for the golden award and the golden claim.
        sealed = [encode(statement("award")), encode(statement("claim"))]
        self.assertEqual(records.seal_of(sealed), encode(statement("seal")))

    def test_the_statement_of_a_sealed_entry(self):
        sealed = 0
        for path in (GOLDEN / "receipts").glob("*.tlog-proof"):
            for shown in verifier.read_receipt(path.read_bytes())[0][0].shown:
                if verifier.is_sealed(shown.entry):
                    self.assertEqual(records.read_sealed_statement(shown.entry), verifier.decode_entry(shown.entry).said)
                    sealed += 1
        self.assertGreater(sealed, 0)

    def test_the_golden_tree(self):
        for size in (1, 55, 255):
            checkpoint = (GOLDEN / "log" / str(size) / "checkpoint").read_text().split("\n")
            self.assertEqual(merkle.root_of(bundle_entries(size)), base64.b64decode(checkpoint[2]))


class Limits(unittest.TestCase):
    """What the format refuses never becomes bytes, and the error says where."""

    CASES = [
        ("award", {"points": 2**64}, "points"), ("award", {"points": -1}, "points"), ("award", {"points": True}, "points"),
        ("award", {"points": 1.0}, "points"), ("award", {"activity": 65_536}, "activity"),
        ("award", {"account": "11"}, "account"), ("award", {"account": "g" * 64}, "account"),
        ("award", {"account": None}, "account"), ("award", {"occurred_on": "2026-02-30"}, "occurred_on"),
        ("award", {"occurred_on": "1969-12-31"}, "occurred_on"), ("award", {"occurred_on": "26-01-01"}, "occurred_on"),
        ("award", {"colour": 1}, "colour"), ("transfer", {"to": None}, "to"),
        ("transfer_expired", {"to": "11" * 32}, "to"), ("transfer", {"reason": "lost"}, "reason"),
        ("key_grant", {"holder": "Green"}, "holder"), ("key_grant", {"holder": ""}, "holder"),
        ("key_grant", {"holder": "a" * 65}, "holder"), ("key_grant", {"display_name": "é" * 51}, "display_name"),
        ("key_grant", {"display_name": "a\u202eb"}, "display_name"), ("key_grant", {"display_name": "a\nb"}, "display_name"),
        ("key_grant", {"display_name": "\ud800"}, "display_name"), ("key_grant", {"role": "king"}, "role"),
        ("genesis", {"format": 2}, "format"), ("genesis", {"origin": "a b"}, "origin"), ("genesis", {"origin": ""}, "origin"),
        ("genesis", {"origin": "a+b"}, "origin"), ("genesis", {"governors": []}, "governors"),
        ("genesis", {"governors": ["11" * 32] * 17}, "governors"), ("genesis", {"mldsa_key": "00"}, "mldsa_key"),
        ("plot", {"country": "us"}, "country"), ("plot", {"country": "USA"}, "country"),
        ("plot", {"for": ["b", "a"]}, "for[1]"), ("plot", {"for": ["a", "a"]}, "for[1]"),
        ("plot", {"for": [f"a{n:02}" for n in range(17)]}, "for"), ("plot", {"place": "circle"}, "place"),
        ("plot", {"place": {"circle": {"latitude": 900_000_001, "longitude": 0, "radius_m": 1}}}, "place.circle.latitude"),
        ("plot", {"place": {"outline": {"points": [{"latitude": 0, "longitude": 0}] * 3}}}, "place.outline.points[0]"),
        ("plot", {"place": {"outline": {"points": [{"latitude": 0, "longitude": 0}, {"latitude": 1, "longitude": 0}]}}},
         "place.outline.points"),
        ("plot", {"carbon_rights": "issued"}, "carbon_rights"), ("plot", {"carbon_rights": {"unknown": {}}}, "carbon_rights"),
        ("planting", {"count": 0}, "count"), ("planting", {"evidence_at": "ftp://example.org"}, "evidence_at"),
        ("planting", {"evidence_at": "https://" + "a" * 300}, "evidence_at"), ("assignment", {"claims": []}, "claims"),
        ("assignment", {"claims": list(range(1025))}, "claims"), ("assignment", {"claims": [1, "2"]}, "claims[1]"),
        ("correction_lost", {"remedy": {"lost": {"count": 0, "lost_on": "2026-01-01"}}}, "remedy.lost.count"),
        ("correction_void", {"remedy": {"void": {}}}, "remedy"), ("correction_void", {"reason": "a" * 301}, "reason"),
        ("seal", {"count": 0}, "count"), ("seal", {"count": 16_385}, "count"), ("policy", {"policy": "quorum none"}, "policy"),
        ("policy", {"policy": "quorum x\n"}, "policy"), ("policy", {"policy": "quorum none\r\n"}, "policy"),
        ("policy", {"policy": "#" * 24_600 + "\n"}, "policy"), ("attestation", {"opinion": "good"}, "opinion"),
        ("method", {"species": [{"code": 1, "name": "x"}]}, "species[0].price"),
    ]

    def test_what_is_refused(self):
        for name, changes, where in self.CASES:
            with self.subTest(name=name, changes=str(changes)[:80]), self.assertRaises(arborlog.StatementError) as caught:
                encode(statement(name) | changes)
            self.assertEqual(caught.exception.where, where)

    def test_a_statement_that_is_too_long_in_all(self):
        species = [{"code": n, "name": "x" * 100, "price": 1} for n in range(400)]
        with self.assertRaises(arborlog.StatementError) as caught:
            encode(statement("method") | {"species": species})
        self.assertEqual(caught.exception.where, "statement")

    def test_fields_that_are_missing_or_may_be(self):
        for name in NAMES:
            said = statement(name)
            for field in said:
                rest = {key: value for key, value in said.items() if key != field}
                if said[field] is None:
                    self.assertEqual(encode(rest), encode(said))
                else:
                    # Nothing in the place of an option that was there is another statement, or none.
                    with self.subTest(name=name, field=field):
                        try:
                            self.assertNotEqual(encode(rest), encode(said))
                        except arborlog.StatementError:
                            pass

    def test_batches_and_records(self):
        for work in (
            lambda: records.seal_of([]), lambda: records.seal_of([b"x"] * 16_385),
            lambda: records.seal_of([b"x" * 25_000] * 336), lambda: records.record_bytes(bytes(32), 2**64, bytes(32), 0, b""),
            lambda: records.record_bytes(bytes(32), 0, bytes(32), 2_932_897, b""),
            lambda: records.record_bytes(bytes(32), 0, bytes(32), 0, bytes(25_525)),
            lambda: records.signed_record(bytes(80), bytes(64), [(bytes(32), bytes(64))]),
            lambda: records.signed_record(bytes(80), bytes(64), [(pack(">32s", bytes([n + 1])), bytes(64)) for n in range(33)]),
            lambda: records.records_body([b""] * 16_385),
        ):
            with self.assertRaises(arborlog.ArborlogError):
                work()

    def test_what_is_written_is_what_the_verifier_reads(self):
        # The list of refused characters stands in the core too, which must not import the verifier's library.
        from arborlog import statements

        self.assertEqual(statements._REFUSED.pattern, verifier.REFUSED_IN_TEXT.pattern)
        self.assertEqual("".join(sorted(statements._INVISIBLE)), "".join(sorted(verifier.INVISIBLE)))


class Verifying(unittest.TestCase):
    def test_every_golden_receipt_holds(self):
        for path in sorted((GOLDEN / "receipts").glob("*.tlog-proof")):
            with self.subTest(path.name):
                data = path.read_bytes()
                verdicts = [verify_receipt(data, NOTES[name], genesis=GENESIS.hex()) for name in ("log", "log_next")]
                self.assertIn("holds", [verdict.outcome for verdict in verdicts], verdicts)
                self.assertNotIn("false", [verdict.outcome for verdict in verdicts])

    def test_the_four_outcomes(self):
        award = (GOLDEN / "receipts" / "award.tlog-proof").read_bytes()
        other = json.loads((GOLDEN / "rejected" / "receipt_other_index.json").read_text())["text"]
        cases = [
            (award, {}, "holds", None), (other, {}, "false", "not_included"),
            (award, {"genesis": "00" * 32}, "false", "genesis_other"), (award, {"about": "receipt/12"}, "false", "about_other"),
            (award, {"about": "receipt/11"}, "holds", None), (award[:-40], {}, "unchecked", "file_cut"),
            (award.replace(b"\n", b"\r\n"), {}, "unchecked", "file_crlf"),
            (award, {"witnesses": [NOTES["witness"]]}, "unchecked", "witness_missing"),
            (b"%PDF-1.7", {}, "not_that_kind", "not_a_receipt"),
        ]
        for data, more, outcome, code in cases:
            verdict = verify_receipt(data, NOTES["log"], **more)
            self.assertEqual((verdict.outcome, verdict.code), (outcome, code))
        self.assertEqual([verify_receipt(b"x", NOTES["log"]).exit_code, verify_receipt(award, NOTES["log"]).exit_code], [4, 0])

    def test_receipts_that_must_be_refused(self):
        for path in (GOLDEN / "rejected").glob("receipt*.json"):
            self.assertIn(verify_receipt(json.loads(path.read_text())["text"], NOTES["log"]).outcome, ("false", "unchecked"))

    def test_files_about_the_state_with_one_thing_changed(self):
        for path in sorted((GOLDEN / "state_rejected").glob("*.json")):
            case = json.loads(path.read_text())
            with self.subTest(path.stem):
                verdicts = [verify_receipt(case["text"], NOTES[name]) for name in ("log", "log_next")]
                self.assertIn((case["outcome"], case["code"]), [(one.outcome, one.code) for one in verdicts])

    def test_files_that_a_log_forged(self):
        forged = json.loads((GOLDEN / "state_forged.json").read_text())
        for case in forged["files"]:
            with self.subTest(case["name"]):
                verdict = verify_receipt(case["text"], forged["log"], genesis=case.get("genesis"))
                self.assertEqual((verdict.outcome, verdict.code), (case["outcome"], case["code"]))

    def test_each_receipt_of_the_attack_table(self):
        counts = {}
        for line in (GOLDEN / "attacks.ndjson").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            with self.subTest(row["attack"]):
                verdict = verify_receipt(row["receipt"], row["log"], genesis=row["genesis"], witnesses=row["witnesses"])
                counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
                # Of what is false each verifier may find something else first.
                code = row["code"] if row["outcome"] == "false" else verdict.code
                self.assertEqual((verdict.outcome, code), (row["outcome"], row["code"]))
        self.assertTrue(counts["false"] >= 80 and counts["unchecked"] >= 10 and counts["holds"] >= 50, counts)

    def test_a_question_that_is_none(self):
        award = (GOLDEN / "receipts" / "award.tlog-proof").read_bytes()
        for none in ("", "receipt", "receipt/011", "receipt/x", "forest/1", "totals/1"):
            with self.subTest(none), self.assertRaises(arborlog.ArborlogError) as caught:
                verify_receipt(award, NOTES["log"], about=none)
            self.assertEqual(caught.exception.code, "question_malformed")

    def test_a_policy_says_who_must_have_seen_it(self):
        data = (GOLDEN / "receipts" / "last_award_cosigned.tlog-proof").read_bytes()
        lone = (GOLDEN / "receipts" / "award.tlog-proof").read_bytes()
        log = NOTES["log"]
        other = verifier.verifier_key("w2", verifier.WITNESS, next(iter(KEYS)))
        w2 = f"w2+{other.id.hex()}+{base64.b64encode(bytes([4]) + other.key).decode()}"
        head = f"log {log}\nwitness w1 {NOTES['witness']} https://witness.example.net/w1/\nwitness w2 {w2}\n"
        cases = [
            ("quorum w1\n", data, "holds", None), ("quorum w2\n", data, "unchecked", "quorum_missing"),
            ("group g 2 w1 w2\nquorum g\n", data, "unchecked", "quorum_missing"), ("group g any w1 w2\nquorum g\n", data, "holds", None),
            ("group g all w1 w2\nquorum g\n", data, "unchecked", "quorum_missing"), ("quorum none\n", lone, "holds", None),
            ("quorum w1\n", lone, "unchecked", "quorum_missing"), ("quorum w1\n", b"x", "not_that_kind", "not_a_receipt"),
        ]
        for tail, receipt, outcome, code in cases:
            verdict = verify_receipt(receipt, policy=head + tail)
            self.assertEqual((verdict.outcome, verdict.code), (outcome, code), tail)
        self.assertEqual(verify_receipt(data, policy=head + "quorum w1\n").answer["policy"]["cosigned_by"][0]["as"], "w1")
        # A line by a witness of the policy that does not hold is false, whoever else signed.
        line = next(one for one in data.split(b"\n") if b"witness.example.net/w1 " in one)
        name, _, signature = line.rpartition(b" ")
        spoiled = bytearray(base64.b64decode(signature))
        spoiled[-1] ^= 1
        verdict = verify_receipt(data.replace(line, name + b" " + base64.b64encode(spoiled)), policy=head + "quorum none\n")
        self.assertEqual((verdict.outcome, verdict.code), ("false", "signature_invalid"))
        # A policy that names no log says nothing of the log's key: it goes beside one.
        self.assertEqual(verify_receipt(data, log, f"witness w2 {w2}\nquorum none\n").outcome, "holds")
        with self.assertRaises(arborlog.ArborlogError):
            verify_receipt(data, policy=f"witness w2 {w2}\nquorum none\n")
        # No line is by the ML-DSA key.
        self.assertEqual(verify_receipt(data, policy=policy_with_mldsa()).code, "quorum_missing")
        with self.assertRaises(arborlog.ArborlogError):
            Policy("quorum x\n")


def policy_with_mldsa():
    key = bytes(1312)
    vkey = verifier.verifier_key("pq.example", verifier.MLDSA, key)
    written = f"pq.example+{vkey.id.hex()}+{base64.b64encode(bytes([6]) + key).decode()}"
    return f"log {NOTES['log']}\nwitness pq {written}\nquorum pq\n"


def bundle_entries(size):
    """The entries of the golden log of this many, from its bundles."""
    entries = []
    for path in sorted((GOLDEN / "log" / str(size) / "tile" / "entries").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        while data:
            length = int.from_bytes(data[:2], "big")
            entries.append(data[2 : 2 + length])
            data = data[2 + length :]
    return entries


if __name__ == "__main__":
    unittest.main()
