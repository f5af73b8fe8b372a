//! Numbers of a method that were used when others were in effect already: days before a change that are
//! stated long after it, and prices of the day before.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::audit::awards::AwardRow;
use crate::audit::observe::Span;
use crate::record::{Day, MethodId, MethodVersion};

/// An award for a day before a change may come in so many days after it.
const LATE_DAYS: u32 = 31;

/// Awards by older versions of methods.
pub(super) struct OldVersions {
    /// The versions that others followed, with the day on which the next one came into effect.
    ended: BTreeMap<(MethodId, MethodVersion), Day>,
    /// Awards that came in long after that, where the next version gives less.
    late: BTreeMap<(MethodId, MethodVersion), (Span, u128)>,
}

impl OldVersions {
    pub(super) fn new(facts: &Facts<'_>) -> Self {
        let methods: Vec<_> = facts.state.methods().map(|it| &it.method).collect();
        let ended = methods.windows(2).filter_map(|pair| match pair {
            [one, next] if one.id == next.id => Some(((one.id, one.version), next.effective_from)),
            _ => None,
        });
        Self {
            ended: ended.collect(),
            late: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, facts: &Facts<'_>, row: &AwardRow) -> Result<(), Inconsistent> {
        // Most ledgers have one version, and nothing to look up.
        let Some(until) = self.ended.get(&(row.method, row.version)) else {
            return Ok(());
        };
        let admitted_on = facts.admitted_on(row.index)?;
        if admitted_on <= until.later(LATE_DAYS) {
            return Ok(());
        }
        let factor = |version| {
            let activity = facts.state.activity(row.method, version, row.activity);
            activity.map_or(0, |it| it.factor.0)
        };
        let next = facts.state.method_in_effect(row.method, admitted_on);
        let next = next.map_or(row.version, |it| it.method.version);
        if factor(next) < factor(row.version) && facts.state.reversed(row.index) < row.points {
            let late = self.late.entry((row.method, row.version)).or_default();
            late.0.add(row.index);
            late.1 += u128::from(row.points.0);
        }
        Ok(())
    }

    pub(super) fn finding(self) -> Option<Finding> {
        let mut cases = Cases::new(
            "awards_by_old_factor",
            Severity::Medium,
            "The awards came in more than a month after a lower factor was in effect, for days before it: the days may \
             be chosen for the factor. Ask for the events behind, and why they came so late.",
        );
        let mut awards = 0;
        for ((method, version), (span, points)) in self.late {
            awards += span.count;
            let detail = format!("{}, {points} points", many(span.count, "award", "awards"));
            let subject = format!("method {method}, version {version}");
            cases.add(points, subject, detail, span.ends());
        }
        cases.finding(|_| {
            let awards = many(awards, "award was", "awards were");
            format!("{awards} stated late by a higher factor than the one in effect")
        })
    }
}

/// Claims at a price that had ended.
pub(super) fn claims(facts: &Facts<'_>) -> Result<Option<Finding>, Inconsistent> {
    let mut cases = Cases::new(
        "claims_at_old_price",
        Severity::Low,
        "The tree was paid for at the price of the day before, which the rules allow. Many on one day used it. Ask who \
         knew.",
    );
    // A day's claims together.
    let mut days = BTreeMap::<Day, Span>::new();
    let changes: Vec<_> = facts
        .state
        .methods()
        .map(|it| it.method.effective_from)
        .collect();
    let mut claims = 0;
    for (index, claim) in facts.state.claims() {
        let on = facts.admitted_on(*index)?;
        // Elsewhere there is no other price.
        if !changes.contains(&on) {
            continue;
        }
        let in_effect = facts.state.methods().filter(|method| {
            let now = facts.state.method_in_effect(method.method.id, on);
            now.is_some_and(|now| now.stated_at == method.stated_at)
        });
        let prices = in_effect.flat_map(|method| method.method.species.iter());
        let mut prices = prices.filter(|it| it.code == claim.species);
        if prices.all(|it| it.price > claim.points) {
            claims += 1;
            days.entry(on).or_default().add(*index);
        }
    }
    for (day, span) in days {
        let detail = many(span.count, "claim", "claims");
        cases.add(span.count.into(), format!("on {day}"), detail, span.ends());
    }
    Ok(cases.finding(|count| {
        let claims = many(claims, "claim was", "claims were");
        format!(
            "{claims} paid at a lower price that had ended, on {}",
            many(count, "day", "days")
        )
    }))
}
