//! Checking a whole log, or what is new of it: every entry by the rules, every hash in every tile.
//!
//! Bundles are fetched, decoded and their signatures verified on several threads; one thread
//! applies the rules, in order. Memory is the state's and a window of bundles, never the log's.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError, mpsc};

use super::source::TileSource;
use super::tiles::{TileFault, Tiles};
use crate::ledger::State;
use crate::merkle::{Bundle, Hash, TILE_HASHES, TileId};
use crate::note::TreeHead;
use crate::record::{Index, Origin};
use crate::replay::{CheckedEntry, Checker, Replay, Signatures, Violation};

/// Bundles under way for each thread: one being checked, one waiting for the rules.
const WINDOW_PER_THREAD: usize = 2;

/// Replays a log of this head from its first entry, with every signature, and compares every tile
/// of hashes with what the entries make. `seen` is called after each entry.
///
/// # Errors
/// [`WholeError`]: the first thing that is wrong.
pub fn check_whole(
    source: &dyn TileSource,
    origin: &Origin,
    head: TreeHead,
    mut seen: impl FnMut(&Replay),
) -> Result<State, WholeError> {
    let mut replay = Replay::new(origin, Signatures::Verify);
    let tiles = Tiles::open(source, head)?;
    extend(&tiles, &mut replay, threads_default(), |_, replay| {
        seen(replay)
    })?;
    Ok(replay.into_parts().0)
}

/// Takes a replay from where it is to the tree of `tiles`. `seen` is called after each entry.
///
/// # Errors
/// [`WholeError`]: the first thing that is wrong; the replay is of no use then.
pub fn extend(
    tiles: &Tiles<'_>,
    replay: &mut Replay,
    threads: NonZeroUsize,
    mut seen: impl FnMut(&CheckedEntry, &Replay),
) -> Result<(), WholeError> {
    let head = tiles.head();
    let from = replay.head().tree.size;
    let checker = replay.checker().clone();
    walk(
        tiles,
        from,
        threads,
        || {
            let checker = checker.clone();
            move |id: TileId, bytes: Vec<u8>| check_bundle(id, &bytes, &checker, from)
        },
        |bundle| -> Result<(), WholeError> {
            for checked in &bundle.entries {
                let mut fault = None;
                let taken = replay.take_checked(checked, |index| match tiles.entry(index) {
                    Ok(bytes) => Some(bytes),
                    Err(found) => {
                        fault = Some(found);
                        None
                    }
                });
                if let Some(fault) = fault {
                    return Err(fault.into());
                }
                taken?;
                seen(checked, replay);
            }
            match bundle.failed {
                Some(violation) => Err(violation.into()),
                None => Ok(()),
            }
        },
    )?;
    if replay.head().tree != head {
        return Err(WholeError::Root {
            found: replay.head().tree.root,
            expected: head.root,
        });
    }
    Ok(())
}

/// Calls `each` with every entry of a log of this head, in order, proven to be in its tree. No
/// signature and no rule is checked: that is for a head that an audit verified.
///
/// # Errors
/// [`WholeError`] when a tile is missing or wrong, and what `each` gives.
pub fn each_entry<E: From<WholeError>>(
    source: &dyn TileSource,
    origin: &Origin,
    head: TreeHead,
    threads: NonZeroUsize,
    mut each: impl FnMut(Index, &CheckedEntry) -> Result<(), E>,
) -> Result<(), E> {
    let tiles = Tiles::open(source, head).map_err(WholeError::Tile)?;
    let mut index = Index(0);
    walk(
        &tiles,
        0,
        threads,
        || {
            let checker = Checker::new(origin, Signatures::Trust);
            move |id: TileId, bytes: Vec<u8>| check_bundle(id, &bytes, &checker, 0)
        },
        |bundle| {
            for checked in &bundle.entries {
                each(index, checked)?;
                index.0 += 1;
            }
            match bundle.failed {
                Some(violation) => Err(WholeError::from(violation).into()),
                None => Ok(()),
            }
        },
    )
}

/// Fetches the bundles of a tree from entry `from` on, each proven to be in it, on several
/// threads; hands what `check` makes of each to `each`, in order.
pub(super) fn walk<T: Send, C: FnMut(TileId, Vec<u8>) -> T + Send, E: From<WholeError>>(
    tiles: &Tiles<'_>,
    from: u64,
    threads: NonZeroUsize,
    check: impl Fn() -> C,
    mut each: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let size = tiles.head().size;
    let mut numbers = from / TILE_HASHES..size.div_ceil(TILE_HASHES);
    if from >= size {
        numbers = 0..0;
    }
    let (jobs, queue) = mpsc::channel::<(u64, mpsc::Sender<Result<T, TileFault>>)>();
    let queue = Mutex::new(queue);
    let window = threads.get() * WINDOW_PER_THREAD;
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            let mut check = check();
            let queue = &queue;
            scope.spawn(move || {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((number, done)) = next() {
                    let checked = tiles.bundle(number).map(|(id, bytes)| check(id, bytes));
                    // Whoever waited may have stopped at an error: nobody misses this then.
                    let _ = done.send(checked);
                }
            });
        }
        // Dropped at the end, whatever it is: that ends the threads.
        let jobs = jobs;
        let mut asked = VecDeque::with_capacity(window);
        loop {
            while asked.len() < window {
                let Some(number) = numbers.next() else { break };
                let (done, bundle) = mpsc::channel();
                let _ = jobs.send((number, done));
                asked.push_back((number, bundle));
            }
            let Some((number, bundle)) = asked.pop_front() else {
                return Ok(());
            };
            let lost = |_| TileFault::wrong(format!("bundle {number}"), "its check did not end");
            let checked = bundle.recv().map_err(lost).and_then(|checked| checked);
            each(checked.map_err(WholeError::Tile)?)?;
        }
    })
}

/// A bundle as a thread leaves it: its new entries up to the first that is wrong by itself.
struct CheckedBundle {
    entries: Vec<CheckedEntry>,
    failed: Option<Violation>,
}

fn check_bundle(id: TileId, bytes: &[u8], checker: &Checker, from: u64) -> CheckedBundle {
    let mut checked = CheckedBundle {
        entries: Vec::new(),
        failed: None,
    };
    // It was parsed when it was proven to be in the tree.
    let Ok(bundle) = Bundle::parse_all(bytes) else {
        return checked;
    };
    let first = id.number() * TILE_HASHES;
    let seen = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
    let fresh = bundle.entries().iter().copied().skip(seen);
    for (index, entry) in (first.max(from)..).zip(checker.check_all(fresh)) {
        match entry {
            Ok(entry) => checked.entries.push(entry),
            Err(what) => {
                checked.failed = Some(Violation { index, what });
                break;
            }
        }
    }
    checked
}

/// How many threads check entries when nobody says: all cores, and enough to wait for a network.
pub fn threads_default() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    cores.max(NonZeroUsize::MIN.saturating_add(7))
}

/// The origin of a log as records name it.
///
/// # Errors
/// In words, when the name can't be an origin.
pub fn origin_of(log: &crate::note::VerifierKey) -> Result<Origin, String> {
    Origin::try_from(log.name().to_string()).map_err(|error| error.to_string())
}

/// Why a log is not whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WholeError {
    /// A tile can't be had, or is not what its name says.
    #[error(transparent)]
    Tile(#[from] TileFault),
    /// An entry is wrong.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The entries lead to another root.
    #[error("the entries lead to the root {found}, but the head says {expected}")]
    Root {
        /// The root over the entries.
        found: Hash,
        /// The head's.
        expected: Hash,
    },
}

impl WholeError {
    /// Whether the log could not be read, which says nothing of it.
    pub fn is_inconclusive(&self) -> bool {
        matches!(self, Self::Tile(TileFault::Unreachable { .. }))
    }
}
