// Which state proofs a page asks for, by its address alone, and what they say. The server's page has no part in it: a page
// that leaves out what it rests on changes nothing here.

import { hex, need } from '../verifier/codec.mjs';
import { itemAsked, readQuestion } from '../verifier/question.mjs';

const stateOf = ({ entry, checkpoint }) => ({
  size: entry.statement.size, at: entry.admitted_at, index: entry.index, newest: checkpoint.size,
});

const pathOfItem = (name, key) => `/v1/proofs/state?domain=${name}s&key=${encodeURIComponent(key)}`;

// `open(path, question)` fetches a file and verifies that it holds and answers the question.
const item = (open, name, key) => {
  const question = `${name}s/${key}`;
  return open(pathOfItem(name, key), question)
    .then((proven) => ({ state: stateOf(proven), found: itemAsked(proven, readQuestion(question)).found?.fields ?? null }));
};

async function certificate(open, number) {
  const proven = await open(`/v1/proofs/certificate/${number}`, `certificate/${number}`);
  return { page: 'certificate', state: stateOf(proven), ...proven.file };
}

async function placeOf(open, number) {
  const [plot, survey] = [await item(open, 'plot', number), await item(open, 'survey', `${number}/latest`)];
  return { plot: plot.found, survey: survey.found, state: plot.state };
}

async function tree(open, plot, serial) {
  const asked = `${plot}/${serial}`;
  const { state, found } = await item(open, 'tree', asked);
  const names = { page: 'tree', number: plot, serial };
  if (found === null) return { ...names, state, place: await placeOf(open, plot), certificate: null };
  const named = await certificate(open, found.claim);
  const { claim } = named;
  const same = claim.tree.kind === 'has' && `${claim.tree.plot}/${claim.tree.serial}` === asked;
  // The two proofs may be of two states, with a loss or a correction between them.
  need(same, 'away', 'the tree and its certificate changed between two proofs: load the page again');
  return { ...names, state: named.state, certificate: named };
}

async function plot(open, number) {
  const { plot: found, survey, state } = await placeOf(open, number);
  return { page: 'plot', number: BigInt(number), plot: found, survey, state };
}

async function account(open, id) {
  const { state, found } = await item(open, 'account', id);
  return { page: 'account', state, balance: found?.balance ?? null };
}

// What may be corrected (docs/format.md, section 13.4), and so has a file that says what corrected it.
const CORRECTABLE = ['award', 'transfer', 'claim', 'survey', 'assignment', 'attestation', 'planting'];
const isCorrectable = ({ statement }) =>
  CORRECTABLE.includes(statement.kind) || (statement.kind === 'correction' && statement.remedy.kind === 'lost');

// What a state proof says, or null if none is to be had: the entry may be newer than the newest state.
const ifHad = (proof) => proof.catch((error) => {
  if (error.code === 'away') return null;
  throw error;
});

// The names that an entry refers to, as the state has them.
async function namesOf(open, { statement: s }, key) {
  const names = { by: key?.found?.task.display_name ?? null };
  if (s.kind === 'award') {
    const method = await ifHad(item(open, 'method', `${s.method}/${s.version}`));
    const activity = method?.found?.activities.find(({ code }) => code === s.activity);
    return { ...names, activity: activity?.name, unit: activity?.unit };
  }
  if (s.kind !== 'claim' && s.kind !== 'planting') return names;
  const species = await ifHad(open(`/v1/proofs/state?domain=species&key=${s.species}`, `species/${s.species}`));
  return { ...names, species: species && itemAsked(species, readQuestion(`species/${s.species}`)).found?.fields.name };
}

async function entry(open, number) {
  const proven = await open(`/v1/receipts/${number}`, `receipt/${number}`);
  const said = { page: 'entry', index: proven.index, entry: proven.entry, size: proven.checkpoint.size };
  if (proven.entry.statement.kind === 'state') return { ...said, state: null, key: null, names: { by: null }, correctable: false, corrected: null };
  const [asked, correctable] = [`entry/${number}`, isCorrectable(proven.entry)];
  const key = await ifHad(item(open, 'key', hex(proven.entry.issuer)));
  const corrected = correctable ? await ifHad(open(`/v1/proofs/state?domain=entry&key=${number}`, asked)) : null;
  return {
    ...said, correctable, key: key?.found ?? null, names: await namesOf(open, proven.entry, key),
    state: corrected === null ? (key?.state ?? null) : stateOf(corrected), corrected: corrected?.file ?? null,
  };
}

async function totals(open) {
  const proven = await open('/v1/proofs/state?domain=totals', 'totals');
  return { page: 'totals', state: stateOf(proven), totals: proven.entry.statement.totals };
}

// Addresses, what is proven of each, and the files that it surely needs.
const PAGES = [
  [/^\/$/, totals, () => ['/v1/proofs/state?domain=totals']],
  [/^\/account\/([0-9a-f]{64})$/, account, (id) => [pathOfItem('account', id)]],
  [/^\/certificate\/(0|[1-9]\d*)$/, certificate, (number) => [`/v1/proofs/certificate/${number}`]],
  [/^\/tree\/(0|[1-9]\d*)\/(0|[1-9]\d*)$/, tree, (...place) => [pathOfItem('tree', place.join('/'))]],
  [/^\/plot\/(0|[1-9]\d*)$/, plot, (number) => [pathOfItem('plot', number), pathOfItem('survey', `${number}/latest`)]],
  [/^\/entry\/(0|[1-9]\d*)$/, entry, (number) => [`/v1/receipts/${number}`]],
];

// What is proven of the page at an address, or null if no state proof tells what it is about.
export async function prove(pathname, open) {
  for (const [pattern, read] of PAGES) {
    const asked = pattern.exec(pathname);
    if (asked) return read(open, ...asked.slice(1));
  }
  return null;
}

// The paths that the proof of a page begins with.
export function firstAsked(pathname) {
  const [pattern, , paths] = PAGES.find(([address]) => address.test(pathname)) ?? [];
  return pattern === undefined ? [] : paths(...pattern.exec(pathname).slice(1));
}

// Whether a page has a card at all.
export const hasCard = (pathname) => PAGES.some(([pattern]) => pattern.test(pathname));
