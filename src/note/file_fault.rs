//! What mail programs, editors and shells do to a signed file. No reader undoes it: the bytes are
//! read as they are, and what can't be read so says nothing against the signer. A reader names
//! what was done, so that somebody can get the file again (`docs/format.md`, section 12.1).

/// What was done to a file on its way: the first that applies, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FileFault {
    /// It begins with FF FE or FE FF, or one of its first two bytes is 0.
    #[error("it was saved as UTF-16; save it as UTF-8 without a byte order mark, or get it again")]
    Utf16,
    /// It begins with EF BB BF.
    #[error("it begins with a byte order mark; save it as UTF-8 without one, or get it again")]
    ByteOrderMark,
    /// It has a carriage return.
    #[error("it has CRLF line ends; convert them to LF (dos2unix does), or get it again")]
    CarriageReturn,
    /// It is not well-formed UTF-8.
    #[error("it is not UTF-8: it was saved in another encoding, or is damaged; get it again")]
    NotUtf8,
    /// Its first line begins with `>`.
    #[error("its lines begin with '>', as a mail program quotes text; get the file itself")]
    Quoted,
    /// It has white space where none belongs: a tab, a no-break or zero-width space, a space at an
    /// end of a line, or two spaces in a row.
    #[error(
        "it has white space where none belongs (a tab, a no-break space, a space at an end of a line, two in a row); get it again"
    )]
    Spaces,
    /// A line that begins with `extra ` is not followed by one that begins with `index `.
    #[error("its long lines were broken into several, or its index line is missing; get it again")]
    Wrapped,
    /// It does not end in a newline, or no line of it is a signature's.
    #[error(
        "its end is missing (its last line has no line end, or no line is a signature's); get it again"
    )]
    Cut,
    /// Something follows the last line that begins as a signature's does.
    #[error(
        "something follows its last signature line (an empty line, other text, or the rest of that line); get it again"
    )]
    Trailing,
}

impl FileFault {
    /// What was done to a file that could not be read, if that can be told.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if matches!(
            bytes,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..]
        ) {
            return Some(Self::Utf16);
        }
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Some(Self::ByteOrderMark);
        }
        if bytes.contains(&b'\r') {
            return Some(Self::CarriageReturn);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Some(Self::NotUtf8);
        };
        let lines: Vec<&str> = text.split('\n').collect();
        let wrapped = |pair: &[&str; 2]| {
            let [line, next] = pair;
            line.starts_with("extra ") && !next.is_empty() && !next.starts_with("index ")
        };
        let signature = lines.iter().rposition(|line| line.starts_with("— "));
        if text.starts_with('>') {
            Some(Self::Quoted)
        } else if lines.iter().any(|line| has_stray_space(line)) {
            Some(Self::Spaces)
        } else if lines.array_windows().any(wrapped) {
            Some(Self::Wrapped)
        } else if !text.ends_with('\n') || signature.is_none() {
            Some(Self::Cut)
        } else if signature.is_some_and(|at| at + 2 < lines.len()) {
            // The last newline leaves one empty piece behind it.
            Some(Self::Trailing)
        } else {
            None
        }
    }

    /// Its code, which every verifier gives.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Utf16 => "file_utf16",
            Self::ByteOrderMark => "file_bom",
            Self::CarriageReturn => "file_crlf",
            Self::NotUtf8 => "file_not_utf8",
            Self::Quoted => "file_quoted",
            Self::Spaces => "file_spaces",
            Self::Wrapped => "file_wrapped",
            Self::Cut => "file_cut",
            Self::Trailing => "file_trailing",
        }
    }
}

fn has_stray_space(line: &str) -> bool {
    let stray = |c: char| {
        matches!(
            c,
            '\t' | '\u{0b}' | '\u{0c}' | '\u{a0}' | '\u{1680}' | '\u{2000}'
                ..='\u{200d}' | '\u{202f}' | '\u{205f}' | '\u{2060}' | '\u{3000}' | '\u{feff}'
        )
    };
    line.starts_with(' ') || line.ends_with(' ') || line.contains("  ") || line.contains(stray)
}
