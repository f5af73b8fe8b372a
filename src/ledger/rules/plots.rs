//! Rule 4, for every kind that names a plot: the plot exists, the trees fit on it, the evidence is new.

use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::{PlotState, State, capacity};
use crate::record::{Digest, Plot, PlotNumber};

/// The plot of this number.
pub(in crate::ledger) fn known_plot(
    state: &State,
    number: PlotNumber,
) -> Result<&PlotState, Refusal> {
    state.plots.get(&number).ok_or_else(|| {
        Refusal::new(
            Code::PlotUnknown,
            format!("there is no plot {number}"),
            "its planter states the plot first",
        )
    })
}

/// Checks that this number of trees fits on a plot.
pub(in crate::ledger) fn check_capacity(plot: &Plot, standing: u128) -> Result<(), Refusal> {
    let holds = capacity(plot);
    ensure(standing <= holds, || {
        Refusal::new(
            Code::PlotFull,
            format!("{standing} trees would stand on plot {}", plot.number),
            format!(
                "its area holds {holds} at {} a hectare",
                plot.trees_per_ha_max
            ),
        )
    })
}

/// Checks that no planting or survey had this evidence.
pub(in crate::ledger) fn check_evidence(state: &State, evidence: &Digest) -> Result<(), Refusal> {
    match state.evidence.get(evidence) {
        None => Ok(()),
        Some(index) => Err(Refusal::new(
            Code::EvidenceReused,
            format!("the evidence {evidence} served entry {index} already"),
            "each planting and each survey has evidence of its own",
        )),
    }
}
