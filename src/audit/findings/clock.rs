//! When the operator's clock says that things came in.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::observe::LATENESS_DAYS;
use crate::record::{Day, Index, TimeMs};

/// An hour with fewer entries is no burst.
const BURST_ENTRIES: u64 = 10_000;
/// An hour is a burst from this many times the entries of the median hour on.
const BURST_TIMES_MEDIAN: u128 = 20;
/// The median is taken over this many hours at least.
const HOURS_MIN: u64 = 24;
/// Awards admitted later than this after their event are a finding: a quarter of a year, one of
/// [`LATENESS_DAYS`].
const LATE_AWARD_DAYS: u32 = 92;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    [
        future(facts),
        pauses(facts),
        ahead(facts),
        late(facts),
        bursts(facts),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn future(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "admitted_in_future",
        Severity::High,
        "The operator's clock is ahead of yours: it can admit tomorrow's records today. Check \
         your own clock, then ask the operator.",
    );
    // Both are missing only before the first entry.
    let last = facts.observations.last_day()?;
    let index = Index(facts.state.entries().checked_sub(1)?);
    let tomorrow = facts.as_of.0.checked_add(1);
    if tomorrow.is_some_and(|tomorrow| last.0 > tomorrow) {
        let detail = format!("admitted on {last}, reckoned as of {}", facts.as_of);
        cases.add(0, format!("entry {index}"), detail, vec![index]);
    }
    cases.finding(|_| "the newest entries were admitted in the future".to_owned())
}

fn pauses(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "clock_pauses",
        Severity::Low,
        "Nothing was admitted for a day or more, or the clock jumped. Ask what happened.",
    );
    for pause in &facts.observations.pauses {
        let hours = pause.ms / 3_600_000;
        cases.add(
            pause.ms.into(),
            format!("before entry {}", pause.index),
            format!("{hours} hours without an admission"),
            vec![pause.index],
        );
    }
    // Only the longest are kept by index.
    cases.count = facts.observations.pauses_count;
    cases.finding(|count| {
        let times = many(count, "time", "times");
        format!("{times} nothing was admitted for a day or more")
    })
}

fn ahead(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "issued_after_admission",
        Severity::Low,
        "Issuers east of Greenwich, or with fast clocks, sign on the day after. Many such entries \
         may mean that the operator's clock is behind.",
    );
    let span = facts.observations.ahead;
    if span.count > 0 {
        let detail = format!("{} entries", span.count);
        cases.add(0, "all issuers", detail, span.ends());
    }
    cases.finding(|_| {
        let entries = many(span.count, "entry was", "entries were");
        format!("{entries} signed on the day after their admission")
    })
}

fn late(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "awards_late",
        Severity::Low,
        "These awards were admitted long after what they are for: nobody could check them then. \
         An import of history looks so. Ask for the sources.",
    );
    let total: u64 = facts
        .observations
        .lateness
        .iter()
        .map(|span| span.count)
        .sum();
    let mut all = 0;
    // A class begins where the one before it ends; the last one has no end.
    let begins = LATENESS_DAYS;
    let ends = LATENESS_DAYS.into_iter().skip(1).map(Some).chain([None]);
    let classes = facts.observations.lateness.iter().skip(1);
    for ((span, more_than), up_to) in classes.zip(begins).zip(ends) {
        if more_than >= LATE_AWARD_DAYS && span.count > 0 {
            all += span.count;
            let until = up_to.map_or(String::new(), |days| format!(", up to {days}"));
            let detail = format!(
                "{} of {total} awards more than {more_than} days after{until}",
                span.count
            );
            cases.add(span.count.into(), "awards", detail, span.ends());
        }
    }
    cases.finding(|_| {
        let awards = many(all, "award was", "awards were");
        format!("{awards} admitted more than a quarter of a year after the event")
    })
}

fn bursts(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "hours_of_bursts",
        Severity::Low,
        "In these hours far more came in than usual: an import, a campaign, or a machine. Ask \
         which.",
    );
    let mut counts: Vec<u64> = facts
        .observations
        .hours
        .values()
        .map(|span| span.count)
        .collect();
    // Hours without an entry count too, over a day at least: all at once is a burst.
    let (first, _) = facts.observations.hours.first_key_value()?;
    let (last, _) = facts.observations.hours.last_key_value()?;
    let hours = (last - first + 1).max(HOURS_MIN);
    // From the fullest hour down, the empty ones last: a median past those with entries is 0.
    counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
    let place = usize::try_from(hours - 1 - hours / 2).ok();
    let median = place
        .and_then(|place| counts.get(place))
        .copied()
        .unwrap_or(0);
    for (hour, span) in &facts.observations.hours {
        let many_times = u128::from(span.count) >= u128::from(median) * BURST_TIMES_MEDIAN;
        if span.count >= BURST_ENTRIES && many_times {
            let day = Day::of(TimeMs(hour * 3_600_000));
            let detail = format!("{} entries, the median hour has {median}", span.count);
            cases.add(
                span.count.into(),
                format!("{day} {:02}:00 UTC", hour % 24),
                detail,
                span.ends(),
            );
        }
    }
    cases.finding(|count| {
        let hours = many(count, "hour", "hours");
        format!("{hours} with {BURST_TIMES_MEDIAN} times the usual entries or more")
    })
}
