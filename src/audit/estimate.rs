//! Shares of trees with their 95 % intervals, from what surveys found.
//!
//! Each survey is a stratum: trees that stood, of which some were looked for. The estimate of all
//! is the mean of the strata's shares, weighted by their trees (W. G. Cochran, Sampling Techniques,
//! 3rd ed., 5.3); its variance is the sum over strata of
//! `W² (1 − n/N) p (1 − p) / (n − 1)` (5.4 and 5.13, with the finite population correction), so that
//! a stratum that was looked at whole adds nothing. Strata of one tree have no variance of their own
//! and are collapsed into pairs of like size (5A.12). The interval is Wilson's (E. B. Wilson, JASA 22,
//! 1927) on the effective sample size `p (1 − p) / variance` (E. L. Korn, B. I. Graubard, Survey
//! Methodology 24, 1998), with the quantile of Student's t for Satterthwaite's degrees of freedom. It
//! keeps a width where all or none of the trees lived.
//!
//! Few dead trees show a variance that may be far too small by chance. So the effective sample size
//! is at most twice what it would be if all strata had one share. `tests/survival.rs` measures how
//! often intervals hold the truth.

use serde::Serialize;

/// The effective sample size is at most so many times that of strata which have one share.
const EFFECTIVE_MAX: f64 = 2.0;
/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_985;
/// Plots below this number give an estimate of a plan without an interval.
pub const CLUSTERS_MIN: usize = 5;
/// The largest variance that a share of one tree can have.
const VARIANCE_MAX: f64 = 0.25;

/// A share between 0 and 1.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Share {
    /// The estimate.
    pub estimate: f64,
    /// The 95 % interval; `None` where nothing tells how far the estimate may be off.
    pub interval: Option<Interval>,
}

/// The ends of a 95 % interval.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Trees of one stratum, and what was found of them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// Trees that stood.
    pub trees: u64,
    /// Trees of these that were looked for: all of them, or some drawn at random.
    pub looked_for: u64,
    /// Trees of those looked for that count: those alive, for a survival.
    pub found: u64,
    /// The part of the trees that an estimate is of, from 0 to 1.
    pub part: f64,
}

impl Share {
    /// The share of all trees of some strata; `None` without any that was looked for.
    pub fn of(samples: &[Sample]) -> Option<Self> {
        let strata: Vec<Stratum> = samples.iter().filter_map(Stratum::of).collect();
        let all: f64 = strata.iter().map(|stratum| stratum.trees).sum();
        if all <= 0.0 {
            return None;
        }
        let found: f64 = strata.iter().map(|it| it.trees * it.share).sum();
        // Sums of rounded numbers may miss what is exact.
        let share = if strata.iter().all(|it| it.share >= 1.0) {
            1.0
        } else {
            (found / all).clamp(0.0, 1.0)
        };
        Some(Self {
            estimate: share,
            interval: Some(Interval::around(share, &Spread::of(strata, all))),
        })
    }

    /// A share that nothing was drawn for.
    pub(super) fn without_interval(estimate: f64) -> Self {
        Self {
            estimate,
            interval: None,
        }
    }

    /// The same share by another measure: `times` it and `plus`, between 0 and `most`.
    pub(super) fn scaled(self, times: f64, plus: f64, most: f64) -> Self {
        let to = |share: f64| (share * times + plus).min(most).max(0.0);
        Self {
            estimate: to(self.estimate),
            interval: self.interval.map(|ends| Interval {
                low: to(ends.low),
                high: to(ends.high),
            }),
        }
    }

    /// The trees behind the interval: how many, looked at one by one from very many, would give as
    /// narrow a one. Infinite where everything was looked at; `None` without an interval.
    pub(super) fn effective_size(samples: &[Sample]) -> Option<f64> {
        let strata: Vec<Stratum> = samples.iter().filter_map(Stratum::of).collect();
        let all: f64 = strata.iter().map(|stratum| stratum.trees).sum();
        let share = Self::of(samples)?.estimate;
        Some(Spread::of(strata, all).effective_size(share))
    }
}

/// Plots that a plan drew with probability proportional to their trees, and what was found on one of them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cluster {
    /// How often it was drawn.
    pub hits: u32,
    /// Trees that were looked for, drawn at random among the plot's.
    pub looked_for: u64,
    /// Trees of those looked for that count.
    pub found: u64,
}

impl Share {
    /// The share of all trees of a frame, from plots drawn in proportion to their trees: each visit weighs the same
    /// (M. H. Hansen, W. N. Hurwitz, Annals of Mathematical Statistics 14, 1943). The variance is that between plots,
    /// taken as drawn with replacement, which is not too small (C.-E. Särndal, B. Swensson, J. Wretman, Model Assisted
    /// Survey Sampling, 1992, 4.6): `c / (c − 1) Σ (w_i (p_i − p))²`, of `c` plots, with `w_i` the plot's part of the
    /// visits. The interval is Wilson's on `p (1 − p) / V`, at most the trees looked for, with Student's quantile for
    /// `c − 1` degrees of freedom; where plots do not differ at all, each counts as one tree. `None` without a plot; no
    /// interval of fewer than [`CLUSTERS_MIN`].
    pub fn of_clusters(clusters: &[Cluster]) -> Option<Self> {
        let is_sound =
            |it: &&Cluster| it.hits > 0 && it.looked_for > 0 && it.found <= it.looked_for;
        let clusters: Vec<&Cluster> = clusters.iter().filter(is_sound).collect();
        let visits: f64 = clusters.iter().map(|it| f64::from(it.hits)).sum();
        let looked_for: u64 = clusters.iter().map(|it| it.looked_for).sum();
        if visits <= 0.0 {
            return None;
        }
        let parts: Vec<(f64, f64)> = clusters
            .iter()
            .map(|it| {
                (
                    f64::from(it.hits) / visits,
                    it.found as f64 / it.looked_for as f64,
                )
            })
            .collect();
        let share: f64 = parts.iter().map(|(weight, share)| weight * share).sum();
        let share = share.clamp(0.0, 1.0);
        if clusters.len() < CLUSTERS_MIN {
            return Some(Self::without_interval(share));
        }
        let count = clusters.len() as f64;
        let squares = parts
            .iter()
            .map(|(weight, own)| (weight * (own - share)).powi(2));
        let variance = count / (count - 1.0) * squares.sum::<f64>();
        let size = match share * (1.0 - share) / variance {
            size if size.is_finite() && size > 0.0 => size.min(looked_for as f64),
            _ => count,
        };
        Some(Self {
            estimate: share,
            interval: Some(Interval::wilson(share, size, student(count - 1.0))),
        })
    }
}

impl Interval {
    /// E. B. Wilson's interval around a share, for so many trees and this quantile.
    fn wilson(share: f64, size: f64, z: f64) -> Self {
        let middle = share + z * z / (2.0 * size);
        let reach = z * (share * (1.0 - share) / size + z * z / (4.0 * size * size)).sqrt();
        let all = 1.0 + z * z / size;
        Self {
            low: ((middle - reach) / all).clamp(0.0, share),
            high: ((middle + reach) / all).clamp(share, 1.0),
        }
    }

    fn around(share: f64, spread: &Spread) -> Self {
        let size = spread.effective_size(share);
        if size.is_infinite() {
            return Self {
                low: share,
                high: share,
            };
        }
        Self::wilson(share, size, student(spread.freedom()))
    }
}

/// A sample in real numbers.
#[derive(Clone, Copy)]
struct Stratum {
    /// Trees that the estimate is of.
    trees: f64,
    looked_for: f64,
    share: f64,
    /// The part that was not looked for.
    unseen: f64,
}

impl Stratum {
    /// `None` for a sample that says nothing: nothing was looked for, or more than there was.
    fn of(sample: &Sample) -> Option<Self> {
        let sound = sample.found <= sample.looked_for && sample.looked_for <= sample.trees;
        if !sound || sample.looked_for == 0 || sample.part <= 0.0 {
            return None;
        }
        let looked_for = sample.looked_for as f64;
        Some(Self {
            trees: sample.trees as f64 * sample.part,
            looked_for,
            share: sample.found as f64 / looked_for,
            unseen: (sample.trees - sample.looked_for) as f64 / sample.trees as f64,
        })
    }
}

/// How far an estimate may be off.
#[derive(Default)]
struct Spread {
    /// The variance of the estimate.
    variance: f64,
    /// The same, divided by `p (1 − p)`, if all strata had one share `p`.
    alike: f64,
    /// For Satterthwaite's degrees of freedom: each part's weight in the variance, and its square by
    /// the part's own degrees.
    weights: f64,
    weights_squared: f64,
}

impl Spread {
    fn of(strata: Vec<Stratum>, all: f64) -> Self {
        let mut spread = Self::default();
        let mut single = Vec::new();
        for stratum in strata.into_iter().filter(|it| it.unseen > 0.0) {
            let weight = (stratum.trees / all).powi(2) * stratum.unseen / stratum.looked_for;
            spread.alike += weight;
            if stratum.looked_for < 2.0 {
                single.push(stratum);
                continue;
            }
            let more = stratum.looked_for - 1.0;
            let own = stratum.share * (1.0 - stratum.share) * stratum.looked_for / more;
            spread.add(weight * own, weight, more);
        }
        spread.add_single(single, all);
        spread
    }

    fn add(&mut self, variance: f64, weight: f64, freedom: f64) {
        self.variance += variance;
        self.weights += weight;
        self.weights_squared += weight * weight / freedom;
    }

    /// Strata of one tree: in pairs of like size, the last three together.
    fn add_single(&mut self, mut single: Vec<Stratum>, all: f64) {
        single.sort_by(|one, other| one.trees.total_cmp(&other.trees));
        let mut rest = single.as_slice();
        while !rest.is_empty() {
            let (group, behind) = rest.split_at(if rest.len() == 3 {
                3
            } else {
                2.min(rest.len())
            });
            rest = behind;
            if let [alone] = group {
                let weight = (alone.trees / all).powi(2);
                self.add(weight * VARIANCE_MAX, weight, 1.0);
                continue;
            }
            let count = group.len() as f64;
            let trees: f64 = group.iter().map(|it| it.trees).sum();
            let share = group.iter().map(|it| it.trees * it.share).sum::<f64>() / trees;
            let unseen = group.iter().map(|it| it.unseen).sum::<f64>() / count;
            let squares = group
                .iter()
                .map(|it| (it.trees / all * (it.share - share)).powi(2));
            let variance = count / (count - 1.0) * squares.sum::<f64>() * unseen;
            let weights = group.iter().map(|it| (it.trees / all).powi(2));
            self.add(variance, weights.sum(), count - 1.0);
        }
    }

    fn effective_size(&self, share: f64) -> f64 {
        if self.alike <= 0.0 {
            return f64::INFINITY;
        }
        let alike = 1.0 / self.alike;
        let own = share * (1.0 - share) / self.variance;
        // Without any variance among the strata, and where all or none count, they are alike.
        if own > 0.0 && own.is_finite() {
            own.min(EFFECTIVE_MAX * alike)
        } else {
            alike
        }
    }

    fn freedom(&self) -> f64 {
        self.weights * self.weights / self.weights_squared
    }
}

/// The 97.5 % quantile of Student's t (Abramowitz and Stegun, 26.7.5), and never below it by more than
/// 0.01.
fn student(freedom: f64) -> f64 {
    if freedom < 2.0 {
        return 12.706_205;
    }
    if freedom < 3.0 {
        return 4.302_653;
    }
    let (z2, by) = (Z * Z, 1.0 / freedom);
    let first = Z * (z2 + 1.0) / 4.0;
    let second = Z * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0;
    let third = Z * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0;
    let fourth = Z * ((((79.0 * z2 + 776.0) * z2 + 1482.0) * z2 - 1920.0) * z2 - 945.0) / 92_160.0;
    Z + by * (first + by * (second + by * (third + by * fourth)))
}

/// A share in hundredths. What is not all never reads as 100 %, and what is not nothing never as 0 %.
pub fn percent(share: f64, places: usize) -> String {
    let hundredths = share * 100.0;
    let step = 0.1_f64.powi(i32::try_from(places).unwrap_or(0));
    let rounded = (hundredths / step).round() * step;
    let shown = if share < 1.0 && rounded >= 100.0 - step / 2.0 {
        100.0 - step
    } else if share > 0.0 && rounded < step / 2.0 {
        step
    } else {
        rounded
    };
    format!("{shown:.places$} %")
}

#[cfg(test)]
mod tests {
    use super::{Interval, Sample, Share, percent, student};

    fn sample(trees: u64, looked_for: u64, found: u64) -> Sample {
        Sample {
            trees,
            looked_for,
            found,
            part: 1.0,
        }
    }

    fn ends(samples: &[Sample]) -> Interval {
        Share::of(samples).unwrap().interval.unwrap()
    }

    /// As R's `qt(0.975, df)` gives them.
    #[test]
    fn student_as_others_reckon_it() {
        for (freedom, quantile) in [
            (1.0, 12.706),
            (2.0, 4.303),
            (3.0, 3.182),
            (5.0, 2.571),
            (10.0, 2.228),
            (30.0, 2.042),
            (1e9, 1.960),
        ] {
            let found = student(freedom);
            assert!((found - quantile).abs() < 0.01, "{freedom}: {found}");
        }
    }

    #[test]
    fn what_was_looked_at_whole_has_no_width() {
        let all = [sample(20, 20, 12), sample(7, 7, 7)];
        let share = Share::of(&all).unwrap();
        assert_eq!(share.estimate, 19.0 / 27.0);
        let Interval { low, high } = share.interval.unwrap();
        assert_eq!((low, high), (share.estimate, share.estimate));
        assert!(Share::effective_size(&all).unwrap().is_infinite());
    }

    #[test]
    fn all_or_none_of_a_sample_keep_a_width() {
        for found in [0, 10] {
            let Interval { low, high } = ends(&[sample(1000, 10, found)]);
            assert!(high - low > 0.2, "{low} to {high}");
        }
    }

    /// By hand: two strata of 100 and 300 trees, 10 looked for in each, 8 and 5 found:
    /// p = 0.25 × 0.8 + 0.75 × 0.5 = 0.575, and the variance is
    /// 0.0625 × 0.9 × 0.16 / 9 + 0.5625 × (29/30) × 0.25 / 9 = 0.001 + 0.015 104 17.
    #[test]
    fn strata_are_weighted_by_their_trees() {
        let samples = [sample(100, 10, 8), sample(300, 10, 5)];
        let share = Share::of(&samples).unwrap();
        assert!((share.estimate - 0.575).abs() < 1e-12);
        let size = Share::effective_size(&samples).unwrap();
        assert!((size - 0.575 * 0.425 / 0.016_104_17).abs() < 1e-3, "{size}");
    }

    /// Half of each stratum is half of the estimate's trees and no less sure.
    #[test]
    fn a_part_of_each_stratum_has_the_same_share() {
        let whole = [sample(100, 10, 8), sample(300, 10, 5)];
        let half = whole.map(|sample| Sample {
            part: 0.5,
            ..sample
        });
        let (whole, half) = (ends(&whole), ends(&half));
        assert!((whole.low - half.low).abs() < 1e-12);
        assert!((whole.high - half.high).abs() < 1e-12);
    }

    #[test]
    fn what_contradicts_itself_is_no_sample() {
        for odd in [
            sample(10, 0, 0),
            sample(10, 11, 3),
            sample(10, 5, 6),
            sample(0, 0, 0),
        ] {
            assert_eq!(Share::of(&[odd]), None);
        }
        assert_eq!(Share::of(&[]), None);
    }

    #[test]
    fn single_trees_are_collapsed() {
        // Five strata of one tree: a pair and three; and one that is alone says next to nothing.
        let found = [1, 1, 0, 1, 1].map(|found| sample(50, 1, found));
        let five = ends(&found);
        assert!(
            five.low < 0.5 && five.high > 0.9 && five.high < 1.0,
            "{five:?}"
        );
        let alone = ends(&[sample(50, 1, 1)]);
        assert!(alone.low < 0.05, "{alone:?}");
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(percent(0.875, 0), "88 %");
        assert_eq!(percent(0.6, 1), "60.0 %");
        assert_eq!(percent(0.9999, 1), "99.9 %");
        assert_eq!(percent(0.9999, 0), "99 %");
        assert_eq!(percent(1.0, 0), "100 %");
        assert_eq!(percent(0.0001, 1), "0.1 %");
        assert_eq!(percent(0.000_1, 0), "1 %");
        assert_eq!(percent(0.0, 1), "0.0 %");
    }
}
