//! Radiographs: values after the modality LUT become 8 bits by the window of the file, MONOCHROME1 is inverted, and the
//! picture is padded to a square (serving, `_norm_cxr_imaging`, `TraditionalWindow`, `_zero_pad_image_to_square`).
//!
//! Not copied: the localisation and longitudinal notebooks multiply padded bytes by 255, which wraps around and inverts
//! the picture; the serving code casts what the modality LUT made back to the stored type.

use medgemma_image::Image;

use super::modality::check_radiograph;
use super::picture::PreparedPicture;
use super::record::{Recipe, XrayRecord};
use super::volume::square;
use super::window::{Window, to_byte};
use crate::dicom::{Dicom, Notice, VoiWindow};
use crate::error::{Error, Result};
use crate::padding;
use crate::plane::Plane;

/// How values become 8 bits ("values of interest").
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Voi {
    /// A window of the file: from `center − ⌊width / 2⌋`, which becomes 0, to `center + ⌊width / 2⌋`, which becomes
    /// 255, rounded half to even. Of several windows in a file, the first. DICOM's own formula (PS3.3 C.11.2.1.2) ends
    /// half a value earlier on either side; this is the serving code's.
    Window {
        /// `WindowCenter`.
        center: f32,
        /// `WindowWidth`, 2 or more.
        width: f32,
    },
    /// No window in the file: the least value of the picture becomes 0, the greatest 65535, cut to whole numbers, and
    /// those are rounded to 8 bits. Padding that lies apart ([`Plane::padding`]) is neither, and black; the record says so.
    #[default]
    FullRange,
    /// The values are 0 to 255 already: of an 8-bit file without a window.
    EightBit,
    /// The VOI LUT of the file, which [`XrayRecipe::prepare_frame`] applies; [`XrayRecipe::prepare`] takes values that
    /// it made, 0 to 255.
    Table,
}

/// How a radiograph becomes a picture.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct XrayRecipe {
    /// How values become 8 bits. Default [`Voi::FullRange`].
    pub voi: Voi,
    /// Whether small values are white (`PhotometricInterpretation` MONOCHROME1). Default `false`.
    pub monochrome1: bool,
    /// Whether black is put at two sides to make it square: training, serving and the published localisation did.
    /// Default `true`.
    pub pad_to_square: bool,
}

impl Default for XrayRecipe {
    fn default() -> Self {
        Self {
            voi: Voi::default(),
            monochrome1: false,
            pad_to_square: true,
        }
    }
}

impl XrayRecipe {
    /// The recipe for a frame of a radiograph, by what the file says: its first window of 2 or wider, whatever shape it
    /// names (the serving code knows the linear one only), wherever it stands; else its VOI LUT, which the serving code ignores; else unsigned
    /// bytes as they are, where nothing rescales them; else all values of the frame.
    /// MONOCHROME1 is inverted.
    ///
    /// # Errors
    /// [`Error::File`] for a file that says it is no radiograph, or one of values as the detector gave them (`FOR
    /// PROCESSING`), for colour, and for files without pixels;
    /// [`Error::Argument`] for a frame that is not there.
    pub fn for_frame(file: &Dicom, frame: usize) -> Result<Self> {
        check_radiograph(file)?;
        let facts = file.grey_facts(frame)?;
        let windows = file.all_windows(frame);
        let mut windows = windows.iter().map(narrowed);
        let voi = match windows.find(|&[center, width]| ends(center, width).is_ok()) {
            Some([center, width]) => Voi::Window { center, width },
            None if facts.voi_table => Voi::Table,
            None if facts.bytes => Voi::EightBit,
            None => Voi::FullRange,
        };
        Ok(Self::default()
            .with_voi(voi)
            .with_monochrome1(facts.monochrome1))
    }

    /// Makes the picture of a frame: the modality LUT, then this recipe. Whatever the file is: of one that
    /// [`for_frame`](Self::for_frame) refuses, the record says what it is told by its [`Notice`]s.
    ///
    /// ```no_run
    /// use medgemma_medical::{Dicom, Limits, XrayRecipe};
    ///
    /// let file = Dicom::open("chest.dcm", &Limits::default())?;
    /// let prepared = XrayRecipe::for_frame(&file, 0)?.prepare_frame(&file, 0)?;
    /// # Ok::<(), medgemma_medical::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::File`] for colour, damaged pixels, or [`Voi::Table`] of a file without one; otherwise as
    /// [`prepare`](Self::prepare).
    pub fn prepare_frame(&self, file: &Dicom, frame: usize) -> Result<PreparedPicture> {
        let plane = match self.voi {
            Voi::Table => file.table_levels(frame)?,
            _ => file.grey(frame)?,
        };
        let bears = |notice: &&Notice| {
            matches!(notice, Notice::ForProcessing | Notice::WindowIgnored)
                // Through windows and tables all values are shown as they are.
                || (self.voi == Voi::FullRange && **notice == Notice::PixelPaddingKept)
        };
        let notices = file.notices().iter().filter(bears);
        let mut remarks: Vec<_> = notices.map(ToString::to_string).collect();
        let first = file.all_windows(frame).first().map(narrowed);
        if first.is_some_and(|[center, width]| ends(center, width).is_err()) {
            remarks.push("a window narrower than 2 passed over".to_owned());
        }
        self.prepared(&plane, remarks)
    }

    /// Sets [`voi`](Self::voi).
    #[must_use]
    pub fn with_voi(mut self, voi: Voi) -> Self {
        self.voi = voi;
        self
    }

    /// Sets [`monochrome1`](Self::monochrome1).
    #[must_use]
    pub fn with_monochrome1(mut self, monochrome1: bool) -> Self {
        self.monochrome1 = monochrome1;
        self
    }

    /// Sets [`pad_to_square`](Self::pad_to_square).
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = pad;
        self
    }

    /// Makes the picture of a plane of values after the modality LUT.
    ///
    /// ```
    /// use medgemma_medical::{Plane, Voi, XrayRecipe};
    ///
    /// let plane = Plane::new(1, 3, vec![900.0, 1000.0, 1100.0])?;
    /// let window = Voi::Window { center: 1000.0, width: 200.0 };
    /// let recipe = XrayRecipe::default().with_voi(window).with_monochrome1(true);
    /// let prepared = recipe.prepare(&plane)?;
    /// // 0, 127 (a hair below a half, as numpy's slope has it) and 255 before black and white change places; what is
    /// // padded stays black.
    /// let grey: Vec<u8> = prepared.image().as_rgb8().iter().step_by(3).copied().collect();
    /// assert_eq!(grey, [0, 0, 0, 255, 128, 0, 0, 0, 0]);
    /// # Ok::<(), medgemma_medical::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for a window narrower than 2, values that are infinite or no numbers, or
    /// [`Voi::EightBit`] or [`Voi::Table`] of values that are no bytes; [`Error::Image`] for a plane so long that its
    /// square is too large.
    pub fn prepare(&self, plane: &Plane) -> Result<PreparedPicture> {
        self.prepared(plane, Vec::new())
    }

    fn prepared(&self, plane: &Plane, mut remarks: Vec<String>) -> Result<PreparedPicture> {
        let values = plane.values();
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(Error::argument("plane", "finite values", value.to_string()));
        }
        let invert = |byte: u8| if self.monochrome1 { 255 - byte } else { byte };
        let (voi, window, grey): (_, _, Vec<u8>) = match self.voi {
            Voi::Window { center, width } => {
                let window = ends(center, width)?;
                let bytes = values
                    .iter()
                    .map(|&v| window.byte_by_interpolation(v.into()));
                ("window", Some(window), bytes.map(invert).collect())
            }
            Voi::FullRange => {
                let left_out = padding::is_left_out(std::slice::from_ref(plane));
                let told = padding::told(std::slice::from_ref(plane), left_out);
                // The file may have said it already.
                remarks.extend(told.filter(|told| !remarks.contains(told)));
                ("full range", None, self.full_range(plane, left_out))
            }
            Voi::EightBit | Voi::Table => {
                let is_byte = |v: &&f32| (0.0..=255.0).contains(*v) && v.fract() == 0.0;
                if let Some(value) = values.iter().find(|v| !is_byte(v)) {
                    let expected =
                        "whole values from 0 to 255: give the file's window, or Voi::FullRange";
                    return Err(Error::argument("voi", expected, value.to_string()));
                }
                let bytes = values.iter().map(|&v| to_byte(v.into()));
                let told = match self.voi {
                    Voi::Table => "VOI LUT",
                    _ => "8 bits as they were",
                };
                (told, None, bytes.map(invert).collect())
            }
        };
        let image = Image::from_gray8(plane.columns(), plane.rows(), grey)?;
        let record = XrayRecord {
            voi: voi.to_owned(),
            window,
            inverted: self.monochrome1,
            padded_to_square: self.pad_to_square,
            remarks,
        };
        Ok(PreparedPicture::new(
            square(image, self.pad_to_square)?,
            Recipe::Xray(record),
        ))
    }

    /// Least to greatest in 16 bits, cut; inverted there; then 8 bits, rounded half to even. A picture of one value is
    /// white as `numpy.interp` makes it, before it is inverted. Padding that is left out is black either way.
    fn full_range(&self, plane: &Plane, left_out: bool) -> Vec<u8> {
        let padding = plane.is_padding();
        let is_padding = |value: f32| left_out && padding(value);
        let values = plane.values().iter().copied();
        let measured = values.clone().filter(|&value| !is_padding(value));
        let least = measured.clone().fold(f32::INFINITY, f32::min);
        let greatest = measured.fold(f32::NEG_INFINITY, f32::max);
        let (least, greatest) = (f64::from(least), f64::from(greatest));
        let slope = 65535.0 / (greatest - least);
        let byte = |value: f32| {
            if is_padding(value) {
                return 0;
            }
            let value = f64::from(value);
            let wide = if value >= greatest {
                65535.0
            } else {
                (slope * (value - least)).floor()
            };
            let wide = if self.monochrome1 {
                65535.0 - wide
            } else {
                wide
            };
            to_byte(wide / 257.0)
        };
        values.map(byte).collect()
    }
}

/// Center and width.
#[expect(clippy::cast_possible_truncation, reason = "f32 is what windows hold")]
fn narrowed(window: &VoiWindow) -> [f32; 2] {
    [window.center, window.width].map(|value| value as f32)
}

/// The serving code's ends of a window.
fn ends(center: f32, width: f32) -> Result<Window> {
    let half = (width / 2.0).floor();
    if half.is_nan() || half < 1.0 {
        return Err(Error::argument(
            "width",
            "a window of 2 or wider",
            width.to_string(),
        ));
    }
    Window::new(center - half, center + half)
}
