//! Trips of one bicycle at one time: only one of them was ridden.

use std::collections::BTreeMap;

use super::TripRef;
use crate::import::accounts::AccountStart;

/// Two trips of one bicycle that overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The one whose award is taken back.
    pub reversed: TripRef,
    /// The one that stands.
    pub standing: TripRef,
    /// Whose they are.
    pub(super) bike: AccountStart,
}

/// When a bicycle was on a trip, in minutes since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ride {
    pub bike: AccountStart,
    pub start: u32,
    pub end: u32,
    pub trip: TripRef,
}

/// Finds trips that overlap another of the same bicycle. What is in stands before what is new, and
/// of two that are in the one that came in first: no trip that is in is taken back for one that
/// comes late. Of new ones the one that began first stands.
pub(super) fn overlaps(mut rides: Vec<Ride>) -> Vec<Overlap> {
    // References to entries are before those to rows.
    rides.sort_unstable_by_key(|ride| match ride.trip {
        TripRef::Entry(_) => (ride.bike, ride.trip, 0, 0),
        TripRef::Row(_) => (ride.bike, TripRef::Row(0), ride.start, ride.end),
    });
    let mut found = Vec::new();
    let mut bike = None;
    // Those that stand, by their beginning. None overlaps another, so their ends ascend too.
    let mut standing: BTreeMap<(u32, u32), TripRef> = BTreeMap::new();
    for ride in rides {
        if bike != Some(ride.bike) {
            bike = Some(ride.bike);
            standing.clear();
        }
        let before = standing.range(..=(ride.start, u32::MAX)).next_back();
        let before = before.filter(|((_, end), _)| *end > ride.start);
        let behind = || {
            let behind = standing.range((ride.start.saturating_add(1), 0)..).next();
            behind.filter(|((start, _), _)| *start < ride.end)
        };
        match before.or_else(behind) {
            Some((_, other)) => found.push(Overlap {
                reversed: ride.trip,
                standing: *other,
                bike: ride.bike,
            }),
            None => {
                standing.insert((ride.start, ride.end), ride.trip);
            }
        }
    }
    found.sort_by_key(|overlap| overlap.reversed);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Index;

    fn reversed(rides: &[(u32, u32, TripRef)]) -> Vec<(TripRef, TripRef)> {
        let rides = rides.iter().map(|(start, end, trip)| Ride {
            bike: [1; 8],
            start: *start,
            end: *end,
            trip: *trip,
        });
        let found = overlaps(rides.collect());
        let pairs = found.iter().map(|found| (found.reversed, found.standing));
        pairs.collect()
    }

    #[test]
    fn what_is_in_stands_and_of_new_trips_the_first() {
        let (entry, row) = (|index| TripRef::Entry(Index(index)), TripRef::Row);
        // New trips alone: as they began, whatever their order.
        assert_eq!(
            reversed(&[(5, 15, row(0)), (0, 10, row(1)), (15, 20, row(2))]),
            [(row(0), row(1))]
        );
        // A trip that comes late, before and behind one that is in.
        assert_eq!(
            reversed(&[(0, 10, row(0)), (5, 15, entry(7)), (14, 20, row(1))]),
            [(row(0), entry(7)), (row(1), entry(7))]
        );
        // Two that are in: nothing was taken back yet.
        assert_eq!(
            reversed(&[(0, 10, entry(9)), (5, 15, entry(7))]),
            [(entry(9), entry(7))]
        );
        assert!(reversed(&[(0, 10, row(0)), (10, 10, row(1)), (10, 20, row(2))]).is_empty());
    }
}
