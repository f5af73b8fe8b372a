// A QR code on the page of receipts, by the camera or a picture. What it says is a link to a page of a ledger, or a receipt:
// a link to this site has its receipt fetched and verified here, one to another site is shown and not followed.

import { newElement } from './checks.mjs';
import { conclude, show } from './dropped.mjs';
import { panelWordsOf } from './panel_words.mjs';

const scanWords = panelWordsOf(document.documentElement.lang);
const said = document.getElementById('scanned');
const picture = document.getElementById('picture');
const camera = document.getElementById('camera');
const video = document.getElementById('video');

// The browser's own reader; or jsQR, which is fetched only where there is none.
async function newReader() {
  const formats = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []);
  if (formats?.includes('qr_code')) {
    const detector = new globalThis.BarcodeDetector({ formats: ['qr_code'] });
    return async (canvas) => (await detector.detect(canvas))[0]?.rawValue ?? null;
  }
  await import('./vendor/jsqr/jsQR.js');
  return async (canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    return globalThis.jsQR(data, width, height)?.data ?? null;
  };
}
let reader = null;
const readCode = async (canvas) => {
  reader ??= newReader();
  // A file that did not come now may come later.
  reader.catch(() => { reader = null; });
  return (await reader)(canvas);
};

// Pictures of phones are large, and codes on them are not.
const SIDE_MAX = 1600;
function drawn(source, width, height) {
  const scale = Math.min(1, SIDE_MAX / Math.max(width, height));
  const canvas = newElement('canvas');
  Object.assign(canvas, { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) });
  canvas.getContext('2d', { willReadFrequently: true }).drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function tell(word, ...links) {
  said.replaceChildren(scanWords[word]);
  for (const href of links) said.append(' ', newElement('a', href, { href, rel: 'nofollow noreferrer' }));
}

const isOwn = ({ origin }) => origin === location.origin || origin === new URL(document.body.dataset.url, location.href).origin;

// What a code says that was read.
async function takeText(text) {
  if (text.startsWith('c2sp.org/tlog-proof@')) {
    tell('scan_receipt');
    await show(text);
    return;
  }
  const url = /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
  const index = url === null ? undefined : /^\/(?:certificate|entry|v1\/receipts)\/(0|[1-9]\d{0,18})$/.exec(url.pathname)?.[1];
  if (url === null) {
    tell('scan_other');
    said.append(' ', newElement('bdi', text.slice(0, 300)));
    conclude('unable', scanWords.no_receipt);
  } else if (!isOwn(url)) {
    tell('scan_elsewhere', url.href);
    conclude('unable', scanWords.no_verdict);
  } else if (index === undefined) {
    tell('scan_page', location.origin + url.pathname);
  } else {
    const page = url.pathname.replace('/v1/receipts/', '/entry/');
    tell('scan_found', location.origin + page);
    const answer = await fetch(`/v1/receipts/${index}`).catch(() => null);
    if (answer?.ok) await show(new Uint8Array(await answer.arrayBuffer()));
    else conclude('unable', scanWords.w_away);
  }
}

async function takePicture(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const text = await readCode(drawn(bitmap, bitmap.width, bitmap.height));
    if (text !== null) return await takeText(text);
    tell('scan_none');
  } catch {
    tell('scan_no_picture');
  }
  return conclude('unable', scanWords.no_verdict);
}

picture.addEventListener('change', () => {
  if (picture.files.length > 0) takePicture(picture.files[0]);
});

// ---- the camera ----

const LOOK_MS = 200;
let stream = null;

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.hidden = true;
  camera.textContent = scanWords.scan_camera;
}

async function look() {
  if (stream === null) return;
  const text = video.videoWidth > 0 ? await readCode(drawn(video, video.videoWidth, video.videoHeight)).catch(() => null) : null;
  if (stream === null) return;
  if (text === null) {
    setTimeout(look, LOOK_MS);
    return;
  }
  stop();
  await takeText(text);
}

async function start() {
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  } catch {
    tell('scan_no_camera');
    return;
  }
  video.srcObject = stream;
  video.hidden = false;
  camera.textContent = scanWords.scan_stop;
  await video.play();
  look();
}

if (navigator.mediaDevices?.getUserMedia) {
  camera.hidden = false;
  camera.addEventListener('click', () => (stream === null ? start() : stop()));
}
