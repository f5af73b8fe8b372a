// Starts the worker that keeps the hashes of the scripts in this browser (`worker.js`), and shows what it says. The worker
// says the same in pages that it passes on, which these scripts have no part in.

const insertNotice = (html) => {
  document.getElementById('scripts-changed')?.remove();
  if (html !== null) document.getElementById('content').insertAdjacentHTML('afterbegin', html);
};

function showPins({ date, hash }) {
  const told = document.getElementById('pins');
  if (told === null) return;
  told.querySelector('[data-pin=date]').textContent = date;
  told.querySelector('[data-pin=hash]').textContent = hash;
  told.hidden = false;
}

async function start() {
  const { serviceWorker } = navigator;
  serviceWorker.addEventListener('message', ({ data }) => {
    if (data?.notice !== undefined) insertNotice(data.notice === null ? null : (data.notice[document.documentElement.lang.slice(0, 2)] ?? data.notice.en));
    if (data?.pins) showPins(data.pins);
  });
  await serviceWorker.register('/worker.js', { updateViaCache: 'none' });
  const { active } = await serviceWorker.ready;
  active.postMessage('pins');
}

// Only once the page is done: what is verified goes first. A frame on another site's page keeps nothing.
export function watchScripts() {
  if (!('serviceWorker' in navigator) || window.top !== window) return;
  const begin = () => start().catch(() => {});
  if (document.readyState === 'complete') begin();
  else addEventListener('load', begin);
}
