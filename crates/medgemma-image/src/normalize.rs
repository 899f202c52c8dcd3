//! From 8-bit samples to `f32`: rescale and normalise, with the rounding of each reference.
//! A sample has 256 values, so the arithmetic is done once into a table per channel.

use crate::image::Image;
use crate::pixels::Pixels;
use crate::resize::Resizer;

/// The arithmetic's settings. Names and values as in `preprocessor_config.json`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Normalize {
    /// `rescale_factor`, if `do_rescale`.
    pub(crate) rescale_factor: Option<f64>,
    /// `image_mean` and `image_std`, if `do_normalize`.
    pub(crate) mean_std: Option<([f64; 3], [f64; 3])>,
}

impl Default for Normalize {
    /// The class defaults of `Gemma3ImageProcessor`: 1/255, mean and deviation 0.5 (`IMAGENET_STANDARD_*`).
    fn default() -> Self {
        Self {
            rescale_factor: Some(1.0 / 255.0),
            mean_std: Some(([0.5; 3], [0.5; 3])),
        }
    }
}

impl Normalize {
    /// `[height, width, 3]` samples to `[3, height, width]` values.
    pub(crate) fn apply(&self, image: &Image, resizer: Resizer) -> Pixels {
        let (width, height) = (image.width(), image.height());
        let mut data = Vec::with_capacity(width * height * 3);
        for channel in 0..3 {
            let table = self.table(channel, resizer);
            let samples = image.as_rgb8().chunks_exact(3);
            data.extend(samples.map(|p| table[usize::from(p[channel])]));
        }
        Pixels {
            data,
            shape: [3, height, width],
        }
    }

    /// The value of each 8-bit sample in one channel.
    fn table(&self, channel: usize, resizer: Resizer) -> [f32; 256] {
        std::array::from_fn(|i| {
            let sample = u8::try_from(i).unwrap_or(u8::MAX);
            if resizer.is_torchvision() {
                self.torchvision(sample, channel)
            } else {
                self.pil(sample, channel)
            }
        })
    }

    /// `rescale` and `normalize` of `transformers`' `image_transforms.py`: the product in `f64`, stored as `f32`;
    /// mean and deviation as `f32`, difference and quotient in `f32`. After TensorFlow's resize, too: MedSigLIP's
    /// recipe hands its result to the processor of `transformers` 4, which is this one.
    fn pil(&self, sample: u8, channel: usize) -> f32 {
        let value = match self.rescale_factor {
            Some(factor) => narrow(f64::from(sample) * factor),
            None => f32::from(sample),
        };
        match &self.mean_std {
            Some((mean, std)) => (value - narrow(mean[channel])) / narrow(std[channel]),
            None => value,
        }
    }

    /// `rescale_and_normalize` of `transformers`' `TorchvisionBackend`: where both steps are on, mean and deviation
    /// take in the factor (`f32` tensors times `1 / factor`, itself rounded to `f32`) and the sample is not scaled.
    fn torchvision(&self, sample: u8, channel: usize) -> f32 {
        let value = f32::from(sample);
        match (&self.mean_std, self.rescale_factor) {
            (Some((mean, std)), Some(factor)) => {
                let inverse = narrow(1.0 / factor);
                let (mean, std) = (narrow(mean[channel]), narrow(std[channel]));
                (value - mean * inverse) / (std * inverse)
            }
            (Some((mean, std)), None) => (value - narrow(mean[channel])) / narrow(std[channel]),
            (None, Some(factor)) => value * narrow(factor),
            (None, None) => value,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is the step of the reference being reproduced"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}
