// What a file about the state is about (docs/format.md, section 13.4): a certificate, a history, what corrected an entry. Its
// first item tells; what else must be in it follows, and it has just that.

import { NONE, big, concat, equal, hex, need } from './codec.mjs';
import { MAY_SAY } from './record.mjs';

const agrees = (condition, what) => need(condition, 'state_file_wrong', what);
const hasJust = (condition, what) => need(condition, 'state_file_unfit', what);

// Numbers of these widths, one behind the other, as keys have them.
function keyOf(...pairs) {
  return concat(...pairs.map(([width, number]) => (
    Uint8Array.from({ length: width }, (_, at) => Number((BigInt(number) >> BigInt(8 * (width - 1 - at))) & 255n))
  )));
}
const indexKey = (index) => keyOf([8, index]);
const plotKey = (number) => keyOf([4, number]);

const remedyOf = ({ statement }) => (statement.kind === 'correction' ? statement.remedy.kind : null);
// The statement's fields, behind the number of its kind.
const fieldsOf = ({ record, statementBytes }) => (record === null ? statementBytes.subarray(4) : record.subarray(80));
const startsWith = (bytes, beginning) => equal(bytes.subarray(0, beginning.length), beginning);

// lineage[2] and those behind it, of which there must be just so many; else null. A sealed correction has as many as any
// correction can have, and what it does not use is none.
function placesBehind({ seal, places, lineage }, count) {
  const all = seal === null ? lineage.slice(2) : places;
  const unused = all.slice(count);
  return all.length < count || !(unused.length === 0 || (seal !== null && unused.every((place) => place === NONE))) ? null
    : all.slice(0, count);
}

// What an entry about an account adds to it, and the entry about it before (`NONE` for its first); null if the entry is
// about something else.
function accountStep(account, entry, target) {
  const { statement: s } = entry;
  const is = (other) => other !== null && other !== undefined && equal(account, other);
  const step = (change, count, place) => {
    const places = placesBehind(entry, count);
    if (places === null || (s.kind === 'correction' && places[0] !== s.target)) return null;
    return { change, before: places[place] };
  };
  if (s.kind === 'award' && is(s.account)) return step(s.points, 1, 0);
  if (s.kind === 'claim' && is(s.account)) return step(-s.points, 1, 0);
  if (s.kind === 'transfer' && is(s.from)) return step(-s.points, 2, 0);
  if (s.kind === 'transfer' && is(s.to)) return step(s.points, 2, 1);
  if (s.kind !== 'correction') return null;
  const [remedy, t] = [s.remedy.kind, target.statement];
  if (remedy === 'reverse' && t.kind === 'award' && is(t.account)) return step(-s.remedy.points, 2, 1);
  if (remedy !== 'void') return null;
  if (t.kind === 'claim' && is(t.account)) return step(t.points, 2, 1);
  if (t.kind === 'transfer' && is(t.from)) return step(t.points, 3, 1);
  if (t.kind === 'transfer' && is(t.to)) return step(-t.points, 3, 2);
  return null;
}

// The same of a plot. `lostOf` is what a loss names, if the entry voids one.
function plotStep(number, entry, target, lostOf) {
  const { statement: s } = entry;
  const before = (count, place) => {
    const places = placesBehind(entry, count);
    if (places === null || (s.kind === 'correction' && places[0] !== s.target)) return null;
    return { change: 0n, before: places[place] };
  };
  if (s.kind === 'plot') return s.number === number ? before(1, 0) : null;
  if (['planting', 'survey', 'assignment'].includes(s.kind)) return s.plot === number ? before(1, 0) : null;
  if (s.kind !== 'correction') return null;
  const { statement: on } = lostOf ?? target;
  const all = s.remedy.kind === 'void' && lostOf === null ? ['planting', 'survey', 'assignment'] : ['planting'];
  return s.remedy.kind !== 'reverse' && all.includes(on.kind) && on.plot === number ? before(2, 1) : null;
}

const CORRECTED_BY = {
  award: 'reversed', transfer: 'voided', claim: 'voided', survey: 'voided', assignment: 'voided', attestation: 'voided',
  planting: 'voided',
};

// The items and entries of a file as they are gone through: each rule takes the next item, and names what it needs.
class Desk {
  constructor(items, entries) {
    this.items = items.values();
    this.entries = entries;
    this.named = new Set();
  }

  next() {
    return this.items.next().value ?? null;
  }

  item(domain, ofKey) {
    const item = this.next();
    const fits = item !== null && item.upTo === undefined && item.domain === domain && equal(item.key, ofKey);
    hasJust(fits, `an item of the domain ${domain} is missing in its place`);
    return item;
  }

  leaf(domain, ofKey) {
    const item = this.item(domain, ofKey);
    agrees(item.found !== null, `what another part of the file speaks of is not there in the domain ${domain}`);
    return item;
  }

  shown(index) {
    hasJust(this.entries.has(index), `entry ${index} is not shown`);
    this.named.add(index);
    return this.entries.get(index);
  }

  targetOf(entry) {
    const target = this.shown(entry.statement.target);
    agrees(target.index < entry.index, 'a correction names an entry behind it');
    return target;
  }

  // Follows a history from its newest shown entry back. `step` says of an entry what was before it.
  walk(last, step) {
    const top = [...this.entries.values()].filter(({ statement }) => statement.kind !== 'seal').at(-1)?.index;
    hasJust(top !== undefined && top <= last, 'no entry that is shown can be of the history');
    const entries = [];
    for (let index = top; ;) {
      const entry = this.shown(index);
      const found = step(entry, remedyOf(entry) === null ? null : this.targetOf(entry));
      if (found === null) {
        const other = `entry ${index} is about something else`;
        hasJust(index !== top || top === last, other);
        agrees(false, other);
      }
      entries.push({ index, kind: entry.statement.kind, change: found.change });
      const { before } = found;
      const older = before === NONE ? null : before;
      agrees(older === null || before < index, 'an entry names one behind it as the one before');
      if (older === null || !this.entries.has(before)) return { entries, older, complete: older === null && top === last };
      index = before;
    }
  }

  checkNamed() {
    const needed = new Set(this.named);
    for (const index of this.named) needed.add(this.entries.get(index).seal?.index ?? index);
    hasJust(needed.size === this.entries.size, 'entries are shown that nothing in it names');
  }

  // The keys of all issuers, by the items that are left.
  issuers() {
    const issued = new Map();
    for (const entry of this.entries.values()) {
      const issuer = hex(entry.issuer);
      issued.set(issuer, [...(issued.get(issuer) ?? []), entry]);
    }
    const issuers = [...issued.keys()].sort().map((issuer) => (
      { entries: issued.get(issuer), item: this.item('keys', issued.get(issuer)[0].issuer) }
    ));
    hasJust(this.next() === null, 'an item is left over');
    return issuers.map(({ entries, item }) => {
      agrees(item.found !== null, 'a key that issued an entry has no task in the ledger');
      const { fields } = item.found;
      const { kind, role } = fields.task;
      const maySay = kind === 'granted' ? MAY_SAY[role] : { governor: ['correction'], log: [] }[kind];
      for (const { index, statement } of entries) {
        agrees(maySay.includes(statement.kind), `its key may not say the ${statement.kind} of entry ${index}`);
      }
      const said = entries.filter(({ statement }) => statement.kind !== 'seal');
      return { key: fields, entries: said.map(({ index }) => index) };
    });
  }
}

function readTree(desk, number, claim) {
  const { plot, serial } = claim.tree;
  const tree = desk.leaf('trees', keyOf([4, plot], [4, serial])).found.fields;
  agrees(tree.claim === number, "the tree is another certificate's");
  const ofPlot = plotKey(plot);
  const place = desk.next();
  const planting = place?.found?.fields;
  const isPlanting = place !== null && place.domain === 'plantings' && place.upTo === undefined && place.found !== null &&
    startsWith(place.key, ofPlot) && planting.first_serial <= serial && serial <= planting.last_serial;
  hasJust(isPlanting, "the tree's planting is missing in its place");
  agrees(!planting.voided && planting.species === claim.species, 'the planting was voided, or is of another species');
  const plotItem = desk.leaf('plots', ofPlot);
  const latest = desk.next();
  const isLatest = latest !== null && latest.domain === 'surveys' && latest.upTo !== undefined && startsWith(latest.key, ofPlot) &&
    equal(latest.upTo, concat(ofPlot, new Uint8Array(12).fill(255))) &&
    (latest.found !== null || latest.key.subarray(4).every((byte) => byte === 0));
  hasJust(isLatest, "the plot's latest survey is missing in its place");
  const { statement: assigned } = desk.shown(tree.assignment);
  const ties = assigned.kind === 'assignment' && assigned.plot === plot && assigned.claims[serial - assigned.first_serial] === number;
  agrees(ties, 'the assignment does not tie certificate and tree');
  const { statement: planted } = desk.shown(planting.entry);
  const samePlanting = planted.kind === 'planting' && planted.plot === plot &&
    ['species', 'first_serial', 'planted_from', 'planted_until'].every((name) => planted[name] === planting[name]) &&
    planted.count === planting.last_serial - planting.first_serial + 1;
  agrees(samePlanting, "the planting's entry says otherwise than the state");
  const stated = desk.shown(plotItem.found.fields.stated_at);
  const samePlot = stated.statement.kind === 'plot' && startsWith(plotItem.fields, fieldsOf(stated));
  agrees(samePlot, "the plot's entry says otherwise than the state");
  if (latest.found !== null) {
    const survey = desk.shown(big(latest.key.subarray(8)));
    const { kind, plot: on, surveyed_on: day } = survey.statement;
    const same = kind === 'survey' && startsWith(latest.fields.subarray(8), fieldsOf(survey)) &&
      equal(latest.key, keyOf([4, on], [4, day], [8, latest.found.fields.entry]));
    agrees(same, "the survey's entry says otherwise than the state");
  }
  return { assignment: tree.assignment, planting, plot: plotItem.found.fields, survey: latest.found?.fields ?? null };
}

function readCertificate(desk, first) {
  const [number, claim] = [big(first.key), first.found.fields];
  const species = desk.leaf('species', keyOf([2, claim.species])).found.fields.name;
  const entry = desk.shown(number);
  const { statement: s } = entry;
  const same = s.kind === 'claim' && equal(s.account, claim.account) && s.species === claim.species && s.points === claim.points;
  agrees(same, "the certificate's entry is no claim, or says otherwise than the state");
  const found = { about: 'certificate', index: number, claim, species, claimed_on: entry.issued_on, voided: null, tree: null };
  if (claim.tree.kind === 'waits') return found;
  if (claim.tree.kind === 'has') return { ...found, tree: readTree(desk, number, claim) };
  const { by } = desk.leaf('voided', indexKey(number)).found.fields;
  const correction = desk.shown(by);
  const voids = remedyOf(correction) === 'void' && correction.statement.target === number;
  agrees(voids, 'the entry that is to void the claim does not');
  return { ...found, voided: { by, reason: correction.statement.reason } };
}

function readAccountHistory(desk, first) {
  const { fields } = first.found;
  const account = first.key.subarray(32);
  const history = desk.walk(fields.last_entry, (entry, target) => accountStep(account, entry, target));
  const sum = history.entries.reduce((total, { change }) => total + change, 0n);
  agrees(!history.complete || sum === fields.balance, "the account's entries do not add up to its balance");
  return { about: 'account_history', account, fields, ...history };
}

function readPlotHistory(desk, first) {
  const { fields } = first.found;
  const history = desk.walk(fields.last_entry, (entry, target) => {
    const voidsLoss = remedyOf(entry) === 'void' && remedyOf(target) === 'lost';
    return plotStep(fields.number, entry, target, voidsLoss ? desk.targetOf(target) : null);
  });
  return { about: 'plot_history', fields, ...history };
}

function readCorrected(desk, first, state) {
  const index = big(first.key);
  const entry = desk.shown(index);
  hasJust(index < state.size, 'the state is older than the entry');
  const { statement: s } = entry;
  const domain = remedyOf(entry) === 'lost' ? 'losses' : CORRECTED_BY[s.kind];
  hasJust(domain === first.domain, 'another item tells what corrected the entry, or none does');
  const found = { about: 'corrections', index, kind: s.kind, found: first.found?.fields ?? null };
  if (s.kind === 'planting') {
    const planting = desk.leaf('plantings', keyOf([4, s.plot], [4, s.first_serial])).found.fields;
    agrees(planting.entry === index, "the planting is another entry's");
    agrees(planting.voided === (first.found !== null), 'the planting is voided in one item and not in the other');
    return { ...found, planting };
  }
  if (s.kind !== 'correction') return found;
  const voided = desk.item('voided', first.key);
  agrees(first.found === null || voided.found === null, 'the loss counts in one item and was voided in the other');
  return { ...found, voided: voided.found?.fields ?? null };
}

const FILES = {
  claims: readCertificate, accounts: readAccountHistory, plots: readPlotHistory, reversed: readCorrected, voided: readCorrected,
  losses: readCorrected,
};

// What the items and entries of a file say, of the state entry's `state`; null if no entries are shown. Each item is what
// verifyItem gives, with its `fields`; entries are those of openShown. `genesis` is the pinned one in hexadecimal, or null.
export function readAbout(items, entries, state, origin, genesis) {
  if (entries.size === 0) return null;
  const desk = new Desk(items, entries);
  const first = desk.next();
  hasJust(first !== null && first.upTo === undefined, 'it shows entries, and its first item tells nothing that they are about');
  hasJust(Object.hasOwn(FILES, first.domain), `no file is about an item of the domain ${first.domain}`);
  const programme = desk.leaf('once', Uint8Array.of(0)).found.fields;
  need(programme.origin === origin, 'genesis_other', 'the programme is of another log');
  const found = hex(programme.genesis);
  need(genesis === null || genesis === found, 'genesis_other', 'the genesis is not the one that was pinned');
  const own = first.domain !== 'accounts' || equal(first.key.subarray(0, 32), programme.genesis);
  need(own, 'genesis_other', 'the account is of a ledger with another genesis');
  const read = FILES[first.domain];
  hasJust(read === readCorrected || first.found !== null, 'what it is to be about is not there');
  const about = read(desk, first, state);
  desk.checkNamed();
  return { ...about, genesis: found, programme: programme.programme, issuers: desk.issuers() };
}
