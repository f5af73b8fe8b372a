//! Receipts that were changed by chance: bytes, lines, base64, numbers, notes and the codec's
//! lengths, again and again from the same seed.

#[path = "../support/dice.rs"]
pub mod dice;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dice::Dice;

/// An endless row of changed receipts.
pub struct Changes<'a> {
    dice: Dice,
    golden: &'a [&'a str],
}

const BYTES: [&[u8]; 14] = [
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\0",
    b"\x7f",
    b"=",
    b"+",
    b"\xc2\xa0",
    b"\xe2\x80\x8b",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xe2\x80\xa8",
    b">",
];
const LINE_ENDS: [&[u8]; 6] = [b"\r\n", b"\r", b"\n\n", b"\n\r", b"\x0b", b"\xc2\x85"];
const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "10",
    "11",
    "54",
    "55",
    "56",
    "256",
    "257",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "+11",
    "011",
    "11 ",
    "0x0b",
];
const NAMES: [&str; 8] = [
    "w",
    "example.org/ledger",
    "example.org/ledgeR",
    "w\u{202e}",
    "w\u{a0}",
    "a+b",
    "w\u{7f}",
    "",
];

impl<'a> Changes<'a> {
    pub fn new(seed: u64, golden: &'a [&'a str]) -> Self {
        Self {
            dice: Dice::new(seed),
            golden,
        }
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.dice.one_in(n)
    }

    /// The next one: a golden receipt with a change, or with some.
    pub fn next(&mut self) -> Vec<u8> {
        let mut receipt = self.dice.pick(self.golden).as_bytes().to_vec();
        receipt = self.change(receipt);
        while self.dice.one_in(5) {
            receipt = self.change(receipt);
        }
        receipt
    }

    fn piece(&mut self) -> &'static [u8] {
        BYTES[self.place(BYTES.len())]
    }

    fn place(&mut self, length: usize) -> usize {
        self.dice.below(length.max(1) as u64) as usize
    }

    fn change(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        match self.dice.below(4) {
            0 => self.change_bytes(bytes),
            1 => self.change_lines(bytes),
            2 => self.change_base64(bytes),
            _ => self.change_parts(bytes),
        }
    }

    fn change_bytes(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.place(bytes.len());
        match self.dice.below(5) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.dice.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, self.piece().iter().copied())),
            3 => bytes.extend_from_slice(self.piece()),
            _ => drop(bytes.splice(..0, self.piece().iter().copied())),
        }
        bytes
    }

    fn change_lines(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> = bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        let (at, other) = (self.place(lines.len()), self.place(lines.len()));
        match self.dice.below(7) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines.swap(at, other),
            3 => lines[at].extend_from_slice(self.piece()),
            4 => drop(lines[at].splice(..0, self.piece().iter().copied())),
            5 => {
                let theirs = self
                    .dice
                    .pick(self.golden)
                    .lines()
                    .nth(at)
                    .unwrap_or_default();
                lines[at] = theirs.as_bytes().to_vec();
            }
            _ => {
                let end = *self.dice.pick(&LINE_ENDS);
                if self.dice.one_in(2) {
                    return lines.join(end);
                }
                lines[at].extend_from_slice(end);
            }
        }
        lines.join(&b'\n')
    }

    /// Another writing of some base64, or other bytes in it.
    fn change_base64(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(text) = String::from_utf8(bytes) else {
            return Vec::new();
        };
        let is_digit = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        let pieces: Vec<&str> = text
            .split(|c| !is_digit(c))
            .filter(|piece| piece.len() >= 20)
            .collect();
        if pieces.is_empty() {
            return text.into_bytes();
        }
        let piece = *self.dice.pick(&pieces);
        let at = self.place(piece.len());
        let decoded = STANDARD.decode(piece).unwrap_or_default();
        let changed = match self.dice.below(8) {
            0 => piece.trim_end_matches('=').to_owned(),
            1 => format!("{piece}="),
            2 => piece.replace('+', "-").replace('/', "_"),
            3 => format!("{}{}", &piece[..at], &piece[(at + 4).min(piece.len())..]),
            4 => format!("{piece}{piece}"),
            5 => format!("{}B{}", &piece[..at], &piece[at + 1..]),
            6 => STANDARD.encode(self.change_codec(decoded)),
            _ => STANDARD.encode(self.change_bytes(decoded)),
        };
        text.replacen(piece, &changed, 1).into_bytes()
    }

    /// Lengths and counts of the codec: a u64 somewhere, or bytes more or fewer.
    fn change_codec(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let values = [0, 1, 2, 64, 65, 66, 1 << 32, 1 << 63, u64::MAX];
        let at = self.place(bytes.len().saturating_sub(8));
        if bytes.len() > 16 {
            let value = self.dice.pick(&values).to_be_bytes();
            let length = u64::from_be_bytes(bytes[..8].try_into().unwrap()) as usize;
            let at = if self.dice.one_in(3) && length < bytes.len() - 16 {
                8 + length
            } else {
                at
            };
            bytes[at..at + 8].copy_from_slice(&value);
        }
        bytes
    }

    /// Numbers, and lines of signatures.
    fn change_parts(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(text) = String::from_utf8(bytes) else {
            return Vec::new();
        };
        let number = *self.dice.pick(&NUMBERS);
        let size = text
            .split_once("\n\n")
            .and_then(|(_, note)| note.lines().nth(1));
        let index = text.lines().find(|line| line.starts_with("index "));
        let changed = match (self.dice.below(4), index, size) {
            (0, Some(index), _) => text.replacen(index, &format!("index {number}"), 1),
            (1, _, Some(size)) => {
                text.replacen(&format!("\n{size}\n"), &format!("\n{number}\n"), 1)
            }
            (2, ..) => {
                let lines = *self.dice.pick(&[1, 2, 61, 62, 63, 64]);
                (0..lines).fold(text, |text, _| text + &self.signature_line())
            }
            _ => {
                let line = self.signature_line();
                text.replacen("\n\n—", &format!("\n\n{line}—"), 1)
            }
        };
        changed.into_bytes()
    }

    fn signature_line(&mut self) -> String {
        let length = *self.dice.pick(&[0, 4, 5, 12, 68, 76]);
        let mut bytes: Vec<u8> = (0..length).map(|_| self.dice.roll() as u8).collect();
        // The id of the log's key, or of the witness's.
        if let (Some(id), true) = (bytes.first_chunk_mut::<4>(), self.dice.one_in(3)) {
            *id = *self
                .dice
                .pick(&[[0x21, 0x1f, 0x1e, 0x13], [0x6e, 0xa6, 0xd9, 0xc9]]);
        }
        let name = *self.dice.pick(&NAMES);
        format!("— {name} {}\n", STANDARD.encode(bytes))
    }
}
