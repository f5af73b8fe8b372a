//! Losses: trees of a planting stand no more; and what voiding a loss brings back.

use super::voided;
use crate::ledger::kinds::Voidable;
use crate::ledger::lineage::{Places, PlotCorrectionPlaces};
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::rules::plots::check_capacity;
use crate::ledger::state::{ClaimTree, LossState, LostRange, State, TreeState};
use crate::record::{Correction, Index, Planting, PlotNumber, Serial};

/// Says whether trees of the planting `target` may be lost.
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
    let standing = planting.count.get().saturating_sub(known.lost);
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
    ensure(count <= standing, || excess(format!("{count} trees lost")))?;
    if let Some(first) = first {
        let range = lost_range(first, count, Index(0))
            .filter(|range| first >= planting.first_serial && range.last <= known.last_serial);
        let Some(range) = range else {
            return Err(excess(format!("{count} trees from serial {first} on")));
        };
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
    }
    let plot = state.last_entry_of_plot(planting.plot);
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
) {
    let plot = planting.plot;
    let range = first.and_then(|first| lost_range(first, count, index));
    let mut displaced = Vec::new();
    if let Some(range) = range {
        let tied: Vec<Serial> = state
            .trees
            .range((plot, range.first)..=(plot, range.last))
            .map(|((_, serial), _)| *serial)
            .collect();
        for serial in tied {
            displaced.extend(state.untie(plot, serial).map(|tree| (serial, tree)));
        }
    }
    state
        .plantings
        .update(&(plot, planting.first_serial), |known| {
            known.lost += count;
            known.lost_ranges.extend(range);
        });
    let loss = LossState {
        plot,
        planting: planting.first_serial,
        count,
        by_serial: range.is_some(),
        displaced,
    };
    state.losses.insert(index, loss);
    count_lost(state, index, plot, i64::from(count));
}

fn count_lost(state: &mut State, index: Index, plot: PlotNumber, change: i64) {
    state.plots.update(&plot, |plot| {
        plot.last_entry = index;
        plot.lost = plot.lost.saturating_add_signed(change);
    });
    let totals = &mut state.globals.totals;
    totals.lost = totals.lost.saturating_add_signed(change);
    totals.standing = totals.standing.saturating_add_signed(-change);
}

impl Voidable for Correction {
    fn judge_void(&self, state: &State, target: Index) -> Result<Places, Refusal> {
        let Some(loss) = state.losses.get(&target) else {
            return Err(voided("the planting that it speaks of was voided"));
        };
        if let Some(plot) = state.plots.get(&loss.plot) {
            let standing = plot.standing().saturating_add(loss.count.into());
            check_capacity(&plot.plot, standing)?;
        }
        let plot = state.last_entry_of_plot(loss.plot);
        let target = Some(target);
        Ok(PlotCorrectionPlaces { target, plot }.into())
    }

    /// The trees stand again; claims that they were taken from get them back if they still wait
    /// and their assignment was not voided.
    fn apply_void(&self, state: &mut State, target: Index, index: Index) {
        let Some(loss) = state.losses.remove(&target) else {
            return;
        };
        state
            .plantings
            .update(&(loss.plot, loss.planting), |known| {
                known.lost = known.lost.saturating_sub(loss.count);
                known.lost_ranges.retain(|range| range.lost_at != target);
            });
        count_lost(state, index, loss.plot, -i64::from(loss.count));
        for (serial, tree) in loss.displaced {
            if may_return(state, &tree) {
                state.tie(loss.plot, serial, tree);
            }
        }
    }
}

fn may_return(state: &State, tree: &TreeState) -> bool {
    let waits = state
        .claims
        .get(&tree.claim)
        .is_some_and(|claim| claim.tree == ClaimTree::Waiting);
    waits && !state.voided.contains(&tree.assigned_at)
}

fn lost_range(first: Serial, count: u32, lost_at: Index) -> Option<LostRange> {
    let last = first.0.checked_add(count.checked_sub(1)?).map(Serial)?;
    Some(LostRange {
        first,
        last,
        lost_at,
    })
}
