// Whether the words of a page are those of the statements that prove it. A fact is a path such as
// `planting.planted` and the text that the page shows for it.

import { Refused, hex, need } from './codec.mjs';

const DAYS = new Set([
  'planted_from', 'planted_until', 'surveyed_on', 'occurred_on', 'issued_on', 'effective_from', 'lost_on', 'expires_on',
  'next_due', 'compromised_since', 'period_from', 'period_until',
]);
export const DAY_MS = 86_400_000;

export const dayText = (day) => new Date(Number(day) * DAY_MS).toISOString().slice(0, 10);

// To the second, as pages write it.
export const timeText = (ms) => `${new Date(Number(ms)).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

// The same as a language writes them, on its pages. English days are read alike everywhere only with the day first and the
// month in letters.
const writers = new Map();
export function dayIn(language, day) {
  if (language === null) return dayText(day);
  if (!writers.has(language)) {
    const tag = language === 'en' ? 'en-GB' : language;
    writers.set(language, new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeZone: 'UTC' }));
  }
  return writers.get(language).format(new Date(Number(day) * DAY_MS));
}

function timeIn(language, ms) {
  if (language === null) return timeText(ms);
  const clock = timeText(ms).slice(11);
  return `${dayIn(language, BigInt(ms) / BigInt(DAY_MS))}${language.startsWith('zh') ? '' : ', '}${clock}`;
}

// A field of a statement as text.
export function fieldText(name, value) {
  if (value instanceof Uint8Array) return hex(value);
  if (DAYS.has(name) && value !== null) return dayText(value);
  return String(value);
}

// Numbers, and only they, may be shown with their thousands apart: by commas, or narrow spaces.
const ungrouped = (text) => (/^[0-9]{1,3}([,\u202f][0-9]{3})+$/.test(text) ? text.replace(/[,\u202f]/g, '') : text);
const isNumber = (value) => ['number', 'bigint'].includes(typeof value);

// As JSON has it: a variant without fields is its name, another a table under its name.
const asJson = (value) => {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array || !('kind' in value)) return value;
  const { kind, ...inner } = value;
  return Object.keys(inner).length > 0 ? { [kind]: inner } : kind;
};

// The fields of a statement as the page of an entry lists them: [path, value], lists and tables
// with dots.
export function rowsOf(statement) {
  const rows = [];
  const walk = (path, found) => {
    const value = asJson(found);
    if (value === null) return;
    if (typeof value !== 'object' || value instanceof Uint8Array) rows.push([path, value]);
    else for (const [name, inner] of Object.entries(value)) walk(`${path}.${name}`, inner);
  };
  for (const [name, value] of Object.entries(statement)) if (name !== 'kind') walk(name, value);
  return rows;
}

// What an entry is of which no signature of its own holds, in the reader's words; or null.
export const formText = ({ entry, seal }, words) => {
  if (entry.statement.kind === 'state') return words.state_entry;
  return seal ? words.sealed_entry.replace('{}', seal.index) : null;
};

// What the record that is signed is: the entry's own, or its seal's. A state entry has none.
export const recordIn = ({ entry, seal }) => (seal ?? entry).record;

// The checks that say who states an entry: nobody states a state entry.
export const isStated = ({ entry }) => entry.statement.kind !== 'state';
export const CHECKS_OF_ISSUER = ['signature', 'role', 'authority'];

// The kind and the fields of a statement, each in a line.
export const statementText = (statement) =>
  [['kind', statement.kind], ...rowsOf(statement)]
    .map(([row, value]) => `${row}: ${fieldText(row.split('.').pop(), value)}`).join('\n');

// What each receipt must be of.
const KINDS = {
  planting: 'planting', claim: 'claim', assignment: 'assignment', survey: 'survey', plot: 'plot', method: 'method',
  entry: null,
};

// What a page must show, marked as a fact, of what it rests on: one that leaves the marks out would
// tick without having been looked at.
const SHOWN = {
  planting: ['tree.plot', 'tree.serial', 'planting.species', 'planting.planted', 'planting.by'],
  claim: ['claim.index'],
  survey: ['survey.surveyed_on', 'survey.basis', 'survey.looked_for', 'survey.alive', 'survey.dead', 'survey.not_found',
    'survey.paid_by'],
  plot: ['plot.number', 'plot.name'],
  entry: ['entry.index', 'entry.kind', 'entry.issuer', 'entry.bytes'],
};

// What an entry's page marks of the statement's own fields: without a name of their own they could be taken for what the
// page says of the record, whose id is not that of a method.
const SAYS = 'says.';

// Of a state entry, which nobody states: its bytes hold the totals, and are shown whole.
const SHOWN_OF_STATE = ['index', 'kind', 'says.size', 'says.rules_version', 'says.state_root', 'bytes'].map((field) => `entry.${field}`);

// What a page must show of a receipt of this name.
function mustShow(name, { entry, seal }) {
  if (name !== 'entry') return SHOWN[name] ?? [];
  if (entry.statement.kind === 'state') return SHOWN_OF_STATE;
  const rows = rowsOf(entry.statement).map(([row]) => `entry.${SAYS}${row}`);
  return [...rows, ...SHOWN.entry, ...(seal ? ['entry.seal'] : [])];
}

// What each address asks for, and the facts that must be just that.
const ASKED = [
  [/^\/certificate\/(\d+)$/, ['claim.index']],
  [/^\/tree\/(\d+)\/(\d+)$/, ['tree.plot', 'tree.serial']],
  [/^\/plot\/(\d+)$/, ['plot.number']],
  [/^\/entry\/(\d+)$/, ['entry.index']],
];

const story = (condition, what) => need(condition, 'story', what);

// Throws where the page is not the one of its address.
function checkAsked(pathname, facts) {
  const asked = ASKED.map(([pattern, paths]) => [pattern.exec(pathname), paths]).find(([found]) => found);
  story(asked, `nothing is known to verify at ${pathname}`);
  const [[, ...numbers], paths] = asked;
  for (const [place, path] of paths.entries()) {
    const fact = facts.find((marked) => marked.path === path);
    story(fact && BigInt(ungrouped(fact.text)) === BigInt(numbers[place]), `the address asks for another ${path}`);
  }
}

// The tree of a page, by its planting, and its assignment if it has one: plot and serial.
function treeOf({ planting, claim, assignment }, facts) {
  const planted = planting.entry.statement;
  const shown = facts.find((fact) => fact.path === 'tree.serial');
  let serial = shown ? BigInt(ungrouped(shown.text)) : BigInt(planted.first_serial);
  story(!claim || assignment, 'no assignment ties the claim to this tree');
  if (assignment) {
    const tied = assignment.entry.statement;
    const place = claim ? tied.claims.indexOf(claim.index) : -1;
    story(place >= 0, 'the assignment does not name this claim');
    story(tied.plot === planted.plot, 'the assignment is of another plot than the planting');
    serial = BigInt(tied.first_serial) + BigInt(place);
  }
  const [first, count] = [BigInt(planted.first_serial), BigInt(planted.count)];
  story(first <= serial && serial < first + count, 'the planting has no tree with this serial');
  return { plot: planted.plot, serial };
}

// Throws where statements that one page puts together are of different plots or species.
function checkLinks({ planting, survey, plot, claim }) {
  const same = (one, other, what) => story(one === other, `the statements are of different ${what}`);
  if (planting && claim) same(planting.entry.statement.species, claim.entry.statement.species, 'species');
  if (planting && plot) same(planting.entry.statement.plot, plot.entry.statement.number, 'plots');
  const place = planting?.entry.statement.plot ?? plot?.entry.statement.number;
  if (survey && place !== undefined) same(survey.entry.statement.plot, place, 'plots');
}

function speciesName(code, { method }) {
  const named = method?.entry.statement.species.find((species) => species.code === code);
  story(named, 'the method does not name this species');
  return named.name;
}

// How many trees a survey looked for.
export const lookedFor = ({ alive, dead, not_found: missed }) => alive + dead + missed;

// The share of the trees looked for that live: rounded down, so that one dead tree shows.
function survival(survey, { point = '.' }) {
  if (lookedFor(survey) === 0) return '\u2013';
  const tenths = Math.floor((survey.alive * 1000) / lookedFor(survey));
  return `${Math.floor(tenths / 10)}${point}${tenths % 10} %`;
}

// A span of days; the day, if it is one.
function span(from, until, words, language) {
  const [first, last] = [from, until].map((day) => dayIn(language, day));
  return first === last ? first : words.between.replace('{from}', first).replace('{until}', last);
}

function rights({ kind, registry, id }, words) {
  return kind === 'issued' ? `${words.rights_issued}${words.colon ?? ': '}${registry} ${id}` : words[`rights_${kind}`];
}

const HALF_TURN = 1_800_000_000;
const BILLION = 1_000_000_000n;

// Millimetres of ten-millionths of a degree of a great circle.
const millimetres = (e7) => (BigInt(e7) * 111_195_080n) / 10_000_000n;

// The cosine of a latitude, in billionths, by its series.
function cosine(e7) {
  const radians = (BigInt(e7) * 314_159_265_359n) / 180_000_000_000n;
  const square = (radians * radians) / BILLION;
  let [term, sum] = [BILLION, BILLION];
  for (let n = 1n; n <= 8n; n += 1n) {
    term = -((term * square) / BILLION) / ((2n * n - 1n) * (2n * n));
    sum += term;
  }
  return sum;
}

function root(square) {
  let [high, low] = [square + 1n, 0n];
  while (high - low > 1n) {
    const middle = (high + low) / 2n;
    if (middle * middle <= square) low = middle;
    else high = middle;
  }
  return low;
}

const middleOf = (numbers) => Math.floor((Math.min(...numbers) + Math.max(...numbers)) / 2);

// The circle that is stated; or one that holds the outline, around the middle of the least rectangle
// of degrees that holds it. By integers alone, as `src/record/land.rs` has it.
export function circleOf(place) {
  if (place.kind === 'circle') return place;
  const north = place.points.map((point) => point.latitude);
  let east = place.points.map((point) => point.longitude);
  if (Math.max(...east) - Math.min(...east) > HALF_TURN) {
    east = east.map((one) => (one < 0 ? one + 2 * HALF_TURN : one));
  }
  const [latitude, longitude] = [middleOf(north), middleOf(east)];
  let farthest = 0n;
  for (const [at, one] of north.entries()) {
    const up = millimetres(one - latitude);
    const along = one < 0 === latitude < 0 ? Math.min(Math.abs(one), Math.abs(latitude)) : 0;
    const across = (millimetres(east[at] - longitude) * cosine(along)) / BILLION;
    const square = up * up + across * across;
    if (square > farthest) farthest = square;
  }
  return {
    latitude,
    longitude: longitude > HALF_TURN ? longitude - 2 * HALF_TURN : longitude,
    radius_m: Number(root(farthest) / 1000n + 1n),
  };
}

// To five decimals, half a unit away from zero: by integers, as `src/figures.rs` has it. Of binary fractions each language
// rounds a half in its own way.
function degrees(e7, { point = '.' }) {
  const units = Math.floor((Math.abs(e7) + 50) / 100);
  const fraction = String(units % 100_000).padStart(5, '0');
  return `${e7 < 0 && units > 0 ? '\u2212' : ''}${Math.floor(units / 100_000)}${point}${fraction}°`;
}

// What a fact must be: text, or a number.
function expected(path, proven, tree, { ids, words, language }) {
  const [name, ...rest] = path.split('.');
  const field = rest.join('.');
  if (name === 'tree') return tree[field];
  const receipt = proven[name];
  story(receipt, `nothing proves what the page says of ${path}`);
  const { entry, grant, index, seal } = receipt;
  const { statement } = entry;
  const stated = statement.kind !== 'state';
  const special = {
    index: () => index,
    id: () => ids[name],
    bytes: () => hex(entry.bytes),
    by: () => grant?.statement.display_name ?? '',
    admitted_at: () => timeIn(language, entry.admitted_at),
    ...(stated && { issued_on: () => dayIn(language, entry.issued_on), issuer: () => hex(entry.issuer) }),
    ...(seal ? { seal: () => seal.index } : stated && { seq: () => entry.seq }),
    kind: () => statement.kind,
  };
  const shaped = {
    'plot.holder': () => grant?.statement.holder ?? '',
    'plot.latitude': () => degrees(circleOf(statement.place).latitude, words),
    'plot.longitude': () => degrees(circleOf(statement.place).longitude, words),
    'plot.radius_m': () => circleOf(statement.place).radius_m,
    'plot.for': () => statement.for.join(', ') || words.any_platform,
    'plot.carbon_rights': () => rights(statement.carbon_rights, words),
    'plot.hectares': () => `${statement.area_m2 / 10_000n}${words.point ?? '.'}${String(statement.area_m2 % 10_000n).padStart(4, '0')}`,
    'survey.looked_for': () => lookedFor(statement),
    'survey.basis': () => words[`basis_${statement.basis}`],
    'survey.survival': () => survival(statement, words),
    'claim.species_name': () => speciesName(statement.species, proven),
    'planting.planted': () => span(statement.planted_from, statement.planted_until, words, language),
    'planting.species_name': () => speciesName(statement.species, proven),
  };
  const make = shaped[path] ?? (Object.hasOwn(special, field) ? special[field] : undefined);
  if (make) return make();
  const said = field.startsWith(SAYS) ? field.slice(SAYS.length) : field;
  const row = rowsOf(statement).find(([row]) => row === said);
  story(row, `the statement has no ${said}`);
  const last = said.split('.').pop();
  if (DAYS.has(last) && !field.startsWith(SAYS)) return dayIn(language, row[1]);
  return isNumber(row[1]) && !DAYS.has(last) ? row[1] : fieldText(last, row[1]);
}

// Throws at the first fact that the proven statements do not bear out, and where the page is not
// that of its address. `proven` has what `verifyReceipt` gave, by name; beside it the pathname, record ids in hexadecimal, the
// words of the reader's language, and its tag: without one, days and times are as in ISO 8601.
export function checkStory(facts, proven, { pathname, ids = {}, words = {}, language = null }) {
  for (const [name, { entry }] of Object.entries(proven)) {
    story(name in KINDS && (KINDS[name] === null || entry.statement.kind === KINDS[name]), `the entry is no ${name}`);
  }
  checkAsked(pathname, facts);
  const marked = new Set(facts.map((fact) => fact.path));
  for (const path of Object.entries(proven).flatMap(([name, receipt]) => mustShow(name, receipt))) {
    story(marked.has(path), `the page does not show ${path}`);
  }
  checkLinks(proven);
  const tree = proven.planting ? treeOf(proven, facts) : {};
  for (const { path, text } of facts) {
    const right = expected(path, proven, tree, { ids, words, language });
    const holds = isNumber(right) ? ungrouped(text) === String(right) : text === right;
    if (!holds) throw new Refused('story', `the page says ${path} = ${text}, the signed statement says ${right}`);
  }
}
