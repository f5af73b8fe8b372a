// Policies (docs/format.md, sections 6.14.1 and 12.3; c2sp.org/tlog-policy): which logs and witnesses count, and which of
// them must have cosigned a checkpoint.

import { POLICY_BOUNDS } from './bounds.mjs';
import { REFUSED_IN_TEXT, Refused, equal, named, need, text8, utf8 } from './codec.mjs';
import { LOG, MLDSA, WITNESS, newestOf, readLinesOf, readVkey } from './note.mjs';

// What of a statement its bytes alone don't tell.
export async function checkStatement(statement) {
  if (statement.kind === 'policy') await named('not_canonical', () => readPolicy(statement.policy, POLICY_BOUNDS.policy_bytes));
}

// What a policy says, from its text or its bytes: its `logs`, and its `witnesses` and `groups` by name, in the order of their
// lines, and its `quorum`. Throws `policy_malformed`, with the number of the line if one is wrong.
export async function readPolicy(policy, longest = POLICY_BOUNDS.policy_file_bytes) {
  const bytes = typeof policy === 'string' ? utf8(policy) : policy;
  need(bytes.length <= longest, 'policy_malformed', `a policy is longer than ${longest} bytes`);
  const text = text8(bytes, 'policy_malformed', 'a policy is not well-formed UTF-8');
  const lines = text.split('\n');
  const rest = lines.pop();
  const said = { logs: [], witnesses: new Map(), groups: new Map(), quorum: null, members: new Set() };
  const ends = lines.length > 0 && rest === '';
  await onLine(lines.length + 1, async () => lineHas(ends, 'each line ends in a newline, the last one too'));
  for (const [at, line] of lines.entries()) await onLine(at + 1, () => takeLine(said, line));
  await onLine(lines.length, async () => lineHas(said.quorum !== null, 'there is no quorum line'));
  return said;
}

const lineHas = (condition, what) => need(condition, 'policy_malformed', what);

async function onLine(number, work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw Object.assign(new Refused('policy_malformed', `line ${number} of the policy: ${error.message}`), { line: number });
  }
}

const isDefined = ({ witnesses, groups }, name) => witnesses.has(name) || groups.has(name);

function checkNew(said, name) {
  lineHas(utf8(name).length <= POLICY_BOUNDS.policy_name_bytes, `a name is longer than ${POLICY_BOUNDS.policy_name_bytes} bytes`);
  lineHas(name !== 'none' && !isDefined(said, name), `${name} is defined already`);
}

async function takeLine(said, line) {
  lineHas(!REFUSED_IN_TEXT.test(line.replaceAll('\t', '')), 'it has a character that is refused');
  const [what, ...rest] = line.split(/[ \t]/).filter((word) => word !== '');
  if (what === undefined || what.startsWith('#')) return;
  if (what === 'log' && [1, 2].includes(rest.length)) {
    const vkey = await readVkey(rest[0], [LOG, MLDSA]);
    lineHas(said.logs.every(({ key }) => !equal(key, vkey.key)), "this log's key stands twice");
    lineHas(said.logs.length < POLICY_BOUNDS.policy_logs, `it names more than ${POLICY_BOUNDS.policy_logs} logs`);
    said.logs.push(vkey);
  } else if (what === 'witness' && [2, 3].includes(rest.length)) {
    checkNew(said, rest[0]);
    const vkey = await readVkey(rest[1], [WITNESS, MLDSA]);
    lineHas([...said.witnesses.values()].every(({ key }) => !equal(key, vkey.key)), "this witness's key stands twice");
    lineHas(said.witnesses.size < POLICY_BOUNDS.policy_witnesses, `it names more than ${POLICY_BOUNDS.policy_witnesses} witnesses`);
    said.witnesses.set(rest[0], vkey);
  } else if (what === 'group' && rest.length >= 3) {
    takeGroup(said, ...rest);
  } else if (what === 'quorum' && rest.length === 1) {
    lineHas(rest[0] === 'none' || isDefined(said, rest[0]), `no line before it defines ${rest[0]}`);
    lineHas(said.quorum === null, 'there is a quorum line already');
    [said.quorum] = rest;
  } else {
    lineHas(false, 'it is none of: log VKEY [URL]; witness NAME VKEY [URL]; group NAME all|any|K NAME\u2026; quorum NAME');
  }
}

function takeGroup(said, name, threshold, ...members) {
  for (const member of members) {
    lineHas(isDefined(said, member), `no line before it defines ${member}`);
    lineHas(!said.members.has(member), `${member} is a member of a group already`);
    said.members.add(member);
  }
  const count = members.length;
  const number = /^[1-9][0-9]{0,5}$/.test(threshold) ? Number(threshold) : 0;
  const needed = { all: count, any: 1 }[threshold] ?? number;
  lineHas(needed >= 1 && needed <= count, `a group of ${count} needs all, any, or a plain number up to that of them`);
  checkNew(said, name);
  lineHas(said.groups.size < POLICY_BOUNDS.policy_groups, `it names more than ${POLICY_BOUNDS.policy_groups} groups`);
  said.groups.set(name, { needed, members });
}

// ---- what a policy says of a checkpoint (section 12.3) ----

const isAuditor = (name) => name.startsWith('audit-');

const LEVELS = ['cosigned', 'witnessed', 'audited'];

// The first key of the policy that signed as the log; all lines by the log's keys in it hold.
export async function checkLogByPolicy(policy, checkpoint) {
  const own = policy.logs.filter(({ name }) => name === checkpoint.origin);
  need(own.length > 0, 'other_log', `the checkpoint is of ${checkpoint.origin}, and the policy names no key of that log`);
  const [signed, unchecked] = [[], []];
  for (const vkey of own) {
    const { found, unread } = await readLinesOf(checkpoint, vkey);
    if (found.length > 0) (unread ? unchecked : signed).push(vkey);
  }
  const unsupported = signed.length === 0 && unchecked.length > 0;
  need(!unsupported, 'mldsa_unsupported', "the log's line is of ML-DSA-44, which is not to be had here");
  need(signed.length > 0, 'unsigned', 'no line of the checkpoint is by a log key of the policy');
  return signed[0];
}

// When who of a policy saw a checkpoint, by name, in seconds; and whose lines could not be checked here.
async function readSeen(policy, checkpoint) {
  const [seen, unchecked] = [new Map(), new Set()];
  for (const [name, vkey] of policy.witnesses) {
    const { found, unread } = await readLinesOf(checkpoint, vkey);
    const seconds = newestOf(vkey, found, isAuditor(name));
    if (seconds === null) continue;
    if (unread) unchecked.add(name);
    else seen.set(name, seconds);
  }
  return { seen, unchecked };
}

// Each witness and auditor of a policy, and when it saw a checkpoint (`seconds`; null if it did not, or said no time); and
// whether those that did are the policy's quorum.
export async function cosignersOf(policy, checkpoint) {
  const { seen, unchecked } = await readSeen(policy, checkpoint);
  const cosigners = [...policy.witnesses].map(([name, vkey]) => ({
    as: name, name: vkey.name, role: isAuditor(name) ? 'auditor' : 'witness', saw: seen.has(name), unchecked: unchecked.has(name),
    seconds: seen.get(name) > 0n ? seen.get(name) : null, size: checkpoint.size,
  }));
  return { met: levelsOf(policy, new Set(seen.keys())).includes('cosigned'), cosigners };
}

// Who of a policy cosigned a checkpoint, or the second one of its file, and which levels that reaches; refuses what lacks the
// quorum. With two, `seenTo` and `replayedTo` say how far that was: the size of the larger one that has the level, or null.
export async function checkQuorumOf(policy, checkpoint, second = null) {
  const checkpoints = second === null ? [checkpoint] : [checkpoint, second];
  const read = [];
  for (const one of checkpoints) read.push(await readSeen(policy, one));
  const present = read.map(({ seen }) => new Set(seen.keys()));
  const reached = present.map((names) => levelsOf(policy, names));
  const ways = waysToQuorum(present);
  const isMet = (names) => levelsOf(policy, names).includes('cosigned');
  const met = ways.some(isMet);
  const levels = LEVELS.filter((level) => (met && level === 'cosigned') || reached.some((of) => of.includes(level)));
  const notChecked = [...policy.witnesses.keys()].filter((name) => read.some(({ unchecked }) => unchecked.has(name)));
  if (!met) {
    const decides = waysToQuorum(read.map(({ seen, unchecked }) => new Set([...seen.keys(), ...unchecked]))).some(isMet);
    need(!decides, 'mldsa_unsupported', `the policy's quorum depends on lines of ML-DSA-44, which is not to be had here: ${notChecked.join(', ')}`);
    throw quorumMissing(policy, ways, levels);
  }
  const cosignedBy = read.flatMap(({ seen }, at) => [...seen].map(([name, seconds]) => {
    const { name: of, kind } = policy.witnesses.get(name);
    const role = isAuditor(name) ? 'auditor' : 'witness';
    const size = second === null ? {} : { size: checkpoints[at].size };
    return { as: name, name: of, role, seconds: seconds === 0n && kind === MLDSA ? null : seconds, ...size };
  }));
  const found = { quorum: policy.quorum, levels, cosignedBy, notChecked };
  const sizeWith = (level) => checkpoints.findLast((_, at) => reached[at].includes(level))?.size ?? null;
  return second === null ? found : { ...found, seenTo: sizeWith('witnessed'), replayedTo: sizeWith('audited') };
}

// Those who count together: of one checkpoint those who saw it; of two those of either, or the witnesses of one with the auditors
// of the other.
function waysToQuorum(present) {
  if (present.length === 1) return present;
  const [first, second] = present;
  const mixed = (witnesses, auditors) => new Set([...[...witnesses].filter((name) => !isAuditor(name)), ...[...auditors].filter(isAuditor)]);
  return [first, second, mixed(second, first), mixed(first, second)];
}

// Names who is missing in that way which lacks the fewest.
function quorumMissing(policy, ways, levels) {
  const lacks = ways.map((present) => ({ present, missing: missingFor(policy, present) }));
  const { present, missing } = lacks.reduce((least, way) => (way.missing.length < least.missing.length ? way : least));
  const said = missing.map((name) => `${name} (${policy.witnesses.get(name).name})`).join(', ');
  const there = [...policy.witnesses.keys()].filter((name) => present.has(name)).join(', ') || 'nobody';
  const what = `the policy's quorum, ${policy.quorum}, is not there: no cosignature by ${said}; there are those by ${there}`;
  return Object.assign(new Refused('quorum_missing', what), { missing, levels });
}

// The witnesses that are there, and the groups that have enough of them. A group's members are defined before it.
function namesThatHold({ groups }, present) {
  const holding = new Set(['none', ...present]);
  for (const [name, { needed, members }] of groups) {
    if (members.filter((member) => holding.has(member)).length >= needed) holding.add(name);
  }
  return holding;
}

function levelsOf(policy, present) {
  const names = [...policy.witnesses.keys()];
  const [auditors, witnesses] = [names.filter(isAuditor), names.filter((name) => !isAuditor(name))];
  const holdsWith = (others) => namesThatHold(policy, new Set([...present, ...others])).has(policy.quorum);
  const anyOf = (some) => some.some((name) => present.has(name));
  return [
    ...(holdsWith([]) ? ['cosigned'] : []),
    ...(anyOf(witnesses) && holdsWith(auditors) ? ['witnessed'] : []),
    ...(anyOf(auditors) && holdsWith(witnesses) ? ['audited'] : []),
  ];
}

// The witnesses, in the order of their lines, that are not there and that the quorum or a group it lacks asks for.
function missingFor(policy, present) {
  const holding = namesThatHold(policy, present);
  const wanted = new Set([policy.quorum]);
  for (const [name, { members }] of [...policy.groups].reverse()) {
    if (wanted.has(name) && !holding.has(name)) members.forEach((member) => wanted.add(member));
  }
  return [...policy.witnesses.keys()].filter((name) => wanted.has(name) && !holding.has(name));
}
