//! When the operator's clock says that things came in.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::observe::LATENESS_DAYS;
use crate::record::{Day, TimeMs};

/// An hour is a burst with so many entries at least,
const BURST_ENTRIES: u64 = 10_000;
/// and so many times as many as the median hour.
const BURST_TIMES_MEDIAN: u64 = 20;
/// The median is taken over so many hours at least.
const HOURS_MIN: u64 = 24;
/// Awards later than this class of [`LATENESS_DAYS`] are a finding: more than a quarter of a year.
const LATE_CLASS: usize = 4;

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
    let last = facts.observations.last_day()?;
    if last.0 > facts.as_of.0.saturating_add(1) {
        let index = crate::record::Index(facts.state.entries().saturating_sub(1));
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
            pause.ms,
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
    let mut after = None;
    let mut all = 0;
    for (class, span) in facts.observations.lateness.iter().enumerate() {
        if class >= LATE_CLASS && span.count > 0 {
            all += span.count;
            let until = LATENESS_DAYS
                .get(class)
                .map_or(String::new(), |days| format!(", up to {days}"));
            let detail = format!(
                "{} of {total} awards more than {} days after{until}",
                span.count,
                after.unwrap_or(0)
            );
            cases.add(span.count, "awards", detail, span.ends());
        }
        after = LATENESS_DAYS.get(class).copied();
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
    let hours = usize::try_from((last - first + 1).max(HOURS_MIN)).unwrap_or(usize::MAX);
    counts.sort_unstable();
    let empty = hours.saturating_sub(counts.len());
    let place = (hours / 2).checked_sub(empty);
    let median = place
        .and_then(|place| counts.get(place))
        .copied()
        .unwrap_or(0);
    for (hour, span) in &facts.observations.hours {
        let many_times = span.count >= median.saturating_mul(BURST_TIMES_MEDIAN);
        if span.count >= BURST_ENTRIES && many_times {
            let day = Day::of(TimeMs(hour * 3_600_000));
            let detail = format!("{} entries, the median hour has {median}", span.count);
            cases.add(
                span.count,
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
