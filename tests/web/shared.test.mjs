// What leaves the site: a certificate in a frame of another site, what is shown beside a link, QR codes, and what a browser
// keeps of the scripts. `npm --prefix tests/web ci && node --test tests/web/shared.test.mjs`

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { EveryKind } from './every_kind.mjs';
import { Site, cardOf, decided, launch, states, visit } from './site.mjs';

let site;
let browser;
let certificate;

before(async () => {
  site = await Site.start();
  browser = await launch();
  const { entries } = await site.json('/v1/totals');
  for (let index = entries - 1; !certificate; index -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${index}`);
    const found = answer.ok ? await answer.json() : {};
    if (found.status === 'assigned') certificate = found;
  }
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const path = () => `/certificate/${certificate.certificate}`;

test('a certificate in a frame of another site verifies itself, small and without the pseudonym', async () => {
  const blog = createServer((ask, answer) => {
    answer.writeHead(200, { 'content-type': 'text/html' });
    answer.end(`<!doctype html><title>A blog</title><iframe title="tree" src="${site.url}${ask.url}" width="420" height="260"></iframe>`);
  });
  await new Promise((done) => { blog.listen(0, '127.0.0.1', done); });
  const url = `http://127.0.0.1:${blog.address().port}`;
  const { page, finish } = await visit(browser, { url }, {}, [/frame-ancestors|favicon|404/], [site.url]);
  try {
    await page.goto(`${url}/embed${path()}`);
    const frame = page.frames().at(-1);
    const card = await cardOf(frame);
    assert.deepEqual([card.holds, card.text.includes(certificate.species_name)], ['true', true], JSON.stringify(card));
    assert.match(await frame.innerText('.proof'), /^✓ Proven: your browser checked this itself/);
    const whole = await frame.content();
    assert.ok(!whole.includes(certificate.account) && !whole.includes('/account/'));
    assert.equal(await frame.getAttribute('a', 'href'), site.url + path());
    assert.ok(await frame.evaluate(() => document.documentElement.scrollHeight) <= 260, 'it fits into its frame');
    // A lie is no more green in a frame than anywhere.
    site.tamper = (asked, body) => (asked.startsWith('/v1/proofs/') ? body.replace(/^(index \d+\n)./m, (all, line) => `${line}${all.endsWith('A') ? 'B' : 'A'}`) : undefined);
    await page.goto(`${url}/embed${path()}?again`);
    assert.equal((await cardOf(page.frames().at(-1))).holds, 'false');
    site.tamper = null;
    // Every other page is shown in no frame.
    await page.goto(url + path());
    await page.waitForTimeout(300);
    assert.notEqual(page.frames().at(-1).url(), site.url + path());
  } finally {
    site.tamper = null;
    blog.closeAllConnections();
    blog.close();
  }
  await finish();
  const { headers } = await fetch(`${site.real}/embed${path()}`);
  assert.match(headers.get('content-security-policy'), /script-src 'self';.*frame-ancestors \*$/);
  assert.equal(headers.get('x-robots-tag'), 'noindex');
  assert.equal((await fetch(`${site.real}/embed/certificate/0`)).status, 404);
});

test('beside a link stand the facts, and a picture that other sites can show', async () => {
  for (const shown of [path(), `/tree/${certificate.tree.plot}/${certificate.tree.serial}`, '/']) {
    const html = await (await fetch(site.real + shown, { headers: { 'accept-language': 'en' } })).text();
    const meta = Object.fromEntries([...html.matchAll(/<meta property="og:(\w+)" content="([^"]*)">/g)].map(([, name, content]) => [name, content]));
    assert.ok(meta.title.length > 5 && !html.match(/<meta[^>]*>/g).join().includes(certificate.account), JSON.stringify(meta));
    assert.equal(meta.image, `${site.real}/web/icon.png`);
  }
  const icon = await fetch(`${site.real}/web/icon.png`);
  assert.deepEqual([icon.headers.get('content-type'), Buffer.from(await icon.arrayBuffer()).subarray(1, 4).toString()], ['image/png', 'PNG']);
});

// A picture of a QR code, as somebody takes one: smaller than its paper, and turned a little.
async function pictureOf(text) {
  const blank = await browser.newPage({ viewport: { width: 500, height: 500 } });
  const svg = await (async () => {
    if (text === null) return '<p>Nothing</p>';
    // The page as it is under another name of the site.
    const html = await new Promise((done, failed) => {
      get(site.real + path(), { headers: { host: text } }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part)).on('end', () => done(Buffer.concat(parts).toString()));
      }).on('error', failed);
    });
    return /<svg[\s\S]*?<\/svg>/.exec(html.slice(html.indexOf('class="qr"')))[0];
  })();
  await blank.setContent(`<body style="background:#ccc"><div style="background:#fff;padding:24px;width:260px;margin:60px;transform:rotate(9deg)">${svg.replace('<svg', '<svg style="width:260px;height:260px"')}</div>`);
  const picture = await blank.screenshot();
  await blank.close();
  return { name: 'photo.png', mimeType: 'image/png', buffer: picture };
}

// A reader of codes that finds nothing that this test did not give: that the browser's own is asked first.
const withDetector = (context, text) => context.addInitScript((raw) => {
  window.BarcodeDetector = class {
    static getSupportedFormats() { return Promise.resolve(['qr_code']); }

    detect() { return Promise.resolve(raw === '' ? [] : [{ rawValue: raw }]); }
  };
}, text);

test('a picture of a certificate’s code is read, and its receipt verified, with a decoder of our own where the browser has none', async () => {
  const { context, page, finish } = await visit(browser, site);
  const asked = [];
  context.on('request', (request) => asked.push(new URL(request.url()).pathname));
  await page.goto(`${site.url}/receipt`);
  await page.waitForLoadState('networkidle');
  assert.ok(!asked.includes('/web/vendor/jsqr/jsQR.js'));
  await page.evaluate(() => { delete window.BarcodeDetector; });
  const host = new URL(site.url).host;
  await page.setInputFiles('#picture', await pictureOf(host));
  assert.equal(await decided(page), 'true', await page.textContent('#scanned'));
  assert.equal((await states(page)).inclusion, 'held');
  assert.equal(await page.getAttribute('#scanned a', 'href'), site.url + path());
  assert.match(await page.textContent('#found'), new RegExp(certificate.account));
  assert.ok(asked.includes('/web/vendor/jsqr/jsQR.js'));
  // Another site's code leads there, and is not asked; a picture without a code says nothing against anybody.
  await page.setInputFiles('#picture', await pictureOf('elsewhere.example'));
  await page.waitForFunction(() => document.getElementById('scanned').textContent.includes('elsewhere.example'));
  assert.equal(await page.getAttribute('#panel', 'data-holds'), 'unable');
  await page.setInputFiles('#picture', await pictureOf(null));
  await page.waitForFunction(() => /No QR code/.test(document.getElementById('scanned').textContent));
  await page.setInputFiles('#picture', { name: 'x.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.waitForFunction(() => /no picture/.test(document.getElementById('scanned').textContent));
  assert.equal(await page.getAttribute('#panel', 'data-holds'), 'unable');
  await finish();
});

test('the browser’s own reader of codes is taken where there is one, and a camera where there is one', async () => {
  const receipt = await (await fetch(`${site.real}/v1/receipts/${certificate.certificate}`)).text();
  for (const [text, holds, words] of [[site.url + path(), 'true', /verified below/], [receipt, 'true', /is a receipt/], ['WIFI:S:x;;', 'unable', /no link to a ledger/]]) {
    const { context, page, finish } = await visit(browser, site);
    await withDetector(context, text);
    // A camera that shows a canvas.
    await context.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
        const drawing = canvas.getContext('2d');
        setInterval(() => drawing.fillRect(Math.random() * 64, 0, 8, 64), 30);
        return canvas.captureStream(30);
      };
    });
    const asked = [];
    context.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.goto(`${site.url}/receipt`);
    await page.click('#camera:not([hidden])');
    assert.equal(await decided(page), holds, text);
    assert.match(await page.textContent('#scanned'), words);
    assert.equal(await page.locator('#video').isVisible(), false);
    assert.ok(!asked.some((name) => name.includes('jsqr')));
    await finish();
  }
});

test('a second visit tells that the scripts changed, from which hash to which, and accuses nobody', async () => {
  const sha256 = (text) => createHash('sha256').update(text).digest('hex');
  const sums = await (await fetch(`${site.real}/web/SHA256SUMS`)).text();
  const whole = sha256(sums);
  for (const [, sum, name] of sums.matchAll(/^([0-9a-f]{64}) {2}(\S+)$/gm)) {
    if (/joined|worker|seen/.test(name)) assert.equal(sha256(await (await fetch(`${site.real}/${name}`)).text()), sum, name);
  }
  const { page, finish } = await visit(browser, site);
  const manifest = await (await fetch(`${site.real}/manifest.webmanifest`)).json();
  assert.deepEqual([manifest.start_url, manifest.display, manifest.icons[0].sizes], ['/', 'minimal-ui', '512x512']);
  await page.goto(`${site.url}/check`);
  await page.waitForSelector('#pins:not([hidden])');
  assert.equal(await page.textContent('[data-pin=hash]'), whole);
  const shown = () => page.locator('#scripts-changed').count();
  // Waits until the worker keeps what is expected to be told, or that there is nothing.
  const changeIs = async (fits) => {
    for (let waits = 0; waits < 200; waits += 1) {
      const { change } = await page.evaluate(async () => (await (await caches.open('arborlog')).match('/kept-by-worker')).json());
      if (fits(change)) return;
      await page.waitForTimeout(100);
    }
    assert.fail('the worker keeps something else');
  };
  // A visit to scripts that are the same has nothing to tell.
  await page.goto(site.url + path());
  assert.equal(await decided(page), 'true');
  await page.waitForTimeout(500);
  assert.equal(await shown(), 0);
  try {
    // A new release of the server.
    const change = (url, body) => (url.startsWith('/web/') && body.includes('const MARKS') ? `${body}\n// Another release.\n` : undefined);
    site.tamper = change;
    await page.goto(site.url + path());
    assert.equal(await decided(page), 'true');
    await page.waitForSelector('#scripts-changed');
    const text = await page.textContent('#scripts-changed');
    const today = new Date().toISOString().slice(0, 10);
    const [, since, from, to] = /on (\S+): from ([0-9a-f]{16}) to ([0-9a-f]{16})\./.exec(text);
    assert.deepEqual([since, from], [today, whole.slice(0, 16)]);
    assert.notEqual(to, from);
    assert.equal(await page.locator('#card[data-holds=true]').count(), 1);
    // It is said in the page's HTML, whatever its scripts do, in the page's language, until the reader has seen it.
    site.tamper = (url, body) => change(url, body) ?? (url.endsWith('evidence.mjs') ? '// Says nothing.' : undefined);
    await page.goto(`${site.url}/method?lang=fr`);
    assert.match(await page.textContent('#scripts-changed'), /ont changé depuis votre dernière visite/);
    await changeIs((change) => change !== null && !change.to.startsWith(to));
    await page.click('#scripts-changed a');
    await page.waitForURL(`${site.url}/method?lang=fr`);
    await changeIs((change) => change === null);
    // The next change is told by the page that loads what changed; and one that is taken back before anybody saw it is none.
    site.tamper = change;
    await page.goto(`${site.url}/check`);
    await page.waitForSelector('#scripts-changed');
    site.tamper = (url, body) => change(url, body) ?? (url.endsWith('evidence.mjs') ? '// Says nothing.' : undefined);
    await page.goto(`${site.url}/check`);
    await changeIs((change) => change === null);
    await page.goto(`${site.url}/check`);
    assert.equal(await shown(), 0);
  } finally {
    site.tamper = null;
  }
  await finish();
});

test('the witnesses of an operator’s own policy are told, as the operator’s choice', async () => {
  const own = await Site.start();
  const world = new EveryKind(own);
  try {
    assert.equal(await (await fetch(`${own.real}/v1/policy`)).text(), 'quorum none\n');
    const witness = await world.witness([readFileSync(join(own.dir, 'ledger', 'log.vkey'), 'utf8').trim()]);
    const policy = join(own.dir, 'policy.txt');
    writeFileSync(policy, `witness w1 ${witness}\ngroup all all w1\nquorum all\n`);
    await own.stop();
    own.options = ['--policy', policy];
    await own.serve();
    await world.witnessed();
    assert.equal(await (await fetch(`${own.real}/v1/policy`)).text(), `witness w1 ${witness.split(' ')[0]}\ngroup all 1 w1\nquorum all\n`);
    const { page, finish } = await visit(browser, own);
    await page.goto(own.url + path());
    assert.equal(await decided(page), 'true');
    assert.equal((await states(page)).witnesses, 'held');
    assert.match(await page.textContent('[data-check=witnesses]'), /whom the operator asks for have seen/);
    assert.match((await cardOf(page)).text, /Seen by \(whom the operator named\) w1 \(witness\): the first [0-9,]+ entries/);
    // Without their lines, nobody is said to have seen it.
    own.tamper = (url, body) => (url.endsWith('/checkpoint') ? body.replace(/^\u2014 witness\..*\n/m, '') : undefined);
    await page.goto(own.url + path());
    assert.equal(await decided(page), 'true');
    assert.equal((await states(page)).witnesses, 'noted');
    await finish();
  } finally {
    world.close();
    await own.close();
  }
});
