// What can go wrong, each with one of the outcomes that every part of arborlog tells apart. `wrong_use`: the call can't be
// meant as it stands. `unchecked`: nothing was found wrong, and nothing could be finished; try again. `false`: something
// that was signed, acknowledged or stored contradicts something else.

// The base of all errors here: a stable `code`, a sentence, and what to do.
export class ArborlogError extends Error {
  constructor(code, what, advice = '') {
    super(advice ? `${what}: ${advice}` : what);
    this.name = this.constructor.name;
    this.code = code;
    this.advice = advice;
  }

  get outcome() {
    return 'wrong_use';
  }
}

// A statement breaks a limit of docs/format.md. `where` is the field, such as `place.points[3].latitude`.
export class StatementError extends ArborlogError {
  constructor(where, what) {
    super('statement_malformed', `${where}: ${what}`);
    this.where = where;
  }
}

// The outbox was asked for what it can't do, such as another statement under a name that is taken.
export class OutboxError extends ArborlogError {}

// The server refused a request as such: a wrong address, a wrong origin, or a fault in this package.
export class RequestRefused extends ArborlogError {}

class Unchecked extends ArborlogError {
  get outcome() {
    return 'unchecked';
  }
}

// No address gave an answer in time. What was signed stays in the outbox, and is sent again as it is.
export class Unanswered extends Unchecked {}

// A checkpoint could not be verified with the key that was given; that says nothing against the log.
export class NotVerified extends Unchecked {}

// The ledger does not take this key: it has no role (yet), expired, or was revoked. Nothing was noted as refused.
export class KeyRefused extends Unchecked {}

// The log contradicts what it acknowledged. `kept` and `shown` are the two checkpoints, or null: keep them.
export class LogFault extends ArborlogError {
  constructor(code, what, kept = null, shown = null) {
    super(code, what, 'tell the operator, and keep both checkpoints');
    this.kept = kept;
    this.shown = shown;
  }

  get outcome() {
    return 'false';
  }
}

// The log has records of this key that the outbox does not know: something else signs with the key, or the outbox's
// database was put back from an older copy. Nothing was sent.
export class AnotherWriter extends ArborlogError {
  constructor(seq, nextSeq) {
    super(
      'another_writer', `the log has records of this key from seq ${seq} to ${nextSeq - 1} that this outbox does not know`,
      'make sure that nothing else signs with this key, then call recover()',
    );
    this.seq = seq;
    this.nextSeq = nextSeq;
  }

  get outcome() {
    return 'false';
  }
}
