//! Activations rounded to 8 bits by groups of 32.

/// Activations that share a scale.
pub(super) const GROUP: usize = 32;

/// Below this, a group counts as zeros: 127 divided by it might not be finite.
pub(super) const TINY: f32 = 1e-35;

/// A row of activations: `scale · integer` each.
pub(super) struct Rounded {
    /// `−127..=127`, in the order of the row.
    pub(super) integers: Vec<i8>,
    /// One for each group; NaN for a group that is not all finite.
    pub(super) scales: Vec<f32>,
    /// The sum of the integers of each group.
    pub(super) totals: Vec<i16>,
}

impl Rounded {
    /// Rounds `x`, whole groups.
    pub(super) fn new(x: &[f32]) -> Self {
        let mut integers = vec![0; x.len()];
        let scales = x
            .chunks_exact(GROUP)
            .zip(integers.chunks_exact_mut(GROUP))
            .map(|(x, integers)| round_group(x, integers))
            .collect();
        let totals = integers
            .chunks_exact(GROUP)
            .map(|group| group.iter().map(|&integer| i16::from(integer)).sum())
            .collect();
        Self {
            integers,
            scales,
            totals,
        }
    }
}

/// Rounds one group to nearest, ties to even, and returns its scale.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the integers are within −127..=127"
)]
pub(super) fn round_group(x: &[f32], integers: &mut [i8]) -> f32 {
    let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let finite = x.iter().all(|x| x.is_finite());
    let inverse = if finite && largest > TINY {
        127.0 / largest
    } else {
        0.0
    };
    for (integer, x) in integers.iter_mut().zip(x) {
        *integer = (x * inverse).round_ties_even() as i8;
    }
    if finite { largest / 127.0 } else { f32::NAN }
}
