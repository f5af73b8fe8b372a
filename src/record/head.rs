//! The head of a log: how far it reaches, by its tree and by its newest state entry.

use super::number::Index;
use crate::merkle::{Frontier, Hash};
use crate::note::TreeHead;

/// The head of a log, as commits, saves and published checkpoints speak of it.
///
/// A checkpoint signs the [`TreeHead`] alone. The journal's frames and the saved state have no place
/// for `state` yet: they keep the tree, what is read back from them has `None`, and a commit that
/// names a state entry is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogHead {
    /// The tree over all entries.
    pub tree: TreeHead,
    /// The newest state entry in that tree. Always `None`: the entries say it
    /// (`docs/decisions/0024-heads-name-no-state-entry.md`).
    pub state: Option<StateHead>,
}

/// What a state entry says: the root over the ledger's state as of some number of entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateHead {
    /// The state entry's own index.
    pub index: Index,
    /// Number of entries that the state rests on; at most `index`.
    pub size: u64,
    /// Root over that state.
    pub root: Hash,
}

impl LogHead {
    /// The head of a log that has no state entry.
    pub fn without_state(tree: TreeHead) -> Self {
        Self { tree, state: None }
    }

    /// The head of a log without entries.
    pub fn empty() -> Self {
        Self::without_state(TreeHead::of(&Frontier::default()))
    }
}
