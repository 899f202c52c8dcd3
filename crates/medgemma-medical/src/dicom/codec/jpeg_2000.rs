//! JPEG 2000 by the crate `hayro-jpeg2000`, whose samples are exact up to 24 bits: its f32 steps of the reversible
//! transform are on whole numbers. It adds the level shift to signed components as well; that is taken back here.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::{Decoded, Fault, agree};
use crate::dicom::layout::{Layout, Photometric};

/// Above this, the steps of the transform leave the whole numbers of f32.
const MAX_PRECISION: u32 = 20;

pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Decoded, Fault> {
    // An even length is asked of fragments; some writers put the codestream into a JP2 file, which DICOM forbids.
    let start = bytes
        .windows(4)
        .position(|marker| marker == [0xFF, 0x4F, 0xFF, 0x51])
        .ok_or_else(|| Fault::new("no JPEG 2000 codestream"))?;
    let codestream = &bytes[start..];
    let size = Size::read(codestream)?;
    agree(
        layout,
        size.rows,
        size.columns,
        size.components,
        size.precision,
    )?;
    if size.precision > MAX_PRECISION {
        return Err(Fault::new(format!(
            "{} bits; at most {MAX_PRECISION} are read",
            size.precision
        )));
    }
    let settings = DecodeSettings::default();
    let image =
        Image::new(codestream, &settings).map_err(|_| Fault::new("a broken main header"))?;
    let mut context = DecoderContext::default();
    let decoded = image
        .decode(&mut context)
        .map_err(|_| Fault::new("a stream that breaks the rules of JPEG 2000, or ends early"))?;
    let components = decoded.components();
    let area = layout.rows * layout.columns;
    if components.len() != layout.samples || components.iter().any(|c| c.samples().len() != area) {
        return Err(Fault::new("components of another size"));
    }
    let levels = f64::from(1u32 << size.precision);
    let (lowest, below) = if size.signed {
        (-levels / 2.0, levels / 2.0)
    } else {
        (0.0, 0.0)
    };
    let mut data = vec![0; area * layout.samples];
    for (channel, component) in components.iter().enumerate() {
        let places = data.iter_mut().skip(channel).step_by(layout.samples);
        for (place, &sample) in places.zip(component.samples()) {
            let value = (f64::from(sample) - below).round_ties_even();
            #[expect(clippy::cast_possible_truncation, reason = "clamped to the levels")]
            let level = value.clamp(lowest, lowest + levels - 1.0) as i32;
            *place = level.cast_unsigned();
        }
    }
    let untransformed = matches!(
        layout.photometric,
        Photometric::YbrIct | Photometric::YbrRct
    );
    Ok(Decoded {
        data,
        precision: size.precision,
        photometric: untransformed.then_some(Photometric::Rgb),
    })
}

/// What the first marker segment says: ISO/IEC 15444-1, A.5.1.
struct Size {
    rows: usize,
    columns: usize,
    components: usize,
    precision: u32,
    signed: bool,
}

impl Size {
    fn read(codestream: &[u8]) -> Result<Self, Fault> {
        let broken = || Fault::new("a size segment cut short");
        let word = |at: usize| -> Result<u32, Fault> {
            let bytes = codestream.get(at..at + 4).ok_or_else(broken)?;
            Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        };
        let span = |end: u32, start: u32| end.checked_sub(start).map(|n| n as usize);
        let columns = span(word(8)?, word(16)?).ok_or_else(broken)?;
        let rows = span(word(12)?, word(20)?).ok_or_else(broken)?;
        let (tile_width, tile_height) = (word(24)? as usize, word(28)? as usize);
        if tile_width == 0 || tile_height == 0 {
            return Err(broken());
        }
        let tiles = columns
            .div_ceil(tile_width)
            .saturating_mul(rows.div_ceil(tile_height));
        if tiles > 65_535 {
            return Err(Fault::new(format!("{tiles} tiles")));
        }
        let count = codestream.get(40..42).ok_or_else(broken)?;
        let components = usize::from(u16::from_be_bytes([count[0], count[1]]));
        let all = codestream
            .get(42..42 + components * 3)
            .ok_or_else(broken)?
            .as_chunks::<3>()
            .0;
        let first = all.first().ok_or_else(broken)?;
        if all
            .iter()
            .any(|component| component != first || component[1..] != [1, 1])
        {
            return Err(Fault::new("components of different sizes"));
        }
        Ok(Self {
            rows,
            columns,
            components,
            precision: u32::from(first[0] & 0x7F) + 1,
            signed: first[0] & 0x80 != 0,
        })
    }
}
