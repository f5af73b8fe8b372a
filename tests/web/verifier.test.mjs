// The browser's verifier by the golden files, and by what must be refused: as the Rust and the
// Python ones. `node --test tests/web/verifier.test.mjs`

import assert from 'node:assert/strict';
import { createHash, createPublicKey, sign as signBytes, webcrypto } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import {
  Refused, base64, concat, decodeEntry, decodeRecord, equal, fromBase64, fromHex, hex, text8, utf8,
} from '../../src/web/verifier/codec.mjs';
import {
  DOMAINS, accountPath, holderPath, keyPath, namePath, pathOf, readLeaf,
} from '../../src/web/verifier/domains.mjs';
import { verifyItem } from '../../src/web/verifier/items.mjs';
import { LOG, WITNESS, openCheckpoint, parseVkey } from '../../src/web/verifier/note.mjs';
import { checkStatement } from '../../src/web/verifier/policy.mjs';
import { checkLogKey, readReceipt, verifyReceipt } from '../../src/web/verifier/receipt.mjs';
import { recordId } from '../../src/web/verifier/record.mjs';
import {
  checkGenesis, compare, dismissEvidence, evidenceOf, follows, forget, keepEvidence, keepGenesis, lastSeen, proveBy,
} from '../../src/web/verifier/seen.mjs';
import { verifyByBigInt } from '../../src/web/verifier/ed25519.mjs';
import { canVerify, ed25519, isGoodKey, signatureHolds } from '../../src/web/verifier/signature.mjs';
import {
  checkStory, circleOf, dayText, formText, isStated, recordIn, rowsOf, timeText,
} from '../../src/web/verifier/story.mjs';
import {
  verifyHeadProof, verifyStateNeighbours, verifyStateProof, verifyTrieNeighbours, verifyTrieProof,
} from '../../src/web/verifier/trie.mjs';
import { checkConsistency, isPowerOfTwo, leafHash, rootByPath, sha256 } from '../../src/web/verifier/tree.mjs';
import { Forged, keyFromSeed, withAuthority } from './forge.mjs';

// Node 18 has it under its own name alone.
globalThis.crypto ??= webcrypto;
const GOLDEN = new URL('../golden/', import.meta.url);
const bytes = (name) => new Uint8Array(readFileSync(new URL(name, GOLDEN)));
const text = (name) => text8(bytes(name), 'not_utf8', name);
const list = (name) => readdirSync(new URL(name, GOLDEN)).sort();

const GENESIS = '00'.repeat(32);
const log = await parseVkey(text('note/log.vkey'), LOG);
const next = await parseVkey(text('note/log_next.vkey'), LOG);
const witness = await parseVkey(text('note/witness.vkey'), WITNESS);

// A generator, so that tampering is the same in each run.
function dice(seed) {
  let state = BigInt(seed) * 2n + 1n;
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & (2n ** 64n - 1n);
    return Number((state >> 33n) % BigInt(below));
  };
}

const refuses = (work, code) =>
  assert.rejects(work, (error) => error instanceof Refused && (code === undefined || error.code === code));

// The entries of the golden log of this many.
function entriesOf(size) {
  const files = [];
  for (let first = 0; first < size; first += 256) {
    const width = Math.min(256, size - first);
    const name = `00${first / 256}${width < 256 ? `.p/${width}` : ''}`;
    files.push(bytes(`log/${size}/tile/entries/${name}`));
  }
  return files.flatMap((bundle) => {
    const entries = [];
    for (let at = 0; at < bundle.length;) {
      const length = bundle[at] * 256 + bundle[at + 1];
      entries.push(bundle.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    return entries;
  });
}

// RFC 6962, 2.1, as it is written there: an independent model of trees and proofs.
async function root(leaves) {
  if (leaves.length === 1) return leaves[0];
  const k = split(leaves.length);
  const [left, right] = [await root(leaves.slice(0, k)), await root(leaves.slice(k))];
  return sha256(Uint8Array.from([1, ...left, ...right]));
}

function split(count) {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

async function path(index, leaves) {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...(await path(index, leaves.slice(0, k))), await root(leaves.slice(k))]
    : [...(await path(index - k, leaves.slice(k))), await root(leaves.slice(0, k))];
}

async function proof(size, leaves, whole = true) {
  if (size === leaves.length) return whole ? [] : [await root(leaves)];
  const k = split(leaves.length);
  return size <= k
    ? [...(await proof(size, leaves.slice(0, k), whole)), await root(leaves.slice(k))]
    : [...(await proof(size - k, leaves.slice(k), false)), await root(leaves.slice(0, k))];
}

// As in a browser whose WebCrypto has no Ed25519; it is asked for that once.
async function withoutWebCrypto(work) {
  const own = crypto.subtle.importKey;
  let asked = 0;
  crypto.subtle.importKey = () => {
    asked += 1;
    return Promise.reject(new DOMException('no such algorithm', 'NotSupportedError'));
  };
  ed25519.found = null;
  try {
    await work();
    assert(asked <= 1, 'what WebCrypto said is remembered');
  } finally {
    crypto.subtle.importKey = own;
    ed25519.found = null;
  }
}

// What holds by WebCrypto's Ed25519 holds by BigInt, and nothing else does.
function bothWays(name, work) {
  test(`${name}, by WebCrypto`, work);
  test(`${name}, by BigInt`, () => withoutWebCrypto(work));
}

bothWays('Ed25519 is to be had', async () => assert(await canVerify()));

test('without either there is no verdict', async () => {
  const own = ed25519.ways;
  ed25519.ways = [() => Promise.reject(new Error('none'))];
  ed25519.found = null;
  try {
    assert.equal(await canVerify(), false);
    const receipt = verifyReceipt(text('receipts/award.tlog-proof'), { vkey: log });
    await assert.rejects(receipt, ({ code, outcome }) => code === 'library_unfit' && outcome === 'unchecked');
  } finally {
    ed25519.ways = own;
    ed25519.found = null;
  }
  assert(await canVerify());
});

test('the vectors of RFC 8032 hold by BigInt, and no bit of them may be another', async () => {
  for (const { name, public: key, message, signature } of JSON.parse(readFileSync(new URL('rfc8032.json', import.meta.url)))) {
    const [signer, said, by] = [fromHex(key), fromHex(message), fromHex(signature)];
    assert.equal(await verifyByBigInt(signer, by, said), true, name);
    for (let bit = 0; bit < 512; bit += 3) {
      const other = by.slice();
      other[bit >> 3] ^= 1 << (bit & 7);
      assert.equal(await verifyByBigInt(signer, other, said), false, `${name} ${bit}`);
    }
    assert.equal(await verifyByBigInt(signer, by, concat(said, [0])), false, name);
    for (const length of [0, 32, 63]) assert.equal(await verifyByBigInt(signer, by.subarray(0, length), said), false, name);
  }
});

test('WebCrypto and BigInt give one verdict on what is signed and on what was changed', async () => {
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const random = dice(32);
  const noise = (length) => Uint8Array.from({ length }, () => random(256));
  const algorithm = { name: 'Ed25519' };
  const byWebCrypto = async (key, signature, message) => (
    crypto.subtle.verify(algorithm, await crypto.subtle.importKey('raw', key, algorithm, false, ['verify']), signature, message)
  );
  const flip = (bytes) => {
    const other = bytes.slice();
    other[random(bytes.length)] ^= 1 << random(8);
    return other;
  };
  const found = { true: 0, false: 0 };
  for (let turn = 0; turn < 100; turn += 1) {
    const privateKey = keyFromSeed(noise(32));
    const key = new Uint8Array(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32));
    const message = noise(1 + random(300));
    const signature = new Uint8Array(signBytes(null, message, privateKey));
    const s = signature.subarray(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + L;
    const larger = fromHex(s.toString(16).padStart(64, '0')).reverse();
    for (const [by, said] of [
      [signature, message], [flip(signature), message], [signature, flip(message)], [noise(64), message],
      [concat(signature.subarray(0, 32), larger), message], [concat(signature.subarray(0, 32), noise(31), [0]), message],
    ]) {
      const verdict = await verifyByBigInt(key, by, said);
      assert.equal(verdict, await byWebCrypto(key, by, said), `${turn}: ${hex(key)} ${hex(by)} ${hex(said)}`);
      found[verdict] += 1;
    }
  }
  assert.deepEqual(found, { true: 100, false: 500 });
});

bothWays('golden statements are read, and their ids and signatures hold', async () => {
  const names = list('statements').filter((name) => name.endsWith('.hex'));
  assert(names.length > 14);
  for (const name of names) {
    const fields = Object.fromEntries(
      text(`statements/${name}`).trim().split('\n').map((line) => line.split(/[:=]?\s+/)).map(([key, ...rest]) => [key, rest.at(-1)]),
    );
    const kind = JSON.parse(text(`statements/${name.replace('.hex', '.json')}`)).kind;
    const entry = decodeEntry(fromHex(fields.entry));
    assert.equal(entry.statement.kind, kind, name);
    assert.equal(hex(entry.record), fields.record, name);
    assert.equal(hex(await recordId('example.org/ledger', entry.record)), fields.record_id ?? fields.id, name);
    assert(
      await signatureHolds(entry.issuer, entry.signature, Uint8Array.from([...utf8('arborlog/record/v1\nexample.org/ledger\n'), ...entry.record])),
      name,
    );
  }
});

// A golden receipt of a state entry has no issuer; another key can be absent by the same proof as one of its items.
const ofIssuer = (name) => !name.startsWith('state_');

bothWays('the golden receipt of items says what stands and what does not', async () => {
  const receipt = text('receipts/state_items.tlog-proof');
  const { items } = await verifyReceipt(receipt, { vkey: log });
  const words = text('ledger/item_words.txt').trim().split('\n');
  assert.equal(items.length, words.length);
  assert.deepEqual([...new Set(items.map(({ domain }) => domain))].sort(), DOMAINS.map(({ name }) => name).sort());
  items.forEach(({ domain, found }, at) => {
    assert.equal(found === null, words[at].startsWith(`${domain}: there is no `), words[at]);
  });
  await refuses(verifyReceipt(receipt, { vkey: log, genesis: GENESIS }), 'genesis_other');
});

bothWays('golden receipts hold, by the log’s key, the genesis and the witness', async () => {
  for (const name of list('receipts').filter(ofIssuer)) {
    const told = [];
    const receipt = text(`receipts/${name}`);
    const found = await verifyReceipt(receipt, { vkey: log }, (check) => told.push(check));
    assert.deepEqual(
      told, ['checkpoint', 'witnesses', 'entry', 'inclusion', 'signature', 'role', 'authority', 'genesis'], name,
    );
    await verifyReceipt(receipt, { vkey: log, genesis: found.genesis });
    await refuses(verifyReceipt(receipt, { vkey: log, genesis: 'ab'.repeat(32) }), 'genesis_other');
    const cosigned = verifyReceipt(receipt, { vkey: log, witnesses: [witness] });
    if (name.includes('cosigned')) assert.equal((await cosigned).seen[0].name, witness.name);
    else await refuses(cosigned, 'witness_missing');
    const other = await parseVkey('example.org/other+' + (await vkeyOf('example.org/other', log.key)), LOG);
    await refuses(verifyReceipt(receipt, { vkey: other }), 'other_log');
  }
});

async function vkeyOf(name, key) {
  const typed = Uint8Array.from([1, ...key]);
  const id = (await sha256(Uint8Array.from([...utf8(name), 10, ...typed]))).subarray(0, 4);
  return `${hex(id)}+${base64(typed)}`;
}

bothWays('what must be refused is', async () => {
  const names = list('rejected');
  assert(names.length > 60);
  const before = new Uint8Array(18);
  before[1] = 1;
  for (const name of names) {
    const file = JSON.parse(text(`rejected/${name}`));
    const data = fromHex(file.hex ?? '');
    const accepts = {
      record: () => {
        const record = decodeRecord(data);
        return checkStatement(record.statement).then(() => record);
      },
      signed_record: () => decodeEntry(Uint8Array.from([...before, ...data])),
      entry: () => decodeEntry(data),
      key: () => isGoodKey(data),
      signature: () => signatureHolds(fromHex(file.key), fromHex(file.signature), fromHex(file.message)),
      vkey: () => parseVkey(file.text, LOG),
      checkpoint: () => openCheckpoint(file.text, log),
      receipt: () => verifyReceipt(file.text, { vkey: log }),
    }[file.what];
    let accepted;
    try {
      accepted = await accepts();
    } catch (error) {
      assert(error instanceof Refused, `${name}: ${error.stack}`);
      accepted = false;
    }
    assert(!accepted, name);
  }
});

test('a bit that is flipped anywhere in a receipt is found', async () => {
  const random = dice(7);
  for (const name of list('receipts').filter(ofIssuer)) {
    const whole = bytes(`receipts/${name}`);
    // A line that names a key which nobody pinned is passed over: the last signatures may be other ones.
    const signatures = text(`receipts/${name}`);
    const own = utf8(signatures.slice(0, signatures.indexOf('\n', signatures.indexOf('IR8e')))).length;
    for (let turn = 0; turn < 150; turn += 1) {
      const wrong = whole.slice();
      wrong[random(own)] ^= 1 << random(8);
      await refuses(
        (async () => {
          const changed = text8(wrong, 'not_utf8', 'a receipt is not UTF-8');
          const found = await verifyReceipt(changed, { vkey: log });
          // A name or a signature of another log key's line: not ours to check.
          if (changed.length === signatures.length && foreign(signatures, changed)) throw new Refused('foreign', '');
          return found;
        })(),
      );
    }
    for (const cut of [0, 1, whole.length >> 1, whole.length - 1]) {
      await refuses(verifyReceipt(text8(whole.slice(0, cut), 'x', ''), { vkey: log }));
    }
  }
});

// Whether all that differs is a line of signature by another key than the pinned one.
function foreign(one, other) {
  const lines = [one.split('\n'), other.split('\n')];
  return lines[0].every((line, at) => line === lines[1][at] || (line.startsWith('—') && !line.includes('IR8e')));
}

test('an engine’s own mistakes aside, only what is refused is thrown: noise', async () => {
  const random = dice(9);
  const entries = entriesOf(55);
  for (let turn = 0; turn < 3_000; turn += 1) {
    const noise = entries[random(entries.length)].slice(0, 20 + random(400));
    for (let change = 0; change < 3; change += 1) noise[random(noise.length)] = random(256);
    try {
      decodeEntry(noise);
    } catch (error) {
      assert(error instanceof Refused, error.stack);
    }
  }
});

test('every entry of the golden log has its path, and no other', async () => {
  const leaves = await Promise.all(entriesOf(55).map(leafHash));
  const checkpoint = await openCheckpoint(text('log/55/checkpoint'), log);
  assert.equal(base64(await root(leaves)), base64(checkpoint.root));
  for (const [index, leaf] of leaves.entries()) {
    const proven = await path(index, leaves);
    const found = await rootByPath(leaf, BigInt(index), 55n, proven);
    assert.equal(hex(found), hex(checkpoint.root));
    const elsewhere = rootByPath(leaf, BigInt((index + 1) % 55), 55n, proven);
    assert.notEqual(await elsewhere.then(hex, () => ''), hex(checkpoint.root));
    await refuses(rootByPath(leaf, BigInt(index), 55n, [...proven, leaf]), 'not_included');
    await refuses(rootByPath(leaf, BigInt(index), 55n, proven.slice(1)), 'not_included').catch(async () => {
      assert.notEqual(hex(await rootByPath(leaf, BigInt(index), 55n, proven.slice(1))), hex(checkpoint.root));
    });
  }
});

test('trees of all small sizes are consistent, and nothing else is', async () => {
  const leaves = await Promise.all(entriesOf(55).slice(0, 33).map(leafHash));
  const roots = [null, ...(await Promise.all(leaves.map((_, at) => root(leaves.slice(0, at + 1)))))];
  for (let to = 1; to <= 33; to += 1) {
    for (let from = 1; from <= to; from += 1) {
      const hashes = await proof(from, leaves.slice(0, to));
      await checkConsistency(BigInt(from), roots[from], BigInt(to), roots[to], hashes);
      const wrong = roots[from === 1 ? 2 : from - 1];
      // Of a power of two the proof begins with the smaller root itself: another one leads nowhere.
      const shows = from === to || !isPowerOfTwo(BigInt(from));
      await refuses(checkConsistency(BigInt(from), wrong, BigInt(to), roots[to], hashes), shows ? 'forked' : 'proof_false');
      if (from < to) {
        await refuses(checkConsistency(BigInt(from), roots[from], BigInt(to), roots[to - 1], hashes), 'proof_false');
        await refuses(checkConsistency(BigInt(from), roots[from], BigInt(to), roots[to], hashes.slice(1)), 'proof_false');
        await refuses(checkConsistency(BigInt(from), roots[from], BigInt(to), roots[to], [...hashes, roots[1]]), 'proof_false');
        if (to > 17) continue;
        // Two signed trees that contradict each other are told as a fork, whatever the size; a false proof alone is not.
        const prove = async (one, other) => (await proof(Number(one), leaves.slice(0, Number(other)))).map(base64);
        const [smaller, larger] = [{ size: BigInt(from), root: wrong, note: 'a' }, { size: BigInt(to), root: roots[to], note: 'b' }];
        const code = from > 2 || shows ? 'forked' : 'proof_false';
        await assert.rejects(follows(smaller, larger, prove), (error) => error.code === code && (error.notes !== undefined) === (code === 'forked'));
        const lies = async (...sizes) => (await prove(...sizes)).map((hash, at) => (at === 0 ? base64(roots[33]) : hash));
        await assert.rejects(follows({ ...smaller, root: roots[from] }, larger, lies), (error) => error.code === 'proof_false' && error.outcome === 'false' && !error.notes);
      }
    }
  }
});

const memory = () => {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
};

test('a log that grew is the same, one that forked, shrank or took back a key is not', async () => {
  const storage = memory();
  const leaves = await Promise.all(entriesOf(257).map(leafHash));
  const prove = async (from, to) => (await proof(Number(from), leaves.slice(0, Number(to)))).map(base64);
  const at = (size) => openCheckpoint(text(`log/${size}/checkpoint`), log);
  const by = { vkey: log, keyAt: 0n, genesis: GENESIS };
  const first = { before: null, lags: false };
  assert.deepEqual(await compare(await at(55), by, storage, prove), first);
  assert.equal((await compare(await at(256), by, storage, prove)).before.size, 55n);
  assert.equal((await compare(await at(256), by, storage, prove)).before.size, 256n);
  const shouts = (code) => (error) => error.code === code && error.notes.length === 2;
  // Whichever of two was seen first: a copy that lags shows the beginning of what it showed before.
  for (const [one, other] of [[55, 256], [256, 55]]) await follows(await at(one), await at(other), prove);
  const behind = await compare(await at(55), { ...by, keyAt: -1n }, storage, prove);
  assert.deepEqual([behind.lags, behind.before.size], [true, 256n]);
  const nothing = proveBy(async () => ({ ok: false, status: 404 }));
  await assert.rejects(compare(await at(55), by, storage, nothing), (error) => error.outcome === 'unchecked' && /does not prove/.test(error.message));
  await assert.rejects(compare({ ...(await at(55)), root: leaves[0] }, by, storage, prove), shouts('forked'));
  const lies = async () => [base64(leaves[0])];
  await assert.rejects(compare(await at(257), by, storage, lies), (error) => error.code === 'proof_false' && !error.notes);
  // A server that is busy is no liar.
  const away = proveBy(async () => ({ ok: false, status: 503 }));
  await assert.rejects(compare(await at(257), by, storage, away), (error) => error.code === 'away' && !error.notes);
  assert.equal((await lastSeen(GENESIS, storage)).size, 256n);
  const other = { ...(await at(256)), root: leaves[0] };
  await refuses(compare(other, by, storage, prove), 'forked');
  await compare(await at(257), { ...by, keyAt: 9n }, storage, prove);
  await refuses(compare(await at(257), by, storage, prove), 'key_old');
  const full = { ...memory(), setItem: () => assert.fail('full') };
  assert.deepEqual(await compare(await at(55), by, full, prove), first);
});

test('two checkpoints that contradict each other are kept until they are dismissed', () => {
  const storage = memory();
  assert.deepEqual(evidenceOf(storage), []);
  for (const pair of [['a', 'b'], ['a', 'b'], ['c', 'd'], ['e', 'f'], ['g', 'h'], ['i', 'j']]) keepEvidence(pair, 7, storage);
  assert.deepEqual(evidenceOf(storage), [['a', 'b', 7], ['c', 'd', 7], ['e', 'f', 7], ['g', 'h', 7]]);
  for (const damaged of ['', '{}', '[1]', '[["a"]]', '[["a", "b"]]']) assert.deepEqual(evidenceOf({ getItem: () => damaged }), [], damaged);
  dismissEvidence(storage);
  assert.deepEqual(evidenceOf(storage), []);
  keepEvidence(['a', 'b'], 7, { ...memory(), setItem: () => assert.fail('full') });
});

test('a coordinate is written from its integer, whatever a language rounds a half to', () => {
  const grant = { statement: { holder: 'x' } };
  for (const [e7, shown] of [[156_250, '0.01563°'], [-156_250, '\u22120.01563°'], [-49, '0.00000°'], [-1_800_000_000, '\u2212180.00000°'], [377_599_000, '37.75990°']]) {
    const plot = { index: 1n, grant, entry: { statement: { kind: 'plot', number: 7, name: 'x', place: { kind: 'circle', latitude: e7, longitude: 0, radius_m: 1 } } } };
    const facts = { 'plot.number': '7', 'plot.name': 'x', 'plot.latitude': shown };
    const check = (words) => checkStory(Object.entries(facts).map(([path, text]) => ({ path, text })), { plot }, { pathname: '/plot/7', words });
    check({});
    facts['plot.latitude'] = shown.replace('.', ',');
    check({ point: ',' });
    assert.throws(() => check({}), (error) => error.code === 'story');
  }
});

test('keys that sign later follow those that were pinned', async () => {
  await openCheckpoint(text('log/55/checkpoint'), next);
  const { chain } = readReceipt(text('receipts/award.tlog-proof'));
  assert.equal(chain.length, 3);
  assert.equal(chain.at(-1).index, 0n);
  assert.throws(() => fromBase64('QQ=', 'x'), Refused);
});

test('a page that says what was signed ticks, and any other is refused', async () => {
  const entry = await verifyReceipt(text('receipts/award.tlog-proof'), { vkey: log });
  const said = entry.entry.statement;
  const right = {
    'entry.index': String(entry.index), 'entry.kind': 'award', 'entry.issuer': hex(entry.entry.issuer),
    'entry.bytes': hex(entry.entry.bytes), 'entry.by': entry.grant.statement.display_name,
    'entry.admitted_at': timeText(entry.entry.admitted_at),
    ...Object.fromEntries(rowsOf(said).map(([row, value]) => [`entry.says.${row}`, value instanceof Uint8Array ? hex(value) : String(value)])),
    'entry.says.points': Number(said.points).toLocaleString('en'), 'entry.says.occurred_on': dayText(said.occurred_on),
  };
  const pathname = `/entry/${entry.index}`;
  const facts = (changes = {}) => Object.entries({ ...right, ...changes }).map(([path, shown]) => ({ path, text: shown }));
  const check = (shown, proven = { entry }, at = pathname) => checkStory(shown, proven, { pathname: at });
  const refused = (code) => (error) => error.code === code;
  check(facts());
  for (const path of Object.keys(right)) {
    assert.throws(() => check(facts({ [path]: '7' })), refused('story'), path);
    const without = facts().filter((fact) => fact.path !== path);
    if (!['entry.by', 'entry.admitted_at'].includes(path)) assert.throws(() => check(without), refused('story'), path);
  }
  assert.throws(() => check(facts(), { entry }, '/entry/7'), /asks for another/);
  assert.throws(() => check(facts(), { entry }, '/'), /nothing is known/);
  assert.throws(() => check(facts({ 'entry.nothing': '' })), /has no nothing/);
  assert.throws(() => check(facts({ 'claim.index': '1' })), /nothing proves/);
  assert.throws(() => check(facts(), { entry, claim: entry }), /is no claim/);
  assert.throws(() => check(facts(), { entry, other: entry }), /is no other/);
});

test('the page of a state entry and that of a sealed one tick, and say what they are', async () => {
  const words = { state_entry: 'a state entry', sealed_entry: 'sealed by {}' };
  const golden = entriesOf(55).map((entry) => Buffer.from(entry));
  const withState = new Forged('example.org/ledger', keyFromSeed(Buffer.alloc(32, 9)), [...golden, stateEntry()]);
  const { forged, siblings } = withBatch();
  const state = await verifyReceipt(withState.receipt(55), { vkey: await parseVkey(withState.vkey, LOG) });
  const sealed = await verifyReceipt(forged.receipt(56, siblings[1]), { vkey: await parseVkey(forged.vkey, LOG) });
  assert.deepEqual([state, sealed].map(isStated), [false, true]);
  assert.deepEqual([state, sealed].map((one) => formText(one, words)), ['a state entry', 'sealed by 58']);
  assert.deepEqual([recordIn(state), recordIn(sealed)], [null, sealed.seal.record]);
  const award = await verifyReceipt(text('receipts/award.tlog-proof'), { vkey: log });
  assert.deepEqual([formText(award, words), recordIn(award)], [null, award.entry.record]);

  const ofState = {
    index: '55', kind: 'state', 'says.size': '54', 'says.rules_version': '8', 'says.state_root': '07'.repeat(32), bytes: hex(state.entry.bytes),
    admitted_at: timeText(state.entry.admitted_at),
  };
  const rows = rowsOf(sealed.entry.statement)
    .map(([row, value]) => [`says.${row}`, row === 'occurred_on' ? dayText(value) : value instanceof Uint8Array ? hex(value) : String(value)]);
  const ofSealed = {
    index: '56', kind: 'award', seal: '58', issuer: hex(sealed.seal.issuer), bytes: hex(sealed.entry.bytes),
    by: sealed.grant.statement.display_name, issued_on: dayText(sealed.seal.issued_on),
    admitted_at: timeText(sealed.seal.admitted_at), ...Object.fromEntries(rows),
  };
  for (const [entry, right] of [[state, ofState], [sealed, ofSealed]]) {
    const check = (said) => {
      const facts = Object.entries(said).map(([field, shown]) => ({ path: `entry.${field}`, text: shown }));
      checkStory(facts, { entry }, { pathname: `/entry/${entry.index}`, words });
    };
    check(right);
    for (const field of Object.keys(right)) {
      assert.throws(() => check({ ...right, [field]: '7' }), (error) => error.code === 'story', field);
      const { [field]: _, ...less } = right;
      if (!['by', 'admitted_at', 'issued_on'].includes(field)) assert.throws(() => check(less), (error) => error.code === 'story', field);
    }
    // What such an entry has not, no page may say of it: refused, and not thrown as a mistake of this program.
    for (const field of entry === state ? ['issuer', 'issued_on', 'seq', 'seal', 'id'] : ['seq', 'root', 'id']) {
      assert.throws(() => check({ ...right, [field]: '7' }), (error) => error.code === 'story', field);
    }
  }
});

// Statements as `verifyReceipt` gives them, of one tree and its certificate.
function aTree() {
  const grant = { statement: { display_name: 'Somebody', holder: 'somebody' } };
  const of = (index, kind, fields) => ({ index, grant, entry: { statement: { kind, ...fields }, bytes: new Uint8Array(1) } });
  return {
    claim: of(40n, 'claim', { species: 3, points: 17_900n }),
    assignment: of(50n, 'assignment', { plot: 7, first_serial: 40, claims: [39n, 40n, 41n] }),
    planting: of(30n, 'planting', { plot: 7, species: 3, first_serial: 40, count: 5, planted_from: 0, planted_until: 0 }),
    survey: of(35n, 'survey', { plot: 7, surveyed_on: 1, basis: 'census', alive: 249, dead: 3, not_found: 998, paid_by: 'x' }),
    plot: of(20n, 'plot', { number: 7, name: '12', country: 'US', place: { kind: 'circle', latitude: 1, longitude: -25, radius_m: 1200 }, finer_outline: null, for: ['a', 'b'], carbon_rights: { kind: 'issued', registry: 'R', id: '9' }, area_m2: 50_001n }),
    method: of(5n, 'method', { species: [{ code: 3, name: 'Elm' }] }),
  };
}

test('a certificate is of its own tree, and every mark is held against the statements', () => {
  const words = { basis_census: 'census', any_platform: 'any', between: 'between {from} and {until}', rights_issued: 'issued', point: '.' };
  const right = {
    'claim.index': '40', 'claim.points': '17,900', 'tree.plot': '7', 'tree.serial': '41', 'planting.species': '3',
    'planting.species_name': 'Elm', 'planting.planted': '1970-01-01', 'planting.by': 'Somebody',
    'survey.surveyed_on': '1970-01-02', 'survey.basis': 'census', 'survey.looked_for': '1,250', 'survey.alive': '249', 'survey.dead': '3', 'survey.not_found': '998',
    'survey.survival': '19.9 %', 'survey.paid_by': 'x', 'plot.number': '7', 'plot.name': '12',
    'plot.country': 'US', 'plot.longitude': '0.00000°', 'plot.radius_m': '1,200', 'plot.for': 'a, b', 'plot.hectares': '5.0001', 'plot.carbon_rights': 'issued: R 9',
  };
  const facts = (changes = {}) => Object.entries({ ...right, ...changes }).map(([path, shown]) => ({ path, text: shown }));
  const check = (changes = {}, proven = aTree(), pathname = '/certificate/40') => checkStory(facts(changes), proven, { pathname, words });
  const refuse = (...lie) => assert.throws(() => check(...lie), (error) => error.code === 'story', JSON.stringify(lie[0]));
  check();
  check({ 'claim.points': '17\u202f900' });
  check({}, aTree(), '/tree/7/41');
  for (const path of Object.keys(right)) refuse({ [path]: 'another' === right[path] ? '' : '1' });
  refuse({ 'plot.name': '1,2' });
  refuse({ 'claim.points': '1,7900' });
  refuse({ 'plot.carbon_rights': 'none' });
  refuse({}, aTree(), '/certificate/41');
  refuse({}, aTree(), '/tree/7/42');
  const { assignment, ...untied } = aTree();
  refuse({}, untied);
  const { claim, ...unclaimed } = aTree();
  refuse({}, unclaimed);
  const changed = (name, fields) => {
    const all = aTree();
    Object.assign(all[name].entry.statement, fields);
    return all;
  };
  check({ 'planting.planted': 'between 1970-01-01 and 1970-01-03' }, changed('planting', { planted_until: 2 }));
  refuse({}, changed('planting', { planted_until: 2 }));
  check({ 'plot.for': 'any' }, changed('plot', { for: [] }));
  refuse({}, changed('plot', { for: [] }));
  refuse({}, changed('assignment', { claims: [40n] }));
  refuse({}, changed('assignment', { plot: 8 }));
  refuse({}, changed('planting', { count: 1 }));
  refuse({}, changed('survey', { plot: 8 }));
  refuse({}, changed('claim', { species: 4 }));
  refuse({}, changed('method', { species: [] }));
});

// `src/record/land.rs` has the same outlines and circles.
test('the middle and the radius of an outline', () => {
  const outline = (...points) => ({ kind: 'outline', points: points.map(([latitude, longitude]) => ({ latitude, longitude })) });
  const circle = (latitude, longitude, radius_m) => ({ latitude, longitude, radius_m });
  for (const [place, expected] of [
    [
      outline([377_000_000, -1_224_000_000], [377_010_001, -1_224_000_000], [377_000_000, -1_223_990_000]),
      circle(377_005_000, -1_223_995_000, 71),
    ],
    [outline([-10_000, 1_799_990_000], [10_000, -1_799_990_000], [10_000, 1_799_990_000]), circle(0, 1_800_000_000, 158)],
    [outline([899_990_000, 0], [900_000_000, 900_000_000], [899_990_000, 1_800_000_000]), circle(899_995_000, 900_000_000, 184)],
  ]) {
    assert.deepEqual(circleOf(place), expected);
  }
});

test('a log key must be named by the genesis, and a site keeps its ledger', async () => {
  const proven = await verifyReceipt(text('receipts/award.tlog-proof'), { vkey: log });
  const never = () => assert.fail('the genesis names it');
  assert.equal((await checkLogKey(proven, log, never)).statement.kind, 'genesis');
  const award = () => text('receipts/award.tlog-proof');
  const other = { ...log, key: next.key };
  await refuses(checkLogKey(proven, other, award));
  await refuses(checkLogKey({ ...proven, entries: [{ statement: { log_key: next.key } }] }, log, award), 'log_key_unnamed');

  const storage = memory();
  checkGenesis(GENESIS, storage);
  keepGenesis(proven.genesis, storage);
  checkGenesis(proven.genesis, storage);
  assert.throws(() => checkGenesis(GENESIS, storage), (error) => error.code === 'genesis_changed');
  forget(storage);
  checkGenesis(GENESIS, storage);
});

// ---- state entries ----

const u64 = (number) => {
  const written = Buffer.alloc(8);
  written.writeBigUInt64BE(BigInt.asUintN(64, BigInt(number)));
  return written;
};

function stateEntry() {
  const totals = [17_302, 5_332, 0, 0, 6_000, -5, 2_268, 25, 4, 1, 20, 2, 1, 3, 1].map(u64);
  const head = [Buffer.of(0, 3), u64(1_793_610_001_000), u64(54), u64(2n ** 64n - 1n), Buffer.of(0, 0, 0, 8), Buffer.alloc(32, 7)];
  return Buffer.concat([...head, ...totals]);
}

const withExtra = (receipt, change) => receipt.replace(/^extra (.*)$/m, (_, extra) => {
  const changed = change(Buffer.from(extra, 'base64'));
  return `extra ${changed.toString('base64')}`;
});

test('a state entry is read strictly, and what it says takes the place of a statement', () => {
  const whole = stateEntry();
  assert.equal(whole.length, 182);
  const { statement, ...entry } = decodeEntry(new Uint8Array(whole));
  assert.deepEqual([entry.version, entry.issuer, entry.record, entry.lineage], [3, null, null, []]);
  assert.deepEqual([statement.kind, statement.size, statement.before, statement.rules_version], ['state', 54n, 2n ** 64n - 1n, 8]);
  assert.deepEqual(Object.entries(statement.totals), [
    ['awarded', 17_302n], ['reversed', 5_332n], ['expired', 0n], ['spent_elsewhere', 0n], ['claimed', 6_000n],
    ['balances', -5n], ['owed', 2_268n], ['planted_recorded', 25n], ['planted_voided', 4n], ['lost', 1n],
    ['standing', 20n], ['assigned', 2n], ['waiting', 1n], ['claims', 3n], ['accounts_negative', 1n],
  ]);
  const rows = Object.fromEntries(rowsOf(statement));
  assert.deepEqual([rows.size, rows['totals.balances'], hex(rows.state_root)], [54n, -5n, '07'.repeat(32)]);
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => decodeEntry(new Uint8Array(whole.subarray(0, length))), (error) => error.code === 'not_canonical');
  }
  for (const wrong of [[...whole, 0], [0, 2, ...whole.subarray(2)], [0, 4, ...whole.subarray(2)], [1, 3, ...whole.subarray(2)]]) {
    assert.throws(() => decodeEntry(Uint8Array.from(wrong)), (error) => error.code === 'not_canonical');
  }
});

test('a receipt of a state entry proves that the log holds it, and nothing else', async () => {
  const key = keyFromSeed(Buffer.alloc(32, 9));
  const golden = entriesOf(55).map((entry) => Buffer.from(entry));
  const award = withAuthority(golden[11], 55);
  const forged = new Forged('example.org/ledger', key, [...golden, stateEntry(), award, stateEntry().subarray(0, 181)]);
  const vkey = await parseVkey(forged.vkey, LOG);
  const told = [];
  const receipt = forged.receipt(55);
  const found = await verifyReceipt(receipt, { vkey, genesis: GENESIS }, (check) => told.push(check));
  assert.deepEqual(told, ['checkpoint', 'witnesses', 'entry', 'inclusion']);
  assert.deepEqual([found.index, found.genesis, found.grant], [55n, null, null]);
  assert.equal(found.entry.statement.size, 54n);

  const links = (text) => Buffer.from(/^extra (.*)$/m.exec(text)[1], 'base64').subarray(8 + golden[11].length);
  const authority = (extra) => Buffer.concat([extra.subarray(0, -24), links(forged.receipt(11)), u64(0), u64(0)]);
  await refuses(verifyReceipt(withExtra(receipt, authority), { vkey }), 'authority_broken');
  for (const index of [11, 55]) {
    await verifyReceipt(forged.receipt(index), { vkey });
    const more = (extra) => Buffer.concat([extra, u64(0)]);
    await refuses(verifyReceipt(withExtra(forged.receipt(index), more), { vkey }), 'receipt_malformed');
  }

  const random = dice(10);
  for (let turn = 0; turn < 182; turn += 1) {
    const flip = (extra) => {
      extra[10 + random(180)] ^= 1 << random(8);
      return extra;
    };
    await refuses(verifyReceipt(withExtra(receipt, flip), { vkey }), 'not_included');
  }
  await refuses(verifyReceipt(forged.receipt(57), { vkey }), 'entry_wrong');
  // It gives nobody authority, at whichever place in a chain.
  await refuses(verifyReceipt(forged.receipt(56), { vkey }), 'authority_broken');

  // A page that knows the genesis asks for the entry that named the log's key, under that genesis.
  const goldenReceipt = () => text('receipts/award.tlog-proof');
  const { genesis } = await verifyReceipt(goldenReceipt(), { vkey: log });
  const pinned = { ...found, pinned: genesis };
  assert.equal((await checkLogKey(pinned, log, () => genesisReceipt())).statement.kind, 'genesis');
  await refuses(checkLogKey(pinned, log, goldenReceipt), 'log_key_unnamed');
  await refuses(checkLogKey(found, log, () => genesisReceipt()), 'genesis_other');
});

// ---- sealed entries ----

const u16 = (number) => Buffer.of(number >> 8, number & 255);
const u32 = (number) => Buffer.concat([u16(Math.floor(number / 65_536)), u16(number % 65_536)]);
const hashOf = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const NO_PLACE = 2n ** 64n - 1n;

// The statement of a golden entry, and the same with a seal's count and root in its record.
const recordOf = (entry) => Buffer.from(decodeEntry(new Uint8Array(entry)).record);
const sealedBytes = (ahead, statement, places = [NO_PLACE]) => Buffer.concat([u16(2), u16(ahead), statement, ...places.map(u64)]);

// The golden log, behind it a batch of three that the issuer of the entry at `like` seals.
function withBatch({ like = 11, ahead = [3, 2, 1], count = 3, kind = 16, root = null, forge = false } = {}) {
  const golden = entriesOf(55).map((entry) => Buffer.from(entry));
  const award = recordOf(golden[11]).subarray(76);
  const statements = [1, 2, 3].map((last) => Buffer.concat([award.subarray(0, -1), Buffer.of(last)]));
  const leaves = statements.map((statement) => hashOf(Buffer.of(0), statement));
  const pair = hashOf(Buffer.of(1), leaves[0], leaves[1]);
  const head = recordOf(golden[like]).subarray(0, 76);
  const said = Buffer.concat([u32(kind), u32(count), root ?? hashOf(Buffer.of(1), pair, leaves[2])]);
  const record = Buffer.concat([head, kind === 16 ? said : award]);
  const [known] = JSON.parse(text('keys.json')).filter(({ public_key: key }) => key === head.subarray(0, 32).toString('hex'));
  const message = Buffer.concat([Buffer.from('arborlog/record/v1\nexample.org/ledger\n'), record]);
  const signature = signBytes(null, message, keyFromSeed(Buffer.from(known.seed, 'hex')));
  if (forge) signature[40] ^= 1;
  const authority = decodeEntry(new Uint8Array(golden[like])).lineage[1];
  const seal = Buffer.concat([
    u16(1), u64(1_793_610_001_000), u64(2), u64(NO_PLACE), u64(authority), u64(record.length), record, signature, u64(0),
  ]);
  const sealed = statements.map((statement, place) => sealedBytes(ahead[place], statement));
  const forged = new Forged('example.org/ledger', keyFromSeed(Buffer.alloc(32, 9)), [...golden, ...sealed, seal]);
  return { forged, siblings: [[leaves[1], leaves[2]], [leaves[0], leaves[2]], [pair]] };
}

test('a sealed entry is read strictly', () => {
  const whole = withBatch().forged.entries[55];
  const entry = decodeEntry(new Uint8Array(whole));
  assert.deepEqual([entry.version, entry.ahead, entry.statement.kind, entry.places], [2, 3, 'award', [NO_PLACE]]);
  assert.deepEqual([entry.issuer, entry.record, entry.lineage], [null, null, []]);
  assert.equal(hex(entry.statementBytes), whole.subarray(4, -8).toString('hex'));
  const wrong = [Buffer.concat([whole, Buffer.of(0)]), Buffer.concat([whole, u64(0)])];
  for (let length = 0; length < whole.length; length += 1) wrong.push(whole.subarray(0, length));
  for (const ahead of [0, 16_385, 65_535]) wrong.push(Buffer.concat([u16(2), u16(ahead), whole.subarray(4)]));
  for (const kind of [0, 1, 2, 3, 4, 5, 7, 8, 14, 15, 16, 17, 2 ** 32 - 1]) {
    wrong.push(Buffer.concat([whole.subarray(0, 4), u32(kind), whole.subarray(8)]));
  }
  for (const one of wrong) assert.throws(() => decodeEntry(new Uint8Array(one)), (error) => error.code === 'not_canonical');
  const numbers = new Map(['award', 'transfer', 'planting', 'survey', 'claim', 'assignment', 'correction'].map((kind) => [kind, 0]));
  for (const golden of entriesOf(55)) {
    const { statement } = decodeEntry(golden);
    if (!numbers.has(statement.kind)) continue;
    const said = recordOf(golden).subarray(76);
    const count = { transfer: 2, correction: 3 }[statement.kind] ?? 1;
    const read = decodeEntry(new Uint8Array(sealedBytes(1, said, Array.from({ length: count }, (_, at) => at))));
    assert.deepEqual([read.statement, read.places.length], [statement, count]);
    numbers.set(statement.kind, numbers.get(statement.kind) + 1);
  }
  assert(![...numbers.values()].includes(0));
});

test('a receipt of a sealed entry leads through its seal, and every part of it that lies is found', async () => {
  const { forged, siblings } = withBatch();
  const vkey = await parseVkey(forged.vkey, LOG);
  for (const index of [55, 56, 57]) {
    const told = [];
    const found = await verifyReceipt(forged.receipt(index, siblings[index - 55]), { vkey, genesis: null }, (check) => told.push(check));
    assert.deepEqual(told, ['checkpoint', 'witnesses', 'entry', 'inclusion', 'signature', 'role', 'authority', 'genesis']);
    assert.deepEqual([found.index, found.seal.index, found.seal.statement.kind], [BigInt(index), 58n, 'seal']);
    assert.deepEqual([found.entry.issuer, found.entry.admitted_at], [found.seal.issuer, found.seal.admitted_at]);
    assert.equal(found.grant.statement.role, 'platform');
  }
  const lies = async (code, batch, path = siblings[1]) => {
    const lie = withBatch(batch).forged;
    await refuses(verifyReceipt(lie.receipt(56, path), { vkey: await parseVkey(lie.vkey, LOG) }), code);
  };
  await lies('proof_incomplete', {}, siblings[1].slice(1));
  await lies('proof_incomplete', {}, [...siblings[1], Buffer.alloc(32)]);
  await lies('proof_incomplete', {}, []);
  await lies('receipt_malformed', {}, Array(15).fill(Buffer.alloc(32)));
  await lies('seal_mismatch', {}, [...siblings[1]].reverse());
  await lies('seal_mismatch', { root: Buffer.alloc(32) });
  await lies('seal_mismatch', { count: 1 });
  await lies('proof_incomplete', { count: 5 });
  await lies('not_canonical', { count: 0 });
  await lies('not_canonical', { count: 16_385 });
  await lies('seal_mismatch', { kind: 6 });
  await lies('signature_invalid', { forge: true });
  // A planter's key may seal, and not what stands here; nor do governors seal.
  const by = (role) => entriesOf(55).findIndex((entry) => decodeEntry(entry).statement.kind === role);
  await lies('role_refused', { like: by('planting') });
  await lies('role_refused', { like: by('method') });
  // The entry names another seal than the one beside it.
  await lies('seal_mismatch', { ahead: [3, 1, 1] });
  const otherSeal = (extra) => {
    const changed = Buffer.from(extra);
    changed[8 + forged.entries[56].length + 7] ^= 1;
    return changed;
  };
  await refuses(verifyReceipt(withExtra(forged.receipt(56, siblings[1]), otherSeal), { vkey }), 'proof_incomplete');
  const random = dice(11);
  const receipt = forged.receipt(56, siblings[1]);
  const length = Buffer.from(/^extra (.*)$/m.exec(receipt)[1], 'base64').length;
  for (let turn = 0; turn < 300; turn += 1) {
    const flip = (extra) => {
      extra[random(length)] ^= 1 << random(8);
      return extra;
    };
    await refuses(verifyReceipt(withExtra(receipt, flip), { vkey }));
  }
});

// The receipt of the golden log's genesis, in the tree of its first entry.
function genesisReceipt() {
  const [entry] = entriesOf(1);
  const extra = base64(Uint8Array.from([...u64(entry.length), ...entry, ...u64(0)]));
  return `c2sp.org/tlog-proof@v1\nextra ${extra}\nindex 0\n\n${text('log/1/checkpoint')}`;
}

// ---- proofs of the state ----

const nodeOf = ({ hash, a, b, n }) => ({ hash: fromHex(hash), a: BigInt(a), b: BigInt(b), n: BigInt(n) });
const valueOf = (leaf) => (leaf === null ? null : hex(leaf.value));

test('proofs of a trie and of the state are read as the format says', async () => {
  for (const trie of JSON.parse(text('trie/tries.json'))) {
    for (const { path, proof, value } of trie.proofs) {
      const found = await verifyTrieProof(trie.domain, fromHex(path), fromHex(proof), nodeOf(trie.root));
      assert.equal(valueOf(found), value, trie.name);
    }
  }
  const state = JSON.parse(text('trie/state.json'));
  const root = fromHex(state.state_root);
  for (const { domain, path, proof, value } of state.proofs) {
    const { found, sums } = await verifyStateProof(domain, fromHex(path), fromHex(proof), root);
    assert.equal(valueOf(found), value);
    assert.deepEqual({ ...sums, hash: fromHex(state.roots[domain].hash) }, nodeOf(state.roots[domain]));
    await refuses(verifyStateProof(domain ^ 1, fromHex(path), fromHex(proof), root), 'state_differs');
  }
  const { domain, proof } = state.head_proof;
  assert.deepEqual(await verifyHeadProof(domain, fromHex(proof), root), nodeOf(state.roots[domain]));
  await refuses(verifyHeadProof(domain, fromHex(proof), new Uint8Array(32)), 'state_differs');
});

test('false proofs of a trie are refused, whatever is changed', async () => {
  const rejected = JSON.parse(text('trie/rejected.json'));
  const root = nodeOf(rejected.root);
  for (const { path, proof, what } of rejected.proofs) {
    const work = verifyTrieProof(rejected.domain, fromHex(path), fromHex(proof), root);
    await assert.rejects(work, Refused, what);
  }
  const draw = dice(16);
  for (const trie of JSON.parse(text('trie/tries.json'))) {
    for (const { path, proof } of trie.proofs) {
      for (let round = 0; round < 40; round += 1) {
        const changed = fromHex(proof);
        changed[draw(changed.length)] ^= 1 << draw(8);
        await refuses(verifyTrieProof(trie.domain, fromHex(path), changed, nodeOf(trie.root)));
      }
      await refuses(verifyTrieProof(trie.domain, fromHex(path), fromHex(`${proof}00`), nodeOf(trie.root)), 'proof_malformed');
    }
  }
});

// A trie by its definition (section 16.1), and proofs in it: an independent model. A leaf is { path, value, a, b }.
class ModelTrie {
  constructor(domain, leaves) {
    this.domain = domain;
    this.leaves = leaves;
  }

  static bit = (path, place) => (path[place >> 3] >> (7 - (place & 7))) & 1;

  static bytes = ({ hash, a, b, n }) => Buffer.concat([hash, u64(a), u64(b), u64(n)]);

  static hash = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();

  node(leaves = this.leaves, depth = 0) {
    if (leaves.length === 0) return { hash: Buffer.alloc(32), a: 0n, b: 0n, n: 0n };
    if (leaves.length === 1) {
      const [{ path, value, a, b }] = leaves;
      return { hash: ModelTrie.hash(Buffer.of(0, this.domain), path, value), a, b, n: 1n };
    }
    const [left, right] = [0, 1].map((side) => this.node(leaves.filter(({ path }) => ModelTrie.bit(path, depth) === side), depth + 1));
    const hash = ModelTrie.hash(Buffer.of(1), ModelTrie.bytes(left), ModelTrie.bytes(right));
    return { hash, a: left.a + right.a, b: left.b + right.b, n: left.n + right.n };
  }

  prove(path) {
    let [leaves, siblings] = [this.leaves, []];
    while (leaves.length > 1) {
      const depth = siblings.length;
      const side = ModelTrie.bit(path, depth);
      siblings.unshift(this.node(leaves.filter((leaf) => ModelTrie.bit(leaf.path, depth) !== side), depth + 1));
      leaves = leaves.filter((leaf) => ModelTrie.bit(leaf.path, depth) === side);
    }
    const bits = Buffer.alloc((siblings.length + 7) >> 3);
    siblings.forEach(({ n }, place) => {
      if (n === 0n) bits[place >> 3] |= 128 >> (place & 7);
    });
    const there = siblings.filter(({ n }) => n > 0n).map(ModelTrie.bytes);
    const [leaf] = leaves;
    const end = !leaf ? [Buffer.of(0)] : [
      leaf.path.equals(path) ? Buffer.of(1) : Buffer.concat([Buffer.of(2), leaf.path]),
      u64(leaf.a), u64(leaf.b), Buffer.of(leaf.value.length), leaf.value,
    ];
    return Buffer.concat([Buffer.of(siblings.length >> 8, siblings.length & 255), bits, ...there, ...end]);
  }

  // Under a state root whose other fifteen domains have no leaf: that root, and what stands before a proof.
  head() {
    const root = this.node();
    const headOf = (domain, node) => ModelTrie.hash(Buffer.of(2, domain), ModelTrie.bytes(node));
    const empty = new ModelTrie(0, []).node();
    let heads = Array.from({ length: 16 }, (_, domain) => headOf(domain, domain === this.domain ? root : empty));
    const siblings = [];
    for (let at = this.domain; heads.length > 1; at >>= 1) {
      siblings.push(heads[at ^ 1]);
      heads = heads.filter((_, place) => place % 2 === 0).map((left, place) => ModelTrie.hash(Buffer.of(3), left, heads[2 * place + 1]));
    }
    return { stateRoot: heads[0], before: Buffer.concat([Buffer.of(this.domain), u64(root.a), u64(root.b), u64(root.n), ...siblings]) };
  }
}

test('the model of a trie is that of the golden files', () => {
  for (const trie of JSON.parse(text('trie/tries.json'))) {
    const leaves = trie.leaves.map(({ path, value, a, b }) => (
      { path: Buffer.from(path, 'hex'), value: Buffer.from(value, 'hex'), a: BigInt(a), b: BigInt(b) }
    ));
    const model = new ModelTrie(trie.domain, leaves);
    assert.equal(model.node().hash.toString('hex'), trie.root.hash, trie.name);
    for (const { path, proof } of trie.proofs) assert.equal(model.prove(Buffer.from(path, 'hex')).toString('hex'), proof, trie.name);
  }
});

test('two proofs show that nothing is between their paths, and never that what is there is not', async () => {
  const draw = dice(17);
  const path = (number) => Buffer.concat([Buffer.of(number >> 8, number & 255), Buffer.alloc(30)]);
  let [between, nothing] = [0, 0];
  for (let round = 0; round < 60; round += 1) {
    // Few numbers, near each other: all the ways in which two of them part.
    const taken = new Set(Array.from({ length: draw(7) }, () => draw(24) * (draw(4) === 0 ? 1024 : 1)));
    const leaves = [...taken].map((number) => ({ path: path(number), value: Buffer.of(number & 255), a: 1n, b: 2n }));
    const trie = new ModelTrie(9, leaves);
    const { stateRoot, before } = trie.head();
    for (let pair = 0; pair < 12; pair += 1) {
      const [one, other] = [draw(26), draw(26) * (draw(3) === 0 ? 2048 : 1)];
      const ends = [one, other].map((number) => ({ number, path: path(number), proof: trie.prove(path(number)) }));
      const [low, high] = ends.sort((left, right) => left.number - right.number);
      const root = trie.node();
      const full = ({ path: of, proof }) => ({ path: of, proof: Buffer.concat([before, proof]) });
      const readers = [() => verifyTrieNeighbours(9, low, high, root), () => verifyStateNeighbours(9, full(low), full(high), stateRoot)];
      const empty = ![...taken].some((number) => low.number < number && number < high.number);
      for (const read of readers) {
        if (low.number === high.number || !empty) {
          await refuses(read(), 'state_differs');
          between += 1;
        } else {
          const found = await read();
          assert.deepEqual([found.low !== null, found.high !== null], [taken.has(low.number), taken.has(high.number)]);
          nothing += 1;
        }
      }
      await refuses(verifyTrieNeighbours(9, high, low, root), 'state_differs');
    }
  }
  assert(between > 300 && nothing > 300, `${between} ${nothing}`);
});

// ---- what the leaves of the state say ----

// The leaves of the golden ledger: of each domain [{ path, leaf, beside }].
const goldenLeaves = () => Object.entries(JSON.parse(text('ledger/leaves.json'))).map(([name, leaves]) => [
  name, leaves.map(({ path, value, a, b, fields }) => (
    { path: fromHex(path), leaf: { value: fromHex(value), a: BigInt(a), b: BigInt(b) }, beside: fields && fromHex(fields) }
  )),
]);

test('every leaf of the golden ledger is read into its fields', async () => {
  const roots = JSON.parse(text('ledger/domains.json'));
  const read = {};
  assert.deepEqual(goldenLeaves().map(([name]) => name), DOMAINS.map(({ name }) => name));
  for (const [domain, [name, leaves]] of goldenLeaves().entries()) {
    const model = new ModelTrie(domain, leaves.map(({ path, leaf }) => ({ path: Buffer.from(path), ...leaf })));
    const { hash, a, b, n } = model.node();
    assert.deepEqual({ hash: hex(hash), a: Number(a), b: Number(b), n: Number(n) }, roots[name], name);
    read[name] = [];
    for (const { path, leaf, beside } of leaves) {
      const found = await readLeaf(domain, path, leaf, beside);
      read[name].push(found);
      if (found.at) assert.equal(hex(pathOf(domain, found.at)), hex(path), name);
      if (beside) {
        const alone = await readLeaf(domain, path, leaf);
        assert.deepEqual(alone, { ...found, fields: null }, name);
        for (const wrong of [beside.slice(1), beside.slice(0, -1), concat(beside, [0])]) {
          await refuses(readLeaf(domain, path, leaf, wrong), 'state_differs');
        }
        const other = leaf.value.slice();
        other[39] ^= 1;
        await refuses(readLeaf(domain, path, { ...leaf, value: other }, beside), 'state_differs');
        // The same fields at another place, or said of another entry, or both.
        const later = { ...leaf, value: concat(u64(found.entry + 1n), leaf.value.slice(8)) };
        await refuses(readLeaf(domain, path, later, beside), 'state_differs');
        for (const part of Object.keys(found.at ?? {})) {
          const moved = pathOf(domain, { ...found.at, [part]: found.at[part] + 1n });
          if (name === 'plantings' && part === 'plot') continue; // The fields don't name the plot.
          await refuses(readLeaf(domain, moved, leaf, beside), 'state_differs');
          await refuses(readLeaf(domain, moved, later, beside), 'state_differs');
        }
        // Without the fields, some sums are known all the same.
        const known = { plots: [], plantings: [], losses: ['b'] }[name] ?? ['a', 'b'];
        for (const sum of known) {
          await refuses(readLeaf(domain, path, { ...leaf, [sum]: leaf[sum] + 1n }), 'state_differs');
        }
      }
      for (const sum of ['a', 'b']) {
        await refuses(readLeaf(domain, path, { ...leaf, [sum]: leaf[sum] + 1n }, beside), 'state_differs');
      }
      for (const value of [leaf.value.slice(1), leaf.value.slice(0, -1), concat(leaf.value, [0])]) {
        await refuses(readLeaf(domain, path, { ...leaf, value }, beside), 'state_differs');
      }
      if (found.at) {
        const last = path.slice();
        last[31] ^= 1;
        await refuses(readLeaf(domain, last, leaf, beside), 'state_differs');
      }
    }
  }

  const only = (name, wanted) => read[name].filter(({ fields, at }) => wanted(fields, at));
  assert.deepEqual(read.trees.map(({ at, fields }) => [at.plot, at.serial, fields.claim]), [[1n, 2n, 20n], [1n, 16n, 53n]]);
  const owing = only('accounts', ({ balance }) => balance < 0n);
  assert.deepEqual(owing.map(({ fields }) => fields), [{ balance: -2268n, last_entry: 51n, holder: 0 }]);
  const [revoked] = only('keys', ({ revoked_at: at }) => at !== null);
  assert.deepEqual([revoked.fields.task.holder, revoked.fields.revoked_at, revoked.fields.last_entry], ['bike-club', 45n, 45n]);
  assert.equal(only('keys', ({ task }) => task.kind === 'log').length, 2);
  assert.deepEqual(only('claims', ({ tree }) => tree.kind === 'has').map(({ at }) => at.entry), [20n, 53n]);
  assert.equal(only('once', (_, { what }) => what === 0n)[0].fields.origin, 'example.org/ledger');
});

// Of each domain its leaves, with the proof of a path against the state root of all of them.
function goldenState() {
  const all = goldenLeaves();
  const tries = all.map(([, leaves], domain) => (
    new ModelTrie(domain, leaves.map(({ path, leaf }) => ({ path: Buffer.from(path), ...leaf })))
  ));
  const roots = tries.map((trie) => trie.node());
  const levels = [roots.map((root, domain) => ModelTrie.hash(Buffer.of(2, domain), ModelTrie.bytes(root)))];
  while (levels.at(-1).length > 1) {
    const below = levels.at(-1);
    levels.push(below.filter((_, at) => at % 2 === 0).map((one, at) => ModelTrie.hash(Buffer.of(3), one, below[2 * at + 1])));
  }
  const prove = (domain, path) => {
    const siblings = levels.slice(0, 4).map((level, step) => level[(domain >> step) ^ 1]);
    const { a, b, n } = roots[domain];
    return new Uint8Array(Buffer.concat([Buffer.of(domain), u64(a), u64(b), u64(n), ...siblings, tries[domain].prove(Buffer.from(path))]));
  };
  return { all, prove, root: new Uint8Array(levels[4][0]) };
}

const KEY_WIDTHS = {
  once: 1, methods: 8, species: 2, plots: 4, plantings: 8, trees: 8, surveys: 16, claims: 8, reversed: 8, losses: 8,
  voided: 8, months: 4, evidence: 32,
};

test('an item of the state is proven with its key and its fields, and nothing else is', async () => {
  const { all, prove, root } = goldenState();
  const state = text('ledger/state_roots.txt').trim().split('\n').at(-1).split(' ')[1];
  assert.equal(hex(root), state);
  const wrong = (item, code) => assert.rejects(verifyItem(item, root, null), (error) => (
    error instanceof Refused && (code ? error.code === code : ['state_item_malformed', 'state_item_wrong'].includes(error.code))
  ));
  const [genesis, grant, award] = [0, 1, 11].map((index) => decodeEntry(entriesOf(55)[index]));
  const id = await recordId('example.org/ledger', genesis.record);
  const ann = concat(id, award.statement.account);
  const hashed = {
    keys: [genesis.issuer, new Uint8Array(32)], accounts: [ann, concat(id, new Uint8Array(32))],
    holders: [utf8(`\0${grant.statement.holder}`), utf8('\0nobody')],
  };
  const place = { keys: keyPath, accounts: (key) => accountPath(key.slice(0, 32), key.slice(32)), holders: sha256 };
  for (const [domain, [name, leaves]] of all.entries()) {
    const width = KEY_WIDTHS[name];
    const there = hashed[name]?.slice(0, 1) ?? leaves.map(({ path }) => path.slice(0, width));
    for (const key of there) {
      const path = place[name] ? await place[name](key) : Uint8Array.from({ length: 32 }, (_, at) => key[at] ?? 0);
      const leaf = leaves.find((one) => equal(one.path, path));
      const item = { key, fields: leaf.beside ?? null, proof: prove(domain, path) };
      const found = await verifyItem(item, root, null);
      assert.equal(found.domain, name);
      assert.deepEqual(found.found.leaf, leaf.leaf);
      await wrong({ ...item, fields: item.fields === null ? new Uint8Array(0) : null }, 'state_item_wrong');
      await wrong({ ...item, key: concat(key, [0]) }, name === 'holders' ? undefined : 'state_item_malformed');
      await wrong({ ...item, proof: item.proof.slice(0, -1) }, 'state_item_malformed');
      await wrong({ ...item, proof: concat(item.proof, [0]) }, 'state_item_malformed');
      if (key !== there[0]) continue;
      for (const part of ['key', 'fields', 'proof']) {
        // Every bit of one domain's; of the others one of each byte.
        for (let bit = 0; bit < 8 * (item[part]?.length ?? 0); bit += name === 'plots' ? 1 : 9) {
          const changed = item[part].slice();
          changed[bit >> 3] ^= 128 >> (bit & 7);
          await wrong({ ...item, [part]: changed });
        }
      }
    }
    const key = hashed[name]?.[1] ?? new Uint8Array(width).fill(0x77);
    const path = place[name] ? await place[name](key) : Uint8Array.from({ length: 32 }, (_, at) => key[at] ?? 0);
    const absent = { key, fields: null, proof: prove(domain, path) };
    assert.deepEqual(await verifyItem(absent, root, null), { domain: name, key, found: null });
    await wrong({ ...absent, fields: new Uint8Array(0) }, 'state_item_wrong');
    if (there.length > 0) await wrong({ ...absent, key: there[0] }, 'state_item_wrong');
    await refuses(verifyItem(absent, new Uint8Array(32), null), 'state_item_wrong');
    for (let bit = 0; bit < 8 * absent.proof.length; bit += name === 'trees' ? 1 : 9) {
      const changed = absent.proof.slice();
      changed[bit >> 3] ^= 128 >> (bit & 7);
      await wrong({ ...absent, proof: changed });
    }
  }
  const [domain] = [DOMAINS.findIndex(({ name }) => name === 'accounts')];
  const account = { key: ann, fields: null, proof: prove(domain, await accountPath(id, award.statement.account)) };
  assert.equal((await verifyItem(account, root, hex(id))).domain, 'accounts');
  await refuses(verifyItem(account, root, GENESIS), 'genesis_other');
  // What is shown to people is a slug or a text.
  for (const key of [[], [0], [2, 97], [97], [0, 65], [0, 97, 10], [1, 27, 91], [1, 255], [1, ...new Array(101).fill(97)]]) {
    const bytesOfKey = Uint8Array.from(key);
    await wrong({ key: bytesOfKey, fields: null, proof: prove(2, await sha256(bytesOfKey)) }, 'state_item_malformed');
  }
});

test('a receipt of a state entry shows its items, or says which is wrong', async () => {
  const { all, prove, root } = goldenState();
  const entry = stateEntry();
  root.forEach((byte, at) => { entry[30 + at] = byte; });
  const golden = entriesOf(55).map((bytesOf) => Buffer.from(bytesOf));
  const forged = new Forged('example.org/ledger', keyFromSeed(Buffer.alloc(32, 9)), [...golden, entry]);
  const vkey = await parseVkey(forged.vkey, LOG);
  assert.equal(hex(decodeEntry(new Uint8Array(entry)).statement.state_root), hex(root));
  const string = (data) => Buffer.concat([u64(data.length), data]);
  const itemOf = (name) => {
    const domain = DOMAINS.findIndex((one) => one.name === name);
    const [{ path, beside }] = all[domain][1];
    return { key: path.slice(0, KEY_WIDTHS[name]), fields: beside ?? null, proof: prove(domain, path) };
  };
  const written = ({ key, fields, proof }) => Buffer.concat([
    string(key), fields === null ? Buffer.of(0) : Buffer.concat([Buffer.of(1), string(fields)]), string(proof),
  ]);
  const receiptWith = (items, shown = u64(0)) => withExtra(forged.receipt(55), (extra) => (
    Buffer.concat([extra.subarray(0, -16), u64(items.length), ...items.map(written), shown])
  ));
  const items = ['plots', 'trees', 'voided'].map(itemOf);
  const found = await verifyReceipt(receiptWith(items), { vkey });
  assert.deepEqual(found.items.map(({ domain }) => domain), ['plots', 'trees', 'voided']);
  assert.equal(found.items[0].found.fields.number, 1);
  assert.equal((await verifyReceipt(receiptWith(new Array(64).fill(items[1])), { vkey })).items.length, 64);
  await refuses(verifyReceipt(receiptWith(new Array(65).fill(items[1])), { vkey }), 'receipt_malformed');
  const [plot] = items;
  const cut = { ...plot, proof: plot.proof.slice(1) };
  await refuses(verifyReceipt(receiptWith([plot, cut]), { vkey }), 'state_item_malformed');
  await refuses(verifyReceipt(receiptWith([plot, { ...plot, fields: null }]), { vkey }), 'state_item_wrong');
  // By other rules anything may be another thing, links too.
  const other = Buffer.from(entry);
  other.writeUInt32BE(9, 26);
  const later = new Forged('example.org/ledger', keyFromSeed(Buffer.alloc(32, 9)), [...golden, other]);
  await refuses(verifyReceipt(later.receipt(55), { vkey }), 'rules_version_unsupported');
  // Links of any kind are too many, whatever their proofs are.
  const link = Buffer.concat([u64(1), u64(0), string(golden[0]), u64(0)]);
  const linked = withExtra(forged.receipt(55), (extra) => Buffer.concat([extra.subarray(0, -24), link, u64(0), u64(0)]));
  await refuses(verifyReceipt(linked, { vkey }), 'authority_broken');
});

// What the second verifier's tests forge (docs/verifier/test_arborlog_verify.py): states and entries that lie, files that
// have too little or too much.
test('files about the state come to what the second verifier says', async () => {
  const { log: line, files } = JSON.parse(text('state_forged.json'));
  const vkey = await parseVkey(line, LOG);
  const codes = new Set();
  for (const { name, outcome, code, text: file } of files) {
    const found = await verifyReceipt(file, { vkey }).catch((error) => error);
    if (outcome === 'holds') {
      assert(!(found instanceof Error), `${name}: ${found.stack}`);
    } else {
      assert(found instanceof Refused, `${name}: ${found.stack ?? 'it holds'}`);
      assert.deepEqual([found.outcome, found.code], [outcome, code], `${name}: ${found.message}`);
    }
    codes.add(code);
  }
  for (const code of [null, 'state_file_unfit', 'state_file_wrong', 'state_item_wrong', 'state_item_malformed', 'entry_wrong', 'not_included',
    'proof_incomplete', 'receipt_malformed', 'genesis_other', 'authority_broken', 'rules_version_unsupported']) assert(codes.has(code), code);
});

const forgedFiles = () => {
  const { log: line, files } = JSON.parse(text('state_forged.json'));
  return { line, held: files.filter(({ outcome, sentences }) => outcome === 'holds' && sentences > 0).map(({ text: file }) => file) };
};

test('what a file about the state is about is said', async () => {
  const { line, held } = forgedFiles();
  const vkey = await parseVkey(line, LOG);
  const found = [];
  for (const file of held) found.push((await verifyReceipt(file, { vkey })).file);
  const of = (about) => found.filter((one) => one.about === about);
  const trees = of('certificate').filter(({ tree }) => tree !== null);
  assert.equal(trees[0].species, 'oak');
  assert.deepEqual([trees[0].claim.tree.plot, trees[0].claim.tree.serial, trees[0].tree.survey.alive], [1, 1, 7]);
  assert(of('certificate').some(({ voided }) => voided?.reason === 'because'));
  assert(of('account_history').every(({ complete, fields, entries }) => (
    !complete || entries.reduce((sum, { change }) => sum + change, 0n) === fields.balance
  )));
  assert(of('account_history').some(({ complete }) => complete));
  assert(of('plot_history').some(({ complete, fields }) => complete && fields.number === 1));
  assert(of('corrections').some(({ kind, found: taken }) => kind === 'award' && taken?.points === 10n));
  assert(found.every(({ issuers, genesis, programme }) => issuers.length > 0 && genesis.length === 64 && programme === 'A test'));
});

test('a file about the state in which a bit is another does not hold', async () => {
  const { line, held } = forgedFiles();
  const vkey = await parseVkey(line, LOG);
  const [shortest, ...longer] = held.sort((one, other) => one.length - other.length);
  for (const file of [shortest, longer.at(-1)]) {
    const length = Buffer.from(/extra (.*)/.exec(file)[1], 'base64').length;
    for (let bit = 0; bit < 8 * length; bit += file === shortest ? 1 : 25) {
      const changed = withExtra(file, (extra) => {
        const other = Buffer.from(extra);
        other[bit >> 3] ^= 128 >> (bit & 7);
        return other;
      });
      const found = await verifyReceipt(changed, { vkey }).catch((error) => error);
      assert(found instanceof Refused, `bit ${bit}: ${found.stack ?? 'it holds'}`);
    }
  }
});

bothWays('golden files about the state hold, and those that do not come to what they say', async () => {
  for (const name of list('receipts').filter((one) => !ofIssuer(one))) {
    // The log of these files goes on to where the next key signs; but for the items of the story's state.
    const vkey = name === 'state_items.tlog-proof' ? log : next;
    assert.equal((await verifyReceipt(text(`receipts/${name}`), { vkey })).entry.statement.kind, 'state', name);
  }
  // Those that do not hold are there when the log that they are of is.
  const rejected = readdirSync(GOLDEN).includes('state_rejected') ? list('state_rejected') : [];
  for (const name of rejected) {
    const { outcome, code, text: file } = JSON.parse(text(`state_rejected/${name}`));
    const found = await verifyReceipt(file, { vkey: next }).catch((error) => error);
    assert.deepEqual([found.outcome, found.code], [outcome, code], name);
  }
});

test('paths that are hashes are those of what they name', async () => {
  const leaves = Object.fromEntries(goldenLeaves());
  const stands = (name, path) => assert(leaves[name].some((leaf) => equal(leaf.path, path)), name);
  const [genesis, grant, award] = [0, 1, 11].map((index) => decodeEntry(entriesOf(55)[index]));
  stands('keys', await keyPath(genesis.issuer));
  stands('holders', await holderPath(grant.statement.holder));
  stands('holders', await namePath('blkeclub'));
  stands('accounts', await accountPath(await recordId('example.org/ledger', genesis.record), award.statement.account));
});

test('leaves that no entries make are refused', async () => {
  const at = (name) => DOMAINS.findIndex((domain) => domain.name === name);
  const plain = (name, path, value, a = 0n, b = 0n) => readLeaf(at(name), path, { value: Uint8Array.from(value), a, b });
  const zeros = (count) => new Array(count).fill(0);
  const wrong = (work) => refuses(work, 'state_differs');
  const hash = new Uint8Array(32).fill(5);

  const holder = (duties) => [0, 0, 0, 0, 9, duties];
  assert.deepEqual((await plain('holders', hash, holder(1), 1n)).fields, { kind: 'holder', number: 9, surveys: true, plants_or_awards: false, audits: false });
  assert.deepEqual((await plain('holders', hash, [1, 0, 0, 0, 9], 0n, 1n)).fields, { kind: 'name', number: 9 });
  for (const value of [holder(0), holder(8), [2, 0, 0, 0, 9, 1], [...holder(1), 0]]) await wrong(plain('holders', hash, value, 1n));
  await wrong(plain('holders', hash, holder(1), 0n, 1n));

  const claim = (state) => [...zeros(32), 0, 1, ...u64(7), 0, 0, 0, state];
  const claimPath = pathOf(at('claims'), { entry: 3 });
  assert.equal((await plain('claims', claimPath, claim(0), 7n, 1n)).fields.tree.kind, 'waits');
  assert.equal((await plain('claims', claimPath, claim(2))).fields.tree.kind, 'voided');
  await wrong(plain('claims', claimPath, claim(0), 7n));
  await wrong(plain('claims', claimPath, claim(2), 7n));
  await wrong(plain('claims', claimPath, claim(3), 7n));

  // The digest of fields that do not fit the entry, or the path, beside which they stand.
  const digested = async (name, parts, entry, fields, a = 0n, b = 0n) => {
    const bytes = Uint8Array.from(fields);
    const value = concat(u64(entry), await sha256(bytes));
    return readLeaf(at(name), parts instanceof Uint8Array ? parts : pathOf(at(name), parts), { value, a, b }, bytes);
  };
  assert.deepEqual((await digested('once', { what: 3 }, 56, [])).fields, {});
  await wrong(digested('once', { what: 4 }, 56, []));
  const governors = [...u64(1), ...hash, 1, ...u64(43)];
  assert.equal((await digested('once', { what: 1 }, 43, governors)).fields.stated_at, 43n);
  await wrong(digested('once', { what: 1 }, 42, governors));
  await wrong(digested('once', { what: 1 }, 43, governors, 1n));
  const logKeys = [...u64(2), ...hash, ...u64(0), ...hash, ...u64(46)];
  assert.equal((await digested('once', { what: 2 }, 46, logKeys)).fields.log_keys.length, 2);
  await wrong(digested('once', { what: 2 }, 0, logKeys));

  const planting = ({ entry = 8, first = 1, last = 10, voided = 0, lost = 2, ranges = [] }) => [
    ...u64(entry), 0, 1, 0, 0, 0, first, 0, 0, 0, last, ...zeros(8), voided, 0, 0, 0, lost,
    ...u64(ranges.length), ...ranges.flat(), ...zeros(4),
  ];
  const place = { plot: 4, first_serial: 1 };
  assert.deepEqual((await digested('plantings', place, 8, planting({}), 8n, 2n)).at, { plot: 4n, first_serial: 1n });
  await digested('plantings', place, 8, planting({ voided: 1, lost: 0 }));
  const range = [0, 0, 0, 1, 0, 0, 0, 2, ...u64(30)];
  await digested('plantings', place, 8, planting({ ranges: [range] }), 8n, 2n);
  await wrong(digested('plantings', place, 9, planting({}), 8n, 2n));
  await wrong(digested('plantings', { ...place, first_serial: 2 }, 8, planting({}), 8n, 2n));
  await wrong(digested('plantings', place, 8, planting({ voided: 2 }), 8n, 2n));
  await wrong(digested('plantings', place, 8, planting({ voided: 1 }), 0n, 0n));
  await wrong(digested('plantings', place, 8, planting({ voided: 1, lost: 0, ranges: [range] }), 0n, 0n));
  await wrong(digested('plantings', place, 8, planting({ last: 0, lost: 0 }), 0n, 0n));
  await wrong(digested('plantings', place, 8, planting({ lost: 11 }), 0n, 11n));

  const loss = (named) => [...u64(42), 0, 0, 0, 1, 0, 0, 0, 11, 0, 0, 0, 1, named, ...u64(0)];
  await digested('losses', { entry: 42 }, 42, loss(1), 1n);
  await wrong(digested('losses', { entry: 42 }, 42, loss(2), 1n));
  await wrong(digested('losses', { entry: 43 }, 42, loss(1), 1n));
  await wrong(digested('losses', { entry: 43 }, 43, loss(1), 1n));

  // A key beside the path of another.
  const key = [...hash, 0, 0, 0, 0, ...u64(0), ...hash, 0, 0, 0, ...u64(0), 0];
  assert.equal((await digested('keys', await keyPath(hash), 0, key, 1n)).fields.task.kind, 'governor');
  await wrong(digested('keys', hash, 0, key, 1n));
  await wrong(digested('keys', await keyPath(hash), 1, key, 1n));
  await wrong(digested('keys', await keyPath(hash), 0, key, 0n, 1n));
});
