// What every page that proves something does: fetches bytes, holds the log's key and the newest checkpoint against what this
// browser knows, and fills the card. Nothing that the server says of itself is believed.

import { firstAsked } from './card/proofs.mjs';
import { storage, tellFork } from './evidence.mjs';
import { POLICY_STATED, findOthers } from './others.mjs';
import { need } from './verifier/codec.mjs';
import { openCheckpoint } from './verifier/note.mjs';
import { checkLogKey } from './verifier/receipt.mjs';
import { compare, follows, keepGenesis, proveBy } from './verifier/seen.mjs';

// Bytes: as text, a browser would hide what was done to them.
async function fetchOnce(path) {
  const answer = await fetch(path).catch(() => null);
  need(answer?.ok, 'away', `${path}: ${answer?.status ?? ''}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// What the page asked for, by path: nothing is asked for twice, and what is surely needed is asked for ahead, side by side.
const asked = new Map();
export function fetchBytes(path) {
  if (!asked.has(path)) asked.set(path, fetchOnce(path));
  return asked.get(path);
}

export function fetchAhead(...paths) {
  for (const path of paths) fetchBytes(path).catch(() => {});
}

// What the card of a page and the comparison of checkpoints need, from the page's address alone.
export const fetchAheadFor = (pathname) => fetchAhead(
  ...firstAsked(pathname), `/v1/receipts/${document.body.dataset.logKeyAt}`, '/v1/checkpoint', POLICY_STATED, '/checkpoint',
);

export const proveGrowth = proveBy(fetch.bind(window));
// Who else saw the log, found once.
let finding = null;
export function others(identity, now) {
  finding ??= findOthers({ fetchBytes, proveGrowth }, identity, now);
  return finding;
}

export const fetchReceipt = (index) => fetchBytes(`/v1/receipts/${index}`);

// The newest checkpoint (with a policy, that of /checkpoint is older than receipts), the one that this browser saw before, or null, and
// whether the server lags behind that; they are compared once.
let comparing = null;
export function compareSeen(identity) {
  comparing ??= (async () => {
    const now = await openCheckpoint(await fetchBytes('/v1/checkpoint'), identity.vkey);
    return { now, ...await compare(now, identity, storage, proveGrowth) };
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
    const { now, before, lags } = await compareSeen({ vkey, keyAt: named.index, genesis });
    for (const { checkpoint } of receipts) await follows(checkpoint, now, proveGrowth);
    card.tell({ seen: lags ? before.size : null, others: await others({ vkey, genesis }, now) });
  } catch (error) {
    if (error.notes) tellFork(error.notes);
    card.refuse(error);
  }
}
