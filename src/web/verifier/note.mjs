// Signed notes, checkpoints and cosignatures (docs/format.md, section 12).

import { BOUNDS } from './bounds.mjs';
import {
  LINE_NAME, concat, decimal, equal, fromBase64, fromHex, hex, isName, need, reading, utf8,
} from './codec.mjs';
import { readFile } from './file.mjs';
import { MLDSA_KEY_BYTES, MLDSA_SIGNATURE_BYTES, mldsaHolds, mldsaLibrary, mldsaMessage } from './mldsa.mjs';
import { isGoodKey, signatureHolds } from './signature.mjs';
import { sha256 } from './tree.mjs';

export const LOG = 1;
export const WITNESS = 4;
export const MLDSA = 6;

// `<name>+<id>+<base64>`: a key of one of these types, of a log or a witness. Spaces, tabs and line ends around it don't count.
export async function parseVkey(pasted, ...kinds) {
  return readVkey(pasted.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, ''), kinds);
}

// The same without anything around it, of one of these types.
export async function readVkey(written, kinds) {
  const parts = written.split('+');
  need(parts.length >= 3, 'vkey_malformed', 'a verifier key is not <name>+<id>+<base64>');
  const [name, id, rest] = [parts[0], parts[1], parts.slice(2).join('+')];
  need(isName(name), 'vkey_malformed', 'its name is empty, longer than 200 bytes, or has a character that is refused');
  const decoded = fromBase64(rest, 'the verifier key');
  const [kind] = decoded;
  const length = kind === MLDSA ? MLDSA_KEY_BYTES : 32;
  need(kinds.includes(kind) && decoded.length === 1 + length, 'vkey_malformed', 'it is of another type or length');
  const found = (await sha256(concat(utf8(name), [10], decoded))).subarray(0, 4);
  need(id === hex(found), 'vkey_malformed', 'the id does not belong to the key');
  need(kind === MLDSA || isGoodKey(decoded.subarray(1)), 'key_invalid', 'it is no good key');
  return { name, id: fromHex(id), kind, key: decoded.subarray(1), written };
}

// The text that is signed, and the lines of signatures.
export function readNote(note) {
  need(utf8(note).length <= BOUNDS.note_bytes, 'note_malformed', 'a note is longer than 262,144 bytes');
  const parted = note.lastIndexOf('\n\n');
  need(
    parted >= 0 && note.endsWith('\n') && parted + 2 < note.length && !/[\u0000-\u0009\u000b-\u001f]/.test(note),
    'note_malformed', 'a note is not text, an empty line and lines of signatures',
  );
  const lines = note.slice(parted + 2, -1).split('\n').map((line) => {
    const parts = line.split(' ');
    need(
      parts.length === 3 && parts[0] === '\u2014' && LINE_NAME.test(parts[1]),
      'note_malformed', "a signature's line is not a dash, a name and base64",
    );
    const decoded = reading('note_malformed', () => fromBase64(parts[2], "a signature's line"));
    need(decoded.length >= 5, 'note_malformed', "a signature's line has no signature");
    return { name: parts[1], id: decoded.subarray(0, 4), signature: decoded.subarray(4) };
  });
  need(lines.length <= BOUNDS.note_signatures, 'note_malformed', 'a note has more than 64 lines of signatures');
  return { signed: note.slice(0, parted + 1), lines };
}

// Origin, size and root that a checkpoint claims, and its lines; nothing is verified yet.
export function readCheckpoint(note) {
  const { signed, lines } = readNote(note);
  return reading('checkpoint_malformed', () => {
    const parts = signed.split('\n');
    need(parts.length === 4 && isName(parts[0]), '', "a checkpoint's text is not origin, size and root");
    const [origin, size, root] = [parts[0], decimal(parts[1], 'the size'), fromBase64(parts[2], 'the root')];
    need(size > 0n && root.length === 32, '', 'the size is 0, or the root not of 32 bytes');
    return { origin, size, root, signed, lines, note };
  });
}

// Checks that the pinned log key signed a checkpoint.
export async function verifyCheckpoint(checkpoint, pinned) {
  need(checkpoint.origin === pinned.name, 'other_log', `the checkpoint is of ${checkpoint.origin}, the key given is ${pinned.name}'s`);
  const own = await checkLines(checkpoint, pinned);
  need(own.length > 0, 'unsigned', 'no line of the checkpoint is by the log key that was given');
  return checkpoint;
}

// A checkpoint that the pinned log key signed, from its bytes or its text.
export async function openCheckpoint(file, pinned) {
  return verifyCheckpoint(readFile(file, readCheckpoint), pinned);
}

// Checks every line that names a key; gives of each when its signer saw the checkpoint, in seconds (of an Ed25519 line of a
// log 0).
export async function checkLines(checkpoint, vkey) {
  const { found, unread } = await readLinesOf(checkpoint, vkey);
  need(!unread, 'mldsa_unsupported', `the checkpoint's line by ${vkey.name} is of ML-DSA-44, which is not to be had here`);
  return found;
}

// The same; and whether these lines could not be checked for want of ML-DSA: then only their form was.
export async function readLinesOf(checkpoint, vkey) {
  const named = checkpoint.lines.filter((line) => line.name === vkey.name && equal(line.id, vkey.id));
  const stamp = vkey.kind === LOG ? 0 : 8;
  const width = stamp + (vkey.kind === MLDSA ? MLDSA_SIGNATURE_BYTES : 64);
  const found = named.map(({ signature }) => ({
    seconds: signature.subarray(0, stamp).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
    signature: signature.subarray(stamp),
  }));
  const holds = (condition) => need(condition, 'signature_invalid', `the checkpoint's line by ${vkey.name} does not hold`);
  holds(named.every(({ signature }) => signature.length === width) && found.every(({ seconds }) => seconds <= BOUNDS.cosigned_at_s));
  if (vkey.kind === MLDSA && found.length > 0 && (await mldsaLibrary()) === null) return { found, unread: true };
  for (const { seconds, signature } of found) holds(await lineHolds(checkpoint, vkey, seconds, signature));
  return { found, unread: false };
}

async function lineHolds(checkpoint, vkey, seconds, signature) {
  if (vkey.kind === MLDSA) return mldsaHolds(vkey.key, signature, mldsaMessage(checkpoint, vkey.name, seconds));
  const stamp = vkey.kind === WITNESS ? `cosignature/v1\ntime ${seconds}\n` : '';
  return signatureHolds(vkey.key, signature, utf8(stamp + checkpoint.signed));
}

// Without a time an ML-DSA line says nothing of a newest tree, which a witness must; of an auditor it is asked for the tree
// alone. Gives the newest time that counts, or null.
export function newestOf({ kind }, found, auditor = false) {
  const times = found.map(({ seconds }) => seconds).filter((seconds) => auditor || kind !== MLDSA || seconds > 0n);
  return times.length === 0 ? null : times.reduce((one, other) => (one > other ? one : other));
}
