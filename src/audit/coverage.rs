//! How soon state entries cover what was admitted: for how long the log went on with entries of which no
//! state entry spoke.

use bincode::{Decode, Encode};

use crate::record::{Index, TimeMs};

/// An entry that is longer in no state entry than this, while others are admitted, is a finding.
pub const UNCOVERED_MS_MAX: u64 = 60_000;
/// Entries admitted within this time of the first of them share a mark.
const MARK_MS: u64 = 1000;
/// Marks that are kept: twice as many as a log has that covers each entry in time.
const MARKS_MAX: usize = 128;
/// Gaps that are kept by their entries, the longest first.
const GAPS_MAX: usize = 100;

/// What was observed of entries and the state entries that cover them. State entries need no cover
/// themselves: a log at rest says nothing more.
///
/// It takes bounded memory. Entries that no state entry covers yet are kept in `MARKS_MAX` marks, of a second
/// each. Where a state entry covers a part of a mark, the rest is taken to be as young as its last entry: an age
/// is never overstated, and understated by less than a second. Only in a log that leaves more than
/// `MARKS_MAX` such seconds uncovered, neighbouring marks become one; then by at most a 63rd of the
/// longest time that was uncovered, which is a gap by then.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Coverage {
    /// Entries that no state entry covers, in order.
    marks: Vec<Mark>,
    /// Entries that were admitted while an older one was uncovered for too long.
    pub entries: u64,
    /// How many gaps there were, with those that are not kept in `gaps`.
    pub gaps_count: u64,
    /// The longest gaps that ended, the longest first.
    gaps: Vec<Gap>,
    /// The gap that did not end yet.
    open: Option<Gap>,
}

/// Entries in a row that no state entry covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Mark {
    /// The first of them.
    first: Index,
    /// When the first of them was admitted.
    first_at: TimeMs,
    /// When the last of them was admitted.
    last_at: TimeMs,
    /// The last of them.
    last: Index,
    /// Whether a state entry covers some of them: the others were admitted at `last_at` at the latest.
    cut: bool,
}

/// A time in which the log went on and left entries uncovered for too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct Gap {
    /// The longest that an entry was uncovered in it, in milliseconds.
    pub ms: u64,
    /// The first entry that was admitted too long after an uncovered one.
    pub first: Index,
    /// The last such entry.
    pub last: Index,
    /// How many there were.
    pub entries: u64,
}

impl Mark {
    /// When the oldest of its uncovered entries was admitted, at the latest.
    fn oldest_at(&self) -> TimeMs {
        if self.cut {
            self.last_at
        } else {
            self.first_at
        }
    }
}

impl Coverage {
    /// Takes in an entry that is no state entry.
    pub(super) fn admit(&mut self, index: Index, admitted_at: TimeMs) {
        let oldest = self.marks.first().map(Mark::oldest_at);
        let age = oldest.map_or(0, |oldest| admitted_at.0.saturating_sub(oldest.0));
        if age > UNCOVERED_MS_MAX {
            self.widen_gap(index, age);
        } else {
            self.end_gap();
        }
        if let Some(mark) = self.marks.last_mut()
            && admitted_at.0.saturating_sub(mark.first_at.0) < MARK_MS
        {
            mark.last_at = admitted_at;
            mark.last = index;
            return;
        }
        self.marks.push(Mark {
            first: index,
            first_at: admitted_at,
            last_at: admitted_at,
            last: index,
            cut: false,
        });
        if self.marks.len() > MARKS_MAX {
            self.join_nearest();
        }
    }

    /// Takes in a state entry, which speaks of the first `size` entries.
    pub(super) fn cover(&mut self, size: u64) {
        let covered = self.marks.partition_point(|mark| mark.last.0 < size);
        self.marks.drain(..covered);
        if let Some(mark) = self.marks.first_mut() {
            mark.cut |= mark.first.0 < size;
        }
    }

    /// The longest gaps, the longest first; the one that did not end yet is among them.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = self.gaps.clone();
        gaps.extend(self.open);
        keep_longest(&mut gaps);
        gaps
    }

    fn widen_gap(&mut self, index: Index, age: u64) {
        self.entries += 1;
        if self.open.is_none() {
            self.gaps_count += 1;
        }
        let gap = self.open.get_or_insert(Gap {
            ms: age,
            first: index,
            last: index,
            entries: 0,
        });
        gap.ms = gap.ms.max(age);
        gap.last = index;
        gap.entries += 1;
    }

    fn end_gap(&mut self) {
        if let Some(gap) = self.open.take() {
            self.gaps.push(gap);
            keep_longest(&mut self.gaps);
        }
    }

    /// Makes one of the two neighbours that lie closest together.
    fn join_nearest(&mut self) {
        let spans = self.marks.windows(2).map(|pair| match pair {
            [one, next] => next.last_at.0.saturating_sub(one.first_at.0),
            _ => u64::MAX,
        });
        let nearest = spans.enumerate().min_by_key(|(_, span)| *span);
        if let Some((place, _)) = nearest {
            let next = self.marks.remove(place + 1);
            if let Some(mark) = self.marks.get_mut(place) {
                mark.last_at = next.last_at;
                mark.last = next.last;
            }
        }
    }
}

fn keep_longest(gaps: &mut Vec<Gap>) {
    // Stable: of equals, those that came first.
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.ms));
    gaps.truncate(GAPS_MAX);
}
