//! Awards held against each other: split above the cap, at the cap day after day, in bursts, for
//! one event twice.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::awards::{AwardRow, AwardRows, AwardRowsError};
use crate::record::{Grams, Index};

/// So many days in a row at the cap are a finding.
const CAP_DAYS: u64 = 7;
/// So many awards to one account on one day are a burst.
const BURST_AWARDS: usize = 100;

pub(super) fn findings(
    facts: &Facts<'_>,
    awards: &mut AwardRows,
) -> Result<Vec<Finding>, AwardRowsError> {
    let mut split = Cases::new(
        "awards_split",
        Severity::Medium,
        "An award may not exceed the activity's cap, but several of one day together do. Ask \
         whether one event was cut into pieces.",
    );
    let mut daily = Cases::new(
        "awards_at_cap_daily",
        Severity::Medium,
        "Nobody rides as far as the cap allows every day. Ask for the events behind.",
    );
    let mut burst = Cases::new(
        "awards_burst",
        Severity::Medium,
        "So many awards to one account on one day look like a machine. Ask for the events behind.",
    );
    awards.each_account(|rows| {
        for one in rows.chunk_by(same_activity) {
            for day in one.chunk_by(|a, b| a.occurred_on == b.occurred_on) {
                see_split(facts, day, &mut split);
            }
            see_daily(facts, one, &mut daily);
        }
        see_bursts(rows, &mut burst);
    })?;
    let mut repeated = Cases::new(
        "award_evidence_repeated",
        Severity::High,
        "Several awards name the same evidence: one event was counted more than once. Ask for \
         reversals.",
    );
    awards.each_repeated_evidence(|digest, indexes| {
        let standing: Vec<Index> = indexes
            .into_iter()
            .filter(|(index, points)| facts.state.reversed(*index) < *points)
            .map(|(index, _)| index)
            .collect();
        if standing.len() > 1 {
            let detail = format!("{} awards for one event", standing.len());
            repeated.add(
                standing.len() as u64,
                format!("evidence {digest}"),
                detail,
                standing.iter().copied().take(10).collect(),
            );
        }
    })?;
    let found = [
        repeated.finding(|count| {
            let events = many(count, "event was", "events were");
            format!("{events} awarded more than once")
        }),
        split.finding(|count| {
            let times = many(count, "time", "times");
            format!("{times} the awards of one account, activity and day together exceed the cap")
        }),
        daily.finding(|count| {
            let runs = many(count, "run", "runs");
            format!("{runs} of {CAP_DAYS} days or more at the cap each day")
        }),
        burst.finding(|count| {
            let days = many(count, "time", "times");
            format!("{days} an account was given {BURST_AWARDS} awards or more for one day")
        }),
    ];
    Ok(found.into_iter().flatten().collect())
}

fn same_activity(a: &AwardRow, b: &AwardRow) -> bool {
    (a.method, a.version, a.activity) == (b.method, b.version, b.activity)
}

/// Awards of one account, activity and day.
fn see_split(facts: &Facts<'_>, rows: &[AwardRow], cases: &mut Cases) {
    let [first, _, ..] = rows else { return };
    let Some(cap) = facts
        .state
        .activity(first.method, first.version, first.activity)
        .map(|activity| activity.cap)
    else {
        return;
    };
    let net = |row: &AwardRow| {
        let Grams(reversed) = facts.state.reversed(row.index);
        u128::from(row.points.0.saturating_sub(reversed))
    };
    let sum: u128 = rows.iter().map(net).sum();
    if sum > u128::from(cap.0) {
        let detail = format!(
            "{} awards for {}, {sum} points together, the cap is {cap}",
            rows.len(),
            first.occurred_on
        );
        let over = u64::try_from(sum - u128::from(cap.0)).unwrap_or(u64::MAX);
        cases.add(
            over,
            format!("account {}", first.account),
            detail,
            rows.iter().map(|row| row.index).take(10).collect(),
        );
    }
}

/// Awards of one account and activity, by day.
fn see_daily(facts: &Facts<'_>, rows: &[AwardRow], cases: &mut Cases) {
    let at_cap = rows
        .iter()
        .filter(|row| row.at_cap && facts.state.reversed(row.index) == Grams(0));
    let mut run: Option<(&AwardRow, &AwardRow, u64)> = None;
    let mut end = |run: Option<(&AwardRow, &AwardRow, u64)>| {
        if let Some((first, last, days)) = run
            && days >= CAP_DAYS
        {
            let detail = format!(
                "{days} days in a row at the cap, from {} to {}",
                first.occurred_on, last.occurred_on
            );
            cases.add(
                days,
                format!("account {}", first.account),
                detail,
                vec![first.index, last.index],
            );
        }
    };
    for row in at_cap {
        run = match run {
            Some((first, last, days)) if row.occurred_on == last.occurred_on => {
                Some((first, last, days))
            }
            Some((first, last, days))
                if last.occurred_on.0.checked_add(1) == Some(row.occurred_on.0) =>
            {
                Some((first, row, days + 1))
            }
            other => {
                end(other);
                Some((row, row, 1))
            }
        };
    }
    end(run);
}

fn see_bursts(rows: &[AwardRow], cases: &mut Cases) {
    if rows.len() < BURST_AWARDS {
        return;
    }
    let mut days: Vec<_> = rows
        .iter()
        .map(|row| (row.occurred_on, row.index))
        .collect();
    days.sort_unstable();
    for day in days.chunk_by(|a, b| a.0 == b.0) {
        if let [(on, first), .., (_, last)] = day
            && day.len() >= BURST_AWARDS
            && let Some(row) = rows.first()
        {
            cases.add(
                day.len() as u64,
                format!("account {}", row.account),
                format!("{} awards for {on}", day.len()),
                vec![*first, *last],
            );
        }
    }
}
