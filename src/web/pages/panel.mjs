// The panel of a page: fetches the receipts that the page rests on and verifies them here, one
// check after the other. Nothing that the server says of itself is believed. Above the page stands the card (`card/`), if
// state proofs tell what the page is about: it says what was proven, whatever the page says.

import { Card } from './card/card.mjs';
import { Teller } from './card/tell.mjs';
import { wordsOf } from './card/words.mjs';
import { newElement, setState, showBehind, showText, why } from './checks.mjs';
import { storage, tellFork } from './evidence.mjs';
import { noteLink } from './fork.mjs';
import { panelWordsOf } from './panel_words.mjs';
import {
  compareSeen, fetchAhead, fetchAheadFor, fetchReceipt, namedBy, others, proveCard, proveGrowth,
} from './proving.mjs';
import { Refused, hex, need } from './verifier/codec.mjs';
import { LOG, parseVkey } from './verifier/note.mjs';
import { verifyReceipt } from './verifier/receipt.mjs';
import { recordId } from './verifier/record.mjs';
import { checkGenesis, follows, forget, keepGenesis } from './verifier/seen.mjs';
import { canVerify } from './verifier/signature.mjs';
import { CHECKS_OF_ISSUER, checkStory, formText, isStated, recordIn } from './verifier/story.mjs';

const panel = document.getElementById('panel');
const verdict = document.getElementById('verdict');
// As the page came: a browser that translates changes it.
const language = document.documentElement.lang;
// Words of the script's own: a page that brings its dictionary could call what failed a success.
const words = panelWordsOf(language);
const card = Card.on(document, location.pathname);
const items = new Map([...panel.querySelectorAll('[data-check]')].map((item) => [item.dataset.check, item]));
// The names and indexes of the entries that the page rests on.
const wanted = panel.dataset.receipts.split(' ').map((pair) => pair.split(':'));
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
  answer.firstElementChild.textContent = `${words.panel}: ${text}`;
}

const isFalse = (error) => error instanceof Refused && error.outcome === 'false';

// What contradicts a signed thing is told in red. What could not be had says nothing against anybody: a tunnel, a server
// that is busy, a page that a browser translated.
function fail(error, check) {
  const hint = why(error, check, words);
  setState(lineOf(check), isFalse(error) ? 'failed' : 'waiting', words, hint);
  lineOf(check).querySelector('details').open = isFalse(error);
  if (!isFalse(error)) {
    giveUp(hint);
    return;
  }
  conclude('false', words.not_all);
  if (error.notes) {
    tellFork(error.notes);
    alarm(error.notes, hint);
  }
  if (error.code === 'genesis_changed') offerForgetting();
}

function giveUp(hint) {
  conclude('unable', `${words.no_verdict} ${hint}`);
  const again = newElement('button', words.again, { type: 'button' });
  again.addEventListener('click', () => location.reload());
  verdict.append(' ', again);
}

// The log contradicts a checkpoint that it signed before: shows both, to keep and to publish.
function alarm([before, now], text) {
  const box = document.getElementById('alarm');
  const file = (note, title, name) => {
    const shown = newElement('p');
    shown.append(noteLink(note, `${words.download}: ${title}`, name));
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

// Runs a step. An error is shown under the check that it names, or under the step's own.
async function step(check, work) {
  try {
    return await work();
  } catch (error) {
    fail(error, error.check ?? check);
    throw error;
  }
}

async function verify(pinned) {
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

async function run() {
  conclude('waiting', words.checking);
  document.getElementById('panel-title').textContent = words.panel;
  for (const [check, item] of items) {
    item.querySelector('summary b').textContent = words[`c_${check}`];
    setState(item, 'waiting', words, words[`h_${check}`]);
  }
  if (!(await canVerify())) {
    conclude('unable', words.no_cryptography);
    card?.cannotVerify();
    return;
  }
  const { vkey: written, genesis } = document.body.dataset;
  const vkey = await step('checkpoint', () => parseVkey(written, LOG));
  await step('authority', () => checkGenesis(genesis, storage));
  const carding = card === null ? null : proveCard(card, vkey, genesis);
  try {
    await runPanel(vkey, genesis);
  } catch (error) {
    await carding;
    card?.pageDiffers();
    throw error;
  }
}

// What is signed of the one entry of a page.
function signedHow(receipt) {
  if (!isStated(receipt)) return words.state_entry;
  return receipt.seal ? words.h_signature_sealed.replace('{}', receipt.seal.index) : words.h_signature_one;
}

async function runPanel(vkey, genesis) {
  const proven = await verify({ vkey, genesis });
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
  if (all.length === 1) setState(items.get('signature'), items.get('signature').dataset.state, words, signedHow(all[0]));
  for (const [name, receipt] of Object.entries(proven)) {
    const form = formText(receipt, words);
    if (form !== null) showText(items.get('entry'), `${name} ${receipt.index}`, form);
  }
  await step('story', async () => {
    const ids = {};
    for (const [name, receipt] of Object.entries(proven)) {
      const record = recordIn(receipt);
      if (record !== null) ids[name] = hex(await recordId(receipt.checkpoint.origin, record));
    }
    const shown = [...document.querySelectorAll('[data-fact]')];
    // A browser that translates a page puts its own words into elements that no page of this site has.
    need(document.querySelector('[data-fact] font') === null, 'translated', 'the browser translated what this page says');
    const facts = shown.map((element) => ({ path: element.dataset.fact, text: element.textContent }));
    // By words of its own: a page that brings its dictionary could call a guess a census.
    checkStory(facts, proven, { pathname: location.pathname, ids, words: wordsOf(language), language });
    setState(items.get('story'), 'held', words);
    showText(items.get('story'), '', facts.map(({ path, text }) => `${path}: ${text}`).join('\n'));
  });

  await step('consistency', async () => {
    const { before, now, lags } = await compareSeen({ vkey, keyAt: named.index, genesis });
    for (const { checkpoint } of all) await follows(checkpoint, now, proveGrowth);
    if (before === null) setState(items.get('consistency'), 'noted', words, words.h_first);
    else if (lags) setState(items.get('consistency'), 'noted', words, words.h_lags);
    else setState(items.get('consistency'), 'held', words);
    if (before !== null) showText(items.get('consistency'), words.old_checkpoint, before.note);
    showText(items.get('consistency'), words.new_checkpoint, now.note);
  });
  await step('witnesses', async () => {
    const { now } = await compareSeen({ vkey, keyAt: named.index, genesis });
    const item = items.get('witnesses');
    const found = await others({ vkey, genesis }, now);
    const lines = now.lines.filter((line) => line.name !== vkey.name).map((line) => line.name);
    if (found === null) {
      setState(item, 'noted', words);
      if (lines.length > 0) showText(item, words.others, lines.join('\n'));
      return;
    }
    const teller = new Teller(language);
    setState(item, found.met && found.quorum !== 'none' ? 'held' : 'noted', words, teller.quorum(found));
    showText(item, teller.say('seen_by'), teller.seenBy(found).join('\n'));
  });
  conclude('true', words.all_held);
}

if (card !== null) fetchAheadFor(location.pathname);
fetchAhead(...wanted.map(([, index]) => `/v1/receipts/${index}`));
run().catch((error) => {
  card?.refuseIfOpen(error);
  if (panel.dataset.holds !== 'waiting') return;
  if (isFalse(error)) conclude('false', `${words.not_all} ${error.message}`);
  else giveUp(error.message);
});
