//! Checkpoints: a log's size and root, signed (c2sp.org/tlog-checkpoint).

use std::fmt;

use super::signed::{NoteError, SignedNote};
use super::timestamped::{CosignError, Stamped};
use super::vkey::{KeyName, VerifierKey};
use crate::crypto::{MldsaSigningKey, Sign, SignError, SigningKey};
use crate::merkle::{Frontier, Hash};
use crate::outcome::Outcome;

/// The head of a tree: how many leaves it has, and the root over them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
}

impl TreeHead {
    /// The head of this tree.
    pub fn of(tree: &Frontier) -> Self {
        Self {
            size: tree.size(),
            root: tree.root(),
        }
    }
}

/// A tree head that a log signed, in the note that says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    origin: KeyName,
    head: TreeHead,
    note: SignedNote,
}

/// What a note claims of a log, before a signature on it was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnverifiedCheckpoint(Checkpoint);

impl UnverifiedCheckpoint {
    /// Reads a checkpoint without verifying a signature.
    ///
    /// # Errors
    /// [`CheckpointError::Note`], [`CheckpointError::Shape`], [`CheckpointError::Extension`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let checkpoint = Self::parse_extended(bytes)?;
        match checkpoint.0.note.text().lines().count() {
            3 => Ok(checkpoint),
            _ => Err(CheckpointError::Extension),
        }
    }

    /// As [`Self::parse`], of any log: lines behind the root are the log's own matter. Cosigners read so.
    ///
    /// # Errors
    /// [`CheckpointError::Note`], [`CheckpointError::Shape`].
    pub fn parse_extended(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        let (origin, head) = parse_text(note.text())?;
        Ok(Self(Checkpoint { origin, head, note }))
    }

    /// The log that it claims to be of.
    pub fn origin(&self) -> &KeyName {
        &self.0.origin
    }

    /// The tree that it claims.
    pub fn head(&self) -> TreeHead {
        self.0.head
    }

    /// The note as it was read.
    pub fn note(&self) -> &SignedNote {
        &self.0.note
    }

    /// The checkpoint that a cosigner noted as its own: whether the cosigner signed it,
    /// [`super::Cosignature::verify`] says.
    #[cfg(feature = "keys")]
    pub(crate) fn cosigned(self) -> Checkpoint {
        self.0
    }

    /// Verifies that `log` signed it: its name is the origin.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`], [`CheckpointError::Note`].
    pub fn verify(self, log: &VerifierKey) -> Result<Checkpoint, CheckpointError> {
        if self.0.origin != *log.name() {
            return Err(CheckpointError::Origin {
                found: self.0.origin.to_string(),
                expected: log.name().to_string(),
            });
        }
        match log.is_mldsa() {
            // A log's own line need not say when it was made.
            true => drop(self.0.stamped().newest_time(log)?),
            false => self.0.note.verify(log)?,
        }
        Ok(self.0)
    }
}

/// To be verified again, by another key.
impl From<Checkpoint> for UnverifiedCheckpoint {
    fn from(checkpoint: Checkpoint) -> Self {
        Self(checkpoint)
    }
}

/// Why a note is no checkpoint of the log asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note is malformed or its signature does not hold.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text is not origin, size and root.
    #[error("the note's text is no checkpoint: expected origin, size and root, a line each")]
    Shape,
    /// It has lines after the root, which nobody could audit.
    #[error("the checkpoint has extension lines, which this log never writes")]
    Extension,
    /// It speaks of another log.
    #[error("the checkpoint is of {found}, not of {expected}")]
    Origin {
        /// The origin that it names.
        found: String,
        /// The origin asked for.
        expected: String,
    },
}

impl CheckpointError {
    /// What a checkpoint with this error comes to: only a signature that does not hold is a lie.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Note(error) => error.outcome(),
            _ => Outcome::Unchecked,
        }
    }

    /// A stable name of what is wrong (`docs/format.md`, section 13.2).
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Note(error) => error.code(),
            Self::Shape | Self::Extension => "checkpoint_malformed",
            Self::Origin { .. } => "other_log",
        }
    }
}

impl Checkpoint {
    /// Signs a tree head. The same head and key give the same bytes.
    pub fn sign(origin: &KeyName, head: TreeHead, key: &SigningKey) -> Self {
        let mut checkpoint = Self::unsigned(origin, head);
        checkpoint.also_sign(key);
        checkpoint
    }

    /// Signs a tree head by a key that may not answer. The same head and key give the same bytes.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn try_sign(origin: &KeyName, head: TreeHead, key: &impl Sign) -> Result<Self, SignError> {
        let mut checkpoint = Self::unsigned(origin, head);
        checkpoint.try_also_sign(key)?;
        Ok(checkpoint)
    }

    /// What is to be signed.
    fn unsigned(origin: &KeyName, head: TreeHead) -> Self {
        let text = format!("{origin}\n{}\n{}\n", head.size, head.root);
        Self {
            origin: origin.clone(),
            head,
            note: SignedNote::unsigned(text),
        }
    }

    /// Reads a checkpoint and verifies that `log` signed it: its name is the origin.
    ///
    /// # Errors
    /// [`CheckpointError`] says what is wrong with it.
    pub fn open(bytes: &[u8], log: &VerifierKey) -> Result<Self, CheckpointError> {
        UnverifiedCheckpoint::parse(bytes)?.verify(log)
    }

    /// The log's name.
    pub fn origin(&self) -> &KeyName {
        &self.origin
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The note with all its signatures.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// The same without lines of others than the log itself: what strangers added is not kept.
    #[cfg(feature = "keys")]
    pub(crate) fn alone(&self) -> Self {
        let mut alone = self.clone();
        alone.note.keep_lines_of(self.origin.as_str());
        alone
    }

    /// Takes the one line of a cosigner from another note of the same text, in the place of the line that the
    /// cosigner has here. Whether the line holds, [`super::Cosignature::verify`] says.
    #[cfg(feature = "server")]
    pub(crate) fn take_line(&mut self, cosigner: &VerifierKey, from: &Self) {
        self.note.take_lines(cosigner, &from.note);
    }

    /// Adds a signature of the log by ML-DSA-44, beside the first, with the time at which it is made.
    ///
    /// # Errors
    /// [`CosignError`].
    pub fn also_sign_mldsa(
        &mut self,
        key: &MldsaSigningKey,
        signed_at_s: u64,
    ) -> Result<(), CosignError> {
        let origin = self.origin.clone();
        self.attach_mldsa(&origin, key, signed_at_s)
    }

    /// Adds a second signature of the log, beside the first.
    pub fn also_sign(&mut self, key: &SigningKey) {
        let origin = self.origin.clone();
        self.note.sign(&origin, key);
    }

    /// Adds a second signature of the log, by a key that may not answer.
    ///
    /// # Errors
    /// [`SignError`]; the checkpoint is as it was then.
    pub fn try_also_sign(&mut self, key: &impl Sign) -> Result<(), SignError> {
        let origin = self.origin.clone();
        self.note.try_sign(&origin, key)
    }

    /// What timestamped signatures of it sign.
    pub(super) fn stamped(&self) -> Stamped<'_> {
        Stamped {
            note: &self.note,
            origin: &self.origin,
            size: self.head.size,
            root: &self.head.root,
        }
    }

    /// Adds a line by ML-DSA-44, of the log itself or of a cosigner.
    pub(super) fn attach_mldsa(
        &mut self,
        signer: &KeyName,
        key: &MldsaSigningKey,
        signed_at_s: u64,
    ) -> Result<(), CosignError> {
        let bytes = self.stamped().sign_mldsa(signer, key, signed_at_s)?;
        let vkey = VerifierKey::mldsa(signer.clone(), key.public());
        self.note.attach(&vkey, bytes);
        Ok(())
    }

    pub(super) fn note_mut(&mut self) -> &mut SignedNote {
        &mut self.note
    }
}

/// The bytes of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}

fn parse_text(text: &str) -> Result<(KeyName, TreeHead), CheckpointError> {
    let mut lines = text
        .strip_suffix('\n')
        .ok_or(CheckpointError::Shape)?
        .split('\n');
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(CheckpointError::Shape);
    };
    let origin = origin.parse().map_err(|_| CheckpointError::Shape)?;
    let root = root.parse().map_err(|_| CheckpointError::Shape)?;
    let value: u64 = size.parse().map_err(|_| CheckpointError::Shape)?;
    if value.to_string() != size {
        return Err(CheckpointError::Shape);
    }
    Ok((origin, TreeHead { size: value, root }))
}
