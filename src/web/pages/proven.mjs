// A page that has a card and no panel: what the card says is all that is proven of it.

import { Card } from './card/card.mjs';
import { storage } from './evidence.mjs';
import { others } from './others.mjs';
import { proveCard } from './proving.mjs';
import { LOG, parseVkey } from './verifier/note.mjs';
import { checkGenesis } from './verifier/seen.mjs';
import { canVerify } from './verifier/signature.mjs';

const card = Card.on(document, location.pathname);

async function run() {
  if (!(await canVerify())) {
    card.cannotVerify();
    return;
  }
  const { vkey: written, genesis } = document.body.dataset;
  const vkey = await parseVkey(written, LOG);
  checkGenesis(genesis, storage);
  await proveCard(card, vkey, genesis, others);
}

if (card !== null) run().catch((error) => card.refuse(error));
