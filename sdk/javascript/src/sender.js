// The sender: signs what waits in an outbox, and sends it until the ledger has it, once.

import { Behind, Chain, checkpointChecker } from './chain.js';
import { AnotherWriter, KeyRefused, LogFault, RequestRefused, Unanswered } from './errors.js';
import {
  BATCH_BYTES_MAX, BATCH_STATEMENTS_MAX, batchBody, readSealedStatement, recordBytes, recordId, recordsBody, rootOf, sealOf,
  signedRecord, signingInput,
} from './records.js';
import { Remote, jsonObject, problemOf, refused, whole } from './remote.js';
import { kindOf } from './statements.js';
import { equal } from './verifier/codec.mjs';

const SEAL_STATEMENTS = 1_000;
const DAY_MS = 86_400_000;
// Why the ledger takes nothing of this key: no statement is at fault.
const ABOUT_KEY = new Set(['issuer_unknown', 'key_revoked', 'key_expired']);
const ABOUT_CHAIN = new Set(['sequence_gap', 'sequence_used', 'already_in', 'chain_broken']);
// Refusals that no statement has: a fault here, or another ledger.
const ABOUT_MESSAGE = new Set(['not_canonical', 'signature_invalid', 'issuers_mixed', 'seal_mismatch', 'issued_on_decreases', 'batch_refused']);

const newReport = () => ({
  admitted: 0, alreadyIn: 0, refused: [],
  // `holds` if all that waited is in.
  get outcome() {
    return this.refused.length > 0 ? 'not_all_in' : 'holds';
  },
});

// Sends an outbox's statements under a key. `addresses` are those of one ledger's servers. `log` is the log's verifier key,
// from somebody you trust: each checkpoint must be signed by it. (`checkNote` takes its place where you check signatures by
// other means.)
export class Sender {
  #outbox;
  #key;
  #remote;
  #chain;
  #today;
  #sealStatements;
  #sealNow;

  constructor(outbox, key, addresses, {
    log = null, checkNote = log === null ? async () => {} : checkpointChecker(log), sealStatements = SEAL_STATEMENTS,
    today = () => Math.floor(Date.now() / DAY_MS), ...remote
  } = {}) {
    if (!equal(key.publicKey, outbox.issuer)) throw new RequestRefused('key_other', 'the outbox is of another key');
    if (!Number.isInteger(sealStatements) || sealStatements < 1 || sealStatements > BATCH_STATEMENTS_MAX) {
      throw new RequestRefused('limit_wrong', `a seal is for 1 to ${BATCH_STATEMENTS_MAX} statements`);
    }
    this.#outbox = outbox;
    this.#key = key;
    this.#today = today;
    this.#sealStatements = sealStatements;
    this.#sealNow = sealStatements;
    this.#remote = new Remote(addresses, remote);
    this.#chain = new Chain(this.#remote, outbox, checkNote);
  }

  // Sends all that waits; gives a report. What is thrown leaves everything as it was: call again.
  async send() {
    const report = newReport();
    this.#remote.begin();
    if (this.#outbox.openMessage() === null && this.#outbox.waiting() === 0) return report;
    await this.#catchUp(report);
    for (;;) {
      const message = await this.#nextMessage();
      if (message === null) return report;
      this.#remote.begin();
      await this.#deliver(message, report);
    }
  }

  // Sends what comes until `signal` is aborted. What may pass is told, and tried again.
  async run(signal, { pauseMs = 1_000, onError = () => {} } = {}) {
    while (!signal.aborted) {
      try {
        await this.send();
      } catch (error) {
        if (!(error instanceof Unanswered || error instanceof KeyRefused)) throw error;
        onError(error);
      }
      await new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, pauseMs);
        signal.addEventListener('abort', done, { once: true });
      });
    }
  }

  // Takes what the log has of this key and the outbox does not know as the outbox's own: for a database that was put back
  // from an older copy, an outbox that is new for a key that is not, and a key that something else used and no longer
  // does. Gives how many statements that wait are in by those records (`taken`), and how many the outbox had not (`added`).
  async recover() {
    this.#remote.begin();
    const { nextSeq, prev, index } = await this.#chain.tail();
    const checkpoint = await this.#chain.newest();
    if (this.#outbox.head() === null) {
      const first = nextSeq > 0 ? new Uint8Array(32) : prev;
      this.#outbox.begin({ origin: checkpoint.origin, nextSeq: 0, prev: first, issuedOn: 0, checkpoint: checkpoint.note });
    }
    const head = this.#outbox.head();
    if (nextSeq <= head.nextSeq) return { taken: 0, added: 0 };
    const entries = (await this.#chain.walkBack(index, head.nextSeq, checkpoint)).reverse();
    if (head.nextSeq > 0 && !equal(entries[0].prev, head.prev)) {
      throw new LogFault('chain_broken', "the log's records of this key do not continue the outbox's", head.checkpoint, checkpoint.note);
    }
    const found = [];
    for (const entry of entries) found.push({ record: entry.record, id: entry.id, said: await this.#saidBy(entry, checkpoint.size) });
    return this.#outbox.adopt(found);
  }

  // Before anything is signed: the log extends what was kept, and the key's chain ends where the outbox says.
  async #catchUp(report) {
    const checkpoint = await this.#chain.newest();
    if (this.#outbox.head() === null) {
      const { nextSeq, prev } = await this.#chain.tail();
      if (nextSeq > 0) throw new AnotherWriter(0, nextSeq);
      this.#outbox.begin({ origin: checkpoint.origin, nextSeq: 0, prev, issuedOn: 0, checkpoint: checkpoint.note });
    }
    let [head, tail] = [null, null];
    for (let tries = 0; ; tries += 1) {
      head = this.#outbox.head();
      tail = await this.#chain.tail();
      if (tail.nextSeq >= head.nextSeq) break;
      if (tries === 2 * this.#remote.places) throw shorterChain(tail, head);
      // A follower may lag behind the address that gave the checkpoint.
      this.#remote.turn();
    }
    if (!continues(tail, head)) await this.#settleByLog(head.nextSeq, report);
    if (tail.revokedAt !== null) this.#giveUp(tail);
  }

  // The key was revoked: what it signed and is not in can never be.
  #giveUp({ revokedAt }) {
    const message = this.#outbox.openMessage();
    if (message !== null) this.#outbox.drop(message, []);
    if (this.#outbox.waiting() > 0) throw new KeyRefused('key_revoked', `the key was revoked by entry ${revokedAt}`, 'hand over to the next key');
  }

  // The place of the chain that the outbox signed for is taken: by a message of its own, or another's.
  async #settleByLog(seq, report) {
    // In this order: the checkpoint covers all that the tail speaks of.
    const head = this.#outbox.head();
    // Another sender of this outbox may have noted it meanwhile.
    if (head.nextSeq > seq) return;
    const tail = await this.#chain.tail();
    const checkpoint = await this.#chain.newest();
    if (tail.nextSeq <= head.nextSeq) throw shorterChain(tail, head);
    const known = this.#outbox.messagesAt(head.nextSeq);
    const entry = (await this.#chain.walkBack(tail.index, head.nextSeq, checkpoint)).at(-1);
    const message = known.find((one) => equal(one.recordId, entry.id));
    if (message === undefined || entry.seq !== head.nextSeq || tail.nextSeq > head.nextSeq + 1) {
      if (this.#outbox.head().nextSeq > head.nextSeq) return;
      throw new AnotherWriter(head.nextSeq, tail.nextSeq);
    }
    const count = message.statements.length;
    this.#outbox.admitted(message, message.sealed ? entry.index - count : entry.index, checkpoint.note);
    report.alreadyIn += count;
  }

  // The open message, or else one that is signed now and stored before this returns; null if nothing waits.
  async #nextMessage() {
    for (;;) {
      const open = this.#outbox.openMessage();
      if (open !== null) return open;
      const { head, statements } = this.#outbox.choose(this.#sealNow, BATCH_BYTES_MAX);
      if (statements.length === 0) return null;
      const bytes = statements.map((statement) => statement.bytes);
      const statement = bytes.length > 1 ? await sealOf(bytes) : bytes[0];
      const { nextSeq: seq, prev, origin } = head;
      const record = recordBytes({ issuer: this.#key.publicKey, seq, prev, issuedOn: this.#day(head), statement });
      const signature = await this.#key.sign(signingInput(origin, record));
      const stored = this.#outbox.store({ head, statements, record, recordId: await recordId(origin, record), signature });
      if (stored !== null) return stored;
    }
  }

  // The day of signing never decreases along the chain, also if the clock was put back.
  #day(head) {
    return Math.max(head.issuedOn, this.#today());
  }

  // Sends one message until there is an answer, and notes what it says.
  async #deliver(message, report) {
    const kept = this.#chain.kept();
    const signed = signedRecord(message.record, message.signature);
    const { status, body } = message.sealed
      ? await this.#remote.ask('POST', '/v1/batches', 'application/vnd.arborlog.batch', batchBody(signed, message.statements.map((one) => one.bytes)))
      : await this.#remote.ask('POST', '/v1/records', 'application/octet-stream', recordsBody([signed]));
    if (status === 200) {
      await this.#noteAdmitted(message, jsonObject(body), kept, report);
    } else if (status === 413 && message.statements.length > 1) {
      this.#outbox.drop(message, []);
      this.#sealNow = Math.max(1, message.statements.length >> 1);
    } else {
      await this.#noteRefused(message, status, body, report);
    }
  }

  // Only what is proven to be in the log's tree is noted as in.
  async #noteAdmitted(message, answer, kept, report) {
    let checkpoint;
    try {
      checkpoint = await this.#chain.advance(String(answer.checkpoint), kept);
    } catch (error) {
      if (!(error instanceof Behind)) throw error;
      // The address lags, or was put back from an older copy; the newest checkpoint of all tells which.
      this.#remote.turn();
      await this.#settleByLog(message.seq, report);
      return;
    }
    const count = message.statements.length;
    const first = whole(message.sealed ? answer.first_index : answer.indexes?.[0], 'the first index');
    const index = message.sealed ? whole(answer.seal_index, 'seal_index') : first;
    if (index - first !== (message.sealed ? count : 0)) {
      throw new RequestRefused('answer_malformed', "the answer's indexes are not those of what was sent");
    }
    const entry = await this.#chain.ownEntry(index, checkpoint);
    if (!equal(entry.id, message.recordId)) {
      throw new LogFault('entry_wrong', `entry ${index} is not the record that was sent`, null, checkpoint.note);
    }
    this.#outbox.admitted(message, first, checkpoint.note);
    const already = message.sealed ? answer.already_in === true : answer.already_in?.length > 0;
    report[already ? 'alreadyIn' : 'admitted'] += count;
    this.#sealNow = this.#sealStatements;
  }

  async #noteRefused(message, status, body, report) {
    const problem = problemOf(body);
    if (typeof problem.code !== 'string') throw refused(status, body);
    const [code, detail] = [problem.code, String(problem.detail ?? '')];
    const issuedOn = new DataView(message.record.buffer, message.record.byteOffset).getUint32(72);
    const ownFault = message.sealed ? status === 422 : ABOUT_MESSAGE.has(code);
    if (ABOUT_CHAIN.has(code)) {
      await this.#settleByLog(message.seq, report);
    } else if (ABOUT_KEY.has(code)) {
      // It is not in, and can never be: what it carries waits for the next key.
      if (code !== 'issuer_unknown') this.#outbox.drop(message, []);
      throw new KeyRefused(code, detail, String(problem.advice ?? ''));
    } else if (code === 'batch_refused' && message.sealed) {
      const refusals = refusalsOf(problem, message.statements.length);
      if (refusals.length === 0) throw refused(status, body);
      this.#drop(message, refusals, report);
    } else if (code === 'day_refused' && issuedOn !== this.#day(this.#outbox.head())) {
      // It was signed too long ago to be admitted, or by a clock that was ahead: it is signed anew, with this day.
      this.#outbox.drop(message, []);
    } else if (!ownFault && !message.sealed && [403, 422].includes(status)) {
      this.#drop(message, [{ place: 0, code, detail }], report);
    } else {
      throw refused(status, body);
    }
  }

  #drop(message, refusals, report) {
    this.#outbox.drop(message, refusals);
    report.refused.push(...refusals.map(({ place, code, detail }) => ({ id: message.statements[place].id, code, detail })));
  }

  // What a record of the chain says: of a seal, each statement that it signs for, by the seal's root.
  async #saidBy({ index, statement, kind }, size) {
    if (kind !== 'seal') return [{ bytes: statement, index, kind }];
    const count = new DataView(statement.buffer, statement.byteOffset).getUint32(4);
    const statements = (await this.#chain.entries(index - count, index, size)).map(readSealedStatement);
    if (statements.includes(null) || !equal(await rootOf(statements), statement.subarray(8, 40))) {
      throw new LogFault('seal_mismatch', `the entries before ${index} are not those that it seals`);
    }
    return statements.map((bytes, place) => ({ bytes, index: index - count + place, kind: kindOf(bytes) }));
  }
}

// The places in a batch that a problem document refuses, each with code and detail.
function refusalsOf({ refused: named }, count) {
  const fits = (one) => Number.isInteger(one?.position) && one.position >= 0 && one.position < count && typeof one.code === 'string';
  const found = Array.isArray(named) ? named.filter(fits) : [];
  return found.map(({ position, code, detail }) => ({ place: position, code, detail: String(detail ?? '') }));
}

const continues = (tail, head) => tail.nextSeq === head.nextSeq && equal(tail.prev, head.prev);

const shorterChain = (tail, head) => (continues(tail, head)
  ? new RequestRefused('contradiction', 'the server refuses the place of the chain that it names itself')
  : new LogFault(
    'chain_shorter', `the log has ${tail.nextSeq} records of this key, and acknowledged ${head.nextSeq}, or others`, head.checkpoint,
  ));
