// Whether the words of a page are those of the statements that prove it. A fact is a path such as
// `planting.planted_on` and the text that the page shows for it.

import { Refused, hex, need } from './codec.mjs';

const DAYS = new Set([
  'planted_on', 'surveyed_on', 'occurred_on', 'issued_on', 'effective_from', 'lost_on', 'expires_on', 'next_due',
  'compromised_since',
]);
const DAY_MS = 86_400_000;

export const dayText = (day) => new Date(Number(day) * DAY_MS).toISOString().slice(0, 10);

// To the second, as pages write it.
export const timeText = (ms) => `${new Date(Number(ms)).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

// A field of a statement as text.
export function fieldText(name, value) {
  if (value instanceof Uint8Array) return hex(value);
  if (DAYS.has(name) && value !== null) return dayText(value);
  return String(value);
}

// Numbers are shown with their thousands apart.
const plain = (text) => (/^[0-9,]+$/.test(text) ? text.replaceAll(',', '') : text);

// What is known of a tree by its claim, assignment and planting: plot and serial.
function treeOf({ planting, claim, assignment }, facts) {
  const said = planting.entry.statement;
  const shown = facts.find((fact) => fact.path === 'tree.serial');
  let serial = shown ? BigInt(plain(shown.text)) : BigInt(said.first_serial);
  if (claim && assignment) {
    const tied = assignment.entry.statement;
    const place = tied.claims.indexOf(claim.index);
    need(place >= 0, 'story', 'the assignment does not name this claim');
    need(tied.plot === said.plot, 'story', 'the assignment is of another plot than the planting');
    serial = BigInt(tied.first_serial) + BigInt(place);
  }
  const [first, count] = [BigInt(said.first_serial), BigInt(said.count)];
  need(first <= serial && serial < first + count, 'story', 'the planting has no tree with this serial');
  return { plot: said.plot, serial };
}

// That statements which one page puts together speak of the same plot and species.
function checkLinks({ planting, survey, plot, claim }) {
  const same = (one, other, what) => need(one === other, 'story', `the statements are of different ${what}`);
  if (planting && claim) same(planting.entry.statement.species, claim.entry.statement.species, 'species');
  if (planting && plot) same(planting.entry.statement.plot, plot.entry.statement.number, 'plots');
  const place = planting?.entry.statement.plot ?? plot?.entry.statement.number;
  if (survey && place !== undefined) same(survey.entry.statement.plot, place, 'plots');
}

// What each receipt must be of.
const KINDS = {
  planting: 'planting', claim: 'claim', assignment: 'assignment', survey: 'survey', plot: 'plot', method: 'method',
};

// What a page must show, marked as a fact, of what it rests on: one that leaves the marks out would
// tick without having been looked at.
const SHOWN = {
  planting: ['tree.plot', 'tree.serial', 'planting.species', 'planting.planted_on', 'planting.by'],
  claim: ['claim.index'],
  survey: ['survey.surveyed_on', 'survey.sampled', 'survey.alive', 'survey.paid_by'],
  plot: ['plot.number', 'plot.name'],
  entry: ['entry.index', 'entry.kind', 'entry.issuer', 'entry.bytes'],
};

function speciesName(code, { method }) {
  const named = method?.entry.statement.species.find((species) => species.code === code);
  need(named, 'story', 'the method does not name this species');
  return named.name;
}

// The text that a fact must have.
function expected(path, proven, tree, idOf) {
  const [name, field] = path.split('.');
  if (name === 'tree') return String(tree[field]);
  const receipt = proven[name];
  need(receipt, 'story', `nothing proves what the page says of ${path}`);
  const { entry, grant, index } = receipt;
  const said = entry.statement;
  switch (field) {
    case 'index': return String(index);
    case 'id': return idOf(name);
    case 'bytes': return hex(entry.bytes);
    case 'by': return grant?.statement.display_name ?? '';
    case 'holder': if (name === 'plot') return grant?.statement.holder ?? ''; break;
    case 'admitted_at': return timeText(entry.admitted_at);
    case 'species_name': return speciesName(said.species, proven);
    case 'issued_on': return dayText(entry.issued_on);
    case 'issuer': return hex(entry.issuer);
    case 'seq': return String(entry.seq);
    default: break;
  }
  need(field in said, 'story', `the statement has no ${field}`);
  return fieldText(field, said[field]);
}

// Throws at the first fact that the proven statements do not bear out. `proven` has what
// `verifyReceipt` gave, by name; `ids` the record ids in hexadecimal.
export function checkStory(facts, proven, ids = {}) {
  for (const [name, { entry }] of Object.entries(proven)) {
    need(!(name in KINDS) || entry.statement.kind === KINDS[name], 'story', `the entry is no ${name}`);
  }
  const marked = new Set(facts.map((fact) => fact.path));
  for (const path of Object.keys(proven).flatMap((name) => SHOWN[name] ?? [])) {
    need(marked.has(path), 'story', `the page does not show ${path}`);
  }
  checkLinks(proven);
  const tree = proven.planting ? treeOf(proven, facts) : {};
  for (const { path, text } of facts) {
    const right = expected(path, proven, tree, (name) => ids[name]);
    if (plain(text) !== plain(right)) {
      throw new Refused('story', `the page says ${path} = ${text}, the signed statement says ${right}`);
    }
  }
}
