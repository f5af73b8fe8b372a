#!/usr/bin/env python3
"""Makes the corpora to begin with, from the golden files. Run after these changed."""

import json
import pathlib
import sys

here = pathlib.Path(__file__).parent
# The second verifier reads receipts: they hold sealed entries, seals and state entries.
sys.path.insert(0, str(here.parent / "docs" / "verifier"))
sys.dont_write_bytecode = True
import arborlog_verify
golden = here.parent / "tests" / "golden"
corpus = here / "corpus"


def keep(target, name, data):
    folder = corpus / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name.replace("/", "_")).write_bytes(data)


def entries(bundle):
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        yield bundle[2 : 2 + length]
        bundle = bundle[2 + length :]


for path in sorted((golden / "log" / "257").rglob("*")):
    if path.is_file():
        name = str(path.relative_to(golden / "log"))
        keep("notes" if path.name == "checkpoint" else "tiles", name, path.read_bytes())
        keep("tiles", "path_" + name, str(path.relative_to(golden / "log" / "257")).encode())
seen = set()
for path in sorted((golden / "log" / "257").rglob("entries/*")):
    if path.is_file():
        for index, entry in enumerate(entries(path.read_bytes())):
            # One of each kind of statement is enough to begin with.
            if len(entry) not in seen:
                seen.add(len(entry))
                keep("records", f"entry_{path.name}_{index}", entry)
for path in sorted((golden / "note").iterdir()):
    keep("notes", path.name, path.read_bytes().strip() if path.suffix else path.read_bytes())
for path in sorted((golden / "receipts").iterdir()):
    keep("receipts", path.name, path.read_bytes())
forms = json.loads((golden / "forms.json").read_text())
for form, examples in forms.items():
    for number, entry in enumerate(examples if isinstance(examples, list) else [examples]):
        keep("records", f"{form}_{number}", bytes.fromhex(entry))
seen, sealed, seals = set(), {}, {}
for path in sorted((golden / "receipts").glob("state_*")):
    (state, *_), _, _ = arborlog_verify.read_receipt(path.read_bytes())
    for index, entry in [(state.index, state.entry), *((one.index, one.entry) for one in state.shown)]:
        decoded = arborlog_verify.decode_entry(entry)
        if arborlog_verify.is_sealed(entry):
            sealed[index + decoded.ahead] = decoded.said
        if decoded.kind == "seal":
            seals[index] = entry
        if index not in seen and (decoded.kind in ("state", "seal") or arborlog_verify.is_sealed(entry)):
            seen.add(index)
            keep("records", f"{decoded.kind}_{index}", entry)
for path in sorted((golden / "rejected").glob("*.json")):
    case = json.loads(path.read_text())
    if "hex" in case:
        keep("records", path.stem, bytes.fromhex(case["hex"]))
for path in sorted((golden / "statements").glob("*.json")):
    value = json.loads(path.read_text())
    statement = value.get("statement", value)
    text = json.dumps(statement, separators=(",", ":")).encode()
    keep("statements", path.stem, text)
    keep("http", "signed_" + path.stem, b"\x01" + text)
for path in [
    "checkpoint", "tile/entries/000.p/1", "tile/0/000.p/1", "v1/totals", "v1/methods", "metrics",
    "v1/proofs/inclusion?index=0&size=1", "v1/proofs/consistency?from=1&to=1", "v1/entries/0",
    "v1/entries/0/receipt", "v1/receipts/0", "v1/trees/1/1", "v1/plots/1", "v1/certificates/0",
    "v1/accounts/" + "0" * 64, "v1/issuers/" + "0" * 64, "openapi.json", "readyz",
    "v1/proofs/state?domain=totals", "v1/proofs/state?domain=keys&key=" + "0" * 64,
    "v1/proofs/state?domain=surveys&key=1/latest", "v1/proofs/certificate/0",
    "v1/proofs/account-history/" + "0" * 64, "v1/proofs/plot-history/1?from=0",
]:
    keep("http", "get_" + path.replace("/", "_"), b"\x00" + path.encode())
record = next(p for p in sorted((corpus / "records").iterdir()) if p.name.startswith("entry"))
keep("http", "post_binary", b"\x02v1/records\n\x00\x00\x01\x00" + record.read_bytes())
keep("http", "post_json", b'\x06v1/records\n[{"record":"AA==","signature":"AA==","endorsements":[]}]')


def behind_its_length(data):
    return len(data).to_bytes(4, "big") + data


# Batches, the seal first: one whose statements are all the same, and one whose seal signs others too. Both are of another log.
for seal, said in sealed.items():
    if seal in seals:
        entry, count = seals[seal], arborlog_verify.decode_entry(seals[seal]).statement.count
        signed = behind_its_length(entry[18 + 8 * int.from_bytes(entry[10:18], "big") :])
        keep("http", f"post_batch_{seal}", b"\x0av1/batches\n" + signed + behind_its_length(said) * count)
        keep("http", f"post_batch_{seal}_cut", b"\x0av1/batches\n" + signed + behind_its_length(said)[:-1])
keep("http", "post_batch_of_nothing", b"\x0av1/batches\n" + bytes(4))
trips = b"trip_id,duration,start_date,start_station,start_terminal,end_date,end_terminal,bike_id\n"
trips += b"1,600,3/1/2014 0:16,A,50,3/1/2014 0:26,60,9\n"
stations = b"station_id,name,lat,long\n50,A,37.79,-122.39\n"
keep("csv", "trips", b"\x00" + trips)
keep("csv", "stations", b"\x00" + stations)
keep("journal", "any", b"\x00" + bytes(60))
keep("journal", "flipped", b"\x01\x00\x40\x01")
keep("journal", "cut", b"\x03\x01\x00\x00")
keep("journal", "longer", b"\x05\x00\x80\x09")
# Behind both copies of the header.
keep("journal", "flipped_commit", b"\x01\x10\x80\x01")
keep("journal", "cut_commit", b"\x03\x11\x00\x00")
keep("journal", "longer_commit", b"\x05\x10\xc0\x09")
added = b"commit,committed_at,readded,TreeID,qSpecies,PlantDate,Latitude,Longitude\n"
added += b"ca66d9a5fdd6,2019-03-12T21:58:28-07:00,0,255256,Acer rubrum :: Red Maple,04/27/2018 12:00:00 AM,37.797791888474,-122.400426386373\n"
keep("csv", "added", b"\x00" + added)
events = b"commit,committed_at,op,TreeID,field,old,new\n"
events += b"da66d9a5fdd6,2020-03-12T21:58:28-07:00,remove,255256,,,\n"
events += b"da66d9a5fdd6,2020-03-12T21:58:28-07:00,change,255256,PlantDate,,03/05/1983 12:00:00 AM\n"
keep("csv", "added_and_events", b"\x00" + added.ljust(len(events), b"\n") + events.ljust(len(added), b"\n"))
keep("proofs", "one", bytes(8) + b"\x00" * 7 + b"\x08" + bytes(64))
keep("signatures", "ours", b"\x03" + bytes(99) + b"\x07" + bytes(99))
# The first byte says which of eight cosigners signed; $0 to $7 are their keys, $l and $m the log's.
for name, signed, policy in [
    ("none", 0, "log $l\nquorum none\n"),
    ("one", 1, "# one\nlog $m https://log.example/\nwitness w $0 https://w.example/\nquorum w\n"),
    ("auditor", 0x81, "log $l\nwitness w $0\nwitness audit-a $7\ngroup both all w audit-a\nquorum both\n"),
    ("groups", 0x0B, "log $l\nwitness a $0\nwitness b $1\nwitness c $2\nwitness d $3\ngroup x 2 a b c\ngroup y any d\n"
     "group z all x y\nquorum z\n"),
    ("nested", 2, "log $l\nwitness a $1\ngroup b any a\ngroup c all b\ngroup d 1 c\n quorum\td \n"),
    ("short", 0, "log $l\nwitness a $6\nwitness b $5\ngroup g 2 a b\n\nquorum g\n"),
    ("twice", 0, "log $l\nwitness a $1\nwitness a $2\nquorum a\n"),
    ("unknown", 0, "log $l\nquorum a\n"),
    ("no_log", 0, "quorum none\n"),
]:
    keep("policy", name, bytes([signed]) + policy.encode())
