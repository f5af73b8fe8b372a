// What every page that proves something does: fetches bytes, holds the log's key and the newest checkpoint against what this
// browser knows, and fills the card. Nothing that the server says of itself is believed.

import { need } from './verifier/codec.mjs';
import { openCheckpoint } from './verifier/note.mjs';
import { checkLogKey } from './verifier/receipt.mjs';
import { compare, follows, keepGenesis, proveBy } from './verifier/seen.mjs';

// Bytes: as text, a browser would hide what was done to them.
export async function fetchBytes(path) {
  const answer = await fetch(path).catch(() => null);
  need(answer?.ok, 'away', `${path}: ${answer?.status ?? ''}`);
  return new Uint8Array(await answer.arrayBuffer());
}

export const proveGrowth = proveBy(fetch.bind(window));
export const fetchReceipt = (index) => fetchBytes(`/v1/receipts/${index}`);

// Where a browser stores nothing, checkpoints are still compared within the page.
function openStorage() {
  try {
    localStorage.getItem('arborlog');
    return localStorage;
  } catch {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value),
      removeItem: (key) => kept.delete(key),
    };
  }
}
export const storage = openStorage();

// The newest checkpoint (with a policy, that of /checkpoint is older than receipts), and the one that this browser saw before, or null; they are compared once.
let comparing = null;
export function compareSeen(identity) {
  comparing ??= (async () => {
    const newest = async () => openCheckpoint(await fetchBytes('/v1/checkpoint'), identity.vkey);
    let now = await newest();
    // Another window may have kept a newer checkpoint since: asks once more before the log has shrunk.
    const before = await compare(now, identity, storage, proveGrowth).catch(async (error) => {
      if (error.code !== 'shrunk') throw error;
      now = await newest();
      return compare(now, identity, storage, proveGrowth);
    });
    return { before, now };
  })();
  return comparing;
}

// The entry that names the log's key: the genesis, or what governors stated later.
export const namedBy = (receipt, vkey) => checkLogKey(receipt, vkey, () => fetchReceipt(document.body.dataset.logKeyAt));

// Fills a card, which rests on its own proofs alone, whatever receipts the page names.
export async function proveCard(card, vkey, genesis) {
  const receipts = await card.prove({ vkey, genesis }, fetchBytes);
  if (receipts === null) return;
  try {
    const named = await namedBy(receipts[0], vkey);
    keepGenesis(genesis, storage);
    const { now } = await compareSeen({ vkey, keyAt: named.index, genesis });
    for (const { checkpoint } of receipts) await follows(checkpoint, now, proveGrowth);
    card.tell();
  } catch (error) {
    card.refuse(error);
  }
}
