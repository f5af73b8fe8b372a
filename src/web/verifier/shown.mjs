// Entries that are shown beside the items of a state entry (docs/format.md, section 13.4): one list of hashes proves that
// all of them are in the tree, each is signed, and a sealed one's seal is shown too.

import { BOUNDS } from './bounds.mjs';
import {
  byteString, bytes32, canonical, decodeEntry, equal, isSealedEntry, listOf, named, need, table, u64,
} from './codec.mjs';
import { checkStatement } from './policy.mjs';
import { checkSealed, checkSignatures } from './record.mjs';
import { leafHash, nodeHash } from './tree.mjs';

const SHOWN_ENTRY = table({
  index: u64, entry: byteString(BOUNDS.entry_bytes), siblings: listOf(bytes32, 0, BOUNDS.siblings),
});

// The entries, and the hashes behind them.
export function readShown(reader) {
  const shown = listOf(SHOWN_ENTRY, 0, BOUNDS.shown_entries)(reader);
  canonical(shown.every(({ index }, at) => at === 0 || shown[at - 1].index < index), 'the indexes of shown entries do not ascend');
  const fits = shown.every(({ entry, siblings }) => siblings.length === 0 || isSealedEntry(entry));
  canonical(fits, 'an entry that is not sealed has siblings');
  if (shown.length === 0) return { shown, hashes: [] };
  // The number is compared with what is there before room is made for so many.
  const number = u64(reader);
  canonical(number * 32n <= BigInt(reader.bytes.length - reader.place), 'there are fewer hashes than it says');
  return { shown, hashes: Array.from({ length: Number(number) }, () => bytes32(reader)) };
}

// Where the largest whole tree at the beginning of a range of leaves ends.
const halfOf = (start, end) => start + (1n << BigInt((end - start - 1n).toString(2).length - 1));

// How many hashes prove the leaves of shown entries, together.
function jointLength(shown, start, end) {
  if (shown.length === 0) return 1;
  if (end - start === 1n) return 0;
  const half = halfOf(start, end);
  const [left, right] = [shown.filter(({ index }) => index < half), shown.filter(({ index }) => index >= half)];
  return jointLength(left, start, half) + jointLength(right, half, end);
}

// The root over a range of leaves; `hashes` gives that of each range without a shown entry.
async function jointRoot(shown, hashes, start, end) {
  if (shown.length === 0) return hashes.next().value;
  if (end - start === 1n) return leafHash(shown[0].entry);
  const half = halfOf(start, end);
  const left = await jointRoot(shown.filter(({ index }) => index < half), hashes, start, half);
  return nodeHash(left, await jointRoot(shown.filter(({ index }) => index >= half), hashes, half, end));
}

// That there are as many hashes as the places of the entries ask for: with others nothing is said.
export function checkShownLength({ shown, hashes }, { size }) {
  if (shown.length === 0) return;
  const fits = shown.at(-1).index < size && hashes.length === jointLength(shown, 0n, size);
  need(fits, 'proof_incomplete', 'there are not as many hashes as the shown entries need');
}

async function sealOf(entry, siblings, decoded) {
  const at = entry.index + BigInt(entry.ahead);
  const seal = decoded.get(at);
  need(seal !== undefined, 'state_file_unfit', `the seal of entry ${entry.index} is not shown`);
  await checkSealed(entry, seal, siblings);
  return seal;
}

// The shown entries by their indexes, each proven; a sealed one has its seal as `seal`, and its issuer from it.
export async function openShown({ shown, hashes }, checkpoint) {
  const decoded = new Map();
  if (shown.length === 0) return decoded;
  const root = await jointRoot(shown, hashes.values(), 0n, checkpoint.size);
  need(equal(root, checkpoint.root), 'not_included', "the shown entries are not at their indexes in the checkpoint's tree");
  for (const { index, entry: bytes } of shown) {
    await named('entry_wrong', async () => {
      const entry = decodeEntry(bytes);
      await checkStatement(entry.statement);
      decoded.set(index, { ...entry, index, seal: null });
    });
  }
  for (const { index, siblings } of shown) {
    const entry = decoded.get(index);
    need(entry.statement.kind !== 'state', 'state_file_unfit', 'a state entry is shown');
    if (entry.ahead === undefined) await named('entry_wrong', () => checkSignatures(entry, checkpoint.origin));
    else entry.seal = await sealOf(entry, siblings, decoded);
  }
  for (const entry of decoded.values()) {
    if (entry.seal !== null) Object.assign(entry, { issuer: entry.seal.issuer, issued_on: entry.seal.issued_on });
  }
  return decoded;
}
