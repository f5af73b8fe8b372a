// What this browser saw of a log before: its checkpoint is kept here, and every later one must be
// the same tree, grown.

import { Refused, decimal, fromBase64, need } from './codec.mjs';
import { LOG, openCheckpoint, parseVkey } from './note.mjs';
import { checkConsistency } from './tree.mjs';

const place = (genesis) => `arborlog ${genesis}`;

// The newest checkpoint that was kept of the ledger with this genesis, or null. It is kept behind
// the key that signed it, for that may change.
export async function lastSeen(genesis, storage) {
  const kept = storage.getItem(place(genesis));
  if (kept === null) return null;
  const end = kept.indexOf('\n');
  return openCheckpoint(kept.slice(end + 1), await parseVkey(kept.slice(0, end), LOG));
}

// A site that shows another ledger than it did before says so; the first one is kept.
export function checkGenesis(genesis, storage) {
  const before = storage.getItem('arborlog');
  need(before === null || before === genesis, 'genesis_changed', `this site showed the ledger ${before} before`);
  storage.setItem('arborlog', genesis);
}

// Holds a checkpoint against the one that was seen last, and keeps the larger. `prove(from, to)`
// gives the hashes of a consistency proof, in base64. A log that forked is thrown with both notes.
export async function compare(checkpoint, vkey, genesis, storage, prove) {
  const before = await lastSeen(genesis, storage);
  if (before !== null) {
    const [smaller, larger] = before.size <= checkpoint.size ? [before, checkpoint] : [checkpoint, before];
    try {
      const written = smaller.size === larger.size ? [] : await prove(smaller.size, larger.size);
      const proof = written.map((hash) => fromBase64(hash, 'a hash of the proof'));
      await checkConsistency(smaller.size, smaller.root, larger.size, larger.root, proof);
    } catch (error) {
      if (error instanceof Refused) error.notes = [before.note, checkpoint.note];
      throw error;
    }
  }
  if (before === null || checkpoint.size > before.size) {
    storage.setItem(place(genesis), `${vkey.written}\n${checkpoint.note}`);
  }
  return before;
}

// Proves by the log's own API.
export const proveBy = (fetcher) => async (from, to) => {
  const answer = await fetcher(`/v1/proofs/consistency?from=${from}&to=${to}`);
  if (answer.status === 404) {
    throw new Refused('shrunk', `the log no longer has the ${to} entries that it had`);
  }
  need(answer.ok, 'unproven', `the log gives no proof of consistency (${answer.status})`);
  const body = await answer.json();
  need(
    decimal(String(body.from), 'from') === from && decimal(String(body.to), 'to') === to && Array.isArray(body.hashes),
    'unproven', 'the proof is of other trees',
  );
  return body.hashes;
};

