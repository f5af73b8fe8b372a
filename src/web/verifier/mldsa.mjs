// ML-DSA-44 (FIPS 204), which lines of type 0x06 are signed with (docs/format.md, section 12.2). The browser's own where it
// has it; else noble's module, which is fetched only then: most pages never ask for it.

import { concat, need, u64Bytes, utf8 } from './codec.mjs';

export const MLDSA_KEY_BYTES = 1312;
export const MLDSA_SIGNATURE_BYTES = 2420;

// What such a line signs: names, time, and the tree from its first entry on. No line behind the root.
export function mldsaMessage({ origin, size, root }, name, seconds) {
  const short = (written) => concat([utf8(written).length], utf8(written));
  return concat(
    utf8('subtree/v1\n\0'), short(name), u64Bytes(seconds), short(origin), u64Bytes(0n), u64Bytes(size), root,
  );
}

async function byBrowser() {
  const algorithm = { name: 'ML-DSA-44' };
  const known = (key) => crypto.subtle.importKey('raw-public', key, algorithm, false, ['verify']);
  await known(new Uint8Array(MLDSA_KEY_BYTES));
  return async (key, signature, message) => crypto.subtle.verify(algorithm, await known(key), signature, message);
}

async function byNoble() {
  const { ml_dsa44: mldsa } = await import('./vendor/noble/post-quantum/ml-dsa.js');
  return async (key, signature, message) => mldsa.verify(signature, message, key);
}

// ML-DSA.Verify with an empty context, as a function of key, signature and message; null where it can't be had. It is looked
// for once; tests put their own here.
export const mldsa = {
  ways: [byBrowser, byNoble],
  found: null,
  async library() {
    for (const way of mldsa.ways) {
      try {
        return await way();
      } catch {
        // The next one may be there.
      }
    }
    return null;
  },
};

export function mldsaLibrary() {
  mldsa.found ??= mldsa.library();
  return mldsa.found;
}

export async function mldsaHolds(key, signature, message) {
  const verify = await mldsaLibrary();
  need(verify !== null, 'mldsa_unsupported', 'ML-DSA-44 is not to be had here');
  return verify(key, signature, message);
}
