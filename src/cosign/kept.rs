//! The checkpoints of this log that witnesses and auditors cosigned, in a folder of the log's directory.
//!
//! ```text
//! recent/SIZE             a checkpoint with the cosignatures that came for it; the newest ones are kept
//! hourly/HOUR             for ever: the first checkpoint of each hour that met the quorum; HOUR is counted from
//!                         1970-01-01T00 UTC, by this machine's clock
//! ahead/SIZE-ROOT         what speaks against this log: a checkpoint that its own key signed, and that the log
//!                         does not extend
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::name_of;
use crate::durable::{FileError, at, is_temporary, make_folders, read_at_most, remove, replace};
use crate::note::{Checkpoint, NOTE_BYTES_MAX, TreeHead, UnverifiedCheckpoint, VerifierKey};
use crate::policy::{Level, Standing};

/// Recent checkpoints that are kept: those of the last three hours, at one every ten seconds. An auditor that is
/// further behind than this finds the witnesses' lines gone.
const RECENT_MAX: usize = 1024;
/// Bytes of their notes: lines of ML-DSA-44 have 3.3 kB each.
const RECENT_BYTES_MAX: usize = 16 << 20;
/// Contradictions that are kept: the first ones say all.
const AHEAD_MAX: usize = 16;

/// A checkpoint with cosignatures, and what they come to by the policy in force below its size.
#[derive(Debug)]
pub struct CosignedCheckpoint {
    head: TreeHead,
    note: String,
    standing: Standing,
}

impl CosignedCheckpoint {
    /// Size and root.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The note, with all its lines.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Who cosigned it, and which levels that makes.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The time of its newest cosignature, in seconds since 1970; 0 if none says its time.
    pub fn cosigned_at_s(&self) -> u64 {
        let times = self.standing.signers().iter();
        times
            .filter_map(|signer| signer.signed_at_s)
            .max()
            .unwrap_or(0)
    }
}

/// What is kept.
pub struct KeptCheckpoints {
    dir: PathBuf,
    recent: BTreeMap<u64, (Checkpoint, Arc<CosignedCheckpoint>)>,
    hours: Arc<BTreeSet<u64>>,
    /// Notes of hours that changed since they were taken last.
    changed_hours: BTreeMap<u64, String>,
}

impl KeptCheckpoints {
    /// Opens the folder, which is made when something is kept in it: a log without a policy writes nothing. Gives the recent checkpoints in it that one of the log's
    /// keys signed: nothing of them is kept before [`Self::take_in`] says how they stand.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(dir: &Path, log: &[VerifierKey]) -> Result<(Self, Vec<Checkpoint>), FileError> {
        let mut found = Vec::new();
        for path in files(&dir.join("recent"))? {
            match read_note(&path, log)? {
                Some(checkpoint) => found.push(checkpoint),
                None => tracing::warn!(
                    path = %path.display(),
                    "it is no cosigned checkpoint of this log, and is passed over"
                ),
            }
        }
        let hours = files(&dir.join("hourly"))?;
        let hours = hours
            .iter()
            .filter_map(|path| path.file_name()?.to_str()?.parse().ok());
        let kept = Self {
            dir: dir.to_owned(),
            recent: BTreeMap::new(),
            hours: Arc::new(hours.collect()),
            changed_hours: BTreeMap::new(),
        };
        Ok((kept, found))
    }

    /// Takes in a checkpoint that was read from the folder.
    pub fn take_in(&mut self, checkpoint: Checkpoint, standing: Standing) {
        let kept = CosignedCheckpoint {
            head: checkpoint.head(),
            note: checkpoint.to_string(),
            standing,
        };
        self.recent
            .insert(kept.head.size, (checkpoint, Arc::new(kept)));
    }

    /// The checkpoint of a size as it is kept.
    pub fn checkpoint(&self, size: u64) -> Option<&Checkpoint> {
        self.recent.get(&size).map(|(checkpoint, _)| checkpoint)
    }

    /// The same, with what it comes to.
    pub fn at(&self, size: u64) -> Option<&Arc<CosignedCheckpoint>> {
        self.recent.get(&size).map(|(_, kept)| kept)
    }

    /// The newest that has a level.
    pub fn newest_with(&self, level: Level) -> Option<&Arc<CosignedCheckpoint>> {
        let mut newest_first = self.recent.values().rev().map(|(_, kept)| kept);
        newest_first.find(|kept| kept.standing.reaches(level))
    }

    /// Keeps a checkpoint with its lines, durably; what is no longer needed goes. `now_s` is the time in seconds
    /// since 1970, by this machine's clock: one of a cosigner could begin any number of hours.
    ///
    /// # Errors
    /// [`FileError`]; it is not kept then.
    pub fn keep(
        &mut self,
        checkpoint: Checkpoint,
        standing: Standing,
        now_s: u64,
    ) -> Result<(), FileError> {
        let size = checkpoint.head().size;
        let note = checkpoint.to_string();
        make_folders(&self.dir.join("recent"))?;
        replace(&self.recent_file(size), note.as_bytes())?;
        self.take_in(checkpoint, standing);
        if let Some(kept) = self.at(size).map(Arc::clone)
            && kept.standing.reaches(Level::Cosigned)
        {
            self.keep_hourly(&kept, now_s / 3600)?;
        }
        self.drop_oldest()
    }

    /// Keeps the first checkpoint of an hour that meets the quorum; lines that come for it later are added.
    fn keep_hourly(&mut self, kept: &CosignedCheckpoint, hour: u64) -> Result<(), FileError> {
        let folder = self.dir.join("hourly");
        make_folders(&folder)?;
        let file = folder.join(hour.to_string());
        if self.hours.contains(&hour) {
            let bytes = read_at_most(&file, NOTE_BYTES_MAX)?;
            let before = UnverifiedCheckpoint::parse(&bytes).ok();
            if before.is_some_and(|before| before.head() != kept.head) {
                return Ok(());
            }
        }
        replace(&file, kept.note.as_bytes())?;
        self.changed_hours.insert(hour, kept.note.clone());
        Arc::make_mut(&mut self.hours).insert(hour);
        Ok(())
    }

    /// Takes the notes of hours that were kept since this was asked last.
    pub fn take_changed_hours(&mut self) -> BTreeMap<u64, String> {
        std::mem::take(&mut self.changed_hours)
    }

    /// The hours of which a checkpoint is kept for ever.
    pub fn hours(&self) -> &Arc<BTreeSet<u64>> {
        &self.hours
    }

    /// The newest checkpoint with a line of a cosigner: its size, and the time that the line says.
    pub fn newest_by(&self, vkey: &VerifierKey) -> Option<(u64, Option<u64>)> {
        let mut newest_first = self.recent.iter().rev();
        newest_first.find_map(|(size, (_, kept))| {
            let mut signers = kept.standing.signers().iter();
            let signer = signers.find(|signer| signer.vkey == *vkey)?;
            Some((*size, signer.signed_at_s))
        })
    }

    /// Drops the oldest beyond the limits, of a process that follows and keeps no files.
    pub fn forget_oldest(&mut self) {
        while self.recent.len() > RECENT_MAX {
            self.recent.pop_first();
        }
    }

    /// Drops the oldest recent checkpoints beyond the limits, but never the newest of a level.
    fn drop_oldest(&mut self) -> Result<(), FileError> {
        let mut bytes: usize = self.recent.values().map(|(_, kept)| kept.note.len()).sum();
        let mut count = self.recent.len();
        if count <= RECENT_MAX && bytes <= RECENT_BYTES_MAX {
            return Ok(());
        }
        let needed: BTreeSet<u64> = Level::ALL
            .into_iter()
            .filter_map(|level| Some(self.newest_with(level)?.head.size))
            .chain(self.recent.keys().next_back().copied())
            .collect();
        let sizes: Vec<u64> = self.recent.keys().copied().collect();
        for size in sizes.into_iter().filter(|size| !needed.contains(size)) {
            if count <= RECENT_MAX && bytes <= RECENT_BYTES_MAX {
                break;
            }
            if let Some((_, kept)) = self.recent.remove(&size) {
                remove(&self.recent_file(size))?;
                bytes -= kept.note.len();
                count -= 1;
            }
        }
        Ok(())
    }

    fn recent_file(&self, size: u64) -> PathBuf {
        self.dir.join("recent").join(size.to_string())
    }
}

/// The checkpoint that is kept of an hour.
///
/// # Errors
/// [`FileError`].
pub fn read_hour(dir: &Path, hour: u64) -> Result<String, FileError> {
    let bytes = read_at_most(&dir.join("hourly").join(hour.to_string()), NOTE_BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Keeps a checkpoint that the log's own key signed and that the log does not extend; gives its file.
///
/// # Errors
/// [`FileError`].
pub fn keep_ahead(dir: &Path, checkpoint: &Checkpoint) -> Result<PathBuf, FileError> {
    let folder = dir.join("ahead");
    make_folders(&folder)?;
    let file = folder.join(name_of(checkpoint.head()));
    if files(&folder)?.len() < AHEAD_MAX {
        replace(&file, checkpoint.to_string().as_bytes())?;
    }
    Ok(file)
}

/// What was found before that speaks against the log, as far as one of its keys signed it.
///
/// # Errors
/// [`FileError`].
pub fn read_ahead(dir: &Path, log: &[VerifierKey]) -> Result<Vec<Checkpoint>, FileError> {
    let mut found = Vec::new();
    for path in files(&dir.join("ahead"))? {
        found.extend(read_note(&path, log)?);
    }
    Ok(found)
}

/// A checkpoint in a file, if one of the log's keys signed it.
fn read_note(path: &Path, log: &[VerifierKey]) -> Result<Option<Checkpoint>, FileError> {
    let bytes = read_at_most(path, NOTE_BYTES_MAX)?;
    Ok(open_own(&bytes, log))
}

/// A note, if it is a checkpoint that one of the log's keys signed.
pub fn open_own(note: &[u8], log: &[VerifierKey]) -> Option<Checkpoint> {
    let claimed = UnverifiedCheckpoint::parse(note).ok()?;
    log.iter().find_map(|key| claimed.clone().verify(key).ok())
}

/// The files of a folder; none, if it was not made yet.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut paths = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(paths),
        entries => entries.map_err(at(folder))?,
    };
    for entry in entries {
        let path = entry.map_err(at(folder))?.path();
        if !is_temporary(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use crate::merkle::leaf_hash;
    use crate::note::{KeyName, SignatureType, cosign};
    use crate::policy::Policy;

    struct World {
        log: SigningKey,
        witness: SigningKey,
        policy: Policy,
        temp: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let (log, witness) = (
                SigningKey::from_seed(&[1; 32]),
                SigningKey::from_seed(&[2; 32]),
            );
            let vkey = VerifierKey::new(
                Self::name("w.example/1"),
                SignatureType::CosignatureV1,
                witness.public(),
            );
            Self {
                policy: format!("witness w {vkey}\nquorum w\n").parse().unwrap(),
                log,
                witness,
                temp: tempfile::tempdir().unwrap(),
            }
        }

        fn name(name: &str) -> KeyName {
            name.parse().unwrap()
        }

        fn keys(&self) -> Vec<VerifierKey> {
            let key = self.log.public();
            vec![VerifierKey::new(
                Self::name("example.org/log"),
                SignatureType::Ed25519,
                key,
            )]
        }

        fn checkpoint(&self, size: u64, cosigned_at_s: Option<u64>) -> (Checkpoint, Standing) {
            let root = leaf_hash(&size.to_be_bytes());
            let head = TreeHead { size, root };
            let mut checkpoint = Checkpoint::sign(&Self::name("example.org/log"), head, &self.log);
            if let Some(at_s) = cosigned_at_s {
                let name = Self::name("w.example/1");
                cosign(&mut checkpoint, &name, &self.witness, at_s);
            }
            let standing = self.policy.standing_of(&checkpoint).unwrap();
            (checkpoint, standing)
        }

        fn open(&self) -> KeptCheckpoints {
            let (mut kept, found) = KeptCheckpoints::open(self.temp.path(), &self.keys()).unwrap();
            for checkpoint in found {
                let standing = self.policy.standing_of(&checkpoint).unwrap();
                kept.take_in(checkpoint, standing);
            }
            kept
        }
    }

    #[test]
    fn what_is_kept_is_there_after_a_start_and_what_is_damaged_is_passed_over() {
        let world = World::new();
        let mut kept = world.open();
        for (size, at_s) in [(5, Some(3600)), (6, None)] {
            let (checkpoint, standing) = world.checkpoint(size, at_s);
            kept.keep(checkpoint, standing, 0).unwrap();
        }
        std::fs::write(world.temp.path().join("recent/7"), "no note").unwrap();
        let kept = world.open();
        let newest = kept.newest_with(Level::Cosigned).unwrap();
        assert_eq!((newest.head().size, newest.cosigned_at_s()), (5, 3600));
        assert!(kept.at(6).is_some() && kept.at(7).is_none());
        assert_eq!(kept.newest_with(Level::Audited).map(|it| it.head()), None);
    }

    #[test]
    fn one_checkpoint_an_hour_is_kept_for_ever() {
        let world = World::new();
        let mut kept = world.open();
        for (size, at_s) in [(5, 7200), (6, 7210), (7, 10_799), (8, 10_800)] {
            let (checkpoint, standing) = world.checkpoint(size, Some(at_s));
            kept.keep(checkpoint, standing, at_s).unwrap();
        }
        let kept = world.open();
        assert_eq!(**kept.hours(), BTreeSet::from([2, 3]));
        for (hour, size) in [(2, 5), (3, 8)] {
            let note = read_hour(world.temp.path(), hour).unwrap();
            let (checkpoint, _) =
                world.checkpoint(size, Some(if size == 5 { 7200 } else { 10_800 }));
            assert_eq!(note, checkpoint.to_string());
        }
    }

    #[test]
    fn the_oldest_go_but_never_the_newest_of_a_level() {
        let world = World::new();
        let mut kept = world.open();
        let (checkpoint, standing) = world.checkpoint(1, Some(3600));
        kept.keep(checkpoint, standing, 0).unwrap();
        let more = u64::try_from(RECENT_MAX).unwrap() + 10;
        for size in 2..=more {
            let (checkpoint, standing) = world.checkpoint(size, None);
            std::fs::write(kept.recent_file(size), "").unwrap();
            kept.take_in(checkpoint, standing);
        }
        kept.drop_oldest().unwrap();
        assert_eq!(kept.recent.len(), RECENT_MAX);
        assert_eq!(kept.newest_with(Level::Cosigned).unwrap().head().size, 1);
        assert!(kept.at(2).is_none() && kept.at(more).is_some());
        assert!(!kept.recent_file(2).exists());
    }

    #[test]
    fn what_speaks_against_the_log_is_kept_if_its_own_key_signed() {
        let world = World::new();
        let (checkpoint, _) = world.checkpoint(9, None);
        let file = keep_ahead(world.temp.path(), &checkpoint).unwrap();
        std::fs::write(file.with_file_name("other"), "no note").unwrap();
        let found = read_ahead(world.temp.path(), &world.keys()).unwrap();
        assert_eq!(found, [checkpoint]);
    }
}
