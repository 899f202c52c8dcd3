//! How far a share of independent samples could be another: the score interval of Wilson (1927, "Probable
//! inference, the law of succession, and statistical inference"), which Brown, Cai and DasGupta (2001,
//! "Interval estimation for a binomial proportion") recommend for few samples. It has a width where
//! samples are all alike and a bootstrap has nothing else to draw.

/// The ends of the interval of `hits` and `misses`, of which there is at least one in all: the shares p
/// from which the one found is no more than z deviations √(p (1 − p) / n) away.
pub(crate) fn wilson(hits: usize, misses: usize, level: f64) -> [f64; 2] {
    let (z, count) = (deviations(level), (hits + misses) as f64);
    let (share, square) = (hits as f64 / count, z * z / count);
    let middle = (share + square / 2.0) / (1.0 + square);
    let spread = share * (1.0 - share) / count + square / (4.0 * count);
    let half = z * spread.sqrt() / (1.0 + square);
    // Rounding alone leaves 0 to 1.
    [middle - half, middle + half].map(|end| end.clamp(0.0, 1.0))
}

/// The deviations either side of its mean between which a normal variable lies with this probability:
/// erfc(z / √2) = 1 − level, by halving.
fn deviations(level: f64) -> f64 {
    // Beyond 40 f64 knows no probability; 64 halves are below its rounding.
    let (mut less, mut more) = (0.0, 40.0);
    for _ in 0..64 {
        let middle = (less + more) / 2.0;
        if libm::erfc(middle / std::f64::consts::SQRT_2) > 1.0 - level {
            less = middle;
        } else {
            more = middle;
        }
    }
    (less + more) / 2.0
}

#[cfg(test)]
mod tests {
    use super::{deviations, wilson};

    /// Newcombe (1998), "Two-sided confidence intervals for the single proportion", Table I, method 3.
    #[test]
    fn intervals_are_those_of_newcombes_table() {
        for (hits, count, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(hits, count - hits, 0.95);
            for (found, expected) in found.into_iter().zip([low, high]) {
                assert!((found - expected).abs() < 5e-5, "{hits}: {found}");
            }
        }
    }

    /// Tables of the normal distribution, and the other end of a share is the end of the other share.
    #[test]
    fn the_level_is_that_of_both_tails() {
        for (level, expected) in [
            (0.5, 0.674_489_750_2),
            (0.8, 1.281_551_565_5),
            (0.95, 1.959_963_984_5),
            (0.999, 3.290_526_731_5),
        ] {
            assert!((deviations(level) - expected).abs() < 1e-10, "{level}");
        }
        let ([low, high], [less, more]) = (wilson(7, 3, 0.999), wilson(3, 7, 0.999));
        assert!((low + more - 1.0).abs() < 1e-15 && (high + less - 1.0).abs() < 1e-15);
        assert!((low - 0.249_641_594_3).abs() < 1e-10);
    }

    /// n / (n + z²) where all are found; no end leaves 0 to 1.
    #[test]
    fn all_and_none_have_a_width() {
        for count in [1_u16, 2, 30, 1000] {
            let z = deviations(0.95);
            let expected = f64::from(count) / (f64::from(count) + z * z);
            let [low, high] = wilson(count.into(), 0, 0.95);
            assert!((low - expected).abs() < 1e-14 && (high - 1.0).abs() < 1e-14);
            let [less, more] = wilson(0, count.into(), 0.95);
            assert!(less.abs() < 1e-14 && (more - 1.0 + expected).abs() < 1e-14);
            assert!(less >= 0.0 && high <= 1.0);
        }
    }
}
