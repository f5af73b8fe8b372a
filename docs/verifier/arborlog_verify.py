#!/usr/bin/env python3
"""Verifies an arborlog ledger, or a receipt of one, by docs/format.md alone ("§" is a section of it).

    arborlog_verify.py receipt FILE --log VKEY [--genesis HEX] [--witness VKEY]... [--about QUESTION] [--json]
    arborlog_verify.py receipt FILE --policy FILE [--log VKEY] …
    arborlog_verify.py audit DIR --log VKEY [--policy FILE] [--genesis HEX] [--json]

A key or witness may be a file that holds it. A policy (§6.14.1) that names logs takes the place of --log; what is given
beside it must hold too. Exit code: 0 it holds; 1 it is false; 2 wrong usage; 3 it could not be checked; 4 it is no
receipt (§13.2).
Needs Python 3.11 and the package `cryptography`, 48 or newer where a key is of ML-DSA-44 (or `dilithium-py` beside an
older one). It reads files and writes none.
"""
import argparse, base64, binascii, bisect, contextlib, datetime, functools, hashlib, json, os, re, sys
from struct import pack
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """Something is not as format.md says: a code (of §10 where it has one), a sentence, and where."""
    def __init__(self, code, what, where=None, **more):
        super().__init__(what)
        self.code, self.what, self.where, self.more = code, what, where, more    # `more` stands beside them in JSON

    @property
    def exit_code(self):
        return 4 if self.code == "not_a_receipt" else 3 if self.code in UNCHECKED or self.code in FILE_FAULTS else 1


OUTCOMES = {0: "holds", 1: "false", 3: "unchecked", 4: "not_that_kind"}
# What says nothing against anybody (§13.2): something is missing, or was changed on its way.
UNCHECKED = {"unreadable", "too_long", "receipt_malformed", "note_malformed", "checkpoint_malformed", "other_log",
             "unsigned", "witness_missing", "quorum_missing", "proof_incomplete", "proof_malformed", "other_format", "mldsa_unsupported", "state_item_malformed",
             "state_file_unfit", "about_part", "rules_version_unsupported", "library_unfit", "tile_missing",
             "tile_malformed", "bundle_malformed"}


def need(condition, code, what, where=None):
    if not condition:
        raise Refused(code, what, where)


@contextlib.contextmanager
def reading(code):
    """Says that it was this that could not be read, whatever is wrong inside."""
    try:
        yield
    except Refused as refused:
        refused.code = code if code is not None else refused.code
        raise


@contextlib.contextmanager
def at(where):
    """Says where a refusal inside happened, unless that is said already."""
    try:
        yield
    except Refused as refused:
        refused.where = refused.where or where
        raise


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- §13.5 Bounds, of bytes and numbers as they are written ------------------------------------------

BOUNDS = dict(
    receipt_bytes=4 << 20, extra_bytes=2 << 20, path_hashes=65, entry_bytes=32_768, record_bytes=25_600, lineage_places=5,
    endorsements=32, authority_links=64, siblings=14, sealed_statements=16_384, items=64, item_fields_bytes=1 << 20,
    leaf_value_bytes=128, trie_depth=256, shown_entries=512, note_bytes=262_144, note_signatures=64,
    cosigned_at_s=2**63 - 1)
MAX = SimpleNamespace(**BOUNDS)
# Those of an audit of a whole ledger, and of a policy, beside these.
AUDIT_BOUNDS = dict(sealed_bytes=8 << 20, state_lag=2**18)
POLICY_BOUNDS = dict(policy_bytes=24_576, policy_file_bytes=131_072, policy_logs=64, policy_witnesses=64, policy_groups=64,
                     policy_name_bytes=200)
POLICY_MAX = SimpleNamespace(**POLICY_BOUNDS)


# ---- §2 Codec: a type is a function that reads its value from a Reader -------------------------------

class Reader:
    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, count):
        end = self.place + count
        need(end <= len(self.data), "not_canonical", "the bytes end too early")
        taken, self.place = self.data[self.place:end], end
        return taken


def read_whole(read, data):
    reader = Reader(data)
    value = read(reader)
    need(reader.place == len(data), "not_canonical", "bytes are left over after the end")
    return value


def uint(width, low=0, high=2**64 - 1):
    def read(reader):
        value = int.from_bytes(reader.take(width), "big")
        need(low <= value <= high, "not_canonical", f"a number is not within {low} to {high}")
        return value
    return read


def i32(limit):
    def read(reader):
        value = int.from_bytes(reader.take(4), "big", signed=True)
        need(-limit <= value <= limit, "not_canonical", f"a coordinate is beyond {limit}")
        return value
    return read


def i64(reader):
    return int.from_bytes(reader.take(8), "big", signed=True)


def fixed(width):
    return lambda reader: reader.take(width)


def byte_string(limit):
    def read(reader):
        length = u64(reader)
        need(length <= limit, "not_canonical", f"a text or byte string is longer than {limit} bytes")
        return reader.take(length)
    return read


SLUG = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
WEB_ADDRESS = r"(https?://.*)?"
LINE_NAME = r"[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]+"
INVISIBLE = (r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
             r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff")
REFUSED_IN_TEXT = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029" + INVISIBLE + "]")
ORIGIN = LINE_NAME[:2] + INVISIBLE + LINE_NAME[2:]

def text(limit, pattern=None):
    read_bytes, pattern = byte_string(limit), pattern and re.compile(pattern)
    def read(reader):
        try:
            value = read_bytes(reader).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("not_canonical", "a text is not well-formed UTF-8") from None
        need(not REFUSED_IN_TEXT.search(value), "not_canonical", "a text has a refused character")
        need(not pattern or pattern.fullmatch(value), "not_canonical", "a slug or origin is not of its form")
        return value
    return read


def option(inner):
    def read(reader):
        tag = reader.take(1)[0]
        need(tag < 2, "not_canonical", "an option's tag is neither 0 nor 1")
        return inner(reader) if tag else None
    return read


def list_of(inner, low, high):
    def read(reader):
        number = u64(reader)
        need(low <= number <= high, "not_canonical", f"a list has not {low} to {high} items")
        return [inner(reader) for _ in range(number)]
    return read


def table(**fields):
    return lambda reader: SimpleNamespace(**{name: read(reader) for name, read in fields.items()})


def variant(**variants):
    """One of several, numbered in their order: reads (its name, its fields)."""
    pairs = list(variants.items())
    def read(reader):
        number = u32(reader)
        need(number < len(pairs), "not_canonical", f"no variant has the number {number}")
        name, fields = pairs[number]
        return name, fields(reader)
    return read


def numbered(**variants):
    """A variant, and its names in the order of their numbers."""
    return variant(**variants), tuple(variants)


def word(*names):
    """A variant of which none has fields: reads its name."""
    read_variant = variant(**{name: table() for name in names})
    return lambda reader: read_variant(reader)[0]


def format_version(reader):
    """The first field of a genesis: a ledger in another format may be right, and can't be read here."""
    version = u32(reader)
    need(version == 1, "other_format", f"the ledger is in version {version} of the format, this verifier reads 1")
    return version


u8, u16, u32, u64, bytes32 = uint(1), uint(2), uint(4), uint(8), fixed(32)
day = uint(4, high=2_932_896)                                           # 9999-12-31


# ---- §6.14.1 Policies --------------------------------------------------------------------------------

def policy_text(reader):
    """The text of a policy, which c2sp.org/tlog-policy reads."""
    raw = byte_string(POLICY_MAX.policy_bytes)(reader)
    with reading("not_canonical"):
        read_policy(raw)
    return raw.decode("utf-8")


def read_policy(raw):
    """What a policy says: its `logs`, `witnesses` and `groups` in the order of their lines, and its `quorum`."""
    need(len(raw) <= POLICY_MAX.policy_file_bytes, "policy_malformed",
         f"a policy is longer than {POLICY_MAX.policy_file_bytes:,} bytes")
    try:
        policy = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("policy_malformed", "a policy is not well-formed UTF-8") from None
    *lines, rest = policy.split("\n")
    said = PolicyLines()
    with on_line(len(lines) + 1):
        need(lines and not rest, "", "each line ends in a newline, the last one too")
    for number, line in enumerate(lines, 1):
        with on_line(number):
            said.take(line)
    with on_line(len(lines)):
        need(said.quorum is not None, "", "there is no quorum line")
    return said


@contextlib.contextmanager
def on_line(number):
    """Says on which line of a policy, from 1, what is wrong."""
    try:
        yield
    except Refused as refused:
        raise Refused("policy_malformed", f"line {number} of the policy: {refused.what}", line=number) from None


class PolicyLines:
    def __init__(self):
        self.logs = []                      # verifier keys
        self.witnesses = {}                 # name: verifier key; of auditors too
        self.groups = {}                    # name: (how many of the members are needed, the members)
        self.quorum = None                  # a name
        self.members = set()                # those that stand in a group

    def take(self, line):
        refused = REFUSED_IN_TEXT.search(line.replace("\t", ""))
        need(not refused, "", "it has a character that is refused")
        words = [word for word in re.split("[ \t]", line) if word]
        if not words or words[0].startswith("#"):
            return
        what, *rest = words
        if what == "log" and len(rest) in (1, 2):
            self.log(rest[0])
        elif what == "witness" and len(rest) in (2, 3):
            self.witness(*rest[:2])
        elif what == "group" and len(rest) >= 3:
            self.group(rest[0], rest[1], rest[2:])
        elif what == "quorum" and len(rest) == 1:
            need(rest[0] == "none" or self.defines(rest[0]), "", f"no line before it defines {rest[0]}")
            need(self.quorum is None, "", "there is a quorum line already")
            self.quorum = rest[0]
        else:
            raise Refused("", "it is none of: log VKEY [URL]; witness NAME VKEY [URL]; group NAME all|any|K NAME…; quorum NAME")

    def log(self, written):
        vkey = read_vkey(written, (LOG, MLDSA))
        need(vkey.key not in [log.key for log in self.logs], "", "this log's key stands twice")
        need(len(self.logs) < POLICY_MAX.policy_logs, "", f"it names more than {POLICY_MAX.policy_logs} logs")
        self.logs.append(vkey)

    def witness(self, name, written):
        self.check_new(name)
        vkey = read_vkey(written, (WITNESS, MLDSA))
        need(vkey.key not in [witness.key for witness in self.witnesses.values()], "", "this witness's key stands twice")
        need(len(self.witnesses) < POLICY_MAX.policy_witnesses, "", f"it names more than {POLICY_MAX.policy_witnesses} witnesses")
        self.witnesses[name] = vkey

    def group(self, name, threshold, names):
        for member in names:
            need(self.defines(member), "", f"no line before it defines {member}")
            need(member not in self.members, "", f"{member} is a member of a group already")
            self.members.add(member)
        number = re.fullmatch("[1-9][0-9]{0,5}", threshold, re.ASCII)
        needed = {"all": len(names), "any": 1}.get(threshold) or (int(threshold) if number else 0)
        need(1 <= needed <= len(names), "", f"a group of {len(names)} needs all, any, or a plain number up to that of them")
        self.check_new(name)
        need(len(self.groups) < POLICY_MAX.policy_groups, "", f"it names more than {POLICY_MAX.policy_groups} groups")
        self.groups[name] = needed, names

    def defines(self, name):
        return name in self.witnesses or name in self.groups

    def check_new(self, name):
        need(len(name.encode()) <= POLICY_MAX.policy_name_bytes, "", f"a name is longer than {POLICY_MAX.policy_name_bytes} bytes")
        need(name != "none" and not self.defines(name), "", f"{name} is defined already")


# ---- §6 Statements, §3 records, §5 entries -----------------------------------------------------------

ACTIVITY = table(code=u16, name=text(60), unit=text(20), factor=u64, cap=u64)
SPECIES = table(code=u16, name=text(100), price=u64)
GOVERNORS = dict(governors=list_of(bytes32, 1, 16), quorum=u8)
POINT = dict(latitude=i32(900_000_000), longitude=i32(1_800_000_000))


def outline(reader):
    """The corners of a plot: none is the one before it, and the last is not the first."""
    points = list_of(table(**POINT), 3, 500)(reader)
    need(all(points[place] != points[place - 1] for place in range(len(points))), "not_canonical",
         "an outline has a point twice in a row")
    return points


def ascending(read_list):
    def read(reader):
        items = read_list(reader)
        need(all(one < other for one, other in zip(items, items[1:])), "not_canonical",
             "a list is not strictly ascending")
        return items
    return read


STATEMENT_FIELDS = dict(
    genesis=table(format=format_version, origin=text(200, ORIGIN), programme=text(500), **GOVERNORS, log_key=bytes32,
                  mldsa_key=option(fixed(1312))),
    governors=table(**GOVERNORS, set=u64),
    key_grant=table(key=bytes32, role=word("platform", "planter", "surveyor", "auditor"), holder=text(64, SLUG),
                    display_name=text(100), expires_on=option(day), set=u64),
    key_revoke=table(key=bytes32, reason=text(300), compromised_since=option(day), set=u64),
    log_key=table(key=bytes32, mldsa_key=option(fixed(1312)), set=u64),
    method=table(id=u32, version=u32, effective_from=day, activities=list_of(ACTIVITY, 0, 128),
                 species=list_of(SPECIES, 0, 400), baseline=text(1000), sources=text(1000),
                 jurisdiction=text(200), document=bytes32, set=u64),
    award=table(account=bytes32, method=u32, version=u32, activity=u16, quantity=u64, points=u64,
                occurred_on=day, evidence=bytes32),
    transfer=table(sender=bytes32, to=option(bytes32), points=u64,      # "from" in format.md
                   reason=word("gift", "collected", "pooled", "expired", "spent_elsewhere")),
    plot=table(number=u32, name=text(100), country=text(2, "[A-Z]{2}"),
               place=variant(circle=table(**POINT, radius_m=u32), outline=table(points=outline)),
               finer_outline=option(bytes32), area_m2=u64, trees_per_ha_max=u32,
               carbon_rights=variant(none_issued=table(), issued=table(registry=text(100), id=text(100)),
                                     unknown=table()),
               funded_by=text(100), platforms=ascending(list_of(text(64, SLUG), 0, 16)),   # "for" in format.md
               set=option(u64)),
    planting=table(plot=u32, species=u16, first_serial=u32, count=uint(4, low=1), planted_from=day,
                   planted_until=day, evidence=bytes32, evidence_at=text(300, WEB_ADDRESS)),
    survey=table(plot=u32, planting=option(u64), surveyed_on=day, as_of=u64,
                 basis=word("census", "random_sample", "remote_sensing"), protocol=text(200),
                 plan=option(bytes32), alive=u32, dead=u32, not_found=u32, dead_known=u32, revived=u32,
                 evidence=bytes32, evidence_at=text(300, WEB_ADDRESS), paid_by=text(100), next_due=option(day)),
    claim=table(account=bytes32, method=u32, version=u32, species=u16, points=u64),
    assignment=table(plot=u32, first_serial=u32, claims=list_of(u64, 1, 1024)),
    correction=table(target=u64, reason=text(300), remedy=variant(
        reverse=table(points=u64),
        lost=table(count=uint(4, low=1), first_serial=option(u32), lost_on=day, evidence=option(bytes32)),
        void=table()), set=option(u64)),
    policy=table(policy=policy_text, set=u64),
    attestation=table(size=u64, tree_root=bytes32, state_root=bytes32, period_from=day, period_until=day,
                      level=word("limited", "reasonable"),
                      opinion=word("unmodified", "qualified", "adverse", "disclaimed"),
                      findings=bytes32, report=bytes32, report_at=text(300), words=text(1000)),
    seal=table(count=uint(4, 1, MAX.sealed_statements), root=bytes32),
)
STATEMENT, KIND_NUMBERS = numbered(**STATEMENT_FIELDS)
RECORD = table(issuer=bytes32, seq=u64, prev=bytes32, issued_on=day, statement=STATEMENT)
ENTRY = table(version=u16, admitted_at=u64, lineage=list_of(u64, 0, MAX.lineage_places), record=byte_string(MAX.record_bytes),
              signature=fixed(64), endorsements=list_of(table(key=bytes32, signature=fixed(64)), 0, MAX.endorsements))
NONE = 2**64 - 1                                                        # "none" in a lineage
# What the log itself writes: the state root and the totals that the entries below `size` make. Nobody signs it.
STATE_TOTALS = dict(awarded=u64, reversed=u64, expired=u64, spent_elsewhere=u64, claimed=u64, balances=i64, owed=u64,
                    planted_recorded=u64, planted_voided=u64, lost=u64, standing=u64, assigned=u64, waiting=u64, claims=u64,
                    accounts_negative=u64)
STATE_ENTRY = table(version=u16, admitted_at=u64, size=u64, before=u64, rules_version=u32, state_root=bytes32,
                    totals=table(**STATE_TOTALS))
RULES_VERSION = 8
STATE_LAG_MAX = AUDIT_BOUNDS["state_lag"]
# Trees with a claim that one loss takes, and losses by serial of one planting.
DISPLACED_MAX, LOST_RANGES_MAX = 16_384, 8_192
# §5.3: the kinds that a seal signs for, and the number of their lineage's places from lineage[2] on.
SEALED_PLACES = dict(award=1, transfer=2, planting=1, survey=1, claim=1, assignment=1, correction=3)
STATEMENT_BYTES_MAX, BATCH_BYTES_MAX = 25_600, AUDIT_BOUNDS["sealed_bytes"]


def sealed_statement(reader):
    """The statement of a sealed entry: its kind, its fields, its bytes. Of other kinds nothing is read."""
    start = reader.place
    number = u32(reader)
    names = list(KIND_NUMBERS)
    need(number < len(names) and names[number] in SEALED_PLACES, "not_canonical", "a statement of that kind is not sealed")
    reader.place = start
    kind, statement = STATEMENT(reader)
    data = reader.data[start:reader.place]
    need(len(data) <= STATEMENT_BYTES_MAX, "not_canonical", "a statement is longer than 25,600 bytes")
    check_fields(kind, statement)
    return kind, statement, data


def sealed_entry(reader):
    """Its issuer, day, lineage[0] and lineage[1] are its seal's: see join."""
    entry = table(version=u16, ahead=uint(2, 1, MAX.sealed_statements), said=sealed_statement)(reader)
    entry.kind, entry.statement, entry.said = entry.said
    entry.places = [u64(reader) for _ in range(SEALED_PLACES[entry.kind])]
    entry.fields, entry.endorsers, entry.names_mldsa, entry.id = entry.said[4:], [], False, None
    entry.statement_leaf = sha256(b"\0" + entry.said)
    return entry


def join(entry, seal):
    """A sealed entry has from its seal what it does not say itself."""
    for name in ("issuer", "issued_on", "admitted_at", "day", "signers"):
        setattr(entry, name, getattr(seal, name))
    return entry


def is_sealed(data):
    return data[:2] == b"\0\2"


def is_state_entry(data):
    """Whether the bytes say that they are one; they need not be."""
    return data[:2] == b"\0\3"


def decode_record(data):
    need(len(data) <= MAX.record_bytes, "not_canonical", f"a record is longer than {MAX.record_bytes:,} bytes")
    record = read_whole(RECORD, data)
    record.kind, record.statement = record.statement                    # of the variant's pair
    record.fields = data[80:]                                           # the statement's, behind its kind's number
    check_fields(record.kind, record.statement)
    return record


def check_fields(kind, s):
    if kind == "transfer":                                              # §6.7
        to_nobody = s.reason in ("expired", "spent_elsewhere")
        need(to_nobody == (s.to is None), "not_canonical", "reason and receiver do not fit")


def decode_entry(data):
    """An entry with its record's fields in it, and endorsers, signers, leaf hash and day of admission; or a sealed entry,
    which has some of them from its seal; or a state entry, which has none of these but the leaf hash."""
    need(len(data) <= MAX.entry_bytes, "not_canonical", f"an entry is longer than {MAX.entry_bytes:,} bytes")
    if is_state_entry(data):
        entry = read_whole(STATE_ENTRY, data)
        entry.kind, entry.leaf, entry.names_mldsa = "state", sha256(b"\0" + data), False
        return entry
    if is_sealed(data):
        entry = read_whole(sealed_entry, data)
        entry.leaf = sha256(b"\0" + data)
        return entry
    reader = Reader(data)
    entry = ENTRY(reader)
    need(entry.version == 1, "not_canonical", "an entry's form is none of 1, 2 and 3")
    vars(entry).update(vars(decode_record(entry.record)))
    entry.endorsers = [endorsement.key for endorsement in entry.endorsements]
    entry.signers = {entry.issuer, *entry.endorsers}
    need(entry.endorsers == sorted(entry.signers - {entry.issuer}), "not_canonical",
         "endorsements are not strictly ascending, or the issuer endorses")
    # §3: behind the endorsements, exactly when the statement names an ML-DSA key. Nothing verifies it here.
    entry.names_mldsa = getattr(entry.statement, "mldsa_key", None) is not None
    entry.mldsa_signature = reader.take(2420 if entry.names_mldsa else 0)
    need(reader.place == len(data), "not_canonical", "bytes are left over after the end")
    entry.leaf, entry.day = sha256(b"\0" + data), entry.admitted_at // 86_400_000
    return entry


def check_signatures(entry, origin):
    """§3 signing input and record id; §4 the issuer's signature and every endorsement."""
    message = b"arborlog/record/v1\n" + origin.encode() + b"\n" + entry.record
    entry.id = sha256(message)
    need(signature_holds(entry.issuer, entry.signature, message), "signature_invalid",
         "the issuer's signature does not hold")
    for endorsement in entry.endorsements:
        need(signature_holds(endorsement.key, endorsement.signature, message), "signature_invalid",
             "an endorsement's signature does not hold")


# ---- §4 Signatures -----------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)


def decode_point(encoded):
    """The point (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z of a canonical encoding, or None."""
    y, sign = int.from_bytes(encoded, "little") & 2**255 - 1, encoded[31] >> 7
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P             # the divisor is never 0
    x = pow(x_squared, (P + 3) // 8, P)
    if x * x % P != x_squared:
        x = x * SQRT_MINUS_1 % P
    if y >= P or x * x % P != x_squared or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def add_points(one, other):
    """RFC 8032, 5.1.4; it is complete, so it doubles too."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add_points(result, point)
        point, scalar = add_points(point, point), scalar >> 1
    return result


def is_identity(point):
    return point[0] == 0 and point[1] == point[2]


@functools.cache
def good_key(key):
    """The library's key for a good key, else None. Once per key: the identity is the only point of small
    order without torsion."""
    point = decode_point(key)
    if point is None or is_identity(point) or not is_identity(times(L, point)):
        return None
    return Ed25519PublicKey.from_public_bytes(key)


SMALL_ORDER = {bytes.fromhex(encoded + sign) for encoded, signs in {
    "01" + "00" * 30: ("00", "80"), "ec" + "ff" * 30: ("7f", "ff"), "00" * 31: ("00", "80"),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc": ("05", "85"),
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03": ("7a", "fa"),
    "ee" + "ff" * 30: ("7f", "ff"), "ed" + "ff" * 30: ("7f", "ff")}.items() for sign in signs}


def signature_holds(key, signature, message):
    r, s, public_key = signature[:32], int.from_bytes(signature[32:], "little"), good_key(key)
    if public_key is None or s >= L or r in SMALL_ORDER:
        return False
    try:
        public_key.verify(signature, message)           # step 4: encodes sB - kA, compares it with R
    except InvalidSignature:
        return False
    return True


def library_is_cofactorless():
    """Step 4 is the library's; this signature holds for none but a check with the cofactor."""
    return not signature_holds(
        bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
        bytes.fromhex("fe430d5b9dfdbe1a54c6ce677773e819592c6f2a44bb76078059d48dec99ffbc"
                      "e205fad1fedb16d42075989b6cc34bdf15f3d9cc136241161633354c61350604"), b"arborlog")


# ---- §7 State, §8 rules, §9 corrections and totals, §5.1 lineage -------------------------------------

TOTALS = ("awarded", "reversed", "expired", "spent_elsewhere", "claimed", "balances", "owed", "planted_recorded",
          "planted_voided", "lost", "standing", "claims", "assigned", "waiting")


def fits(trees, plot):
    return trees <= plot.area_m2 * plot.trees_per_ha_max // 10_000


def planting_at_or_before(serial, plot):
    """The planting with the greatest first serial that is not above this one."""
    place = bisect.bisect_right(plot.plantings, serial, key=lambda planting: planting.first)
    return plot.plantings[place - 1] if place else None


def may_stand_at(state, index):
    """§5.4: whether a state entry can stand at an index, whatever the entries are."""
    least = 1 if state.before == NONE else state.before + 1
    return (state.before == NONE or state.before < index) and least <= state.size <= index and index - state.size <= STATE_LAG_MAX


def is_lost(first, last, planting):
    return any(first <= end and start <= last for start, end in planting.lost_ranges.values())


# §2.3: the letter that each Latin letter with a mark is taken for, from a code point on; "." for none.
MARKED_LATIN = {0xc0: (
    "aaaaaa.ceeeeiiiidnooooo.ouuuuyp.aaaaaa.ceeeeiiiidnooooo.ouuuuypy"
    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii..jjkkkllllll."
    ".llnnnnnnnnnoooooo..rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzf"
    "bbbb...ccdddd....ffg...ikkl..nn.oo..pp.....ttttuu.vyyzz........."
    "l............aaiioouuuuuuuuuu.aaaa..ggggkkoooo..j...gg..nnaa...."
    "aaaaeeeeiiiioooorrrruuuusstt..hhnd..zzaaeeooooooooyylntj..acclt."
    "...bu.eejjqqrryy"), 0x1e00: (
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmm"
    "mmmmnnnnnnnnoooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvv"
    "wwwwwwwwwwxxxxyyzzzzzzhtwy......aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeee"
    "eeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy......")}
LOOK_ALIKES = (
    "ΑaΒbΕeΖzΗhΙiΚkΜmΝnΟoΡpΤtΥyΧxΆaΈeΉhΊiΌoΎyΪiΫyαaοoρpνvυuιiκkχxγyτtωwάaόoύuίiϊiϋuϲcϹcϳjͿj"
    "АaВbЕeЅsІiЇiЈjКkМmНhОoРpСcТtУyХxЁeЀeЍиЙиЌkЎyаaвbеeѕsіiїiјjкkмmнhоoрpсcтtуyхxёeѐeѝийиќkўyҮyүyҺhһhԀdԁdԚqԛqԜwԝwѴvѵv"
    "ӀlӏlӒaӓaӦoӧoⅠiⅤvⅩxⅬlⅭcⅮdⅯmⅰiⅴvⅹxⅼlⅽcⅾdⅿmℂcℊgℋhℌhℍhℎhℐiℑiℒlℓlℕnℙp"
    "ℚqℛrℜrℝrℤz\u212ak\u212baℬbℭcℯeℰeℱfℳmℴoℹi")
# Letters and digits of other scripts that common fonts draw as a Latin letter or a digit, by code points.
OF_OTHER_SCRIPTS = """
2 01A7 03E8 14BF A644 A6EF A75A
3 01B7 021C 0417 04E0 2CCC A76A A7AB
4 13CE AB9E
5 01BC
6 0431 13EE 2CD2 ABBE
8 0222 0223 09EA 0A6A 0B03
9 09ED 0A67 0B68 0D6D 2CCA A76E
a 0251 13AA 15C5 1D00 A4EE AB7A
b 0184 0299 042C 13CF 13F4 1472 15AF 15F7 A4D0 A7B4 AB9F
c 13DF 1D04 2CA4 2CA5 A4DA ABAF
d 13A0 13E7 146F 15DE 15EA 1D05 2145 2146 A4D2 A4D3 AB70 ABB7
e 04BD 13AC 1D07 212E 2147 2D39 A4F0 AB32 AB7C
f 03DC 0584 15B4 A4DD A730 A798 A799 AB35
g 018D 0261 0262 050C 0581 13C0 13F3 1D83 A4D6 AB90
h 029C 0570 13BB 13C2 157C 2C8E A4E7 AB8B AB92
i 0269 026A 037A 13A5 2148 A647 AB75 1D6A4
j 13AB 148D 1D0A 2149 A4D9 A7B2 AB7B 1D6A5
k 13E6 1D0B 2C94 A4D7 ABB6
l 0196 029F 053C 06F1 13DE 14AA 2C92 2CD0 2D4F A4E1 A4F2 ABAE
m 03FA 13B7 15F0 1D0D 2C98 A4DF AB87
n 0274 0578 057C 2C9A A4E0
o 03C3 0555 0585 06F5 0966 09E6 0A66 0AE6 0B20 0B66 0BE6 0C66 0CE6 0D20 0D66 0E50 0ED0 101D 1040 10FF 12D0 1D0F 1D11
2C9E 2C9F 2D54 3007 A4F3 AB3D
p 03F1 13E2 146D 1D18 2CA2 2CA3 A4D1 ABB2
q 0563 0566 2D55
r 01A6 0280 0433 13A1 13D2 1587 1D26 2C85 A4E3 AB47 AB48 AB71 AB81 ABA2
s 01BD 054F 13D5 13DA A4E2 A731 ABA5 ABAA
t 13A2 1D1B 2CA6 A4D4 AB72
u 028B 054D 057D 1200 144C 1D1C A4F4 A79F AB4E AB52
v 06F7 13D9 142F 1D20 2D38 A4E6 A6DF ABA9
w 026F 0461 0561 13B3 13D4 1D21 A4EA AB83 ABA4
x 1541 157D 166D 166E 2CAC 2D5D A4EB A7B3
y 0263 028F 03D2 10E7 13A9 13BD 1D8C 213D 2CA8 A4EC AB5A AB79 AB8D
z 13C3 1D22 2128 A4DC AB93
"""


def of_other_scripts():
    for word in OF_OTHER_SCRIPTS.split():
        if len(word) == 1:
            letter = word
        else:
            yield int(word, 16), letter


LETTERS = dict(of_other_scripts())
LETTERS |= {first + place: letter for first, letters in MARKED_LATIN.items()
           for place, letter in enumerate(letters) if letter != "."}
LETTERS |= {ord(one): other for one, other in zip(LOOK_ALIKES[::2], LOOK_ALIKES[1::2])}
LETTERS |= {code: chr(code - 0xfee0) for code in range(0xff01, 0xff5f)}
LETTERS |= {code: chr(ord("a") + (code - first) % 26)
            for first, last in ((0x1d400, 0x1d6a3), (0x24b6, 0x24e9)) for code in range(first, last + 1)}
LETTERS |= {code: str((code - first) % 10)
            for first, last in ((0x1d7ce, 0x1d7ff), (0x1fbf0, 0x1fbf9)) for code in range(first, last + 1)}
STYLED_GREEK = {0x1d6a8 + place: chr(0x391 + place % 58 if place % 58 < 25 else 0x3b1 + place % 58 - 26)
                for place in range(0x1d7cc - 0x1d6a8) if place % 58 < 25 or 26 <= place % 58 <= 50}
LEFT_OUT = re.compile(r"[\0-/:-@\[-`{-\x7f\xa0-\xbf\xd7\xf7\u02b0-\u036f\u2000-\u206f\u3000-\u3003\u30fb"
                      r"\ufe20-\ufe2f\uff65]")
LOWER = {code: chr(code + 32) for code in range(ord("A"), ord("Z") + 1)} | dict(zip(map(ord, "01i|I"), "ollll"))


def compared(name):
    """§2.3: the form in which the names of holders are compared."""
    letters = LEFT_OUT.sub("", name.translate(STYLED_GREEK).translate(LETTERS).translate(LOWER))
    return letters.replace("rn", "m").replace("vv", "w")


def named_entries(entry):
    """The entries that a sealed statement names by their index."""
    s = entry.statement
    named = {"survey": lambda: [s.as_of, s.planting], "assignment": lambda: s.claims,
             "correction": lambda: [s.target, s.set]}.get(entry.kind, list)()
    return [index for index in named if index is not None]


class Ledger:
    """Every entry goes through `admit`, in order; `fetch(index)` gives an earlier one, decoded. After each of the sizes
    that later state entries name, what those must say is kept until then.

    A kind's method makes its checks, takes the entry into the state when all of them hold, and gives the
    lineage's places from lineage[2] on."""

    def __init__(self, origin, fetch, state_sizes=()):
        self.origin, self.fetch = origin, fetch
        self.state_sizes, self.states = frozenset(state_sizes), {}      # size: state root, totals
        self.newest_state = NONE                                        # the newest state entry's index
        self.batch, self.cuts = [], set()   # sealed entries whose seal is still to come; state sizes that part one from it
        self.entries, self.last_admitted_at, self.genesis_id, self.programme = 0, 0, None, None
        self.council, self.quorum, self.council_at = [], 0, NONE        # the governors in force
        self.log_keys = []                  # (key, index), in order
        self.policy_at = NONE               # the entry of the policy in force
        self.keys = {}                      # key: task, holder, …: see give_task
        self.holders = {}                   # slug: its number; its duty, one of three that no holder ever has two of
        self.holder_names = {}              # a name as it is compared: the slug of the holder that had it
        self.methods = {}                   # id: its versions, (statement, index, the statement's bytes)
        self.species = {}                   # code: name
        self.accounts = {}                  # account: balance, last, holder
        self.plots = {}                     # number: statement, holder, last, standing, assigned, plantings
        self.plantings = {}                 # index: plot, species, first, last, …: see planting
        self.surveys = {}                   # index: (statement, its bytes, the surveyor's holder), unvoided ones
        self.claims = {}                    # index: account, species, points, voided, tree
        self.losses = {}                    # index: (planting, count, what it took from claims)
        self.reversed = {}                  # award's index: points
        self.voided = {}                    # target's index: the correction's
        self.evidence = {}                  # digest: the entry that used it first
        self.months = {}                    # month: (points awarded, trees planted), see count_month
        self.totals = dict.fromkeys(TOTALS, 0)

    def admit(self, data):
        """§14, steps 1 to 7."""
        with reading("not_canonical" if self.entries else None):
            entry = decode_entry(data)
        if is_sealed(data):
            self.hold(entry)
            return self.count_entry(entry)
        need(not self.batch or entry.kind == "seal", "batch_cut", "another entry stands before the seal of a batch")
        need(entry.admitted_at >= self.last_admitted_at, "admitted_at_decreases",
             "the entry was admitted before the one before it")
        if entry.kind == "state":
            self.check_state(entry)
        else:
            check_signatures(entry, self.origin)
            need(self.follow(entry) == entry.lineage, "lineage_wrong", "the lineage is not the state's")
        self.last_admitted_at = entry.admitted_at
        self.check_sums()
        return self.count_entry(entry)

    def count_entry(self, entry):
        self.entries += 1
        if self.entries in self.state_sizes:
            if self.batch:
                self.cuts.add(self.entries)
            else:
                self.states[self.entries] = state_root_after(self), self.all_totals()
        return entry

    def hold(self, entry):
        """A sealed entry is judged when its seal comes, with the others of its batch."""
        entry.index = self.entries
        need(self.genesis_id, "genesis_misplaced", "entry 0 is no genesis")
        first = self.batch[0] if self.batch else entry
        need(entry.index + entry.ahead == first.index + first.ahead, "seal_mismatch",
             "it names another seal than the sealed entry before it")
        self.batch.append(entry)

    def check_end(self):
        need(not self.batch, "batch_cut", "the log ends before the seal of a batch", f"entry {self.entries - 1}")

    def check_state(self, entry):
        """A state entry says what the entries below its size make. It changes nothing of that."""
        index, size = self.entries, entry.size
        need(entry.before == self.newest_state, "state_wrong", "it does not name the state entry before it")
        need(may_stand_at(entry, index), "state_wrong",
             f"its size is not above the index of the state entry before, or above its own index, or {STATE_LAG_MAX} below it")
        need(size not in self.cuts, "state_wrong", "its size parts a sealed batch from its seal")
        need(entry.rules_version == RULES_VERSION, "rules_version_unsupported",
             f"version {entry.rules_version} of the rules made it, this verifier has {RULES_VERSION}")
        need(size in self.states, "changed_meanwhile", "a bundle changed during the audit")
        root, totals = self.states.pop(size)
        said = vars(entry.totals)
        need(entry.state_root == root, "state_wrong", "the state root is not that of the entries below its size")
        for name in said:
            need(said[name] == totals[name], "state_wrong", f"{name} is not that of the entries below its size")
        self.newest_state = index

    def follow(self, entry):
        """Checks the rules, takes the entry into the state, and gives its lineage."""
        entry.index = self.entries
        if entry.kind == "genesis":
            self.genesis(entry, entry.statement)
            lineage = [NONE, NONE]
        else:
            key = self.continue_chain(entry)
            authority = self.council_at if key.task == "governor" else key.given_at
            lineage = [key.last, authority, *getattr(self, entry.kind)(entry, entry.statement, key)]
        need(not entry.names_mldsa, "mldsa_unsupported", "it names an ML-DSA key, whose signature is not verified here")
        key = self.keys[entry.issuer]
        key.next_seq, key.last_id, key.last, key.last_day = key.next_seq + 1, entry.id, entry.index, entry.issued_on
        return lineage

    def check_sums(self):
        """Rule 9."""
        t = SimpleNamespace(**self.totals)
        need(t.awarded - t.reversed - t.expired - t.spent_elsewhere - t.claimed == t.balances
             and t.planted_recorded - t.planted_voided - t.lost == t.standing
             and t.claims == t.assigned + t.waiting, "sums_differ", "rule 9 does not hold")

    def check_books(self):
        """Rule 9 at the end: the totals are also those of all accounts, plots, plantings and claims."""
        accounts, plots, plantings = self.accounts.values(), self.plots.values(), self.plantings.values()
        unvoided = [planting for planting in plantings if not planting.voided]
        claims = [claim for claim in self.claims.values() if not claim.voided]
        books = {
            "balances": [sum(account.balance for account in accounts)],
            "owed": [sum(max(0, -account.balance) for account in accounts)],
            "claimed": [sum(claim.points for claim in claims)],
            "planted_recorded": [sum(planting.count for planting in plantings)],
            "planted_voided": [sum(planting.count for planting in plantings if planting.voided)],
            "lost": [sum(planting.lost for planting in unvoided)],
            "standing": [sum(plot.standing for plot in plots), sum(one.count - one.lost for one in unvoided)],
            "claims": [len(claims)],
            "assigned": [sum(claim.tree is not None for claim in claims), sum(plot.assigned for plot in plots),
                         sum(len(planting.tied) for planting in unvoided)]}
        for total, sums in books.items():
            need(all(one == self.totals[total] for one in sums), "sums_differ", f"{total} does not add up")
        return self.all_totals()

    def all_totals(self):
        return self.totals | {"accounts_negative": sum(held.balance < 0 for held in self.accounts.values())}

    def count(self, **changes):
        for total, change in changes.items():
            self.totals[total] += change

    def count_month(self, on_day, points=0, trees=0):
        """What was done, or planted at last, in the month of a day; no correction changes it."""
        date = datetime.date(1970, 1, 1) + datetime.timedelta(on_day)
        month = 12 * date.year + date.month - 1
        before = self.months.get(month, (0, 0))
        self.months[month] = before[0] + points, before[1] + trees

    # -- who says it --

    def check_quorum(self, entry, also=()):
        need(all(key in self.council or key in also for key in entry.endorsers), "endorser_refused",
             "an endorser is neither a governor nor a key that must sign")
        need(sum(key in entry.signers for key in self.council) >= self.quorum, "quorum_short",
             f"fewer than {self.quorum} governors signed")
        need(entry.signers.issuperset(also), "possession_unproven", "a key that gets a task did not sign")

    def check_set_in_force(self, entry):
        """Of what governors sign: signatures for one set of them are worth nothing under another."""
        need(entry.statement.set is not None, "set_misplaced", "governors sign it, and it names no set of them")
        need(entry.statement.set == self.council_at, "set_superseded", "it names another set than the one in force")

    def check_no_set(self, entry):
        need(entry.statement.set is None, "set_misplaced", "it names a set of governors, and none of them sign it")

    def said_by_governors(self, entry, also=()):
        need(entry.issuer in self.council, "role_refused", "the issuer is no governor in force")
        self.check_set_in_force(entry)
        self.check_quorum(entry, also)

    def said_by(self, role, entry, key):
        need(not entry.endorsers, "endorser_refused", "an endorsement that this kind does not ask for")
        need(key.task == role, "role_refused", f"the issuer is no {role}")

    def check_new_key(self, key):
        need(good_key(key), "key_invalid", f"{key.hex()} is no good key")
        need(key not in self.keys, "key_reused", f"{key.hex()} has, or had, a task")

    def give_task(self, task, key, entry, holder=None, expires_on=None):
        """The task of a key: governor, log, or a role with its holder."""
        self.keys[key] = SimpleNamespace(task=task, holder=holder, given_at=entry.index, expires_on=expires_on,
                                         given_by=entry.id, display_name=None, revoked_at=None, compromised_since=None,
                                         next_seq=0, last_id=entry.id, last=NONE, last_day=0)

    # -- rules 1 and 2: keys, chains, days --

    def check_set(self, s):
        need(len(set(s.governors)) == len(s.governors) and 1 <= s.quorum <= len(s.governors),
             "quorum_impossible", "a governor stands twice, or k is out of range")

    def check_issue_day(self, entry):
        need(entry.day - 30 <= entry.issued_on <= entry.day + 1, "day_refused",
             "issued_on is not within 30 days before and 1 after the day of admission")

    def check_day(self, said, entry):
        need(said <= entry.issued_on, "day_refused", "it speaks of a day after issued_on")

    def genesis(self, entry, s):
        need(entry.index == 0, "genesis_misplaced", "a genesis that is not entry 0")
        need(s.origin == self.origin, "origin_mismatch", "a genesis of another origin")
        need(entry.seq == 0 and entry.prev == bytes(32) and entry.issuer == s.governors[0],
             "genesis_misplaced", "the genesis is not its first governor's record 0")
        self.check_set(s)
        self.check_issue_day(entry)
        need(s.log_key not in s.governors, "key_reused", "the log key governs")
        signers = [*s.governors, s.log_key]
        for key in signers:
            self.check_new_key(key)
        need(entry.signers.issubset(signers), "endorser_refused", "somebody else endorsed the genesis")
        need(entry.signers.issuperset(signers), "possession_unproven", "a key of the genesis did not sign")
        self.genesis_id, self.programme, self.log_keys = entry.id, s.programme, [(s.log_key, 0)]
        self.council, self.quorum, self.council_at = s.governors, s.quorum, 0
        for key in signers:
            self.give_task("log" if key == s.log_key else "governor", key, entry)

    def continue_chain(self, entry):
        need(self.entries, "genesis_misplaced", "entry 0 is no genesis")
        key = self.keys.get(entry.issuer)
        need(key, "issuer_unknown", "the issuer's key has no task in the ledger")
        need(entry.seq <= key.next_seq, "sequence_gap", f"seq {entry.seq} is beyond {key.next_seq}")
        need(entry.seq == key.next_seq, "sequence_used", f"seq {entry.seq} is taken")
        need(entry.prev == key.last_id, "chain_broken", "prev is another")
        need(key.revoked_at is None, "key_revoked", "the issuer's key is revoked")
        need(key.expires_on is None or entry.day <= key.expires_on, "key_expired", "its last day has passed")
        self.check_issue_day(entry)
        need(entry.issued_on >= key.last_day, "issued_on_decreases",
             "it was issued before the issuer's record before")
        return key

    def governors(self, entry, s, key):
        self.check_set(s)
        new_keys = [governor for governor in s.governors if governor not in self.council]
        for new_key in new_keys:
            self.check_new_key(new_key)
        self.said_by_governors(entry, also=new_keys)
        tail = [self.council_at]
        self.council, self.quorum, self.council_at = s.governors, s.quorum, entry.index
        for new_key in new_keys:
            self.give_task("governor", new_key, entry)
        return tail

    def key_grant(self, entry, s, key):
        self.check_new_key(s.key)
        duty = s.role if s.role in ("surveyor", "auditor") else "planter or platform"
        held = self.holders.get(s.holder) or SimpleNamespace(number=len(self.holders), duty=duty)
        need(held.duty == duty, "holder_conflict", f"the holder is {held.duty}")
        names = [compared(s.holder), compared(s.display_name)]
        need(all(self.holder_names.get(name, s.holder) == s.holder for name in names), "name_taken",
             "a name that could be taken for that of another holder")
        self.said_by_governors(entry, also=[s.key])
        self.holders[s.holder] = held
        self.holder_names.update(dict.fromkeys(names, s.holder))
        self.give_task(s.role, s.key, entry, s.holder, s.expires_on)
        self.keys[s.key].display_name = s.display_name
        return [NONE]

    def key_revoke(self, entry, s, key):
        revoked = self.keys.get(s.key)
        need(revoked, "key_unknown", "the key to revoke has no task")
        need(revoked.holder, "role_refused", "the key to revoke has no role")
        need(revoked.revoked_at is None, "key_revoked", "the key to revoke is revoked")
        self.said_by_governors(entry)
        revoked.revoked_at, revoked.compromised_since = entry.index, s.compromised_since
        return [revoked.given_at]

    def log_key(self, entry, s, key):
        self.check_new_key(s.key)
        self.said_by_governors(entry, also=[s.key])
        tail = [self.log_keys[-1][1]]
        self.log_keys.append((s.key, entry.index))
        self.give_task("log", s.key, entry)
        return tail

    def policy(self, entry, s, key):
        self.said_by_governors(entry)
        before, self.policy_at = self.policy_at, entry.index
        return [before]

    # -- rule 3: methods and awards --

    def method(self, entry, s, key):
        versions = self.methods.get(s.id, [])
        need(s.version == len(versions) + 1, "method_version", "not the method's next version")
        need(not versions or s.effective_from >= entry.day, "method_backdated",
             "a later version with a day before its admission")
        for coded in (s.activities, s.species):
            need(len({one.code for one in coded}) == len(coded), "code_repeated", "a code twice in a method")
        need(all(self.species.get(one.code, one.name) == one.name for one in s.species),
             "species_changed", "a species' code with another name")
        self.said_by_governors(entry)
        tail = [versions[-1][1] if versions else NONE]
        self.methods[s.id] = versions + [(s, entry.index, entry.fields)]
        self.species.update((one.code, one.name) for one in s.species)
        return tail

    def method_in_effect(self, s, on_day):
        """The version in effect on a day, which must be the one that the statement names."""
        version = next((version for version, *_ in reversed(self.methods.get(s.method, []))
                        if version.effective_from <= on_day), None)
        need(version, "method_unknown", "no version of the method is in effect on that day")
        need(version.version == s.version, "method_version", "not the version in effect on that day")
        return version

    def award(self, entry, s, key):
        self.said_by("platform", entry, key)
        self.check_holder(s.account, key)
        self.check_day(s.occurred_on, entry)
        version = self.method_in_effect(s, s.occurred_on)
        activity = next((one for one in version.activities if one.code == s.activity), None)
        need(activity, "activity_unknown", "the method lacks the activity")
        need(s.points == s.quantity * activity.factor // 10**9, "points_mismatch", "not quantity × factor ÷ 10⁹")
        need(s.points > 0, "points_zero", "nothing would move")
        need(s.points <= activity.cap, "cap_exceeded", "more than the activity's cap")
        need(self.totals["awarded"] + s.points < 2**63, "balance_limit", "2^63 points or more awarded in all")
        self.check_room(s.account, s.points)
        self.count(awarded=s.points)
        self.count_month(s.occurred_on, points=s.points)
        return [self.move(entry, s.account, s.points, key.holder)]

    # -- rule 5: transfers and claims --

    def balance(self, account):
        return self.accounts[account].balance if account in self.accounts else 0

    def check_room(self, account, change):
        after = self.balance(account) + change
        need(after < 2**63, "balance_limit", "a balance of 2^63 or more")
        # What the account owes already counts only where it pays more.
        more = -change - max(0, self.balance(account)) if change < 0 else 0
        need(self.totals["owed"] + max(0, more) < 2**63, "balance_limit", "2^63 points or more owed in all")

    def check_holder(self, account, key):
        need(account not in self.accounts or self.accounts[account].holder == key.holder, "holder_refused",
             "the account is another holder's")

    def move(self, entry, account, points, holder=None):
        """Adds points to an account; the entry is its last one now. Gives the one before, or none. An account that
        nobody named before is the holder's now."""
        held = self.accounts.setdefault(account, SimpleNamespace(balance=0, last=NONE, holder=holder))
        before, held.last = held.last, entry.index
        owed = max(0, -held.balance)
        held.balance += points
        self.count(balances=points, owed=max(0, -held.balance) - owed)
        return before

    def transfer(self, entry, s, key):
        self.said_by("platform", entry, key)
        need(s.to != s.sender, "account_same", "a transfer to its own account")
        self.check_holder(s.sender, key)
        need(s.points > 0, "points_zero", "nothing would move")
        need(self.balance(s.sender) >= s.points, "balance_short", "the account holds less")
        if s.to is not None:
            self.check_room(s.to, s.points)
        return self.move_both(entry, s, s.points, key.holder)

    def move_both(self, entry, s, points, holder=None):
        """Moves points as the transfer says, and back when they are below 0."""
        before = self.move(entry, s.sender, -points)
        if s.to is not None:
            return [before, self.move(entry, s.to, points, holder)]
        self.count(**{s.reason: points})
        return [before, NONE]

    def claim(self, entry, s, key):
        self.said_by("platform", entry, key)
        self.check_holder(s.account, key)
        try:
            version = self.method_in_effect(s, entry.day)
        except Refused as today:
            try:
                version = self.method_in_effect(s, max(0, entry.day - 1))
            except Refused:
                raise today from None
        species = next((one for one in version.species if one.code == s.species), None)
        need(species, "species_unknown", "the method lacks the species")
        need(s.points == species.price, "price_mismatch", "not the species' price")
        need(s.points > 0, "points_zero", "nothing would move")
        need(self.balance(s.account) >= s.points, "balance_short", "the account holds less")
        self.claims[entry.index] = SimpleNamespace(account=s.account, species=s.species, points=s.points,
                                                   voided=False, tree=None)
        self.count(claimed=s.points, claims=1, waiting=1)
        return [self.move(entry, s.account, -s.points)]

    # -- rule 4: plots and plantings; rule 7: surveys --

    def touch(self, entry, plot):
        """The entry is the plot's last one now. Gives the one before."""
        before, plot.last = plot.last, entry.index
        return before

    def plot(self, entry, s, key):
        plot = self.plots.get(s.number)
        if plot is None:
            self.said_by("planter", entry, key)
            self.check_no_set(entry)
            plot = SimpleNamespace(last=NONE, standing=0, assigned=0, next_serial=1,
                                   plantings=[])                        # ascending by serial
        else:
            need(key.task == "planter", "role_refused", "the issuer is no planter")
            self.check_set_in_force(entry)
            self.check_quorum(entry)
            need(fits(plot.standing, s), "plot_full", "more trees stand there than fit")
        plot.statement, plot.holder, self.plots[s.number] = s, key.holder, plot
        plot.fields, plot.stated_at = entry.fields, entry.index
        return [self.touch(entry, plot)]

    def find_plot(self, number):
        need(number in self.plots, "plot_unknown", f"there is no plot {number}")
        return self.plots[number]

    def check_evidence(self, s):
        need(s.evidence not in self.evidence, "evidence_reused", "evidence that served a planting or survey")

    def planting(self, entry, s, key):
        self.said_by("planter", entry, key)
        plot = self.find_plot(s.plot)
        need(plot.holder == key.holder, "holder_refused", "the issuer's holder does not hold the plot")
        self.check_day(s.planted_until, entry)
        need(s.planted_from <= s.planted_until, "day_refused", "planted_from is after planted_until")
        need(s.species in self.species, "species_unknown", "no method names the species")
        last = s.first_serial + s.count - 1
        need(s.first_serial == plot.next_serial and last < 2**32, "serial_not_next",
             f"the plot's next serial is {plot.next_serial}, and the last 2^32 - 1")
        need(fits(plot.standing + s.count, plot.statement), "plot_full", "more trees than fit")
        self.check_evidence(s)
        planting = SimpleNamespace(plot=plot, species=s.species, first=s.first_serial, last=last, count=s.count,
                                   planted_from=s.planted_from, planted_until=s.planted_until, voided=False, lost=0,
                                   lost_ranges={},                      # correction: (first, last)
                                   tied={})                             # serial: (claim, assignment)
        plot.plantings.append(planting)
        plot.next_serial = last + 1
        self.plantings[entry.index] = planting
        plot.standing += s.count
        self.evidence[s.evidence] = entry.index
        self.count(planted_recorded=s.count, standing=s.count)
        self.count_month(s.planted_until, trees=s.count)
        return [self.touch(entry, plot)]

    def survey(self, entry, s, key):
        self.said_by("surveyor", entry, key)
        plot = self.find_plot(s.plot)
        self.check_day(s.surveyed_on, entry)
        planting = self.plantings.get(s.planting)
        need(s.planting is None or (planting and planting.plot is plot), "planting_unknown",
             "the entry is no planting on that plot")
        need(s.as_of < entry.index, "as_of_unknown", "as_of is no earlier entry")
        self.check_evidence(s)
        self.evidence[s.evidence] = entry.index
        self.surveys[entry.index] = s, entry.fields, key.holder
        return [self.touch(entry, plot)]

    # -- rule 6: assignments --

    def assignment(self, entry, s, key):
        self.said_by("platform", entry, key)
        plot, seen, promised = self.find_plot(s.plot), set(), {}
        platforms = plot.statement.platforms
        need(not platforms or key.holder in platforms, "platform_not_named",
             "the plot names other platforms than the issuer's holder")
        for serial, index in enumerate(s.claims, s.first_serial):
            claim, planting = self.claims.get(index), planting_at_or_before(serial, plot)
            need(claim and not claim.voided, "claim_unknown", f"{index} is no claim, or a voided one")
            need(claim.tree is None and index not in seen, "claim_taken", f"{index} has a tree, or stands twice")
            self.check_holder(claim.account, key)
            need(serial < 2**32 and planting and serial <= planting.last and not planting.voided,
                 "tree_unknown", f"no unvoided planting has the serial {serial}")
            need(serial not in planting.tied, "tree_taken", f"the tree {serial} has a claim")
            need(not is_lost(serial, serial, planting), "tree_lost", f"the tree {serial} is lost")
            need(claim.species == planting.species == self.claims[s.claims[0]].species, "species_mismatch",
                 "claims or trees of several species")
            seen.add(index)
            promised[planting.first] = promised.get(planting.first, 0) + 1
            need(len(planting.tied) + promised[planting.first] <= planting.count - planting.lost, "trees_short",
                 "more of a planting would be assigned than stand")
        for serial, index in enumerate(s.claims, s.first_serial):
            self.tie(planting_at_or_before(serial, plot), serial, index, entry.index)
        return [self.touch(entry, plot)]

    def tie(self, planting, serial, claim, assignment):
        planting.tied[serial], self.claims[claim].tree = (claim, assignment), (planting, serial)
        planting.plot.assigned += 1
        self.count(assigned=1, waiting=-1)

    def untie(self, planting, serial):
        claim, assignment = planting.tied.pop(serial)
        self.claims[claim].tree = None
        planting.plot.assigned -= 1
        self.count(assigned=-1, waiting=1)
        return serial, claim, assignment

    # -- rule 10: attestations --

    def attestation(self, entry, s, key):
        self.said_by("auditor", entry, key)
        need(s.size <= entry.index, "size_beyond", "it speaks of more entries than there are")
        need(s.period_from <= s.period_until, "day_refused", "the period ends before it begins")
        self.check_day(s.period_until, entry)
        return []

    # -- seals --

    def seal(self, entry, s, key):
        need(not entry.endorsers, "endorser_refused", "an endorsement that this kind does not ask for")
        need(key.holder, "role_refused", "the issuer's key has no role")
        need(self.batch, "seal_mismatch", "no sealed entries stand before the seal")
        need(s.count == len(self.batch) and self.batch[0].index + self.batch[0].ahead == entry.index, "seal_mismatch",
             "the sealed entries before the seal are not just those that it signs")
        need(sum(len(one.said) for one in self.batch) <= BATCH_BYTES_MAX, "seal_mismatch",
             "the statements of a batch are longer than 8 MiB together")
        need(merkle_root([one.statement_leaf for one in self.batch]) == s.root, "seal_mismatch",
             "the statements before the seal do not make its root")
        for one, tail in self.judge_batch(entry, key):
            with at(f"entry {one.index}"):
                places = tail + [NONE] * (len(one.places) - len(tail))
                need(places == one.places, "lineage_wrong", "the lineage is not the state's")
                self.check_sums()
        self.batch = []
        return []

    def judge_batch(self, seal, key):
        """Judges each statement of the batch in order, the state changing after each; gives it and the end of its lineage."""
        first = self.batch[0].index
        for one in self.batch:
            with at(f"entry {one.index}"):
                join(one, seal)
                need(all(index < first for index in named_entries(one)), "target_unknown",
                     "it names an entry of its own batch, or one that is still to come")
                tail = getattr(self, one.kind)(one, one.statement, key)
            yield one, tail

    # -- rule 8: corrections --

    def correction(self, entry, s, key):
        need(s.target < entry.index, "target_unknown", "the target is no earlier entry")
        target, (remedy, fields) = self.fetch(s.target), s.remedy
        if hasattr(target, "ahead"):
            join(target, self.fetch(s.target + target.ahead))
        need(target.kind != "state", "target_unknown", "the target is a state entry, which nobody says")
        if key.task == "governor":
            self.said_by_governors(entry)
        else:
            need(key.task != "log", "role_refused", "a log's key corrects nothing")
            other_pays = self.check_endorsers(entry, key, target, remedy)
            self.check_no_set(entry)
            said_it = self.keys[target.issuer]
            need((said_it.holder, said_it.task) == (key.holder, key.task)
                 or (remedy == "lost" and key.task == "surveyor"), "holder_refused",
                 "the issuer's holder did not say the target in that role")
            need(entry.endorsers or not other_pays, "consent_missing",
                 "the holder of the account that pays did not endorse it")
        if remedy == "lost":
            self.check_day(fields.lost_on, entry)
        if remedy == "void":
            return [s.target, *self.void(entry, s.target, target)]
        if remedy == "reverse" and target.kind == "award":
            return [s.target, self.reverse(entry, s.target, target.statement, fields.points)]
        if remedy == "lost" and target.kind == "planting":
            need(fields.lost_on >= target.statement.planted_from, "day_refused", "a loss before its planting")
            return [s.target, self.lose(entry, self.plantings[s.target], fields)]
        raise Refused("target_refused", f"the remedy {remedy} does not fit the kind {target.kind}")

    def check_endorsers(self, entry, key, target, remedy):
        """Whether the correction takes points from another holder's account; then that holder may endorse it, and
        nobody else."""
        paying = {("reverse", "award"): "account", ("void", "transfer"): "to"}.get((remedy, target.kind))
        account = self.accounts.get(getattr(target.statement, paying)) if paying else None
        if account is None or account.holder == key.holder:
            need(not entry.endorsers, "endorser_refused", "an endorsement that is not asked for")
            return False
        for endorser in entry.endorsers:
            known = self.keys.get(endorser)
            need(known and (known.task, known.holder) == ("platform", account.holder), "endorser_refused",
                 "an endorser is no platform key of the account's holder")
            need(known.revoked_at is None, "key_revoked", "an endorser's key is revoked")
            need(known.expires_on is None or entry.day <= known.expires_on, "key_expired",
                 "the last day of an endorser's key has passed")
        return True

    def reverse(self, entry, index, award, points):
        before = self.reversed.get(index, 0)
        need(points > 0, "points_zero", "nothing would move")
        need(points <= award.points - before, "reversal_excess", "more than is left of the award")
        self.check_room(award.account, -points)
        self.reversed[index] = before + points
        self.count(reversed=points)
        return self.move(entry, award.account, -points)

    def lose(self, entry, planting, fields):
        need(not planting.voided, "target_voided", "the planting was voided")
        need(fields.count <= planting.count - planting.lost, "loss_excess", "more than stands")
        taken = []
        if fields.first_serial is not None:
            first, last = fields.first_serial, fields.first_serial + fields.count - 1
            need(planting.first <= first and last <= planting.last, "loss_excess", "serials of others")
            need(len(planting.lost_ranges) < LOST_RANGES_MAX, "loss_excess", "too many losses by serial of one planting")
            need(not is_lost(first, last, planting), "tree_lost", "a tree is lost already")
            near = range(first, last + 1) if fields.count < len(planting.tied) else list(planting.tied)
            claimed = [serial for serial in near if serial in planting.tied and first <= serial <= last]
            need(len(claimed) <= DISPLACED_MAX, "loss_excess", "too many trees with a claim for one loss")
            planting.lost_ranges[entry.index] = first, last
            taken = [self.untie(planting, serial) for serial in claimed]
        self.losses[entry.index] = planting, fields.count, taken
        self.count_lost(planting, fields.count)
        return self.touch(entry, planting.plot)

    def count_lost(self, planting, count):
        planting.lost += count
        planting.plot.standing -= count
        self.count(lost=count, standing=-count)

    def void(self, entry, index, target):
        """§9: undoes all effect of the target."""
        need(index not in self.voided, "target_voided", "the target was voided")
        void_of = {"transfer": self.void_transfer, "claim": self.void_claim, "survey": self.void_survey,
                   "assignment": self.void_assignment, "planting": self.void_planting,
                   "attestation": self.void_attestation}.get(target.kind)
        if index in self.losses:
            void_of = self.void_loss
        need(void_of, "target_refused", f"no {target.kind} of that sort can be voided")
        tail = void_of(entry, index, target.statement)
        self.voided[index] = entry.index
        return tail

    def void_transfer(self, entry, index, s):
        self.check_room(s.sender, s.points)
        if s.to is not None:
            self.check_room(s.to, -s.points)
        return self.move_both(entry, s, -s.points)

    def void_claim(self, entry, index, s):
        self.check_room(s.account, s.points)
        claim = self.claims[index]
        if claim.tree:
            self.untie(*claim.tree)
        claim.voided = True
        self.count(claimed=-s.points, claims=-1, waiting=-1)
        return [self.move(entry, s.account, s.points)]

    def void_survey(self, entry, index, s):
        del self.surveys[index]
        return [self.touch(entry, self.plots[s.plot])]

    def void_attestation(self, entry, index, s):
        return []

    def void_assignment(self, entry, index, s):
        plot = self.plots[s.plot]
        for serial, claim in enumerate(s.claims, s.first_serial):
            planting = planting_at_or_before(serial, plot)
            if planting.tied.get(serial) == (claim, index):             # it still ties this one
                self.untie(planting, serial)
        return [self.touch(entry, plot)]

    def void_planting(self, entry, index, s):
        planting = self.plantings[index]
        need(not planting.tied, "void_blocked", "a tree of the planting is assigned")
        planting.voided = True
        planting.plot.standing -= planting.count - planting.lost
        self.count(planted_voided=planting.count, standing=planting.lost - planting.count, lost=-planting.lost)
        return [self.touch(entry, planting.plot)]

    def void_loss(self, entry, index, s):
        planting, count, taken = self.losses[index]
        need(not planting.voided, "target_voided", "the planting of the loss was voided")
        need(fits(planting.plot.standing + count, planting.plot.statement), "plot_full", "more trees than fit")
        self.count_lost(planting, -count)
        planting.lost_ranges.pop(index, None)
        for serial, claim, assignment in taken:
            still_waits = not self.claims[claim].voided and self.claims[claim].tree is None
            if still_waits and assignment not in self.voided:
                self.tie(planting, serial, claim, assignment)
        return [self.touch(entry, planting.plot)]


# ---- §11 Tree, tiles and bundles ---------------------------------------------------------------------

def node(left, right):
    return sha256(b"\1" + left + right)


def merkle_root(hashes):
    """RFC 6962's root: pairs, level by level; a last one without a partner goes up as it is."""
    while len(hashes) > 1:
        paired = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = paired + hashes[len(hashes) - len(hashes) % 2:]
    return hashes[0]


def root_by_path(leaf, index, size, path):
    """The root that an inclusion proof leads to (RFC 6962, 2.1.1, backwards), or None."""
    if size == 1 or not path:
        return leaf if size == 1 and not path else None
    left_size = 1 << (size - 1).bit_length() - 1
    in_right = index >= left_size
    below = (root_by_path(leaf, index - left_size, size - left_size, path[:-1]) if in_right
             else root_by_path(leaf, index, left_size, path[:-1]))
    return below and (node(path[-1], below) if in_right else node(below, path[-1]))


def tiles_of(level, count, start=0):
    """Path, first hash and width of each tile of a level of so many hashes; level "entries" is that of bundles."""
    for first in range(start, count, 256):
        number, width = first // 256, min(256, count - first)
        groups = f"{number % 1000:03d}"
        while number := number // 1000:
            groups = f"x{number % 1000:03d}/{groups}"
        yield f"tile/{level}/{groups}" + (f".p/{width}" if width < 256 else ""), first, width


def levels_of(leaves):
    """The hashes of each level of tiles."""
    while leaves:
        yield leaves
        leaves = [merkle_root(leaves[i:i + 256]) for i in range(0, len(leaves) - 255, 256)]


def read_file(path, limit, where, cut=False):
    """A file's bytes; of one that is longer than the limit nothing, or one byte more than that."""
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        what = f"{path}: {getattr(error, 'strerror', None) or error}"
        raise Refused("unreadable", what, where) from None
    need(cut or len(data) <= limit, "too_long", f"the file is longer than {limit} bytes", where)
    return data


def read_tile(directory, path, limit):
    """A tile, and whether it is the full one in the place of a partial one that is gone."""
    for there in (path, path.partition(".p/")[0]):
        if os.path.exists(os.path.join(directory, there)):
            return read_file(os.path.join(directory, there), limit, path), there != path
    raise Refused("tile_missing", "what the checkpoint promises is not there", path)


def read_bundle(directory, path, width):
    """The entries' bytes."""
    data, longer = read_tile(directory, path, 256 * (2 + 65_535))
    reader, there = Reader(data), 256 if longer else width
    try:
        entries = [reader.take(u16(reader)) for _ in range(there)]
    except Refused:
        raise Refused("bundle_malformed", f"the bundle ends within its {there} entries", path) from None
    need(reader.place == len(data), "bundle_malformed", "bytes follow the bundle's last entry", path)
    return entries[:width]


# ---- §12 Notes and checkpoints -----------------------------------------------------------------------

def decode_base64(encoded, what):
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    need(decoded and base64.b64encode(decoded).decode() == encoded, "base64_malformed", f"{what} is no base64")
    return decoded


def decode_decimal(digits, what):
    need(re.fullmatch(r"0|[1-9][0-9]{0,19}", digits) and int(digits) < 2**64, "number_malformed",
         f"{what} is no plain decimal below 2^64")
    return int(digits)


NOTE_LIMIT = MAX.note_bytes
LOG, WITNESS, MLDSA = 1, 4, 6                                           # types of verifier keys


def verifier_key(name, kind, key):
    return SimpleNamespace(name=name, kind=kind, key=key, id=sha256(name.encode() + bytes([10, kind]) + key)[:4])


def parse_vkey(written, *kinds):
    return read_vkey(written.strip("\t\n\x0c\r "), kinds)


def read_vkey(written, kinds):
    parts = written.split("+", 2)
    need(len(parts) == 3, "vkey_malformed", "a verifier key is not <name>+<id>+<base64>")
    name, decoded = parts[0].encode("utf-8", "surrogateescape"), decode_base64(parts[2], "the verifier key")
    name = read_whole(text(200, ORIGIN), len(name).to_bytes(8, "big") + name)
    need(decoded[0] in kinds and len(decoded) == 1 + (1312 if decoded[0] == MLDSA else 32), "vkey_malformed",
         "it is of another type or length")
    vkey = verifier_key(name, decoded[0], decoded[1:])
    need(parts[1] == vkey.id.hex(), "vkey_malformed", "the id does not belong to the key")
    need(vkey.kind == MLDSA or good_key(vkey.key), "key_invalid", "it is no good key")
    return vkey


def read_note(data):
    """The text that is signed, and the lines of signatures: (name, key's id, signature)."""
    need(len(data) <= NOTE_LIMIT, "note_malformed", f"a note is longer than {NOTE_LIMIT} bytes")
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("note_malformed", "a note is not UTF-8") from None
    signed, parted, signatures = note.rpartition("\n\n")
    need(parted and signatures.endswith("\n") and not re.search(r"[\0-\x09\x0b-\x1f]", note), "note_malformed",
         "a note is not text, an empty line and lines of signatures")
    lines = []
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014" and re.fullmatch(LINE_NAME, parts[1]), "note_malformed",
             "a signature's line is not a dash, a name and base64")
        with reading("note_malformed"):
            decoded = decode_base64(parts[2], "a signature's line")
        need(len(decoded) >= 5, "note_malformed", "a signature's line has no signature")
        lines.append((parts[1], decoded[:4], decoded[4:]))
    need(len(lines) <= MAX.note_signatures, "note_malformed", f"a note has more than {MAX.note_signatures} lines of signatures")
    return signed + "\n", lines


def read_checkpoint(data):
    """Origin, size and root that a checkpoint claims, and its lines; nothing is verified yet."""
    signed, lines = read_note(data)
    with reading("checkpoint_malformed"):
        parts = signed.split("\n")
        need(len(parts) == 4, "", "a checkpoint's text is not just three lines")
        name = parts[0].encode()
        read_whole(text(200, ORIGIN), len(name).to_bytes(8, "big") + name)
        size, root = decode_decimal(parts[1], "the size"), decode_base64(parts[2], "the root")
        need(size > 0 and len(root) == 32, "", "the size is 0, or the root not of 32 bytes")
    return SimpleNamespace(origin=parts[0], size=size, root=root, signed=signed.encode(), lines=lines, second=None)


def open_checkpoint(data, pinned):
    """A checkpoint that the pinned log key signed."""
    try:
        checkpoint = read_checkpoint(data)
    except Refused as refused:
        raise name_fault(data, refused)
    return verify_checkpoint(checkpoint, pinned)


def verify_checkpoint(checkpoint, pinned):
    need(checkpoint.origin == pinned.name, "other_log",
         f"the checkpoint is of {checkpoint.origin}, the key given is {pinned.name}'s")
    need(check_lines(checkpoint, pinned), "unsigned", "no line of the checkpoint is by the log key that was given")
    return checkpoint


def check_lines(checkpoint, vkey):
    """Checks every line that names the key; gives a list of their times, in seconds (an Ed25519 line of a log has none: 0)."""
    times, unread = read_lines_of(checkpoint, vkey)
    need(not unread, "mldsa_unsupported",
         f"the checkpoint's line by {vkey.name} {vkey.id.hex()} is of ML-DSA-44, which no library here has "
         "(`cryptography` 48 and newer have it, and `dilithium-py`)")
    return times


def read_lines_of(checkpoint, vkey):
    """The same; and whether these lines could not be checked for want of ML-DSA: then only their form was."""
    lines = [line[2] for line in checkpoint.lines if line[:2] == (vkey.name, vkey.id)]
    false = f"the checkpoint's line by {vkey.name} {vkey.id.hex()} does not hold"
    stamp, width = (0 if vkey.kind == LOG else 8), (2420 if vkey.kind == MLDSA else 64)
    times = [int.from_bytes(line[:stamp], "big") for line in lines]
    need(all(len(line) == stamp + width for line in lines) and max(times, default=0) <= MAX.cosigned_at_s,
         "signature_invalid", false)
    if vkey.kind == MLDSA and lines and not mldsa_library():
        return times, True
    for seconds, line in zip(times, lines):
        need(line_holds(checkpoint, vkey, seconds, line[stamp:]), "signature_invalid", false)
    return times, False


def line_holds(checkpoint, vkey, seconds, signature):
    if vkey.kind == MLDSA:
        return mldsa_library()(vkey.key, signature, mldsa_message(checkpoint, vkey.name, seconds))
    stamp = b"cosignature/v1\ntime %d\n" % seconds if vkey.kind == WITNESS else b""
    return signature_holds(vkey.key, signature, stamp + checkpoint.signed)


# ---- §12.2 ML-DSA-44 ---------------------------------------------------------------------------------

def mldsa_message(checkpoint, name, seconds):
    """What a line of type 0x06 signs: names, time, and the tree from its first entry on. No line behind the root."""
    short = lambda written: bytes([len(written.encode())]) + written.encode()
    return (b"subtree/v1\n\0" + short(name) + pack(">Q", seconds) + short(checkpoint.origin)
            + pack(">QQ", 0, checkpoint.size) + checkpoint.root)


@functools.cache
def mldsa_library():
    """ML-DSA.Verify of FIPS 204 with an empty context, as a function of key, signature and message; None where no library
    has it."""
    for load in (mldsa_of_cryptography, mldsa_of_dilithium_py):
        with contextlib.suppress(ImportError, UnsupportedAlgorithm):
            return load()
    return None


def mldsa_of_cryptography():
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
    MLDSA44PublicKey.from_public_bytes(bytes(1312))                     # the module may be there, and OpenSSL too old

    def holds(key, signature, message):
        try:
            MLDSA44PublicKey.from_public_bytes(key).verify(signature, message)
        except InvalidSignature:
            return False
        return True
    return holds


def mldsa_of_dilithium_py():
    from dilithium_py.ml_dsa import ML_DSA_44
    return lambda key, signature, message: ML_DSA_44.verify(key, message, signature)


# ---- §12.3 Judging by a policy -----------------------------------------------------------------------

def is_auditor(name):
    return name.startswith("audit-")


def check_log_by_policy(policy, checkpoint, kinds=(1, 6)):
    """The first key of the policy that signed as the log; all lines by the log's keys in it hold."""
    own = [vkey for vkey in policy.logs if vkey.name == checkpoint.origin and vkey.kind in kinds]
    need(own, "other_log", f"the checkpoint is of {checkpoint.origin}, and the policy names no key of that log")
    read = [(vkey, *read_lines_of(checkpoint, vkey)) for vkey in own]
    signed = [vkey for vkey, times, unread in read if times and not unread]
    need(signed or not any(unread for *_, unread in read), "mldsa_unsupported",
         "the log's line is of ML-DSA-44, which no library here has")
    need(signed, "unsigned", "no line of the checkpoint is by a log key of the policy")
    return signed[0]


def times_that_count(vkey, times, auditor=False):
    """Without a time an ML-DSA line says nothing of a newest tree, which a witness must; of an auditor it is asked for the
    tree alone."""
    return times if auditor or vkey.kind != MLDSA else [seconds for seconds in times if seconds]


def check_quorum_of(policy, checkpoint):
    """Who of a policy cosigned a checkpoint, or the second one of its file, and which levels that reaches; refuses what lacks
    the quorum."""
    both = [checkpoint, *([checkpoint.second] if checkpoint.second else [])]
    seen, unread = zip(*(seen_by(policy, one) for one in both))
    reached = [levels_of_policy(policy, present.keys()) for present in seen]
    ways = ways_to_quorum(seen)
    cosigned = any("cosigned" in levels_of_policy(policy, present) for present in ways)
    levels = [level for level in ("cosigned", "witnessed", "audited")
              if any(level in of_one for of_one in reached) or cosigned and level == "cosigned"]
    not_checked = [name for name in policy.witnesses if any(name in of_one for of_one in unread)]
    if not cosigned:
        with_unread = ways_to_quorum([present.keys() | of_one for present, of_one in zip(seen, unread)])
        need(not any("cosigned" in levels_of_policy(policy, present) for present in with_unread), "mldsa_unsupported",
             f"the policy's quorum depends on lines of ML-DSA-44, which no library here has: {', '.join(not_checked)}")
        missing, present = min(((missing_for(policy, present), present) for present in ways), key=lambda way: len(way[0]))
        said = ", ".join(f"{name} ({policy.witnesses[name].name})" for name in missing)
        there = ", ".join(name for name in policy.witnesses if name in present) or "nobody"
        raise Refused("quorum_missing", f"the policy's quorum, {policy.quorum}, is not there: no cosignature by {said}; "
                      f"there are those by {there}", missing=missing, levels=levels)
    cosigned_by = [
        {"as": name, "name": policy.witnesses[name].name, "role": "auditor" if is_auditor(name) else "witness",
         "seen_at_s": seconds if seconds or policy.witnesses[name].kind != MLDSA else None,
         **({"size": one.size} if checkpoint.second else {})}
        for one, present in zip(both, seen) for name, seconds in present.items()]
    # How far the entries were seen and replayed: of two checkpoints the larger that has the level.
    sizes = {level: max(one.size for one, of_one in zip(both, reached) if level in of_one)
             for level in ("witnessed", "audited") if level in levels}
    return {"quorum": policy.quorum, "levels": levels, "cosigned_by": cosigned_by, "not_checked": not_checked,
            **({"seen_to": sizes.get("witnessed"), "replayed_to": sizes.get("audited")} if checkpoint.second else {})}


def seen_by(policy, checkpoint):
    """When who of a policy saw a checkpoint, by name, in seconds; and whose lines could not be checked here."""
    seen, unread = {}, set()
    for name, vkey in policy.witnesses.items():
        times, unchecked = read_lines_of(checkpoint, vkey)
        times = times_that_count(vkey, times, is_auditor(name))
        if times and unchecked:
            unread.add(name)
        elif times:
            seen[name] = max(times)
    return seen, unread


def ways_to_quorum(seen):
    """Those who count together: of one checkpoint those who saw it. Of two, those of either, or the witnesses of one with the
    auditors of the other."""
    names = [set(present) for present in seen]
    if len(names) == 1:
        return names
    first, second = names
    auditors = lambda present: set(filter(is_auditor, present))
    return [first, second, second - auditors(second) | auditors(first), first - auditors(first) | auditors(second)]


def names_that_hold(policy, present):
    """The witnesses that are there, and the groups that have enough of them. A group's members are defined before it."""
    holding = {"none", *present}
    for name, (needed, members) in policy.groups.items():
        if sum(member in holding for member in members) >= needed:
            holding.add(name)
    return holding


def levels_of_policy(policy, present):
    auditors = set(filter(is_auditor, policy.witnesses))
    witnesses = set(policy.witnesses) - auditors
    holds = lambda present: policy.quorum in names_that_hold(policy, present)
    levels = {"cosigned": holds(present), "witnessed": bool(present & witnesses) and holds(present | auditors),
              "audited": bool(present & auditors) and holds(present | witnesses)}
    return [level for level, reached in levels.items() if reached]


def missing_for(policy, present):
    """The witnesses, in the order of their lines, that are not there and that the quorum or a group it lacks asks for."""
    holding = names_that_hold(policy, present)
    wanted = {policy.quorum}
    for name, (_, members) in reversed(policy.groups.items()):
        if name in wanted and name not in holding:
            wanted.update(members)
    return [name for name in policy.witnesses if name in wanted and name not in holding]


# ---- §12.1 What was done to a file on its way --------------------------------------------------------

FILE_FAULTS = {
    "file_utf16": "it was saved as UTF-16",
    "file_bom": "it begins with a byte order mark",
    "file_crlf": "it has CRLF line ends",
    "file_not_utf8": "it is not UTF-8",
    "file_quoted": "its lines begin with '>', as a mail program quotes text",
    "file_spaces": "it has white space where none belongs",
    "file_wrapped": "its long lines were broken into several, or its index line is missing",
    "file_cut": "its end is missing: its last line has no line end, or no line is a signature's",
    "file_trailing": "something follows its last signature line",
}
STRAY_SPACE = re.compile("[\t\x0b\x0c\xa0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]|(^|\n) | (\n|$)|  ")


def file_fault(data):
    """The code of what was done to a file that could not be read, the first that applies; or None."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or 0 in data[:2]:
        return "file_utf16"
    if data[:3] == b"\xef\xbb\xbf":
        return "file_bom"
    if b"\r" in data:
        return "file_crlf"
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        return "file_not_utf8"
    lines = whole.split("\n")
    signatures = [place for place, line in enumerate(lines) if line.startswith("\u2014 ")]
    if whole.startswith(">"):
        return "file_quoted"
    if STRAY_SPACE.search(whole):
        return "file_spaces"
    if any(line.startswith("extra ") and after and not after.startswith("index ")
           for line, after in zip(lines, lines[1:])):
        return "file_wrapped"
    if not whole.endswith("\n") or not signatures:
        return "file_cut"
    return "file_trailing" if signatures[-1] + 2 < len(lines) else None


def name_fault(data, refused):
    """What was done to the file, if that can be told, in the place of what could not be read for it."""
    code = file_fault(data)
    return Refused(code, f"{FILE_FAULTS[code]}; get it again", refused.where) if code else refused


# ---- §13 Receipts ------------------------------------------------------------------------------------

ENTRY_BYTES, PATH, SIBLINGS = byte_string(MAX.entry_bytes), list_of(bytes32, 0, MAX.path_hashes), list_of(bytes32, 0, MAX.siblings)
LINK = table(index=u64, entry=ENTRY_BYTES, path=PATH)
SEAL_LINK = table(index=u64, entry=ENTRY_BYTES, path=PATH, siblings=SIBLINGS)
SHOWN = table(index=u64, entry=ENTRY_BYTES, siblings=SIBLINGS)
SECOND = table(checkpoint=byte_string(MAX.note_bytes), consistency=PATH)
ANY_BYTES = byte_string(MAX.extra_bytes)
ITEM = table(key=ANY_BYTES, fields=option(ANY_BYTES), proof=ANY_BYTES)


def read_extra(reader):
    """The entry, its seal if it is a sealed one, and the authority of the one that is signed."""
    entry = ENTRY_BYTES(reader)
    seal = SEAL_LINK(reader) if is_sealed(entry) else None
    authority = list_of(LINK, 0, MAX.authority_links)(reader)
    # Items of the state, and entries that are shown beside them.
    items, shown, hashes = read_about_state(reader) if is_state_entry(entry) else ([], [], [])
    second = SECOND(reader) if reader.place < len(reader.data) else None
    return SimpleNamespace(entry=entry, seal=seal, authority=authority, items=items, shown=shown, hashes=hashes, second=second)


def read_about_state(reader):
    """§13.4: items, the entries that are shown beside them, and the hashes that prove those."""
    items, shown = list_of(ITEM, 0, MAX.items)(reader), list_of(SHOWN, 0, MAX.shown_entries)(reader)
    need(all(one.index < other.index for one, other in zip(shown, shown[1:])), "", "the indexes of shown entries do not ascend")
    need(all(is_sealed(one.entry) or not one.siblings for one in shown), "", "an entry that is not sealed has siblings")
    if not shown:
        return items, shown, []
    number = u64(reader)
    need(32 * number <= len(reader.data) - reader.place, "", "there are fewer hashes than it says")
    return items, shown, [reader.take(32) for _ in range(number)]


MAY_SAY = {"platform": ("award", "transfer", "claim", "assignment", "correction", "seal"),
           "planter": ("plot", "planting", "correction", "seal"), "surveyor": ("survey", "correction", "seal"),
           "auditor": ("correction", "attestation", "seal")}
GOVERNORS_SAY = ("governors", "key_grant", "key_revoke", "log_key", "method", "correction", "policy")


FIRST_LINE = b"c2sp.org/tlog-proof@v1"


def read_receipt(data):
    """The chain from the entry to its last link, each with index and path; the entry's seal or None; and the checkpoint, as
    it was read. With a second one, that is its `second`, with the proof of consistency."""
    visible = bytes(byte for byte in data[:256] if 0x21 <= byte <= 0x7e).lstrip(b">")
    need(visible.startswith(FIRST_LINE) or len(data) <= 256 and FIRST_LINE.startswith(visible), "not_a_receipt",
         f"its first line is not {FIRST_LINE.decode()}: it begins with {data[:48]!r}")
    need(len(data) <= MAX.receipt_bytes, "too_long", "a receipt is longer than 4 MiB")
    try:
        with reading("receipt_malformed"):
            chain, seal, note, second = read_lines(data)
        checkpoint = read_checkpoint(note)
        if second:
            checkpoint.second = read_checkpoint(second.checkpoint)
            checkpoint.second.consistency = second.consistency
            need(checkpoint.second.size > checkpoint.size, "receipt_malformed", "its second checkpoint is not larger than its own")
        return chain, seal, checkpoint
    except Refused as refused:
        raise name_fault(data, refused) from None


def read_lines(data):
    head, parted, note = data.partition(b"\n\n")
    try:
        lines = head.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Refused("", "a receipt is not UTF-8") from None
    need(parted and 3 <= len(lines) <= 3 + MAX.path_hashes and lines[0] == FIRST_LINE.decode()
         and lines[1].startswith("extra ") and lines[2].startswith("index "), "",
         "a receipt's lines are not its first line, extra, index, at most 65 hashes, and a checkpoint")
    extra = decode_base64(lines[1][6:], "the extra line")
    need(len(extra) <= MAX.extra_bytes, "", "the extra line is longer than 2 MiB")
    extra, index = read_whole(read_extra, extra), decode_decimal(lines[2][6:], "the index")
    path = [decode_base64(line, "a hash of the proof") for line in lines[3:]]
    need(all(len(one) == 32 for one in path), "", "a hash of the proof has not 32 bytes")
    first = SimpleNamespace(index=index, entry=extra.entry, path=path, items=extra.items, shown=extra.shown,
                            hashes=extra.hashes)
    return [first, *extra.authority], extra.seal, note, extra.second


def path_length(index, size):
    """How many hashes prove a leaf: to where its way parts from the last leaf's, then one for each turn left."""
    parted = (index ^ size - 1).bit_length()
    return parted + (index >> parted).bit_count()


def verify_receipt(data, pinned, genesis_id=None, witnesses=(), policy=None):
    """§13.1, steps 1 to 11. Without a policy that names logs, `pinned` is the log's key; else it may be None."""
    chain, seal, checkpoint = read_receipt(data)
    with at("checkpoint"):
        by_policy = check_signers(checkpoint, pinned, witnesses, policy)[1]
        seen = by_policy.pop("witnesses")
    return verify_chain(chain, seal, checkpoint, genesis_id, seen) | by_policy


def check_signers(checkpoint, pinned, witnesses=(), policy=None, kinds=(1, 6)):
    """Steps 2 and 3: the log's key, and who saw the checkpoint, or the second one."""
    both = [checkpoint, *([checkpoint.second] if checkpoint.second else [])]
    opened_by = pinned
    for one in both:
        if pinned:
            verify_checkpoint(one, pinned)
        if policy and policy.logs:
            signed = check_log_by_policy(policy, one, kinds)
            opened_by = opened_by or signed
    pinned, seen = opened_by, []
    for witness in witnesses:
        # Of two checkpoints, the newer one that it saw is what counts.
        lines = [check_lines(one, witness) for one in both]
        times = next(filter(None, (times_that_count(witness, of_one) for of_one in reversed(lines))), [])
        need(times, "witness_missing", f"no cosignature by {witness.name}")
        seen.append({"name": witness.name, "seen_at_s": max(times)})
    return pinned, {"witnesses": seen} | ({"policy": check_quorum_of(policy, checkpoint)} if policy else {})


def consistency_length(size, larger):
    """How many hashes prove that a tree begins with a smaller one (RFC 9162, 2.1.4.1): those of the smaller one's last whole
    subtree's place, and that subtree's own unless it is all of the smaller tree."""
    whole = (size & -size).bit_length() - 1
    return (size.bit_count() > 1) + path_length(size - 1 >> whole, (larger - 1 >> whole) + 1)


def check_second(checkpoint):
    """Step 4, of a file with two checkpoints: the second one's tree begins with the first's."""
    second = checkpoint.second
    if not second:
        return
    need(len(second.consistency) == consistency_length(checkpoint.size, second.size), "proof_incomplete",
         "the proof between the two checkpoints has not the number of hashes that it needs")
    need(roots_by_consistency(checkpoint, second) == (checkpoint.root, second.root), "forked",
         f"the tree of {second.size} entries does not begin with that of {checkpoint.size}")


def roots_by_consistency(checkpoint, second):
    """The roots of both trees that a proof of as many hashes as it needs leads to (RFC 9162, 2.1.4.2)."""
    hashes = [*([checkpoint.root] if checkpoint.size.bit_count() == 1 else []), *second.consistency]
    whole = (checkpoint.size & -checkpoint.size).bit_length() - 1
    place, last = checkpoint.size - 1 >> whole, second.size - 1 >> whole
    smaller = larger = hashes[0]
    for one in hashes[1:]:
        if place & 1 or place == last:
            smaller, larger = node(one, smaller), node(one, larger)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            larger = node(larger, one)
        place, last = place >> 1, last >> 1
    return smaller, larger


def verify_chain(chain, seal, checkpoint, genesis_id, seen):
    """Steps 4 to 11."""
    if is_state_entry(chain[0].entry):
        return verify_state_receipt(chain, checkpoint, seen, genesis_id)
    for link in [*chain, *([seal] if seal else [])]:
        need(link.index < checkpoint.size and len(link.path) == path_length(link.index, checkpoint.size),
             "proof_incomplete", f"the proof of entry {link.index} has not the number of hashes that it needs")
    with at("checkpoint"):
        check_second(checkpoint)
    with at("entry" if len(chain) == 1 else f"link {len(chain) - 2}"):
        check_format(chain[-1], checkpoint)
    entries, places = [], ["entry"] + [f"link {place}" for place in range(len(chain) - 1)]
    for link, where in zip(chain, places):
        with at(where):
            entry = open_link(link, checkpoint)
            if where == "entry" and seal:
                sealed, entry = entry, open_seal(entry, seal, checkpoint)
            entries.append(check_link(entry, checkpoint))
    for entry, behind, where in zip(entries, entries[1:], places):
        with at(where):
            need(entry.lineage[1:2] == [behind.index] and behind.index < entry.index, "authority_broken",
                 "the next link is not the earlier entry that lineage[1] names")
            check_authority(entry, behind)
            if seal and entry is entries[0]:
                need(sealed.kind in MAY_SAY[behind.statement.role], "role_refused",
                     "the grant does not give the issuer a role that says what is sealed")
            need(behind.kind != "key_grant" or entry is entries[0], "authority_broken", "a grant behind a link")
    first, last = entries[0], entries[-1]
    with at(places[-1]):
        need(last.kind == "genesis" and last.index == 0, "authority_broken", "the last one is no genesis at 0")
        need(last.statement.origin == checkpoint.origin, "genesis_other", "the genesis is of another log")
        need(genesis_id in (None, last.id), "genesis_other", "the genesis is not the one that was pinned")
    for entry, where in zip(entries, places):
        need(not entry.names_mldsa, "mldsa_unsupported", "it names an ML-DSA key, whose signature is not verified here",
             where)
    # An id is of a record, which is what is signed: a sealed entry has none, and its seal's is shown by that name.
    who = dict(issuer=first.issuer.hex(), genesis=last.id.hex())
    return (answer_of(sealed, checkpoint, seen, seal=first.index, id=None, seal_id=first.id.hex(), **who) if seal
            else answer_of(first, checkpoint, seen, id=first.id.hex(), **who))


def answer_of(entry, checkpoint, seen, **more):
    return {"index": entry.index, "tree_size": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(),
            "kind": entry.kind, **({"second_size": checkpoint.second.size} if checkpoint.second else {}), **more, "witnesses": seen}


def is_included(link, checkpoint):
    leaf = sha256(b"\0" + link.entry)
    return root_by_path(leaf, link.index, checkpoint.size, link.path) == checkpoint.root


def check_format(last, checkpoint):
    """Step 5: whether the genesis that is in the tree is in another format."""
    try:
        decode_entry(last.entry)
    except Refused as refused:
        if refused.code == "other_format" and last.index == 0 and is_included(last, checkpoint):
            raise


def open_link(link, checkpoint):
    """Step 6, but for the signatures."""
    need(is_included(link, checkpoint), "not_included", "it is not at its index in the checkpoint's tree")
    with reading("not_canonical"):                                      # also where no genesis belongs
        entry = decode_entry(link.entry)
    entry.index = link.index
    return entry


def check_under_seal(entry, seal, siblings):
    """That an entry is the seal of a sealed one, and the statement under its root, at the entry's place."""
    need(seal.kind == "seal", "seal_mismatch", "the entry that is to be the seal is none")
    count = seal.statement.count
    need(entry.ahead <= count, "seal_mismatch", "the entry is no part of the batch that was sealed")
    place = count - entry.ahead
    need(len(siblings) == path_length(place, count), "proof_incomplete",
         "the proof of the statement has not the number of hashes that its place needs")
    need(root_by_path(entry.statement_leaf, place, count, siblings) == seal.statement.root, "seal_mismatch",
         "the statement is not under the root of the seal")


def open_seal(entry, link, checkpoint):
    """The seal of a sealed entry, which the statement is under."""
    need(link.index == entry.index + entry.ahead, "seal_mismatch", "another entry than the sealed one names is to be its seal")
    seal = open_link(link, checkpoint)
    check_under_seal(entry, seal, link.siblings)
    return seal


def check_link(entry, checkpoint):
    """The signatures of step 6, and step 9."""
    need(not hasattr(entry, "ahead"), "authority_broken", "a sealed entry gives nobody authority")
    need(entry.kind != "state", "authority_broken", "a state entry gives nobody authority")
    check_signatures(entry, checkpoint.origin)
    s = entry.statement
    given_tasks = {"genesis": lambda: [*s.governors, s.log_key], "key_grant": lambda: [s.key],
                   "log_key": lambda: [s.key]}
    need(entry.signers.issuperset(given_tasks.get(entry.kind, list)()), "possession_unproven",
         "a key that gets a task did not sign")
    return entry


def check_authority(entry, behind):
    """Step 8, but for the place of a grant."""
    s = behind.statement
    if behind.kind == "key_grant":
        need(s.key == entry.issuer and entry.kind in MAY_SAY[s.role], "role_refused",
             "the grant does not give the issuer a role that says this")
    else:
        need(behind.kind in ("genesis", "governors"), "authority_broken", "the next link proves nothing")
        need(entry.kind in GOVERNORS_SAY and entry.issuer in s.governors, "role_refused",
             "governors don't say this, or the issuer is none of them")
        need(entry.statement.set == behind.index, "authority_broken", "it names another set of governors")
        need(sum(key in entry.signers for key in set(s.governors)) >= s.quorum, "quorum_short",
             f"fewer than {s.quorum} governors signed")


# ---- §16 The state, proven ---------------------------------------------------------------------------

NODE = table(hash=bytes32, a=u64, b=u64, n=u64)
EMPTY = SimpleNamespace(hash=bytes(32), a=0, b=0, n=0)


def bit_of(path, place):
    return path[place // 8] >> 7 - place % 8 & 1


def node_bytes(node_):
    return node_.hash + b"".join(number.to_bytes(8, "big") for number in (node_.a, node_.b, node_.n))


def leaf_node(domain, path, value, a, b):
    return SimpleNamespace(hash=sha256(bytes([0, domain]) + path + value), a=a, b=b, n=1)


def inner_node(left, right):
    sums = {name: getattr(left, name) + getattr(right, name) for name in "abn"}
    need(all(total < 2**64 for total in sums.values()), "state_differs", "a sum does not fit 64 bits")
    return SimpleNamespace(hash=sha256(b"\1" + node_bytes(left) + node_bytes(right)), **sums)


def trie_root(domain, leaves, depth=0):
    """§16.1: the node over leaves (path, value, a, b), at a depth."""
    if len(leaves) < 2:
        return leaf_node(domain, *leaves[0]) if leaves else EMPTY
    sides = [[leaf for leaf in leaves if bit_of(leaf[0], depth) == side] for side in (0, 1)]
    return inner_node(*(trie_root(domain, side, depth + 1) for side in sides))


def read_trie_proof(reader):
    """§16.3: siblings from the end up, and what stands there: its path, where it is another, and its leaf."""
    depth = u16(reader)
    need(depth <= MAX.trie_depth, "", "a proof is deeper than a path is long")
    bits = reader.take((depth + 7) // 8)
    need(not any(bit_of(bits, place) for place in range(depth, 8 * len(bits))), "", "a bit is set behind the last")
    siblings = [EMPTY if bit_of(bits, place) else NODE(reader) for place in range(depth)]
    need(all(sibling is EMPTY or sibling.n for sibling in siblings), "", "a sibling without leaves is not said to be empty")
    end = u8(reader)
    need(end < 3, "", "a proof ends in nothing, its leaf or another leaf")
    other = bytes32(reader) if end == 2 else None
    leaf = table(a=u64, b=u64, length=uint(1, high=MAX.leaf_value_bytes))(reader) if end else None
    if leaf:
        leaf.value = reader.take(leaf.length)
    return SimpleNamespace(siblings=siblings, end=end, other=other, leaf=leaf)


def root_of_proof(domain, path, proof):
    depth, leaf = len(proof.siblings), proof.leaf
    if proof.end == 2:
        shared = all(bit_of(path, place) == bit_of(proof.other, place) for place in range(depth))
        need(shared and path != proof.other, "state_differs", "the other leaf is not in the place of this one")
    node_ = leaf_node(domain, proof.other or path, leaf.value, leaf.a, leaf.b) if leaf else EMPTY
    need(not depth or node_.n + proof.siblings[0].n >= 2, "state_differs", "what stands at the end would stand higher")
    for place, sibling in zip(range(depth - 1, -1, -1), proof.siblings):
        node_ = inner_node(sibling, node_) if bit_of(path, place) else inner_node(node_, sibling)
    return node_


def verify_trie_proof(domain, path, data, root):
    """The leaf at a path of a trie with this root, or None."""
    with reading("proof_malformed"):
        proof = read_whole(read_trie_proof, data)
    need(node_bytes(root_of_proof(domain, path, proof)) == node_bytes(root), "state_differs", "it leads to another root")
    return proof.leaf if proof.end == 1 else None


def check_nothing_between(low, low_proof, high, high_proof):
    """§16.3, neighbours: by the proofs of two paths, which hold against one root, no leaf is between them."""
    need(low < high, "state_differs", "the paths of neighbours do not ascend")
    shared = next(place for place in range(256) if bit_of(low, place) != bit_of(high, place))
    for path, proof, side in ((low, low_proof, 0), (high, high_proof, 1)):
        for depth, sibling in zip(range(len(proof.siblings) - 1, -1, -1), proof.siblings):
            need(depth <= shared or bit_of(path, depth) != side or sibling is EMPTY, "state_differs",
                 "leaves are between the paths")
        need(proof.end != 2 or not low < proof.other < high, "state_differs", "a leaf is between the paths")


def verify_trie_neighbours(domain, low, high, root):
    """The leaves at two paths of a trie with this root, or None, when no leaf is between them. Each of the two is a path
    and its proof."""
    leaves = [verify_trie_proof(domain, path, data, root) for path, data in (low, high)]
    check_nothing_between(*(part for path, data in (low, high) for part in (path, read_whole(read_trie_proof, data))))
    return leaves


def state_root_of(domain, root, siblings):
    """§16.2, from one domain's root up."""
    found = sha256(bytes([2, domain]) + node_bytes(root))
    for step, sibling in enumerate(siblings):
        found = sha256(b"\3" + (sibling + found if domain >> step & 1 else found + sibling))
    return found


DOMAIN_NUMBER, FOUR_HASHES = uint(1, high=15), lambda reader: [reader.take(32) for _ in range(4)]


STATE_PROOF = table(domain=DOMAIN_NUMBER, a=u64, b=u64, n=u64, siblings=FOUR_HASHES, trie=read_trie_proof)
# No domain has this number, so that the first byte tells a proof of neighbours from one of a leaf.
NEIGHBOURS_TAG = 16
NEIGHBOURS_PROOF = table(tag=uint(1, NEIGHBOURS_TAG, NEIGHBOURS_TAG), domain=DOMAIN_NUMBER, a=u64, b=u64, n=u64,
                         siblings=FOUR_HASHES, low=read_trie_proof, high=read_trie_proof)


def verify_state_proof(domain, path, data, state_root):
    """§16.4: the leaf at a path of a domain under a state root, or None."""
    with reading("proof_malformed"):
        proof = read_whole(STATE_PROOF, data)
    need(proof.domain == domain, "state_differs", "the proof is of another domain")
    return check_state_proof(proof, path, state_root)


def check_state_proof(proof, path, state_root):
    """The same, of a proof that was read, in the domain that it is of."""
    check_domain_root(proof, root_of_proof(proof.domain, path, proof.trie), state_root)
    return proof.trie.leaf if proof.trie.end == 1 else None


def check_domain_root(proof, root, state_root):
    need((root.a, root.b, root.n) == (proof.a, proof.b, proof.n), "state_differs", "the sums are not those of the proof")
    need(state_root_of(proof.domain, root, proof.siblings) == state_root, "state_differs", "it leads to another state root")


def check_state_neighbours(proof, low, high, state_root):
    """§16.4: the leaf at a low path, or None; and that no leaf is behind it up to a high path, nor there."""
    root = root_of_proof(proof.domain, low, proof.low)
    need(node_bytes(root_of_proof(proof.domain, high, proof.high)) == node_bytes(root), "state_differs",
         "the two proofs lead to different roots")
    check_domain_root(proof, root, state_root)
    check_nothing_between(low, proof.low, high, proof.high)
    need(proof.high.end != 1, "state_differs", "a leaf is at the high path")
    return proof.low.leaf if proof.low.end == 1 else None


def verify_head_proof(domain, data, state_root):
    """§16.4: the root of a domain under a state root."""
    with reading("proof_malformed"):
        proof = read_whole(table(domain=DOMAIN_NUMBER, root=NODE, siblings=FOUR_HASHES), data)
    need(proof.domain == domain, "state_differs", "the proof is of another domain")
    need(state_root_of(domain, proof.root, proof.siblings) == state_root, "state_differs", "it leads to another state root")
    return proof.root


# ---- §16.5 Domains -----------------------------------------------------------------------------------

def bytes_of(value):
    return pack(">Q", len(value)) + value


def text_of(value):
    return bytes_of(value.encode())


def option_of(form, *values):
    return b"\0" if values[0] is None else b"\1" + pack(form, *values)


def items_of(items):
    items = list(items)
    return pack(">Q", len(items)) + b"".join(items)


def path_of(form, *numbers):
    return pack(form, *numbers).ljust(32, b"\0")


def digested(index, fields):
    return pack(">Q", index) + sha256(fields)


TASKS, ROLES = ("governor", "log"), ("platform", "planter", "surveyor", "auditor")
DUTIES = {"surveyor": 1, "planter or platform": 2, "auditor": 4}
DOMAINS = ("once", "keys", "holders", "methods", "species", "accounts", "plots", "plantings", "trees", "surveys",
           "claims", "reversed", "losses", "voided", "months", "evidence")


class Domains:
    """What a ledger's entries so far make: for each domain a method that gives a dict from path to (value, a, b)."""

    def __init__(self, ledger):
        self.ledger = ledger

    def leaves(self):
        return [getattr(self, name)() for name in DOMAINS]

    def roots(self):
        return [trie_root(domain, [(path, *leaf) for path, leaf in leaves.items()])
                for domain, leaves in enumerate(self.leaves())]

    def once(self):
        ledger = self.ledger
        if not ledger.entries:
            return {}
        governors = items_of(ledger.council) + pack(">BQ", ledger.quorum, ledger.council_at)
        log_keys = items_of(key + pack(">Q", index) for key, index in ledger.log_keys)
        values = [digested(0, text_of(ledger.origin) + ledger.genesis_id + text_of(ledger.programme)),
                  digested(ledger.council_at, governors), digested(ledger.log_keys[-1][1], log_keys)]
        if ledger.policy_at != NONE:
            values.append(digested(ledger.policy_at, b""))
        return {path_of(">B", place): (value, 0, 0) for place, value in enumerate(values)}

    def keys(self):
        return {sha256(key): (digested(known.given_at, self.key_fields(key, known)),
                              int(known.revoked_at is None), int(known.revoked_at is not None))
                for key, known in self.ledger.keys.items()}

    def key_fields(self, key, known):
        if known.holder is None:
            task = pack(">I", TASKS.index(known.task))
        else:
            task = (pack(">II", 2, ROLES.index(known.task)) + text_of(known.holder)
                    + pack(">I", self.ledger.holders[known.holder].number) + text_of(known.display_name))
        about = known.given_at if known.revoked_at is None else known.revoked_at
        newest = (known.next_seq - 1, known.last_id, known.last, known.last_day) if known.next_seq else (None,)
        return (key + task + pack(">Q", known.given_at) + known.given_by + option_of(">I", known.expires_on)
                + option_of(">Q", known.revoked_at) + option_of(">I", known.compromised_since)
                + pack(">Q", about) + option_of(">Q32sQI", *newest))

    def holders(self):
        held, names = self.ledger.holders, self.ledger.holder_names
        leaves = {sha256(b"\0" + slug.encode()): (b"\0" + pack(">IB", holder.number, DUTIES[holder.duty]), 1, 0)
                  for slug, holder in held.items()}
        return leaves | {sha256(b"\1" + name.encode()): (b"\1" + pack(">I", held[slug].number), 0, 1)
                         for name, slug in names.items()}

    def methods(self):
        return {path_of(">II", s.id, s.version): (digested(index, fields + pack(">Q", index)), 0, 0)
                for versions in self.ledger.methods.values() for s, index, fields in versions}

    def species(self):
        return {path_of(">H", code): (text_of(name), 0, 0) for code, name in self.ledger.species.items()}

    def accounts(self):
        ledger, leaves = self.ledger, {}
        for account, held in ledger.accounts.items():
            path = sha256(b"arborlog account" + ledger.genesis_id + account)
            value = pack(">qQI", held.balance, held.last, ledger.holders[held.holder].number)
            leaves[path] = value, max(0, held.balance), max(0, -held.balance)
        return leaves

    def plots(self):
        return {path_of(">I", number): (digested(plot.stated_at, self.plot_fields(plot)), plot.standing, plot.assigned)
                for number, plot in self.ledger.plots.items()}

    def plot_fields(self, plot):
        planted = sum(planting.count for planting in plot.plantings if not planting.voided)
        return (plot.fields + text_of(plot.holder) + pack(">QQ", plot.stated_at, plot.last)
                + pack(">QQQ", planted, planted - plot.standing, plot.assigned)
                + option_of(">I", plot.next_serial if plot.next_serial < 2**32 else None))

    def plantings(self):
        leaves = {}
        for index, planting in self.ledger.plantings.items():
            standing, lost = (0, 0) if planting.voided else (planting.count - planting.lost, planting.lost)
            path = path_of(">II", planting.plot.statement.number, planting.first)
            leaves[path] = digested(index, self.planting_fields(index, planting, lost)), standing, lost
        return leaves

    def planting_fields(self, index, planting, lost):
        ranges = [] if planting.voided else [(*span, loss) for loss, span in planting.lost_ranges.items()]
        return (pack(">QHII", index, planting.species, planting.first, planting.last)
                + pack(">IIBI", planting.planted_from, planting.planted_until, planting.voided, lost)
                + items_of(pack(">IIQ", *one) for one in ranges) + pack(">I", len(planting.tied)))

    def trees(self):
        return {path_of(">II", planting.plot.statement.number, serial): (pack(">QQ", claim, assignment), 0, 0)
                for planting in self.ledger.plantings.values() for serial, (claim, assignment) in planting.tied.items()}

    def surveys(self):
        return {path_of(">IIQ", s.plot, s.surveyed_on, index):
                (digested(index, pack(">Q", index) + fields + text_of(holder)), 0, 0)
                for index, (s, fields, holder) in self.ledger.surveys.items()}

    def claims(self):
        leaves = {}
        for index, claim in self.ledger.claims.items():
            waits, where = not claim.voided and claim.tree is None, pack(">I", 2 if claim.voided else 0)
            if claim.tree:
                planting, serial = claim.tree
                where = pack(">III", 1, planting.plot.statement.number, serial)
            value = claim.account + pack(">HQ", claim.species, claim.points) + where
            leaves[path_of(">Q", index)] = value, 0 if claim.voided else claim.points, int(waits)
        return leaves

    def reversed(self):
        return {path_of(">Q", award): (pack(">Q", points), points, 0) for award, points in self.ledger.reversed.items()}

    def losses(self):
        return {path_of(">Q", index): (digested(index, self.loss_fields(index, planting, count, taken)), count, 0)
                for index, (planting, count, taken) in self.ledger.losses.items()
                if index not in self.ledger.voided and not planting.voided}

    def loss_fields(self, index, planting, count, taken):
        by_serial = index in planting.lost_ranges
        return (pack(">QIIIB", index, planting.plot.statement.number, planting.first, count, by_serial)
                + items_of(pack(">IQQ", *one) for one in sorted(taken)))

    def voided(self):
        return {path_of(">Q", index): (pack(">Q", void), 0, 0) for index, void in self.ledger.voided.items()}

    def months(self):
        return {path_of(">I", month): (pack(">QQ", points, planted), points, planted)
                for month, (points, planted) in self.ledger.months.items()}

    def evidence(self):
        return {digest: (pack(">Q", index), 0, 0) for digest, index in self.ledger.evidence.items()}


def state_root_after(ledger):
    """§16.2: the root of the state that the entries so far make."""
    hashes = [sha256(bytes([2, domain]) + node_bytes(root)) for domain, root in enumerate(Domains(ledger).roots())]
    while len(hashes) > 1:
        hashes = [sha256(b"\3" + left + right) for left, right in zip(hashes[::2], hashes[1::2])]
    return hashes[0]


# ---- §13 Items of the state in a receipt -------------------------------------------------------------

def boolean(reader):
    return bool(uint(1, high=1)(reader))


def both(*readers):
    """The fields of several tables, one behind the other."""
    return lambda reader: SimpleNamespace(**{name: value for read in readers for name, value in vars(read(reader)).items()})


def holder_or_name(reader):
    is_name, number = boolean(reader), u32(reader)
    return SimpleNamespace(is_name=is_name, number=number, duties=None if is_name else uint(1, 1, 7)(reader))


HOLDER = text(64, SLUG)
ONCE_FIELDS = (
    table(origin=text(200, ORIGIN), genesis=bytes32, programme=text(500)),
    table(**GOVERNORS, stated_at=u64),
    table(log_keys=list_of(table(key=bytes32, named_at=u64), 1, 2**32)),
    table())
GRANTED_TASK = table(role=word("platform", "planter", "surveyor", "auditor"), holder=HOLDER, number=u32, display_name=text(100))
ITEM_FIELDS = {
    "keys": table(key=bytes32, task=variant(governor=table(), log=table(), granted=GRANTED_TASK), given_at=u64,
                  given_by=bytes32, expires_on=option(day), revoked_at=option(u64), compromised_since=option(day),
                  last=u64, newest=option(table(seq=u64, id=bytes32, entry=u64, issued_on=day))),
    "holders": holder_or_name,
    "methods": both(STATEMENT_FIELDS["method"], table(stated_at=u64)),
    "species": table(name=text(100)),
    "accounts": table(balance=i64, last=u64, holder=u32),
    "plots": both(STATEMENT_FIELDS["plot"], table(holder=HOLDER, stated_at=u64, last=u64, planted=u64, lost=u64,
                                                   assigned=u64, next_serial=option(u32))),
    "plantings": table(entry=u64, species=u16, first=u32, last=u32, planted_from=day, planted_until=day, voided=boolean,
                       lost=u32, lost_ranges=list_of(table(first=u32, last=u32, loss=u64), 0, 2**32), assigned=u32),
    "trees": table(claim=u64, assignment=u64),
    "surveys": both(table(entry=u64), STATEMENT_FIELDS["survey"], table(holder=HOLDER)),
    "claims": table(account=bytes32, species=u16, points=u64,
                    tree=variant(waits=table(), tied=table(plot=u32, serial=u32), voided=table())),
    "reversed": table(points=u64),
    "losses": table(entry=u64, plot=u32, planting=u32, count=u32, by_serial=boolean,
                    taken=list_of(table(serial=u32, claim=u64, assignment=u64), 0, 2**32)),
    "voided": table(by=u64),
    "months": table(awarded=u64, planted=u64),
    "evidence": table(entry=u64),
}
DIGESTED = ("once", "keys", "methods", "plots", "plantings", "surveys", "losses")
ITEM_BYTES_MAX = MAX.item_fields_bytes
# Where a path is no hash: the number of its bytes that are the key.
KEY_WIDTHS = dict(once=1, methods=8, species=2, plots=4, plantings=8, trees=8, surveys=16, claims=8, reversed=8, losses=8,
                  voided=8, months=4, evidence=32)


def place_of_key(name, key):
    """The path of the item with this key; None if it is no key of the domain."""
    if name == "accounts":
        return sha256(b"arborlog account" + key) if len(key) == 64 else None
    if name == "keys":
        return sha256(key) if len(key) == 32 else None
    if name == "holders":
        # Whoever made the receipt may have written anything here, and it is shown.
        read = {b"\0": HOLDER, b"\1": text(100)}.get(key[:1])
        with contextlib.suppress(Refused):
            return sha256(key) if read and read_whole(read, bytes_of(key[1:])) is not None else None
        return None
    return key.ljust(32, b"\0") if len(key) == KEY_WIDTHS[name] else None


def sums_of(name, f):
    """A leaf's a and b, by its fields."""
    sums = {
        "keys": lambda: (f.revoked_at is None, f.revoked_at is not None),
        "holders": lambda: (not f.is_name, f.is_name),
        "accounts": lambda: (max(0, f.balance), max(0, -f.balance)),
        "plots": lambda: (f.planted - f.lost, f.assigned),
        "plantings": lambda: (0, 0) if f.voided else (f.last - f.first + 1 - f.lost, f.lost),
        "claims": lambda: (0 if f.tree[0] == "voided" else f.points, f.tree[0] == "waits"),
        "reversed": lambda: (f.points, 0), "losses": lambda: (f.count, 0), "months": lambda: (f.awarded, f.planted)}
    return tuple(map(int, sums.get(name, lambda: (0, 0))()))


def began_at(name, key, f, said):
    """The entry that a digested item began with; that of a policy is only in the leaf."""
    once = {0: lambda: 0, 1: lambda: f.stated_at, 2: lambda: f.log_keys[-1].named_at, 3: lambda: said}
    begin = {"once": lambda: once[key[0]](), "keys": lambda: f.given_at, "methods": lambda: f.stated_at,
             "plots": lambda: f.stated_at, "plantings": lambda: f.entry, "surveys": lambda: f.entry, "losses": lambda: f.entry}
    return begin[name]()


def has_key(name, key, f):
    """Whether fields can be of the item with this key."""
    keys = {
        "keys": lambda: key == f.key, "holders": lambda: key[0] == f.is_name,
        "methods": lambda: key == pack(">II", f.id, f.version), "plots": lambda: key == pack(">I", f.number),
        "plantings": lambda: key[4:] == pack(">I", f.first) and f.first <= f.last
        and not (f.voided and (f.lost or f.lost_ranges)),
        "surveys": lambda: key == pack(">IIQ", f.plot, f.surveyed_on, f.entry), "losses": lambda: key == pack(">Q", f.entry),
        "voided": lambda: key < pack(">Q", f.by)}
    return keys.get(name, lambda: True)()


def read_item(name, key, leaf, fields):
    """What the leaf at a key's place says; refused unless these are its fields."""
    differ = "its fields are not those of the leaf, or of another item"
    need((name in DIGESTED) == (fields is not None), "state_item_wrong", differ)
    data = leaf.value if fields is None else fields
    need(len(data) <= ITEM_BYTES_MAX and (name != "once" or key[0] < len(ONCE_FIELDS)), "state_item_wrong", differ)
    with reading("state_item_wrong"):
        f = read_whole(ONCE_FIELDS[key[0]] if name == "once" else ITEM_FIELDS[name], data)
    if fields is not None:
        said = int.from_bytes(leaf.value[:8], "big")
        need(leaf.value == digested(began_at(name, key, f, said), fields), "state_item_wrong", differ)
    need((leaf.a, leaf.b) == sums_of(name, f) and has_key(name, key, f), "state_item_wrong", differ)
    return f


def read_item_proof(item):
    """The proof beside an item, its domain's name, and the paths of the item's key, or of the two of neighbours."""
    of_neighbours = item.proof[:1] == bytes([NEIGHBOURS_TAG])
    proof = read_whole(NEIGHBOURS_PROOF if of_neighbours else STATE_PROOF, item.proof)
    name, width = DOMAINS[proof.domain], KEY_WIDTHS.get(DOMAINS[proof.domain])
    if not of_neighbours:
        keys = [item.key]
    else:
        # Paths that are hashes have no order that means anything.
        need(width and len(item.key) == 2 * width, "", "its key is not two keys of a domain that has an order")
        keys = [item.key[:width], item.key[width:]]
        need(keys[0] < keys[1], "", "its keys do not ascend")
    paths = [place_of_key(name, key) for key in keys]
    need(None not in paths, "", "its key is none of its domain")
    return proof, name, keys, paths


def open_item(item, state, genesis_id):
    """An item of the state that a state entry speaks of, or that there is none: its domain, its key, what it says (`f`), and
    of neighbours the key up to which nothing is."""
    with reading("state_item_malformed"):
        proof, name, keys, paths = read_item_proof(item)
    with reading("state_item_wrong"):
        if len(paths) == 1:
            leaf = check_state_proof(proof, paths[0], state.state_root)
        else:
            leaf = check_state_neighbours(proof, *paths, state.state_root)
        need(leaf or item.fields is None, "", "it has fields, and nothing is there")
    f = read_item(name, keys[0], leaf, item.fields) if leaf else None
    need(name != "accounts" or genesis_id in (None, item.key[:32]), "genesis_other",
         "the account is of a ledger with another genesis than the one that was pinned")
    return SimpleNamespace(name=name, key=keys[0], up_to=keys[1] if len(keys) == 2 else None, leaf=leaf, f=f, fields=item.fields)


def verify_item(item, state, genesis_id):
    return describe_item(open_item(item, state, genesis_id))


def describe_item(item):
    """What an item says, in a sentence and for programs."""
    name, leaf, key = item.name, item.leaf, shown_key(item.name, item.key)
    says = say_item(name, key, item.f, item.fields) if leaf else f"{name}: there is no {key}"
    more = {}
    if item.up_to:
        says += f"; and none behind it, to {shown_key(name, item.up_to)}"
        more = {"nothing_up_to": item.up_to.hex()}
    leaf = leaf and {"value": leaf.value.hex(), "a": str(leaf.a), "b": str(leaf.b)}
    return {"domain": name, "key": item.key.hex(), **more, "leaf": leaf, "says": says}


def shown_key(name, key):
    """A key as people write it."""
    if name == "holders":
        return key[1:].decode()
    if name in ("accounts", "keys", "evidence"):
        return key[-32:].hex()
    if name in ("methods", "plantings", "trees", "surveys"):
        return "/".join(str(int.from_bytes(part, "big")) for part in (key[:4], key[4:8], key[8:]) if part)
    return str(int.from_bytes(key, "big"))


def say_item(name, key, f, fields):
    """What stands, in a sentence."""
    tasks = {"governor": lambda task: "a governor's key", "log": lambda task: "a key of the log",
             "granted": lambda task: f"{task.holder}'s key as {task.role}"}
    trees = {"waits": lambda tree: "waits for a tree", "tied": lambda tree: f"has tree {tree.plot}/{tree.serial}",
             "voided": lambda tree: "was voided"}
    sentences = {
        "once": lambda: f"once {key}: {fields.hex()}",
        "keys": lambda: f"key {key} is {tasks[f.task[0]](f.task[1])}, by entry {f.given_at}; "
                        + ("it is not revoked" if f.revoked_at is None else f"entry {f.revoked_at} revoked it"),
        "holders": lambda: f"the name {key} is holder number {f.number}'s" if f.is_name else f"holder {key} is number {f.number}",
        "methods": lambda: f"method {key} was stated by entry {f.stated_at}, in effect from "
                           f"{datetime.date(1970, 1, 1) + datetime.timedelta(f.effective_from)}",
        "species": lambda: f"species {key} is {f.name}",
        "accounts": lambda: f"account {key} has {f.balance} points; the last entry about it is {f.last}",
        "plots": lambda: f"plot {key}: {f.planted - f.lost} trees stand, {f.lost} are lost, {f.assigned} have a claim; "
                         f"the last entry about it is {f.last}",
        "plantings": lambda: f"the planting of entry {f.entry}: serials {f.first} to {f.last}, {f.lost} of them lost"
                             + ("; voided" if f.voided else ""),
        "trees": lambda: f"tree {key} has one claim: that of entry {f.claim}, by the assignment of entry {f.assignment}",
        "surveys": lambda: f"the survey of entry {f.entry} counts",
        "claims": lambda: f"the claim of entry {key} for {f.points} points {trees[f.tree[0]](f.tree[1])}",
        "reversed": lambda: f"{f.points} points of the award at entry {key} were taken back",
        "losses": lambda: f"the loss of entry {key} counts: {f.count} trees of plot {f.plot}",
        "voided": lambda: f"entry {key} was voided by entry {f.by}",
        "months": lambda: f"month {key}: {f.awarded} points awarded, {f.planted} trees planted",
        "evidence": lambda: f"evidence {key} was first used by entry {f.entry}"}
    return sentences[name]()


# ---- §13.4 Files about the state ---------------------------------------------------------------------

def verify_state_receipt(chain, checkpoint, seen, genesis_id):
    """The receipt of a state entry, which is the log's own word, of no issuer."""
    first = chain[0]
    with at("entry"):
        need(first.index < checkpoint.size and len(first.path) == path_length(first.index, checkpoint.size),
             "proof_incomplete", f"the proof of entry {first.index} has not the number of hashes that it needs")
        indexes = [one.index for one in first.shown]
        need(not indexes or indexes[-1] < checkpoint.size and len(first.hashes) == joint_length(indexes, 0, checkpoint.size),
             "proof_incomplete", "there are not as many hashes as the shown entries need")
        check_second(checkpoint)
        need(is_included(first, checkpoint), "not_included", "it is not at its index in the checkpoint's tree")
        with reading("entry_wrong"):
            state = decode_entry(first.entry)
        need(state.rules_version == RULES_VERSION, "rules_version_unsupported",
             f"the state is by version {state.rules_version} of the rules, this verifier knows {RULES_VERSION}")
        state.index = first.index
        need(len(chain) == 1, "authority_broken", "a state entry rests on nobody's authority")
        need(may_stand_at(state, first.index), "entry_wrong",
             "no state entry at its index can speak of that size, or name that one before")
        entries = open_shown(first.shown, first.hashes, checkpoint)
    items = []
    for place, item in enumerate(first.items):
        with at(f"item {place}"):
            items.append(open_item(item, state, genesis_id))
    with at("file"):
        file = StateFile(items, entries, state).read(checkpoint.origin, genesis_id) if entries else None
    return answer_of(state, checkpoint, seen, size=state.size, state_root=state.state_root.hex(), issuer=None, id=None,
                     genesis=file and file["genesis"], items=[describe_item(item) for item in items],
                     entries=[str(index) for index in entries], file=file,
                     missing=file.pop("missing", []) if file else lacks_of_certificate(items))


def lacks_of_certificate(items):
    """What a certificate's file has and items without entries lack, if they begin as one does (§13.4): with the claim's. In
    the words of `arborlog verify`."""
    first = next(iter(items), None)
    if not (first and first.name == "claims" and first.leaf):
        return []
    has = {item.name for item in items}
    parts = [("the claim as it was stated", False)]
    if first.f.tree[0] == "voided":
        parts += [("by which entry it was voided", "voided" in has), ("why it was voided", False)]
    if first.f.tree[0] == "tied":
        parts += [("that no other certificate has its tree", "trees" in has), ("the tree's planting", "plantings" in has),
                  ("the plot", "plots" in has), ("the plot's latest survey", "surveys" in has),
                  ("that assignment, planting, plot and survey were stated so, and that nothing corrected them", False)]
    parts.append(("whether the issuers' keys are revoked", "keys" in has))
    return [part for part, is_there in parts if not is_there]


def half_of(start, end):
    """Where the largest whole tree at the beginning of a range of leaves ends."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def joint_length(indexes, start, end):
    """How many hashes prove the leaves at ascending indexes, together."""
    if not indexes or end - start == 1:
        return int(not indexes)
    half = half_of(start, end)
    cut = bisect.bisect_left(indexes, half)
    return joint_length(indexes[:cut], start, half) + joint_length(indexes[cut:], half, end)


def joint_root(leaves, hashes, start, end):
    """The root over a range, from its known leaves (index, hash) and the hashes of what has none of them."""
    if not leaves:
        return next(hashes)
    if end - start == 1:
        return leaves[0][1]
    half = half_of(start, end)
    cut = bisect.bisect_left(leaves, half, key=lambda leaf: leaf[0])
    left = joint_root(leaves[:cut], hashes, start, half)
    return node(left, joint_root(leaves[cut:], hashes, half, end))


def open_shown(shown, hashes, checkpoint):
    """The entries that are shown, by their indexes: steps 2 and 3. There are as many hashes as they need."""
    if not shown:
        return {}
    leaves = [(one.index, sha256(b"\0" + one.entry)) for one in shown]
    need(joint_root(leaves, iter(hashes), 0, checkpoint.size) == checkpoint.root, "not_included",
         "the shown entries are not at their indexes in the checkpoint's tree")
    entries = {}
    for one in shown:
        with at(f"entry {one.index}"), reading("entry_wrong"):
            entries[one.index] = decode_entry(one.entry)
            entries[one.index].index = one.index
    for one in shown:
        with at(f"entry {one.index}"):
            entry = entries[one.index]
            need(entry.kind != "state", "state_file_unfit", "a state entry is shown")
            if hasattr(entry, "ahead"):
                open_shown_sealed(entry, one.siblings, entries)
            else:
                with reading("entry_wrong"):
                    check_signatures(entry, checkpoint.origin)
    for entry in entries.values():
        if hasattr(entry, "ahead"):
            join(entry, entries[entry.seal])
    return entries


def open_shown_sealed(entry, siblings, entries):
    entry.seal = entry.index + entry.ahead
    seal = entries.get(entry.seal)
    need(seal, "state_file_unfit", "its seal is not shown")
    check_under_seal(entry, seal, siblings)


CORRECTED_BY = dict(award="reversed", transfer="voided", claim="voided", survey="voided", assignment="voided",
                    attestation="voided", planting="voided")


def agrees(condition, what):
    need(condition, "state_file_wrong", what)


def has_just(condition, what):
    need(condition, "state_file_unfit", what)


def remedy_of(entry):
    """What a correction does, or None."""
    return entry.statement.remedy[0] if entry.kind == "correction" else None


def places_behind(entry, count):
    """lineage[2] and those behind it, of which there must be just so many; else None. A sealed correction has as many as any
    correction can have, and what it does not use is none."""
    sealed = hasattr(entry, "ahead")
    places = entry.places if sealed else entry.lineage[2:]
    if len(places) < count or any(place != NONE or not sealed for place in places[count:]):
        return None
    return places[:count]


def account_step(account, entry, target):
    """What an entry about an account adds to it, and the entry about it before; None if it is about something else."""
    s, remedy = entry.statement, remedy_of(entry)
    t = target.statement if target else None

    def step(change, count, place, before=()):
        places = places_behind(entry, count)
        return places and list(before) == places[:len(before)] and (change, places[place])

    if entry.kind in ("award", "claim") and s.account == account:
        return step(s.points if entry.kind == "award" else -s.points, 1, 0) or None
    if entry.kind == "transfer" and account in (s.sender, s.to):
        return (step(-s.points, 2, 0) if s.sender == account else step(s.points, 2, 1)) or None
    if remedy == "reverse" and target.kind == "award" and t.account == account:
        return step(-s.remedy[1].points, 2, 1, [s.target]) or None
    if remedy == "void" and target.kind == "claim" and t.account == account:
        return step(t.points, 2, 1, [s.target]) or None
    if remedy == "void" and target.kind == "transfer" and account in (t.sender, t.to):
        return (step(t.points, 3, 1, [s.target]) if t.sender == account else step(-t.points, 3, 2, [s.target])) or None
    return None


def plot_step(number, entry, target, lost_of):
    """The entry about a plot before one about it, in a list; None if it is about something else. `lost_of` is what a loss
    names, if the entry voids one."""
    s, remedy = entry.statement, remedy_of(entry)
    if entry.kind == "plot" and s.number == number or entry.kind in ("planting", "survey", "assignment") and s.plot == number:
        return places_behind(entry, 1)
    on = lost_of or target
    kinds = {"lost": ("planting",), "void": ("planting",) if lost_of else ("planting", "survey", "assignment")}.get(remedy, ())
    if on and on.kind in kinds and on.statement.plot == number:
        places = places_behind(entry, 2)
        return places[1:] if places and places[0] == s.target else None
    return None


class StateFile:
    """The items and entries of a file as they are gone through: each rule takes the next item, and names what it needs."""

    def __init__(self, items, entries, state):
        self.items, self.entries, self.state = iter(items), entries, state
        self.first, self.named, self.sentences = next(self.items, None), set(), []

    def say(self, sentence):
        self.sentences.append(sentence)

    def item(self, name, key):
        """The next item, which must be this one."""
        item = next(self.items, None)
        has_just(item and item.up_to is None and (item.name, item.key) == (name, key),
             f"item {shown_key(name, key)} of the domain {name} is missing in its place")
        return item

    def leaf(self, name, key):
        item = self.item(name, key)
        agrees(item.leaf, f"nothing is at {shown_key(name, key)} of the domain {name}, which another item or entry speaks of")
        return item

    def shown(self, index):
        has_just(index in self.entries, f"entry {index} is not shown")
        self.named.add(index)
        return self.entries[index]

    def read(self, origin, genesis_id):
        first = self.first
        has_just(first and first.up_to is None, "it shows entries, and its first item tells nothing that they are about")
        about = {"claims": self.certificate, "accounts": self.account, "plots": self.plot}.get(first.name)
        has_just(about or first.name in ("reversed", "voided", "losses"), f"no file is about an item of the domain {first.name}")
        programme = self.leaf("once", b"\0").f
        need(programme.origin == origin, "genesis_other", "the programme is of another log")
        need(genesis_id in (None, programme.genesis), "genesis_other", "the genesis is not the one that was pinned")
        need(first.name != "accounts" or first.key[:32] == programme.genesis, "genesis_other",
             "the account is of a ledger with another genesis")
        if about:
            has_just(first.leaf, f"there is no {shown_key(first.name, first.key)} in the domain {first.name}")
        more = (about or self.corrected)()
        seals = {entry.seal for index, entry in self.entries.items() if index in self.named and hasattr(entry, "ahead")}
        has_just(self.entries.keys() == self.named | seals, "entries are shown that nothing in it names")
        self.say(f"the programme is {quoted(programme.programme)}")
        self.issuers()
        subject = {"claims": "certificate", "accounts": "account_history", "plots": "plot_history"}.get(first.name, "corrections")
        return {"about": subject, "of": shown_key(first.name, first.key), "genesis": programme.genesis.hex(), **more,
                "sentences": self.sentences}

    def issuers(self):
        """An item for each key that issued one of the entries, and none is left over."""
        issued = {}
        for entry in self.entries.values():
            issued.setdefault(entry.issuer, []).append(entry)
        items = [self.item("keys", key) for key in sorted(issued)]
        has_just(next(self.items, None) is None, "an item is left over")
        for item in items:
            entries = issued[item.key]
            agrees(item.leaf, f"the key {item.key.hex()} has no task in the ledger")
            task, said = item.f.task
            may_say = {"governor": ("correction",), "log": ()}.get(task) if task != "granted" else MAY_SAY[said.role]
            for entry in entries:
                agrees(entry.kind in may_say, f"the key {item.key.hex()} may not say the {entry.kind} of entry {entry.index}")
            self.say(say_issuer(item.f, [str(entry.index) for entry in entries if entry.kind != "seal"]))

    # ---- certificates

    def certificate(self):
        number, claim = int.from_bytes(self.first.key, "big"), self.first.f
        species = self.leaf("species", pack(">H", claim.species)).f
        entry = self.shown(number)
        s = entry.statement
        agrees(entry.kind == "claim" and (s.account, s.species, s.points) == (claim.account, claim.species, claim.points),
             "the certificate's entry is no claim, or says otherwise than the state")
        self.say(f"certificate {number} is account {claim.account.hex()}'s, claimed on {date_of(entry.issued_on)} for "
                 f"{claim.points} points: a tree of {species.name}")
        standing, tree = claim.tree
        if standing == "waits":
            self.say(f"certificate {number} waits for its tree")
        elif standing == "voided":
            self.voided_claim(number)
        else:
            self.tree(number, claim, tree)
        return {"index": str(number)}

    def voided_claim(self, number):
        by = self.leaf("voided", pack(">Q", number)).f.by
        entry = self.shown(by)
        agrees(remedy_of(entry) == "void" and entry.statement.target == number, "the entry that is to void the claim does not")
        self.say(f"certificate {number} was voided by entry {by}: {quoted(entry.statement.reason)}")

    def tree(self, number, claim, at_tree):
        plot, serial = at_tree.plot, at_tree.serial
        plot_key = pack(">I", plot)
        tree = self.leaf("trees", plot_key + pack(">I", serial)).f
        agrees(tree.claim == number, "the tree is another certificate's")
        planting = self.planting_of(plot_key, serial)
        agrees(not planting.voided and planting.species == claim.species, "the planting was voided, or is of another species")
        plot_item = self.leaf("plots", plot_key)
        survey_item = self.latest_survey(plot_key)

        assignment = self.shown(tree.assignment)
        s = assignment.statement
        agrees(assignment.kind == "assignment" and s.plot == plot and s.first_serial <= serial < s.first_serial + len(s.claims)
             and s.claims[serial - s.first_serial] == number, "the assignment does not tie certificate and tree")
        entry = self.shown(planting.entry)
        s = entry.statement
        agrees(entry.kind == "planting"
             and (s.plot, s.species, s.first_serial, s.count, s.planted_from, s.planted_until)
             == (plot, planting.species, planting.first, planting.last - planting.first + 1, planting.planted_from,
                 planting.planted_until), "the planting's entry says otherwise than the state")
        entry = self.shown(plot_item.f.stated_at)
        agrees(entry.kind == "plot" and plot_item.fields.startswith(entry.fields), "the plot's entry says otherwise than the state")
        if survey_item.leaf:
            index = int.from_bytes(survey_item.key[8:], "big")
            entry = self.shown(index)
            agrees(entry.kind == "survey" and survey_item.fields[8:].startswith(entry.fields)
                 and pack(">IIQ", entry.statement.plot, entry.statement.surveyed_on, survey_item.f.entry) == survey_item.key,
                 "the survey's entry says otherwise than the state")
        self.say_tree(number, at_tree, tree, planting, plot_item.f, survey_item.f)

    def planting_of(self, plot_key, serial):
        item = next(self.items, None)
        has_just(item and item.name == "plantings" and item.up_to is None and item.leaf and item.key[:4] == plot_key
             and item.f.first <= serial <= item.f.last, "the tree's planting is missing in its place")
        return item.f

    def latest_survey(self, plot_key):
        item = next(self.items, None)
        has_just(item and item.name == "surveys" and item.up_to == plot_key + b"\xff" * 12 and item.key[:4] == plot_key
             and (item.leaf or item.key[4:] == bytes(12)), "the plot's latest survey is missing in its place")
        return item

    def say_tree(self, number, at_tree, tree, planting, plot, survey):
        first, last = date_of(planting.planted_from), date_of(planting.planted_until)
        when = f"on {first}" if first == last else f"between {first} and {last}"
        self.say(f"its tree is {at_tree.plot}/{at_tree.serial}, by the assignment of entry {tree.assignment}; no other "
                 f"certificate than {number} has that tree")
        self.say(f"the tree was planted {when}, by entry {planting.entry}, with {planting.last - planting.first} others"
                 + say_lost(planting))
        self.say(f"plot {at_tree.plot} is {quoted(plot.name)} in {plot.country}, held by {plot.holder}: {say_books(plot)}")
        if survey is None:
            return self.say(f"plot {at_tree.plot} has no survey that counts")
        looked_at = {None: "", planting.entry: ", of this planting alone"}.get(
            survey.planting, f", of the planting of entry {survey.planting} alone")
        self.say(f"the latest survey of plot {at_tree.plot} is of {date_of(survey.surveyed_on)}, by {survey.holder}, entry "
                 f"{survey.entry}: {survey.alive} alive, {survey.dead} dead, {survey.not_found} not found{looked_at}")

    # ---- histories

    def target_of(self, entry):
        target = self.shown(entry.statement.target)
        agrees(target.index < entry.index, "a correction names an entry behind it")
        return target

    def walk(self, last, step):
        """Follows a history from its newest shown entry back. `step` gives the entry before one, in a list, or None if the
        entry is about something else."""
        top = max((index for index, entry in self.entries.items() if entry.kind != "seal"), default=NONE)
        has_just(top <= last and self.entries, "no entry that is shown can be of the history")
        index, entries = top, []
        while True:
            entry = self.shown(index)
            target = self.target_of(entry) if entry.kind == "correction" else None
            found = step(entry, target)
            if found is None:
                about_other = f"entry {index} is about something else"
                has_just(index != top or top == last, about_other)
                agrees(False, about_other)
            entries.append(entry)
            before = found[0]
            if before == NONE:
                return entries, None
            agrees(before < index, "an entry names one behind it as the one before")
            if before not in self.entries:
                return entries, before
            index = before

    def say_span(self, of, entries, last, older):
        newest, oldest, count = entries[0].index, entries[-1].index, len(entries)
        if newest == last and older is None:
            self.say(f"this is {of}'s complete history: {count} entries, from {oldest} to {newest}")
        else:
            self.say(f"this is a part of {of}'s history, not all of it: {count} entries, from {oldest} to {newest}, and none is "
                     "left out between")
        if newest != last:
            self.say(f"newer entries, up to {last}, are not in this file")
        if older is not None:
            self.say(f"it is complete back to entry {oldest}; older entries are not in this file: the next one begins with "
                     f"entry {older}")
        missing = [f"the entries of the history above {newest}, up to {last}"] if newest != last else []
        missing += [f"the entries of the history from {older} back"] if older is not None else []
        return {"complete": not missing, "begin": str(newest), "next": None if older is None else str(older), "missing": missing}

    def account(self):
        account, f, changes = self.first.key[32:], self.first.f, []

        def step(entry, target):
            found = account_step(account, entry, target)
            if found:
                changes.append(found[0])
            return found and found[1:]

        entries, older = self.walk(f.last, step)
        self.say(f"account {account.hex()} has {f.balance} points")
        more = self.say_span("the account", entries, f.last, older)
        if more["complete"]:
            agrees(sum(changes) == f.balance, "the account's entries do not add up to its balance")
            self.say("its entries add up to that balance")
        for entry, change in zip(entries, changes):
            self.say(f"entry {entry.index}, {entry.kind}: {change:+} points")
        return more

    def plot(self):
        f = self.first.f

        def step(entry, target):
            voids_loss = remedy_of(entry) == "void" and remedy_of(target) == "lost"
            return plot_step(f.number, entry, target, self.target_of(target) if voids_loss else None)

        entries, older = self.walk(f.last, step)
        self.say(f"plot {f.number} is {quoted(f.name)}, held by {f.holder}: {say_books(f)}")
        more = self.say_span("the plot", entries, f.last, older)
        for entry in entries:
            self.say(f"entry {entry.index}, {entry.kind}")
        return more

    # ---- what corrected an entry

    def corrected(self):
        index, first = int.from_bytes(self.first.key, "big"), self.first
        entry = self.shown(index)
        kind, s = entry.kind, entry.statement
        has_just(index < self.state.size, "the state is older than the entry")
        domain = "losses" if remedy_of(entry) == "lost" else CORRECTED_BY.get(kind)
        has_just(domain == first.name, "another item tells what corrected the entry, or none does")
        if kind == "award":
            taken = first.f.points if first.leaf else 0
            self.say(f"{taken} points of the award of entry {index} were taken back" if taken
                     else f"nothing was taken back of the award of entry {index}")
        elif kind == "planting":
            planting = self.leaf("plantings", pack(">II", s.plot, s.first_serial)).f
            agrees(planting.entry == index, "the planting is another entry's")
            agrees(planting.voided == (first.leaf is not None), "the planting is voided in one item and not in the other")
            self.say(say_voided(kind, index, first) + say_lost(planting))
        elif kind == "correction":
            voided = self.item("voided", first.key)
            agrees(not (first.leaf and voided.leaf), "the loss counts in one item and was voided in the other")
            self.say(f"the loss of entry {index} counts: {first.f.count} trees of plot {first.f.plot}" if first.leaf
                     else f"the loss of entry {index} was voided by entry {voided.f.by}" if voided.leaf
                     else f"the loss of entry {index} does not count: its planting was voided")
        else:
            self.say(say_voided(kind, index, first))
        return {"index": str(index)}


def date_of(days):
    return datetime.date(1970, 1, 1) + datetime.timedelta(days)


def quoted(text_):
    return json.dumps(text_, ensure_ascii=False)


def say_lost(planting):
    return f"; {planting.lost} of these trees are lost" if planting.lost else "; none of them is lost"


def say_books(plot):
    return f"{plot.planted - plot.lost} trees stand, {plot.lost} are lost, {plot.assigned} have a claim"


def say_voided(kind, index, item):
    return (f"the {kind} of entry {index} was voided by entry {item.f.by}" if item.leaf
            else f"nothing voided the {kind} of entry {index}")


def say_issuer(key, entries):
    task, said = key.task
    who = {"governor": "a governor's key", "log": "a key of the log"}.get(task) or (
        f"{said.display_name} ({said.holder}), as {said.role},")
    if key.revoked_at is None:
        revoked = "the key is not revoked"
    elif key.compromised_since is None:
        revoked = f"entry {key.revoked_at} revoked the key"
    else:
        revoked = (f"entry {key.revoked_at} revoked the key, and what it signed since {date_of(key.compromised_since)} is in "
                   "doubt")
    return f"{who} issued entries {', '.join(entries)}; {revoked}"


# ---- §13.6 Questions that a file answers ---------------------------------------------------------------

ONE_OF = dict(account="accounts", key="keys", holder="holders", method="methods", plot="plots", planting="plantings", tree="trees",
              survey="surveys", claim="claims", loss="losses", month="months")


def number_key(width):
    """A number in its one writing, as the bytes that a key has."""
    def read(written):
        need(re.fullmatch("0|[1-9][0-9]{0,19}", written) and int(written) < 256**width, "", "")
        return int(written).to_bytes(width, "big")
    return read


def hash_key(written):
    need(re.fullmatch("[0-9a-f]{64}", written), "", "")
    return bytes.fromhex(written)


def slug_key(written):
    slug = written.encode("utf-8", "surrogateescape")
    return b"\0" + read_whole(HOLDER, bytes_of(slug)).encode()


def keys_of(*readers):
    """Several, with / between them."""
    def read(written):
        parts = written.split("/")
        need(len(parts) == len(readers), "", "")
        return b"".join(read(part) for read, part in zip(readers, parts))
    return read


U8, U16, U32, U64 = map(number_key, (1, 2, 4, 8))
# Of each: how its key is written, and what reads that. An account's ledger is that of the file.
WRITTEN_KEYS = dict(
    once=("a number below 256", U8), keys=("64 hexadecimal digits", hash_key), holders=("a holder's slug", slug_key),
    methods=("method/version", keys_of(U32, U32)), species=("a number", U16), accounts=("64 hexadecimal digits", hash_key),
    plots=("a number", U32), plantings=("plot/first serial", keys_of(U32, U32)), trees=("plot/serial", keys_of(U32, U32)),
    surveys=("plot/day/entry, or plot/latest", keys_of(U32, U32, U64)), months=("a number", U32),
    evidence=("64 hexadecimal digits", hash_key),
    **{name: ("the index of an entry", U64) for name in ("claims", "reversed", "losses", "voided")})
FILE_QUESTIONS = {"receipt": WRITTEN_KEYS["claims"], "certificate": WRITTEN_KEYS["claims"], "entry": WRITTEN_KEYS["claims"],
                  "account-history": WRITTEN_KEYS["accounts"], "plot-history": WRITTEN_KEYS["plots"]}
HISTORIES = {"account-history": "account_history", "plot-history": "plot_history"}


def read_question(asked):
    """What a file must be about: the file's or the domain's name, and the key's bytes; of a history the entry that the part
    begins with, or None for all of it; whether it is a plot's latest survey."""
    name, parted, written = asked.partition("/")
    begin, latest = None, False
    if name == "totals":
        need(not parted, "question_malformed", "the totals have no key")
        return SimpleNamespace(asked=asked, name=name, key=None, begin=None, latest=False)
    if name in HISTORIES:
        written, begins, begin = written.partition("/from/")
        begin = begin if begins else None
    elif name not in FILE_QUESTIONS:
        name = ONE_OF.get(name, name)
        need(name in WRITTEN_KEYS, "question_malformed", f"no file is about {asked!r}")
        latest = name == "surveys" and written.endswith("/latest")
    form, read = FILE_QUESTIONS.get(name) or WRITTEN_KEYS[name]
    try:
        key = U32(written.removesuffix("/latest")) if latest else read(written)
        begin = None if begin is None else int.from_bytes(U64(begin), "big")
    except Refused:
        what = f"{asked!r}: the key is {form}" + (", behind /from/ the index of an entry" if name in HISTORIES else "")
        raise Refused("question_malformed", what) from None
    return SimpleNamespace(asked=asked, name=name, key=key, begin=begin, latest=latest)


def check_about(answer, question):
    """That a receipt which holds answers the question that was asked."""
    need(is_about(answer, question), "about_other",
         f"the file is true, and does not answer what was asked: {question.asked}")
    if question.name in HISTORIES and question.begin is None:
        need(not answer["missing"], "about_part", f"the file is true, and a part of what was asked for: {question.asked}; "
             "missing are " + ", and ".join(answer["missing"]))


def is_about(answer, question):
    name, key = question.name, question.key
    if name == "receipt":
        return answer["index"] == int.from_bytes(key, "big")
    if answer["kind"] != "state":
        return False
    if name == "totals":
        return True
    if name in FILE_QUESTIONS:
        file = answer["file"] or {}
        of = key.hex() if name == "account-history" else str(int.from_bytes(key, "big"))
        subject = HISTORIES.get(name, {"entry": "corrections"}.get(name, name))
        return (file.get("about"), file.get("of")) == (subject, of) and question.begin in (None, int(file.get("begin") or 0))
    for item in answer["items"]:
        high, at = item.get("nothing_up_to"), bytes.fromhex(item["key"])
        if item["domain"] != name:
            continue
        if question.latest:
            # Without a survey, that none is there at all: from the lowest place of the plot on.
            if at[:4] == key and high == key.hex() + 12 * "ff" and (item["leaf"] is not None or not any(at[4:])):
                return True
        elif high is None and (at[32:] if name == "accounts" else at) == key:
            return True
    return False


# ---- §14 Auditing a whole ledger ---------------------------------------------------------------------

def audit(directory, pinned, genesis_id=None, policy=None):
    with at("checkpoint"):
        data = read_file(os.path.join(directory, "checkpoint"), NOTE_LIMIT, "checkpoint")
        try:
            checkpoint = read_checkpoint(data)
        except Refused as refused:
            raise name_fault(data, refused) from None
        # The ledger names its log keys of Ed25519: only such a one can be found in it at the end.
        pinned, by_policy = check_signers(checkpoint, pinned, (), policy, (LOG,))
    leaves = []

    def fetch(index):
        first = index - index % 256
        path, _, width = next(tiles_of("entries", checkpoint.size, first))
        entry = decode_entry(read_bundle(directory, path, width)[index - first])
        need(entry.leaf == leaves[index], "changed_meanwhile", "a bundle changed during the audit", path)
        return entry

    ledger = Ledger(checkpoint.origin, fetch, sizes_of_states(directory, checkpoint.size))
    for path, first, width in tiles_of("entries", checkpoint.size):
        for index, data in enumerate(read_bundle(directory, path, width), first):
            with at(f"entry {index}"):
                leaves.append(ledger.admit(data).leaf)
                need(genesis_id in (None, ledger.genesis_id), "genesis_other", "not the genesis that was pinned")
        if sys.stderr.isatty():
            print(f"{len(leaves):,} of {checkpoint.size:,} entries", end="\r", file=sys.stderr, flush=True)
    ledger.check_end()
    with at("ledger"):
        totals = ledger.check_books()
    check_tree(directory, leaves, checkpoint)
    with at("checkpoint"):
        check_log_keys(ledger, checkpoint, pinned)
    return {"entries": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(),
            "genesis": ledger.genesis_id.hex(),
            # Sums may exceed what a number of JSON carries: they are decimal strings there.
            "totals": {name: str(total) for name, total in totals.items()},
            **({"policy": by_policy["policy"]} if policy else {})}


def sizes_of_states(directory, count):
    """The sizes that state entries name, read ahead so that the audit knows after which entries to make the state root.
    This ends at the first bundle that can't be read, which the audit refuses when it gets there."""
    sizes = set()
    with contextlib.suppress(Refused):
        for path, _, width in tiles_of("entries", count):
            states = filter(is_state_entry, read_bundle(directory, path, width))
            sizes.update(int.from_bytes(data[10:18], "big") for data in states)
    return sizes


def check_tree(directory, leaves, checkpoint):
    """The root, and the tiles of every level. If the entries make another root but the tiles of level 0 the
    right one, the tiles tell which entry is false."""
    whole = merkle_root(leaves) == checkpoint.root
    for level, hashes in enumerate(levels_of(leaves)):
        in_tiles = []
        for path, first, width in tiles_of(level, len(hashes)):
            tile, longer = read_tile(directory, path, 8192)
            there = 256 if longer else width
            need(len(tile) == 32 * there, "tile_malformed", f"the tile has not {there} hashes", path)
            tile = tile[:32 * width]
            need(not whole or tile == b"".join(hashes[first:first + width]), "tile_wrong",
                 "the tile has not the hashes that the entries make", path)
            in_tiles += [tile[place:place + 32] for place in range(0, len(tile), 32)]
        if not whole:
            tiles_are_whole = merkle_root(in_tiles) == checkpoint.root
            false = next((index for index, leaf in enumerate(leaves) if leaf != in_tiles[index]), None)
            raise Refused("root_mismatch", "the entries do not make the root that was signed",
                          f"entry {false}" if tiles_are_whole else "checkpoint")


def check_log_keys(ledger, checkpoint, pinned):
    """The log key in force signed, every line by a key of the ledger's holds, and the key given is one of them."""
    vkeys = [verifier_key(checkpoint.origin, LOG, key) for key, _ in ledger.log_keys]
    need(pinned.key in [vkey.key for vkey in vkeys], "log_key_unknown", "the ledger never named the log key given")
    *_, in_force = [check_lines(checkpoint, vkey) for vkey in vkeys]
    need(in_force, "log_key_not_in_force", "no line is by the log key in force for this size")


# ---- The command line --------------------------------------------------------------------------------

NOT_PROVEN = ("Not proven: that the log has just so many entries; that the key was not revoked or expired; that its "
              "governors were still in force; that the rules held; that no correction and nothing newer followed; "
              "that others see the same log (witnesses are for that); that what was said is true.")


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="arborlog_verify.py", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, target, what in (("receipt", "FILE", "verify a receipt"), ("audit", "DIR", "audit a mirror of a log")):
        command = commands.add_parser(name, help=what)
        command.add_argument("target", metavar=target)
        command.add_argument("--log", metavar="VKEY", help="the log's verifier key")
        command.add_argument("--policy", metavar="FILE", help="which logs and witnesses count, and which must have cosigned (§6.14.1)")
        command.add_argument("--genesis", metavar="HEX", help="the genesis' record id")
        command.add_argument("--witness", action="append", default=[], metavar="VKEY", help="must have cosigned")
        command.add_argument("--about", metavar="QUESTION", help="what a receipt must be about (§13.6), such as certificate/33258")
        command.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    try:
        # An audit finds the key in the ledger, which names those of Ed25519.
        kinds = (LOG,) if options.command == "audit" else (LOG, MLDSA)
        options.log = None if options.log is None else parse_vkey(read_key(options.log), *kinds)
        options.witness = [parse_vkey(read_key(witness), WITNESS, MLDSA) for witness in options.witness]
    except Refused as refused:
        parser.error(f"--log or --witness: {refused.what}")
    try:
        limit = POLICY_MAX.policy_file_bytes
        options.policy = None if options.policy is None else read_policy(read_file(options.policy, limit, "policy"))
    except Refused as refused:
        parser.error(f"--policy: {refused.what}")
    if not (options.log or options.policy and options.policy.logs):
        parser.error("--log is needed" + (", since the policy names no log" if options.policy else ", or a --policy that names logs"))
    if options.witness and options.command == "audit":
        parser.error("--witness goes with receipts")
    if options.about is not None and options.command == "audit":
        parser.error("--about goes with receipts")
    try:
        options.about = None if options.about is None else read_question(options.about)
    except Refused as refused:
        parser.error(f"--about: {refused.what}")
    if options.genesis and not re.fullmatch("[0-9a-fA-F]{64}", options.genesis):
        parser.error("--genesis: not 64 hexadecimal digits")
    options.genesis = bytes.fromhex(options.genesis) if options.genesis else None
    return options


def read_key(written):
    """A verifier key as it was given, or what is in the file of that name."""
    if "+" in written or not os.path.isfile(written):
        return written
    return read_file(written, 4096, "key").decode("utf-8", "surrogateescape")   # one of ML-DSA has 1,960 bytes at most


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        need(library_is_cofactorless(), "library_unfit", "this `cryptography` checks signatures with the cofactor")
        if options.command == "receipt":
            data = read_file(options.target, MAX.receipt_bytes, "receipt", cut=True)
            answer = verify_receipt(data, options.log, options.genesis, options.witness, options.policy)
            if options.about:
                check_about(answer, options.about)
        else:
            answer = audit(options.target, options.log, options.genesis, options.policy)
        exit_code, answer = 0, {"ok": True, "outcome": OUTCOMES[0]} | answer
    except Refused as refused:
        exit_code, where = refused.exit_code, refused.where or options.command
        answer = {"ok": False, "outcome": OUTCOMES[exit_code], "where": where, "code": refused.code,
                  "what": refused.what} | refused.more
    if options.json:
        print(json.dumps(answer))
        return exit_code
    items, file, lacks = answer.pop("items", []), answer.pop("file", None), answer.pop("missing", [])
    sentences = (file or {}).get("sentences", [])
    for name, value in answer.items():
        print(f"{name}: {json.dumps(value)}")
    if lacks:
        print("It is a part of a history; in other files are:" if file else
              "It is not a certificate's file, which would prove too:", *lacks, sep="\n- ")
    for sentence in sentences:
        print(sentence)
    for item in items:
        print(f"of the first {answer['size']} entries: {item['says']}")
    if exit_code == 0 and answer.get("kind") == "state":
        print("A state entry is the log's own word, and auditors vouch for it. Proven is only that the log says so.")
    elif exit_code == 0 and options.command == "receipt":
        print("" if options.genesis else "No genesis was pinned: compare the one above. ", NOT_PROVEN, sep="")
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
