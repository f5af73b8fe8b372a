// What this browser keeps for this site, and the fork that it was shown, if it was shown one: both checkpoints are told on
// every page until the reader has handed them on.

import { wordsOf } from './card/words.mjs';
import { newElement } from './checks.mjs';
import { dismissEvidence, evidenceOf, keepEvidence } from './verifier/seen.mjs';

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
export const storage = openStorage();


const words = wordsOf(document.documentElement.lang);

// A link that saves a note.
export function noteLink(note, title, name) {
  const link = newElement('a', title, { download: name });
  link.href = URL.createObjectURL(new Blob([note], { type: 'text/plain' }));
  return link;
}

function show() {
  document.getElementById('fork')?.remove();
  const kept = evidenceOf(storage);
  if (kept.length === 0) return;
  const box = newElement('section', '', { id: 'fork', role: 'alert', translate: 'no' });
  box.append(newElement('h2', words.fork), newElement('p', words.fork_told));
  for (const [place, [one, other, at]] of kept.entries()) {
    const files = newElement('p', `${new Date(Number(at)).toISOString().slice(0, 16).replace('T', ' ')} UTC: `);
    files.append(noteLink(one, words.fork_one, `fork-${place + 1}-a.txt`), ' · ', noteLink(other, words.fork_other, `fork-${place + 1}-b.txt`));
    box.append(files);
  }
  const button = newElement('button', words.fork_dismiss, { type: 'button' });
  button.addEventListener('click', () => {
    dismissEvidence(storage);
    box.remove();
  });
  box.append(newElement('p', words.fork_where), button);
  document.getElementById('content').prepend(box);
}

// Two checkpoints that the log signed, and of which neither goes on from the other.
export function tellFork(notes) {
  keepEvidence(notes, Date.now(), storage);
  show();
}

show();
