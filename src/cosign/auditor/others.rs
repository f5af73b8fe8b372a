//! Other auditors of the same logs, whose notes this one compares with its own replay: who they are (the file
//! `auditors`), and what is known of each.

use std::path::Path;

use serde::Serialize;

use super::folder::AuditorError;
use crate::cosign::files::listed;
use crate::durable::read_if_there;
use crate::ledger::RULES_VERSION;
use crate::note::{AuditNote, KeyName, SignatureType, VerifierKey};

/// The most auditors whose notes are compared.
const OTHERS_MAX: usize = 16;
/// The code of a difference, before `:` and the name of the other auditor: what `accepted` has of it.
const DIFFERS: &str = "auditor_note_differs";

/// An auditor whose notes are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherAuditor {
    /// The verifier key of its notes.
    pub vkey: VerifierKey,
    /// Its address.
    pub url: String,
}

/// What is known of another auditor, of one log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherStatus {
    /// Its name.
    pub name: String,
    /// Whether it answered when it was asked last.
    pub is_reached: bool,
    /// Entries of its newest note that could be compared.
    pub compared: u64,
    /// What the newest comparison came to: `none`, `waiting`, `same`, `may_be_copied`, `differs` or
    /// `cannot_compare`.
    pub outcome: &'static str,
    /// Why, in words.
    pub why: String,
}

/// A difference, which its holder is to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// What stands in `accepted` once that is done.
    pub(super) code: String,
    /// In words.
    pub(super) what: String,
}

impl Difference {
    pub(super) fn of(name: &KeyName, what: &str) -> Self {
        Self {
            code: format!("{DIFFERS}:{name}"),
            what: what.to_owned(),
        }
    }

    /// The line of a file; the other way round gives the difference.
    pub(super) fn line(&self) -> String {
        format!("{} {}\n", self.code, self.what)
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let (code, what) = line.split_once(' ')?;
        Some(Self {
            code: code.to_owned(),
            what: what.to_owned(),
        })
    }
}

/// Another auditor's note that was fetched.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    pub(super) note: AuditNote,
    /// As it came: evidence, if it differs.
    pub(super) text: Vec<u8>,
}

/// One other auditor, of one log.
#[derive(Debug, Clone)]
pub(super) struct Other {
    pub(super) auditor: OtherAuditor,
    pub(super) status: OtherStatus,
    /// What is to be compared next.
    pub(super) fetched: Option<Fetched>,
    /// The size of the note that was compared last, whatever came of that.
    pub(super) looked_at: u64,
}

impl Other {
    pub(super) fn new(auditor: &OtherAuditor) -> Self {
        Self {
            auditor: auditor.clone(),
            status: OtherStatus {
                name: auditor.vkey.name().to_string(),
                is_reached: false,
                compared: 0,
                outcome: "none",
                why: String::new(),
            },
            fetched: None,
            looked_at: 0,
        }
    }

    /// Takes in what it answered: its note, or that it has none, or why it gave no answer.
    pub(super) fn take(&mut self, origin: &KeyName, answer: Result<Option<Vec<u8>>, String>) {
        self.status.is_reached = answer.is_ok();
        let bytes = match answer {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(why) => {
                self.status.why = why;
                return;
            }
        };
        let note = match AuditNote::open(&bytes, &self.auditor.vkey) {
            Ok(note) if note.origin != *origin => Err(format!("its note is of {}", note.origin)),
            Ok(note) if note.rules_version != RULES_VERSION => Err(format!(
                "its note is by version {} of the rules, and this software has {RULES_VERSION}",
                note.rules_version
            )),
            Ok(note) => Ok(note),
            Err(error) => Err(format!("what it shows as its note: {error}")),
        };
        match note {
            Ok(note) if note.head.size == self.looked_at => {}
            Ok(note) => {
                let fetched = Fetched { note, text: bytes };
                self.fetched = Some(fetched);
            }
            Err(why) => {
                self.status.outcome = "cannot_compare";
                self.status.why = why;
            }
        }
    }
}

/// Reads the file `auditors`: a line has the verifier key of another auditor's notes, and its address.
pub(super) fn read_others(
    path: &Path,
    own: &VerifierKey,
) -> Result<Vec<OtherAuditor>, AuditorError> {
    let text = read_if_there(path)?.unwrap_or_default();
    let mut others: Vec<OtherAuditor> = Vec::new();
    for (number, line) in listed(&String::from_utf8_lossy(&text)) {
        let wrong = |what: String| AuditorError::Line {
            path: path.to_owned(),
            line: number,
            what,
        };
        let Some((key, url)) = line.split_once(char::is_whitespace) else {
            let what = "an auditor is the verifier key of its notes (notes.vkey), a space, and its address";
            return Err(wrong(what.to_owned()));
        };
        let vkey: VerifierKey = key.parse().map_err(|error| wrong(format!("{error}")))?;
        if vkey.kind() != Some(SignatureType::Ed25519) {
            let what = "it is no key of audit notes, which are signed by Ed25519 (type 0x01)";
            return Err(wrong(what.to_owned()));
        }
        if vkey == *own {
            return Err(wrong("it is this auditor's own key".to_owned()));
        }
        if others.iter().any(|other| other.vkey.name() == vkey.name()) {
            return Err(wrong(format!("{} stands above already", vkey.name())));
        }
        let url = url.trim().trim_end_matches('/').to_owned();
        others.push(OtherAuditor { vkey, url });
        if others.len() > OTHERS_MAX {
            return Err(wrong(format!(
                "notes of at most {OTHERS_MAX} auditors are compared"
            )));
        }
    }
    Ok(others)
}
