// The browser's verifier as a process: a question a line as JSON in, an answer a line as JSON out.
// `tests/verdicts` asks it beside the other two verifiers.

import { webcrypto } from 'node:crypto';
import { createInterface } from 'node:readline';

import { Refused, hex } from '../../src/web/verifier/codec.mjs';
import { LOG, WITNESS, parseVkey } from '../../src/web/verifier/note.mjs';
import { readPolicy } from '../../src/web/verifier/policy.mjs';
import { checkAbout, readQuestion } from '../../src/web/verifier/question.mjs';
import { verifyReceipt } from '../../src/web/verifier/receipt.mjs';
import { recordId } from '../../src/web/verifier/record.mjs';

// Node 18 has it under its own name alone.
globalThis.crypto ??= webcrypto;

// What a policy makes of a receipt that holds.
function byPolicy({ policy, checkpoint: { size } }) {
  if (policy === null) return '';
  const signers = policy.cosignedBy.map((one) => `${one.as}:${one.role}:${one.seconds ?? -1}:${one.size ?? size}`).join(',');
  const far = (found, level) => (found === undefined ? policy.levels.includes(level) && size : found) || '-';
  return ` ${policy.levels.join(',')} ${signers} ${far(policy.seenTo, 'witnessed')} ${far(policy.replayedTo, 'audited')}`;
}

async function answer({ receipt, log, genesis, witnesses, about, policy: written }) {
  let keys;
  let question;
  let policy;
  try {
    question = about === null ? null : readQuestion(about);
    policy = written === null ? null : await readPolicy(written);
    keys = { vkey: await parseVkey(log, LOG), witnesses: await Promise.all(witnesses.map((key) => parseVkey(key, WITNESS))) };
  } catch (error) {
    if (error instanceof Refused) return { outcome: 'usage' };
    throw error;
  }
  try {
    const found = await verifyReceipt(new Uint8Array(Buffer.from(receipt, 'base64')), { ...keys, genesis, policy });
    if (question !== null) checkAbout(found, question);
    // A sealed entry's record is its seal's. A state entry has none, and its receipt leads to no genesis.
    const { record } = found.seal ?? found.entry;
    const id = record === null ? '-' : hex(await recordId(found.checkpoint.origin, record));
    const leaf = (shown) => (shown ? `${hex(shown.leaf.value)}:${shown.leaf.a}:${shown.leaf.b}` : 'none');
    const items = (found.items ?? []).map((item) => `${item.domain}:${hex(item.key)}:${leaf(item.found)}`).join(',');
    const times = found.seen.map(({ seconds }) => seconds).join(',');
    return { outcome: 'holds', meaning: `${found.index} ${id} ${found.genesis ?? '-'} ${found.checkpoint.size} [${items}] ${times}${byPolicy(found)}` };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { outcome, code, missing, levels, message } = error;
    if (code !== 'quorum_missing') return { outcome, code };
    if (!missing.every((name) => message.includes(`${name} (`))) throw new Error(`the words don't name who is missing: ${message}`);
    return { outcome, code: `${code} ${missing.join(',')} [${levels.join(',')}]` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
