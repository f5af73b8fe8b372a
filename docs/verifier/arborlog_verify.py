#!/usr/bin/env python3
"""Verifies an arborlog ledger or a receipt of one, by docs/format.md alone ("§" is a section of it).

    arborlog_verify.py receipt FILE --log VKEY [--genesis HEX] [--witness VKEY]... [--json]
    arborlog_verify.py audit DIR --log VKEY [--genesis HEX] [--json]

Exit code: 0 whole; 1 a check failed; 2 wrong usage; 3 something needed could not be read.
Needs Python 3.11 and the package `cryptography`. Reads files only, and writes none.
"""
import argparse, base64, binascii, bisect, functools, hashlib, json, os, re, sys
from dataclasses import dataclass, field
from types import SimpleNamespace

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """Something is not as format.md says: a code (of §10 where it has one) and a sentence."""
    exit_code = 1

    def __init__(self, code, what, where=None):
        super().__init__(what)
        self.code, self.what, self.where = code, what, where


class Unreadable(Refused):
    exit_code = 3


def need(condition, code, what, where=None):
    if not condition:
        raise Refused(code, what, where)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- §2 Codec: a type is a function that reads its value from a Reader --------------------------

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        end = self.at + count
        need(end <= len(self.data), "not_canonical", "the bytes end too early")
        taken, self.at = self.data[self.at:end], end
        return taken

    def end(self):
        need(self.at == len(self.data), "not_canonical", "bytes are left over after the end")


def uint(width, low=0):
    def read(reader):
        value = int.from_bytes(reader.take(width), "big")
        need(value >= low, "not_canonical", f"a number is below {low}")
        return value
    return read

def i32(limit):
    def read(reader):
        value = int.from_bytes(reader.take(4), "big", signed=True)
        need(-limit <= value <= limit, "not_canonical", f"a coordinate is beyond {limit}")
        return value
    return read

def fixed(width):
    return lambda reader: reader.take(width)

def byte_string(limit):
    def read(reader):
        length = u64(reader)
        need(length <= limit, "not_canonical", f"a byte string or text is longer than {limit} bytes")
        return reader.take(length)
    return read

def text(limit, refused=r"[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]"):
    read_bytes, refused = byte_string(limit), re.compile(refused)
    def read(reader):
        try:
            value = read_bytes(reader).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("not_canonical", "a text is not well-formed UTF-8") from None
        need(not refused.search(value), "not_canonical", "a text has a refused character")
        return value
    return read

def slug(reader):
    value = text(64)(reader)
    need(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", value), "not_canonical", "a holder is no slug")
    return value

def origin(reader):
    value = text(200)(reader)
    need(value and not re.search(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]", value),
         "not_canonical", "an origin is empty, or has white space or a plus")
    return value

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
    """One of several: reads (its name, its fields)."""
    pairs = list(variants.items())
    def read(reader):
        number = u32(reader)
        need(number < len(pairs), "not_canonical", f"no variant has the number {number}")
        name, fields = pairs[number]
        return name, fields(reader)
    return read

def word(*names):
    """A variant of which none has fields: reads its name."""
    read_variant = variant(**{name: table() for name in names})
    return lambda reader: read_variant(reader)[0]

u8, u16, u32, u64 = uint(1), uint(2), uint(4), uint(8)
day, bytes32 = u32, fixed(32)

def read_whole(read, data):
    reader = Reader(data)
    value = read(reader)
    reader.end()
    return value


# ---- §6 Statements, §3 records, §5 entries ------------------------------------------------------

ACTIVITY = table(code=u16, name=text(60), unit=text(20), factor=u64, cap=u64)
SPECIES = table(code=u16, name=text(100), price=u64)
GOVERNORS = dict(governors=list_of(bytes32, 1, 16), quorum=u8)
STATEMENT = variant(
    genesis=table(origin=origin, programme=text(500), **GOVERNORS, log_key=bytes32),
    governors=table(**GOVERNORS),
    key_grant=table(key=bytes32, role=word("platform", "planter", "surveyor"), holder=slug,
                    display_name=text(100), expires_on=option(day)),
    key_revoke=table(key=bytes32, reason=text(300), compromised_since=option(day)),
    log_key=table(key=bytes32),
    method=table(id=u32, version=u32, effective_from=day, activities=list_of(ACTIVITY, 0, 128),
                 species=list_of(SPECIES, 0, 400), baseline=text(1000), sources=text(1000),
                 jurisdiction=text(200), document=bytes32),
    award=table(account=bytes32, method=u32, version=u32, activity=u16, quantity=u64, points=u64,
                occurred_on=day, evidence=bytes32),
    transfer=table(sender=bytes32, to=option(bytes32), points=u64,     # format.md: `from`
                   reason=word("gift", "collected", "pooled", "expired", "spent_elsewhere")),
    plot=table(number=u32, name=text(100), latitude=i32(900_000_000), longitude=i32(1_800_000_000),
               radius_m=u32, outline=bytes32, area_m2=u64, trees_per_ha_max=u32,
               carbon_rights=variant(none_issued=table(), issued=table(registry=text(100), id=text(100)),
                                     unknown=table()),
               funded_by=text(100)),
    planting=table(plot=u32, species=u16, first_serial=u32, count=uint(4, low=1), planted_on=day,
                   evidence=bytes32),
    survey=table(plot=u32, planting=option(u64), surveyed_on=day,
                 basis=word("census", "random_sample", "remote_sensing"), sampled=u32, alive=u32,
                 dead=u32, evidence=bytes32, paid_by=text(100), next_due=option(day)),
    claim=table(account=bytes32, method=u32, version=u32, species=u16, points=u64),
    assignment=table(plot=u32, first_serial=u32, claims=list_of(u64, 1, 1024)),
    correction=table(target=u64, reason=text(300), remedy=variant(
        reverse=table(points=u64),
        lost=table(count=uint(4, low=1), first_serial=option(u32), lost_on=day, evidence=option(bytes32)),
        void=table())),
)
RECORD = table(issuer=bytes32, seq=u64, prev=bytes32, issued_on=day, statement=STATEMENT)
ENTRY = table(version=u16, admitted_at=u64, lineage=list_of(u64, 0, 5), record=byte_string(16_384),
              signature=fixed(64),
              endorsements=list_of(table(key=bytes32, signature=fixed(64)), 0, 32))
NONE = 2**64 - 1                                                # "none" in a lineage (§5)


def decode_record(data):
    need(len(data) <= 16_384, "not_canonical", "a record is longer than 16,384 bytes")
    record = read_whole(RECORD, data)
    record.kind, record.statement = record.statement            # out of the variant's pair
    if record.kind == "transfer":                               # §6.7
        to_nobody = record.statement.reason in ("expired", "spent_elsewhere")
        need(to_nobody == (record.statement.to is None), "not_canonical",
             "a transfer's reason and receiver do not fit")
    return record


def decode_entry(data):
    need(len(data) <= 32_768, "not_canonical", "an entry is longer than 32,768 bytes")
    entry = read_whole(ENTRY, data)
    need(entry.version == 1, "not_canonical", "an entry's version is not 1")
    entry.leaf, entry.bytes, entry.record_bytes = sha256(b"\0" + data), data, entry.record
    entry.__dict__.update(vars(decode_record(entry.record)))    # issuer, seq, …, kind, statement
    entry.endorsers = [endorsement.key for endorsement in entry.endorsements]
    entry.signers = {entry.issuer, *entry.endorsers}
    ascending = all(one < next_one for one, next_one in zip(entry.endorsers, entry.endorsers[1:]))
    need(ascending and entry.issuer not in entry.endorsers, "not_canonical",
         "endorsements are not strictly ascending, or the issuer endorses")
    entry.day = entry.admitted_at // 86_400_000
    return entry


def check_signatures(entry, log_origin):
    """§3 signing input and record id, §4 the issuer's signature and every endorsement."""
    message = b"arborlog/record/v1\n" + log_origin.encode() + b"\n" + entry.record_bytes
    entry.id = sha256(message)
    need(signature_holds(entry.issuer, entry.signature, message), "signature_invalid",
         "the issuer's signature does not hold")
    for endorsement in entry.endorsements:
        need(signature_holds(endorsement.key, endorsement.signature, message), "signature_invalid",
             "an endorsement's signature does not hold")


# ---- §4 Signatures ------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)                                         # extended: x = X/Z, y = Y/Z, T = XY/Z
TWO_TO_255 = 1 << 255


def decode_point(key):
    """The point of a canonical encoding, or None."""
    y, sign = int.from_bytes(key, "little") % TWO_TO_255, key[31] >> 7
    if y >= P:
        return None
    x_squared = (y * y - 1) * pow(D * y * y + 1, -1, P) % P     # D is no square: never divides by 0
    x = pow(x_squared, (P + 3) // 8, P)
    if x * x % P != x_squared:
        x = x * SQRT_MINUS_1 % P
    if x * x % P != x_squared or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def add_points(one, other):
    """RFC 8032, 5.1.4; complete, so it doubles too."""
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * D * t1 * t2 % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def is_identity(point):
    return point[0] == 0 and point[1] == point[2]


def times(scalar, point):
    result = IDENTITY
    while scalar:
        if scalar & 1:
            result = add_points(result, point)
        point, scalar = add_points(point, point), scalar >> 1
    return result


@functools.cache
def good_key(key):
    """The library's key for a good key, else None. Without torsion, only the identity is of small order."""
    point = decode_point(key)
    if point is None or is_identity(point) or not is_identity(times(L, point)):
        return None
    return Ed25519PublicKey.from_public_bytes(key)


_SMALL_ORDER = [bytes.fromhex(hexadecimal) for hexadecimal in (
    "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "00" * 32,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ee" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f")]
SMALL_ORDER = frozenset(_SMALL_ORDER + [point[:31] + bytes([point[31] ^ 0x80]) for point in _SMALL_ORDER])


def signature_holds(key, signature, message):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    public_key = good_key(key)
    if public_key is None or s >= L or r in SMALL_ORDER:
        return False
    try:
        public_key.verify(signature, message)   # step 4: encodes sB − kA and compares it with R
    except InvalidSignature:
        return False
    return True


def library_is_cofactorless():
    """Step 4 rests on the library: this signature holds only for a check with the cofactor."""
    return not signature_holds(
        bytes.fromhex("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"),
        bytes.fromhex("fe430d5b9dfdbe1a54c6ce677773e819592c6f2a44bb76078059d48dec99ffbc"
                      "e205fad1fedb16d42075989b6cc34bdf15f3d9cc136241161633354c61350604"), b"arborlog")


# ---- §7 State, §8 rules, §9 corrections and totals, §5.1 lineage --------------------------------

@dataclass(slots=True)
class Key:
    task: str                   # governor, log, platform, planter or surveyor
    given_at: int               # index and id of the entry that gave the task
    given_by: bytes
    holder: str = ""
    expires_on: int | None = None
    revoked: bool = False
    next_seq: int = 0
    last_id: bytes = b""        # of its newest record; at first of the one that gave the task
    last: int = NONE

    def __post_init__(self):
        self.last_id = self.given_by


@dataclass(slots=True)
class Account:
    balance: int = 0
    last: int = NONE


@dataclass(slots=True)
class Plot:
    statement: object
    holder: str
    last: int
    standing: int = 0
    assigned: int = 0
    first_serials: list = field(default_factory=list)           # ascending
    plantings: dict = field(default_factory=dict)               # by first serial

    def fits(self, trees, statement=None):
        statement = statement or self.statement
        return trees <= statement.area_m2 * statement.trees_per_ha_max // 10_000

    def planting_at_or_before(self, serial):
        """The planting with the greatest first serial that is not above this one."""
        position = bisect.bisect_right(self.first_serials, serial)
        return self.plantings[self.first_serials[position - 1]] if position else None


@dataclass(slots=True)
class Planting:
    plot: Plot
    species: int
    first: int
    last: int
    count: int
    voided: bool = False
    lost: int = 0
    lost_ranges: dict = field(default_factory=dict)             # correction: (first, last)
    tied: dict = field(default_factory=dict)                    # serial: (claim, assignment)

    def is_lost(self, first, last):
        return any(first <= end and start <= last for start, end in self.lost_ranges.values())


@dataclass(slots=True)
class Claim:
    account: bytes
    species: int
    points: int
    voided: bool = False
    tree: tuple | None = None                                   # (planting, serial)


TOTALS = ("awarded reversed expired spent_elsewhere claimed balances planted_recorded planted_voided "
          "lost standing claims assigned waiting").split()


class Ledger:
    """Every entry goes through `admit`, in order; `fetch(index)` gives an earlier one, decoded."""

    def __init__(self, log_origin, fetch):
        self.origin, self.fetch = log_origin, fetch
        self.entries, self.last_admitted_at, self.genesis_id = 0, 0, None
        self.council, self.quorum, self.council_at = [], 0, NONE
        self.log_keys = []                                      # (key, index), in order
        self.keys, self.holders = {}, {}                        # holders: slug -> "surveyor" or not
        self.methods = {}                                       # id -> versions: [(statement, index)]
        self.species, self.accounts, self.plots = {}, {}, {}
        self.plantings, self.claims, self.losses = {}, {}, {}   # by index
        self.reversed, self.voided, self.evidence = {}, set(), set()
        self.totals = dict.fromkeys(TOTALS, 0)

    def admit(self, data):
        """§14, steps 1 to 7."""
        entry = decode_entry(data)
        need(entry.admitted_at >= self.last_admitted_at, "admitted_at_decreases",
             "the entry was admitted before the one before it")
        check_signatures(entry, self.origin)
        need(self.follow(entry) == entry.lineage, "lineage_wrong", "the lineage is not the state's")
        self.last_admitted_at, self.entries = entry.admitted_at, self.entries + 1
        self.check_sums()
        return entry

    def follow(self, entry):
        """Checks the rules, takes the entry into the state, gives its lineage."""
        entry.index, statement = self.entries, entry.statement
        if entry.kind == "genesis":
            self.genesis(entry, statement)
            lineage = [NONE, NONE]
        else:
            key = self.continue_chain(entry)
            authority = self.council_at if key.task == "governor" else key.given_at
            lineage = [key.last, authority, *getattr(self, entry.kind)(entry, statement, key)]
        key = self.keys[entry.issuer]
        key.next_seq, key.last_id, key.last = key.next_seq + 1, entry.id, entry.index
        return lineage

    def check_sums(self):
        """Rule 9."""
        t = SimpleNamespace(**self.totals)
        need(t.awarded - t.reversed - t.expired - t.spent_elsewhere - t.claimed == t.balances
             and t.planted_recorded - t.planted_voided - t.lost == t.standing
             and t.claims == t.assigned + t.waiting, "sums_differ", "rule 9 does not hold")

    def check_books(self):
        """Rule 9 at the end: the totals are those of all accounts, plantings and claims; gives them."""
        plantings, claims = self.plantings.values(), [c for c in self.claims.values() if not c.voided]
        unvoided = [planting for planting in plantings if not planting.voided]
        assigned = sum(claim.tree is not None for claim in claims)
        tied = [(planting, serial) for planting in unvoided for serial in planting.tied]
        books = dict(
            balances=sum(account.balance for account in self.accounts.values()),
            claimed=sum(claim.points for claim in claims),
            planted_recorded=sum(planting.count for planting in plantings),
            planted_voided=sum(planting.count for planting in plantings if planting.voided),
            lost=sum(planting.lost for planting in unvoided),
            standing=sum(plot.standing for plot in self.plots.values()),
            claims=len(claims), assigned=assigned, waiting=len(claims) - assigned)
        need(books.items() <= self.totals.items() and len(tied) == assigned
             and sum(plot.assigned for plot in self.plots.values()) == assigned,
             "sums_differ", "accounts, plantings or claims do not add up to the totals")
        return self.totals | {"accounts_negative": sum(a.balance < 0 for a in self.accounts.values())}

    # -- who says it (§8) --

    def check_quorum(self, entry, also=()):
        need(all(key in self.council or key in also for key in entry.endorsers), "endorser_refused",
             "an endorser is neither a governor nor a key that must sign")
        need(sum(key in entry.signers for key in self.council) >= self.quorum, "quorum_short",
             f"fewer than {self.quorum} governors signed")
        need(entry.signers.issuperset(also), "possession_unproven", "a key that gets a task did not sign")

    def said_by_governors(self, entry, also=()):
        need(entry.issuer in self.council, "role_refused", "the issuer is no governor in force")
        self.check_quorum(entry, also)

    def said_by(self, role, entry, key):
        need(not entry.endorsers, "endorser_refused", "this kind is not endorsed")
        need(key.task == role, "role_refused", f"the issuer is no {role}")

    def check_new_key(self, key):
        need(good_key(key), "key_invalid", f"{key.hex()} is no good key")
        need(key not in self.keys, "key_reused", f"{key.hex()} has, or had, a task")

    def check_set(self, statement):
        need(len(set(statement.governors)) == len(statement.governors)
             and 1 <= statement.quorum <= len(statement.governors), "quorum_impossible",
             "a governor stands twice, or the quorum is out of range")

    def check_issue_day(self, entry):
        need(entry.day - 30 <= entry.issued_on <= entry.day + 1, "day_refused",
             "issued_on is not within 30 days before and 1 after the day of admission")

    # -- rules 1 and 2: keys, chains, days --

    def genesis(self, entry, s):
        need(entry.index == 0, "genesis_misplaced", "a genesis that is not entry 0")
        need(s.origin == self.origin, "origin_mismatch", "the genesis is of another origin")
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
        self.genesis_id, self.log_keys = entry.id, [(s.log_key, 0)]
        self.council, self.quorum, self.council_at = s.governors, s.quorum, 0
        for key in signers:
            self.keys[key] = Key("log" if key == s.log_key else "governor", 0, entry.id)

    def continue_chain(self, entry):
        need(self.entries, "genesis_misplaced", "entry 0 is no genesis")
        key = self.keys.get(entry.issuer)
        need(key, "issuer_unknown", "the issuer's key has no task")
        need(entry.seq <= key.next_seq, "sequence_gap", f"seq {entry.seq} is beyond {key.next_seq}")
        need(entry.seq == key.next_seq, "sequence_used", f"seq {entry.seq} is taken")
        need(entry.prev == key.last_id, "chain_broken", "prev is not the record before")
        need(not key.revoked, "key_revoked", "the issuer's key is revoked")
        need(key.expires_on is None or entry.day <= key.expires_on, "key_expired", "the issuer's key expired")
        self.check_issue_day(entry)
        return key

    def check_day(self, said, entry):
        need(said <= entry.issued_on, "day_refused", "it says a day after issued_on")

    def governors(self, entry, s, key):
        self.check_set(s)
        new_keys = [new_key for new_key in s.governors if new_key not in self.council]
        for new_key in new_keys:
            self.check_new_key(new_key)
        self.said_by_governors(entry, new_keys)
        tail = [self.council_at]
        self.council, self.quorum, self.council_at = s.governors, s.quorum, entry.index
        for new_key in new_keys:
            self.keys[new_key] = Key("governor", entry.index, entry.id)
        return tail

    def key_grant(self, entry, s, key):
        self.check_new_key(s.key)
        surveys = s.role == "surveyor"
        need(self.holders.get(s.holder, surveys) == surveys, "holder_conflict",
             "one holder would be surveyor and planter or platform")
        self.said_by_governors(entry, [s.key])
        self.holders[s.holder] = surveys
        self.keys[s.key] = Key(s.role, entry.index, entry.id, s.holder, s.expires_on)
        return [NONE]

    def key_revoke(self, entry, s, key):
        revoked = self.keys.get(s.key)
        need(revoked, "key_unknown", "the key to revoke has no task")
        need(revoked.holder, "role_refused", "the key to revoke has no role")
        need(not revoked.revoked, "key_revoked", "the key is revoked already")
        self.said_by_governors(entry)
        revoked.revoked = True
        return [revoked.given_at]

    def log_key(self, entry, s, key):
        self.check_new_key(s.key)
        self.said_by_governors(entry, [s.key])
        tail = [self.log_keys[-1][1]]
        self.log_keys.append((s.key, entry.index))
        self.keys[s.key] = Key("log", entry.index, entry.id)
        return tail

    # -- rule 3: methods and awards --

    def method(self, entry, s, key):
        versions = self.methods.get(s.id, [])
        need(s.version == len(versions) + 1, "method_version", "not the method's next version")
        need(not versions or s.effective_from >= entry.day, "method_backdated",
             "a later version takes effect before its admission")
        for coded in (s.activities, s.species):
            need(len({item.code for item in coded}) == len(coded), "code_repeated", "a code stands twice")
        need(all(self.species.get(item.code, item.name) == item.name for item in s.species),
             "species_changed", "a species' code had another name")
        self.said_by_governors(entry)
        tail = [versions[-1][1] if versions else NONE]
        self.methods[s.id] = versions + [(s, entry.index)]
        self.species.update((item.code, item.name) for item in s.species)
        return tail

    def method_in_effect(self, s, on_day):
        """The statement of the version that is in effect, which must be the one that `s` names."""
        versions = (version for version, _ in reversed(self.methods.get(s.method, []))
                    if version.effective_from <= on_day)
        version = next(versions, None)
        need(version, "method_unknown", "no version of the method is in effect on that day")
        need(version.version == s.version, "method_version", "another version is in effect on that day")
        return version

    def account(self, account):
        return self.accounts.get(account) or Account()

    def move(self, index, account, points):
        """An entry that names the account: adds to its balance and is its last one now."""
        held = self.accounts.setdefault(account, Account())
        held.balance, held.last = held.balance + points, index
        self.totals["balances"] += points

    def check_room(self, account, points):
        need(self.account(account).balance + points < 2**63, "balance_limit", "a balance of 2^63 or more")

    def count(self, **changes):
        for total, change in changes.items():
            self.totals[total] += change

    def award(self, entry, s, key):
        self.said_by("platform", entry, key)
        self.check_day(s.occurred_on, entry)
        method = self.method_in_effect(s, s.occurred_on)
        activity = next((one for one in method.activities if one.code == s.activity), None)
        need(activity, "activity_unknown", "the method lacks the activity")
        need(s.points == s.quantity * activity.factor // 10**9, "points_mismatch",
             "points are not ⌊quantity × factor ÷ 10⁹⌋")
        need(s.points > 0, "points_zero", "nothing would move")
        need(s.points <= activity.cap, "cap_exceeded", "more than the activity's cap")
        self.check_room(s.account, s.points)
        tail = [self.account(s.account).last]
        self.move(entry.index, s.account, s.points)
        self.count(awarded=s.points)
        return tail

    # -- rule 4: plots and plantings --

    def plot(self, entry, s, key):
        plot = self.plots.get(s.number)
        if plot is None:
            self.said_by("planter", entry, key)
            self.plots[s.number] = Plot(s, key.holder, entry.index)
            return [NONE]
        need(key.task == "planter", "role_refused", "the issuer is no planter")
        self.check_quorum(entry)
        need(plot.fits(plot.standing, s), "plot_full", "more trees stand there than fit")
        plot.statement, plot.holder = s, key.holder
        return [self.touch(plot, entry)]

    def find_plot(self, number):
        need(number in self.plots, "plot_unknown", f"there is no plot {number}")
        return self.plots[number]

    def touch(self, plot, entry):
        """The entry is the plot's last one now; gives the one before."""
        before, plot.last = plot.last, entry.index
        return before

    def check_evidence(self, digest):
        need(digest not in self.evidence, "evidence_reused", "the evidence served a planting or survey")

    def planting(self, entry, s, key):
        self.said_by("planter", entry, key)
        plot = self.find_plot(s.plot)
        need(plot.holder == key.holder, "holder_refused", "the issuer's holder does not hold the plot")
        self.check_day(s.planted_on, entry)
        need(s.species in self.species, "species_unknown", "no method names the species")
        last_serial = s.first_serial + s.count - 1
        before = plot.planting_at_or_before(last_serial)
        need(last_serial < 2**32 and (before is None or before.last < s.first_serial),
             "serials_overlap", "a serial is another planting's, or beyond 2^32 - 1")
        need(plot.fits(plot.standing + s.count), "plot_full", "more trees than fit")
        self.check_evidence(s.evidence)
        planting = Planting(plot, s.species, s.first_serial, last_serial, s.count)
        bisect.insort(plot.first_serials, s.first_serial)
        plot.plantings[s.first_serial] = self.plantings[entry.index] = planting
        plot.standing += s.count
        self.evidence.add(s.evidence)
        self.count(planted_recorded=s.count, standing=s.count)
        return [self.touch(plot, entry)]

    # -- rule 5: transfers and claims --

    def transfer(self, entry, s, key):
        self.said_by("platform", entry, key)
        need(s.to != s.sender, "account_same", "a transfer to its own account")
        need(s.points > 0, "points_zero", "nothing would move")
        need(self.account(s.sender).balance >= s.points, "balance_short", "the account holds less")
        if s.to is not None:
            self.check_room(s.to, s.points)
        return self.make_transfer(entry.index, s, s.points)

    def make_transfer(self, index, s, points):
        """Moves points as the transfer does, back when below 0; gives the lineage's last places."""
        tail = [self.account(s.sender).last, NONE if s.to is None else self.account(s.to).last]
        self.move(index, s.sender, -points)
        if s.to is None:
            self.count(**{s.reason: points})
        else:
            self.move(index, s.to, points)
        return tail

    def claim(self, entry, s, key):
        self.said_by("platform", entry, key)
        method = self.method_in_effect(s, entry.issued_on)
        species = next((one for one in method.species if one.code == s.species), None)
        need(species, "species_unknown", "the method lacks the species")
        need(s.points == species.price, "price_mismatch", "points are not the species' price")
        need(s.points > 0, "points_zero", "nothing would move")
        need(self.account(s.account).balance >= s.points, "balance_short", "the account holds less")
        tail = [self.account(s.account).last]
        self.claims[entry.index] = Claim(s.account, s.species, s.points)
        self.move(entry.index, s.account, -s.points)
        self.count(claimed=s.points, claims=1, waiting=1)
        return tail

    # -- rule 6: assignments; rule 7: surveys --

    def assignment(self, entry, s, key):
        self.said_by("platform", entry, key)
        plot = self.find_plot(s.plot)
        pairs, seen = [], set()
        for serial, index in enumerate(s.claims, s.first_serial):
            claim = self.claims.get(index)
            need(claim and not claim.voided, "claim_unknown", f"{index} is no claim, or a voided one")
            need(claim.tree is None and index not in seen, "claim_taken",
                 f"the claim {index} has a tree, or stands twice")
            planting = plot.planting_at_or_before(serial)
            need(serial < 2**32 and planting and serial <= planting.last and not planting.voided,
                 "tree_unknown", f"no unvoided planting has the serial {serial}")
            need(serial not in planting.tied, "tree_taken", f"the tree {serial} has a claim")
            need(not planting.is_lost(serial, serial), "tree_lost", f"the tree {serial} is lost")
            need(claim.species == planting.species == self.claims[s.claims[0]].species,
                 "species_mismatch", "claims or trees of several species")
            seen.add(index)
            pairs.append((planting, serial, index))
        need(plot.assigned + len(pairs) <= plot.standing, "trees_short", "more would be assigned than stand")
        for planting, serial, index in pairs:
            self.tie(planting, serial, index, entry.index)
        return [self.touch(plot, entry)]

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

    def survey(self, entry, s, key):
        self.said_by("surveyor", entry, key)
        plot = self.find_plot(s.plot)
        self.check_day(s.surveyed_on, entry)
        if s.planting is not None:
            planting = self.plantings.get(s.planting)
            need(planting and planting.plot is plot, "planting_unknown", "no planting on that plot")
        need(s.alive + s.dead <= s.sampled, "survey_counts", "alive + dead are more than sampled")
        self.check_evidence(s.evidence)
        self.evidence.add(s.evidence)
        return [self.touch(plot, entry)]

    # -- rule 8: corrections --

    def correction(self, entry, s, key):
        need(s.target < entry.index, "target_unknown", "the target is no earlier entry")
        target = self.fetch(s.target)
        remedy, what = s.remedy
        if key.task == "governor":
            self.said_by_governors(entry)
        else:
            need(key.task != "log", "role_refused", "a log's key corrects nothing")
            need(not entry.endorsers, "endorser_refused", "a granted key's correction is not endorsed")
            said = self.keys[target.issuer]
            need((said.holder, said.task) == (key.holder, key.task)
                 or (remedy == "lost" and key.task == "surveyor"),
                 "holder_refused", "the issuer's holder did not say the target in that role")
        if remedy == "lost":
            self.check_day(what.lost_on, entry)
        if remedy == "void":
            return [s.target, *self.void(entry, s.target, target)]
        if remedy == "reverse" and target.kind == "award":
            return [s.target, self.reverse(entry, s.target, target.statement, what.points)]
        if remedy == "lost" and target.kind == "planting":
            return [s.target, self.lose(entry, self.plantings[s.target], what)]
        raise Refused("target_refused", f"{remedy} does not fit the kind {target.kind}")

    def reverse(self, entry, index, award, points):
        need(points > 0, "points_zero", "nothing would move")
        before = self.reversed.get(index, 0)
        need(points <= award.points - before, "reversal_excess", "more than is left of the award")
        self.reversed[index] = before + points
        last = self.account(award.account).last
        self.move(entry.index, award.account, -points)
        self.count(reversed=points)
        return last

    def lose(self, entry, planting, what):
        need(not planting.voided, "target_voided", "the planting was voided")
        need(what.count <= planting.count - planting.lost, "loss_excess", "more than stands")
        taken = []
        if what.first_serial is not None:
            first, last = what.first_serial, what.first_serial + what.count - 1
            need(planting.first <= first and last <= planting.last, "loss_excess", "serials of others")
            need(not planting.is_lost(first, last), "tree_lost", "a tree is lost already")
            planting.lost_ranges[entry.index] = first, last
            taken = [self.untie(planting, serial) for serial in list(planting.tied) if first <= serial <= last]
        self.losses[entry.index] = planting, what.count, taken
        self.count_lost(planting, what.count)
        return self.touch(planting.plot, entry)

    def count_lost(self, planting, count):
        planting.lost += count
        planting.plot.standing -= count
        self.count(lost=count, standing=-count)

    def void(self, entry, index, target):
        """§9: undoes all effect of the target; gives the lineage's places behind it."""
        need(index not in self.voided, "target_voided", "the target was voided")
        s = target.statement
        if target.kind == "transfer":
            self.check_room(s.sender, s.points)
            tail = self.make_transfer(entry.index, s, -s.points)
        elif target.kind == "claim":
            self.check_room(s.account, s.points)
            claim, tail = self.claims[index], [self.account(s.account).last]
            if claim.tree:
                self.untie(*claim.tree)
            claim.voided = True
            self.move(entry.index, s.account, s.points)
            self.count(claimed=-s.points, claims=-1, waiting=-1)
        elif target.kind == "survey":
            tail = [self.touch(self.plots[s.plot], entry)]
        elif target.kind == "assignment":
            plot = self.plots[s.plot]
            for serial, claim in enumerate(s.claims, s.first_serial):
                planting = plot.planting_at_or_before(serial)
                if planting.tied.get(serial) == (claim, index):
                    self.untie(planting, serial)
            tail = [self.touch(plot, entry)]
        elif target.kind == "planting":
            planting = self.plantings[index]
            need(not planting.tied, "void_blocked", "a tree of the planting is assigned")
            planting.voided = True
            planting.plot.standing -= planting.count - planting.lost
            self.count(planted_voided=planting.count, standing=planting.lost - planting.count,
                       lost=-planting.lost)
            tail = [self.touch(planting.plot, entry)]
        elif index in self.losses:
            planting, count, taken = self.losses[index]
            need(not planting.voided, "target_voided", "the loss' planting was voided")
            need(planting.plot.fits(planting.plot.standing + count), "plot_full", "more trees than fit")
            self.count_lost(planting, -count)
            planting.lost_ranges.pop(index, None)
            for serial, claim, assignment in taken:
                waits = not self.claims[claim].voided and self.claims[claim].tree is None
                if waits and assignment not in self.voided:
                    self.tie(planting, serial, claim, assignment)
            tail = [self.touch(planting.plot, entry)]
        else:
            raise Refused("target_refused", f"no {target.kind} of that sort can be voided")
        self.voided.add(index)
        return tail


# ---- §11 Tree, tiles and bundles ----------------------------------------------------------------

def node(left, right):
    return sha256(b"\1" + left + right)


def merkle_root(hashes):
    """RFC 6962's root: pairs, level by level; a last one without a partner goes up as it is."""
    while len(hashes) > 1:
        paired = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        hashes = paired + hashes[len(hashes) - len(hashes) % 2:]
    return hashes[0]


def is_included(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2, which is RFC 6962's inclusion proof."""
    if index >= size:
        return False
    place, last, reached = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            reached = node(sibling, reached)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            reached = node(reached, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and reached == root


def tile_path(level, number, width):
    """`level` is a number, or "entries"; `width` 256 for a full tile."""
    groups = f"{number % 1000:03d}"
    while number := number // 1000:
        groups = f"x{number % 1000:03d}/{groups}"
    return f"tile/{level}/{groups}" + (f".p/{width}" if width < 256 else "")


def tiles_of(level, count):
    """Path, first hash and width of each tile of a level that has so many hashes."""
    for first in range(0, count, 256):
        width = min(256, count - first)
        yield tile_path(level, first // 256, width), first, width


def read_file(path, limit, where):
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise Unreadable("unreadable", f"{path}: {getattr(error, 'strerror', None) or error}", where) from None
    need(len(data) <= limit, "too_long", f"the file is longer than {limit} bytes", where)
    return data


@functools.lru_cache(maxsize=8)
def read_bundle(directory, path, width):
    """The entries' bytes in a bundle."""
    reader = Reader(read_file(os.path.join(directory, path), 256 * (2 + 65_535), path))
    try:
        entries = [reader.take(u16(reader)) for _ in range(width)]
        reader.end()
    except Refused as refused:
        raise Refused("bundle_malformed", f"the bundle has not just {width} entries: {refused.what}", path) from None
    return entries


# ---- §12 Notes and checkpoints ------------------------------------------------------------------

def decode_base64(encoded, what):
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        decoded = None
    need(decoded is not None and base64.b64encode(decoded).decode() == encoded,
         "base64_malformed", f"{what} is no base64")
    return decoded


def decode_decimal(digits, what):
    need(re.fullmatch(r"0|[1-9][0-9]{0,19}", digits) and int(digits) < 2**64, "number_malformed",
         f"{what} is no plain number below 2^64")
    return int(digits)


@dataclass
class VerifierKey:
    name: str
    kind: int                   # 1 of a log, 4 of a witness
    key: bytes

    def __post_init__(self):
        kind = bytes([self.kind])
        self.id = sha256(self.name.encode() + b"\n" + kind + self.key)[:4]


def parse_vkey(written, kind):
    parts = written.split("+", 2)
    need(len(parts) == 3, "vkey_malformed", "a verifier key is not <name>+<id>+<base64>")
    name = parts[0].encode("utf-8", "surrogateescape")
    name = read_whole(origin, len(name).to_bytes(8, "big") + name)
    decoded = decode_base64(parts[2], "the verifier key")
    need(len(decoded) == 33 and decoded[0] == kind, "vkey_malformed",
         "the verifier key's type is not the one needed, or its length is wrong")
    vkey = VerifierKey(name, kind, decoded[1:])
    need(parts[1] == vkey.id.hex(), "vkey_malformed", "the verifier key's id does not belong to it")
    need(good_key(vkey.key), "key_invalid", "the verifier key is no good key")
    return vkey


@dataclass
class Checkpoint:
    origin: str
    size: int
    root: bytes
    text: bytes                 # with its last newline: what is signed
    lines: list                 # of signatures: (name, id, signature)

    def lines_of(self, vkey):
        return [place for place, line in enumerate(self.lines) if line[:2] == (vkey.name, vkey.id)]

    def check_line(self, vkey):
        """Every line that names the key holds; gives their places."""
        places = self.lines_of(vkey)
        for place in places:
            need(self.line_holds(vkey, self.lines[place][2]), "signature_invalid",
                 f"the checkpoint's line by {vkey.name} ({vkey.id.hex()}) does not hold")
        return places

    def line_holds(self, vkey, signature):
        if vkey.kind == 1:
            return len(signature) == 64 and signature_holds(vkey.key, signature, self.text)
        seconds = int.from_bytes(signature[:8], "big")          # a cosignature
        message = b"cosignature/v1\ntime %d\n" % seconds + self.text
        return len(signature) == 72 and signature_holds(vkey.key, signature[8:], message)


def open_checkpoint(data, vkey):
    """Reads a checkpoint, and checks its line by the log's pinned key."""
    need(len(data) <= 65_536, "note_malformed", "a note is longer than 65,536 bytes")
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("note_malformed", "the checkpoint is not UTF-8") from None
    signed, parted, signatures = note.rpartition("\n\n")
    need(parted and signatures.endswith("\n") and not re.search(r"[\0-\x09\x0b-\x1f]", note),
         "note_malformed", "the checkpoint is no text, an empty line and lines of signatures")
    lines = []
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        need(len(parts) == 3 and parts[0] == "\u2014" and parts[1], "note_malformed",
             "a line of a signature is not a dash, a name and base64")
        decoded = decode_base64(parts[2], "a line's signature")
        need(len(decoded) > 4, "note_malformed", "a line has no signature")
        lines.append((parts[1], decoded[:4], decoded[4:]))
    need(len(lines) <= 64, "note_malformed", "more than 64 lines of signatures")
    said = signed.split("\n")
    need(len(said) == 3, "checkpoint_malformed", "a checkpoint's text is not just three lines")
    size = decode_decimal(said[1], "the checkpoint's size")
    root = decode_base64(said[2], "the checkpoint's root")
    need(size > 0 and len(root) == 32, "checkpoint_malformed", "its size is 0, or its root not 32 bytes")
    need(said[0] == vkey.name, "origin_mismatch", "the checkpoint's origin is not the key's name")
    checkpoint = Checkpoint(said[0], size, root, (signed + "\n").encode(), lines)
    need(checkpoint.check_line(vkey), "unsigned", "no line of the checkpoint is by the log's key")
    return checkpoint


# ---- §13 Receipts -------------------------------------------------------------------------------

LINK = table(index=u64, entry=byte_string(32_768), path=list_of(bytes32, 0, 65))
EXTRA = table(entry=byte_string(32_768), authority=list_of(LINK, 0, 64))
MAY_SAY = {"platform": ("award", "transfer", "claim", "assignment", "correction"),
           "planter": ("plot", "planting", "correction"), "surveyor": ("survey", "correction")}


def read_receipt(data):
    """§13: the chain from the entry to the last link, each with index and path, and the checkpoint's bytes."""
    head, parted, note = data.partition(b"\n\n")
    try:
        lines = head.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Refused("receipt_malformed", "the receipt is not UTF-8") from None
    need(parted and len(lines) >= 3 and lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ")
         and lines[2].startswith("index "), "receipt_malformed", "the receipt lacks a line, or has another order")
    need(len(lines) <= 3 + 65, "receipt_malformed", "an inclusion proof has more than 65 hashes")
    extra = decode_base64(lines[1][6:], "the extra line")
    need(len(extra) <= 2 << 20, "receipt_malformed", "the extra line is longer than 2 MiB")
    extra = read_whole(EXTRA, extra)
    path = [decode_base64(line, "a hash of the proof") for line in lines[3:]]
    need(all(len(one) == 32 for one in path), "receipt_malformed", "a hash of the proof has not 32 bytes")
    index = decode_decimal(lines[2][6:], "the index")
    return [SimpleNamespace(index=index, entry=extra.entry, path=path), *extra.authority], note


def named_keys(entry):
    s = entry.statement
    return [*getattr(s, "governors", ()), *(getattr(s, name) for name in ("key", "log_key") if hasattr(s, name))]


def verify_receipt(data, vkey, genesis_id=None, witnesses=()):
    """§13.1."""
    chain, note = read_receipt(data)
    checkpoint = open_checkpoint(note, vkey)
    for witness in witnesses:
        need(checkpoint.check_line(witness), "witness_missing", f"no cosignature by {witness.name}", "checkpoint")
    entries = []
    for place, link in enumerate(chain):
        where = f"link {place - 1}" if place else "entry"
        try:
            entries.append(check_link(link, checkpoint))
        except Refused as refused:
            raise Refused(refused.code, refused.what, where) from None
    for place, (entry, behind) in enumerate(zip(entries, entries[1:])):
        where = f"link {place}"
        need(len(entry.lineage) > 1 and entry.lineage[1] == behind.index < entry.index,
             "authority_broken", "it is not the entry that lineage[1] names", where)
        check_authority(entry, behind, place, where)
    last = entries[-1]
    need(last.kind == "genesis" and last.index == 0, "authority_broken", "the last link is no genesis at 0")
    need(last.statement.origin == checkpoint.origin, "origin_mismatch", "the genesis is of another origin")
    need(genesis_id in (None, last.id), "genesis_other", "the genesis is not the one that was pinned")
    first = entries[0]
    return {"index": first.index, "tree_size": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(),
            "kind": first.kind, "issuer": first.issuer.hex(), "id": first.id.hex(), "genesis": last.id.hex()}


def check_link(link, checkpoint):
    """Steps 4 and 7."""
    need(is_included(sha256(b"\0" + link.entry), link.index, checkpoint.size, link.path, checkpoint.root),
         "not_included", "it is not at its index in the checkpoint's tree")
    entry = decode_entry(link.entry)
    check_signatures(entry, checkpoint.origin)
    entry.index, s = link.index, entry.statement
    need(all(good_key(key) for key in named_keys(entry)), "key_invalid", "it names a key that is no good key")
    must_sign = {"genesis": named_keys, "key_grant": named_keys}.get(entry.kind, lambda _: ())(entry)
    need(entry.signers.issuperset(must_sign), "possession_unproven", "a key that gets a task did not sign")
    return entry


def check_authority(entry, behind, place, where):
    """Step 6."""
    s = behind.statement
    if behind.kind == "key_grant":
        need(place == 0 and s.key == entry.issuer and entry.kind in MAY_SAY[s.role],
             "role_refused", "the grant does not give the issuer a role that says this", where)
    else:
        need(behind.kind in ("genesis", "governors"), "authority_broken", "this link proves nothing", where)
        need(entry.issuer in s.governors, "role_refused", "the issuer is none of the governors", where)
        need(sum(key in entry.signers for key in set(s.governors)) >= s.quorum, "quorum_short",
             f"fewer than {s.quorum} governors signed", where)


# ---- §14 Auditing a whole ledger ----------------------------------------------------------------

def audit(directory, vkey, genesis_id=None):
    try:
        checkpoint = open_checkpoint(read_file(os.path.join(directory, "checkpoint"), 65_536, "checkpoint"), vkey)
    except Refused as refused:
        refused.where = "checkpoint"
        raise
    leaves = []

    def bundle_of(index):
        first = index - index % 256
        width = min(256, checkpoint.size - first)
        return read_bundle(directory, tile_path("entries", first // 256, width), width)

    def fetch(index):
        entry = decode_entry(bundle_of(index)[index % 256])
        need(entry.leaf == leaves[index], "changed_meanwhile", "a bundle changed during the audit")
        return entry

    ledger = Ledger(checkpoint.origin, fetch)
    while len(leaves) < checkpoint.size:
        for data in bundle_of(len(leaves)):
            try:
                leaves.append(ledger.admit(data).leaf)
            except Refused as refused:
                refused.where = refused.where or f"entry {len(leaves)}"
                raise
            if len(leaves) == 1:
                need(genesis_id in (None, ledger.genesis_id), "genesis_other",
                     "the genesis is not the one that was pinned", "entry 0")
        show_progress(len(leaves), checkpoint.size)
    totals = ledger.check_books()
    check_tree(directory, leaves, checkpoint)
    check_log_keys(ledger, checkpoint, vkey)
    return {"entries": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode(),
            "genesis": ledger.genesis_id.hex(), "totals": totals}


def check_tree(directory, leaves, checkpoint):
    """§11: the root, and the tiles of every level."""
    whole = merkle_root(leaves) == checkpoint.root
    level, hashes = 0, leaves
    while hashes:
        in_tiles = []
        for path, first, width in tiles_of(level, len(hashes)):
            tile = read_file(os.path.join(directory, path), 8192, path)
            need(len(tile) == 32 * width, "tile_malformed", f"the tile has not {width} hashes", path)
            need(not whole or tile == b"".join(hashes[first:first + width]), "tile_wrong",
                 "the tile has not the hashes that the entries make", path)
            in_tiles += [tile[i:i + 32] for i in range(0, len(tile), 32)]
        if not whole:
            if merkle_root(in_tiles) == checkpoint.root:        # then the tiles tell which entry it is
                wrong = next(i for i, leaf in enumerate(leaves) if leaf != in_tiles[i])
                raise Refused("root_mismatch", "the entry is not the one in the signed tree", f"entry {wrong}")
            raise Refused("root_mismatch", "the entries do not make the checkpoint's root", "checkpoint")
        level += 1
        hashes = [merkle_root(hashes[i:i + 256]) for i in range(0, len(hashes) - 255, 256)]


def check_log_keys(ledger, checkpoint, pinned):
    """§12: the key in force signs in the first line, and keys before it beside it, in their order."""
    vkeys = [VerifierKey(checkpoint.origin, 1, key) for key, _ in ledger.log_keys]
    places = [place for vkey in vkeys for place in checkpoint.check_line(vkey)]
    in_force = checkpoint.lines_of(vkeys[-1])
    need(in_force[:1] == [0], "log_key_not_in_force",
         "the first line is not by the log key in force for this size", "checkpoint")
    before = [place for place in places if place not in in_force]
    need(before == sorted(before), "log_key_order", "earlier log keys' lines are in another order", "checkpoint")
    need(pinned.key in [vkey.key for vkey in vkeys], "log_key_unknown",
         "the ledger never named the key that was given", "checkpoint")


def show_progress(done, size):
    if sys.stderr.isatty() and (done % 1024 == 0 or done == size):
        print(f"\r{done:,} of {size:,} entries", end="\n" if done == size else "", file=sys.stderr, flush=True)


# ---- The command line ---------------------------------------------------------------------------

NOT_PROVEN = ("Not proven: that the key was not revoked or expired; that its governors were still in force; that "
              "the rules held; that no correction or anything newer followed; that others see the same log "
              "(witnesses are for that); that what was said is true.")


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="arborlog_verify.py", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)

    def argument(read):
        def checked(written):
            try:
                return read(written)
            except (Refused, ValueError) as error:
                raise argparse.ArgumentTypeError(str(error)) from None
        return checked

    def digest(written):
        need(re.fullmatch("[0-9a-fA-F]{64}", written), "usage", "not 64 hexadecimal digits")
        return bytes.fromhex(written)

    for name, target in (("receipt", "FILE"), ("audit", "DIR")):
        command = commands.add_parser(name)
        command.add_argument("target", metavar=target)
        command.add_argument("--log", required=True, metavar="VKEY", help="the log's verifier key",
                             type=argument(lambda written: parse_vkey(written, 1)))
        command.add_argument("--genesis", metavar="HEX", help="the genesis' record id", type=argument(digest))
        command.add_argument("--json", action="store_true", help="one line of JSON")
        if name == "receipt":
            command.add_argument("--witness", action="append", default=[], metavar="VKEY",
                                 type=argument(lambda written: parse_vkey(written, 4)))
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        need(library_is_cofactorless(), "library_unfit", "this `cryptography` checks with the cofactor")
        if options.command == "receipt":
            found = verify_receipt(read_file(options.target, 4 << 20, "receipt"), options.log,
                                   options.genesis, options.witness)
        else:
            found = audit(options.target, options.log, options.genesis)
        exit_code, answer = 0, {"ok": True, **found}
    except Refused as refused:
        where = refused.where or options.command
        exit_code = refused.exit_code
        answer = {"ok": False, "where": where, "code": refused.code, "what": refused.what}
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
    elif exit_code:
        print(f"{answer['where']}: {answer['code']}: {answer['what']}")
    else:
        for name, value in found.items():
            print(f"{name}: {json.dumps(value)}")
        if options.command == "receipt":
            print(("" if options.genesis else "No genesis was pinned: compare it yourself. ") + NOT_PROVEN)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
