/** Write to an arborlog ledger, and verify what it proves. README.md has the first award in ten lines. */

export * from './receipts.js';

/** 32 bytes: 64 hexadecimal digits, or the bytes. */
export type Bytes32 = string | Uint8Array;
/** A day, UTC: `YYYY-MM-DD`, 1970 to 9999. */
export type Day = string;
/** A whole number; beyond 2^53 a bigint. */
export type Whole = number | bigint;

/** Points for something that an account did. Signed by a platform. */
export interface Award {
  kind: 'award';
  /** A pseudonym that only the platform could link to a person. */
  account: Bytes32;
  method: Whole;
  /** The method's version in effect on `occurred_on`. */
  version: Whole;
  activity: Whole;
  /** Thousandths of the activity's unit: 40000 of a km are 40 km. */
  quantity: Whole;
  /** Grams of CO2e: quantity times factor by 10^9, rounded down. */
  points: Whole;
  occurred_on: Day;
  /** An HMAC of the event under a key that the platform keeps: see `evidenceOf`. */
  evidence: Bytes32;
}

/** Points leave an account. Signed by a platform. */
export interface Transfer {
  kind: 'transfer';
  from: Bytes32;
  /** None for `expired` and `spent_elsewhere`. */
  to?: Bytes32 | null;
  points: Whole;
  reason: 'gift' | 'collected' | 'pooled' | 'expired' | 'spent_elsewhere';
}

/** In ten-millionths of a degree; north and east are positive. */
export interface Point {
  latitude: Whole;
  longitude: Whole;
}

/** A piece of land. Signed by a planter. */
export interface Plot {
  kind: 'plot';
  number: Whole;
  name: string;
  /** Two letters, `A` to `Z`, of ISO 3166-1. */
  country: string;
  place: { circle: Point & { radius_m: Whole } } | { outline: { points: Point[] } };
  finer_outline?: Bytes32 | null;
  area_m2: Whole;
  trees_per_ha_max: Whole;
  carbon_rights: 'none_issued' | 'unknown' | { issued: { registry: string; id: string } };
  funded_by: string;
  /** The holders whose platforms may promise its trees, ascending; none: any. */
  for: string[];
  set?: Whole | null;
}

/** Trees planted, with serials in a row. Signed by the planter that holds the plot. */
export interface Planting {
  kind: 'planting';
  plot: Whole;
  species: Whole;
  first_serial: Whole;
  count: Whole;
  planted_from: Day;
  planted_until: Day;
  evidence: Bytes32;
  evidence_at: string;
}

/** Trees looked at, and how many lived. Signed by a surveyor. */
export interface Survey {
  kind: 'survey';
  plot: Whole;
  planting?: Whole | null;
  surveyed_on: Day;
  as_of: Whole;
  basis: 'census' | 'random_sample' | 'remote_sensing';
  protocol: string;
  plan?: Bytes32 | null;
  alive: Whole;
  dead: Whole;
  not_found: Whole;
  dead_known: Whole;
  revived: Whole;
  evidence: Bytes32;
  evidence_at: string;
  paid_by: string;
  next_due?: Day | null;
}

/** Points become the promise of a tree. Signed by a platform. */
export interface Claim {
  kind: 'claim';
  account: Bytes32;
  method: Whole;
  version: Whole;
  species: Whole;
  points: Whole;
}

/** Promises are tied to planted trees, one to one in order. Signed by a platform. */
export interface Assignment {
  kind: 'assignment';
  plot: Whole;
  first_serial: Whole;
  claims: Whole[];
}

/** Something earlier is put right. */
export interface Correction {
  kind: 'correction';
  target: Whole;
  reason: string;
  remedy:
    | 'void'
    | { reverse: { points: Whole } }
    | { lost: { count: Whole; first_serial?: Whole | null; lost_on: Day; evidence?: Bytes32 | null } };
  set?: Whole | null;
}

/** What an auditor says of the ledger's first entries. */
export interface Attestation {
  kind: 'attestation';
  size: Whole;
  tree_root: Bytes32;
  state_root: Bytes32;
  period_from: Day;
  period_until: Day;
  level: 'limited' | 'reasonable';
  opinion: 'unmodified' | 'qualified' | 'adverse' | 'disclaimed';
  findings: Bytes32;
  report: Bytes32;
  report_at: string;
  words: string;
}

export interface Genesis {
  kind: 'genesis';
  format: 1;
  origin: string;
  programme: string;
  governors: Bytes32[];
  quorum: Whole;
  log_key: Bytes32;
  mldsa_key?: string | Uint8Array | null;
}

export interface Governors {
  kind: 'governors';
  governors: Bytes32[];
  quorum: Whole;
  set: Whole;
}

export interface KeyGrant {
  kind: 'key_grant';
  key: Bytes32;
  role: 'platform' | 'planter' | 'surveyor' | 'auditor';
  holder: string;
  display_name: string;
  expires_on?: Day | null;
  set: Whole;
}

export interface KeyRevoke {
  kind: 'key_revoke';
  key: Bytes32;
  reason: string;
  compromised_since?: Day | null;
  set: Whole;
}

export interface LogKey {
  kind: 'log_key';
  key: Bytes32;
  mldsa_key?: string | Uint8Array | null;
  set: Whole;
}

export interface Method {
  kind: 'method';
  id: Whole;
  version: Whole;
  effective_from: Day;
  /** `factor` in micrograms of CO2e a unit, `cap` in grams an award. */
  activities: { code: Whole; name: string; unit: string; factor: Whole; cap: Whole }[];
  species: { code: Whole; name: string; price: Whole }[];
  baseline: string;
  sources: string;
  jurisdiction: string;
  document: Bytes32;
  set: Whole;
}

export interface Policy {
  kind: 'policy';
  policy: string;
  set: Whole;
}

export interface Seal {
  kind: 'seal';
  count: Whole;
  root: Bytes32;
}

/** What an outbox sends. */
export type Sendable = Award | Transfer | Plot | Planting | Survey | Claim | Assignment | Correction | Attestation;
export type Statement = Sendable | Genesis | Governors | KeyGrant | KeyRevoke | LogKey | Method | Policy | Seal;

/** The bytes of a statement. Throws a StatementError for what breaks a limit of the format. */
export function encode(statement: Statement): Uint8Array;
/** That a policy's lines are those that c2sp.org/tlog-policy reads; rejects with a StatementError. */
export function checkPolicy(policy: string): Promise<void>;

/** What signs: a key in memory, in a hardware module, or in another process. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 64 bytes of the Ed25519 signature over the plain message. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

export class Key implements Signer {
  /** A key from PKCS#8 PEM, as `arborlog keygen` writes. */
  static fromPem(pem: string): Promise<Key>;
  static fromSeed(seed: Uint8Array): Promise<Key>;
  static generate(): Promise<Key>;
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** The PEM of a new key, for a file that its owner alone can read. */
export function newKeyPem(): string;
export function evidenceOf(secret: string | Uint8Array, event: string | Uint8Array): Promise<Uint8Array>;
export function pointsOf(quantity: Whole, factor: Whole): bigint;

/** What of a DatabaseSync of node:sqlite, or a Database of better-sqlite3, is used. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): {
    run(...values: any[]): { changes: number | bigint; lastInsertRowid: number | bigint };
    get(...values: any[]): any;
    all(...values: any[]): any[];
  };
}

export interface Row {
  id: number;
  name: string | null;
  kind: string;
  state: 'waiting' | 'in' | 'refused';
  /** Its index in the log. */
  entry: number | null;
  code: string | null;
  detail: string | null;
}

export interface Head {
  origin: string;
  nextSeq: number;
  prev: Uint8Array;
  issuedOn: number;
  checkpoint: string;
}

export interface Carried {
  id: number;
  kind: string;
  bytes: Uint8Array;
}

export interface Message {
  id: number;
  seq: number;
  record: Uint8Array;
  recordId: Uint8Array;
  signature: Uint8Array;
  sealed: boolean;
  statements: Carried[];
}

/** What a sender needs of an outbox: another database takes a class with these. */
export interface OutboxStore {
  readonly issuer: Uint8Array;
  waiting(): number;
  head(): Head | null;
  begin(head: Head): void;
  seen(note: string): void;
  openMessage(): Message | null;
  choose(statementsMax: number, bytesMax: number): { head: Head | null; statements: Carried[] };
  store(signed: {
    head: Head; statements: Carried[]; record: Uint8Array; recordId: Uint8Array; signature: Uint8Array;
  }): Message | null;
  messagesAt(seq: number): Message[];
  admitted(message: Message, firstIndex: number, note: string): void;
  drop(message: Message, refusals: { place: number; code: string; detail: string }[]): void;
  adopt(records: {
    record: Uint8Array; id: Uint8Array; said: { bytes: Uint8Array; index: number; kind: string }[];
  }[]): { taken: number; added: number };
}

export class Outbox implements OutboxStore {
  /** `db` is a connection of the outbox's own to the platform's database. */
  constructor(db: SqliteDatabase, issuer: Uint8Array);
  readonly issuer: Uint8Array;
  /** Puts a statement, within the transaction that `db`, a connection of the platform's, is in; gives its id. */
  put(db: SqliteDatabase, statement: Sendable, name?: string | null): number;
  /** Lets a refused statement wait again, within the transaction that `db` is in. */
  retry(db: SqliteDatabase, id: number): void;
  /** Moves what waits under a key that this one replaced to this one, within the transaction that `db` is in. */
  takeOver(db: SqliteDatabase, old: Uint8Array): number;
  row(id: number): Row | null;
  refused(): Row[];
  waiting(): number;
  head(): Head | null;
  begin(head: Head): void;
  seen(note: string): void;
  openMessage(): Message | null;
  choose(statementsMax: number, bytesMax: number): { head: Head | null; statements: Carried[] };
  store(signed: {
    head: Head; statements: Carried[]; record: Uint8Array; recordId: Uint8Array; signature: Uint8Array;
  }): Message | null;
  messagesAt(seq: number): Message[];
  admitted(message: Message, firstIndex: number, note: string): void;
  drop(message: Message, refusals: { place: number; code: string; detail: string }[]): void;
  adopt(records: {
    record: Uint8Array; id: Uint8Array; said: { bytes: Uint8Array; index: number; kind: string }[];
  }[]): { taken: number; added: number };
}

/** Ends within the time given, follows no redirects, and rejects where no whole answer came. */
export type Transport = (
  method: 'GET' | 'POST', url: string, contentType: string | null, body: Uint8Array | undefined, timeoutMs: number,
) => Promise<{ status: number; body: Uint8Array }>;
export const fetchTransport: Transport;

export interface Report {
  admitted: number;
  alreadyIn: number;
  refused: { id: number; code: string; detail: string }[];
  readonly outcome: 'holds' | 'not_all_in';
}

export interface SenderOptions {
  /** The log's verifier key, from somebody you trust. */
  log?: string | null;
  /** In the place of `log`: rejects if a checkpoint is not signed. */
  checkNote?: (note: string) => Promise<void>;
  transport?: Transport;
  attemptMs?: number;
  patienceMs?: number;
  sealStatements?: number;
  /** The number of days since 1970-01-01. */
  today?: () => number;
}

export class Sender {
  constructor(outbox: OutboxStore, key: Signer, addresses: string | string[], options?: SenderOptions);
  send(): Promise<Report>;
  run(signal: AbortSignal, options?: { pauseMs?: number; onError?: (error: ArborlogError) => void }): Promise<void>;
  recover(): Promise<{ taken: number; added: number }>;
}

export class ArborlogError extends Error {
  readonly code: string;
  readonly advice: string;
  readonly outcome: 'wrong_use' | 'unchecked' | 'false';
}
export class StatementError extends ArborlogError {
  readonly where: string;
}
export class OutboxError extends ArborlogError {}
export class RequestRefused extends ArborlogError {}
export class Unanswered extends ArborlogError {}
export class NotVerified extends ArborlogError {}
export class KeyRefused extends ArborlogError {}
export class LogFault extends ArborlogError {
  readonly kept: string | null;
  readonly shown: string | null;
}
export class AnotherWriter extends ArborlogError {
  readonly seq: number;
  readonly nextSeq: number;
}

export interface RecordFields {
  issuer: Uint8Array;
  seq: Whole;
  prev: Uint8Array;
  /** The number of days since 1970-01-01. */
  issuedOn: number;
  /** Encoded. */
  statement: Uint8Array;
}
export function recordBytes(fields: RecordFields): Uint8Array;
export function signingInput(origin: string, record: Uint8Array): Uint8Array;
export function recordId(origin: string, record: Uint8Array): Promise<Uint8Array>;
export function signedRecord(
  record: Uint8Array, signature: Uint8Array, endorsements?: [key: Uint8Array, signature: Uint8Array][], mldsaSignature?: Uint8Array,
): Uint8Array;
/** What `POST /v1/records` takes as application/octet-stream. */
export function recordsBody(signedRecords: Uint8Array[]): Uint8Array;
export function rootOf(items: Uint8Array[]): Promise<Uint8Array>;
export function sealOf(statements: Uint8Array[]): Promise<Uint8Array>;
/** What `POST /v1/batches` takes as application/vnd.arborlog.batch. */
export function batchBody(signedSeal: Uint8Array, statements: Uint8Array[]): Uint8Array;
