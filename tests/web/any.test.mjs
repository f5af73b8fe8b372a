// The page that checks any log, in a real browser: from the log's site, from another site and from disk; honest logs, lying
// ones, wrong keys, addresses that do not answer. `npm --prefix tests/web ci && node --test tests/web/any.test.mjs`

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Forged, keyFromSeed } from './forge.mjs';
import { Site, cardOf, launch, visit } from './site.mjs';

const ORIGIN = 'demo.arborlog.example/ledger';
let site;
let browser;
let entries;
let honest;
let certificate;
let html;
// Another site, that has the page and answers nothing else as a log would.
let elsewhere;

before(async () => {
  site = await Site.start();
  browser = await launch();
  entries = await site.entries();
  honest = new Forged(ORIGIN, site.logKey, entries);
  for (let index = entries.length - 1; certificate === undefined; index -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${index}`);
    if (answer.ok && (await answer.json()).status === 'assigned') certificate = index;
  }
  html = await (await fetch(`${site.real}/check.html`)).text();
  elsewhere = createServer((ask, answer) => {
    const isPage = ask.url === '/page.html';
    const [, status] = /^\/(\d{3})\//.exec(ask.url) ?? [];
    answer.writeHead(status ? Number(status) : 200, { 'content-type': 'text/html', 'access-control-allow-origin': '*' });
    answer.end(isPage ? html : '<p>Welcome to some other site.');
  });
  await new Promise((done) => { elsewhere.listen(0, '127.0.0.1', done); });
  elsewhere.url = `http://127.0.0.1:${elsewhere.address().port}`;
});

after(async () => {
  await browser?.close();
  elsewhere?.closeAllConnections();
  elsewhere?.close();
  await site?.close();
});

// Gives the outcome and what the page tells.
async function check(page, address, trust, genesis = '') {
  await page.fill('#address', address);
  await page.fill('#trust', trust);
  await page.fill('#genesis', genesis);
  await page.click('form button');
  await page.waitForSelector('#result:not([data-holds=waiting]):not([hidden])');
  return page.$eval('#result', (result) => ({
    holds: result.dataset.holds, verdict: result.querySelector('#verdict').textContent, key: result.querySelector('#key').textContent,
    steps: Object.fromEntries([...result.querySelectorAll('[data-check]')].map(({ dataset }) => [dataset.check, dataset.state])),
  }));
}

const NOBODY = 'http://127.0.0.1:1';
const visitFrom = (url, allowed = []) => visit(browser, { url }, {}, allowed, [site.url, NOBODY]);
const noneHeld = ({ steps }) => Object.values(steps).every((state) => state !== 'held');
const serving = (forged) => (url) => {
  if (url === '/v1/checkpoint' || url === '/checkpoint') return forged.checkpoint();
  const asked = /^\/v1\/receipts\/(\d+)$/.exec(url);
  return asked ? forged.receipt(Number(asked[1])) : undefined;
};

test('an honest log is held from another site, and the key that it was checked against is named', async () => {
  const { page, finish } = await visitFrom(elsewhere.url);
  await page.goto(`${elsewhere.url}/page.html`);
  const found = await check(page, site.url, honest.vkey);
  assert.equal(found.holds, 'true', JSON.stringify(found));
  assert.ok(found.key.startsWith('Checked against the key') && found.key.includes(honest.vkey), found.key);
  assert.deepEqual(found.steps, { checkpoint: 'held', genesis: 'held', key: 'held', witnesses: 'noted', seen: 'noted', subject: 'held' });
  assert.match((await cardOf(page)).text, /programme’s totals/);

  // A page's address asks for what that page is about; and what was seen is remembered.
  const again = await check(page, `${site.url}/certificate/${certificate}`, ` ${honest.vkey}\n`, await page.$eval('[data-check=genesis] .hint', ({ textContent }) => textContent.slice(0, 64)));
  assert.deepEqual([again.holds, again.steps.seen, again.steps.subject], ['true', 'held', 'held'], JSON.stringify(again));
  assert.match((await cardOf(page)).text, new RegExp(`Certificate ${certificate}: one `));
  assert.match(await page.textContent('[data-check=genesis]'), /the one that you gave/);

  const byPolicy = await check(page, site.url, `log ${honest.vkey}\nquorum none\n`);
  assert.deepEqual([byPolicy.holds, byPolicy.steps.checkpoint], ['true', 'held'], JSON.stringify(byPolicy));
  assert.match(byPolicy.key, /policy/);
  const asking = await check(page, site.url, `log ${honest.vkey}\nwitness w witness.example.net/w1+6ea6d9c9+BAtROtm0kkAVygkC7QeQRNOsXb7CMG8GlIwQ2o62458t\nquorum w\n`);
  assert.deepEqual([asking.holds, asking.steps.witnesses], ['unable', 'waiting'], JSON.stringify(asking));
  const other = await check(page, site.url, honest.vkey, 'ab'.repeat(32));
  assert.deepEqual([other.holds, other.steps.genesis], ['false', 'failed'], JSON.stringify(other));
  await finish();
});

test('nothing is green by a wrong key, and what is no key or no log is told as that', async () => {
  const { page, finish } = await visitFrom(elsewhere.url, [/404|503|ERR_/]);
  await page.goto(`${elsewhere.url}/page.html`);
  const stranger = new Forged(ORIGIN, keyFromSeed(Buffer.alloc(32, 7)), entries).vkey;
  const otherLog = new Forged('other.example/log', site.logKey, entries).vkey;
  for (const [address, key, holds, words] of [
    [site.url, stranger, 'unable', /no line of the checkpoint is by the log key/],
    [site.url, otherLog, 'unable', /the checkpoint is of demo/],
    [site.url, honest.vkey.replace(/.$/, (end) => (end === 'A' ? 'B' : 'A')), 'other', /neither a verifier key nor a policy/],
    [site.url, 'my key', 'other', /neither a verifier key nor a policy/],
    ['ftp://ledger.example', honest.vkey, 'other', /an address is none/],
    [NOBODY, honest.vkey, 'unable', /did not answer/],
    [`${elsewhere.url}/503/`, honest.vkey, 'unable', /answered 503/],
    [`${elsewhere.url}/404/`, honest.vkey, 'other', /no log/],
    [elsewhere.url, honest.vkey, 'other', /no log/],
  ]) {
    const found = await check(page, address, key);
    assert.deepEqual([found.holds, noneHeld(found)], [holds, true], `${address}: ${JSON.stringify(found)}`);
    assert.match(found.verdict, words);
    assert.doesNotMatch(found.key, /^Checked against/);
    assert.equal(await page.locator('#card').count(), 0);
  }
  await finish();
});

test('a log that lies is false, and a fork stays known', async () => {
  const { page, finish } = await visitFrom(elsewhere.url, [/404/]);
  await page.goto(`${elsewhere.url}/page.html`);
  try {
    assert.equal((await check(page, site.url, honest.vkey)).holds, 'true');
    site.tamper = (url, body) => (url.startsWith('/v1/proofs/state?domain=totals') ? body.replace(/^(index \d+\n)./m, (all, line) => `${line}${all.endsWith('A') ? 'B' : 'A'}`) : undefined);
    const wrong = await check(page, site.url, honest.vkey);
    assert.deepEqual([wrong.holds, wrong.steps.subject, wrong.steps.checkpoint], ['false', 'failed', 'held'], JSON.stringify(wrong));
    assert.equal((await cardOf(page)).holds, 'false');
    site.tamper = (url, body) => (url.includes('checkpoint') ? body.replace(/(\u2014 \S+ \S{20})(.)/, (_, begin, digit) => begin + (digit === 'A' ? 'B' : 'A')) : undefined);
    const unsigned = await check(page, site.url, honest.vkey);
    assert.deepEqual([unsigned.holds, noneHeld(unsigned)], ['false', true], JSON.stringify(unsigned));

    const all = [...entries];
    [all[40]] = [all[41]];
    site.tamper = serving(new Forged(ORIGIN, site.logKey, all));
    const forked = await check(page, site.url, honest.vkey);
    assert.deepEqual([forked.holds, forked.steps.seen], ['false', 'failed'], JSON.stringify(forked));
    assert.equal(await page.locator('#fork a[download]').count(), 2);
    site.tamper = null;
    await check(page, site.url, honest.vkey);
    assert.equal(await page.locator('#fork a[download]').count(), 2);
  } finally {
    site.tamper = null;
  }
  await finish();
});

test('as a file it works from disk, it is the one that the program prints, and it alone may connect anywhere', async () => {
  assert.equal(site.run('page'), html);
  const file = join(site.dir, 'check.html');
  writeFileSync(file, html);
  const { page, finish } = await visit(browser, site);
  await page.goto(`file://${file}?lang=fr#log=${encodeURIComponent(site.url)}&key=${encodeURIComponent(honest.vkey)}`);
  assert.equal(await page.inputValue('#trust'), honest.vkey);
  assert.equal(await page.locator('#result').isVisible(), false);
  const found = await check(page, site.url, honest.vkey);
  assert.equal(found.holds, 'true', JSON.stringify(found));
  assert.match(found.verdict, /^Tient/);
  await finish();

  const own = await visit(browser, site);
  await own.page.goto(`${site.url}/check.html`);
  assert.equal((await check(own.page, site.url, honest.vkey)).holds, 'true');
  await own.finish();

  const policyOf = async (path) => (await fetch(site.real + path)).headers.get('content-security-policy');
  assert.match(await policyOf('/check.html'), /script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src http: https:;.*frame-ancestors 'none'/);
  for (const path of ['/', '/check', '/receipt', `/certificate/${certificate}`, `/embed/certificate/${certificate}`]) assert.match(await policyOf(path), /connect-src 'self';/, path);
});
