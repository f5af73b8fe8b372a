//! What an auditor's cosignature says. It is fixed for its key, in the file `statement`, and published with it.
//!
//! ```text
//! full
//! ```
//! or, of one log:
//! ```text
//! since SIZE              every entry from this number on was replayed, and every state entry that speaks of
//!                         as many or more was made again
//! log ORIGIN
//! state-root ROOT         of the first SIZE entries, base64
//! said-by INDEX           the state entry that says so
//! cosigned SIZE           the checkpoint that has it
//! by VERIFIER-KEY         who cosigned that checkpoint, and so vouches for the state
//! ```

use std::fmt;
use std::str::FromStr;

use crate::merkle::Hash;
use crate::note::{KeyName, VerifierKey};
use crate::record::Index;

/// What an auditor's cosignature says of the entries below it. It never changes for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// Every entry, from the first on, was replayed.
    Full,
    /// Every entry from a number on was replayed, on a state that somebody else vouches for.
    Since(Box<Since>),
}

/// The state with which an auditor began, and who vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The number of entries that the state rests on.
    pub size: u64,
    /// The log.
    pub origin: KeyName,
    /// The state root.
    pub state_root: Hash,
    /// The state entry that says it.
    pub said_by: Index,
    /// The size of the checkpoint that has the state entry.
    pub cosigned: u64,
    /// Who cosigned that checkpoint.
    pub by: VerifierKey,
}

impl Statement {
    /// The number of entries that were replayed by nobody here.
    pub fn since(&self) -> u64 {
        match self {
            Self::Full => 0,
            Self::Since(since) => since.size,
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Since(since) => {
                writeln!(f, "since {}\nlog {}", since.size, since.origin)?;
                writeln!(f, "state-root {}", since.state_root)?;
                writeln!(f, "said-by {}\ncosigned {}", since.said_by, since.cosigned)?;
                write!(f, "by {}", since.by)
            }
        }
    }
}

impl FromStr for Statement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "full" {
            return Ok(Self::Full);
        }
        let mut lines = text.lines();
        let mut field = |name: &str| {
            let line = lines.next().and_then(|line| line.strip_prefix(name));
            let value = line.and_then(|rest| rest.strip_prefix(' '));
            value.ok_or_else(|| format!("expected \"full\", or a line that begins with {name:?}"))
        };
        fn read<T: FromStr>(text: &str) -> Result<T, String> {
            let wrong = |_| format!("{text:?} can't be read");
            text.parse().map_err(wrong)
        }
        let since = Since {
            size: read(field("since")?)?,
            origin: read(field("log")?)?,
            state_root: read(field("state-root")?)?,
            said_by: Index(read(field("said-by")?)?),
            cosigned: read(field("cosigned")?)?,
            by: read(field("by")?)?,
        };
        let statement = Self::Since(Box::new(since));
        match statement.to_string() == text {
            true => Ok(statement),
            false => Err("it has more lines than a statement, or others".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use crate::note::SignatureType;

    #[test]
    fn a_statement_is_read_as_it_was_written_and_in_no_other_way() {
        let key = SigningKey::from_seed(&[1; 32]).public();
        let name = "auditor.example/a1".parse().unwrap();
        let since = Statement::Since(Box::new(Since {
            size: 41,
            origin: "example.org/ledger".parse().unwrap(),
            state_root: Hash::from_bytes([7; 32]),
            said_by: Index(44),
            cosigned: 60,
            by: VerifierKey::new(name, SignatureType::CosignatureV1, key),
        }));
        for statement in [Statement::Full, since.clone()] {
            assert_eq!(format!("{statement}\n").parse(), Ok(statement));
        }
        assert_eq!((Statement::Full.since(), since.since()), (0, 41));
        let text = since.to_string();
        for (from, to) in [
            ("since 41", "since 041"),
            ("since 41", "full"),
            ("log ", "of "),
            ("said-by 44\n", ""),
            ("by ", "said-by 44\nby "),
        ] {
            let changed = text.replacen(from, to, 1);
            assert!(changed.parse::<Statement>().is_err(), "{changed}");
        }
        assert!(format!("{text}\nmore").parse::<Statement>().is_err());
    }
}
