// A real ledger for tests: governors, a platform's key, a method, and a server that can be killed and put back.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

import { Key, Outbox, Sender, newKeyPem } from '../src/index.js';

const PROGRAM = process.env.ARBORLOG ?? 'arborlog';
const [COMMAND_MS, START_MS] = [60_000, 60_000];
const METHOD = {
  id: 1, version: 1, effective_from: '2026-01-01',
  activities: [{ code: 1, name: 'metro ride', unit: 'ride', factor: 52000000, cap: 520 }],
  species: [{ code: 1, name: 'Haloxylon ammodendron', price: 300 }],
  baseline: 'an average car', sources: 'a table', jurisdiction: 'here', document: '00'.repeat(32),
};
export const hexOf = (bytes) => Buffer.from(bytes).toString('hex');
export const ACCOUNT = '11'.repeat(32);

// Node has SQLite of its own from 22.5 on; on older ones better-sqlite3 takes its place (`npm install`).
export const openDatabase = await import('node:sqlite').then(
  ({ DatabaseSync }) => (path) => new DatabaseSync(path),
  async () => {
    const { default: Database } = await import('better-sqlite3');
    return (path) => new Database(path);
  },
);

// An award of 104 points for an event of this name.
export const award = (event, changes = {}) => ({
  kind: 'award', account: ACCOUNT, method: 1, version: 1, activity: 1, quantity: 2000, points: 104, occurred_on: '2026-03-01',
  evidence: new Uint8Array(createHash('sha256').update(String(event)).digest()), ...changes,
});

export const freePort = () => new Promise((resolve, reject) => {
  const listener = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = listener.address();
    listener.close(() => resolve(port));
  });
});

// A ledger in a folder, served on a port of loopback that stays the same.
export class Ledger {
  static async make() {
    const ledger = new Ledger();
    ledger.path = mkdtempSync(join(tmpdir(), 'arborlog-js-'));
    ledger.port = await freePort();
    ledger.url = `http://127.0.0.1:${ledger.port}`;
    const pem = newKeyPem();
    writeFileSync(join(ledger.path, 'app.pem'), pem, { mode: 0o600 });
    ledger.key = await Key.fromPem(pem);
    await ledger.command('keygen', 'north.pem');
    await ledger.command('init', 'ledger', '--origin', 'example.org/ledger', '--programme', 'Rides', '--governor', 'north.pem');
    ledger.log = readFileSync(join(ledger.path, 'ledger', 'log.vkey'), 'utf8').trim();
    await ledger.start();
    await ledger.grant('app.pem', ledger.key, 'platform', 'green-app', 'Green App');
    writeFileSync(join(ledger.path, 'method.json'), JSON.stringify(METHOD));
    await ledger.propose(['method', '--file', 'method.json']);
    return ledger;
  }

  async command(...args) {
    const { stdout } = await promisify(execFile)(PROGRAM, args, { cwd: this.path, timeout: COMMAND_MS });
    return stdout;
  }

  async propose(args, endorser = null) {
    const out = `${args[0]}.proposal`;
    await this.command(...args, '--key', 'north.pem', '--out', out, '--from', this.url);
    if (endorser) await this.command('endorse', out, '--key', endorser);
    await this.command('submit', out, '--to', this.url);
    rmSync(join(this.path, out));
  }

  grant(file, key, role, holder, name) {
    return this.propose(['grant', '--grantee', hexOf(key.publicKey), '--role', role, '--holder', holder, '--name', name], file);
  }

  async anotherKey(file, role, holder, name) {
    const pem = newKeyPem();
    writeFileSync(join(this.path, file), pem, { mode: 0o600 });
    const key = await Key.fromPem(pem);
    await this.grant(file, key, role, holder, name);
    return key;
  }

  async start() {
    this.server = spawn(PROGRAM, ['serve', 'ledger', '--listen', `127.0.0.1:${this.port}`], { cwd: this.path, stdio: 'ignore' });
    this.ended = new Promise((resolve) => {
      this.server.once('exit', resolve);
    });
    for (const until = Date.now() + START_MS; Date.now() < until; await wait(50)) {
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      if (answer?.ok) return;
    }
    throw new Error('the server did not start');
  }

  async stop(signal = 'SIGTERM') {
    this.server?.kill(signal);
    await this.ended;
    this.server = null;
  }

  // A copy of the stopped ledger, as a backup would be.
  copy(name) {
    cpSync(join(this.path, 'ledger'), join(this.path, name), { recursive: true, preserveTimestamps: true });
  }

  putBack(name) {
    rmSync(join(this.path, 'ledger'), { recursive: true });
    renameSync(join(this.path, name), join(this.path, 'ledger'));
  }

  async get(path) {
    const answer = await fetch(this.url + path, { signal: AbortSignal.timeout(10_000) });
    return answer.json();
  }

  // The evidence of every award in the log, in order.
  async evidence() {
    const note = await (await fetch(`${this.url}/checkpoint`)).text();
    const found = [];
    for (let index = 0; index < Number(note.split('\n')[1]); index += 1) {
      const { statement } = await this.get(`/v1/entries/${index}`);
      if (statement?.kind === 'award') found.push(statement.evidence);
    }
    return found;
  }

  async close() {
    await this.stop('SIGKILL');
    rmSync(this.path, { recursive: true });
  }
}

// A platform's database with an outbox in it, and a sender.
export class Platform {
  constructor(ledger, { name = 'app.db', addresses = ledger.url, key = ledger.key, ...options } = {}) {
    this.path = join(ledger.path, name);
    this.db = openDatabase(this.path);
    this.db.exec('PRAGMA busy_timeout = 10000');
    this.own = openDatabase(this.path);
    this.outbox = new Outbox(this.own, key.publicKey);
    this.sender = new Sender(this.outbox, key, addresses, { patienceMs: 20_000, log: ledger.log, ...options });
  }

  put(...statements) {
    this.db.exec('BEGIN');
    const ids = statements.map((statement) => this.outbox.put(this.db, statement));
    this.db.exec('COMMIT');
    return ids;
  }

  state(id) {
    return this.outbox.row(id).state;
  }

  close() {
    this.db.close();
    this.own.close();
  }
}

// Hands each connection on. Of the first `cuts` posts it hands on the request, and cuts the answer.
export async function cuttingProxy(port, cuts) {
  const { connect } = await import('node:net');
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1');
    let [request, answer, begun] = [Buffer.alloc(0), Buffer.alloc(0), false];
    client.on('data', (part) => {
      request = Buffer.concat([request, part]);
      const head = request.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: *([0-9]+)/i.exec(request.subarray(0, head).toString('latin1'))?.[1] ?? 0);
      if (begun || request.length < head + 4 + length) return;
      begun = true;
      const lines = request.subarray(0, head).toString('latin1').replace(/\r\nconnection:[^\r]*/i, '').replace('\r\n', '\r\nConnection: close\r\n');
      server.write(Buffer.concat([Buffer.from(lines, 'latin1'), request.subarray(head, head + 4 + length)]));
    });
    server.on('data', (part) => {
      answer = Buffer.concat([answer, part]);
    });
    server.on('end', () => {
      const isPost = request.subarray(0, 4).toString() === 'POST';
      proxy.posts += isPost ? 1 : 0;
      const cut = isPost && proxy.posts <= cuts;
      client.end(cut ? answer.subarray(0, answer.length >> 1) : answer);
    });
    for (const socket of [client, server]) socket.on('error', () => {}).setTimeout(10_000, () => socket.destroy());
  });
  proxy.posts = 0;
  await new Promise((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve);
  });
  proxy.url = `http://127.0.0.1:${proxy.address().port}`;
  return proxy;
}
