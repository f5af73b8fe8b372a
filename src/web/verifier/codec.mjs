// The bytes of records and entries (docs/format.md, sections 2, 3, 5 and 6). There is one encoding
// of each value, and only that is read.

import { BOUNDS } from './bounds.mjs';

// Something is not as the format has it: a stable code, and what is wrong in words.
export class Refused extends Error {
  constructor(code, what) {
    super(what);
    this.code = code;
  }

  // One of the four outcomes (section 13.2), but for the first, which is no error.
  get outcome() {
    if (this.code === 'not_a_receipt') return 'not_that_kind';
    return UNCHECKED.has(this.code) || this.code.startsWith('file_') ? 'unchecked' : 'false';
  }
}

// What says nothing against anybody: something is missing, or was changed on its way.
const UNCHECKED = new Set([
  'too_long', 'receipt_malformed', 'note_malformed', 'checkpoint_malformed', 'other_log', 'unsigned',
  'witness_missing', 'quorum_missing', 'proof_incomplete', 'proof_malformed', 'other_format', 'mldsa_unsupported', 'state_item_malformed',
  'state_file_unfit', 'about_part', 'rules_version_unsupported', 'library_unfit', 'away', 'translated',
]);

// Says that it was this that could not be read, whatever is wrong inside.
export function reading(code, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refused) error.code = code;
    throw error;
  }
}

// The same, of work that is not done at once.
export async function named(code, work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Refused) error.code = code;
    throw error;
  }
}

export function need(condition, code, what) {
  if (!condition) throw new Refused(code, what);
}

export const canonical = (condition, what) => need(condition, 'not_canonical', what);

export const NONE = 2n ** 64n - 1n;

// ---- bytes and their spellings ----

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

export function fromHex(text) {
  need(/^([0-9a-f]{2})*$/.test(text), 'not_hex', 'it is no lower-case hexadecimal');
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function base64(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// With padding, without stray bits.
export function fromBase64(text, what) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    bytes = null;
  }
  need(bytes && base64(bytes) === text, 'base64_malformed', `${what} is no base64`);
  return bytes;
}

// A name of a log or a witness.
export const isName = (name) => NAME.test(name) && !REFUSED_IN_TEXT.test(name) && utf8(name).length <= 200;

export function decimal(text, what) {
  need(/^(0|[1-9][0-9]{0,19})$/.test(text) && BigInt(text) <= NONE, 'number_malformed', `${what} is no plain number`);
  return BigInt(text);
}

export const utf8 = (text) => new TextEncoder().encode(text);

export function text8(bytes, code, what) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused(code, what);
  }
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function u64Bytes(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number);
  return bytes;
}

export const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);

// ---- readers: a type is a function that reads its value ----

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.place = 0;
  }

  take(count) {
    canonical(count <= this.bytes.length - this.place, 'the bytes end too early');
    const taken = this.bytes.subarray(this.place, this.place + count);
    this.place += count;
    return taken;
  }
}

export function readWhole(read, bytes) {
  const reader = new Reader(bytes);
  const value = read(reader);
  canonical(reader.place === bytes.length, 'bytes are left over after the end');
  return value;
}

export const big = (bytes) => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

export const u64 = (reader) => big(reader.take(8));

const uint = (width, low = 0, high = 2 ** (8 * width) - 1) => (reader) => {
  const value = Number(big(reader.take(width)));
  canonical(low <= value && value <= high, `a number is not within ${low} to ${high}`);
  return value;
};

export const i64 = (reader) => BigInt.asIntN(64, u64(reader));

const i32 = (limit) => (reader) => {
  const value = Number(BigInt.asIntN(32, big(reader.take(4))));
  canonical(Math.abs(value) <= limit, `a coordinate is beyond ${limit}`);
  return value;
};

const fixed = (width) => (reader) => reader.take(width);

export const byteString = (limit) => (reader) => {
  const length = u64(reader);
  canonical(length <= BigInt(limit), `a text or byte string is longer than ${limit} bytes`);
  return reader.take(Number(length));
};

export const SLUG = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const WEB_ADDRESS = /^(https?:\/\/.*)?$/;
// What the standard asks of a name in a signature line, and what a log's or a witness's name is.
const LINE_NAME_REFUSED = String.raw`\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000+`;
const INVISIBLE = String.raw`\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}`;
export const REFUSED_IN_TEXT = new RegExp(String.raw`[\u0000-\u001f\u007f-\u009f\u2028\u2029${INVISIBLE}]`, 'u');
export const LINE_NAME = new RegExp(`^[^${LINE_NAME_REFUSED}]+$`, 'u');
export const NAME = new RegExp(`^[^${LINE_NAME_REFUSED}${INVISIBLE}]+$`, 'u');

export const text = (limit, pattern) => (reader) => {
  const value = text8(byteString(limit)(reader), 'not_canonical', 'a text is not well-formed UTF-8');
  canonical(!REFUSED_IN_TEXT.test(value), 'a text has a refused character');
  canonical(!pattern || pattern.test(value), 'a slug, origin or web address is not of its form');
  return value;
};

// The text of a policy. Whether it is one takes digests: checkStatement in policy.mjs says.
const policyText = (reader) => {
  const policy = text8(byteString(24_576)(reader), 'not_canonical', 'a policy is not well-formed UTF-8');
  canonical(!REFUSED_IN_TEXT.test(policy.replace(/[\t\n]/g, '')), 'a policy has a refused character');
  return policy;
};

export const option = (inner) => (reader) => {
  const [tag] = reader.take(1);
  canonical(tag < 2, "an option's tag is neither 0 nor 1");
  return tag ? inner(reader) : null;
};

export const listOf = (inner, low, high) => (reader) => {
  const number = u64(reader);
  canonical(BigInt(low) <= number && number <= BigInt(high), `a list has not ${low} to ${high} items`);
  return Array.from({ length: Number(number) }, () => inner(reader));
};

export const table = (fields) => (reader) => {
  const value = {};
  for (const [name, read] of Object.entries(fields)) value[name] = read(reader);
  return value;
};

// One of several, numbered in their order: its name and its fields.
export const variant = (variants) => {
  const pairs = Object.entries(variants);
  return (reader) => {
    const number = u32(reader);
    canonical(number < pairs.length, `no variant has the number ${number}`);
    const [kind, read] = pairs[number];
    return { kind, ...read(reader) };
  };
};

// A variant of which none has fields: its name.
export const word = (...names) => {
  const read = variant(Object.fromEntries(names.map((name) => [name, table({})])));
  return (reader) => read(reader).kind;
};

export const [u8, u16, u32] = [uint(1), uint(2), uint(4)];
export const bytes32 = fixed(32);
// The first field of a genesis: a ledger in another format may be right, and can't be read here.
const formatVersion = (reader) => {
  const version = u32(reader);
  need(version === 1, 'other_format', `the ledger is in version ${version} of the format, and this page reads version 1`);
  return version;
};
export const day = uint(4, 0, 2_932_896); // 9999-12-31
const count = uint(4, 1);

// ---- statements, records, entries ----

const mldsaKey = option(fixed(1312));
const ACTIVITY = table({ code: u16, name: text(60), unit: text(20), factor: u64, cap: u64 });
const SPECIES = table({ code: u16, name: text(100), price: u64 });
const GOVERNORS = { governors: listOf(bytes32, 1, 16), quorum: u8 };
const POINT = { latitude: i32(900_000_000), longitude: i32(1_800_000_000) };

// The corners of a plot: none is the one before it, and the last is not the first.
const outline = (reader) => {
  const points = listOf(table(POINT), 3, 500)(reader);
  const same = (one, other) => one.latitude === other.latitude && one.longitude === other.longitude;
  canonical(points.every((point, at) => !same(point, points.at(at - 1))), 'an outline has a point twice in a row');
  return points;
};

const ascending = (read) => (reader) => {
  const items = read(reader);
  canonical(items.every((item, at) => at === 0 || items[at - 1] < item), 'a list is not strictly ascending');
  return items;
};

export const STATEMENT_FIELDS = {
  genesis: table({ format: formatVersion, origin: text(200, NAME), programme: text(500), ...GOVERNORS, log_key: bytes32, mldsa_key: mldsaKey }),
  governors: table({ ...GOVERNORS, set: u64 }),
  key_grant: table({
    key: bytes32, role: word('platform', 'planter', 'surveyor', 'auditor'), holder: text(64, SLUG),
    display_name: text(100), expires_on: option(day), set: u64,
  }),
  key_revoke: table({ key: bytes32, reason: text(300), compromised_since: option(day), set: u64 }),
  log_key: table({ key: bytes32, mldsa_key: mldsaKey, set: u64 }),
  method: table({
    id: u32, version: u32, effective_from: day, activities: listOf(ACTIVITY, 0, 128),
    species: listOf(SPECIES, 0, 400), baseline: text(1000), sources: text(1000),
    jurisdiction: text(200), document: bytes32, set: u64,
  }),
  award: table({
    account: bytes32, method: u32, version: u32, activity: u16, quantity: u64, points: u64,
    occurred_on: day, evidence: bytes32,
  }),
  transfer: table({
    from: bytes32, to: option(bytes32), points: u64,
    reason: word('gift', 'collected', 'pooled', 'expired', 'spent_elsewhere'),
  }),
  plot: table({
    number: u32, name: text(100), country: text(2, /^[A-Z]{2}$/),
    place: variant({
      circle: table({ ...POINT, radius_m: u32 }),
      outline: table({ points: outline }),
    }),
    finer_outline: option(bytes32), area_m2: u64, trees_per_ha_max: u32,
    carbon_rights: variant({
      none_issued: table({}), issued: table({ registry: text(100), id: text(100) }), unknown: table({}),
    }),
    funded_by: text(100), for: ascending(listOf(text(64, SLUG), 0, 16)), set: option(u64),
  }),
  planting: table({
    plot: u32, species: u16, first_serial: u32, count, planted_from: day, planted_until: day, evidence: bytes32,
    evidence_at: text(300, WEB_ADDRESS),
  }),
  survey: table({
    plot: u32, planting: option(u64), surveyed_on: day, as_of: u64,
    basis: word('census', 'random_sample', 'remote_sensing'), protocol: text(200), plan: option(bytes32),
    alive: u32, dead: u32, not_found: u32, dead_known: u32, revived: u32,
    evidence: bytes32, evidence_at: text(300, WEB_ADDRESS), paid_by: text(100), next_due: option(day),
  }),
  claim: table({ account: bytes32, method: u32, version: u32, species: u16, points: u64 }),
  assignment: table({ plot: u32, first_serial: u32, claims: listOf(u64, 1, 1024) }),
  correction: table({
    target: u64, reason: text(300),
    remedy: variant({
      reverse: table({ points: u64 }),
      lost: table({ count, first_serial: option(u32), lost_on: day, evidence: option(bytes32) }),
      void: table({}),
    }),
    set: option(u64),
  }),
  policy: table({ policy: policyText, set: u64 }),
  attestation: table({
    size: u64, tree_root: bytes32, state_root: bytes32, period_from: day, period_until: day,
    level: word('limited', 'reasonable'), opinion: word('unmodified', 'qualified', 'adverse', 'disclaimed'),
    findings: bytes32, report: bytes32, report_at: text(300), words: text(1000),
  }),
  seal: table({ count: uint(4, 1, BOUNDS.sealed_statements), root: bytes32 }),
};
const STATEMENT = variant(STATEMENT_FIELDS);
const RECORD = table({ issuer: bytes32, seq: u64, prev: bytes32, issued_on: day, statement: STATEMENT });
const ENTRY = table({
  version: u16, admitted_at: u64, lineage: listOf(u64, 0, BOUNDS.lineage_places), record: byteString(BOUNDS.record_bytes),
  signature: fixed(64), endorsements: listOf(table({ key: bytes32, signature: fixed(64) }), 0, BOUNDS.endorsements),
});

// The version of the rules (docs/format.md, section 5.4) by which states are read here.
export const RULES_VERSION = 8;

// What the log itself writes, and nobody signs but the checkpoint: the state root and the totals that the entries
// below `size` make.
const STATE_ENTRY = table({
  version: u16, admitted_at: u64, size: u64, before: u64, rules_version: u32, state_root: bytes32,
  totals: table({
    awarded: u64, reversed: u64, expired: u64, spent_elsewhere: u64, claimed: u64, balances: i64, owed: u64,
    planted_recorded: u64, planted_voided: u64, lost: u64, standing: u64, assigned: u64, waiting: u64, claims: u64,
    accounts_negative: u64,
  }),
});

// The most entries between a state entry and the size that it speaks of.
const STATE_LAG_MAX = 1n << 18n;

// Whether a state entry can stand at an index, whatever the entries are.
export function mayStandAt({ size, before }, index) {
  const least = before === NONE ? 1n : before + 1n;
  return (before === NONE || before < index) && least <= size && size <= index && index - size <= STATE_LAG_MAX;
}

// Whether the bytes say that they are an entry of this form; they need not be one.
const isOfForm = (bytes, form) => bytes.length >= 2 && bytes[0] === 0 && bytes[1] === form;
export const isStateEntry = (bytes) => isOfForm(bytes, 3);
export const isSealedEntry = (bytes) => isOfForm(bytes, 2);

// The kinds that a seal signs for, and the number of their lineage's places from lineage[2] on.
const SEALED_PLACES = { award: 1, transfer: 2, planting: 1, survey: 1, claim: 1, assignment: 1, correction: 3 };
const STATEMENT_BYTES_MAX = 25_600;

// A statement of one of those kinds, and its bytes. Of other kinds nothing is read.
const sealedStatement = (reader) => {
  const start = reader.place;
  const kind = Object.keys(STATEMENT_FIELDS)[u32(reader)];
  canonical(kind !== undefined && Object.hasOwn(SEALED_PLACES, kind), 'a statement of that kind is not sealed');
  reader.place = start;
  const statement = STATEMENT(reader);
  const statementBytes = reader.bytes.subarray(start, reader.place);
  canonical(statementBytes.length <= STATEMENT_BYTES_MAX, 'a statement is longer than 25,600 bytes');
  checkFields(statement);
  return { statement, statementBytes };
};

const sealedEntry = (reader) => {
  const { version, ahead } = table({ version: u16, ahead: uint(2, 1, BOUNDS.sealed_statements) })(reader);
  const said = sealedStatement(reader);
  const places = Array.from({ length: SEALED_PLACES[said.statement.kind] }, () => u64(reader));
  return { version, ahead, ...said, places };
};

function checkFields(statement) {
  if (statement.kind !== 'transfer') return;
  const toNobody = ['expired', 'spent_elsewhere'].includes(statement.reason);
  canonical(toNobody === (statement.to === null), 'reason and receiver do not fit');
}

export function decodeRecord(bytes) {
  canonical(bytes.length <= BOUNDS.record_bytes, 'a record is longer than 25,600 bytes');
  const record = readWhole(RECORD, bytes);
  checkFields(record.statement);
  return record;
}

export const namesMldsa = ({ statement }) => (statement.mldsa_key ?? null) !== null;

// An entry with its record's fields in it, the bytes of its record, and who signed. A state entry has no record and
// no issuer; what it says takes the statement's place. A sealed entry has no record either, and its issuer is its seal's.
export function decodeEntry(bytes) {
  canonical(bytes.length <= BOUNDS.entry_bytes, 'an entry is longer than 32,768 bytes');
  if (isStateEntry(bytes)) {
    const { version, admitted_at: admittedAt, ...said } = readWhole(STATE_ENTRY, bytes);
    const statement = { kind: 'state', ...said };
    return { version, admitted_at: admittedAt, lineage: [], issuer: null, statement, record: null, bytes, signers: new Set() };
  }
  if (isSealedEntry(bytes)) {
    return { ...readWhole(sealedEntry, bytes), lineage: [], issuer: null, record: null, bytes, signers: new Set() };
  }
  const reader = new Reader(bytes);
  const { record, ...entry } = ENTRY(reader);
  canonical(entry.version === 1, "an entry's form is none of 1, 2 and 3");
  const fields = decodeRecord(record);
  const keys = entry.endorsements.map((endorsement) => hex(endorsement.key));
  canonical(keys.every((key, at) => at === 0 || keys[at - 1] < key), 'endorsements are not strictly ascending');
  canonical(!keys.includes(hex(fields.issuer)), 'the issuer endorses');
  // Behind the endorsements, exactly when the statement names an ML-DSA key. Nothing verifies it here.
  const mldsaSignature = reader.take(namesMldsa(fields) ? 2420 : 0);
  canonical(reader.place === bytes.length, 'bytes are left over after the end');
  return { ...entry, mldsaSignature, ...fields, record, bytes, signers: new Set([hex(fields.issuer), ...keys]) };
}
