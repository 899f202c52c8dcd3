//! DICOM files: pixels as pydicom 3.0.2 gives them, where they lie, and what the file says of itself.
//!
//! | part | file |
//! |---|---|
//! | elements, sequences, fragments | `reader`, `cursor`, `deflated`, `element`, `transfer_syntax`, `fragments` |
//! | description of the pixels | `layout` |
//! | samples | `frame` (native), `codec` (compressed) |
//! | tables, windows, padding, colour | `lut`, `grey`, `padding`, `colour` |
//! | plane in the patient, attributes | `geometry`, `facts` |
//! | what was ignored | `notice` |
//! | files that are not in memory: slides | `head` |

mod codec;
mod colour;
mod cursor;
mod deflated;
mod element;
mod facts;
mod fragments;
mod frame;
mod geometry;
mod grey;
mod head;
mod layout;
mod lut;
mod notice;
mod padding;
mod reader;
mod transfer_syntax;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use medgemma_image::Image;

use crate::error::{Error, Origin, Result};
use crate::limits::Limits;
use element::{DataSet, Value};
use frame::ByteOrder;
use layout::Layout;
use lut::Modality;
use padding::Padding;

pub(crate) use codec::jpeg::check_length as check_jpeg_length;
pub(crate) use codec::jpeg_2000::Stream as Jpeg2000;
pub(crate) use element::{View, name};
pub use facts::Facts;
pub(crate) use facts::WHOLE_SLIDE;
pub use frame::Frame;
pub use geometry::Geometry;
pub(crate) use geometry::{cross, dot};
pub(crate) use head::{FrameDecoder, Head};
pub use layout::Photometric;
pub use lut::{VoiWindow, WindowShape};
pub use notice::Notice;
pub use transfer_syntax::TransferSyntax;

/// A DICOM file in memory. Frames are unpacked when asked for, one at a time.
///
/// `Debug` prints shape and transfer syntax only, so that a log never holds a patient's name or picture.
///
/// ```no_run
/// use medgemma_medical::{Dicom, Limits};
///
/// # fn main() -> medgemma_medical::Result<()> {
/// let file = Dicom::open("chest.dcm", &Limits::default())?;
/// let picture = file.display(0)?; // 8-bit, window applied, MONOCHROME1 inverted
/// for notice in file.notices() {
///     eprintln!("{notice}");
/// }
/// # drop(picture);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dicom {
    origin: Origin,
    bytes: Vec<u8>,
    set: DataSet,
    syntax: TransferSyntax,
    layout: Option<Layout>,
    groups: Vec<Range<usize>>,
    notices: Vec<Notice>,
    max_volume_bytes: u64,
}

/// A colour frame in 8-bit red, green, blue.
pub(crate) struct Colours {
    pub(crate) image: Image,
    /// What its samples were taken for.
    pub(crate) photometric: Photometric,
    /// Bits of a sample before.
    pub(crate) bits: u32,
}

impl Dicom {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, otherwise as [`read`](Self::read).
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let bytes = limits.read_file(path)?;
        Self::parse(bytes, limits, Origin::File(path.to_owned()))
    }

    /// Reads a file that is in memory.
    ///
    /// # Errors
    /// [`Error::Limit`] where the file asks for more than `limits`; [`Error::File`], with the attribute at fault, where
    /// it is no DICOM file, is cut off within an attribute, or describes its pixels in a way that is not read.
    pub fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Self> {
        Self::parse(bytes, limits, Origin::Memory)
    }

    fn parse(bytes: Vec<u8>, limits: &Limits, origin: Origin) -> Result<Self> {
        let reader::Parsed {
            bytes,
            set,
            syntax,
            mut notices,
        } = reader::read(bytes, limits, &origin)?;
        let view = View::new(&bytes, syntax, &set);
        let layout = Layout::read(&view, syntax, limits, &origin, &mut notices)?;
        let mut groups = Vec::new();
        if let Some(layout) = &layout {
            match view.element(tags::PIXEL_DATA).map(|element| &element.value) {
                Some(Value::Fragments(all)) => {
                    groups = fragments::by_frame(&view, all, layout, syntax, &origin)?;
                }
                Some(Value::Bytes(range)) => {
                    let expected = usize::try_from(layout.native_length()).unwrap_or(usize::MAX);
                    let beyond = range.len().saturating_sub(expected);
                    if beyond > 1 {
                        notices.push(Notice::PixelDataTooLong(beyond));
                    }
                }
                _ => {}
            }
            ignored(&view, &mut notices);
            let shared = view.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
            let own = view.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
            padded(&view, layout, &mut notices);
            lut::unusable(&view, shared.chain(own), layout.signed, &mut notices);
        }
        let count = notices.len();
        tracing::debug!(
            bytes = bytes.len(),
            ?syntax,
            notices = count,
            "DICOM file read"
        );
        Ok(Self {
            origin,
            bytes,
            set,
            syntax,
            layout,
            groups,
            notices,
            max_volume_bytes: limits.max_volume_bytes,
        })
    }

    fn view(&self) -> View<'_> {
        View::new(&self.bytes, self.syntax, &self.set)
    }

    /// The functional groups of a frame, its own before those of all frames.
    fn functional_groups(&self, index: usize) -> Vec<View<'_>> {
        let view = self.view();
        let own = view.nth_item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, index);
        let shared = view.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        own.into_iter().chain(shared).collect()
    }

    /// How many frames there are; 0 for an object without pixels (a report, a plan).
    #[must_use]
    pub fn frames(&self) -> usize {
        self.layout.as_ref().map_or(0, |layout| layout.frames)
    }

    /// The samples of a frame as stored.
    ///
    /// # Errors
    /// [`Error::Argument`] for a frame that is not there; [`Error::File`] where pixel data are missing or damaged.
    pub fn frame(&self, index: usize) -> Result<Frame> {
        let layout = self.layout_of(index)?;
        let pixels = self.view().element(tags::PIXEL_DATA);
        let (data, photometric) = match pixels.map(|element| (&element.value, element.vr)) {
            Some((Value::Bytes(range), vr)) => {
                let bytes = self.bytes.get(range.clone()).unwrap_or_default();
                let order = match (self.syntax, vr) {
                    (TransferSyntax::ExplicitBigEndian, VR::OW) if layout.allocated == 8 => {
                        ByteOrder::SwappedBytes
                    }
                    (TransferSyntax::ExplicitBigEndian, _) => ByteOrder::Big,
                    _ => ByteOrder::Little,
                };
                let data = frame::native(bytes, layout, index, order, &self.origin)?;
                (data, layout.photometric)
            }
            Some((Value::Fragments(all), _)) => self.unpacked(layout, all, index)?,
            _ => return Err(self.damaged(index, "nothing")),
        };
        Ok(Frame {
            rows: layout.rows,
            columns: layout.columns,
            channels: layout.samples,
            photometric,
            signed: layout.signed,
            bits: layout.stored,
            data,
        })
    }

    fn unpacked(
        &self,
        layout: &Layout,
        all: &[Range<usize>],
        index: usize,
    ) -> Result<(Vec<u32>, Photometric)> {
        // The first item is the offset table.
        let fragments = all.get(1..).unwrap_or_default();
        let bytes = self
            .groups
            .get(index)
            .and_then(|group| fragments.get(group.clone()))
            .map(|fragments| fragments::joined(&self.bytes, fragments))
            .ok_or_else(|| self.damaged(index, "no fragment"))?;
        codec::unpack(&bytes, self.syntax, layout)
            .map_err(|codec::Fault(found)| self.damaged(index, found))
    }

    fn layout_of(&self, index: usize) -> Result<&Layout> {
        let found = self.frames();
        match &self.layout {
            Some(layout) if index < layout.frames => Ok(layout),
            Some(_) => Err(Error::argument(
                "index",
                format!("a frame below {found}"),
                index.to_string(),
            )),
            None => Err(Error::file(
                &self.origin,
                name(tags::PIXEL_DATA),
                "pixels; reports and plans have none",
                "none",
            )),
        }
    }

    fn damaged(&self, index: usize, found: impl Into<String>) -> Error {
        Error::file(
            &self.origin,
            format!("{}, frame {index}", name(tags::PIXEL_DATA)),
            format!("an undamaged stream of {:?}", self.syntax),
            found,
        )
    }

    /// Refuses a volume of which this file is a part, by the limits that it was opened with.
    pub(crate) fn check_volume(&self, values: u64) -> Result<()> {
        Limits::check_volume(&self.origin, self.max_volume_bytes, values)
    }

    /// Values of one frame.
    pub(crate) fn area(&self) -> u64 {
        let layout = self.layout.as_ref();
        layout.map_or(0, |layout| layout.rows as u64 * layout.columns as u64)
    }

    /// A colour frame, 8 bits: palettes looked up, YBR turned into RGB, wider samples spread over 8 bits.
    ///
    /// # Errors
    /// As [`frame`](Self::frame), and [`Error::File`] for grey, for palettes that cannot be read, and for samples that Bits
    /// Stored has too few bits for.
    pub fn rgb(&self, index: usize) -> Result<Image> {
        Ok(self.colours(index)?.image)
    }

    /// As [`rgb`](Self::rgb), with what it was made of.
    pub(crate) fn colours(&self, index: usize) -> Result<Colours> {
        let frame = self.frame(index)?;
        let samples = colour::rgb8(&frame, &self.view(), &self.origin)?;
        Ok(Colours {
            image: Image::from_rgb8(frame.columns, frame.rows, samples)
                .expect("a colour has three samples a pixel"),
            photometric: frame.photometric,
            bits: frame.bits,
        })
    }

    /// Whether the file says by an ICC profile what its colours look like.
    pub(crate) fn has_colour_profile(&self) -> bool {
        self.notices.contains(&Notice::ColourProfileIgnored)
    }

    /// Where a frame lies in the patient; none if the file does not say it whole.
    #[must_use]
    pub fn geometry(&self, index: usize) -> Option<Geometry> {
        Geometry::read(&self.view(), &self.functional_groups(index))
    }

    /// What the file says of itself beside its pixels.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let photometric = self.layout.as_ref().map(|layout| layout.photometric);
        Facts::read(&self.view(), photometric)
    }

    /// How elements and pixels are written; where that is not what the file names, with
    /// [`Notice::TransferSyntaxContradicted`].
    #[must_use]
    pub fn transfer_syntax(&self) -> TransferSyntax {
        self.syntax
    }

    /// What was ignored or taken otherwise than the file says.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}

impl fmt::Debug for Dicom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dicom")
            .field("transfer_syntax", &self.syntax)
            .field("frames", &self.frames())
            .field("rows", &self.layout.as_ref().map(|layout| layout.rows))
            .field(
                "columns",
                &self.layout.as_ref().map(|layout| layout.columns),
            )
            .finish_non_exhaustive()
    }
}

/// Notices of what a viewer would draw and this crate does not, and of what the picture may be beside one of the patient.
fn ignored(view: &View<'_>, notices: &mut Vec<Notice>) {
    let overlays = view.set.elements().iter().filter(|element| {
        let tag = element.tag;
        let group = tag.group();
        (0x6000..=0x60FF).contains(&group) && group % 2 == 0 && tag.element() == 0x0010
    });
    let overlays = overlays.count();
    if overlays > 0 {
        notices.push(Notice::OverlaysIgnored(overlays));
    }
    if view.element(tags::ICC_PROFILE).is_some() {
        notices.push(Notice::ColourProfileIgnored);
    }
    if view.element(tags::PRESENTATION_LUT_SEQUENCE).is_some() {
        notices.push(Notice::PresentationLutIgnored);
    }
    let facts = Facts::read(view, None);
    if facts.for_processing == Some(true) {
        notices.push(Notice::ForProcessing);
    }
    match facts.burned_in_annotation {
        Some(true) => notices.push(Notice::TextBurnedIn),
        None => notices.push(Notice::TextMayBeBurnedIn),
        Some(false) => {}
    }
}

/// Whether values that stand for nothing are told from others.
fn padded(view: &View<'_>, layout: &Layout, notices: &mut Vec<Notice>) {
    if view.raw(tags::PIXEL_PADDING_VALUE).is_none() || !layout.photometric.is_grey() {
        return;
    }
    let range = frame::range(layout.stored, layout.signed);
    let found = Padding::read(view, range, layout.signed);
    let modality = Modality::read(view, &[], layout.signed);
    let told = found.is_some_and(|padding| {
        let after = modality
            .as_ref()
            .is_ok_and(|modality| padding.after(modality).is_some());
        padding.can_lie_apart(layout.signed) && after
    });
    notices.push(if told {
        Notice::PixelPaddingLeftOut
    } else {
        Notice::PixelPaddingKept
    });
}
