// Ed25519 keys by WebCrypto. Anything with `publicKey` and `sign` can take a key's place.

import { ArborlogError } from './errors.js';
import { base64, concat, fromBase64, fromHex } from './verifier/codec.mjs';

// PKCS#8, version 1, of an Ed25519 key: everything before its 32 secret bytes.
const PKCS8_HEAD = fromHex('302e020100300506032b657004220420');
const ED25519 = { name: 'Ed25519' };

// A private key in memory.
export class Key {
  #private;

  constructor(privateKey, publicKey) {
    this.#private = privateKey;
    this.publicKey = publicKey;
  }

  // A key from PKCS#8 PEM, as `arborlog keygen` writes.
  static async fromPem(pem) {
    const body = /-----BEGIN PRIVATE KEY-----([^-]*)-----END PRIVATE KEY-----/.exec(pem);
    try {
      const der = fromBase64(body[1].replace(/\s/g, ''), 'the key');
      return await Key.#import(der);
    } catch {
      throw new ArborlogError('key_malformed', 'it is no Ed25519 key in PKCS#8 PEM', 'make one with arborlog keygen');
    }
  }

  // A key from its 32 secret bytes.
  static fromSeed(seed) {
    return Key.#import(concat(PKCS8_HEAD, seed));
  }

  static generate() {
    return Key.fromSeed(crypto.getRandomValues(new Uint8Array(32)));
  }

  static async #import(der) {
    const extractable = await crypto.subtle.importKey('pkcs8', der, ED25519, true, ['sign']);
    const { x } = await crypto.subtle.exportKey('jwk', extractable);
    const publicKey = fromBase64(`${x.replaceAll('-', '+').replaceAll('_', '/')}=`, 'the public key');
    return new Key(await crypto.subtle.importKey('pkcs8', der, ED25519, false, ['sign']), publicKey);
  }

  async sign(message) {
    return new Uint8Array(await crypto.subtle.sign(ED25519, this.#private, message));
  }
}

// The PEM of a new key, for a file that its owner alone can read.
export function newKeyPem() {
  const der = concat(PKCS8_HEAD, crypto.getRandomValues(new Uint8Array(32)));
  return `-----BEGIN PRIVATE KEY-----\n${base64(der)}\n-----END PRIVATE KEY-----\n`;
}

// The evidence of an event: an HMAC-SHA256 under a key that the platform keeps, so that nobody can guess events. Name
// the event by what it has of its own, the same in every system that may send it: `trip/4711`.
export async function evidenceOf(secret, event) {
  const bytes = (value) => (typeof value === 'string' ? new TextEncoder().encode(value) : value);
  const key = await crypto.subtle.importKey('raw', bytes(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, bytes(event)));
}

// The points of an award: `quantity` in thousandths of the unit, `factor` in micrograms of CO2e a unit.
export const pointsOf = (quantity, factor) => (BigInt(quantity) * BigInt(factor)) / 1_000_000_000n;
