// Who else saw the log: the witnesses and auditors that its governors named, by the lines of its checkpoints. The policy is
// proven to be the one in force; nothing that the server says of witnesses is believed.

import { Refused, need } from './verifier/codec.mjs';
import { openCheckpoint } from './verifier/note.mjs';
import { cosignersOf, readPolicy } from './verifier/policy.mjs';
import { checkAbout, itemAsked, readQuestion } from './verifier/question.mjs';
import { verifyReceipt } from './verifier/receipt.mjs';
import { follows } from './verifier/seen.mjs';

// Where it is proven which policy the governors stated: of the items that are there once, the fourth (docs/format.md, 16.5).
export const POLICY_STATED = '/v1/proofs/state?domain=once&key=3';

// The policy that the governors stated last, or null if they stated none.
async function policyStated({ fetchBytes }, { vkey, genesis }) {
  const question = readQuestion('once/3');
  const state = await verifyReceipt(await fetchBytes(POLICY_STATED), { vkey, genesis });
  checkAbout(state, question);
  const { found } = itemAsked(state, question);
  if (found === null) return null;
  const { index, entry } = await verifyReceipt(await fetchBytes(`/v1/receipts/${found.entry}`), { vkey, genesis });
  need(index === found.entry && entry.statement.kind === 'policy', 'not_included', `entry ${found.entry} is not the policy that it is to be`);
  return readPolicy(entry.statement.policy);
}

const unlessFalse = (work) => work.catch((error) => {
  if (error instanceof Refused && error.outcome === 'false') throw error;
  return null;
});

// The policy by which the log's witnesses are judged: what the governors stated, which is proven; or if they stated none, what
// the operator asks for (`isOperators`), which is nobody's word but the operator's. Null if there is none.
async function policyInForce(source, identity) {
  const stated = await policyStated(source, identity);
  if (stated !== null) return { policy: stated, isOperators: false };
  const asked = await readPolicy(await source.fetchBytes('/v1/policy'));
  return asked.witnesses.size === 0 ? null : { policy: asked, isOperators: true };
}

// Of each witness and auditor what it saw last, of the log's newest checkpoint (`now`) and the one that stands at /checkpoint;
// and whether one of them met the quorum. Null if nobody is named, or it could not be learnt who is. `source` fetches bytes
// from the log, and proofs that it grew.
export async function findOthers(source, identity, now) {
  const inForce = await unlessFalse(policyInForce(source, identity));
  if (inForce === null) return null;
  const { policy, isOperators } = inForce;
  const standing = await unlessFalse((async () => {
    const checkpoint = await openCheckpoint(await source.fetchBytes('/checkpoint'), identity.vkey);
    await follows(checkpoint, now, source.proveGrowth);
    return checkpoint;
  })());
  const of = [];
  for (const checkpoint of [now, standing]) if (checkpoint !== null) of.push(await cosignersOf(policy, checkpoint));
  const newest = (place) => of.map(({ cosigners }) => cosigners[place]).find(({ saw, unchecked }) => saw || unchecked) ?? of[0].cosigners[place];
  return {
    met: of.some(({ met }) => met), quorum: policy.quorum, isOperators, cosigners: of[0].cosigners.map((_, place) => newest(place)),
  };
}
