//! Magnetic resonance: values have no unit, so each volume is stretched from its least to its greatest value
//! (serving, `_process_buffered_mri_volume`; no other recipe is published, Google-Health/medgemma#49).
//!
//! Not copied: the serving code takes the difference in the stored type, where −20000 to 20000 in 16 bits overflows.

use medgemma_image::Image;

use super::modality::check_volume;
use super::record::{MrRecord, Recipe};
use super::sampler::Sampler;
use super::volume::{PreparedVolume, choose, positions, square};
use super::window::to_byte;
use crate::error::Result;
use crate::padding;
use crate::plane::Plane;
use crate::remark::Remark;
use crate::volume::Volume;

/// How a volume of MR becomes pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MrRecipe {
    /// The slices. Default: the rule published for CT, at most 85; none is published for MR.
    pub sampler: Sampler,
    /// Whether black is put at two sides of slices that are not square. Default `true`, as in the serving code.
    pub pad_to_square: bool,
}

impl Default for MrRecipe {
    fn default() -> Self {
        Self {
            sampler: Sampler::default(),
            pad_to_square: true,
        }
    }
}

impl MrRecipe {
    /// Sets [`sampler`](Self::sampler).
    #[must_use]
    pub fn with_sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = sampler;
        self
    }

    /// Sets [`pad_to_square`](Self::pad_to_square).
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = pad;
        self
    }

    /// Stretches the slices of a volume, from its lowest plane on.
    ///
    /// # Errors
    /// As [`CtRecipe::prepare_volume`](crate::CtRecipe::prepare_volume), for a volume that is no MR.
    pub fn prepare_volume(&self, volume: &Volume) -> Result<PreparedVolume> {
        check_volume(volume, "MR")?;
        self.prepared(&volume.planes, Some(&positions(volume)?), &volume.remarks)
    }

    /// Stretches the slices that the sampler chooses: `(v − least) / (greatest − least) · 255` in f64, rounded half to
    /// even, over all slices of the volume, shown or not. A volume of one value is white. Grey is repeated into three
    /// channels. Padding ([`Plane::padding`]) that lies apart from all other values of the volume, which the serving code
    /// knows nothing of, is neither the least nor the greatest value, and black; the record says so. `positions` as in [`CtRecipe::prepare`](crate::CtRecipe::prepare).
    ///
    /// # Errors
    /// As [`CtRecipe::prepare`](crate::CtRecipe::prepare).
    pub fn prepare(&self, slices: &[Plane], positions: Option<&[f64]>) -> Result<PreparedVolume> {
        self.prepared(slices, positions, &[])
    }

    fn prepared(
        &self,
        slices: &[Plane],
        positions: Option<&[f64]>,
        remarks: &[Remark],
    ) -> Result<PreparedVolume> {
        let mut order = choose(slices, positions, &self.sampler, remarks)?;
        let left_out = padding::is_left_out(slices);
        order.remarks.extend(padding::told(slices, left_out));
        let [minimum, maximum] = extremes(slices, left_out);
        let (least, range) = (f64::from(minimum), f64::from(maximum) - f64::from(minimum));
        let byte = |value: f32| {
            if range == 0.0 {
                255
            } else {
                to_byte((f64::from(value) - least) / range * 255.0)
            }
        };
        let images = order.slices_shown.iter().map(|&index| {
            let plane = &slices[index];
            let is_padding = plane.is_padding();
            let grey = plane.values().iter().map(|&value| {
                if left_out && is_padding(value) {
                    0
                } else {
                    byte(value)
                }
            });
            let grey = grey.collect();
            let image = Image::from_gray8(plane.columns(), plane.rows(), grey)?;
            square(image, self.pad_to_square)
        });
        let images = images.collect::<Result<Vec<_>>>()?;
        let record = MrRecord {
            minimum,
            maximum,
            order,
            padded_to_square: self.pad_to_square,
        };
        Ok(PreparedVolume::new(images, Recipe::Mr(record)))
    }
}

/// The least and the greatest value of all slices; of padding too, unless it is left out.
fn extremes(slices: &[Plane], left_out: bool) -> [f32; 2] {
    let (mut minimum, mut maximum) = (f32::INFINITY, f32::NEG_INFINITY);
    for plane in slices {
        let is_padding = plane.is_padding();
        let values = plane.values().iter().copied();
        for value in values.filter(|&value| !(left_out && is_padding(value))) {
            minimum = minimum.min(value);
            maximum = maximum.max(value);
        }
    }
    [minimum, maximum]
}
