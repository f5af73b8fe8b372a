//! The head beside a key: what the key signed last, the newest checkpoint that the log showed,
//! and which journals hold what was signed. A journal that was lost, or put back from a backup, is
//! noticed by it.
//!
//! ```text
//! KEY.head          JSON, and in a second line its SHA-256; mode 0600, replaced whole
//! KEY.head.lock     held while the key is used
//! KEY.head.strays   records of the key that no journal holds (super::strays)
//! KEY.head.other-keys   what other keys of the holder signed (super::other_keys)
//! ```
//!
//! It may be older than the journals, by what was written after it when a process was killed, and
//! never newer: journals are synced before it is replaced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::journal::{Journal, KeyRecords, Mark, Unanswered};
use super::remote::ChainEnd;
use super::seq_ranges::SeqRanges;
use crate::crypto::{KeyAccess, KeyFileError, PublicKey, Signer, SigningKey};
use crate::durable::{FileError, Held, at, hold, read_if_there, rename_folder, replace_secret};
use crate::record::{Origin, Seq};

/// The version of the head's format.
const VERSION: u32 = 1;
/// The most journals of one head: each input reads them all when it has lines that its own journal
/// does not know, and the head is replaced whole each second.
const JOURNALS_MAX: usize = 1024;

/// A head that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Another process uses the key.
    #[error("the key of {0} is in use by another submit or import; wait for it, or stop it")]
    Locked(PathBuf),
    /// It was changed by other hands, or cut.
    #[error(
        "{0} is damaged, or the head of another release. Put it back as it was; or run the same command with --recover: it renames that file, and finds in the log what the key signed"
    )]
    Damaged(PathBuf),
    /// It is of another key or ledger.
    #[error(
        "{path} is the head of {found}, not of {expected}; name another file with --head, one for each ledger that the key signs for"
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// It names as many journals as it may.
    #[error(
        "{path} names {JOURNALS_MAX} journals, and no head names more. Send this input with the journal of an older one, --journal {journal}: inputs of one journal are one input, of which each line is sent once"
    )]
    TooManyJournals {
        /// The head.
        path: PathBuf,
        /// The journal that it saw last.
        journal: String,
    },
    /// It can't be kept there.
    #[error(
        "{0}. The head of a key is kept beside it; where that folder can't be written, name another file with --head"
    )]
    Unwritable(FileError),
    /// It can't be read.
    #[error(transparent)]
    Io(FileError),
}

/// An issuer's private key, and where its head is kept.
#[derive(Clone, Debug)]
pub struct IssuerKey {
    key: Signer,
    head: PathBuf,
}

impl IssuerKey {
    /// Reads a key file; its head is KEY.head beside it.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self {
            key: SigningKey::read(path)?.into(),
            head: with_suffix(path, ".head"),
        })
    }

    /// Opens the key of a file, wherever that is kept; its head is KEY.head beside the file.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn open(path: &Path, access: &KeyAccess) -> Result<Self, KeyFileError> {
        Ok(Self::new(access.read(path)?, &with_suffix(path, ".head")))
    }

    /// A key whose head is kept in this file.
    pub fn new(key: impl Into<Signer>, head: &Path) -> Self {
        Self {
            key: key.into(),
            head: head.to_owned(),
        }
    }

    /// The same key, with its head in another file.
    #[must_use]
    pub fn with_head(self, head: &Path) -> Self {
        Self::new(self.key, head)
    }

    /// The key.
    pub fn key(&self) -> &Signer {
        &self.key
    }

    /// The head's file.
    pub fn head(&self) -> &Path {
        &self.head
    }

    /// A file beside the head, of the same name with something behind it: what belongs to the key
    /// in this ledger.
    pub fn beside_head(&self, suffix: &str) -> PathBuf {
        with_suffix(&self.head, suffix)
    }
}

/// A file's path with something behind its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Gives a file the first free name of PATH.WHY.1, PATH.WHY.2 …; gives that name.
pub(super) fn put_aside(path: &Path, why: &str) -> Result<PathBuf, FileError> {
    for number in 1..u32::MAX {
        let aside = with_suffix(path, &format!(".{why}.{number}"));
        if !is_there(&aside)? {
            rename_folder(path, &aside)?;
            return Ok(aside);
        }
    }
    let full = io::Error::new(ErrorKind::AlreadyExists, "no name beside it is free");
    Err(at(path)(full))
}

/// Whether anything has this name. What the file system can't tell is an error, never a no.
pub(super) fn is_there(path: &Path) -> Result<bool, FileError> {
    // Of a link that leads nowhere the name is taken all the same.
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(path)(error)),
    }
}

/// A journal as the head saw it last.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JournalSeen {
    pub id: String,
    pub path: String,
    /// It is being made anew from the log, and does not hold all yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovering: bool,
    /// It had signed records that may still come in: where they are, the log tells.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Of those, the newest that nobody answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<Unanswered>,
    pub mark: Mark,
    /// Heads of earlier builds have it; nothing reads it any more.
    #[serde(default, skip_serializing, rename = "first")]
    _first: Option<IgnoredAny>,
    /// Which records of which keys it holds, with all their lines.
    pub keys: BTreeMap<PublicKey, SeqRanges>,
    /// Seals of which it holds some lines only: which, the journal tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<PublicKey, SeqRanges>,
}

/// The file of strays, as the head knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StraysSeen {
    pub count: u64,
    /// SHA-256 of the file.
    pub checksum: String,
    /// Those of this key.
    pub seqs: SeqRanges,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    arborlog_key_head: u32,
    origin: String,
    key: PublicKey,
    /// The key's newest record that is in.
    last: Option<ChainEnd>,
    /// The newest checkpoint that was proven to extend those before it.
    checkpoint: Option<String>,
    journals: Vec<JournalSeen>,
    /// Records that are no line of any input: proposals, which others endorsed, and what somebody
    /// said is none.
    #[serde(default, skip_serializing_if = "SeqRanges::is_empty")]
    others: SeqRanges,
    /// Seals of which a line is no line of any input, since somebody said so.
    #[serde(default, skip_serializing_if = "SeqRanges::is_empty")]
    others_sealed: SeqRanges,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strays: Option<StraysSeen>,
    /// Journals that a recovery of another input found missing or damaged, oldest first: their records are
    /// strays, or were found as lines of other inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<LostJournal>,
    /// Lines that a journal had signed which is lost, and that a request may still bring in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost_unanswered: Option<Unanswered>,
    /// What of the journal of other keys was held against the key's own journals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    other_keys_checked: Option<Checked>,
}

/// How far a journal was held against others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Checked {
    pub id: String,
    /// Its first lines, as many.
    pub records: u64,
}

/// A journal that is missing, or not as the head saw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LostJournal {
    pub path: String,
    /// The records that it held, whole or in part.
    pub records: BTreeMap<PublicKey, SeqRanges>,
}

impl JournalSeen {
    /// Whether another journal holds all that this one held: it was made anew with another key of the
    /// holder, or with another head. Of a seal that is held in part nobody can tell which lines are.
    pub(super) fn is_held_by(&self, journal: &Journal) -> bool {
        let mut all = self.keys.iter().chain(&self.parts);
        all.all(|(key, seqs)| {
            let held = journal.keys().get(key);
            held.is_some_and(|held| held.seqs.contains_all(seqs))
        })
    }
}

impl LostJournal {
    pub(super) fn holds(&self, key: &PublicKey, seq: Seq) -> bool {
        self.records.get(key).is_some_and(|seqs| seqs.contains(seq))
    }
}

/// A key's head, locked.
pub(super) struct KeyHead {
    path: PathBuf,
    state: State,
    saved: Vec<u8>,
    _lock: Held,
}

impl KeyHead {
    /// Locks a key and reads its head. Of a damaged head, `put_damaged_aside` makes a new one.
    pub(super) fn open(
        path: &Path,
        origin: &Origin,
        key: &PublicKey,
        put_damaged_aside: bool,
    ) -> Result<Self, HeadError> {
        let lock = hold(&with_suffix(path, ".lock"))
            .map_err(HeadError::Unwritable)?
            .ok_or_else(|| HeadError::Locked(path.to_owned()))?;
        let mut bytes = read_if_there(path).map_err(HeadError::Io)?;
        let state = match bytes.as_deref().map(|bytes| parse(path, bytes)) {
            Some(Err(HeadError::Damaged(_))) if put_damaged_aside => {
                put_aside(path, "damaged").map_err(HeadError::Unwritable)?;
                bytes = None;
                None
            }
            Some(parsed) => Some(parsed?),
            None => None,
        };
        let state = state.unwrap_or_else(|| State {
            arborlog_key_head: VERSION,
            origin: origin.to_string(),
            key: *key,
            last: None,
            checkpoint: None,
            journals: Vec::new(),
            others: SeqRanges::default(),
            others_sealed: SeqRanges::default(),
            strays: None,
            lost: Vec::new(),
            lost_unanswered: None,
            other_keys_checked: None,
        });
        if state.origin != origin.to_string() || state.key != *key {
            return Err(HeadError::Other {
                path: path.to_owned(),
                found: format!("{} at {}", state.key, state.origin),
                expected: format!("{key} at {origin}"),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            state,
            saved: bytes.unwrap_or_default(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is.
    pub(super) fn key(&self) -> &PublicKey {
        &self.state.key
    }

    pub(super) fn last(&self) -> Option<ChainEnd> {
        self.state.last
    }

    pub(super) fn set_last(&mut self, last: Option<ChainEnd>) {
        self.state.last = last;
        if let Some(last) = last {
            // Their place in the chain is taken.
            self.state
                .lost_unanswered
                .take_if(|lost| lost.seq <= last.seq);
        }
    }

    /// Lines that a journal had signed which is lost, and that a request may still bring in.
    pub(super) fn lost_unanswered(&self) -> Option<&Unanswered> {
        self.state.lost_unanswered.as_ref()
    }

    /// Notes what a journal that is gone had signed without an answer, but for what another one keeps.
    pub(super) fn lose_unanswered(&mut self, had: Option<Unanswered>, kept: Option<Unanswered>) {
        let Some(mut had) = had else {
            return;
        };
        if let Some(kept) = kept.filter(|kept| kept.seq == had.seq) {
            had.lines = had.lines.saturating_sub(kept.lines);
        }
        if had.lines == 0 || self.last().is_some_and(|last| last.seq >= had.seq) {
            return;
        }
        match &mut self.state.lost_unanswered {
            Some(known) if known.seq >= had.seq => {
                known.lines = known.lines.saturating_add(had.lines);
                known.issued_on = known.issued_on.max(had.issued_on);
            }
            known => *known = Some(had),
        }
    }

    pub(super) fn checkpoint(&self) -> Option<&str> {
        self.state.checkpoint.as_deref()
    }

    pub(super) fn set_checkpoint(&mut self, note: &str) {
        self.state.checkpoint = Some(note.to_owned());
    }

    pub(super) fn journals(&self) -> &[JournalSeen] {
        &self.state.journals
    }

    /// The journal that was at this path.
    pub(super) fn journal_at(&self, path: &Path) -> Option<&JournalSeen> {
        let path = path.to_string_lossy();
        self.state.journals.iter().find(|seen| seen.path == path)
    }

    pub(super) fn journal_of_id(&self, id: &str) -> Option<&JournalSeen> {
        self.state.journals.iter().find(|seen| seen.id == id)
    }

    /// The journals other than that of this id that hold records.
    pub(super) fn with_records(&self, id: &str) -> impl Iterator<Item = &JournalSeen> {
        let journals = self.state.journals.iter();
        journals.filter(move |seen| seen.id != id && seen.mark.records > 0)
    }

    /// Checks that a journal can be noted in it, by its id and its path.
    pub(super) fn check_room(&self, id: &str, path: &Path) -> Result<(), HeadError> {
        let journals = &self.state.journals;
        let known = self.journal_of_id(id).or_else(|| self.journal_at(path));
        match journals.last() {
            Some(last) if known.is_none() && journals.len() >= JOURNALS_MAX => {
                Err(HeadError::TooManyJournals {
                    path: self.path.clone(),
                    journal: last.path.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Notes a journal as it is now, in the place of what was at its path.
    pub(super) fn see(&mut self, journal: &Journal, recovering: bool) {
        let path = journal.path().to_string_lossy().into_owned();
        let holds = |(key, records): (&PublicKey, &KeyRecords)| (*key, records.seqs.clone());
        let parts = journal
            .keys()
            .iter()
            .filter(|(_, records)| !records.parts.is_empty());
        let seen = JournalSeen {
            id: journal.id().to_owned(),
            recovering,
            mark: journal.mark(),
            _first: None,
            open: journal.is_pending(&self.state.key),
            unanswered: journal.unanswered(&self.state.key),
            keys: journal.keys().iter().map(holds).collect(),
            parts: parts
                .map(|(key, records)| (*key, records.parts.clone()))
                .collect(),
            path,
        };
        let journals = &mut self.state.journals;
        let replaced =
            journals.extract_if(.., |known| known.id != seen.id && known.path == seen.path);
        let replaced: Vec<JournalSeen> = replaced.collect();
        for known in replaced {
            self.lose_unanswered(known.unanswered, seen.unanswered);
        }
        let journals = &mut self.state.journals;
        match journals.iter_mut().find(|known| known.id == seen.id) {
            Some(known) => *known = seen,
            None => journals.push(seen),
        }
    }

    /// Notes a record that is no line of any input.
    pub(super) fn add_other(&mut self, seq: Seq) {
        self.state.others.insert(seq, 1);
    }

    /// Notes that a line of a seal is no line of any input.
    pub(super) fn add_other_sealed(&mut self, seal: Seq) {
        self.state.others_sealed.insert(seal, 1);
    }

    /// Forgets a journal whose place another one takes.
    pub(super) fn forget(&mut self, id: &str) {
        self.state.journals.retain(|known| known.id != id);
    }

    /// Takes out a journal that is lost, and notes what it held.
    pub(super) fn lose(&mut self, id: &str) {
        let Some(seen) = self.journal_of_id(id) else {
            return;
        };
        let mut records = seen.keys.clone();
        for (key, seqs) in &seen.parts {
            records.entry(*key).or_default().extend(seqs);
        }
        let (path, unanswered) = (seen.path.clone(), seen.unanswered);
        self.forget(id);
        self.lose_unanswered(unanswered, None);
        let lost = &mut self.state.lost;
        lost.retain(|known| known.path != path);
        if lost.len() >= JOURNALS_MAX {
            lost.remove(0);
        }
        lost.push(LostJournal { path, records });
    }

    pub(super) fn other_keys_checked(&self) -> Option<&Checked> {
        self.state.other_keys_checked.as_ref()
    }

    pub(super) fn set_other_keys_checked(&mut self, checked: Checked) {
        self.state.other_keys_checked = Some(checked);
    }

    /// The journals that were lost and not made anew since.
    pub(super) fn lost(&self) -> &[LostJournal] {
        &self.state.lost
    }

    /// Takes out the lost journal of a path, which is made anew; gives what it held.
    pub(super) fn take_lost(&mut self, path: &Path) -> Option<LostJournal> {
        let path = path.to_string_lossy();
        let mut of_path = self.state.lost.extract_if(.., |lost| lost.path == path);
        of_path.next()
    }

    pub(super) fn strays(&self) -> Option<&StraysSeen> {
        self.state.strays.as_ref()
    }

    pub(super) fn set_strays(&mut self, strays: Option<StraysSeen>) {
        self.state.strays = strays;
    }

    /// Which records of a key are held, with all their lines, elsewhere than in the journal of this id:
    /// in other journals, or by nothing because they are no lines.
    pub(super) fn held_elsewhere(&self, key: &PublicKey, id: Option<&str>) -> SeqRanges {
        let mut held = SeqRanges::default();
        for seen in self
            .state
            .journals
            .iter()
            .filter(|seen| Some(seen.id.as_str()) != id)
        {
            if let Some(seqs) = seen.keys.get(key) {
                held.extend(seqs);
            }
        }
        if *key == self.state.key {
            held.extend(&self.state.others);
        }
        held
    }

    /// The first record of the key up to `last` that nothing holds. Of a seal whose lines different
    /// journals hold, or the strays, all were accounted for when they were found in the log.
    pub(super) fn first_unaccounted(&self, last: Seq) -> Option<Seq> {
        let mut held = self.held_elsewhere(&self.state.key, None);
        let parts = self.state.journals.iter();
        for seqs in parts.filter_map(|seen| seen.parts.get(&self.state.key)) {
            held.extend(seqs);
        }
        held.extend(&self.state.others_sealed);
        if let Some(strays) = &self.state.strays {
            held.extend(&strays.seqs);
        }
        held.first_gap(last)
    }

    /// Replaces the file, if anything changed.
    pub(super) fn save(&mut self) -> Result<(), HeadError> {
        let json = serde_json::to_string(&self.state)
            .map_err(|error| HeadError::Unwritable(at(&self.path)(error.into())))?;
        let bytes = format!("{json}\n{}\n", checksum(json.as_bytes())).into_bytes();
        if bytes == self.saved {
            return Ok(());
        }
        // Whole from its first moment on: a kill amid the first write left a head that nobody could read. The lock
        // is held, so nobody else makes it meanwhile.
        replace_secret(&self.path, &bytes).map_err(HeadError::Unwritable)?;
        self.saved = bytes;
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<State, HeadError> {
    let damaged = || HeadError::Damaged(path.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let (json, digits) = text
        .strip_suffix('\n')
        .and_then(|text| text.split_once('\n'))
        .ok_or_else(damaged)?;
    if digits != checksum(json.as_bytes()) {
        return Err(damaged());
    }
    let state: State = serde_json::from_str(json).map_err(|_| damaged())?;
    if state.arborlog_key_head != VERSION {
        return Err(damaged());
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_at_its_most_journals_says_which_one_to_take() {
        let folder = tempfile::tempdir().unwrap();
        let origin: Origin = "example.org/ledger".parse().unwrap();
        let key = SigningKey::from_seed(&[1; 32]).public();
        let path = folder.path().join("key.pem.head");
        let mut head = KeyHead::open(&path, &origin, &key, false).unwrap();
        for number in 0..JOURNALS_MAX {
            let name = format!("/inputs/{number}.journal");
            head.check_room("new", Path::new(&name)).unwrap();
            head.state.journals.push(JournalSeen {
                id: number.to_string(),
                path: name,
                recovering: false,
                open: false,
                unanswered: None,
                mark: Mark {
                    bytes: 0,
                    records: 0,
                    checksum: String::new(),
                },
                _first: None,
                keys: BTreeMap::new(),
                parts: BTreeMap::new(),
            });
        }
        // One that it names already, wherever it is now; or another one in its place.
        head.check_room("7", Path::new("/moved.journal")).unwrap();
        head.check_room("new", Path::new("/inputs/7.journal"))
            .unwrap();
        let refused = head.check_room("new", Path::new("/new.journal"));
        let words = refused.unwrap_err().to_string();
        assert!(words.contains("--journal /inputs/1023.journal"), "{words}");
    }

    #[test]
    fn a_head_of_an_earlier_build_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let origin: Origin = "example.org/ledger".parse().unwrap();
        let key = SigningKey::from_seed(&[1; 32]).public();
        let path = folder.path().join("key.pem.head");
        let json = format!(
            r#"{{"arborlog_key_head":1,"origin":"{origin}","key":"{key}","last":null,"checkpoint":null,"journals":[{{"id":"a","path":"/a","mark":{{"bytes":9,"records":1,"checksum":""}},"first":"{}","keys":{{}}}}]}}"#,
            "0".repeat(64)
        );
        let bytes = format!("{json}\n{}\n", checksum(json.as_bytes()));
        replace_secret(&path, bytes.as_bytes()).unwrap();
        let head = KeyHead::open(&path, &origin, &key, false).unwrap();
        assert_eq!(head.journals().len(), 1);
    }
}
