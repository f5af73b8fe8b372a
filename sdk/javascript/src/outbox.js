// The outbox: tables beside the platform's own, in which a statement waits until it is in the ledger. `put` runs in the
// platform's transaction: the statement is there exactly if what it is about is. A sender signs what waits and stores
// that before anything is sent; so after a crash the same bytes are sent again. At most one message (a seal with its
// statements, or one record) of a key has no answer at any time: an index of the database says so, and two senders of one
// outbox do no harm. No transaction here stays open over an await.

import { OutboxError, Unanswered } from './errors.js';
import { SEALABLE, encode, evidenceName } from './statements.js';
import { equal, hex } from './verifier/codec.mjs';

// How long a transaction of somebody else is waited for. Nothing else of this process runs meanwhile.
const BUSY_MS = 1_000;

const TABLES = `
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
);`;

const SEAL = 16;
const kindNumber = (record) => new DataView(record.buffer, record.byteOffset).getUint32(76);
const dayOf = (record) => new DataView(record.buffer, record.byteOffset).getUint32(72);
const seqOf = (record) => Number(new DataView(record.buffer, record.byteOffset).getBigUint64(32));
const sizeOf = (note) => BigInt(note.split('\n')[1]);

// The outbox of one key in SQLite. Another database takes a class with the same methods.
export class Outbox {
  #db;

  // `db` is a connection of the outbox's own to the platform's database: a DatabaseSync of node:sqlite, or a Database of
  // better-sqlite3, of which `exec` and `prepare(…).run`, `get` and `all` are used.
  constructor(db, issuer) {
    this.#db = db;
    this.issuer = issuer;
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
    // What is signed is on disk before it is sent, also where the platform's own connections ask for less.
    db.exec('PRAGMA synchronous = FULL');
    db.exec(TABLES);
  }

  // ---- for the platform ----

  // Puts a statement, within the transaction that `db`, a connection of the platform's, is in; gives its id. `name` is the
  // event's own; an award's is its evidence, if no other is given. The same statement under the same name is put once;
  // also if another key of this database put it; another statement under the name of one that is not refused is an
  // OutboxError.
  put(db, statement, name = null) {
    const [bytes, kind] = [encode(statement), statement.kind];
    if (kind === 'genesis' || kind === 'seal' || kind === 'policy') throw new OutboxError('kind_refused', `a ${kind} is not sent by an outbox`);
    const event = name ?? (kind === 'award' ? evidenceName(bytes) : null);
    const found = event === null ? undefined
      : db.prepare('SELECT id, bytes, state FROM arborlog_statement WHERE name = ?').get(event);
    if (found && equal(found.bytes, bytes)) return Number(found.id);
    if (found && found.state !== 'refused') {
      throw new OutboxError('name_taken', `another statement is named ${event}`, 'one event counts once: correct what was said first');
    }
    // A refused one gives its name to the one that puts it right.
    if (found) db.prepare('UPDATE arborlog_statement SET name = NULL WHERE id = ?').run(found.id);
    const put = 'INSERT INTO arborlog_statement (issuer, name, kind, bytes, replaces) VALUES (?, ?, ?, ?, ?)';
    return Number(db.prepare(put).run(this.issuer, event, kind, bytes, found?.id ?? null).lastInsertRowid);
  }

  // Lets a refused statement wait again, within the transaction that `db` is in: a balance grew, a day came.
  retry(db, id) {
    db.prepare(
      `UPDATE arborlog_statement SET state = 'waiting', code = NULL, detail = NULL
       WHERE id = ? AND issuer = ? AND state = 'refused' AND code != 'event_is_in'
       AND (name IS NOT NULL OR id NOT IN (SELECT replaces FROM arborlog_statement WHERE replaces IS NOT NULL))`,
    ).run(id, this.issuer);
  }

  // Moves what waits under a key that this one replaced to this one, within the transaction that `db` is in; gives how many
  // statements were moved. What the old key signed must have an answer: call `send` of its sender before, which tells also
  // of a revoked key what of it is in.
  takeOver(db, old) {
    if (db.prepare("SELECT 1 FROM arborlog_message WHERE issuer = ? AND state = 'open'").get(old)) {
      throw new OutboxError('message_open', 'something that the old key signed has no answer', 'call send() of its sender');
    }
    const moved = db.prepare("UPDATE arborlog_statement SET issuer = ? WHERE issuer = ? AND state = 'waiting'").run(this.issuer, old);
    return Number(moved.changes);
  }

  // What became of a statement: `state` is `waiting`, `in` with its `entry`, or `refused` with `code` and `detail`; or null.
  row(id) {
    return this.#rows('id = ?', id)[0] ?? null;
  }

  // The statements that the ledger refused.
  refused() {
    return this.#rows("state = 'refused'");
  }

  // How many statements are not in yet, and were not refused.
  waiting() {
    return this.#get("SELECT count(*) AS number FROM arborlog_statement WHERE issuer = ? AND state = 'waiting'").number;
  }

  // ---- for the sender ----

  // The key's head, or null before the first contact with the ledger.
  head() {
    const row = this.#get('SELECT * FROM arborlog_head WHERE issuer = ?');
    if (!row) return null;
    return { origin: row.origin, nextSeq: row.next_seq, prev: row.prev, issuedOn: row.issued_on, checkpoint: row.checkpoint };
  }

  // Notes the head at the first contact; one that is there stays.
  begin({ origin, nextSeq, prev, issuedOn, checkpoint }) {
    const put = 'INSERT OR IGNORE INTO arborlog_head (origin, next_seq, prev, issued_on, checkpoint, issuer) VALUES (?, ?, ?, ?, ?, ?)';
    this.#writing(() => this.#run(put, origin, nextSeq, prev, issuedOn, checkpoint, this.issuer));
  }

  // Notes a checkpoint that extends the one before. Two senders may note theirs in either order: the larger one stays.
  seen(note) {
    this.#writing(() => this.#noteCheckpoint(note));
  }

  // The message that has no answer, or null.
  openMessage() {
    return this.#messages("state = 'open'")[0] ?? null;
  }

  // The next statement, and those behind it that one seal can sign for with it, with the head that they go behind.
  choose(statementsMax, bytesMax) {
    const rows = this.#all(
      "SELECT id, kind, bytes FROM arborlog_statement WHERE issuer = ? AND state = 'waiting' ORDER BY id LIMIT ?", statementsMax,
    );
    const statements = [];
    let size = 0;
    for (const statement of rows) {
      size += statement.bytes.length;
      const together = SEALABLE.has(statement.kind) && SEALABLE.has(rows[0].kind) && size <= bytesMax;
      if (statements.length > 0 && !together) break;
      statements.push(statement);
    }
    return { head: this.head(), statements };
  }

  // Stores what was signed, durably; null if something came between: choose anew. A crash before this leaves the
  // statements waiting, and nothing was sent; one after it leaves an open message.
  store({ head, statements, record, recordId, signature }) {
    return this.#writing(() => {
      const now = this.head();
      const same = this.openMessage() === null && now.nextSeq === head.nextSeq && equal(now.prev, head.prev);
      if (!same || !statements.every(({ id }) => this.row(id)?.state === 'waiting')) return null;
      const put = "INSERT INTO arborlog_message (seq, record, record_id, signature, state, issuer) VALUES (?, ?, ?, ?, 'open', ?)";
      const { lastInsertRowid } = this.#run(put, head.nextSeq, record, recordId, signature, this.issuer);
      const carry = this.#db.prepare('INSERT INTO arborlog_carried VALUES (?, ?, ?)');
      statements.forEach(({ id }, place) => carry.run(lastInsertRowid, place, id));
      return this.openMessage();
    });
  }

  // All that was signed for this place of the chain: at most one of them can ever be in.
  messagesAt(seq) {
    return this.#messages('seq = ?', seq);
  }

  // A message is in, its statements from `firstIndex` on: the chain continues behind it.
  admitted(message, firstIndex, note) {
    this.#writing(() => {
      // Another sender of this outbox may have noted it first.
      if (this.head().nextSeq !== message.seq) return;
      const isIn = this.#db.prepare("UPDATE arborlog_statement SET state = 'in', entry = ?, code = NULL, detail = NULL WHERE id = ?");
      // A late copy of a message may bring in what was refused: what was to put it right is not sent then.
      const late = this.#db.prepare(
        "UPDATE arborlog_statement SET state = 'refused', code = 'event_is_in', detail = ? WHERE replaces = ? AND state = 'waiting'",
      );
      message.statements.forEach(({ id }, place) => {
        isIn.run(firstIndex + place, id);
        late.run(`statement ${id}, which it puts right, came in late`, id);
      });
      this.#continue(message.seq + 1, message.recordId, dayOf(message.record));
      this.#noteCheckpoint(note);
      // Whatever else was signed for this place can't come in any more.
      this.#forget('seq <= ?', message.seq);
    });
  }

  // A message was refused: `refusals` are { place, code, detail }. The others wait again. The message stays known: a copy
  // of it that is still on its way could be admitted later.
  drop(message, refusals) {
    this.#writing(() => {
      const dropped = this.#db.prepare("UPDATE arborlog_message SET state = 'dropped' WHERE id = ? AND state = 'open'").run(message.id);
      if (Number(dropped.changes) === 0) return;
      const refuse = this.#db.prepare("UPDATE arborlog_statement SET state = 'refused', code = ?, detail = ? WHERE id = ?");
      for (const { place, code, detail } of refusals) refuse.run(code, detail, message.statements[place].id);
    });
  }

  // Takes records of the key that are in the log as this outbox's own, from the head on (see Sender.recover). Each is
  // { record, id, said: [{ bytes, index, kind }] }. Statements that wait and say the same are in; the others are noted as
  // put and in. Gives how many of each there were.
  adopt(records) {
    return this.#writing(() => {
      const unknown = new Map();
      for (const { id, bytes } of this.#all("SELECT id, bytes FROM arborlog_statement WHERE issuer = ? AND state != 'in' ORDER BY id DESC")) {
        unknown.set(hex(bytes), [...(unknown.get(hex(bytes)) ?? []), id]);
      }
      let [taken, added] = [0, 0];
      for (const { record, id, said } of records) {
        for (const { bytes, index, kind } of said) {
          const known = unknown.get(hex(bytes))?.pop();
          if (known === undefined) this.#addKnown(bytes, index, kind);
          else this.#db.prepare("UPDATE arborlog_statement SET state = 'in', entry = ?, code = NULL, detail = NULL WHERE id = ?").run(index, known);
          taken += known === undefined ? 0 : 1;
          added += known === undefined ? 1 : 0;
        }
        this.#continue(seqOf(record) + 1, id, dayOf(record));
      }
      this.#forget('1');
      return { taken, added };
    });
  }

  // ---- within ----

  // Notes a statement that is in and was not put. What waits and speaks of the same event is not sent.
  #addKnown(bytes, index, kind) {
    let name = kind === 'award' ? evidenceName(bytes) : null;
    this.#run(
      "UPDATE arborlog_statement SET name = NULL, state = 'refused', code = 'event_is_in', detail = ? WHERE name = ? AND state != 'in'",
      `entry ${index} speaks of this event`, name,
    );
    if (this.#db.prepare('SELECT 1 FROM arborlog_statement WHERE name = ?').get(name)) name = null;
    const put = "INSERT INTO arborlog_statement (name, kind, bytes, state, entry, issuer) VALUES (?, ?, ?, 'in', ?, ?)";
    this.#run(put, name, kind, bytes, index, this.issuer);
  }

  #continue(nextSeq, prev, issuedOn) {
    this.#run('UPDATE arborlog_head SET next_seq = ?, prev = ?, issued_on = ? WHERE issuer = ?', nextSeq, prev, issuedOn, this.issuer);
  }

  #noteCheckpoint(note) {
    if (sizeOf(note) > sizeOf(this.head().checkpoint)) this.#run('UPDATE arborlog_head SET checkpoint = ? WHERE issuer = ?', note, this.issuer);
  }

  #forget(condition, ...values) {
    const gone = `FROM arborlog_message WHERE issuer = ? AND ${condition}`;
    this.#run(`DELETE FROM arborlog_carried WHERE message IN (SELECT id ${gone})`, this.issuer, ...values);
    this.#run(`DELETE ${gone}`, this.issuer, ...values);
  }

  #messages(condition, ...values) {
    const found = this.#all(`SELECT * FROM arborlog_message WHERE issuer = ? AND ${condition} ORDER BY id DESC`, ...values);
    const carried = this.#db.prepare(
      `SELECT s.id, s.kind, s.bytes FROM arborlog_carried c JOIN arborlog_statement s ON s.id = c.statement
       WHERE c.message = ? ORDER BY c.place`,
    );
    return found.map(({ id, seq, record, record_id: recordId, signature }) => (
      { id, seq, record, recordId, signature, sealed: kindNumber(record) === SEAL, statements: carried.all(id) }
    ));
  }

  #rows(condition, ...values) {
    return this.#all(
      `SELECT id, name, kind, state, entry, code, detail FROM arborlog_statement WHERE issuer = ? AND ${condition} ORDER BY id`, ...values,
    );
  }

  #get(sql, ...values) {
    return this.#db.prepare(sql).get(this.issuer, ...values);
  }

  #all(sql, ...values) {
    return this.#db.prepare(sql).all(this.issuer, ...values);
  }

  #run(sql, ...values) {
    return this.#db.prepare(sql).run(...values);
  }

  #writing(work) {
    try {
      this.#db.exec('BEGIN IMMEDIATE');
    } catch (error) {
      throw new Unanswered('database_busy', `the outbox's database could not be written: ${error.message}`, 'try again');
    }
    try {
      const done = work();
      this.#db.exec('COMMIT');
      return done;
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
