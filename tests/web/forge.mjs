// A log operator who lies: a tree of any entries, with receipts and checkpoints that are signed by
// whatever key is at hand. An independent second writing of the formats in docs/format.md.

import { KeyObject, createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';

import { decodeEntry } from '../../src/web/verifier/codec.mjs';

const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const u64 = (number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
};
const sized = (bytes) => Buffer.concat([u64(bytes.length), bytes]);

// Where an entry's parts lie: after version and time the lineage, the record, the signature.
function places(entry) {
  const lineage = 10 + 8;
  const record = lineage + 8 * Number(entry.readBigUInt64BE(10)) + 8;
  const signature = record + Number(entry.readBigUInt64BE(record - 8));
  return { authority: lineage + 8, record, signature };
}

export function withAuthority(entry, index) {
  const changed = Buffer.from(entry);
  u64(index).copy(changed, places(entry).authority);
  return changed;
}

export function withBrokenSignature(entry) {
  const changed = Buffer.from(entry);
  changed[places(entry).signature + 40] ^= 1;
  return changed;
}

export const withTail = (entry) => Buffer.concat([entry, Buffer.of(0)]);

// A bundle's entries.
export function entriesOf(bundle) {
  const entries = [];
  for (let at = 0; at < bundle.length;) {
    const length = bundle.readUInt16BE(at);
    entries.push(bundle.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return entries;
}

// A key pair from 32 bytes, as PKCS#8.
export const keyFromSeed = (seed) =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8',
  });

export class Forged {
  constructor(origin, key, entries) {
    this.origin = origin;
    this.key = key instanceof KeyObject ? key : createPrivateKey(key);
    this.entries = entries;
    this.leaves = entries.map((entry) => sha256(Buffer.of(0), entry));
    this.kept = new Map();
    const raw = createPublicKey(this.key).export({ format: 'der', type: 'spki' }).subarray(-32);
    const typed = Buffer.concat([Buffer.of(1), raw]);
    this.id = sha256(Buffer.from(`${origin}\n`), typed).subarray(0, 4);
    this.vkey = `${origin}+${this.id.toString('hex')}+${typed.toString('base64')}`;
  }

  // RFC 6962, 2.1.
  root(from = 0, to = this.entries.length) {
    if (to - from === 1) return this.leaves[from];
    const name = `${from} ${to}`;
    if (!this.kept.has(name)) {
      const middle = from + split(to - from);
      this.kept.set(name, sha256(Buffer.of(1), this.root(from, middle), this.root(middle, to)));
    }
    return this.kept.get(name);
  }

  path(index, from = 0, to = this.entries.length) {
    if (to - from === 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.path(index, from, middle), this.root(middle, to)]
      : [...this.path(index, middle, to), this.root(from, middle)];
  }

  // The hashes beside a sealed entry's statement in the tree over its batch.
  siblings(index) {
    const seal = signedBy(this.entries, index);
    const count = Number(decodeEntryOrNull(this.entries[seal])?.statement.count ?? 0);
    if (seal === index || count === 0) return [];
    const first = seal - count;
    const statements = this.entries.slice(first, seal).map((entry) => decodeEntryOrNull(entry)?.statementBytes ?? entry);
    const leaves = statements.map((bytes) => sha256(Buffer.of(0), bytes));
    const root = (from, to) => {
      if (to - from === 1) return leaves[from];
      const middle = from + split(to - from);
      return sha256(Buffer.of(1), root(from, middle), root(middle, to));
    };
    const path = (place, from, to) => {
      if (to - from === 1) return [];
      const middle = from + split(to - from);
      return place < middle ? [...path(place, from, middle), root(middle, to)] : [...path(place, middle, to), root(from, middle)];
    };
    return path(index - first, 0, count);
  }

  checkpoint() {
    const text = `${this.origin}\n${this.entries.length}\n${this.root().toString('base64')}\n`;
    const signature = Buffer.concat([this.id, sign(null, Buffer.from(text), this.key)]);
    return `${text}\n\u2014 ${this.origin} ${signature.toString('base64')}\n`;
  }

  // `siblings` lead from the statement of a sealed entry to the root of its seal; those that its batch makes,
  // unless others are given.
  receipt(index, siblings = this.siblings(index)) {
    const links = [];
    const form = this.entries[index].readUInt16BE(0);
    const signed = signedBy(this.entries, index);
    for (let link = decodeEntryOrNull(this.entries[signed])?.lineage[1]; link < 2n ** 64n - 1n;) {
      const entry = this.entries[Number(link)];
      const path = this.path(Number(link));
      links.push(Buffer.concat([u64(link), sized(entry), u64(path.length), ...path]));
      link = decodeEntryOrNull(entry)?.lineage[1];
    }
    // Before the links of a sealed entry stands its seal.
    const hashesOf = (path) => [u64(path.length), ...path];
    const seal = form === 2 ? [u64(signed), sized(this.entries[signed]), ...hashesOf(this.path(signed)), ...hashesOf(siblings)] : [];
    // Behind those of a state entry: no items, and no entries beside them.
    const lists = this.entries[index][1] === 3 ? [u64(0), u64(0)] : [];
    const extra = Buffer.concat([sized(this.entries[index]), ...seal, u64(links.length), ...links, ...lists]);
    const hashes = this.path(index).map((hash) => `${hash.toString('base64')}\n`).join('');
    return `c2sp.org/tlog-proof@v1\nextra ${extra.toString('base64')}\nindex ${index}\n${hashes}\n${this.checkpoint()}`;
  }
}

// The entry whose signature stands for an entry: its own, or its seal.
export const signedBy = (entries, index) =>
  entries[index].readUInt16BE(0) === 2 ? index + entries[index].readUInt16BE(2) : index;

function decodeEntryOrNull(bytes) {
  try {
    return decodeEntry(new Uint8Array(bytes));
  } catch {
    return null;
  }
}

// The largest power of two below a number.
const split = (count) => 2 ** (31 - Math.clz32(count - 1));
