// A proposal: a record on its way from governor to governor, in a file (`arborlog propose`, docs/statements.md). What the file
// shows for people counts for nothing; the record that is signed counts.

import { Refused, decodeRecord, equal, fromBase64, hex, need } from './codec.mjs';
import { signingInput } from './record.mjs';
import { signatureHolds } from './signature.mjs';
import { fieldText, rowsOf } from './story.mjs';

// The version of the files that are read here.
const FILE_VERSION = 2;
// No proposal is longer: a record and 32 endorsements, in base64, twice told.
const BYTES_MAX = 1 << 20;
const ENDORSEMENTS_MAX = 32;
const FIELDS = ['arborlog_proposal', 'origin', 'issuer', 'statement', 'record', 'signature', 'endorsements', 'council'];

const isTable = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const proposes = (condition, what) => need(condition, 'not_a_proposal', what);

// The fields of a statement in the file, as `rowsOf` gives those of one that was decoded.
function shownRows(statement) {
  const rows = [];
  const walk = (path, value) => {
    if (value === null) return;
    if (typeof value === 'object') for (const [name, inner] of Object.entries(value)) walk(`${path}.${name}`, inner);
    else rows.push([path, String(value)]);
  };
  for (const [name, value] of Object.entries(statement)) if (name !== 'kind') walk(name, value);
  return rows;
}

const signatureOf = (text) => {
  proposes(typeof text === 'string', 'a signature is no text');
  const bytes = fromBase64(text, 'a signature');
  proposes(bytes.length === 64, 'a signature has 64 bytes');
  return bytes;
};

// Reads a proposal and verifies its signatures: the ledger, the record's fields, and who signed it. Throws `not_a_proposal`,
// `misleading` if it shows another statement than is signed, `signature_invalid`.
export async function readProposal(bytes) {
  proposes(bytes.length <= BYTES_MAX, 'it is longer than any');
  let file;
  try {
    file = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refused('not_a_proposal', 'it is no JSON');
  }
  proposes(isTable(file) && 'arborlog_proposal' in file, 'it names no version');
  proposes(file.arborlog_proposal === FILE_VERSION, `it is of version ${Number(file.arborlog_proposal)}, and this page reads version ${FILE_VERSION}`);
  proposes(Object.keys(file).every((name) => FIELDS.includes(name)), 'it has a part that none has');
  proposes(typeof file.origin === 'string' && typeof file.record === 'string' && isTable(file.statement), 'a part of it is missing');
  proposes(Array.isArray(file.endorsements) && file.endorsements.length <= ENDORSEMENTS_MAX && file.endorsements.every(isTable), 'its endorsements are no list, or too many');
  const record = fromBase64(file.record, 'the record');
  const fields = decodeRecord(record);
  const { statement, issuer } = fields;
  const told = rowsOf(statement).map(([path, value]) => [path, fieldText(path.split('.').pop(), value)]);
  const same = file.statement.kind === statement.kind && file.issuer === hex(issuer) &&
    JSON.stringify(told.sort()) === JSON.stringify(shownRows(file.statement).sort());
  need(same, 'misleading', 'the statement that it shows is not the one in the record');
  const signatures = [{ key: issuer, signature: signatureOf(file.signature) }];
  for (const { key, signature } of file.endorsements) {
    proposes(typeof key === 'string' && /^[0-9a-f]{64}$/.test(key), 'a key is not 64 digits');
    signatures.push({ key: Uint8Array.from(key.match(/../g), (digits) => parseInt(digits, 16)), signature: signatureOf(signature) });
  }
  const message = signingInput(file.origin, record);
  for (const [place, { key, signature }] of signatures.entries()) {
    need(await signatureHolds(key, signature, message), 'signature_invalid', `the signature by ${hex(key)} does not hold`);
    need(signatures.slice(0, place).every((other) => !equal(other.key, key)), 'signature_invalid', `${hex(key)} signs twice`);
  }
  return { origin: file.origin, record: fields, signers: signatures.map(({ key }) => hex(key)) };
}

// The keys that a statement gives a task, each of which must sign it.
export function namedKeys({ kind, ...statement }) {
  if (kind === 'genesis') return [...statement.governors, statement.log_key].map(hex);
  if (kind === 'governors') return statement.governors.map(hex);
  return kind === 'key_grant' || kind === 'log_key' ? [hex(statement.key)] : [];
}

// Who has not signed yet: the keys that must, and of the governors in force (`council`, or null if nobody knows them) how many
// more, and who they may be; and whether others are in force than those that the statement asks for.
export function missingIn({ record: { statement, issuer }, signers }, council) {
  const named = namedKeys(statement).filter((key) => !signers.includes(key));
  const set = statement.set ?? null;
  if (set === null || council === null) return { named, governors: [], count: 0, superseded: null, isKnown: set === null };
  const governors = council.governors.map(hex);
  // An issuer's own correction is signed by nobody else.
  const isOwn = statement.kind === 'correction' && !governors.includes(hex(issuer));
  const signed = governors.filter((key) => signers.includes(key)).length;
  return {
    named, isKnown: true, governors: governors.filter((key) => !signers.includes(key)),
    count: isOwn ? 0 : Math.max(0, council.quorum - signed),
    superseded: set === council.stated_at ? null : { named: set, inForce: council.stated_at },
  };
}
