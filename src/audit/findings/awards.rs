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
        for one in rows.chunk_by(|a, b| (a.method, a.activity) == (b.method, b.activity)) {
            let days: Vec<OneDay<'_>> = one
                .chunk_by(|a, b| a.occurred_on == b.occurred_on)
                .map(|rows| OneDay::new(facts, rows))
                .collect();
            for day in &days {
                see_split(day, &mut split);
            }
            see_daily(&days, &mut daily);
        }
        see_bursts(facts, rows, &mut burst);
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

/// Awards of one account, method, activity and day.
struct OneDay<'a> {
    rows: &'a [AwardRow],
    /// Their points, less reversals.
    net: u128,
    /// The most that one award may give, of the versions that awarded on that day.
    cap: Option<u128>,
}

impl<'a> OneDay<'a> {
    fn new(facts: &Facts<'_>, rows: &'a [AwardRow]) -> Self {
        let caps = rows.iter().filter_map(|row| {
            let activity = facts.state.activity(row.method, row.version, row.activity);
            activity.map(|activity| u128::from(activity.cap.0))
        });
        Self {
            rows,
            net: rows.iter().map(|row| net(facts, row)).sum(),
            cap: caps.max(),
        }
    }
}

fn net(facts: &Facts<'_>, row: &AwardRow) -> u128 {
    let Grams(reversed) = facts.state.reversed(row.index);
    u128::from(row.points.0.saturating_sub(reversed))
}

fn see_split(day: &OneDay<'_>, cases: &mut Cases) {
    let ([first, _, ..], Some(cap)) = (day.rows, day.cap) else {
        return;
    };
    if day.net > cap {
        let detail = format!(
            "{} awards for {}, {} points together, the cap is {cap}",
            day.rows.len(),
            first.occurred_on,
            day.net
        );
        let over = u64::try_from(day.net - cap).unwrap_or(u64::MAX);
        cases.add(
            over,
            format!("account {}", first.account),
            detail,
            day.rows.iter().map(|row| row.index).take(10).collect(),
        );
    }
}

/// Days of one account and activity, in order.
fn see_daily(days: &[OneDay<'_>], cases: &mut Cases) {
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
    for day in days {
        let at_cap = day.cap.is_some_and(|cap| day.net >= cap);
        let Some(row) = day.rows.last().filter(|_| at_cap) else {
            continue;
        };
        run = match run {
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

fn see_bursts(facts: &Facts<'_>, rows: &[AwardRow], cases: &mut Cases) {
    if rows.len() < BURST_AWARDS {
        return;
    }
    let standing = rows.iter().filter(|row| net(facts, row) > 0);
    let mut days: Vec<_> = standing.map(|row| (row.occurred_on, row.index)).collect();
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
