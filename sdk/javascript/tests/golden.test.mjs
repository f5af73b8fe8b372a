// By the golden files: each byte of every kind of statement, ids, signatures, seals, receipts and files about the state.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import {
  ArborlogError, Key, StatementError, checkPolicy, encode, evidenceOf, pointsOf, recordBytes, recordId, recordsBody, rootOf, sealOf,
  signedRecord, signingInput, verifyReceipt,
} from '../src/index.js';
import { Policy } from '../src/receipts.js';
import { Remote } from '../src/remote.js';
import { readSealedStatement, readSignedEntry } from '../src/records.js';
import { kindOf } from '../src/statements.js';
import { base64, concat, decodeRecord, fromBase64, fromHex, hex, isSealedEntry, utf8 } from '../src/verifier/codec.mjs';
import { readReceipt } from '../src/verifier/receipt.mjs';
import { ed25519 } from '../src/verifier/signature.mjs';
import { sha256 } from '../src/verifier/tree.mjs';

const GOLDEN = new URL('../../../tests/golden/', import.meta.url);
const bytes = (name) => new Uint8Array(readFileSync(new URL(name, GOLDEN)));
const text = (name) => readFileSync(new URL(name, GOLDEN), 'utf8');
const json = (name) => JSON.parse(text(name));
const ORIGIN = 'example.org/ledger';
const [LOG, NEXT_LOG, WITNESS] = ['log', 'log_next', 'witness'].map((name) => text(`note/${name}.vkey`).trim());
const NAMES = readdirSync(new URL('statements/', GOLDEN)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5)).sort();
const statement = (name) => json(`statements/${name}.json`);
const linesOf = (name) => Object.fromEntries(text(`statements/${name}.hex`).trim().split('\n').map((line) => {
  const [what, digits] = line.split(' ');
  return [what, fromHex(digits)];
}));
const KEYS = new Map(await Promise.all(json('keys.json').map(async ({ seed }) => {
  const key = await Key.fromSeed(fromHex(seed));
  return [hex(key.publicKey), key];
})));
const u32 = (data, at) => new DataView(data.buffer, data.byteOffset).getUint32(at);
const u64 = (data, at) => new DataView(data.buffer, data.byteOffset).getBigUint64(at);

test('every statement, record, id and signature', async () => {
  assert.equal(NAMES.length, 32);
  for (const name of NAMES) {
    const [golden, said] = [linesOf(name), statement(name)];
    const record = recordBytes({
      issuer: golden.record.subarray(0, 32), seq: u64(golden.record, 32), prev: golden.record.subarray(40, 72),
      issuedOn: u32(golden.record, 72), statement: encode(said),
    });
    assert.deepEqual(record, golden.record, name);
    assert.equal(kindOf(encode(said)), said.kind);
    assert.deepEqual(await recordId(ORIGIN, record), golden.id, name);
    const message = signingInput(ORIGIN, record);
    const signed = golden.signed_record;
    const place = 8 + record.length + 64;
    const ends = Array.from({ length: Number(u64(signed, place)) + 1 }, (_, number) => place + 8 + 96 * number);
    const endorsements = await Promise.all(ends.slice(0, -1).reverse().map(async (end) => {
      const key = signed.subarray(end, end + 32);
      return [key, await KEYS.get(hex(key)).sign(message)];
    }));
    const signature = await KEYS.get(hex(record.subarray(0, 32))).sign(message);
    assert.deepEqual(signedRecord(record, signature, endorsements, signed.subarray(ends.at(-1))), signed, name);
    assert.deepEqual(readSignedEntry(golden.entry).record, record, name);
  }
});

test('the golden seal signs for the golden award and claim; the golden tree', async () => {
  assert.deepEqual(await sealOf([encode(statement('award')), encode(statement('claim'))]), encode(statement('seal')));
  let sealed = 0;
  for (const name of readdirSync(new URL('receipts/', GOLDEN))) {
    for (const { entry } of readReceipt(bytes(`receipts/${name}`)).beside?.shown ?? []) {
      if (!isSealedEntry(entry)) continue;
      assert.equal(typeof kindOf(readSealedStatement(entry)), 'string');
      sealed += 1;
    }
  }
  assert.ok(sealed > 0);
  for (const size of [1, 55, 255]) {
    const entries = [];
    for (let rest = bytes(`log/${size}/tile/entries/000.p/${size}`); rest.length > 0;) {
      const length = rest[0] * 256 + rest[1];
      entries.push(rest.subarray(2, 2 + length));
      rest = rest.subarray(2 + length);
    }
    assert.equal(base64(await rootOf(entries)), text(`log/${size}/checkpoint`).split('\n')[2]);
  }
});

const point = (latitude, longitude = 0) => ({ latitude, longitude });
const REFUSED = [
  ['award', { points: 2n ** 64n }, 'points'], ['award', { points: -1 }, 'points'], ['award', { points: true }, 'points'],
  ['award', { points: 1.5 }, 'points'], ['award', { points: 2 ** 53 }, 'points'], ['award', { points: '1' }, 'points'],
  ['award', { activity: 65_536 }, 'activity'], ['award', { account: '11' }, 'account'], ['award', { account: 'g'.repeat(64) }, 'account'],
  ['award', { account: null }, 'account'], ['award', { occurred_on: '2026-02-30' }, 'occurred_on'],
  ['award', { occurred_on: '1969-12-31' }, 'occurred_on'], ['award', { occurred_on: '26-01-01' }, 'occurred_on'],
  ['award', { colour: 1 }, 'colour'], ['transfer', { to: null }, 'to'], ['transfer_expired', { to: '11'.repeat(32) }, 'to'],
  ['transfer', { reason: 'lost' }, 'reason'], ['transfer', { reason: 'toString' }, 'reason'], ['key_grant', { holder: 'Green' }, 'holder'],
  ['key_grant', { holder: '' }, 'holder'], ['key_grant', { holder: 'a'.repeat(65) }, 'holder'],
  ['key_grant', { display_name: 'é'.repeat(51) }, 'display_name'], ['key_grant', { display_name: 'a\u202eb' }, 'display_name'],
  ['key_grant', { display_name: 'a\nb' }, 'display_name'], ['key_grant', { display_name: '\ud800' }, 'display_name'],
  ['key_grant', { role: 'king' }, 'role'], ['genesis', { format: 2 }, 'format'], ['genesis', { origin: 'a b' }, 'origin'],
  ['genesis', { origin: '' }, 'origin'], ['genesis', { origin: 'a+b' }, 'origin'], ['genesis', { governors: [] }, 'governors'],
  ['genesis', { governors: Array(17).fill('11'.repeat(32)) }, 'governors'], ['genesis', { mldsa_key: '00' }, 'mldsa_key'],
  ['plot', { country: 'us' }, 'country'], ['plot', { country: 'USA' }, 'country'], ['plot', { for: ['b', 'a'] }, 'for[1]'],
  ['plot', { for: ['a', 'a'] }, 'for[1]'], ['plot', { for: Array.from({ length: 17 }, (_, n) => `a${10 + n}`) }, 'for'],
  ['plot', { place: 'circle' }, 'place'],
  ['plot', { place: { circle: { ...point(900_000_001), radius_m: 1 } } }, 'place.circle.latitude'],
  ['plot', { place: { outline: { points: Array(3).fill(point(0)) } } }, 'place.outline.points[0]'],
  ['plot', { place: { outline: { points: [point(0), point(1)] } } }, 'place.outline.points'],
  ['plot', { carbon_rights: 'issued' }, 'carbon_rights'], ['plot', { carbon_rights: { unknown: {} } }, 'carbon_rights'],
  ['planting', { count: 0 }, 'count'], ['planting', { evidence_at: 'ftp://example.org' }, 'evidence_at'],
  ['planting', { evidence_at: `https://${'a'.repeat(300)}` }, 'evidence_at'], ['assignment', { claims: [] }, 'claims'],
  ['assignment', { claims: Array(1025).fill(1) }, 'claims'], ['assignment', { claims: [1, '2'] }, 'claims[1]'],
  ['correction_lost', { remedy: { lost: { count: 0, lost_on: '2026-01-01' } } }, 'remedy.lost.count'],
  ['correction_void', { remedy: { void: {} } }, 'remedy'], ['correction_void', { reason: 'a'.repeat(301) }, 'reason'],
  ['seal', { count: 0 }, 'count'], ['seal', { count: 16_385 }, 'count'], ['policy', { policy: 'quorum none' }, 'policy'],
  ['policy', { policy: 'quorum none\r\n' }, 'policy'], ['policy', { policy: `${'#'.repeat(24_600)}\n` }, 'policy'],
  ['attestation', { opinion: 'good' }, 'opinion'], ['method', { species: [{ code: 1, name: 'x' }] }, 'species[0].price'],
  ['method', { species: Array(400).fill({ code: 1, name: 'x'.repeat(100), price: 1 }) }, 'statement'],
];

test('what breaks a limit never becomes bytes, and the error says where', async () => {
  for (const [name, changes, where] of REFUSED) {
    const wrong = (error) => error instanceof StatementError && error.where === where && error.outcome === 'wrong_use';
    assert.throws(() => encode({ ...statement(name), ...changes }), wrong, `${name} ${where}`);
  }
  for (const kind of [undefined, 'x', 'toString', 5]) assert.throws(() => encode({ kind }), StatementError);
  for (const value of [null, 1, 'award', []]) assert.throws(() => encode(value), StatementError);
  await assert.rejects(checkPolicy('quorum x\n'), StatementError);
  await checkPolicy(statement('policy').policy);
  const big = { ...statement('award'), points: 2n ** 64n - 1n };
  assert.equal(u64(encode(big), 4 + 32 + 4 + 4 + 2 + 8), 2n ** 64n - 1n);
});

test('a field is missing, or none where it may be', () => {
  for (const name of NAMES) {
    const said = statement(name);
    for (const field of Object.keys(said)) {
      const { [field]: value, ...rest } = said;
      if (value === null) {
        assert.deepEqual(encode(rest), encode(said));
        continue;
      }
      // Nothing in the place of an option that was there is another statement, or none.
      try {
        assert.notDeepEqual(encode(rest), encode(said), `${name} ${field}`);
      } catch (error) {
        assert.ok(error instanceof StatementError, `${name} ${field}: ${error}`);
      }
    }
  }
});

test('limits of records and batches', async () => {
  const record = new Uint8Array(80);
  const fields = { issuer: new Uint8Array(32), seq: 0, prev: new Uint8Array(32), issuedOn: 0, statement: new Uint8Array(4) };
  for (const changes of [{ seq: 2n ** 64n }, { issuedOn: 2_932_897 }, { statement: new Uint8Array(25_525) }, { prev: new Uint8Array(31) }]) {
    assert.throws(() => recordBytes({ ...fields, ...changes }), ArborlogError);
  }
  const endorsements = Array.from({ length: 33 }, (_, n) => [new Uint8Array(32).fill(n + 1), new Uint8Array(64)]);
  for (const some of [[[new Uint8Array(32), new Uint8Array(64)]], endorsements, [endorsements[0], endorsements[0]]]) {
    assert.throws(() => signedRecord(record, new Uint8Array(64), some), ArborlogError);
  }
  assert.throws(() => recordsBody(Array(16_385).fill(record)), ArborlogError);
  for (const some of [[], Array(16_385).fill(record), Array(336).fill(new Uint8Array(25_000))]) {
    await assert.rejects(sealOf(some), ArborlogError);
  }
});

test('the verifier reads what is written', () => {
  for (const name of NAMES) {
    const { record } = linesOf(name);
    assert.equal(decodeRecord(concat(record.subarray(0, 76), encode(statement(name)))).statement.kind, statement(name).kind);
  }
});

test('evidence and points', async () => {
  // RFC 4231, test case 2.
  const made = await evidenceOf('Jefe', 'what do ya want for nothing?');
  assert.equal(hex(made), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
  assert.equal(pointsOf(40000, 167250000), 6690n);
});

async function everyReceiptHolds() {
  const genesis = hex(linesOf('genesis').id);
  for (const name of readdirSync(new URL('receipts/', GOLDEN))) {
    const verdicts = await Promise.all([LOG, NEXT_LOG].map((log) => verifyReceipt(bytes(`receipts/${name}`), { log, genesis })));
    const outcomes = verdicts.map(({ outcome }) => outcome);
    assert.ok(outcomes.includes('holds') && !outcomes.includes('false'), `${name}: ${outcomes}`);
  }
}

test('every golden receipt holds', everyReceiptHolds);

test('every golden receipt holds where WebCrypto has no Ed25519, and nothing is said where there is none at all', async () => {
  const { ways } = ed25519;
  try {
    [ed25519.ways, ed25519.found] = [ways.slice(1), null];
    await everyReceiptHolds();
    [ed25519.ways, ed25519.found] = [[], null];
    const { outcome, code, exitCode } = await verifyReceipt(text('receipts/award.tlog-proof'), { log: LOG });
    assert.deepEqual([outcome, code, exitCode], ['unchecked', 'library_unfit', 3]);
  } finally {
    [ed25519.ways, ed25519.found] = [ways, null];
  }
});

test('the four outcomes', async () => {
  const award = text('receipts/award.tlog-proof');
  const cases = [
    [award, {}, 'holds', null, 0], [json('rejected/receipt_other_index.json').text, {}, 'false', 'not_included', 1],
    [award, { genesis: '00'.repeat(32) }, 'false', 'genesis_other', 1], [award.slice(0, -40), {}, 'unchecked', 'file_cut', 3],
    [award.replaceAll('\n', '\r\n'), {}, 'unchecked', 'file_crlf', 3],
    [award, { witnesses: [WITNESS] }, 'unchecked', 'witness_missing', 3], ['%PDF-1.7', {}, 'not_that_kind', 'not_a_receipt', 4],
  ];
  for (const [file, more, ...said] of cases) {
    const { outcome, code, exitCode } = await verifyReceipt(file, { log: LOG, ...more });
    assert.deepEqual([outcome, code, exitCode], said);
  }
  await assert.rejects(verifyReceipt(award, {}), ArborlogError);
  await assert.rejects(verifyReceipt(award, { log: 'x' }), ArborlogError);
});

test('files about the state, with one thing changed or forged by a log', async () => {
  for (const name of readdirSync(new URL('state_rejected/', GOLDEN))) {
    const { outcome, code, text: file } = json(`state_rejected/${name}`);
    const verdicts = await Promise.all([LOG, NEXT_LOG].map((log) => verifyReceipt(file, { log })));
    assert.ok(verdicts.some((one) => one.outcome === outcome && one.code === code), `${name}: ${verdicts.map((one) => one.code)}`);
  }
  const { log, files } = json('state_forged.json');
  for (const { name, outcome, code, text: file, genesis = null } of files) {
    const verdict = await verifyReceipt(file, { log, genesis });
    assert.deepEqual([verdict.outcome, verdict.code], [outcome, code], name);
  }
});

test('each receipt of the attack table comes to what docs/threat-model.md says', async () => {
  const counts = {};
  for (const line of text('attacks.ndjson').trim().split('\n')) {
    const { attack, receipt, log, genesis, witnesses, outcome, code } = JSON.parse(line);
    const verdict = await verifyReceipt(receipt, { log, genesis, witnesses });
    counts[outcome] = (counts[outcome] ?? 0) + 1;
    // Of what is false each verifier may find something else first.
    assert.deepEqual([verdict.outcome, outcome === 'false' ? code : verdict.code], [outcome, code], attack);
  }
  assert.ok(counts.false >= 80 && counts.unchecked >= 10 && counts.holds >= 50, JSON.stringify(counts));
});

test('a file is held to what it must be about', async () => {
  const said = async (name, log, about) => {
    const { outcome, code } = await verifyReceipt(bytes(`receipts/${name}.tlog-proof`), { log, about });
    return [outcome, code];
  };
  for (const [name, log, about, ...wanted] of [
    ['award', LOG, 'receipt/11', 'holds', null], ['award', LOG, 'receipt/12', 'false', 'about_other'],
    ['award', LOG, 'totals', 'false', 'about_other'], ['state_totals', NEXT_LOG, 'totals', 'holds', null],
    ['state_latest_survey', NEXT_LOG, 'surveys/1/latest', 'holds', null], ['state_no_survey', NEXT_LOG, 'surveys/1/latest', 'false', 'about_other'],
    ['state_plot_history', NEXT_LOG, 'plot-history/1', 'holds', null], ['state_plot_history_part', NEXT_LOG, 'plot-history/1', 'unchecked', 'about_part'],
    ['state_certificate', NEXT_LOG, 'certificate/0', 'false', 'about_other'],
  ]) {
    assert.deepEqual(await said(name, log, about), wanted, `${name} ${about}`);
  }
  for (const none of ['', 'receipt', 'receipt/011', 'receipt/x', 'forest/1', 'totals/1', 7]) {
    await assert.rejects(verifyReceipt(text('receipts/award.tlog-proof'), { log: LOG, about: none }), { code: 'question_malformed' }, String(none));
  }
});

test('a policy says who must have seen it', async () => {
  const [seen, lone] = ['last_award_cosigned', 'award'].map((name) => text(`receipts/${name}.tlog-proof`));
  const vkey = async (name, kind, key) => {
    const id = (await sha256(concat(utf8(name), [10, kind], key))).subarray(0, 4);
    return `${name}+${hex(id)}+${base64(concat([kind], key))}`;
  };
  const other = await vkey('w2', 4, fromHex([...KEYS.keys()][0]));
  const mldsa = await vkey('pq.example', 6, new Uint8Array(1312));
  const head = `log ${LOG}\nwitness w1 ${WITNESS} https://witness.example.net/w1/\nwitness w2 ${other}\nwitness pq ${mldsa}\n`;
  const cases = [
    ['quorum w1\n', seen, 'holds', null], ['quorum w2\n', seen, 'unchecked', 'quorum_missing'],
    ['group g 2 w1 w2\nquorum g\n', seen, 'unchecked', 'quorum_missing'], ['group g any w1 w2\nquorum g\n', seen, 'holds', null],
    ['group g all w1 w2\nquorum g\n', seen, 'unchecked', 'quorum_missing'], ['quorum none\n', lone, 'holds', null],
    ['quorum w1\n', lone, 'unchecked', 'quorum_missing'], ['quorum w1\n', 'x', 'not_that_kind', 'not_a_receipt'],
    // No line is by the ML-DSA key.
    ['quorum pq\n', seen, 'unchecked', 'quorum_missing'], ['group g any w1 pq\nquorum g\n', seen, 'holds', null],
  ];
  for (const [tail, file, ...said] of cases) {
    const { outcome, code } = await verifyReceipt(file, { policy: head + tail });
    assert.deepEqual([outcome, code], said, tail);
  }
  // A line by a witness of the policy that does not hold is false, whoever else signed.
  const line = seen.split('\n').find((one) => one.includes('witness.example.net/w1 '));
  const spoiled = fromBase64(line.split(' ')[2], 'the line');
  spoiled[spoiled.length - 1] ^= 1;
  const changed = seen.replace(line.split(' ')[2], base64(spoiled));
  assert.equal((await verifyReceipt(changed, { policy: `${head}quorum none\n` })).outcome, 'false');
  // A policy that names no log says nothing of the log's key: it goes beside one.
  assert.equal((await verifyReceipt(seen, { log: LOG, policy: `witness w2 ${other}\nquorum none\n` })).outcome, 'holds');
  await assert.rejects(verifyReceipt(seen, { policy: `witness w2 ${other}\nquorum none\n` }), ArborlogError);
  await assert.rejects(Policy.read('quorum x\n'), ArborlogError);
});

// A server that has the files alone has the newest checkpoint at /checkpoint.
test('where the newest checkpoint is read', async () => {
  const read = async (answers) => {
    const asked = [];
    const transport = async (method, url) => {
      asked.push(new URL(url).pathname);
      const [status, body] = answers[asked.at(-1)] ?? [404, '{}'];
      return { status, body: utf8(body) };
    };
    const found = await new Remote('http://log.example', { transport }).checkpoint().catch((error) => error.code);
    return [found, ...asked];
  };
  const [standing, newest] = [[200, 'what stands'], [200, 'the newest']];
  assert.deepEqual(await read({ '/checkpoint': standing, '/v1/checkpoint': newest }), ['the newest', '/v1/checkpoint']);
  assert.deepEqual(await read({ '/checkpoint': standing }), ['what stands', '/v1/checkpoint', '/checkpoint']);
  // Another refusal is no server without the address.
  assert.deepEqual(await read({ '/checkpoint': standing, '/v1/checkpoint': [403, '{}'] }), ['status_403', '/v1/checkpoint']);
});
