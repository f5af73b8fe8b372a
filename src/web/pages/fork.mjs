// What a browser stores, and how a fork that it was shown is told: both checkpoints, to keep and to hand on.

import { newElement } from './checks.mjs';
import { dismissEvidence, evidenceOf } from './verifier/seen.mjs';

// Where a browser stores nothing, checkpoints are still compared within the page.
export function openStorage() {
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

// A link that saves a note.
export function noteLink(note, title, name) {
  const link = newElement('a', title, { download: name });
  link.href = URL.createObjectURL(new Blob([note], { type: 'text/plain' }));
  return link;
}

// What is kept of forks, in the words of the card; null if nothing is.
export function forkBox(storage, words) {
  const kept = evidenceOf(storage);
  if (kept.length === 0) return null;
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
  return box;
}
