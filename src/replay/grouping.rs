//! What comes before the rules: entries are put together in groups, and groups are held back until they may
//! be taken in.

use super::batches::{Batches, Group};
use super::check::CheckedEntry;
use super::lookahead::Lookahead;
use super::{ReplayError, violation};
use crate::record::Index;

/// Entries on their way to the rules. It knows no state, so that it can be on another thread than they are.
#[derive(Clone, Debug, Default)]
pub struct Grouping {
    batches: Batches,
    lookahead: Lookahead,
    next: u64,
}

impl Grouping {
    /// Begins at an entry that begins a group.
    pub fn at(next: Index) -> Self {
        Self {
            next: next.0,
            ..Self::default()
        }
    }

    /// The index of the entry that is to come.
    pub fn next_index(&self) -> Index {
        Index(self.next)
    }

    /// Puts the next entry, which a [`super::Checker`] has checked, together with those that wait for it;
    /// gives the groups that are to be taken in now, in order.
    ///
    /// # Errors
    /// [`ReplayError`] where a sealed batch is not whole.
    pub fn add(&mut self, checked: CheckedEntry) -> Result<Vec<Group>, ReplayError> {
        let index = self.next_index();
        let grouped = self.batches.add(index, checked);
        let grouped = grouped.map_err(|refusal| violation(index, &refusal))?;
        self.next += 1;
        Ok(grouped.map_or_else(Vec::new, |group| self.lookahead.add(group)))
    }

    /// Gives the groups that wait for a state entry which does not come.
    pub fn rest(&mut self) -> Vec<Group> {
        self.lookahead.rest()
    }

    /// Checks that the log does not end here within a sealed batch.
    ///
    /// # Errors
    /// [`ReplayError`] if it does.
    pub fn check_end(&self) -> Result<(), ReplayError> {
        let last = Index(self.next.saturating_sub(1));
        let end = self.batches.check_end();
        end.map_err(|refusal| violation(last, &refusal).into())
    }
}
