// A proposal that the reader drops, chooses or pastes: what it does, who signed it, who is still asked. It is read here; nothing
// is sent and nothing is kept. Signing stays with `arborlog endorse`, where the keys are.

import { sentenceOf } from './card/saying.mjs';
import { Teller } from './card/tell.mjs';
import { newElement } from './checks.mjs';
import { governanceWordsOf } from './governance_words.mjs';
import { fetchBytes, fetchReceipt } from './proving.mjs';
import { Refused, hex, utf8 } from './verifier/codec.mjs';
import { LOG, parseVkey } from './verifier/note.mjs';
import { missingIn, readProposal } from './verifier/proposal.mjs';
import { checkAbout, itemAsked, readQuestion } from './verifier/question.mjs';
import { checkLogKey, verifyReceipt } from './verifier/receipt.mjs';
import { canVerify } from './verifier/signature.mjs';
import { dayIn, statementText } from './verifier/story.mjs';

const language = document.documentElement.lang;
const words = governanceWordsOf(language);
const teller = new Teller(language);
const panel = document.getElementById('panel');
const verdict = document.getElementById('verdict');
const found = document.getElementById('found');
const area = document.getElementById('text');

const fill = (text, value) => text.replace('{}', value);

function conclude(state, text) {
  verdict.textContent = text;
  panel.dataset.holds = state;
}

function list(title, lines) {
  if (lines.length === 0) return;
  const items = newElement('ul');
  items.append(...lines.map((line) => newElement('li', line, { translate: 'no' })));
  found.append(newElement('h2', title), items);
}

// The governors in force, by a state proof that is verified here; null if none is to be had.
async function councilInForce(origin) {
  const { vkey: written, genesis } = document.body.dataset;
  const vkey = await parseVkey(written, LOG);
  if (vkey.name !== origin) return null;
  try {
    // Of the items that are there once, the second (docs/format.md, section 16.5).
    const question = readQuestion('once/1');
    const state = await verifyReceipt(await fetchBytes('/v1/proofs/state?domain=once&key=1'), { vkey, genesis });
    checkAbout(state, question);
    await checkLogKey(state, vkey, () => fetchReceipt(document.body.dataset.logKeyAt));
    return { ...itemAsked(state, question).found.fields, size: state.entry.statement.size };
  } catch (error) {
    if (error instanceof Refused && error.outcome === 'false') throw error;
    return null;
  }
}

// Counts the files that were given: only the last one is shown, in whatever order they are read.
let turn = 0;

async function show(bytes) {
  turn += 1;
  const mine = turn;
  found.replaceChildren();
  conclude('waiting', words.reading);
  if (!(await canVerify())) {
    conclude('unable', words.no_cryptography);
    return;
  }
  try {
    const proposal = await readProposal(bytes);
    const council = await councilInForce(proposal.origin);
    if (mine !== turn) return;
    tell(proposal, council);
  } catch (error) {
    if (mine !== turn) return;
    const isFalse = error instanceof Refused && ['misleading', 'signature_invalid'].includes(error.code);
    const isOther = error instanceof Refused && !isFalse;
    conclude(isFalse ? 'false' : 'unable', `${isFalse ? words.is_false : isOther ? words.no_proposal : words.unable} (${error.message})`);
  }
}

function tell(proposal, council) {
  const { record, origin, signers } = proposal;
  const { statement, issuer } = record;
  const isHere = document.body.dataset.vkey.startsWith(`${origin}+`);
  const missing = missingIn(proposal, council);
  const refused = missing.superseded !== null || !isHere;
  conclude(refused ? 'unable' : 'true', isHere ? words.signatures_hold : fill(words.other_ledger, origin));
  found.append(newElement('h2', words.does), newElement('p', sentenceOf(statement, { by: null }, teller), { class: 'lead' }));
  found.append(newElement('p', fill(words.dated, dayIn(language, record.issued_on)), { class: 'small' }));
  const role = (key) => {
    if (council?.governors.some((governor) => hex(governor) === key)) return words.governor;
    return key === hex(issuer) ? words.issuer : words.other;
  };
  list(words.signed, signers.map((key) => `${key} (${role(key)})`));
  list(words.must_sign, missing.named);
  if (!missing.isKnown) found.append(newElement('p', words.unknown_governors, { class: 'warn' }));
  else if (missing.superseded !== null) {
    found.append(newElement('p', words.superseded.replace('{}', missing.superseded.named).replace('{}', missing.superseded.inForce), { class: 'warn' }));
  } else if (missing.count > 0) list(fill(words.missing, missing.count), missing.governors);
  else if (missing.named.length === 0) found.append(newElement('p', words.complete));
  found.append(newElement('p', words.until), newElement('h2', words.fields), newElement('pre', statementText(statement), { tabindex: '0', translate: 'no' }));
}

const take = async (file) => {
  area.value = await file.text();
  await show(new Uint8Array(await file.arrayBuffer()));
};
document.getElementById('drop').addEventListener('submit', (event) => {
  event.preventDefault();
  show(utf8(area.value.trim()));
});
document.getElementById('file').addEventListener('change', (event) => {
  if (event.target.files.length > 0) take(event.target.files[0]);
});
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files[0]);
});
