// What this browser saw of a log before: the newest checkpoint is stored, and the tree of every later
// one must begin with its tree.

import { Refused, decimal, equal, fromBase64, named, need } from './codec.mjs';
import { LOG, openCheckpoint, parseVkey } from './note.mjs';
import { checkConsistency, isPowerOfTwo, rootOfFirst } from './tree.mjs';

const SITE = 'arborlog';
const place = (genesis) => `${SITE} ${genesis}`;

function keep(storage, name, value) {
  try {
    storage.setItem(name, value);
  } catch {
    // A browser that stores nothing has nothing to compare with later: that says nothing of the log.
  }
}

// What was kept of the ledger with this genesis, or null: the newest checkpoint, behind the key that
// signed it and the entry that names that key.
export async function lastSeen(genesis, storage) {
  const kept = storage.getItem(place(genesis));
  if (kept === null) return null;
  const [keyAt, written] = kept.slice(0, kept.indexOf('\n')).split(' ');
  const checkpoint = await openCheckpoint(kept.slice(kept.indexOf('\n') + 1), await parseVkey(written, LOG));
  return { ...checkpoint, keyAt: BigInt(keyAt) };
}

// Throws where the site shows another ledger than it did before.
export function checkGenesis(genesis, storage) {
  const before = storage.getItem(SITE);
  need(before === null || before === genesis, 'genesis_changed', `this site showed the ledger ${before} before`);
}

// Stores which ledger the site showed, once that was verified.
export const keepGenesis = (genesis, storage) => keep(storage, SITE, genesis);

// Removes all that is stored of the site: the next visit is a first one.
export function forget(storage) {
  const genesis = storage.getItem(SITE);
  storage.removeItem(SITE);
  storage.removeItem(place(genesis));
}

// That the smaller of two trees is the beginning of the larger, whichever was seen first. `prove(from, to)` gives the hashes
// of a consistency proof, in base64. Two that contradict each other (`forked`) are thrown with both notes: they are evidence,
// whoever reads them. A proof that is false (`proof_false`) speaks against who gave it, and not yet for a fork.
export async function follows(one, other, prove) {
  const [before, now] = one.size <= other.size ? [one, other] : [other, one];
  try {
    const proof = before.size < now.size ? await hashesOf(prove, before.size, now.size) : [];
    await checkConsistency(before.size, before.root, now.size, now.root, proof);
  } catch (error) {
    const asked = error.code === 'proof_false' ? await contradicts(before, now, prove) : error;
    if (asked.code === 'forked') asked.notes = [one.note, other.note];
    throw asked;
  }
}

const hashesOf = async (prove, from, to) => {
  const written = await prove(from, to);
  return named('proof_false', async () => written.map((hash) => fromBase64(hash, 'a hash of the proof')));
};

// Whether it is the tree of `now` that has another beginning, or only the proof that is false, as an error.
async function contradicts(before, now, prove) {
  const isFalse = new Refused('proof_false', `the server\u2019s proof that the tree of ${before.size} entries is the beginning of that of ${now.size} does not hold`);
  if (before.size < 4n || !isPowerOfTwo(before.size)) return isFalse;
  try {
    const root = await rootOfFirst(before.size, now.size, now.root, await hashesOf(prove, before.size - 1n, now.size));
    return equal(root, before.root) ? isFalse : new Refused('forked', 'the smaller tree is not the beginning of the larger');
  } catch {
    return isFalse;
  }
}

// Compares a server's newest checkpoint with the one that was seen last (`before`, or null), and stores the newer one.
// `keyAt` is the entry that names the key that signed it: a key that was replaced since may not sign again. A server that
// shows less than before, and whose tree is the beginning of what was seen, lags (`lags`): that is no fork, and nothing
// that it shows is false. One that does not prove it could not be checked.
export async function compare(checkpoint, { vkey, keyAt, genesis }, storage, prove) {
  const before = await lastSeen(genesis, storage);
  if (before !== null) {
    if (checkpoint.size < before.size) {
      await follows(before, checkpoint, prove).catch((error) => {
        if (error.code !== 'away') throw error;
        throw new Refused('away', `the server showed ${before.size} entries before, shows ${checkpoint.size}, and does not prove that these are the first of those`);
      });
      return { before, lags: true };
    }
    need(keyAt >= before.keyAt, 'key_old', `entry ${before.keyAt} named another key after this one`);
    await follows(before, checkpoint, prove);
  }
  keep(storage, place(genesis), `${keyAt} ${vkey.written}\n${checkpoint.note}`);
  return { before, lags: false };
}

// ---- two checkpoints that contradict each other ----

const EVIDENCE = 'arborlog evidence';
// A liar who makes many says no more than one who makes two.
const PAIRS_MAX = 4;

// What is kept of forks that this browser was shown, the first ones: [one note, other note, when it was seen (ms)].
export function evidenceOf(storage) {
  try {
    const kept = JSON.parse(storage.getItem(EVIDENCE) ?? '[]');
    const isPair = (pair) => Array.isArray(pair) && pair.length === 3 && typeof pair[0] === 'string' && typeof pair[1] === 'string';
    return Array.isArray(kept) ? kept.filter(isPair) : [];
  } catch {
    return [];
  }
}

export function keepEvidence([one, other], now, storage) {
  const kept = evidenceOf(storage);
  const isKnown = kept.some((pair) => pair[0] === one && pair[1] === other);
  if (!isKnown && kept.length < PAIRS_MAX) keep(storage, EVIDENCE, JSON.stringify([...kept, [one, other, now]]));
}

export const dismissEvidence = (storage) => storage.removeItem(EVIDENCE);

// Consistency proofs from the log's own API.
export const proveBy = (fetcher) => async (from, to) => {
  const answer = await fetcher(`/v1/proofs/consistency?from=${from}&to=${to}`).catch(() => null);
  need(answer?.ok, 'away', `the log gives no proof of consistency from ${from} to ${to} (${answer?.status ?? ''})`);
  const body = await answer.json();
  need(
    decimal(String(body.from), 'from') === from && decimal(String(body.to), 'to') === to && Array.isArray(body.hashes),
    'proof_false', 'the proof is of other trees',
  );
  return body.hashes;
};
