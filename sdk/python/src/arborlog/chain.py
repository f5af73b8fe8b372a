"""The log as a writer sees it: it extends what was acknowledged, and the key's chain in it continues where it must."""

from dataclasses import dataclass

from .checkpoints import Behind, check_extends, read_checkpoint
from .errors import KeyRefused, LogFault, RequestRefused
from .merkle import leaf_hash, root_by_path
from .records import read_signed_entry, record_id
from .remote import decoded, hash_of, hashes_of, whole

WALK_MAX = 65_536
BUNDLE = 256


@dataclass(frozen=True)
class Tail:
    """The end of a key's chain: the next seq and prev, the index of its last entry, and of its revocation, or None."""

    next_seq: int
    prev: bytes
    index: int | None
    revoked_at: int | None


class Chain:
    """Looks at the log for one key. `check_note` raises if a checkpoint is not signed as it must be."""

    def __init__(self, remote, outbox, check_note):
        self._remote, self._outbox, self._check_note = remote, outbox, check_note

    def kept(self):
        """The checkpoint that the next one must extend, or None. Ask for it before the request: another sender of the
        same outbox may note a newer one meanwhile."""
        head = self._outbox.head()
        return read_checkpoint(head.checkpoint) if head else None

    def advance(self, note, kept):
        """Takes a checkpoint that extends the one that was kept; gives it."""
        shown = read_checkpoint(note)
        self._check_note(note)
        if kept and shown.origin != kept.origin:
            raise RequestRefused(
                "other_log", f"the server's log is {shown.origin}, the outbox is of {kept.origin}", "check the address"
            )
        check_extends(kept, shown, self._consistency)
        if kept:
            self._outbox.seen(note)
        return shown

    def newest(self):
        """The newest checkpoint of the first address whose log is not behind what was acknowledged."""
        behind = None
        for _ in range(2 * self._remote.places):
            kept = self.kept()
            try:
                return self.advance(self._remote.checkpoint(), kept)
            except Behind as error:
                behind = error
                self._remote.turn()
        raise behind.as_fault()

    def tail(self):
        """Where the key's chain ends by the server's word."""
        said = self._remote.json(f"/v1/issuers/{self._outbox.issuer.hex()}")
        if said is None:
            raise KeyRefused("issuer_unknown", "the ledger does not know this key", "have governors grant it a role")
        last, revoked_at = said.get("head"), said.get("revoked_at")
        return Tail(
            whole(said.get("next_seq"), "next_seq"),
            hash_of(said.get("prev") or "00" * 32, "prev"),
            None if last is None else whole(last.get("index") if isinstance(last, dict) else last, "the head's index"),
            None if revoked_at is None else whole(revoked_at, "revoked_at"),
        )

    def own_entry(self, index, checkpoint):
        """A signed entry of the key at this index, proven to be in the log of the checkpoint: (entry, record id)."""
        said = self._remote.json(f"/v1/entries/{index}")
        proof = self._remote.json(f"/v1/proofs/inclusion?index={index}&size={checkpoint.size}")
        if said is None or proof is None:
            raise LogFault("entry_missing", f"the log does not give entry {index}", shown=checkpoint.note)
        data = decoded(said.get("entry"))
        path = hashes_of(proof)
        entry = read_signed_entry(data)
        if root_by_path(leaf_hash(data), index, checkpoint.size, path) != checkpoint.root:
            raise LogFault("not_included", f"entry {index} is not in the log that the checkpoint is of", shown=checkpoint.note)
        if entry is None or entry.record[:32] != self._outbox.issuer:
            raise LogFault("entry_wrong", f"entry {index} is no record of this key", shown=checkpoint.note)
        return entry, record_id(checkpoint.origin, entry.record)

    def walk_back(self, index, seq, checkpoint):
        """The key's entries from `index` back to the one of `seq`: (index, entry, record id), the newest first.

        Each names the one before it, so that the first one proves all of them.
        """
        if index is None:
            raise RequestRefused("answer_malformed", "the server counts records of the key, and names no entry of one")
        expected = None
        for _ in range(WALK_MAX):
            entry, its_id = self.own_entry(index, checkpoint)
            if expected not in (None, (entry.seq, its_id)):
                raise LogFault("chain_broken", f"entry {index} is not the record that the next one names", shown=checkpoint.note)
            yield index, entry, its_id
            if entry.seq <= seq or entry.before is None:
                return
            index, expected = entry.before, (entry.seq - 1, entry.prev)
        raise RequestRefused("chain_too_long", f"the log has more than {WALK_MAX} records of this key that are not known")

    def entries(self, start, end, size):
        """The bytes of these entries of a log of this size, from its bundles of 256; nothing of them is proven yet."""
        found = []
        for number in range(start // BUNDLE, (end - 1) // BUNDLE + 1):
            self._remote.begin()
            width = min(BUNDLE, size - number * BUNDLE)
            data = self._remote.bytes(f"/tile/entries/{bundle_name(number)}{f'.p/{width}' if width < BUNDLE else ''}")
            for index in range(number * BUNDLE, number * BUNDLE + width):
                length = int.from_bytes(data[:2], "big")
                found += [data[2 : 2 + length]] if start <= index < end else []
                data = data[2 + length :]
        return found

    def _consistency(self, size, larger):
        said = self._remote.json(f"/v1/proofs/consistency?from={size}&to={larger}")
        if said is None:
            raise RequestRefused("proof_missing", f"the server gives no proof from size {size} to {larger}")
        return hashes_of(said)


def bundle_name(number):
    """A bundle's number as paths have it: three digits a part, all but the last behind an x."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03}")
    return "/".join(parts)
