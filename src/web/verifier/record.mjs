// What is signed (docs/format.md, section 3), by an entry's own signature or by its seal's (12), and which role
// may say what (section 13.1, step 8).

import { concat, equal, need, utf8 } from './codec.mjs';
import { signatureHolds } from './signature.mjs';
import { leafHash, pathLength, rootByPath, sha256 } from './tree.mjs';

export const MAY_SAY = {
  platform: ['award', 'transfer', 'claim', 'assignment', 'correction', 'seal'],
  planter: ['plot', 'planting', 'correction', 'seal'],
  surveyor: ['survey', 'correction', 'seal'],
  auditor: ['correction', 'attestation', 'seal'],
};

export const signingInput = (origin, record) => concat(utf8(`arborlog/record/v1\n${origin}\n`), record);

export const recordId = (origin, record) => sha256(signingInput(origin, record));

export async function checkSignatures(entry, origin) {
  const message = signingInput(origin, entry.record);
  const holds = await signatureHolds(entry.issuer, entry.signature, message);
  need(holds, 'signature_invalid', "the issuer's signature does not hold");
  for (const endorsement of entry.endorsements) {
    const endorsed = await signatureHolds(endorsement.key, endorsement.signature, message);
    need(endorsed, 'signature_invalid', "an endorsement's signature does not hold");
  }
}

// That the seal is the one of a sealed entry, and the statement under its root.
export async function checkSealed(entry, seal, siblings) {
  need(seal.statement.kind === 'seal', 'seal_mismatch', 'the entry that is to be the seal is none');
  const { count, root } = seal.statement;
  need(entry.ahead <= count, 'seal_mismatch', 'the entry is no part of the batch that was sealed');
  const [place, size] = [BigInt(count - entry.ahead), BigInt(count)];
  const fits = siblings.length === pathLength(place, size);
  need(fits, 'proof_incomplete', 'the proof of the statement has not the number of hashes that its place needs');
  const found = await rootByPath(await leafHash(entry.statementBytes), place, size, siblings);
  need(equal(found, root), 'seal_mismatch', 'the statement is not under the root of the seal');
}
