//! Awards compared with each other: split above the cap, at the cap day after day, in bursts, for
//! one event twice.

use super::crowds::Crowds;
use super::earlier::Earlier;
use super::prices::OldVersions;
use super::{Cases, Facts, Finding, FindingsError, Inconsistent, Severity, caps, many};
use crate::audit::awards::{AwardRow, AwardRows};
use crate::record::{Grams, Index};

/// This many days in a row at the cap are a finding.
const CAP_DAYS: u64 = 7;
/// This many awards to one account on one day are a burst.
const BURST_AWARDS: usize = 100;

pub(super) fn findings(
    facts: &Facts<'_>,
    awards: &mut AwardRows,
) -> Result<Vec<Finding>, FindingsError> {
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
    let mut near = caps::cases();
    let mut crowds = Crowds::new(awards);
    let mut earlier = Earlier::new(facts);
    let mut old_versions = OldVersions::new(facts);
    awards.each_account(|rows, sent| {
        crowds.add(facts, rows, sent)?;
        earlier.add(facts, rows);
        for row in rows {
            old_versions.add(facts, row)?;
        }
        for one in rows.chunk_by(|a, b| (a.method, a.activity) == (b.method, b.activity)) {
            let days: Vec<OneDay<'_>> = one
                .chunk_by(|a, b| a.occurred_on == b.occurred_on)
                .map(|rows| OneDay::new(facts, rows))
                .collect::<Result<_, _>>()?;
            for day in &days {
                add_split(day, &mut split);
            }
            // Days at the cap are near it too.
            if !add_daily(&days, &mut daily) {
                caps::add(&days, &mut near);
            }
        }
        add_bursts(facts, rows, &mut burst)
    })?;
    let mut repeated = Cases::new(
        "award_evidence_repeated",
        Severity::High,
        "Several awards name the same evidence: one event was counted more than once. Ask for \
         reversals.",
    );
    awards.each_repeated_evidence(|digest, awards| {
        let standing: Vec<Index> = awards
            .into_iter()
            .filter(|(index, points)| facts.state.reversed(*index) < *points)
            .map(|(index, _)| index)
            .collect();
        if standing.len() > 1 {
            let detail = format!("{} awards for one event", standing.len());
            repeated.add(
                standing.len() as u128,
                format!("evidence {digest}"),
                detail,
                standing.iter().copied().take(10).collect(),
            );
        }
        Ok::<_, FindingsError>(())
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
    let mut found: Vec<Finding> = found.into_iter().flatten().collect();
    found.extend(caps::finding(near));
    found.extend(crowds.findings()?);
    found.extend(old_versions.finding());
    found.extend(earlier.finding());
    Ok(found)
}

/// Awards of one account, method, activity and day.
pub(super) struct OneDay<'a> {
    pub(super) rows: &'a [AwardRow],
    /// The sum of their points, less reversals.
    pub(super) net: u128,
    /// The most that one award may give, of the versions that awarded on that day.
    pub(super) cap: u128,
}

impl<'a> OneDay<'a> {
    fn new(facts: &Facts<'_>, rows: &'a [AwardRow]) -> Result<Self, Inconsistent> {
        let (mut sum, mut cap) = (0, 0);
        for row in rows {
            let activity = facts.state.activity(row.method, row.version, row.activity);
            let activity = activity.ok_or_else(|| {
                Inconsistent::new(format!(
                    "the award in entry {} is for an activity that no method has",
                    row.index
                ))
            })?;
            sum += net(facts, row)?;
            cap = cap.max(activity.cap.0.into());
        }
        Ok(Self {
            rows,
            net: sum,
            cap,
        })
    }
}

/// The points of an award, less reversals.
fn net(facts: &Facts<'_>, row: &AwardRow) -> Result<u128, Inconsistent> {
    let Grams(reversed) = facts.state.reversed(row.index);
    let net = row.points.0.checked_sub(reversed).ok_or_else(|| {
        Inconsistent::new(format!(
            "of the {} points awarded in entry {}, {reversed} are reversed",
            row.points, row.index
        ))
    })?;
    Ok(net.into())
}

fn add_split(day: &OneDay<'_>, cases: &mut Cases) {
    // One award is never above its cap: the rules see to it.
    let [first, _, ..] = day.rows else {
        return;
    };
    let cap = day.cap;
    if day.net > cap {
        let detail = format!(
            "{} awards for {}, {} points together, the cap is {cap}",
            day.rows.len(),
            first.occurred_on,
            day.net
        );
        cases.add(
            day.net - cap,
            format!("account {}", first.account),
            detail,
            day.rows.iter().map(|row| row.index).take(10).collect(),
        );
    }
}

/// Days of one account and activity, in order. Gives whether any were at the cap for so long.
fn add_daily(days: &[OneDay<'_>], cases: &mut Cases) -> bool {
    let before = cases.count;
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
                days.into(),
                format!("account {}", first.account),
                detail,
                vec![first.index, last.index],
            );
        }
    };
    for day in days {
        // A day below the cap is in no run, and ends the one before it: the next row is not of
        // the day after.
        let Some(row) = day.rows.last().filter(|_| day.net >= day.cap) else {
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
    cases.count > before
}

/// Awards of one account.
fn add_bursts(
    facts: &Facts<'_>,
    rows: &[AwardRow],
    cases: &mut Cases,
) -> Result<(), FindingsError> {
    if rows.len() < BURST_AWARDS {
        return Ok(());
    }
    let mut days = Vec::new();
    for row in rows {
        if net(facts, row)? > 0 {
            days.push((row.occurred_on, row.index));
        }
    }
    days.sort_unstable();
    for day in days.chunk_by(|a, b| a.0 == b.0) {
        if let [(on, first), .., (_, last)] = day
            && day.len() >= BURST_AWARDS
            && let Some(row) = rows.first()
        {
            cases.add(
                day.len() as u128,
                format!("account {}", row.account),
                format!("{} awards for {on}", day.len()),
                vec![*first, *last],
            );
        }
    }
    Ok(())
}
