//! Another auditor's note, held against what this audit made of the same entries (docs/format.md, section
//! 12.4).

use clap::Args;
use sha2::{Digest as _, Sha256};

use super::log_source::{is_url, read_vkey};
use super::{Failure, connect};
use arborlog::client::{Remote, RemoteError};
use arborlog::cosign::{AwaitedNote, ComparedNote};
use arborlog::durable::read_at_most;
use arborlog::ledger::RULES_VERSION;
use arborlog::note::{AuditNote, NOTE_BYTES_MAX};
use arborlog::outcome::Outcome;
use arborlog::replay::Replay;

/// Which auditor's note is compared.
#[derive(Args)]
pub struct CompareArgs {
    /// Compare the newest audit note of another auditor: its address, or a file with the note. The audit must
    /// pass the size of the note; one that goes on from --state may be behind it already.
    #[arg(long, value_name = "URL", requires = "auditor_key")]
    compare_auditor: Option<String>,
    /// The verifier key of that auditor's notes (notes.vkey), or a file that holds it.
    #[arg(long, value_name = "VKEY", requires = "compare_auditor")]
    auditor_key: Option<String>,
}

/// A note that is compared when the replay reaches its size.
pub struct Compared {
    awaited: AwaitedNote,
    /// Entries of the note.
    size: u64,
    auditor: String,
}

impl CompareArgs {
    /// Fetches the note, if one is to be compared. It is of the log with this origin.
    pub fn fetch(&self, origin: &str) -> Result<Option<Compared>, Failure> {
        let (Some(place), Some(key)) = (&self.compare_auditor, &self.auditor_key) else {
            return Ok(None);
        };
        let key = read_vkey(key)?;
        let unchecked = |what: String| Failure::of(Outcome::Unchecked, anyhow::anyhow!(what));
        let bytes = match is_url(place) {
            true => {
                let hash = hex::encode(Sha256::digest(origin));
                note_at(&connect::to(place.trim_end_matches('/')), &hash)?
                    .ok_or_else(|| unchecked(format!("{place} has no audit note of {origin}")))?
            }
            false => read_at_most(place.as_ref(), NOTE_BYTES_MAX)?,
        };
        let note = AuditNote::open(&bytes, &key)
            .map_err(|error| unchecked(format!("the audit note: {error}")))?;
        if note.origin.as_str() != origin {
            let other = &note.origin;
            return Err(unchecked(format!(
                "the audit note is of {other}, not of {origin}"
            )));
        }
        if note.rules_version != RULES_VERSION {
            return Err(unchecked(format!(
                "the audit note is by version {} of the rules, and this software has {RULES_VERSION}: compare one that was made since",
                note.rules_version
            )));
        }
        Ok(Some(Compared {
            size: note.head.size,
            awaited: AwaitedNote::new(note),
            auditor: key.name().to_string(),
        }))
    }
}

fn note_at(remote: &Remote, origin_hash: &str) -> Result<Option<Vec<u8>>, RemoteError> {
    remote.file(&format!("{origin_hash}/audit"), NOTE_BYTES_MAX as u64 + 1)
}

impl Compared {
    /// Looks at the replay where that stands between batches.
    pub fn look(&mut self, replay: &Replay) {
        self.awaited.look(replay);
    }

    /// What it comes to, once the audit of this many entries is done, in words.
    pub fn verdict(&self, entries: u64) -> Result<String, Failure> {
        let Self { auditor, size, .. } = self;
        let unchecked = |what: String| Failure::of(Outcome::Unchecked, anyhow::anyhow!(what));
        let found = self.awaited.so_far().map_err(unchecked)?;
        match found {
            None if *size > entries => Err(unchecked(format!(
                "the note of {auditor} is of {size} entries, and this audit is of {entries}: compare again when the log shows more"
            ))),
            None => Err(unchecked(format!(
                "the note of {auditor} is of {size} entries, at which this audit did not stand: it went on from more, or a sealed batch is cut there. An audit without --state tells which"
            ))),
            Some(ComparedNote::Same) => Ok(format!(
                "{auditor} made the same state root of {size} entries"
            )),
            Some(ComparedNote::MayBeCopied) => Err(unchecked(format!(
                "the note of {auditor} is of {size} entries, of which a state entry says the root: it may be copied, and shows no replay"
            ))),
            Some(ComparedNote::Differs { what, .. }) => Err(Failure::check(anyhow::anyhow!(
                "the note of {auditor} and this audit differ: {what}; or this audit is wrong. Keep both the note and the checkpoint"
            ))),
            Some(ComparedNote::Impossible(why)) => {
                Err(unchecked(format!("the note of {auditor}: {why}")))
            }
        }
    }
}
