//! What can be wrong with a state, and the checked sums that find it.

use crate::record::Index;

/// The state contradicts itself, or what was judged by it: a fault of this software or of the
/// machine, never of a record.
///
/// The state may be half changed. Nothing may be judged by it, answered from it or saved of it, and
/// the entry must not become durable: a log halts, an audit calls it a violation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} breaks an invariant of the ledger: {what}")]
pub struct InvariantBroken {
    /// The entry that was being applied.
    pub index: Index,
    /// What contradicts what.
    pub what: String,
}

/// As [`InvariantBroken`], before the entry is named.
#[derive(Debug)]
pub(super) struct Contradiction(String);

impl Contradiction {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// Names the entry that was being applied.
    pub(super) fn at(self, index: Index) -> InvariantBroken {
        InvariantBroken {
            index,
            what: self.0,
        }
    }
}

/// What must be in the state, since a rule was judged by it.
pub(super) fn present<T>(found: Option<T>, what: &str) -> Result<T, Contradiction> {
    found.ok_or_else(|| Contradiction::new(format!("{what} is not in the state")))
}

/// What was put in where nothing may have been: `before` is what was there.
pub(super) fn absent<T>(before: Option<T>, what: &str) -> Result<(), Contradiction> {
    match before {
        None => Ok(()),
        Some(_) => Err(Contradiction::new(format!(
            "{what} is in the state already"
        ))),
    }
}

/// A sum that never leaves its range: what would take it out was refused before.
pub(super) trait Sum: Sized {
    /// Adds to the sum, named `what`.
    fn raise(&mut self, by: Self, what: &str) -> Result<(), Contradiction>;

    /// Takes from the sum, named `what`.
    fn lower(&mut self, by: Self, what: &str) -> Result<(), Contradiction>;
}

macro_rules! sum {
    ($($int:ty),*) => {
        $(impl Sum for $int {
            fn raise(&mut self, by: Self, what: &str) -> Result<(), Contradiction> {
                let sum = self.checked_add(by);
                *self = sum.ok_or_else(|| {
                    Contradiction::new(format!("{what}: {self} and {by} more are out of range"))
                })?;
                Ok(())
            }

            fn lower(&mut self, by: Self, what: &str) -> Result<(), Contradiction> {
                let sum = self.checked_sub(by);
                *self = sum.ok_or_else(|| {
                    Contradiction::new(format!("{what}: {self} less {by} is out of range"))
                })?;
                Ok(())
            }
        })*
    };
}

sum!(u32, u64, u128, i128);
