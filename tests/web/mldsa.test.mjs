// ML-DSA-44 in a real browser, by its own WebCrypto and by noble's module, under the pages' content security policy.
// `npm --prefix tests/web ci && node --test tests/web/mldsa.test.mjs`, with Debian's chromium.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { launch } from './site.mjs';

const POLICY = readFileSync(new URL('../../src/web/mod.rs', import.meta.url), 'utf8')
  .match(/"(default-src 'none';[\s\S]*?)"/)[1].replace(/\\\s+/g, '');
const ASSETS = readFileSync(new URL('../../src/web/assets.rs', import.meta.url), 'utf8');
const PAGE = '<!doctype html><title>ML-DSA</title>';
const golden = (name) => JSON.parse(readFileSync(new URL(`../golden/${name}`, import.meta.url), 'utf8'));
const { keys, texts, lines } = golden('policy/cases.json');
const { signed, keys: alone } = golden('mldsa/cases.json');

let [browser, server, asked] = [null, null, []];

// Only what the server's own list of files has is served.
before(async () => {
  server = createServer((ask, answer) => {
    const name = ask.url.replace(/^\/web\//, '');
    asked.push(name);
    const file = new URL(`../../src/web/${name}`, import.meta.url);
    answer.setHeader('content-security-policy', POLICY);
    if (ask.url === '/') return answer.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
    if (!ASSETS.includes(`"${name}"`) || !existsSync(file)) return answer.writeHead(404).end();
    return answer.writeHead(200, { 'content-type': 'text/javascript; charset=utf-8' }).end(readFileSync(file));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  browser = await launch();
});

after(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
});

async function open() {
  const page = await browser.newPage();
  const address = `http://127.0.0.1:${server.address().port}/`;
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(address);
  asked = [];
  return { page, errors };
}

test('both ways give one verdict; noble’s files are fetched only for the second', async () => {
  const { page, errors } = await open();
  const questions = signed.map((one) => ({ ...one, vkey: alone[one.key].vkey }));
  const work = async (page, way) => page.evaluate(async ([questions, way]) => {
    const { mldsa } = await import('/web/verifier/mldsa.mjs');
    const { fromBase64, fromHex } = await import('/web/verifier/codec.mjs');
    let verify;
    try {
      verify = await mldsa.ways[way]();
    } catch (error) {
      return String(error);
    }
    const found = [];
    for (const { vkey, message, signature } of questions) {
      const key = fromBase64(vkey.split('+').slice(2).join('+'), 'key').subarray(1);
      const [said, by] = [fromHex(message), fromBase64(signature, 'signature')];
      const other = by.slice();
      other[100] ^= 1;
      found.push(await verify(key, by, said), await verify(key, other, said), await verify(key, by, said.subarray(1)));
    }
    return found;
  }, [questions, way]);
  const right = questions.flatMap(() => [true, false, false]);
  const own = await work(page, 0);
  const vendored = () => asked.filter((name) => name.includes('vendor/'));
  assert.deepEqual(vendored(), []);
  // A browser may have none; then it says so.
  if (typeof own === 'string') process.stdout.write(`# this browser has no ML-DSA: ${own}\n`);
  else assert.deepEqual(own, right);
  assert.deepEqual(await work(page, 1), right);
  assert.equal(vendored().length, 9);
  assert.deepEqual(errors, []);
  await page.close();
});

test('a policy is judged in a browser, and fetches nothing of ML-DSA for Ed25519 keys', async () => {
  const { page, errors } = await open();
  const judge = (policy, names) => page.evaluate(async ([policy, note]) => {
    const { readPolicy, checkLogByPolicy, checkQuorumOf } = await import('/web/verifier/policy.mjs');
    const { readCheckpoint } = await import('/web/verifier/note.mjs');
    const { mldsa } = await import('/web/verifier/mldsa.mjs');
    // By noble's module, whatever the browser has.
    mldsa.ways = mldsa.ways.slice(-1);
    const read = await readPolicy(policy);
    const checkpoint = readCheckpoint(note);
    try {
      await checkLogByPolicy(read, checkpoint);
      return (await checkQuorumOf(read, checkpoint)).levels;
    } catch (error) {
      return error.code;
    }
  }, [policy.replace(/\{([^{}]+)\}/g, (_, name) => keys[name].vkey), `${texts.golden}\n${names.map((name) => lines[name]).join('')}`]);
  const any = 'log {log}\nwitness w1 {w1}\nwitness m1 {m1}\ngroup g any w1 m1\nquorum g\n';
  assert.deepEqual(await judge(any, ['log', 'w1', 'stranger']), ['cosigned', 'witnessed']);
  assert(!asked.some((name) => name.includes('vendor/')));
  assert.deepEqual(await judge(any, ['log', 'm1']), ['cosigned', 'witnessed']);
  assert(asked.some((name) => name.includes('vendor/')));
  assert.equal(await judge(any, ['log', 'm1 false']), 'signature_invalid');
  assert.deepEqual(errors, []);
  await page.close();
});
