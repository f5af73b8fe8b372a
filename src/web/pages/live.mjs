// Shows new entries as the server sends them. Nothing is verified here: each entry's own page does that.

const totals = document.getElementById('totals');
const rows = document.getElementById('newest');
// What each cell of a row is, for a phone, where a row is a list.
const labels = [...rows.closest('table').querySelectorAll('th')].map((head) => head.textContent);
const ROWS_MAX = 10;
const AGAIN_MS = 30_000;
// The server makes its sums anew every five seconds at most.
const TOTALS_MS = 5_000;

function row({ index, kind, says, when }) {
  const made = document.createElement('tr');
  const link = document.createElement('a');
  link.href = `/entry/${index}`;
  link.textContent = index;
  // A name in it may be written from right to left.
  const said = document.createElement('bdi');
  said.textContent = says;
  for (const [place, content] of [link, kind, said, when].entries()) {
    const cell = document.createElement('td');
    cell.dataset.label = labels[place];
    cell.append(content);
    made.append(cell);
  }
  made.className = 'new';
  return made;
}

const newest = () => Number(rows.querySelector('a')?.textContent ?? -1);

let [source, again, summing] = [null, null, null];
let isHeld = false;

// The sums follow the entries. What the server can't give now stays as it is, and says of how many entries it is.
async function sum() {
  summing = null;
  try {
    const answer = await fetch('/totals');
    if (!answer.ok || isHeld) return;
    const part = new DOMParser().parseFromString(await answer.text(), 'text/html');
    totals.replaceChildren(...part.body.childNodes);
  } catch {
    // The server is away: the next entries ask again.
  }
}

function follow() {
  source = new EventSource(`/live?after=${newest() + 1}`);
  source.addEventListener('message', (event) => {
    const { entries } = JSON.parse(event.data);
    const fresh = entries.filter((entry) => entry.index > newest());
    rows.prepend(...fresh.map(row));
    while (rows.children.length > ROWS_MAX) rows.lastElementChild.remove();
    if (fresh.length > 0) summing ??= setTimeout(sum, TOTALS_MS);
  });
  // A browser reconnects by itself after a broken connection, but not after a refusal, which comes
  // when too many readers watch.
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) again = setTimeout(follow, AGAIN_MS);
  });
}

// Rows that move by themselves can be held (WCAG 2.2, 2.2.2). A held page has no connection: what came meanwhile comes at once
// when it goes on.
const button = document.getElementById('pause');
const buttonTexts = [button.textContent, button.dataset.again];
button.addEventListener('click', () => {
  isHeld = !isHeld;
  button.textContent = buttonTexts[Number(isHeld)];
  clearTimeout(again);
  clearTimeout(summing);
  summing = null;
  source.close();
  if (!isHeld) follow();
});
button.hidden = false;

follow();
