// What a platform writes, as the compiler sees it: `tsc --noEmit` must pass.

import { AnotherWriter, Award, Key, Outbox, Report, Sender, SqliteDatabase, encode, evidenceOf, verifyReceipt } from '../src/index.js';

export async function send(db: SqliteDatabase, own: SqliteDatabase, pem: string, log: string): Promise<Report> {
  const key = await Key.fromPem(pem);
  const outbox = new Outbox(own, key.publicKey);
  const award: Award = {
    kind: 'award', account: '11'.repeat(32), method: 1, version: 1, activity: 1, quantity: 2000n, points: 104,
    occurred_on: '2026-03-01', evidence: await evidenceOf('secret', 'ride/4711'),
  };
  outbox.put(db, award);
  encode({ kind: 'correction', target: 12, reason: 'Twice.', remedy: { reverse: { points: 5 } } });
  // @ts-expect-error: a transfer has a reason of five
  encode({ kind: 'transfer', from: '11'.repeat(32), points: 1, reason: 'lost' });
  // @ts-expect-error: no outbox sends a genesis
  outbox.put(db, { kind: 'genesis' });
  try {
    return await new Sender(outbox, key, ['https://ledger.example.org'], { log }).send();
  } catch (error) {
    if (error instanceof AnotherWriter) console.log(error.nextSeq, error.outcome);
    throw error;
  }
}

export async function check(file: Uint8Array, log: string): Promise<boolean> {
  const { outcome } = await verifyReceipt(file, { log, about: 'receipt/12' });
  // @ts-expect-error: there is no such outcome
  return outcome === 'holds' || outcome === 'perhaps';
}
