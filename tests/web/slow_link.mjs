// How long a page takes on a slow link until its card is proven, in a fresh profile: 1.6 Mbit/s, 150 ms, a quarter of the
// processor, as Chromium throttles them. Run by hand, on a quiet machine: `node tests/web/slow_link.mjs [times]`. It measures
// the server in target/debug, or ARBORLOG_BIN. Behind `Content-Encoding: gzip`, as a server sends it.

import { Site, launch } from './site.mjs';

const TIMES = Number(process.argv[2] ?? 5);
const BYTES_PER_S = 1_600_000 / 8;
const LATENCY_MS = 150;
const CPU_RATE = 4;

async function once(browser, url) {
  const context = await browser.newContext({ locale: 'en-GB', serviceWorkers: process.env.WORKERS ?? 'allow' });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', {
    offline: false, latency: LATENCY_MS, downloadThroughput: BYTES_PER_S, uploadThroughput: BYTES_PER_S,
  });
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: CPU_RATE });
  let requests = 0;
  let bytes = 0;
  cdp.on('Network.requestWillBeSent', () => { requests += 1; });
  cdp.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
  const begun = performance.now();
  await page.goto(url, { waitUntil: 'commit' });
  await page.waitForSelector('#card[data-holds=true]', { timeout: 60_000 });
  const card = performance.now() - begun;
  const [asked, sent] = [requests, bytes];
  const hasPanel = (await page.$('#panel')) !== null;
  if (hasPanel) await page.waitForSelector('#panel[data-holds=true]', { timeout: 60_000 });
  const whole = performance.now() - begun;
  await context.close();
  return { card, whole, asked, sent };
}

const median = (numbers) => numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)];
const seconds = (ms) => (ms / 1000).toFixed(2);

const site = await Site.start();
const browser = await launch();
try {
  const { entries } = await site.json('/v1/totals');
  let certificate = entries - 1;
  for (; ; certificate -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${certificate}`);
    if (answer.ok && (await answer.json()).tree?.plot_latest_survey) break;
  }
  const { tree } = await site.json(`/v1/certificates/${certificate}`);
  for (const path of [`/certificate/${certificate}`, `/tree/${tree.plot}/${tree.serial}`, `/embed/certificate/${certificate}`, '/']) {
    const runs = [];
    for (let run = 0; run < TIMES; run += 1) runs.push(await once(browser, site.real + path));
    const card = runs.map((run) => run.card);
    console.log(`${path}: card ${seconds(median(card))} s (${seconds(Math.min(...card))} to ${seconds(Math.max(...card))}), all ${seconds(median(runs.map((run) => run.whole)))} s; ${runs[0].asked} requests, ${Math.round(runs[0].sent / 1024)} kB until the card`);
  }
} finally {
  await browser.close();
  await site.close();
}
