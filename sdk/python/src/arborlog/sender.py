"""The sender: signs what waits in an outbox, and sends it until the ledger has it, once."""

import time
from dataclasses import dataclass, field

from .chain import Chain
from .checkpoints import Behind
from .errors import AnotherWriter, KeyRefused, LogFault, RequestRefused, Unanswered
from .merkle import root_of
from .outbox import Head
from .records import (
    BATCH_BYTES_MAX, BATCH_STATEMENTS_MAX, batch_body, read_sealed_statement, record_bytes, record_id, records_body,
    seal_of, signed_record, signing_input,
)
from .remote import ATTEMPT_S, PATIENCE_S, Remote, json_object, problem_of, refused, whole
from .statements import kind_of

SEAL_STATEMENTS = 1_000
DAY_MS = 86_400_000
# Why the ledger takes nothing of this key: no statement is at fault.
ABOUT_KEY = frozenset(("issuer_unknown", "key_revoked", "key_expired"))
ABOUT_CHAIN = frozenset(("sequence_gap", "sequence_used", "already_in", "chain_broken"))
# Refusals that no statement has: a fault here, or another ledger.
ABOUT_MESSAGE = frozenset((
    "not_canonical", "signature_invalid", "issuers_mixed", "seal_mismatch", "issued_on_decreases", "batch_refused",
))


@dataclass
class Report:
    """What one call did: how many statements went in, how many of these were in before, and which were refused."""

    admitted: int = 0
    already_in: int = 0
    refused: list = field(default_factory=list)

    @property
    def outcome(self):
        """`holds` if all that waited is in, else `not_all_in`."""
        return "not_all_in" if self.refused else "holds"


class Sender:
    """Sends an outbox's statements under a key.

    `addresses` are those of one ledger's servers. `log` is the log's verifier key, from somebody you trust: each
    checkpoint must be signed by it. (`check_note` takes its place where you check signatures by other means.)
    """

    def __init__(self, outbox, key, addresses, log=None, *, transport=None, attempt_s=ATTEMPT_S, patience_s=PATIENCE_S,
                 seal_statements=SEAL_STATEMENTS, today=lambda: int(time.time() * 1000) // DAY_MS, check_note=None):
        if bytes(key.public) != outbox.issuer:
            raise RequestRefused("key_other", "the outbox is of another key")
        if not 1 <= seal_statements <= BATCH_STATEMENTS_MAX:
            raise RequestRefused("limit_wrong", f"a seal is for 1 to {BATCH_STATEMENTS_MAX} statements")
        self._outbox, self._key, self._today = outbox, key, today
        self._seal_statements, self._seal_now = seal_statements, seal_statements
        self._remote = Remote(addresses, transport, attempt_s, patience_s)
        self._chain = Chain(self._remote, outbox, check_note or _note_checker(log))

    def send(self):
        """Sends all that waits; gives a Report. An exception leaves everything as it was: call again."""
        report = Report()
        self._remote.begin()
        if self._outbox.open_message() is None and not self._outbox.waiting():
            return report
        self._catch_up(report)
        while True:
            message = self._outbox.sign_next(self._sign, self._seal_now, BATCH_BYTES_MAX)
            if message is None:
                return report
            self._remote.begin()
            self._deliver(message, report)

    def run(self, stopped, pause_s=1.0, on_error=lambda error: None):
        """Sends what comes until `stopped` (a threading.Event) is set. What may pass is told, and tried again."""
        while not stopped.is_set():
            try:
                self.send()
            except (Unanswered, KeyRefused) as error:
                on_error(error)
            stopped.wait(pause_s)

    def recover(self):
        """Takes what the log has of this key and the outbox does not know as the outbox's own.

        For a database that was put back from an older copy, an outbox that is new for a key that is not, and a key
        that something else used and no longer does. Statements that wait and that those records say are in; gives
        how many those are, and how many the outbox had not.
        """
        self._remote.begin()
        tail = self._chain.tail()
        checkpoint = self._chain.newest()
        if self._outbox.head() is None:
            prev = bytes(32) if tail.next_seq else tail.prev
            self._outbox.begin(Head(checkpoint.origin, 0, prev, 0, checkpoint.note))
        head = self._outbox.head()
        if tail.next_seq <= head.next_seq:
            return 0, 0
        found = []
        for at, entry, its_id in self._chain.walk_back(tail.index, head.next_seq, checkpoint):
            self._remote.begin()
            found.append((entry.record, its_id, self._said_by(at, entry, checkpoint.size)))
        if head.next_seq and found[-1][0][40:72] != head.prev:
            raise LogFault(
                "chain_broken", "the log's records of this key do not continue the outbox's", head.checkpoint, checkpoint.note
            )
        return self._outbox.adopt(reversed(found))

    # ---- within ----

    def _catch_up(self, report):
        """Before anything is signed: the log extends what was kept, and the key's chain ends where the outbox says."""
        checkpoint = self._chain.newest()
        if self._outbox.head() is None:
            tail = self._chain.tail()
            if tail.next_seq:
                raise AnotherWriter(0, tail.next_seq)
            self._outbox.begin(Head(checkpoint.origin, 0, tail.prev, 0, checkpoint.note))
        for _ in range(2 * self._remote.places):
            head, tail = self._outbox.head(), self._chain.tail()
            if tail.next_seq >= head.next_seq:
                break
            # A follower may lag behind the address that gave the checkpoint.
            self._remote.turn()
        else:
            self._raise_shorter_chain(tail, head)
        if (tail.next_seq, tail.prev) != (head.next_seq, head.prev):
            self._settle_by_log(head.next_seq, report)
        if tail.revoked_at is not None:
            self._give_up(tail)

    def _give_up(self, tail):
        """The key was revoked: what it signed and is not in can never be."""
        message = self._outbox.open_message()
        if message is not None:
            self._outbox.drop(message, [])
        if self._outbox.waiting():
            raise KeyRefused("key_revoked", f"the key was revoked by entry {tail.revoked_at}", "hand over to the next key")

    def _settle_by_log(self, seq, report):
        """The place of the chain that the outbox signed for is taken: by a message of its own, or another's."""
        # In this order: the checkpoint covers all that the tail speaks of.
        head = self._outbox.head()
        if head.next_seq > seq:
            return  # Another sender of this outbox noted it meanwhile.
        tail = self._chain.tail()
        checkpoint = self._chain.newest()
        if tail.next_seq <= head.next_seq:
            self._raise_shorter_chain(tail, head)
        known = {message.record_id: message for message in self._outbox.messages_at(head.next_seq)}
        index, entry, its_id = list(self._chain.walk_back(tail.index, head.next_seq, checkpoint))[-1]
        message = known.get(its_id)
        if message is None or entry.seq != head.next_seq or tail.next_seq > head.next_seq + 1:
            if self._outbox.head().next_seq > head.next_seq:
                return
            raise AnotherWriter(head.next_seq, tail.next_seq)
        count = len(message.statements)
        self._outbox.admitted(message, index - count if message.sealed else index, checkpoint.note)
        report.already_in += count

    def _raise_shorter_chain(self, tail, head):
        if (tail.next_seq, tail.prev) == (head.next_seq, head.prev):
            raise RequestRefused("contradiction", "the server refuses the place of the chain that it names itself")
        raise LogFault(
            "chain_shorter", f"the log has {tail.next_seq} records of this key, and acknowledged {head.next_seq}, or others",
            head.checkpoint,
        )

    def _sign(self, head, statements, sealed):
        data = [statement.bytes for statement in statements]
        said = seal_of(data) if sealed else data[0]
        record = record_bytes(self._key.public, head.next_seq, head.prev, self._day(head), said)
        return record, record_id(head.origin, record), self._key.sign(signing_input(head.origin, record))

    def _day(self, head):
        """The day of signing never decreases along the chain, also if the clock was put back."""
        return max(head.issued_on, self._today())

    def _deliver(self, message, report):
        """Sends one message until there is an answer, and notes what it says."""
        kept, signed = self._chain.kept(), signed_record(message.record, message.signature)
        if message.sealed:
            body = batch_body(signed, [statement.bytes for statement in message.statements])
            status, data = self._remote.ask("POST", "/v1/batches", "application/vnd.arborlog.batch", body)
        else:
            body = records_body([signed])
            status, data = self._remote.ask("POST", "/v1/records", "application/octet-stream", body)
        if status == 200:
            self._note_admitted(message, json_object(data), kept, report)
        elif status == 413 and len(message.statements) > 1:
            self._outbox.drop(message, [])
            self._seal_now = max(1, len(message.statements) // 2)
        else:
            self._note_refused(message, status, data, report)

    def _note_admitted(self, message, answer, kept, report):
        """Only what is proven to be in the log's tree is noted as in."""
        try:
            checkpoint = self._chain.advance(str(answer.get("checkpoint")), kept)
        except Behind:
            # The address lags, or was put back from an older copy; the newest checkpoint of all tells which.
            self._remote.turn()
            self._settle_by_log(message.seq, report)
            return
        if message.sealed:
            first, index = whole(answer.get("first_index"), "first_index"), whole(answer.get("seal_index"), "seal_index")
        else:
            indexes = answer.get("indexes")
            first = index = whole(indexes[0] if isinstance(indexes, list) and indexes else None, "the index")
        if index - first != (len(message.statements) if message.sealed else 0):
            raise RequestRefused("answer_malformed", "the answer's indexes are not those of what was sent")
        _, its_id = self._chain.own_entry(index, checkpoint)
        if its_id != message.record_id:
            raise LogFault("entry_wrong", f"entry {index} is not the record that was sent", shown=checkpoint.note)
        self._outbox.admitted(message, first, checkpoint.note)
        already = bool(answer.get("already_in"))
        report.admitted += 0 if already else len(message.statements)
        report.already_in += len(message.statements) if already else 0
        self._seal_now = self._seal_statements

    def _note_refused(self, message, status, data, report):
        problem = problem_of(data)
        code, detail = problem.get("code"), str(problem.get("detail", ""))
        if not isinstance(code, str):
            raise refused(status, data)
        if code in ABOUT_CHAIN:
            self._settle_by_log(message.seq, report)
        elif code in ABOUT_KEY:
            if code != "issuer_unknown":
                # It is not in, and can never be: what it carries waits for the next key.
                self._outbox.drop(message, [])
            raise KeyRefused(code, detail, str(problem.get("advice", "")))
        elif code == "batch_refused" and message.sealed:
            refusals = _refusals_of(problem, len(message.statements))
            if not refusals:
                raise refused(status, data)
            self._drop(message, refusals, report)
        elif code == "day_refused" and int.from_bytes(message.record[72:76], "big") != self._day(self._outbox.head()):
            # It was signed too long ago to be admitted, or by a clock that was ahead: it is signed anew, with this day.
            self._outbox.drop(message, [])
        elif status == 422 or (status == 403 and not message.sealed):
            if message.sealed or code in ABOUT_MESSAGE:
                raise refused(status, data)
            self._drop(message, [(0, (str(code), detail))], report)
        else:
            raise refused(status, data)

    def _drop(self, message, refusals, report):
        self._outbox.drop(message, refusals)
        report.refused += [(message.statements[place].id, code, detail) for place, (code, detail) in refusals]

    def _said_by(self, index, entry, size):
        """What a record of the chain says: of a seal, each statement that it signs for, by the seal's root."""
        if kind_of(entry.statement) != "seal":
            return [(entry.statement, index, kind_of(entry.statement))]
        count = int.from_bytes(entry.statement[4:8], "big")
        statements = [read_sealed_statement(one) for one in self._chain.entries(index - count, index, size)]
        if None in statements or root_of(statements) != entry.statement[8:40]:
            raise LogFault("seal_mismatch", f"the entries before {index} are not those that it seals")
        return [(data, index - count + place, kind_of(data)) for place, data in enumerate(statements)]


def _refusals_of(problem, count):
    """The places in a batch that a problem document refuses, each with code and detail."""
    named = problem.get("refused")
    found = {}
    for one in named if isinstance(named, list) else ():
        place, code = (one.get("position"), one.get("code")) if isinstance(one, dict) else (None, None)
        if isinstance(place, int) and 0 <= place < count and isinstance(code, str):
            found[place] = (code, str(one.get("detail", "")))
    return sorted(found.items())


def _note_checker(log):
    if log is None:
        return lambda note: None
    from .receipts import checkpoint_checker

    return checkpoint_checker(log)
