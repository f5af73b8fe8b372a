//! Where a body ends among the bytes of a connection, and with it where the next head begins.

use super::head::BodyLength;

/// Bytes around the data of a body's chunks, beyond as many as the data has. Chunks of a byte each cost a
/// server far more than they cost their sender.
const AROUND_MAX: u64 = 64 << 10;

/// What of a body is still to come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Nothing: a head comes next.
    Over,
    /// This many bytes of data, then the end.
    Data(u64),
    /// Chunks.
    Chunks(Chunks),
    /// Chunks that are none: where a next head begins can't be known.
    Broken,
    /// A chunk that is larger than a body may be.
    TooLarge,
}

/// Where in chunks (RFC 9112, section 7.1).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    part: Part,
    /// A carriage return came: the line ends, or the chunks are none.
    returned: bool,
    /// How many more bytes may stand around data.
    around_left: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// The line with a chunk's size; no number before its first digit.
    Size(Option<u64>),
    /// Blanks behind the size, before the `;` of an extension.
    SizeEnd(u64),
    /// What stands behind the `;` in its line.
    Extension(u64),
    /// A chunk's data, of which this many bytes are to come.
    Data(u64),
    /// The end of the line behind a chunk's data.
    DataEnd,
    /// A line behind the last chunk.
    Trailer(Trailer),
}

/// Where in a line behind the last chunk.
#[derive(Debug, PartialEq, Eq)]
enum Trailer {
    /// At its beginning: it may be the empty line at the end.
    Begin,
    /// In the name of a field.
    Name,
    /// In the value of a field.
    Value,
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a byte may stand in the value of a field, or of an extension.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

impl Framing {
    pub(super) fn of(body: BodyLength) -> Self {
        match body {
            BodyLength::Bytes(0) => Self::Over,
            BodyLength::Bytes(length) => Self::Data(length),
            BodyLength::Chunked => Self::Chunks(Chunks {
                part: Part::Size(None),
                returned: false,
                around_left: AROUND_MAX,
            }),
        }
    }

    /// Bytes of data that come next, whatever they are.
    pub(super) fn data_left(&self) -> u64 {
        match self {
            Self::Data(left) => *left,
            Self::Chunks(Chunks {
                part: Part::Data(left),
                ..
            }) => *left,
            _ => 0,
        }
    }

    /// Follows the body through these bytes. Gives how many of them are the body's own.
    pub(super) fn follow(&mut self, bytes: &[u8], chunk_max: u64) -> usize {
        let mut own = 0;
        while let Some((byte, _)) = bytes.get(own..).and_then(<[u8]>::split_first) {
            let behind = (bytes.len() - own) as u64;
            let data = self.data_left().min(behind);
            match self {
                Self::Over | Self::Broken | Self::TooLarge => break,
                Self::Data(left) if *left == data => *self = Self::Over,
                Self::Data(left) => *left -= data,
                Self::Chunks(chunks) => {
                    if data == 0 {
                        let next = chunks.follow(*byte, chunk_max);
                        own += 1;
                        if let Some(next) = next {
                            *self = next;
                        }
                    } else {
                        chunks.pass_data(data);
                    }
                }
            }
            // No more than there are bytes.
            own += usize::try_from(data).unwrap_or(usize::MAX);
        }
        own
    }
}

impl Chunks {
    fn pass_data(&mut self, bytes: u64) {
        // No body has as many as there are numbers.
        self.around_left = self.around_left.saturating_add(bytes);
        if let Part::Data(left) = &mut self.part {
            *left -= bytes;
            if *left == 0 {
                self.part = Part::DataEnd;
            }
        }
    }

    /// Follows the chunks through a byte that is no data. Gives what comes in their place, if they end.
    fn follow(&mut self, byte: u8, chunk_max: u64) -> Option<Framing> {
        let Some(around_left) = self.around_left.checked_sub(1) else {
            return Some(Framing::Broken);
        };
        self.around_left = around_left;
        if self.returned != (byte == b'\n') {
            return Some(Framing::Broken);
        }
        if byte == b'\r' {
            self.returned = true;
            return None;
        }
        let next = match (&self.part, byte) {
            (Part::Size(Some(0)) | Part::Extension(0), b'\n') => Part::Trailer(Trailer::Begin),
            (Part::Size(Some(size)) | Part::Extension(size), b'\n') => Part::Data(*size),
            (Part::DataEnd, b'\n') => Part::Size(None),
            (Part::Trailer(Trailer::Begin), b'\n') => return Some(Framing::Over),
            (Part::Trailer(Trailer::Value), b'\n') => Part::Trailer(Trailer::Begin),
            (Part::Size(size), digit) if digit.is_ascii_hexdigit() => {
                let value = char::from(digit).to_digit(16).map(u64::from)?;
                let size = size.unwrap_or(0).checked_mul(16).map(|size| size + value);
                match size.filter(|size| *size <= chunk_max) {
                    Some(size) => Part::Size(Some(size)),
                    None => return Some(Framing::TooLarge),
                }
            }
            (Part::Size(Some(size)) | Part::SizeEnd(size), b';') => Part::Extension(*size),
            (Part::Size(Some(size)) | Part::SizeEnd(size), b' ' | b'\t') => Part::SizeEnd(*size),
            (Part::Extension(size), byte) if is_text(byte) => Part::Extension(*size),
            (Part::Trailer(Trailer::Name), b':') => Part::Trailer(Trailer::Value),
            (Part::Trailer(Trailer::Begin | Trailer::Name), byte) if is_token(byte) => {
                Part::Trailer(Trailer::Name)
            }
            (Part::Trailer(Trailer::Value), byte) if is_text(byte) => Part::Trailer(Trailer::Value),
            _ => return Some(Framing::Broken),
        };
        self.part = next;
        self.returned = false;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What of these bytes is the body's own, in one piece and byte by byte, and what follows it.
    fn follow(body: BodyLength, bytes: &str) -> (usize, Framing) {
        let mut whole = Framing::of(body);
        let own = whole.follow(bytes.as_bytes(), 1000);
        let mut single = Framing::of(body);
        let singly = bytes.as_bytes().chunks(1);
        let singly: usize = singly.map(|byte| single.follow(byte, 1000)).sum();
        assert_eq!((own, &whole), (singly, &single), "{bytes}");
        (own, whole)
    }

    #[test]
    fn a_body_ends_where_it_says() {
        assert_eq!(follow(BodyLength::Bytes(0), "GET"), (0, Framing::Over));
        assert_eq!(follow(BodyLength::Bytes(3), "abcGET"), (3, Framing::Over));
        assert_eq!(follow(BodyLength::Bytes(9), "abc"), (3, Framing::Data(6)));
        for body in [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "3\r\n\r\n\r\r\n0\r\n\r\n",
            "00a ;x=\"y\"\r\n0123456789\r\n0;z\r\nSum: 1\r\nB: 2\r\n\r\n",
        ] {
            let found = follow(BodyLength::Chunked, &format!("{body}GET /"));
            assert_eq!(found, (body.len(), Framing::Over), "{body}");
        }
    }

    #[test]
    fn a_body_is_not_all_chunks_and_no_data() {
        let tiny = "1\r\nx\r\n".repeat(20_000);
        assert_eq!(follow(BodyLength::Chunked, &tiny).1, Framing::Broken);
        let zeros = "0".repeat(70_000);
        assert_eq!(follow(BodyLength::Chunked, &zeros).1, Framing::Broken);
        let small = format!("10\r\n{:16}\r\n", "").repeat(20_000) + "0\r\n\r\n";
        let whole = (small.len(), Framing::Over);
        assert_eq!(follow(BodyLength::Chunked, &small), whole);
    }

    #[test]
    fn chunks_that_are_none_have_no_end() {
        for body in [
            "\r\n",
            "zz\r\n",
            "3\nabc\r\n",
            "3\rabc",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0",
            "-1\r\n",
            "0\r\nx\n\r\n",
            "0\n\n",
            "3;x\ny\r\n",
            "3 \r\n",
            "3 x\r\n",
            "3;\0\r\n",
            "0\r\nSum\r\n\r\n",
            "0\r\n: 1\r\n\r\n",
            "0\r\n Sum: 1\r\n\r\n",
            "0\r\nSum : 1\r\n\r\n",
            "0\r\nSum: \0\r\n\r\n",
            "0\r\nA: 1\r\n folded\r\n\r\n",
        ] {
            let (_, found) = follow(BodyLength::Chunked, body);
            assert_eq!(found, Framing::Broken, "{body:?}");
        }
        for body in ["3e9\r\n", "ffffffffffffffff0\r\n", "7fffffffffffffff\r\n"] {
            let (_, found) = follow(BodyLength::Chunked, body);
            assert_eq!(found, Framing::TooLarge, "{body:?}");
        }
    }
}
