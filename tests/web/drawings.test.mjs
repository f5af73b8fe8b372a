// What pages draw and list beside what is verified: maps, charts, an account's gallery, the feed of a plot, sums that follow
// the entries; and the page that reads proposals. `npm --prefix tests/web ci && node --test tests/web/drawings.test.mjs`, with Debian's chromium.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Site, decided, launch, visit } from './site.mjs';

const axe = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const LOCALES = ['en-GB', 'fr-FR', 'zh-CN'];

let site;
let browser;
// The newest certificate that has a tree on a plot with a survey.
let certificate;

before(async () => {
  site = await Site.start();
  browser = await launch();
  const { entries } = await site.json('/v1/totals');
  for (let index = entries - 1; !certificate; index -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${index}`);
    const found = answer.ok ? await answer.json() : {};
    if (found.status === 'assigned' && found.tree.plot_latest_survey) certificate = found;
  }
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const plot = () => certificate.tree.plot;
const over = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
const violations = (page) => page.evaluate(async (source) => {
  (0, eval)(source);
  return (await window.axe.run()).violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(' ')}`);
}, axe);

test('letters of drawings are letters at every width and in every language, and nothing overflows', async () => {
  for (const locale of LOCALES) {
    const { page, finish } = await visit(browser, site, { locale });
    for (const width of locale === 'en-GB' ? [320, 390, 1280] : [320]) {
      await page.setViewportSize({ width, height: 900 });
      for (const path of ['/', `/plot/${plot()}`, `/account/${certificate.account}/trees`]) {
        await page.goto(site.url + path);
        assert.ok(await over(page) <= 0, `${locale} ${path} at ${width} is ${await over(page)} pixels too wide`);
        const letters = await page.$$eval('figure svg', (all) => all.flatMap((svg) => [...svg.querySelectorAll(':scope > text')].map((text) => ({
          size: (parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width) / svg.viewBox.baseVal.width,
          text: text.textContent,
        }))));
        for (const { size, text } of letters) assert.ok(size >= 11 && size <= 20, `${locale} ${path} at ${width}: ${text} has ${size} pixels`);
      }
    }
    await finish();
  }
});

test('each disc of a map is the link of its plot, and of a chart that of its survey; tables stand behind both', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(site.url);
  const links = await page.$$eval('.map a', (all) => all.map((link) => [link.getAttribute('href'), link.querySelector('title').textContent]));
  const listed = await page.$$eval('table a[href^="/plot/"]', (all) => new Set(all.map((link) => link.getAttribute('href'))).size);
  assert.ok(links.length > 10 && listed >= links.length, `${links.length} on the map, ${listed} in the table`);
  for (const [href, title] of links) {
    assert.match(href, /^\/plot\/\d+$/);
    assert.match(title, /^Plot \d+: .+, [\d,]+ standing$/);
  }
  assert.match(await page.textContent('.map > text'), /^[125]0* k?m$/);
  const land = await page.$$eval('.map .land', (paths) => paths.map((path) => path.getAttribute('d').length));
  const bytes = land.reduce((sum, length) => sum + length, 0);
  assert.ok(bytes > 100 && bytes <= 4_000, `${bytes} bytes of land`);
  for (const dot of await page.$$eval('.chart a', (all) => all.map((link) => link.getAttribute('href')))) assert.match(dot, /^\/entry\/\d+$/);
  await page.locator('.map a').first().click();
  await page.waitForURL(/\/plot\/\d+$/);
  await finish();
});

test('the ends of the lines are the sums, what was taken back and lost left out', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(site.url);
  const totals = await site.json('/v1/totals');
  const grouped = (number) => BigInt(number).toLocaleString('en');
  const ends = await page.$$eval('.chart .end', (all) => all.map((text) => text.textContent));
  for (const end of [
    `${grouped(totals.awarded)} awarded`,
    `${grouped(BigInt(totals.awarded) - BigInt(totals.reversed))} after what was taken back`,
    `${grouped(totals.planted)} planted`,
    `${grouped(totals.standing)} standing`,
  ]) assert.ok(ends.includes(end), `${end}: ${ends}`);
  const last = await page.$$eval('.pair table', (all) => all.map((table) => table.querySelector('tbody tr:last-child td:last-child').textContent));
  assert.deepEqual(last, [grouped(BigInt(totals.awarded) - BigInt(totals.reversed)), grouped(totals.standing)]);
  await finish();
});

test('the feed of a plot is Atom 1.0 with ids that no host changes, in three languages', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(`${site.url}/plot/${plot()}`);
  const href = await page.getAttribute('link[type="application/atom+xml"]', 'href');
  assert.equal(href, `/plot/${plot()}/feed.atom?lang=en`);
  const seen = [];
  for (const lang of ['en', 'fr', 'zh-Hans']) {
    const answer = await fetch(`${site.real}/plot/${plot()}/feed.atom?lang=${lang}`, { headers: { accept: 'application/atom+xml' } });
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/atom+xml; charset=utf-8']);
    const found = await page.evaluate((xml) => {
      const parsed = new DOMParser().parseFromString(xml, 'application/xml');
      const ATOM = 'http://www.w3.org/2005/Atom';
      const of = (element, name) => [...element.children].filter((child) => child.localName === name && child.namespaceURI === ATOM);
      const text = (element, name) => of(element, name).map((child) => child.textContent);
      const feed = parsed.documentElement;
      return {
        error: parsed.querySelector('parsererror')?.textContent ?? null, name: feed.localName, lang: feed.getAttribute('xml:lang'),
        id: text(feed, 'id'), title: text(feed, 'title'), updated: text(feed, 'updated'), author: of(feed, 'author').length,
        links: of(feed, 'link').map((link) => link.getAttribute('rel')),
        entries: of(feed, 'entry').map((entry) => ({
          id: text(entry, 'id'), title: text(entry, 'title'), updated: text(entry, 'updated'), summary: text(entry, 'summary'),
          links: of(entry, 'link').map((link) => [link.getAttribute('rel'), link.getAttribute('href')]),
        })),
      };
    }, await answer.text());
    assert.deepEqual([found.error, found.name, found.lang, found.author], [null, 'feed', lang, 1]);
    assert.deepEqual(found.links, ['self', 'alternate']);
    // RFC 4287, 4.1: exactly one each, times as RFC 3339.
    for (const part of [found, ...found.entries]) {
      assert.deepEqual([part.id.length, part.title.length, part.updated.length], [1, 1, 1]);
      assert.match(part.updated[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.match(part.id[0], /^tag:demo\.arborlog\.example,\d{4}-\d\d-\d\d:[0-9a-f]{64}\/(plot|entry)\/\d+$/);
    }
    assert.ok(found.entries.length > 0 && found.entries.length <= 30);
    assert.equal(found.updated[0], found.entries[0].updated[0]);
    assert.equal(new Set(found.entries.map((entry) => entry.id[0])).size, found.entries.length);
    seen.push(found.entries.map((entry) => entry.id[0]));
    for (const { links: [[rel, link]], summary } of found.entries) {
      assert.equal(rel, 'alternate');
      assert.match(link, /\/entry\/\d+\?lang=/);
      assert.ok(summary[0].length > 20);
    }
  }
  assert.deepEqual(seen[0], seen[1]);
  assert.deepEqual(seen[0], seen[2]);
  assert.equal((await fetch(`${site.real}/plot/4000000000/feed.atom`)).status, 404);
  await finish();
});

test('the gallery of an account shows its certificates, for no crawler', async () => {
  const path = `/account/${certificate.account}/trees`;
  const answer = await fetch(site.real + path);
  assert.equal(answer.headers.get('x-robots-tag'), 'noindex');
  for (const colorScheme of ['light', 'dark']) {
    const { page, finish } = await visit(browser, site, { colorScheme, viewport: { width: 390, height: 844 } });
    await page.goto(`${site.url}/account/${certificate.account}`);
    await page.click(`a[href="${path}"]`);
    assert.equal(await page.getAttribute('meta[name=robots]', 'content'), 'noindex');
    const cards = await page.$$eval('.gallery h2 a', (all) => all.map((link) => link.getAttribute('href')));
    assert.ok(cards.includes(`/certificate/${certificate.certificate}`), cards.join(' '));
    assert.ok(await page.locator(`.gallery a[href="/tree/${plot()}/${certificate.tree.serial}"]`).isVisible());
    assert.deepEqual(await violations(page), []);
    await page.goto(site.url);
    assert.deepEqual(await violations(page), []);
    await finish();
  }
  assert.equal((await fetch(`${site.real}/account/${'0'.repeat(64)}/trees`)).status, 404);
});

test('the sums live with the entries', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(site.url);
  const before = await page.innerText('#totals');
  const part = await fetch(`${site.real}/totals?lang=fr`);
  assert.equal(part.headers.get('x-robots-tag'), 'noindex');
  assert.match(await part.text(), /Après [\d\u202f]+ entrées/);
  const said = JSON.stringify({
    kind: 'plot', number: 91, name: 'One more', country: 'FR',
    place: { circle: { latitude: 481000000, longitude: -16000000, radius_m: 500 } }, finer_outline: null,
    area_m2: 500000, trees_per_ha_max: 1000, carbon_rights: 'none_issued', funded_by: 'Friends', for: [],
  });
  const file = join(site.dir, 'plot.ndjson');
  writeFileSync(file, `${said}\n`);
  site.run('submit', file, '--to', site.real, '--key', join(site.dir, 'keys', 'planter.pem'));
  await page.waitForFunction((told) => document.getElementById('totals').innerText !== told, before, { timeout: 30_000 });
  const { entries } = await site.json('/v1/totals');
  assert.match(await page.innerText('#totals'), new RegExp(`After ${entries.toLocaleString('en')} entries`));
  await finish();
});

test('what a panel says are words of the script: a page that brings others changes nothing', async () => {
  const { page, finish } = await visit(browser, site);
  site.tamper = (url, body) => (url === `/certificate/${certificate.certificate}`
    ? body.replaceAll(/<span class="hint">[^<]*<\/span>/g, '<span class="hint">Guaranteed by the state</span>').replace('<body ', '<body data-words="{&quot;all_held&quot;:&quot;Guaranteed by the state&quot;}" ')
    : undefined);
  try {
    await page.goto(`${site.url}/certificate/${certificate.certificate}`);
    await decided(page);
    assert.ok(!(await page.innerText('#panel')).includes('Guaranteed'));
    assert.match(await page.innerText('[data-check=role] .hint'), /granted by the governors/);
  } finally {
    site.tamper = null;
  }
  await finish();
});

test('a proposal is read in the browser: what it does, who signed, who is missing; a changed one is false, and nothing is sent', async () => {
  const file = join(site.dir, 'proposal.json');
  const key = (name) => join(site.dir, 'keys', `${name}.pem`);
  const grantee = '8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c';
  site.run('grant', '--grantee', grantee, '--role', 'planter', '--holder', 'new-house', '--name', 'New House', '--key', key('governor-1'), '--from', site.real, '--out', file);
  for (const locale of LOCALES) {
    const { page, finish } = await visit(browser, site, { locale, viewport: { width: 320, height: 800 } });
    const sent = [];
    page.on('request', (request) => { if (request.method() !== 'GET') sent.push(request.url()); });
    const shown = async (text) => {
      await page.goto(`${site.url}/governance`);
      await page.fill('#text', text);
      await page.click('#drop button');
      await page.waitForFunction(() => !['waiting', undefined].includes(document.getElementById('panel').dataset.holds));
      return [await page.getAttribute('#panel', 'data-holds'), await page.innerText('#panel')];
    };
    const text = readFileSync(file, 'utf8');
    const [holds, told] = await shown(text);
    assert.equal(holds, 'true', told);
    assert.ok(told.includes('New House') && told.includes(grantee), told);
    assert.doesNotMatch(told, /undefined|\{|\}/);
    assert.ok(await over(page) <= 0);
    if (locale === 'en-GB') {
      assert.match(told, /Keys that it names, which must still sign\s+8a88[\s\S]*So many of them must still: 1/);
      assert.deepEqual(await violations(page), []);
      assert.equal((await shown(text.replace('"New House"', '"Old House"')))[0], 'false');
      const forged = JSON.parse(text);
      forged.signature = forged.signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'));
      assert.equal((await shown(JSON.stringify(forged)))[0], 'false');
      assert.equal((await shown('{}'))[0], 'unable');
      const other = JSON.parse(text);
      other.arborlog_proposal = 1;
      assert.equal((await shown(JSON.stringify(other)))[0], 'unable');
    }
    assert.deepEqual(sent, []);
    await finish();
  }
});
