//! Another auditor's note, held against what this replay makes of the same entries (`docs/format.md`, section 12.4).
//! It is not known before how far the note goes: the replay is ahead of its size, or behind.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use crate::audit::{Tiles, WholeError, extend};
use crate::ledger::State;
use crate::merkle::{Frontier, Hash};
use crate::note::{AuditNote, TreeHead};
use crate::replay::{Replay, Signatures, Taken};

/// States that are kept of where rounds ended: another auditor may be that far behind. Each holds the pages that
/// changed since.
const ROUNDS_KEPT_MAX: usize = 8;

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ComparedNote {
    /// Both made the same state.
    Same,
    /// Both say the same state root, and so does a state entry: it may be copied.
    MayBeCopied,
    /// The other one was shown another tree of that size, or made another state of it.
    Differs {
        /// The tree as it is here.
        head: TreeHead,
        /// The state root that this replay made.
        state_root: Hash,
        /// In words.
        what: String,
    },
    /// The replay never stood at that size.
    Impossible(&'static str),
}

/// A note that waits for the replay.
#[derive(Debug, Clone)]
pub struct AwaitedNote {
    /// The note.
    pub(super) note: AuditNote,
    found: Option<(TreeHead, State)>,
    is_spoken_of: bool,
}

impl AwaitedNote {
    /// Begins to wait for the size of a note.
    pub fn new(note: AuditNote) -> Self {
        Self {
            note,
            found: None,
            is_spoken_of: false,
        }
    }

    /// Looks at a replay where that stands between batches.
    pub fn look(&mut self, replay: &Replay) {
        let (size, state) = (self.note.head.size, replay.state());
        let mark = state.globals().state_entry;
        self.is_spoken_of |= mark.is_some_and(|mark| mark.size == size);
        if state.entries() == size && self.found.is_none() {
            self.found = Some((TreeHead::of(replay.tree()), state.clone()));
        }
    }

    /// What it comes to, once no state entry behind can speak of that size any more; `None` before.
    ///
    /// # Errors
    /// In words, if the state's root can't be made.
    pub(super) fn verdict(&self, replay: &Replay) -> Result<Option<ComparedNote>, String> {
        let size = self.note.head.size;
        if self.found.is_none() {
            let is_passed = replay.state().entries() > size;
            return Ok(is_passed.then_some(ComparedNote::Impossible(
                "a sealed batch is cut at the size of its note, or this replay began behind that",
            )));
        }
        let mark = replay.state().globals().state_entry;
        if mark.is_none_or(|mark| mark.index.0 < size) {
            return Ok(None);
        }
        self.so_far()
    }

    /// What it comes to by the entries so far, though a state entry to come may speak of that size; `None` if the
    /// replay did not stand there.
    ///
    /// # Errors
    /// In words, if the state's root can't be made.
    pub fn so_far(&self) -> Result<Option<ComparedNote>, String> {
        let size = self.note.head.size;
        let Some((head, state)) = &self.found else {
            return Ok(None);
        };
        let roots = state.roots().map_err(|error| error.to_string())?;
        let state_root = roots.state_root();
        let differs = |what: String| ComparedNote::Differs {
            head: *head,
            state_root,
            what,
        };
        Ok(Some(
            match (self.note.head == *head, self.note.state_root == state_root) {
                (false, _) => differs(format!(
                    "it was shown another log: of {size} entries its root is {}, and here {}",
                    self.note.head.root, head.root
                )),
                (true, false) => differs(format!(
                    "it says that the first {size} entries make the state root {}, and by the rules they make {state_root}: it did not replay them, or was told a wrong root",
                    self.note.state_root
                )),
                (true, true) if self.is_spoken_of => ComparedNote::MayBeCopied,
                (true, true) => ComparedNote::Same,
            },
        ))
    }
}

/// The states of where the last rounds ended, the oldest first.
#[derive(Default)]
pub(super) struct RoundEnds(VecDeque<(State, Frontier)>);

impl RoundEnds {
    /// Keeps where a replay stands.
    pub(super) fn keep(&mut self, replay: &Replay) {
        let entries = replay.state().entries();
        if self
            .0
            .back()
            .is_some_and(|(last, _)| last.entries() == entries)
        {
            return;
        }
        self.0
            .push_back((replay.state().clone(), replay.tree().clone()));
        if self.0.len() > ROUNDS_KEPT_MAX {
            self.0.pop_front();
        }
    }

    /// Compares a note of a size that the replay has passed, from the nearest state before. The entries were
    /// verified already.
    ///
    /// # Errors
    /// In words, what stopped it. That says nothing of the other auditor.
    pub(super) fn compare(
        &self,
        note: &AuditNote,
        tiles: &Tiles<'_>,
        threads: NonZeroUsize,
    ) -> Result<ComparedNote, String> {
        let size = note.head.size;
        let mut newest_first = self.0.iter().rev();
        let Some((state, tree)) = newest_first.find(|(state, _)| state.entries() <= size) else {
            return Ok(ComparedNote::Impossible(
                "its note is of fewer entries than this process remembers",
            ));
        };
        let mut replay = Replay::resume(state.clone(), tree.clone(), Signatures::Trust);
        let mut awaited = AwaitedNote::new(note.clone());
        awaited.look(&replay);
        let mut found = awaited.verdict(&replay)?;
        if found.is_none() {
            let each = |_: &Taken<'_>, _: &State| Ok(());
            let replayed = extend(tiles, &mut replay, threads, each, |replay| {
                awaited.look(replay);
                match awaited.verdict(replay).map_err(Stop::Why)? {
                    Some(verdict) => Err(Stop::Found(verdict)),
                    None => Ok(()),
                }
            });
            found = match replayed {
                Err(Stop::Found(verdict)) => Some(verdict),
                Err(Stop::Why(why)) => return Err(why),
                Ok(()) => None,
            };
        }
        // No state entry behind it so far: the next note is compared.
        Ok(found.unwrap_or(ComparedNote::Impossible(
            "no state entry is behind the size of its note yet",
        )))
    }
}

/// Why a replay for a comparison ends.
enum Stop {
    Found(ComparedNote),
    Why(String),
}

impl From<WholeError> for Stop {
    fn from(error: WholeError) -> Self {
        Self::Why(error.to_string())
    }
}
