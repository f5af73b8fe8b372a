//! What a check comes to. There are four outcomes, the same for a receipt, an audit, a mirror and
//! a monitor (`docs/format.md`, section 13.2).

use std::fmt;

/// The four outcomes of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All that was to be checked was checked, and holds.
    Holds,
    /// Something that a key signed contradicts what is shown, or itself: evidence, worth keeping,
    /// against those who show it.
    False,
    /// What is needed to say either is missing: a server does not answer, a copy lags, a file was
    /// cut or changed on its way, a cosignature is not there. That says nothing against the log.
    Unchecked,
    /// What is shown is not the kind of thing that was to be checked: no receipt, no log.
    NotThatKind,
}

impl Outcome {
    /// Its name, as JSON answers have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::False => "false",
            Self::Unchecked => "unchecked",
            Self::NotThatKind => "not_that_kind",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many bytes of something unexpected are shown.
const SHOWN_BYTES_MAX: usize = 40;

/// What a file is whose first bytes are these, if that is no text in UTF-8 and can be told.
pub fn other_than_text(begin: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 9] = [
        (b"\x1f\x8b", "compressed with gzip"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
        (b"PK\x03\x04", "a ZIP archive or a workbook"),
        (b"BZh", "compressed with bzip2"),
        (b"\xfd7zXZ\x00", "compressed with xz"),
        (b"%PDF-", "a PDF document"),
        (b"\x7fELF", "a program"),
        (b"\xff\xfe", "text in UTF-16"),
        (b"\xfe\xff", "text in UTF-16"),
    ];
    let kinds = KINDS.iter();
    let found = kinds.filter(|(magic, _)| begin.starts_with(magic));
    found.map(|(_, kind)| *kind).next()
}

/// The first bytes of what came in the place of something else, on one line, for an error message.
pub fn first_bytes(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    let length = bytes.len();
    match (shown, other_than_text(bytes)) {
        ([], _) => "nothing".to_owned(),
        (_, Some(kind)) => format!("{kind} ({length} bytes)"),
        _ => format!(
            "{length} bytes that begin with \"{}{more}\"",
            shown.escape_ascii()
        ),
    }
}
