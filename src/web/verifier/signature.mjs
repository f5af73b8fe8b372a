// Ed25519 with the same verdict as intake and audit (docs/format.md, section 4). WebCrypto verifies the signature, or where it has
// no Ed25519 a module that is fetched only then; what WebCrypto leaves open, weak keys and refused encodings, is checked here.

import { fromHex, hex, need } from './codec.mjs';
import { L, decodePoint, isIdentity, littleEndian, times } from './curve.mjs';

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
  const verify = await ed25519Library();
  need(verify !== null, 'library_unfit', 'Ed25519 is not to be had here');
  return verify(key, signature, message);
}

async function byWebCrypto() {
  const algorithm = { name: 'Ed25519' };
  const known = (key) => crypto.subtle.importKey('raw', key, algorithm, false, ['verify']);
  const verify = async (key, signature, message) => crypto.subtle.verify(algorithm, await known(key), signature, message);
  await check(verify);
  return verify;
}

async function byBigInt() {
  const { verifyByBigInt } = await import('./ed25519.mjs');
  await check(verifyByBigInt);
  return verifyByBigInt;
}

// That it accepts and refuses where it must (RFC 8032, 7.1, test 1).
async function check(verify) {
  const key = fromHex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  const signature = fromHex(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
  const right = await verify(key, signature, new Uint8Array(0));
  const wrong = await verify(key, signature, new Uint8Array(1));
  need(right && !wrong, 'library_unfit', 'it does not verify as Ed25519 does');
}

// Ed25519 as a function of key, signature and message; null where it can't be had. What was found is kept; tests put their own
// ways here.
export const ed25519 = {
  ways: [byWebCrypto, byBigInt],
  found: null,
  async library() {
    for (const way of ed25519.ways) {
      try {
        return await way();
      } catch {
        // The next one may be there.
      }
    }
    // A module that did not come now may come later.
    ed25519.found = null;
    return null;
  },
};

function ed25519Library() {
  ed25519.found ??= ed25519.library();
  return ed25519.found;
}

export const canVerify = async () => (await ed25519Library()) !== null;
