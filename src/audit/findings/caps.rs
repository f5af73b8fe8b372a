//! Awards near the cap, most days: a machine that is told the cap, and to rest now and then.

use super::awards::OneDay;
use super::{Cases, Finding, Severity, many};
use crate::record::{Day, Index};

/// A day is near the cap from this percentage of it on.
const NEAR_PERCENT: u128 = 95;
/// So many days of a window are a finding.
const NEAR_DAYS: usize = 11;
/// Days of a window: six days on and one off are twelve of fourteen.
const WINDOW_DAYS: u32 = 14;

pub(super) fn cases() -> Cases {
    Cases::new(
        "awards_near_cap",
        Severity::Medium,
        "On nearly every day the awards come close to the cap: that is what a machine does that knows it. Ask for the \
         events behind.",
    )
}

pub(super) fn finding(cases: Cases) -> Option<Finding> {
    cases.finding(|count| {
        let accounts = many(count, "time", "times");
        format!(
            "{accounts} an account was within {} % of the cap on {NEAR_DAYS} of {WINDOW_DAYS} days or more",
            100 - NEAR_PERCENT
        )
    })
}

/// Adds an account's days of one activity, in order, if they are near the cap too often.
pub(super) fn add(days: &[OneDay<'_>], cases: &mut Cases) {
    let near = days
        .iter()
        .filter(|day| day.cap > 0 && day.net * 100 >= day.cap * NEAR_PERCENT);
    let near: Vec<(Day, Index)> = near
        .filter_map(|day| day.rows.last())
        .map(|row| (row.occurred_on, row.index))
        .collect();
    let is_crowded = |days: &[(Day, Index)]| match days {
        [(first, _), .., (last, _)] => last.0 - first.0 < WINDOW_DAYS,
        _ => false,
    };
    if !near.windows(NEAR_DAYS).any(is_crowded) {
        return;
    }
    if let ([(first, begun), .., (last, ended)], Some(row)) = (
        near.as_slice(),
        days.first().and_then(|day| day.rows.first()),
    ) {
        let detail = format!(
            "near the cap on {} days, from {first} to {last}",
            near.len()
        );
        cases.add(
            near.len() as u128,
            format!("account {}", row.account),
            detail,
            vec![*begun, *ended],
        );
    }
}
