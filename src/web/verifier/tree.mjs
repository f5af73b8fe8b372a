// RFC 6962 trees: leaves, inclusion and consistency (docs/format.md, section 11).

import { BOUNDS } from './bounds.mjs';
import { concat, equal, need } from './codec.mjs';

export async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

export const leafHash = (entry) => sha256(concat([0], entry));

export const nodeHash = (left, right) => sha256(concat([1], left, right));

// How many hashes prove a leaf: to where its way parts from the last leaf's, then one for each turn left.
export function pathLength(index, size) {
  const parted = (index ^ (size - 1n)).toString(2).replace(/^0$/, '').length;
  return parted + (index >> BigInt(parted)).toString(2).replaceAll('0', '').length;
}

// RFC 9162, 2.1.3.2: the root that a leaf and its path lead to.
export async function rootByPath(leaf, index, size, path) {
  need(index < size, 'not_included', 'the index is not below the size of the tree');
  need(path.length <= BOUNDS.path_hashes, 'not_included', 'the proof is longer than any');
  let [place, last, root] = [index, size - 1n, leaf];
  for (const hash of path) {
    need(last > 0n, 'not_included', 'the proof has hashes left over');
    if (place & 1n || place === last) {
      root = await nodeHash(hash, root);
      while (!(place & 1n) && place > 0n) [place, last] = [place >> 1n, last >> 1n];
    } else {
      root = await nodeHash(root, hash);
    }
    [place, last] = [place >> 1n, last >> 1n];
  }
  need(last === 0n, 'not_included', 'the proof ends too early');
  return root;
}

// How many hashes prove that a tree begins with a smaller one (RFC 9162, 2.1.4.1): those of the place of the smaller one's last
// whole subtree, and that subtree's own unless it is all of the smaller tree.
export function consistencyLength(from, to) {
  let [first, last] = [from - 1n, to - 1n];
  while (first & 1n) [first, last] = [first >> 1n, last >> 1n];
  return (first === 0n ? 0 : 1) + pathLength(first, last + 1n);
}

// RFC 9162, 2.1.4.2: that the tree of `from` entries is the beginning of that of `to`. Throws `forked` where the two roots
// contradict each other, whoever gave the proof: two roots of one size, or a proof that leads to the larger root and from
// another smaller one. A proof that leads elsewhere is merely false, `proof_false`: another one might hold.
export async function checkConsistency(from, fromRoot, to, toRoot, proof) {
  const holds = (condition) => need(condition, 'proof_false', `the hashes do not prove that the tree of ${from} is the beginning of that of ${to}`);
  const agree = (condition) => need(condition, 'forked', 'the smaller tree is not the beginning of the larger');
  holds(0n < from && from <= to && proof.length <= BOUNDS.path_hashes);
  if (from === to) {
    agree(equal(fromRoot, toRoot));
    holds(proof.length === 0);
    return;
  }
  const hashes = isPowerOfTwo(from) ? [fromRoot, ...proof] : [...proof];
  holds(hashes.length > 0);
  let [first, last] = [from - 1n, to - 1n];
  while (first & 1n) [first, last] = [first >> 1n, last >> 1n];
  let smaller = hashes[0];
  let larger = hashes[0];
  for (const hash of hashes.slice(1)) {
    holds(last > 0n);
    if (first & 1n || first === last) {
      smaller = await nodeHash(hash, smaller);
      larger = await nodeHash(hash, larger);
      while (!(first & 1n) && first > 0n) [first, last] = [first >> 1n, last >> 1n];
    } else {
      larger = await nodeHash(larger, hash);
    }
    [first, last] = [first >> 1n, last >> 1n];
  }
  holds(last === 0n && equal(larger, toRoot));
  agree(equal(smaller, fromRoot));
}

export const isPowerOfTwo = (size) => (size & (size - 1n)) === 0n;

// The root of the first `size` leaves of a tree, a power of two from 4 on, by the proof that the tree of one leaf less is the
// beginning of the tree of `to`. A proof for `size` itself does not have that root in it, so that none shows another one.
export async function rootOfFirst(size, to, toRoot, proof) {
  const holds = (condition) => need(condition, 'proof_false', `the hashes do not lead to the root of ${to} entries`);
  holds(size >= 4n && isPowerOfTwo(size) && size <= to && proof.length > 0 && proof.length <= BOUNDS.path_hashes);
  const levels = size.toString(2).length - 1;
  let [first, last] = [size - 2n, to - 1n];
  let [root, found] = [proof[0], null];
  for (const [at, hash] of proof.slice(1).entries()) {
    holds(last > 0n);
    if (first & 1n || first === last) {
      root = await nodeHash(hash, root);
      while (!(first & 1n) && first > 0n) [first, last] = [first >> 1n, last >> 1n];
    } else {
      root = await nodeHash(root, hash);
    }
    [first, last] = [first >> 1n, last >> 1n];
    if (at + 1 === levels) found = root;
  }
  holds(last === 0n && found !== null && equal(root, toRoot));
  return found;
}
