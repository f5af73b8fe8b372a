// The card: what this browser proved of the page, written by this script alone, above the page that the server made. Two
// lines, never one: how things stand, and whether that was proven.

import { newElement } from '../checks.mjs';
import { Refused } from '../verifier/codec.mjs';
import { checkAbout, readQuestion } from '../verifier/question.mjs';
import { verifyReceipt } from '../verifier/receipt.mjs';
import { hasCard, prove } from './proofs.mjs';
import { Teller } from './tell.mjs';

const MARKS = { waiting: '…', true: '✓', false: '✗', unable: '?' };

export class Card {
  // The card of the page at this address, shown as being checked; null if no state proof tells what the page is about.
  // `below` says that the site's own page stands below the card; `place` is the element that it is put into.
  static on(document, pathname, { below = true, place = 'content' } = {}) {
    return hasCard(pathname) ? new Card(document, pathname, below, place) : null;
  }

  constructor(document, pathname, below, place) {
    this.pathname = pathname;
    this.teller = new Teller(document.documentElement.lang);
    this.box = newElement('section', '', { id: 'card', 'data-holds': 'waiting', translate: 'no' });
    this.told = newElement('div');
    this.mark = newElement('p', '', { class: 'proof', role: 'status' });
    this.box.append(this.told, this.mark);
    const told = below ? [newElement('p', this.teller.say('below'), { class: 'small below' })] : [];
    document.getElementById(place).prepend(this.box, ...told);
    this.show('waiting', 'checking');
  }

  show(holds, word, detail = '') {
    this.box.dataset.holds = holds;
    this.mark.replaceChildren(newElement('b', `${MARKS[holds]} ${this.teller.say(word)}`), detail === '' ? '' : ` ${detail}`);
    if (holds !== 'unable') return;
    const again = newElement('button', this.teller.say('again'), { type: 'button' });
    again.addEventListener('click', () => location.reload());
    this.mark.append(' ', again);
  }

  // Fetches and verifies what the page's address asks for. Gives the receipts, whose checkpoints are still to be compared
  // with what was seen before; null if they could not be had, which the card says.
  async prove({ vkey, genesis }, fetchBytes) {
    const receipts = [];
    const open = async (path, asked) => {
      const proven = await verifyReceipt(await fetchBytes(path), { vkey, genesis });
      checkAbout(proven, readQuestion(asked));
      receipts.push(proven);
      return proven;
    };
    try {
      this.proven = this.teller.tell(await prove(this.pathname, open));
      return receipts;
    } catch (error) {
      this.refuse(error);
      return null;
    }
  }

  // What is wrong was found: nothing that was proven before is shown any more.
  refuse(error) {
    this.refused = error;
    this.told.replaceChildren();
    const isFalse = error instanceof Refused && error.outcome === 'false';
    this.show(isFalse ? 'false' : 'unable', isFalse ? 'wrong' : 'unproven', `(${error.message})`);
  }

  // The same, before anything of the card was looked at.
  refuseIfOpen(error) {
    if (this.box.dataset.holds === 'waiting') this.refuse(error);
  }

  cannotVerify() {
    this.show('unable', 'unproven', `${this.teller.say('no_cryptography')}.`);
  }

  // Tells what was proven, once nothing contradicts the log that it was proven in. `seen` is the number of entries that the
  // server showed before, if it shows fewer now; `others` are the witnesses and auditors that are named, or null.
  tell({ seen, others }) {
    if (seen !== null) this.proven.asOf += ` ${this.teller.say('lags', { seen: this.teller.n(seen) })}`;
    const { title, tone, standing, rows, asOf } = this.proven;
    const { seen_by: named, seen_by_operator: chosen } = this.teller.words;
    const seenBy = this.teller.seenBy(others).map((text) => [others.isOperators ? chosen : named, text]);
    const list = newElement('dl', '', { class: 'facts' });
    for (const [name, text] of [...rows, ...seenBy]) {
      const row = newElement('div');
      const said = newElement('dd');
      said.append(newElement('bdi', text));
      row.append(newElement('dt', name), said);
      list.append(row);
    }
    this.box.dataset.tone = tone;
    this.told.replaceChildren(newElement('h2', title), newElement('p', standing, { class: 'standing' }), list);
    this.show('true', 'proven', asOf);
  }

  // The page that the server made contradicts the proofs, or could not be checked: the card still stands.
  pageDiffers() {
    if (this.box.dataset.holds === 'true') this.show('true', 'page_differs', this.proven.asOf);
  }
}
