//! From an embedding to unit length, and to the 8-bit codes that are scanned.

/// Lengths this near to 1 are left as they are, so that copying an index changes no bit.
const UNIT: f64 = 1e-6;

/// The vector at unit length; `None` if it has a number that is not finite, or no direction.
pub(crate) fn normalized(vector: &[f32]) -> Option<Vec<f32>> {
    let length = length(vector);
    if !length.is_finite() || length == 0.0 {
        return None;
    }
    if (length - 1.0).abs() <= UNIT {
        return Some(vector.to_vec());
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounded to what is stored")]
    let unit = |&x: &f32| (f64::from(x) / length) as f32;
    Some(vector.iter().map(unit).collect())
}

fn squares(vector: &[f32]) -> f64 {
    vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}

/// What codes stand for: `scale · code`, off from the vector by `residual` in length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scaling {
    pub(crate) scale: f32,
    /// Rounded up.
    pub(crate) residual: f32,
}

/// Writes the codes of `vector`: its numbers in 127ths of the largest magnitude, rounded.
pub(crate) fn encode(vector: &[f32], codes: &mut Vec<i8>) -> Scaling {
    let largest = vector.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
    let mut squares = 0.0;
    for &x in vector {
        let rounded = (x / scale).round_ties_even().clamp(-127.0, 127.0);
        let error = f64::from(x) - f64::from(scale) * f64::from(rounded);
        squares += error * error;
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        codes.push(rounded as i8);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "made larger than the rounding takes"
    )]
    let residual = (squares.sqrt() * (1.0 + 1e-6)) as f32;
    Scaling { scale, residual }
}

/// The inner product of two vectors, the second in little-endian bytes. Summed in f64 in a fixed
/// order: the same on every machine.
pub(crate) fn product(a: &[f32], b: &[u8]) -> f64 {
    const LANES: usize = 8;
    let (b, _) = b.as_chunks::<4>();
    let term = |a: &f32, b: &[u8; 4]| f64::from(*a) * f64::from(f32::from_le_bytes(*b));
    let (left, left_rest) = a.as_chunks::<LANES>();
    let (right, right_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in left.iter().zip(right) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += term(a, b);
        }
    }
    let rest: f64 = left_rest
        .iter()
        .zip(right_rest)
        .map(|(a, b)| term(a, b))
        .sum();
    sums.iter().sum::<f64>() + rest
}

/// A cosine as a score: rounded to f32, and not beyond 1 by the rounding of the vectors.
pub(crate) fn score(cosine: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    let score = cosine.clamp(-1.0, 1.0) as f32;
    score
}

/// The length of a vector.
pub(crate) fn length(vector: &[f32]) -> f64 {
    squares(vector).sqrt()
}

/// The length of a vector in little-endian bytes.
pub(crate) fn length_of_bytes(vector: &[u8]) -> f64 {
    const LANES: usize = 8;
    let square = |x: &[u8; 4]| f64::from(f32::from_le_bytes(*x)).powi(2);
    let (lanes, rest) = vector.as_chunks::<4>().0.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for numbers in lanes {
        for (sum, x) in sums.iter_mut().zip(numbers) {
            *sum += square(x);
        }
    }
    let rest: f64 = rest.iter().map(square).sum();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// How far the cosine of two vectors of unit length can be from the inner product of what their
/// codes stand for: `a·b − â·b̂ = (a − â)·b + â·(b − b̂)`, each at most the product of the lengths.
/// What is added covers the rounding of scores to f32, and that lengths are within [`UNIT`] of 1:
/// a product over both lengths is at most twice that above the product.
pub(crate) fn bound(a: f32, b: f32) -> f32 {
    a + (1.0 + a) * b + 1e-5
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{UNIT, bound, encode, length, normalized, product};

    fn vectors() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        let number = || prop_oneof![4 => -1f32..1.0, 1 => Just(0.0), 1 => -1e-6f32..1e-6];
        (1usize..100).prop_flat_map(move |len| {
            let vector = || prop::collection::vec(number(), len);
            (vector(), vector())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn products_of_codes_are_within_the_bound((a, b) in vectors(), off in -0.9f64..0.9) {
            let (Some(a), Some(b)) = (normalized(&a), normalized(&b)) else {
                return Ok(());
            };
            // Lengths that are left as they are, off by nearly as much as may be.
            #[expect(clippy::cast_possible_truncation, reason = "rounded to what is stored")]
            let off = |x: &f32| (f64::from(*x) * (1.0 + off * UNIT)) as f32;
            let a: Vec<f32> = a.iter().map(off).collect();
            let b: Vec<f32> = b.iter().map(off).collect();
            let again = normalized(&a);
            prop_assert_eq!(again.as_ref(), Some(&a), "a second time changes nothing");
            let (mut x, mut y) = (Vec::new(), Vec::new());
            let (of_a, of_b) = (encode(&a, &mut x), encode(&b, &mut y));
            let sum: i32 = x.iter().zip(&y).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
            let coded = sum as f32 * (of_a.scale * of_b.scale);
            let bytes: Vec<u8> = b.iter().flat_map(|x| x.to_le_bytes()).collect();
            let exact: f64 = a.iter().zip(&b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
            prop_assert!((product(&a, &bytes) - exact).abs() <= 1e-12);
            let limit = bound(of_a.residual, of_b.residual);
            for score in [exact, exact / (length(&a) * length(&b))] {
                let error = (score - f64::from(coded)).abs();
                prop_assert!(error <= f64::from(limit), "{} above {}", error, limit);
            }
        }
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for vector in [&[0.0, 0.0][..], &[f32::NAN, 1.0], &[f32::INFINITY], &[]] {
            assert_eq!(normalized(vector), None, "{vector:?}");
        }
        assert_eq!(normalized(&[3.0, 4.0]), Some(vec![0.6, 0.8]));
        // Squares of f32 are numbers of f64, however small or large.
        assert_eq!(normalized(&[1e-30, 0.0]), Some(vec![1.0, 0.0]));
        assert_eq!(normalized(&[0.0, 3e38]), Some(vec![0.0, 1.0]));
    }
}
