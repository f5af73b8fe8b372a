// Receipts and proofs of the state, verified offline by the log's key or by a policy (docs/format.md, section 13). The work
// is done by the verifier of the ledger's own pages, src/web/verifier.

import { ArborlogError } from './errors.js';
import { Refused, equal, need } from './verifier/codec.mjs';
import { LOG, MLDSA, WITNESS, checkLines, parseVkey, readVkey } from './verifier/note.mjs';
import { checkStatement } from './verifier/policy.mjs';
import { checkAbout, readQuestion } from './verifier/question.mjs';
import { readReceipt, verifyReceipt as verify } from './verifier/receipt.mjs';
import { canVerify } from './verifier/signature.mjs';

const EXIT_CODES = { holds: 0, false: 1, unchecked: 3, not_that_kind: 4 };

// Verifies a `.tlog-proof` file, its bytes as they are or its text; gives a verdict with one of four outcomes: `holds`,
// `false`, `unchecked` (nothing was found wrong, and nothing is proven), `not_that_kind`. If it holds, `proven` has the
// entry and what proves it; else `code` and `what` say why not. Give `log`, the log's verifier key, or `policy`, a text that
// c2sp.org/tlog-policy reads. `genesis` is the genesis' id in hexadecimal, `witnesses` are keys whose cosignature must be there,
// and `about` is what the file must be about, such as `certificate/33258`, `account/…` or `receipt/12` (docs/format.md, 13.6).
export async function verifyReceipt(file, { log = null, policy = null, genesis = null, witnesses = [], about = null }) {
  if ((log === null) === (policy === null)) throw new ArborlogError('key_missing', "give either the log's verifier key, or a policy");
  if (genesis !== null && !/^[0-9a-f]{64}$/i.test(genesis)) throw new ArborlogError('genesis_malformed', 'the id of the genesis is 64 hexadecimal digits');
  const question = about === null ? null : questionOf(about);
  const rule = policy === null ? null : await Policy.read(policy);
  const seenBy = await Promise.all(witnesses.map((witness) => vkeyOf(witness, WITNESS)));
  let vkey = log === null ? null : await vkeyOf(log, LOG);
  try {
    need(await canVerify(), 'library_unfit', 'this WebCrypto has no Ed25519, or accepts what it must refuse');
    let seen = [];
    if (rule !== null) ({ vkey, seen } = await rule.judge(readReceipt(file).checkpoint));
    const proven = await verify(file, { vkey, genesis: genesis?.toLowerCase() ?? null, witnesses: seenBy });
    if (question !== null) checkAbout(proven, question);
    return { outcome: 'holds', exitCode: 0, code: null, what: null, proven: { ...proven, seen: [...proven.seen, ...seen] } };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const outcome = error.code === 'library_unfit' ? 'unchecked' : error.outcome;
    return { outcome, exitCode: EXIT_CODES[outcome], code: error.code, what: error.message, proven: null };
  }
}

function questionOf(about) {
  try {
    return readQuestion(String(about));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    throw new ArborlogError('question_malformed', `${about} is no question that a file answers: ${error.message}`);
  }
}

async function vkeyOf(written, kind) {
  try {
    return await parseVkey(written, kind);
  } catch (error) {
    throw new ArborlogError('vkey_malformed', `${written} is no verifier key: ${error.message}`);
  }
}

// A policy of c2sp.org/tlog-policy: which logs and witnesses count, and which must have seen a checkpoint.
export class Policy {
  static async read(text) {
    try {
      await checkStatement({ kind: 'policy', policy: text });
    } catch (error) {
      throw new ArborlogError('policy_malformed', error.message);
    }
    const policy = new Policy();
    Object.assign(policy, { logs: [], witnesses: new Map(), groups: new Map(), quorum: 'none' });
    for (const line of text.split('\n')) {
      const [what, name, ...rest] = line.split(/[ \t]/).filter((word) => word !== '');
      if (what === 'log') policy.logs.push(await readVkey(name, [LOG, MLDSA]));
      if (what === 'witness') policy.witnesses.set(name, await readVkey(rest[0], [WITNESS, MLDSA]));
      if (what === 'group') policy.groups.set(name, rest);
      if (what === 'quorum') policy.quorum = name;
    }
    return policy;
  }

  // The log's key that signed a checkpoint, and who saw it; refuses one that the policy does not take.
  async judge(checkpoint) {
    const own = this.logs.filter(({ name }) => name === checkpoint.origin);
    need(own.length > 0, 'other_log', `the policy names no log ${checkpoint.origin}`);
    let signed = null;
    for (const vkey of own) {
      if (vkey.kind === LOG && (await checkLines(checkpoint, vkey)).length > 0) signed ??= vkey;
    }
    need(signed !== null, 'unsigned', 'no line of the checkpoint is by a log key of the policy');
    const [seen, unread] = [new Map(), []];
    for (const [name, vkey] of this.witnesses) {
      if (vkey.kind === MLDSA) {
        // No release verifies ML-DSA yet: such a line counts for nothing, and against nobody.
        if (checkpoint.lines.some((line) => line.name === vkey.name && equal(line.id, vkey.id))) unread.push(name);
        continue;
      }
      const times = (await checkLines(checkpoint, vkey)).map(({ seconds }) => seconds);
      if (times.length > 0) seen.set(name, times.reduce((one, other) => (one > other ? one : other)));
    }
    const also = unread.length > 0 ? `; lines by ML-DSA keys could not be checked: ${unread.join(', ')}` : '';
    const names = [...seen.keys()].join(', ') || 'none';
    need(this.#holds(this.quorum, seen), 'witness_missing', `too few witnesses of the policy saw the checkpoint: ${names}${also}`);
    return { vkey: signed, seen: [...seen].map(([name, seconds]) => ({ name, seconds })) };
  }

  #holds(name, seen) {
    if (name === 'none' || seen.has(name)) return true;
    if (!this.groups.has(name)) return false;
    const [threshold, ...members] = this.groups.get(name);
    const asked = { all: members.length, any: 1 }[threshold] ?? Number(threshold);
    return members.filter((member) => this.#holds(member, seen)).length >= asked;
  }
}
