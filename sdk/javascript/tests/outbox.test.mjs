// The outbox alone: what its transactions cost.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Outbox } from '../src/index.js';
import { award, openDatabase } from './ledger.mjs';

const note = (size) => `example.org/ledger\n${size}\n${'A'.repeat(43)}=\n\n`;

test('no step of the way of a statement reads all that wait', () => {
  const db = openDatabase(':memory:');
  const asked = new Set();
  const watched = {
    exec: (sql) => db.exec(sql),
    prepare: (sql) => {
      asked.add(sql);
      return db.prepare(sql);
    },
  };
  const outbox = new Outbox(watched, new Uint8Array(32));
  outbox.begin({ origin: 'example.org/ledger', nextSeq: 0, prev: new Uint8Array(32), issuedOn: 0, checkpoint: note(1) });
  for (let event = 0; event < 5; event += 1) outbox.put(watched, award(event));
  const [recordId, signature] = [new Uint8Array(32), new Uint8Array(64)];
  const record = new Uint8Array(116);
  record[79] = 16;
  const sign = () => outbox.store({ ...outbox.choose(3, 1 << 20), record, recordId, signature });
  outbox.drop(sign(), [{ place: 1, code: 'points_mismatch', detail: '' }]);
  outbox.put(watched, award(1, { quantity: 1000, points: 52 }));
  outbox.admitted(sign(), 5, note(9));
  assert.equal(outbox.messagesAt(0).length, 0);
  // Where SQLite says SCAN, every row is read, or every one of an index.
  for (const sql of asked) {
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...Array((sql.match(/\?/g) ?? []).length).fill(0));
    const scans = plan.map(({ detail }) => detail).filter((detail) => /^SCAN (s|arborlog_statement)\b/.test(detail));
    assert.deepEqual(scans, [], sql);
  }
  db.close();
});
