// The README's first award, the types, and that the package has the verifier in it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Ledger } from './ledger.mjs';

const HERE = fileURLToPath(new URL('..', import.meta.url));
const BLOCKS = [...readFileSync(join(HERE, 'README.md'), 'utf8').matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code);
const own = (code) => code.replaceAll("'arborlog'", `'${new URL('../src/index.js', import.meta.url)}'`);
const run = (program, args, cwd) => execFileSync(program, args, { cwd, encoding: 'utf8', timeout: 60_000, stdio: ['ignore', 'pipe', 'pipe'] });
const hasSqlite = await import('node:sqlite').then(() => true, () => false);

test('from install to the first award, as the README says', { timeout: 180_000, skip: !hasSqlite && 'node:sqlite is in Node from 22.5 on' }, async (t) => {
  const ledger = await Ledger.make();
  t.after(() => ledger.close());
  writeFileSync(join(ledger.path, 'log.vkey'), ledger.log);
  writeFileSync(join(ledger.path, 'first.mjs'), own(BLOCKS[0]).replace('https://ledger.example.org', ledger.url));
  const said = run(process.execPath, ['first.mjs'], ledger.path);
  assert.match(said, /admitted: 1/);
  assert.match(said, /state: 'in'/);
  const index = /entry: ([0-9]+)/.exec(said)[1];
  await ledger.command('receipt', '--from', ledger.url, index, '-o', 'award.tlog-proof');
  writeFileSync(join(ledger.path, 'verify.mjs'), own(BLOCKS[1]).replace('receipt/11', `receipt/${index}`));
  assert.match(run(process.execPath, ['verify.mjs'], ledger.path), /holds/);
  const lines = BLOCKS[0].split('\n').filter((line) => line !== '' && !line.startsWith('import'));
  assert.ok(lines.length <= 10, `${lines.length} lines`);
});

test('docs/integrating.md has the same lines', () => {
  const page = readFileSync(new URL('../../../docs/integrating.md', import.meta.url), 'utf8');
  assert.ok(page.includes(`\`\`\`js\n${BLOCKS[0]}\`\`\``));
});

test('a package has the verifier in it, and works where it is installed', { timeout: 180_000 }, (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'arborlog-pack-'));
  t.after(() => rmSync(scratch, { recursive: true }));
  // Packed elsewhere, so that nothing changes in the checkout; the links are absolute there.
  const copy = join(scratch, 'javascript');
  cpSync(HERE, copy, { recursive: true, filter: (path) => !path.includes('node_modules') && !/src.verifier$|LICENSE$/.test(path) });
  for (const name of ['src/verifier', 'LICENSE']) symlinkSync(realpathSync(join(HERE, name)), join(copy, name));
  run('npm', ['pack', '--silent', '--offline'], copy);
  run('tar', ['xzf', 'arborlog-0.1.0.tgz'], copy);
  const verifier = realpathSync(join(HERE, 'src/verifier'));
  const files = readdirSync(verifier, { recursive: true }).filter((name) => statSync(join(verifier, name)).isFile());
  assert.ok(files.includes('ed25519.mjs') && files.some((name) => name.startsWith('vendor/')));
  for (const name of files) {
    assert.deepEqual(readFileSync(join(copy, 'package/src/verifier', name)), readFileSync(join(verifier, name)));
  }
  assert.ok(existsSync(join(copy, 'package/LICENSE')));
  const check = "import { encode } from './package/src/index.js'; console.log(encode({ kind: 'claim', account: '11'.repeat(32), method: 1, version: 1, species: 1, points: 1 }).length)";
  writeFileSync(join(copy, 'check.mjs'), check);
  assert.equal(run(process.execPath, ['check.mjs'], copy).trim(), '54');
});

const compiler = join(HERE, 'node_modules/typescript/bin/tsc');
test('the types are those of what a platform writes', { timeout: 180_000, skip: !existsSync(compiler) && 'typescript is not installed (npm install)' }, () => {
  run(process.execPath, [compiler, '-p', 'tests/tsconfig.json'], HERE);
});
