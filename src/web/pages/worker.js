// Keeps the hashes of the verifier's scripts in a reader's browser, and tells when they changed since: with the new release of
// an honest server they do, so it accuses nobody. It passes everything on as it comes. Whoever serves the site can replace this
// worker too, or have a page remove it; then nothing is told. What it tells is told in the page's HTML as the page passes
// through here, so that no script of the page has a part in it.

'use strict';

const CACHE = 'arborlog';
// A place of the cache, not of the site.
const KEPT = '/kept-by-worker';
const SEEN = '/scripts-seen';

const WORDS = {
  en: {
    told: (since, from, to) => `The scripts that verify in your browser changed since your last visit on ${since}: from ${from} to ${to}. A new release of this site does that. Who wants to be sure compares the new hash with the one that the software’s own source gives.`,
    seen: 'Don’t tell me again',
  },
  fr: {
    told: (since, from, to) => `Les scripts qui vérifient dans votre navigateur ont changé depuis votre dernière visite, le ${since} : de ${from} à ${to}. Une nouvelle version de ce site a cet effet. Pour en être sûr, comparez la nouvelle empreinte à celle que donne le code source du logiciel.`,
    seen: 'Ne plus me le dire',
  },
  zh: {
    told: (since, from, to) => `在您的浏览器中进行核验的脚本自您上次访问（${since}）以来有变化：从 ${from} 变为 ${to}。网站发布新版本时会如此。如需确认，请将新的哈希值与软件源代码给出的哈希值比较。`,
    seen: '不再提示',
  },
};

const digestOf = async (bytes) => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
};
const short = (hash) => hash.slice(0, 16);
const day = (at) => new Date(at).toISOString().slice(0, 10);

// What is kept: `pins` (when they were taken, the hash of each script as the server listed it and as it came, and that of all), and `change`, what is still to be told.
async function kept() {
  const found = await (await caches.open(CACHE)).match(KEPT);
  return found ? found.json() : { pins: null, change: null };
}

async function keep(value) {
  await (await caches.open(CACHE)).put(KEPT, new Response(JSON.stringify(value)));
}

async function fetched(path) {
  const answer = await fetch(path, { cache: 'no-cache' });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.arrayBuffer();
}

// The hashes of scripts that came and were none of those that are kept.
const came = new Map();

// The hashes of all scripts as they are now: those that the server lists, and of what came otherwise than it lists what came.
// To fetch all of them again would cost a reader half a megabyte.
async function take(before) {
  const list = new TextDecoder().decode(await fetched('/web/SHA256SUMS'));
  const [listed, files] = [{}, {}];
  for (const line of list.split('\n').filter((text) => text !== '')) {
    const [sum, path] = line.split('  ');
    listed[path] = sum;
    const known = before?.listed[path] === sum ? before.files[path] : sum;
    files[path] = came.get(path) ?? known;
  }
  const sums = Object.entries(files).map(([path, sum]) => `${sum}  ${path}\n`).join('');
  return { at: Date.now(), whole: await digestOf(new TextEncoder().encode(sums)), listed, files };
}

// In each language, for the page at this address; null if there is nothing to tell.
function noticesOf(change, url) {
  if (change === null) return null;
  const { pathname, search } = new URL(url);
  const link = `${SEEN}?back=${encodeURIComponent(pathname + search)}`;
  const notices = {};
  for (const [language, words] of Object.entries(WORDS)) {
    const text = words.told(day(change.since), `<code>${short(change.from)}</code>`, `<code>${short(change.to)}</code>`);
    notices[language] = `<p id="scripts-changed" class="box" role="status" translate="no">${text} <a href="${link}">${words.seen}</a></p>`;
  }
  return notices;
}

const messageTo = ({ url }, { pins, change }) => ({ pins: { date: day(pins.at), hash: pins.whole }, notice: noticesOf(change, url) });

// One look at a time: a page's scripts come together, and all changed.
let looking = null;
function look() {
  looking ??= (async () => {
    const now = await take((await kept()).pins);
    // Behind that, which takes its time: a reader may have seen the notice meanwhile.
    const { pins, change } = await kept();
    if (pins !== null && now.whole === pins.whole) return;
    const [since, from] = change === null ? [pins?.at, pins?.whole] : [change.since, change.from];
    // Back to what was there, or nothing was there: nothing changed.
    const told = from === undefined || from === now.whole ? null : { since, from, to: now.whole };
    const value = { pins: now, change: told };
    await keep(value);
    for (const client of await self.clients.matchAll({ type: 'window' })) client.postMessage(messageTo(client, value));
  })().catch(() => {}).finally(() => { looking = null; });
  return looking;
}

async function compareScript(path, answer) {
  const { pins } = await kept();
  const digest = await digestOf(await answer.arrayBuffer());
  if (pins?.files[path] === digest) {
    came.delete(path);
    return;
  }
  came.set(path, digest);
  await look();
}

async function script(event, path) {
  const answer = await fetch(event.request);
  if (answer.ok) event.waitUntil(compareScript(path, answer.clone()));
  return answer;
}

async function page(event) {
  const answer = await fetch(event.request);
  const { change } = await kept();
  const isPage = answer.type === 'basic' && (answer.headers.get('content-type') ?? '').startsWith('text/html');
  if (change === null || !isPage) return answer;
  const html = await answer.text();
  const language = /<html lang="(\w\w)/.exec(html)?.[1];
  const notices = noticesOf(change, event.request.url);
  const headers = new Headers(answer.headers);
  for (const name of ['content-length', 'content-encoding', 'etag']) headers.delete(name);
  const told = html.replace(/<main id="content">|<body[^>]*>(?![^]*<main id="content">)/, (start) => `${start}${notices[language] ?? notices.en}`);
  return new Response(told, { status: answer.status, statusText: answer.statusText, headers });
}

async function seen(url) {
  await keep({ ...await kept(), change: null });
  const back = new URL(url.searchParams.get('back') ?? '/', url.origin);
  return Response.redirect(back.origin === url.origin ? back : url.origin, 303);
}

self.addEventListener('install', (event) => {
  self.skipWaiting();
  // What is kept already is kept: a new worker looks at it with the next script.
  event.waitUntil(kept().then(({ pins }) => (pins === null ? look() : null)));
});

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('message', (event) => {
  if (event.data !== 'pins') return;
  event.waitUntil(kept().then((value) => {
    if (value.pins !== null) event.source.postMessage(messageTo(event.source, value));
  }));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (request.mode === 'navigate') event.respondWith(url.pathname === SEEN ? seen(url) : page(event));
  else if (/^\/web\/.*\.m?js$/.test(url.pathname)) event.respondWith(script(event, url.pathname.slice(1)));
});
