// The page that checks any log: by an address and a key, or a policy, that the reader gives. It has no part of the log's own
// site, and works from another one, or from disk. It says which key it checked against, and nothing is ticked that this
// browser did not verify.

import { Card } from '../card/card.mjs';
import { Teller } from '../card/tell.mjs';
import { newElement } from '../checks.mjs';
import { forkBox, openStorage } from '../fork.mjs';
import { findOthers } from '../others.mjs';
import { Refused, need } from '../verifier/codec.mjs';
import { openCheckpoint, readCheckpoint } from '../verifier/note.mjs';
import { checkLogByPolicy, checkQuorumOf } from '../verifier/policy.mjs';
import { checkLogKey, verifyReceipt } from '../verifier/receipt.mjs';
import { checkGenesis, compare, follows, keepEvidence, keepGenesis, proveBy } from '../verifier/seen.mjs';
import { canVerify } from '../verifier/signature.mjs';
import { readFile } from '../verifier/file.mjs';
import { readAddress, readGenesis, readTrust } from './address.mjs';
import { ANY_WORDS } from './words.mjs';

const LANGUAGES = Object.keys(ANY_WORDS);
// A link may fill the form: what a reader checks by is the reader's own, so nothing begins by itself.
const linked = new URLSearchParams(location.hash.slice(1));
const tongue = new URLSearchParams(location.search).get('lang') ?? navigator.language;
const language = LANGUAGES.find((known) => tongue.toLowerCase().startsWith(known)) ?? 'en';
const anyWords = ANY_WORDS[language];
const teller = new Teller(language);
const at = (id) => document.getElementById(id);
const fill = (text, parts) => text.replace(/\{(\w+)\}/g, (_, name) => parts[name]);
document.documentElement.lang = language;

const STEPS = ['checkpoint', 'genesis', 'key', 'witnesses', 'seen', 'subject'];
const SIGNS = { waiting: '○', held: '✓', noted: '–', failed: '✗' };
const OUTCOMES = { true: 'holds', false: 'false', unable: 'unable', other: 'other', waiting: 'checking' };

// What is kept of a log is kept by its address, apart from what the pages of the site that this page is on keep.
function storageOf(base) {
  const storage = openStorage();
  const name = (key) => `any ${base} ${key}`;
  return {
    getItem: (key) => storage.getItem(name(key)), setItem: (key, value) => storage.setItem(name(key), value),
    removeItem: (key) => storage.removeItem(name(key)),
  };
}

// One check of one log, and what the page shows of it. A check that was begun later takes the page.
class Check {
  constructor() {
    Check.newest = this;
    at('result').hidden = false;
    at('steps').replaceChildren(...STEPS.map((name) => {
      const line = newElement('li', '', { 'data-check': name });
      line.append(newElement('b'), newElement('span', '', { class: 'hint' }));
      return line;
    }));
    for (const name of STEPS) this.step(name, 'waiting', '');
    at('subject').replaceChildren();
    at('fork')?.remove();
    at('key').textContent = '';
    this.conclude('waiting');
  }

  get isNewest() {
    return Check.newest === this;
  }

  step(name, state, hint) {
    if (!this.isNewest) return;
    const line = at('steps').querySelector(`[data-check=${name}]`);
    line.dataset.state = state;
    line.querySelector('b').textContent = `${SIGNS[state]} ${anyWords[`s_${name}`]}`;
    line.querySelector('.hint').textContent = hint;
  }

  conclude(holds, why = '') {
    if (!this.isNewest) return;
    at('result').dataset.holds = holds;
    const outcome = OUTCOMES[holds];
    at('verdict').textContent = [anyWords[outcome], anyWords[`${outcome}_told`], why].filter(Boolean).join(holds === 'waiting' ? '' : '. ').replace(/\.\. /g, '. ');
  }

  // By which key, once it is known: the one that signed, or that should have.
  named(vkey, byPolicy, signed) {
    if (!this.isNewest) return;
    const how = signed ? (byPolicy ? anyWords.by_policy : anyWords.by_key) : anyWords.not_by_key;
    at('key').replaceChildren(`${how}: `, newElement('b', vkey.name), newElement('span', ` ${vkey.written}`, { class: 'id' }));
  }
}

// Bytes that the log gives at a path. An address that can't be asked says nothing of the log.
const fetcherOf = (base) => async (path) => {
  const answer = await fetch(base + path, { credentials: 'omit', cache: 'no-cache', referrerPolicy: 'no-referrer' }).catch(() => null);
  need(answer !== null, 'away', anyWords.unreachable);
  if (!answer.ok) throw Object.assign(new Refused('away', fill(anyWords.busy, { status: `${answer.status}: ${path}` })), { status: answer.status });
  return new Uint8Array(await answer.arrayBuffer());
};

// The newest checkpoint that is there; of a copy of a log's files the one that stands at /checkpoint.
async function newestNote(fetchBytes) {
  const isGone = (error) => error.status === 404 || error.status === 410;
  const other = () => { throw new Refused('not_a_log', anyWords.no_log); };
  const bytes = await fetchBytes('/v1/checkpoint').catch((error) => {
    if (!isGone(error)) throw error;
    return fetchBytes('/checkpoint').catch((second) => (isGone(second) ? other() : Promise.reject(second)));
  });
  // A page that answers everything has no line of a signature.
  if (!/^\u2014 \S+ \S+$/m.test(new TextDecoder().decode(bytes))) other();
  return bytes;
}

const openBy = async ({ vkey, policy }, bytes) => {
  if (policy === null) return { checkpoint: await openCheckpoint(bytes, vkey), vkey };
  const checkpoint = readFile(bytes, readCheckpoint);
  return { checkpoint, vkey: await checkLogByPolicy(policy, checkpoint) };
};

// The entry that named a key, by the log's own list of the newest ones.
async function namedAt(fetchBytes, vkey) {
  const listed = JSON.parse(new TextDecoder().decode(await fetchBytes('/v1/governors')));
  const keys = Array.isArray(listed?.log_keys) ? listed.log_keys : [];
  const found = keys.find((key) => key.vkey === vkey.written)?.named_at;
  need(Number.isSafeInteger(found), 'log_key_unnamed', 'the log names no entry that named this key');
  return found;
}

async function witnesses(check, { policy }, source, identity, now) {
  if (policy !== null && policy.quorum !== 'none') {
    // The newest may be too new for them: the one that stands is theirs.
    const standing = await openCheckpoint(await source.fetchBytes('/checkpoint'), identity.vkey);
    await follows(standing, now, source.proveGrowth);
    const { cosignedBy } = await checkQuorumOf(policy, now).catch(() => checkQuorumOf(policy, standing));
    check.step('witnesses', 'held', fill(anyWords.met, { who: cosignedBy.map(({ as }) => as).join(', ') }));
    return;
  }
  const found = await findOthers(source, identity, now);
  if (found === null) check.step('witnesses', 'noted', anyWords.nobody);
  else check.step('witnesses', found.met && found.quorum !== 'none' ? 'held' : 'noted', [teller.quorum(found), ...teller.seenBy(found)].join(' '));
}

// Runs the steps, one after the other; what is thrown names the one that it stopped at (`step`).
async function run(check, { base, subject, trust, genesis: given }) {
  const storage = storageOf(base);
  const fetchBytes = fetcherOf(base);
  const source = { fetchBytes, proveGrowth: proveBy((path) => fetch(base + path, { credentials: 'omit', referrerPolicy: 'no-referrer' })) };
  const step = async (name, work) => {
    try {
      return await work();
    } catch (error) {
      error.step ??= name;
      throw error;
    }
  };
  const box = forkBox(storage, teller.words);
  if (box !== null) at('result').before(box);
  if (trust.vkey !== null) check.named(trust.vkey, false, false);
  const { checkpoint: now, vkey } = await step('checkpoint', async () => openBy(trust, await newestNote(fetchBytes)));
  check.named(vkey, trust.policy !== null, true);
  check.step('checkpoint', 'held', fill(anyWords.size, { size: teller.n(now.size) }));
  const pinned = storage.getItem('arborlog');
  const first = await step('genesis', async () => {
    const proven = await verifyReceipt(await fetchBytes('/v1/receipts/0'), { vkey, genesis: given });
    checkGenesis(proven.genesis, storage);
    return proven;
  });
  const { genesis } = first;
  const known = given !== null ? 'compared' : pinned !== null ? 'pinned' : 'compare';
  check.step('genesis', 'held', `${genesis} ${anyWords[known]}`);
  const identity = { vkey, genesis };
  const named = await step('key', async () => {
    // If it was not the genesis, the log says which entry it was, and its receipt proves that.
    const namedLater = async () => fetchBytes(`/v1/receipts/${await namedAt(fetchBytes, vkey)}`);
    return checkLogKey(first, vkey, namedLater);
  });
  check.step('key', 'held', '');
  keepGenesis(genesis, storage);
  await step('seen', async () => {
    const { before, lags } = await compare(now, { vkey, keyAt: named.index, genesis }, storage, source.proveGrowth);
    if (before === null) check.step('seen', 'noted', anyWords.first);
    else if (lags) check.step('seen', 'noted', fill(anyWords.lags, { size: teller.n(before.size) }));
    else check.step('seen', 'held', fill(anyWords.size, { size: teller.n(before.size) }));
  }).catch((error) => {
    if (error.notes) keepEvidence(error.notes, Date.now(), storage);
    throw error;
  });
  await step('witnesses', () => witnesses(check, trust, source, identity, now));
  const card = check.isNewest ? Card.on(document, subject, { below: false, place: 'subject' }) : null;
  if (card === null) return;
  await step('subject', async () => {
    const receipts = await card.prove(identity, fetchBytes);
    if (receipts === null) throw card.refused;
    for (const { checkpoint } of receipts) await follows(checkpoint, now, source.proveGrowth);
    card.tell({ seen: null, others: null });
  }).catch((error) => {
    if (error.notes) keepEvidence(error.notes, Date.now(), storage);
    card.refuse(error);
    throw error;
  });
  check.step('subject', 'held', base + subject);
}

const NOT_THAT_KIND = {
  address_malformed: 'not_address', genesis_malformed: 'not_genesis', vkey_malformed: 'not_key', policy_malformed: 'not_key', not_base64: 'not_key', key_invalid: 'not_key',
};

async function begin() {
  const check = new Check();
  let asked;
  try {
    asked = { ...readAddress(at('address').value), genesis: readGenesis(at('genesis').value) };
    need(await canVerify(), 'library_unfit', anyWords.no_cryptography);
    asked.trust = await readTrust(at('trust').value);
  } catch (error) {
    const what = NOT_THAT_KIND[error.code];
    if (error.code === 'library_unfit') check.conclude('unable', error.message);
    else check.conclude('other', `${anyWords[what ?? 'not_key']} (${error.message})`);
    return;
  }
  try {
    await run(check, asked);
    check.conclude('true');
  } catch (error) {
    const outcome = error instanceof Refused ? error.outcome : 'unchecked';
    if (error.step) check.step(error.step, outcome === 'false' ? 'failed' : 'waiting', error.message);
    if (error.code === 'not_a_log') check.conclude('other', error.message);
    else check.conclude(outcome === 'false' ? 'false' : 'unable', error.message);
    const box = error.notes ? forkBox(storageOf(asked.base), teller.words) : null;
    if (box !== null && check.isNewest) {
      document.getElementById('fork')?.remove();
      at('result').before(box);
    }
  }
}

document.title = anyWords.title;
for (const element of document.querySelectorAll('[data-word]')) element.textContent = anyWords[element.dataset.word];
for (const [id, name] of [['address', 'log'], ['trust', 'key'], ['genesis', 'genesis']]) at(id).value = linked.get(name) ?? '';
at('form').addEventListener('submit', (event) => {
  event.preventDefault();
  begin();
});
