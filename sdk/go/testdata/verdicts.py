"""Runs the tests of docs/verifier, and prints each file that they ask its verifier about, with what that says: a line of JSON a
file. `verdicts.py FOLDER` is told where docs/verifier is. With `changes N` behind, it prints N golden files that chance changed."""
import base64, io, json, os, pathlib, random, sys, unittest

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
os.environ.pop("ARBORLOG_BLESS", None)
import test_arborlog_verify as tests

# Tests that ask about many thousands of files: only with `all` behind FOLDER.
SLOW = ("test_no_bit_can_be_another", "test_a_part_that_is_missing_or_twice_or_another", "test_receipts")
v, seen, out = tests.v, set(), sys.stdout
verify = v.verify_receipt


def written(vkey):
    return f"{vkey.name}+{vkey.id.hex()}+{base64.b64encode(bytes([vkey.kind]) + vkey.key).decode()}"


def recorded(data, pinned, genesis_id=None, witnesses=(), policy=None):
    if policy is not None:              # these have golden cases of their own
        return verify(data, pinned, genesis_id, witnesses, policy)
    question = dict(receipt=base64.b64encode(data).decode(), log=written(pinned), genesis=genesis_id and genesis_id.hex(),
                    witnesses=[written(one) for one in witnesses])
    try:
        answer, code = verify(data, pinned, genesis_id, witnesses), None
        outcome, leaves = "holds", [f"{one['domain']} {one['key']} {one['leaf'] and one['leaf']['value']}"
                                    for one in answer.get("items", [])]
        file = answer.get("file") or {}
        more = dict(index=answer["index"], id=answer["id"] or answer.get("seal_id"), genesis_is=answer["genesis"], leaves=leaves,
                    about=file.get("about"), of=file.get("of"), next=file.get("next"), complete=file.get("complete"))
        return answer
    except v.Refused as refused:
        outcome, code, more = v.OUTCOMES[refused.exit_code], refused.code, {}
        raise
    finally:
        key = json.dumps(question)
        if hash(key) not in seen:
            seen.add(hash(key))
            print(json.dumps(question | dict(outcome=outcome, code=code, **more)), file=out)


v.verify_receipt = recorded


def change(data, others):
    at = random.randrange(len(data) + 1)
    kind = random.randrange(6)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + random.choice([b" ", b"\r", b"\t", b"\0", b"\n", b"=", b">", b"\xff", b"\xe2\x80\x8b"]) + data[at:]
    if kind == 2:
        lines = data.split(b"\n")
        lines[random.randrange(len(lines))] = random.choice(random.choice(others).split(b"\n"))
        return b"\n".join(lines)
    if kind == 3:
        lines = data.split(b"\n")
        del lines[random.randrange(len(lines))]
        return b"\n".join(lines)
    head, parted, rest = data.partition(b"extra ")
    extra, ended, rest = rest.partition(b"\n")
    try:
        inside = bytearray(base64.b64decode(extra))
        at = random.randrange(len(inside))
    except ValueError:
        return data[:-1]
    if kind == 4:
        inside[at] ^= 1 << random.randrange(8)
    else:
        inside[at:at + random.randrange(9)] = random.choice([b"", b"\0", b"\0" * 7 + b"\1", b"\xff" * 8])
    return head + parted + base64.b64encode(bytes(inside)) + ended + rest


if sys.argv[2:3] == ["changes"]:
    random.seed(22)
    files = [path.read_bytes() for path in sorted((tests.GOLDEN / "receipts").iterdir())]
    keys = [v.parse_vkey(tests.LOG, 1), v.parse_vkey(tests.NEXT_LOG, 1)]
    for _ in range(int(sys.argv[3])):
        data = random.choice(files)
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            data = change(data, files) or b"\n"
        try:
            v.verify_receipt(data, random.choice(keys), None)
        except v.Refused:
            pass
else:
    sys.stdout, slow = io.StringIO(), sys.argv[2:3] == ["all"]
    loader, suite = unittest.TestLoader(), unittest.TestSuite()
    for case, only in ((tests.GoldenFiles, "receipts"), (tests.GoldenFiles, "do_not_hold"), (tests.Tampered, "receipt"),
                       (tests.Receipts, ""), (tests.StateFiles, "")):
        suite.addTests(case(name) for name in loader.getTestCaseNames(case) if only in name and (slow or name not in SLOW))
    ran = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    sys.exit(0 if ran.wasSuccessful() else 1)
