//! Grey frames: their values after tables and windows, and as they are to be shown.

use dicom_dictionary_std::tags;
use medgemma_image::Image;

use super::element::name;
use super::frame::Frame;
use super::layout::Photometric;
use super::lut::{self, Modality, Voi, VoiWindow};
use super::padding::Padding;
use super::{Dicom, colour};
use crate::error::{Error, Result};
use crate::padding::Measured;
use crate::plane::Plane;

/// What recipes ask of a grey frame before they choose how it becomes 8 bits.
pub(crate) struct GreyFacts {
    /// Whether small values are white.
    pub(crate) monochrome1: bool,
    /// Whether values are unsigned bytes, and nothing rescales them, however many of their bits are used: the serving code
    /// asks for the type alone.
    pub(crate) bytes: bool,
    /// Whether the file has a VOI LUT that can be read.
    pub(crate) voi_table: bool,
}

impl Dicom {
    fn grey_frame(&self, index: usize) -> Result<Frame> {
        let frame = self.frame(index)?;
        self.check_grey(frame.photometric)?;
        Ok(frame)
    }

    fn check_grey(&self, photometric: Photometric) -> Result<()> {
        if photometric.is_grey() {
            return Ok(());
        }
        Err(Error::file(
            &self.origin,
            name(tags::PHOTOMETRIC_INTERPRETATION),
            "MONOCHROME1 or MONOCHROME2; PhotoRecipe reads colour, `Dicom::rgb` shows it",
            format!("{photometric:?}"),
        ))
    }

    /// What the file says of a grey frame, which is not unpacked for it.
    pub(crate) fn grey_facts(&self, index: usize) -> Result<GreyFacts> {
        let layout = self.layout_of(index)?;
        self.check_grey(layout.photometric)?;
        let groups = self.functional_groups(index);
        Ok(GreyFacts {
            monochrome1: layout.photometric == Photometric::Monochrome1,
            bytes: (layout.allocated, layout.signed) == (8, false)
                && self.modality(index, layout.signed)?.is_identity(),
            voi_table: lut::table(&self.view(), &groups, layout.signed).is_some(),
        })
    }

    /// A grey frame after modality LUT and VOI LUT, in bytes: 255 is the greatest value that the table can hold.
    pub(crate) fn table_levels(&self, index: usize) -> Result<Plane> {
        let frame = self.grey_frame(index)?;
        let modality = self.modality(index, frame.signed)?;
        let groups = self.functional_groups(index);
        let Some(table) = lut::table(&self.view(), &groups, frame.signed) else {
            return Err(Error::file(
                &self.origin,
                name(tags::VOILUT_SEQUENCE),
                "a table that can be read; choose a window",
                "none",
            ));
        };
        Self::plane(&frame, |value| {
            let entry = table.get(whole(modality.apply(value)));
            f64::from(colour::level(f64::from(entry) / table.maximum()))
        })
    }

    fn modality(&self, index: usize, signed: bool) -> Result<Modality> {
        let groups = self.functional_groups(index);
        Modality::read(&self.view(), &groups, signed).map_err(|tag| {
            Error::file(
                &self.origin,
                name(tag),
                "a number, as RescaleSlope and RescaleIntercept have values both or neither; correct the file",
                "none that can be read",
            )
        })
    }

    fn voi_of(&self, index: usize, frame: &Frame) -> Voi {
        let groups = self.functional_groups(index);
        Voi::read(&self.view(), &groups, frame.signed)
    }

    /// The values of a grey frame after the modality LUT: Hounsfield units of CT, where the file says how; and which of
    /// them are padding ([`Plane::padding`]).
    ///
    /// # Errors
    /// As [`frame`](Self::frame), and [`Error::File`] for colour, or where Rescale Slope (0028,1053) and Rescale
    /// Intercept (0028,1052) are both there, one of them has a value, and they are not both numbers.
    pub fn grey(&self, index: usize) -> Result<Plane> {
        let frame = self.grey_frame(index)?;
        let modality = self.modality(index, frame.signed)?;
        let padding = self.padding(&frame, &modality);
        let plane = Self::plane(&frame, |value| modality.apply(value))?;
        let Some(padding) = padding.and_then(|padding| padding.after(&modality)) else {
            return Ok(plane);
        };
        #[expect(clippy::cast_possible_truncation, reason = "f32 is what planes hold")]
        let zero = modality.apply(0) as f32;
        let plane = plane.with_padding(Some(padding));
        Ok(plane.with_stored(zero, modality.is_falling()))
    }

    /// What stands for nothing in a frame, where values can be told from it.
    fn padding(&self, frame: &Frame, modality: &Modality) -> Option<Padding> {
        let padding = Padding::read(&self.view(), frame.range(), frame.signed)?;
        padding.after(modality).is_some().then_some(padding)
    }

    /// The values of a grey frame after modality LUT and VOI LUT or the first window, over the range that the file's
    /// values can have: pydicom's `apply_voi_lut`. Without either, as [`grey`](Self::grey).
    ///
    /// # Errors
    /// As [`grey`](Self::grey).
    pub fn voi(&self, index: usize) -> Result<Plane> {
        let frame = self.grey_frame(index)?;
        let modality = self.modality(index, frame.signed)?;
        let (low, high) = modality.range(frame.range());
        match self.voi_of(index, &frame) {
            Voi::Identity => Self::plane(&frame, |value| modality.apply(value)),
            Voi::Window(window) => Self::plane(&frame, |value| {
                window.apply(modality.apply(value)) * (high - low) + low
            }),
            Voi::Table(table) => Self::plane(&frame, |value| {
                f64::from(table.get(whole(modality.apply(value))))
            }),
        }
    }

    fn plane(frame: &Frame, value: impl Fn(i64) -> f64) -> Result<Plane> {
        let values = frame.values().map(|sample| {
            #[expect(clippy::cast_possible_truncation, reason = "f32 is what planes hold")]
            let value = value(sample) as f32;
            value
        });
        Plane::new(frame.rows, frame.columns, values.collect())
    }

    /// The windows that the file proposes for a frame, in its order.
    #[must_use]
    pub fn windows(&self, index: usize) -> Vec<VoiWindow> {
        let groups = self.functional_groups(index);
        lut::windows(&self.view(), &groups)
    }

    /// As [`windows`](Self::windows), of all places where they can stand.
    pub(crate) fn all_windows(&self, index: usize) -> Vec<VoiWindow> {
        let groups = self.functional_groups(index);
        lut::all_windows(&self.view(), &groups)
    }

    /// A grey frame as it is to be shown, 8 bits: modality LUT, then VOI LUT, else the first window, else all values of
    /// the frame but padding that lies apart from them ([`Plane::padding`]), which is black; then `MONOCHROME1` turned round, so that high values are bright.
    ///
    /// # Errors
    /// As [`grey`](Self::grey).
    pub fn display(&self, index: usize) -> Result<Image> {
        let frame = self.grey_frame(index)?;
        let modality = self.modality(index, frame.signed)?;
        let part: Box<dyn Fn(f64) -> f64> = match self.voi_of(index, &frame) {
            Voi::Window(window) => Box::new(move |value| window.apply(value)),
            Voi::Table(table) => {
                Box::new(move |value| f64::from(table.get(whole(value))) / table.maximum())
            }
            Voi::Identity => {
                let padding = self.padding(&frame, &modality);
                #[expect(clippy::cast_precision_loss, reason = "stored values have 32 bits")]
                let all = |padding: &Padding| {
                    let padding = padding.clone();
                    let values = frame.values();
                    Measured::of(values.map(move |v| (v as f64, padding.contains(v))))
                };
                let padding = padding.filter(|padding| all(padding).is_apart(padding.ends()));
                let is_padding = |sample: i64| padding.as_ref().is_some_and(|p| p.contains(sample));
                let measured = frame.values().filter(|&sample| !is_padding(sample));
                let values = measured.map(|sample| modality.apply(sample));
                let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
                    (low.min(value), high.max(value))
                });
                let span = if high > low { high - low } else { 1.0 };
                let part = |value| (value - low) / span;
                return Ok(Self::shown(&frame, &modality, part, is_padding));
            }
        };
        Ok(Self::shown(&frame, &modality, part, |_| false))
    }

    /// As [`display`](Self::display), through another window.
    ///
    /// # Errors
    /// As [`grey`](Self::grey).
    pub fn display_window(&self, index: usize, window: &VoiWindow) -> Result<Image> {
        let frame = self.grey_frame(index)?;
        let modality = self.modality(index, frame.signed)?;
        let part = |value| window.apply(value);
        Ok(Self::shown(&frame, &modality, part, |_| false))
    }

    /// `black` are stored values that stay black, whatever is turned round.
    fn shown(
        frame: &Frame,
        modality: &Modality,
        part: impl Fn(f64) -> f64,
        black: impl Fn(i64) -> bool,
    ) -> Image {
        let inverted = frame.photometric == Photometric::Monochrome1;
        let levels = frame
            .values()
            .map(|sample| {
                if black(sample) {
                    return 0;
                }
                let level = colour::level(part(modality.apply(sample)));
                if inverted { 255 - level } else { level }
            })
            .collect();
        Image::from_gray8(frame.columns, frame.rows, levels)
            .expect("a frame has as many samples as its sides say")
    }
}

/// A value as index of a table; what rescaling left behind the point is cut off.
fn whole(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "cut off on purpose, and saturating"
    )]
    let whole = value as i64;
    whole
}
