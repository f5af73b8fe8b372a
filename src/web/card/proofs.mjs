// Which state proofs a page asks for, by its address alone, and what they say. The server's page has no part in it: a page
// that leaves out what it rests on changes nothing here.

import { need } from '../verifier/codec.mjs';
import { itemAsked, readQuestion } from '../verifier/question.mjs';

const stateOf = ({ entry, checkpoint }) => ({
  size: entry.statement.size, at: entry.admitted_at, index: entry.index, newest: checkpoint.size,
});

// `open(path, question)` fetches a file and verifies that it holds and answers the question.
const item = (open, name, key) => {
  const domain = `${name}s`;
  const question = `${domain}/${key}`;
  return open(`/v1/proofs/state?domain=${domain}&key=${encodeURIComponent(key)}`, question)
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

const PAGES = [
  [/^\/certificate\/(0|[1-9]\d*)$/, certificate],
  [/^\/tree\/(0|[1-9]\d*)\/(0|[1-9]\d*)$/, tree],
  [/^\/plot\/(0|[1-9]\d*)$/, plot],
];

// What is proven of the page at an address, or null if no state proof tells what it is about.
export async function prove(pathname, open) {
  for (const [pattern, read] of PAGES) {
    const asked = pattern.exec(pathname);
    if (asked) return read(open, ...asked.slice(1));
  }
  return null;
}

// Whether a page has a card at all.
export const hasCard = (pathname) => PAGES.some(([pattern]) => pattern.test(pathname));
