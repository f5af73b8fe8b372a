// A ledger that says every kind of statement: the demonstration's, and behind it what that leaves out, by the command line as
// people use it.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { decodeEntry, hex } from '../../src/web/verifier/codec.mjs';
import { BINARY } from './site.mjs';

// The verifier key of a log's Ed25519 key, from its hexadecimal digits.
function vkeyOf(name, key) {
  const bytes = Buffer.concat([Buffer.of(1), Buffer.from(key, 'hex')]);
  const id = createHash('sha256').update(`${name}\n`).update(bytes).digest('hex').slice(0, 8);
  return `${name}+${id}+${bytes.toString('base64')}`;
}

// What an entry is of, so finely that no two kinds that a page shows otherwise are alike.
export function kindOf(bytes) {
  const entry = decodeEntry(bytes);
  const { statement: s } = entry;
  const form = { 1: 'signed', 2: 'sealed', 3: 'state' }[bytes.readUInt16BE(0)];
  const variant = [s.remedy?.kind, s.reason && s.kind === 'transfer' ? s.reason : '', s.basis, s.place?.kind, s.carbon_rights?.kind];
  return [form, s.kind, ...variant].filter(Boolean).join(' ');
}

export class EveryKind {
  constructor(site) {
    this.site = site;
    this.files = 0;
  }

  path(name) {
    this.files += 1;
    return join(this.site.dir, `${this.files}-${name}`);
  }

  key(name) {
    return join(this.site.dir, 'keys', `${name}.pem`);
  }

  newKey(path) {
    return this.site.run('keygen', path).match(/[0-9a-f]{64}/)[0];
  }

  // Sends statements, signed by one of the demonstration's keys.
  say(name, ...statements) {
    const file = this.path(`${name}.ndjson`);
    writeFileSync(file, statements.map((statement) => `${JSON.stringify(statement)}\n`).join(''));
    this.site.run('submit', file, '--to', this.site.real, '--key', this.key(name));
  }

  // Proposes what governors say; the second one and others sign it too.
  govern(command, args, endorsers = []) {
    const file = this.path(`${command}.json`);
    this.site.run(command, ...args, '--key', this.key('governor-1'), '--out', file, '--from', this.site.real);
    for (const key of [this.key('governor-2'), ...endorsers]) this.site.run('endorse', file, '--key', key);
    this.site.run('submit', file, '--to', this.site.real);
  }

  async entries() {
    return this.site.entries();
  }

  // The newest entry of a kind, with its index and statement.
  async newest(kind, fits = () => true) {
    const all = await this.entries();
    for (let index = all.length - 1; index >= 0; index -= 1) {
      const { statement } = decodeEntry(all[index]);
      if (statement.kind === kind && fits(statement, index)) return { index, statement };
    }
    throw new Error(`no ${kind} is in the ledger`);
  }

  // Waits until a state entry covers all that was said.
  async covered() {
    const { entries } = await this.site.json('/v1/totals');
    for (let waits = 0; waits < 200; waits += 1) {
      const all = await this.entries();
      const { statement } = decodeEntry(all.at(-1));
      if (statement.kind === 'state' && statement.size >= BigInt(entries) - 1n) return;
      await new Promise((done) => { setTimeout(done, 100); });
    }
    throw new Error('no state entry covers what was said');
  }

  async makeAll() {
    const [mistaken, waits] = await this.waitingClaims(2);
    const { statement: award } = await this.newest('award');
    const [from, other] = [hex(award.account), hex((await this.newest('award', (s) => hex(s.account) !== hex(award.account))).statement.account)];
    this.say(
      'platform', ...['gift', 'collected', 'pooled'].map((reason) => ({ kind: 'transfer', from, to: other, points: 1, reason })),
      ...['expired', 'spent_elsewhere'].map((reason) => ({ kind: 'transfer', from: other, to: null, points: 1, reason })),
    );
    const gift = await this.newest('transfer', ({ reason }) => reason === 'gift');
    this.voided = { claim: mistaken, transfer: gift.index };
    this.say(
      'platform', { kind: 'correction', target: this.voided.transfer, reason: 'Given twice', remedy: 'void' },
      { kind: 'correction', target: this.voided.claim, reason: 'Ordered by mistake', remedy: 'void' },
    );
    await this.land(waits);
    await this.governors();
    await this.covered();
    await this.witnessed();
  }

  // Plots whose numbers each language rounds, writes or turns in its own way, with all that may happen on them.
  async land(claim) {
    const { species } = decodeEntry((await this.entries())[claim]).statement;
    const evidence = () => {
      this.files += 1;
      return this.files.toString(16).padStart(64, 'e');
    };
    const plot = (number, name, change) => ({
      kind: 'plot', number, name, country: 'CN', finer_outline: null, area_m2: 50_001, trees_per_ha_max: 2_000, carbon_rights: 'unknown',
      funded_by: 'Friends', for: [], place: { circle: { latitude: 156250, longitude: -156250, radius_m: 500 } }, ...change,
    });
    const corners = [[-389000005, -1795000000], [-388000000, 1799999999], [-389500000, 1798000015]];
    this.plots = [901, 902, 903];
    this.say(
      'planter', plot(901, 'At a half of a decimal', {}),
      plot(902, 'عند خط التاريخ', {
        place: { outline: { points: corners.map(([latitude, longitude]) => ({ latitude, longitude })) } }, carbon_rights: { issued: { registry: 'Verra', id: 'VCS-1234' } },
        for: ['bay-bike-points'], finer_outline: evidence(),
      }),
      plot(903, 'None issued', { carbon_rights: 'none_issued', area_m2: 0 }),
    );
    const planting = (number, first, count, change) => ({
      kind: 'planting', plot: number, species, first_serial: first, count, planted_from: '2020-02-29', planted_until: '2020-03-31', evidence: evidence(), evidence_at: '', ...change,
    });
    this.say('planter', planting(901, 1, 40), planting(901, 41, 1_200, { planted_until: '2020-02-29' }), planting(902, 1, 7));
    const [small, large] = [await this.newest('planting', ({ count }) => count === 40), await this.newest('planting', ({ count }) => count === 1_200)];
    this.say('platform', { kind: 'assignment', plot: 901, first_serial: 5, claims: [claim] });
    const assigned = await this.newest('assignment');
    const survey = (change) => ({
      kind: 'survey', plot: 901, planting: null, surveyed_on: '2026-01-02', as_of: assigned.index, basis: 'census', protocol: 'Every tree', plan: null, alive: 1_100, dead: 99,
      not_found: 1, dead_known: 0, revived: 0, evidence: evidence(), evidence_at: '', paid_by: 'Friends', next_due: null, ...change,
    });
    this.say(
      'surveyor', survey({}), survey({ surveyed_on: '2026-01-03', basis: 'random_sample', plan: evidence(), alive: 95, dead: 905, not_found: 0 }),
      survey({ surveyed_on: '2026-01-04', basis: 'remote_sensing', planting: small.index, alive: 0, dead: 40, not_found: 0, next_due: '2027-01-01' }),
    );
    const lost = (change) => ({ lost: { count: 1, first_serial: null, lost_on: '2026-01-05', evidence: null, ...change } });
    const correct = (target, remedy) => ({ kind: 'correction', target, reason: 'A storm', remedy });
    this.say('planter', correct(small.index, lost({ first_serial: 5 })), correct(small.index, lost({ first_serial: 9 })), correct(large.index, lost({ count: 2 })));
    this.lost = { certificate: Number(assigned.statement.claims[0]), tree: '901/5' };
    const undone = await this.newest('correction', ({ remedy }) => remedy.kind === 'lost' && remedy.first_serial === 9);
    const other = await this.newest('planting', ({ plot: number }) => number === 902);
    this.say('planter', { ...correct(undone.index, 'void'), reason: 'It was another tree' }, { ...correct(other.index, 'void'), reason: 'Never planted' });
    this.voided.tree = '902/3';
  }

  // The newest certificates that wait for a tree.
  async waitingClaims(count) {
    const all = await this.entries();
    const found = [];
    for (let index = all.length - 1; index > 0 && found.length < count; index -= 1) {
      if (decodeEntry(all[index]).statement.kind !== 'claim') continue;
      if ((await this.site.json(`/v1/certificates/${index}`)).status === 'waiting') found.push(index);
    }
    return found;
  }

  // Starts a witness of this log, whatever of these keys signs; gives its key and address, as a policy names them.
  async witness(vkeys) {
    const dir = this.path('witness');
    const key = this.site.run('witness', dir, '--init', 'witness.example.org/w1').match(/witness\.example\.org\/w1\+\S+/)[0];
    writeFileSync(join(dir, 'logs'), vkeys.map((vkey) => `${vkey}\n`).join(''));
    this.process = spawn(BINARY, ['witness', dir, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const { value } = await createInterface({ input: this.process.stdout })[Symbol.asyncIterator]().next();
    return `${key} ${value.split(' ').pop()}/`;
  }

  // Waits until the witness has seen the log as it is now signed.
  async witnessed() {
    for (let waits = 0; waits < 300; waits += 1) {
      const note = await (await fetch(`${this.site.real}/checkpoint`)).text();
      const newest = await (await fetch(`${this.site.real}/v1/checkpoint`)).text();
      if (note.includes('\u2014 witness.example.org/w1 ') && note.split('\n')[1] === newest.split('\n')[1]) return;
      await new Promise((done) => { setTimeout(done, 100); });
    }
    throw new Error('the witness did not cosign');
  }

  close() {
    this.process?.kill('SIGTERM');
  }

  async governors() {
    const [governor, auditor, log] = [this.key('governor-3'), this.key('auditor'), join(this.site.dir, 'ledger', 'keys', 'next.pem')];
    const keys = { governor: this.newKey(governor), auditor: this.newKey(auditor), log: this.newKey(log) };
    const old = [1, 2].map((number) => this.site.run('key', this.key(`governor-${number}`)).match(/[0-9a-f]{64}/)[0]);
    this.govern('governors', [...old, keys.governor].flatMap((key) => ['--governor', key]).concat('--quorum', '2'), [governor]);
    this.govern('grant', ['--grantee', keys.auditor, '--role', 'auditor', '--holder', 'true-north', '--name', 'True North'], [auditor]);
    const { methods } = await this.site.json('/v1/methods');
    const { kind, set, stated_at: _, ...method } = methods.at(-1).method ?? methods.at(-1);
    const file = this.path('method.json');
    writeFileSync(file, JSON.stringify({ ...method, version: method.version + 1, effective_from: '2030-01-01' }));
    this.govern('method', ['--file', file]);
    const vkey = readFileSync(join(this.site.dir, 'ledger', 'log.vkey'), 'utf8').trim();
    const vkeys = [vkey, vkeyOf(vkey.split('+')[0], keys.log)];
    const witness = await this.witness(vkeys);
    const policy = this.path('policy.txt');
    writeFileSync(policy, `${vkeys.map((key) => `log ${key}\n`).join('')}witness w1 ${witness}\nwitness audit-north witness.example.net/w1+6ea6d9c9+BAtROtm0kkAVygkC7QeQRNOsXb7CMG8GlIwQ2o62458t\nquorum w1\n`);
    this.govern('policy', ['--file', policy]);
    await this.covered();
    const state = await this.newest('state');
    const root = Buffer.from((await (await fetch(`${this.site.real}/v1/checkpoint`)).text()).split('\n')[2], 'base64').toString('hex');
    this.say('auditor', {
      kind: 'attestation', size: Number(state.statement.size), tree_root: root, state_root: hex(state.statement.state_root), period_from: '2014-01-01', period_until: '2026-01-01',
      level: 'limited', opinion: 'qualified', findings: 'cd'.repeat(32), report: 'ef'.repeat(32), report_at: '', words: 'One award was reversed only after we asked.',
    });
    this.govern('revoke', ['--revoked', keys.auditor, '--reason', 'Lost', '--compromised-since', '2026-01-01']);
    this.govern('log-key', ['--next', keys.log], [log]);
  }
}
