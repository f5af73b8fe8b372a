// Ed25519 by BigInt (RFC 8032, 5.1.7, without the cofactor: docs/format.md, section 4, steps 2 and 4), for a browser whose WebCrypto
// has none. It takes milliseconds where WebCrypto takes tenths of one.

import { concat, equal, fromHex } from './codec.mjs';
import { IDENTITY, L, add, decodePoint, encodePoint, littleEndian, negative } from './curve.mjs';

const BASE = decodePoint(fromHex(`58${'66'.repeat(31)}`));

// s times one point and k times another, both scalars bit by bit from the highest on: the doublings are shared.
function sumOfProducts(s, one, k, other) {
  const both = add(one, other);
  let sum = IDENTITY;
  for (let at = 252n; at >= 0n; at -= 1n) {
    sum = add(sum, sum);
    const [first, second] = [(s >> at) & 1n, (k >> at) & 1n];
    if (first || second) sum = add(sum, first && second ? both : first ? one : other);
  }
  return sum;
}

export async function verifyByBigInt(key, signature, message) {
  const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
  const point = decodePoint(key);
  if (signature.length !== 64 || point === null || s >= L) return false;
  const digest = await crypto.subtle.digest('SHA-512', concat(r, key, message));
  const k = littleEndian(new Uint8Array(digest)) % L;
  return equal(encodePoint(sumOfProducts(s, BASE, k, negative(point))), r);
}
