// A receipt that the reader drops, chooses or pastes. The modules are loaded with the page, so it is
// verified with the network off; and a receipt can be kept as one page that verifies itself.

import { newElement, newLine, setState, showBehind, showText, why } from './checks.mjs';
import { panelWordsOf } from './panel_words.mjs';
import { Refused, equal, need } from './verifier/codec.mjs';
import { LOG, parseVkey } from './verifier/note.mjs';
import { checkLogKey, readReceipt, verifyReceipt } from './verifier/receipt.mjs';
import { canVerify } from './verifier/signature.mjs';
import { CHECKS_OF_ISSUER, formText, isStated, statementText } from './verifier/story.mjs';

const body = document.body;
const words = panelWordsOf(document.documentElement.lang);
const panel = document.getElementById('panel');
const verdict = document.getElementById('verdict');
const found = document.getElementById('found');
const save = document.getElementById('save');
const CHECKS = ['entry', 'signature', 'role', 'authority', 'inclusion', 'checkpoint'];

export function conclude(state, text) {
  verdict.textContent = text;
  panel.dataset.holds = state;
}

// The log key that signed the receipt's checkpoint, the entry that names that key, and the entry that
// names the next one: a checkpoint of a larger tree must be signed by the next.
async function keyFor(file) {
  const known = JSON.parse(body.dataset.logKeys);
  const { lines } = readReceipt(file).checkpoint;
  for (let at = known.length - 1; at >= 0; at -= 1) {
    const vkey = await parseVkey(known[at][1], LOG);
    const signed = lines.some((line) => line.name === vkey.name && equal(line.id, vkey.id));
    if (signed || at === 0) return { vkey, namedAt: known[at][0], replacedAt: known[at + 1]?.[0] ?? null };
  }
  throw new Refused('unsigned', 'no log key is known');
}

async function verified(file, tell) {
  const step = (work) => work.catch((error) => {
    error.check ??= 'checkpoint';
    throw error;
  });
  const { vkey, namedAt, replacedAt } = await step(keyFor(file));
  const receipt = await verifyReceipt(file, { vkey, genesis: body.dataset.genesis }, tell);
  await step((async () => {
    const late = replacedAt !== null && receipt.checkpoint.size > BigInt(replacedAt);
    need(!late, 'key_old', `entry ${replacedAt} named another key, and this checkpoint is of ${receipt.checkpoint.size}`);
    // Without a network, only the page vouches for a key that the governors named after the genesis.
    const named = async () => {
      const answer = await fetch(`/v1/receipts/${namedAt}`).catch(() => null);
      if (!answer?.ok) throw new Refused('away', 'no network');
      return new Uint8Array(await answer.arrayBuffer());
    };
    await checkLogKey(receipt, vkey, named).catch((error) => {
      if (error.code !== 'away') throw error;
    });
  })());
  return receipt;
}

// Counts the receipts that were given: only the last one is shown, in whatever order they are verified.
let turn = 0;

// A file is verified by its bytes: as text, a browser would hide what was done to them.
export async function show(file) {
  turn += 1;
  const mine = turn;
  conclude('waiting', words.checking);
  const lines = new Map(CHECKS.map((check) => [check, newLine(check, words)]));
  found.replaceChildren(...lines.values());
  for (const line of lines.values()) setState(line, 'waiting', words);
  const lineOf = (check) => lines.get(check === 'genesis' ? 'authority' : check) ?? lines.get('entry');
  const able = await canVerify();
  if (mine !== turn) return;
  if (!able) {
    conclude('unable', words.no_cryptography);
    return;
  }
  try {
    const receipt = await verified(file, (check, evidence) => {
      if (lines.has(check)) {
        setState(lines.get(check), 'held', words);
        showBehind(lines.get(check), '', check, evidence);
      }
    });
    if (mine !== turn) return;
    conclude('true', `${words.all_held} ${words.c_entry} ${receipt.index}`);
    for (const check of isStated(receipt) ? [] : CHECKS_OF_ISSUER) {
      setState(lines.get(check), 'noted', words, words.state_entry);
    }
    const statement = newElement('li', '', { 'data-state': 'noted' });
    statement.append(newElement('div', '', { class: 'shown' }));
    const form = formText(receipt, words);
    const said = statementText(receipt.entry.statement);
    showText(statement, `${words.c_entry} ${receipt.index}`, form === null ? said : `${form}\n\n${said}`);
    found.append(statement);
  } catch (error) {
    if (mine !== turn) return;
    const check = error.check ?? 'entry';
    const outcome = error instanceof Refused ? error.outcome : 'unchecked';
    setState(lineOf(check), outcome === 'false' ? 'failed' : 'waiting', words, why(error, check, words));
    if (outcome === 'false') conclude('false', words.not_all);
    else conclude('unable', outcome === 'unchecked' ? words.no_verdict : words.no_receipt);
  }
}

// ---- where a receipt comes from ----

const area = document.getElementById('text');
// Blanks around a paste, and around each of its lines, are the clipboard's or the mail's: no line of a receipt begins or
// ends with one.
const pasted = (text) => `${text.trim().split('\n').map((line) => line.trim()).join('\n')}\n`;
const take = async (file) => {
  area.value = await file.text();
  await show(new Uint8Array(await file.arrayBuffer()));
};

document.getElementById('drop')?.addEventListener('submit', (event) => {
  event.preventDefault();
  show(pasted(area.value));
});
document.getElementById('file')?.addEventListener('change', (event) => {
  if (event.target.files.length > 0) take(event.target.files[0]);
});
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length > 0) take(event.dataTransfer.files[0]);
});

// ---- one page that verifies itself ----

const escaped = (text) => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);

// `script` is all modules, each behind those that it imports.
async function savedPage(script, style, text) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(script)));
  const hash = btoa(String.fromCharCode(...digest));
  const data = ['genesis', 'logKeys']
    .map((name) => `data-${name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`)}="${escaped(body.dataset[name])}"`);
  const policy = `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'`;
  const proves = document.querySelector('footer p').textContent;
  const limits = document.getElementById('limits').textContent;
  return `<!doctype html>
<html lang="${document.documentElement.lang}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escaped(document.title)}</title><style>${style}</style></head>
<body ${data.join(' ')}><main><h1>${escaped(document.querySelector('h1').textContent)}</h1>
<section class="panel" id="panel"><p id="verdict" role="status"></p><ol id="found"></ol></section>
<textarea id="text" rows="8" readonly aria-label="receipt">${escaped(text)}</textarea></main>
<footer><p>${escaped(limits)}</p><p>${escaped(proves)}</p></footer>
<script type="module">${script}<\/script></body></html>
`;
}

async function offerSaving() {
  const load = async (name) => {
    const answer = await fetch(`/web/${name}`);
    need(answer.ok, 'away', name);
    return answer.text();
  };
  const [style, script] = await Promise.all(['style.css', 'whole/dropped.mjs'].map(load));
  save.hidden = false;
  save.addEventListener('click', async () => {
    const html = await savedPage(script, style, area.value);
    const link = newElement('a', '', { download: 'receipt.html' });
    link.href = URL.createObjectURL(new Blob([html], { type: 'text/html' }));
    link.click();
  });
}

// What this browser needs to verify is there before the network may be off.
canVerify();

// The site's page has the button that saves; a saved page has a receipt in its place.
if (save) offerSaving().catch(() => {});
else show(area.value);
