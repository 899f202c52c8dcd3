//! Which patches are shown of many: a sample that a seed fixes.

/// Draws at most `cap` of `n`, in order, each set equally likely (Knuth, The Art of Computer Programming 2, 3.4.2,
/// algorithm S), by `SplitMix64`: the same seed gives the same sample in every version of this library.
pub(super) fn sample(n: usize, cap: usize, seed: u64) -> Vec<usize> {
    if n <= cap {
        return (0..n).collect();
    }
    let (mut state, mut drawn) = (seed, Vec::with_capacity(cap));
    for index in 0..n {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // A number below those that are left, by the upper half of a product.
        let below = (u128::from(z) * (n - index) as u128) >> 64;
        if below < (cap - drawn.len()) as u128 {
            drawn.push(index);
        }
    }
    drawn
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_in_order_of_the_size_asked_for_and_fair() {
        assert_eq!(sample(3, 126, 0), [0, 1, 2]);
        let mut counts = [0; 20];
        for seed in 0..4000 {
            let drawn = sample(20, 5, seed);
            assert_eq!(drawn.len(), 5);
            assert!(drawn.is_sorted_by(|a, b| a < b), "each once, in order");
            drawn.iter().for_each(|&index| counts[index] += 1);
        }
        // 1000 expected of each, deviation 27.
        assert!(
            counts.iter().all(|count| (880..1120).contains(count)),
            "{counts:?}"
        );
        assert_eq!(sample(1000, 10, 7), sample(1000, 10, 7));
        assert_ne!(sample(1000, 10, 7), sample(1000, 10, 8));
    }
}
