//! Which part of a slide is tissue and which is glass, decided for one patch at a time, so that the slide is never in
//! memory.

use medgemma_image::Image;
use serde::{Deserialize, Serialize};

/// When a patch counts as tissue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Tissue {
    /// By colour at about 5×, as in the report, which says HSV and no numbers; the defaults are this library's own and
    /// meant for haematoxylin and eosin. A pixel is tissue when its saturation and its value (both 0 to 255) lie
    /// within; glass is white, shadows and ink are black.
    Hsv {
        /// Least saturation. Default 18, 7 %: glass under a yellowish lamp stays below 5 %.
        min_saturation: u8,
        /// Least value. Default 26, 10 %.
        min_value: u8,
        /// Greatest value. Default 250.
        max_value: u8,
        /// Least share of a patch's pixels. Default 0.25.
        min_share: f64,
    },
    /// By the mean brightness of the patch at about 1.25×, as ez-wsi has it, which the published notebook uses: dark
    /// enough not to be glass, and not black. ITU-R BT.601, rounded to 8 bits, from `⌊255 · minimum⌋` to
    /// `⌊255 · maximum⌋`.
    Luminance {
        /// Default 1/255.
        minimum: f64,
        /// Default 0.8.
        maximum: f64,
    },
    /// Every patch.
    Everything,
}

impl Tissue {
    /// The report's rule, by colour, with this library's numbers.
    #[must_use]
    pub fn hsv() -> Self {
        Self::Hsv {
            min_saturation: 18,
            min_value: 26,
            max_value: 250,
            min_share: 0.25,
        }
    }

    /// The notebook's rule, by brightness, with ez-wsi's numbers.
    #[must_use]
    pub fn notebook() -> Self {
        Self::Luminance {
            minimum: 1.0 / 255.0,
            maximum: 0.8,
        }
    }

    /// The magnification at which the slide is looked at; `None` where it need not be.
    pub(super) fn magnification(&self) -> Option<f64> {
        match self {
            Self::Hsv { .. } => Some(5.0),
            Self::Luminance { .. } => Some(1.25),
            Self::Everything => None,
        }
    }

    /// Whether a patch, as it looks at that magnification or finer, is tissue.
    pub(super) fn accepts(&self, patch: &Image) -> bool {
        let (pixels, _) = patch.as_rgb8().as_chunks::<3>();
        match *self {
            Self::Hsv {
                min_saturation,
                min_value,
                max_value,
                min_share,
            } => {
                let is_tissue = |pixel: &&[u8; 3]| {
                    let [saturation, value] = saturation_and_value(**pixel);
                    saturation >= min_saturation && (min_value..=max_value).contains(&value)
                };
                let tissue = pixels.iter().filter(is_tissue).count();
                tissue as f64 >= min_share * pixels.len() as f64
            }
            Self::Luminance { minimum, maximum } => {
                let sum: u64 = pixels.iter().map(|&pixel| u64::from(grey(pixel))).sum();
                let mean = (sum as f64 / pixels.len() as f64).round_ties_even();
                (minimum * 255.0).floor() <= mean && mean <= (maximum * 255.0).floor()
            }
            Self::Everything => true,
        }
    }

    /// What a record calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Hsv {
                min_saturation,
                min_value,
                max_value,
                min_share,
            } => format!(
                "hsv: saturation {min_saturation} or more, value {min_value} to {max_value}, on {min_share} of a patch"
            ),
            Self::Luminance { minimum, maximum } => {
                format!("luminance: mean from {minimum:.4} to {maximum}")
            }
            Self::Everything => "everything".to_owned(),
        }
    }
}

/// Saturation and value of HSV, 0 to 255: `255 · (max − min) / max`, rounded half up, and `max`.
fn saturation_and_value([red, green, blue]: [u8; 3]) -> [u8; 2] {
    let most = red.max(green).max(blue);
    let least = red.min(green).min(blue);
    if most == 0 {
        return [0, 0];
    }
    let (range, top) = (u32::from(most - least), u32::from(most));
    let saturation = (255 * range * 2 + top) / (2 * top);
    [u8::try_from(saturation).unwrap_or(u8::MAX), most]
}

/// BT.601 as `OpenCV` computes it: 15 bits behind the comma.
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 9798 * u32::from(red) + 19_235 * u32::from(green) + 3735 * u32::from(blue);
    u8::try_from((sum + (1 << 14)) >> 15).unwrap_or(u8::MAX)
}

/// The mean of every `factor` × `factor` pixels, rounded; what is left over at the right and below is left out.
#[allow(clippy::cast_possible_truncation, reason = "a mean of bytes is a byte")]
pub(super) fn shrunk(image: Image, factor: usize) -> medgemma_image::Result<Image> {
    let (width, height) = (image.width() / factor, image.height() / factor);
    if factor <= 1 || width == 0 || height == 0 {
        return Ok(image);
    }
    let (pixels, _) = image.as_rgb8().as_chunks::<3>();
    let area = factor * factor;
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            let mut sums = [0; 3];
            for line in y * factor..(y + 1) * factor {
                let start = line * image.width() + x * factor;
                for pixel in &pixels[start..start + factor] {
                    for (sum, &value) in sums.iter_mut().zip(pixel) {
                        *sum += usize::from(value);
                    }
                }
            }
            data.extend(sums.map(|sum| ((sum + area / 2) / area) as u8));
        }
    }
    Image::from_rgb8(width, height, data)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn saturation_and_brightness_as_opencv_has_them() {
        // cv2.cvtColor(…, COLOR_RGB2HSV) and COLOR_RGB2GRAY of opencv 4.
        for (rgb, expected, brightness) in [
            ([255, 255, 255], [0, 255], 255),
            ([0, 0, 0], [0, 0], 0),
            ([200, 100, 150], [128, 200], 136),
            ([10, 200, 30], [242, 200], 124),
            ([243, 240, 247], [7, 247], 242),
        ] {
            assert_eq!(saturation_and_value(rgb), expected, "{rgb:?}");
            assert_eq!(grey(rgb), brightness, "{rgb:?}");
        }
    }

    #[test]
    fn means_of_squares() {
        let image = Image::from_gray8(5, 2, vec![0, 3, 9, 9, 200, 1, 1, 9, 8, 200]).unwrap();
        let small = shrunk(image.clone(), 2).unwrap();
        assert_eq!(small.as_rgb8(), [1, 1, 1, 9, 9, 9]);
        assert_eq!(shrunk(image.clone(), 1).unwrap(), image);
        assert_eq!(
            shrunk(image.clone(), 3).unwrap(),
            image,
            "nothing would be left"
        );
    }

    #[test]
    fn shares_and_means_are_compared_with_their_bounds() {
        let half = |a: [u8; 3], b: [u8; 3]| Image::from_rgb8(2, 2, [a, b, b, b].concat()).unwrap();
        let (pink, glass, ink) = ([220, 150, 190], [244, 243, 245], [20, 2, 3]);
        assert!(
            Tissue::hsv().accepts(&half(pink, glass)),
            "a quarter is enough"
        );
        assert!(!Tissue::hsv().accepts(&half(glass, glass)));
        assert!(
            !Tissue::hsv().accepts(&half(ink, ink)),
            "saturated, but black"
        );
        let grey = |value| half([value; 3], [value; 3]);
        for (value, tissue) in [(0, false), (1, true), (204, true), (205, false)] {
            assert_eq!(Tissue::notebook().accepts(&grey(value)), tissue, "{value}");
        }
        assert!(Tissue::Everything.accepts(&grey(255)));
    }
}
