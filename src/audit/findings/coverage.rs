//! What no state entry covered in time.

use super::{Cases, Facts, Finding, Severity, many};
use crate::audit::coverage::UNCOVERED_MS_MAX;
use crate::audit::observe::Span;

pub(super) fn findings(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "state_uncovered",
        Severity::Medium,
        "Nobody can prove how things stood by entries that no state entry covers, and the log bound itself to no \
         state. The log's server covers what it admits within seconds. Ask why it did not, and hold the next \
         state entry against a replay.",
    )
    // Time passes by itself: a gap that is told once is not told again for each entry behind it.
    .weighed_by_time();
    let coverage = &facts.observations.coverage;
    let gaps = coverage.gaps();
    for gap in &gaps {
        let entries = many(gap.entries, "entry was", "entries were");
        let seconds = gap.ms / 1000;
        let span = Span {
            count: gap.entries,
            first: gap.first,
            last: gap.last,
        };
        cases.add(
            gap.ms.into(),
            format!("from entry {}", gap.first),
            format!("{entries} admitted while one was uncovered, for {seconds} s at the longest"),
            span.ends(),
        );
    }
    // Only the longest gaps are kept.
    cases.count = coverage.gaps_count;
    let longest = gaps.first().map_or(0, |gap| gap.ms) / 1000;
    let none = facts.observations.state_entries.count == 0;
    cases.finding(|_| {
        let entries = many(coverage.entries, "entry was", "entries were");
        let so_long = UNCOVERED_MS_MAX / 1000;
        if none {
            format!(
                "the log has no state entry at all, and {entries} admitted more than {so_long} s after one that \
                 should be covered; the longest time is {longest} s"
            )
        } else {
            format!(
                "{entries} admitted while no state entry covered one that was more than {so_long} s older; the \
                 longest time is {longest} s"
            )
        }
    })
}
