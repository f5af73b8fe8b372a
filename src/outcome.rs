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

/// The first bytes of what came in the place of something else, on one line, for an error message.
pub fn first_bytes(bytes: &[u8]) -> String {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { "…" } else { "" };
    let length = bytes.len();
    match shown {
        [] => "nothing".to_owned(),
        _ => format!(
            "{length} bytes that begin with \"{}{more}\"",
            shown.escape_ascii()
        ),
    }
}
