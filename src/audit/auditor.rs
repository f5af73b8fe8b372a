//! An audit: a log from its static interface alone, whole or what is new since the last time.

use std::num::NonZeroUsize;

use super::source::{SourceError, StaticLog, TileSource};
use super::tiles::{TileFault, Tiles};
use super::whole::{WholeError, extend, origin_of};
use crate::crypto::PublicKey;
use crate::ledger::State;
use crate::merkle::{Frontier, Node, fold_nodes, range_nodes};
use crate::note::{
    Checkpoint, CheckpointError, FileFault, KeyName, SignatureType, TreeHead, UnverifiedCheckpoint,
    VerifierKey,
};
use crate::outcome::{Outcome, first_bytes};
use crate::policy::{Policy, QuorumMissing, Standing};
use crate::record::{Origin, RecordId};
use crate::replay::{Replay, Signatures, Taken};

/// Follows one log.
#[derive(Clone, Debug)]
pub struct Auditor {
    /// The key that the caller gave: the one in force, or one that was replaced.
    log: VerifierKey,
    /// Its Ed25519 key, by which entries name it.
    key: PublicKey,
    /// What a checkpoint must have beside that key's line.
    policy: Option<Policy>,
    /// Who cosigned the checkpoint up to which all was verified, by that policy.
    standing: Option<Standing>,
    /// The entries that were verified.
    replay: Replay,
    /// The last checkpoint that was found to be signed and to extend the one before.
    target: Option<Checkpoint>,
    /// Where the last advance ended, if that was to be before the end of its checkpoint.
    up_to: Option<TreeHead>,
    /// The last checkpoint that the log showed with a line by the key, whatever is wrong with it.
    last_shown: Option<UnverifiedCheckpoint>,
}

impl Auditor {
    /// Begins before the genesis of the log that has, or once had, this key.
    ///
    /// # Errors
    /// [`AuditError::Saved`] when the key's name can't be a ledger's.
    pub fn new(log: VerifierKey) -> Result<Self, AuditError> {
        let origin = origin_of(&log).map_err(AuditError::Saved)?;
        let key = ed25519_of(&log)?;
        Ok(Self {
            log,
            key,
            policy: None,
            standing: None,
            replay: Replay::new(&origin, Signatures::Verify),
            target: None,
            up_to: None,
            last_shown: None,
        })
    }

    /// Resumes from what was verified before, which is taken at its word.
    ///
    /// # Errors
    /// [`AuditError::Saved`] when it is of another log or contradicts itself.
    pub fn resume(log: VerifierKey, saved: Verified) -> Result<Self, AuditError> {
        let origin = origin_of(&log).map_err(AuditError::Saved)?;
        let wrong = |what: &str| AuditError::Saved(what.to_owned());
        if saved.state.globals().origin != origin {
            return Err(wrong("it is of another log"));
        }
        let key = ed25519_of(&log)?;
        let mut auditor = Self {
            log,
            key,
            policy: None,
            standing: None,
            replay: Replay::resume(saved.state, saved.tree, Signatures::Verify),
            target: None,
            up_to: None,
            last_shown: None,
        };
        // A fault of the auditor's own file is no fault of the log.
        let target = UnverifiedCheckpoint::parse(saved.checkpoint.as_bytes())
            .map_err(|error| wrong(&error.to_string()))?;
        let (head, at) = (target.head(), auditor.replay.head().tree);
        let parts_agree = at.size == auditor.state().entries()
            && at.size <= head.size
            && (at.size < head.size || at == head);
        if !parts_agree {
            return Err(wrong("its parts are of different sizes; begin a new one"));
        }
        // The key may have been replaced since: any that the ledger named will do.
        let mut opened = target.clone().verify(&auditor.log);
        for (key, _) in &auditor.state().globals().log_keys {
            opened = opened.or_else(|_| target.clone().verify(&auditor.vkey(*key)));
        }
        let unsigned = |_| wrong("its checkpoint is not signed by a key of the log");
        auditor.target = Some(opened.map_err(unsigned)?);
        Ok(auditor)
    }

    /// Asks the log for its checkpoint, and checks that it extends the last one.
    ///
    /// # Errors
    /// [`AuditError`]; a [`Contradiction`] proves that the holder of the log's key lied.
    pub fn fetch_checkpoint(&mut self, source: &dyn StaticLog) -> Result<Claimed, AuditError> {
        let claimed = read_checkpoint(&source.checkpoint()?)?;
        // Without the key's line nothing that follows is the log's doing.
        if claimed.origin() == self.log.name() && !claimed.note().names(&self.log) {
            return Err(AuditError::NotSigned(self.log.clone()));
        }
        self.last_shown = Some(claimed.clone());
        let now = claimed.verify(&self.log)?;
        if now.head().size == 0 {
            return Err(AuditError::Empty);
        }
        if let Some(before) = &self.target {
            check_extends(source, before, &now, &KnownTree::Peaks(self.replay.tree()))?;
        }
        let standing = check_policy(self.policy.as_ref(), &now)?;
        Ok(Claimed {
            checkpoint: now,
            standing,
            up_to: None,
        })
    }

    /// Who cosigned the checkpoint up to which all was verified, if a policy is to be met: it is met.
    pub fn standing(&self) -> Option<&Standing> {
        self.standing.as_ref()
    }

    /// From now on a checkpoint must meet this policy too.
    pub fn require(&mut self, policy: Policy) {
        self.policy = Some(policy);
    }

    fn vkey(&self, key: PublicKey) -> VerifierKey {
        VerifierKey::new(self.log.name().clone(), SignatureType::Ed25519, key)
    }

    /// Verifies every entry up to a checkpoint, then that the key in force there signed it.
    /// `each` is called after each entry, with the state as of then, `at_boundary` wherever the replay
    /// may be saved. Gives the sizes from and to which it went.
    ///
    /// # Errors
    /// [`AuditError`]: the first thing that is wrong, or what `each` gives; this auditor is of no
    /// use then.
    pub fn advance<E: From<AuditError> + From<WholeError>>(
        &mut self,
        source: &dyn StaticLog,
        claimed: &Claimed,
        threads: NonZeroUsize,
        each: impl FnMut(&Taken<'_>, &State) -> Result<(), E>,
        at_boundary: impl FnMut(&mut Replay) -> Result<(), E>,
    ) -> Result<std::ops::Range<u64>, E> {
        let (from, head) = (self.replay.head().tree, claimed.head());
        if head.size < from.size {
            let (shown, verified) = (head.size, from.size);
            return Err(AuditError::Older { shown, verified }.into());
        }
        if head != from {
            let tiles = Tiles::open(source, head).map_err(AuditError::from)?;
            if from.size > 0 && tiles.root_at(from.size).map_err(AuditError::from)? != from.root {
                let what = "what it holds is no part of this log; begin a new one";
                return Err(AuditError::Saved(what.to_owned()).into());
            }
            extend(&tiles, &mut self.replay, threads, each, at_boundary)?;
        }
        match claimed.up_to {
            None => self.verify_keys(&claimed.checkpoint, self.state())?,
            Some(_) => self.verify_keys_of_beginning(source, &claimed.checkpoint, threads)?,
        }
        self.target = Some(claimed.checkpoint.clone());
        self.up_to = claimed.up_to;
        self.standing.clone_from(&claimed.standing);
        Ok(from.size..head.size)
    }

    /// Checks that the log key in force at a checkpoint's size signed it, that every line of a log
    /// key's holds, and that the key that was given is, or was, one of them.
    fn verify_keys(&self, checkpoint: &Checkpoint, state: &State) -> Result<(), AuditError> {
        let head = state.globals();
        if !head.log_keys.iter().any(|(key, _)| *key == self.key) {
            return Err(AuditError::NotALogKey(self.key));
        }
        let note = checkpoint.note();
        // Only before the genesis is there no key in force.
        let in_force = head.log_key_at(checkpoint.head().size);
        let in_force = in_force.ok_or(AuditError::Empty)?;
        for (key, _) in &head.log_keys {
            let vkey = self.vkey(*key);
            if note.names(&vkey) {
                note.verify(&vkey).map_err(CheckpointError::from)?;
            } else if key == in_force {
                return Err(AuditError::NotInForce {
                    signed: self.key,
                    in_force: *key,
                });
            }
        }
        Ok(())
    }

    /// As [`Self::verify_keys`], of a checkpoint that goes on behind what was verified: which key is in force at its
    /// size, only the entries behind tell. They are replayed where the key that was given is not named before.
    fn verify_keys_of_beginning(
        &self,
        source: &dyn TileSource,
        checkpoint: &Checkpoint,
        threads: NonZeroUsize,
    ) -> Result<(), AuditError> {
        let named = &self.state().globals().log_keys;
        if !named.iter().any(|(key, _)| *key == self.key) {
            let tiles = Tiles::open(source, checkpoint.head())?;
            let mut all = self.replay.clone();
            let each = |_: &Taken<'_>, _: &State| Ok::<_, AuditError>(());
            extend(&tiles, &mut all, threads, each, |_| Ok(()))?;
            return self.verify_keys(checkpoint, all.state());
        }
        let note = checkpoint.note();
        for vkey in named.iter().map(|(key, _)| self.vkey(*key)) {
            if note.names(&vkey) {
                note.verify(&vkey).map_err(CheckpointError::from)?;
            }
        }
        Ok(())
    }

    /// Checks that the ledger begins with this genesis.
    ///
    /// # Errors
    /// [`AuditError::OtherGenesis`]; [`AuditError::Empty`] before anything was verified.
    pub fn check_genesis(&self, expected: &RecordId) -> Result<(), AuditError> {
        let genesis = self.state().globals().genesis.as_ref();
        let (found, _) = genesis.ok_or(AuditError::Empty)?;
        if found == expected {
            Ok(())
        } else {
            Err(AuditError::OtherGenesis {
                found: *found,
                expected: *expected,
            })
        }
    }

    /// The log's name.
    pub fn origin(&self) -> &Origin {
        &self.state().globals().origin
    }

    /// The verifier key of the log key in force, as far as the log was verified; `None` before
    /// anything was.
    pub fn vkey_in_force(&self) -> Option<VerifierKey> {
        let key = self.state().globals().log_key_at(self.state().entries());
        key.map(|key| self.vkey(*key))
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
        let here = self.replay.head().tree;
        self.target.as_ref().filter(|target| target.head() == here)
    }

    /// The head up to which everything was verified, and the checkpoint that it is of: [`Self::last`], or one of more
    /// entries, if only its beginning was to be verified.
    pub fn verified(&self) -> Option<(TreeHead, &Checkpoint)> {
        let here = self.replay.head().tree;
        let checkpoint = self.target.as_ref()?;
        let is_here = checkpoint.head() == here || self.up_to == Some(here);
        is_here.then_some((here, checkpoint))
    }

    /// The last checkpoint that was found to extend the one before it: [`Self::last`], or the one
    /// towards which an error broke off.
    pub fn target(&self) -> Option<&Checkpoint> {
        self.target.as_ref()
    }

    /// The last checkpoint that the log showed with a line by the key, whatever was found wrong
    /// with it, that line too: evidence.
    pub fn last_shown(&self) -> Option<&UnverifiedCheckpoint> {
        self.last_shown.as_ref()
    }
}

/// A checkpoint that the log's key signed, and that does not contradict the last one; its entries
/// are still to be verified.
#[derive(Clone, Debug)]
pub struct Claimed {
    checkpoint: Checkpoint,
    standing: Option<Standing>,
    /// A beginning of its tree, if no more is to be verified.
    up_to: Option<TreeHead>,
}

impl Claimed {
    /// The size and root that the checkpoint claims; of a [`super::Beginning`], those of that.
    pub fn head(&self) -> TreeHead {
        self.up_to.unwrap_or_else(|| self.checkpoint.head())
    }

    /// Only this beginning of its tree.
    pub(super) fn up_to(self, head: TreeHead) -> Self {
        let up_to = (head != self.checkpoint.head()).then_some(head);
        Self { up_to, ..self }
    }

    /// The checkpoint as text, with its signatures.
    pub fn note(&self) -> String {
        self.checkpoint.to_string()
    }
}

/// What was verified so far, to resume from.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The last checkpoint that was looked at, as text with its signatures: all before it was
    /// verified, or what state and tree hold of it.
    pub checkpoint: String,
    /// The ledger's state.
    pub state: State,
    /// The tree over the same entries.
    pub tree: Frontier,
}

/// Why an audit fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The log could not be read; that says nothing about it.
    #[error("the log could not be read: {0}")]
    Unreachable(String),
    /// The same, and asking again would not help.
    #[error("the log could not be read: {0}")]
    Unusable(String),
    /// There is no log at this address, or in this folder.
    #[error("there is no checkpoint here: this is no log's address, nor a mirror of one")]
    NoLog,
    /// What came in the place of the checkpoint is none.
    #[error("what came as the checkpoint can't be read: {why}. It was {came}")]
    NoCheckpoint {
        /// Why it can't be read.
        why: String,
        /// Its first bytes.
        came: String,
    },
    /// The log has no checkpoint to check, or one that is not its own.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// What the checkpoint promises is not there, or is wrong.
    #[error(transparent)]
    Whole(WholeError),
    /// A ledger has its genesis at least.
    #[error("the checkpoint is of no entries, which is never published")]
    Empty,
    /// Anybody can show such a checkpoint: it proves nothing, for or against the log.
    #[error(
        "the checkpoint is not signed by {0}, the key that you gave: it is not that log's, or the log's key was replaced. Get the key in force from the programme, not from the server"
    )]
    NotSigned(VerifierKey),
    /// The log shows an older checkpoint, which is true to what was verified.
    #[error(
        "the log shows a checkpoint of {shown} entries, older than the {verified} verified before, and true to them: a copy that lags, or a cache. Ask again, or ask another copy"
    )]
    Older {
        /// Entries of the checkpoint that the log shows.
        shown: u64,
        /// Entries that were verified before.
        verified: u64,
    },
    /// The log shows an older checkpoint, and has not what it signed for later. Nothing that it
    /// shows contradicts what was verified.
    #[error(
        "the log shows {shown} entries, and does not have all of the {verified} that it signed for before. Nothing of it contradicts them, so it is a copy that lags, or a log that was rolled back: keep the checkpoint of {verified}, and ask the operator if this stays so"
    )]
    Shorter {
        /// Entries of the checkpoint that the log shows.
        shown: u64,
        /// Entries of the checkpoint that the log signed before.
        verified: u64,
    },
    /// A key that was replaced signed, and the one in its place did not.
    #[error(
        "the checkpoint is signed by {signed}, which was replaced, and not by {in_force}, the log key in force for its size"
    )]
    NotInForce {
        /// The key that signed.
        signed: PublicKey,
        /// The key that had to.
        in_force: PublicKey,
    },
    /// The key that was given never signed for this ledger.
    #[error("the key {0}, which you gave, is not one of this ledger's log keys")]
    NotALogKey(PublicKey),
    /// The entries of a ledger name its Ed25519 keys alone.
    #[error(
        "the key {0} is an ML-DSA-44 key: give the log's Ed25519 key (type 0x01), by which its entries name it"
    )]
    NotEd25519(KeyName),
    /// The checkpoint has not the cosignatures that the policy asks for.
    #[error(transparent)]
    Quorum(#[from] QuorumMissing),
    /// The genesis is not the one that was asked for.
    #[error("the ledger begins with genesis {found}, not with {expected}")]
    OtherGenesis {
        /// The genesis that was found.
        found: RecordId,
        /// The genesis that was asked for.
        expected: RecordId,
    },
    /// The log contradicts what it signed before.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// What was saved can't be resumed.
    #[error("the saved audit: {0}")]
    Saved(String),
}

impl AuditError {
    /// What an audit with this error comes to. What is missing, lags, or was not signed by the key
    /// says nothing about the log.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable(_)
            | Self::Unusable(_)
            | Self::NoCheckpoint { .. }
            | Self::Empty
            | Self::NotSigned(_)
            | Self::Older { .. }
            | Self::Shorter { .. }
            | Self::NotEd25519(_)
            | Self::Quorum(_)
            | Self::Saved(_) => Outcome::Unchecked,
            Self::NoLog => Outcome::NotThatKind,
            Self::Checkpoint(error) => error.outcome(),
            Self::Whole(error) => error.outcome(),
            Self::NotInForce { .. }
            | Self::NotALogKey(_)
            | Self::OtherGenesis { .. }
            | Self::Contradiction(_) => Outcome::False,
        }
    }

    /// The sizes shown and verified, when the log only lags behind what was verified.
    pub const fn lag(&self) -> Option<(u64, u64)> {
        match self {
            Self::Older { shown, verified } | Self::Shorter { shown, verified } => {
                Some((*shown, *verified))
            }
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
            SourceError::Absent => Self::NoLog,
            SourceError::Unreachable(why) => Self::Unreachable(why),
            SourceError::Unusable(why) => Self::Unusable(why),
        }
    }
}

/// Two checkpoints that the log signed and that can't both be of one append-only log: evidence
/// for anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; keep both checkpoints: they are the evidence")]
pub struct Contradiction {
    /// What contradicts what, in words.
    pub what: String,
    /// The checkpoint that was verified before, with its signatures.
    pub before: String,
    /// The checkpoint that the log shows now.
    pub now: String,
}

/// Reads what came as the checkpoint. What can't be read was no word of the log's: the error says
/// what it was, and what was done to it.
pub(super) fn read_checkpoint(note: &[u8]) -> Result<UnverifiedCheckpoint, AuditError> {
    UnverifiedCheckpoint::parse(note).map_err(|error| AuditError::NoCheckpoint {
        why: FileFault::of(note).map_or(error.to_string(), |fault| fault.to_string()),
        came: first_bytes(note),
    })
}

fn ed25519_of(log: &VerifierKey) -> Result<PublicKey, AuditError> {
    let key = log.key().copied();
    key.ok_or_else(|| AuditError::NotEd25519(log.name().clone()))
}

/// Refuses a checkpoint that does not meet a policy. Whatever contradicts the log is to be found before: a
/// cosignature that is missing says nothing.
pub(super) fn check_policy(
    policy: Option<&Policy>,
    checkpoint: &Checkpoint,
) -> Result<Option<Standing>, AuditError> {
    let Some(policy) = policy else {
        return Ok(None);
    };
    let standing = policy.judge_opened(checkpoint)?;
    standing.quorum().map_err(Clone::clone)?;
    Ok(Some(standing))
}

/// What the caller keeps of the tree that it verified, for when the log has it no longer.
pub(super) enum KnownTree<'a> {
    /// All of its tiles.
    Tiles(&'a dyn TileSource),
    /// The roots of its complete subtrees.
    Peaks(&'a Frontier),
}

impl KnownTree<'_> {
    /// Whether a smaller tree, whose tiles `source` has, is the beginning of the one that is known,
    /// as far as that can be told: `Some(false)` is proven, `None` is not known.
    fn begins_with(
        &self,
        source: &dyn TileSource,
        long: TreeHead,
        short: TreeHead,
    ) -> Option<bool> {
        match self {
            Self::Tiles(tiles) => {
                let tiles = Tiles::open(*tiles, long).ok()?;
                Some(tiles.root_at(short.size).ok()? == short.root)
            }
            Self::Peaks(tree) if tree.size() == long.size => {
                // The subtrees that lie within the smaller tree are its own too.
                let nodes = range_nodes(0, long.size);
                let within = |node: &Node| (node.index + 1) << node.level <= short.size;
                let shared = nodes.iter().take_while(|node| within(node)).count();
                let end = nodes.get(shared.checked_sub(1)?)?;
                let end = (end.index + 1) << end.level;
                let peaks = tree.peaks().get(..shared)?;
                let expected = fold_nodes(peaks.iter().copied())?;
                let found = Tiles::open(source, short).ok()?.root_at(end).ok()?;
                // The same subtrees say nothing about what follows them.
                (found != expected).then_some(false)
            }
            Self::Peaks(_) => None,
        }
    }
}

/// Refuses what does not extend a checkpoint, by the tiles of the larger of both, or by what is
/// known of it.
pub(super) fn check_extends(
    source: &dyn StaticLog,
    before: &Checkpoint,
    now: &Checkpoint,
    known: &KnownTree<'_>,
) -> Result<(), AuditError> {
    let (old, new) = (before.head(), now.head());
    let (verified, shown) = (old.size, new.size);
    let contradiction = |what: String| Contradiction {
        what,
        before: before.to_string(),
        now: now.to_string(),
    };
    if new == old {
        return Ok(());
    }
    if shown == verified {
        let what = format!("the log signed two different trees of {shown} entries");
        return Err(contradiction(what).into());
    }
    let (long, short) = if shown > verified {
        (new, old)
    } else {
        (old, new)
    };
    // The tiles are proven to lead to the longer root: if they do not to the shorter, the log was
    // rewritten.
    let root = Tiles::open(source, long).and_then(|tiles| tiles.root_at(short.size));
    let begins = match root {
        Ok(root) => root == short.root,
        // Only a log that went on must have the tiles of what it shows.
        Err(fault) if shown > verified => return Err(fault.into()),
        Err(TileFault::Unreachable { tile, why }) => {
            return Err(TileFault::Unreachable { tile, why }.into());
        }
        Err(_) => match known.begins_with(source, long, short) {
            Some(begins) => begins,
            None => return Err(AuditError::Shorter { shown, verified }),
        },
    };
    if !begins {
        return Err(contradiction(format!(
            "the first {} entries of the log are others in its checkpoint of {verified} entries than in that of {shown}",
            short.size
        ))
        .into());
    }
    if shown < verified {
        return Err(AuditError::Older { shown, verified });
    }
    Ok(())
}
