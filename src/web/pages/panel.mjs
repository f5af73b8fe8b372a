// The panel of a page: fetches the receipts that the page rests on and verifies them here, one
// check after the other. Nothing that the server says of itself is believed. Above the page stands the card (`card/`), if
// state proofs tell what the page is about: it says what was proven, whatever the page says.

import { Card } from './card/card.mjs';
import { newElement, setState, showBehind, showText, why } from './checks.mjs';
import { Refused, hex, need } from './verifier/codec.mjs';
import { LOG, openCheckpoint, parseVkey } from './verifier/note.mjs';
import { checkLogKey, verifyReceipt } from './verifier/receipt.mjs';
import { recordId } from './verifier/record.mjs';
import { checkGenesis, compare, follows, forget, keepGenesis, proveBy } from './verifier/seen.mjs';
import { canVerify } from './verifier/signature.mjs';
import { CHECKS_OF_ISSUER, checkStory, formText, isStated, recordIn } from './verifier/story.mjs';

const panel = document.getElementById('panel');
const verdict = document.getElementById('verdict');
const words = JSON.parse(document.body.dataset.words);
const card = Card.on(document, location.pathname);
const items = new Map([...panel.querySelectorAll('[data-check]')].map((item) => [item.dataset.check, item]));
// The checks that each receipt goes through. That the chain ends at the genesis is shown under authority.
const EACH = ['entry', 'signature', 'role', 'authority', 'inclusion', 'checkpoint'];
const lineOf = (check) => items.get(check === 'genesis' ? 'authority' : check);

// Shows the verdict above the checks, and again at the top of the page.
function conclude(state, text) {
  verdict.textContent = text;
  panel.dataset.holds = state;
  // Where there is a card, that all checks of this panel held says less than the card, and would be taken for more.
  if (card !== null && state !== 'false') return;
  const answer = document.getElementById('answer');
  answer.dataset.holds = state;
  answer.firstElementChild.textContent = `${document.getElementById('panel-title').textContent}: ${text}`;
}

function fail(error, check) {
  setState(lineOf(check), 'failed', words, why(error, check, words));
  lineOf(check).querySelector('details').open = true;
  conclude('false', words.not_all);
  if (error.notes) alarm(error.notes, why(error, check, words));
  if (error.code === 'genesis_changed') offerForgetting();
}

// The log contradicts a checkpoint that it signed before: shows both, to keep and to publish.
function alarm([before, now], text) {
  const box = document.getElementById('alarm');
  const file = (note, title, name) => {
    const link = newElement('a', `${words.download}: ${title}`, { download: name });
    link.href = URL.createObjectURL(new Blob([note], { type: 'text/plain' }));
    const shown = newElement('p');
    shown.append(link);
    return shown;
  };
  box.replaceChildren(
    newElement('h3', text),
    file(before, words.old_checkpoint, 'checkpoint-before.txt'), newElement('pre', before, { tabindex: '0' }),
    file(now, words.new_checkpoint, 'checkpoint-now.txt'), newElement('pre', now, { tabindex: '0' }),
  );
}

// For a reader who knows why the site shows another ledger now.
function offerForgetting() {
  const button = newElement('button', words.forget, { type: 'button' });
  button.addEventListener('click', () => {
    forget(storage);
    location.reload();
  });
  document.getElementById('alarm').replaceChildren(button);
}

// Bytes: as text, a browser would hide what was done to them.
async function fetchBytes(path) {
  const answer = await fetch(path).catch(() => null);
  need(answer?.ok, 'away', `${path}: ${answer?.status ?? ''}`);
  return new Uint8Array(await answer.arrayBuffer());
}

const proveGrowth = proveBy(fetch.bind(window));
const fetchReceipt = (index) => fetchBytes(`/v1/receipts/${index}`);

// Where a browser stores nothing, checkpoints are still compared within the page.
function openStorage() {
  try {
    localStorage.getItem('arborlog');
    return localStorage;
  } catch {
    const kept = new Map();
    return {
      getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value),
      removeItem: (key) => kept.delete(key),
    };
  }
}
const storage = openStorage();

// Runs a step. An error is shown under the check that it names, or under the step's own.
async function step(check, work) {
  try {
    return await work();
  } catch (error) {
    fail(error, error.check ?? check);
    throw error;
  }
}

async function verify(pinned, wanted) {
  const proven = {};
  for (const [name, index] of wanted) {
    await step('story', () => need(!(name in proven), 'story', `two entries are to be the ${name}`));
    const tell = (check, found) => showBehind(lineOf(check), `${name} ${index}`, check, found);
    proven[name] = await step('entry', async () => {
      const receipt = await verifyReceipt(await fetchReceipt(index), pinned, tell);
      if (receipt.index !== BigInt(index)) {
        const error = new Refused('not_included', `the server gave entry ${receipt.index} for ${index}`);
        error.check = 'inclusion';
        throw error;
      }
      return receipt;
    });
  }
  return proven;
}

// The newest checkpoint, and the one that this browser saw before, or null; they are compared once.
let comparing = null;
function compareSeen(identity) {
  comparing ??= (async () => {
    const newest = async () => openCheckpoint(await fetchBytes('/checkpoint'), identity.vkey);
    let now = await newest();
    // Another window may have kept a newer checkpoint since: asks once more before the log has shrunk.
    const before = await compare(now, identity, storage, proveGrowth).catch(async (error) => {
      if (error.code !== 'shrunk') throw error;
      now = await newest();
      return compare(now, identity, storage, proveGrowth);
    });
    return { before, now };
  })();
  return comparing;
}

const namedBy = (receipt, vkey) => checkLogKey(receipt, vkey, () => fetchReceipt(document.body.dataset.logKeyAt));

// The card rests on its own proofs alone, whatever receipts the page names.
async function runCard(vkey, genesis) {
  const receipts = await card.prove({ vkey, genesis }, fetchBytes);
  if (receipts === null) return;
  try {
    const named = await namedBy(receipts[0], vkey);
    keepGenesis(genesis, storage);
    const { now } = await compareSeen({ vkey, keyAt: named.index, genesis });
    for (const { checkpoint } of receipts) await follows(checkpoint, now, proveGrowth);
    card.tell();
  } catch (error) {
    card.refuse(error);
  }
}

async function run() {
  conclude('waiting', words.checking);
  for (const item of items.values()) setState(item, 'waiting', words);
  if (!(await canVerify())) {
    conclude('unable', words.no_ed25519);
    card?.cannotVerify();
    return;
  }
  const { vkey: written, genesis } = document.body.dataset;
  const vkey = await step('checkpoint', () => parseVkey(written, LOG));
  await step('authority', () => checkGenesis(genesis, storage));
  const carding = card === null ? null : runCard(vkey, genesis);
  try {
    await runPanel(vkey, genesis);
  } catch (error) {
    await carding;
    card?.pageDiffers();
    throw error;
  }
}

async function runPanel(vkey, genesis) {
  const wanted = panel.dataset.receipts.split(' ').map((pair) => pair.split(':'));
  const proven = await verify({ vkey, genesis }, wanted);
  const all = Object.values(proven);
  const named = await step('checkpoint', () => namedBy(all[0], vkey).catch((error) => {
    error.check = 'checkpoint';
    throw error;
  }));
  keepGenesis(genesis, storage);
  for (const check of EACH) {
    const checked = all.some(isStated) || !CHECKS_OF_ISSUER.includes(check);
    setState(items.get(check), checked ? 'held' : 'noted', words, checked ? null : words.state_entry);
  }
  for (const [name, receipt] of Object.entries(proven)) {
    const form = formText(receipt, words);
    if (form !== null) showText(items.get('entry'), `${name} ${receipt.index}`, form);
  }
  setState(items.get('witnesses'), 'noted', words);
  const strangers = all[0].checkpoint.lines.filter((line) => line.name !== vkey.name).map((line) => line.name);
  if (strangers.length > 0) showText(items.get('witnesses'), words.others, strangers.join('\n'));

  await step('story', async () => {
    const ids = {};
    for (const [name, receipt] of Object.entries(proven)) {
      const record = recordIn(receipt);
      if (record !== null) ids[name] = hex(await recordId(receipt.checkpoint.origin, record));
    }
    const shown = [...document.querySelectorAll('[data-fact]')];
    const facts = shown.map((element) => ({ path: element.dataset.fact, text: element.textContent }));
    checkStory(facts, proven, { pathname: location.pathname, ids, words });
    setState(items.get('story'), 'held', words);
    showText(items.get('story'), '', facts.map(({ path, text }) => `${path}: ${text}`).join('\n'));
  });

  await step('consistency', async () => {
    const { before, now } = await compareSeen({ vkey, keyAt: named.index, genesis });
    for (const { checkpoint } of all) await follows(checkpoint, now, proveGrowth);
    if (before === null) setState(items.get('consistency'), 'noted', words, words.h_first);
    else setState(items.get('consistency'), 'held', words);
    if (before !== null) showText(items.get('consistency'), words.old_checkpoint, before.note);
    showText(items.get('consistency'), words.new_checkpoint, now.note);
  });
  conclude('true', words.all_held);
}

run().catch((error) => {
  card?.refuseIfOpen(error);
  if (panel.dataset.holds !== 'false') conclude('false', `${words.not_all} ${error.message}`);
});
