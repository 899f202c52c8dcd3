//! Whether padding is a sentinel. Google's serving code knows nothing of padding: it counts all values alike, which is
//! nonsense where a value that stands for nothing lies far from all that were measured, and squeezes those into a few
//! levels of grey. Only there is it left out; padding that lies among others, or is the natural least as 0 often is,
//! counts as it does there.

use crate::dicom::Notice;
use crate::plane::Plane;

/// At least one value in so many must be left.
const FEWEST: u64 = 100;

/// Values that are no padding, of all planes that are stretched together.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    least: f64,
    greatest: f64,
    count: u64,
    all: u64,
}

impl Measured {
    /// Of values, each with whether it is padding.
    pub(crate) fn of(values: impl Iterator<Item = (f64, bool)>) -> Self {
        let nothing = Self {
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            count: 0,
            all: 0,
        };
        values.fold(nothing, |found, (value, is_padding)| {
            let all = found.all + 1;
            if is_padding {
                return Self { all, ..found };
            }
            Self {
                least: found.least.min(value),
                greatest: found.greatest.max(value),
                count: found.count + 1,
                all,
            }
        })
    }

    /// Whether padding from `low` to `high` lies apart: below 0 where all others are not; or further from them, and over a
    /// shorter range, than they are from each other, above them or below both them and 0. Not where hardly anything else
    /// is left, or a single value: that is no picture.
    pub(crate) fn is_apart(self, [low, high]: [f64; 2]) -> bool {
        if self.count.saturating_mul(FEWEST) < self.all || self.least >= self.greatest {
            return false;
        }
        let far = |gap: f64| gap > self.greatest - self.least && gap >= high - low;
        let below = high < 0.0 && (self.least >= 0.0 || far(self.least - high));
        below || far(low - self.greatest)
    }

    /// The same as the stored values of a plane are ordered, from their 0 on.
    fn stored(self, plane: &Plane) -> Self {
        let [a, b] = [self.least, self.greatest].map(|value| plane.beyond_zero(value));
        Self {
            least: a.min(b),
            greatest: a.max(b),
            ..self
        }
    }
}

/// Whether the padding of planes that are stretched together is left out: it is there, and all of it lies apart.
pub(crate) fn is_left_out(planes: &[Plane]) -> bool {
    if !planes.iter().any(Plane::is_padded) {
        return false;
    }
    let values = planes.iter().flat_map(|plane| {
        let is_padding = plane.is_padding();
        plane
            .values()
            .iter()
            .map(move |&value| (f64::from(value), is_padding(value)))
    });
    let measured = Measured::of(values);
    let mut padded = planes.iter().filter(|plane| plane.is_padded());
    padded.all(|plane| {
        plane.padding().is_some_and(|padding| {
            let ends = [*padding.start(), *padding.end()].map(|end| plane.beyond_zero(end.into()));
            let ends = [ends[0].min(ends[1]), ends[0].max(ends[1])];
            measured.stored(plane).is_apart(ends)
        })
    })
}

/// What records say of it; nothing where there is none.
pub(crate) fn told(planes: &[Plane], left_out: bool) -> Option<String> {
    if left_out {
        return Some(
            "pixel padding left out of least and greatest values and shown black".to_owned(),
        );
    }
    let is_padded = planes.iter().any(Plane::is_padded);
    is_padded.then(|| Notice::PixelPaddingKept.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_left_out_only_where_it_lies_apart() {
        let apart = |padding: [f32; 2], others: &[f32]| {
            let values = [&padding[..1], others].concat();
            let plane = Plane::new(1, values.len(), values).expect("a plane");
            is_left_out(&[plane.with_padding(Some(padding[0]..=padding[1]))])
        };
        for (padding, others) in [
            ([-32768.0; 2], [0.0, 4095.0]),
            ([-2000.0; 2], [0.0, 4095.0]),
            ([-2000.0; 2], [-100.0, 100.0]),
            ([-32768.0; 2], [-1024.0, 3071.0]),
            ([65535.0; 2], [0.0, 4095.0]),
            ([63536.0; 2], [0.0, 4095.0]),
            ([65000.0, 65535.0], [0.0, 4095.0]),
        ] {
            assert!(apart(padding, &others), "{padding:?} {others:?}");
        }
        for (padding, others) in [
            // The natural least, however far.
            ([0.0; 2], [400.0, 1000.0]),
            ([0.0; 2], [1000.0, 1010.0]),
            ([-1024.0; 2], [-1000.0, 3071.0]),
            // Among others, or just above them.
            ([500.0; 2], [400.0, 1000.0]),
            ([4095.0; 2], [0.0, 4000.0]),
            ([65535.0; 2], [0.0, 40000.0]),
            // Nearly all values that there can be.
            ([3.0, 4095.0], [0.0, 1.0]),
            // One value is no picture.
            ([255.0; 2], [0.0, 0.0]),
        ] {
            assert!(!apart(padding, &others), "{padding:?} {others:?}");
        }
        // Nothing, and nearly nothing besides.
        let plane = |others: &[f32], padded: usize| {
            let values = [&vec![-9000.0; padded], others].concat();
            let plane = Plane::new(1, values.len(), values).expect("a plane");
            plane.with_padding(Some(-9000.0..=-9000.0))
        };
        assert!(!is_left_out(&[plane(&[], 7)]));
        assert!(!is_left_out(&[plane(&[1.0, 2.0], 199)]));
        assert!(is_left_out(&[plane(&[1.0, 2.0], 198)]));
        // Of planes that are stretched together, all count.
        assert!(is_left_out(&[plane(&[], 7), plane(&[1.0, 2.0], 0)]));
        assert!(!is_left_out(&[plane(&[1.0, 2.0], 0)]), "none is there");
        let near = Plane::new(1, 1, vec![1.5]).expect("a plane");
        let near = near.with_padding(Some(1.5..=1.5));
        assert!(!is_left_out(&[plane(&[1.0, 2.0], 1), near]));
    }
}
