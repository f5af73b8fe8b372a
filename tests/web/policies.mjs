// The browser's verifier as a process that judges checkpoints by policies: a question a line as JSON in, an answer a line as
// JSON out. docs/verifier/test_policies.py asks it beside the second verifier. With `--without-mldsa` it has no ML-DSA.

import { webcrypto } from 'node:crypto';
import { createInterface } from 'node:readline';

import { Refused, need } from '../../src/web/verifier/codec.mjs';
import { mldsa } from '../../src/web/verifier/mldsa.mjs';
import { LOG, MLDSA, WITNESS, checkLines, newestOf, parseVkey, readCheckpoint, verifyCheckpoint } from '../../src/web/verifier/note.mjs';
import { checkLogByPolicy, checkQuorumOf, readPolicy } from '../../src/web/verifier/policy.mjs';

// Node 18 has it under its own name alone.
globalThis.crypto ??= webcrypto;
if (process.argv.includes('--without-mldsa')) mldsa.ways = [];

async function answer({ policy, note, log, witnesses }) {
  let read;
  try {
    read = await readPolicy(new Uint8Array(Buffer.from(policy, 'base64')));
  } catch (error) {
    if (error instanceof Refused) return { outcome: 'usage', line: error.line ?? null };
    throw error;
  }
  const given = log === null ? null : await parseVkey(log, LOG, MLDSA);
  if (given === null && read.logs.length === 0) return { outcome: 'usage', line: null };
  try {
    const checkpoint = readCheckpoint(Buffer.from(note, 'base64').toString());
    if (given !== null) await verifyCheckpoint(checkpoint, given);
    if (read.logs.length > 0) await checkLogByPolicy(read, checkpoint);
    const seen = [];
    for (const written of witnesses) {
      const vkey = await parseVkey(written, WITNESS, MLDSA);
      const seconds = newestOf(vkey, await checkLines(checkpoint, vkey));
      need(seconds !== null, 'witness_missing', 'it is not there');
      seen.push(String(seconds));
    }
    const { levels, cosignedBy, notChecked } = await checkQuorumOf(read, checkpoint);
    const by = cosignedBy.map(({ as, role, seconds }) => [as, role, seconds === null ? null : String(seconds)]);
    return { outcome: 'holds', levels, by, not_checked: notChecked, seen };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const { missing = null, levels = null } = error;
    return { outcome: error.outcome, code: error.code, missing, levels };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
