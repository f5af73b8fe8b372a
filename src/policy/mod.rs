//! Policies (c2sp.org/tlog-policy): which logs' checkpoints count, and which witnesses must have
//! cosigned them. Here their form alone is checked; nobody obeys one yet.
//!
//! ```
//! # fn main() -> Result<(), arborlog::policy::PolicyError> {
//! use arborlog::policy::PolicyText;
//!
//! let policy: PolicyText = "# Nobody need cosign yet.\nquorum none\n".parse()?;
//! assert_eq!((policy.witnesses(), policy.quorum()), (0, "none"));
//! // A name must be defined before it is used.
//! let error = "quorum all-of-them\n".parse::<PolicyText>();
//! assert!(error.is_err_and(|error| error.line == 1));
//! # Ok(())
//! # }
//! ```

mod vkey;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use vkey::{KeyFor, read_vkey};

use crate::note::misleads;

/// The longest policy: thirteen ML-DSA keys fit.
pub const POLICY_BYTES_MAX: usize = 24_576;

/// The quorum of a policy that asks for no cosignature, and the name that nobody may have.
const NONE: &str = "none";

/// The text of a policy, which c2sp.org/tlog-policy reads (`docs/format.md`, section 6.14.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyText {
    text: String,
    logs: usize,
    witnesses: usize,
    quorum: String,
}

impl PolicyText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many logs it lists.
    pub fn logs(&self) -> usize {
        self.logs
    }

    /// How many witnesses it lists.
    pub fn witnesses(&self) -> usize {
        self.witnesses
    }

    /// The name of the witness or group that must have seen a checkpoint, or `none`.
    pub fn quorum(&self) -> &str {
        &self.quorum
    }
}

/// Text that is no policy: the line, from 1, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {what}")]
pub struct PolicyError {
    /// The line, from 1; the last one for what is missing.
    pub line: usize,
    /// What is wrong with the line.
    pub what: String,
}

impl FromStr for PolicyText {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl TryFrom<String> for PolicyText {
    type Error = PolicyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = |line: usize, what: &str| PolicyError {
            line,
            what: what.to_owned(),
        };
        let last = text.bytes().filter(|byte| *byte == b'\n').count();
        if text.len() > POLICY_BYTES_MAX {
            return Err(wrong(last, "a policy has at most 24,576 bytes"));
        }
        let Some(lines) = text.strip_suffix('\n') else {
            return Err(wrong(
                last + 1,
                "each line ends in a newline, the last one too",
            ));
        };
        let mut names = Names::default();
        for (number, line) in (1..).zip(lines.split('\n')) {
            names
                .take(line)
                .map_err(|what| PolicyError { line: number, what })?;
        }
        let quorum = names.quorum.take();
        let quorum = quorum.ok_or_else(|| wrong(last, "there is no quorum line"))?;
        Ok(Self {
            logs: names.log_keys.len(),
            witnesses: names.witness_keys.len(),
            quorum,
            text,
        })
    }
}

impl From<PolicyText> for String {
    fn from(policy: PolicyText) -> Self {
        policy.text
    }
}

impl fmt::Debug for PolicyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// What the lines of a policy named so far.
#[derive(Default)]
struct Names {
    log_keys: BTreeSet<Vec<u8>>,
    witness_keys: BTreeSet<Vec<u8>>,
    /// Witnesses and groups.
    defined: BTreeSet<String>,
    /// Those that are a member of a group.
    members: BTreeSet<String>,
    quorum: Option<String>,
}

impl Names {
    fn take(&mut self, line: &str) -> Result<(), String> {
        if let Some(c) = line.chars().find(|c| *c != '\t' && misleads(*c)) {
            return Err(format!(
                "it has a character that is refused (U+{:04X})",
                u32::from(c)
            ));
        }
        let words: Vec<&str> = line
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey] | ["log", vkey, _] => {
                let key = read_vkey(vkey, KeyFor::Log)?;
                fresh(&mut self.log_keys, key, "this log's key stands twice")
            }
            ["witness", name, vkey] | ["witness", name, vkey, _] => {
                self.define(name)?;
                let key = read_vkey(vkey, KeyFor::Witness)?;
                fresh(
                    &mut self.witness_keys,
                    key,
                    "this witness's key stands twice",
                )
            }
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(threshold, members)?;
                self.define(name)
            }
            ["quorum", name] => {
                if *name != NONE {
                    self.known(name)?;
                }
                match self.quorum.replace((*name).to_owned()) {
                    None => Ok(()),
                    Some(_) => Err("there is a quorum line already".to_owned()),
                }
            }
            _ => Err(
                "it is none of: log VKEY [URL]; witness NAME VKEY [URL]; group NAME all|any|K NAME…; quorum NAME"
                    .to_owned(),
            ),
        }
    }

    fn group(&mut self, threshold: &str, members: &[&str]) -> Result<(), String> {
        for member in members {
            self.known(member)?;
            let twice = format!("{member} is a member of a group already");
            fresh(&mut self.members, (*member).to_owned(), &twice)?;
        }
        let plain = !threshold.starts_with('0') && threshold.bytes().all(|b| b.is_ascii_digit());
        let needed = match threshold {
            "all" | "any" => return Ok(()),
            // One that no integer holds is more than there are members.
            number if plain => number.parse::<usize>().unwrap_or(usize::MAX),
            _ => 0,
        };
        if (1..=members.len()).contains(&needed) {
            return Ok(());
        }
        Err(format!(
            "a group of {} needs all, any, or a plain number up to that of them",
            members.len()
        ))
    }

    fn define(&mut self, name: &str) -> Result<(), String> {
        let twice = format!("{name} is defined already");
        if name == NONE {
            return Err(twice);
        }
        fresh(&mut self.defined, name.to_owned(), &twice)
    }

    fn known(&self, name: &str) -> Result<(), String> {
        if self.defined.contains(name) {
            return Ok(());
        }
        Err(format!("no line before it defines {name}"))
    }
}

fn fresh<T: Ord>(set: &mut BTreeSet<T>, item: T, twice: &str) -> Result<(), String> {
    if set.insert(item) {
        Ok(())
    } else {
        Err(twice.to_owned())
    }
}
