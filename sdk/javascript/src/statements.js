// Statements as bytes (docs/format.md, sections 2 and 6). `encode` takes a statement in the JSON form of docs/statements.md
// and gives its one encoding. Every limit of the format is checked here, so that what the server would call
// `not_canonical` never leaves the program; what text may have in it, the verifier's own readers say.

import { StatementError } from './errors.js';
import { BOUNDS } from './verifier/bounds.mjs';
import { NAME, Refused, SLUG, concat, day as dayReader, fromHex, hex, readWhole, text as textReader, u64Bytes, utf8 } from './verifier/codec.mjs';
import { checkStatement } from './verifier/policy.mjs';

// A record has 76 bytes before its statement, and 25,600 in all.
export const STATEMENT_BYTES_MAX = BOUNDS.record_bytes - 76;
export const SEALABLE = new Set(['award', 'transfer', 'planting', 'survey', 'claim', 'assignment', 'correction']);

const DAY_MS = 86_400_000;
const WEB_ADDRESS = /^(https?:\/\/.*)?$/;
const refuse = (where, what) => {
  throw new StatementError(where, what);
};
const show = (value) => {
  const shown = typeof value === 'bigint' ? `${value}` : JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}` : inner));
  return (shown ?? String(value)).slice(0, 80);
};

// The bytes of a statement: its kind's number and its fields. Digests and keys are 64 hexadecimal digits or 32 bytes, days
// `YYYY-MM-DD`, whole numbers a number or, beyond 2^53, a bigint. Of a policy, `checkPolicy` says the rest.
export function encode(statement) {
  if (!isObject(statement)) refuse('statement', `it is an object with a kind, not ${show(statement)}`);
  const { kind, ...fields } = statement;
  const number = NAMES.indexOf(kind);
  if (number < 0) refuse('kind', `${show(kind)} is none of ${NAMES.join(', ')}`);
  const bytes = concat(big(number, 4), table(FIELDS[kind])(fields, ''));
  if (kind === 'transfer' && ['expired', 'spent_elsewhere'].includes(fields.reason) !== ((fields.to ?? null) === null)) {
    refuse('to', `the reason ${show(fields.reason)} and the receiver do not fit each other`);
  }
  if (bytes.length > STATEMENT_BYTES_MAX) refuse('statement', `it has ${bytes.length} bytes, and ${STATEMENT_BYTES_MAX} are the most`);
  return bytes;
}

// That a policy's lines are those that c2sp.org/tlog-policy reads. Governors alone state one.
export async function checkPolicy(policy) {
  try {
    await checkStatement({ kind: 'policy', policy });
  } catch (error) {
    refuse('policy', error.message);
  }
}

// The kind of an encoded statement, or null for a number that has none.
export const kindOf = (bytes) => (bytes.length >= 4 ? NAMES[new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)] ?? null : null);

// A day as the number of days since 1970-01-01.
export function daysOf(written, where = 'day') {
  const parts = typeof written === 'string' && /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(written);
  if (!parts) refuse(where, `${show(written)} is no day: write YYYY-MM-DD`);
  const days = Date.parse(`${written}T00:00:00Z`) / DAY_MS;
  if (!Number.isInteger(days) || new Date(days * DAY_MS).toISOString().slice(0, 10) !== written) refuse(where, `the calendar has no day ${written}`);
  if (days < 0) refuse(where, `${written} is not within 1970-01-01 to 9999-12-31`);
  return days;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
const big = (number, width) => u64Bytes(BigInt.asUintN(64, BigInt(number))).subarray(8 - width);
const sized = (bytes) => concat(u64Bytes(BigInt(bytes.length)), bytes);

// What the verifier would refuse to read is not written.
function readable(read, bytes, where) {
  try {
    readWhole(read, bytes);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    refuse(where, error.message);
  }
  return bytes;
}

// ---- writers: each takes a value and the name of its field, and gives bytes ----

const integer = (width, low, high) => (value, where) => {
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!whole) refuse(where, `${show(value)} is no whole number${typeof value === 'number' ? ' that is exact: give a bigint' : ''}`);
  if (BigInt(value) < low || BigInt(value) > high) refuse(where, `${value} is not within ${low} to ${high}`);
  return big(value, width);
};

const uint = (width, low = 0n, high = (1n << BigInt(8 * width)) - 1n) => integer(width, low, high);

const fixed = (width) => (value, where) => {
  let bytes = value;
  if (typeof value === 'string') {
    if (!/^[0-9a-fA-F]*$/.test(value)) refuse(where, 'it is not hexadecimal');
    bytes = value.length % 2 ? new Uint8Array(0) : fromHex(value.toLowerCase());
  }
  if (!(bytes instanceof Uint8Array)) refuse(where, `${show(value)} is neither ${2 * width} hexadecimal digits nor ${width} bytes`);
  if (bytes.length !== width) refuse(where, `it has not ${width} bytes, which are ${2 * width} hexadecimal digits`);
  return bytes;
};

const day = (value, where) => readable(dayReader, big(daysOf(value, where), 4), where);

function utf8Of(value, limit, where) {
  if (typeof value !== 'string') refuse(where, `${show(value)} is no text`);
  if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(value)) refuse(where, 'it has half of a surrogate pair');
  const bytes = utf8(value);
  if (bytes.length > limit) refuse(where, `it has ${bytes.length} bytes of UTF-8, and ${limit} are the most`);
  return sized(bytes);
}

const text = (limit, pattern = null, form = '') => (value, where) => {
  const bytes = readable(textReader(limit), utf8Of(value, limit, where), where);
  if (pattern && !pattern.test(value)) refuse(where, `${show(value)} is not ${form}`);
  return bytes;
};

const policyText = (value, where) => {
  const bytes = utf8Of(value, 24_576, where);
  readable(textReader(24_576), utf8Of(value.replace(/[\t\n]/g, ''), 24_576, where), where);
  if (!value.endsWith('\n')) refuse(where, "a policy's last line has no newline");
  return bytes;
};

const option = (inner) => {
  const write = (value, where) => ((value ?? null) === null ? Uint8Array.of(0) : concat([1], inner(value, where)));
  write.optional = true;
  return write;
};

const list = (inner, low, high) => (value, where) => {
  if (!Array.isArray(value)) refuse(where, `${show(value)} is no list`);
  if (value.length < low || value.length > high) refuse(where, `it has ${value.length} items, and ${low} to ${high} are allowed`);
  return concat(u64Bytes(BigInt(value.length)), ...value.map((item, at) => inner(item, `${where}[${at}]`)));
};

const outline = (value, where) => {
  const bytes = list(table(POINT), 3, 500)(value, where);
  const same = ([one, other]) => one && BigInt(one.latitude) === BigInt(other.latitude) && BigInt(one.longitude) === BigInt(other.longitude);
  const at = value.findIndex((point, place) => same([value.at(place - 1), point]));
  if (at >= 0) refuse(`${where}[${at}]`, 'it is the corner before it, or the last one is the first');
  return bytes;
};

const holders = (value, where) => {
  const bytes = list(text(64, SLUG, 'a slug'), 0, 16)(value, where);
  const at = value.findIndex((item, place) => place > 0 && value[place - 1] >= item);
  if (at >= 0) refuse(`${where}[${at}]`, 'the list is not strictly ascending');
  return bytes;
};

const join = (where, name) => (where ? `${where}.${name}` : name);

const table = (fields) => (value, where) => {
  if (!isObject(value)) refuse(where, `${show(value)} is no object`);
  const unknown = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) refuse(join(where, unknown), `there is no such field: ${Object.keys(fields).join(', ')}`);
  return concat(
    ...Object.entries(fields).map(([name, inner]) => {
      if (value[name] === undefined && !inner.optional) refuse(join(where, name), 'it is missing');
      return inner(value[name], join(where, name));
    }),
  );
};

// One of several: a word where it has no fields, else an object of one.
const variant = (variants) => (value, where) => {
  const names = Object.keys(variants);
  const isWord = typeof value === 'string';
  const [name, fields] = isWord ? [value, {}] : (isObject(value) && Object.keys(value).length === 1 && Object.entries(value)[0]) || [];
  const known = names.includes(name) && isWord === (Object.keys(variants[name]).length === 0);
  if (!known) refuse(where, `${show(value)} is none of ${names.join(', ')}`);
  return concat(big(names.indexOf(name), 4), table(variants[name])(fields, isWord ? where : join(where, name)));
};

const word = (...names) => variant(Object.fromEntries(names.map((name) => [name, {}])));

const [u8, u16, u32, u64, bytes32] = [uint(1), uint(2), uint(4), uint(8), fixed(32)];
const count = uint(4, 1n);
const mldsaKey = option(fixed(1312));
const POINT = { latitude: integer(4, -900_000_000n, 900_000_000n), longitude: integer(4, -1_800_000_000n, 1_800_000_000n) };
const GOVERNORS = { governors: list(bytes32, 1, 16), quorum: u8 };
const webAddress = text(300, WEB_ADDRESS, 'empty, nor an address that begins with https:// or http://');

// In the order of their numbers, and of their fields in the bytes.
const FIELDS = {
  genesis: {
    format: uint(4, 1n, 1n), origin: text(200, NAME, 'a name without spaces and +'), programme: text(500), ...GOVERNORS,
    log_key: bytes32, mldsa_key: mldsaKey,
  },
  governors: { ...GOVERNORS, set: u64 },
  key_grant: {
    key: bytes32, role: word('platform', 'planter', 'surveyor', 'auditor'),
    holder: text(64, SLUG, 'a slug of a to z, 0 to 9 and -'), display_name: text(100), expires_on: option(day), set: u64,
  },
  key_revoke: { key: bytes32, reason: text(300), compromised_since: option(day), set: u64 },
  log_key: { key: bytes32, mldsa_key: mldsaKey, set: u64 },
  method: {
    id: u32, version: u32, effective_from: day,
    activities: list(table({ code: u16, name: text(60), unit: text(20), factor: u64, cap: u64 }), 0, 128),
    species: list(table({ code: u16, name: text(100), price: u64 }), 0, 400),
    baseline: text(1000), sources: text(1000), jurisdiction: text(200), document: bytes32, set: u64,
  },
  award: {
    account: bytes32, method: u32, version: u32, activity: u16, quantity: u64, points: u64, occurred_on: day, evidence: bytes32,
  },
  transfer: {
    from: bytes32, to: option(bytes32), points: u64, reason: word('gift', 'collected', 'pooled', 'expired', 'spent_elsewhere'),
  },
  plot: {
    number: u32, name: text(100), country: text(2, /^[A-Z]{2}$/, 'a code of two letters, A to Z'),
    place: variant({ circle: { ...POINT, radius_m: u32 }, outline: { points: outline } }),
    finer_outline: option(bytes32), area_m2: u64, trees_per_ha_max: u32,
    carbon_rights: variant({ none_issued: {}, issued: { registry: text(100), id: text(100) }, unknown: {} }),
    funded_by: text(100), for: holders, set: option(u64),
  },
  planting: {
    plot: u32, species: u16, first_serial: u32, count, planted_from: day, planted_until: day, evidence: bytes32,
    evidence_at: webAddress,
  },
  survey: {
    plot: u32, planting: option(u64), surveyed_on: day, as_of: u64, basis: word('census', 'random_sample', 'remote_sensing'),
    protocol: text(200), plan: option(bytes32), alive: u32, dead: u32, not_found: u32, dead_known: u32, revived: u32,
    evidence: bytes32, evidence_at: webAddress, paid_by: text(100), next_due: option(day),
  },
  claim: { account: bytes32, method: u32, version: u32, species: u16, points: u64 },
  assignment: { plot: u32, first_serial: u32, claims: list(u64, 1, 1024) },
  correction: {
    target: u64, reason: text(300),
    remedy: variant({
      reverse: { points: u64 }, lost: { count, first_serial: option(u32), lost_on: day, evidence: option(bytes32) }, void: {},
    }),
    set: option(u64),
  },
  policy: { policy: policyText, set: u64 },
  attestation: {
    size: u64, tree_root: bytes32, state_root: bytes32, period_from: day, period_until: day, level: word('limited', 'reasonable'),
    opinion: word('unmodified', 'qualified', 'adverse', 'disclaimed'), findings: bytes32, report: bytes32, report_at: text(300),
    words: text(1000),
  },
  seal: { count: uint(4, 1n, 16_384n), root: bytes32 },
};
const NAMES = Object.keys(FIELDS);

export const evidenceName = (bytes) => `award/${hex(bytes.subarray(-32))}`;
