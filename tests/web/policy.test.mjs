// The browser's verifier by the golden policies and ML-DSA-44 lines. `node --test tests/web/policy.test.mjs`

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { POLICY_BOUNDS } from '../../src/web/verifier/bounds.mjs';
import { Refused, fromBase64, fromHex, hex, utf8 } from '../../src/web/verifier/codec.mjs';
import { mldsa, mldsaHolds, mldsaLibrary, mldsaMessage } from '../../src/web/verifier/mldsa.mjs';
import { LOG, MLDSA, WITNESS, checkLines, parseVkey, readCheckpoint } from '../../src/web/verifier/note.mjs';
import { checkStatement, readPolicy } from '../../src/web/verifier/policy.mjs';
import { verifyReceipt } from '../../src/web/verifier/receipt.mjs';

// Node 18 has it under its own name alone.
globalThis.crypto ??= webcrypto;
const golden = (name) => readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8');
const { keys, texts, lines, cases } = JSON.parse(golden('policy/cases.json'));
const { cases: two } = JSON.parse(golden('policy/two_checkpoints.json'));
const { forms } = JSON.parse(golden('policy/forms.json'));
const alone = JSON.parse(golden('mldsa/cases.json'));
const HEAD = `${golden('receipts/award.tlog-proof').split('\n\n')[0]}\n\n`;

const written = (text) => text.replace(/\{([^{}]+)\}/g, (whole, name) => keys[name]?.vkey ?? whole);
const noteOf = (one) => `${texts[one.text ?? 'golden']}\n${one.lines.map((line) => lines[line]).join('')}`;
const keyOf = (name, ...kinds) => parseVkey(keys[name].vkey, ...kinds);

async function withoutMldsa(work) {
  const { ways } = mldsa;
  Object.assign(mldsa, { ways: [], found: null });
  try {
    return await work();
  } finally {
    Object.assign(mldsa, { ways, found: null });
  }
}

async function judge(one) {
  const given = {
    policy: await readPolicy(written(one.policy)),
    vkey: one.log === undefined ? null : await keyOf(one.log, LOG, MLDSA),
    witnesses: await Promise.all((one.witnesses ?? []).map((name) => keyOf(name, WITNESS, MLDSA))),
  };
  try {
    const { policy, seen } = await verifyReceipt(one.receipt ?? HEAD + noteOf(one), given);
    const by = policy.cosignedBy.map(({ as, seconds, size }) => [
      as, seconds === null ? null : String(seconds), ...(size === undefined ? [] : [String(size)]),
    ]);
    const [seenTo, replayedTo] = [policy.seenTo, policy.replayedTo].map((size) => (size ?? null) && String(size));
    const seenAt = seen.map(({ seconds }, at) => [one.witnesses[at], String(seconds)]);
    assert(policy.cosignedBy.every(({ as, role }) => (role === 'auditor') === as.startsWith('audit-')), one.name);
    return { outcome: 'holds', code: null, levels: policy.levels, by, not_checked: policy.notChecked, seen: seenAt, seen_to: seenTo, replayed_to: replayedTo };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { missing, levels, outcome, code, message } = error;
    // Words name who is missing, by the policy's name and the key's.
    for (const name of missing ?? []) assert(message.includes(`${name} (`), message);
    return { outcome, code, ...(missing ? { missing, levels } : {}) };
  }
}

async function check(one, expected) {
  const found = await judge(one);
  for (const name of ['outcome', 'code', 'levels', 'by', 'missing', 'not_checked', 'seen', 'seen_to', 'replayed_to']) {
    if (expected[name] !== undefined) assert.deepEqual(found[name], expected[name], `${one.name}: ${name} of ${JSON.stringify(found)}`);
  }
}

test('golden cases come to what was written by hand', async () => {
  assert(cases.length > 80);
  for (const one of cases) await check(one, one);
});

test('files with two checkpoints come to what was written by hand', async () => {
  assert(two.length > 30);
  for (const one of two) await check(one, one);
});

test('the same where there is no ML-DSA', async () => withoutMldsa(async () => {
  for (const one of [...cases, ...two]) await check(one, one.without_mldsa ?? one);
}));

test('a policy is read by its form alone', async () => {
  assert(forms.length > 80);
  for (const form of forms) {
    const fill = 'x'.repeat(form.fill ?? 0);
    const policy = form.hex === undefined ? utf8(written(form.policy.replace('{fill}', fill))) : fromHex(form.hex);
    const found = await readPolicy(policy).then(
      () => ({ valid: true }),
      (error) => {
        assert(error instanceof Refused && error.code === 'policy_malformed', form.name);
        return { valid: false, line: error.line };
      },
    );
    assert.deepEqual([found.valid, found.line ?? null], [form.valid, form.line ?? null], form.name);
    if (form.hex === undefined && policy.length <= POLICY_BOUNDS.policy_bytes) {
      const stated = checkStatement({ kind: 'policy', policy: new TextDecoder('utf-8', { ignoreBOM: true }).decode(policy) });
      await (form.valid ? stated : assert.rejects(stated, ({ code }) => code === 'not_canonical'));
    }
  }
});

test('a policy in a statement has a bound of its own', async () => {
  const policy = `#${'x'.repeat(POLICY_BOUNDS.policy_bytes - 14)}\nquorum none\n`;
  await checkStatement({ kind: 'policy', policy });
  await assert.rejects(checkStatement({ kind: 'policy', policy: `#${policy}` }), ({ code }) => code === 'not_canonical');
});

test('ML-DSA-44: keys, messages and signatures', async () => {
  for (const one of alone.signed) {
    const vkey = await parseVkey(alone.keys[one.key].vkey, MLDSA);
    const checkpoint = { origin: one.origin, size: BigInt(one.size), root: fromHex(one.root) };
    const message = mldsaMessage(checkpoint, vkey.name, BigInt(one.seconds));
    const signature = fromBase64(one.signature, 'a signature');
    assert.equal(hex(message), one.message);
    assert(await mldsaHolds(vkey.key, signature, message));
    const other = message.slice();
    other[other.length - 1] ^= 1;
    assert(!(await mldsaHolds(vkey.key, signature, other)));
    for (const place of [0, 31, 32, 1000, 2335, 2336, 2415, 2419]) {
      const changed = signature.slice();
      changed[place] ^= 0x40;
      assert(!(await mldsaHolds(vkey.key, changed, message)), String(place));
    }
  }
});

test('a line that another program wrote', async () => {
  const { vkey, note, seconds } = alone.foreign;
  const found = await checkLines(readCheckpoint(note), await parseVkey(vkey, MLDSA));
  assert.deepEqual(found.map((line) => String(line.seconds)), [seconds]);
});

test('ML-DSA is looked for only when a line asks for it', async () => {
  const { ways } = mldsa;
  let asked = 0;
  const counted = async () => {
    asked += 1;
    throw new Error('none');
  };
  Object.assign(mldsa, { ways: [counted], found: null });
  try {
    const log = await keyOf('log', LOG);
    await verifyReceipt(HEAD + noteOf({ lines: ['log', 'm1', 'log pq'] }), { vkey: log });
    await verifyReceipt(HEAD + noteOf({ lines: ['log'] }), { policy: await readPolicy(written('log {log}\nwitness m1 {m1}\nquorum none\n')) });
    assert.equal(asked, 0);
    const byPq = verifyReceipt(HEAD + noteOf({ lines: ['log pq'] }), { vkey: await keyOf('log pq', MLDSA) });
    await assert.rejects(byPq, ({ code, outcome }) => code === 'mldsa_unsupported' && outcome === 'unchecked');
    await mldsaLibrary();
    assert.equal(asked, 1);
  } finally {
    Object.assign(mldsa, { ways, found: null });
  }
});

test('the vendored files are those of SHA256SUMS', () => {
  execFileSync(process.execPath, [fileURLToPath(new URL('../../.ci/vendored.mjs', import.meta.url)), '--here']);
});
