// What an entry says, in one sentence of the reader's language.

import { hex } from '../verifier/codec.mjs';
import { lookedFor } from '../verifier/story.mjs';
import { SENTENCES } from './sentences.mjs';

// Digits of a key in a sentence.
const SHORT = 12;
// Letters that are written from right to left: without bounds around them they would turn around what stands beside them.
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;

export const isolated = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

// A whole number of a unit's 10^-places as that unit, without zeros at the end, in the way of English.
export function decimalText(number, places) {
  const digits = String(number).padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return `${digits.slice(0, -places)}${fraction === '' ? '' : `.${fraction}`}`;
}

// `writer` writes numbers and days as the language does: n, decimal, day. `names` are those that an entry refers to: who
// signed it (`by`, null for a governor), an award's `activity` and `unit`, the `species`; what is not known is told by its
// code.
export function sentenceOf(statement, names, writer) {
  const words = writer.sentences;
  const s = statement;
  const day = (value) => writer.day(value);
  const n = (value) => writer.n(value);
  const short = (key) => `${hex(key).slice(0, SHORT)}…`;
  const span = (from, until) => (from === until ? writer.fill(words.on_day, { day: day(from) })
    : writer.fill(words.between, { from: day(from), until: day(until) }));
  const by = names.by === null ? words.governor : isolated(names.by);
  const species = isolated(names.species ?? `${s.species}`);
  const say = (name, parts = {}) => writer.fill(words[name], { by, ...parts });
  const remedies = {
    reverse: ({ points }) => say('correction_reverse', { points: n(points), target: s.target, reason: isolated(s.reason) }),
    lost: ({ count, lost_on: on }) => say('correction_lost', { count: n(count), target: s.target, day: day(on), reason: isolated(s.reason) }),
    void: () => say('correction_void', { target: s.target, reason: isolated(s.reason) }),
  };
  const kinds = {
    genesis: () => say('genesis', { programme: isolated(s.programme) }),
    governors: () => say('governors', { count: n(s.governors.length), quorum: n(s.quorum) }),
    key_grant: () => say('key_grant', { name: isolated(s.display_name), role: words[`role_${s.role}`] }),
    key_revoke: () => say('key_revoke', { key: short(s.key), reason: isolated(s.reason) }),
    log_key: () => say('log_key', { key: short(s.key) }),
    method: () => say('method', { id: s.id, version: s.version, day: day(s.effective_from) }),
    award: () => say('award', {
      points: n(s.points), day: day(s.occurred_on),
      what: writer.fill(words.what, {
        quantity: writer.decimal(decimalText(s.quantity, 3)), unit: isolated(names.unit ?? ''), activity: isolated(names.activity ?? `${s.method}.${s.activity}`),
      }),
    }),
    transfer: () => say(`transfer_${s.reason}`, { points: n(s.points) }),
    plot: () => say('plot', { number: s.number, name: isolated(s.name), country: s.country }),
    planting: () => say('planting', { count: n(s.count), species, plot: s.plot, span: span(s.planted_from, s.planted_until) }),
    survey: () => say('survey', {
      plot: s.plot, day: day(s.surveyed_on), basis: words[`basis_${s.basis}`], alive: n(s.alive), looked_for: n(lookedFor(s)),
    }),
    claim: () => say('claim', { points: n(s.points), species }),
    assignment: () => say('assignment', { plot: s.plot, serial: s.first_serial, count: n(s.claims.length) }),
    correction: () => remedies[s.remedy.kind](s.remedy),
    policy: () => say('policy'),
    attestation: () => say('attestation', { size: n(s.size), level: words[`level_${s.level}`], opinion: words[`opinion_${s.opinion}`] }),
    seal: () => say('seal', { count: n(s.count) }),
    state: () => say('state', { size: n(s.size) }),
  };
  return kinds[s.kind]();
}

const known = (tag) => Object.keys(SENTENCES).find((one) => tag.toLowerCase().startsWith(one)) ?? 'en';

// The sentences of a language: those of its card's words.
export const sentencesOf = (tag) => SENTENCES[known(tag)];

// The numbers, as they are written, that a noun in the singular stands beside. Chinese has none.
const SINGULAR = { en: ['1'], fr: ['0', '1'], zh: [] };

// What fills the places of a text of this language (`sentences.mjs`).
export function fillerOf(tag) {
  const singular = SINGULAR[known(tag)];
  return (text, parts) => text.replace(/\{(\w+)(?:\|([^|}]*)\|([^|}]*))?\}/g, (_, name, one, many) => {
    const part = String(parts[name]);
    return many === undefined ? part : (singular.includes(part) ? one : many).replace('#', () => part);
  });
}
