#!/usr/bin/env python3
"""Tests of arborlog_verify.py: the golden files, right and tampered, and a false ledger for each rule.

    python3 docs/verifier/test_arborlog_verify.py
"""
import base64, contextlib, copy, hashlib, io, json, os, pathlib, random, re, struct, subprocess, sys, tempfile, types, unittest, unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import arborlog_verify as v
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent.parent / "tests" / "golden"
LOG, NEXT_LOG, WITNESS = ((GOLDEN / "note" / name).read_text().strip()
                          for name in ("log.vkey", "log_next.vkey", "witness.vkey"))
GENESIS = re.search("^id (.*)$", (GOLDEN / "statements/genesis.hex").read_text(), re.MULTILINE)[1]


def run(*arguments):
    """Exit code and JSON answer of the command, in this process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            code = v.main([*map(str, arguments), "--json"])
        except SystemExit as left:
            return left.code, None
    return code, json.loads(out.getvalue())


def files_of(directory):
    return {str(path.relative_to(directory)): path.read_bytes()
            for path in sorted(pathlib.Path(directory).rglob("*")) if path.is_file()}


def write_files(directory, files):
    for name, data in files.items():
        path = pathlib.Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self.scratch.name)
        self.addCleanup(self.scratch.cleanup)

    def audit_of(self, files, vkey=LOG, *more):
        with tempfile.TemporaryDirectory(dir=self.directory) as directory:
            write_files(directory, files)
            return run("audit", directory, "--log", vkey, *more)

    def receipt_of(self, text, *more):
        path = self.directory / "receipt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run("receipt", path, "--log", LOG, *more)


# ---- the golden files ----------------------------------------------------------------------------

class GoldenFiles(Scratch):
    def test_statements_and_entries(self):
        names = sorted((GOLDEN / "statements").glob("*.hex"))
        self.assertGreater(len(names), 15)
        for path in names:
            fields = dict(line.split() for line in path.read_text().splitlines())
            entry = v.decode_entry(bytes.fromhex(fields["entry"]))
            v.check_signatures(entry, "example.org/ledger")
            self.assertEqual(entry.record.hex(), fields["record"])
            self.assertEqual(entry.id.hex(), fields["id"])
            self.assertEqual(entry.leaf.hex(), fields["leaf_hash"])
            self.assertTrue(fields["entry"].endswith(fields["signed_record"]))
            said = json.loads(path.with_suffix(".json").read_text())
            self.assertEqual(entry.kind, said.pop("kind"))
            for name, value in said.items():
                read = getattr(entry.statement, {"from": "sender", "for": "platforms"}.get(name, name))
                if isinstance(read, bytes):
                    self.assertEqual(read.hex(), value, (path.name, name))
                elif isinstance(value, int) or name in ("display_name", "name", "holder", "role", "basis"):
                    self.assertEqual(read, value, (path.name, name))

    def test_ledgers_of_five_sizes(self):
        for size in (1, 55, 255, 256, 257):
            directory = GOLDEN / "log" / str(size)
            code, answer = run("audit", directory, "--log", LOG, "--genesis", GENESIS)
            self.assertEqual((code, answer["ok"], answer["entries"]), (0, True, size), answer)
            self.assertEqual(answer["root"], (directory / "checkpoint").read_text().split("\n")[2])
            if size == 55:
                self.assertEqual(answer["totals"], json.loads((GOLDEN / "ledger/totals.json").read_text()))
            if size >= 47:
                self.assertEqual(run("audit", directory, "--log", NEXT_LOG)[0], 0)

    def test_lineage(self):
        names = {key["public_key"]: key["name"] for key in json.loads((GOLDEN / "keys.json").read_text())}
        lines = (GOLDEN / "ledger/lineage.txt").read_text().splitlines()[1:]
        entries = v.read_bundle(str(GOLDEN / "log/55"), "tile/entries/000.p/55", 55)
        self.assertEqual(len(lines), 55)
        for index, (line, data) in enumerate(zip(lines, entries)):
            entry = v.decode_entry(data)
            lineage = " ".join("-" if place == v.NONE else str(place) for place in entry.lineage)
            self.assertEqual(line, f"{index}, {entry.kind}, {names[entry.issuer.hex()]}, {entry.seq}, {lineage}")

    def test_the_state_root_after_each_entry(self):
        lines = (GOLDEN / "ledger/state_roots.txt").read_text().splitlines()
        entries = v.read_bundle(str(GOLDEN / "log/55"), "tile/entries/000.p/55", 55)
        ledger = v.Ledger("example.org/ledger", lambda index: v.decode_entry(entries[index]))
        self.assertEqual([leaves for leaves in v.Domains(ledger).leaves() if leaves], [])
        for line, data in zip(lines, entries, strict=True):
            ledger.admit(data)
            self.assertEqual(line, f"{ledger.entries} {v.state_root_after(ledger).hex()}")
        golden = json.loads((GOLDEN / "ledger/domains.json").read_text())
        self.assertEqual(sorted(golden), sorted(v.DOMAINS))
        for name, root in zip(v.DOMAINS, v.Domains(ledger).roots(), strict=True):
            self.assertEqual(root, node_of(golden[name]), name)
        self.check_leaves(ledger)

    def check_leaves(self, ledger):
        """The golden file of leaves, from which the browser's verifier reads what they say. ARBORLOG_BLESS=1 writes it."""
        fields, digested = {}, v.digested

        def keep(index, of):
            fields[digested(index, of)] = of.hex()
            return digested(index, of)

        with unittest.mock.patch.object(v, "digested", keep):
            domains = v.Domains(ledger).leaves()
        leaves = {name: [dict(path=path.hex(), value=value.hex(), a=str(a), b=str(b), fields=fields.get(value))
                         for path, (value, a, b) in sorted(domain.items())] for name, domain in zip(v.DOMAINS, domains)}
        path = GOLDEN / "ledger/leaves.json"
        if os.environ.get("ARBORLOG_BLESS") == "1":
            path.write_text(json.dumps(leaves, indent=1) + "\n")
        self.assertEqual(json.loads(path.read_text()), leaves)

    def test_large_trees(self):
        large = json.loads((GOLDEN / "large.json").read_text())
        for size, expected in large.items():
            digests = [v.sha256(b"arborlog golden" + struct.pack(">Q", i))[:i % 33] for i in range(int(size))]
            hashes = [v.sha256(b"\0" + data) for data in digests]
            self.assertEqual(base64.b64encode(v.merkle_root(hashes)).decode(), expected["root"])
            bundles, tiles, numbers = hashlib.sha256(), hashlib.sha256(), [0, 0]
            for _, first, width in v.tiles_of("entries", len(digests)):
                numbers[0] += 1
                for data in digests[first:first + width]:
                    bundles.update(struct.pack(">H", len(data)) + data)
            while hashes:
                for _, first, width in v.tiles_of(0, len(hashes)):
                    numbers[1] += 1
                    tiles.update(b"".join(hashes[first:first + width]))
                hashes = [v.merkle_root(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]
            self.assertEqual(numbers, [expected["bundles"], expected["hash_tiles"]])
            self.assertEqual(bundles.hexdigest(), expected["bundles_sha256"])
            self.assertEqual(tiles.hexdigest(), expected["hash_tiles_sha256"])

    def test_rejected(self):
        before_signed_record = bytes.fromhex("0001" + "00" * 8 + "00" * 8)

        def accepted(what, file):
            data = bytes.fromhex(file.get("hex", ""))
            if what == "record":
                v.decode_record(data)
            elif what == "signed_record":
                v.decode_entry(before_signed_record + data)
            elif what == "entry":
                v.decode_entry(data)
            elif what == "key":
                return v.good_key(data)
            elif what == "signature":
                return v.signature_holds(*(bytes.fromhex(file[name]) for name in ("key", "signature", "message")))
            elif what == "vkey":
                v.parse_vkey(file["text"], 1)
            elif what == "checkpoint":
                v.open_checkpoint(file["text"].encode(), v.parse_vkey(LOG, 1))
            elif what == "receipt":
                v.verify_receipt(file["text"].encode(), v.parse_vkey(LOG, 1))
            else:
                self.fail(what)
            return True

        files = sorted((GOLDEN / "rejected").glob("*.json"))
        self.assertGreater(len(files), 60)
        for path in files:
            file = json.loads(path.read_text())
            try:
                wrongly = accepted(file["what"], file)
            except v.Refused as refused:
                wrongly = False
                if file["what"] in ("record", "signed_record", "entry"):
                    other_format = path.name in ("genesis_without_format.json", "genesis_of_format_2.json")
                    self.assertEqual(refused.code, "other_format" if other_format else "not_canonical", path.name)
            self.assertFalse(wrongly, path.name)

    def test_receipts(self):
        for path in sorted((GOLDEN / "receipts").iterdir()):
            # The log of the files about the state goes on to where the next key signs.
            later = path.name.startswith("state_") and path.name != "state_items.tlog-proof"
            log = NEXT_LOG if later else LOG
            code, answer = run("receipt", path, "--log", log, "--genesis", GENESIS)
            # A state entry alone leads to no genesis: the entries that are shown beside it do, and accounts name it.
            shows_none = answer["kind"] == "state" and not answer["entries"]
            self.assertEqual((code, answer["genesis"]), (0, None if shows_none else GENESIS), (path.name, answer))
            pinned = run("receipt", path, "--log", log, "--genesis", "ab" * 32)[1]
            names_none = shows_none and not any(item["domain"] == "accounts" for item in answer["items"])
            self.assertEqual(pinned.get("code"), None if names_none else "genesis_other", path.name)
            cosigned = run("receipt", path, "--log", log, "--witness", WITNESS)
            self.assertEqual(cosigned[0], 0 if "cosigned" in path.name else 3, (path.name, cosigned))

    def test_files_about_the_state_that_do_not_hold(self):
        for path in sorted((GOLDEN / "state_rejected").glob("*.json")):
            said = json.loads(path.read_text())
            with self.assertRaises(v.Refused, msg=path.name) as caught:
                v.verify_receipt(said["text"].encode(), v.parse_vkey(NEXT_LOG, 1))
            refused = caught.exception
            self.assertEqual((v.OUTCOMES[refused.exit_code], refused.code), (said["outcome"], said["code"]), path.name)

    def test_items_are_said_in_the_same_words(self):
        path = GOLDEN / "receipts/state_items.tlog-proof"
        code, answer = run("receipt", path, "--log", LOG)
        words = (GOLDEN / "ledger/item_words.txt").read_text().splitlines()
        self.assertEqual((code, [item["says"] for item in answer["items"]]), (0, words))
        self.assertEqual({item["domain"] for item in answer["items"]}, set(v.DOMAINS))
        with contextlib.redirect_stdout(io.StringIO()) as out:
            v.main(["receipt", str(path), "--log", LOG])
        for line in words:
            self.assertIn(f"of the first 55 entries: {line}\n", out.getvalue())

    def test_no_bit_of_an_item_can_be_another(self):
        [first, *_], _, _ = v.read_receipt((GOLDEN / "receipts/state_items.tlog-proof").read_bytes())
        state = v.decode_entry(first.entry)
        # One that is there and plain, one that is digested, one that is not there.
        wanted = {(8, True), (6, True), (8, False)}
        for item in first.items:
            found = v.verify_item(item, state, None)
            sort = (v.DOMAINS.index(found["domain"]), found["leaf"] is not None)
            if sort not in wanted:
                continue
            wanted.remove(sort)
            for part, data in vars(item).items():
                for at in range(8 * len(data or b"")):
                    other = data[:at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1:]
                    changed = types.SimpleNamespace(**vars(item) | {part: other})
                    try:
                        now = v.verify_item(changed, state, None)
                    except v.Refused as refused:
                        self.assertIn(refused.code, ("state_item_malformed", "state_item_wrong"))
                        continue
                    # One proof can show of several keys that nothing is there.
                    self.assertEqual((part, now["leaf"], found["leaf"]), ("key", None, None))
        self.assertEqual(wanted, set())


class Tampered(Scratch):
    def expect_lie(self, outcome, name=""):
        code, answer = outcome
        self.assertIn(code, (1, 3, 4), (name, answer))
        self.assertEqual(answer["outcome"], v.OUTCOMES[code])
        self.assertFalse(answer["ok"])
        self.assertTrue(answer["where"] and answer["code"] and answer["what"], name)

    def test_every_file_of_a_ledger(self):
        """Flips a bit here and there in each file; cuts, pads, empties and drops it."""
        random.seed(12)
        for size, flips in ((55, 60), (257, 8)):
            files = files_of(GOLDEN / "log" / str(size))
            self.assertEqual(self.audit_of(files)[0], 0)
            for name, data in files.items():
                count = len(data) if name == "checkpoint" and size == 55 else flips
                places = range(len(data)) if count >= len(data) else sorted(random.sample(range(len(data)), count))
                wrong = [data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1:] for at in places]
                if name == "checkpoint":        # a line that names a key which is not the log's is passed over
                    in_force = data.index("—".encode())
                    wrong = wrong[:data.index(b"\n", in_force)] if len(wrong) == len(data) else wrong[:4]
                for changed in [*wrong, data[:-1], data[:len(data) // 2], b"", data + b"\0", data + data, data[1:]]:
                    self.expect_lie(self.audit_of(files | {name: changed}), name)
                code, answer = self.audit_of({other: files[other] for other in files if other != name})
                absent = (3, "unreadable" if name == "checkpoint" else "tile_missing")
                self.assertEqual((code, answer["code"], answer["where"]), (*absent, name))

    def test_swapped_entries_and_tiles(self):
        files = files_of(GOLDEN / "log/55")
        name = "tile/entries/000.p/55"
        entries = v.read_bundle(str(GOLDEN / "log/55"), name, 55)
        for one, other in ((11, 12), (0, 1), (53, 54)):
            swapped = list(entries)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            self.expect_lie(self.audit_of(files | {name: bundle_of(swapped)}))
        later = entries[52][:9] + bytes([entries[52][9] + 1]) + entries[52][10:]     # admitted 1 ms later
        code, answer = self.audit_of(files | {name: bundle_of([*entries[:52], later, *entries[53:]])})
        self.assertEqual((code, answer["where"], answer["code"]), (1, "entry 52", "root_mismatch"))
        tile = files["tile/0/000.p/55"]
        code, answer = self.audit_of(files | {"tile/0/000.p/55": tile[32:64] + tile[:32] + tile[64:]})
        self.assertEqual((code, answer["where"], answer["code"]), (1, "tile/0/000.p/55", "tile_wrong"))

    def test_wrong_keys(self):
        directory = GOLDEN / "log/55"
        other = vkey_of("example.org/ledger", SEEDS["stranger"].public)
        other_name = vkey_of("example.org/other", bytes.fromhex(
            "6e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf1"))
        self.assertEqual(run("audit", directory, "--log", other)[1]["code"], "unsigned")
        self.assertEqual(run("audit", directory, "--log", other_name)[1]["code"], "other_log")
        self.assertEqual(run("audit", GOLDEN / "log/1", "--log", NEXT_LOG)[1]["code"], "unsigned")
        self.assertEqual(run("audit", directory, "--log", LOG, "--genesis", "00" * 32)[1]["code"], "genesis_other")
        self.assertEqual(run("receipt", GOLDEN / "receipts/award.tlog-proof", "--log", other)[0], 3)

    def test_usage_and_absent_files(self):
        for arguments in ((), ("audit",), ("audit", "x"), ("audit", "x", "--log", "nonsense"), ("frob", "x"),
                          ("audit", "x", "--log", LOG.replace("211f", "211e")), ("audit", "x", "--log", WITNESS),
                          ("receipt", "x", "--log", LOG, "--genesis", "12"),
                          ("receipt", "x", "--log", LOG, "--witness", LOG)):
            self.assertEqual(run(*arguments)[0], 2, arguments)
        for command in ("audit", "receipt"):
            for target in (self.directory / "absent", "a\0b"):
                code, answer = run(command, target, "--log", LOG)
                self.assertEqual((code, answer["code"]), (3, "unreadable"))
        self.assertEqual(run("receipt", self.directory, "--log", LOG)[0], 3)

    def test_as_a_program(self):
        program = [sys.executable, str(HERE / "arborlog_verify.py")]
        for arguments, code in ((["audit", GOLDEN / "log/55", "--log", LOG], 0), (["--help"], 0), (["audit"], 2),
                                (["receipt", GOLDEN / "receipts/award.tlog-proof", "--log", LOG], 0),
                                (["receipt", GOLDEN / "keys.json", "--log", LOG], 4),
                                (["audit", GOLDEN, "--log", LOG], 3)):
            done = subprocess.run([*program, *map(str, arguments)], capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done)
            self.assertNotIn("Traceback", done.stderr)

    def test_receipts(self):
        random.seed(13)
        for path in sorted((GOLDEN / "receipts").iterdir()):
            if path.name == "state_items.tlog-proof":
                continue            # another key can be absent by the same proof: see the bits of items
            data = path.read_bytes()
            signed = data.rindex(b"\n\n") + 1        # a line of a signature may become one of a key unknown
            for at in sorted(random.sample(range(signed), 150)):
                changed = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1:]
                self.expect_lie(self.receipt_of(changed), (path.name, at))
            for changed in (b"", data[:-1], data[1:], data[:len(data) // 2], data + b"x", data + data,
                            data.replace(b"\n", b"\r\n"), b"\xff" + data):
                self.expect_lie(self.receipt_of(changed), path.name)

    def test_a_receipt_moved(self):
        award = (GOLDEN / "receipts/award.tlog-proof").read_text()
        for index in (0, 10, 12, 54, 55, 2**63, 2**64 - 1, 2**64, "011", "-1", "", "11 "):
            self.expect_lie(self.receipt_of(award.replace("index 11\n", f"index {index}\n")), index)
        other = (GOLDEN / "receipts/governors.tlog-proof").read_text()
        lines, others = award.split("\n"), other.split("\n")
        self.expect_lie(self.receipt_of("\n".join([lines[0], others[1], *lines[2:]])))
        self.expect_lie(self.receipt_of("\n".join([*lines[:3], *lines[4:]])))      # a hash less
        self.expect_lie(self.receipt_of("\n".join([*lines[:4], *lines[3:]])))      # one more
        self.expect_lie(self.receipt_of("\n".join([lines[0], lines[2], lines[1], *lines[3:]])))

    def test_a_receipt_with_other_links(self):
        award = (GOLDEN / "receipts/award.tlog-proof").read_text()
        lines = award.split("\n")
        extra = v.read_whole(v.read_extra, base64.b64decode(lines[1][6:]))
        for links in ([], extra.authority[:1], extra.authority[1:], extra.authority[::-1], extra.authority * 2):
            written = byte_string(extra.entry) + list_of(links, lambda link: u64(link.index)
                                                         + byte_string(link.entry) + list_of(link.path, bytes))
            lines[1] = "extra " + base64.b64encode(written).decode()
            self.expect_lie(self.receipt_of("\n".join(lines)), len(links))


# ---- signatures ----------------------------------------------------------------------------------

def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, -1, v.P)
    return (y * inverse % v.P | (x * inverse % v.P & 1) << 255).to_bytes(32, "little")


class Signatures(unittest.TestCase):
    base = v.decode_point(bytes.fromhex("58" + "66" * 31))
    torsion = v.decode_point(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))

    def test_rfc_8032(self):
        for key, message, signature in (
                ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                 "d25bf5f0595bbe24655141438e7a100b"),
                ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                 "387b2eaeb4302aeeb00d291612bb0c00"),
                ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                 "4a7c15e9716ed28dc027beceea1ec40a")):
            key, message, signature = map(bytes.fromhex, (key, message, signature))
            self.assertTrue(v.signature_holds(key, signature, message))
            for at in range(0, 512, 7):
                wrong = bytearray(signature)
                wrong[at // 8] ^= 1 << at % 8
                self.assertFalse(v.signature_holds(key, bytes(wrong), message))
            s = int.from_bytes(signature[32:], "little") + v.L
            self.assertFalse(v.signature_holds(key, signature[:32] + s.to_bytes(32, "little"), message))

    def sign(self, secret, nonce_point, nonce, message):
        """(R, s) that fits, but for the torsion of R."""
        key, r = encode_point(v.times(secret, self.base)), encode_point(nonce_point)
        k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % v.L
        return key, r + ((nonce + k * secret) % v.L).to_bytes(32, "little")

    def test_small_order_and_torsion_in_r(self):
        self.assertEqual(len(v.SMALL_ORDER), 14)
        message = b"my own vector"
        key, signature = self.sign(77, v.times(99, self.base), 99, message)
        self.assertTrue(v.signature_holds(key, signature, message))
        eighth = [v.times(n, self.torsion) for n in range(8)]
        self.assertTrue(v.is_identity(v.times(8, self.torsion)))
        for point in eighth:
            self.assertIn(encode_point(point), v.SMALL_ORDER)
            self.assertFalse(v.good_key(encode_point(point)))
            key, signature = self.sign(77, point, 0, message)
            self.assertFalse(v.signature_holds(key, signature, message))
        for point in eighth[1:]:
            key, signature = self.sign(77, v.add_points(v.times(99, self.base), point), 99, message)
            self.assertFalse(v.signature_holds(key, signature, message))
            mixed = v.add_points(v.times(77, self.base), point)
            self.assertIsNone(v.good_key(encode_point(mixed)))
        identity = self.sign(77, eighth[0], 0, message)[1]          # only the list refuses this one
        v.good_key(key).verify(identity, message)
        self.assertTrue(v.library_is_cofactorless())

    def test_keys(self):
        for y in (v.P, v.P + 1, v.P + 3, 2**255 - 1, 2):
            self.assertIsNone(v.good_key(y.to_bytes(32, "little")), y)
        self.assertIsNone(v.good_key((1 | 1 << 255).to_bytes(32, "little")))
        for person in SEEDS.values():
            self.assertTrue(v.good_key(person.public))


# ---- a small builder of ledgers ------------------------------------------------------------------

def u8(value): return struct.pack(">B", value)
def u16(value): return struct.pack(">H", value)
def u32(value): return struct.pack(">I", value)
def i32(value): return struct.pack(">i", value)
def u64(value): return struct.pack(">Q", value)
def byte_string(value): return u64(len(value)) + value
def text(value): return byte_string(value.encode())
def list_of(values, write): return u64(len(values)) + b"".join(map(write, values))
def option(value, write): return b"\0" if value is None else b"\1" + write(value)
def word(*names): return lambda value: u32(names.index(value))

def activity(a): return u16(a["code"]) + text("activity") + text("km") + u64(a["factor"]) + u64(a["cap"])
def species(s): return u16(s["code"]) + text(s["name"]) + u64(s["price"])
def place(p):
    """A circle's middle and radius, or the points of an outline."""
    if isinstance(p, tuple):
        return u32(0) + i32(p[0]) + i32(p[1]) + u32(p[2])
    return u32(1) + list_of(p["outline"], lambda point: i32(point[0]) + i32(point[1]))
def remedy(r):
    if r == "void":
        return u32(2)
    if "reverse" in r:
        return u32(0) + u64(r["reverse"])
    return (u32(1) + u32(r["lost"]) + option(r.get("first_serial"), u32) + u32(r.get("lost_on", TODAY))
            + option(r.get("evidence"), bytes))

WRITE = {        # in the order of their numbers: field, how it is written, what it is if nothing is said
    "genesis": [("format", u32, 1), ("origin", text, "example.org/test"), ("programme", text, "A test"), ("governors", "keys", None),
                ("quorum", u8, 2), ("log_key", "key", None), ("mldsa_key", "mldsa?", None)],
    "governors": [("governors", "keys", None), ("quorum", u8, 2), ("set", "set", None)],
    "key_grant": [("key", "key", None), ("role", word("platform", "planter", "surveyor", "auditor"), None), ("holder", text, None),
                  ("display_name", "name", None), ("expires_on", "day?", None), ("set", "set", None)],
    "key_revoke": [("key", "key", None), ("reason", text, "because"), ("compromised_since", "day?", None),
                   ("set", "set", None)],
    "log_key": [("key", "key", None), ("mldsa_key", "mldsa?", None), ("set", "set", None)],
    "method": [("id", u32, 1), ("version", u32, 1), ("effective_from", u32, 0), ("activities", activity, []),
               ("species", species, []), ("baseline", text, ""), ("sources", text, ""), ("jurisdiction", text, ""),
               ("document", bytes, bytes(32)), ("set", "set", None)],
    "award": [("account", bytes, None), ("method", u32, 1), ("version", u32, 1), ("activity", u16, 1),
              ("quantity", u64, None), ("points", u64, None), ("occurred_on", u32, None), ("evidence", bytes, bytes(32))],
    "transfer": [("sender", bytes, None), ("to", "account?", None), ("points", u64, None),
                 ("reason", word("gift", "collected", "pooled", "expired", "spent_elsewhere"), "gift")],
    "plot": [("number", u32, 1), ("name", text, "hill"), ("country", text, "US"), ("place", place, (-1, 1, 9)),
             ("finer_outline", "digest?", None), ("area_m2", u64, 10_000), ("trees_per_ha_max", u32, 20),
             ("carbon_rights", u32, 0), ("funded_by", text, "us"), ("platforms", text, []), ("set", "set?", None)],
    "planting": [("plot", u32, 1), ("species", u16, 1), ("first_serial", u32, None), ("count", u32, None),
                 ("planted_from", u32, 1), ("planted_until", u32, 1), ("evidence", "evidence", None),
                 ("evidence_at", text, "")],
    "survey": [("plot", u32, 1), ("planting", "index?", None), ("surveyed_on", u32, 1),
               ("as_of", u64, 0), ("basis", word("census", "random_sample", "remote_sensing"), "census"),
               ("protocol", text, ""), ("plan", "digest?", None), ("alive", u32, 0), ("dead", u32, 0),
               ("not_found", u32, 0), ("dead_known", u32, 0), ("revived", u32, 0), ("evidence", "evidence", None),
               ("evidence_at", text, ""), ("paid_by", text, "them"),
               ("next_due", "day?", None)],
    "claim": [("account", bytes, None), ("method", u32, 1), ("version", u32, 1), ("species", u16, 1),
              ("points", u64, 100)],
    "assignment": [("plot", u32, 1), ("first_serial", u32, 1), ("claims", u64, None)],
    "correction": [("target", u64, None), ("reason", text, "because"), ("remedy", remedy, "void"), ("set", "set?", None)],
    "policy": [("policy", text, "quorum none\n"), ("set", "set", None)],
    "attestation": [("size", u64, 1), ("tree_root", bytes, bytes(32)), ("state_root", bytes, bytes(32)),
                    ("period_from", u32, 1), ("period_until", u32, 2), ("level", word("limited", "reasonable"), "limited"),
                    ("opinion", word("unmodified", "qualified", "adverse", "disclaimed"), "unmodified"),
                    ("findings", bytes, bytes(32)), ("report", bytes, bytes(32)), ("report_at", text, ""),
                    ("words", text, "all right")],
    "seal": [("count", u32, None), ("root", bytes, None)],
}
KINDS = list(WRITE)
STATE_TOTALS = """awarded reversed expired spent_elsewhere claimed balances owed planted_recorded planted_voided lost standing
                  assigned waiting claims accounts_negative""".split()
TODAY = 20_000
ORIGIN = "example.org/test"


class Person:
    def __init__(self, name):
        self.private = Ed25519PrivateKey.from_private_bytes(v.sha256(name.encode()))
        self.public = self.private.public_key().public_bytes_raw()


SEEDS = {name: Person(name) for name in
         "ada ben cleo dan log log2 platform platform2 guest planter planter2 surveyor auditor expiring stranger gone".split()}
A, B, C, D = (SEEDS[name] for name in ("ada", "ben", "cleo", "dan"))
LOG_KEY, LOG_KEY_2, PLATFORM, PLATFORM_2, GUEST, PLANTER, PLANTER_2, SURVEYOR, AUDITOR, EXPIRING, STRANGER, GONE = (
    SEEDS[name] for name in "log log2 platform platform2 guest planter planter2 surveyor auditor expiring stranger gone".split())
EVIDENCE = iter(range(1, 10**9))
ANN, BOB, CAT, DEB = (bytes([n]) * 32 for n in (1, 2, 3, 4))


def public(key):
    return key.public if isinstance(key, Person) else key


def vkey_of(name, key, kind=1):
    identity = v.verifier_key(name, kind, key)
    return f"{name}+{identity.id.hex()}+{base64.b64encode(bytes([kind]) + key).decode()}"


def write_statement(kind, said):
    written = u32(KINDS.index(kind))
    if kind == "key_grant":
        said.setdefault("display_name", said["holder"])
    for name, write, default in WRITE[kind]:
        value = said.pop(name, default)
        if write == "evidence":
            written += value if value is not None else v.sha256(u64(next(EVIDENCE)))
        elif write == "name":
            written += text(value)
        elif write == "key":
            written += public(value)
        elif write == "keys":
            written += list_of([public(key) for key in value], bytes)
        elif write == "set":
            written += u64(value)
        elif isinstance(write, str):
            write = {"day?": u32, "index?": u64, "set?": u64, "account?": bytes, "mldsa?": bytes, "digest?": bytes}[write]
            written += option(value, write)
        elif isinstance(value, list):
            written += list_of(value, write)
        else:
            written += write(value)
    assert not said, said
    return written


def sealed_entry(ahead, statement, *places):
    """A statement as a seal's batch has it; without places all of them are none."""
    number = v.SEALED_PLACES[KINDS[int.from_bytes(statement[:4], "big")]]
    return u16(2) + u16(ahead) + statement + b"".join(u64(place) for place in places or [v.NONE] * number)


def bundle_of(entries):
    return b"".join(u16(len(data)) + data for data in entries)


class Builder:
    """Signs statements and keeps the entries. Its lineage is the verifier's, which the golden files check."""

    def __init__(self):
        self.entries = []
        self.ledger = v.Ledger(ORIGIN, self.fetch)

    def fetch(self, index):
        return v.decode_entry(self.entries[index])

    def fork(self):
        return copy.deepcopy(self)

    def entry(self, kind, issuer, *endorsers, seq=None, prev=None, issued_on=TODAY, day=TODAY, admitted_at=None,
              lineage=(), forge=None, **said):
        key = self.ledger.keys.get(issuer.public)
        seq = (key.next_seq if key else 0) if seq is None else seq
        prev = (key.last_id if key else bytes(32)) if prev is None else prev
        # Where governors sign, the set in force, unless another is said.
        if any(name == "set" for name, _, _ in WRITE[kind]):
            known = kind == "plot" and said.get("number", 1) in self.ledger.plots
            governed = (kind not in ("plot", "correction") or issuer.public in self.ledger.council
                        or kind == "plot" and (endorsers or known))
            said.setdefault("set", self.ledger.council_at if governed else None)
        names_mldsa = said.get("mldsa_key") is not None
        record = issuer.public + u64(seq) + prev + u32(issued_on) + write_statement(kind, said)
        message = b"arborlog/record/v1\n" + ORIGIN.encode() + b"\n" + record
        signatures = {one.public: one.private.sign(message) for one in (issuer, *endorsers)}
        if forge:
            signatures[forge.public] = bytes(64)
        tail = byte_string(record) + signatures.pop(issuer.public) + list_of(sorted(signatures.items()), b"".join)
        tail += bytes(2420) if names_mldsa else b""
        admitted_at = day * 86_400_000 + len(self.entries) if admitted_at is None else admitted_at
        return u16(1) + u64(admitted_at) + list_of(lineage, u64) + tail

    def add(self, kind, issuer, *endorsers, **said):
        """Admits it, gives its index."""
        said.setdefault("admitted_at", said.pop("day", TODAY) * 86_400_000 + len(self.entries))
        probe = self.entry(kind, issuer, *endorsers, **said)
        entry = v.decode_entry(probe)
        v.check_signatures(entry, ORIGIN)
        lineage = self.ledger.follow(entry)
        data = probe[:10] + list_of(lineage, u64) + probe[18:]
        self.entries.append(data)
        self.ledger.entries, self.ledger.last_admitted_at = len(self.entries), entry.admitted_at
        self.ledger.check_sums()
        self.ledger.check_books()
        return len(self.entries) - 1

    def batch(self, issuer, *statements, places=None, **said):
        """The sealed entries of statements (kind, what it says) and their seal. Lineages are the verifier's, as far as it
        admits them; or `places` for each."""
        written, start = [write_statement(kind, dict(fields)) for kind, fields in statements], len(self.entries)
        leaves = [v.sha256(b"\0" + statement) for statement in written]
        seal = dict(count=len(written), root=v.merkle_root(leaves)) | said
        count, probe = len(written), self.fork()
        admitted_at = TODAY * 86_400_000 + start + count
        decoded = v.decode_entry(probe.entry("seal", issuer, **dict(admitted_at=admitted_at) | seal))
        probe.ledger.batch = [v.decode_entry(sealed_entry(count - place, one)) for place, one in enumerate(written)]
        for index, one in enumerate(probe.ledger.batch, start):
            one.index = index
        decoded.index, tails, key = start + count, [], probe.ledger.keys[issuer.public]
        with contextlib.suppress(v.Refused):
            for one, tail in probe.ledger.judge_batch(decoded, key):
                tails.append(tail + [v.NONE] * (len(one.places) - len(tail)))
        tails = places or tails + [()] * (count - len(tails))
        authority = self.ledger.council_at if key.task == "governor" else key.given_at
        return [*(sealed_entry(count - place, one, *tail) for place, (one, tail) in enumerate(zip(written, tails))),
                self.entry("seal", issuer, lineage=[key.last, authority], **dict(admitted_at=admitted_at) | seal)]

    def add_batch(self, issuer, *statements, **said):
        """Admits it, gives the index of its first."""
        start = len(self.entries)
        for data in self.batch(issuer, *statements, **said):
            self.ledger.admit(data)
            self.entries.append(data)
        self.ledger.check_books()
        return start

    def state(self, totals=(), **said):
        """A state entry of what the entries below its size make, but for what is said."""
        ledger, size = self.ledger, said.get("size", len(self.entries))
        if size < len(self.entries):
            states = map(v.decode_entry, filter(v.is_state_entry, self.entries))
            ledger = v.Ledger(ORIGIN, self.fetch, [state.size for state in states])
            for data in self.entries[:size]:
                ledger.admit(data)
        totals = ledger.all_totals() | dict(totals)
        said = dict(admitted_at=self.ledger.last_admitted_at, size=size, before=self.ledger.newest_state, rules_version=8,
                    state_root=v.state_root_after(ledger)) | said
        return (u16(3) + u64(said["admitted_at"]) + u64(said["size"]) + u64(said["before"]) + u32(said["rules_version"])
                + said["state_root"] + b"".join(u64(totals[name] % 2**64) for name in STATE_TOTALS))

    def add_state(self, **said):
        data = self.state(**said)
        state = v.decode_entry(data)
        self.ledger.states[state.size] = state.state_root, vars(state.totals)
        self.ledger.check_state(state)
        self.entries.append(data)
        self.ledger.entries = len(self.entries)
        return len(self.entries) - 1

    def files(self, more=(), signers=(LOG_KEY,)):
        """The ledger, with more entries as an operator who lies would put them in, as a log serves it."""
        entries = [*self.entries, *more]
        hashes = [v.sha256(b"\0" + data) for data in entries]
        checkpoint = f"{ORIGIN}\n{len(entries)}\n{base64.b64encode(v.merkle_root(hashes)).decode()}\n"
        lines = [f"\u2014 {ORIGIN} " + base64.b64encode(v.verifier_key(ORIGIN, 1, one.public).id + one.private.sign(
            checkpoint.encode())).decode() for one in signers]
        files = {"checkpoint": (checkpoint + "\n" + "\n".join(lines) + "\n").encode()}
        for path, first, width in v.tiles_of("entries", len(entries)):
            files[path] = bundle_of(entries[first:first + width])
        for level in range(8):
            for path, first, width in v.tiles_of(level, len(hashes)):
                files[path] = b"".join(hashes[first:first + width])
            hashes = [v.merkle_root(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]
        return files

    def award(self, account, points, **said):
        return self.add("award", PLATFORM, account=account, quantity=points, points=points,
                        occurred_on=said.pop("occurred_on", TODAY), **said)


TEST_VKEY = vkey_of(ORIGIN, LOG_KEY.public)
METHOD = dict(activities=[dict(code=1, factor=10**9, cap=2**63), dict(code=2, factor=2**64 - 1, cap=2**64 - 1),
                          dict(code=3, factor=10**9, cap=50)],
              species=[dict(code=1, name="oak", price=100), dict(code=2, name="plum", price=0),
                       dict(code=3, name="fir", price=10)])


def genesis(b, **said):
    said = dict(governors=[A, B, C], log_key=LOG_KEY) | said
    return b.entry("genesis", A, B, C, LOG_KEY, **said)


SQUARE = [(-900_000_000, -1_800_000_000), (900_000_000, -1_800_000_000), (900_000_000, 1_800_000_000),
          (-900_000_000, 1_800_000_000)]


def base_ledger():
    b = Builder()
    b.at = at = {}
    b.add("genesis", A, B, C, LOG_KEY, governors=[A, B, C], log_key=LOG_KEY)
    for person, role, holder in ((PLATFORM, "platform", "club"), (PLATFORM_2, "platform", "club"),
                                 (GUEST, "platform", "guests"), (PLANTER, "planter", "grove"),
                                 (PLANTER_2, "planter", "meadow"), (SURVEYOR, "surveyor", "eyes"),
                                 (AUDITOR, "auditor", "books")):
        at[holder] = b.add("key_grant", A, B, person, key=person, role=role, holder=holder)
    b.add("key_grant", B, A, EXPIRING, key=EXPIRING, role="platform", holder="club", expires_on=TODAY - 1)
    b.add("key_grant", A, C, GONE, key=GONE, role="platform", holder="club")
    b.add("key_revoke", C, A, B, key=GONE)
    b.add("method", A, B, **METHOD)
    b.add("method", A, B, version=2, effective_from=TODAY + 1, **METHOD)
    b.add("plot", PLANTER)
    b.add("plot", PLANTER, number=2, place=dict(outline=SQUARE * 125), platforms=["guests", "them"],
          finer_outline=bytes([7]) * 32)
    at["oaks"] = b.add("planting", PLANTER, first_serial=1, count=10, evidence=bytes([9]) * 32)
    at["firs"] = b.add("planting", PLANTER, first_serial=11, count=5, species=3, planted_until=7,
                       evidence_at="https://" + 292 * "a")
    at["void planting"] = b.add("planting", PLANTER, first_serial=16, count=2)
    b.add("correction", PLANTER, target=at["void planting"])
    at["award"] = b.award(ANN, 10_000)
    at["rich"] = b.award(BOB, 2**63 - 20_000)
    at["gift"] = b.add("transfer", PLATFORM, sender=BOB, to=CAT, points=1000)
    b.add("award", GUEST, account=DEB, quantity=10, points=10, occurred_on=TODAY)
    at["gift to a guest"] = b.add("transfer", PLATFORM, sender=ANN, to=DEB, points=5)
    at["claims"] = [b.add("claim", PLATFORM, account=ANN) for _ in range(8)]
    at["fir claim"] = b.add("claim", PLATFORM, account=ANN, species=3, points=10)
    at["assignment"] = b.add("assignment", PLATFORM, first_serial=1, claims=at["claims"][:2])
    at["loss"] = b.add("correction", SURVEYOR, target=at["oaks"], remedy=dict(lost=1, first_serial=6))
    at["survey"] = b.add("survey", SURVEYOR, planting=at["oaks"], alive=8, dead=1, not_found=2**32 - 1,
                         dead_known=2, revived=2**32 - 1, as_of=len(b.entries) - 1, plan=bytes([8]) * 32,
                         protocol="every third row", evidence_at="http://")
    at["reversal"] = b.add("correction", PLATFORM_2, target=at["award"], remedy=dict(reverse=10))
    b.add("policy", A, B)
    b.add("policy", B, A, policy="# again\nquorum none\n")
    at["attestation"] = b.add("attestation", AUDITOR)
    b.add("correction", AUDITOR, target=at["attestation"])
    at["attestation"] = b.add("attestation", AUDITOR, size=len(b.entries), period_until=TODAY)
    at["void claim"] = b.add("claim", PLATFORM, account=ANN)
    b.add("correction", PLATFORM, target=at["void claim"])
    return b


BASE = base_ledger()


def cases():
    """(code, entry that must be refused with it) after the base ledger; a list to begin a ledger with."""
    e, at = BASE.entry, BASE.at
    award = dict(account=ANN, quantity=10, points=10, occurred_on=TODAY)
    grant = dict(key=STRANGER, role="platform", holder="newcomer")
    oaks, claims = at["oaks"], at["claims"]
    small = (8).to_bytes(32, "little")                                  # no good key, whatever it is
    bad = next(key for key in ((n).to_bytes(32, "little") for n in range(2, 99)) if v.good_key(key) is None)
    last_second = BASE.ledger.last_admitted_at
    yield "not_canonical", e("award", PLATFORM, **award)[:-1]
    yield "not_canonical", e("award", PLATFORM, **award) + b"\0"
    yield "not_canonical", e("transfer", PLATFORM, sender=ANN, points=1, reason="gift")
    yield "not_canonical", e("transfer", PLATFORM, sender=ANN, to=CAT, points=1, reason="expired")
    for address in ("ftp://example.org/", "HTTPS://example.org/", "https:/example.org", "https://" + 293 * "a"):
        yield "not_canonical", e("planting", PLANTER, first_serial=18, count=1, evidence_at=address)
    for said in (dict(country="us"), dict(country="U"), dict(country="USA"), dict(country="\u00c4"),
                 dict(place=(900_000_001, 0, 1)), dict(place=(0, -1_800_000_001, 1)),
                 dict(place=dict(outline=SQUARE[:2])), dict(place=dict(outline=[(0, 1_800_000_001), *SQUARE])),
                 dict(place=dict(outline=[(n, n % 2) for n in range(501)])),
                 dict(place=dict(outline=[*SQUARE, SQUARE[3]])), dict(place=dict(outline=[*SQUARE, SQUARE[0]])),
                 dict(platforms=["club", "club"]), dict(platforms=["guests", "club"]), dict(platforms=["Club"]),
                 dict(platforms=[f"club-{n}" for n in range(10, 27)])):
        yield "not_canonical", e("plot", PLANTER, number=3, **said)
    yield "platform_not_named", e("assignment", PLATFORM, plot=2, claims=claims[2:3])
    yield "signature_invalid", e("award", PLATFORM, forge=PLATFORM, **award)
    yield "signature_invalid", e("key_grant", A, B, STRANGER, forge=B, **grant)
    yield "admitted_at_decreases", e("award", PLATFORM, admitted_at=last_second - 1, **award)
    yield "lineage_wrong", e("award", PLATFORM, admitted_at=last_second, **award)
    yield "issuer_unknown", e("award", STRANGER, **award)
    yield "key_revoked", e("award", GONE, **award)
    yield "key_revoked", e("key_revoke", A, B, key=GONE)
    yield "key_expired", e("award", EXPIRING, **award)
    yield "role_refused", e("award", PLANTER, **award)
    yield "role_refused", e("award", A, **award)
    yield "role_refused", e("plot", PLATFORM, number=3)
    yield "role_refused", e("plot", PLATFORM, A, B, number=1)
    yield "role_refused", e("planting", SURVEYOR, first_serial=18, count=1)
    yield "role_refused", e("survey", PLANTER)
    yield "role_refused", e("key_grant", PLATFORM, A, B, STRANGER, **grant)
    yield "role_refused", e("key_grant", LOG_KEY, A, B, STRANGER, **grant)
    yield "role_refused", e("key_revoke", A, B, key=C)
    yield "role_refused", e("key_revoke", A, B, key=LOG_KEY)
    yield "role_refused", e("correction", LOG_KEY, target=at["award"])
    yield "holder_refused", e("planting", PLANTER_2, first_serial=18, count=1)
    yield "holder_refused", e("correction", GUEST, target=at["gift"])
    yield "holder_refused", e("award", GUEST, **award)
    yield "holder_refused", e("transfer", GUEST, sender=ANN, to=DEB, points=1)
    yield "holder_refused", e("transfer", GUEST, sender=ANN, to=None, points=1, reason="expired")
    yield "holder_refused", e("transfer", PLATFORM, sender=DEB, to=ANN, points=1)
    yield "holder_refused", e("claim", GUEST, account=ANN)
    yield "holder_refused", e("assignment", GUEST, first_serial=3, claims=claims[2:3])
    yield "consent_missing", e("correction", PLATFORM, target=at["gift to a guest"])
    yield "endorser_refused", e("correction", PLATFORM, PLATFORM_2, target=at["gift to a guest"])
    yield "endorser_refused", e("correction", PLATFORM, GUEST, A, target=at["gift to a guest"])
    yield "endorser_refused", e("correction", PLATFORM, GUEST, target=at["gift"])
    yield "issued_on_decreases", e("award", PLATFORM, issued_on=TODAY - 1, **award | dict(occurred_on=TODAY - 1))
    yield "name_taken", e("key_grant", A, B, STRANGER, **grant, display_name="C\u217cub")
    yield "name_taken", e("key_grant", A, B, STRANGER, **grant | dict(holder="gue-sts"))
    yield "name_taken", e("key_grant", A, B, STRANGER, **grant, display_name="CLUB")
    yield "day_refused", e("correction", PLANTER, target=oaks, remedy=dict(lost=1, lost_on=0))
    yield "holder_refused", e("correction", SURVEYOR, target=oaks)
    yield "endorser_refused", e("award", PLATFORM, A, **award)
    yield "endorser_refused", e("award", PLANTER, A, **award)           # before the role
    yield "endorser_refused", e("key_grant", A, B, STRANGER, PLATFORM, **grant)
    yield "endorser_refused", e("correction", PLATFORM, A, target=at["gift"])
    yield "endorser_refused", e("plot", PLANTER, A, B, number=3)
    yield "endorser_refused", e("plot", PLANTER, A, B, STRANGER, number=1)
    yield "quorum_short", e("key_grant", A, STRANGER, **grant)
    yield "quorum_short", e("plot", PLANTER, A, number=1)
    yield "quorum_short", e("plot", PLANTER, number=1)
    yield "quorum_short", e("method", A, id=9)
    yield "quorum_short", e("governors", A, D, governors=[A, D], quorum=1)
    yield "quorum_short", e("correction", A, target=at["gift"])
    yield "possession_unproven", e("key_grant", A, B, **grant)
    yield "possession_unproven", e("governors", A, B, governors=[A, B, D])
    yield "possession_unproven", e("log_key", A, B, key=LOG_KEY_2)
    yield "mldsa_unsupported", e("log_key", A, B, LOG_KEY_2, key=LOG_KEY_2, mldsa_key=bytes(1312))
    yield "quorum_short", e("log_key", A, LOG_KEY_2, key=LOG_KEY_2, mldsa_key=bytes(1312))     # before that
    yield "not_canonical", e("log_key", A, B, LOG_KEY_2, key=LOG_KEY_2, mldsa_key=bytes(1312))[:-1]
    yield "not_canonical", e("log_key", A, B, LOG_KEY_2, key=LOG_KEY_2) + bytes(2420)
    yield "set_superseded", e("key_grant", A, B, STRANGER, set=1, **grant)
    yield "set_superseded", e("correction", A, B, target=at["gift"], set=2**64 - 1)
    yield "set_superseded", e("plot", PLANTER, A, B, number=1, set=1)
    yield "set_superseded", e("method", A, id=9, set=1)                 # before the quorum
    yield "set_misplaced", e("correction", A, B, target=at["gift"], set=None)
    yield "set_misplaced", e("plot", PLANTER, A, B, number=1, set=None)
    yield "set_misplaced", e("plot", PLANTER, number=3, set=0)
    yield "set_misplaced", e("correction", PLATFORM, target=at["gift"], set=0)
    yield "sequence_gap", e("award", PLATFORM, seq=BASE.ledger.keys[PLATFORM.public].next_seq + 1, **award)
    yield "sequence_used", e("award", PLATFORM, seq=0, **award)
    yield "chain_broken", e("award", PLATFORM, prev=bytes(32), **award)
    yield "chain_broken", e("award", GUEST, prev=BASE.ledger.genesis_id, **award)
    yield "genesis_misplaced", e("genesis", A, B, C, LOG_KEY, governors=[A, B, C], log_key=LOG_KEY)
    yield "day_refused", e("award", PLATFORM, issued_on=TODAY - 31, **award)
    yield "day_refused", e("award", PLATFORM, issued_on=TODAY + 2, **award)
    yield "day_refused", e("award", PLATFORM, **award | dict(occurred_on=TODAY + 1))
    yield "day_refused", e("planting", PLANTER, first_serial=18, count=1, planted_until=TODAY + 1)
    yield "day_refused", e("planting", PLANTER, first_serial=18, count=1, planted_from=2)
    yield "day_refused", e("survey", SURVEYOR, surveyed_on=TODAY + 1)
    yield "day_refused", e("correction", PLANTER, target=oaks, remedy=dict(lost=1, lost_on=TODAY + 1))
    yield "quorum_impossible", e("governors", A, B, governors=[A, A])
    yield "quorum_impossible", e("governors", A, B, governors=[A, B], quorum=3)
    yield "quorum_impossible", e("governors", A, B, governors=[A, B], quorum=0)
    yield "key_invalid", e("key_grant", A, B, **grant | dict(key=bad))
    yield "key_invalid", e("governors", A, B, governors=[A, B, bytes(32)])
    yield "key_invalid", e("log_key", A, B, key=encode_point(Signatures.torsion))
    yield "key_invalid", e("log_key", A, B, key=encode_point(v.add_points(Signatures.base, Signatures.torsion)))
    yield "key_reused", e("key_grant", A, B, GONE, **grant | dict(key=GONE))
    yield "key_reused", e("governors", A, B, PLATFORM, governors=[A, PLATFORM])
    yield "key_reused", e("log_key", A, B, C, key=C)
    yield "key_unknown", e("key_revoke", A, B, key=STRANGER)
    yield "holder_conflict", e("key_grant", A, B, STRANGER, **grant | dict(holder="eyes"))
    yield "holder_conflict", e("key_grant", A, B, STRANGER, **grant | dict(holder="grove", role="surveyor"))
    for holder in ("eyes", "grove", "club"):
        yield "holder_conflict", e("key_grant", A, B, STRANGER, **grant | dict(holder=holder, role="auditor"))
    for role in ("platform", "planter", "surveyor"):
        yield "holder_conflict", e("key_grant", A, B, STRANGER, **grant | dict(holder="books", role=role))
    yield "method_unknown", e("award", PLATFORM, **award | dict(method=7))
    yield "method_unknown", e("claim", PLATFORM, account=ANN, method=7)
    yield "method_version", e("award", PLATFORM, **award | dict(version=2))
    yield "method_version", e("method", A, B, version=4, effective_from=TODAY)
    yield "method_version", e("method", A, B, id=2, version=2, effective_from=TODAY)
    yield "method_version", e("claim", PLATFORM, account=ANN, version=2, issued_on=TODAY + 1)
    yield "method_version", e("claim", PLATFORM, account=ANN, version=1, day=TODAY + 2)
    yield "method_backdated", e("method", A, B, version=3, effective_from=TODAY - 1)
    yield "code_repeated", e("method", A, B, id=2, activities=[dict(code=1, factor=1, cap=1)] * 2)
    yield "code_repeated", e("method", A, B, id=2, species=[dict(code=1, name="oak", price=1)] * 2)
    yield "species_changed", e("method", A, B, id=2, species=[dict(code=1, name="Oak", price=1)])
    yield "species_unknown", e("claim", PLATFORM, account=ANN, species=4)
    yield "species_unknown", e("planting", PLANTER, first_serial=18, count=1, species=4)
    yield "activity_unknown", e("award", PLATFORM, **award | dict(activity=4))
    yield "points_mismatch", e("award", PLATFORM, **award | dict(points=11))
    yield "points_mismatch", e("award", PLATFORM, **award | dict(activity=2, quantity=2**64 - 1, points=2**64 - 1))
    yield "points_zero", e("award", PLATFORM, **award | dict(points=0, quantity=0))
    yield "points_zero", e("transfer", PLATFORM, sender=ANN, to=CAT, points=0)
    yield "points_zero", e("claim", PLATFORM, account=ANN, species=2, points=0)
    yield "points_zero", e("correction", PLATFORM, target=at["award"], remedy=dict(reverse=0))
    yield "cap_exceeded", e("award", PLATFORM, **award | dict(activity=3, quantity=51, points=51))
    yield "balance_limit", e("award", PLATFORM, **award | dict(account=CAT, quantity=9990, points=9990))
    yield "balance_short", e("transfer", PLATFORM, sender=CAT, to=ANN, points=1001)
    yield "balance_short", e("claim", PLATFORM, account=bytes(32))
    yield "account_same", e("transfer", PLATFORM, sender=ANN, to=ANN, points=1)
    yield "price_mismatch", e("claim", PLATFORM, account=ANN, points=99)
    yield "plot_unknown", e("planting", PLANTER, plot=3, first_serial=18, count=1)
    yield "plot_unknown", e("survey", SURVEYOR, plot=3)
    yield "plot_unknown", e("assignment", PLATFORM, plot=3, claims=claims[2:3])
    yield "plot_full", e("planting", PLANTER, first_serial=18, count=7)
    yield "plot_full", e("plot", PLANTER_2, A, B, number=1, trees_per_ha_max=13)
    yield "serial_not_next", e("planting", PLANTER, first_serial=15, count=1)
    yield "serial_not_next", e("planting", PLANTER, first_serial=17, count=1)       # of a voided one
    yield "serial_not_next", e("planting", PLANTER, first_serial=16, count=1)       # that is, as if it had not been
    yield "serial_not_next", e("planting", PLANTER, first_serial=19, count=1)       # a gap
    yield "serial_not_next", e("planting", PLANTER, first_serial=18, count=2**32 - 17)
    yield "serial_not_next", e("planting", PLANTER, plot=2, first_serial=0, count=1)
    yield "plot_full", e("planting", PLANTER, plot=2, first_serial=1, count=2**32 - 1)
    yield "evidence_reused", e("planting", PLANTER, first_serial=18, count=1, evidence=bytes([9]) * 32)
    yield "evidence_reused", e("survey", SURVEYOR, evidence=bytes([9]) * 32)
    yield "as_of_unknown", e("survey", SURVEYOR, as_of=len(BASE.entries))
    yield "as_of_unknown", e("survey", SURVEYOR, as_of=2**64 - 1)
    yield "planting_unknown", e("survey", SURVEYOR, planting=at["award"])
    yield "planting_unknown", e("survey", SURVEYOR, plot=2, planting=oaks)
    yield "claim_unknown", e("assignment", PLATFORM, first_serial=3, claims=[oaks])
    yield "claim_unknown", e("assignment", PLATFORM, first_serial=3, claims=[at["void claim"]])
    yield "claim_taken", e("assignment", PLATFORM, first_serial=3, claims=[claims[0]])
    yield "claim_taken", e("assignment", PLATFORM, first_serial=3, claims=[claims[2]] * 2)
    yield "tree_unknown", e("assignment", PLATFORM, first_serial=18, claims=[claims[2]])
    yield "tree_unknown", e("assignment", PLATFORM, first_serial=16, claims=[claims[2]])
    yield "tree_unknown", e("assignment", PLATFORM, first_serial=2**32 - 1, claims=[claims[2]])
    yield "tree_taken", e("assignment", PLATFORM, first_serial=2, claims=[claims[2]])
    yield "tree_lost", e("assignment", PLATFORM, first_serial=5, claims=claims[2:4])
    yield "species_mismatch", e("assignment", PLATFORM, first_serial=3, claims=[at["fir claim"]])
    yield "species_mismatch", e("assignment", PLATFORM, first_serial=3, claims=[claims[2], at["fir claim"]])
    yield "species_mismatch", e("assignment", PLATFORM, first_serial=10, claims=claims[2:4])
    yield "size_beyond", e("attestation", AUDITOR, size=len(BASE.entries) + 1)
    yield "day_refused", e("attestation", AUDITOR, period_from=3)
    yield "day_refused", e("attestation", AUDITOR, period_until=TODAY + 1)
    yield "role_refused", e("attestation", PLATFORM)
    yield "role_refused", e("attestation", A)
    yield "endorser_refused", e("attestation", AUDITOR, A)
    yield "role_refused", e("award", AUDITOR, **award)
    yield "role_refused", e("policy", AUDITOR, A, B)
    yield "quorum_short", e("policy", A)
    yield "set_superseded", e("policy", A, B, set=1)
    yield "endorser_refused", e("policy", A, B, STRANGER)
    yield "holder_refused", e("correction", PLATFORM, target=at["attestation"])
    for policy in ("", "quorum none", "quorum all-of-them\n", "quorum none\nquorum none\n", "quorum none\r\n",
                   "log x\nquorum none\n", f"log {TEST_VKEY} url more\nquorum none\n",
                   f"log {TEST_VKEY}\nlog {TEST_VKEY}\nquorum none\n", f"witness w {TEST_VKEY}\nquorum w\n"):
        yield "not_canonical", e("policy", A, B, policy=policy)
    yield "target_unknown", e("correction", PLATFORM, target=len(BASE.entries))
    yield "target_unknown", e("correction", PLATFORM, target=2**64 - 1)
    yield "target_refused", e("correction", PLATFORM, target=at["award"])
    yield "target_refused", e("correction", PLATFORM, target=at["reversal"])
    yield "target_refused", e("correction", PLATFORM, target=at["gift"], remedy=dict(reverse=1))
    yield "target_refused", e("correction", A, B, target=at["club"])
    yield "target_refused", e("correction", SURVEYOR, target=at["gift"], remedy=dict(lost=1))
    yield "target_voided", e("correction", PLATFORM, target=at["void claim"])
    yield "target_voided", e("correction", PLANTER, target=at["void planting"])
    yield "target_voided", e("correction", PLANTER, target=at["void planting"], remedy=dict(lost=1))
    yield "reversal_excess", e("correction", PLATFORM, target=at["award"], remedy=dict(reverse=9_991))
    yield "loss_excess", e("correction", PLANTER, target=oaks, remedy=dict(lost=10))
    yield "loss_excess", e("correction", PLANTER, target=oaks, remedy=dict(lost=2, first_serial=10))
    yield "tree_lost", e("correction", PLANTER, target=oaks, remedy=dict(lost=2, first_serial=5))
    yield "void_blocked", e("correction", PLANTER, target=oaks)


class Rules(Scratch):
    def check(self, code, builder, entry, where=None):
        files = builder.files([entry])
        exit_code, answer = self.audit_of(files, TEST_VKEY)
        self.assertEqual((exit_code, answer.get("code"), answer.get("where")),
                         (3 if code in v.UNCHECKED else 1, code, where or f"entry {len(builder.entries)}"), answer)
        return code

    def test_the_base_is_whole(self):
        code, answer = self.audit_of(BASE.files(), TEST_VKEY)
        self.assertEqual((code, answer["entries"]), (0, len(BASE.entries)), answer)
        self.assertEqual(answer["totals"]["lost"], "1")

    def test_one_false_entry_for_each_code(self):
        before = copy.deepcopy(BASE.ledger.totals), len(BASE.ledger.keys)
        seen = {self.check(code, BASE, entry) for code, entry in cases()}
        self.assertEqual(before, (BASE.ledger.totals, len(BASE.ledger.keys)))
        section = (HERE.parent / "format.md").read_text().split("## 10 Refusal codes")[1].split("## 11")[0]
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
        codes = {row[1].strip(" `") for row in rows if "*server" not in row[3]}
        elsewhere = {"origin_mismatch", "trees_short", "state_wrong", "seal_mismatch", "batch_cut"}      # in the tests below
        self.assertEqual(codes - seen - elsewhere, set())
        self.assertEqual(seen - codes, {"admitted_at_decreases", "lineage_wrong"})

    def test_genesis(self):
        empty = Builder()
        for code, said in (("origin_mismatch", dict(origin="example.org/other")), ("genesis_misplaced", dict(seq=1)),
                           ("genesis_misplaced", dict(prev=bytes([1]) * 32)), ("quorum_impossible", dict(quorum=4)),
                           ("genesis_misplaced", dict(governors=[B, A, C])), ("day_refused", dict(issued_on=1)),
                           ("quorum_impossible", dict(governors=[A, B, C, C])), ("key_reused", dict(log_key=C)),
                           ("key_invalid", dict(log_key=bytes(32))), ("endorser_refused", dict(governors=[A, B])),
                           ("possession_unproven", dict(governors=[A, B, C, D]))):
            self.check(code, empty, genesis(empty, **said))
        self.check("genesis_misplaced", empty, empty.entry("plot", A))

    def test_a_short_plot(self):
        b = BASE.fork()
        b.add("correction", SURVEYOR, target=b.at["oaks"], remedy=dict(lost=7))
        b.add("correction", SURVEYOR, target=b.at["firs"], remedy=dict(lost=4))
        short = b.entry("assignment", PLATFORM, first_serial=3, claims=b.at["claims"][2:4])
        self.check("trees_short", b, short)
        b.add("plot", PLANTER_2, A, C, number=1, trees_per_ha_max=3)        # 10 stood, 3 do now; it changes hands
        self.check("plot_full", b, b.entry("correction", SURVEYOR, target=b.at["loss"]))
        self.check("holder_refused", b, b.entry("planting", PLANTER, first_serial=18, count=1))
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_dead_trees_do_not_hide_behind_live_ones(self):
        b = BASE.fork()
        b.add("correction", SURVEYOR, target=b.at["oaks"], remedy=dict(lost=7))         # 2 oaks stand, and 5 firs
        self.check("trees_short", b, b.entry("assignment", PLATFORM, first_serial=3, claims=b.at["claims"][2:3]))
        b.add("assignment", PLATFORM, first_serial=11, claims=[b.at["fir claim"]])
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_what_is_taken_back_from_others(self):
        b = BASE.fork()
        b.add("correction", PLATFORM_2, GUEST, target=b.at["gift to a guest"])
        self.assertEqual(b.ledger.balance(DEB), 10)
        again = b.add("transfer", PLATFORM, sender=ANN, to=DEB, points=5)
        b.add("key_revoke", A, B, key=GUEST)
        self.check("key_revoked", b, b.entry("correction", PLATFORM, GUEST, target=again))
        b.add("correction", A, B, target=again)
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_points_owed_and_held(self):
        b, most = Builder(), 2**63 - 1
        b.add("genesis", A, B, C, LOG_KEY, governors=[A, B, C], log_key=LOG_KEY)
        b.add("key_grant", A, B, PLATFORM, key=PLATFORM, role="platform", holder="club")
        b.add("method", A, B, **METHOD)
        awarded = b.award(ANN, most)
        sent = b.add("transfer", PLATFORM, sender=ANN, to=BOB, points=most - 1)
        self.check("balance_limit", b, b.entry("award", PLATFORM, account=CAT, quantity=1, points=1, occurred_on=TODAY))
        b.add("transfer", PLATFORM, sender=BOB, to=CAT, points=most - 1)
        b.add("correction", PLATFORM, target=sent)                      # Bob owes most - 1
        b.add("transfer", PLATFORM, sender=ANN, to=CAT, points=1)
        self.check("balance_limit", b, b.entry("transfer", PLATFORM, sender=ANN, to=CAT, points=1))
        b.add("transfer", PLATFORM, sender=ANN, to=None, points=most - 1, reason="expired")
        self.check("balance_limit", b, b.entry("correction", PLATFORM, target=awarded, remedy=dict(reverse=2)))
        b.add("correction", PLATFORM, target=awarded, remedy=dict(reverse=1))
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[1]["totals"]["owed"], str(most))

    def test_what_the_void_of_a_loss_gives_back(self):
        b = BASE.fork()
        first, second, third, fourth = b.at["claims"][2:6]
        tied = b.add("assignment", PLATFORM, first_serial=7, claims=[first, second])
        other = b.add("assignment", PLATFORM, first_serial=9, claims=[third])
        loss = b.add("correction", PLANTER, target=b.at["oaks"], remedy=dict(lost=4, first_serial=7))
        self.assertEqual(b.ledger.totals["assigned"], 2)
        b.add("assignment", PLATFORM, first_serial=3, claims=[second])       # has another tree now
        b.add("correction", PLATFORM_2, target=other)                        # that of the third is void
        again = b.add("correction", PLANTER, target=loss)
        self.assertEqual([b.ledger.claims[index].tree and b.ledger.claims[index].tree[1]
                          for index in (first, second, third)], [7, 3, None])
        self.check("target_voided", b, b.entry("correction", PLANTER, target=loss))
        self.check("target_refused", b, b.entry("correction", PLANTER, target=again))
        b.add("correction", PLATFORM, target=tied)                           # ties just the first by now
        self.assertIsNone(b.ledger.claims[first].tree)
        b.add("correction", PLATFORM, target=second)                         # a claim with a tree
        b.add("assignment", PLATFORM, first_serial=3, claims=[fourth])
        b.add("correction", A, B, target=b.at["assignment"])
        b.add("correction", A, B, target=b.at["survey"])
        self.check("void_blocked", b, b.entry("correction", PLANTER, target=b.at["oaks"]))
        b.add("correction", PLATFORM, target=fourth)
        b.add("correction", PLANTER, target=b.at["oaks"])                    # takes the loss of serial 6 along
        self.check("target_voided", b, b.entry("correction", SURVEYOR, target=b.at["loss"]))
        self.assertEqual((b.ledger.totals["lost"], b.ledger.totals["standing"]), (0, 5))
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_days_at_their_ends(self):
        b = BASE.fork()
        ride = dict(account=ANN, quantity=1, points=1)
        b.add("key_grant", A, B, STRANGER, key=STRANGER, role="platform", holder="club", expires_on=TODAY)
        b.add("award", STRANGER, **ride, issued_on=TODAY - 30, occurred_on=TODAY - 30)
        b.add("award", PLATFORM_2, **ride, issued_on=TODAY + 1, occurred_on=TODAY + 1, version=2)
        b.award(ANN, 1, occurred_on=TODAY)
        b.add("claim", STRANGER, account=ANN)
        b.add("method", A, B, version=3, effective_from=TODAY, **METHOD)      # a higher one hides version 2 and 1
        self.check("method_version", b, b.entry("claim", PLATFORM, account=ANN, version=2))
        b.add("claim", PLATFORM, account=ANN, version=1)                      # in effect the day before
        self.check("method_version", b, b.entry("claim", PLATFORM, account=ANN, version=1, day=TODAY + 1))
        b.add("claim", PLATFORM, account=ANN, version=3, day=TODAY + 1)
        self.check("key_expired", b, b.entry("claim", STRANGER, account=ANN, version=3, day=TODAY + 1))
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_governors_and_log_keys_in_force(self):
        b = BASE.fork()
        b.add("governors", A, B, D, governors=[A, D], quorum=1)
        self.check("role_refused", b, b.entry("method", B, A, id=5))
        self.check("role_refused", b, b.entry("correction", B, A, target=b.at["gift"]))
        self.check("endorser_refused", b, b.entry("method", A, B, id=5))
        self.check("key_reused", b, b.entry("governors", A, B, governors=[A, B], quorum=1))
        b.add("method", D, id=5)
        b.add("log_key", A, LOG_KEY_2, key=LOG_KEY_2)
        next_vkey = vkey_of(ORIGIN, LOG_KEY_2.public)
        for signers, vkey, code in (([LOG_KEY_2, LOG_KEY], TEST_VKEY, None), ([LOG_KEY_2, LOG_KEY], next_vkey, None),
                                    ([LOG_KEY_2], next_vkey, None), ([LOG_KEY], TEST_VKEY, "log_key_not_in_force"),
                                    ([LOG_KEY, LOG_KEY_2], TEST_VKEY, None), ([LOG_KEY_2], TEST_VKEY, "unsigned"),
                                    ([LOG_KEY_2, STRANGER], vkey_of(ORIGIN, STRANGER.public), "log_key_unknown")):
            code_, answer = self.audit_of(b.files(signers=signers), vkey)
            exit_code = {None: 0, "unsigned": 3}.get(code, 1)
            self.assertEqual((code_, answer.get("code")), (exit_code, code), answer)

    def test_a_full_tile_in_the_place_of_a_partial_one(self):
        files = files_of(GOLDEN / "log/256")
        files["checkpoint"] = (GOLDEN / "log/255/checkpoint").read_bytes()
        self.assertEqual(self.audit_of(files)[0], 0)
        for name, code in (("tile/entries/000", "bundle_malformed"), ("tile/0/000", "tile_malformed")):
            for wrong in (files[name] + b"\0\0", files[name][:-1]):
                answer = self.audit_of(files | {name: wrong})
                self.assertEqual(answer[0], 3, (name, answer))
                self.assertIn(answer[1]["code"], (code, "too_long"), (name, answer))

    def test_books_that_do_not_add_up(self):
        for spoil in (lambda ledger: ledger.totals.update(claimed=0), lambda ledger: ledger.totals.update(balances=0)):
            b = BASE.fork()
            spoil(b.ledger)
            for check in (b.ledger.check_sums, b.ledger.check_books):
                with self.assertRaises(v.Refused) as caught:
                    check()
                self.assertEqual(caught.exception.code, "sums_differ")

    def test_negative_balances_are_reported(self):
        b = BASE.fork()
        spent = b.add("transfer", PLATFORM, sender=ANN, to=None, points=9_000, reason="expired")
        b.add("correction", PLATFORM_2, target=b.at["award"], remedy=dict(reverse=9_990))
        self.check("balance_short", b, b.entry("transfer", PLATFORM, sender=ANN, to=CAT, points=1))
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[1]["totals"]["accounts_negative"], "1")
        b.add("correction", A, B, target=spent)
        answer = self.audit_of(b.files(), TEST_VKEY)[1]["totals"]
        self.assertEqual((answer["accounts_negative"], answer["expired"]), ("1", "0"))

    def test_more_than_a_tile(self):
        b = BASE.fork()
        b.ledger.check_books = lambda: None
        while len(b.entries) < 600:
            b.award(CAT, 1)
        b.add("correction", PLATFORM, target=300, remedy=dict(reverse=1))
        files = b.files()
        self.assertIn("tile/1/000.p/2", files)
        self.assertEqual(self.audit_of(files, TEST_VKEY)[0], 0)
        wrong = files["tile/1/000.p/2"]
        code, answer = self.audit_of(files | {"tile/1/000.p/2": wrong[:-1] + bytes([wrong[-1] ^ 1])}, TEST_VKEY)
        self.assertEqual((code, answer["where"]), (1, "tile/1/000.p/2"))


# ---- state entries -------------------------------------------------------------------------------

class StateEntries(Scratch):
    def with_states(self):
        """The base, with the state entries of size 1, of all, and of all but the last; and entries behind and between."""
        b = BASE.fork()
        b.at["first state"] = b.add_state(size=1)
        b.at["second state"] = b.add_state()
        b.award(CAT, 1)
        b.award(CAT, 2)
        b.at["third state"] = b.add_state(size=len(b.entries) - 1)
        b.award(CAT, 3)
        return b

    def check(self, code, b, *more):
        exit_code, answer = self.audit_of(b.files(more), TEST_VKEY)
        self.assertEqual((exit_code, answer.get("code"), answer.get("where")),
                         (3 if code in v.UNCHECKED else 1, code, f"entry {len(b.entries) + len(more) - 1}"), answer)

    def test_what_they_say_is_made_again(self):
        b = self.with_states()
        self.assertEqual(len(b.entries[b.at["first state"]]), 182)
        code, answer = self.audit_of(b.files(), TEST_VKEY)
        self.assertEqual((code, answer["entries"]), (0, len(b.entries)), answer)
        # The state entry itself changes nothing that the next one says.
        roots = [v.decode_entry(b.state(size=b.at["third state"] + after)).state_root for after in (0, 1, 2)]
        self.assertEqual((roots[0] == roots[1], roots[1] == roots[2]), (True, False))
        # Others may name it where an entry of any kind will do.
        b.add("survey", SURVEYOR, as_of=b.at["third state"])
        b.add("attestation", AUDITOR, size=b.at["third state"] + 1)
        b.add_state()
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_every_field_that_lies(self):
        b = self.with_states()
        true, last = b.state(), len(b.entries)
        self.assertEqual(self.audit_of(b.files([true]), TEST_VKEY)[0], 0)
        self.check("admitted_at_decreases", b, b.state(admitted_at=b.ledger.last_admitted_at - 1))
        for before in (v.NONE, 0, b.at["first state"], b.at["third state"] - 1, b.at["third state"] + 1, last, last + 1):
            self.check("state_wrong", b, b.state(before=before))
        newest = v.decode_entry(b.entries[b.at["third state"]]).size
        for size in (0, 1, newest - 1, newest, last + 1, v.NONE):
            self.check("state_wrong", b, b.state(size=size))
        self.check("state_wrong", b, b.state(size=last - 1, state_root=v.decode_entry(true).state_root))
        self.check("state_wrong", b, b.state(state_root=bytes(32)))
        self.check("state_wrong", b, b.state(state_root=v.state_root_after(BASE.ledger)))
        for name in STATE_TOTALS:
            for change in (1, 2**63):
                self.check("state_wrong", b, b.state(totals={name: b.ledger.all_totals()[name] + change}))
        for version in (0, 7, 9, 2**32 - 1):
            self.check("rules_version_unsupported", b, b.state(rules_version=version, state_root=bytes(32)))
            self.check("state_wrong", b, b.state(rules_version=version, before=0))
        for wrong in (true[:-1], true + b"\0", true[:2], u16(2) + true[2:], u16(4) + true[2:]):
            self.check("not_canonical", b, wrong)
        self.check("state_wrong", b, true, true)                        # one of the same size again
        self.check("state_wrong", BASE, BASE.state(size=0, state_root=v.state_root_after(v.Ledger(ORIGIN, None))))
        self.check("state_wrong", BASE, BASE.state(before=0))
        self.check("state_wrong", Builder(), u16(3) + bytes(180))       # before any genesis

    def test_nobody_corrects_one(self):
        b = self.with_states()
        for remedy in ("void", dict(reverse=1), dict(lost=1)):
            for signers in ((A, B), (PLATFORM,)):
                self.check("target_unknown", b, b.entry("correction", *signers, target=b.at["second state"], remedy=remedy))

    def test_the_number_of_entries_since_its_size(self):
        size = len(BASE.entries)
        for since, holds in ((0, True), (v.STATE_LAG_MAX, True), (v.STATE_LAG_MAX + 1, False)):
            ledger, state = BASE.fork().ledger, v.decode_entry(BASE.state())
            ledger.states[size], ledger.entries = (state.state_root, ledger.all_totals()), size + since
            if holds:
                ledger.check_state(state)
            else:
                with self.assertRaises(v.Refused) as caught:
                    ledger.check_state(state)
                self.assertEqual(caught.exception.code, "state_wrong")

    def test_balances_below_zero_in_all(self):
        b = Builder()
        b.add("genesis", A, B, C, LOG_KEY, governors=[A, B, C], log_key=LOG_KEY)
        b.add("key_grant", A, B, PLATFORM, key=PLATFORM, role="platform", holder="club")
        b.add("method", A, B, **METHOD)
        award = b.award(ANN, 10)
        b.add("transfer", PLATFORM, sender=ANN, to=None, points=9, reason="expired")
        b.add("correction", PLATFORM, target=award, remedy=dict(reverse=10))
        said = v.decode_entry(b.entries[b.add_state()]).totals
        self.assertEqual((said.balances, said.owed, said.accounts_negative), (-9, 9, 1))
        self.assertEqual(self.audit_of(b.files(), TEST_VKEY)[0], 0)

    def test_a_bundle_that_is_gone_is_still_told(self):
        files = self.with_states().files()
        name = next(name for name in files if "entries" in name)
        code, answer = self.audit_of({other: files[other] for other in files if other != name}, TEST_VKEY)
        self.assertEqual((code, answer["code"], answer["where"]), (3, "tile_missing", name))


# ---- sealed batches ------------------------------------------------------------------------------

def said_award(points, account=CAT): return "award", dict(account=account, quantity=points, points=points, occurred_on=TODAY)


class Batches(Scratch):
    def check(self, code, b, more, where=None):
        exit_code, answer = self.audit_of(b.files(more), TEST_VKEY)
        self.assertEqual((exit_code, answer.get("code"), answer.get("where")),
                         (1 if code else 0, code, f"entry {len(b.entries) + where}" if code else None), answer)
        return answer

    def test_each_is_judged_at_its_own_index(self):
        b = BASE.fork()
        before = dict(b.ledger.totals)
        start = b.add_batch(PLATFORM, said_award(150), ("claim", dict(account=CAT)), ("transfer", dict(sender=CAT, to=DEB, points=7)),
                            said_award(9))
        self.assertEqual(b.ledger.entries, start + 5)
        entries = list(map(v.decode_entry, b.entries[start:]))
        self.assertEqual([one.places[0] for one in entries[1:4]], [start, start + 1, start + 2])
        self.assertEqual(b.ledger.totals["awarded"] - before["awarded"], 159)
        self.assertIn(start + 1, b.ledger.claims)
        self.assertEqual(b.ledger.keys[PLATFORM.public].last, start + 4)
        b.award(CAT, 3)
        self.assertEqual(v.decode_entry(b.entries[-1]).lineage[0], start + 4)
        # Later ones name them as any others, by their own index.
        b.add("correction", PLATFORM, target=start + 3, remedy=dict(reverse=2))
        b.add_batch(PLATFORM_2, ("correction", dict(target=start, remedy=dict(reverse=1))), ("correction", dict(target=start + 1)))
        b.add_batch(SURVEYOR, ("survey", dict(as_of=start + 1)))
        b.add_state()
        b.add("attestation", AUDITOR, size=start)
        self.check(None, b, [])
        for size in range(start + 1, start + 5):
            self.check("state_wrong", b, [self.state_of(b, size)], 0)

    def state_of(self, b, size):
        """A state entry of a size that no ledger can be made for."""
        data = b.state()
        return data[:10] + u64(size) + data[18:]

    def test_a_state_entry_that_cuts_one(self):
        b = BASE.fork()
        start = b.add_batch(PLATFORM, said_award(1), said_award(2))
        for size in (start + 1, start + 2):
            self.check("state_wrong", b, [self.state_of(b, size)], 0)
        for size in (start, start + 3):
            self.check(None, b, [b.state(size=size)])

    def test_a_batch_and_its_seal_that_do_not_agree(self):
        b = BASE
        more = b.batch(PLATFORM, said_award(1), said_award(2), said_award(3))
        self.check(None, b, more)
        self.check("seal_mismatch", b, more[3:], 0)                     # a seal alone
        self.check("seal_mismatch", b, more[1:], 2)                     # without its first
        for said in (dict(count=2), dict(count=4), dict(root=bytes(32))):
            self.check("seal_mismatch", b, b.batch(PLATFORM, said_award(1), said_award(2), said_award(3), **said), 3)
        self.check("seal_mismatch", b, [more[1], more[0], *more[2:]], 1)
        self.check("seal_mismatch", b, [*more[:2], more[2][:2] + u16(2) + more[2][4:], more[3]], 2)
        self.check("seal_mismatch", b, [one[:2] + u16(4 - place) + one[4:] for place, one in enumerate(more[:3])] + more[3:], 3)
        self.check("seal_mismatch", b, [*more[:3], more[2]], 3)
        with unittest.mock.patch.object(v, "BATCH_BYTES_MAX", 100):
            self.check("seal_mismatch", b, more, 3)
        for count in (1, 2, 3):
            self.check("batch_cut", b, more[:count], count - 1)
            award = b.entry(said_award(1)[0], PLATFORM, **said_award(1)[1])
            self.check("batch_cut", b, [*more[:count], award], count)
            self.check("batch_cut", b, [*more[:count], b.state(), *more[count:]], count)
        self.check("not_canonical", b, [*more[:2], more[2] + b"x", more[3]], 2)
        self.check("genesis_misplaced", Builder(), more, 0)

    def test_the_rules_hold_in_a_batch(self):
        b, at = BASE, BASE.at
        one = said_award(1)
        first = v.decode_entry(b.batch(PLATFORM, one)[0]).places
        self.check("lineage_wrong", b, b.batch(PLATFORM, one, one, places=[first, first]), 1)
        self.check("balance_short", b, b.batch(PLATFORM, one, ("transfer", dict(sender=CAT, to=DEB, points=2**62)), one), 1)
        self.check("points_mismatch", b, b.batch(PLATFORM, one, one, ("award", one[1] | dict(points=2))), 2)
        self.check("role_refused", b, b.batch(PLANTER, one), 0)
        self.check("role_refused", b, b.batch(A, one), 1)
        self.check("set_misplaced", b, b.batch(PLATFORM, ("correction", dict(target=at["award"], remedy=dict(reverse=1), set=0))), 0)
        self.check("day_refused", b, b.batch(PLATFORM, ("award", one[1] | dict(occurred_on=TODAY + 1))), 0)
        self.check("day_refused", b, b.batch(PLATFORM, one, issued_on=1), 1)
        self.check("chain_broken", b, b.batch(PLATFORM, one, prev=bytes(32)), 1)
        self.check("signature_invalid", b, b.batch(PLATFORM, one, forge=PLATFORM), 1)
        self.check("admitted_at_decreases", b, b.batch(PLATFORM, one, admitted_at=b.ledger.last_admitted_at - 1), 1)
        more = b.batch(PLATFORM, one)
        lineage = more[1][:10] + list_of([0, 1], u64) + more[1][34:]
        self.check("lineage_wrong", b, [more[0], lineage], 1)

    def test_nothing_names_its_own_batch(self):
        b, start = BASE, len(BASE.entries)
        one = said_award(150)
        for index in (start, start + 1, start + 2, start + 9, v.NONE - 1):
            for before, said in ((one, ("correction", dict(target=index))), (one, ("assignment", dict(claims=[index]))),
                                 (("claim", dict(account=ANN)), ("assignment", dict(claims=[index]))),
                                 (one, ("correction", dict(target=0, set=index)))):
                self.check("target_unknown", b, b.batch(PLATFORM, one, said), 1)
            for said in (dict(as_of=index), dict(planting=index)):
                self.check("target_unknown", b, b.batch(SURVEYOR, ("survey", {}), ("survey", said)), 1)

    def test_nobody_corrects_a_seal(self):
        b = BASE.fork()
        seal = b.add_batch(PLATFORM, said_award(1)) + 1
        for remedy in ("void", dict(reverse=1), dict(lost=1)):
            for signers in ((A, B), (PLATFORM,)):
                self.check("target_refused", b, [b.entry("correction", *signers, target=seal, remedy=remedy)], 0)
            self.check("target_refused", b, b.batch(PLATFORM, ("correction", dict(target=seal, remedy=remedy))), 0)
        self.check("holder_refused", b, [b.entry("correction", PLANTER, target=seal - 1)], 0)


# ---- proofs of the state ------------------------------------------------------------------------

def node_of(said):
    return types.SimpleNamespace(hash=bytes.fromhex(said["hash"]), **{name: int(said[name]) for name in "abn"})


def prove(domain, leaves, path):
    """§16.3: the proof of a path among leaves (path, value, a, b)."""
    siblings = []
    while len(leaves) > 1:
        depth = len(siblings)
        beside = [leaf for leaf in leaves if v.bit_of(leaf[0], depth) != v.bit_of(path, depth)]
        leaves = [leaf for leaf in leaves if leaf not in beside]
        siblings.insert(0, v.trie_root(domain, beside, depth + 1))
    bits = "".join("01"[sibling.n == 0] for sibling in siblings).ljust((len(siblings) + 7) // 8 * 8, "0")
    written = u16(len(siblings)) + bytes(int(bits[place:place + 8], 2) for place in range(0, len(bits), 8))
    written += b"".join(v.node_bytes(sibling) for sibling in siblings if sibling.n)
    if not leaves:
        return written + u8(0)
    [(there, value, a, b)] = leaves
    return written + (u8(1) if there == path else u8(2) + there) + u64(a) + u64(b) + u8(len(value)) + value


class State(unittest.TestCase):
    def golden(self, name):
        return json.loads((GOLDEN / "trie" / f"{name}.json").read_text())

    def refused(self, code, verify, *arguments):
        with self.assertRaises(v.Refused) as caught:
            verify(*arguments)
        self.assertIn(caught.exception.code, code)

    def test_tries_and_their_proofs(self):
        random.seed(16)
        for trie in self.golden("tries"):
            domain, root = trie["domain"], node_of(trie["root"])
            leaves = [(bytes.fromhex(leaf["path"]), bytes.fromhex(leaf["value"]), int(leaf["a"]), int(leaf["b"]))
                      for leaf in trie["leaves"]]
            self.assertEqual(v.trie_root(domain, leaves), root, trie["name"])
            for proof in trie["proofs"]:
                path, data = bytes.fromhex(proof["path"]), bytes.fromhex(proof["proof"])
                leaf = v.verify_trie_proof(domain, path, data, root)
                self.assertEqual(leaf and leaf.value.hex(), proof["value"], trie["name"])
                self.assertEqual(prove(domain, leaves, path), data)
                self.refused(["proof_malformed"], v.verify_trie_proof, domain, path, data + b"\0", root)
                for _ in range(40):
                    place, bit = random.randrange(len(data)), 1 << random.randrange(8)
                    changed = data[:place] + bytes([data[place] ^ bit]) + data[place + 1:]
                    self.refused(["proof_malformed", "state_differs"], v.verify_trie_proof, domain, path, changed, root)

    def test_neighbours(self):
        random.seed(18)
        verdicts = []
        for _ in range(80):
            numbers = random.sample(range(24), random.randrange(7))
            leaves = [(bytes([number]) + bytes(31), bytes([number]), 1, 2) for number in numbers]
            root = v.trie_root(9, leaves)
            for low, high in (random.sample(range(26), 2) for _ in range(10)):
                ends = [(path, prove(9, leaves, path)) for path in (bytes([low]) + bytes(31), bytes([high]) + bytes(31))]
                verdicts.append(low < high and not any(low < number < high for number in numbers))
                if verdicts[-1]:
                    found = v.verify_trie_neighbours(9, *ends, root)
                    self.assertEqual([leaf is not None for leaf in found], [low in numbers, high in numbers])
                else:
                    self.refused(["state_differs"], v.verify_trie_neighbours, 9, *ends, root)
                    self.refused(["state_differs"], v.verify_trie_neighbours, 9, ends[0], ends[0], root)
        self.assertGreater(min(verdicts.count(True), verdicts.count(False)), 100)

    def test_the_state_root(self):
        state = self.golden("state")
        root, roots = bytes.fromhex(state["state_root"]), [node_of(one) for one in state["roots"]]
        for proof in state["proofs"]:
            path, data, domain = bytes.fromhex(proof["path"]), bytes.fromhex(proof["proof"]), proof["domain"]
            leaf = v.verify_state_proof(domain, path, data, root)
            self.assertEqual(leaf and leaf.value.hex(), proof["value"])
            self.refused(["state_differs"], v.verify_state_proof, domain ^ 1, path, data, root)
            self.refused(["state_differs"], v.verify_state_proof, domain, path, data, bytes(32))
        domain, data = state["head_proof"]["domain"], bytes.fromhex(state["head_proof"]["proof"])
        self.assertEqual(v.verify_head_proof(domain, data, root), roots[domain])
        self.refused(["state_differs"], v.verify_head_proof, domain, data, bytes(32))

    def test_what_must_be_refused(self):
        rejected = self.golden("rejected")
        for proof in rejected["proofs"]:
            self.refused(["proof_malformed", "state_differs"], v.verify_trie_proof, rejected["domain"],
                         bytes.fromhex(proof["path"]), bytes.fromhex(proof["proof"]), node_of(rejected["root"]))


    def test_the_domains_sums_are_the_totals(self):
        b = BASE.fork()
        by_serial = b.add("correction", PLANTER, target=b.at["oaks"], remedy=dict(lost=1, first_serial=1))
        b.add("correction", PLANTER, target=b.at["oaks"], remedy=dict(lost=2))
        b.add("correction", PLATFORM_2, target=b.at["award"], remedy=dict(reverse=9_990))
        self.check_sums(b.ledger)
        b.add("correction", PLANTER, target=by_serial)
        b.add("correction", PLATFORM, target=b.at["assignment"])
        self.check_sums(b.ledger)
        b.add("correction", PLANTER, target=b.at["oaks"])
        b.add("correction", SURVEYOR, target=b.at["survey"])
        self.check_sums(b.ledger)
        leaves = dict(zip(v.DOMAINS, v.Domains(b.ledger).leaves()))
        self.assertEqual((leaves["losses"], leaves["surveys"], leaves["trees"]), ({}, {}, {}))

    def check_sums(self, ledger):
        roots, totals = dict(zip(v.DOMAINS, v.Domains(ledger).roots())), ledger.check_books()
        self.assertEqual((roots["accounts"].a - roots["accounts"].b, roots["accounts"].b),
                         (totals["balances"], totals["owed"]))
        self.assertEqual((roots["plots"].a, roots["plots"].b), (totals["standing"], totals["assigned"]))
        self.assertEqual((roots["plantings"].a, roots["plantings"].b), (totals["standing"], totals["lost"]))
        self.assertEqual((roots["trees"].n, roots["losses"].a), (totals["assigned"], totals["lost"]))
        self.assertEqual((roots["claims"].a, roots["claims"].b), (totals["claimed"], totals["waiting"]))
        self.assertEqual(roots["reversed"].a, totals["reversed"])
        self.assertEqual((roots["months"].a, roots["months"].b), (totals["awarded"], totals["planted_recorded"]))


# ---- receipts of built ledgers -------------------------------------------------------------------

def inclusion_path(hashes, index):
    """RFC 6962, 2.1.1."""
    if len(hashes) == 1:
        return []
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    if index < left:
        return inclusion_path(hashes[:left], index) + [v.merkle_root(hashes[left:])]
    return inclusion_path(hashes[left:], index - left) + [v.merkle_root(hashes[:left])]


def item_bytes(item):
    key, fields, proof = item
    return byte_string(key) + (b"\0" if fields is None else b"\1" + byte_string(fields)) + byte_string(proof)


def leaves_of(ledger):
    """Of each domain its leaves (path, value, a, b), and the fields of the digested ones, by their values."""
    fields, digested = {}, v.digested

    def keep(index, of):
        fields[digested(index, of)] = of
        return digested(index, of)

    with unittest.mock.patch.object(v, "digested", keep):
        leaves = v.Domains(ledger).leaves()
    return [[(path, *leaf) for path, leaf in domain.items()] for domain in leaves], fields


def state_root_over(leaves):
    heads = [v.sha256(bytes([2, domain]) + v.node_bytes(v.trie_root(domain, there))) for domain, there in enumerate(leaves)]
    return heads_above(heads)[-1][0]


def heads_above(heads):
    levels = [heads]
    while len(levels[-1]) > 1:
        levels.append([v.sha256(b"\3" + one + other) for one, other in zip(levels[-1][::2], levels[-1][1::2])])
    return levels


def prove_state(leaves, domain, path):
    """§16.4: the proof of a path against the state root of all domains' leaves."""
    roots = [v.trie_root(number, there) for number, there in enumerate(leaves)]
    levels = heads_above([v.sha256(bytes([2, number]) + v.node_bytes(root)) for number, root in enumerate(roots)])
    siblings = b"".join(level[domain >> step ^ 1] for step, level in enumerate(levels[:-1]))
    root = roots[domain]
    return u8(domain) + u64(root.a) + u64(root.b) + u64(root.n) + siblings + prove(domain, leaves[domain], path)


class Items(unittest.TestCase):
    """Items of the state, each against a state root."""

    def setUp(self):
        b = self.b = BASE.fork()
        b.add("correction", PLANTER, target=b.at["oaks"], remedy=dict(lost=1, first_serial=1))
        b.add("correction", PLANTER, target=b.at["oaks"], remedy=dict(lost=2))
        b.add("correction", PLATFORM_2, target=b.at["award"], remedy=dict(reverse=9_990))
        self.read_state(b.ledger)

    def read_state(self, ledger):
        self.leaves, self.fields = leaves_of(ledger)
        self.root = state_root_over(self.leaves)
        self.keys = {name: {path: path[:v.KEY_WIDTHS[name]] for path, *_ in there}
                     for name, there in zip(v.DOMAINS, self.leaves) if name in v.KEY_WIDTHS}
        genesis = ledger.genesis_id
        self.keys["keys"] = {v.sha256(key): key for key in ledger.keys}
        self.keys["accounts"] = {v.sha256(b"arborlog account" + genesis + one): genesis + one for one in ledger.accounts}
        names = [*(b"\0" + slug.encode() for slug in ledger.holders), *(b"\1" + name.encode() for name in ledger.holder_names)]
        self.keys["holders"] = {v.sha256(name): name for name in names}

    def all(self, leaves=None):
        """Every leaf's item: its domain and its parts, as a receipt has them."""
        leaves = leaves or self.leaves
        for domain, name in enumerate(v.DOMAINS):
            for path, value, *_ in leaves[domain]:
                yield name, (self.keys[name][path], self.fields.get(value), prove_state(leaves, domain, path))

    def verify(self, item, leaves=None, genesis=None):
        """What an item says, or why it is refused."""
        key, fields, proof = item
        state = types.SimpleNamespace(state_root=state_root_over(leaves) if leaves else self.root)
        try:
            return v.verify_item(types.SimpleNamespace(key=key, fields=fields, proof=proof), state, genesis)
        except v.Refused as refused:
            return refused.exit_code, refused.code

    def test_every_leaf_is_read(self):
        said = {}
        for name, item in self.all():
            found = self.verify(item)
            self.assertIsInstance(found, dict, (name, item))
            self.assertEqual((found["domain"], found["key"]), (name, item[0].hex()))
            said.setdefault(name, []).append(found["says"])
        self.assertEqual(set(said), set(v.DOMAINS))
        self.assertIn("the name club is holder number 0's", said["holders"])

    def test_no_bit_can_be_another(self):
        for name, (key, fields, proof) in {name: item for name, item in self.all()}.items():
            parts = dict(key=key, fields=fields, proof=proof)
            for part, data in parts.items():
                # Every bit of what is short; one of each byte of what is long.
                bits = [(at, 1 << bit) for at in range(len(data or b"")) for bit in (range(8) if len(data) < 65 else [at % 8])]
                for at, bit in bits:
                    changed = parts | {part: data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]}
                    found = self.verify(changed.values())
                    self.assertIn(found, [(3, "state_item_malformed"), (1, "state_item_wrong")], (name, part, at))
            for other in ({"fields": b""} if fields is None else {"fields": None}, {"key": key + b"\0"}, {"key": key[:-1]},
                          {"proof": proof + b"\0"}, {"proof": proof[:-1]}, {"proof": b""}):
                found = self.verify((parts | other).values())
                self.assertIn(found, [(3, "state_item_malformed"), (1, "state_item_wrong")], (name, other))

    def test_that_nothing_is_there(self):
        genesis = self.b.ledger.genesis_id
        absent = dict(keys=bytes(32), accounts=genesis + b"\7" * 32, holders=b"\0nobody", methods=b"\0\0\0\1\0\0\0\x63")
        for name, width in v.KEY_WIDTHS.items():
            absent.setdefault(name, b"\x7f" * width)
        for domain, name in enumerate(v.DOMAINS):
            proof = prove_state(self.leaves, domain, v.place_of_key(name, absent[name]))
            found = self.verify((absent[name], None, proof))
            self.assertEqual((found["leaf"], found["says"].split(": ")[0]), (None, name))
            self.assertEqual(self.verify((absent[name], b"", proof)), (1, "state_item_wrong"))
        domain = v.DOMAINS.index("methods")
        proof = prove_state(self.leaves, domain, v.place_of_key("methods", absent["methods"]))
        self.assertEqual(self.verify((absent["methods"], None, proof))["says"], "methods: there is no 1/99")
        # That nothing is at one place says nothing of another where something is.
        there = next(iter(self.keys["methods"].values()))
        self.assertEqual(self.verify((there, None, proof)), (1, "state_item_wrong"))

    def test_keys_that_are_none(self):
        # What is shown to people is a slug or a text, whoever made the receipt.
        domain = v.DOMAINS.index("holders")
        for key in (b"", b"\0", b"\2acme", b"acme", b"\0Acme", b"\0a\nb", b"\0" + b"a" * 65, b"\1a\x1b[2J", b"\1\xff",
                    b"\1" + b"a" * 101, b"\0\xe2\x80\xae"):
            proof = prove_state(self.leaves, domain, v.sha256(key))
            self.assertEqual(self.verify((key, None, proof)), (3, "state_item_malformed"), key)

    def test_accounts_of_another_ledger(self):
        item = next(item for name, item in self.all() if name == "accounts")
        self.assertEqual(self.verify(item, genesis=self.b.ledger.genesis_id)["domain"], "accounts")
        self.assertEqual(self.verify(item, genesis=bytes(32)), (1, "genesis_other"))

    def lies(self, name, change):
        """The verdicts on the items of a domain in which each leaf (path, value, a, b) was changed."""
        domain = v.DOMAINS.index(name)
        leaves = [*self.leaves[:domain], [change(*leaf) for leaf in self.leaves[domain]], *self.leaves[domain + 1:]]
        keys = dict(zip((path for path, *_ in leaves[domain]), self.keys[name].values()))
        self.keys[name] = keys | self.keys[name]
        fields = {changed[1]: self.fields.get(said[1]) for changed, said in zip(leaves[domain], self.leaves[domain])}
        self.fields = fields | self.fields
        return [self.verify(item, leaves) for of, item in self.all(leaves) if of == name]

    def test_a_state_root_that_lies(self):
        for name, domain in zip(v.DOMAINS, self.leaves):
            if not domain:
                continue
            for change in (lambda path, value, a, b: (path, value, a + 1, b), lambda path, value, a, b: (path, value, a, b + 1),
                           lambda path, value, a, b: (path, value + b"\0", a, b), lambda path, value, a, b: (path, value[1:], a, b)):
                self.assertEqual(set(map(str, self.lies(name, change))), {"(1, 'state_item_wrong')"}, name)
        # The items of other keys, and of other entries than the leaf says.
        for name in ("methods", "plots", "surveys", "losses", "plantings"):
            self.setUp()
            width = v.KEY_WIDTHS[name]

            def moved(path, value, a, b):
                other = bytes([*path[:width - 1], path[width - 1] ^ 0x40]).ljust(32, b"\0")
                self.keys[name][other] = other[:width]
                return other, value, a, b

            domain = v.DOMAINS.index(name)
            self.assertTrue(self.leaves[domain], name)
            leaves = [*self.leaves[:domain], [moved(*leaf) for leaf in self.leaves[domain]], *self.leaves[domain + 1:]]
            for of, item in self.all(leaves):
                if of == name:
                    self.assertEqual(self.verify(item, leaves), (1, "state_item_wrong"), name)
        for name in ("keys", "methods", "plots", "plantings", "surveys", "losses", "once"):
            self.setUp()
            later = lambda path, value, a, b: (path, u64(int.from_bytes(value[:8], "big") + 1) + value[8:], a, b)
            verdicts = self.lies(name, later)
            # Which entry states the policy is in the leaf alone.
            kept = [found for found in verdicts if isinstance(found, dict)]
            self.assertEqual([found["key"] for found in kept], ["03"] if name == "once" and kept else [], name)


class Receipts(Scratch):
    def receipt(self, b, more, index, links, vkey=TEST_VKEY, tail=b"", between=b"", items=(), genesis=None, **files):
        entries = [*b.entries, *more]
        hashes = [v.sha256(b"\0" + data) for data in entries]
        extra = byte_string(entries[index]) + between + list_of(links, lambda link: u64(link) + byte_string(entries[link])
                                                      + list_of(inclusion_path(hashes, link), bytes))
        # Behind the links of a state entry: items, and no entries beside them.
        extra += (list_of(items, item_bytes) + list_of([], bytes) if v.is_state_entry(entries[index]) else b"") + tail
        lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(extra).decode(), f"index {index}",
                 *(base64.b64encode(one).decode() for one in inclusion_path(hashes, index)), "", ""]
        path = self.directory / "receipt"
        path.write_bytes("\n".join(lines).encode() + b.files(more, **files)["checkpoint"])
        return run("receipt", path, "--log", vkey, "--genesis", (genesis or b.ledger.genesis_id).hex())

    def test_of_every_entry(self):
        for index, data in enumerate(BASE.entries):
            links, entry = [], v.decode_entry(data)
            while entry.lineage[1] != v.NONE:
                links.append(entry.lineage[1])
                entry = v.decode_entry(BASE.entries[links[-1]])
            code, answer = self.receipt(BASE, [], index, links)
            self.assertEqual((code, answer.get("index")), (0, index), answer)
            if links:
                self.assertEqual(self.receipt(BASE, [], index, links[:-1])[1]["code"], "authority_broken")

    def test_of_a_state_entry(self):
        b = BASE.fork()
        index = b.add_state()
        b.award(CAT, 1)
        code, answer = self.receipt(b, [], index, [])
        self.assertEqual((code, answer.get("kind"), answer.get("index")), (0, "state", index), answer)
        self.assertEqual([answer[name] for name in ("issuer", "id", "genesis", "size")], [None, None, None, index])
        self.assertEqual(self.receipt(b, [], index, [], tail=u64(0))[1]["code"], "receipt_malformed")
        items = Items()
        items.read_state(BASE.ledger)
        shown = [item for name, item in items.all() if name in ("accounts", "plots")]
        code, answer = self.receipt(b, [], index, [], items=shown)
        self.assertEqual((code, len(answer["items"])), (0, len(shown)), answer)
        self.assertEqual(answer["items"][0]["leaf"]["value"], items.leaves[5][0][1].hex())
        self.assertEqual(self.receipt(b, [], index, [], items=shown, genesis=bytes(32))[1]["code"], "genesis_other")
        key, fields, proof = shown[-1]
        for wrong, expected in (((key, fields + b"x", proof), (1, "state_item_wrong", "item 1")),
                                ((key, fields, proof[:-1]), (3, "state_item_malformed", "item 1"))):
            code, answer = self.receipt(b, [], index, [], items=[shown[0], wrong])
            self.assertEqual((code, answer["code"], answer["where"]), expected)
        for count, expected in ((64, 0), (65, 3)):
            self.assertEqual(self.receipt(b, [], index, [], items=shown[:1] * count)[0], expected)
        for links in ([0], [1, 0], [index], [index + 1, 1, 0]):
            code, answer = self.receipt(b, [], index, links)
            self.assertEqual((code, answer["code"]), (1, "authority_broken"), links)
        # One that is not in the tree, one that is cut, and one that gives others authority.
        path, other = self.directory / "receipt", byte_string(b.state(size=1)) + u64(0) + u64(0) + u64(0)
        self.receipt(b, [], index, [])
        path.write_text(re.sub("extra .*", "extra " + base64.b64encode(other).decode(), path.read_text()))
        self.assertEqual(run("receipt", path, "--log", TEST_VKEY)[1]["code"], "not_included")
        short = b.entries[index][:-1]
        self.assertEqual(self.receipt(b, [short], len(b.entries), [])[1]["code"], "entry_wrong")
        # By other rules anything may be another thing: it is refused before links or items are looked at.
        for version in (0, 7, 9, 2**32 - 1):
            other = b.state(rules_version=version)
            for links, wrong in (([], ()), ([0], ()), ([], [(b"", b"", b"")])):
                code, answer = self.receipt(b, [other], len(b.entries), links, items=wrong)
                self.assertEqual((code, answer["code"]), (3, "rules_version_unsupported"))
        award = b.entry("award", PLATFORM, lineage=[0, index], account=ANN, quantity=10, points=10, occurred_on=TODAY)
        for links in ([index], [index, 0], [1, index], [1, 0, index]):
            self.assertEqual(self.receipt(b, [award], len(b.entries), links)[1]["code"], "authority_broken", links)

    def sealed(self, signer=PLATFORM, grant=1, **seal_said):
        """The base, a batch of three at its end and its seal: the entries, and the statements' leaf hashes."""
        statements = [write_statement("award", dict(account=CAT, quantity=points, points=points, occurred_on=TODAY))
                      for points in (7, 8, 9)]
        leaves = [v.sha256(b"\0" + statement) for statement in statements]
        more = [sealed_entry(3 - place, statement) for place, statement in enumerate(statements)]
        seal = dict(count=3, root=v.merkle_root(leaves)) | seal_said
        return [*more, BASE.entry("seal", signer, lineage=[v.NONE, grant], **seal)], leaves

    def sealed_receipt(self, more, leaves, place=1, siblings=None, seal=3, links=(1, 0)):
        start = len(BASE.entries)
        entries = [*BASE.entries, *more]
        hashes = [v.sha256(b"\0" + data) for data in entries]
        siblings = inclusion_path(leaves, place) if siblings is None else siblings
        between = (u64(start + seal) + byte_string(entries[start + seal]) + list_of(inclusion_path(hashes, start + seal), bytes)
                   + list_of(siblings, bytes))
        code, answer = self.receipt(BASE, more, start + place, links, between=between)
        return code, answer if code == 0 else answer["code"]

    def test_of_a_sealed_entry(self):
        more, leaves = self.sealed()
        for place in range(3):
            code, answer = self.sealed_receipt(more, leaves, place)
            self.assertEqual((code, answer.get("kind") if code == 0 else answer), (0, "award"))
            after = len(BASE.entries)
            self.assertEqual((answer["index"], answer["seal"], answer["issuer"]),
                             (after + place, after + 3, PLATFORM.public.hex()))
        start = len(BASE.entries)
        self.assertEqual(self.receipt(BASE, more, start + 3, [1, 0])[1]["kind"], "seal")
        self.assertEqual(self.receipt(BASE, more, start, [1, 0])[1]["code"], "receipt_malformed")
        path = inclusion_path(leaves, 1)
        for siblings, expected in ((path[:-1], (3, "proof_incomplete")), ([*path, bytes(32)], (3, "proof_incomplete")),
                                   ([], (3, "proof_incomplete")), (path[::-1], (1, "seal_mismatch")),
                                   ([bytes(32)] * 2, (1, "seal_mismatch")), ([bytes(32)] * 15, (3, "receipt_malformed"))):
            self.assertEqual(self.sealed_receipt(more, leaves, siblings=siblings), expected, siblings)
        # Another entry as the seal, and links that are not the seal's.
        self.assertEqual(self.sealed_receipt(more, leaves, seal=2), (1, "seal_mismatch"))
        other = [*more[:3], BASE.entry("award", PLATFORM, lineage=[v.NONE, 1], account=CAT, quantity=7, points=7, occurred_on=TODAY)]
        self.assertEqual(self.sealed_receipt(other, leaves), (1, "seal_mismatch"))
        for links in ((), (1,), (0,), (2, 0), (start, 1, 0)):
            self.assertEqual(self.sealed_receipt(more, leaves, links=links), (1, "authority_broken"), links)
        # Lies that are signed, or in the tree.
        for said, expected in ((dict(count=2), "proof_incomplete"), (dict(count=5), "proof_incomplete"), (dict(root=bytes(32)), "seal_mismatch"),
                               (dict(forge=PLATFORM), "signature_invalid"), (dict(count=1), "seal_mismatch")):
            self.assertEqual(self.sealed_receipt(*self.sealed(**said))[1], expected, said)
        lies = [more[0], sealed_entry(1, more[1][4:-8]), *more[2:]]
        self.assertEqual(self.sealed_receipt(lies, leaves), (1, "seal_mismatch"))
        self.assertEqual(self.sealed_receipt([more[0], more[1] + b"x", *more[2:]], leaves), (1, "not_canonical"))
        # A role that may seal, and not say what is sealed; and governors, who seal nothing.
        grove = BASE.at["grove"]
        self.assertEqual(self.sealed_receipt(*self.sealed(PLANTER, grant=grove), links=(grove, 0)), (1, "role_refused"))
        self.assertEqual(self.sealed_receipt(*self.sealed(A, grant=0), links=(0,)), (1, "role_refused"))
        # A sealed entry is nobody's authority.
        award = BASE.entry("award", PLATFORM, lineage=[0, start], account=ANN, quantity=10, points=10, occurred_on=TODAY)
        self.assertEqual(self.receipt(BASE, [*more, award], start + 4, [start, 1, 0])[1]["code"], "authority_broken")

    def test_sealed_entries_are_read_strictly(self):
        said = dict(award=dict(account=CAT, quantity=7, points=7, occurred_on=TODAY), transfer=dict(sender=CAT, to=ANN, points=1),
                    planting=dict(first_serial=1, count=1), survey={}, claim=dict(account=CAT), assignment=dict(claims=[1]),
                    correction=dict(target=1))
        self.assertEqual(said.keys(), v.SEALED_PLACES.keys())
        for kind, fields in said.items():
            data = sealed_entry(16_384, write_statement(kind, dict(fields)), *range(v.SEALED_PLACES[kind]))
            entry = v.decode_entry(data)
            self.assertEqual((entry.kind, entry.ahead, entry.places, entry.version),
                             (kind, 16_384, list(range(v.SEALED_PLACES[kind])), 2))
            wrong = [data[:length] for length in range(2, len(data))]
            wrong += [data + b"\0", data + u64(0), u16(2) + u16(0) + data[4:], u16(2) + u16(16_385) + data[4:]]
            for number in (0, 1, 2, 3, 4, 5, 8, 14, 15, 16, 17, 2**32 - 1):
                wrong.append(data[:4] + u32(number) + data[8:])
            for one in wrong:
                with self.assertRaises(v.Refused) as caught:
                    v.decode_entry(one)
                self.assertEqual(caught.exception.code, "not_canonical")
        for to, reason in ((None, "gift"), (ANN, "expired")):
            data = sealed_entry(1, write_statement("transfer", dict(sender=CAT, to=to, points=1, reason=reason)), 1, 1)
            self.assertRaises(v.Refused, v.decode_entry, data)

    def test_false_authority(self):
        e, at, award = BASE.entry, BASE.at, dict(account=ANN, quantity=10, points=10, occurred_on=TODAY)
        after = len(BASE.entries)

        def expect(code, links, *more):
            exit_code, answer = self.receipt(BASE, more, after + len(more) - 1, links)
            self.assertEqual((exit_code, answer.get("code")), (1, code), answer)

        grove, meadow, survey = at["grove"], at["meadow"], at["survey"]
        expect("role_refused", [grove, 0], e("award", PLANTER, lineage=[v.NONE, grove], **award))
        expect("role_refused", [meadow, 0], e("planting", PLANTER, lineage=[0, meadow], first_serial=91, count=1))
        expect("role_refused", [0], e("award", PLATFORM, lineage=[0, 0], **award))
        expect("authority_broken", [survey, 0], e("award", PLATFORM, lineage=[0, survey], **award))
        expect("authority_broken", [grove], e("plot", PLANTER, lineage=[0, grove], number=4))
        expect("authority_broken", [grove, 0], e("plot", PLANTER, lineage=[0], number=4))
        expect("authority_broken", [], e("plot", PLANTER, lineage=[0], number=4))
        expect("quorum_short", [0], e("method", A, lineage=[0, 0], id=8))
        expect("signature_invalid", [0], e("method", A, B, lineage=[0, 0], id=8, forge=B))
        expect("not_canonical", [0], e("method", A, B, lineage=[0, 0], id=8) + b"x")
        grant = dict(key=STRANGER, role="platform", holder="club", lineage=[0, 0])
        stranger = e("award", STRANGER, lineage=[v.NONE, after], **award)
        expect("possession_unproven", [after, 0], e("key_grant", A, B, **grant), stranger)
        expect("quorum_short", [after, 0], e("key_grant", A, STRANGER, **grant), stranger)
        other = e("genesis", A, B, C, LOG_KEY, governors=[A, B, C], log_key=LOG_KEY)
        expect("authority_broken", [], other)

    def test_checkpoints(self):
        links = [1, 0]                                                  # the first grant
        self.assertEqual(self.receipt(BASE, [], BASE.at["award"], links, signers=[STRANGER])[1]["code"], "unsigned")
        signers = [STRANGER, LOG_KEY, PLATFORM]
        self.assertEqual(self.receipt(BASE, [], BASE.at["award"], links, signers=signers)[0], 0)
        self.assertEqual(self.receipt(BASE, [], BASE.at["award"], links, signers=[LOG_KEY] * 64)[0], 0)
        self.assertEqual(self.receipt(BASE, [], BASE.at["award"], links, signers=[LOG_KEY] * 65)[1]["code"],
                         "note_malformed")
        checkpoint = BASE.files()["checkpoint"].decode()
        pinned = v.parse_vkey(TEST_VKEY, 1)
        v.open_checkpoint(checkpoint.encode(), pinned)
        for old, new in (("\n\n", "\n"), ("\n\n", "\n\n\n"), ("\u2014", "-"), ("\u2014 ", "\u2014  "), ("\n", "\r\n"),
                         (ORIGIN + "\n", ORIGIN + "\n\n"), ("=\n", "\n"), ("=\n", "=\t\n"), ("=\n", "= \n")):
            with self.assertRaises(v.Refused, msg=(old, new)):
                v.open_checkpoint(checkpoint.replace(old, new, 1).encode(), pinned)

    def test_limits(self):
        pinned = v.parse_vkey(TEST_VKEY, 1)
        record = v.decode_entry(BASE.entries[-1]).record
        for read, data in ((v.decode_record, record + bytes(16_384)), (v.decode_entry, bytes(32_769)),
                           (v.read_note, b"x" * 65_537), (v.open_checkpoint, b"x"), (v.read_receipt, b"")):
            with self.assertRaises(v.Refused):
                read(data, pinned) if read is v.open_checkpoint else read(data)
        for text_ in (f"{ORIGIN}\n0\n{'A' * 43}=\n", f"{ORIGIN}\n1\nAAAA\n", f"{ORIGIN}\n{2**64}\n{'A' * 43}=\n"):
            line = base64.b64encode(pinned.id + LOG_KEY.private.sign(text_.encode())).decode()
            with self.assertRaises(v.Refused) as caught:
                v.open_checkpoint(f"{text_}\n\u2014 {ORIGIN} {line}\n".encode(), pinned)
            self.assertIn(caught.exception.code, ("checkpoint_malformed", "number_malformed"))
        with self.assertRaises(v.Refused):
            v.parse_vkey(vkey_of(ORIGIN, bytes(32)), 1)
        path = self.directory / "long"
        path.write_bytes(bytes((4 << 20) + 1))
        self.assertEqual(run("receipt", path, "--log", LOG)[1]["code"], "not_a_receipt")
        path.write_bytes(v.FIRST_LINE + bytes(4 << 20))
        self.assertEqual(run("receipt", path, "--log", LOG)[1]["code"], "too_long")

    def test_noise_gives_refusals(self):
        random.seed(14)
        award = (GOLDEN / "receipts/award.tlog-proof").read_bytes()
        pinned, names = v.parse_vkey(LOG, 1), [v.decode_entry, v.decode_record, v.read_receipt, v.read_note]
        for _ in range(6000):
            data = bytearray(random.choice([*BASE.entries, award, award[-500:]]))
            for _ in range(random.randrange(1, 4)):
                at = random.randrange(len(data))
                data[at:at + random.randrange(3)] = random.randbytes(random.randrange(3))
                data = data or bytearray(1)
            for read in [*names, lambda noise: v.open_checkpoint(noise, pinned)]:
                with contextlib.suppress(v.Refused):
                    read(bytes(data))


# ---- §13.4 Files about the state -----------------------------------------------------------------

def joint_hashes(hashes, indexes, start=0, end=None):
    """What proves the leaves at these indexes, together: by the definition of the root of a range."""
    end = len(hashes) if end is None else end
    if not any(start <= index < end for index in indexes):
        return [v.merkle_root(hashes[start:end])]
    if end - start == 1:
        return []
    half = 1
    while half * 2 < end - start:
        half *= 2
    return joint_hashes(hashes, indexes, start, start + half) + joint_hashes(hashes, indexes, start + half, end)


def story():
    """The base ledger, with sealed entries behind it: their seals stand in the middle of histories."""
    b = BASE.fork()
    at = b.at = dict(BASE.at)
    at["void loss"] = b.add("correction", SURVEYOR, target=at["loss"])
    at["second loss"] = b.add("correction", PLANTER, target=at["oaks"], remedy=dict(lost=2))
    at["sealed"] = b.add_batch(PLATFORM, ("transfer", dict(sender=ANN, to=CAT, points=3)),
                               ("claim", dict(account=ANN, species=3, points=10)),
                               ("award", dict(account=CAT, quantity=4, points=4, occurred_on=TODAY)),
                               ("correction", dict(target=at["gift"])))
    survey = dict(surveyed_on=3, alive=7, as_of=len(b.entries) - 1)
    at["surveys"] = b.add_batch(SURVEYOR, ("survey", survey | dict(surveyed_on=2)), ("survey", survey),
                                ("survey", survey | dict(plot=2, surveyed_on=4)))
    at["sealed assignment"] = b.add_batch(PLATFORM, ("assignment", dict(first_serial=3, claims=at["claims"][2:4])))
    at["lost assignment"] = b.add("assignment", PLATFORM, first_serial=11, claims=[at["fir claim"]])
    at["void assignment"] = b.add("correction", PLATFORM, target=at["lost assignment"])
    return b


STORY = story()
PINNED = v.parse_vkey(TEST_VKEY, 1)


class Forge:
    """Makes files about the state of a ledger; `change` may alter the leaves that the state entry speaks of, and `more`
    entries are in the log behind those of the state."""

    def __init__(self, b, change=None, more=(), **said):
        self.b, self.items, self.size = b, Items(), len(b.entries)
        self.items.read_state(b.ledger)
        if change:
            change(self.items)
        self.leaves = self.items.leaves
        roots = [v.trie_root(domain, there) for domain, there in enumerate(self.leaves)]
        self.roots, self.heads = roots, heads_above([v.sha256(bytes([2, d]) + v.node_bytes(one)) for d, one in enumerate(roots)])
        self.state = b.state(state_root=self.heads[-1][0], **said)
        self.entries = [*b.entries, *more, self.state]
        self.hashes = [v.sha256(b"\0" + data) for data in self.entries]
        checkpoint = f"{ORIGIN}\n{len(self.entries)}\n{base64.b64encode(v.merkle_root(self.hashes)).decode()}\n"
        signed = base64.b64encode(PINNED.id + LOG_KEY.private.sign(checkpoint.encode())).decode()
        self.note = f"{checkpoint}\n\u2014 {ORIGIN} {signed}\n"
        self.index = len(self.entries) - 1
        self.path = inclusion_path(self.hashes, self.index)

    def proof_head(self, domain):
        root = self.roots[domain]
        siblings = b"".join(level[domain >> step ^ 1] for step, level in enumerate(self.heads[:-1]))
        return u8(domain) + u64(root.a) + u64(root.b) + u64(root.n) + siblings

    def item(self, name, key, up_to=None):
        domain = v.DOMAINS.index(name)
        path = v.place_of_key(name, key)
        value = next((leaf[1] for leaf in self.leaves[domain] if leaf[0] == path), None)
        proof = self.proof_head(domain) + prove(domain, self.leaves[domain], path)
        if up_to is not None:
            proof = u8(16) + proof + prove(domain, self.leaves[domain], v.place_of_key(name, up_to))
        return key + (up_to or b""), self.items.fields.get(value), proof

    def said(self, name, key):
        key, fields, proof = self.item(name, key)
        leaf = v.read_whole(v.STATE_PROOF, proof).trie.leaf
        return v.read_item(name, key, leaf, fields)

    def entry(self, index):
        return v.decode_entry(self.entries[index])

    def shown(self, index):
        entry, siblings = self.entry(index), []
        if v.is_sealed(self.entries[index]):
            count = self.entry(index + entry.ahead).statement.count
            first = index - (count - entry.ahead)
            siblings = inclusion_path([self.entry(one).statement_leaf for one in range(first, first + count)], index - first)
        return index, self.entries[index], siblings

    def file(self, first, items, named, programme=True):
        """The parts of a file: the items with those of the programme and of the keys, and the entries with their seals."""
        shown = {index for index in named}
        shown |= {index + self.entry(index).ahead for index in named if v.is_sealed(self.entries[index])}
        keys = sorted({self.entry(index).issuer for index in shown if not v.is_sealed(self.entries[index])})
        items = [first, *([("once", b"\0")] if programme else []), *items, *(("keys", key) for key in keys)]
        return [self.item(*one) for one in items], [self.shown(index) for index in sorted(shown)]

    # The files that there are, of what the ledger says.

    def certificate(self, number):
        claim = self.said("claims", u64(number))
        items, named = [("species", u16(claim.species))], [number]
        standing, tree = claim.tree
        if standing == "voided":
            items.append(("voided", u64(number)))
            named.append(self.said("voided", u64(number)).by)
        if standing == "tied":
            plot = u32(tree.plot)
            plantings = {path[:8]: self.said("plantings", path[:8]) for path, *_ in self.leaves[7] if path[:4] == plot}
            first, planting = next((key, one) for key, one in plantings.items() if one.first <= tree.serial <= one.last)
            latest = max([path[:16] for path, *_ in self.leaves[9] if path[:4] == plot], default=plot + bytes(12))
            items += [("trees", plot + u32(tree.serial)), ("plantings", first), ("plots", plot),
                      ("surveys", latest, plot + b"\xff" * 12)]
            named += [self.said("trees", plot + u32(tree.serial)).assignment, planting.entry, self.said("plots", plot).stated_at]
            named += [int.from_bytes(latest[8:], "big")] if latest[4:] != bytes(12) else []
        return self.file(("claims", u64(number)), items, named)

    def about(self, is_about):
        """The entries below the state that are about something, each with what its correction names."""
        found = []
        for index in range(self.size):
            entry = self.entry(index)
            chain = [entry]
            while chain[-1].kind == "correction":
                chain.append(self.entry(chain[-1].statement.target))
            if is_about(chain):
                found.append((index, [one.statement.target for one in chain[:-1]]))
        return found

    def history(self, first, found):
        return self.file(first, [], [one for index, targets in found for one in (index, *targets)])

    def about_account(self, account):
        return self.about(lambda chain: len(chain) < 3 and account in [
            getattr(chain[-1].statement, name, None) for name in ("account", "sender", "to")])

    def account(self, account, found=None):
        key = self.b.ledger.genesis_id + account
        return self.history(("accounts", key), self.about_account(account) if found is None else found)

    def about_plot(self, number):
        return self.about(lambda chain: number == (
            chain[-1].statement.number if chain[-1].kind == "plot" else getattr(chain[-1].statement, "plot", None)))

    def plot(self, number, found=None):
        return self.history(("plots", u32(number)), self.about_plot(number) if found is None else found)

    def corrected(self, index):
        entry = self.entry(index)
        s = entry.statement
        domain = {"award": "reversed", "correction": "losses"}.get(entry.kind, "voided")
        items = {"planting": lambda: [("plantings", u32(s.plot) + u32(s.first_serial))],
                 "correction": lambda: [("voided", u64(index))]}.get(entry.kind, list)()
        return self.file((domain, u64(index)), items, [index])

    def extra(self, items, shown, hashes=None, links=b"", state=None):
        if hashes is None:
            hashes = joint_hashes(self.hashes, [index for index, *_ in shown])
        extra = byte_string(state or self.state) + (links or u64(0)) + list_of(items, item_bytes)
        extra += list_of(shown, lambda one: u64(one[0]) + byte_string(one[1]) + list_of(one[2], bytes))
        return extra + (list_of(hashes, bytes) if shown else b"")

    def text(self, extra):
        lines = ["c2sp.org/tlog-proof@v1", "extra " + base64.b64encode(extra).decode(), f"index {self.index}",
                 *(base64.b64encode(one).decode() for one in self.path), "", ""]
        return ("\n".join(lines) + self.note).encode()

    def verdict(self, extra, genesis=None):
        """What a file says; or the outcome and code with which it is refused."""
        verdict = verdict_of(self.text(extra), genesis)
        if genesis is None:
            StateFiles.keep(self.text(extra), verdict)
        return verdict

    def of(self, items, shown, **more):
        return self.verdict(self.extra(items, shown, **more))


def verdict_of(file, genesis=None):
    try:
        return v.verify_receipt(file, PINNED, genesis)
    except v.Refused as refused:
        return v.OUTCOMES[refused.exit_code], refused.code


class StateFiles(unittest.TestCase):
    """ARBORLOG_BLESS=1 writes some of the files for the browser's verifier, with what each comes to: of each test the first of
    every outcome and code; all of those tests in which the state or the entries lie."""
    kept, golden, test = {}, GOLDEN / "state_forged.json", None
    ALL_OF = ("test_a_state_that_contradicts_the_entries", "test_keys_that_may_not_say_it", "test_entries_that_lie",
              "test_another_survey_as_the_latest", "test_neighbours", "test_where_a_state_entry_can_stand",
              "test_what_voids_stands_behind")

    def setUp(self):
        StateFiles.test = self.id().split(".")[-1]

    @classmethod
    def keep(cls, file, verdict):
        outcome, code = verdict if isinstance(verdict, tuple) else ("holds", None)
        if os.environ.get("ARBORLOG_BLESS") == "1" and cls.test:
            place = len(cls.kept) if cls.test in cls.ALL_OF or outcome == "holds" and cls.test == "test_what_they_say" else 0
            about = verdict["file"]["sentences"] if outcome == "holds" and verdict["file"] else []
            cls.kept.setdefault((cls.test, outcome, code, place),
                                dict(name=cls.test, outcome=outcome, code=code, sentences=len(about), text=file.decode()))

    @classmethod
    def tearDownClass(cls):
        if cls.kept:
            kept = {one["text"]: one for one in cls.kept.values()}
            cls.golden.write_text(json.dumps(dict(log=TEST_VKEY, files=list(kept.values())), indent=1) + "\n")

    def test_the_files_that_the_browsers_verifier_reads(self):
        golden = json.loads(self.golden.read_text())
        self.assertEqual(golden["log"], TEST_VKEY)
        for one in golden["files"]:
            found = verdict_of(one["text"].encode())
            self.assertEqual(found if isinstance(found, tuple) else ("holds", None), (one["outcome"], one["code"]), one["name"])

    @classmethod
    def setUpClass(cls):
        cls.forge, at = Forge(STORY), STORY.at
        f = cls.forge
        cls.files = {"tree": f.certificate(at["claims"][0]), "sealed tree": f.certificate(at["claims"][2]),
                     "waiting": f.certificate(at["claims"][5]), "voided": f.certificate(at["void claim"]),
                     "sealed claim": f.certificate(at["sealed"] + 1), "ANN": f.account(ANN), "BOB": f.account(BOB),
                     "CAT": f.account(CAT), "DEB": f.account(DEB), "plot": f.plot(1), "plot 2": f.plot(2)}
        for name in ("award", "gift", "rich", "oaks", "firs", "void planting", "loss", "second loss", "survey", "attestation",
                     "assignment", "lost assignment", "void claim", "sealed", "surveys"):
            cls.files[f"corrected {name}"] = f.corrected(at[name])

    def said(self, name):
        return self.forge.of(*self.files[name])

    def expect(self, verdict, outcome, code, what=""):
        self.assertEqual(verdict, (outcome, code), what)

    def test_what_they_say(self):
        at = STORY.at
        for name in self.files:
            found = self.said(name)
            self.assertIsInstance(found, dict, (name, found))
            self.assertEqual(found["genesis"], STORY.ledger.genesis_id.hex())
        says = lambda name: self.said(name)["file"]["sentences"]
        cert = at["claims"][0]
        self.assertEqual(says("tree")[1:5], [
            f"its tree is 1/1, by the assignment of entry {at['assignment']}; no other certificate than {cert} has that tree",
            f"the tree was planted on 1970-01-02, by entry {at['oaks']}, with 9 others; 2 of these trees are lost",
            "plot 1 is \"hill\" in US, held by grove: 13 trees stand, 2 are lost, 4 have a claim",
            f"the latest survey of plot 1 is of 1970-01-04, by eyes, entry {at['surveys'] + 1}: 7 alive, 0 dead, 0 not found"])
        self.assertIn(f"certificate {at['claims'][5]} waits for its tree", says("waiting"))
        self.assertIn(f"certificate {at['void claim']} was voided by entry {at['void claim'] + 1}: \"because\"", says("voided"))
        self.assertIn("its entries add up to that balance", says("ANN"))
        self.assertIn(f"entry {at['reversal']}, correction: -10 points", says("ANN"))
        self.assertIn(f"entry {at['sealed'] + 3}, correction: -1000 points", says("CAT"))
        self.assertIn(f"entry {at['void loss']}, correction", says("plot"))
        self.assertIn(f"club (club), as platform, issued entries {at['award']}; the key is not revoked", says("corrected award"))
        for name, sentence in (
                ("award", "10 points of the award of entry {} were taken back"), ("rich", "nothing was taken back of the award of entry {}"),
                ("gift", f"the transfer of entry {{}} was voided by entry {at['sealed'] + 3}"),
                ("oaks", "nothing voided the planting of entry {}; 2 of these trees are lost"),
                ("void planting", f"the planting of entry {{}} was voided by entry {at['void planting'] + 1}; none of them is lost"),
                ("loss", f"the loss of entry {{}} was voided by entry {at['void loss']}"),
                ("second loss", "the loss of entry {} counts: 2 trees of plot 1"), ("survey", "nothing voided the survey of entry {}"),
                ("sealed", "nothing voided the transfer of entry {}")):
            self.assertEqual(says(f"corrected {name}")[0], sentence.format(at[name]))

    def test_the_command_prints_them(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.forge.text(self.forge.extra(*self.files["tree"])))
            file.flush()
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = v.main(["receipt", file.name, "--log", TEST_VKEY])
        self.assertEqual(code, 0)
        for sentence in self.said("tree")["file"]["sentences"]:
            self.assertIn(f"\n{sentence}\n", out.getvalue())

    def test_what_a_file_that_was_cut_lacks(self):
        for name in self.files:
            self.assertEqual(self.said(name)["missing"], [], name)
        lacks = lambda name, *kept: self.forge.of([item for place, item in enumerate(self.files[name][0]) if place in kept], [])
        tree = lacks("tree", 0)
        self.assertIsNone(tree["file"])
        stated = "that assignment, planting, plot and survey were stated so, and that nothing corrected them"
        keys = "whether the issuers' keys are revoked"
        self.assertEqual(tree["missing"], [
            "the claim as it was stated", "that no other certificate has its tree", "the tree's planting", "the plot",
            "the plot's latest survey", stated, keys])
        every = range(len(self.files["tree"][0]))
        self.assertEqual(lacks("tree", *every)["missing"], ["the claim as it was stated", stated])
        self.assertEqual(lacks("voided", 0)["missing"],
                         ["the claim as it was stated", "by which entry it was voided", "why it was voided", keys])
        self.assertEqual(lacks("waiting", 0)["missing"], ["the claim as it was stated", keys])
        # What is no claim's, and what does not begin with one, is no certificate's file that was cut.
        self.assertEqual(lacks("ANN", 0)["missing"], [])
        self.assertEqual(lacks("tree", *every[1:])["missing"], [])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "cut")
            path.write_bytes(self.forge.text(self.forge.extra(self.files["waiting"][0][:1], [])))
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = v.main(["receipt", str(path), "--log", TEST_VKEY])
        self.assertEqual(code, 0)
        self.assertIn("which would prove too:\n- the claim as it was stated\n- " + keys, out.getvalue())

    def test_a_part_that_is_missing_or_twice_or_another(self):
        other_items, other_shown = self.files["corrected attestation"]
        for name, (items, shown) in self.files.items():
            hashes = joint_hashes(self.forge.hashes, [index for index, *_ in shown])
            wrong = [(items[:at] + items[at + 1:], shown, None) for at in range(len(items))]
            wrong += [(items[:at] + [one] + items[at:], shown, None) for at, one in enumerate(items)]
            wrong += [(items[:at] + [items[at + 1], items[at]] + items[at + 2:], shown, None) for at in range(len(items) - 1)]
            wrong += [(items[:at] + [one] + items[at + 1:], shown, None) for at in range(len(items)) for one in other_items
                      if one != items[at]]
            # A history without its oldest entries is a shorter one, which holds: see below.
            if self.said(name)["file"]["about"] not in ("account_history", "plot_history"):
                wrong += [(items, shown[:at] + shown[at + 1:], None) for at in range(len(shown)) if len(shown) > 1]
            # Without any entry the items stand alone, and the file is about nothing.
            wrong += [(items, shown[:at] + shown[at + 1:], hashes) for at in range(len(shown)) if len(shown) > 1]
            wrong += [(items, shown[:at] + [one] + shown[at:], None) for at, one in enumerate(shown)]
            wrong += [(items, shown[:at] + [shown[at + 1], shown[at]] + shown[at + 2:], None) for at in range(len(shown) - 1)]
            wrong += [(items, sorted([*shown, one]), None) for one in other_shown if one not in shown]
            wrong += [(items, shown, hashes[:at] + hashes[at + 1:]) for at in range(len(hashes))]
            wrong += [(items, shown, hashes[:at] + [bytes(32)] + hashes[at + 1:]) for at in range(len(hashes))]
            wrong += [(items, shown, [*hashes, bytes(32)]), (items, shown, hashes[::-1])]
            for items_, shown_, hashes_ in wrong:
                verdict = self.forge.of(items_, shown_, hashes=hashes_)
                self.assertIsInstance(verdict, tuple, (name, verdict))
                self.assertIn(verdict[0], ("unchecked", "false"), name)

    def test_no_bit_can_be_another(self):
        # Every bit of the smallest; one bit of each byte of the others.
        sizes = sorted(self.files, key=lambda name: len(self.forge.extra(*self.files[name])))
        for name in (sizes[0], "sealed tree"):
            extra = self.forge.extra(*self.files[name])
            for at in range(len(extra)):
                for bit in range(8) if name == sizes[0] else [at % 8]:
                    changed = extra[:at] + bytes([extra[at] ^ 1 << bit]) + extra[at + 1:]
                    self.assertIsInstance(self.forge.verdict(changed), tuple, (name, at, bit))

    def test_joint_inclusion(self):
        random.seed(21)
        for size in [*range(1, 40), 64, 65, 100]:
            hashes = [v.sha256(u64(n)) for n in range(size)]
            for _ in range(12):
                indexes = sorted(random.sample(range(size), random.randrange(1, min(size, 9) + 1)))
                proof, leaves = joint_hashes(hashes, indexes), [(index, hashes[index]) for index in indexes]
                self.assertEqual(len(proof), v.joint_length(indexes, 0, size))
                root = v.merkle_root(hashes)
                self.assertEqual(v.joint_root(leaves, iter(proof), 0, size), root)
                if proof:
                    proof[random.randrange(len(proof))] = bytes(32)
                    self.assertNotEqual(v.joint_root(leaves, iter(proof), 0, size), root)

    def test_hashes_and_entries_beyond_what_can_be(self):
        items, shown = self.files["corrected award"]
        extra = self.forge.extra(items, shown)
        hashes = joint_hashes(self.forge.hashes, [index for index, *_ in shown])
        before = extra[:-32 * len(hashes) - 8]
        for number in (2**64 - 1, 2**40, len(hashes) + 1):
            self.expect(self.forge.verdict(before + u64(number) + b"".join(hashes)), "unchecked", "receipt_malformed")
        self.expect(self.forge.verdict(before), "unchecked", "receipt_malformed")
        self.expect(self.forge.verdict(before + u64(0)), "unchecked", "proof_incomplete")
        # Without entries there is no list of hashes.
        self.assertIsInstance(self.forge.of([], []), dict)
        self.expect(self.forge.verdict(self.forge.extra([], []) + u64(0)), "unchecked", "receipt_malformed")
        index, data, _ = shown[0]
        for one in ((index, data, [bytes(32)]), (index, data, [bytes(32)] * 15)):
            self.expect(self.forge.of(items, [one]), "unchecked", "receipt_malformed")
        for count, code in ((512, "proof_incomplete"), (513, "receipt_malformed")):
            many = [(one, data, []) for one in range(count)]
            self.expect(self.forge.of(items, many, hashes=hashes), "unchecked", code)
        self.expect(self.forge.of(items, [(2**64 - 1, data, [])], hashes=hashes), "unchecked", "proof_incomplete")
        for length, verdict in ((32_768, ("false", "not_included")), (32_769, ("unchecked", "receipt_malformed"))):
            self.expect(self.forge.of(items, [(index, data.ljust(length, b"\0"), [])]), *verdict)

    def test_links_are_refused_whatever_they_are(self):
        items, shown = self.files["corrected award"]
        for entry in (STORY.entries[0], genesis(STORY, format=2), b"x"):
            for path in ([], [bytes(32)] * 7, [bytes(32)] * 65):
                links = u64(1) + u64(0) + byte_string(entry) + list_of(path, bytes)
                self.expect(self.forge.of(items, shown, links=links), "false", "authority_broken")

    def test_the_version_of_the_rules_comes_first(self):
        for version in (7, 9):
            forge = Forge(STORY, rules_version=version)
            for items, shown in (self.files["tree"], ([], []), ([(b"", None, b"")], [])):
                self.expect(forge.of(items, shown), "unchecked", "rules_version_unsupported")

    def test_where_a_state_entry_can_stand(self):
        index, most = len(STORY.entries), v.STATE_LAG_MAX
        for said in (dict(size=0), dict(size=0, before=v.NONE), dict(size=index + 1), dict(size=v.NONE), dict(before=index),
                     dict(before=index + 1), dict(before=v.NONE - 1), dict(size=20, before=20)):
            forge = Forge(STORY, **said)
            for items, shown in (self.files["tree"], ([], []), ([(b"", None, b"")], [])):
                self.expect(forge.of(items, shown), "false", "entry_wrong", said)
        for said in (dict(), dict(before=v.NONE), dict(before=0), dict(size=21, before=20), dict(size=1, before=v.NONE)):
            self.assertIsInstance(Forge(STORY, **said).of([], []), dict, said)
        # Too late: the entry's own index is not far enough for that here, and the bound is the auditors'.
        self.assertLess(index, most)

    def test_what_voids_stands_behind(self):
        for by in (lambda key: key, lambda key: key - 1, lambda key: 0):
            early = self.lying("voided", lambda path, value, sums: (u64(by(int.from_bytes(path[:8], "big"))), sums))
            number = STORY.at["void claim"]
            self.expect(early.of([early.item("voided", u64(number))], []), "false", "state_item_wrong")
            self.expect(early.of(*self.files["voided"]), "false", "state_item_wrong")

    def test_neighbours(self):
        f, plot = self.forge, u32(1)
        low, high = self.files["tree"][0][6][0][:16], plot + b"\xff" * 12
        self.assertEqual(f.of([f.item("surveys", low, high)], [])["items"][0]["nothing_up_to"], high.hex())
        older = max(path[:16] for path, *_ in f.leaves[9] if path[:4] == plot and path[:16] != low)
        for wrong in ((older, high), (older, low), (plot + bytes(12), high)):
            self.expect(f.of([f.item("surveys", *wrong)], []), "false", "state_item_wrong", wrong)
        for wrong in ((low, low), (high, low)):
            self.expect(f.of([f.item("surveys", *wrong)], []), "unchecked", "state_item_malformed")
        key, fields, proof = f.item("surveys", low, high)
        for other in (key + b"\0", key[:-1], key[:16], b"", key + key):
            self.expect(f.of([(other, fields, proof)], []), "unchecked", "state_item_malformed")
        for other in (proof[:-1], proof + b"\0", proof[:1], b"", u8(17) + proof[1:], u8(16) + u8(16) + proof[2:]):
            self.expect(f.of([(key, fields, other)], []), "unchecked", "state_item_malformed")
        self.expect(f.of([(key, None, proof)], []), "false", "state_item_wrong")
        self.expect(f.of([(key, fields + b"\0", proof)], []), "false", "state_item_wrong")
        # Where paths are hashes their order means nothing.
        genesis_id = STORY.ledger.genesis_id
        for name, one, other in (("keys", bytes(32), b"\xff" * 32), ("holders", b"\0a", b"\0z"),
                                 ("accounts", genesis_id + bytes(32), genesis_id + b"\xff" * 32)):
            self.expect(f.of([f.item(name, one, other)], []), "unchecked", "state_item_malformed", name)
        # A plot without surveys; a place that says nothing of a plot with some.
        none = f.item("surveys", u32(9) + bytes(12), u32(9) + b"\xff" * 12)
        self.assertIsNone(f.of([none], [])["items"][0]["leaf"])

    def replaced(self, name, wanted, item):
        items, shown = self.files[name]
        places = [at for at, one in enumerate(items) if one == self.forge.item(*wanted)]
        self.assertEqual(len(places), 1)
        return [*items[:places[0]], item, *items[places[0] + 1:]], shown

    def test_another_survey_as_the_latest(self):
        f, at = self.forge, STORY.at
        latest = u32(1) + u32(3) + u64(at["surveys"] + 1)
        end = u32(1) + b"\xff" * 12
        older = u32(1) + u32(2) + u64(at["surveys"])
        other_plots = u32(2) + u32(4) + u64(at["surveys"] + 2)
        def with_survey(item, survey):
            items, shown = self.replaced("tree", ("surveys", latest, end), item)
            shown = [one for one in shown if one[0] != at["surveys"] + 1]
            return f.of(items, sorted([*shown, f.shown(survey)]))
        self.expect(with_survey(f.item("surveys", older, end), at["surveys"]), "false", "state_item_wrong")
        self.expect(with_survey(f.item("surveys", older), at["surveys"]), "unchecked", "state_file_unfit")
        self.expect(with_survey(f.item("surveys", older, latest[:8] + bytes(8)), at["surveys"]), "unchecked", "state_file_unfit")
        self.expect(with_survey(f.item("surveys", other_plots, u32(2) + b"\xff" * 12), at["surveys"] + 2), "unchecked", "state_file_unfit")
        # That nothing is behind the last one does not say that there is none.
        behind = f.item("surveys", u32(1) + u32(4) + u64(0), end)
        self.expect(with_survey(behind, at["surveys"]), "unchecked", "state_file_unfit")
        # A plot that has no survey.
        def without_surveys(items):
            items.leaves[9] = [leaf for leaf in items.leaves[9] if leaf[0][:4] != u32(1)]
        none = Forge(STORY, without_surveys)
        self.assertIn("plot 1 has no survey that counts", none.of(*none.certificate(at["claims"][0]))["file"]["sentences"])

    def test_parts_of_histories(self):
        f, at = self.forge, STORY.at
        for found, make, whole in ((f.about_account(ANN), lambda part: f.account(ANN, part), "account"),
                                   (f.about_plot(1), lambda part: f.plot(1, part), "plot")):
            self.assertGreater(len(found), 8)
            parts = [found[begin:end] for begin in range(len(found)) for end in range(begin + 1, len(found) + 1)]
            holes = [found[:place] + found[place + 1:] for place in range(1, len(found) - 1)]
            held = []
            for part in parts + holes:
                shown = {one for index, targets in part for one in (index, *targets)}
                # What is shown as a correction's target may be the one before: then the part goes on with it.
                newest = oldest = found.index(part[-1])
                while oldest and found[oldest - 1][0] in shown:
                    oldest -= 1
                named = {one for index, targets in found[oldest:newest + 1] for one in (index, *targets)}
                verdict = f.of(*make(part))
                held.append(named == shown)
                if named != shown:
                    self.expect(verdict, "unchecked", "state_file_unfit", (whole, part))
                    continue
                self.assertIsInstance(verdict, dict, (whole, part))
                file = verdict["file"]
                self.assertEqual(file["complete"], oldest == 0 and newest == len(found) - 1)
                self.assertEqual(file["next"], str(found[oldest - 1][0]) if oldest else None)
            self.assertGreater(min(held.count(True), held.count(False)), 5)

    def test_histories_of_others(self):
        f = self.forge
        others = f.about_account(CAT)
        newest = f.about_account(ANN)[-1][0]
        # Its newest is not the account's last entry: it does not fit. If it is, the state is false.
        self.expect(f.of(*f.account(ANN, [one for one in others if one[0] < newest and one[0] not in dict(f.about_account(ANN))])),
                    "unchecked", "state_file_unfit")
        self.expect(f.of(*f.account(BOB, f.about_account(ANN))), "unchecked", "state_file_unfit")
        self.expect(f.of(*f.plot(2, f.about_plot(1))), "unchecked", "state_file_unfit")
        absent = f.file(("accounts", STORY.ledger.genesis_id + bytes(32)), [], [STORY.at["award"]])
        self.expect(f.of(*absent), "unchecked", "state_file_unfit")
        self.expect(f.of(*f.file(("plots", u32(9)), [], [STORY.at["award"]])), "unchecked", "state_file_unfit")

    def lying(self, name, change, more=()):
        """A forge of a state in which the leaves of a domain are others."""
        domain = v.DOMAINS.index(name)

        def lie(items):
            changed = []
            for path, value, a, b in items.leaves[domain]:
                fields = items.fields.get(value, value)
                new, sums = change(path, fields, (a, b))
                if value in items.fields:
                    value = value[:8] + v.sha256(new)
                    items.fields[value] = new
                else:
                    value = new
                changed.append((path, value, *sums))
            items.leaves[domain] = changed
        return Forge(STORY, lie, more)

    def test_a_state_that_contradicts_the_entries(self):
        at, wrong = STORY.at, ("false", "state_file_wrong")
        # Balances that the entries do not make; a last entry about something else.
        richer = self.lying("accounts", lambda _, value, sums: (value[:7] + bytes([value[7] ^ 1]) + value[8:],
                            (int.from_bytes(value[:8], "big") ^ 1, 0)))
        self.expect(richer.of(*richer.account(DEB)), *wrong)
        last = self.lying("accounts", lambda _, value, sums: (value[:8] + u64(at["oaks"]) + value[16:], sums))
        self.expect(last.of(*last.account(BOB, [(at["oaks"], [])])), *wrong)
        self.expect(last.of(*last.account(BOB, [(at["rich"], [])])), "unchecked", "state_file_unfit")
        # Of a claim: its points, another's tree, a void that is none, an assignment that is none.
        claim = at["claims"][0]
        more = self.lying("claims", lambda _, value, sums: (value[:34] + u64(int.from_bytes(value[34:42], "big") + 1) + value[42:],
                          (sums[0] and sums[0] + 1, sums[1])))
        for number in (claim, at["void claim"], at["claims"][5]):
            self.expect(more.of(*more.certificate(number)), *wrong)
        for change in (lambda _, value, sums: (u64(claim + 1) + value[8:], sums),
                       lambda _, value, sums: (value[:8] + u64(at["award"]), sums),
                       lambda _, value, sums: (value[:8] + u64(at["sealed assignment"]), sums)):
            other = self.lying("trees", change)
            self.expect(other.of(*other.certificate(claim)), *wrong)
        void = self.lying("voided", lambda _, value, sums: (u64(len(STORY.entries) - 1), sums))
        self.expect(void.of(*void.certificate(at["void claim"])), *wrong)
        # Plantings that are of another species, or were voided, or say other days than the entry; of the corrections, too.
        for offset, byte in ((9, 3), (21, 9), (25, 9)):
            other = self.lying("plantings", lambda _, fields, sums: (fields[:offset] + bytes([byte]) + fields[offset + 1:], sums))
            self.expect(other.of(*other.certificate(claim)), *wrong, offset)
        voided = self.lying("plantings", lambda _, fields, sums: (fields[:26] + b"\1" + u32(0) + u64(0) + fields[-4:], (0, 0)))
        self.expect(voided.of(*voided.certificate(claim)), *wrong)
        self.expect(voided.of(*voided.corrected(at["oaks"])), *wrong)
        entry = self.lying("plantings", lambda _, fields, sums: (u64(at["firs"]) + fields[8:], sums))
        self.assertEqual(entry.of(*entry.corrected(at["oaks"])), ("false", "state_item_wrong"))     # the leaf names its entry
        # A plot and a survey that say otherwise than their entries.
        plot = self.lying("plots", lambda _, fields, sums: (fields.replace(b"hill", b"hall"), sums))
        self.expect(plot.of(*plot.certificate(claim)), *wrong)
        survey = self.lying("surveys", lambda _, fields, sums: (fields.replace(b"them", b"they"), sums))
        self.expect(survey.of(*survey.certificate(claim)), *wrong)
        # A loss that counts, and is voided.
        def void_the_loss(items):
            items.leaves[13].append((u64(at["second loss"]).ljust(32, b"\0"), u64(at["second loss"] + 1), 0, 0))
        both = Forge(STORY, void_the_loss)
        self.expect(both.of(*both.corrected(at["second loss"])), *wrong)
        # Leaves that are missing.
        for name, file in (("species", "tree"), ("trees", "tree"), ("plots", "tree"), ("keys", "tree"), ("once", "tree"),
                           ("voided", "voided"), ("plantings", "corrected oaks")):
            def drop(items):
                items.leaves[v.DOMAINS.index(name)] = []
            forge = Forge(STORY, drop)
            items = []
            for key, fields, proof in self.files[file][0]:
                one = v.read_item_proof(types.SimpleNamespace(key=key, proof=proof))
                items.append(forge.item(one[1], *one[2]))
            self.expect(forge.of(items, self.files[file][1]), *wrong, name)

    def test_keys_that_may_not_say_it(self):
        at = STORY.at
        for what, role in (("award", 1), ("survey", 0), ("attestation", 0), ("oaks", 2)):
            issuer = v.decode_entry(STORY.entries[at[what]]).issuer
            swap = lambda _, fields, sums: (fields[:36] + u32(role) + fields[40:] if fields[:32] == issuer else fields, sums)
            forge = self.lying("keys", swap)
            self.expect(forge.of(*forge.corrected(at[what])), "false", "state_file_wrong", what)
        # A governor corrects, and says nothing else that these files show.
        governor = lambda _, fields, sums: (fields[:32] + u32(0) + fields[40 + 8 + len(b"club") + 4 + 8 + len(b"club"):]
                                            if fields[:32] == PLATFORM.public else fields, sums)
        forge = self.lying("keys", governor)
        self.expect(forge.of(*forge.corrected(at["award"])), "false", "state_file_wrong")

    def test_what_no_file_is_about(self):
        f, at = self.forge, STORY.at
        award = [at["award"]]
        for first in (("species", u16(1)), ("months", u32(0)), ("keys", PLATFORM.public), ("once", b"\0"), ("losses", u64(at["award"])),
                      ("voided", u64(at["award"])), ("claims", u64(at["award"]))):
            self.expect(f.of(*f.file(first, [], award)), "unchecked", "state_file_unfit", first)
        self.expect(f.of(*f.file(("reversed", u64(at["award"])), [], award, programme=False)), "unchecked", "state_file_unfit")
        items, shown = self.files["corrected award"]
        self.expect(f.of([], shown), "unchecked", "state_file_unfit")
        beyond = f.item("reversed", u64(at["award"]), u64(at["award"] + 1))
        self.expect(f.of([beyond, *items[1:]], shown), "unchecked", "state_file_unfit")
        for index in (0, 1, at["reversal"], at["void loss"], at["claims"][0]):
            for domain in ("reversed", "losses") if index == at["claims"][0] else ("reversed", "losses", "voided"):
                self.expect(f.of(*f.file((domain, u64(index)), [], [index])), "unchecked", "state_file_unfit", (index, domain))

    def test_an_entry_behind_the_state(self):
        b = STORY.fork()
        award = b.award(CAT, 1)
        state = STORY.fork()
        forge = Forge(state, more=[b.entries[award]])
        self.expect(forge.of(*forge.corrected(award)), "unchecked", "state_file_unfit")
        self.assertIsInstance(forge.of(*forge.corrected(STORY.at["award"])), dict)

    def test_genesis(self):
        items, shown = self.files["BOB"]
        extra = self.forge.extra(items, shown)
        self.assertIsInstance(self.forge.verdict(extra, STORY.ledger.genesis_id), dict)
        self.expect(self.forge.verdict(extra, bytes(32)), "false", "genesis_other")
        self.expect(self.forge.verdict(self.forge.extra(*self.files["tree"]), bytes(32)), "false", "genesis_other")
        for change in (lambda _, fields, sums: (fields.replace(b"/test", b"/tast"), sums),
                       lambda _, fields, sums: (fields.replace(STORY.ledger.genesis_id, bytes(32)), sums)):
            forge = self.lying("once", change)
            self.expect(forge.of(*forge.account(BOB)), "false", "genesis_other")

    def test_entries_that_lie(self):
        """Such as a log could take in against its own rules."""
        b, at = STORY, STORY.at
        award = dict(account=CAT, quantity=1, points=1, occurred_on=TODAY)
        after = len(b.entries)

        def of(more, index, first="reversed", shown=None):
            forge = Forge(b, more=more)
            keys = sorted({forge.entry(one).issuer for one in shown or [index] if not v.is_sealed(forge.entries[one])})
            items = [forge.item(first, u64(index)), forge.item("once", b"\0"), *(forge.item("keys", key) for key in keys)]
            entries = [(one, forge.entries[one], []) for one in shown or [index]]
            return forge.of(items, entries)

        self.expect(of([b.entry("award", PLATFORM, forge=PLATFORM, **award)], after), "false", "entry_wrong")
        forge = Forge(b, more=[b"x"])
        items = self.files["corrected award"][0]
        self.expect(forge.of(items, [(after, b"x", [])]), "false", "entry_wrong")
        forge = Forge(b)
        self.expect(forge.of(items, [(forge.index, forge.state, [])]), "unchecked", "state_file_unfit")
        # Of a sealed one: another entry as its seal, a seal of fewer, one of another root.
        statement = write_statement("award", dict(award))
        leaf = v.sha256(b"\0" + statement)
        sealed = sealed_entry(1, statement)
        no_seal = b.entry("award", PLATFORM, **award)
        self.expect(of([sealed, no_seal], after, shown=[after, after + 1]), "false", "seal_mismatch")
        for said, ahead, code in ((dict(count=1, root=bytes(32)), 1, ("false", "seal_mismatch")),
                                  (dict(count=1, root=leaf), 2, ("unchecked", "state_file_unfit")),
                                  (dict(count=2, root=leaf), 1, ("unchecked", "proof_incomplete"))):
            more = [sealed_entry(ahead, statement), b.entry("seal", PLATFORM, **said)]
            self.expect(of(more, after, shown=[after, after + 1]), *code)
        few = [sealed_entry(2, statement), sealed, b.entry("seal", PLATFORM, count=1, root=leaf)]
        self.expect(of(few, after, shown=[after, after + 2]), "false", "seal_mismatch")
        self.expect(of([sealed, b.entry("seal", PLATFORM, forge=PLATFORM, count=1, root=leaf)], after, shown=[after, after + 1]),
                    "false", "entry_wrong")


if __name__ == "__main__":
    unittest.main()
