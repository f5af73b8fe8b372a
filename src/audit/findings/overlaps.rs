//! Plots on the same land.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::ground::Ground;
use crate::audit::neighbours::Neighbours;
use crate::record::{Index, PlotNumber};

/// Land that two plots have in common is contact, and no overlap, below this share of the smaller plot:
/// neighbours' corners are rounded, and measured twice.
const CONTACT_SHARE: f64 = 0.001;
/// A plot over more plots than this is told as that, and held against no others.
const BELOW_MAX: usize = 1_000;
/// Pairs of edges that are compared at most, in all. Beyond, the finding says that not all were.
const WORK_MAX: u64 = 1 << 33;
/// Of the plots that a plot lies over, those that are named.
const NAMED_MAX: usize = 9;

struct Stated {
    number: PlotNumber,
    at: Index,
    ground: Ground,
    /// Square metres that the statement says.
    area_m2: f64,
    /// Square metres of its outline or circle.
    ground_m2: f64,
}

/// A plot below another, and what both cover.
struct Below {
    number: PlotNumber,
    at: Index,
    area_m2: f64,
    common_m2: f64,
}

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let plots = facts.state.plots().map(|(number, plot)| {
        let ground = Ground::of(&plot.plot.place);
        let ground_m2 = ground.area_m2();
        #[expect(
            clippy::cast_precision_loss,
            reason = "an area, of which the first digits count"
        )]
        let stated_m2 = plot.plot.area_m2 as f64;
        Stated {
            number: *number,
            at: plot.stated_at,
            area_m2: match ground.is_outline() {
                true => ground_m2,
                false => stated_m2.min(ground_m2),
            },
            ground,
            ground_m2,
        }
    });
    let mut plots: Vec<Stated> = plots.collect();
    // Each is held against those that are not larger, so that one over a whole country comes last.
    plots.sort_by(|a, b| a.ground.reach_m().total_cmp(&b.ground.reach_m()));
    let circles: Vec<_> = plots
        .iter()
        .map(|plot| (plot.ground.middle(), plot.ground.reach_m()))
        .collect();
    let index = Neighbours::new(&circles);

    let mut surely = Cases::new(
        "plots_overlap",
        Severity::Medium,
        "Plots cover the same land, which counts twice with all its trees. Of plots that are given as circles, \
         there is no room for the areas beside each other. Compare the outlines.",
    );
    let mut perhaps = Cases::new(
        "plots_may_overlap",
        Severity::Low,
        "The circles that hold the plots overlap; there is room for the areas beside each other, or one in a hole of \
         the other. Only outlines can tell: ask for those that the plots' entries name by digest, or for new \
         statements with corners.",
    );
    let (mut sure_pairs, mut other_pairs) = (0, 0);
    let mut work = WORK_MAX;
    let mut unfinished = false;
    for (place, plot) in plots.iter().enumerate() {
        let (mut sure, mut possible) = (Vec::new(), Vec::new());
        index.near(plot.ground.middle(), plot.ground.reach_m(), |other| {
            let Some(other) = plots.get(other).filter(|_| other < place) else {
                return true;
            };
            let Some(left) = work.checked_sub(plot.ground.work(&other.ground)) else {
                unfinished = true;
                return false;
            };
            work = left;
            let common_m2 = plot.ground.common_m2(&other.ground);
            let contact = CONTACT_SHARE * plot.area_m2.min(other.area_m2);
            if common_m2 <= contact || common_m2 < 1.0 {
                return true;
            }
            let both_m2 = least_common_m2(plot, other, common_m2);
            let (list, common_m2) = if both_m2 > contact {
                (&mut sure, both_m2)
            } else if possible.len() < BELOW_MAX {
                (&mut possible, common_m2)
            } else {
                return true;
            };
            list.push(Below {
                number: other.number,
                at: other.at,
                area_m2: other.area_m2,
                common_m2,
            });
            sure.len() < BELOW_MAX
        });
        sure_pairs += sure.len() as u64;
        other_pairs += possible.len() as u64;
        add(&mut surely, plot, sure);
        add(&mut perhaps, plot, possible);
    }
    let not_all = if unfinished {
        "; not all pairs were compared, they are too many"
    } else {
        ""
    };
    let surely = surely.finding(|count| {
        format!(
            "{} of plots cover the same land, {}{not_all}",
            many(sure_pairs, "pair", "pairs"),
            many(count, "plot lies over others", "plots lie over others"),
        )
    });
    let perhaps = perhaps.finding(|count| {
        format!(
            "{} of plots lie in circles that overlap, {}{not_all}",
            many(other_pairs, "pair", "pairs"),
            many(
                count,
                "circle reaches over others",
                "circles reach over others"
            ),
        )
    });
    surely.into_iter().chain(perhaps).collect()
}

/// Square metres that both plots cover at least, wherever in their circles they lie: what does not fit
/// beside the common part lies in it. An outline is covered as a whole.
fn least_common_m2(one: &Stated, other: &Stated, common_m2: f64) -> f64 {
    let within = |plot: &Stated| (plot.area_m2 - (plot.ground_m2 - common_m2)).max(0.0);
    (within(one) + within(other) - common_m2).max(0.0)
}

/// Adds a plot with all that it lies over as one case, so that one over a country takes the place of one.
fn add(cases: &mut Cases, plot: &Stated, mut below: Vec<Below>) {
    if below.is_empty() {
        return;
    }
    below.sort_by(|a, b| b.common_m2.total_cmp(&a.common_m2));
    let all_m2: f64 = below.iter().map(|it| it.common_m2).sum();
    let named: Vec<String> = below
        .iter()
        .take(NAMED_MAX)
        .map(|it| it.number.to_string())
        .collect();
    let subject = match below.as_slice() {
        [one] => {
            let (first, last) = (plot.number.min(one.number), plot.number.max(one.number));
            format!("plots {first} and {last}")
        }
        _ => format!("plot {} over plots {}", plot.number, named.join(", ")),
    };
    let detail = match below.as_slice() {
        [] => String::new(),
        [one] => format!(
            "{all_m2:.0} m² in common, of {:.0} m² and {:.0} m²",
            plot.area_m2, one.area_m2
        ),
        [most, ..] => {
            let count = below.len();
            let or_more = if count >= BELOW_MAX { " or more" } else { "" };
            format!(
                "{all_m2:.0} m² in common with {count} plots{or_more}, {:.0} m² of them with plot {}",
                most.common_m2, most.number
            )
        }
    };
    let mut indexes: Vec<Index> = below.iter().take(NAMED_MAX).map(|it| it.at).collect();
    indexes.push(plot.at);
    indexes.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "square metres on the Earth, at least 1"
    )]
    let weight = all_m2 as u128;
    cases.add(weight, subject, detail, indexes);
}
