// Records, seals and the bodies that are posted (docs/format.md, sections 3, 5.3 and 6.16).

import { ArborlogError } from './errors.js';
import { encode } from './statements.js';
import { BOUNDS } from './verifier/bounds.mjs';
import { concat, decodeEntry, hex, isSealedEntry, u64Bytes } from './verifier/codec.mjs';
import { recordId, signingInput } from './verifier/record.mjs';
import { leafHash, nodeHash } from './verifier/tree.mjs';

export { recordId, signingInput };

export const BATCH_STATEMENTS_MAX = BOUNDS.sealed_statements;
export const BATCH_BYTES_MAX = 8 << 20;
const DAY_MAX = 2_932_896;

const need = (condition, what) => {
  if (!condition) throw new ArborlogError('record_malformed', what);
};
const big = (number, width) => u64Bytes(BigInt(number)).subarray(8 - width);
const sized = (bytes, width) => concat(big(bytes.length, width), bytes);

// A record: `statement` is encoded already, `issuedOn` the number of days since 1970-01-01.
export function recordBytes({ issuer, seq, prev, issuedOn, statement }) {
  need(issuer.length === 32 && prev.length === 32, 'issuer and prev have 32 bytes');
  need(BigInt(seq) >= 0n && BigInt(seq) < 1n << 64n, `the seq ${seq} is not within 0 to 2^64 - 1`);
  need(Number.isInteger(issuedOn) && issuedOn >= 0 && issuedOn <= DAY_MAX, `the day ${issuedOn} is not within 0 to ${DAY_MAX}`);
  const record = concat(issuer, big(seq, 8), prev, big(issuedOn, 4), statement);
  need(record.length <= BOUNDS.record_bytes, `it has ${record.length} bytes, and ${BOUNDS.record_bytes} are the most`);
  return record;
}

// A record with its signatures. `endorsements` are pairs of key and signature, in any order.
export function signedRecord(record, signature, endorsements = [], mldsaSignature = new Uint8Array(0)) {
  need(signature.length === 64, 'a signature has 64 bytes');
  need([0, 2420].includes(mldsaSignature.length), 'an ML-DSA signature has 2,420 bytes');
  const pairs = endorsements.map(([key, made]) => [hex(key), key, made]).sort(([one], [other]) => (one < other ? -1 : 1));
  need(pairs.length <= BOUNDS.endorsements, `${BOUNDS.endorsements} endorsements are the most`);
  const keys = new Set([hex(record.subarray(0, 32)), ...pairs.map(([name]) => name)]);
  need(keys.size === pairs.length + 1, 'a key endorses twice, or the issuer does');
  need(pairs.every(([, key, made]) => key.length === 32 && made.length === 64), 'an endorsement has 32 and 64 bytes');
  const written = pairs.flatMap(([, key, made]) => [key, made]);
  return concat(sized(record, 8), signature, big(pairs.length, 8), ...written, mldsaSignature);
}

// What `POST /v1/records` takes as application/octet-stream.
export function recordsBody(signedRecords) {
  need(signedRecords.length <= BATCH_STATEMENTS_MAX, `${BATCH_STATEMENTS_MAX} records are the most`);
  return concat(...signedRecords.map((signed) => sized(signed, 4)));
}

// The tree hash over these byte strings, of which there is one at least.
export async function rootOf(items) {
  let level = await Promise.all(items.map(leafHash));
  while (level.length > 1) {
    // A last one without a neighbour moves up as it is: the RFC's split at the largest power of two.
    const pairs = Array.from({ length: level.length >> 1 }, (_, place) => nodeHash(level[2 * place], level[2 * place + 1]));
    level = [...(await Promise.all(pairs)), ...level.slice(2 * pairs.length)];
  }
  return level[0];
}

// The statement that signs for all of these, which are encoded already, in their order.
export async function sealOf(statements) {
  const fits = statements.length >= 1 && statements.length <= BATCH_STATEMENTS_MAX;
  need(fits, `a seal is for 1 to ${BATCH_STATEMENTS_MAX} statements`);
  const bytes = statements.reduce((sum, statement) => sum + statement.length, 0);
  need(bytes <= BATCH_BYTES_MAX, `${BATCH_BYTES_MAX} bytes of statements are the most`);
  return encode({ kind: 'seal', count: statements.length, root: await rootOf(statements) });
}

// What `POST /v1/batches` takes as application/vnd.arborlog.batch.
export const batchBody = (signedSeal, statements) => concat(sized(signedSeal, 4), ...statements.map((one) => sized(one, 4)));

// A signed entry of the log as a writer sees its own, or null for bytes that are none.
export function readSignedEntry(bytes) {
  try {
    const entry = decodeEntry(bytes);
    if (entry.record === null) return null;
    const [before] = entry.lineage;
    return {
      record: entry.record, seq: Number(entry.seq), prev: entry.prev, issuedOn: entry.issued_on, issuer: entry.issuer,
      statement: entry.record.subarray(76), kind: entry.statement.kind, before: before === undefined || before >= 1n << 63n ? null : Number(before),
    };
  } catch {
    return null;
  }
}

// The statement of a sealed entry, or null for bytes that are none.
export function readSealedStatement(bytes) {
  try {
    return isSealedEntry(bytes) ? decodeEntry(bytes).statementBytes : null;
  } catch {
    return null;
  }
}
