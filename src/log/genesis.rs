//! SignedEntry 0: a ledger's beginning, admitted before any server runs.

use std::path::Path;

use super::clock::Clock;
use crate::durable::{FileError, at};
use crate::ledger::{Candidate, Refusal, State};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{LogHead, Origin, RecordId, SignedEntry, SignedRecord, SigningContext, TimeMs};
use crate::store::{Batch, CommitOutcome, DiskStore, StoreError};

/// Why a genesis can't be admitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The genesis breaks a rule, or is not signed by all.
    #[error("{}: {} ({})", .0.detail, .0.advice, .0.code)]
    Refused(Refusal),
    /// The record can't be an entry.
    #[error(transparent)]
    Codec(#[from] crate::record::CodecError),
    /// A signature is false.
    #[error(transparent)]
    Signature(#[from] crate::record::SignatureRefusal),
    /// The store can't be opened or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store has entries already.
    #[error("the ledger has its genesis already")]
    Begun,
}

/// Makes a genesis the first entry of the empty log in `dir`; returns its id.
///
/// # Errors
/// [`GenesisError`].
pub fn admit_genesis(
    dir: &Path,
    origin: &Origin,
    genesis: &SignedRecord,
) -> Result<RecordId, GenesisError> {
    let store = DiskStore::open(dir)?;
    if store.head_now()?.tree.size > 0 {
        return Err(GenesisError::Begun);
    }
    let context = SigningContext::new(origin);
    genesis.verify(&context)?;
    let id = context.id(genesis.bytes());
    let admitted_at = TimeMs(Clock::system(true).wall_ms());
    let candidate = Candidate::signed(genesis, id, admitted_at, None);
    let lineage = State::empty(origin.clone())
        .judge(&candidate)
        .map_err(GenesisError::Refused)?;
    let entry = SignedEntry {
        admitted_at,
        lineage,
        signed: genesis.clone(),
    }
    .encode()?;
    let mut tree = Frontier::default();
    let from = LogHead::empty();
    tree.push(leaf_hash(&entry));
    let mut entries = Vec::new();
    // An entry that could be encoded is shorter than what a bundle takes.
    Bundle::append(&mut entries, &entry).ok_or(StoreError::Contradiction)?;
    let batch = Batch {
        from,
        entries,
        to: LogHead::without_state(TreeHead::of(&tree)),
    };
    // A crash before or in this leaves an empty log: `init --complete` does the same again. After it,
    // a ledger that has begun.
    match store.commit_now(&batch) {
        CommitOutcome::Committed => Ok(id),
        CommitOutcome::Moved(_) => Err(GenesisError::Begun),
        CommitOutcome::Unknown(error) => Err(error.into()),
    }
}

/// Whether a directory holds a store at all.
///
/// # Errors
/// [`FileError`] when that can't be looked up.
pub fn has_store(dir: &Path) -> Result<bool, FileError> {
    let version = dir.join("VERSION");
    version.try_exists().map_err(at(&version))
}
