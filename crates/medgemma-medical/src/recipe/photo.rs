//! Photographs and other pictures in colour: red, green and blue of the file as they are, padded to a square (serving,
//! `_transformed_non_mri_image` and `_zero_pad_image_to_square`).
//!
//! The serving code takes photographs (`XC`) and microscopy (`GM`, `SM`) so, and refuses other modalities; that those of
//! endoscopy, of the eye, of ultrasound and secondary captures are taken too is this library's choice. An ICC profile is
//! not applied, as in the serving code unless a request asks for it; the record says that there is one.

use super::modality::check_photograph;
use super::picture::PreparedPicture;
use super::record::{PhotoRecord, Recipe};
use super::volume::square;
use crate::dicom::Dicom;
use crate::error::Result;

/// How a picture in colour is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PhotoRecipe {
    /// Whether black is put at two sides to make it square, as training and serving did. Default `true`.
    pub pad_to_square: bool,
}

impl Default for PhotoRecipe {
    fn default() -> Self {
        Self {
            pad_to_square: true,
        }
    }
}

impl PhotoRecipe {
    /// Sets [`pad_to_square`](Self::pad_to_square).
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = pad;
        self
    }

    /// Makes the picture of a frame: palettes looked up, luminance and differences converted, more than 8 bits spread
    /// over 8, as [`Dicom::rgb`] does.
    ///
    /// ```no_run
    /// use medgemma_medical::{Dicom, Limits, PhotoRecipe};
    ///
    /// let file = Dicom::open("skin.dcm", &Limits::default())?;
    /// let prompt = PhotoRecipe::default().prepare_frame(&file, 0)?.prompt("Describe the lesion.");
    /// # Ok::<(), medgemma_medical::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) for a file that says it is of a modality whose values are measured, for whole
    /// slides, for grey, and for damaged pixels; [`Error::Argument`](crate::Error::Argument) for a frame that is not there;
    /// [`Error::Image`](crate::Error::Image) for a picture so long that its square is too large.
    pub fn prepare_frame(&self, file: &Dicom, frame: usize) -> Result<PreparedPicture> {
        check_photograph(file)?;
        let found = file.colours(frame)?;
        let record = PhotoRecord {
            colours: found.photometric.name().to_owned(),
            bits: found.bits,
            colour_profile_ignored: file.has_colour_profile(),
            padded_to_square: self.pad_to_square,
        };
        let image = square(found.image, self.pad_to_square)?;
        Ok(PreparedPicture::new(image, Recipe::Photo(record)))
    }
}
