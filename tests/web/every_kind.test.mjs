// Honest pages are held: every page, and every kind of entry, of a ledger that has all of them, in a real browser.
// `npm --prefix tests/web ci && node --test tests/web/every_kind.test.mjs`, with Debian's chromium.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { EveryKind, kindOf } from './every_kind.mjs';
import { Site, cardOf, decided, launch, visit } from './site.mjs';

let site;
let browser;
let world;
let entries;

before(async () => {
  process.env.ARBORLOG_COSIGN_EVERY_MS = '200';
  site = await Site.start({ stateEveryMs: 200 });
  browser = await launch();
  world = new EveryKind(site);
  await world.makeAll();
  entries = await site.entries();
});

after(async () => {
  await browser?.close();
  world?.close();
  await site?.close();
});

const problems = (page) => page.$$eval('[data-check] .hint', (hints) => hints.map((hint) => hint.textContent).join(' / '));

async function expectHeld(page, path) {
  await page.goto(site.url + path);
  if ((await page.$('#panel[data-receipts]')) !== null) {
    assert.equal(await decided(page), 'true', `${path}: ${await page.textContent('#verdict')} ${await problems(page)}`);
  }
  if ((await page.$('[src$="/panel.mjs"], [src$="/proven.mjs"]')) === null) return null;
  const card = await cardOf(page);
  assert.equal(card.holds, 'true', `${path}: ${await page.innerText('#card .proof')}`);
  assert.match(await page.innerText('#card .proof'), /^✓/, path);
  return card;
}

const ALL_KINDS = [
  'genesis', 'governors', 'key_grant', 'key_revoke', 'log_key', 'method', 'award', 'transfer', 'plot', 'planting', 'survey', 'claim',
  'assignment', 'correction', 'policy', 'attestation', 'seal', 'state',
];

test('every kind of entry is held, and told in a sentence, in each language', async () => {
  const first = new Map();
  // The newest of each: those that this test's ledger adds.
  entries.forEach((bytes, index) => first.set(kindOf(bytes), index));
  const kinds = new Set([...first.keys()].map((kind) => kind.split(' ')[1]));
  assert.deepEqual([...kinds].sort(), [...ALL_KINDS].sort());
  for (const locale of ['en-GB', 'fr-FR', 'zh-CN']) {
    const { page, finish } = await visit(browser, site, { locale });
    for (const [kind, index] of first) {
      const card = await expectHeld(page, `/entry/${index}`);
      assert.doesNotMatch(card.text, /undefined|null|\{|\}|NaN/, `${locale} ${kind}: ${card.text}`);
      if (process.env.TELL) console.log(`${locale} ${kind}: ${card.text}`);
    }
    await finish();
  }
});

test('who else saw the log is told by name and time, by the policy that is in force', async () => {
  const { page, finish } = await visit(browser, site);
  const path = `/certificate/${world.lost.certificate}`;
  const card = await expectHeld(page, path);
  assert.match(card.text, /Seen by w1 \(witness\): the first [0-9,]+ entries, \d+ \w+ \d{4}, \d\d:\d\d UTC/);
  assert.match(card.text, /Seen by audit-north \(auditor\): no word of it yet/);
  assert.equal(await page.getAttribute('[data-check=witnesses]', 'data-state'), 'held');
  // A line by the witness's name that does not hold is no absence.
  site.tamper = (url, body) => (url === '/v1/checkpoint' || url === '/checkpoint'
    ? body.replace(/^(\u2014 witness\.example\.org\/w1 .{40})(.)/m, (_, before, digit) => before + (digit === 'A' ? 'B' : 'A')) : undefined);
  try {
    await page.goto(site.url + path);
    assert.equal(await decided(page), 'false');
    assert.equal((await cardOf(page)).holds, 'false');
    // A server that gives no lines at all is not accused, and nothing is claimed.
    site.tamper = (url, body) => (url === '/v1/checkpoint' || url === '/checkpoint' ? body.replace(/^\u2014 witness\..*\n/m, '') : undefined);
    assert.match((await expectHeld(page, path)).text, /w1 \(witness\): no word of it yet/);
    assert.equal(await page.getAttribute('[data-check=witnesses]', 'data-state'), 'noted');
  } finally {
    site.tamper = null;
  }
  await finish();
});

test('every page is held', async () => {
  const { page, finish } = await visit(browser, site);
  const certificate = await expectHeld(page, `/certificate/${world.lost.certificate}`);
  assert.match(certificate.text, /Waits for a tree/);
  // The site's own page says what it had.
  assert.match(await page.innerText('.certificate .standing'), /Waits for a tree since .* It had tree 901\/5, which was lost on 5 January 2026\./);
  assert.match((await expectHeld(page, `/certificate/${world.voided.claim}`)).text, /Voided/);
  for (const number of world.plots) assert.ok((await expectHeld(page, `/plot/${number}`)).text.includes(`Plot ${number}`));
  const { account: id } = await site.json(`/v1/certificates/${world.lost.certificate}`);
  for (const path of [
    '/', '/method', '/receipt', '/check', '/search?q=1', `/account/${id}`, `/tree/${world.lost.tree}`, '/tree/901/6', '/tree/901/1240', `/tree/${world.voided.tree}`,
  ]) await expectHeld(page, path);
  await finish();
});
