// Ed25519 with the same verdict as intake and audit (docs/format.md, section 4). WebCrypto verifies the
// signature; what it leaves open, weak keys and refused encodings, is checked here.

import { fromHex, hex } from './codec.mjs';

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const mod = (value) => ((value % P) + P) % P;

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

const littleEndian = (bytes) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

// The point of a canonical encoding as X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z; else null.
function decodePoint(bytes) {
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
function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const [a, b] = [mod((y1 - x1) * (y2 - x2)), mod((y1 + x1) * (y2 + x2))];
  const [c, d] = [mod(2n * D * t1 * t2), mod(2n * z1 * z2)];
  const [e, f, g, h] = [b - a, d - c, d + c, b + a];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(scalar, point) {
  let [result, doubled] = [[0n, 1n, 1n, 0n], point];
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, doubled);
    doubled = add(doubled, doubled);
  }
  return result;
}

const isIdentity = ([x, y, z]) => x === 0n && y === z;

const goodKeys = new Map();

// Canonical, on the curve, not of small order, without torsion.
export function isGoodKey(key) {
  const name = hex(key);
  if (!goodKeys.has(name)) {
    const point = key.length === 32 ? decodePoint(key) : null;
    goodKeys.set(name, point !== null && !isIdentity(point) && isIdentity(times(L, point)));
  }
  return goodKeys.get(name);
}

const SMALL_ORDER = new Set(
  [
    ['01' + '00'.repeat(30), ['00', '80']],
    ['ec' + 'ff'.repeat(30), ['7f', 'ff']],
    ['00'.repeat(31), ['00', '80']],
    ['26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc', ['05', '85']],
    ['c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03', ['7a', 'fa']],
    ['ee' + 'ff'.repeat(30), ['7f', 'ff']],
    ['ed' + 'ff'.repeat(30), ['7f', 'ff']],
  ].flatMap(([encoded, ends]) => ends.map((end) => encoded + end)),
);

export async function signatureHolds(key, signature, message) {
  if (signature.length !== 64 || !isGoodKey(key)) return false;
  const [r, s] = [signature.subarray(0, 32), signature.subarray(32)];
  if (SMALL_ORDER.has(hex(r)) || littleEndian(s) >= L) return false;
  const known = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
  return crypto.subtle.verify({ name: 'Ed25519' }, known, signature, message);
}

// Whether this browser has Ed25519, and accepts and refuses where it must (RFC 8032, 7.1, test 1).
export async function canVerify() {
  const key = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const signature = fromHex(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
  try {
    const right = await signatureHolds(key, signature, new Uint8Array(0));
    return right && !(await signatureHolds(key, signature, new Uint8Array(1)));
  } catch {
    return false;
  }
}
