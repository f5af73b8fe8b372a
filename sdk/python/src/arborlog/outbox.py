"""The outbox: tables beside the platform's own, in which a statement waits until it is in the ledger.

`put` runs in the platform's transaction: the statement is there exactly if what it is about is. A sender signs what
waits, in its own transaction, before anything is sent; so after a crash the same bytes are sent again. At most one
message (a seal with its statements, or one record) of a key has no answer at any time: an index of the database says
so, and two senders of one outbox do no harm.
"""

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import OutboxError, Unanswered
from .statements import SEALABLE, encode

BUSY_MS = 10_000

TABLES = """
CREATE TABLE IF NOT EXISTS arborlog_statement (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- the order in which they are signed
    issuer BLOB NOT NULL,
    name TEXT UNIQUE,                       -- the event that it is about: once, whichever key says it
    kind TEXT NOT NULL,
    bytes BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'in', 'refused')),
    entry INTEGER,                          -- its index in the log
    code TEXT,                              -- why it was refused
    detail TEXT,
    replaces INTEGER                        -- the refused one of the same name that this one puts right
);
CREATE INDEX IF NOT EXISTS arborlog_statement_waiting ON arborlog_statement (issuer, id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS arborlog_statement_replaces ON arborlog_statement (replaces) WHERE replaces IS NOT NULL;
CREATE TABLE IF NOT EXISTS arborlog_message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer BLOB NOT NULL,
    seq INTEGER NOT NULL,
    record BLOB NOT NULL,
    record_id BLOB NOT NULL,
    signature BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'dropped'))
);
CREATE UNIQUE INDEX IF NOT EXISTS arborlog_message_open ON arborlog_message (issuer) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS arborlog_carried (
    message INTEGER NOT NULL,
    place INTEGER NOT NULL,
    statement INTEGER NOT NULL,
    PRIMARY KEY (message, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS arborlog_head (
    issuer BLOB PRIMARY KEY,
    origin TEXT NOT NULL,
    next_seq INTEGER NOT NULL,
    prev BLOB NOT NULL,
    issued_on INTEGER NOT NULL,
    checkpoint TEXT NOT NULL                -- the newest that the log acknowledged
);
"""


@dataclass(frozen=True)
class Head:
    """Where the key's chain continues, and the newest checkpoint that was seen."""

    origin: str
    next_seq: int
    prev: bytes
    issued_on: int
    checkpoint: str


@dataclass(frozen=True)
class Carried:
    """A statement in a message."""

    id: int
    kind: str
    bytes: bytes


@dataclass(frozen=True)
class Message:
    """What was signed: a seal, if `sealed`, with the statements that it signs for, or one record."""

    id: int
    seq: int
    record: bytes
    record_id: bytes
    signature: bytes
    statements: tuple

    @property
    def sealed(self):
        return int.from_bytes(self.record[76:80], "big") == 16


@dataclass(frozen=True)
class Row:
    """What became of a statement: `waiting`, `in` with its `entry`, or `refused` with `code` and `detail`."""

    id: int
    name: str | None
    kind: str
    state: str
    entry: int | None
    code: str | None
    detail: str | None


class Outbox:
    """The outbox of one key in SQLite. Another database takes a class with the same methods.

    `connect` makes a new connection to the platform's database, for the sender and for questions.
    """

    def __init__(self, connect, issuer):
        self._connect, self.issuer = connect, bytes(issuer)
        with self._writing() as db:
            # executescript would commit by itself, which is harmless: each table is made if it is not there.
            for table in TABLES.split(";\n"):
                db.execute(table)

    # ---- for the platform ----

    def put(self, db, statement, name=None):
        """Puts a statement, within the transaction that `db` is in; gives its id.

        `name` is the event's own. An award's is its evidence, if no other is given. The same statement under the
        same name is put once, also if another key of this database put it; another statement under the name of one that
        is not refused is an `OutboxError`.
        """
        data, kind = encode(statement), statement["kind"]
        if kind in ("genesis", "seal"):
            raise OutboxError("kind_refused", f"a {kind} is not sent by an outbox")
        if name is None and kind == "award":
            name = f"award/{data[-32:].hex()}"
        found = name is not None and db.execute(
            "SELECT id, bytes, state FROM arborlog_statement WHERE name = ?", (name,)
        ).fetchone()
        if found and found[1] == data:
            return found[0]
        if found and found[2] != "refused":
            raise OutboxError(
                "name_taken", f"another statement is named {name!r}", "one event counts once: correct what was said first"
            )
        if found:
            # A refused one gives its name to the one that puts it right.
            db.execute("UPDATE arborlog_statement SET name = NULL WHERE id = ?", (found[0],))
        return db.execute(
            "INSERT INTO arborlog_statement (issuer, name, kind, bytes, replaces) VALUES (?, ?, ?, ?, ?)",
            (self.issuer, name, kind, data, found[0] if found else None),
        ).lastrowid

    def retry(self, db, statement_id):
        """Lets a refused statement wait again, within the transaction that `db` is in: a balance grew, a day came."""
        db.execute(
            "UPDATE arborlog_statement SET state = 'waiting', code = NULL, detail = NULL"
            " WHERE id = ? AND issuer = ? AND state = 'refused' AND code != 'event_is_in'"
            " AND (name IS NOT NULL OR id NOT IN (SELECT replaces FROM arborlog_statement WHERE replaces IS NOT NULL))",
            (statement_id, self.issuer),
        )

    def take_over(self, db, old):
        """Moves what waits under a key that this one replaced to this one, within the transaction that `db` is in.

        What the old key signed must have an answer: call `send` of its sender before, which tells also of a revoked
        key what of it is in. Gives how many statements were moved.
        """
        if db.execute("SELECT 1 FROM arborlog_message WHERE issuer = ? AND state = 'open'", (old,)).fetchone():
            raise OutboxError("message_open", "something that the old key signed has no answer", "call send() of its sender")
        return db.execute(
            "UPDATE arborlog_statement SET issuer = ? WHERE issuer = ? AND state = 'waiting'", (self.issuer, old)
        ).rowcount

    def row(self, statement_id):
        """What became of a statement, or None."""
        return next(iter(self._rows("id = ?", statement_id)), None)

    def refused(self):
        """The statements that the ledger refused."""
        return self._rows("state = 'refused'")

    def waiting(self):
        """How many statements are not in yet, and were not refused."""
        with self._reading() as db:
            return db.execute(
                "SELECT count(*) FROM arborlog_statement WHERE issuer = ? AND state = 'waiting'", (self.issuer,)
            ).fetchone()[0]

    # ---- for the sender ----

    def head(self):
        """The key's head, or None before the first contact with the ledger."""
        with self._reading() as db:
            return self._head(db)

    def begin(self, head):
        """Notes the head at the first contact; one that is there stays."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO arborlog_head VALUES (?, ?, ?, ?, ?, ?)",
                (self.issuer, head.origin, head.next_seq, head.prev, head.issued_on, head.checkpoint),
            )

    def seen(self, checkpoint):
        """Notes a checkpoint that extends the one before."""
        with self._writing() as db:
            self._note_checkpoint(db, checkpoint)

    def open_message(self):
        """The message that has no answer, or None."""
        with self._reading() as db:
            return next(iter(self._messages(db, "state = 'open'")), None)

    def sign_next(self, sign, statements_max, bytes_max):
        """Signs what waits and stores it, durably; gives the open message, or None if nothing waits.

        `sign(head, statements, sealed)` gives record, record id and signature. A crash before the commit leaves the
        statements waiting, and nothing was sent; one after it leaves an open message.
        """
        with self._writing() as db:
            message = next(iter(self._messages(db, "state = 'open'")), None)
            if message is not None:
                return message
            chosen = self._choose(db, statements_max, bytes_max)
            if not chosen:
                return None
            head = self._head(db)
            record, record_id, signature = sign(head, chosen, len(chosen) > 1)
            message_id = db.execute(
                "INSERT INTO arborlog_message (issuer, seq, record, record_id, signature, state)"
                " VALUES (?, ?, ?, ?, ?, 'open')",
                (self.issuer, head.next_seq, record, record_id, signature),
            ).lastrowid
            db.executemany(
                "INSERT INTO arborlog_carried VALUES (?, ?, ?)",
                [(message_id, place, statement.id) for place, statement in enumerate(chosen)],
            )
            return Message(message_id, head.next_seq, record, record_id, signature, tuple(chosen))

    def messages_at(self, seq):
        """All that was signed for this place of the chain: at most one of them can ever be in."""
        with self._reading() as db:
            return self._messages(db, "seq = ?", seq)

    def admitted(self, message, first_index, checkpoint):
        """A message is in, its statements from `first_index` on: the chain continues behind it."""
        with self._writing() as db:
            if self._head(db).next_seq != message.seq:
                return  # Another sender of this outbox noted it first.
            db.executemany(
                "UPDATE arborlog_statement SET state = 'in', entry = ?, code = NULL, detail = NULL WHERE id = ?",
                [(first_index + place, statement.id) for place, statement in enumerate(message.statements)],
            )
            # A late copy of a message may bring in what was refused: what was to put it right is not sent then.
            db.executemany(
                "UPDATE arborlog_statement SET state = 'refused', code = 'event_is_in', detail = ?"
                " WHERE replaces = ? AND state = 'waiting'",
                [(f"statement {one.id}, which it puts right, came in late", one.id) for one in message.statements],
            )
            db.execute(
                "UPDATE arborlog_head SET next_seq = ?, prev = ?, issued_on = ? WHERE issuer = ?",
                (message.seq + 1, message.record_id, int.from_bytes(message.record[72:76], "big"), self.issuer),
            )
            self._note_checkpoint(db, checkpoint)
            # Whatever else was signed for this place can't come in any more.
            gone = "SELECT id FROM arborlog_message WHERE issuer = ? AND seq <= ?"
            db.execute(f"DELETE FROM arborlog_carried WHERE message IN ({gone})", (self.issuer, message.seq))
            db.execute("DELETE FROM arborlog_message WHERE issuer = ? AND seq <= ?", (self.issuer, message.seq))

    def drop(self, message, refusals):
        """A message was refused: `refusals` are pairs of a place in it and (code, detail). The others wait again.

        The message stays known: a copy of it that is still on its way could be admitted later.
        """
        with self._writing() as db:
            changed = db.execute(
                "UPDATE arborlog_message SET state = 'dropped' WHERE id = ? AND state = 'open'", (message.id,)
            ).rowcount
            if changed:
                db.executemany(
                    "UPDATE arborlog_statement SET state = 'refused', code = ?, detail = ? WHERE id = ?",
                    [(code, detail, message.statements[place].id) for place, (code, detail) in refusals],
                )

    def adopt(self, records):
        """Takes records of the key that are in the log as this outbox's own, from the head on (see Sender.recover).

        Each is (record, record id, [(statement's bytes, index, kind)]). Statements that wait and say the same are in; the
        others are noted as put and in. Gives how many of each there were.
        """
        taken = added = 0
        with self._writing() as db:
            unknown = {}
            for statement_id, data in db.execute(
                "SELECT id, bytes FROM arborlog_statement WHERE issuer = ? AND state != 'in' ORDER BY id DESC",
                (self.issuer,),
            ):
                unknown.setdefault(data, []).append(statement_id)
            for record, record_id, statements in records:
                for data, index, kind in statements:
                    if unknown.get(data):
                        db.execute(
                            "UPDATE arborlog_statement SET state = 'in', entry = ?, code = NULL, detail = NULL"
                            " WHERE id = ?", (index, unknown[data].pop()),
                        )
                        taken += 1
                    else:
                        self._add_known(db, data, index, kind)
                        added += 1
                seq = int.from_bytes(record[32:40], "big")
                db.execute(
                    "UPDATE arborlog_head SET next_seq = ?, prev = ?, issued_on = ? WHERE issuer = ?",
                    (seq + 1, record_id, int.from_bytes(record[72:76], "big"), self.issuer),
                )
            mine = "SELECT id FROM arborlog_message WHERE issuer = ?"
            db.execute(f"DELETE FROM arborlog_carried WHERE message IN ({mine})", (self.issuer,))
            db.execute("DELETE FROM arborlog_message WHERE issuer = ?", (self.issuer,))
        return taken, added

    # ---- within ----

    def _choose(self, db, statements_max, bytes_max):
        """The next statement that waits, and those behind it that one seal can sign for with it."""
        chosen, size = [], 0
        rows = db.execute(
            "SELECT id, kind, bytes FROM arborlog_statement WHERE issuer = ? AND state = 'waiting' ORDER BY id LIMIT ?",
            (self.issuer, statements_max),
        )
        for statement in (Carried(*row) for row in rows):
            size += len(statement.bytes)
            if chosen and (statement.kind not in SEALABLE or chosen[0].kind not in SEALABLE or size > bytes_max):
                break
            chosen.append(statement)
        return chosen

    def _add_known(self, db, data, index, kind):
        """Notes a statement that is in and was not put. What waits and speaks of the same event is not sent."""
        name = f"award/{data[-32:].hex()}" if kind == "award" else None
        db.execute(
            "UPDATE arborlog_statement SET name = NULL, state = 'refused', code = 'event_is_in', detail = ?"
            " WHERE name = ? AND state != 'in'", (f"entry {index} speaks of this event", name),
        )
        taken = db.execute("SELECT 1 FROM arborlog_statement WHERE name = ?", (name,)).fetchone()
        db.execute(
            "INSERT INTO arborlog_statement (issuer, name, kind, bytes, state, entry) VALUES (?, ?, ?, ?, 'in', ?)",
            (self.issuer, None if taken else name, kind, data, index),
        )

    def _head(self, db):
        row = db.execute(
            "SELECT origin, next_seq, prev, issued_on, checkpoint FROM arborlog_head WHERE issuer = ?", (self.issuer,)
        ).fetchone()
        return Head(*row) if row else None

    def _messages(self, db, condition, *values):
        found = db.execute(
            "SELECT id, seq, record, record_id, signature FROM arborlog_message"
            f" WHERE issuer = ? AND {condition} ORDER BY id DESC", (self.issuer, *values),
        ).fetchall()
        carried = (
            "SELECT s.id, s.kind, s.bytes FROM arborlog_carried c JOIN arborlog_statement s ON s.id = c.statement"
            " WHERE c.message = ? ORDER BY c.place"
        )
        return [Message(*row, tuple(Carried(*item) for item in db.execute(carried, (row[0],)))) for row in found]

    def _note_checkpoint(self, db, checkpoint):
        """Two senders may note theirs in either order: the larger one stays."""
        kept = self._head(db).checkpoint
        if int(checkpoint.split("\n")[1]) > int(kept.split("\n")[1]):
            db.execute("UPDATE arborlog_head SET checkpoint = ? WHERE issuer = ?", (checkpoint, self.issuer))

    def _rows(self, condition, *values):
        with self._reading() as db:
            rows = db.execute(
                "SELECT id, name, kind, state, entry, code, detail FROM arborlog_statement"
                f" WHERE issuer = ? AND {condition} ORDER BY id", (self.issuer, *values),
            )
            return [Row(*row) for row in rows]

    @contextmanager
    def _reading(self):
        db = self._connect()
        try:
            db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            yield db
        finally:
            db.close()

    @contextmanager
    def _writing(self):
        with self._reading() as db:
            db.isolation_level = None
            # What is signed is on disk before it is sent, also where the platform's own connections ask for less.
            db.execute("PRAGMA synchronous = FULL")
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                raise Unanswered("database_busy", f"the outbox's database could not be written: {error}", "try again") from None
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
