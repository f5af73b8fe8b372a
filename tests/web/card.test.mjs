// What the card tells of proofs, and in which words; without a browser.
// `node --test tests/web/card.test.mjs`

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { ANY_WORDS } from '../../src/web/any/words.mjs';
import { hasCard, prove } from '../../src/web/card/proofs.mjs';
import { SENTENCES } from '../../src/web/card/sentences.mjs';
import { Teller } from '../../src/web/card/tell.mjs';
import { WORDS } from '../../src/web/card/words.mjs';

const parts = (text) => [...new Set([...text.matchAll(/\{(\w+)[|}]/g)].map(([, name]) => name))].sort();

test('every language has the same words with the same parts, and none is empty', () => {
  for (const all of [WORDS, ANY_WORDS]) {
    for (const [tag, words] of Object.entries(all)) {
      assert.deepEqual(Object.keys(words), Object.keys(all.en), tag);
      for (const [name, text] of Object.entries(words)) {
        assert.deepEqual(parts(text), parts(all.en[name]), `${tag}: ${name}`);
        assert.notEqual(text.trim(), '', `${tag}: ${name}`);
      }
    }
  }
});

test('the card, and what pages are held against, have the words of the pages', () => {
  for (const tag of Object.keys(WORDS)) {
    const texts = JSON.parse(readFileSync(new URL(`../../src/web/texts/${tag}.json`, import.meta.url), 'utf8'));
    for (const name of ['basis_census', 'basis_random_sample', 'basis_remote_sensing', 'any_platform', 'rights_none_issued', 'rights_issued', 'rights_unknown']) {
      assert.equal(WORDS[tag][name], texts[name], `${tag}: ${name}`);
    }
    assert.equal(WORDS[tag].between.replace(/\{\w+\}/g, '{}'), texts.between, tag);
    for (const [name, text] of Object.entries(SENTENCES[tag])) {
      assert.deepEqual(parts(text), parts(SENTENCES.en[name]), `${tag}: ${name}`);
    }
    assert.deepEqual(Object.keys(SENTENCES[tag]), Object.keys(SENTENCES.en));
  }
});

test('a noun agrees with its number, as Intl has it', () => {
  for (const tag of ['en', 'fr', 'zh-Hans']) {
    const teller = new Teller(tag);
    const rules = new Intl.PluralRules(tag);
    for (const number of [0, 1, 2, 10, 11, 21, 101, 1_001]) {
      const said = teller.fill('{points|one #|many #}', { points: teller.n(number) });
      assert.equal(said, `${rules.select(number) === 'one' ? 'one' : 'many'} ${teller.n(number)}`, `${tag}: ${number}`);
    }
  }
  const [english, french, chinese] = ['en', 'fr', 'zh-Hans'].map((tag) => new Teller(tag));
  const balances = (teller) => [0n, 1n, 2n].map((balance) => teller.account({ balance }).standing);
  assert.deepEqual(balances(english), ['Its balance is 0 points.', 'Its balance is 1 point.', 'Its balance is 2 points.']);
  assert.deepEqual(balances(french), ['Son solde est de 0 point.', 'Son solde est de 1 point.', 'Son solde est de 2 points.']);
  assert.deepEqual(balances(chinese), ['余额为 0 积分。', '余额为 1 积分。', '余额为 2 积分。']);
  const found = { looked_for: '1', alive: '1' };
  assert.equal(english.say('survey_found', found), 'of 1 tree that it looked for, 1 was alive');
  assert.equal(french.say('survey_found', found), 'sur 1 arbre recherché, 1 était vivant');
  // Whatever the number, nothing of a choice is left.
  for (const teller of [english, french, chinese]) {
    for (const text of [...Object.values(teller.words), ...Object.values(teller.sentences)]) {
      for (const number of ['0', '1', '2']) {
        const said = teller.fill(text, Object.fromEntries(parts(text).map((name) => [name, number])));
        assert.doesNotMatch(said, /[{}#|]|undefined/);
        assert.doesNotMatch(said, number === '1' ? /\b1 (points|entries|trees|arbres|entrées)\b/ : /\b2 (point|entry|tree|arbre|entrée)\b/);
      }
    }
  }
});

const STATE = { size: 1000n, at: 1_700_000_000_000n, index: 1000n, newest: 1001n };
const PLOT = {
  number: 3, name: 'North Ridge', country: 'CN', holder: 'green-hands', funded_by: 'Payments Ltd', planted: 40n, lost: 4n, with_claim: 30n,
};
const PLANTING = { entry: 500n, planted_from: 20_000, planted_until: 20_000 };
const SURVEY = {
  surveyed_on: 20_100, basis: 'census', alive: 31, dead: 4, not_found: 5, as_of: 900n, planting: null,
};
const certificate = (change) => ({
  page: 'certificate', state: STATE, index: 700n, species: 'Haloxylon ammodendron', claimed_on: 20_050, voided: null,
  claim: { points: 17_900n, tree: { kind: 'has', plot: 3, serial: 7 } },
  tree: { planting: PLANTING, plot: PLOT, survey: SURVEY },
  issuers: [{ key: { task: { display_name: 'Platform A' }, revoked_at: null }, entries: [700n] }],
  ...change,
});
const withTree = (change) => certificate({ tree: { planting: PLANTING, plot: PLOT, survey: SURVEY, ...change } });

test('how a certificate stands is told first, and only a surveyed tree is told in green', () => {
  const teller = new Teller('en');
  for (const [proven, tone, words] of [
    [certificate({}), 'good', /found 31 of 40 alive/],
    [withTree({ survey: { ...SURVEY, alive: 20, dead: 15 } }), 'open', /found 20 of 40 alive/],
    [withTree({ survey: null }), 'open', /Nobody has surveyed/],
    [withTree({ survey: { ...SURVEY, planting: 499n } }), 'open', /did not look at it/],
    [withTree({ survey: { ...SURVEY, surveyed_on: 19_999 } }), 'open', /did not look at it/],
    [withTree({ survey: { ...SURVEY, as_of: 499n } }), 'open', /did not look at it/],
    [withTree({ plot: { ...PLOT, lost: 11n } }), 'bad', /Fewer trees stand/],
    [certificate({ claim: { points: 1n, tree: { kind: 'waits' } }, tree: null }), 'open', /Waits/],
    [certificate({ claim: { points: 1n, tree: { kind: 'voided' } }, tree: null, voided: { by: 800n, reason: 'Twice' } }), 'bad', /Voided/],
  ]) {
    const told = teller.tell(proven);
    assert.equal(told.tone, tone, told.standing);
    assert.match(told.standing, words);
  }
});

test('a certificate is told in the numbers and days of each language', () => {
  const rows = (tag) => Object.fromEntries(new Teller(tag).tell(certificate({})).rows);
  const english = rows('en');
  assert.equal(english['Latest survey of the plot'], '12 January 2025, census: of 40 trees that it looked for, 31 were alive');
  assert.equal(english['The plot’s books'], '36 of 40 planted trees stand, 30 have a certificate');
  assert.match(english.Claimed, /^for 17,900 points, on 23 November 2024$/);
  assert.equal(english['Stated by'], 'Platform A');
  assert.match(rows('fr')['Échangé'], /^contre 17[\u202f\u00a0]900 points, le 23 novembre 2024$/);
  assert.match(rows('zh-Hans')['兑换'], /17,900 积分，2024年11月23日/);
  assert.deepEqual(Object.keys(new Teller('de').words), Object.keys(WORDS.en));
});

test('a key that was revoked since is said, and entries that came since', () => {
  const told = new Teller('en').tell(certificate({
    state: { ...STATE, newest: 1_500n },
    issuers: [{ key: { task: { display_name: 'Platform A' }, revoked_at: 900n }, entries: [700n] }],
  }));
  assert.match(told.rows.find(([name]) => name === 'Stated by')[1], /revoked since/);
  assert.match(told.asOf, /Since then 499 entries came/);
});

test('totals and balances are told in points and trees', () => {
  const teller = new Teller('en');
  const totals = {
    awarded: 6_528_916n, reversed: 5_454n, claimed: 6_175_500n, planted_recorded: 4_541n, planted_voided: 270n, lost: 30n, standing: 4_241n,
    assigned: 328n, waiting: 17n, claims: 345n,
  };
  const told = teller.tell({ page: 'totals', state: STATE, totals });
  assert.equal(told.standing, '4,241 trees stand in the books; 328 of them have a certificate.');
  const rows = Object.fromEntries(told.rows);
  assert.equal(rows['Points awarded'], '6,528,916, of which 5,454 were taken back');
  assert.equal(rows.Planted, '4,271 trees, of which 30 were lost');
  assert.equal(teller.tell({ page: 'totals', state: STATE, totals: { ...totals, assigned: 5_000n } }).tone, 'bad');
  const account = (balance) => teller.tell({ page: 'account', state: STATE, balance });
  assert.equal(account(10_313n).standing, 'Its balance is 10,313 points.');
  assert.match(account(null).standing, /No record ever named/);
});

test('an entry is told in a sentence, and what corrected it first', () => {
  const entry = (change) => ({
    admitted_at: 1_700_000_000_000n, issued_on: 16_073,
    statement: { kind: 'award', points: 326n, method: 1, version: 1, activity: 1, quantity: 1_950n, occurred_on: 16_073, ...change },
  });
  const key = { task: { kind: 'granted', display_name: 'Bay Bike Points' }, revoked_at: null, compromised_since: null };
  const names = { by: 'Bay Bike Points', activity: 'Bicycle trip', unit: 'km' };
  const told = (change, tag = 'en') => new Teller(tag).tell({
    page: 'entry', index: 5n, entry: entry(), size: 1_001n, state: STATE, key, names, correctable: true, corrected: { found: null }, ...change,
  });
  assert.equal(told({}).title, 'Entry 5: Bay Bike Points gave 326 points for 1.95 km (Bicycle trip) on 3 January 2014');
  assert.match(told({}, 'fr').title, /^Entrée 5\u00a0: Bay Bike Points a attribué 326 points pour 1,95 km \(Bicycle trip\) le 3 janvier 2014$/);
  assert.equal(told({}, 'zh-Hans').title, '记录 5：Bay Bike Points 为2014年1月3日的 1.95 km（Bicycle trip） 发放了 326 积分');
  assert.match(told({ names: { ...names, by: 'مبادرة' } }).title, /^Entry 5: \u2068مبادرة\u2069 gave/);
  for (const [change, tone, words] of [
    [{}, 'plain', /nothing corrected it/],
    [{ corrected: null }, 'open', /not proven yet/],
    [{ correctable: false, corrected: null }, 'plain', /No correction can name/],
    [{ corrected: { found: { points: 300n } } }, 'bad', /^300 of its 326 points were taken back/],
    [{ entry: entry({ kind: 'transfer', reason: 'gift' }), corrected: { found: { by: 9n } } }, 'bad', /^Voided by entry 9/],
    [{ entry: entry({ kind: 'correction', reason: 'x', target: 1n, remedy: { kind: 'lost', count: 1, lost_on: 1 } }), corrected: { found: null } }, 'bad', /counts no more/],
    [{ entry: entry({ kind: 'correction', reason: 'x', target: 1n, remedy: { kind: 'lost', count: 1, lost_on: 1 } }), corrected: { found: {}, voided: null } }, 'plain', /nothing corrected it/],
  ]) {
    assert.equal(told(change).tone, tone, told(change).standing);
    assert.match(told(change).standing, words);
  }
  assert.match(told({ key: { ...key, revoked_at: 9n, compromised_since: 16_000 } }).rows.map((row) => row.join(' ')).join('\n'), /revoked since.*Its key is in doubt since 22 October 2013/s);
  assert.equal(told({ state: null }).asOf, 'It is among the 1,001 entries of the log.');
});

test('witnesses and auditors are told by name and time, and none of them is invented', () => {
  const one = { as: 'w1', name: 'witness.example.org/w1', role: 'witness', saw: true, unchecked: false, seconds: 1_700_000_000n, size: 1_001n };
  const teller = new Teller('en');
  assert.deepEqual(teller.seenBy(null), []);
  assert.deepEqual(teller.seenBy({ cosigners: [one, { ...one, seconds: null }, { ...one, as: 'audit-n', role: 'auditor', saw: false }, { ...one, saw: false, unchecked: true }] }), [
    'w1 (witness): the first 1,001 entries, 14 Nov 2023, 22:13 UTC', 'w1 (witness): the first 1,001 entries, at no time that it says',
    'audit-n (auditor): no word of it yet', 'w1 (witness): a line of ML-DSA, which can’t be checked here',
  ]);
});

test('whom the operator asks for is told as the operator’s choice, and not as the governors’', () => {
  const teller = new Teller('en');
  assert.match(teller.quorum({ met: true, isOperators: false }), /^Those whom the governors ask for have/);
  assert.match(teller.quorum({ met: true, isOperators: true }), /^Those whom the operator asks for have.*governors named nobody/);
  assert.match(teller.quorum({ met: false, isOperators: true }), /^Not all whom the operator asks for/);
});

test('only canonical addresses of what a state proof tells have a card', () => {
  for (const path of ['/certificate/0', '/certificate/33258', '/tree/1/373', '/plot/7', '/entry/5', '/', `/account/${'0a'.repeat(32)}`]) assert.ok(hasCard(path), path);
  for (const path of ['/account/1', '/certificate/+1', '/certificate/01', '/certificate/1/', '/tree/1', '/entry/05', '/plot/-1']) {
    assert.ok(!hasCard(path), path);
  }
});

test('a tree whose certificate is proven to have another one is not told', async () => {
  const key = Uint8Array.of(0, 0, 0, 3, 0, 0, 0, 7);
  const state = { entry: { statement: { size: 9n }, admitted_at: 0n }, checkpoint: { size: 10n }, index: 9n };
  const answers = (tree) => async (path) => (path.includes('certificate')
    ? { ...state, file: { about: 'certificate', index: 700n, claim: { tree } } }
    : { ...state, items: [{ domain: 'trees', key, found: { fields: { claim: 700n, assignment: 701n } } }] });
  const good = await prove('/tree/3/7', answers({ kind: 'has', plot: 3, serial: 7 }));
  assert.equal(good.certificate.index, 700n);
  for (const other of [{ kind: 'has', plot: 3, serial: 8 }, { kind: 'waits' }]) {
    await assert.rejects(prove('/tree/3/7', answers(other)), (error) => error.outcome === 'unchecked');
  }
});
