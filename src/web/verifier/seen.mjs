// What this browser saw of a log before: its checkpoint is kept here, and every later one must be
// the same tree, grown.

import { Refused, decimal, fromBase64, need } from './codec.mjs';
import { openCheckpoint } from './note.mjs';
import { checkConsistency } from './tree.mjs';

const place = (vkey) => `arborlog ${vkey.name} ${vkey.written.split('+')[1]}`;

// The newest checkpoint that was kept, or null.
export async function lastSeen(vkey, storage) {
  const note = storage.getItem(place(vkey));
  return note === null ? null : openCheckpoint(note, vkey);
}

// Holds a checkpoint against the one that was seen last, and keeps the larger. `prove(from, to)`
// gives the hashes of a consistency proof, in base64. A log that forked is thrown with both notes.
export async function compare(checkpoint, vkey, storage, prove) {
  const before = await lastSeen(vkey, storage);
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
  if (before === null || checkpoint.size > before.size) storage.setItem(place(vkey), checkpoint.note);
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

