// Receipts: an entry with all that proves it (docs/format.md, section 13). Each check is reported as
// soon as it holds; the first error is thrown with the name of its check.

import { readAbout } from './about.mjs';
import { BOUNDS } from './bounds.mjs';
import {
  RULES_VERSION, Refused, byteString, bytes32, decimal, decodeEntry, equal, fromBase64, hex, isSealedEntry,
  isStateEntry, listOf, mayStandAt, namesMldsa, need, option, readWhole, reading, table, text8, u64,
} from './codec.mjs';
import { bytesOf, readFile } from './file.mjs';
import { verifyItem } from './items.mjs';
import { checkLines, newestOf, readCheckpoint, verifyCheckpoint } from './note.mjs';
import { checkLogByPolicy, checkQuorumOf, checkStatement } from './policy.mjs';
import { MAY_SAY, checkSealed, checkSignatures, recordId, signingInput } from './record.mjs';
import { checkShownLength, openShown, readShown } from './shown.mjs';
import { checkConsistency, consistencyLength, leafHash, pathLength, rootByPath } from './tree.mjs';

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const BEGINNING_BYTES = 256;
const ENTRY_BYTES = byteString(BOUNDS.entry_bytes);
const PATH = listOf(bytes32, 0, BOUNDS.path_hashes);
const SECOND = table({ checkpoint: byteString(BOUNDS.note_bytes), consistency: PATH });
const LINK = table({ index: u64, entry: ENTRY_BYTES, path: PATH });
const SEAL_LINK = table({ index: u64, entry: ENTRY_BYTES, path: PATH, siblings: listOf(bytes32, 0, BOUNDS.siblings) });

const GOVERNORS_SAY = ['governors', 'key_grant', 'key_revoke', 'log_key', 'method', 'correction', 'policy'];

// Whether a file is a receipt, or was one before something was done to it: its first line is looked
// for among the visible characters of its beginning, behind any `>`.
function beginsAsAReceipt(bytes) {
  const beginning = bytes.subarray(0, BEGINNING_BYTES);
  const visible = String.fromCharCode(...beginning.filter((byte) => byte >= 0x21 && byte <= 0x7e)).replace(/^>+/, '');
  return visible.startsWith(FIRST_LINE) || (beginning.length === bytes.length && FIRST_LINE.startsWith(visible));
}

// The entry, its seal if it is a sealed one, and the authority of the one that is signed.
const ANY_BYTES = byteString(BOUNDS.extra_bytes);
const ITEM = table({ key: ANY_BYTES, fields: option(ANY_BYTES), proof: ANY_BYTES });

function readExtra(reader) {
  const entry = ENTRY_BYTES(reader);
  const seal = isSealedEntry(entry) ? SEAL_LINK(reader) : null;
  const authority = listOf(LINK, 0, BOUNDS.authority_links)(reader);
  // Items of the state, and entries that are shown beside them.
  const beside = isStateEntry(entry) ? { items: listOf(ITEM, 0, BOUNDS.items)(reader), ...readShown(reader) } : null;
  const second = reader.place < reader.bytes.length ? SECOND(reader) : null;
  return { entry, seal, authority, beside, second };
}

function readLines(text) {
  const parted = text.indexOf('\n\n');
  const lines = text.slice(0, Math.max(parted, 0)).split('\n');
  need(
    parted >= 0 && lines.length >= 3 && lines.length <= 3 + BOUNDS.path_hashes &&
      lines[0] === FIRST_LINE && lines[1].startsWith('extra ') && lines[2].startsWith('index '),
    '', "a receipt's lines are not its first line, extra, index, hashes, and a checkpoint",
  );
  const bytes = fromBase64(lines[1].slice(6), 'the extra line');
  need(bytes.length <= BOUNDS.extra_bytes, '', 'the extra line is longer than 2 MiB');
  const extra = readWhole(readExtra, bytes);
  const index = decimal(lines[2].slice(6), 'the index');
  const path = lines.slice(3).map((line) => fromBase64(line, 'a hash of the proof'));
  need(path.every((hash) => hash.length === 32), '', 'a hash of the proof has not 32 bytes');
  const { entry, seal, authority, beside, second } = extra;
  return { chain: [{ index, entry, path }, ...authority], seal, beside, second, note: text.slice(parted + 2) };
}

// The chain from the entry to its last link, each with index and path; the entry's seal, or null; what stands beside a
// state entry (`beside`: items, entries that are shown, and their hashes), or null; the checkpoint as it was read; and the second
// one (`second`) with the proof of consistency, or null; from a file's bytes, or from text that was pasted.
export function readReceipt(file) {
  const bytes = bytesOf(file);
  need(beginsAsAReceipt(bytes), 'not_a_receipt', `its first line is not ${FIRST_LINE}`);
  need(bytes.length <= BOUNDS.receipt_bytes, 'too_long', 'a receipt is longer than 4 MiB');
  return readFile(bytes, (text) => {
    const { note, second: raw, ...read } = reading('receipt_malformed', () => readLines(text));
    const checkpoint = readCheckpoint(note);
    return { ...read, checkpoint, second: raw === null ? null : readSecond(raw, checkpoint) };
  });
}

function readSecond(raw, { size }) {
  const second = readCheckpoint(text8(raw.checkpoint, 'note_malformed', 'the second checkpoint is not UTF-8'));
  need(second.size > size, 'receipt_malformed', 'its second checkpoint is not larger than its own');
  return { ...second, consistency: raw.consistency };
}

// That the second checkpoint's tree begins with that of the file's own.
async function checkSecond(second, { size, root }) {
  const needed = consistencyLength(size, second.size);
  need(second.consistency.length === needed, 'proof_incomplete', 'the proof between the two checkpoints has not the number of hashes that it needs');
  await checkConsistency(size, root, second.size, second.root, second.consistency).catch((error) => {
    // The log signed both: by format.md, 13.7, what does not lead from one root to the other is called this in a file.
    if (error.code === 'proof_false') error.code = 'forked';
    throw error;
  });
}

// That each proof has just as many hashes as its index needs in the checkpoint's tree: one that has
// not was cut, and says nothing.
function checkLengths(chain, { size }) {
  for (const { index, path } of chain) {
    const fits = index < size && path.length === pathLength(index, size);
    need(fits, 'proof_incomplete', `the proof of entry ${index} has not the number of hashes that it needs`);
  }
}

// Each key that a statement gives a task signed that statement too: its holder has the private key.
function checkPossession(entry) {
  const { statement } = entry;
  const given = {
    genesis: () => [...statement.governors, statement.log_key],
    key_grant: () => [statement.key],
    log_key: () => [statement.key],
  };
  // Statements of other kinds give no task.
  const keys = given[statement.kind]?.() ?? [];
  need(keys.every((key) => entry.signers.has(hex(key))), 'possession_unproven', 'a key that gets a task did not sign');
}

// Whether the log is in the format that is read here. In another, all of its statements may be written
// otherwise and none of them be false: so this comes before they are read.
async function checkFormat(last, checkpoint) {
  try {
    decodeEntry(last.entry);
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'other_format' || last.index !== 0n) return;
    // Anybody can write another number into a copy: only the tree's own genesis counts.
    const root = await rootByPath(await leafHash(last.entry), last.index, checkpoint.size, last.path);
    if (equal(root, checkpoint.root)) throw error;
  }
}

async function checkInclusion(link, checkpoint) {
  const leaf = await leafHash(link.entry);
  const root = await rootByPath(leaf, link.index, checkpoint.size, link.path);
  need(equal(root, checkpoint.root), 'not_included', "it is not at its index in the checkpoint's tree");
  return leaf;
}

function checkSigned(link) {
  need(link.record !== null, 'authority_broken', 'an entry without a signature of its own gives nobody authority');
}

// `kinds` are what the issuer says: of a sealed entry its own kind, and that of the seal.
function checkGrant(entry, grant, kinds) {
  const { key, role } = grant.statement;
  const own = equal(key, entry.issuer) && kinds.every((kind) => MAY_SAY[role].includes(kind));
  need(own, 'role_refused', 'the grant does not give the issuer a role that says this');
}

// `link` names the governors that were in force when the entry was admitted.
function checkQuorum(entry, link) {
  const { statement } = link;
  need(['genesis', 'governors'].includes(statement.kind), 'authority_broken', 'the next link proves nothing');
  const governors = new Set(statement.governors.map(hex));
  const governs = GOVERNORS_SAY.includes(entry.statement.kind) && governors.has(hex(entry.issuer));
  need(governs, 'role_refused', "governors don't say this, or the issuer is none of them");
  need(entry.statement.set === link.index, 'authority_broken', 'it names another set of governors');
  const signed = [...governors].filter((key) => entry.signers.has(key)).length;
  need(signed >= statement.quorum, 'quorum_short', `${signed} governors signed, ${statement.quorum} are needed`);
}

// Verifies a receipt, from its bytes or its text, by the log's key, the genesis' record id in hexadecimal if one is pinned, and
// the witnesses that must have cosigned; and by a policy, as readPolicy gives it: if that names logs, `vkey` may be null. What
// is given beside it must hold too, and `policy` says who of it cosigned. `tell(check, found)` is called for each check that held:
// checkpoint, witnesses, entry, inclusion, signature, role, authority, genesis. A state entry is the log's own word:
// only the first four hold of it; what its items and the entries beside them say is given as `items`, `shown` and `file`. The signature, the role and the authority of a sealed entry
// are those of its seal.
export async function verifyReceipt(file, { vkey: given = null, policy = null, genesis = null, witnesses = [] }, tell = () => {}) {
  if (given === null && (policy?.logs ?? []).length === 0) throw new TypeError("a receipt is verified by a log's key, or by a policy that names logs");
  let vkey = given;
  let byPolicy = null;
  const named = async (name, work) => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refused) error.check ??= name;
      throw error;
    }
  };
  const check = async (name, work) => {
    const found = await named(name, work);
    tell(name, found);
    return found;
  };
  const { checkpoint, second, chain, seal: sealLink, beside } = await check('checkpoint', async () => {
    const read = readReceipt(file);
    for (const one of read.second === null ? [read.checkpoint] : [read.checkpoint, read.second]) {
      if (given !== null) await verifyCheckpoint(one, given);
      if (policy !== null && policy.logs.length > 0) {
        const signed = await checkLogByPolicy(policy, one);
        vkey ??= signed;
      }
    }
    return read;
  });
  const checkpoints = second === null ? [checkpoint] : [checkpoint, second];
  const seen = await check('witnesses', async () => {
    const all = [];
    for (const witness of witnesses) {
      // Of several lines all hold, and the newest time counts; of two checkpoints the newer that it saw.
      let seconds = null;
      for (const one of checkpoints) seconds = newestOf(witness, await checkLines(one, witness)) ?? seconds;
      need(seconds !== null, 'witness_missing', `no cosignature by ${witness.name}`);
      all.push({ name: witness.name, seconds });
    }
    if (policy !== null) byPolicy = await checkQuorumOf(policy, checkpoint, second);
    return all;
  });
  const rest = sealLink === null ? chain : [...chain, sealLink];
  await named('inclusion', async () => {
    checkLengths(beside === null ? rest : chain.slice(0, 1), checkpoint);
    if (beside !== null) checkShownLength(beside, checkpoint);
    if (second !== null) await checkSecond(second, checkpoint);
  });
  // A state entry is of no genesis, and has no links that could be.
  if (beside === null) await named('genesis', async () => checkFormat(chain[chain.length - 1], checkpoint));
  // A genesis of another format anywhere but at index 0 of the tree is merely wrong.
  const decoded = (link) => {
    const entry = reading(beside === null ? 'not_canonical' : 'entry_wrong', () => decodeEntry(link.entry));
    return { ...entry, index: link.index };
  };
  // What is not in the log is not read: its bytes may be anything.
  const opened = async (link) => {
    await named('authority', () => checkInclusion(link, checkpoint));
    return decoded(link);
  };
  const leaf = await named('inclusion', () => checkInclusion(chain[0], checkpoint));
  const entry = await check('entry', async () => {
    const first = decoded(chain[0]);
    await checkStatement(first.statement);
    return first;
  });
  await check('inclusion', async () => ({
    leaf, path: chain[0].path, index: entry.index, checkpoint,
  }));
  if (entry.statement.kind === 'state') {
    const { statement: state } = entry;
    await named('entry', async () => {
      const known = state.rules_version === RULES_VERSION;
      need(known, 'rules_version_unsupported', `the state is by version ${state.rules_version} of the rules, and this page knows ${RULES_VERSION}`);
    });
    await named('authority', async () => need(chain.length === 1, 'authority_broken', "a state entry rests on nobody's authority"));
    await named('entry', async () => need(
      mayStandAt(state, entry.index), 'entry_wrong', 'no state entry at its index can speak of that size, or name that one before',
    ));
    const { items, file, shown } = await named('entry', async () => {
      const opened = await openShown(beside, checkpoint);
      const proven = [];
      for (const item of beside.items) proven.push({ ...await verifyItem(item, state.state_root, genesis), fields: item.fields });
      return { items: proven, shown: opened, file: readAbout(proven, opened, state, checkpoint.origin, genesis) };
    });
    const nobody = { seal: null, grant: null, genesis: file?.genesis ?? null };
    return { ...nobody, index: entry.index, entry, items, file, shown, checkpoint, second, vkey, pinned: genesis, seen, policy: byPolicy, entries: [entry] };
  }
  // The entry that is signed.
  let signed = entry;
  if (sealLink !== null) {
    await named('signature', async () => {
      const ahead = sealLink.index === entry.index + BigInt(entry.ahead);
      need(ahead, 'seal_mismatch', 'another entry than the sealed one names is to be its seal');
      await checkInclusion(sealLink, checkpoint);
      signed = decoded(sealLink);
      await checkSealed(entry, signed, sealLink.siblings);
    });
  }
  await check('signature', async () => {
    await checkSignatures(signed, checkpoint.origin);
    checkPossession(signed);
    return { key: signed.issuer, signature: signed.signature, message: signingInput(checkpoint.origin, signed.record) };
  });
  const entries = [signed];
  const grant = await check('role', async () => {
    if (chain.length < 2) return null;
    entries.push(await opened(chain[1]));
    const link = entries[1];
    checkSigned(link);
    if (link.statement.kind === 'key_grant') checkGrant(signed, link, [entry, signed].map(({ statement }) => statement.kind));
    else checkQuorum(signed, link);
    return link;
  });
  await check('authority', async () => {
    for (const link of chain.slice(2)) entries.push(await opened(link));
    entries.forEach(checkSigned);
    for (const [place, link] of chain.entries()) {
      if (place === 0) continue;
      await checkSignatures(entries[place], checkpoint.origin);
      checkPossession(entries[place]);
      const before = entries[place - 1];
      need(
        before.lineage[1] === link.index && link.index < before.index,
        'authority_broken', 'the next link is not the earlier entry that its lineage names',
      );
      if (place > 1) checkQuorum(before, entries[place]);
    }
    return entries.slice(1);
  });
  const genesisId = await check('genesis', async () => {
    const last = entries[entries.length - 1];
    need(
      last.statement.kind === 'genesis' && last.index === 0n,
      'authority_broken', 'the way back does not end at the genesis',
    );
    need(last.statement.origin === checkpoint.origin, 'genesis_other', 'the genesis is of another log');
    const id = hex(await recordId(checkpoint.origin, last.record));
    need(genesis === null || genesis === id, 'genesis_other', 'the genesis is not the one that was pinned');
    const unverified = entries.some(namesMldsa);
    need(!unverified, 'mldsa_unsupported', 'a statement names an ML-DSA key, whose signature is not verified here');
    return id;
  });
  const proven = { index: entry.index, grant, checkpoint, second, genesis: genesisId, vkey, pinned: genesis, seen, policy: byPolicy, entries };
  if (sealLink === null) return { ...proven, entry, seal: null };
  // What a sealed entry does not say itself, its seal says of it.
  const { issuer, issued_on: issuedOn, admitted_at: admittedAt } = signed;
  return { ...proven, entry: { ...entry, issuer, issued_on: issuedOn, admitted_at: admittedAt }, seal: signed };
}

// That the genesis, or the governors later, named the key that signs checkpoints. `fetchReceipt`
// gives the receipt of the entry that named it later.
export async function checkLogKey(proven, vkey, fetchReceipt) {
  const names = ({ statement }) => {
    const given = { genesis: statement.log_key, log_key: statement.key }[statement.kind];
    return given !== undefined && equal(given, vkey.key);
  };
  const root = proven.entries[proven.entries.length - 1];
  if (names(root)) return root;
  // A state entry's receipt shows no genesis: then it is the one that was pinned.
  const named = await verifyReceipt(await fetchReceipt(), { vkey, genesis: proven.genesis ?? proven.pinned });
  need(names(named.entry), 'log_key_unnamed', 'nobody named the key that signs here');
  return named.entry;
}
