//! Starting again from what the store says: the saved state if it speaks of this very log, then
//! the entries after it; or all entries, if it does not.

use std::collections::{HashMap, VecDeque};

use tokio::task::JoinHandle;

use super::reader::{ReadError, Reader};
use crate::crypto::PublicKey;
use crate::ledger::State;
use crate::merkle::{Frontier, TILE_HASHES};
use crate::record::{Entry, LogHead, Origin};
use crate::replay::{CheckedEntry, EntryFault, Group, Replay, ReplayError, Signatures};
use crate::store::blobs::{BlobStore, FoundState, LoadedState, load_state};
use crate::store::{SavedState, StoreError};

/// Bundles under way while one is replayed.
const BUNDLES_AHEAD: usize = 16;
/// Saved states that a start tries, the newest first. A sweep leaves two.
const STATES_TRIED_MAX: usize = 3;

/// Why a log can't be recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tile or bundle is missing or damaged.
    #[error("{0}; restore it from a mirror")]
    Read(#[from] ReadError),
    /// An entry breaks the rules, or is in another format.
    #[error("the log holds what this software does not admit: {0}")]
    Replay(#[from] ReplayError),
    /// The entries lead to another root than was committed.
    #[error(
        "the entries lead to the root {found}, but {committed} was committed; restore the damaged files from a mirror"
    )]
    Root {
        /// The root over the entries.
        found: String,
        /// The root in the journal.
        committed: String,
    },
    /// What the entries make contradicts itself.
    #[error(
        "the ledger's state contradicts itself: {0}; this is a fault of the software: report it"
    )]
    Contradicts(String),
    /// The program is about to end.
    #[error("recovery was broken off; start again")]
    Stopped,
    /// The log is shorter than what was saved of it.
    #[error(
        "the log has {head} entries, but its state was saved at {saved}: acknowledged entries are missing; restore the journal, or the log from a mirror"
    )]
    Short {
        /// Entries in the log.
        head: u64,
        /// Entries that the saved state speaks of.
        saved: u64,
    },
}

/// What a log starts with.
pub(super) struct Recovered {
    pub state: State,
    pub tree: Frontier,
    /// As the store says, and as the entries lead to.
    pub head: LogHead,
    /// The size at which the state is saved already.
    pub saved_size: u64,
}

impl Recovered {
    pub(super) fn log_keys(&self) -> Vec<PublicKey> {
        self.state
            .globals()
            .log_keys
            .iter()
            .map(|(key, _)| *key)
            .collect()
    }
}

/// Recovers the state and the tree as last committed.
pub(super) async fn recover(
    reader: &Reader,
    origin: &Origin,
    saved: Option<&mut SavedState>,
) -> Result<Recovered, RecoveryError> {
    let head = reader.store().head().await?;
    let mut saved_size = 0;
    let mut replay = Replay::new(origin, Signatures::Trust);
    if let Some(saved) = saved {
        match load(reader, origin, saved, head).await? {
            Ok((state, tree)) => {
                saved_size = tree.size();
                replay = Replay::resume(state, tree, Signatures::Trust);
            }
            Err(why) => {
                if head.tree.size > 0 {
                    tracing::info!(%why, "the state is made again from all entries");
                }
                if let Err(error) = saved.clear() {
                    tracing::warn!(%error, "the saved state can't be cleared");
                }
            }
        }
    }
    recovered(reader, replay, head, saved_size).await
}

/// Takes in the entries behind what a replay began with.
async fn recovered(
    reader: &Reader,
    mut replay: Replay,
    head: LogHead,
    saved_size: u64,
) -> Result<Recovered, RecoveryError> {
    finish(reader, &mut replay, head).await?;
    let (state, tree) = replay.into_parts();
    Ok(Recovered {
        state,
        tree,
        head,
        saved_size,
    })
}

/// Recovers the state and the tree of a log that several processes share: from the newest state that was saved in its
/// store and of which the log itself says the root; from all entries if there is none.
pub(super) async fn recover_from(
    reader: &Reader,
    origin: &Origin,
    store: &BlobStore,
) -> Result<Recovered, RecoveryError> {
    let head = reader.store().head().await?;
    let mut below = None;
    for _ in 0..STATES_TRIED_MAX {
        let found = load_state(&**store.blobs(), store.patience(), below).await?;
        let Some(FoundState { size, loaded }) = found else {
            break;
        };
        let fitting = match loaded {
            Ok(loaded) => fit(reader, origin, loaded, head).await,
            Err(why) => Err(why),
        };
        match fitting {
            Ok((state, tree)) => {
                tracing::info!(size, "a saved state was loaded");
                let replay = Replay::resume(state, tree, Signatures::Trust);
                return recovered(reader, replay, head, size).await;
            }
            Err(why) => tracing::warn!(size, %why, "a saved state can't be used"),
        }
        below = Some(size);
    }
    tracing::info!("the state is made from all entries");
    let replay = Replay::new(origin, Signatures::Trust);
    recovered(reader, replay, head, 0).await
}

/// A saved state with its tree, if an entry of this log says its root; or why not.
async fn fit(
    reader: &Reader,
    origin: &Origin,
    loaded: LoadedState,
    head: LogHead,
) -> Result<(State, Frontier), String> {
    let LoadedState {
        state,
        said_by,
        root,
    } = loaded;
    if state.globals().origin != *origin {
        return Err("the saved state is of another log".to_owned());
    }
    let (size, whole) = (state.entries(), head.tree.size);
    let said = reader.decoded(said_by.0, whole).await;
    let says = match said.map_err(|error| error.to_string())?.1 {
        Entry::State(said) => said.size == size && said.root == root,
        Entry::Signed(_) | Entry::Sealed(_) => false,
    };
    if !says {
        return Err(format!(
            "entry {said_by} does not say the root of the saved state"
        ));
    }
    let tree = reader.frontier(size).await;
    Ok((state, tree.map_err(|error| error.to_string())?))
}

/// Replays up to a head, and compares the root.
async fn finish(reader: &Reader, replay: &mut Replay, head: LogHead) -> Result<(), RecoveryError> {
    replay_to(reader, replay, head.tree.size).await?;
    if replay.head() != head {
        return Err(RecoveryError::Root {
            found: replay.head().tree.root.to_string(),
            committed: head.tree.root.to_string(),
        });
    }
    Ok(())
}

/// The state of a log's first entries: those of `head`, which was committed.
pub(super) async fn state_of(
    reader: &Reader,
    origin: &Origin,
    head: LogHead,
) -> Result<State, RecoveryError> {
    let mut replay = Replay::new(origin, Signatures::Trust);
    finish(reader, &mut replay, head).await?;
    Ok(replay.into_parts().0)
}

/// The saved state, if it is of this log at an earlier time; or why not.
async fn load(
    reader: &Reader,
    origin: &Origin,
    saved: &mut SavedState,
    head: LogHead,
) -> Result<Result<(State, Frontier), String>, RecoveryError> {
    let (state, saved_head) = match saved.load() {
        Ok(loaded) => loaded,
        Err(why) => return Ok(Err(why)),
    };
    if state.globals().origin != *origin {
        return Ok(Err("it is of another log".to_owned()));
    }
    if saved_head.tree.size > head.tree.size {
        return Err(RecoveryError::Short {
            head: head.tree.size,
            saved: saved_head.tree.size,
        });
    }
    let frontier = reader.frontier(saved_head.tree.size).await?;
    if frontier.root() != saved_head.tree.root {
        return Ok(Err("it speaks of another history".to_owned()));
    }
    Ok(Ok((state, frontier)))
}

/// A bundle that is read, decoded and hashed on another thread.
type CheckedBundle = JoinHandle<Result<Vec<Result<CheckedEntry, EntryFault>>, ReadError>>;

/// Replays entries up to `size`: other threads read, decode and hash the bundles to come while this
/// task applies the rules.
async fn replay_to(reader: &Reader, replay: &mut Replay, size: u64) -> Result<(), RecoveryError> {
    let mut ahead = VecDeque::with_capacity(BUNDLES_AHEAD);
    let replayed = replay_ahead(reader, replay, size, &mut ahead).await;
    // After an error some are left. Each holds the store, and with it the directory's lock, which a
    // caller may want to take again once it is told of the error.
    for bundle in ahead {
        bundle.abort();
        // What it read is of no use, whether it was stopped or had ended.
        let _ = bundle.await;
    }
    replayed
}

async fn replay_ahead(
    reader: &Reader,
    replay: &mut Replay,
    size: u64,
    ahead: &mut VecDeque<CheckedBundle>,
) -> Result<(), RecoveryError> {
    let mut at = replay.head().tree.size;
    if at == size {
        return Ok(());
    }
    let first = at / TILE_HASHES;
    // Entries of the first bundle that were replayed before.
    let known = (at % TILE_HASHES) as usize;
    let mut numbers = first..size.div_ceil(TILE_HASHES);
    loop {
        for number in numbers.by_ref().take(BUNDLES_AHEAD - ahead.len()) {
            let (reader, checker) = (reader.clone(), replay.checker().clone());
            let skipped = if number == first { known } else { 0 };
            ahead.push_back(tokio::spawn(async move {
                let bundle = reader.bundle(number, size).await?;
                let fresh = bundle.iter().skip(skipped).map(AsRef::as_ref);
                Ok::<_, ReadError>(checker.check_all(fresh))
            }));
        }
        let Some(bundle) = ahead.pop_front() else {
            let groups = replay.rest();
            take(reader, replay, groups, size).await?;
            // The caller holds the root of what was replayed against the one that was committed.
            return Ok(replay.finish()?);
        };
        for checked in bundle.await.map_err(|_| RecoveryError::Stopped)?? {
            let checked = checked.map_err(|fault| fault.at(at))?;
            at += 1;
            let groups = replay.add(checked)?;
            take(reader, replay, groups, size).await?;
        }
    }
}

/// Takes groups in, with the earlier entries that corrections in them name.
pub(super) async fn take(
    reader: &Reader,
    replay: &mut Replay,
    groups: Vec<Group>,
    size: u64,
) -> Result<(), RecoveryError> {
    for group in groups {
        let mut earlier = HashMap::new();
        for index in group.targets() {
            let (bytes, entry) = reader.decoded(index.0, size).await?;
            earlier.insert(index, bytes);
            if let Some(seal) = entry.seal_index(index) {
                earlier.insert(seal, reader.entry(seal.0, size).await?);
            }
        }
        let find = |index| earlier.get(&index).map(|bytes| bytes.to_vec());
        replay.take_group(&group, find, |_, _| Ok::<_, ReplayError>(()))?;
    }
    Ok(())
}
