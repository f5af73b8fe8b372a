// The pages in a real browser: every way of a reader, and a server that lies at each check.
// `npm --prefix tests/web ci && node --test tests/web/pages.test.mjs`, with Debian's chromium.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Forged, keyFromSeed, signedBy, withAuthority, withBrokenSignature, withTail } from './forge.mjs';
import { Site, cardOf, decided, launch, states, visit } from './site.mjs';

const axe = readFileSync(new URL('./node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const HELD = ['entry', 'signature', 'role', 'authority', 'inclusion', 'checkpoint', 'story', 'consistency'];

let site;
let browser;
// A certificate that has a tree, with all that is behind it.
let certificate;
let entries;

before(async () => {
  site = await Site.start();
  browser = await launch();
  entries = await site.entries();
  for (let index = entries.length - 1; !certificate; index -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${index}`);
    const found = answer.ok ? await answer.json() : {};
    if (found.status !== 'assigned' || !found.tree.plot_latest_survey) continue;
    if (other) certificate = found;
    else other = await (await fetch(`${site.real}/certificate/${index}`)).text();
  }
});

after(async () => {
  await browser?.close();
  await site?.close();
});

const tree = () => `${certificate.tree.plot}/${certificate.tree.serial}`;
const everyPage = () => [
  '/', `/tree/${tree()}`, `/certificate/${certificate.certificate}`, `/plot/${certificate.tree.plot}`,
  `/account/${certificate.account}`, `/entry/${certificate.certificate}`, '/entry/0', '/method', '/receipt', '/check',
  '/search?q=1', '/search?q=nothing', '/tree/1/4000000000',
];
const missing = [/404/];

test('the first page tells the sums at a checkpoint, draws them, and finds what is looked for', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(site.url);
  const text = await page.textContent('main');
  const totals = await site.json('/v1/totals');
  assert.match(text, new RegExp(`After ${totals.entries.toLocaleString('en')} entries`));
  for (const sum of [totals.planted, totals.assigned, totals.standing]) assert.ok(text.includes(BigInt(sum).toLocaleString('en')));
  assert.match(text, /not measured reductions and not credits/);
  assert.match(text, /[0-9,]+ of [0-9,]+ trees stand on plots that somebody has surveyed/);
  assert.equal(await page.locator('figure details tbody tr').count() > 4, true);
  assert.equal(await page.locator('figure > svg').count(), 4);
  assert.equal(await page.locator('#newest tr').count(), 10);
  // On a phone the letters of drawings are still letters.
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 844 });
    const letters = await page.$$eval('figure svg', (all) => all.flatMap((svg) => [...svg.querySelectorAll(':scope > text')].map((text) => (
      (parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width) / svg.viewBox.baseVal.width))));
    assert.ok(letters.length > 10 && Math.min(...letters) >= 11, `${Math.min(...letters)} pixels at ${width}`);
    // And each is within its drawing.
    const outside = await page.$$eval('figure svg', (all) => all.flatMap((svg) => {
      const box = svg.getBoundingClientRect();
      return [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim() !== '').filter((text) => {
        const own = text.getBoundingClientRect();
        return own.left < box.left || own.right > box.right || own.top < box.top || own.bottom > box.bottom;
      }).map((text) => text.textContent);
    }));
    assert.deepEqual(outside, [], `at ${width}`);
  }

  // The newest entry that has an id: a state entry has none, and a sealed entry has its seal's alone.
  let named = entries.length - 1;
  let id = null;
  for (; !id; named -= 1) ({ id } = await site.json(`/v1/entries/${named}`));
  named += 1;
  const { issuer } = await site.json(`/v1/entries/${certificate.certificate}`);
  for (const [asked, path] of [
    [tree(), `/tree/${tree()}`],
    [certificate.account, `/account/${certificate.account}`],
    [id, `/entry/${named}`],
    [`${entries.length - 1}`, `/entry/${entries.length - 1}`],
    [issuer, /\/entry\/\d+$/],
    [`https://elsewhere.example/tree/${tree()}?lang=fr#panel`, `/tree/${tree()}`],
    [`Certificate ${certificate.certificate.toLocaleString('en')}`, `/certificate/${certificate.certificate}`],
    [`证书${String(certificate.certificate).replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)))}`, `/certificate/${certificate.certificate}`],
    [`tree ${tree().replace('/', ' / ')}`, `/tree/${tree()}`],
    [`${certificate.account.slice(0, 12)}…`, `/account/${certificate.account}`],
    ['Bay Bike Points', /\/entry\/\d+$/],
  ]) {
    await page.goto(site.url);
    await page.fill('#q', asked);
    await page.press('#q', 'Enter');
    await page.waitForURL((url) => (path instanceof RegExp ? path.test(url.pathname) : url.pathname === path));
  }
  await page.goto(`${site.url}/search?q=${certificate.certificate}`);
  const choices = await page.$$eval('.found a', (links) => links.map((link) => link.getAttribute('href')));
  assert.ok(choices.includes(`/certificate/${certificate.certificate}`) && choices.includes(`/entry/${certificate.certificate}`));
  await page.goto(`${site.url}/search?q=${encodeURIComponent(certificate.species_name)}`);
  assert.equal(await page.inputValue('#q'), certificate.species_name);
  assert.ok((await page.textContent('main')).includes(certificate.species_name));
  await page.goto(`${site.url}/search?q=${'0'.repeat(64)}`);
  assert.equal(await page.inputValue('#q'), '0'.repeat(64));
  assert.match(await page.textContent('main'), /Nothing in this ledger was found.*newest 65,536 entries/s);
  await finish();
});

test('new entries appear by themselves, hostile names do nothing, and a stop waits for no reader', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(site.url);
  const name = '<img src=x onerror=alert(1)>"\'&amp;</script><script>alert(1)</script>';
  const plot = {
    kind: 'plot', number: 77, name, country: 'CN',
    place: { circle: { latitude: 399000000, longitude: 1160000000, radius_m: 500 } }, finer_outline: 'ab'.repeat(32),
    area_m2: 500000, trees_per_ha_max: 1000, carbon_rights: 'none_issued', funded_by: name, for: [],
  };
  const file = join(site.dir, 'plot.ndjson');
  writeFileSync(file, `${JSON.stringify(plot)}\n`);
  site.run('submit', file, '--to', site.real, '--key', join(site.dir, 'keys', 'planter.pem'));
  await page.waitForSelector(`#newest tr:first-child a:text-is("${entries.length}")`);
  assert.match(await page.textContent('#newest tr'), /<img src=x onerror/);

  // A reader who holds the rows sees none come, and all that came when they go on.
  const newest = () => page.textContent('#newest tr a');
  await page.click('#pause');
  writeFileSync(file, `${JSON.stringify({ ...plot, number: 79, name: 'Held' })}\n`);
  site.run('submit', file, '--to', site.real, '--key', join(site.dir, 'keys', 'planter.pem'));
  await page.waitForTimeout(2_500);
  assert.equal(await newest(), String(entries.length));
  await page.click('#pause');
  await page.waitForSelector(`#newest tr:first-child a:text-is("${entries.length + 1}")`);

  page.on('dialog', () => assert.fail('a name ran'));
  await page.goto(`${site.url}/plot/77`);
  assert.equal(await decided(page), 'true');
  assert.ok((await page.textContent('h1')).includes(name));
  assert.equal(await page.locator('main img, main script').count(), 0);
  assert.match(await page.textContent('main'), /never surveyed/);

  await page.goto(site.url);
  await page.waitForTimeout(300);
  assert.ok((await site.stop()) < 10, 'a reader of the first page kept the server');
  // From here on a state entry covers the plot, so that the state can be proven.
  site.stateEveryMs = 200;
  await site.serve();
  await page.goto('about:blank');
  const covered = entries.length + 2;
  for (let waits = 0; (await site.json('/v1/totals')).entries < covered; waits += 1) {
    assert.ok(waits < 200, 'no state entry covers the plot');
    await new Promise((done) => { setTimeout(done, 100); });
  }
  entries = await site.entries();
  await finish();
});

test('a tree and its certificate: every check ticks, and opens to its bytes and a command', async () => {
  const { page, finish } = await visit(browser, site);
  for (const path of [`/tree/${tree()}`, `/certificate/${certificate.certificate}`]) {
    await page.goto(site.url + path);
    assert.equal(await decided(page), 'true', await page.textContent('#panel'));
    const found = await states(page);
    const first = path.startsWith('/tree');
    for (const check of HELD) assert.equal(found[check], first && check === 'consistency' ? 'noted' : 'held', check);
    assert.equal(found.witnesses, 'noted');
    for (const check of HELD) {
      const item = page.locator(`[data-check=${check}]`);
      await item.locator('summary').click();
      assert.ok(await item.locator('pre').last().isVisible());
      assert.match(await item.locator('pre').last().textContent(), /arborlog|curl/);
      assert.ok((await item.locator('.shown').textContent()).length > 60, check);
    }
    assert.match(await page.textContent('#panel'), /not revoked as far as/);
    assert.match(await page.textContent('main'), /a place in the books of a planting/);
    assert.ok((await page.locator('.life li').count()) >= 3);
    assert.match(await page.textContent('footer'), /Nothing here can prove that a sapling lives/);
  }
  assert.match(await page.textContent('main'), /anybody who sees it can read that account/);
  assert.match(await page.textContent('[data-check=consistency]'), /saw before/);

  // The command that it shows says the same.
  const command = await page.locator('[data-check=entry] pre').last().textContent();
  const [vkey, genesis] = [/--log '([^']+)'/.exec(command)[1], /--genesis (\S+)/.exec(command)[1]];
  const receipt = join(site.dir, 'claim.tlog-proof');
  site.run('receipt', '--from', site.real, String(certificate.certificate), '-o', receipt);
  site.run('verify', receipt, '--log', vkey, '--genesis', genesis);
  await finish();
});

// What each liar does, where it turns red, and what it is called.
const LIARS = {
  'an entry in other bytes': () => forge((all, index) => { all[index] = withTail(all[index]); }, 'entry', /not as the format/),
  'a signature that does not hold': () =>
    forge((all, index) => {
      const signed = signedBy(all, index);
      all[signed] = withBrokenSignature(all[signed]);
    }, 'signature', /signature does not hold/),
  'an issuer with another role': () =>
    forge((all, index, grants) => {
      const signed = signedBy(all, index);
      all[signed] = withAuthority(all[signed], grants.planter);
    }, 'role', /not granted a role/),
  'a grant that nobody signed': () =>
    forge((all, index, grants) => { all[grants.platform] = withBrokenSignature(all[grants.platform]); }, 'authority', /signature/),
  'another entry in its place': () => ({
    check: 'inclusion', words: /not in the log/,
    tamper: (url) => (url === `/v1/receipts/${certificate.certificate}` ? honest().receipt(certificate.certificate - 1) : undefined),
  }),
  'a proof with a wrong hash': () => ({
    check: 'inclusion', words: /not in the log/,
    tamper: (url, body) => (url.startsWith('/v1/receipts/') ? body.replace(/^(index \d+\n)./m, (all, line) => `${line}${all.endsWith('A') ? 'B' : 'A'}`) : undefined),
  }),
  'a checkpoint of another key': () => {
    const forged = new Forged(honest().origin, keyFromSeed(Buffer.alloc(32, 7)), entries);
    return { check: 'checkpoint', holds: 'unable', words: /not signed by this log’s key/, tamper: serving(forged) };
  },
  'a key that nobody named': () => {
    const forged = new Forged(honest().origin, keyFromSeed(Buffer.alloc(32, 7)), entries);
    const receipts = serving(forged);
    return {
      check: 'checkpoint', words: /Neither the genesis nor the governors/,
      tamper: (url, body) => (isPage(url) ? body.replaceAll(honest().vkey, forged.vkey) : receipts(url)),
    };
  },
  'a page that says more than was signed': () => ({
    check: 'story', words: /something else than this page/,
    tamper: (url, body) => (isPage(url) ? body.replace(/(data-fact="claim.points">)([0-9,]+)/, '$19,$2') : undefined),
  }),
  'a page of another species': () => ({
    check: 'story', words: /something else than this page/,
    tamper: (url, body) => (isPage(url) ? body.replace(/(species_name">)[^<]+/g, '$1Sequoiadendron giganteum') : undefined),
  }),
  'a number that is not marked as a fact': () => ({
    check: 'story', words: /something else than this page/,
    tamper: (url, body) => (isPage(url) ? body.replace(/ data-fact="survey.alive">[0-9,]+/, '>999') : undefined),
  }),
  'the page of another certificate': () => ({
    check: 'story', words: /something else than this page/,
    tamper: (url, body) => (isPage(url) ? other : undefined),
  }),
  'a tree that the certificate was never tied to': () => ({
    check: 'story', words: /something else than this page/,
    tamper: (url, body) => (isPage(url) ? body.replace(/ assignment:\d+/, '') : undefined),
  }),
  'a survey made in another way': () => ({
    check: 'story', words: /something else than this page/,
    tamper: (url, body) => (isPage(url) ? body.replace(/(survey.basis">)census/, '$1random sample') : undefined),
  }),
  'a server that proves no growth': () => ({
    check: 'consistency', holds: 'unable', words: /did not give what is needed/, visited: true,
    tamper: (url) => (url.includes('/checkpoint') ? { status: 503, body: 'no' } : undefined),
  }),
  'a server that gives no receipt': () => ({
    check: 'entry', holds: 'unable', words: /did not give what is needed/,
    tamper: (url) => (url.startsWith('/v1/receipts/') ? { status: 503, body: 'no' } : undefined),
  }),
  'another ledger than before': () => ({
    check: 'authority', words: /another log key or genesis/, visited: true,
    tamper: (url, body) => (isPage(url) ? body.replace(/data-genesis="[0-9a-f]{64}"/, `data-genesis="${'0'.repeat(64)}"`) : undefined),
  }),
  'a proof of growth with wrong hashes': () => {
    const smaller = new Forged(honest().origin, site.logKey, entries.slice(0, -3)).checkpoint();
    return {
      check: 'consistency', words: /no proof of a fork/, visited: true,
      tamper: (url, body) => {
        if (url === '/v1/checkpoint') return smaller;
        return url.includes('/consistency') ? body.replace(/("hashes":\[")(.)/, (_, begin, digit) => begin + (digit === 'A' ? 'B' : 'A')) : undefined;
      },
    };
  },
  'a log that forked': () => {
    const lie = forge((all) => { all[40] = all[41]; }, 'consistency', /forked/);
    return { ...lie, visited: true, alarm: true, tamper: (url) => (url.includes('/consistency') ? undefined : lie.tamper(url)) };
  },
};

const isPage = (url) => url.startsWith('/certificate/');
const serving = (forged) => (url) => {
  if (url === '/v1/checkpoint') return forged.checkpoint();
  const asked = /^\/v1\/receipts\/(\d+)$/.exec(url);
  return asked ? forged.receipt(Number(asked[1])) : undefined;
};
let kept;
// The page of another certificate that has a tree.
let other;
const honest = () => {
  const origin = 'demo.arborlog.example/ledger';
  if (kept?.entries.length !== entries.length) kept = new Forged(origin, site.logKey, entries);
  return kept;
};
let grants;

function forge(change, check, words) {
  const all = [...entries];
  change(all, certificate.certificate, grants);
  return { check, words, tamper: serving(new Forged(honest().origin, site.logKey, all)) };
}

// In red what contradicts a signed thing; what could not be had is told without accusing anybody, and can be tried again.
for (const [name, make] of Object.entries(LIARS)) {
  test(`a server that lies is shown in red, or as not checked: ${name}`, async () => {
    const { issuer } = await site.json(`/v1/entries/${certificate.certificate}`);
    const { issuer: planter } = await site.json(`/v1/entries/${certificate.tree.planting.index}`);
    const granted = async (key) => (await site.json(`/v1/issuers/${key}`)).granted_at;
    grants = { platform: await granted(issuer), planter: await granted(planter) };
    const { check, words, tamper, visited, alarm, holds = 'false' } = make();
    const { page, finish } = await visit(browser, site, {}, [/404|503/]);
    const path = `${site.url}/certificate/${certificate.certificate}`;
    try {
      if (visited) {
        await page.goto(path);
        assert.equal(await decided(page), 'true');
      }
      site.tamper = tamper;
      await page.goto(path);
      assert.equal(await decided(page), holds);
      const found = await states(page);
      assert.equal(found[check], holds === 'false' ? 'failed' : 'waiting', JSON.stringify(found));
      assert.match(await page.textContent(`[data-check=${check}] .hint`), words);
      assert.ok(await page.locator('#verdict').isVisible());
      if (holds === 'unable') {
        assert.match(await page.textContent('#verdict'), /nothing for or against it.*Try again/s);
        assert.equal(await page.locator('[data-state=failed], #card[data-holds=false]').count(), 0);
      } else {
        assert.match(await page.textContent('#verdict'), /Do not trust this page/);
        assert.match(await page.textContent('#answer'), /Do not trust this page/);
      }
      assert.equal(await page.locator('#alarm a[download]').count(), alarm ? 2 : 0);
      if (alarm) {
        const download = page.waitForEvent('download');
        await page.locator('#alarm a[download]').first().click();
        const note = readFileSync(await (await download).path(), 'utf8');
        assert.match(note, /^demo\.arborlog\.example\/ledger\n\d+\n/);
        // It stays known on every page of the site, until the reader has handed both on.
        site.tamper = null;
        await page.goto(`${site.url}/method`);
        assert.equal(await page.locator('#fork a[download]').count(), 2);
        assert.match(await page.textContent('#fork'), /auditors and witnesses/);
        await page.click('#fork button');
        await page.goto(site.url);
        await cardOf(page);
        assert.equal(await page.locator('#fork').count(), 0);
      }
    } finally {
      site.tamper = null;
    }
    await finish();
  });
}

// Lies in the page alone: scripts, receipts, proofs and every signature are the honest ones. Each would have been believed
// at a glance: a page is not marked everywhere, and marks can be left out, hidden or turned.
const PAGE_LIES = {
  'a dictionary of its own': (html) => html
    .replace(/(basis_[a-z_]+(?:&#34;|&quot;):(?:&#34;|&quot;))[^&]*/g, '$1census of every tree')
    .replace(/(survey\.basis">)[^<]*/g, '$1census of every tree'),
  'a survey that nobody made, unmarked, and no receipt named': (html) => html
    .replace(/ survey:\d+/, '').replace(/ data-fact="survey\.[a-z_]+"/g, '').replace(/\(\d+\.\d %\)/, '(100.0 %)'),
  'a digit before a fact': (html) => html.replace(/<span translate="no" data-fact="survey\.alive">/g, '9<span translate="no" data-fact="survey.alive">'),
  'digits turned around': (html) => html.replace(/<span translate="no" data-fact="survey\.alive">([^<]*)<\/span>/g, '<bdo dir="rtl" data-fact="survey.alive">$1</bdo>'),
  'true facts hidden and false ones shown': (html) => html.replace(
    /<(span|bdi)[^>]* data-fact="claim\.species_name">([^<]*)<\/\1>/,
    '<$1 hidden data-fact="claim.species_name">$2</$1><span>Sequoiadendron giganteum</span>',
  ),
  'marks left out': (html) => html.replace(/ data-fact="claim\.(species_name|species|points|by|account|admitted_at)"/g, '')
    .replace(/<dd>[^<]*<(span|bdi)[^>]*>[A-Z][a-z]+ [a-z]+<\/\1>/, '<dd><span>Sequoiadendron giganteum</span>'),
  'a banner that says that all was checked': (html) => html
    .replace('<p id="answer">', '<p style="color:green"><b>Every check held. Verified by the United Nations.</b></p><p id="answer">'),
};

test('a page that lies changes nothing of what the card says, and nothing else is green', async () => {
  const path = `/certificate/${certificate.certificate}`;
  const first = await visit(browser, site);
  await first.page.goto(site.url + path);
  assert.equal(await decided(first.page), 'true');
  const honestly = await cardOf(first.page);
  assert.equal(honestly.holds, 'true');
  assert.ok(honestly.text.includes(tree()), honestly.text);
  assert.equal(await first.page.locator('#answer').isVisible(), false);
  await first.finish();
  for (const [name, lie] of Object.entries(PAGE_LIES)) {
    const { page, finish } = await visit(browser, site, {}, [/style/]);
    let told = false;
    site.tamper = (url, body) => {
      if (!isPage(url)) return undefined;
      told = lie(body) !== body;
      return lie(body);
    };
    try {
      await page.goto(site.url + path);
      await decided(page);
      assert.ok(told, `${name}: the page is as it was`);
      assert.deepEqual(await cardOf(page), honestly, name);
      assert.ok(await page.locator('.below').isVisible(), name);
      assert.equal(await page.locator('#answer[data-holds=true]').count(), 0, name);
    } finally {
      site.tamper = null;
    }
    await finish();
  }
});

test('a waiting certificate that is shown with a tree still waits in its card', async () => {
  let waiting = null;
  for (let index = entries.length - 1; waiting === null && index > 0; index -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${index}`);
    if (answer.ok && (await answer.json()).status === 'waiting') waiting = index;
  }
  assert.notEqual(waiting, null, 'no certificate of the demonstration waits');
  const { page, finish } = await visit(browser, site);
  site.tamper = (url, body) => (isPage(url)
    ? body.replace(/<p class="standing">[^<]*/, '<p class="standing">Tree 1/8, Plot Hill: planted on 2026-01-01, found alive by a census') : undefined);
  try {
    await page.goto(`${site.url}/certificate/${waiting}`);
    assert.match((await cardOf(page)).text, /Waits for a tree\./);
  } finally {
    site.tamper = null;
  }
  await finish();
});

test('a server that gives no proofs, or wrong ones, has a card that is not proven, or false', async () => {
  for (const [tamper, holds, words] of [
    [(url) => (url.startsWith('/v1/proofs/') && !url.includes('consistency') ? { status: 503, body: 'no' } : undefined), 'unable', /Not proven.*Try again/s],
    // Nobody proves then that the governors named the key that signs here.
    [(url) => (url.startsWith('/v1/receipts/') ? { status: 503, body: 'no' } : undefined), 'unable', /Not proven/],
    [(url, body) => (url.startsWith('/v1/proofs/certificate/')
      ? body.replace(/^(extra .{200})(.)/m, (all, before, digit) => before + (digit === 'A' ? 'B' : 'A')) : undefined), 'false|unable', /False|Not proven/],
  ]) {
    const { page, finish } = await visit(browser, site, {}, [/503/]);
    site.tamper = tamper;
    try {
      await page.goto(`${site.url}/certificate/${certificate.certificate}`);
      await decided(page);
      const told = await cardOf(page);
      assert.match(told.holds, new RegExp(`^(${holds})$`), JSON.stringify(told));
      assert.match(await page.innerText('#card .proof'), words);
      if (told.holds !== 'true') assert.equal(told.text, '');
    } finally {
      site.tamper = null;
    }
    await finish();
  }
});

test('a server that shows less than before lags: nothing that it shows is false', async () => {
  const { page, finish } = await visit(browser, site);
  const path = `${site.url}/certificate/${certificate.certificate}`;
  await page.goto(path);
  assert.equal(await decided(page), 'true');
  // Its proofs are good: it only shows what it was.
  site.tamper = serving(new Forged(honest().origin, site.logKey, entries.slice(0, entries.length - 1)));
  try {
    await page.goto(path);
    assert.equal(await decided(page), 'true', await page.textContent('#verdict'));
    assert.equal((await states(page)).consistency, 'noted');
    assert.match(await page.textContent('[data-check=consistency] .hint'), /lags/);
    assert.equal((await cardOf(page)).holds, 'true');
    assert.match(await page.innerText('#card .proof'), /it lags, or holds newer entries back/);
    assert.equal(await page.locator('#fork').count(), 0);
  } finally {
    site.tamper = null;
  }
  await finish();
});

test('a page that a browser translated is not checked, and accuses nobody', async () => {
  const { context, page, finish } = await visit(browser, site);
  await context.addInitScript(() => {
    document.addEventListener('DOMContentLoaded', () => {
      for (const fact of document.querySelectorAll('[data-fact="claim.species_name"]')) {
        const font = document.createElement('font');
        font.textContent = 'Eisenholzbaum';
        fact.replaceChildren(font);
      }
    });
  });
  await page.goto(`${site.url}/certificate/${certificate.certificate}`);
  assert.equal(await decided(page), 'unable');
  assert.match(await page.textContent('#verdict'), /translated/);
  assert.equal((await cardOf(page)).holds, 'true');
  assert.equal(await page.locator('[data-fact]:not([translate=no])').count(), 0);
  await finish();
});

test('an address that is written otherwise leads to the page', async () => {
  const { account, certificate: index } = certificate;
  const [plot, serial] = tree().split('/');
  for (const [asked, path] of [
    [`/certificate/+${index}`, `/certificate/${index}`], [`/certificate/00${index}/?x=1`, `/certificate/${index}?x=1`],
    [`/tree/0${plot}/${serial}`, `/tree/${tree()}`], [`/account/${account.toUpperCase()}`, `/account/${account}`], ['/method/', '/method'],
  ]) {
    const answer = await fetch(site.real + asked, { redirect: 'manual' });
    assert.deepEqual([answer.status, answer.headers.get('location')], [308, path]);
  }
});

test('an honest forger passes: what turned red was the lie', async () => {
  const { page, finish } = await visit(browser, site);
  site.tamper = serving(honest());
  await page.goto(`${site.url}/certificate/${certificate.certificate}`);
  assert.equal(await decided(page), 'true');
  site.tamper = null;
  await finish();
});

test('a receipt is verified with the network off, and kept as one page that verifies itself', async () => {
  const receipt = await (await fetch(`${site.real}/v1/receipts/${certificate.certificate}`)).text();
  const { context, page, finish } = await visit(browser, site, { acceptDownloads: true });
  await page.goto(`${site.url}/receipt`);
  await page.waitForSelector('#save:not([hidden])');
  await context.setOffline(true);
  await page.setInputFiles('#file', { name: 'a.tlog-proof', mimeType: 'text/plain', buffer: Buffer.from(receipt) });
  assert.equal(await decided(page), 'true');
  assert.match(await page.textContent('#found'), new RegExp(certificate.account));

  const download = page.waitForEvent('download');
  await page.click('#save');
  const saved = readFileSync(await (await download).path(), 'utf8');

  // The other leaf of the same two: its proof has as many hashes.
  const beside = (text) => text.replace(/^index (\d+)/m, (_, index) => `index ${Number(index) ^ 1}`);
  for (const [given, check, holds] of [
    [beside(receipt), 'inclusion', 'false'],
    [receipt.replace('extra A', 'extra B'), 'checkpoint', 'unable'],
    [receipt.slice(0, -2), 'checkpoint', 'unable'],
    ['not a receipt', 'checkpoint', 'unable'],
  ]) {
    await page.fill('#text', given);
    await page.click('form button');
    await page.waitForSelector(`#panel[data-holds=${holds}]`);
    assert.equal((await states(page))[check], holds === 'false' ? 'failed' : 'waiting', check);
  }
  // Blanks around a paste are the clipboard's.
  await page.fill('#text', `\n  ${receipt.replaceAll('\n', ' \n  ')}\n\n`);
  await page.click('form button');
  await page.waitForSelector('#panel[data-holds=true]');
  // A file is read by its bytes, as the command line reads it.
  const crlf = Buffer.from(receipt.replaceAll('\n', '\r\n'));
  await page.setInputFiles('#file', { name: 'a.tlog-proof', mimeType: 'text/plain', buffer: crlf });
  await page.waitForFunction(() => document.getElementById('found').textContent.includes('CRLF'));
  assert.equal(await decided(page), 'unable');
  // Dropped anywhere on the page.
  const dropped = await page.evaluateHandle((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], 'dropped.tlog-proof'));
    return data;
  }, receipt);
  await page.dispatchEvent('body', 'drop', { dataTransfer: dropped });
  await page.waitForSelector('#panel[data-holds=true]');
  await finish();

  const alone = await visit(browser, site, { offline: true });
  const file = join(site.dir, 'receipt.html');
  writeFileSync(file, saved);
  await alone.page.goto(`file://${file}`);
  assert.equal(await decided(alone.page), 'true', await alone.page.textContent('body'));
  writeFileSync(file, beside(saved));
  await alone.page.goto(`file://${file}`);
  assert.equal(await decided(alone.page), 'false');
  await alone.finish();
});

test('an account, a plot, an entry, the method and how to check us', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(`${site.url}/account/${certificate.account}`);
  let text = await page.textContent('main');
  const { balance } = await site.json(`/v1/accounts/${certificate.account}`);
  assert.ok(text.includes(BigInt(balance).toLocaleString('en')));
  assert.match(text, /Bicycle trip: [0-9.]+ km × 167\.25 g = [0-9,]+ g/);
  assert.match(text, /can read its whole statement/);
  // All lines of all pages make the balance.
  let sum = 0;
  for (;;) {
    for (const cell of await page.$$eval('td.r', (cells) => cells.map((it) => it.textContent))) {
      sum += Number(cell.replace(/[,+]/g, '').replace('−', '-'));
    }
    const older = page.getByRole('link', { name: 'Older', exact: true });
    if ((await older.count()) === 0) break;
    await older.click();
    await page.waitForLoadState();
  }
  assert.equal(String(sum), balance);

  await page.goto(`${site.url}/plot/${certificate.tree.plot}`);
  assert.equal(await decided(page), 'true');
  text = await page.textContent('main');
  assert.match(text, /Standing a hectare/);
  await page.goto(`${site.url}/entry/${certificate.certificate}`);
  assert.equal(await decided(page), 'true');
  text = await page.textContent('main');
  assert.ok(text.includes(entries[certificate.certificate].toString('hex')));
  await page.click('a[rel=next]');
  await page.waitForURL(`${site.url}/entry/${certificate.certificate + 1}`);
  await page.goto(`${site.url}/method`);
  assert.match(await page.textContent('main'), /DESNZ/);
  assert.match(await page.textContent('main'), /167\.25/);
  await page.goto(`${site.url}/check`);
  const commands = await page.textContent('.steps');
  assert.ok(commands.includes(`arborlog audit ${site.url} --log '${honest().vkey}'`));
  assert.match(await page.textContent('main'), /told elsewhere/);
  await finish();
});

test('the certificate prints with a code that leads to its check', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(`${site.url}/certificate/${certificate.certificate}`);
  await decided(page);
  await page.emulateMedia({ media: 'print' });
  assert.ok(await page.locator('.qr svg').isVisible());
  // Paper is a witness against a fork, and no proof of a check.
  const paper = await page.innerText('body');
  const { size, root } = await page.$eval('.paper-only', (part) => ({ size: part.querySelectorAll('dd')[1].textContent, root: part.querySelectorAll('dd')[2].textContent }));
  assert.ok(paper.includes(honest().vkey) && Number(size) > certificate.certificate && /^[A-Za-z0-9+/]{43}=$/.test(root), paper);
  assert.ok(!paper.includes(certificate.account));
  assert.equal(await page.locator('#card .proof').isVisible(), false);
  assert.ok(!(await page.locator('nav').first().isVisible()));
  assert.ok(!(await page.locator('#print').isVisible()));
  assert.ok((await page.pdf()).subarray(0, 5).toString() === '%PDF-');
  const svg = await page.locator('.qr svg').evaluate((it) => it.outerHTML);
  await finish();

  const { default: jsqr } = await import('jsqr');
  const blank = await browser.newPage();
  const { data, side } = await blank.evaluate(async (drawn) => {
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(drawn)}`;
    await image.decode();
    const canvas = Object.assign(document.createElement('canvas'), { width: 400, height: 400 });
    const drawing = canvas.getContext('2d');
    drawing.drawImage(image, 0, 0, 400, 400);
    return { data: [...drawing.getImageData(0, 0, 400, 400).data], side: 400 };
  }, svg);
  await blank.close();
  const code = (jsqr.default ?? jsqr)(Uint8ClampedArray.from(data), side, side);
  assert.equal(code?.data, `${site.url}/certificate/${certificate.certificate}`);
});

test('a certificate is shared as a link and a picture, which say nothing of a check', async () => {
  const path = `/certificate/${certificate.certificate}`;
  const badge = await fetch(`${site.real}/badge${path}.svg`, { headers: { 'accept-language': 'en' } });
  assert.deepEqual([badge.status, badge.headers.get('content-type'), badge.headers.get('x-robots-tag')], [200, 'image/svg+xml', 'noindex']);
  const drawn = await badge.text();
  assert.ok(drawn.includes(certificate.species_name) && drawn.includes(tree()) && drawn.includes(path) && !drawn.includes(certificate.account));
  assert.match(drawn, /Found alive by the latest surveys: [0-9,]+ of [0-9,]+ looked for/);
  assert.doesNotMatch(drawn, /verif|proven|check|green|1b6e3c/i);
  for (const wrong of ['/badge/certificate/0.svg', `/badge${path}`, '/badge/certificate/x.svg']) {
    assert.ok([400, 404].includes((await fetch(site.real + wrong)).status), wrong);
  }
  const { context, page, finish } = await visit(browser, site);
  // A browser that opens a picture by itself looks for an icon that nothing names.
  const icon = await fetch(`${site.real}/favicon.ico`);
  assert.deepEqual([icon.status, icon.headers.get('content-type')], [200, 'image/svg+xml']);
  await page.goto(`${site.url}/badge${path}.svg`);
  await page.waitForLoadState('networkidle');
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.goto(site.url + path);
  const meta = (name) => page.getAttribute(`meta[property="og:${name}"]`, 'content');
  assert.match(await meta('title'), new RegExp(`^One ${certificate.species_name}, planted .*\\d{4}`));
  assert.equal(await page.textContent('h1'), await meta('title'));
  for (const name of ['title', 'description', 'url']) assert.ok(!(await meta(name)).includes(certificate.account), name);
  await page.click('#share');
  await page.waitForFunction(() => document.getElementById('share').textContent === 'The link is copied');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), site.url + path);
  await finish();
});

for (const [width, colorScheme] of [[360, 'light'], [360, 'dark'], [1280, 'light'], [1280, 'dark']]) {
  test(`every page at ${width} pixels, ${colorScheme}: nothing overflows, and axe finds nothing`, async () => {
    const { page, finish } = await visit(browser, site, { viewport: { width, height: 800 }, colorScheme }, missing);
    for (const path of [...everyPage(), '/check.html', `/embed/certificate/${certificate.certificate}`]) {
      await page.goto(site.url + path);
      if (await page.$('#panel[data-receipts]')) await decided(page);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${path} is ${over} pixels too wide`);
      const found = await page.evaluate(async (source) => {
        // By the tests' own door: the page's policy lets no script in.
        (0, eval)(source);
        return (await window.axe.run()).violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.html).join(' ')}`);
      }, axe).catch((error) => [error.message]);
      assert.deepEqual(found, [], path);
    }
    await finish();
  });
}

test('with a keyboard alone', async () => {
  const { page, finish } = await visit(browser, site);
  await page.goto(site.url);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  while ((await page.evaluate(() => document.activeElement.id)) !== 'q') await page.keyboard.press('Tab');
  await page.keyboard.type(tree());
  await page.keyboard.press('Enter');
  await page.waitForURL(`${site.url}/tree/${tree()}`);
  await decided(page);
  const isTick = () => page.evaluate(() => document.activeElement.tagName === 'SUMMARY');
  for (let presses = 0; !(await isTick()); presses += 1) {
    assert.ok(presses < 100);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  assert.ok(await page.locator('[data-check=entry] pre').first().isVisible());
  await finish();
});

test('without scripts a page is complete, and says how to verify', async () => {
  const { page, finish } = await visit(browser, site, { javaScriptEnabled: false });
  await page.goto(`${site.url}/certificate/${certificate.certificate}`);
  const text = await page.textContent('main');
  assert.ok(text.includes(certificate.species_name) && text.includes(certificate.account));
  assert.match(await page.innerHTML('noscript'), /arborlog receipt --from/);
  await finish();
});

const withoutEd25519 = (context) => context.addInitScript(() => {
  crypto.subtle.importKey = () => Promise.reject(new DOMException('no such algorithm', 'NotSupportedError'));
});

test('a browser without Ed25519 verifies by BigInt, and only such a browser fetches that', async () => {
  const receipt = await (await fetch(`${site.real}/v1/receipts/${certificate.certificate}`)).text();
  for (const lacks of [false, true]) {
    const { context, page, finish } = await visit(browser, site, { acceptDownloads: true });
    if (lacks) await withoutEd25519(context);
    const asked = [];
    context.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await page.goto(`${site.url}/certificate/${certificate.certificate}`);
    assert.equal(await decided(page), 'true');
    assert.equal((await cardOf(page)).holds, 'true');
    assert.equal(asked.includes('/web/verifier/ed25519.mjs'), lacks);
    await page.goto(`${site.url}/receipt`);
    await page.waitForSelector('#save:not([hidden])');
    await page.waitForLoadState('networkidle');
    await context.setOffline(true);
    await page.setInputFiles('#file', { name: 'a.tlog-proof', mimeType: 'text/plain', buffer: Buffer.from(receipt) });
    assert.equal(await decided(page), 'true');
    const download = page.waitForEvent('download');
    await page.click('#save');
    const saved = readFileSync(await (await download).path(), 'utf8');
    await finish();

    const alone = await visit(browser, site, { offline: true });
    if (lacks) await withoutEd25519(alone.context);
    const file = join(site.dir, 'receipt.html');
    // A bit of the log's line on the checkpoint, and the file as it is.
    for (const [holds, text] of [['true', saved], ['false', saved.replace(/(\u2014 \S+ \S{20})(.)/, (_, before, digit) => before + (digit === 'A' ? 'B' : 'A'))]]) {
      writeFileSync(file, text);
      await alone.page.goto(`file://${file}`);
      assert.equal(await decided(alone.page), holds, await alone.page.textContent('body'));
    }
    await alone.finish();
  }
});

test('a browser that gives the page no cryptography says so, and ticks nothing', async () => {
  const { context, page, finish } = await visit(browser, site);
  await context.addInitScript(() => Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined }));
  await page.goto(`${site.url}/tree/${tree()}`);
  assert.equal(await decided(page), 'unable');
  assert.match(await page.textContent('#verdict'), /gives pages no cryptography/);
  assert.ok(Object.values(await states(page)).every((state) => state === 'waiting'));
  await finish();
});

test('what leads to one person is kept from crawlers, and programs of other sites may read what anybody may', async () => {
  const open = (path, accept = 'text/html') => fetch(site.real + path, { headers: { accept, 'accept-language': 'fr' } });
  for (const [path, kept] of [
    [`/account/${certificate.account}`, false], [`/entry/${certificate.certificate}`, false], [`/certificate/${certificate.certificate}`, false],
    ['/', true], [`/plot/${certificate.tree.plot}`, true], [`/tree/${tree()}`, true], ['/method', true],
  ]) {
    const answer = await open(path);
    assert.equal(answer.headers.get('x-robots-tag'), kept ? null : 'noindex', path);
    assert.equal((await answer.text()).includes('<meta name="robots" content="noindex">'), !kept, path);
  }
  const robots = await (await open('/robots.txt')).text();
  assert.deepEqual(robots.match(/^Disallow: .*$/gm), ['Disallow: /account/', 'Disallow: /search']);
  // The pseudonym is there for who opens it, and not on paper.
  const { page, finish } = await visit(browser, site);
  await page.goto(`${site.url}/certificate/${certificate.certificate}`);
  const account = page.locator('[data-fact="claim.account"]');
  assert.equal(await account.isVisible(), false);
  await page.click('.certificate details summary');
  assert.ok(await account.isVisible());
  await finish();

  for (const path of ['/v1/totals', '/v1/checkpoint', '/checkpoint', '/tile/0/000', `/v1/receipts/${certificate.certificate}`, '/v1/proofs/consistency?from=5']) {
    assert.equal((await open(path)).headers.get('access-control-allow-origin'), '*', path);
  }
  for (const path of ['/', '/metrics']) assert.equal((await open(path)).headers.get('access-control-allow-origin'), null, path);

  for (const [path, accept, kind] of [['/nowhere', 'text/html', 'text/html'], ['/nowhere', '*/*', 'application/problem+json'], ['/tree/1/4000000000', '*/*', 'text/html']]) {
    const answer = await open(path, accept);
    assert.equal(answer.status, 404, path);
    assert.ok(answer.headers.get('content-type').startsWith(kind), `${path}: ${answer.headers.get('content-type')}`);
    if (kind === 'text/html') assert.match(await answer.text(), /Il n’y a ici ni page/);
  }
});

test('in the language that the reader likes, or chose', async () => {
  const { page, finish } = await visit(browser, site, { locale: 'fr-FR' });
  await page.goto(`${site.url}/tree/${tree()}?x=1`);
  assert.equal(await page.getAttribute('html', 'lang'), 'fr');
  assert.equal(await decided(page), 'true');
  await page.click('footer a[hreflang=zh-Hans]');
  await page.waitForURL(`${site.url}/tree/${tree()}?x=1`);
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-Hans');
  assert.equal(await decided(page), 'true');
  await page.goto(site.url);
  assert.match(await page.textContent('main'), /总计/);
  // A link in one language is in that one, whatever was chosen; and choosing another leaves it.
  await page.goto(`${site.url}/tree/${tree()}?lang=en&x=1`);
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  assert.equal(await decided(page), 'true');
  await page.click('footer a[hreflang=fr]');
  await page.waitForURL(`${site.url}/tree/${tree()}?x=1`);
  assert.equal(await page.getAttribute('html', 'lang'), 'fr');
  for (const away of ['//evil.example', 'https://evil.example', '/\\evil.example']) {
    const answer = await fetch(`${site.real}/language?to=fr&back=${encodeURIComponent(away)}`, { redirect: 'manual' });
    assert.equal(answer.headers.get('location'), '/');
  }
  await finish();
});

test('the first page is light, and every page has its policy', async () => {
  const { page, finish } = await visit(browser, site);
  const answers = [];
  page.on('response', (answer) => {
    if (!answer.url().endsWith('/live')) answers.push(answer);
  });
  await page.goto(site.url);
  await cardOf(page);
  await page.waitForTimeout(500);
  // What the card takes comes behind the page, which is read meanwhile: the verifier and what it verifies.
  const isProof = (answer) => /^\/(v1\/|web\/joined\/proven\.mjs|worker\.js|web\/SHA256SUMS)/.test(new URL(answer.url()).pathname);
  const bodies = await Promise.all(answers.filter((answer) => !isProof(answer)).map((answer) => answer.body()));
  const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
  assert.ok(bytes > 10_000 && bytes < 100_000, `${bytes} bytes`);
  const sizes = await Promise.all(answers.map((answer) => answer.request().sizes()));
  const sent = sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0);
  assert.ok(sent < 100_000, `${sent} bytes are sent`);
  for (const path of everyPage()) {
    const { headers } = await fetch(site.real + path);
    assert.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self';/, path);
  }
  await finish();
});

// Of each form of entry another thing is signed: the record, a batch by its seal, or nothing but the checkpoint.
test('a state entry, a seal and a sealed entry are held, and say what is signed, in each language', async () => {
  const withStates = await Site.start({ stateEveryMs: 100 });
  try {
    const plot = {
      kind: 'plot', number: 78, name: 'One more', country: 'CN',
      place: { circle: { latitude: 399000000, longitude: 1160000000, radius_m: 500 } }, finer_outline: null,
      area_m2: 500000, trees_per_ha_max: 1000, carbon_rights: 'none_issued', funded_by: 'Friends', for: [],
    };
    const file = join(withStates.dir, 'plot.ndjson');
    writeFileSync(file, `${JSON.stringify(plot)}\n`);
    withStates.run('submit', file, '--to', withStates.real, '--key', join(withStates.dir, 'keys', 'planter.pem'));
    let receipt;
    while (!receipt?.ok) receipt = await fetch(`${withStates.real}/v1/proofs/state?domain=totals`);
    const state = Number(/^index (\d+)$/m.exec(await receipt.text())[1]);
    const all = await withStates.entries();
    const sealed = all.findLastIndex((entry) => entry.readUInt16BE(0) === 2);
    const seal = sealed + all[sealed].readUInt16BE(2);
    const said = {
      'en-GB': [/which nobody signs but the checkpoint/, /issuer’s key over just these bytes/, `signature of their seal, entry ${seal}`],
      'fr-FR': [/que personne ne signe, hormis le point de contrôle/, /sur exactement ces octets/, `leur sceau, l’entrée ${seal}`],
      'zh-CN': [/除检查点外无人签署/, /由签发者的密钥对这些字节签署/, `由其封印（记录 ${seal}）的签名覆盖`],
    };
    for (const [locale, hints] of Object.entries(said)) {
      const { page, finish } = await visit(browser, withStates, { locale });
      for (const [place, index] of [state, seal, sealed].entries()) {
        await page.goto(`${withStates.url}/entry/${index}`);
        assert.equal(await page.getAttribute('html', 'lang'), locale === 'zh-CN' ? 'zh-Hans' : locale.slice(0, 2));
        assert.equal(await decided(page), 'true', `${locale}: entry ${index}`);
        const found = await states(page);
        const ofIssuer = index === state ? 'noted' : 'held';
        for (const check of HELD) {
          const expected = ['signature', 'role', 'authority'].includes(check) ? ofIssuer : 'held';
          if (check !== 'consistency') assert.equal(found[check], expected, `${locale}: entry ${index}, ${check}`);
        }
        const hint = await page.textContent('[data-check=signature] .hint');
        // Before the scripts, and without them, the page says it of the checkpoint.
        const source = await (await fetch(`${withStates.real}/entry/${index}`, { headers: { 'accept-language': 'en' } })).text();
        assert.equal(source.includes('nobody signs it but the checkpoint'), index === state);
        const told = typeof hints[place] === 'string' ? hint.includes(hints[place]) : hints[place].test(hint);
        assert.ok(told, `${locale}: entry ${index}: ${hint}`);
      }
      await finish();
    }
  } finally {
    await withStates.close();
  }
});

test('the page of an award tells what was taken back of it, and of a voided entry which one voided it', async () => {
  const { reversals } = await site.json('/v1/reversals');
  const [{ award }] = reversals;
  const { page, finish } = await visit(browser, site);
  await page.goto(`${site.url}/entry/${award}`);
  const link = await page.getAttribute('.corrected a', 'href');
  assert.match(link, /^\/(entry|account)\/[0-9a-f]+$/);
  assert.match(await page.textContent('.corrected'), /Taken back/);
  await page.goto(site.url + link);
  assert.ok((await page.textContent('main')).includes(String(award)));
  await finish();
});
