// What the leaves of the state say (docs/format.md, section 16.5): of each of the sixteen domains, its paths and its
// values. A leaf was proven against a state root (trie.mjs), so one that cannot be read is the log's fault: every
// function here throws `state_differs`.

import {
  NAME, Refused, SLUG, STATEMENT_FIELDS, bytes32, concat, day, equal, i64, listOf, need, option, readWhole, table, text, u16, u32,
  u64, u8, utf8, variant, word,
} from './codec.mjs';
import { sha256 } from './tree.mjs';

const LIST_ITEMS_MAX = 2 ** 32 - 1;

const stateHas = (condition, what) => need(condition, 'state_differs', what);

const bool = (reader) => {
  const value = u8(reader);
  stateHas(value <= 1, 'what is true or false is neither');
  return value === 1;
};
const slug = text(64, SLUG);
const flag = (condition) => (condition ? 1n : 0n);
const all = (reads) => (reader) => Object.assign({}, ...reads.map((read) => read(reader)));

// ---- the fields of values ----

const ONCE = [
  ['programme', table({ origin: text(200, NAME), genesis: bytes32, programme: text(500) })],
  ['governors', table({ governors: listOf(bytes32, 1, 16), quorum: u8, stated_at: u64 })],
  ['log_keys', table({ log_keys: listOf(table({ key: bytes32, named_at: u64 }), 1, LIST_ITEMS_MAX) })],
  ['policy', table({})],
];
const GRANT = table({
  role: word('platform', 'planter', 'surveyor', 'auditor'), holder: slug, number: u32, display_name: text(100),
});
const KEY = table({
  key: bytes32, task: variant({ governor: table({}), log: table({}), granted: GRANT }), given_at: u64, given_by: bytes32,
  expires_on: option(day), revoked_at: option(u64), compromised_since: option(day), last_entry: u64,
  newest_record: option(table({ seq: u64, id: bytes32, entry: u64, issued_on: day })),
});
const METHOD = all([STATEMENT_FIELDS.method, table({ stated_at: u64 })]);
const ACCOUNT = table({ balance: i64, last_entry: u64, holder: u32 });
const PLOT = all([STATEMENT_FIELDS.plot, table({
  holder: slug, stated_at: u64, last_entry: u64, planted: u64, lost: u64, with_claim: u64, next_serial: option(u32),
})]);
const PLANTING = table({
  entry: u64, species: u16, first_serial: u32, last_serial: u32, planted_from: day, planted_until: day, voided: bool,
  lost: u32, lost_ranges: listOf(table({ first: u32, last: u32, loss: u64 }), 0, LIST_ITEMS_MAX), with_claim: u32,
});
const SURVEY = all([table({ entry: u64 }), STATEMENT_FIELDS.survey, table({ holder: slug })]);
const CLAIM = table({
  account: bytes32, species: u16, points: u64,
  tree: variant({ waits: table({}), has: table({ plot: u32, serial: u32 }), voided: table({}) }),
});
const LOSS = table({
  entry: u64, plot: u32, first_serial: u32, trees: u32, by_serial: bool,
  taken: listOf(table({ serial: u32, claim: u64, assignment: u64 }), 0, LIST_ITEMS_MAX),
});

// A holder, or a name that one has.
function holderOrName(reader) {
  const [kind, number] = [u8(reader), u32(reader)];
  stateHas(kind <= 1, 'it is neither a holder nor a name');
  if (kind === 1) return { kind: 'name', number };
  const duties = u8(reader);
  stateHas(duties >= 1 && duties <= 7, 'a holder has no duty, or an unknown one');
  return { kind: 'holder', number, surveys: (duties & 1) !== 0, plants_or_awards: (duties & 2) !== 0, audits: (duties & 4) !== 0 };
}

const plantedOf = ({ first_serial: first, last_serial: last }) => BigInt(last) - BigInt(first) + 1n;

function plantingSums({ voided, lost, ...planting }) {
  return voided ? [0n, 0n] : [plantedOf(planting) - BigInt(lost), BigInt(lost)];
}

// ---- the domains ----

// Of each, in their order:
// at: the parts of its paths with their widths, where a path is no hash;
// plain, or digested: how its fields are read (by the path's parts);
// sums: the leaf's a and b by its fields; without `sums` both are 0;
// fits: whether path, entry and fields are of one item.
const NO_SUMS = () => [0n, 0n];
const ALWAYS = () => true;
export const DOMAINS = [
  {
    name: 'once', at: { what: 1 }, digested: ({ what }) => ONCE[Number(what)]?.[1],
    fits: ({ what }, entry, fields) => [0n, fields.stated_at, fields.log_keys?.at(-1).named_at, entry][Number(what)] === entry,
  },
  {
    name: 'keys', digested: () => KEY, sums: ({ revoked_at: at }) => [flag(at === null), flag(at !== null)],
    fits: (_, entry, fields) => fields.given_at === entry,
  },
  { name: 'holders', plain: holderOrName, sums: ({ kind }) => [flag(kind === 'holder'), flag(kind === 'name')] },
  {
    name: 'methods', at: { id: 4, version: 4 }, digested: () => METHOD,
    fits: ({ id, version }, entry, fields) =>
      BigInt(fields.id) === id && BigInt(fields.version) === version && fields.stated_at === entry,
  },
  { name: 'species', at: { code: 2 }, plain: table({ name: text(100) }) },
  {
    name: 'accounts', plain: ACCOUNT,
    sums: ({ balance }) => (balance < 0n ? [0n, -balance] : [balance, 0n]),
  },
  {
    name: 'plots', at: { number: 4 }, digested: () => PLOT,
    sums: ({ planted, lost, with_claim: claimed }) => [planted - lost, claimed],
    fits: ({ number }, entry, fields) => BigInt(fields.number) === number && fields.stated_at === entry,
  },
  {
    name: 'plantings', at: { plot: 4, first_serial: 4 }, digested: () => PLANTING, sums: plantingSums,
    fits: ({ first_serial: first }, entry, fields) =>
      BigInt(fields.first_serial) === first && fields.entry === entry && plantedOf(fields) > 0n &&
      !(fields.voided && (fields.lost > 0 || fields.lost_ranges.length > 0)),
  },
  { name: 'trees', at: { plot: 4, serial: 4 }, plain: table({ claim: u64, assignment: u64 }) },
  {
    name: 'surveys', at: { plot: 4, day: 4, entry: 8 }, digested: () => SURVEY,
    fits: ({ plot, day: on, entry: at }, entry, fields) =>
      BigInt(fields.plot) === plot && BigInt(fields.surveyed_on) === on && fields.entry === entry && entry === at,
  },
  {
    name: 'claims', at: { entry: 8 }, plain: CLAIM,
    sums: ({ points, tree }) => [tree.kind === 'voided' ? 0n : points, flag(tree.kind === 'waits')],
  },
  { name: 'reversed', at: { award: 8 }, plain: table({ points: u64 }), sums: ({ points }) => [points, 0n] },
  {
    name: 'losses', at: { entry: 8 }, digested: () => LOSS, sums: ({ trees }) => [BigInt(trees), 0n],
    fits: ({ entry: at }, entry, fields) => fields.entry === entry && entry === at,
  },
  { name: 'voided', at: { entry: 8 }, plain: table({ by: u64 }), fits: ({ entry: at }, entry, { by }) => at < by },
  {
    name: 'months', at: { month: 4 }, plain: table({ points: u64, trees: u64 }), sums: ({ points, trees }) => [points, trees],
  },
  { name: 'evidence', plain: table({ entry: u64 }) },
];

// ---- paths ----

// The path of an item whose domain names it by numbers.
export function pathOf(domain, parts) {
  const path = new Uint8Array(32);
  let place = 0;
  for (const [name, width] of Object.entries(DOMAINS[domain].at)) {
    for (let byte = 0; byte < width; byte += 1) path[place + byte] = Number((BigInt(parts[name]) >> BigInt(8 * (width - 1 - byte))) & 255n);
    place += width;
  }
  return path;
}

// The number of bytes that are a key, where a path is no hash of it.
export function pathWidth(domain) {
  const { name, at } = DOMAINS[domain];
  if (name === 'evidence') return 32;
  return Object.values(at).reduce((sum, width) => sum + width, 0);
}

export const keyPath = (key) => sha256(key);
export const holderPath = (name) => sha256(concat([0], utf8(name)));
// By the form of a name in which names are compared (section 2.3).
export const namePath = (form) => sha256(concat([1], utf8(form)));
export const accountPath = (genesisId, account) => sha256(concat(utf8('arborlog account'), genesisId, account));

// The numbers that a path is made of, or null where it is a hash.
function partsOf({ at }, path) {
  if (!at) return null;
  const parts = {};
  let place = 0;
  for (const [name, width] of Object.entries(at)) {
    parts[name] = path.subarray(place, place + width).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    place += width;
  }
  stateHas(path.subarray(place).every((byte) => byte === 0), 'bytes stand behind the numbers of a path');
  return parts;
}

// ---- leaves ----

function read(reader, bytes) {
  try {
    return readWhole(reader, bytes);
  } catch (error) {
    if (error instanceof Refused) error.code = 'state_differs';
    throw error;
  }
}

// Whether a leaf of which only the digest is known can have these sums.
function mayHaveSums({ name, sums }, { a, b }) {
  if (!sums) return a === 0n && b === 0n;
  if (name === 'keys') return a + b === 1n;
  return name !== 'losses' || b === 0n;
}

// What a leaf says: the numbers of its path (`at`), the entry that a digested item began with, and its fields. Those of a
// digested leaf are read from `beside`, the bytes that its digest is of; without them they are null.
export async function readLeaf(domain, path, leaf, beside = null) {
  const { plain, digested, sums = NO_SUMS, fits = ALWAYS, name } = DOMAINS[domain];
  const at = partsOf(DOMAINS[domain], path);
  let [entry, fields] = [null, null];
  if (plain) {
    fields = read(plain, leaf.value);
  } else {
    const { entry: began, digest } = read(table({ entry: u64, digest: bytes32 }), leaf.value);
    const reader = digested(at);
    stateHas(reader, `the domain ${name} has no such path`);
    entry = began;
    if (beside === null) {
      stateHas(mayHaveSums(DOMAINS[domain], leaf), 'the sums of the leaf are none that its domain has');
      return { at, entry, fields };
    }
    stateHas(equal(await sha256(beside), digest), 'the fields are not those of the digest');
    fields = read(reader, beside);
    const own = name !== 'keys' || equal(await keyPath(fields.key), path);
    stateHas(own && fits(at, entry, fields), 'path, entry and fields are not of one item');
  }
  if (plain) stateHas(fits(at, entry, fields), 'path and fields are not of one item');
  const [a, b] = sums(fields);
  stateHas(leaf.a === a && leaf.b === b, 'the sums of the leaf are not those of its fields');
  return { at, entry, fields };
}
