//! Colour frames to 8-bit red, green, blue: PS3.3, C.7.6.3.1.2 and C.7.6.3.1.5, with pydicom 3.0.2's rounding.

use dicom_dictionary_std::tags;

use super::element::{View, name};
use super::frame::Frame;
use super::layout::Photometric;
use super::lut::Table;
use crate::error::{Error, Origin, Result};

/// `[(y * columns + x) * 3 + channel]`.
pub(crate) fn rgb8(frame: &Frame, view: &View<'_>, origin: &Origin) -> Result<Vec<u8>> {
    match frame.photometric {
        Photometric::PaletteColor => palette(frame, view, origin),
        Photometric::YbrFull | Photometric::YbrFull422 => {
            let eight = eight_bits(frame, origin)?;
            Ok(eight
                .as_chunks()
                .0
                .iter()
                .flat_map(|&ybr| from_ybr(ybr))
                .collect())
        }
        Photometric::Rgb | Photometric::YbrIct | Photometric::YbrRct => eight_bits(frame, origin),
        Photometric::Monochrome1 | Photometric::Monochrome2 => Err(Error::file(
            origin,
            name(tags::PHOTOMETRIC_INTERPRETATION),
            "colour; `Dicom::display` shows grey",
            "MONOCHROME1 or MONOCHROME2",
        )),
    }
}

/// Grey in three equal channels, `MONOCHROME1` turned round; for slides, whose grey has no window.
pub(crate) fn grey8(frame: &Frame, origin: &Origin) -> Result<Vec<u8>> {
    let inverted = frame.photometric == Photometric::Monochrome1;
    let levels = eight_bits(frame, origin)?.into_iter();
    let grey = levels.flat_map(|level| [if inverted { 255 - level } else { level }; 3]);
    Ok(grey.collect())
}

/// The stored range spread over 0 to 255. Samples beyond it, of a stream with more bits than the file says, are refused:
/// which of the two is right cannot be told from the file.
fn eight_bits(frame: &Frame, origin: &Origin) -> Result<Vec<u8>> {
    let (low, high) = frame.range();
    #[expect(clippy::cast_precision_loss, reason = "stored values have 32 bits")]
    let values = || frame.values().map(|value| value as f64);
    if !values().all(|value| (low..=high).contains(&value)) {
        return Err(Error::file(
            origin,
            name(tags::BITS_STORED),
            "as many bits as the samples of the stream have; write the file again with those",
            frame.bits.to_string(),
        ));
    }
    if (low, high) == (0.0, 255.0) {
        let samples = frame.data.iter();
        #[expect(clippy::cast_possible_truncation, reason = "compared above")]
        return Ok(samples.map(|&sample| sample as u8).collect());
    }
    Ok(values()
        .map(|value| level((value - low) / (high - low)))
        .collect())
}

/// 0 to 1 becomes 0 to 255, halves to even as numpy rounds.
pub(crate) fn level(part: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 8 bits"
    )]
    let level = (part * 255.0).round_ties_even().clamp(0.0, 255.0) as u8;
    level
}

/// ITU-R BT.601 of full range, as JFIF has it; f32 and halves upwards, as pydicom computes.
fn from_ybr([y, blue, red]: [u8; 3]) -> [u8; 3] {
    let (y, blue, red) = (
        f32::from(y),
        f32::from(blue) - 128.0,
        f32::from(red) - 128.0,
    );
    [
        y + 1.402 * red,
        y - (0.114 * 1.772 / 0.587) * blue - (0.299 * 1.402 / 0.587) * red,
        y + 1.772 * blue,
    ]
    .map(|value| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 8 bits"
        )]
        let level = (value + 0.5).floor().clamp(0.0, 255.0) as u8;
        level
    })
}

fn palette(frame: &Frame, view: &View<'_>, origin: &Origin) -> Result<Vec<u8>> {
    let table = |descriptor, data, segmented| {
        Table::read(view, descriptor, data, frame.signed)
            .or_else(|| Table::read_segmented(view, descriptor, segmented, frame.signed))
            .ok_or_else(|| {
                Error::file(
                    origin,
                    name(descriptor),
                    "three values, and as many entries in the data beside it, whole or in segments",
                    "others, or no data",
                )
            })
    };
    let tables = [
        table(
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?,
        table(
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?,
        table(
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR,
            tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
            tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA,
        )?,
    ];
    Ok(frame
        .values()
        .flat_map(|value| {
            tables
                .each_ref()
                .map(|table| level(f64::from(table.get(value)) / table.maximum()))
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::from_ybr;

    #[test]
    fn the_primaries_of_jfif() {
        assert_eq!(from_ybr([76, 85, 255]), [254, 0, 0]);
        assert_eq!(from_ybr([150, 44, 21]), [0, 255, 1]);
        assert_eq!(from_ybr([29, 255, 107]), [0, 0, 254]);
        assert_eq!(from_ybr([128, 128, 128]), [128; 3]);
    }
}
