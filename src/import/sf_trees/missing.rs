//! Trees of the books that the files lack: by them a part of a register is told from the whole.

use std::collections::BTreeSet;

use super::books::{BookedTree, TreeBooks};
use super::cells::UNLOCATED;
use super::register::TreeRegister;
use crate::record::PlotNumber;

/// So few trees may be missing whatever their share: registers lose rows, and are small in trials.
const FEW: u64 = 10;
/// And so many of a hundred.
const PERCENT: u64 = 5;

/// Trees that are in and of which the files have no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingTrees {
    /// How many.
    pub count: u64,
    /// Of how many that are in.
    pub known: u64,
    /// The first, by its id in the register.
    pub first: Option<u64>,
    /// On which plots they stand.
    pub plots: BTreeSet<PlotNumber>,
}

impl MissingTrees {
    /// Whether there are more than a whole register would lack. Trees whose rows are missing would
    /// then be taken for older ones, of which only the history of events tells, and a census would
    /// be one of a part.
    pub fn is_part(&self) -> bool {
        self.count > FEW && self.count * 100 > self.known * PERCENT
    }
}

/// Finds the trees of the books that the files do not speak of.
pub fn missing_trees(register: &TreeRegister, books: &TreeBooks) -> MissingTrees {
    let mut missing = MissingTrees {
        count: 0,
        known: 0,
        first: None,
        plots: BTreeSet::new(),
    };
    let events_tell = |id: u64, tree: &BookedTree<'_>| {
        // Without a place, it may be one that the table of added trees never had.
        tree.planting.plot == UNLOCATED
            && (!register.has_events() || register.trees.contains_key(&id))
    };
    for (id, tree) in books.by_id().standing {
        missing.known += 1;
        let row = register.trees.get(&id).and_then(|tree| tree.added);
        if row.is_none() && !events_tell(id, &tree) {
            missing.count += 1;
            missing.first = Some(missing.first.map_or(id, |first| first.min(id)));
            missing.plots.insert(tree.planting.plot);
        }
    }
    missing
}
