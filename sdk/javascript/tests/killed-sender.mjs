// A sender that kills itself (SIGKILL) while its first batch is on the way: before, within or after the request.

import { readFileSync } from 'node:fs';

import { Key, Outbox, Sender, fetchTransport } from '../src/index.js';
import { award, openDatabase } from './ledger.mjs';

const [path, keyFile, url, log, moment] = process.argv.slice(2);
const die = () => process.kill(process.pid, 'SIGKILL');
const key = await Key.fromPem(readFileSync(keyFile, 'utf8'));
const db = openDatabase(path);
const outbox = new Outbox(openDatabase(path), key.publicKey);
db.exec('BEGIN');
for (let event = 0; event < 20; event += 1) outbox.put(db, award(`${moment} ${event}`));
db.exec('COMMIT');

async function transport(method, ...rest) {
  if (method === 'POST' && moment === 'before') die();
  const answer = await fetchTransport(method, ...rest);
  if (method === 'POST' && moment === 'within') die();
  return answer;
}

// The answer was read and proven, and is not noted yet.
if (moment === 'after') outbox.admitted = die;
await new Sender(outbox, key, url, { log, transport }).send();
