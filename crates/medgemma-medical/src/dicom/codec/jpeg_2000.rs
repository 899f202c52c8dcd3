//! JPEG 2000 by the crate `hayro-jpeg2000`, whose samples are exact up to 24 bits: its f32 steps of the reversible
//! transform are on whole numbers. It adds the level shift to signed components as well; that is taken back here.

use hayro_jpeg2000::{DecodeSettings, DecoderContext, Image};

use super::{Decoded, Fault, agree, guarded, jpeg_2000_structure};
use crate::dicom::layout::{Layout, Photometric};

/// Above this, the steps of the transform leave the whole numbers of f32.
const MAX_PRECISION: u32 = 20;

pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Decoded, Fault> {
    let stream = Stream::find(bytes)?;
    let Size {
        rows,
        columns,
        components,
        precision,
        shared,
        ..
    } = stream.size;
    agree(layout, rows, columns, components, precision)?;
    if shared {
        return Err(Fault::new("samples shared by several pixels"));
    }
    let untransformed = matches!(
        layout.photometric,
        Photometric::YbrIct | Photometric::YbrRct
    );
    Ok(Decoded {
        data: stream.samples()?,
        precision,
        photometric: untransformed.then_some(Photometric::Rgb),
    })
}

/// A codestream, of which no more than its first segment has been read.
pub(crate) struct Stream<'a> {
    bytes: &'a [u8],
    pub(crate) size: Size,
}

impl<'a> Stream<'a> {
    /// What a sample takes at most while it is decoded, and decoded.
    pub(crate) const BYTES_PER_SAMPLE: u64 = 20;

    pub(crate) fn find(bytes: &'a [u8]) -> Result<Self, Fault> {
        // An even length is asked of fragments; some writers put the codestream into a JP2 file, which DICOM forbids.
        let start = bytes
            .windows(4)
            .position(|marker| marker == [0xFF, 0x4F, 0xFF, 0x51])
            .ok_or_else(|| Fault::new("no JPEG 2000 codestream"))?;
        let bytes = &bytes[start..];
        let size = Size::read(bytes)?;
        Ok(Self { bytes, size })
    }

    /// `[(y * columns + x) * components + component]`. The caller has checked that it wants as many: this is what memory
    /// is reserved by. A sample that several pixels share is repeated for each.
    pub(crate) fn samples(&self) -> Result<Vec<u32>, Fault> {
        guarded(|| self.decoded())
    }

    fn decoded(&self) -> Result<Vec<u32>, Fault> {
        let Size {
            rows,
            columns,
            components: count,
            precision,
            signed,
            ..
        } = self.size;
        if precision > MAX_PRECISION {
            return Err(Fault::new(format!(
                "{precision} bits; at most {MAX_PRECISION} are read"
            )));
        }
        jpeg_2000_structure::check(self.bytes, &self.size)?;
        let settings = DecodeSettings::default();
        let image =
            Image::new(self.bytes, &settings).map_err(|_| Fault::new("a broken main header"))?;
        let mut context = DecoderContext::default();
        let decoded = image.decode(&mut context).map_err(|_| {
            Fault::new("a stream that breaks the rules of JPEG 2000, or ends early")
        })?;
        let components = decoded.components();
        let area = rows * columns;
        if components.len() != count || components.iter().any(|c| c.samples().len() != area) {
            return Err(Fault::new("components of another size"));
        }
        let levels = f64::from(1u32 << precision);
        let (lowest, below) = if signed {
            (-levels / 2.0, levels / 2.0)
        } else {
            (0.0, 0.0)
        };
        let mut data = vec![0; area * count];
        for (channel, component) in components.iter().enumerate() {
            let places = data.iter_mut().skip(channel).step_by(count);
            for (place, &sample) in places.zip(component.samples()) {
                let value = (f64::from(sample) - below).round_ties_even();
                #[expect(clippy::cast_possible_truncation, reason = "clamped to the levels")]
                let level = value.clamp(lowest, lowest + levels - 1.0) as i32;
                *place = level.cast_unsigned();
            }
        }
        Ok(data)
    }
}

/// What the first marker segment says: ISO/IEC 15444-1, A.5.1.
pub(crate) struct Size {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) components: usize,
    pub(crate) precision: u32,
    signed: bool,
    /// Whether pixels share samples of the second and third component: luminance and differences, of which the decoder
    /// makes red, green and blue.
    pub(crate) shared: bool,
    /// Width and height of a tile within the stream.
    pub(super) tile: [usize; 2],
    /// How many there are.
    pub(super) tiles: usize,
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
        if all.iter().any(|component| component[0] != first[0]) {
            return Err(Fault::new("components of different bits"));
        }
        let sides = |component: &[u8; 3]| [component[1], component[2]];
        let shared = all.iter().any(|component| sides(component) != [1, 1]);
        let known = match all {
            [luminance, blue, red] => {
                sides(luminance) == [1, 1]
                    && sides(blue) == sides(red)
                    && sides(blue).iter().all(|n| (1..=4).contains(n))
            }
            _ => !shared,
        };
        if !known {
            return Err(Fault::new("components of different sizes"));
        }
        Ok(Self {
            rows,
            columns,
            components,
            precision: u32::from(first[0] & 0x7F) + 1,
            signed: first[0] & 0x80 != 0,
            shared,
            tile: [tile_width.min(columns), tile_height.min(rows)],
            tiles,
        })
    }
}
