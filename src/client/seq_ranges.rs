//! Sets of sequence numbers, as ranges.

use serde::{Deserialize, Serialize};

use crate::record::Seq;

/// The most ranges of one set. Past it the two with the smallest gap between them are joined, and
/// the set claims more than it was given: what asks it must take that as "maybe".
const RANGES_MAX: usize = 4096;

/// A set of sequence numbers of one issuer's chain.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SeqRanges(
    /// First and last of each range, ascending, with a gap between any two.
    Vec<(u64, u64)>,
);

impl SeqRanges {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= seq.0);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, last)| seq.0 <= *last)
    }

    /// The smallest number in it.
    pub(super) fn first(&self) -> Option<Seq> {
        self.0.first().map(|(first, _)| Seq(*first))
    }

    /// Adds `count` numbers from `first` on.
    pub(super) fn insert(&mut self, first: Seq, count: u64) {
        let Some(more) = count.checked_sub(1) else {
            return;
        };
        let (mut first, mut last) = (first.0, first.0.saturating_add(more));
        // All ranges that it touches become one with it.
        let from = self
            .0
            .partition_point(|(_, end)| end.saturating_add(1) < first);
        let to = self
            .0
            .partition_point(|(begin, _)| *begin <= last.saturating_add(1));
        if let Some(touched) = self.0.get(from..to)
            && let (Some(begin), Some(end)) = (touched.first(), touched.last())
        {
            first = first.min(begin.0);
            last = last.max(end.1);
        }
        self.0.splice(from..to.max(from), [(first, last)]);
        if self.0.len() > RANGES_MAX {
            self.join_closest();
        }
    }

    /// Takes a number out.
    pub(super) fn remove(&mut self, seq: Seq) {
        let Some(at) = self
            .0
            .iter()
            .position(|(first, last)| *first <= seq.0 && seq.0 <= *last)
        else {
            return;
        };
        let Some((first, last)) = self.0.get(at).copied() else {
            return;
        };
        let before = (first < seq.0).then(|| (first, seq.0 - 1));
        let behind = (seq.0 < last).then(|| (seq.0 + 1, last));
        self.0.splice(at..=at, before.into_iter().chain(behind));
    }

    /// Adds all of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        for (first, last) in &other.0 {
            self.insert(Seq(*first), last - first + 1);
        }
    }

    /// Whether a number is in both sets.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((first, last)), Some((begin, end))) = (ours.peek(), theirs.peek()) {
            if first <= end && begin <= last {
                return true;
            }
            if last < begin {
                ours.next();
            } else {
                theirs.next();
            }
        }
        false
    }

    /// Whether all of another set is in it.
    pub(super) fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().all(|(first, last)| {
            let after = self.0.partition_point(|(begin, _)| begin <= first);
            let range = after.checked_sub(1).and_then(|at| self.0.get(at));
            range.is_some_and(|(_, end)| last <= end)
        })
    }

    /// The first number from 0 to `last` that is not in it.
    pub(super) fn first_gap(&self, last: Seq) -> Option<Seq> {
        let next = match self.0.first() {
            Some((0, end)) => end.saturating_add(1),
            _ => 0,
        };
        (next <= last.0).then_some(Seq(next))
    }

    fn join_closest(&mut self) {
        let gaps = self.0.windows(2).enumerate().filter_map(|(at, pair)| {
            let [(_, end), (begin, _)] = pair else {
                return None;
            };
            Some((begin - end, at))
        });
        if let Some((_, at)) = gaps.min()
            && at + 1 < self.0.len()
        {
            let (_, last) = self.0.remove(at + 1);
            if let Some(range) = self.0.get_mut(at) {
                range.1 = last;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> SeqRanges {
        let mut set = SeqRanges::default();
        for (first, last) in ranges {
            set.insert(Seq(*first), last - first + 1);
        }
        set
    }

    #[test]
    fn ranges_that_touch_become_one_and_gaps_are_found() {
        assert_eq!(set(&[(5, 6), (0, 2), (3, 4)]).0, [(0, 6)]);
        assert_eq!(set(&[(0, 9), (3, 4)]).0, [(0, 9)]);
        assert_eq!(set(&[(3, 4), (8, 9), (0, 20)]).0, [(0, 20)]);
        let gapped = set(&[(0, 1), (4, 5)]);
        assert_eq!(gapped.0, [(0, 1), (4, 5)]);
        assert_eq!(gapped.first_gap(Seq(5)), Some(Seq(2)));
        for (other, is_in) in [
            (set(&[]), true),
            (set(&[(0, 0), (4, 5)]), true),
            (set(&[(1, 2)]), false),
            (set(&[(0, 5)]), false),
            (set(&[(6, 6)]), false),
        ] {
            assert_eq!(gapped.contains_all(&other), is_in, "{other:?}");
        }
        assert_eq!(gapped.first_gap(Seq(1)), None);
        assert_eq!(set(&[(1, 1)]).first_gap(Seq(0)), Some(Seq(0)));
        for (other, shares) in [(&[(2, 3), (6, 9)][..], false), (&[(2, 3), (5, 5)], true)] {
            assert_eq!(gapped.overlaps(&set(other)), shares, "{other:?}");
            assert_eq!(set(other).overlaps(&gapped), shares, "{other:?}");
        }
        for (seq, holds) in [(0, true), (1, true), (2, false), (4, true), (6, false)] {
            assert_eq!(gapped.contains(Seq(seq)), holds, "{seq}");
        }
    }

    #[test]
    fn a_number_that_is_taken_out_leaves_those_beside_it() {
        let mut numbers = set(&[(0, 2), (4, 4)]);
        for (seq, left) in [
            (3, &[(0, 2), (4, 4)][..]),
            (1, &[(0, 0), (2, 2), (4, 4)]),
            (4, &[(0, 0), (2, 2)]),
            (0, &[(2, 2)]),
            (2, &[]),
        ] {
            numbers.remove(Seq(seq));
            assert_eq!(numbers.0, left, "{seq}");
        }
    }

    #[test]
    fn past_the_most_ranges_the_closest_two_are_joined() {
        let mut many = SeqRanges::default();
        for at in 0..RANGES_MAX as u64 {
            many.insert(Seq(at * 10), 1);
        }
        many.insert(Seq(12), 1);
        assert_eq!(many.0.len(), RANGES_MAX);
        assert!(many.contains(Seq(11)), "the gap of one is closed");
        assert!(!many.contains(Seq(25)));
    }
}
