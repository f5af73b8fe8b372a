//! State entries: what the log itself says of its state. They follow from the entries, so nobody signs them but
//! the checkpoint, and whoever replays makes them again (`docs/format.md`, 5.4).

use super::broken::{Contradiction, InvariantBroken, Sum};
use super::state::{RULES_VERSION, State, StateMark, Totals};
use super::trie::DomainRoots;
use crate::merkle::Hash;
use crate::record::{Index, StateEntry, StateTotals, TimeMs};

/// The most entries between a state entry and the size that it speaks of.
pub const STATE_LAG_MAX: u64 = 1 << 18;

/// Checks that a state entry can stand at an index, whatever the entries are: the one before is below the index,
/// and the size above that one, not above the index, and not too far below it. Gives what is wrong.
///
/// # Errors
/// What is wrong, in words.
pub fn check_state_place(entry: &StateEntry, index: Index) -> Result<(), String> {
    if let Some(before) = entry.before.filter(|before| *before >= index) {
        return Err(format!(
            "the state entry {before} can't be before the one at {index}"
        ));
    }
    // It speaks of the state entry before, too: those who replay keep no state of a smaller size once they
    // have met that one.
    let size_min = entry.before.map_or(1, |before| before.0.saturating_add(1));
    let lag = index.0.checked_sub(entry.size);
    if entry.size < size_min || lag.is_none_or(|lag| lag > STATE_LAG_MAX) {
        return Err(format!(
            "it speaks of the first {} entries; it must speak of at least {size_min}, of no more than {index}, \
             and of at most {STATE_LAG_MAX} less than that",
            entry.size
        ));
    }
    Ok(())
}

impl Totals {
    /// The sums as a state entry has them. By rule 5, what was awarded and what is owed are each below 2^63, so
    /// that every sum fits.
    fn fixed(&self) -> Result<StateTotals, Contradiction> {
        fn fits<T: TryInto<U>, U>(sum: T) -> Result<U, Contradiction> {
            let beyond = |_| Contradiction::new("a sum of points does not fit 64 bits");
            sum.try_into().map_err(beyond)
        }
        Ok(StateTotals {
            awarded: fits(self.awarded)?,
            reversed: fits(self.reversed)?,
            expired: fits(self.expired)?,
            spent_elsewhere: fits(self.spent_elsewhere)?,
            claimed: fits(self.claimed)?,
            balances: fits(self.balances)?,
            owed: self.owed,
            planted_recorded: self.planted_recorded,
            planted_voided: self.planted_voided,
            lost: self.lost,
            standing: self.standing,
            assigned: self.assigned,
            waiting: self.waiting,
            claims: self.claims,
            accounts_negative: self.accounts_negative,
        })
    }
}

/// What a state entry must say of a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateSaid {
    /// The number of entries that the state rests on.
    size: u64,
    root: Hash,
    totals: StateTotals,
}

impl StateSaid {
    /// Compares a state entry with it.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn check(&self, entry: &StateEntry) -> Result<(), String> {
        let Self { size, root, totals } = self;
        if *root.as_bytes() != entry.root {
            return Err(format!(
                "its state root is not that of the first {size} entries, which is {root}"
            ));
        }
        if *totals != entry.totals {
            return Err(format!(
                "its totals are not those of the first {size} entries"
            ));
        }
        Ok(())
    }
}

impl State {
    /// The state entry that speaks of the first `size` entries, which had these roots and totals, if it is the
    /// next entry.
    ///
    /// # Errors
    /// [`InvariantBroken`], if a sum is beyond what the rules allow.
    pub fn next_state_entry(
        &self,
        admitted_at: TimeMs,
        size: u64,
        roots: &DomainRoots,
        totals: &Totals,
    ) -> Result<StateEntry, InvariantBroken> {
        let index = Index(self.globals.entries);
        Ok(StateEntry {
            admitted_at,
            size,
            before: self.globals.state_entry.map(|mark| mark.index),
            rules_version: RULES_VERSION,
            root: *roots.state_root().as_bytes(),
            totals: totals
                .fixed()
                .map_err(|contradiction| contradiction.at(index))?,
        })
    }

    /// Checks what of a state entry shows without the state that it speaks of: that it comes behind the one
    /// before, and not too late. Gives what is wrong.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check_state_entry(&self, entry: &StateEntry) -> Result<(), String> {
        let index = self.globals.entries;
        let before = self.globals.state_entry;
        if entry.before != before.map(|mark| mark.index) {
            return Err(match before {
                Some(mark) => format!("the state entry before it is {}", mark.index),
                None => "no state entry is before it".to_owned(),
            });
        }
        check_state_place(entry, Index(index))
    }

    /// What a state entry must say of this state. Makes the state's root.
    ///
    /// # Errors
    /// In words, if the state contradicts itself.
    pub fn said(&self) -> Result<StateSaid, String> {
        let roots = self.roots().map_err(|error| error.to_string())?;
        self.globals
            .check_sums(&roots)
            .map_err(|error| error.to_string())?;
        let size = self.globals.entries;
        let totals = self.globals.totals.fixed();
        Ok(StateSaid {
            size,
            root: roots.state_root(),
            totals: totals.map_err(|contradiction| contradiction.at(Index(size)).to_string())?,
        })
    }

    /// Takes in a state entry that was checked: no domain changes.
    ///
    /// # Errors
    /// [`InvariantBroken`], as [`Self::apply`].
    pub fn apply_state_entry(&mut self, entry: &StateEntry) -> Result<Index, InvariantBroken> {
        let index = Index(self.globals.entries);
        let raised = self.globals.entries.raise(1, "entries");
        raised.map_err(|contradiction| contradiction.at(index))?;
        self.globals.last_admitted_at = entry.admitted_at;
        self.globals.state_entry = Some(StateMark {
            index,
            size: entry.size,
        });
        Ok(index)
    }
}
