"""Write to an arborlog ledger, and verify what it proves. README.md has the first award in ten lines.

The core (statements, records, merkle, outbox, sender) needs the standard library alone: signing and HTTP come from
outside. `Key`, `verify_receipt` and a sender's `log` use the package `cryptography`, which is imported at their first use.
"""

from .errors import (
    AnotherWriter, ArborlogError, KeyRefused, LogFault, NotVerified, OutboxError, RequestRefused, StatementError,
    Unanswered,
)
from .events import evidence_of, points_of
from .outbox import Outbox
from .sender import Report, Sender
from .statements import encode

__all__ = [
    "AnotherWriter", "ArborlogError", "Key", "KeyRefused", "LogFault", "NotVerified", "Outbox", "OutboxError",
    "Report", "RequestRefused", "Sender", "StatementError", "Unanswered", "encode", "evidence_of", "points_of", "verify_receipt",
]


def __getattr__(name):
    if name == "Key":
        from .keys import Key

        return Key
    if name == "verify_receipt":
        from .receipts import verify_receipt

        return verify_receipt
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
