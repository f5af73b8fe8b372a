//! Statements as they come: NDJSON, a line at a time, whatever the length of the file.

use std::io::{self, BufRead, Read as _};

use sha2::{Digest as _, Sha256};

use crate::outcome::other_than_text;
use crate::record::{CodecError, Digest, RECORD_BYTES_MAX, Statement, encode};

/// A longer line is no statement: a record has 16 KiB at most, and JSON takes less than 64 times
/// that.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// What some editors write at the beginning of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line of an input.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place in the input, from 1: that of a later line is larger.
    pub number: u64,
    /// What it says; or why it is no statement.
    pub statement: Result<Statement, String>,
}

/// What a statement is known by: SHA-256 of its one encoding. Two lines of the same digest say the
/// same, however their JSON is written.
///
/// # Errors
/// [`CodecError::TooLong`] of a statement that fits no record.
pub fn statement_digest(statement: &Statement) -> Result<Digest, CodecError> {
    let bytes = encode::<_, RECORD_BYTES_MAX>(statement)?;
    Ok(digest_of_bytes(&bytes))
}

/// As [`statement_digest`], of the statement's encoding.
pub(super) fn digest_of_bytes(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// The lines of NDJSON; empty ones are passed over.
#[derive(Debug)]
pub struct NdjsonLines<R> {
    reader: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> NdjsonLines<R> {
    /// Reads from its beginning.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            number: 0,
            line: Vec::new(),
        }
    }

    /// Reads one line; `false` at the end. Of a line that is too long only the beginning is kept.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = (&mut self.reader)
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut self.line)?;
        if read as u64 > LINE_BYTES_MAX && self.line.last() != Some(&b'\n') {
            self.reader.skip_until(b'\n')?;
        }
        self.number += 1;
        Ok(read > 0)
    }

    fn statement(&self, line: &[u8]) -> Result<Statement, String> {
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(format!("it is longer than {LINE_BYTES_MAX} bytes"));
        }
        if let Some(kind) = other_than_text(line).filter(|_| self.number == 1) {
            return Err(format!("it is {kind}"));
        }
        serde_json::from_slice(line).map_err(|error| match std::str::from_utf8(line) {
            // It is one line for the JSON reader; which of the input, the caller says.
            Ok(_) => plain(&error.to_string()),
            Err(_) if line.contains(&0) => "it is not UTF-8, but looks like UTF-16".to_owned(),
            Err(_) => "it is not UTF-8".to_owned(),
        })
    }
}

/// What a JSON reader says is wrong, in the words of the statements' format.
fn plain(error: &str) -> String {
    let (what, at) = match error.rsplit_once(" at line 1 column ") {
        Some((what, column)) => (what, format!(", column {column}")),
        None => (error, String::new()),
    };
    // The reader takes any number that has a fraction, or is too large, for one with a fraction.
    let fraction = what
        .strip_prefix("invalid type: floating point `")
        .and_then(|rest| rest.split_once("`, expected "));
    match fraction {
        Some((number, expected)) if expected.starts_with(['u', 'i']) => {
            format!(
                "the number {number} is too large, or not whole: numbers are whole, up to 2^64 - 1 at most{at}"
            )
        }
        _ => format!("{what}{at}"),
    }
}

impl<R: BufRead> Iterator for NdjsonLines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.read_line() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
            let mut line = self.line.trim_ascii();
            if self.number == 1 {
                line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
            }
            if !line.is_empty() {
                return Some(Ok(Line {
                    number: self.number,
                    statement: self.statement(line),
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: &str = r#"{"kind":"claim","account":"49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1","method":1,"version":1,"species":1,"points":2000}"#;

    fn lines(bytes: &[u8]) -> Vec<(u64, Result<Statement, String>)> {
        NdjsonLines::new(bytes)
            .map(|line| line.unwrap())
            .map(|line| (line.number, line.statement))
            .collect()
    }

    #[test]
    fn each_line_is_a_statement_or_says_why_it_is_none() {
        let long = format!("\"{}\"", "x".repeat(3 << 20));
        let text = format!("\u{feff}{CLAIM}\r\n\n  \n{{\"kind\":\"gift\"}}\n{long}\n{CLAIM}");
        let read = lines(text.as_bytes());
        let numbers: Vec<u64> = read.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 4, 5, 6]);
        assert_eq!(read[0].1, read[3].1);
        assert!(read[0].1.is_ok());
        let why = |at: usize| read[at].1.as_ref().unwrap_err().as_str();
        assert!(why(1).contains("unknown variant `gift`"), "{}", why(1));
        assert!(why(2).contains("longer"), "{}", why(2));
        let large = CLAIM.replace("2000", "18446744073709551616");
        let large = lines(large.as_bytes()).remove(0).1.unwrap_err();
        assert!(large.contains("too large"), "{large}");
        let wide: Vec<u8> = CLAIM.bytes().flat_map(|byte| [byte, 0]).collect();
        let latin = [b"{\"kind\":\"caf\xe9\"}".as_slice(), &wide].join(&b'\n');
        let read = lines(&latin);
        assert!(read[0].1.as_ref().unwrap_err().contains("UTF-8"));
        assert!(read[1].1.is_err());
    }

    #[test]
    fn a_digest_is_of_what_is_said_not_of_how_it_is_written() {
        let one: Statement = serde_json::from_str(CLAIM).unwrap();
        let other = r#"{"points": 2000, "species": 1, "version": 1, "method": 1, "kind": "claim",
            "account": "49915E0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1"}"#;
        let other: Statement = serde_json::from_str(other).unwrap();
        let digest = statement_digest(&one).unwrap();
        assert_eq!(digest, statement_digest(&other).unwrap());
        let more: Statement = serde_json::from_str(&CLAIM.replace("2000", "2001")).unwrap();
        assert_ne!(digest, statement_digest(&more).unwrap());
    }
}
