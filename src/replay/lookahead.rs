//! Groups of entries, held back until a state entry shows of which size it speaks: only then is known where the
//! state has to be kept, so that its root can be compared. A log with a state entry a second is held back by
//! a second.

use std::collections::VecDeque;

use super::batches::Group;
use crate::ledger::STATE_LAG_MAX;
use crate::record::Entry;

/// Groups that wait for a state entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookahead {
    held: VecDeque<Group>,
    /// Number of entries in `held`.
    entries: u64,
}

impl Lookahead {
    /// Takes the next group; gives those that may be taken in now. All, if it is a state entry: then the
    /// group behind the entries that it speaks of is marked. No state entry that comes speaks of a size
    /// farther back than [`STATE_LAG_MAX`], so that no more entries are held.
    pub(super) fn add(&mut self, group: Group) -> Vec<Group> {
        let size = group.taken().find_map(|taken| match taken.checked.entry() {
            Entry::State(entry) => Some(entry.size),
            Entry::Signed(_) | Entry::Sealed(_) => None,
        });
        self.entries += group.len();
        self.held.push_back(group);
        if let Some(size) = size {
            let place = self
                .held
                .binary_search_by_key(&size, |group| group.first().0);
            if let Ok(place) = place
                && let Some(group) = self.held.get_mut(place)
            {
                group.set_spoken_of();
            }
            return self.rest();
        }
        let mut ready = Vec::new();
        while self.entries > STATE_LAG_MAX
            && let Some(group) = self.held.pop_front()
        {
            self.entries -= group.len();
            ready.push(group);
        }
        ready
    }

    /// Gives all that are held: no state entry is to come.
    pub(super) fn rest(&mut self) -> Vec<Group> {
        self.entries = 0;
        std::mem::take(&mut self.held).into()
    }
}
