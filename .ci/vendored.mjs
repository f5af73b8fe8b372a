// The code of others that browsers load: files of npm packages, with nothing changed but where they import one another from
// (a browser finds no package by its name). Their SHA-256 in the package stands in SHA256SUMS beside them.
//
//   node .ci/vendored.mjs            the files are those of SHA256SUMS, and SHA256SUMS those of the packages
//   node .ci/vendored.mjs --here     the first half alone, which needs no registry
//   node .ci/vendored.mjs --write    takes them from the packages, once an address below was changed

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const NOBLE = [
  {
    name: '@noble/post-quantum', version: '0.7.1',
    integrity: 'sha512-+P9981IiAnVh+rmcubozzVwrEy3XsN/tMhTnvsjV9VDaYpOnNCqWqKo2FLWxbu92YHfjGIlE5XnW175UK+ln+Q==',
    files: ['LICENSE', '_crystals.js', 'ml-dsa.js', 'utils.js'],
  },
  {
    name: '@noble/hashes', version: '2.4.0', integrity: 'sha512-X5XaVWZIBCT7HHZGm5I7ZQXDwLG+bGXuSrMQAW+7Zvl87h1kmc1ZB1VSRJcpUfoUrGQp4Fkoxm5kZ+Ms+aW+eA==',
    files: ['LICENSE', '_u64.js', 'sha3.js', 'utils.js'],
  },
  {
    name: '@noble/curves', version: '2.4.0', integrity: 'sha512-P4/62zrgfH33CneE3Dn4WhJVA22YUU0eR51wKIan4NVRvwsA0YnPTwWGpNbpuacSujmSFLvyzpyuR30+fbq2Ew==',
    files: ['LICENSE', 'abstract/fft.js', 'abstract/modular.js', 'utils.js'],
  },
];

// Where packages stand, which ones, and what a file of one is named there, without the folder of all.
const FOLDERS = [
  { to: at('../src/web/verifier/vendor/noble/'), packages: NOBLE, nameOf: ({ name }, file) => `${name.split('/')[1]}/${file}` },
  {
    to: at('../vendor/jsqr/'), nameOf: (_, file) => file.split('/').pop(),
    packages: [{
      name: 'jsqr', version: '1.4.0', integrity: 'sha512-dxLob7q65Xg2DvstYkRpkYtmKm2sPJ9oFhrhmudT1dZvNFFTlroai3AWSpLey/w5vMcLBXRgOJsbXpdN9HzU/A==',
      files: ['LICENSE', 'dist/jsQR.js'],
    }],
  },
];

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const upFrom = (file) => '../'.repeat(file.split('/').length);

// Imports of other packages: by their name in the package, by where they stand here.
const IMPORT = /^((?:import|export)\b.* from ['"])@noble\/(hashes|curves)\//gm;
const toHere = (file, text) => text.replace(IMPORT, (_, begin, of) => `${begin}${upFrom(file)}${of}/`);
const toPackage = (file, text) => text.replace(
  /^((?:import|export)\b.* from ['"])((?:\.\.\/)+)(hashes|curves)\//gm,
  (whole, begin, up, of) => (up === upFrom(file) ? `${begin}@noble/${of}/` : whole),
);

function fetched({ name, version, integrity, files }, work) {
  const options = { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const archive = execFileSync('npm', ['pack', '--silent', `${name}@${version}`], options).trim();
  const digest = `sha512-${createHash('sha512').update(readFileSync(join(work, archive))).digest('base64')}`;
  if (digest !== integrity) throw new Error(`${name}@${version} is ${digest}, and was ${integrity}`);
  const read = (file) => execFileSync('tar', ['-xzOf', archive, `package/${file}`], { cwd: work, maxBuffer: 1 << 24 }).toString();
  return new Map(files.map((file) => [file, read(file)]));
}

const sums = (found) => [...found].map(([file, text]) => `${sha256(text)}  ${file}\n`).sort().join('');

// The files that stand in a folder, as they are in their packages.
function here({ to, packages, nameOf }) {
  const found = new Map();
  for (const one of packages) {
    for (const file of one.files) {
      const name = nameOf(one, file);
      found.set(name, toPackage(file, readFileSync(join(to, name), 'utf8')));
    }
  }
  const known = new Set([...found.keys(), 'SHA256SUMS', 'README.md', 'package.json']);
  for (const entry of readdirSync(to, { recursive: true, withFileTypes: true })) {
    const name = join(entry.parentPath ?? entry.path, entry.name).slice(to.length);
    if (entry.isFile() && !known.has(name)) throw new Error(`${name} is of no package`);
  }
  return found;
}

function compared(folder, how) {
  const { to, packages, nameOf } = folder;
  const list = join(to, 'SHA256SUMS');
  if (how !== '--here') {
    const work = mkdtempSync(join(tmpdir(), 'arborlog-vendored-'));
    const found = new Map();
    const texts = new Map();
    try {
      for (const one of packages) {
        for (const [file, text] of fetched(one, work)) {
          found.set(nameOf(one, file), text);
          texts.set(nameOf(one, file), toHere(file, text));
        }
      }
    } finally {
      rmSync(work, { recursive: true });
    }
    if (how === '--write') {
      for (const [name, text] of texts) {
        mkdirSync(dirname(join(to, name)), { recursive: true });
        writeFileSync(join(to, name), text);
      }
      writeFileSync(list, sums(found));
    }
    if (sums(found) !== readFileSync(list, 'utf8')) throw new Error(`${list} is not of the packages`);
  }
  if (sums(here(folder)) !== readFileSync(list, 'utf8')) throw new Error(`a file is not that of ${list}`);
}

for (const folder of FOLDERS) compared(folder, process.argv[2]);
