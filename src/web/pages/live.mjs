// Shows new entries as the server sends them. Nothing is verified here: each entry's own page does that.

const rows = document.getElementById('newest');
const ROWS_MAX = 10;
const AGAIN_MS = 30_000;

function row({ index, kind, says, when }) {
  const made = document.createElement('tr');
  const link = document.createElement('a');
  link.href = `/entry/${index}`;
  link.textContent = index;
  // A name in it may be written from right to left.
  const said = document.createElement('bdi');
  said.textContent = says;
  for (const content of [link, kind, said, when]) {
    const cell = document.createElement('td');
    cell.append(content);
    made.append(cell);
  }
  made.className = 'new';
  return made;
}

const newest = () => Number(rows.querySelector('a')?.textContent ?? -1);

let [source, again] = [null, null];

function follow() {
  source = new EventSource(`/live?after=${newest() + 1}`);
  source.addEventListener('message', (event) => {
    const { entries } = JSON.parse(event.data);
    const fresh = entries.filter((entry) => entry.index > newest());
    rows.prepend(...fresh.map(row));
    while (rows.children.length > ROWS_MAX) rows.lastElementChild.remove();
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
const labels = [button.textContent, button.dataset.again];
let isHeld = false;
button.addEventListener('click', () => {
  isHeld = !isHeld;
  button.textContent = labels[Number(isHeld)];
  clearTimeout(again);
  source.close();
  if (!isHeld) follow();
});
button.hidden = false;

follow();
