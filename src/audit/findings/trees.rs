//! Where plots lie, how dense they are, who has their carbon, and losses without evidence.

use super::{Cases, Facts, Finding, Severity, many};
use crate::ledger::PlotState;
use crate::record::{CarbonRights, PlotNumber, PlotPlace};
use std::collections::BTreeMap;

/// A plot is nearly full from this share of its capacity on, in hundredths.
const DENSE_PERCENT: u64 = 90;
/// Characters of an outline that a case shows: a digest whole, of corners the first few.
const OUTLINE_SHOWN: usize = 80;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    [
        same_outline(facts),
        larger_than_circle(facts),
        carbon_sold(facts),
        carbon_unknown(facts),
        dense(facts),
        without_evidence(facts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn same_outline(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plots_same_outline",
        Severity::High,
        "Several plots have one outline: the same land counts more than once. Ask which of them \
         there are.",
    );
    let mut outlines = BTreeMap::<String, Vec<&(PlotNumber, PlotState)>>::new();
    for plot in facts.state.plots() {
        let stated = &plot.1.plot;
        if let Some(digest) = &stated.finer_outline {
            let named = outlines.entry(format!("finer outline {digest}"));
            named.or_default().push(plot);
        }
        if let PlotPlace::Outline { points } = &stated.place {
            let corners = points
                .iter()
                .map(|it| format!(" {}/{}", it.latitude.e7(), it.longitude.e7()));
            let named = outlines.entry(format!("corners{}", corners.collect::<String>()));
            named.or_default().push(plot);
        }
    }
    for (outline, plots) in outlines.iter().filter(|(_, plots)| plots.len() > 1) {
        let names: Vec<_> = plots.iter().map(|(number, _)| number.to_string()).collect();
        let first: Vec<_> = names.iter().take(10).cloned().collect();
        let outline: String = outline.chars().take(OUTLINE_SHOWN).collect();
        cases.add(
            plots.len() as u128,
            format!("plots {}", first.join(", ")),
            format!("{} plots with {outline}", plots.len()),
            plots
                .iter()
                .map(|(_, plot)| plot.stated_at)
                .take(10)
                .collect(),
        );
    }
    cases.finding(|count| {
        let outlines = many(count, "outline is", "outlines are");
        format!("{outlines} that of several plots")
    })
}

fn larger_than_circle(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plot_larger_than_circle",
        Severity::Medium,
        "The stated area does not fit into the circle that is said to hold the plot, and the area \
         decides how many trees it may hold. Ask for the outline.",
    );
    for stated in facts.state.plots() {
        let (_, plot) = stated;
        let radius = f64::from(plot.plot.place.circle().radius_m);
        let circle = std::f64::consts::PI * radius * radius;
        let area = plot.plot.area_m2 as f64;
        if area > circle {
            let detail = format!("area {} m², circle {circle:.0} m²", plot.plot.area_m2);
            #[expect(clippy::cast_possible_truncation, reason = "square metres below 2^64")]
            let excess = (area - circle) as u128;
            cases.add_plot(excess, stated, detail);
        }
    }
    cases.finding(|count| {
        let plots = many(count, "plot is", "plots are");
        format!("{plots} larger than the circle around")
    })
}

fn carbon_sold(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "carbon_credits_issued",
        Severity::High,
        "Credits were issued on these plots: what the trees store may be sold to somebody else \
         too. Ask how the programme tells its users.",
    );
    for stated in facts.state.plots() {
        let (_, plot) = stated;
        if let CarbonRights::Issued { registry, id } = &plot.plot.carbon_rights {
            let detail = format!("registry {registry}, project {id}");
            cases.add_plot(plot.planted().into(), stated, detail);
        }
    }
    cases.finding(|count| {
        let plots = many(count, "plot", "plots");
        format!("on {plots} carbon credits were issued")
    })
}

fn carbon_unknown(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "carbon_rights_unknown",
        Severity::Low,
        "Nobody says whether credits were issued on these plots. Ask the planter.",
    );
    for stated in facts.state.plots() {
        let (_, plot) = stated;
        if plot.plot.carbon_rights == CarbonRights::Unknown {
            let detail = format!("{} trees planted", plot.planted());
            cases.add_plot(plot.planted().into(), stated, detail);
        }
    }
    cases.finding(|count| {
        let plots = many(count, "plot", "plots");
        format!("of {plots} the carbon rights are unknown")
    })
}

fn dense(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plot_nearly_full",
        Severity::Low,
        "The books hold nearly as many trees as the plot's area allows at the density that it \
         states. Ask whether that density grows there.",
    );
    for stated in facts.state.plots() {
        let (_, plot) = stated;
        let (standing, capacity) = (plot.standing(), plot.capacity());
        let percent = u128::from(standing) * 100 / u128::from(capacity.max(1));
        if standing > 0 && percent >= u128::from(DENSE_PERCENT) {
            let detail = format!(
                "{standing} of at most {capacity} trees, at {} a hectare",
                plot.plot.trees_per_ha_max
            );
            cases.add_plot(standing.into(), stated, detail);
        }
    }
    cases.finding(|count| {
        let plots = many(count, "plot is", "plots are");
        format!("{plots} at {DENSE_PERCENT} % of their capacity or above")
    })
}

fn without_evidence(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "losses_without_evidence",
        Severity::Low,
        "Trees were taken out of the books on somebody's word. Ask for evidence.",
    );
    let mut trees = 0;
    for (index, loss) in &facts.observations.losses {
        if loss.evidence.is_none() && facts.state.voided_by(*index).is_none() {
            trees += u64::from(loss.count);
            let detail = format!(
                "{} lost on {}",
                many(loss.count.into(), "tree", "trees"),
                loss.on
            );
            cases.add(
                loss.count.into(),
                format!("entry {index}"),
                detail,
                vec![*index],
            );
        }
    }
    cases.finding(|count| {
        let losses = many(count, "loss names", "losses name");
        format!("{losses} no evidence, of {}", many(trees, "tree", "trees"))
    })
}
