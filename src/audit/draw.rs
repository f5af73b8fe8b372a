//! Drawing by a seed, so that anybody who has the seed draws the same.
//!
//! Visits to plots by systematic sampling with probability proportional to size (W. G. Madow, Annals of Mathematical
//! Statistics 20, 1949), over plots in a random order within each stratum (H. O. Hartley, J. N. K. Rao, the same 33,
//! 1962); trees by simple random sampling without replacement (R. W. Floyd, in J. Bentley, CACM 30, 1987). All in
//! whole numbers: a plot's expected number of visits is just `n X_i / X`.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

/// Numbers that a seed gives, for one purpose: the first 8 bytes of
/// `SHA-256(seed ‖ purpose ‖ number ‖ counter)`, with both numbers as 8 bytes, the highest first.
pub(super) struct Chance {
    begun: Sha256,
    counter: u64,
}

impl Chance {
    pub(super) fn new(seed: &[u8; 32], purpose: &str, number: u64) -> Self {
        let begun = Sha256::new()
            .chain_update(seed)
            .chain_update(purpose)
            .chain_update(number.to_be_bytes());
        Self { begun, counter: 0 }
    }

    pub(super) fn bits(&mut self) -> u64 {
        let counted = self.begun.clone().chain_update(self.counter.to_be_bytes());
        self.counter += 1;
        let digest: [u8; 32] = counted.finalize().into();
        let first = digest.first_chunk().copied();
        u64::from_be_bytes(first.unwrap_or_default())
    }

    /// A number below `most`, each as likely as any other: what would lean to the small ones is drawn again.
    pub(super) fn below(&mut self, most: u64) -> u64 {
        let most = most.max(1);
        let surplus = (u64::MAX % most + 1) % most;
        loop {
            let bits = self.bits();
            if bits <= u64::MAX - surplus {
                return bits % most;
            }
        }
    }
}

/// How many of `visits` each of some sizes gets: the points `(start + j X) / n`, for `j` from 0, fall where they fall on
/// the sizes laid end to end. `start` is below their sum.
pub(super) fn systematic(
    sizes: impl Iterator<Item = u64>,
    all: u64,
    visits: u32,
    start: u64,
) -> Vec<u32> {
    let (all, visits, start) = (u128::from(all), u128::from(visits), u128::from(start));
    // Points below a border, which is `n` times as far along.
    let below = |border: u128| match border.checked_sub(start + 1) {
        Some(behind) => (behind / all + 1).min(visits),
        None => 0,
    };
    let (mut end, mut before) = (0, 0);
    let hits = sizes.map(|size| {
        end += u128::from(size) * visits;
        let now = below(end);
        let hits = now - before;
        before = now;
        u32::try_from(hits).unwrap_or(u32::MAX)
    });
    hits.collect()
}

/// `count` of the numbers below `most`, in their order; all of them, if they are fewer.
pub(super) fn without_replacement(chance: &mut Chance, most: u64, count: u64) -> BTreeSet<u64> {
    let mut drawn = BTreeSet::new();
    for last in most.saturating_sub(count)..most {
        let one = chance.below(last + 1);
        if !drawn.insert(one) {
            drawn.insert(last);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::{Chance, systematic, without_replacement};

    /// Over all starts, each size gets just its share of the visits, and never more than one off.
    #[test]
    fn each_size_gets_its_share() {
        for sizes in [vec![1, 2, 3, 4], vec![10, 1, 1], vec![0, 5, 0, 5], vec![7]] {
            let all: u64 = sizes.iter().sum();
            for visits in [1_u32, 2, 3, 10] {
                let mut sums = vec![0_u64; sizes.len()];
                for start in 0..all {
                    let hits = systematic(sizes.iter().copied(), all, visits, start);
                    assert_eq!(hits.iter().sum::<u32>(), visits);
                    for (place, hit) in hits.iter().enumerate() {
                        let expected = u64::from(visits) * sizes[place];
                        assert!(expected / all <= u64::from(*hit));
                        assert!(u64::from(*hit) <= expected.div_ceil(all));
                        sums[place] += u64::from(*hit);
                    }
                }
                let expected: Vec<u64> = sizes.iter().map(|it| it * u64::from(visits)).collect();
                assert_eq!(sums, expected);
            }
        }
    }

    #[test]
    fn trees_are_as_likely_as_each_other() {
        let mut counts = [0_u32; 7];
        for number in 0..7_000 {
            let mut chance = Chance::new(&[9; 32], "trees", number);
            let drawn = without_replacement(&mut chance, 7, 3);
            assert_eq!(drawn.len(), 3);
            for one in drawn {
                counts[one as usize] += 1;
            }
        }
        // 3,000 each; the standard deviation is 41.
        assert!(
            counts.iter().all(|count| (2_800..3_200).contains(count)),
            "{counts:?}"
        );
        let mut chance = Chance::new(&[9; 32], "trees", 0);
        assert_eq!(without_replacement(&mut chance, 3, 9).len(), 3);
        assert_eq!(without_replacement(&mut chance, 0, 9).len(), 0);
    }

    /// What others must get from the same seed.
    #[test]
    fn numbers_that_are_frozen() {
        let mut chance = Chance::new(&[0; 32], "start", 0);
        assert_eq!(chance.bits(), super::tests::by_hand(0));
        assert_eq!(chance.bits(), super::tests::by_hand(1));
    }

    fn by_hand(counter: u8) -> u64 {
        use sha2::Digest as _;
        let mut bytes = vec![0; 32];
        bytes.extend(b"start");
        bytes.extend([0; 15]);
        bytes.push(counter);
        let digest = sha2::Sha256::digest(bytes);
        u64::from_be_bytes(digest[..8].try_into().unwrap())
    }
}
