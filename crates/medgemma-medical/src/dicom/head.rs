//! A file whose pixels are read piece by piece, since all of them are too much for memory: what stands in front of them,
//! and the colours of one frame from its bytes.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use medgemma_image::Image;

use super::codec;
use super::colour;
use super::element::{DataSet, Value, View, name};
use super::frame::{self, ByteOrder, Frame};
use super::layout::{Layout, Photometric};
use super::reader;
use super::transfer_syntax::TransferSyntax;
use crate::error::{Error, Origin, Result};
use crate::limits::Limits;

/// The data set up to the pixel data.
pub(crate) struct Head {
    bytes: Vec<u8>,
    set: DataSet,
    syntax: TransferSyntax,
    /// Where the value of the pixel data begins in the file: the first frame, or the offset table; none without pixels.
    pub(crate) pixels: Option<u64>,
}

impl Head {
    /// Reads the beginning of a file, which may end anywhere within or behind its pixel data. None if it ends before
    /// them and more of the file is to be had.
    pub(crate) fn read(
        beginning: Vec<u8>,
        is_whole: bool,
        limits: &Limits,
        origin: &Origin,
    ) -> Result<Option<Self>> {
        let parsed = match reader::read(beginning, limits, origin) {
            Ok(parsed) => parsed,
            // Cut off within an element, most likely.
            Err(Error::File { .. }) if !is_whole => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = parsed.set.element(tags::PIXEL_DATA);
        let pixels = found.and_then(|element| match &element.value {
            Value::Bytes(range) => Some(range.start as u64),
            Value::Fragments(all) => all.first().map(|table| table.start as u64),
            Value::Items(_) => None,
        });
        if pixels.is_none() && !is_whole {
            return Ok(None);
        }
        Ok(Some(Self {
            bytes: parsed.bytes,
            set: parsed.set,
            syntax: parsed.syntax,
            pixels,
        }))
    }

    /// The elements.
    pub(crate) fn view(&self) -> View<'_> {
        View::new(&self.bytes, self.syntax, &self.set)
    }

    /// How frames are unpacked: as tiles of slides are, in little-endian bytes of grey or colour.
    pub(crate) fn frames(&self, limits: &Limits, origin: &Origin) -> Result<FrameDecoder> {
        let refused = |tag: Tag, expected: &str, found: String| {
            Err(Error::file(origin, name(tag), expected, found))
        };
        if matches!(
            self.syntax,
            TransferSyntax::Deflated | TransferSyntax::ExplicitBigEndian
        ) {
            return refused(
                tags::TRANSFER_SYNTAX_UID,
                "little-endian or encapsulated pixels; convert the slide",
                format!("{:?}", self.syntax),
            );
        }
        let layout = Layout::read(&self.view(), self.syntax, limits, origin, &mut Vec::new())?;
        let Some(layout) = layout else {
            return refused(tags::PIXEL_DATA, "pixels", "none".to_owned());
        };
        if layout.allocated != 8 {
            return refused(
                tags::BITS_ALLOCATED,
                "8; convert the slide to 8 bits",
                layout.allocated.to_string(),
            );
        }
        if layout.photometric == Photometric::PaletteColor {
            return refused(
                tags::PHOTOMETRIC_INTERPRETATION,
                "grey, RGB or YBR; convert the slide",
                "PALETTE COLOR".to_owned(),
            );
        }
        Ok(FrameDecoder {
            layout,
            syntax: self.syntax,
        })
    }
}

/// What is needed to unpack any frame of a file.
pub(crate) struct FrameDecoder {
    layout: Layout,
    syntax: TransferSyntax,
}

impl FrameDecoder {
    /// Height and width.
    pub(crate) fn size(&self) -> [usize; 2] {
        [self.layout.rows, self.layout.columns]
    }

    /// Samples of a pixel, and bytes that each takes at most while a frame is decoded.
    pub(crate) fn cost(&self) -> [u64; 2] {
        let samples = self.layout.samples as u64;
        [samples, codec::bytes_per_sample(self.syntax)]
    }

    /// How many frames the file says it has.
    pub(crate) fn count(&self) -> usize {
        self.layout.frames
    }

    /// Bytes of each frame, where they lie one behind the other; none where they are encapsulated.
    pub(crate) fn native_length(&self) -> Option<u64> {
        if self.syntax.is_encapsulated() {
            return None;
        }
        let samples = self.layout.frame_samples() as u64;
        let halved = self.layout.photometric == Photometric::YbrFull422;
        Some(if halved { samples / 3 * 2 } else { samples })
    }

    /// Frame `index` in 8-bit red, green, blue, from its bytes.
    pub(crate) fn rgb(&self, bytes: &[u8], index: usize, origin: &Origin) -> Result<Image> {
        let Self { layout, syntax } = self;
        let (data, photometric) = if syntax.is_encapsulated() {
            codec::unpack(bytes, *syntax, layout).map_err(|codec::Fault(found)| {
                Error::file(
                    origin,
                    format!("{}, frame {index}", name(tags::PIXEL_DATA)),
                    format!("an undamaged stream of {syntax:?}"),
                    found,
                )
            })?
        } else {
            let data = frame::native(bytes, layout, 0, ByteOrder::Little, origin)?;
            (data, layout.photometric)
        };
        let frame = Frame {
            rows: layout.rows,
            columns: layout.columns,
            channels: layout.samples,
            photometric,
            signed: layout.signed,
            bits: layout.stored,
            data,
        };
        let (width, height) = (frame.columns, frame.rows);
        let samples = if photometric.is_grey() {
            colour::grey8(&frame, origin)?
        } else {
            let nothing = DataSet::default();
            let view = View::new(&[], *syntax, &nothing);
            colour::rgb8(&frame, &view, origin)?
        };
        Ok(Image::from_rgb8(width, height, samples)?)
    }
}
