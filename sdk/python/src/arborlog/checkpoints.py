"""What a checkpoint claims (docs/format.md, section 12). Whether it is signed, `receipts.py` says."""

import base64
import binascii
import re
from dataclasses import dataclass

from .errors import LogFault
from .merkle import extends


@dataclass(frozen=True)
class Checkpoint:
    """Origin, size and root, and the note that they stand in."""

    origin: str
    size: int
    root: bytes
    note: str


class Behind(Exception):
    """A server showed a smaller log than one that was acknowledged: it lags, or was put back from an older copy."""

    def __init__(self, kept, shown):
        super().__init__(f"the log has {shown.size} entries, and had {kept.size}")
        self.kept, self.shown = kept, shown

    def as_fault(self):
        return LogFault("log_shrank", f"the log lost what it acknowledged: {self}", self.kept.note, self.shown.note)


def read_checkpoint(note):
    """Reads a checkpoint. One that can't be read is a fault of the log: each comes from its server."""
    lines = note.split("\n")
    parsed = len(lines) >= 5 and lines[3] == "" and re.fullmatch("[1-9][0-9]{0,19}", lines[1], re.ASCII)
    try:
        root = base64.b64decode(lines[2], validate=True) if parsed else b""
    except binascii.Error:
        root = b""
    if len(root) != 32:
        raise LogFault("checkpoint_malformed", "what the server gave as its checkpoint is none", shown=note)
    return Checkpoint(lines[0], int(lines[1]), root, note)


def check_extends(kept, shown, fetch_consistency):
    """That the log of `shown` begins with all of the log of `kept`, which may be None.

    `fetch_consistency(size, larger_size)` gives the hashes that prove it.
    """
    if kept is None or (kept.size == shown.size and kept.root == shown.root):
        return
    if shown.size < kept.size:
        raise Behind(kept, shown)
    path = [] if shown.size == kept.size else fetch_consistency(kept.size, shown.size)
    if not extends(kept.size, kept.root, shown.size, shown.root, path):
        raise LogFault(
            "log_forked", f"the log of {shown.size} entries does not extend the one of {kept.size} that it showed before",
            kept.note, shown.note,
        )
