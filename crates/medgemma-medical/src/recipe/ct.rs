//! Computed tomography: three windows of Hounsfield units become red, green and blue.
//!
//! Three official answers exist to which windows (trap T38 in `docs/parity.md`): the notebook's, which is the default, the
//! report's, and what the serving code computes. None of the serving code's other faults is copied: it casts
//! Hounsfield units back to the stored type, and sorts a series by the x of its position.

use medgemma_image::Image;

use super::modality::check_volume;
use super::record::{Channels, CtRecord, Recipe};
use super::sampler::Sampler;
use super::volume::{PreparedVolume, choose, positions, square};
use super::window::Window;
use crate::error::{Error, Result};
use crate::plane::Plane;
use crate::remark::Remark;
use crate::volume::Volume;

/// Which windows of Hounsfield units become the three channels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum CtPreset {
    /// `medgemma-1.5`, the notebook's: −1024 to 1024, −135 to 215, 0 to 80.
    #[default]
    MedGemma15,
    /// `report`, of the report and the maintainers: width 2250 at −100 (−1225 to 1025), 350 at 40 (−135 to 215), 80 at
    /// 40 (0 to 80).
    Report,
    /// `serving-as-written`: what Google's serving code computes, to reproduce its answers. Its green window lost a
    /// sign: 80 wide at 175 is 135 to 215, where −135 to 215 was meant; all soft tissue is black in it.
    ServingAsWritten,
    /// `custom`: the caller's.
    Custom(Channels),
}

/// Lung and bone together, the widest window of each preset but the report's.
const WIDE: Window = Window::of(-1024.0, 1024.0);
const SOFT_TISSUE: Window = Window::of(-135.0, 215.0);
const BRAIN: Window = Window::of(0.0, 80.0);

impl CtPreset {
    /// Those with a name.
    pub const NAMED: [Self; 3] = [Self::MedGemma15, Self::Report, Self::ServingAsWritten];

    /// The name that records use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::MedGemma15 => "medgemma-1.5",
            Self::Report => "report",
            Self::ServingAsWritten => "serving-as-written",
            Self::Custom(_) => "custom",
        }
    }

    /// The preset of that name.
    ///
    /// # Errors
    /// [`Error::Argument`], with the names that exist.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::NAMED.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| {
            let names = Self::NAMED.map(|preset| preset.name()).join(", ");
            Error::argument("preset", format!("one of {names}"), format!("{name:?}"))
        })
    }

    /// The windows.
    #[must_use]
    pub fn windows(&self) -> Channels {
        let (red, green) = match self {
            Self::MedGemma15 => (WIDE, SOFT_TISSUE),
            Self::Report => (Window::of(-1225.0, 1025.0), SOFT_TISSUE),
            Self::ServingAsWritten => (WIDE, Window::of(135.0, 215.0)),
            Self::Custom(channels) => return *channels,
        };
        Channels {
            red,
            green,
            blue: BRAIN,
        }
    }

    /// One value as red, green and blue.
    fn rgb(&self, Channels { red, green, blue }: Channels, unit: f32) -> [u8; 3] {
        match self {
            // It rounds to whole units first and interpolates in f64.
            Self::ServingAsWritten => [red, green, blue]
                .map(|w| w.byte_by_interpolation(f64::from(unit).round_ties_even())),
            _ => [red, green, blue].map(|window| window.byte(unit)),
        }
    }
}

/// How a volume of Hounsfield units becomes pictures. The report's volumes were axial, of five slices or more, and not
/// larger than 512 × 512.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CtRecipe {
    /// The windows. Default: those of MedGemma 1.5's notebook.
    pub preset: CtPreset,
    /// The slices. Default: the notebook's rule, at most 85.
    pub sampler: Sampler,
    /// Whether black is put at two sides of slices that are not square. Default `true`, as in the serving code, "method
    /// performed in training"; the notebook's slices are square.
    pub pad_to_square: bool,
}

impl Default for CtRecipe {
    fn default() -> Self {
        Self {
            preset: CtPreset::default(),
            sampler: Sampler::default(),
            pad_to_square: true,
        }
    }
}

impl CtRecipe {
    /// Sets [`preset`](Self::preset).
    #[must_use]
    pub fn with_preset(mut self, preset: CtPreset) -> Self {
        self.preset = preset;
        self
    }

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

    /// Windows the slices of a volume, from its lowest plane on. The training's volumes were axial; turn others by
    /// [`Volume::axial`], as what comes from NIfTI.
    ///
    /// # Errors
    /// [`Error::Argument`] for a volume of DICOM files that are no CT, planes that are mirrored or turned, and as
    /// [`prepare`](Self::prepare).
    pub fn prepare_volume(&self, volume: &Volume) -> Result<PreparedVolume> {
        check_volume(volume, "CT")?;
        self.prepared(&volume.planes, Some(&positions(volume)?), &volume.remarks)
    }

    /// Windows the slices that the sampler chooses.
    ///
    /// `slices` are planes of Hounsfield units (stored value × slope + intercept) in the order of the body;
    /// `positions`, if given, are their places along the normal, and must all grow or all shrink. Readers of this crate
    /// sort by them; planes from elsewhere should bring theirs.
    ///
    /// ```
    /// use medgemma_medical::{CtRecipe, Plane};
    ///
    /// let slice = |unit: f32| Plane::new(1, 2, vec![unit, -1024.0]);
    /// let prepared = CtRecipe::default().prepare(&[slice(40.0)?, slice(-600.0)?], Some(&[0.0, 2.5]))?;
    /// // One row of two; the square's lower row is black.
    /// assert_eq!(prepared.images()[0].as_rgb8()[..6], [132, 128, 128, 0, 0, 0]);
    /// assert_eq!(prepared.images()[1].as_rgb8()[..3], [53, 0, 0]);
    ///
    /// // What was done can be kept beside the answer.
    /// let record = serde_json::to_string(prepared.recipe()).unwrap();
    /// assert!(record.contains(r#""modality":"ct","preset":"medgemma-1.5""#));
    /// # Ok::<(), medgemma_medical::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for no slices, slices of several shapes, positions that turn back or repeat, a sampler that
    /// names slices which are not there, or values that are infinite or no numbers; [`Error::Image`] for slices so long that their square is too large.
    pub fn prepare(&self, slices: &[Plane], positions: Option<&[f64]>) -> Result<PreparedVolume> {
        self.prepared(slices, positions, &[])
    }

    fn prepared(
        &self,
        slices: &[Plane],
        positions: Option<&[f64]>,
        remarks: &[Remark],
    ) -> Result<PreparedVolume> {
        let order = choose(slices, positions, &self.sampler, remarks)?;
        let windows = self.preset.windows();
        let images = order.slices_shown.iter().map(|&index| {
            let plane = &slices[index];
            let values = plane.values().iter();
            let rgb = values.flat_map(|&unit| self.preset.rgb(windows, unit));
            let image = Image::from_rgb8(plane.columns(), plane.rows(), rgb.collect())?;
            square(image, self.pad_to_square)
        });
        let images = images.collect::<Result<Vec<_>>>()?;
        let record = CtRecord {
            preset: self.preset.name().to_owned(),
            windows,
            order,
            padded_to_square: self.pad_to_square,
        };
        Ok(PreparedVolume::new(images, Recipe::Ct(record)))
    }
}
