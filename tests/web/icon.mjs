// Draws src/web/pages/icon.png from leaf.svg: what phones put on their home screen, and what other sites show beside a link
// (they take no SVG). Run by hand once the leaf changes: `node tests/web/icon.mjs`.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { launch } from './site.mjs';

const at = (name) => fileURLToPath(new URL(`../../src/web/pages/${name}`, import.meta.url));
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 512, height: 512 } });
// A margin of a fifth: phones cut a circle out of it.
await page.setContent(`<style>body { margin: 0; background: #fff } svg { display: block; width: 307px; margin: 102px }</style>${readFileSync(at('leaf.svg'), 'utf8')}`);
await page.screenshot({ path: at('icon.png') });
await browser.close();
