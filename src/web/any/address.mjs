// What a reader gives to check a log: where it is, and whom it must be signed by.

import { hasCard } from '../card/proofs.mjs';
import { need } from '../verifier/codec.mjs';
import { LOG, MLDSA, parseVkey } from '../verifier/note.mjs';
import { readPolicy } from '../verifier/policy.mjs';

// The log's address, without a slash at its end, and what of it is asked for: the path of a page, which a page's address names;
// of any other address the first page.
export function readAddress(written) {
  const text = written.trim();
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`;
  need(URL.canParse(whole), 'address_malformed', 'it is no address');
  const { protocol, host, origin, pathname } = new URL(whole);
  need(/^https?:$/.test(protocol) && host !== '', 'address_malformed', 'it is no address of a site (https or http)');
  const path = pathname.replace(/\/+$/, '');
  const slashes = [...path].flatMap((char, at) => (char === '/' ? [at] : []));
  const page = slashes.find((at) => hasCard(path.slice(at)));
  if (page !== undefined) return { base: origin + path.slice(0, page), subject: path.slice(page) };
  return { base: origin + path.replace(/\/(v1\/)?checkpoint$/, ''), subject: '/' };
}

// A verifier key, or a policy that names a log: what verifyReceipt and openCheckpoint take.
export async function readTrust(written) {
  const text = `${written.trim()}\n`;
  const isPolicy = /^(#|log |witness |group |quorum )/m.test(text);
  if (!isPolicy) return { vkey: await parseVkey(written, LOG, MLDSA), policy: null };
  const policy = await readPolicy(text);
  need(policy.logs.length > 0, 'policy_malformed', 'the policy names no log');
  return { vkey: null, policy };
}

// The genesis' record id, or null if none was given.
export function readGenesis(written) {
  const text = written.trim().toLowerCase();
  need(/^([0-9a-f]{64})?$/.test(text), 'genesis_malformed', 'a genesis is 64 hexadecimal digits');
  return text === '' ? null : text;
}
