//! How unlikely a count is: the upper tail of the negative binomial distribution.
//!
//! Source: <https://dlmf.nist.gov/5.11> (5.11.1, the logarithm of the gamma function for large arguments).

/// Terms that are added one by one; what is left after them is bounded by a geometric series.
const TERMS_MAX: u32 = 400;
/// No score is larger: everything beyond is equally impossible.
const SCORE_MAX: f64 = 300.0;

/// −log₁₀ of the probability of `count` or more, for a mean and a variance of `mean + mean² / size`.
///
/// INVARIANT: finite, at least 0, and rising with the count.
pub(super) fn score(count: f64, mean: f64, size: f64) -> f64 {
    if count <= mean || mean <= 0.0 {
        return 0.0;
    }
    // The share of a step in the tail that the next one has.
    let odds = mean / (mean + size);
    let first = ln_gamma(count + size)
        - ln_gamma(size)
        - ln_gamma(count + 1.0)
        - size * (mean / size).ln_1p()
        + count * odds.ln();
    let (mut term, mut sum, mut at) = (1.0, 1.0, count);
    for _ in 0..TERMS_MAX {
        let ratio = (at + size) / (at + 1.0) * odds;
        term *= ratio;
        sum += term;
        at += 1.0;
        if term < sum * 1e-6 {
            break;
        }
    }
    let ratio = ((at + size) / (at + 1.0) * odds).max(odds);
    if ratio < 1.0 {
        sum += term * ratio / (1.0 - ratio);
    }
    (-(first + sum.ln()) / core::f64::consts::LN_10).clamp(0.0, SCORE_MAX)
}

/// The logarithm of the gamma function of a positive number.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 8.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0));
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * core::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_of_factorials() {
        let mut sum = 0.0;
        for n in 1..200 {
            assert!((ln_gamma(f64::from(n)) - sum).abs() < 1e-8, "{n}");
            sum += f64::from(n).ln();
        }
        assert!((ln_gamma(0.5) - core::f64::consts::PI.sqrt().ln()).abs() < 1e-8);
    }

    /// Against the sum from below, for a distribution that is nearly Poisson's and for a wide one.
    #[test]
    fn the_tail_is_one_less_the_rest() {
        for (mean, size) in [(5.0, 1e6), (5.0, 2.0), (40.0, 8.0), (0.3, 0.5)] {
            let odds = mean / (mean + size);
            let mut term: f64 = (-size * f64::ln_1p(mean / size)).exp();
            let mut below = 0.0_f64;
            for count in 0..90_u32 {
                let k = f64::from(count);
                let tail = 1.0 - below;
                if mean < k && 1e-7 < tail {
                    let score = score(k, mean, size);
                    assert!((score + tail.log10()).abs() < 1e-3, "{k} of {mean}: {score}");
                }
                below += term;
                term *= (k + size) / (k + 1.0) * odds;
            }
        }
    }

    #[test]
    fn scores_are_finite_and_rise() {
        for (mean, size) in [(0.02, 0.01), (3.0, 1e12), (1e6, 5.0), (1e6, 1e9)] {
            let scores = (0..40).map(|i| score(mean * 1.5_f64.powi(i), mean, size));
            let scores: Vec<f64> = scores.collect();
            assert!(scores.iter().all(|score| (0.0..=SCORE_MAX).contains(score)), "{scores:?}");
            assert!(scores.is_sorted(), "{mean} {size}: {scores:?}");
        }
    }
}
