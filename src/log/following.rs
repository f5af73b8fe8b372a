//! The state of a log that another process leads: what was committed is applied as it comes, by the
//! rules, and each state root that the log says is made again.

use std::collections::VecDeque;

use super::reader::{ReadError, Reader};
use super::recovery::{Recovered, RecoveryError, take};
use crate::crypto::PublicKey;
use crate::ledger::State;
use crate::merkle::{Bundle, Frontier};
use crate::record::{Entry, Index, LogHead};
use crate::replay::{Group, Replay, ReplayError, Signatures};

/// So many entries back, states at the ends of commits are kept, to be compared with what a state entry will say
/// of one of them: each holds the pages that changed since. A leader writes a state entry as soon as it has made
/// the root. One that takes it longer than the log takes for so many entries is taken in without being
/// compared, and a warning says so.
const ENTRIES_BACK: u64 = 131_072;
/// No more states than these, however small the commits are.
const IMAGES_MAX: usize = 4096;

/// A log that is followed.
pub(super) struct Follower {
    replay: Replay,
    /// The states at the ends of commits, oldest first: from the one that the newest state entry
    /// speaks of on.
    images: VecDeque<State>,
}

/// A state entry that was taken in, and the state that it speaks of.
pub(super) struct Stated {
    pub(super) index: Index,
    pub(super) state: State,
}

impl Follower {
    /// Begins behind a state, with the tree over the same entries.
    pub(super) fn resume(state: State, tree: Frontier, signatures: Signatures) -> Self {
        Self {
            images: VecDeque::from([state.clone()]),
            replay: Replay::resume(state, tree, signatures),
        }
    }

    /// The head as far as entries were taken in.
    pub(super) fn head(&self) -> LogHead {
        self.replay.head()
    }

    /// The state, of which the caller takes an image.
    pub(super) fn state(&self) -> &State {
        self.replay.state()
    }

    /// All keys of the log so far.
    pub(super) fn log_keys(&self) -> Vec<PublicKey> {
        let keys = self.state().globals().log_keys.iter();
        keys.map(|(key, _)| *key).collect()
    }

    /// Takes entries in, which the store has already: at the end of a commit, all of them. Of a
    /// stretch that ends anywhere, those at its end are held back.
    ///
    /// # Errors
    /// [`RecoveryError`]: this must not be used any more.
    pub(super) async fn take(
        &mut self,
        reader: &Reader,
        entries: Vec<u8>,
        ends_a_commit: bool,
    ) -> Result<Vec<Stated>, RecoveryError> {
        let checker = self.replay.checker().clone();
        let checked = tokio::task::spawn_blocking(move || {
            let bundle = Bundle::parse_all(&entries).map_err(|error| ReadError::Damaged {
                tile: "a commit".to_owned(),
                what: error.to_string(),
            })?;
            Ok::<_, ReadError>(checker.check_all(bundle.entries().iter().copied()))
        });
        let checked = checked.await.map_err(|_| RecoveryError::Stopped)??;
        let mut groups = Vec::new();
        let mut size = self.replay.next_index().0;
        for checked in checked {
            let checked = checked.map_err(|fault| fault.at(size))?;
            size += 1;
            groups.extend(self.replay.add(checked)?);
        }
        if ends_a_commit {
            groups.extend(self.replay.rest());
        }
        let mut stated = Vec::new();
        for group in groups {
            let said = said_by(&group);
            if let Some((_, said)) = said {
                self.show(said);
            }
            take(reader, &mut self.replay, vec![group], size).await?;
            if let Some((index, said)) = said
                && let Some(state) = self.image_of(said)
            {
                stated.push(Stated { index, state });
            }
        }
        if ends_a_commit {
            self.images.push_back(self.replay.state().clone());
            let oldest = self.replay.state().entries().saturating_sub(ENTRIES_BACK);
            while self.images.len() > IMAGES_MAX
                || self
                    .images
                    .front()
                    .is_some_and(|image| image.entries() < oldest)
            {
                self.images.pop_front();
            }
        }
        Ok(stated)
    }

    /// Shows the replay the state of which a state entry speaks, if it is here; states before it are
    /// of no use any more.
    fn show(&mut self, size: u64) {
        while self
            .images
            .front()
            .is_some_and(|image| image.entries() < size)
        {
            self.images.pop_front();
        }
        match self.image_of(size) {
            Some(image) => self.replay.keep(&image),
            // It may have seen for itself that it had to keep it.
            None if self.replay.keeps(size) => {}
            None => {
                tracing::warn!(
                    size,
                    "the state root of this size is not compared: the state is not here any more"
                );
                self.replay.skip_comparisons(size);
            }
        }
    }

    fn image_of(&self, size: u64) -> Option<State> {
        let images = self.images.iter();
        let mut images = images.skip_while(|image| image.entries() < size);
        let image = images.next().filter(|image| image.entries() == size);
        image.cloned()
    }

    /// Waits until the last state root is made and compared, and gives what a leader begins with. A
    /// process that finds another root than the log says never leads.
    ///
    /// # Errors
    /// [`RecoveryError`] where they differ.
    pub(super) async fn settled(&self) -> Result<Recovered, RecoveryError> {
        let mut replay = self.replay.clone();
        let settled = tokio::task::spawn_blocking(move || {
            replay.finish()?;
            Ok::<_, ReplayError>(replay)
        });
        let replay = settled.await.map_err(|_| RecoveryError::Stopped)??;
        let head = replay.head();
        let (state, tree) = replay.into_parts();
        Ok(Recovered {
            state,
            tree,
            head,
            saved_size: 0,
        })
    }
}

/// The index of a state entry, and the number of entries that it speaks of.
fn said_by(group: &Group) -> Option<(Index, u64)> {
    group.taken().find_map(|taken| match taken.checked.entry() {
        Entry::State(entry) => Some((taken.index, entry.size)),
        Entry::Signed(_) | Entry::Sealed(_) => None,
    })
}
