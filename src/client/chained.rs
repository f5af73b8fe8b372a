//! Lines with checksums, each over all lines before it: what was changed, cut out of the middle,
//! or put from one file into another no longer fits.
//!
//! ```text
//! 32 hexadecimal digits, a space, JSON, a newline
//! ```
//!
//! The digits are the first half of SHA-256(the value before ‖ JSON), whose whole is the value
//! for the next line; before the first line it is 32 zero bytes. A checksum is no signature: a
//! program that can write the file can compute all of them again, and the head of the key then
//! tells that the journal is another one.

use std::io::BufRead;

use sha2::{Digest as _, Sha256};

/// Digits of a line's checksum.
const CHECKSUM_DIGITS: usize = 32;
/// No line is longer: the longest carries a signed note.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The value that all lines so far lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Chain([u8; 32]);

impl Chain {
    fn after(self, json: &[u8]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(json);
        Self(hasher.finalize().into())
    }

    fn digits(&self) -> String {
        let (half, _) = self.0.split_at(CHECKSUM_DIGITS / 2);
        hex::encode(half)
    }

    /// Appends a line of this JSON.
    pub(super) fn write(&mut self, json: &[u8], out: &mut Vec<u8>) {
        *self = self.after(json);
        out.extend_from_slice(self.digits().as_bytes());
        out.push(b' ');
        out.extend_from_slice(json);
        out.push(b'\n');
    }
}

/// The whole value, as heads keep it.
impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Why a line can't be read.
#[derive(Debug)]
pub(super) enum LineFault {
    /// It does not follow from the lines before it.
    Damaged,
    Io(std::io::Error),
}

/// Reads lines, up to one that was cut off at the end.
pub(super) struct ChainedLines<R> {
    reader: R,
    line: Vec<u8>,
    chain: Chain,
    /// Whether checksums are looked at: what was verified when it was opened need not be again.
    verify: bool,
    /// Where the next line begins.
    pub end: u64,
    /// Where the line that was read last begins.
    pub begin: u64,
    /// How many lines were read.
    pub number: u64,
}

impl<R: BufRead> ChainedLines<R> {
    pub(super) fn new(reader: R, verify: bool) -> Self {
        Self {
            reader,
            line: Vec::new(),
            chain: Chain::default(),
            verify,
            end: 0,
            begin: 0,
            number: 0,
        }
    }

    /// The value that the lines read so far lead to.
    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    /// The next line's JSON; `None` at the end, or where the last line was cut off.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, LineFault> {
        self.line.clear();
        let mut limited = std::io::Read::take(&mut self.reader, LINE_BYTES_MAX);
        let read = limited
            .read_until(b'\n', &mut self.line)
            .map_err(LineFault::Io)?;
        let Some(line) = self.line.strip_suffix(b"\n") else {
            return if read as u64 == LINE_BYTES_MAX {
                Err(LineFault::Damaged)
            } else {
                Ok(None)
            };
        };
        let (digits, json) = line
            .split_at_checked(CHECKSUM_DIGITS)
            .and_then(|(digits, rest)| Some((digits, rest.strip_prefix(b" ")?)))
            .ok_or(LineFault::Damaged)?;
        if self.verify {
            let chain = self.chain.after(json);
            if chain.digits().as_bytes() != digits {
                return Err(LineFault::Damaged);
            }
            self.chain = chain;
        }
        self.begin = self.end;
        self.end += read as u64;
        self.number += 1;
        Ok(Some(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let (mut out, mut chain) = (Vec::new(), Chain::default());
        for n in 0..4 {
            chain.write(format!("{{\"n\":{n}}}").as_bytes(), &mut out);
        }
        out
    }

    /// How many lines are read, and whether a damaged one ends them.
    fn read(bytes: &[u8]) -> (u64, bool) {
        let mut lines = ChainedLines::new(bytes, true);
        loop {
            match lines.next() {
                Ok(Some(_)) => {}
                Ok(None) => return (lines.number, false),
                Err(LineFault::Damaged) => return (lines.number, true),
                Err(LineFault::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_changed_line_a_line_left_out_and_two_lines_exchanged_are_found() {
        let whole = file();
        assert_eq!(read(&whole), (4, false));
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let text = String::from_utf8(whole.clone()).unwrap();
        let changed = text.replace("{\"n\":1}", "{\"n\":7}");
        assert_eq!(read(changed.as_bytes()), (1, true));
        assert_eq!(read(&[lines[0], lines[2], lines[3]].concat()), (1, true));
        assert_eq!(read(&[lines[1], lines[0]].concat()), (0, true));
        // A cut at the end leaves whole lines: that they are fewer, the key's head tells.
        assert_eq!(read(&whole[..whole.len() - 1]), (3, false));
        assert_eq!(read(&lines[..2].concat()), (2, false));
    }
}
