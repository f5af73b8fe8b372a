// Who else saw the log: the witnesses and auditors that its governors named, by the lines of its checkpoints. The policy is
// proven to be the one in force; nothing that the server says of witnesses is believed.

import { fetchBytes, fetchReceipt, proveGrowth } from './proving.mjs';
import { Refused, need } from './verifier/codec.mjs';
import { openCheckpoint } from './verifier/note.mjs';
import { cosignersOf, readPolicy } from './verifier/policy.mjs';
import { checkAbout, itemAsked, readQuestion } from './verifier/question.mjs';
import { verifyReceipt } from './verifier/receipt.mjs';
import { follows } from './verifier/seen.mjs';

// The policy that the governors stated last, or null if they stated none.
async function policyInForce({ vkey, genesis }) {
  // Of the items that are there once, the fourth (docs/format.md, section 16.5).
  const question = readQuestion('once/3');
  const state = await verifyReceipt(await fetchBytes('/v1/proofs/state?domain=once&key=3'), { vkey, genesis });
  checkAbout(state, question);
  const { found } = itemAsked(state, question);
  if (found === null) return null;
  const { index, entry } = await verifyReceipt(await fetchReceipt(found.entry), { vkey, genesis });
  need(index === found.entry && entry.statement.kind === 'policy', 'not_included', `entry ${found.entry} is not the policy that it is to be`);
  return readPolicy(entry.statement.policy);
}

const unlessFalse = (work) => work.catch((error) => {
  if (error instanceof Refused && error.outcome === 'false') throw error;
  return null;
});

// Of each witness and auditor what it saw last, of the log's newest checkpoint (`now`) and the one that stands at /checkpoint;
// and whether one of them met the quorum. Null if the governors named nobody, or it could not be learnt whom.
async function findOthers(identity, now) {
  const policy = await unlessFalse(policyInForce(identity));
  if (policy === null) return null;
  const standing = await unlessFalse((async () => {
    const checkpoint = await openCheckpoint(await fetchBytes('/checkpoint'), identity.vkey);
    await follows(checkpoint, now, proveGrowth);
    return checkpoint;
  })());
  const of = [];
  for (const checkpoint of [now, standing]) if (checkpoint !== null) of.push(await cosignersOf(policy, checkpoint));
  const newest = (place) => of.map(({ cosigners }) => cosigners[place]).find(({ saw, unchecked }) => saw || unchecked) ?? of[0].cosigners[place];
  return { met: of.some(({ met }) => met), quorum: policy.quorum, cosigners: of[0].cosigners.map((_, place) => newest(place)) };
}

let finding = null;
export function others(identity, now) {
  finding ??= findOthers(identity, now);
  return finding;
}
