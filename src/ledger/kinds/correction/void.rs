//! Voids: all effect of an entry is undone. How, each kind's own file says.

use super::{target_refused, voided};
use crate::ledger::broken::{Contradiction, absent, present};
use crate::ledger::kinds::rules_of;
use crate::ledger::lineage::Places;
use crate::ledger::refusal::Refusal;
use crate::ledger::state::State;
use crate::record::{Index, Remedy, Statement};

/// Checks whether the entry `target` may be undone.
pub(super) fn judge(
    state: &State,
    target: Index,
    statement: &Statement,
) -> Result<Places, Refusal> {
    if let Some(by) = state.voided.get(&target) {
        return Err(voided(&format!("entry {target} was voided by entry {by}")));
    }
    match rules_of(statement).voidable() {
        Some(voidable) => voidable.judge_void(state, target),
        None => Err(target_refused(&Remedy::Void, statement.kind())),
    }
}

/// Undoes the entry `target`.
pub(super) fn apply(
    state: &mut State,
    index: Index,
    target: Index,
    statement: &Statement,
) -> Result<(), Contradiction> {
    absent(state.voided.insert(target, index), "the void of the entry")?;
    let voidable = present(rules_of(statement).voidable(), "a way to void the entry")?;
    voidable.apply_void(state, target, index)
}
