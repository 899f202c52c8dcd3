//! Keys and values as whole numbers: symmetric, one scale for each row of a head.

/// 1.5 · 2²³: added to a number of less than 2²² it leaves the number, rounded to a whole one with
/// ties to even, in the low bits. `round_ties_even` does the same by a call where a processor may
/// lack the instruction; this is a handful of instructions that every processor has as vectors.
const WHOLE: f32 = 12_582_912.0;

/// Rows of `head_dim` numbers as whole numbers from −127 to 127 and the scale of each row, as
/// [`Numbers::Int8`](crate::Numbers::Int8) wants them: scale = max |x| / 127, number = x / scale,
/// rounded, ties to even.
///
/// A row of zeros, or of numbers whose scale would be subnormal, becomes zeros with scale 0. A row
/// that holds NaN or an infinity gets a scale that is not finite, so that the fault is not hidden.
///
/// # Shapes
/// - x, numbers: `[rows, head_dim]`, contiguous
/// - scales: `[rows]`
///
/// # Panics
/// When lengths do not fit each other, or `head_dim` is 0.
pub fn quantize_rows(x: &[f32], head_dim: usize, numbers: &mut [i8], scales: &mut [f32]) {
    assert_eq!(x.len(), numbers.len(), "a whole number for each number");
    assert_eq!(
        Some(x.len()),
        scales.len().checked_mul(head_dim),
        "a scale for each row"
    );
    let rows = x.chunks_exact(head_dim);
    for ((x, numbers), to) in rows.zip(numbers.chunks_exact_mut(head_dim)).zip(scales) {
        let scale = largest(x) / 127.0;
        // Written so that NaN is no zero.
        if scale < f32::MIN_POSITIVE {
            *to = 0.0;
            numbers.fill(0);
        } else {
            *to = scale;
            for (to, x) in numbers.iter_mut().zip(x) {
                *to = whole(x / scale);
            }
        }
    }
}

/// The largest magnitude; NaN if there is one. Bits of positive numbers are in order of the
/// numbers, infinity and NaN above them.
fn largest(x: &[f32]) -> f32 {
    let magnitude = |x: &f32| x.to_bits() & !(1 << 31);
    f32::from_bits(x.iter().map(magnitude).fold(0, u32::max))
}

/// A number from −127.5 to 127.5, rounded; anything for others.
fn whole(x: f32) -> i8 {
    let [low, ..] = (x + WHOLE).to_bits().to_le_bytes();
    low.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::quantize_rows;

    fn quantized(x: &[f32], head_dim: usize) -> (Vec<i8>, Vec<f32>) {
        let (mut numbers, mut scales) = (vec![99; x.len()], vec![99.0; x.len() / head_dim]);
        quantize_rows(x, head_dim, &mut numbers, &mut scales);
        (numbers, scales)
    }

    #[test]
    fn rows_by_hand() {
        // Scales 1, 1/2 and 2; halves go to the even neighbour.
        let x = [
            [127.0, -126.6, 0.5, 1.5, -0.5, -1.5, 2.5, 0.4],
            [-63.5, 63.25, 0.25, 0.75, -0.25, 31.0, 0.0, -0.3],
            [2.0, 1.0, 3.0, -1.0, -254.0, 253.0, 251.0, -0.0],
        ];
        let (numbers, scales) = quantized(x.as_flattened(), 8);
        assert_eq!(scales, [1.0, 0.5, 2.0]);
        assert_eq!(
            numbers,
            [
                [127, -127, 0, 2, 0, -2, 2, 0],
                [-127, 126, 0, 2, 0, 62, 0, -1],
                [1, 0, 2, 0, -127, 126, 126, 0],
            ]
            .as_flattened()
        );
    }

    #[test]
    fn every_whole_number_is_found_again() {
        for scale in [1.0f32, 0.37, 1e-30, 3e35] {
            let x: Vec<f32> = (-127..=127i16).map(|x| f32::from(x) * scale).collect();
            let (numbers, scales) = quantized(&x, x.len());
            assert!((scales[0] / scale - 1.0).abs() < 1e-6);
            assert!(numbers.iter().copied().eq(-127..=127));
        }
    }

    #[test]
    fn nothing_is_off_by_more_than_half_a_scale() {
        let x: Vec<f32> = (0..40_000u16)
            .map(|at| (f32::from(at) * 0.7).sin() * f32::from(1 + at / 100))
            .collect();
        let (numbers, scales) = quantized(&x, 40);
        for (index, (x, number)) in x.iter().zip(numbers).enumerate() {
            let scale = scales[index / 40];
            let off = (f32::from(number) * scale - x).abs();
            assert!(off <= 0.5001 * scale, "{index}: {x}, {number} of {scale}");
        }
    }

    #[test]
    fn rows_without_a_scale_are_zeros() {
        let (numbers, scales) = quantized(&[0.0, -0.0, 0.0, 1e-37, -1e-38, 1e-45, 0.0, 1.0], 2);
        assert_eq!(numbers[..6], [0; 6]);
        assert_eq!(scales[..3], [0.0; 3]);
        assert_eq!(numbers[6..], [0, 127]);
    }

    #[test]
    #[should_panic(expected = "a scale for each row")]
    fn rows_beyond_usize_are_refused() {
        quantize_rows(&[], 1 << (usize::BITS - 2), &mut [], &mut [0.0; 4]);
    }

    #[test]
    fn what_is_not_finite_shows() {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (_, scales) = quantized(&[1.0, bad, 2.0, 3.0], 2);
            assert!(!scales[0].is_finite());
            assert!((scales[1] - 3.0 / 127.0).abs() < 1e-9);
        }
    }
}
