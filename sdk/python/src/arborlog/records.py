"""Records, seals and the bodies that are posted (docs/format.md, sections 3, 5.3 and 6.16)."""

import hashlib
from dataclasses import dataclass

from .errors import ArborlogError
from .merkle import root_of
from .statements import encode

BATCH_STATEMENTS_MAX = 16_384
BATCH_BYTES_MAX = 8 << 20
RECORD_BYTES_MAX = 25_600
ENDORSEMENTS_MAX = 32
DAY_MAX = 2_932_896


def record_bytes(issuer, seq, prev, issued_on, statement):
    """A record: `statement` is encoded already, `issued_on` the number of days since 1970-01-01."""
    _need(len(issuer) == 32 and len(prev) == 32, "issuer and prev have 32 bytes")
    _need(0 <= seq < 2**64, f"the seq {seq} is not within 0 to 2^64 - 1")
    _need(0 <= issued_on <= DAY_MAX, f"the day {issued_on} is not within 0 to {DAY_MAX}")
    record = issuer + seq.to_bytes(8, "big") + prev + issued_on.to_bytes(4, "big") + statement
    _need(len(record) <= RECORD_BYTES_MAX, f"it has {len(record)} bytes, and {RECORD_BYTES_MAX} are the most")
    return record


def signing_input(origin, record):
    """What the issuer and every endorser sign."""
    return b"arborlog/record/v1\n" + origin.encode() + b"\n" + record


def record_id(origin, record):
    """The id that the issuer's next record names as `prev`."""
    return hashlib.sha256(signing_input(origin, record)).digest()


def signed_record(record, signature, endorsements=(), mldsa_signature=b""):
    """A record with its signatures. `endorsements` are pairs of key and signature, in any order."""
    _need(len(signature) == 64, "a signature has 64 bytes")
    _need(len(mldsa_signature) in (0, 2420), "an ML-DSA signature has 2,420 bytes")
    pairs = sorted(endorsements)
    _need(len(pairs) <= ENDORSEMENTS_MAX, f"{ENDORSEMENTS_MAX} endorsements are the most")
    _need(len({key for key, _ in pairs} | {record[:32]}) == len(pairs) + 1, "a key endorses twice, or the issuer does")
    _need(all(len(key) == 32 and len(made) == 64 for key, made in pairs), "an endorsement has 32 and 64 bytes")
    written = b"".join(key + made for key, made in pairs)
    return _sized(record, 8) + signature + len(pairs).to_bytes(8, "big") + written + mldsa_signature


def records_body(signed_records):
    """What `POST /v1/records` takes as application/octet-stream."""
    _need(len(signed_records) <= BATCH_STATEMENTS_MAX, f"{BATCH_STATEMENTS_MAX} records are the most")
    return b"".join(_sized(signed, 4) for signed in signed_records)


def seal_of(statements):
    """The statement that signs for all of these, which are encoded already, in their order."""
    _need(1 <= len(statements) <= BATCH_STATEMENTS_MAX, f"a seal is for 1 to {BATCH_STATEMENTS_MAX} statements")
    _need(sum(map(len, statements)) <= BATCH_BYTES_MAX, f"{BATCH_BYTES_MAX} bytes of statements are the most")
    return encode({"kind": "seal", "count": len(statements), "root": root_of(statements)})


def batch_body(signed_seal, statements):
    """What `POST /v1/batches` takes as application/vnd.arborlog.batch."""
    return _sized(signed_seal, 4) + b"".join(_sized(statement, 4) for statement in statements)


@dataclass(frozen=True)
class ChainEntry:
    """A signed entry of the log: what a writer needs of one of its own."""

    record: bytes
    signature: bytes
    seq: int
    prev: bytes
    issued_on: int
    statement: bytes
    before: int | None


NONE = 2**64 - 1
_SEALED_PLACES = {6: 1, 7: 2, 9: 1, 10: 1, 11: 1, 12: 1, 13: 3}


def read_signed_entry(data):
    """A signed entry's record and its issuer's entry before, or None for bytes that are none."""
    number, places = int.from_bytes(data[:2], "big"), int.from_bytes(data[10:18], "big")
    start = 18 + 8 * places
    length = int.from_bytes(data[start : start + 8], "big")
    end = start + 8 + length
    if number != 1 or not 1 <= places <= 5 or not 84 <= length <= RECORD_BYTES_MAX or end + 64 > len(data):
        return None
    record = data[start + 8 : end]
    before = int.from_bytes(data[18:26], "big")
    return ChainEntry(
        record, data[end : end + 64], int.from_bytes(record[32:40], "big"), record[40:72],
        int.from_bytes(record[72:76], "big"), record[76:], None if before == NONE else before,
    )


def read_sealed_statement(data):
    """The statement of a sealed entry, or None for bytes that are none."""
    places = _SEALED_PLACES.get(int.from_bytes(data[4:8], "big"))
    if data[:2] != b"\0\2" or places is None or len(data) < 8 + 8 * places:
        return None
    return data[4 : len(data) - 8 * places]


def _sized(data, width):
    return len(data).to_bytes(width, "big") + data


def _need(condition, what):
    if not condition:
        raise ArborlogError("record_malformed", what)
