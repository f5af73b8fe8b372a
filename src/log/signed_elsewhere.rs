//! Serving a log without a key of it: at the checkpoints that the leader writes beside the chain.
//!
//! Such a process takes in what is committed as any follower does, and publishes of that what a checkpoint covers. A
//! checkpoint is a hint, which anybody who may write to the store can change: it counts once a key of the log signed
//! it and the chain leads to its root. One that is signed and contradicts the chain is evidence of two histories.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Published;
use super::following::Stated;
use super::leadership::Timing;
use super::publisher::ends_in_state;
use super::reader::Reader;
use super::recovery::Recovered;
use super::signer::vkey;
use crate::ledger::{Globals, State};
use crate::note::{CheckpointError, TreeHead, UnverifiedCheckpoint, VerifierKey};
use crate::record::{LogHead, TimeMs};
use crate::store::blobs::{BlobStore, Progress};
use crate::store::{Bytes, Store as _, StoreError};

/// No more ends of commits than these wait for a checkpoint: a leader writes one each second. Beyond them nothing more
/// is taken in until one comes.
const WAITING_MAX: usize = 4096;
/// A start waits for a checkpoint that it can begin at: a leader that just began, or packed, writes one within a
/// second.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// Why a process without a key of the log can't serve it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignedElsewhereError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no checkpoint to serve at.
    #[error(
        "there is no key of the log here, so a checkpoint that others signed is needed: {0}; see that a server with the log's key leads, and start again"
    )]
    Missing(String),
    /// A checkpoint that the log signed is not of the log in the store.
    #[error("{0}")]
    Contradicts(String),
    /// The log in the store is another than the one whose key is known here.
    #[error(
        "the log's first key is {found}, but log.vkey in this directory has {expected}: the store has another log"
    )]
    OtherKey {
        /// The key that the log names.
        found: String,
        /// The key that is known here.
        expected: String,
    },
}

/// Takes in a log up to the checkpoint beside its chain, of which nothing is verified.
///
/// # Errors
/// [`SignedElsewhereError`].
pub(super) async fn follow_to_checkpoint(
    store: &BlobStore,
    timing: Timing,
) -> Result<UnverifiedCheckpoint, SignedElsewhereError> {
    let given_up_at = Instant::now() + START_PATIENCE;
    let checkpoint = loop {
        let why = match store.checkpoint().await? {
            None => "the store has none yet".to_owned(),
            Some(note) => match UnverifiedCheckpoint::parse(&note) {
                Err(error) => format!("what the store has is none: {error}"),
                Ok(checkpoint) if store.begin_at_floor(checkpoint.head().size).await? => {
                    break checkpoint;
                }
                Ok(_) => "the one in the store is older than the newest floor".to_owned(),
            },
        };
        if Instant::now() >= given_up_at {
            return Err(SignedElsewhereError::Missing(why));
        }
        sleep(timing.beat / 2).await;
    };
    while store.head().await?.tree.size < checkpoint.head().size
        && store.follow().await? != Progress::End
    {}
    Ok(checkpoint)
}

/// What a process serves at a start, whose log was taken in up to a checkpoint.
///
/// # Errors
/// [`SignedElsewhereError`] if the checkpoint is not of that log.
pub(super) fn published(
    recovered: &Recovered,
    first_key: &VerifierKey,
    checkpoint: UnverifiedCheckpoint,
    at: TimeMs,
) -> Result<Published, SignedElsewhereError> {
    let globals = recovered.state.globals();
    let first = globals.log_keys.first().map(|(key, _)| key);
    if first.is_none() || first != first_key.key() {
        return Err(SignedElsewhereError::OtherKey {
            found: first.map_or("none".to_owned(), ToString::to_string),
            expected: first_key.to_string(),
        });
    }
    let (signed, found) = (checkpoint.head(), recovered.head.tree);
    let is_known = |error: CheckpointError| SignedElsewhereError::Missing(none_of_log(&error));
    if signed == found {
        verify_in_force(&checkpoint, globals).map_err(is_known)?;
        return Ok(of_checkpoint(
            recovered.head,
            &recovered.state,
            &checkpoint,
            at,
        ));
    }
    verify_by_any(&checkpoint, globals).map_err(is_known)?;
    // Between the two looks the log may have been packed beyond it.
    if found.size > signed.size {
        let why = "the one in the store was overtaken by packs".to_owned();
        return Err(SignedElsewhereError::Missing(why));
    }
    Err(SignedElsewhereError::Contradicts(contradiction(
        signed, found,
    )))
}

fn of_checkpoint(
    head: LogHead,
    state: &State,
    checkpoint: &UnverifiedCheckpoint,
    at: TimeMs,
) -> Published {
    Published {
        head,
        checkpoint: checkpoint.note().to_string(),
        at,
        ends_in_state: ends_in_state(state),
    }
}

fn none_of_log(error: &CheckpointError) -> String {
    format!("the one in the store is not signed by the log's key: {error}")
}

fn contradiction(signed: TreeHead, found: TreeHead) -> String {
    format!(
        "two histories, or a store that was restored to an earlier time: the log's key signed {} entries with the root {}, in the checkpoint beside the chain, but the chain has {} entries with the root {}. Keep both, and find out why (docs/operations.md: \"An old copy was served\")",
        signed.size, signed.root, found.size, found.root
    )
}

/// Whether the key signed it that a log had at its size.
fn verify_in_force(
    checkpoint: &UnverifiedCheckpoint,
    globals: &Globals,
) -> Result<(), CheckpointError> {
    let in_force = globals.log_key_at(checkpoint.head().size);
    // A tree without entries has no key, and nobody signs it.
    let key = in_force.ok_or(CheckpointError::Shape)?;
    let signed = checkpoint.clone().verify(&vkey(&globals.origin, *key));
    signed.map(drop)
}

/// Whether any key signed it that a log ever had; the error of the newest if none did.
fn verify_by_any(
    checkpoint: &UnverifiedCheckpoint,
    globals: &Globals,
) -> Result<(), CheckpointError> {
    let mut failed = None;
    for (key, _) in globals.log_keys.iter().rev() {
        match checkpoint.clone().verify(&vkey(&globals.origin, *key)) {
            Ok(_) => return Ok(()),
            Err(error) => failed.get_or_insert(error),
        };
    }
    Err(failed.unwrap_or(CheckpointError::Shape))
}

/// The end of a commit that was taken in, and that no checkpoint covers yet.
pub(super) struct Uncovered {
    pub(super) head: LogHead,
    pub(super) state: State,
    pub(super) stated: Option<Stated>,
}

/// What a process without a key of the log took in and can't publish yet, and the checkpoint that may cover it.
#[derive(Default)]
pub(super) struct Waiting {
    ends: VecDeque<Uncovered>,
    /// The note that was read last.
    note: Option<Bytes>,
    /// What it says, until that was judged.
    checkpoint: Option<UnverifiedCheckpoint>,
}

impl Waiting {
    /// Whether more may be taken in.
    pub(super) fn has_room(&self) -> bool {
        self.ends.len() < WAITING_MAX
    }

    /// Whether all that was taken in is published.
    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes note of the end of a commit.
    pub(super) fn push(&mut self, end: Uncovered) {
        self.ends.push_back(end);
    }

    /// Takes note of what the store has as checkpoint.
    pub(super) fn saw(&mut self, note: Option<Bytes>) {
        if note == self.note {
            return;
        }
        self.note = note;
        let Some(note) = &self.note else { return };
        self.checkpoint = UnverifiedCheckpoint::parse(note)
            .map_err(|error| tracing::warn!("{}", none_of_log(&error)))
            .ok();
    }

    /// Judges the checkpoint: gives what it covers of what was taken in, with what is to be published, if that is
    /// more than before. `is_end`: the chain was read to its end after the checkpoint was.
    ///
    /// # Errors
    /// How the checkpoint contradicts the chain: nothing more may be published.
    pub(super) async fn covered(
        &mut self,
        reader: &Reader,
        published: &Published,
        globals: &Globals,
        is_end: bool,
        at: TimeMs,
    ) -> Result<Option<(Uncovered, Published)>, String> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(None);
        };
        let signed = checkpoint.head();
        let newest = self.ends.back().map_or(published.head, |end| end.head).tree;
        if signed.size > newest.size && !is_end {
            // The rest of the chain is still to be read.
            return Ok(None);
        }
        let place = self.ends.iter();
        let mut place = place.take_while(|end| end.head.tree.size <= signed.size);
        let place = match place.by_ref().count().checked_sub(1) {
            Some(last) => self
                .ends
                .get(last)
                .filter(|end| end.head.tree == signed)
                .map(|_| last),
            None => None,
        };
        if let Some(place) = place
            && let Some(end) = self.ends.get(place)
        {
            if let Err(error) = verify_in_force(checkpoint, end.state.globals()) {
                tracing::warn!("{}", none_of_log(&error));
                self.checkpoint = None;
                return Ok(None);
            }
            let published = of_checkpoint(end.head, &end.state, checkpoint, at);
            self.checkpoint = None;
            let mut covered = self.ends.drain(..=place);
            let mut newest = covered.next();
            for end in covered {
                let before = newest.and_then(|before| before.stated);
                newest = Some(Uncovered {
                    stated: end.stated.or(before),
                    ..end
                });
            }
            return Ok(newest.map(|end| (end, published)));
        }
        // An older one, one that no commit ends at, or one that is false.
        let found = match signed.size <= newest.size {
            true if signed == published.head.tree => signed,
            true => match reader.frontier(signed.size).await {
                Ok(tree) => TreeHead::of(&tree),
                Err(error) => {
                    // It is judged when the store can be read again.
                    tracing::warn!(%error, "a checkpoint can't be held against the chain now");
                    return Ok(None);
                }
            },
            false => newest,
        };
        let is_signed = verify_by_any(checkpoint, globals);
        self.checkpoint = None;
        match is_signed {
            _ if found == signed => Ok(None),
            Ok(()) => Err(contradiction(signed, found)),
            Err(error) => {
                tracing::warn!("{}", none_of_log(&error));
                Ok(None)
            }
        }
    }
}
