"""Statements as bytes (docs/format.md, sections 2 and 6).

`encode` takes a statement in the JSON form of docs/statements.md and gives its one encoding. Every limit of the
format is checked here, so that what the server would call `not_canonical` never leaves the program.
"""

import datetime
import re

from .errors import StatementError

# A record has 76 bytes before its statement, and 25,600 in all.
STATEMENT_BYTES_MAX = 25_600 - 76
SEALABLE = frozenset(("award", "transfer", "planting", "survey", "claim", "assignment", "correction"))

_DAY_MAX = 2_932_896  # 9999-12-31
_EPOCH = datetime.date(1970, 1, 1).toordinal()
# Section 2.2: what is refused in text, and what a name (an origin) may not have besides.
_INVISIBLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_REFUSED = re.compile(r"[\0-\x1f\x7f-\x9f\u2028\u2029" + _INVISIBLE + "]")
_NAME_REFUSED = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+]")
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_WEB_ADDRESS = re.compile(r"(https?://.*)?")
_COUNTRY = re.compile(r"[A-Z]{2}")


def encode(statement):
    """The bytes of a statement: its kind's number and its fields.

    Digests and keys are 64 hexadecimal digits or 32 bytes, days `YYYY-MM-DD` or `datetime.date`.
    """
    if not isinstance(statement, dict):
        raise StatementError("statement", f"it is an object with a kind, not {type(statement).__name__}")
    fields = dict(statement)
    kind = fields.pop("kind", None)
    if kind not in _KINDS:
        raise StatementError("kind", f"{kind!r} is none of {', '.join(_KINDS)}")
    number, write = _KINDS[kind]
    data = number.to_bytes(4, "big") + write(fields, "")
    if kind == "transfer" and (fields["reason"] in ("expired", "spent_elsewhere")) != (fields.get("to") is None):
        raise StatementError("to", f"the reason {fields['reason']!r} and the receiver do not fit each other")
    if len(data) > STATEMENT_BYTES_MAX:
        raise StatementError("statement", f"it has {len(data)} bytes, and {STATEMENT_BYTES_MAX} are the most")
    return data


def kind_of(data):
    """The kind of an encoded statement, or None for a number that has none."""
    number = int.from_bytes(data[:4], "big")
    return _NAMES[number] if len(data) >= 4 and number < len(_NAMES) else None


def days_of(written, where="day"):
    """A day as the number of days since 1970-01-01."""
    if isinstance(written, datetime.datetime) or not isinstance(written, (str, datetime.date)):
        raise StatementError(where, f"{written!r} is no day: write YYYY-MM-DD")
    if isinstance(written, str):
        if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", written, re.ASCII):
            raise StatementError(where, f"{written!r} is no day: write YYYY-MM-DD")
        try:
            written = datetime.date.fromisoformat(written)
        except ValueError:
            raise StatementError(where, f"the calendar has no day {written}") from None
    days = written.toordinal() - _EPOCH
    if not 0 <= days <= _DAY_MAX:
        raise StatementError(where, f"{written} is not within 1970-01-01 to 9999-12-31")
    return days


# ---- writers: each takes a value and the name of its field, and gives bytes --------------------------


def _uint(width, low=0, high=None, signed=False):
    high = 2 ** (8 * width) - 1 if high is None else high

    def write(value, where):
        if not isinstance(value, int) or isinstance(value, bool):
            raise StatementError(where, f"{value!r} is no whole number")
        if not low <= value <= high:
            raise StatementError(where, f"{value} is not within {low} to {high}")
        return value.to_bytes(width, "big", signed=signed)

    return write


def _coordinate(limit):
    return _uint(4, -limit, limit, signed=True)


def _fixed(width):
    def write(value, where):
        if isinstance(value, str):
            if not re.fullmatch("[0-9a-fA-F]*", value):
                raise StatementError(where, "it is not hexadecimal")
            value = bytes.fromhex(value) if len(value) % 2 == 0 else b""
        if not isinstance(value, (bytes, bytearray)):
            raise StatementError(where, f"{value!r} is neither {2 * width} hexadecimal digits nor {width} bytes")
        if len(value) != width:
            raise StatementError(where, f"it has not {width} bytes, which are {2 * width} hexadecimal digits")
        return bytes(value)

    return write


def _day(value, where):
    return days_of(value, where).to_bytes(4, "big")


def _utf8(value, limit, where):
    if not isinstance(value, str):
        raise StatementError(where, f"{value!r} is no text")
    try:
        data = value.encode("utf-8")
    except UnicodeEncodeError:
        raise StatementError(where, "it has half of a surrogate pair") from None
    if len(data) > limit:
        raise StatementError(where, f"it has {len(data)} bytes of UTF-8, and {limit} are the most")
    return data


def _refuse_characters(value, pattern, where):
    found = pattern.search(value)
    if found:
        raise StatementError(where, f"the character U+{ord(found[0]):04X} at {found.start()} is refused")


def _text(limit, pattern=None, form=""):
    def write(value, where):
        data = _utf8(value, limit, where)
        _refuse_characters(value, _REFUSED, where)
        if pattern and not pattern.fullmatch(value):
            raise StatementError(where, f"{value!r} is not {form}")
        return len(data).to_bytes(8, "big") + data

    return write


def _origin(value, where):
    data = _text(200)(value, where)
    _refuse_characters(value, _NAME_REFUSED, where)
    if not value:
        raise StatementError(where, "it is empty")
    return data


def _policy(value, where):
    data = _utf8(value, 24_576, where)
    _refuse_characters(re.sub("[\t\n]", "", value), _REFUSED, where)
    # What a policy's lines may say takes its keys' arithmetic, which the verifier has. Governors alone state one.
    from . import verifier

    try:
        verifier.read_policy(value.encode())
    except verifier.Refused as refused:
        raise StatementError(where, refused.what) from None
    return len(data).to_bytes(8, "big") + data


def _option(inner):
    def write(value, where):
        return b"\0" if value is None else b"\1" + inner(value, where)

    write.optional = True
    return write


def _list(inner, low, high):
    def write(value, where):
        if not isinstance(value, (list, tuple)):
            raise StatementError(where, f"{value!r} is no list")
        if not low <= len(value) <= high:
            raise StatementError(where, f"it has {len(value)} items, and {low} to {high} are allowed")
        items = (inner(item, f"{where}[{place}]") for place, item in enumerate(value))
        return len(value).to_bytes(8, "big") + b"".join(items)

    return write


def _outline(value, where):
    data = _list(_table(_POINT), 3, 500)(value, where)
    corners = [data[start : start + 8] for start in range(8, len(data), 8)]
    for place in range(len(corners)):
        if corners[place] == corners[place - 1]:
            raise StatementError(f"{where}[{place}]", "it is the corner before it, or the last one is the first")
    return data


def _holders(value, where):
    data = _list(_text(64, _SLUG, "a slug"), 0, 16)(value, where)
    for place in range(1, len(value)):
        if value[place - 1] >= value[place]:
            raise StatementError(f"{where}[{place}]", "the list is not strictly ascending")
    return data


def _table(fields):
    def write(value, where):
        if not isinstance(value, dict):
            raise StatementError(where, f"{value!r} is no object")
        unknown = [name for name in value if name not in fields]
        if unknown:
            raise StatementError(_join(where, unknown[0]), f"there is no such field: {', '.join(fields)}")
        return b"".join(_field(value, name, inner, where) for name, inner in fields.items())

    return write


def _field(value, name, inner, where):
    if name not in value and not getattr(inner, "optional", False):
        raise StatementError(_join(where, name), "it is missing")
    return inner(value.get(name), _join(where, name))


def _join(where, name):
    return f"{where}.{name}" if where else str(name)


def _variant(variants):
    """One of several: a word where it has no fields, else an object of one."""
    names = list(variants)

    def write(value, where):
        name, fields = (value, {}) if isinstance(value, str) else (None, None)
        if isinstance(value, dict) and len(value) == 1:
            ((name, fields),) = value.items()
        if not isinstance(name, str) or name not in variants or (isinstance(value, str) == bool(variants[name])):
            raise StatementError(where, f"{value!r} is none of {', '.join(names)}")
        written = _table(variants[name])(fields, _join(where, name) if variants[name] else where)
        return names.index(name).to_bytes(4, "big") + written

    return write


def _word(*names):
    return _variant({name: {} for name in names})


_U8, _U16, _U32, _U64, _BYTES32 = _uint(1), _uint(2), _uint(4), _uint(8), _fixed(32)
_COUNT = _uint(4, 1)
_MLDSA_KEY = _option(_fixed(1312))
_POINT = {"latitude": _coordinate(900_000_000), "longitude": _coordinate(1_800_000_000)}
_GOVERNORS = {"governors": _list(_BYTES32, 1, 16), "quorum": _U8}
_ACTIVITY = {"code": _U16, "name": _text(60), "unit": _text(20), "factor": _U64, "cap": _U64}
_SPECIES = {"code": _U16, "name": _text(100), "price": _U64}
_ADDRESS = _text(300, _WEB_ADDRESS, "empty, nor an address that begins with https:// or http://")

# In the order of their numbers, and of their fields in the bytes.
_FIELDS = {
    "genesis": {
        "format": _uint(4, 1, 1), "origin": _origin, "programme": _text(500), **_GOVERNORS, "log_key": _BYTES32,
        "mldsa_key": _MLDSA_KEY,
    },
    "governors": {**_GOVERNORS, "set": _U64},
    "key_grant": {
        "key": _BYTES32, "role": _word("platform", "planter", "surveyor", "auditor"),
        "holder": _text(64, _SLUG, "a slug of a to z, 0 to 9 and -"), "display_name": _text(100),
        "expires_on": _option(_day), "set": _U64,
    },
    "key_revoke": {"key": _BYTES32, "reason": _text(300), "compromised_since": _option(_day), "set": _U64},
    "log_key": {"key": _BYTES32, "mldsa_key": _MLDSA_KEY, "set": _U64},
    "method": {
        "id": _U32, "version": _U32, "effective_from": _day, "activities": _list(_table(_ACTIVITY), 0, 128),
        "species": _list(_table(_SPECIES), 0, 400), "baseline": _text(1000), "sources": _text(1000),
        "jurisdiction": _text(200), "document": _BYTES32, "set": _U64,
    },
    "award": {
        "account": _BYTES32, "method": _U32, "version": _U32, "activity": _U16, "quantity": _U64, "points": _U64,
        "occurred_on": _day, "evidence": _BYTES32,
    },
    "transfer": {
        "from": _BYTES32, "to": _option(_BYTES32), "points": _U64,
        "reason": _word("gift", "collected", "pooled", "expired", "spent_elsewhere"),
    },
    "plot": {
        "number": _U32, "name": _text(100), "country": _text(2, _COUNTRY, "a code of two letters, A to Z"),
        "place": _variant({"circle": {**_POINT, "radius_m": _U32}, "outline": {"points": _outline}}),
        "finer_outline": _option(_BYTES32), "area_m2": _U64, "trees_per_ha_max": _U32,
        "carbon_rights": _variant({
            "none_issued": {}, "issued": {"registry": _text(100), "id": _text(100)}, "unknown": {},
        }),
        "funded_by": _text(100), "for": _holders, "set": _option(_U64),
    },
    "planting": {
        "plot": _U32, "species": _U16, "first_serial": _U32, "count": _COUNT, "planted_from": _day,
        "planted_until": _day, "evidence": _BYTES32, "evidence_at": _ADDRESS,
    },
    "survey": {
        "plot": _U32, "planting": _option(_U64), "surveyed_on": _day, "as_of": _U64,
        "basis": _word("census", "random_sample", "remote_sensing"), "protocol": _text(200),
        "plan": _option(_BYTES32), "alive": _U32, "dead": _U32, "not_found": _U32, "dead_known": _U32,
        "revived": _U32, "evidence": _BYTES32, "evidence_at": _ADDRESS, "paid_by": _text(100),
        "next_due": _option(_day),
    },
    "claim": {"account": _BYTES32, "method": _U32, "version": _U32, "species": _U16, "points": _U64},
    "assignment": {"plot": _U32, "first_serial": _U32, "claims": _list(_U64, 1, 1024)},
    "correction": {
        "target": _U64, "reason": _text(300),
        "remedy": _variant({
            "reverse": {"points": _U64},
            "lost": {"count": _COUNT, "first_serial": _option(_U32), "lost_on": _day, "evidence": _option(_BYTES32)},
            "void": {},
        }),
        "set": _option(_U64),
    },
    "policy": {"policy": _policy, "set": _U64},
    "attestation": {
        "size": _U64, "tree_root": _BYTES32, "state_root": _BYTES32, "period_from": _day, "period_until": _day,
        "level": _word("limited", "reasonable"),
        "opinion": _word("unmodified", "qualified", "adverse", "disclaimed"),
        "findings": _BYTES32, "report": _BYTES32, "report_at": _text(300), "words": _text(1000),
    },
    "seal": {"count": _uint(4, 1, 16_384), "root": _BYTES32},
}
_NAMES = list(_FIELDS)
_KINDS = {name: (number, _table(fields)) for number, (name, fields) in enumerate(_FIELDS.items())}
