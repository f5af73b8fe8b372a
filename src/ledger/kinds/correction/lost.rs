//! Losses: trees of a planting stand no more; and what voiding a loss brings back.

use super::voided;
use crate::ledger::broken::{Contradiction, Sum, absent, present};
use crate::ledger::kinds::Voidable;
use crate::ledger::lineage::{Places, PlotCorrectionPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::plots::{check_capacity, known_plot};
use crate::ledger::state::{ClaimTree, LossState, LostRange, PlantingState, State, TreeState};
use crate::record::{Correction, Index, Planting, Serial};

/// The most trees with a claim that one loss takes, and the most losses by serial of one planting. What the
/// state notes of a loss and of a planting is proven as a whole, so it has a bound.
const DISPLACED_MAX: usize = 16_384;
const LOST_RANGES_MAX: usize = 8_192;

/// Checks whether trees of the planting `target` may be lost.
pub(super) fn judge(
    state: &State,
    target: Index,
    planting: &Planting,
    count: u32,
    first: Option<Serial>,
) -> Result<Places, Refusal> {
    let place = (planting.plot, planting.first_serial);
    let Some(known) = state.plantings.get(&place).filter(|known| !known.voided) else {
        return Err(voided("the planting was voided"));
    };
    let standing = known.standing();
    let excess = |detail: String| {
        Refusal::new(
            Code::LossExcess,
            detail,
            format!(
                "{standing} trees of this planting stand, with serials {} to {}",
                planting.first_serial, known.last_serial
            ),
        )
    };
    ensure(u64::from(count) <= standing, || {
        excess(format!("{count} trees lost"))
    })?;
    if let Some(first) = first {
        let range = lost_range(first, count, Index(0))
            .filter(|range| first >= planting.first_serial && range.last <= known.last_serial);
        let Some(range) = range else {
            return Err(excess(format!("{count} trees from serial {first} on")));
        };
        ensure(known.lost_ranges.len() < LOST_RANGES_MAX, || {
            Refusal::new(
                Code::LossExcess,
                format!("{LOST_RANGES_MAX} losses by serial are stated of this planting"),
                "state further ones without serials, or void some and state their serials together",
            )
        })?;
        let met = |other: &&LostRange| other.first <= range.last && range.first <= other.last;
        if let Some(other) = known.lost_ranges.iter().find(met) {
            return Err(Refusal::new(
                Code::TreeLost,
                format!(
                    "serials {} to {} are lost since entry {}",
                    other.first, other.last, other.lost_at
                ),
                "a tree is lost once",
            ));
        }
        let (first, last) = ((planting.plot, range.first), (planting.plot, range.last));
        let claimed = state.trees.range(first..=last).take(DISPLACED_MAX + 1);
        ensure(claimed.count() <= DISPLACED_MAX, || {
            Refusal::new(
                Code::LossExcess,
                format!("more than {DISPLACED_MAX} of these trees have a claim"),
                "state the loss in several parts",
            )
        })?;
    }
    let plot = Some(known_plot(state, planting.plot)?.last_entry);
    let target = Some(target);
    Ok(PlotCorrectionPlaces { target, plot }.into())
}

/// Takes trees of a planting off the books; claims of those that are named wait again.
pub(super) fn apply(
    state: &mut State,
    index: Index,
    planting: &Planting,
    count: u32,
    first: Option<Serial>,
) -> Result<(), Contradiction> {
    let place @ (plot, first_serial) = (planting.plot, planting.first_serial);
    let range = match first {
        Some(first) => Some(present(lost_range(first, count, index), "the last serial")?),
        None => None,
    };
    let mut displaced = Vec::new();
    if let Some(range) = range {
        let tied: Vec<Serial> = state
            .trees
            .range((plot, range.first)..=(plot, range.last))
            .map(|((_, serial), _)| *serial)
            .collect();
        for serial in tied {
            displaced.push((serial, state.untie(plot, serial)?));
        }
    }
    let lose = |known: &mut PlantingState| known.lose(count, range);
    present(state.plantings.update(&place, lose), "the planting")??;
    let loss = LossState {
        lost_at: index,
        plot,
        planting: first_serial,
        count,
        by_serial: range.is_some(),
        displaced,
    };
    absent(state.losses.insert(index, loss), "a new loss")?;
    let count = u64::from(count);
    state.change_plot(index, plot, |plot| plot.trees.lose(count))?;
    let totals = &mut state.globals.totals;
    totals.lost.raise(count, "trees lost")?;
    totals.standing.lower(count, "trees that stand")
}

impl Voidable for Correction {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let Some(loss) = state.losses.get(&target) else {
            return Err(voided("the planting that it speaks of was voided"));
        };
        let plot = known_plot(state, loss.plot)?;
        let standing = u128::from(plot.standing()) + u128::from(loss.count);
        check_capacity(&plot.plot, standing)?;
        let (target, plot) = (Some(target), Some(plot.last_entry));
        Ok(PlotCorrectionPlaces { target, plot }.into())
    }

    /// The trees stand again; claims that they were taken from get them back if they still wait
    /// and their assignment was not voided.
    fn apply_void(
        &self,
        state: &mut State,
        target: Index,
        index: Index,
    ) -> Result<(), Contradiction> {
        let loss = present(state.losses.remove(&target), "the loss")?;
        let place = (loss.plot, loss.planting);
        let restore = |known: &mut PlantingState| known.restore(loss.count, target);
        present(state.plantings.update(&place, restore), "the planting")??;
        let count = u64::from(loss.count);
        state.change_plot(index, loss.plot, |plot| plot.trees.restore(count))?;
        let totals = &mut state.globals.totals;
        totals.lost.lower(count, "trees lost")?;
        totals.standing.raise(count, "trees that stand")?;
        for (serial, tree) in loss.displaced {
            if may_return(state, &tree)? {
                state.tie(loss.plot, serial, tree)?;
            }
        }
        Ok(())
    }
}

/// Whether a claim that lost its tree may have it again.
fn may_return(state: &State, tree: &TreeState) -> Result<bool, Contradiction> {
    let claim = present(state.claims.get(&tree.claim), "a claim that lost its tree")?;
    Ok(claim.tree == ClaimTree::Waiting && !state.voided.contains(&tree.assigned_at))
}

/// The serials of a loss, if they do not run out.
fn lost_range(first: Serial, count: u32, lost_at: Index) -> Option<LostRange> {
    let last = first.0.checked_add(count.checked_sub(1)?).map(Serial)?;
    Some(LostRange {
        first,
        last,
        lost_at,
    })
}
