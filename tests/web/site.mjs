// A real server on the demonstration's ledger, with a proxy before it that can lie; and a browser
// that fails the test at any console error or request to elsewhere.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { chromium } from 'playwright-core';

import { entriesOf } from './forge.mjs';

export const BINARY = process.env.ARBORLOG_BIN ?? new URL('../../target/debug/arborlog', import.meta.url).pathname;
const CHROMIUM = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

export class Site {
  // Without `stateEveryMs` the ledger stays as it was made: no state entry comes behind its last record.
  static async start({ stateEveryMs = 0 } = {}) {
    const site = new Site();
    site.stateEveryMs = stateEveryMs;
    // More of `serve`'s options, for the next start of the server.
    site.options = [];
    site.dir = mkdtempSync(join(tmpdir(), 'arborlog-pages-'));
    const demo = process.env.ARBORLOG_DEMO;
    if (demo && existsSync(demo)) {
      cpSync(demo, site.dir, { recursive: true });
    } else {
      execFileSync(BINARY, ['demo', '--dir', site.dir, '--listen', '127.0.0.1:0', '--once', '--json'], { stdio: 'ignore' });
    }
    site.tamper = null;
    await site.serve();
    await site.listen();
    return site;
  }

  async serve() {
    this.server = spawn(BINARY, ['serve', join(this.dir, 'ledger'), '--listen', '127.0.0.1:0', ...this.options], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ARBORLOG_STATE_EVERY_MS: String(this.stateEveryMs) },
    });
    const lines = createInterface({ input: this.server.stdout });
    const { value } = await lines[Symbol.asyncIterator]().next();
    this.real = value.split(' ').pop();
  }

  // The proxy: what a tamper function gives is sent instead of the server's answer.
  async listen() {
    this.proxy = createServer((ask, answer) => {
      const onward = request(this.real + ask.url, { method: ask.method, headers: ask.headers }, (reply) => {
        const headers = { ...reply.headers };
        if (!this.tamper || headers['content-type']?.startsWith('text/event-stream')) {
          answer.writeHead(reply.statusCode, headers);
          reply.pipe(answer);
          return;
        }
        const parts = [];
        reply.on('data', (part) => parts.push(part));
        reply.on('end', () => {
          const lie = this.tamper(ask.url, Buffer.concat(parts).toString(), reply.statusCode);
          if (lie === undefined) {
            answer.writeHead(reply.statusCode, headers);
            answer.end(Buffer.concat(parts));
            return;
          }
          delete headers['content-length'];
          delete headers['transfer-encoding'];
          // A browser that kept a lie under the answer's tag would go on believing it.
          delete headers.etag;
          const { status = reply.statusCode, body } = typeof lie === 'string' ? { body: lie } : lie;
          answer.writeHead(status, headers);
          answer.end(body);
        });
      });
      if (this.tamper) {
        onward.setHeader('accept-encoding', 'identity');
        onward.removeHeader('if-none-match');
      }
      onward.on('error', () => answer.destroy());
      answer.on('close', () => onward.destroy());
      ask.pipe(onward);
    });
    await new Promise((done) => this.proxy.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${this.proxy.address().port}`;
  }

  key(name) {
    return readFileSync(join(this.dir, 'keys', `${name}.pem`));
  }

  get logKey() {
    return readFileSync(join(this.dir, 'ledger', 'keys', 'log.pem'));
  }

  run(...args) {
    return execFileSync(BINARY, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async json(path) {
    const answer = await fetch(this.real + path);
    assert.equal(answer.status, 200, path);
    return answer.json();
  }

  // Every entry that the log has.
  async entries() {
    const { entries: size } = await this.json('/v1/totals');
    const all = [];
    for (let bundle = 0; bundle * 256 < size; bundle += 1) {
      const width = Math.min(256, size - bundle * 256);
      const number = String(bundle).padStart(3, '0');
      const answer = await fetch(`${this.real}/tile/entries/${number}${width < 256 ? `.p/${width}` : ''}`);
      all.push(...entriesOf(Buffer.from(await answer.arrayBuffer())));
    }
    return all;
  }

  // Seconds until the server is gone after SIGTERM.
  async stop() {
    const gone = new Promise((done) => this.server.once('exit', done));
    const begun = Date.now();
    this.server.kill('SIGTERM');
    await gone;
    return (Date.now() - begun) / 1000;
  }

  async close() {
    if (this.server.exitCode === null) await this.stop();
    this.proxy.closeAllConnections();
    this.proxy.close();
    rmSync(this.dir, { recursive: true });
  }
}

export const launch = () =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });

// A browser's profile of its own; what it must not do is collected and must stay empty. `others` are sites that may be asked too.
export async function visit(browser, site, options = {}, allowed = [], others = []) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const wrong = [];
  context.on('request', (asked) => {
    const own = [site.url, ...others].some((url) => asked.url().startsWith(url)) || /^(blob|data|file):/.test(asked.url());
    if (!own) wrong.push(`asked ${asked.url()}`);
  });
  context.on('weberror', (error) => wrong.push(`error ${error.error().message}`));
  const page = await context.newPage();
  const harmless = (text) => allowed.some((pattern) => pattern.test(text));
  page.on('console', (line) => {
    if (line.type() === 'error' && !harmless(line.text())) wrong.push(`console ${line.text()}`);
  });
  const finish = async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  };
  return { context, page, finish };
}

// Waits until the panel has made up its mind; gives whether all held.
export async function decided(page) {
  await page.waitForSelector('#panel:is([data-holds=true], [data-holds=false], [data-holds=unable])', { state: 'attached' });
  return page.getAttribute('#panel', 'data-holds');
}

export const states = (page) =>
  page.$$eval('[data-check]', (items) => Object.fromEntries(items.map((item) => [item.dataset.check, item.dataset.state])));

// What the card tells, once it has been proven.
export async function cardOf(page) {
  await page.waitForSelector('#card:not([data-holds=waiting])');
  const told = await page.$eval('#card', ({ dataset, firstElementChild }) => ({
    holds: dataset.holds, tone: dataset.tone, text: firstElementChild.innerText,
  }));
  return { ...told, text: told.text.replace(/\s+/g, ' ').trim() };
}
