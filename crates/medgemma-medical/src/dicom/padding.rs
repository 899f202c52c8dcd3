//! Values that stand where nothing was measured: PS3.3, C.7.5.1.1.2.

use std::ops::RangeInclusive;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::element::View;
use super::lut::Modality;

/// The stored values that are padding; `range` are those that the stored bits can hold.
#[derive(Clone)]
pub(crate) struct Padding(RangeInclusive<i64>);

impl Padding {
    /// Of (0028,0120) and, where there is a range, (0028,0121), whichever is the larger. None where the file names none, or
    /// one that its stored bits cannot hold: which of their values stands for it is not known.
    pub(crate) fn read(view: &View<'_>, (low, high): (f64, f64), signed: bool) -> Option<Self> {
        // 16 bits, signed where the pixels are; its representation is often written wrong.
        let value = |tag: Tag| {
            let word = view.integer(tag)?.rem_euclid(1 << 16);
            Some(if signed && word > 0x7FFF {
                word - 0x1_0000
            } else {
                word
            })
        };
        let first = value(tags::PIXEL_PADDING_VALUE)?;
        let last = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(first);
        #[expect(clippy::cast_precision_loss, reason = "16 bits")]
        let held = |value: i64| (low..=high).contains(&(value as f64));
        (held(first) && held(last)).then(|| Self(first.min(last)..=first.max(last)))
    }

    pub(crate) fn contains(&self, sample: i64) -> bool {
        self.0.contains(&sample)
    }

    /// Whether it can lie apart from measured values: not where it begins with the least that unsigned samples can be, which is
    /// the natural one.
    pub(crate) fn can_lie_apart(&self, signed: bool) -> bool {
        signed || *self.0.start() > 0
    }

    /// Its ends, as numbers.
    #[expect(clippy::cast_precision_loss, reason = "16 bits")]
    pub(crate) fn ends(&self) -> [f64; 2] {
        [*self.0.start() as f64, *self.0.end() as f64]
    }

    /// The same in the modality's units, as planes hold them; none where a table may give the same to values that were
    /// measured.
    pub(crate) fn after(&self, modality: &Modality) -> Option<RangeInclusive<f32>> {
        if !modality.is_one_to_one() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "f32 is what planes hold")]
        let [a, b] = [self.0.start(), self.0.end()].map(|&end| modality.apply(end) as f32);
        Some(a.min(b)..=a.max(b))
    }
}
