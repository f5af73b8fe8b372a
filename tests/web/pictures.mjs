// Pictures of pages for the README: `ARBORLOG_DEMO=DIR node tests/web/pictures.mjs`.

import { mkdirSync } from 'node:fs';

import { Forged } from './forge.mjs';
import { Site, decided, launch } from './site.mjs';

const FOLDER = new URL('../../docs/images/', import.meta.url).pathname;
mkdirSync(FOLDER, { recursive: true });
const site = await Site.start();
const browser = await launch();
const entries = await site.entries();

async function certificateWithSurvey() {
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const answer = await fetch(`${site.real}/v1/certificates/${index}`);
    const found = answer.ok ? await answer.json() : {};
    if (found.tree?.plot_latest_survey) return found;
  }
  throw new Error('no certificate has a tree on a plot that was surveyed');
}

const certificate = await certificateWithSurvey();
const tree = `/tree/${certificate.tree.plot}/${certificate.tree.serial}`;

async function picture(name, paths, { width = 900, height = 1250, colorScheme = 'light' } = {}, before = () => {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: 'en-GB' });
  const page = await context.newPage();
  for (const [place, path] of paths.entries()) {
    if (place === paths.length - 1) before();
    await page.goto(site.url + path);
    if (await page.$('#panel[data-receipts]')) await decided(page);
  }
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  await context.close();
  site.tamper = null;
}

await picture('home', ['/']);
await picture('certificate', ['/', `/certificate/${certificate.certificate}`, `/certificate/${certificate.certificate}`], { height: 1700 });
await picture('tree-phone', [tree, tree], { width: 360, height: 1100, colorScheme: 'dark' });
await picture('plot', [`/plot/${certificate.tree.plot}`]);
await picture('account', [`/account/${certificate.account}`]);
await picture('forked', [tree, tree], { height: 1250 }, () => {
  const changed = [...entries];
  changed[40] = changed[41];
  const forged = new Forged('demo.arborlog.example/ledger', site.logKey, changed);
  site.tamper = (url) => {
    const asked = /^\/v1\/receipts\/(\d+)$/.exec(url);
    if (url === '/v1/checkpoint') return forged.checkpoint();
    return asked ? forged.receipt(Number(asked[1])) : undefined;
  };
});
await browser.close();
await site.close();
