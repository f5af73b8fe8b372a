// Write to an arborlog ledger, and verify what it proves. README.md has the first award in ten lines.

export {
  AnotherWriter, ArborlogError, KeyRefused, LogFault, NotVerified, OutboxError, RequestRefused, StatementError, Unanswered,
} from './errors.js';
export { Key, evidenceOf, newKeyPem, pointsOf } from './keys.js';
export { Outbox } from './outbox.js';
export { verifyReceipt } from './receipts.js';
export {
  batchBody, recordBytes, recordId, recordsBody, rootOf, sealOf, signedRecord, signingInput,
} from './records.js';
export { Sender } from './sender.js';
export { checkPolicy, encode } from './statements.js';
export { fetchTransport } from './transport.js';
