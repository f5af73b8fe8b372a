//! SignedEntry 0: a ledger's beginning, admitted before any server runs.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::clock::Clock;
use crate::durable::{FileError, at};
use crate::ledger::{Candidate, Refusal, State};
use crate::merkle::{Bundle, Frontier, leaf_hash};
use crate::note::TreeHead;
use crate::record::{LogHead, Origin, RecordId, SignedEntry, SignedRecord, SigningContext, TimeMs};
use crate::store::blobs::{Beat, BlobStore, Blobs, Chain, PackShape, Patience, Progress, Standing};
use crate::store::{Batch, CommitOutcome, DiskStore, Store as _, StoreError};

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
    let (id, batch) = first_batch(origin, genesis)?;
    // A crash before or in this leaves an empty log: `init --complete` does the same again. After it,
    // a ledger that has begun.
    admitted(id, store.commit_now(&batch))
}

/// Makes a genesis the first entry of an empty log on an object store; returns its id.
///
/// A crash leaves a store that names the log, and perhaps fences: the same can be done again. After the
/// commit, a ledger that has begun, which waits for the silence of its session to end unless it was told
/// that it left.
///
/// # Errors
/// [`GenesisError`].
pub async fn admit_genesis_to(
    blobs: Arc<dyn Blobs>,
    origin: &Origin,
    genesis: &SignedRecord,
) -> Result<RecordId, GenesisError> {
    let (id, batch) = first_batch(origin, genesis)?;
    let patience = Patience::default();
    Chain::init(&*blobs, origin, patience).await?;
    let shape = PackShape::STANDARD;
    let store = BlobStore::open(Arc::clone(&blobs), origin, shape, patience).await?;
    while !store.leads() {
        while store.follow().await? != Progress::End {}
        if store.head().await?.tree.size > 0 {
            return Err(GenesisError::Begun);
        }
        store.fence().await?;
    }
    let id = admitted(id, store.commit(Arc::new(batch)).await)?;
    if let Some(session) = store.session().await {
        let left = Beat {
            count: 0,
            address: String::new(),
            standing: Standing::Left,
        };
        left.put(&*blobs, session, patience)
            .await
            .map_err(StoreError::from)?;
    }
    Ok(id)
}

/// The commit that a genesis is, and its id.
fn first_batch(origin: &Origin, genesis: &SignedRecord) -> Result<(RecordId, Batch), GenesisError> {
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
    Ok((id, batch))
}

fn admitted(id: RecordId, outcome: CommitOutcome) -> Result<RecordId, GenesisError> {
    match outcome {
        CommitOutcome::Committed => Ok(id),
        CommitOutcome::Moved(_) | CommitOutcome::Deposed => Err(GenesisError::Begun),
        CommitOutcome::Unknown(error) => Err(error.into()),
    }
}

/// Whether a directory holds a store at all.
///
/// # Errors
/// [`FileError`] when that can't be looked up.
pub fn has_store(dir: &Path) -> Result<bool, FileError> {
    let version = dir.join("VERSION");
    match version.try_exists() {
        // A file holds no store.
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(false),
        found => found.map_err(at(&version)),
    }
}
