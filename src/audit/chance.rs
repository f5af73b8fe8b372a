//! How likely it is that a sample shows what it shows by chance, and what to make of many such
//! questions at once.

/// In an audit, findings of one code that ask many plots or years are wrong by chance in at most this
/// share of audits.
const WRONG_MAX: f64 = 0.05;
/// Samples up to this size are reckoned exactly; larger ones by a bound.
const EXACT_MAX: u64 = 10_000;
/// A term that is smaller than this part of the sum ends it.
const TERM_MIN: f64 = 1e-17;

/// Which of some hypotheses are refuted (S. Holm, Scandinavian Journal of Statistics 6, 1979): the
/// smallest probability must be at most 5 % divided by their number, the next by one less, and so on
/// until one is not.
pub(super) fn refuted(probabilities: &[f64]) -> Vec<bool> {
    let mut order: Vec<(usize, f64)> = probabilities.iter().copied().enumerate().collect();
    order.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut refuted = vec![false; order.len()];
    let mut left = order.len() as f64;
    for (place, probability) in order {
        if probability > WRONG_MAX / left {
            break;
        }
        if let Some(refuted) = refuted.get_mut(place) {
            *refuted = true;
        }
        left -= 1.0;
    }
    refuted
}

/// The probability that `drawn` of `trees` hold `found` of a sort or more, if `all` of the trees are of
/// it: the tail of the hypergeometric distribution. Never told too small: of more than 10,000 trees
/// drawn it is Hoeffding's bound (W. Hoeffding, JASA 58, 1963).
pub(super) fn count_or_more(trees: u64, all: u64, drawn: u64, found: u64) -> f64 {
    if all >= trees || found == 0 {
        return 1.0;
    }
    if found > all || found > drawn || drawn > trees {
        return 0.0;
    }
    let expected = all as f64 / trees as f64;
    let share = found as f64 / drawn as f64;
    if share <= expected {
        return 1.0;
    }
    if drawn > EXACT_MAX {
        return bound(share, expected, drawn as f64);
    }
    let others = trees - all;
    let ways = |count: u64| {
        // The rest are others.
        let rest = drawn - count;
        (rest <= others).then(|| ln_choose(all, count) + ln_choose(others, rest))
    };
    let of_any = ln_choose(trees, drawn);
    let mut sum = 0.0;
    for count in found..=drawn.min(all) {
        let Some(ways) = ways(count) else { continue };
        let term = (ways - of_any).exp();
        sum += term;
        // Above the mean each term is smaller than the one before.
        if term < sum * TERM_MIN {
            break;
        }
    }
    f64::min(sum, 1.0)
}

/// At most the probability that a share of `size` trees drawn is as far above what is expected, or as
/// far below it (Hoeffding, theorem 1).
pub(super) fn bound(share: f64, expected: f64, size: f64) -> f64 {
    let part = |share: f64, expected: f64| {
        if share <= 0.0 {
            0.0
        } else {
            share * (share / expected).ln()
        }
    };
    let divergence = part(share, expected) + part(1.0 - share, 1.0 - expected);
    if divergence <= 0.0 {
        return 1.0;
    }
    (-size * divergence).exp()
}

/// The probability that a chi-square of so many degrees of freedom is this large or smaller: the regularised lower
/// incomplete gamma function (Abramowitz and Stegun, 26.4.19 and 6.5.29).
pub(super) fn chi_square_or_less(square: f64, freedom: f64) -> f64 {
    let (half, x) = (freedom / 2.0, square / 2.0);
    if x <= 0.0 || half <= 0.0 {
        return 0.0;
    }
    // The series is quick up to the mean; beyond it nobody asks.
    if x > half {
        return 1.0;
    }
    let (mut term, mut sum, mut at) = (1.0 / half, 1.0 / half, half);
    while term > sum * TERM_MIN {
        at += 1.0;
        term *= x / at;
        sum += term;
    }
    (half * x.ln() - x - ln_gamma(half)).exp() * sum
}

/// The logarithm of the gamma function, by Stirling's series from 8 on.
fn ln_gamma(number: f64) -> f64 {
    let (mut n, mut below) = (number, 0.0);
    while n < 8.0 {
        below += n.ln();
        n += 1.0;
    }
    let half_ln_two_pi = 0.918_938_533_204_672_7;
    (n - 0.5) * n.ln() - n + half_ln_two_pi + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) - below
}

fn ln_choose(all: u64, some: u64) -> f64 {
    ln_factorial(all) - ln_factorial(some) - ln_factorial(all - some)
}

/// The logarithm of a factorial, by Stirling's series.
fn ln_factorial(number: u64) -> f64 {
    if number < 20 {
        return (2..=number).map(|factor| (factor as f64).ln()).sum();
    }
    let n = number as f64;
    let half_ln_two_pi = 0.918_938_533_204_672_7;
    (n + 0.5) * n.ln() - n + half_ln_two_pi + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use super::{bound, chi_square_or_less, count_or_more, refuted};

    /// Quantiles of the tables (Abramowitz and Stegun, 26.8), the error function, and what two and four degrees of
    /// freedom have in closed form.
    #[test]
    fn chi_squares_below_their_mean() {
        let two = |square: f64| 1.0 - (-square / 2.0).exp();
        let four = |square: f64| 1.0 - (-square / 2.0).exp() * (1.0 + square / 2.0);
        for (square, freedom, probability) in [
            (0.5, 1.0, 0.520_499_9),
            (1.145_476, 5.0, 0.05),
            (0.297_11, 4.0, 0.01),
            (10.0, 30.0, 0.000_226),
            (1e-3, 2.0, two(1e-3)),
            (1.9, 2.0, two(1.9)),
            (1e-2, 4.0, four(1e-2)),
            (3.9, 4.0, four(3.9)),
        ] {
            let found = chi_square_or_less(square, freedom);
            assert!(
                (found / probability - 1.0).abs() < 5e-3,
                "{square} {freedom}: {found}"
            );
        }
        assert_eq!(chi_square_or_less(0.0, 9.0), 0.0);
        assert_eq!(chi_square_or_less(20.0, 9.0), 1.0, "nobody asks");
    }

    /// As R's `phyper(found - 1, dead, trees - dead, drawn, lower.tail = FALSE)` defines it, by hand.
    #[test]
    fn tails_of_small_samples() {
        // 2 of 4 trees are dead; both are among the 2 drawn in 1 of 6 cases.
        assert!((count_or_more(4, 2, 2, 2) - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!(count_or_more(4, 1, 2, 2), 0.0, "only one is dead");
        assert_eq!(count_or_more(4, 2, 2, 1), 1.0, "as expected");
        assert_eq!(count_or_more(4, 4, 2, 1), 1.0);
        // 5 drawn of 100, of which 10 are dead, hold 2 or more: 1 − P(0) − P(1).
        let none = (0..5)
            .map(|n| f64::from(90 - n) / f64::from(100 - n))
            .product::<f64>();
        let one = none * 5.0 * 10.0 / 86.0;
        let found = count_or_more(100, 10, 5, 2);
        assert!((found - (1.0 - none - one)).abs() < 1e-9, "{found}");
    }

    #[test]
    fn the_bound_is_never_too_small() {
        for (trees, dead, drawn, found) in [(1000, 100, 50, 12), (500, 50, 20, 6), (90, 9, 30, 7)] {
            let exact = count_or_more(trees, dead, drawn, found);
            let share = found as f64 / drawn as f64;
            let bound = bound(share, dead as f64 / trees as f64, drawn as f64);
            assert!(exact <= bound && bound < 20.0 * exact, "{exact} {bound}");
        }
        let many = count_or_more(1 << 32, 1 << 28, 1 << 31, 1 << 28);
        assert!(many < 1e-100, "{many}");
    }

    #[test]
    fn many_questions_ask_for_more() {
        assert_eq!(refuted(&[0.04]), [true]);
        assert_eq!(refuted(&[0.04, 0.04]), [false, false]);
        assert_eq!(refuted(&[0.04, 0.9, 0.001]), [false, false, true]);
        assert_eq!(refuted(&[0.02, 0.01]), [true, true]);
        assert!(refuted(&[]).is_empty());
    }
}
