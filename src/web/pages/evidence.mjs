// What this browser keeps for this site, and the fork that it was shown, if it was shown one: both checkpoints are told on
// every page until the reader has handed them on.

import { wordsOf } from './card/words.mjs';
import { forkBox, openStorage } from './fork.mjs';
import { watchScripts } from './pinned.mjs';
import { keepEvidence } from './verifier/seen.mjs';

export const storage = openStorage();

const forkWords = wordsOf(document.documentElement.lang);

function showFork() {
  document.getElementById('fork')?.remove();
  const box = forkBox(storage, forkWords);
  if (box !== null) document.getElementById('content').prepend(box);
}

// Two checkpoints that the log signed, and of which neither goes on from the other.
export function tellFork(notes) {
  keepEvidence(notes, Date.now(), storage);
  showFork();
}

showFork();
watchScripts();
