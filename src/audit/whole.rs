//! Checking a whole log, or what is new of it: every entry by the rules, every hash in every tile.
//!
//! Bundles are fetched, decoded and their signatures verified on several threads; one puts sealed batches
//! together; one applies the rules, in order. Memory is the state's and a window of bundles, never the log's.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError, mpsc};

use super::source::TileSource;
use super::tiles::{ProvenBundle, TileFault, Tiles};
use crate::ledger::{STATE_LAG_MAX, State};
use crate::merkle::{Bundle, Hash, TILE_HASHES};
use crate::note::TreeHead;
use crate::outcome::Outcome;
use crate::record::{CodecError, Entry, Index, Origin, StateEntry};
use crate::replay::{
    Batches, CheckedEntry, Checker, EntryFault, Group, Grouping, Replay, ReplayError, Signatures,
    Taken, Violation,
};

/// Groups that wait for the rules.
const GROUPS_AHEAD: usize = 64;
/// Bundles under way for each thread: one being checked, one waiting for the rules.
const WINDOW_PER_THREAD: usize = 2;
/// Requests that a network has time for while one is answered.
const THREADS_MIN: NonZeroUsize = match NonZeroUsize::new(8) {
    Some(threads) => threads,
    None => NonZeroUsize::MIN,
};

/// Replays a log of this head from its first entry, with every signature, and compares every tile
/// of hashes with what the entries make. `each` is called after each entry, and after each sealed
/// batch.
///
/// # Errors
/// [`WholeError`]: the first thing that is wrong.
pub fn check_whole(
    source: &dyn TileSource,
    origin: &Origin,
    head: TreeHead,
    mut each: impl FnMut(&Replay),
) -> Result<State, WholeError> {
    let mut replay = Replay::new(origin, Signatures::Verify);
    let tiles = Tiles::open(source, head)?;
    let threads = threads_default();
    extend(
        &tiles,
        &mut replay,
        threads,
        |_, _| Ok::<_, WholeError>(()),
        |replay| {
            each(replay);
            Ok(())
        },
    )?;
    Ok(replay.into_parts().0)
}

/// Takes a replay from where it is to the tree of `tiles`. `each` is called after each entry, with
/// the state as of then; `at_boundary` wherever the replay may be saved: not within a sealed batch.
///
/// # Errors
/// [`WholeError`]: the first thing that is wrong, or what `each` gives; the replay is of no use
/// then.
pub fn extend<E: From<WholeError>>(
    tiles: &Tiles<'_>,
    replay: &mut Replay,
    threads: NonZeroUsize,
    mut each: impl FnMut(&Taken<'_>, &State) -> Result<(), E>,
    mut at_boundary: impl FnMut(&mut Replay) -> Result<(), E>,
) -> Result<(), E> {
    let head = tiles.head();
    let from = replay.next_index().0;
    match base_behind(tiles, from) {
        Some(end) => replay.keep_base_at(end),
        None if replay.is_behind_state_entry() || from == 0 => replay.keep_base_at(from),
        None => {}
    }
    let checker = replay.checker().clone();
    let grouping = replay.take_grouping();
    let grouping = std::thread::scope(|scope| {
        let (sender, groups) = mpsc::sync_channel(GROUPS_AHEAD);
        let grouping = scope.spawn(move || group(tiles, grouping, threads, &checker, &sender));
        for group in groups {
            take(tiles, replay, &group, &mut each)?;
            at_boundary(replay)?;
        }
        // What is wrong in the entries that were taken in is told before what ended their grouping.
        replay.settle().map_err(WholeError::from)?;
        let grouped = grouping.join();
        Ok::<_, E>(grouped.unwrap_or_else(|_| Err(did_not_end("the grouping of entries")))?)
    })?;
    replay.put_grouping(grouping);
    replay.finish().map_err(WholeError::from)?;
    if replay.head().tree != head {
        let (found, expected) = (replay.head().tree.root, head.root);
        return Err(WholeError::Root { found, expected }.into());
    }
    Ok(())
}

/// Where the last state entry behind the first `from` entries of a tree ends: no state entry that comes later speaks of
/// a smaller state. `None` if there is none, as far back as one may speak of, or it can't be had: that is told when
/// it is its turn.
fn base_behind(tiles: &Tiles<'_>, from: u64) -> Option<u64> {
    let size = tiles.head().size;
    let least = size.saturating_sub(STATE_LAG_MAX).max(from);
    for number in (least / TILE_HASHES..size.div_ceil(TILE_HASHES)).rev() {
        let proven = tiles.bundle(number).ok()?;
        let bundle = Bundle::parse_all(&proven.bytes).ok()?;
        let mut entries = bundle.entries().iter();
        if let Some(place) = entries.rposition(|entry| StateEntry::begins(entry)) {
            let end = number * TILE_HASHES + place as u64 + 1;
            return (end > from).then_some(end);
        }
    }
    None
}

/// Takes the next group in, and the earlier entries that corrections in it name from `tiles`.
fn take<E: From<WholeError>>(
    tiles: &Tiles<'_>,
    replay: &mut Replay,
    group: &Group,
    each: &mut impl FnMut(&Taken<'_>, &State) -> Result<(), E>,
) -> Result<(), E> {
    let mut fault = None;
    let earlier = |index| match tiles.entry(index) {
        Ok(bytes) => Some(bytes),
        Err(found) => {
            fault = Some(found);
            None
        }
    };
    let mut stopped = None;
    let taken = replay.take_group(group, earlier, |taken, state| {
        each(taken, state).map_err(|why| {
            stopped = Some(why);
            Stopped::ByEach
        })
    });
    // What broke the rules may only be that the earlier entry could not be had.
    if let Some(fault) = fault {
        return Err(WholeError::from(fault).into());
    }
    match (taken, stopped) {
        (_, Some(why)) => Err(why),
        (Err(Stopped::ByRules(error)), None) => Err(WholeError::from(error).into()),
        (Ok(()) | Err(Stopped::ByEach), None) => Ok(()),
    }
}

/// Fetches, checks and groups the entries that are to come; sends the groups, in order, until nobody takes
/// them any more.
fn group(
    tiles: &Tiles<'_>,
    mut grouping: Grouping,
    threads: NonZeroUsize,
    checker: &Checker,
    groups: &mpsc::SyncSender<Group>,
) -> Result<Grouping, WholeError> {
    let from = grouping.next_index();
    let send = |ready: Vec<Group>| {
        let mut ready = ready.into_iter();
        ready.try_for_each(|group| groups.send(group).map_err(|_| Ungrouped::Unwanted))
    };
    let walked = walk(
        tiles,
        from.0,
        threads,
        || {
            let checker = checker.clone();
            move |bundle: ProvenBundle| check_bundle(&bundle, &checker, from.0)
        },
        |bundle| {
            for checked in bundle.entries {
                send(grouping.add(checked).map_err(WholeError::from)?)?;
            }
            match bundle.failed {
                Some(fault) => Err(WholeError::from(fault).into()),
                None => Ok(()),
            }
        },
    );
    // What is wrong in what waits is told before what is wrong behind it.
    let sent = send(grouping.rest());
    match walked.and(sent) {
        Ok(()) | Err(Ungrouped::Unwanted) => Ok(grouping),
        Err(Ungrouped::Fault(fault)) => Err(fault),
    }
}

/// Why grouping stopped.
enum Ungrouped {
    Fault(WholeError),
    /// Nobody takes groups any more: the rules stopped at an error.
    Unwanted,
}

impl From<WholeError> for Ungrouped {
    fn from(error: WholeError) -> Self {
        Self::Fault(error)
    }
}

/// Why a replay stopped.
enum Stopped {
    ByRules(ReplayError),
    ByEach,
}

impl From<ReplayError> for Stopped {
    fn from(error: ReplayError) -> Self {
        Self::ByRules(error)
    }
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
    mut each: impl FnMut(&Taken<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let tiles = Tiles::open(source, head).map_err(WholeError::Tile)?;
    let mut index = Index(0);
    let mut batches = Batches::default();
    walk(
        &tiles,
        0,
        threads,
        || {
            let checker = Checker::new(origin, Signatures::Trust);
            move |bundle: ProvenBundle| check_bundle(&bundle, &checker, 0)
        },
        |bundle| {
            for checked in bundle.entries {
                let group = batches.add(index, checked).map_err(|refusal| {
                    let what = refusal.to_string();
                    WholeError::from(Violation {
                        index: index.0,
                        what,
                    })
                })?;
                index.0 += 1;
                for taken in group.iter().flat_map(Group::taken) {
                    each(&taken)?;
                }
            }
            match bundle.failed {
                Some(fault) => Err(WholeError::from(fault).into()),
                None => Ok(()),
            }
        },
    )
}

/// Fetches the bundles of a tree from entry `from` on, each proven to be in it, on several
/// threads; hands what `check` makes of each to `each`, in order.
pub(super) fn walk<T: Send, C: FnMut(ProvenBundle) -> T + Send, E: From<WholeError>>(
    tiles: &Tiles<'_>,
    from: u64,
    threads: NonZeroUsize,
    check: impl Fn() -> C,
    mut each: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let size = tiles.head().size;
    let mut numbers = if from < size {
        from / TILE_HASHES..size.div_ceil(TILE_HASHES)
    } else {
        0..0
    };
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
                    let checked = tiles.bundle(number).map(&mut check);
                    // This fails only when the loop below stopped at an error: it waits for
                    // nothing any more.
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
                // The queue outlives the threads, so this does not fail. If it did, `done` would be
                // dropped, and `recv` below would say that the check did not end.
                let _ = jobs.send((number, done));
                asked.push_back((number, bundle));
            }
            let Some((number, bundle)) = asked.pop_front() else {
                return Ok(());
            };
            let lost = |_| did_not_end(&format!("bundle {number}"));
            let checked = bundle.recv().map_err(lost)?;
            each(checked.map_err(WholeError::from)?)?;
        }
    })
}

/// A bundle as a thread leaves it.
struct CheckedBundle {
    /// The new entries up to the first that is wrong by itself.
    entries: Vec<CheckedEntry>,
    /// What is wrong with that one.
    failed: Option<ReplayError>,
}

/// A thread of ours that panicked says nothing about the log.
fn did_not_end(tile: &str) -> WholeError {
    WholeError::Tile(TileFault::Unreachable {
        tile: tile.to_owned(),
        why: "its check did not end".to_owned(),
    })
}

fn check_bundle(proven: &ProvenBundle, checker: &Checker, from: u64) -> CheckedBundle {
    let mut checked = CheckedBundle {
        entries: Vec::new(),
        failed: None,
    };
    let first = proven.id.number() * TILE_HASHES;
    let bundle = match Bundle::parse_all(&proven.bytes) {
        Ok(bundle) => bundle,
        // It was parsed already when it was proven to be in the tree.
        Err(error) => {
            let what = error.to_string();
            checked.failed = Some(EntryFault::Wrong(what).at(first));
            return checked;
        }
    };
    let hashed = bundle.entries().iter().zip(proven.leaves.hashes());
    let indexed = (first..).zip(hashed);
    let fresh = indexed.filter(|(index, _)| *index >= from);
    let fresh = fresh.map(|(_, (entry, leaf))| (*entry, *leaf));
    for (index, entry) in (first.max(from)..).zip(checker.check_hashed(fresh)) {
        match entry {
            Ok(entry) => checked.entries.push(entry),
            Err(fault) => {
                checked.failed = Some(fault.at(index));
                break;
            }
        }
    }
    checked
}

/// How many threads check entries when the caller does not say: one for each core, and enough to
/// wait for a network.
pub fn threads_default() -> NonZeroUsize {
    // A system that does not tell its cores gets what a network needs.
    std::thread::available_parallelism().map_or(THREADS_MIN, |cores| cores.max(THREADS_MIN))
}

/// The origin of a log as records name it.
///
/// # Errors
/// In words, when the name can't be an origin.
pub fn origin_of(log: &crate::note::VerifierKey) -> Result<Origin, String> {
    Origin::try_from(log.name().to_string()).map_err(|error| error.to_string())
}

/// Why a log is not whole, or could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WholeError {
    /// A tile can't be had, or is not what its name says.
    #[error(transparent)]
    Tile(#[from] TileFault),
    /// An entry is wrong.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// An entry may be right or wrong: this software can't tell.
    #[error("entry {index} can't be checked: {what}")]
    Unsupported {
        /// The entry's index.
        index: u64,
        /// What this software does not know.
        what: String,
    },
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
    /// What a log with this error comes to.
    pub const fn outcome(&self) -> Outcome {
        match self {
            Self::Tile(fault) => fault.outcome(),
            Self::Unsupported { .. } => Outcome::Unchecked,
            Self::Violation(_) | Self::Root { .. } => Outcome::False,
        }
    }
}

impl From<ReplayError> for WholeError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Violation(violation) => Self::Violation(violation),
            ReplayError::Unsupported { index, what } => Self::Unsupported { index, what },
        }
    }
}

/// Checks that a log is in the format that this software reads, by its first entry.
///
/// # Errors
/// [`WholeError::Unsupported`] if it is in another; [`WholeError::Tile`] if the entry can't be had.
pub(super) fn check_format(tiles: &Tiles<'_>) -> Result<(), WholeError> {
    let first = tiles.entry(Index(0))?;
    match Entry::decode(&first) {
        Err(error @ CodecError::OtherFormat { .. }) => Err(EntryFault::from(error).at(0).into()),
        // Whether the entry is right is an audit's to say.
        Ok(_) | Err(_) => Ok(()),
    }
}
