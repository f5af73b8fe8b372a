//! Numbers of methods that were in effect for a short time, to the advantage of who knew: a factor that was higher than
//! before and after, a price that was lower.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::ledger::MethodState;
use crate::record::{Day, MethodId, SpeciesCode};

/// In effect for at most so many days.
const SHORT_DAYS: u32 = 92;

pub(super) fn findings(facts: &Facts<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let found = [factors(facts), prices(facts)?];
    Ok(found.into_iter().flatten().collect())
}

/// Versions of a method with those before and after, of those that were in effect for a short time.
fn short<'a>(facts: &Facts<'a>) -> Vec<(&'a MethodState, &'a MethodState, &'a MethodState)> {
    let mut methods = BTreeMap::<MethodId, Vec<&MethodState>>::new();
    for method in facts.state.methods() {
        methods.entry(method.method.id).or_default().push(method);
    }
    let mut short = Vec::new();
    for versions in methods.values() {
        for window in versions.windows(3) {
            let [before, it, after] = window else {
                continue;
            };
            let days = after
                .method
                .effective_from
                .0
                .saturating_sub(it.method.effective_from.0);
            if (1..=SHORT_DAYS).contains(&days) {
                short.push((*before, *it, *after));
            }
        }
    }
    short
}

fn days(it: &MethodState, after: &MethodState) -> String {
    let until = Day(after.method.effective_from.0.saturating_sub(1));
    format!("from {} to {until}", it.method.effective_from)
}

fn factors(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "factor_peak",
        Severity::Medium,
        "For some weeks an activity earned more than before and after. Whoever knew could choose these days. Ask why the \
         factor rose and fell, and who earned by it.",
    );
    for (before, it, after) in short(facts) {
        for activity in it.method.activities.iter() {
            let factor_in = |method: &MethodState| {
                let same = method
                    .method
                    .activities
                    .iter()
                    .find(|other| other.code == activity.code);
                same.map(|same| same.factor)
            };
            let is_lower = |other: &MethodState| {
                factor_in(other).is_some_and(|factor| factor < activity.factor)
            };
            let key = (it.method.id, it.method.version, activity.code);
            let Some(sums) = facts.observations.activities.get(&key) else {
                continue;
            };
            if is_lower(before) && is_lower(after) {
                let awards = many(sums.awards, "award", "awards");
                let detail = format!("{}: {awards}, {} points", days(it, after), sums.points);
                let subject = format!("method {}, version {}, {}", key.0, key.1, activity.name);
                cases.add(
                    sums.points,
                    subject,
                    detail,
                    vec![it.stated_at, after.stated_at],
                );
            }
        }
    }
    cases.finding(|count| {
        let factors = many(count, "factor was", "factors were");
        format!("{factors} higher than before and after for at most {SHORT_DAYS} days")
    })
}

fn prices(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "price_dip",
        Severity::Medium,
        "For some weeks a tree cost less than before and after. Ask why, and who bought.",
    );
    let mut dips = Vec::new();
    for (before, it, after) in short(facts) {
        for species in it.method.species.iter() {
            let price_in = |method: &MethodState| {
                let same = method
                    .method
                    .species
                    .iter()
                    .find(|other| other.code == species.code);
                same.map(|same| same.price)
            };
            let is_higher =
                |other: &MethodState| price_in(other).is_some_and(|price| price > species.price);
            if is_higher(before) && is_higher(after) {
                dips.push((it, after, species));
            }
        }
    }
    if dips.is_empty() {
        return Ok(None);
    }
    // Claims name no method: by species, price and day.
    let mut claims = BTreeMap::<(SpeciesCode, u64, Day), u64>::new();
    for (index, claim) in facts.state.claims() {
        let on = facts.admitted_on(*index)?;
        *claims
            .entry((claim.species, claim.points.0, on))
            .or_default() += 1;
    }
    for (it, after, species) in dips {
        let (from, until) = (it.method.effective_from, after.method.effective_from);
        // The price may be paid on the day after its last one.
        let within = (species.code, species.price.0, from)..=(species.code, species.price.0, until);
        let count: u64 = claims.range(within).map(|(_, count)| count).sum();
        if count > 0 {
            let detail = format!("{}: {}", days(it, after), many(count, "claim", "claims"));
            let subject = format!(
                "method {}, version {}, {}",
                it.method.id, it.method.version, species.name
            );
            cases.add(
                count.into(),
                subject,
                detail,
                vec![it.stated_at, after.stated_at],
            );
        }
    }
    Ok(cases.finding(|count| {
        let prices = many(count, "price was", "prices were");
        format!("{prices} lower than before and after for at most {SHORT_DAYS} days")
    }))
}
