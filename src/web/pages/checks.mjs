// How checks are shown: a line each, which opens to its bytes; and what is wrong in the reader's
// words.

import { Refused, hex } from './verifier/codec.mjs';
import { statementText, timeText } from './verifier/story.mjs';

const WORD_OF_CODE = {
  signature_invalid: 'w_signature', key_invalid: 'w_signature', possession_unproven: 'w_signature', seal_mismatch: 'w_signature',
  not_included: 'w_inclusion', role_refused: 'w_role', quorum_short: 'w_authority', authority_broken: 'w_authority',
  genesis_other: 'w_genesis', other_log: 'w_genesis', genesis_changed: 'w_key', key_old: 'w_key', log_key_unnamed: 'w_log_key',
  unsigned: 'w_checkpoint', witness_missing: 'w_checkpoint', quorum_missing: 'w_checkpoint', proof_incomplete: 'w_changed', other_format: 'w_format', mldsa_unsupported: 'w_mldsa', not_a_receipt: 'no_receipt', forked: 'w_forked', proof_false: 'w_proof', story: 'w_story', translated: 'w_translated',
  away: 'w_away',
};

// What is wrong, in plain words, and then exactly.
export function why(error, check, words) {
  const other = error.outcome === 'unchecked' ? 'w_changed' : 'w_malformed';
  let word = error instanceof Refused ? (WORD_OF_CODE[error.code] ?? other) : 'w_away';
  if (check === 'checkpoint' && word === 'w_signature') word = 'w_checkpoint';
  return `${words[word]} (${error.message})`;
}

export const newElement = (tag, text = '', attributes = {}) => {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

export function setState(item, state, words, hint = null) {
  item.dataset.state = state;
  item.querySelector('.state').textContent = words[`s_${state}`];
  if (hint !== null) item.querySelector('.hint').textContent = hint;
}

// A line for a check, as the server renders it on other pages.
export function newLine(check, words) {
  const item = newElement('li', '', { 'data-check': check, 'data-state': 'waiting' });
  const details = newElement('details');
  const summary = newElement('summary');
  summary.append(newElement('b', words[`c_${check}`]), ' ', newElement('span', '', { class: 'state' }), newElement('span', words[`h_${check}`], { class: 'hint' }));
  details.append(summary, newElement('div', '', { class: 'shown' }));
  item.append(details);
  return item;
}

const shortened = (text) => (text.length > 4000 ? `${text.slice(0, 4000)} …` : text);

const asText = (rows) => rows.map(([name, value]) => `${name}: ${value}`).join('\n');
const statementOf = (entry) => statementText(entry.statement);

// The bytes and hashes behind a check that held.
const BEHIND = {
  // A sealed entry was admitted when its seal was, which is not known yet.
  entry: (entry) => {
    const when = entry.admitted_at === undefined ? '' : `\nadmitted_at: ${timeText(entry.admitted_at)}`;
    return `${statementOf(entry)}${when}\n\n${hex(entry.bytes)}`;
  },
  signature: ({ key, signature, message }) =>
    asText([['key', hex(key)], ['signature', hex(signature)], ['message', hex(message)]]),
  role: (grant) => (grant === null ? 'genesis' : `${grant.index}\n${statementOf(grant)}`),
  authority: (links) => links.map((link) => `${link.index}\n${statementOf(link)}\n${hex(link.bytes)}`).join('\n\n'),
  inclusion: ({ index, leaf, path, checkpoint }) =>
    asText([
      ['index', index], ['leaf', hex(leaf)], ...path.map((hash, at) => [`hash ${at}`, hex(hash)]),
      ['size', checkpoint.size], ['root', hex(checkpoint.root)],
    ]),
  checkpoint: ({ checkpoint }) => checkpoint.note,
};

export function showBehind(item, title, check, found) {
  const text = BEHIND[check]?.(found);
  if (text !== undefined) showText(item, title, text);
}

export function showText(item, title, text) {
  const shown = item.querySelector('.shown');
  shown.append(newElement('p', title, { class: 'small' }), newElement('pre', shortened(text), { tabindex: '0' }));
}
