// The question that a file answers (docs/format.md, section 13.6). A file that holds may be about something else than what
// was asked, or have a part of it: so who asks says what the file must be about.

import { Refused, SLUG, bytes32, concat, decimal, equal, fromHex, hex, need, readWhole, text, u64Bytes, utf8 } from './codec.mjs';

const ONE_OF = {
  account: 'accounts', key: 'keys', holder: 'holders', method: 'methods', plot: 'plots', planting: 'plantings', tree: 'trees',
  survey: 'surveys', claim: 'claims', loss: 'losses', month: 'months',
};
const SLUG_TEXT = text(64, SLUG);

const questionHas = (condition, what) => need(condition, 'question_malformed', what);

// A number in its one writing, as the bytes that a key has.
const numberKey = (width) => (written) => {
  const number = decimal(written, 'the key');
  questionHas(number < 256n ** BigInt(width), 'a number is too large');
  return u64Bytes(number).subarray(8 - width);
};
const hashKey = (written) => readWhole(bytes32, fromHex(written));
const slugKey = (written) => {
  const slug = utf8(written);
  readWhole(SLUG_TEXT, concat(u64Bytes(BigInt(slug.length)), slug));
  return concat([0], slug);
};
// Several, with / between them.
const keysOf = (...readers) => (written) => {
  const parts = written.split('/');
  questionHas(parts.length === readers.length, 'it has not as many parts as the key has');
  return concat(...parts.map((part, at) => readers[at](part)));
};

const [number8, number16, number32, number64] = [1, 2, 4, 8].map(numberKey);
// An account's ledger is that of the file.
const WRITTEN_KEYS = {
  once: number8, keys: hashKey, holders: slugKey, methods: keysOf(number32, number32), species: number16, accounts: hashKey,
  plots: number32, plantings: keysOf(number32, number32), trees: keysOf(number32, number32),
  surveys: keysOf(number32, number32, number64), claims: number64, reversed: number64, losses: number64, voided: number64,
  months: number32, evidence: hashKey,
};
const FILE_QUESTIONS = {
  receipt: number64, certificate: number64, entry: number64, 'account-history': hashKey, 'plot-history': number32,
};
const ABOUT = { certificate: 'certificate', entry: 'corrections', 'account-history': 'account_history', 'plot-history': 'plot_history' };

const isHistory = (name) => name === 'account-history' || name === 'plot-history';

// What a file must be about: the file's or the domain's name, and the key's bytes; of a history the entry that the part
// begins with (`from`), or null for all of it; whether it is a plot's latest survey. Throws `question_malformed`.
export function readQuestion(asked) {
  const parted = asked.indexOf('/');
  let name = parted < 0 ? asked : asked.slice(0, parted);
  let written = parted < 0 ? '' : asked.slice(parted + 1);
  let [from, latest] = [null, false];
  if (name === 'totals') {
    questionHas(parted < 0, 'the totals have no key');
    return { asked, name, key: null, from, latest };
  }
  if (isHistory(name)) {
    const begins = written.indexOf('/from/');
    if (begins >= 0) [written, from] = [written.slice(0, begins), written.slice(begins + '/from/'.length)];
  } else if (!Object.hasOwn(FILE_QUESTIONS, name)) {
    if (Object.hasOwn(ONE_OF, name)) name = ONE_OF[name];
    questionHas(Object.hasOwn(WRITTEN_KEYS, name), 'no file is about it');
    latest = name === 'surveys' && written.endsWith('/latest');
  }
  const read = FILE_QUESTIONS[name] ?? WRITTEN_KEYS[name];
  try {
    const key = latest ? number32(written.slice(0, -'/latest'.length)) : read(written);
    return { asked, name, key, from: from === null ? null : decimal(from, 'the entry behind /from/'), latest };
  } catch (error) {
    if (error instanceof Refused) error.code = 'question_malformed';
    throw error;
  }
}

// The number or the account that a file is about, as a key has it.
function keyOfFile({ about, index, account, fields }) {
  if (about === 'account_history') return account;
  return about === 'plot_history' ? number32(String(fields.number)) : u64Bytes(index);
}

function isAnsweredBy(item, { name, key, latest }) {
  if (item.domain !== name) return false;
  const { key: at, upTo } = item;
  if (!latest) return upTo === undefined && equal(name === 'accounts' ? at.subarray(32) : at, key);
  // Without a survey, that none is there at all: from the lowest place of the plot on.
  const fromLowest = item.found !== null || at.subarray(4).every((byte) => byte === 0);
  return upTo !== undefined && fromLowest && equal(at.subarray(0, 4), key) && hex(upTo) === hex(key) + 'ff'.repeat(12);
}

function answers({ index, entry, items, file }, question) {
  const { name, key, from } = question;
  if (name === 'receipt') return equal(u64Bytes(index), key);
  if (entry.statement.kind !== 'state') return false;
  if (name === 'totals') return true;
  if (!Object.hasOwn(FILE_QUESTIONS, name)) return items.some((item) => isAnsweredBy(item, question));
  if (file === null || file.about !== ABOUT[name] || !equal(keyOfFile(file), key)) return false;
  return from === null || file.entries[0].index === from;
}

// The item that answers a question about one.
export const itemAsked = ({ items }, question) => items.find((item) => isAnsweredBy(item, question));

// Checks that a receipt which holds, as verifyReceipt gives it, answers a question.
export function checkAbout(proven, question) {
  need(answers(proven, question), 'about_other', `the file is true, and does not answer what was asked: ${question.asked}`);
  if (!isHistory(question.name) || question.from !== null || proven.file.complete) return;
  const { entries, older, fields } = proven.file;
  const top = entries[0].index;
  const newer = top === fields.last_entry ? [] : [`the entries of the history above ${top}, up to ${fields.last_entry}`];
  const missing = [...newer, ...(older === null ? [] : [`the entries of the history from ${older} back`])];
  need(false, 'about_part', `the file is true, and a part of what was asked for: ${question.asked}; missing are ${missing.join(', and ')}`);
}
