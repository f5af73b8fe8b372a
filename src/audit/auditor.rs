//! An audit: a log from its static interface alone, whole or what is new since the last time.

use std::num::NonZeroUsize;

use super::replay::{CheckedEntry, Replay, Signatures};
use super::source::{SourceError, StaticLog};
use super::tiles::{TileFault, Tiles};
use super::whole::{WholeError, extend, origin_of};
use crate::crypto::PublicKey;
use crate::ledger::State;
use crate::merkle::Frontier;
use crate::note::{
    Checkpoint, CheckpointError, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey,
};
use crate::record::{Origin, RecordId};

/// Why an audit ends before its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The log could not be read; that says nothing of it.
    #[error("the log could not be read: {0}")]
    Away(String),
    /// The log has no checkpoint to check, or one that is not its own.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// What the checkpoint promises is not there, or not right.
    #[error(transparent)]
    Whole(WholeError),
    /// The key that was given never signed for this ledger.
    #[error("the key {0}, which you gave, is not one of this ledger's log keys")]
    NotALogKey(PublicKey),
    /// The genesis is another one than asked for.
    #[error("the ledger begins with genesis {found}, not with {expected}")]
    OtherGenesis {
        /// The one that was found.
        found: RecordId,
        /// The one asked for.
        expected: RecordId,
    },
    /// The log contradicts what it signed before.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// What was saved can't be gone on from.
    #[error("the saved audit: {0}")]
    Saved(String),
}

/// Two checkpoints that the log signed and that can't both be of one append-only log: evidence
/// for anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; keep both checkpoints: they are the evidence")]
pub struct Contradiction {
    /// In words.
    pub what: String,
    /// The checkpoint that was verified before, with its signatures.
    pub before: String,
    /// The one that the log shows now.
    pub now: String,
}

impl AuditError {
    /// Whether the audit could not be done, which says nothing of the log.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Away(_) | Self::Saved(_) => true,
            Self::Whole(error) => error.is_away(),
            _ => false,
        }
    }

    /// The entry that is wrong, if one is.
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::Whole(WholeError::Violation(violation)) => Some(violation.index),
            _ => None,
        }
    }
}

impl From<WholeError> for AuditError {
    fn from(error: WholeError) -> Self {
        Self::Whole(error)
    }
}

impl From<TileFault> for AuditError {
    fn from(fault: TileFault) -> Self {
        Self::Whole(fault.into())
    }
}

impl From<SourceError> for AuditError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Absent => Self::Away("it has no checkpoint".to_owned()),
            SourceError::Away(why) => Self::Away(why),
        }
    }
}

/// What was verified so far, to go on from.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The last checkpoint of which all was verified, as text with its signatures.
    pub checkpoint: String,
    /// The ledger's state there.
    pub state: State,
    /// The tree there.
    pub tree: Frontier,
}

/// What of a new tree contradicts an old one that the same log signed, if anything does.
pub(super) fn contradiction(
    source: &dyn StaticLog,
    old: TreeHead,
    new: TreeHead,
) -> Result<Option<String>, TileFault> {
    if new == old {
        return Ok(None);
    }
    if new.size < old.size {
        return Ok(Some(format!(
            "the log shows {} entries, after it had signed {}",
            new.size, old.size
        )));
    }
    if new.size == old.size {
        let size = new.size;
        return Ok(Some(format!(
            "the log signed two different trees of {size} entries"
        )));
    }
    // The tiles are proven to lead to the new root: if they do not to the old one, the log was
    // rewritten.
    let begins = Tiles::open(source, new)?.root_at(old.size)? == old.root;
    Ok((!begins).then(|| {
        format!(
            "the log's first {} entries are others than it had signed",
            old.size
        )
    }))
}

/// Whether a checkpoint has a line in the name of a key.
fn names(claimed: &UnverifiedCheckpoint, key: &VerifierKey) -> bool {
    let mut lines = claimed.note().signatures().iter();
    lines.any(|line| line.name == *key.name() && line.key_id == key.id())
}

/// Follows one log.
#[derive(Clone, Debug)]
pub struct Auditor {
    log: VerifierKey,
    replay: Replay,
    last: Option<Checkpoint>,
}

/// A checkpoint that the log shows, and that does not contradict the last one; its entries are
/// still to be verified.
#[derive(Clone, Debug)]
pub struct Claimed(UnverifiedCheckpoint);

impl Claimed {
    /// Size and root that it claims.
    pub fn head(&self) -> TreeHead {
        self.0.head()
    }
}

impl Auditor {
    /// Begins before the genesis of the log that has, or once had, this key.
    ///
    /// # Errors
    /// [`AuditError::Saved`] when the key's name can't be a ledger's.
    pub fn new(log: VerifierKey) -> Result<Self, AuditError> {
        let origin = origin_of(&log).map_err(AuditError::Saved)?;
        Ok(Self {
            log,
            replay: Replay::new(&origin, Signatures::Verify),
            last: None,
        })
    }

    /// Goes on from what was verified before.
    ///
    /// # Errors
    /// [`AuditError::Saved`] when it is of another log or contradicts itself,
    /// [`AuditError::NotALogKey`].
    pub fn resume(log: VerifierKey, saved: Verified) -> Result<Self, AuditError> {
        let origin = origin_of(&log).map_err(AuditError::Saved)?;
        let wrong = |what: &str| AuditError::Saved(what.to_owned());
        if saved.state.head().origin != origin {
            return Err(wrong("it is of another log"));
        }
        let replay = Replay::resume(saved.state, saved.tree, Signatures::Verify);
        let mut auditor = Self {
            log,
            replay,
            last: None,
        };
        let claimed = UnverifiedCheckpoint::parse(saved.checkpoint.as_bytes())?;
        if claimed.head() != auditor.replay.head()
            || claimed.head().size != auditor.replay.state().entries()
        {
            return Err(wrong("its parts are of different sizes; begin a new one"));
        }
        auditor.last = Some(auditor.verified(claimed)?);
        Ok(auditor)
    }

    /// Asks the log for its checkpoint, and holds it against the last one.
    ///
    /// # Errors
    /// [`AuditError`]; a [`Contradiction`] is a proven lie of whoever has the log's key.
    pub fn look(&self, source: &dyn StaticLog) -> Result<Claimed, AuditError> {
        let note = source.checkpoint()?;
        let claimed = UnverifiedCheckpoint::parse(&note)?;
        if claimed.origin() != self.log.name() {
            return Err(CheckpointError::Origin {
                found: claimed.origin().to_string(),
                expected: self.log.name().to_string(),
            }
            .into());
        }
        // A line in the name of the key that was given must hold, whoever else signed.
        if names(&claimed, &self.log) {
            claimed.clone().verify(&self.log)?;
        }
        match &self.last {
            Some(last) => self.hold_against(last, claimed, source),
            None => Ok(Claimed(claimed)),
        }
    }

    fn hold_against(
        &self,
        last: &Checkpoint,
        claimed: UnverifiedCheckpoint,
        source: &dyn StaticLog,
    ) -> Result<Claimed, AuditError> {
        let Some(what) = contradiction(source, last.head(), claimed.head())? else {
            return Ok(Claimed(claimed));
        };
        let now = self.signed_by_known(claimed)?;
        Err(Contradiction {
            what,
            before: last.to_string(),
            now: now.to_string(),
        }
        .into())
    }

    /// A checkpoint that the key given, or a log key known so far, signed.
    fn signed_by_known(&self, claimed: UnverifiedCheckpoint) -> Result<Checkpoint, AuditError> {
        let mut found = claimed.clone().verify(&self.log);
        for (key, _) in &self.replay.state().head().log_keys {
            found = found.or_else(|_| claimed.clone().verify(&self.vkey(*key)));
        }
        Ok(found?)
    }

    fn vkey(&self, key: PublicKey) -> VerifierKey {
        VerifierKey::new(self.log.name().clone(), SignatureType::Ed25519, key)
    }

    /// Verifies every entry up to a checkpoint, then that the key in force there signed it.
    /// `seen` is called after each entry. Gives the sizes from and to which it went.
    ///
    /// # Errors
    /// [`AuditError`]: the first thing that is wrong; this auditor is of no use then.
    pub fn advance(
        &mut self,
        source: &dyn StaticLog,
        claimed: &Claimed,
        threads: NonZeroUsize,
        seen: impl FnMut(&CheckedEntry, &Replay),
    ) -> Result<std::ops::Range<u64>, AuditError> {
        let from = self.replay.head().size;
        let head = claimed.head();
        if head.size > from || self.last.is_none() {
            extend(&Tiles::open(source, head)?, &mut self.replay, threads, seen)?;
        }
        self.last = Some(self.verified(claimed.0.clone())?);
        Ok(from..head.size)
    }

    /// The checkpoint, if the log key in force at its size signed it, every line of a log key's
    /// holds, and the key that was given is, or was, one of them.
    fn verified(&self, claimed: UnverifiedCheckpoint) -> Result<Checkpoint, AuditError> {
        let head = self.replay.state().head();
        if !head.log_keys.iter().any(|(key, _)| key == self.log.key()) {
            return Err(AuditError::NotALogKey(*self.log.key()));
        }
        for (key, _) in &head.log_keys {
            let key = self.vkey(*key);
            if names(&claimed, &key) {
                claimed.clone().verify(&key)?;
            }
        }
        let key = head.log_key_at(claimed.head().size);
        let key = *key.unwrap_or(self.log.key());
        Ok(claimed.verify(&self.vkey(key))?)
    }

    /// Checks that the ledger begins with this genesis.
    ///
    /// # Errors
    /// [`AuditError::OtherGenesis`].
    pub fn check_genesis(&self, expected: &RecordId) -> Result<(), AuditError> {
        let genesis = &self.state().head().genesis;
        let found = genesis.as_ref().map_or(RecordId::NONE, |(id, _)| *id);
        if found == *expected {
            Ok(())
        } else {
            Err(AuditError::OtherGenesis {
                found,
                expected: *expected,
            })
        }
    }

    /// The log's name.
    pub fn origin(&self) -> &Origin {
        &self.state().head().origin
    }

    /// The ledger's state as far as it was verified.
    pub fn state(&self) -> &State {
        self.replay.state()
    }

    /// The replay itself.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// The last checkpoint of which everything was verified.
    pub fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }
}
