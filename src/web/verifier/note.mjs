// Signed notes, checkpoints and cosignatures (docs/format.md, section 12).

import {
  NAME, concat, decimal, equal, fromBase64, fromHex, hex, need, readWhole, text, utf8,
} from './codec.mjs';
import { isGoodKey, signatureHolds } from './signature.mjs';
import { sha256 } from './tree.mjs';

const NOTE_BYTES_MAX = 262_144;
const LINES_MAX = 64;
export const LOG = 1;
export const WITNESS = 4;

// `<name>+<id>+<base64>`: a log's key, or a witness's.
export async function parseVkey(written, kind) {
  const parts = written.trim().split('+');
  need(parts.length >= 3, 'vkey_malformed', 'a verifier key is not <name>+<id>+<base64>');
  const [name, id, rest] = [parts[0], parts[1], parts.slice(2).join('+')];
  const length = utf8(name).length;
  readWhole(text(200, NAME), concat([0, 0, 0, 0, 0, 0, length >> 8, length & 255], utf8(name)));
  const decoded = fromBase64(rest, 'the verifier key');
  need(decoded.length === 33 && decoded[0] === kind, 'vkey_malformed', 'it is of another type or length');
  const found = (await sha256(concat(utf8(name), [10], decoded))).subarray(0, 4);
  need(id === hex(found), 'vkey_malformed', 'the id does not belong to the key');
  need(isGoodKey(decoded.subarray(1)), 'key_invalid', 'it is no good key');
  return { name, id: fromHex(id), kind, key: decoded.subarray(1), written: written.trim() };
}

// The text that is signed, and the lines of signatures.
export function readNote(note) {
  need(utf8(note).length <= NOTE_BYTES_MAX, 'note_malformed', 'a note is longer than 262,144 bytes');
  const parted = note.lastIndexOf('\n\n');
  need(
    parted >= 0 && note.endsWith('\n') && parted + 2 < note.length && !/[\u0000-\u0009\u000b-\u001f]/.test(note),
    'note_malformed', 'a note is not text, an empty line and lines of signatures',
  );
  const lines = note.slice(parted + 2, -1).split('\n').map((line) => {
    const parts = line.split(' ');
    need(
      parts.length === 3 && parts[0] === '\u2014' && NAME.test(parts[1]),
      'note_malformed', "a signature's line is not a dash, a name and base64",
    );
    const decoded = fromBase64(parts[2], "a signature's line");
    need(decoded.length >= 5, 'note_malformed', "a signature's line has no signature");
    return { name: parts[1], id: decoded.subarray(0, 4), signature: decoded.subarray(4) };
  });
  need(lines.length <= LINES_MAX, 'note_malformed', 'a note has more than 64 lines of signatures');
  return { signed: note.slice(0, parted + 1), lines };
}

// Origin, size and root of a checkpoint that the pinned log key signed.
export async function openCheckpoint(note, pinned) {
  const { signed, lines } = readNote(note);
  const parts = signed.split('\n');
  need(parts.length === 4, 'checkpoint_malformed', "a checkpoint's text is not just three lines");
  const [origin, size, root] = [parts[0], decimal(parts[1], 'the size'), fromBase64(parts[2], 'the root')];
  need(size > 0n && root.length === 32, 'checkpoint_malformed', 'the size is 0, or the root not of 32 bytes');
  need(origin === pinned.name, 'origin_mismatch', "the checkpoint's origin is not the key's name");
  const checkpoint = { origin, size, root, signed, lines, note };
  const own = await checkLines(checkpoint, pinned);
  need(own.length > 0, 'unsigned', 'no line of the checkpoint is by the log key that was given');
  return checkpoint;
}

// Checks every line that names a key; gives, for a witness, when it saw the checkpoint (seconds).
export async function checkLines(checkpoint, vkey) {
  const found = [];
  for (const line of checkpoint.lines) {
    if (line.name !== vkey.name || !equal(line.id, vkey.id)) continue;
    let { signature } = line;
    let message = utf8(checkpoint.signed);
    let seconds = null;
    if (vkey.kind === WITNESS) {
      seconds = signature.subarray(0, 8).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
      signature = signature.subarray(8);
      message = concat(utf8(`cosignature/v1\ntime ${seconds}\n`), message);
    }
    const holds = await signatureHolds(vkey.key, signature, message);
    need(holds, 'signature_invalid', `the checkpoint's line by ${vkey.name} does not hold`);
    found.push({ seconds, signature });
  }
  return found;
}

