// What is signed (docs/format.md, section 3), and which role may say what (section 13.1, step 8).

import { concat, need, utf8 } from './codec.mjs';
import { signatureHolds } from './signature.mjs';
import { sha256 } from './tree.mjs';

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
