// What was proven, in the reader's words: a title, how it stands, and rows of a name and a text. The words are the
// verifier's own, never the page's.

import { DAY_MS, lookedFor } from '../verifier/story.mjs';
import { fillerOf, isolated, sentenceOf, sentencesOf } from './saying.mjs';
import { wordsOf } from './words.mjs';

const standingOn = ({ planted, lost }) => planted - lost;
// Whether fewer trees stand on a plot than have a certificate.
const isShort = (plot) => standingOn(plot) < plot.with_claim;

export class Teller {
  constructor(language) {
    this.words = wordsOf(language);
    this.sentences = sentencesOf(language);
    this.fill = fillerOf(language);
    // English days are read alike everywhere only with the day first and the month in letters.
    const tag = language === 'en' ? 'en-GB' : language;
    this.number = new Intl.NumberFormat(tag);
    this.date = new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeZone: 'UTC' });
    this.moment = new Intl.DateTimeFormat(tag, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
  }

  say(name, parts = {}) {
    return this.fill(this.words[name], parts);
  }

  n(value) {
    return this.number.format(value);
  }

  // A number with a point, as English writes it, in the way of the language.
  decimal(text) {
    const [whole, fraction] = text.split('.');
    return this.n(BigInt(whole)) + (fraction === undefined ? '' : this.words.point + fraction);
  }

  day(value) {
    return this.date.format(new Date(Number(value) * DAY_MS));
  }

  time(ms) {
    return `${this.moment.format(new Date(Number(ms)))} UTC`;
  }

  span(from, until) {
    return from === until ? this.day(from) : this.say('between', { from: this.day(from), until: this.day(until) });
  }

  // What the proof rests on: the log's own word on its state, and how much is in since.
  asOf({ size, at, newest }) {
    const newer = newest - size - 1n;
    const said = this.say('as_of', { size: this.n(size), time: this.time(at) });
    return newer > 0n ? `${said} ${this.say('newer', { count: this.n(newer) })}` : said;
  }

  counts(survey) {
    return { alive: this.n(survey.alive), looked_for: this.n(lookedFor(survey)) };
  }

  survey(survey) {
    const found = this.say('survey_found', this.counts(survey));
    return this.say('survey_told', { day: this.day(survey.surveyed_on), basis: this.words[`basis_${survey.basis}`], found });
  }

  books(plot) {
    return this.say('books', { standing: this.n(standingOn(plot)), planted: this.n(plot.planted), claimed: this.n(plot.with_claim) });
  }

  place(plot, survey) {
    return [
      [this.words.plot, this.say('plot_named', plot)],
      [this.words.survey, survey === null ? this.words.never_surveyed : this.survey(survey)],
      [this.words.plot_books, this.books(plot)],
    ];
  }

  treeRows({ plot, planting, survey }, { plot: number, serial }) {
    return [
      [this.words.tree, `${number}/${serial}`],
      [this.words.planted, this.span(planting.planted_from, planting.planted_until)],
      ...this.place(plot, survey),
    ];
  }

  claimRows({ claim, claimed_on: on, issuers, index }) {
    const by = issuers.find(({ entries }) => entries.includes(index))?.key;
    const rows = [[this.words.claimed, this.say('claimed_for', { points: this.n(claim.points), day: this.day(on) })]];
    if (by === undefined) return rows;
    const name = by.task.display_name ?? this.words.governor;
    const revoked = by.revoked_at === null ? '' : ` ${this.words.key_revoked}`;
    return [...rows, [this.words.said_by, name + revoked]];
  }

  // Whether the latest survey looked at a tree's planting, and after it was planted.
  standingOf({ planting, survey, plot }) {
    if (isShort(plot)) return ['bad', this.words.short];
    if (survey === null) return ['open', this.words.tree_unsurveyed];
    const of = survey.planting ?? null;
    const looked = (of === null || of === planting.entry) && survey.surveyed_on >= planting.planted_from && survey.as_of >= planting.entry;
    if (!looked) return ['open', this.words.tree_not_looked_at];
    // Green is for a tree that probably lives: its own survival nobody knows but who looks at it.
    return [2 * survey.alive > lookedFor(survey) ? 'good' : 'open', this.say('tree_surveyed', this.counts(survey))];
  }

  certificate(proven) {
    const { index, claim, species, voided, tree } = proven;
    const title = this.say('certificate_title', { index, species });
    const rows = this.claimRows(proven);
    if (voided !== null) {
      return { title, tone: 'bad', standing: this.words.voided, rows: [[this.words.reason, voided.reason], ...rows] };
    }
    if (tree === null) return { title, tone: 'open', standing: this.words.waits, rows };
    const [tone, standing] = this.standingOf(tree);
    return { title, tone, standing, rows: [...this.treeRows(tree, claim.tree), ...rows, [this.words.others, this.words.no_other]] };
  }

  tree({ number, serial, certificate, place }) {
    const title = this.say('tree_title', { tree: `${number}/${serial}` });
    if (certificate === null) {
      return { title, tone: 'open', standing: this.words.unclaimed, rows: place.plot === null ? [] : this.place(place.plot, place.survey) };
    }
    const { tone, standing, rows } = this.certificate(certificate);
    return { title, tone, standing, rows: [[this.words.certificate, String(certificate.index)], ...rows] };
  }

  plot({ number, plot, survey }) {
    const title = this.say('plot_title', { number, name: plot?.name ?? '' });
    if (plot === null) return { title, tone: 'open', standing: this.words.no_plot, rows: [] };
    const surveyed = survey === null ? ['open', this.words.plot_unsurveyed] : ['good', this.words.plot_surveyed];
    const [tone, standing] = isShort(plot) ? ['bad', this.words.short] : surveyed;
    const rows = [...this.place(plot, survey), [this.words.holder, plot.holder], [this.words.funded_by, plot.funded_by]];
    return { title, tone, standing, rows };
  }

  // How an entry stands: what corrected it since.
  standingOfEntry({ entry, correctable, corrected }) {
    if (!correctable) return ['plain', this.words.entry_uncorrectable];
    if (corrected === null) return ['open', this.words.entry_unproven];
    const { found, voided = null } = corrected;
    if (voided !== null) return ['bad', this.say('entry_voided', { by: voided.by })];
    if (entry.statement.kind === 'correction') return found === null ? ['bad', this.words.entry_undone] : ['plain', this.words.entry_stands];
    if (found === null) return ['plain', this.words.entry_stands];
    if (entry.statement.kind === 'award') {
      return ['bad', this.say('entry_reversed', { points: this.n(found.points), all: this.n(entry.statement.points) })];
    }
    return ['bad', this.say('entry_voided', { by: found.by })];
  }

  keyRows({ key, names }) {
    if (key === null) return [];
    const { task, revoked_at: revoked, compromised_since: since } = key;
    const name = names.by ?? (task.kind === 'log' ? this.words.log_itself : this.words.governor);
    const told = revoked === null ? '' : ` ${this.words.key_revoked}`;
    const doubted = since === null ? [] : [[this.words.key_doubted, this.day(since)]];
    return [[this.words.said_by, isolated(name) + told], ...doubted];
  }

  entry(proven) {
    const { index, entry, size, state } = proven;
    const [tone, standing] = this.standingOfEntry(proven);
    const said = sentenceOf(entry.statement, proven.names, this);
    const rows = [...this.keyRows(proven), [this.words.admitted, this.time(entry.admitted_at)]];
    if (entry.statement.kind !== 'state') rows.splice(1, 0, [this.words.signed, this.day(entry.issued_on)]);
    return {
      title: this.say('entry_title', { index, said }), tone, standing, rows,
      asOf: state === null ? this.say('in_log', { size: this.n(size) }) : this.asOf(state),
    };
  }

  // Who else saw the log, and when; in one text each.
  seenBy(others) {
    return (others?.cosigners ?? []).map(({ as, role, saw, unchecked, seconds, size }) => {
      const who = this.say('cosigner', { name: isolated(as), role: this.words[`role_${role}`] });
      if (unchecked) return `${who}${this.words.colon}${this.words.line_unchecked}`;
      if (!saw) return `${who}${this.words.colon}${this.words.not_seen}`;
      const when = seconds === null ? this.words.no_time : this.time(seconds * 1000n);
      return `${who}${this.words.colon}${this.say('saw', { size: this.n(size), when })}`;
    });
  }

  // Whether those have seen it whom the governors ask for; or the operator, if the governors named nobody.
  quorum({ met, isOperators }) {
    return this.words[`quorum_${met ? 'met' : 'short'}${isOperators ? '_operator' : ''}`];
  }

  account({ balance }) {
    const title = this.words.account_title;
    if (balance === null) return { title, tone: 'plain', standing: this.words.no_account, rows: [] };
    return { title, tone: 'plain', standing: this.say('balance', { points: this.n(balance) }), rows: [] };
  }

  totals({ totals: t }) {
    const rows = [
      [this.words.awarded, this.say('awarded_less', { awarded: this.n(t.awarded), reversed: this.n(t.reversed) })],
      [this.words.spent, this.say('points', { points: this.n(t.claimed) })],
      [this.words.planted, this.say('planted_lost', { planted: this.n(t.planted_recorded - t.planted_voided), lost: this.n(t.lost) })],
      [this.words.certificates, this.say('certificates_told', { all: this.n(t.claims), tied: this.n(t.assigned), waiting: this.n(t.waiting) })],
    ];
    const standing = this.say('standing_told', { standing: this.n(t.standing), assigned: this.n(t.assigned) });
    return { title: this.words.totals_title, tone: t.standing < t.assigned ? 'bad' : 'plain', standing, rows };
  }

  tell(proven) {
    const told = this[proven.page](proven);
    return { ...told, asOf: told.asOf ?? this.asOf(proven.state) };
  }
}
