// Proofs of the state: what stands at a path of a trie, or that nothing does (docs/format.md, section 16).
// Each function throws what is wrong: bytes that are no proof could not be checked, a proof that does
// not lead to the root is false.

import { BOUNDS } from './bounds.mjs';
import { bytes32, concat, equal, need, readWhole, reading, table, u16, u64, u64Bytes, u8 } from './codec.mjs';
import { sha256 } from './tree.mjs';

const DOMAIN_COUNT = 16;
const EMPTY = { hash: new Uint8Array(32), a: 0n, b: 0n, n: 0n };
const NODE = table({ hash: bytes32, a: u64, b: u64, n: u64 });
const SUMS = table({ a: u64, b: u64, n: u64 });

const malformed = (condition, what) => need(condition, 'proof_malformed', what);
const holds = (condition, what) => need(condition, 'state_differs', what);

const bitOf = (path, place) => (path[place >> 3] >> (7 - (place & 7))) & 1;

const nodeBytes = ({ hash, a, b, n }) => concat(hash, u64Bytes(a), u64Bytes(b), u64Bytes(n));

async function leafNode(domain, path, { value, a, b }) {
  return { hash: await sha256(concat([0, domain], path, value)), a, b, n: 1n };
}

async function innerNode(left, right) {
  const [a, b, n] = [left.a + right.a, left.b + right.b, left.n + right.n];
  holds([a, b, n].every((sum) => sum < 2n ** 64n), 'a sum does not fit 64 bits');
  return { hash: await sha256(concat([1], nodeBytes(left), nodeBytes(right))), a, b, n };
}

function readEnd(reader) {
  const end = u8(reader);
  malformed(end <= 2, 'a proof ends in nothing, its leaf or another leaf');
  if (end === 0) return { end };
  const other = end === 2 ? bytes32(reader) : null;
  const [a, b, length] = [u64(reader), u64(reader), u8(reader)];
  malformed(length <= BOUNDS.leaf_value_bytes, 'a value is longer than 128 bytes');
  return { end, other, leaf: { a, b, value: reader.take(length) } };
}

// Section 16.3.
function readProof(reader) {
  const depth = u16(reader);
  malformed(depth <= BOUNDS.trie_depth, 'a proof is deeper than a path is long');
  const bits = reader.take((depth + 7) >> 3);
  const isEmpty = (place) => bitOf(bits, place) === 1;
  for (let place = depth; place < bits.length * 8; place += 1) {
    malformed(!isEmpty(place), 'a bit is set behind the last sibling');
  }
  const siblings = [];
  for (let place = 0; place < depth; place += 1) {
    siblings.push(isEmpty(place) ? EMPTY : NODE(reader));
    malformed(isEmpty(place) || siblings[place].n > 0n, 'a sibling without leaves is not said to be empty');
  }
  return { siblings, ...readEnd(reader) };
}

const readAll = (read, bytes) => reading('proof_malformed', () => readWhole(read, bytes));

// The root that a proof leads to.
async function rootOf(domain, path, { siblings, end, other, leaf }) {
  const depth = siblings.length;
  if (end === 2) {
    const shared = Array.from({ length: depth }, (_, place) => bitOf(path, place) === bitOf(other, place));
    holds(shared.every(Boolean) && !equal(path, other), 'the other leaf is not in the place of this one');
  }
  let node = end === 0 ? EMPTY : await leafNode(domain, end === 1 ? path : other, leaf);
  holds(depth === 0 || node.n + siblings[0].n >= 2n, 'what stands at the end would stand higher');
  for (const [step, sibling] of siblings.entries()) {
    const right = bitOf(path, depth - 1 - step) === 1;
    node = right ? await innerNode(sibling, node) : await innerNode(node, sibling);
  }
  return node;
}

async function checkTrieProof(domain, path, bytes, root) {
  const proof = readAll(readProof, bytes);
  const found = await rootOf(domain, path, proof);
  holds(equal(nodeBytes(found), nodeBytes(root)), 'the proof leads to another root');
  return proof;
}

const leafOf = ({ end, leaf }) => (end === 1 ? leaf : null);

// What stands at a path of a trie with this root: its value and sums, or null if nothing does.
export async function verifyTrieProof(domain, path, bytes, root) {
  return leafOf(await checkTrieProof(domain, path, bytes, root));
}

// Which of two paths comes first: below 0 if the first one does, 0 if they are one.
function comparePaths(one, other) {
  const place = one.findIndex((byte, at) => byte !== other[at]);
  return place < 0 ? 0 : one[place] - other[place];
}

// That no leaf is between two paths, by their proofs, which hold against one root (section 16.3, neighbours).
function checkNothingBetween(low, lowProof, high, highProof) {
  holds(comparePaths(low, high) < 0, 'the paths of neighbours do not ascend');
  let shared = 0;
  while (bitOf(low, shared) === bitOf(high, shared)) shared += 1;
  // Below the depth at which the paths part, whatever hangs off towards the other path would be between them.
  const check = (path, { siblings, end, other }, side) => {
    for (const [step, { n }] of siblings.entries()) {
      const depth = siblings.length - 1 - step;
      holds(depth <= shared || bitOf(path, depth) !== side || n === 0n, 'leaves are between the paths');
    }
    holds(end !== 2 || comparePaths(other, low) <= 0 || comparePaths(high, other) <= 0, 'a leaf is between the paths');
  };
  check(low, lowProof, 0);
  check(high, highProof, 1);
}

// What stands at two paths of a trie with this root, between which nothing does. Each is { path, proof }.
export async function verifyTrieNeighbours(domain, low, high, root) {
  const proofs = [];
  for (const { path, proof } of [low, high]) proofs.push(await checkTrieProof(domain, path, proof, root));
  checkNothingBetween(low.path, proofs[0], high.path, proofs[1]);
  return { low: leafOf(proofs[0]), high: leafOf(proofs[1]) };
}

// The state root that a domain's root and the four siblings of its head lead to (section 16.2).
async function stateRootOf(domain, root, siblings) {
  let hash = await sha256(concat([2, domain], nodeBytes(root)));
  for (const [step, sibling] of siblings.entries()) {
    hash = await sha256((domain >> step) & 1 ? concat([3], sibling, hash) : concat([3], hash, sibling));
  }
  return hash;
}

const HEAD_SIBLINGS = table({ one: bytes32, two: bytes32, three: bytes32, four: bytes32 });
const siblingsOf = (reader) => Object.values(HEAD_SIBLINGS(reader));

function readDomain(reader) {
  const domain = u8(reader);
  malformed(domain < DOMAIN_COUNT, 'there are sixteen domains');
  return domain;
}

function readStateProof(reader) {
  const [of, sums, siblings] = [readDomain(reader), SUMS(reader), siblingsOf(reader)];
  return { of, sums, siblings, proof: readProof(reader) };
}

// No domain has this number, so that the first byte tells a proof of neighbours from one of a leaf.
const NEIGHBOURS_TAG = 16;
const isOfNeighbours = (bytes) => bytes[0] === NEIGHBOURS_TAG;

function readNeighbours(reader) {
  malformed(u8(reader) === NEIGHBOURS_TAG, 'it is no proof of neighbours');
  const { proof: low, ...head } = readStateProof(reader);
  return { ...head, low, high: readProof(reader) };
}

// The domain that a proof says to be of, and whether it is one of neighbours; all of its bytes are read.
export function domainOfProof(bytes) {
  const neighbours = isOfNeighbours(bytes);
  return { domain: readAll(neighbours ? readNeighbours : readStateProof, bytes).of, neighbours };
}

async function checkDomainRoot({ of, sums, siblings }, root, stateRoot) {
  holds(['a', 'b', 'n'].every((sum) => root[sum] === sums[sum]), 'the sums are not those of the proof');
  holds(equal(await stateRootOf(of, root, siblings), stateRoot), 'the proof leads to another state root');
}

// What stands at the low one of two paths under a state root, by a proof of neighbours: behind it up to the high path, that
// one included, nothing does.
export async function verifyNeighbours([lowPath, highPath], bytes, stateRoot) {
  const { low, high, ...head } = readAll(readNeighbours, bytes);
  const root = await rootOf(head.of, lowPath, low);
  const other = await rootOf(head.of, highPath, high);
  holds(equal(nodeBytes(root), nodeBytes(other)), 'the two proofs lead to different roots');
  await checkDomainRoot(head, root, stateRoot);
  checkNothingBetween(lowPath, low, highPath, high);
  holds(high.end !== 1, 'a leaf is at the high path');
  return leafOf(low);
}

async function checkStateProof(domain, path, bytes, stateRoot) {
  const { proof, ...head } = readAll(readStateProof, bytes);
  holds(head.of === domain, 'the proof is of another domain');
  await checkDomainRoot(head, await rootOf(domain, path, proof), stateRoot);
  return { proof, sums: head.sums };
}

// What stands at a path of a domain, under a state root, with the domain's sums.
export async function verifyStateProof(domain, path, bytes, stateRoot) {
  const { proof, sums } = await checkStateProof(domain, path, bytes, stateRoot);
  return { found: leafOf(proof), sums };
}

// What stands at two paths of a domain under a state root, between which nothing does. Each is { path, proof }.
export async function verifyStateNeighbours(domain, low, high, stateRoot) {
  const proofs = [];
  for (const { path, proof } of [low, high]) proofs.push((await checkStateProof(domain, path, proof, stateRoot)).proof);
  checkNothingBetween(low.path, proofs[0], high.path, proofs[1]);
  return { low: leafOf(proofs[0]), high: leafOf(proofs[1]) };
}

// The root of a domain under a state root.
export async function verifyHeadProof(domain, bytes, stateRoot) {
  const read = (reader) => ({ of: readDomain(reader), root: NODE(reader), siblings: siblingsOf(reader) });
  const { of, root, siblings } = readAll(read, bytes);
  holds(of === domain, 'the proof is of another domain');
  holds(equal(await stateRootOf(domain, root, siblings), stateRoot), 'the proof leads to another state root');
  return root;
}
