// Files as they are read: their bytes, of which nothing is trimmed, converted or passed over; and what
// was done to one that can't be read (docs/format.md, section 12.1).

import { Refused, text8, utf8 } from './codec.mjs';

const FAULTS = {
  file_utf16: 'it was saved as UTF-16',
  file_bom: 'it begins with a byte order mark',
  file_crlf: 'it has CRLF line ends',
  file_not_utf8: 'it is not UTF-8',
  file_quoted: "its lines begin with '>', as a mail program quotes text",
  file_spaces: 'it has white space where none belongs',
  file_wrapped: 'its long lines were broken into several, or its index line is missing',
  file_cut: 'its end is missing: its last line has no line end, or no line is a signature\u2019s',
  file_trailing: 'something follows its last signature line',
};
const STRAY_SPACE = /[\t\v\f\u00a0\u1680\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff]|(^|\n) | (\n|$)|  /;

// Text is what somebody pasted: it is read as the bytes that a file of it has.
export const bytesOf = (file) => (typeof file === 'string' ? utf8(file) : file);

// The code of what was done to a file that could not be read, the first that applies; or null.
function faultOf(bytes) {
  const [first, second, third] = bytes;
  const mark = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  if (mark || first === 0 || second === 0) return 'file_utf16';
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'file_bom';
  if (bytes.includes(0x0d)) return 'file_crlf';
  let whole;
  try {
    whole = text8(bytes, 'file_not_utf8', '');
  } catch {
    return 'file_not_utf8';
  }
  const lines = whole.split('\n');
  const last = lines.findLastIndex((line) => line.startsWith('\u2014 '));
  const broken = (line, at) =>
    line.startsWith('extra ') && lines[at + 1] !== undefined && lines[at + 1] !== '' && !lines[at + 1].startsWith('index ');
  if (whole.startsWith('>')) return 'file_quoted';
  if (STRAY_SPACE.test(whole)) return 'file_spaces';
  if (lines.some(broken)) return 'file_wrapped';
  if (!whole.endsWith('\n') || last < 0) return 'file_cut';
  return last + 2 < lines.length ? 'file_trailing' : null;
}

// Reads a file; where it can't be, what was done to it is said if that can be told.
export function readFile(file, read) {
  const bytes = bytesOf(file);
  try {
    return read(text8(bytes, 'file_not_utf8', FAULTS.file_not_utf8));
  } catch (error) {
    const code = error instanceof Refused ? faultOf(bytes) : null;
    throw code === null ? error : new Refused(code, `${FAULTS[code]}; get it again`);
  }
}
