// Receipts and proofs of the state, verified offline by the log's key or by a policy (docs/format.md, section 13). The work
// is done by the verifier of the ledger's own pages, src/web/verifier.

import { ArborlogError } from './errors.js';
import { Refused, need } from './verifier/codec.mjs';
import { LOG, MLDSA, WITNESS, parseVkey } from './verifier/note.mjs';
import { readPolicy } from './verifier/policy.mjs';
import { checkAbout, readQuestion } from './verifier/question.mjs';
import { verifyReceipt as verify } from './verifier/receipt.mjs';
import { canVerify } from './verifier/signature.mjs';

const EXIT_CODES = { holds: 0, false: 1, unchecked: 3, not_that_kind: 4 };

// Verifies a `.tlog-proof` file, its bytes as they are or its text; gives a verdict with one of four outcomes: `holds`,
// `false`, `unchecked` (nothing was found wrong, and nothing is proven), `not_that_kind`. If it holds, `proven` has the
// entry and what proves it; else `code` and `what` say why not. Give `log`, the log's verifier key, or `policy`, a text that
// c2sp.org/tlog-policy reads: `proven.policy` says who of it cosigned. Given both, both must hold. `genesis` is the genesis'
// id in hexadecimal, `witnesses` are keys whose cosignature must be there, and `about` is what the file must be about, such as
// `certificate/33258`, `account/…` or `receipt/12` (docs/format.md, 13.6).
export async function verifyReceipt(file, { log = null, policy = null, genesis = null, witnesses = [], about = null }) {
  if (genesis !== null && !/^[0-9a-f]{64}$/i.test(genesis)) throw new ArborlogError('genesis_malformed', 'the id of the genesis is 64 hexadecimal digits');
  const question = about === null ? null : questionOf(about);
  const rule = policy === null ? null : (await Policy.read(policy)).rule;
  if (log === null && !rule?.logs.length) throw new ArborlogError('key_missing', "give the log's verifier key, or a policy that names logs");
  const seenBy = await Promise.all(witnesses.map((witness) => vkeyOf(witness, WITNESS, MLDSA)));
  const vkey = log === null ? null : await vkeyOf(log, LOG, MLDSA);
  try {
    need(await canVerify(), 'library_unfit', 'there is no WebCrypto here, which SHA-256 is of');
    const proven = await verify(file, { vkey, policy: rule, genesis: genesis?.toLowerCase() ?? null, witnesses: seenBy });
    if (question !== null) checkAbout(proven, question);
    return { outcome: 'holds', exitCode: 0, code: null, what: null, proven };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { outcome: error.outcome, exitCode: EXIT_CODES[error.outcome], code: error.code, what: error.message, proven: null };
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

async function vkeyOf(written, ...kinds) {
  try {
    return await parseVkey(written, ...kinds);
  } catch (error) {
    throw new ArborlogError('vkey_malformed', `${written} is no verifier key: ${error.message}`);
  }
}

// A policy of c2sp.org/tlog-policy: which logs and witnesses count, and which must have seen a checkpoint. `rule` is what the
// verifier reads in it.
export class Policy {
  static async read(text) {
    try {
      return Object.assign(new Policy(), { rule: await readPolicy(text) });
    } catch (error) {
      throw new ArborlogError('policy_malformed', error.message);
    }
  }
}
