// The curve of Ed25519 (RFC 8032, 5.1) by BigInt, for verification alone: how long the work takes tells the numbers, so no secret
// may come near it.

import { fromHex } from './codec.mjs';

const P = 2n ** 255n - 19n;
export const L = 2n ** 252n + 27742317777372353535851937790883648493n;

function mod(value) {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base, exponent) {
  let [result, square] = [1n, mod(base)];
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

const inverse = (value) => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));
const SQRT_MINUS_1 = power(2n, (P - 1n) / 4n);

export const littleEndian = (bytes) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

// The point of a canonical encoding as X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z; else null.
export function decodePoint(bytes) {
  const number = littleEndian(bytes);
  const [y, sign] = [number & (2n ** 255n - 1n), number >> 255n];
  const xSquared = mod((y * y - 1n) * inverse(mod(D * y * y + 1n)));
  let x = power(xSquared, (P + 3n) / 8n);
  if (mod(x * x) !== xSquared) x = mod(x * SQRT_MINUS_1);
  if (y >= P || mod(x * x) !== xSquared || (x === 0n && sign === 1n)) return null;
  if ((x & 1n) !== sign) x = P - x;
  return [x, y, 1n, mod(x * y)];
}

// RFC 8032, 5.1.4. The formula is complete: it doubles points too.
export function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const [a, b] = [mod((y1 - x1) * (y2 - x2)), mod((y1 + x1) * (y2 + x2))];
  const [c, d] = [mod(2n * D * t1 * t2), mod(2n * z1 * z2)];
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

export const IDENTITY = [0n, 1n, 1n, 0n];

export function times(scalar, point) {
  let [result, doubled] = [IDENTITY, point];
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, doubled);
    doubled = add(doubled, doubled);
  }
  return result;
}

export const isIdentity = ([x, y, z]) => x === 0n && y === z;

export const negative = ([x, y, z, t]) => [mod(-x), y, z, mod(-t)];

// The canonical encoding (RFC 8032, 5.1.2).
export function encodePoint([x, y, z]) {
  const unit = inverse(z);
  const number = mod(y * unit) | ((mod(x * unit) & 1n) << 255n);
  return fromHex(number.toString(16).padStart(64, '0')).reverse();
}
