//! Comparison with a golden, and the ways in which a comparison can be worthless.

use crate::Array;

/// Why values do not count as equal to a golden.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The shapes differ, or the data do not fill the shape.
    #[error("shape {found:?} with {len} values where the golden has {expected:?}")]
    Shape {
        /// Shape of the golden.
        expected: Vec<usize>,
        /// Shape of the values.
        found: Vec<usize>,
        /// Number of values.
        len: usize,
    },
    /// A value is infinite or not a number.
    #[error("value {value} at {at:?}")]
    NotFinite {
        /// Where, one index per axis.
        at: Vec<usize>,
        /// The value.
        value: f32,
    },
    /// The golden cannot tell right from wrong: empty, not finite, or all values equal.
    #[error("the golden proves nothing: {len} values, all {value}")]
    Golden {
        /// Number of values.
        len: usize,
        /// The first value, or zero.
        value: f32,
    },
    /// The values differ by more than the tolerance.
    #[error(
        "off by {relative:.2e} of the golden's largest magnitude {scale}, allowed {allowed:.0e}; \
         worst at {at:?}: found {found}, expected {expected}"
    )]
    Value {
        /// Largest difference divided by `scale`.
        relative: f32,
        /// The tolerance.
        allowed: f32,
        /// Largest magnitude in the golden.
        scale: f32,
        /// Where the difference is largest, one index per axis.
        at: Vec<usize>,
        /// The value there.
        found: f32,
        /// The golden's value there.
        expected: f32,
    },
}

/// Largest difference from the golden, relative to the golden's largest magnitude.
///
/// # Errors
/// [`Mismatch`] on another shape, a value that is not finite, a golden without content, or a
/// difference above `rel`.
pub fn closeness(
    shape: &[usize],
    got: &[f32],
    golden: &Array<f32>,
    rel: f32,
) -> Result<f32, Mismatch> {
    if shape != golden.shape || got.len() != golden.data.len() {
        return Err(Mismatch::Shape {
            expected: golden.shape.clone(),
            found: shape.to_vec(),
            len: got.len(),
        });
    }
    let scale = golden_scale(golden)?;
    if let Some(index) = got.iter().position(|x| !x.is_finite()) {
        return Err(Mismatch::NotFinite {
            at: place(index, shape),
            value: got[index],
        });
    }
    let distances = got.iter().zip(&golden.data).map(|(a, b)| (a - b).abs());
    let (index, worst) =
        distances.enumerate().fold(
            (0, 0.0),
            |best, here| if here.1 > best.1 { here } else { best },
        );
    let relative = worst / scale;
    if relative > rel {
        return Err(Mismatch::Value {
            relative,
            allowed: rel,
            scale,
            at: place(index, shape),
            found: got[index],
            expected: golden.data[index],
        });
    }
    Ok(relative)
}

/// [`closeness`] as an assertion; `name` says which stage is compared.
///
/// # Panics
/// On every [`Mismatch`].
#[track_caller]
pub fn assert_close(name: &str, shape: &[usize], got: &[f32], golden: &Array<f32>, rel: f32) {
    if let Err(mismatch) = closeness(shape, got, golden, rel) {
        panic!("{name}: {mismatch}");
    }
}

fn golden_scale(golden: &Array<f32>) -> Result<f32, Mismatch> {
    let first = golden.data.first().copied().unwrap_or(0.0);
    let constant = golden.data.len() != 1 && golden.data.iter().all(|&x| x == first);
    let scale = golden.data.iter().fold(0.0_f32, |max, x| {
        if x.is_finite() {
            max.max(x.abs())
        } else {
            f32::NAN
        }
    });
    if constant || !(scale.is_finite() && scale > 0.0) {
        return Err(Mismatch::Golden {
            len: golden.data.len(),
            value: first,
        });
    }
    Ok(scale)
}

fn place(mut index: usize, shape: &[usize]) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for (axis, &len) in shape.iter().enumerate().rev() {
        at[axis] = index % len;
        index /= len;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::{Mismatch, closeness};
    use crate::Array;

    fn golden(data: &[f32]) -> Array<f32> {
        Array {
            shape: vec![2, 2],
            data: data.to_vec(),
        }
    }

    #[test]
    fn the_difference_is_relative_to_the_largest_magnitude() {
        let right = golden(&[1.0, -8.0, 0.0, 2.0]);
        let found = closeness(&[2, 2], &[1.0, -8.0, 0.5, 2.0], &right, 0.1);
        assert_eq!(found, Ok(0.0625));
        let Err(Mismatch::Value { at, found, .. }) =
            closeness(&[2, 2], &[1.0, -8.0, 0.5, 2.0], &right, 0.05)
        else {
            panic!("a difference of 0.0625 passed a tolerance of 0.05");
        };
        assert_eq!((at, found), (vec![1, 0], 0.5));
    }

    #[test]
    fn worthless_comparisons_fail() {
        let right = golden(&[1.0, 2.0, 3.0, 4.0]);
        let same = right.data.clone();
        assert!(matches!(
            closeness(&[4], &same, &right, 1.0),
            Err(Mismatch::Shape { .. })
        ));
        assert!(matches!(
            closeness(&[2, 2], &same[..3], &right, 1.0),
            Err(Mismatch::Shape { .. })
        ));
        let nan = [1.0, f32::NAN, 3.0, 4.0];
        assert!(matches!(
            closeness(&[2, 2], &nan, &right, 1.0),
            Err(Mismatch::NotFinite { .. })
        ));
        for flat in [
            [0.0; 4],
            [5.0; 4],
            [f32::NAN; 4],
            [1.0, 2.0, f32::INFINITY, 0.0],
        ] {
            assert!(matches!(
                closeness(&[2, 2], &flat, &golden(&flat), 1.0),
                Err(Mismatch::Golden { .. })
            ));
        }
    }
}
