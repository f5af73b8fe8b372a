// Against a real server: what an outbox promises, under crashes, refusals, other writers, cuts and restored copies.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import {
  AnotherWriter, ArborlogError, Key, KeyRefused, LogFault, NotVerified, Outbox, OutboxError, Sender, Unanswered, fetchTransport,
  verifyReceipt,
} from '../src/index.js';
import { ACCOUNT, Ledger, Platform, award, cuttingProxy, hexOf, openDatabase } from './ledger.mjs';

const CLAIM = { kind: 'claim', account: ACCOUNT, method: 1, version: 1, species: 1, points: 300 };
const awards = (count, from = 0) => Array.from({ length: count }, (_, event) => award(from + event));

const noPosts = async (method, ...rest) => {
  if (method === 'POST') throw new Error('nothing gets through');
  return fetchTransport(method, ...rest);
};

// A test with a ledger of its own, which ends with it.
const served = (name, work) => test(name, { timeout: 180_000 }, async (t) => {
  const ledger = await Ledger.make();
  t.after(() => ledger.close());
  const platform = (options) => {
    const made = new Platform(ledger, options);
    t.after(() => made.close());
    return made;
  };
  const once = async (count) => {
    const evidence = await ledger.evidence();
    assert.deepEqual([evidence.length, new Set(evidence).size], [count, count]);
  };
  await work({ ledger, platform, once, t });
});

served('a statement is there exactly if the platform\u2019s transaction is', async ({ platform, once }) => {
  const shop = platform();
  const { db, outbox, sender } = shop;
  db.exec('BEGIN');
  outbox.put(db, award('one'));
  db.exec('ROLLBACK');
  db.exec('BEGIN');
  const id = outbox.put(db, award('two'));
  db.exec('COMMIT');
  const report = await sender.send();
  assert.deepEqual([report.admitted, report.outcome, shop.state(id)], [1, 'holds', 'in']);
  await once(1);
});

served('many are sealed, and one alone is a record', async ({ ledger, platform, once }) => {
  const shop = platform({ sealStatements: 40 });
  const { outbox, sender } = shop;
  shop.put(...awards(81));
  assert.equal((await sender.send()).admitted, 81);
  await once(81);
  assert.equal(outbox.head().nextSeq, 3);
  assert.equal((await ledger.get(`/v1/entries/${outbox.row(81).entry}`)).form, 'signed');
  const first = await ledger.get(`/v1/entries/${outbox.row(1).entry}`);
  assert.deepEqual([first.form, first.statement.evidence], ['sealed', hexOf(award(0).evidence)]);
});

served('an event is put once', async ({ platform }) => {
  const shop = platform();
  const [one, again] = shop.put(award('ride'), award('ride'));
  assert.equal(one, again);
  assert.throws(() => shop.outbox.put(shop.db, award('ride', { quantity: 1000, points: 52 })), OutboxError);
});

served('what follows a refusal is signed anew', async ({ platform, once }) => {
  const shop = platform();
  const ids = shop.put(award(1), award(2, { points: 105 }), award(3), award(4, { activity: 9 }), award(5));
  const report = await shop.sender.send();
  assert.deepEqual(report.refused.map(({ id, code }) => [id, code]), [[ids[1], 'points_mismatch'], [ids[3], 'activity_unknown']]);
  assert.deepEqual([report.admitted, report.outcome], [3, 'not_all_in']);
  await once(3);
  // The same event, put right, goes in under the same name.
  shop.put(award(2));
  assert.equal((await shop.sender.send()).admitted, 1);
  await once(4);
});

served('a refused statement can be sent again, and a refused record does not use its place', async ({ platform }) => {
  const shop = platform();
  const [claim] = shop.put(CLAIM);
  assert.equal((await shop.sender.send()).refused[0].code, 'balance_short');
  assert.equal(shop.outbox.head().nextSeq, 0);
  shop.put(...awards(3));
  await shop.sender.send();
  shop.outbox.retry(shop.db, claim);
  assert.deepEqual([(await shop.sender.send()).admitted, shop.state(claim)], [1, 'in']);
});

served('a sender killed at any moment of a batch resumes and sends once', async ({ ledger, platform, once }) => {
  const moments = ['before', 'within', 'after'];
  for (const [place, moment] of moments.entries()) {
    const args = [`${moment}.db`, 'app.pem'].map((name) => join(ledger.path, name));
    const child = spawn(process.execPath, [fileURLToPath(new URL('killed-sender.mjs', import.meta.url)), ...args, ledger.url, ledger.log, moment]);
    let said = '';
    child.stderr.on('data', (part) => {
      said += part;
    });
    const signal = await new Promise((resolve) => {
      child.once('exit', (_, by) => resolve(by));
    });
    assert.equal(signal, 'SIGKILL', said);
    const shop = platform({ name: `${moment}.db` });
    assert.equal(shop.outbox.openMessage().statements.length, 20);
    const report = await shop.sender.send();
    assert.deepEqual([report.admitted, report.alreadyIn, shop.outbox.waiting()], moment === 'before' ? [20, 0, 0] : [0, 20, 0]);
    // The next one has a fresh database: the key's chain so far is taken as its own.
    if (place < 2) await platform({ name: `${moments[place + 1]}.db` }).sender.recover();
  }
  await once(60);
});

served('a server killed in the middle loses and doubles nothing', async ({ ledger, platform, once }) => {
  const shop = platform({ sealStatements: 5, attemptMs: 2_000, patienceMs: 40_000 });
  shop.put(...awards(150));
  const sending = shop.sender.send();
  for (let kills = 0; kills < 2; kills += 1) {
    await wait(300);
    await ledger.stop('SIGKILL');
    await wait(100);
    await ledger.start();
  }
  const report = await sending;
  assert.equal(report.admitted + report.alreadyIn, 150);
  await once(150);
});

served('answers that are cut are asked for again', async ({ ledger, platform, once, t }) => {
  const proxy = await cuttingProxy(ledger.port, 2);
  t.after(() => proxy.close());
  const shop = platform({ addresses: proxy.url });
  shop.put(...awards(10));
  const report = await shop.sender.send();
  assert.deepEqual([report.admitted, report.alreadyIn, proxy.posts], [0, 10, 3]);
  await once(10);
});

served('the same bytes go to another address; a server that is away leaves everything as it was', async ({ ledger, platform }) => {
  const away = platform({ addresses: 'http://127.0.0.1:9', patienceMs: 500 });
  away.put(award(1), award(2));
  await assert.rejects(away.sender.send(), (error) => error instanceof Unanswered && error.outcome === 'unchecked');
  assert.equal(away.outbox.waiting(), 2);
  const shop = platform({ addresses: ['http://127.0.0.1:9', ledger.url], attemptMs: 2_000 });
  assert.equal((await shop.sender.send()).admitted, 2);
});

served('another writer of the key is told, and nothing is sent', async ({ platform, once }) => {
  const [one, other] = [platform({ name: 'one.db' }), platform({ name: 'other.db' })];
  one.put(award(1));
  await one.sender.send();
  other.put(award(2));
  await assert.rejects(other.sender.send(), AnotherWriter);
  await once(1);
  // Once it is known that the first one signs no more, the second takes its records as its own.
  assert.deepEqual(await other.sender.recover(), { taken: 0, added: 1 });
  assert.equal((await other.sender.send()).admitted, 1);
  one.put(award(3));
  await assert.rejects(one.sender.send(), AnotherWriter);
});

served('a writer that comes between signing and sending is told', async ({ platform, once }) => {
  const one = platform({ name: 'one.db' });
  const transport = async (method, ...rest) => {
    if (method === 'POST') {
      one.put(award(1));
      await one.sender.send();
    }
    return fetchTransport(method, ...rest);
  };
  const other = platform({ name: 'other.db', transport });
  other.put(award(2));
  await assert.rejects(other.sender.send(), AnotherWriter);
  // What was signed can never come in: recover drops it, and it is signed anew.
  const again = platform({ name: 'other.db' });
  assert.deepEqual(await again.sender.recover(), { taken: 0, added: 1 });
  assert.equal((await again.sender.send()).admitted, 1);
  await once(2);
});

served('a late copy of a refused batch is this outbox\u2019s own', async ({ platform, once }) => {
  let late = null;
  const transport = async (method, ...rest) => {
    const answer = await fetchTransport(method, ...rest);
    if (method !== 'POST' || late) return answer;
    // The server admitted it, and the client is told of a refusal that another address gave before.
    late = answer;
    const problem = { code: 'batch_refused', refused: [{ position: 1, code: 'balance_short', detail: '' }] };
    return { status: 422, body: new TextEncoder().encode(JSON.stringify(problem)) };
  };
  const shop = platform({ transport });
  const ids = shop.put(...awards(3));
  const report = await shop.sender.send();
  assert.deepEqual([late.status, report.alreadyIn, ...ids.map((id) => shop.state(id))], [200, 3, 'in', 'in', 'in']);
  await once(3);
});

served('several senders of one outbox do no harm', async ({ platform, once }) => {
  const senders = Array.from({ length: 3 }, () => platform({ sealStatements: 5 }));
  senders[0].put(...awards(60));
  await Promise.all(senders.map(({ sender }) => sender.send()));
  await once(60);
});

served('a database that was put back is told, and recovers without doubling', async ({ ledger, once }) => {
  let shop = new Platform(ledger);
  const backup = `${shop.path}.backup`;
  shop.put(award(1), award(2));
  await shop.sender.send();
  shop.close();
  copyFileSync(shop.path, backup);
  shop = new Platform(ledger);
  shop.put(award(3), award(4));
  await shop.sender.send();
  shop.close();
  copyFileSync(backup, shop.path);
  shop = new Platform(ledger);
  shop.put(award(4), award(5));
  await assert.rejects(shop.sender.send(), AnotherWriter);
  assert.deepEqual(await shop.sender.recover(), { taken: 1, added: 1 });
  assert.equal((await shop.sender.send()).admitted, 1);
  await once(5);
  shop.close();
});

served('a server put back from an older copy is told', async ({ ledger, platform }) => {
  const shop = platform();
  shop.put(...awards(2));
  await shop.sender.send();
  await ledger.stop();
  ledger.copy('backup');
  await ledger.start();
  shop.put(...awards(2, 2));
  await shop.sender.send();
  await ledger.stop();
  ledger.putBack('backup');
  await ledger.start();
  shop.put(award(5));
  await assert.rejects(shop.sender.send(), (error) => error instanceof LogFault && error.code === 'log_shrank' && error.outcome === 'false');
  // Others' records make it as long as before: then it is another log, and that is told too.
  const other = platform({ name: 'other.db' });
  await other.sender.recover();
  for (const event of [10, 11, 12, 13]) {
    other.put(award(event));
    await other.sender.send();
  }
  await assert.rejects(shop.sender.send(), (error) => error instanceof LogFault && error.code === 'log_forked' && error.kept !== null);
});

served('a checkpoint by another key is refused', async ({ platform }) => {
  const log = readFileSync(new URL('../../../tests/golden/note/log.vkey', import.meta.url), 'utf8');
  const shop = platform({ log });
  shop.put(award(1));
  await assert.rejects(shop.sender.send(), (error) => error instanceof NotVerified && error.code === 'unsigned');
});

served('a key without a role waits', async ({ ledger }) => {
  const [key, db] = [await Key.generate(), openDatabase(join(ledger.path, 'new.db'))];
  const outbox = new Outbox(db, key.publicKey);
  outbox.put(db, award(1));
  const sender = new Sender(outbox, key, ledger.url);
  await assert.rejects(sender.send(), (error) => error instanceof KeyRefused && error.code === 'issuer_unknown' && error.outcome === 'unchecked');
  assert.equal(outbox.waiting(), 1);
  db.close();
});

served('what was signed on a day that is refused is signed anew', async ({ platform, once }) => {
  const days = Math.floor(Date.now() / 86_400_000);
  const shop = platform();
  for (const [away, from] of [[-60, 0], [9, 2]]) {
    shop.put(...awards(2, from));
    await assert.rejects(platform({ today: () => days + away, transport: noPosts, patienceMs: 500 }).sender.send(), Unanswered);
    assert.equal((await shop.sender.send()).admitted, 2);
  }
  await once(4);
});

const revoke = (ledger) => ledger.propose(['revoke', '--revoked', hexOf(ledger.key.publicKey), '--reason', 'lost']);

served('a key that is replaced hands over what waits', async ({ ledger, platform, once }) => {
  const posted = [];
  const transport = async (method, ...rest) => {
    const answer = await fetchTransport(method, ...rest);
    if (method !== 'POST') return answer;
    posted.push(answer.status);
    throw new Error('the answer is lost');
  };
  const old = platform();
  old.put(award(1), award(2));
  await assert.rejects(platform({ transport, patienceMs: 1_000 }).sender.send(), Unanswered);
  assert.ok(posted.includes(200));
  const ids = old.put(award(3), award(4));
  await revoke(ledger);
  const next = platform({ key: await ledger.anotherKey('next.pem', 'platform', 'green-app', 'Green App') });
  assert.throws(() => next.outbox.takeOver(next.db, old.outbox.issuer), OutboxError);
  // What the old key signed is in, which needs no private key to find out; what waits can't be.
  await assert.rejects(old.sender.send(), KeyRefused);
  assert.deepEqual([1, 2].map((id) => old.state(id)), ['in', 'in']);
  assert.equal(next.outbox.takeOver(next.db, old.outbox.issuer), 2);
  assert.equal((await next.sender.send()).admitted, 2);
  // An event that the old key spoke of counts once.
  assert.deepEqual(next.put(award(1), award(3)), [1, ids[0]]);
  await once(4);
});

served('what a revoked key signed and is not in waits for the next key', async ({ ledger, platform }) => {
  const old = platform();
  old.put(award(1), award(2));
  await assert.rejects(platform({ transport: noPosts, patienceMs: 500 }).sender.send(), Unanswered);
  await revoke(ledger);
  await assert.rejects(old.sender.send(), KeyRefused);
  const next = platform({ key: await ledger.anotherKey('next.pem', 'platform', 'green-app', 'Green App') });
  next.outbox.takeOver(next.db, old.outbox.issuer);
  assert.equal((await next.sender.send()).admitted, 2);
});

served('a planter’s plots go between sealed plantings', async ({ ledger, platform }) => {
  const key = await ledger.anotherKey('planter.pem', 'planter', 'grove', 'Grove Trust');
  const plot = {
    kind: 'plot', name: 'Hill', country: 'US', area_m2: 62500, trees_per_ha_max: 400, funded_by: 'Friends',
    place: { circle: { latitude: 377599000, longitude: -1224147999, radius_m: 180 } }, carbon_rights: 'none_issued', for: [],
  };
  const planting = {
    kind: 'planting', species: 1, first_serial: 1, count: 5, planted_from: '2026-03-14', planted_until: '2026-03-14', evidence_at: '',
  };
  const planter = platform({ name: 'planter.db', key });
  planter.put(
    { ...plot, number: 1 }, { ...planting, plot: 1, evidence: '01'.repeat(32) },
    { ...planting, plot: 1, first_serial: 6, evidence: '02'.repeat(32) }, { ...plot, number: 2 },
    { ...planting, plot: 2, evidence: '03'.repeat(32) },
  );
  assert.equal((await planter.sender.send()).admitted, 5);
  const forms = [];
  for (const id of [1, 2, 3, 4, 5]) forms.push((await ledger.get(`/v1/entries/${planter.outbox.row(id).entry}`)).form);
  assert.deepEqual(forms, ['signed', 'sealed', 'sealed', 'signed', 'signed']);
});

served('a database that is held is busy, and nothing is lost', async ({ platform }) => {
  const shop = platform();
  shop.put(award(1));
  shop.db.exec('BEGIN IMMEDIATE');
  await assert.rejects(shop.sender.send(), (error) => error instanceof Unanswered && error.code === 'database_busy');
  shop.db.exec('ROLLBACK');
  assert.equal((await shop.sender.send()).admitted, 1);
});

served('a long chain is recovered from bundles', async ({ platform, once }) => {
  const shop = platform({ sealStatements: 100 });
  shop.put(...awards(350));
  await shop.sender.send();
  const fresh = platform({ name: 'fresh.db' });
  fresh.put(...awards(60, 300));
  assert.deepEqual(await fresh.sender.recover(), { taken: 50, added: 300 });
  assert.equal((await fresh.sender.send()).admitted, 10);
  await once(360);
});

// Puts a value in the place of a field of a JSON answer; other answers stay.
const field = (name, value) => ({ status, body }) => {
  try {
    const answer = JSON.parse(new TextDecoder().decode(body));
    if (name in answer) answer[name] = value;
    return { status, body: new TextEncoder().encode(JSON.stringify(answer)) };
  } catch {
    return { status, body };
  }
};
const always = (status, text) => () => ({ status, body: new TextEncoder().encode(text) });
const CHANGES = [
  ...['', 'null', '[]', '7', '{}', '{"code": 7}', '\ufffd'].map((text) => always(200, text)),
  ({ body }) => ({ status: 200, body: body.subarray(0, body.length >> 1) }), ({ body }) => ({ status: 422, body }),
  always(422, '{"code": "batch_refused", "refused": [7, null, {"position": "x"}, {"position": -1}]}'),
  always(409, '{"code": "sequence_gap"}'), always(404, '{}'), always(302, ''),
  ...['next_seq', 'prev', 'head', 'entry', 'hashes', 'checkpoint', 'indexes', 'first_index', 'seal_index'].flatMap(
    (name) => [null, 'x', [null], { index: 'x' }, -1].map((value) => field(name, value)),
  ),
];

served('any field of any answer may be anything: nothing is noted for it, and the error is one of ours', async ({ ledger, platform, once }) => {
  const shop = platform();
  shop.put(award('first'));
  await shop.sender.send();
  let [state, tried, put] = [7, 0, 1];
  for (const events of [2, 1]) {
    for (let [request, changed] = [0, true]; changed; request += 1) {
      changed = false;
      for (let draw = 0; draw < 10; draw += 1) {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
        const change = CHANGES[state % CHANGES.length];
        let count = 0;
        const transport = async (...args) => {
          const answer = await fetchTransport(...args);
          const here = count === request;
          count += 1;
          changed ||= here;
          return here ? change(answer) : answer;
        };
        shop.put(...Array.from({ length: events }, (_, event) => award(`${tried} ${event}`)));
        [tried, put] = [tried + 1, put + events];
        const sender = new Sender(shop.outbox, ledger.key, ledger.url, { log: ledger.log, transport, patienceMs: 3_000 });
        await sender.send().catch((error) => assert.ok(error instanceof ArborlogError, error.stack));
        assert.deepEqual(shop.outbox.refused(), []);
      }
      await shop.sender.send();
      assert.equal(shop.outbox.waiting(), 0);
    }
  }
  await once(put);
});

served('a sender runs until it is told to stop', async ({ platform }) => {
  const [shop, stop] = [platform(), new AbortController()];
  const running = shop.sender.run(stop.signal, { pauseMs: 20 });
  shop.put(award(1));
  while (shop.outbox.waiting() > 0) await wait(20);
  stop.abort();
  await running;
});

served('a receipt of an award holds', async ({ ledger, platform }) => {
  const shop = platform();
  const ids = shop.put(award(1), award(2));
  await shop.sender.send();
  const { entry } = shop.outbox.row(ids[1]);
  const { body } = await fetchTransport('GET', `${ledger.url}/v1/receipts/${entry}`, null, undefined, 10_000);
  const verdict = await verifyReceipt(body, { log: ledger.log, about: `receipt/${entry}` });
  assert.deepEqual([verdict.outcome, verdict.proven.entry.statement.kind, Number(verdict.proven.index)], ['holds', 'award', entry]);
  assert.equal((await verifyReceipt(body, { log: ledger.log, about: 'receipt/0' })).code, 'about_other');
});
