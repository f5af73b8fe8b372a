// A page that has a card and no panel: what the card says is all that is proven of it. An embedded one is about what the page
// is about whose address it has behind /embed.

import { Card } from './card/card.mjs';
import { storage } from './evidence.mjs';
import { fetchAheadFor, proveCard } from './proving.mjs';
import { LOG, parseVkey } from './verifier/note.mjs';
import { checkGenesis } from './verifier/seen.mjs';
import { canVerify } from './verifier/signature.mjs';

const embedded = location.pathname.startsWith('/embed/');
const subject = location.pathname.replace(/^\/embed(?=\/)/, '');
const card = Card.on(document, subject, { below: !embedded });

async function run() {
  if (!(await canVerify())) {
    card.cannotVerify();
    return;
  }
  const { vkey: written, genesis } = document.body.dataset;
  const vkey = await parseVkey(written, LOG);
  checkGenesis(genesis, storage);
  await proveCard(card, vkey, genesis);
}

if (card !== null) {
  fetchAheadFor(subject);
  run().catch((error) => card.refuse(error));
}
