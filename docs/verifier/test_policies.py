#!/usr/bin/env python3
"""Tests of policies and ML-DSA-44 in arborlog_verify.py: the golden cases, and random ones beside the browser's verifier.

    python3 docs/verifier/test_policies.py

Needs `cryptography`, `dilithium-py` 1.5.1, and node. ARBORLOG_CASES is how many random cases there are, ARBORLOG_SEED which.
"""
import base64, collections, contextlib, io, json, os, pathlib, random, re, subprocess, sys, tempfile, unittest, unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import arborlog_verify as v

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOLDEN = ROOT / "tests" / "golden"
CASES = json.loads((GOLDEN / "policy/cases.json").read_text())
TWO = json.loads((GOLDEN / "policy/two_checkpoints.json").read_text())["cases"]
FORMS = json.loads((GOLDEN / "policy/forms.json").read_text())["forms"]
ALONE = json.loads((GOLDEN / "mldsa/cases.json").read_text())
VKEYS = {name: key["vkey"] for name, key in CASES["keys"].items()}
EXIT = {"holds": 0, "false": 1, "unchecked": 3, "not_that_kind": 4}


def written(text):
    """A policy with the verifier keys in the places of their names."""
    return re.sub(r"\{([^{}]+)\}", lambda found: VKEYS.get(found[1], found[0]), text)


def policy_of(form):
    if "hex" in form:
        return bytes.fromhex(form["hex"])
    return written(form["policy"].replace("{fill}", "x" * form.get("fill", 0))).encode()


def note_of(case):
    return CASES["texts"][case.get("text", "golden")] + "\n" + "".join(CASES["lines"][line] for line in case["lines"])


def run(*arguments):
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        try:
            code = v.main([*map(str, arguments), "--json"])
        except SystemExit as left:
            return left.code, said.getvalue()
    return code, json.loads(out.getvalue())


def without_mldsa():
    return unittest.mock.patch.object(v, "mldsa_library", lambda: None)


class Scratch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name)

    def file(self, name, data):
        path = self.directory / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path


# The award's golden receipt, with other lines below the same checkpoint.
HEAD = (GOLDEN / "receipts/award.tlog-proof").read_text().split("\n\n")[0] + "\n\n"


class Golden(Scratch):
    def test_there_are_enough(self):
        self.assertGreater(len(CASES["cases"]), 80)
        self.assertGreater(len(FORMS), 80)
        outcomes = collections.Counter((case["outcome"], case["code"]) for case in CASES["cases"])
        for needed in (("holds", None), ("false", "signature_invalid"), ("unchecked", "quorum_missing"), ("unchecked", "unsigned"),
                       ("unchecked", "other_log"), ("unchecked", "witness_missing")):
            self.assertGreater(outcomes[needed], 1, needed)

    def test_the_program_makes_the_files(self):
        made = subprocess.run([sys.executable, "-B", GOLDEN / "make_policy_cases.py"], capture_output=True, text=True)
        self.assertEqual((made.returncode, made.stderr), (0, ""))

    def test_a_python_with_ml_dsa(self):
        self.assertIsNotNone(v.mldsa_library(), "this test needs `cryptography` 48 or newer, or `dilithium-py`")

    def judge(self, case):
        arguments = ["receipt", self.file("receipt", case["receipt"] if "receipt" in case else HEAD + note_of(case)), "--policy", self.file("policy", written(case["policy"]))]
        if "log" in case:
            arguments += ["--log", VKEYS[case["log"]]]
        for name in case.get("witnesses", []):
            arguments += ["--witness", VKEYS[name]]
        return run(*arguments)

    def check(self, case, expected):
        code, answer = self.judge(case)
        name = case["name"]
        self.assertEqual((answer["outcome"], answer.get("code"), code), (expected["outcome"], expected["code"], EXIT[expected["outcome"]]), (name, answer))
        if expected["outcome"] == "holds":
            by = [[one["as"], None if one["seen_at_s"] is None else str(one["seen_at_s"]), *([str(one["size"])] if "size" in one else [])]
                  for one in answer["policy"]["cosigned_by"]]
            roles = {one["as"]: one["role"] for one in answer["policy"]["cosigned_by"]}
            self.assertTrue(all((role == "auditor") == as_.startswith("audit-") for as_, role in roles.items()), name)
            for key in ("seen_to", "replayed_to"):
                if key in expected:
                    found = answer["policy"][key]
                    self.assertEqual(found and str(found), expected[key], (name, key))
            for key, found in (("by", by), ("levels", answer["policy"]["levels"]), ("not_checked", answer["policy"]["not_checked"]),
                               ("seen", [[witness, str(one["seen_at_s"])] for witness, one in zip(case.get("witnesses", []), answer["witnesses"])])):
                if key in expected:
                    self.assertEqual(found, expected[key], (name, key))
        if expected["code"] == "quorum_missing":
            self.assertEqual(answer["missing"], expected["missing"], name)
            # Words name who is missing, by the policy's name and the key's.
            self.assertTrue(all(f"{missing} (" in answer["what"] for missing in expected["missing"]), answer["what"])
            if "levels" in expected:
                self.assertEqual(answer["levels"], expected["levels"], name)

    def test_cases(self):
        for case in CASES["cases"]:
            with self.subTest(case["name"]):
                self.check(case, case)

    def test_files_with_two_checkpoints(self):
        self.assertGreater(len(TWO), 30)
        for case in TWO:
            with self.subTest(case["name"]):
                self.check(case, case)

    def test_cases_without_ml_dsa(self):
        with without_mldsa():
            for case in [*CASES["cases"], *TWO]:
                with self.subTest(case["name"]):
                    self.check(case, case.get("without_mldsa", case))

    def test_forms(self):
        for form in FORMS:
            with self.subTest(form["name"]):
                raw = policy_of(form)
                try:
                    v.read_policy(raw)
                    found = (True, None)
                except v.Refused as refused:
                    self.assertEqual(refused.code, "policy_malformed")
                    found = (False, refused.more.get("line"))
                self.assertEqual(found, (form["valid"], form.get("line")))
                if len(raw) <= v.POLICY_MAX.policy_bytes:
                    sized = len(raw).to_bytes(8, "big") + raw
                    if form["valid"]:
                        self.assertEqual(v.read_whole(v.policy_text, sized).encode(), raw)
                    else:
                        with self.assertRaises(v.Refused) as refused:
                            v.read_whole(v.policy_text, sized)
                        self.assertEqual(refused.exception.code, "not_canonical")

    def test_a_policy_in_a_statement_has_a_bound_of_its_own(self):
        raw = b"#" + b"x" * (24_576 - 14) + b"\nquorum none\n"
        sized = lambda raw: len(raw).to_bytes(8, "big") + raw
        self.assertEqual(len(raw), 24_576)
        v.read_whole(v.policy_text, sized(raw))
        with self.assertRaises(v.Refused) as refused:
            v.read_whole(v.policy_text, sized(b"#" + raw))
        self.assertEqual(refused.exception.code, "not_canonical")

    def test_wrong_use(self):
        receipt = self.file("receipt", HEAD + note_of(CASES["cases"][0]))
        none = self.file("none", "quorum none\n")
        for arguments in (["--policy", none], [], ["--policy", self.file("bad", "quorum w1\n")], ["--policy", self.directory / "absent"],
                          ["--policy", none, "--log", VKEYS["w1"]], ["--policy", none, "--log", VKEYS["log"], "--witness", VKEYS["log"]]):
            self.assertEqual(run("receipt", receipt, *arguments)[0], 2, arguments)
        self.assertIn("line 1 of the policy: no line before it defines w1", run("receipt", receipt, "--policy", self.directory / "bad")[1])

    def test_an_old_reader_passes_over_lines_of_ml_dsa(self):
        """Who pinned the Ed25519 key sees the same with such lines as without them, false ones too."""
        for lines in (["log"], ["log", "log pq"], ["log", "log pq false", "m1 short", "stranger"], ["log pq", "log", "m1", "a2 false"]):
            with without_mldsa():
                code, answer = run("receipt", self.file("receipt", HEAD + note_of({"lines": lines})), "--log", VKEYS["log"])
            self.assertEqual((code, answer["outcome"], answer["index"]), (0, "holds", 11), lines)
        code, answer = run("receipt", self.file("receipt", HEAD + note_of({"lines": ["log pq"]})), "--log", VKEYS["log"])
        self.assertEqual((code, answer["code"]), (3, "unsigned"))

    def test_a_log_and_a_witness_by_ml_dsa_alone(self):
        receipt = self.file("receipt", HEAD + note_of({"lines": ["log pq", "m1"]}))
        arguments = ["receipt", receipt, "--log", VKEYS["log pq"], "--witness", VKEYS["m1"]]
        code, answer = run(*arguments)
        self.assertEqual((code, answer["witnesses"]), (0, [{"name": "witness.example.net/m1", "seen_at_s": 1_794_000_003}]))
        with without_mldsa():
            self.assertEqual((run(*arguments)[0], run(*arguments)[1]["code"]), (3, "mldsa_unsupported"))

    def test_an_audit_by_a_policy(self):
        with tempfile.TemporaryDirectory() as directory:
            subprocess.run(["cp", "-r", f"{GOLDEN}/log/55/.", directory], check=True)
            checkpoint = pathlib.Path(directory) / "checkpoint"
            checkpoint.write_text(checkpoint.read_text() + CASES["lines"]["m1"] + CASES["lines"]["a1"])
            for policy, code, found in (("log {log}\nwitness m {m1}\nwitness audit-a {a1}\ngroup g all m audit-a\nquorum g\n", 0, None),
                                        ("log {log}\nwitness w1 {w1}\nquorum w1\n", 3, "quorum_missing"), ("log {log pq}\nquorum none\n", 3, "other_log")):
                left, answer = run("audit", directory, "--policy", self.file("policy", written(policy)))
                self.assertEqual((left, answer.get("code")), (code, found), answer)
                if code == 0:
                    self.assertEqual(answer["policy"]["levels"], ["cosigned", "witnessed", "audited"])

    def test_the_document_has_the_bounds(self):
        text = (HERE.parent / "format.md").read_text()
        rows = re.findall(r"^\| `(policy_\w+)` \| (\d+) \|", text, re.MULTILINE)
        self.assertEqual({name: int(number) for name, number in rows}, v.POLICY_BOUNDS)


class MlDsa(unittest.TestCase):
    def test_keys_messages_and_signatures(self):
        libraries = {load.__name__: load() for load in (v.mldsa_of_cryptography, v.mldsa_of_dilithium_py) if available(load)}
        self.assertTrue(libraries)
        for one in ALONE["signed"]:
            key = v.parse_vkey(ALONE["keys"][one["key"]]["vkey"], v.MLDSA)
            checkpoint = v.SimpleNamespace(origin=one["origin"], size=int(one["size"]), root=bytes.fromhex(one["root"]))
            message, signature = v.mldsa_message(checkpoint, key.name, int(one["seconds"])), base64.b64decode(one["signature"])
            self.assertEqual(message.hex(), one["message"])
            for name, holds in libraries.items():
                self.assertTrue(holds(key.key, signature, message), name)
                self.assertFalse(holds(key.key, signature, message[:-1] + bytes([message[-1] ^ 1])), name)
                for place in (0, 31, 32, 1000, 2335, 2336, 2415, 2419):
                    changed = bytearray(signature)
                    changed[place] ^= 0x40
                    self.assertFalse(holds(key.key, bytes(changed), message), (name, place))

    def test_a_line_that_another_program_wrote(self):
        foreign = ALONE["foreign"]
        checkpoint = v.read_checkpoint(foreign["note"].encode())
        self.assertEqual(v.check_lines(checkpoint, v.parse_vkey(foreign["vkey"], v.MLDSA)), [int(foreign["seconds"])])

    def test_a_library_that_has_none(self):
        with unittest.mock.patch.dict(sys.modules, {"dilithium_py.ml_dsa": None, "cryptography.hazmat.primitives.asymmetric.mldsa": None}):
            self.assertIsNone(v.mldsa_library.__wrapped__())


def available(load):
    try:
        return bool(load())
    except (ImportError, v.UnsupportedAlgorithm):
        return False


# ---- random policies and checkpoints: this verifier and the browser's agree ------------------------------------

class Dice(random.Random):
    def one_in(self, count):
        return self.randrange(count) == 0


LINES = [line for line in CASES["lines"]]
WITNESSES = ["w1", "w2", "w3", "m1", "m2", "a1", "a2", "stranger"]


def random_policy(dice):
    """Mostly a policy; else a change that spoils it, or does not."""
    lines, free = [], []
    for name in dice.sample(["log", "next log", "log pq", "other log"], dice.choice([0, 1, 1, 1, 2, 2, 3])):
        lines.append(f"log {{{name}}}" + (" https://example.org/" if dice.one_in(4) else ""))
    for place, key in enumerate(dice.sample(WITNESSES, dice.randrange(6))):
        name = dice.choice(["audit-", "w", "w", "\u898b"]) + str(place)
        lines.append(f"witness {name} {{{key}}}")
        free.append(name)
    names = list(free)
    for number in range(dice.randrange(4)):
        if not free:
            break
        members = dice.sample(free, dice.randrange(1, min(4, len(free)) + 1))
        lines.append(f"group g{number} {dice.choice(['any', 'all', str(dice.randrange(1, len(members) + 1))])} {' '.join(members)}")
        free = [name for name in free if name not in members] + [f"g{number}"]
        names.append(f"g{number}")
    lines.append("quorum " + (dice.choice([*free, *free, *names]) if names and not dice.one_in(8) else "none"))
    if dice.one_in(5):
        spoil(dice, lines)
    text = "\n".join(lines) + "\n"
    raw = bytearray(written(text).encode())
    if dice.one_in(12):
        place = dice.randrange(len(raw))
        raw[place] ^= 1 << dice.randrange(8)
    if dice.one_in(30):
        del raw[-dice.randrange(1, 3):]
    return bytes(raw)


def spoil(dice, lines):
    at = dice.randrange(len(lines))
    match dice.randrange(9):
        case 0: lines.insert(at, lines[dice.randrange(len(lines))])
        case 1: lines.pop(at)
        case 2: dice.shuffle(lines)
        case 3: lines[at] = dice.choice(["#", "  # ", "\t", " "]) + lines[at]
        case 4: lines[at] += dice.choice([" ", "\t\t", " x", " none", "\r", "\u00a0", "\u200b", " #"])
        case 5: lines[at] = lines[at].replace(" ", dice.choice(["  ", "\t", ""]), 1)
        case 6: lines.insert(at, dice.choice(["", "group none any w0", "quorum none", "witness none {w1}", "group g any", "log", "group h 0 w0", "group h 2 w0"]))
        case 7: lines[at] = lines[at].replace("g0", "none").replace("any", "1").replace("{log}", "{w1}")
        case 8: lines[at] = lines[at].upper()


def random_lines(dice):
    count = dice.choice([1, 2, 3, 3, 4, 5, 6])
    right = [line for line in LINES if line in VKEYS]
    lines = [dice.choice(right if dice.random() < 0.85 else LINES) for _ in range(count)]
    if not dice.one_in(6):
        lines.insert(0, "log")
    if dice.one_in(6):
        dice.shuffle(lines)
    return lines


def by_this_verifier(question):
    try:
        policy = v.read_policy(base64.b64decode(question["policy"]))
    except v.Refused as refused:
        return {"outcome": "usage", "line": refused.more.get("line")}
    log = question["log"] and v.parse_vkey(question["log"], v.LOG, v.MLDSA)
    if not log and not policy.logs:
        return {"outcome": "usage", "line": None}
    try:
        checkpoint = v.read_checkpoint(base64.b64decode(question["note"]))
        witnesses = [v.parse_vkey(witness, v.WITNESS, v.MLDSA) for witness in question["witnesses"]]
        found = v.check_signers(checkpoint, log, witnesses, policy)[1]
    except v.Refused as refused:
        return {"outcome": v.OUTCOMES[refused.exit_code], "code": refused.code, "missing": refused.more.get("missing"),
                "levels": refused.more.get("levels")}
    by = found["policy"]
    signers = [[one["as"], one["role"], None if one["seen_at_s"] is None else str(one["seen_at_s"])] for one in by["cosigned_by"]]
    return {"outcome": "holds", "levels": by["levels"], "by": signers, "not_checked": by["not_checked"],
            "seen": [str(one["seen_at_s"]) for one in found["witnesses"]]}


class Chance(unittest.TestCase):
    def agree(self, count, seed, *arguments):
        dice, questions = Dice(seed), []
        for _ in range(count):
            note = CASES["texts"]["other log" if dice.one_in(40) else "golden"] + "\n" + "".join(CASES["lines"][line] for line in random_lines(dice))
            questions.append({"policy": base64.b64encode(random_policy(dice)).decode(), "note": base64.b64encode(note.encode()).decode(),
                              "log": VKEYS[dice.choice(["log", "log", "next log", "log pq"])] if dice.one_in(4) else None,
                              "witnesses": [VKEYS[dice.choice(WITNESSES)]] if dice.one_in(8) else []})
        node = subprocess.run(["node", str(ROOT / "tests/web/policies.mjs"), *arguments], capture_output=True, text=True,
                              input="".join(json.dumps(question) + "\n" for question in questions))
        self.assertEqual((node.returncode, node.stderr), (0, ""))
        seen = collections.Counter()
        for number, (question, line) in enumerate(zip(questions, node.stdout.splitlines(), strict=True)):
            ours, theirs = by_this_verifier(question), json.loads(line)
            self.assertEqual(ours, theirs, f"case {number} of seed {seed}: {base64.b64decode(question['policy'])!r} {base64.b64decode(question['note'])!r}")
            seen[ours.get("code") or ours["outcome"]] += 1
        return seen

    def test_random_cases(self):
        count, seed = int(os.environ.get("ARBORLOG_CASES", 3000)), int(os.environ.get("ARBORLOG_SEED", 1))
        seen = self.agree(count, seed)
        print(dict(seen), file=sys.stderr)
        if count >= 1000:
            for outcome in ("holds", "usage", "signature_invalid", "quorum_missing", "unsigned", "other_log", "witness_missing"):
                self.assertGreater(seen[outcome], 5, seen)

    def test_random_cases_without_ml_dsa(self):
        count, seed = int(os.environ.get("ARBORLOG_CASES", 3000)) // 3, int(os.environ.get("ARBORLOG_SEED", 1))
        with without_mldsa():
            seen = self.agree(count, seed, "--without-mldsa")
        print(dict(seen), file=sys.stderr)
        if count >= 1000:
            self.assertGreater(seen["mldsa_unsupported"], 5, seen)


if __name__ == "__main__":
    unittest.main()
