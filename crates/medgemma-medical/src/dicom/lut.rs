//! Look-up tables and windows: PS3.3, C.11.1 (modality) and C.11.2 (values of interest), as pydicom 3.0.2 applies them.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::element::View;
use super::notice::Notice;

/// A table of one input: values below the first and above the last take theirs.
#[derive(Clone)]
pub(crate) struct Table {
    first: i64,
    entries: Vec<u16>,
    /// Bits of an entry.
    pub(crate) bits: u32,
}

impl Table {
    /// From the three values of a descriptor and the data, or none if they do not fit.
    ///
    /// The second value is signed where the pixels are; its representation is often written wrong.
    pub(crate) fn read(view: &View<'_>, descriptor: Tag, data: Tag, signed: bool) -> Option<Self> {
        let (count, first, bits) = Self::described(view, descriptor, signed)?;
        let raw = view.raw(data)?;
        let bytewise = bits <= 8 && (count..=count.next_multiple_of(2)).contains(&raw.len());
        let mut entries: Vec<u16> = if bytewise {
            raw[..count].iter().map(|&byte| u16::from(byte)).collect()
        } else {
            view.words(raw).take(count).collect()
        };
        if entries.len() < count {
            return None;
        }
        // Eight bits in the high byte of a word, as early devices wrote palettes.
        if bits == 8 && entries.iter().any(|&entry| entry > 255) {
            entries.iter_mut().for_each(|entry| *entry >>= 8);
        }
        Some(Self {
            first,
            entries,
            bits,
        })
    }

    /// How many entries, the first input, bits of an entry.
    fn described(view: &View<'_>, descriptor: Tag, signed: bool) -> Option<(usize, i64, u32)> {
        let [count, first, bits] = view.integers(descriptor)[..] else {
            return None;
        };
        // Also 65536 entries are written as 0; SS makes large counts negative.
        let count = match count.rem_euclid(1 << 16) {
            0 => 1 << 16,
            count => usize::try_from(count).ok()?,
        };
        let first = if signed && first > 0x7FFF {
            first - 0x1_0000
        } else {
            first
        };
        let bits = u32::try_from(bits).ok().filter(|b| (1..=16).contains(b))?;
        Some((count, first, bits))
    }

    /// As [`read`](Self::read), from segments: PS3.3, C.7.9.2. Only the two kinds that hold values of their own; one
    /// that points at others is not met with in practice.
    pub(crate) fn read_segmented(
        view: &View<'_>,
        descriptor: Tag,
        data: Tag,
        signed: bool,
    ) -> Option<Self> {
        let (count, first, bits) = Self::described(view, descriptor, signed)?;
        let raw = view.raw(data)?;
        let words: Vec<u16> = if bits <= 8 {
            raw.iter().map(|&byte| u16::from(byte)).collect()
        } else {
            view.words(raw).collect()
        };
        let mut entries = Vec::with_capacity(count);
        let mut rest = words.as_slice();
        while entries.len() < count {
            let [kind, length, after @ ..] = rest else {
                return None;
            };
            let length = usize::from(*length);
            rest = match kind {
                0 => {
                    let (values, after) = after.split_at_checked(length)?;
                    entries.extend_from_slice(values);
                    after
                }
                1 => {
                    let (&end, after) = after.split_first()?;
                    let start = f64::from(*entries.last()?);
                    #[expect(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        clippy::cast_precision_loss,
                        reason = "between two entries"
                    )]
                    entries.extend((1..=length).map(|step| {
                        let part = step as f64 / length as f64;
                        (start + (f64::from(end) - start) * part).round_ties_even() as u16
                    }));
                    after
                }
                _ => return None,
            };
        }
        entries.truncate(count);
        Some(Self {
            first,
            entries,
            bits,
        })
    }

    pub(crate) fn get(&self, value: i64) -> u16 {
        let last = self.entries.len() - 1;
        // A value can be any number that a slope makes of one, also i64's least.
        let place = usize::try_from(value.saturating_sub(self.first)).unwrap_or(0);
        self.entries[place.min(last)]
    }

    /// The largest value that an entry can hold.
    pub(crate) fn maximum(&self) -> f64 {
        2f64.powi(self.bits.cast_signed()) - 1.0
    }
}

/// What turns stored values into the modality's units.
#[derive(Clone)]
pub(crate) enum Modality {
    Identity,
    Linear { slope: f64, intercept: f64 },
    Table(Table),
}

impl Modality {
    /// Of the data set, else of the functional groups of the frame. An error is the attribute that cannot be read:
    /// without it, stored values would pass for Hounsfield units.
    pub(crate) fn read(
        view: &View<'_>,
        groups: &[View<'_>],
        signed: bool,
    ) -> std::result::Result<Self, Tag> {
        if let Some(item) = view.item(tags::MODALITY_LUT_SEQUENCE)
            && let Some(table) = Table::read(&item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed)
        {
            return Ok(Self::Table(table));
        }
        let transformed = groups
            .iter()
            .filter_map(|group| group.item(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE));
        // One without the other says nothing, and pydicom applies neither.
        let mut stated = std::iter::once(*view).chain(transformed).filter(|place| {
            let pair = [tags::RESCALE_SLOPE, tags::RESCALE_INTERCEPT];
            pair.iter().all(|&tag| place.element(tag).is_some())
                && pair.iter().any(|&tag| is_stated(place, tag))
        });
        stated.next().map_or(Ok(Self::Identity), |place| {
            let number = |tag| place.decimal(tag).ok_or(tag);
            Ok(Self::Linear {
                slope: number(tags::RESCALE_SLOPE)?,
                intercept: number(tags::RESCALE_INTERCEPT)?,
            })
        })
    }

    /// Whether values stay what they are.
    pub(crate) fn is_identity(&self) -> bool {
        match *self {
            Self::Identity => true,
            Self::Linear { slope, intercept } => slope == 1.0 && intercept == 0.0,
            Self::Table(_) => false,
        }
    }

    /// Whether no two stored values become one.
    pub(crate) fn is_one_to_one(&self) -> bool {
        match *self {
            Self::Identity => true,
            Self::Linear { slope, .. } => slope != 0.0,
            Self::Table(_) => false,
        }
    }

    /// Whether larger stored values become smaller ones.
    pub(crate) fn is_falling(&self) -> bool {
        matches!(*self, Self::Linear { slope, .. } if slope < 0.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "stored values have 32 bits")]
    pub(crate) fn apply(&self, value: i64) -> f64 {
        match self {
            Self::Identity => value as f64,
            Self::Linear { slope, intercept } => value as f64 * slope + intercept,
            Self::Table(table) => f64::from(table.get(value)),
        }
    }

    /// The smallest and largest value that come of the stored range.
    pub(crate) fn range(&self, (low, high): (f64, f64)) -> (f64, f64) {
        match self {
            Self::Identity => (low, high),
            Self::Linear { slope, intercept } => {
                (low * slope + intercept, high * slope + intercept)
            }
            Self::Table(table) => (0.0, table.maximum()),
        }
    }
}

/// Whether an attribute has more than the blanks or NULs that an empty value is padded with.
fn is_stated(place: &View<'_>, tag: Tag) -> bool {
    let value = place.raw(tag).unwrap_or_default();
    value.iter().any(|byte| !matches!(byte, b' ' | 0))
}

/// The shape of a window: PS3.3, C.11.2.1.2 and C.11.2.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WindowShape {
    /// From `centre − 0.5 − (width − 1) / 2` on, over `width − 1`.
    Linear,
    /// From `centre − width / 2` on, over `width`.
    LinearExact,
    /// A logistic curve.
    Sigmoid,
}

/// A window: the range of values that is spread over all grey levels.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct VoiWindow {
    /// The value that becomes middle grey, in the units of the modality.
    pub center: f64,
    /// The width, at least 1 ([`WindowShape::Linear`]) or more than 0.
    pub width: f64,
    /// The shape.
    pub shape: WindowShape,
}

impl VoiWindow {
    /// A window; none if its width is too small for its shape.
    #[must_use]
    pub fn new(center: f64, width: f64, shape: WindowShape) -> Option<Self> {
        let wide = match shape {
            WindowShape::Linear => width >= 1.0,
            WindowShape::LinearExact | WindowShape::Sigmoid => width > 0.0,
        };
        (wide && center.is_finite() && width.is_finite()).then_some(Self {
            center,
            width,
            shape,
        })
    }

    /// Where `value` lies within the window, 0 to 1.
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        let (center, width) = match self.shape {
            WindowShape::Linear => (self.center - 0.5, self.width - 1.0),
            WindowShape::LinearExact => (self.center, self.width),
            WindowShape::Sigmoid => {
                return 1.0 / (1.0 + (-4.0 * (value - self.center) / self.width).exp());
            }
        };
        if value <= center - width / 2.0 {
            0.0
        } else if value > center + width / 2.0 {
            1.0
        } else {
            (value - center) / width + 0.5
        }
    }
}

/// What turns the modality's units into grey levels.
#[derive(Clone)]
pub(crate) enum Voi {
    /// All values of the frame.
    Identity,
    Window(VoiWindow),
    Table(Table),
}

impl Voi {
    /// Of the data set, else of the frame's own functional groups, else of those of all frames; in each place the first
    /// table before the first window.
    pub(crate) fn read(view: &View<'_>, groups: &[View<'_>], signed: bool) -> Self {
        let mut places = places(view, groups);
        let found = places.find_map(|place| {
            let table = voi_table(&place, signed).flatten().map(Self::Table);
            table.or_else(|| windows_at(&place).0.first().map(|&w| Self::Window(w)))
        });
        found.unwrap_or(Self::Identity)
    }
}

/// Where tables and windows can stand.
fn places<'a>(view: &View<'a>, groups: &[View<'a>]) -> impl Iterator<Item = View<'a>> {
    let framed = groups
        .iter()
        .filter_map(|group| group.item(tags::FRAME_VOILUT_SEQUENCE));
    std::iter::once(*view).chain(framed)
}

/// The VOI LUT of a place, if it has one; none within where it cannot be read.
fn voi_table(place: &View<'_>, signed: bool) -> Option<Option<Table>> {
    let item = place.item(tags::VOILUT_SEQUENCE)?;
    let table = Table::read(&item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed);
    Some(table)
}

/// The first table that can be read, whatever windows there are.
pub(crate) fn table(view: &View<'_>, groups: &[View<'_>], signed: bool) -> Option<Table> {
    places(view, groups).find_map(|place| voi_table(&place, signed).flatten())
}

/// Every window of the data set and of the functional groups.
pub(crate) fn all_windows(view: &View<'_>, groups: &[View<'_>]) -> Vec<VoiWindow> {
    let windows = places(view, groups).flat_map(|place| windows_at(&place).0);
    windows.collect()
}

/// Every window of the data set, else of the functional groups.
pub(crate) fn windows(view: &View<'_>, groups: &[View<'_>]) -> Vec<VoiWindow> {
    let windows = places(view, groups).map(|place| windows_at(&place).0);
    let mut found = windows.filter(|windows| !windows.is_empty());
    found.next().unwrap_or_default()
}

/// The windows of a place, and whether all that it names are among them.
fn windows_at(place: &View<'_>) -> (Vec<VoiWindow>, bool) {
    let centers = place.decimals_in_place(tags::WINDOW_CENTER);
    let widths = place.decimals_in_place(tags::WINDOW_WIDTH);
    let shape = match place.text(tags::VOILUT_FUNCTION).as_deref() {
        Some("LINEAR_EXACT") => WindowShape::LinearExact,
        Some("SIGMOID") => WindowShape::Sigmoid,
        _ => WindowShape::Linear,
    };
    let pairs = centers.iter().zip(&widths);
    let named = pairs.clone().filter(|pair| *pair != (&None, &None)).count();
    let windows: Vec<VoiWindow> = pairs
        .filter_map(|(&center, &width)| VoiWindow::new(center?, width?, shape))
        .collect();
    let whole = windows.len() == named;
    (windows, whole)
}

/// Notices of tables and windows that cannot be used, each once: of the data set, and of `groups`, which are those of all
/// frames. Each place is looked at once, whatever the number of frames.
pub(crate) fn unusable<'a>(
    view: &View<'a>,
    groups: impl Iterator<Item = View<'a>>,
    signed: bool,
    notices: &mut Vec<Notice>,
) {
    let mut told = [false; 3];
    if let Some(item) = view.item(tags::MODALITY_LUT_SEQUENCE) {
        let table = Table::read(&item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed);
        told[0] = table.is_none();
    }
    let framed = groups.filter_map(|group| group.item(tags::FRAME_VOILUT_SEQUENCE));
    for place in std::iter::once(*view).chain(framed) {
        told[1] |= voi_table(&place, signed).is_some_and(|table| table.is_none());
        told[2] |= !windows_at(&place).1;
    }
    let all = [
        Notice::TableIgnored("ModalityLUTSequence"),
        Notice::TableIgnored("VOILUTSequence"),
        Notice::WindowIgnored,
    ];
    let found = all.into_iter().zip(told).filter(|(_, told)| *told);
    notices.extend(found.map(|(notice, _)| notice));
}

#[cfg(test)]
mod tests {
    use super::{Modality, Table};

    #[test]
    fn values_beyond_a_table_take_its_ends_however_far_they_are() {
        let table = |first| Table {
            first,
            entries: vec![10, 20, 30],
            bits: 8,
        };
        for first in [-0x8000, -1, 0, 5, 0xFFFF] {
            let table = table(first);
            assert_eq!([first - 1, first].map(|value| table.get(value)), [10, 10]);
            assert_eq!([first + 1, first + 2].map(|v| table.get(v)), [20, 30]);
            assert_eq!([i64::MIN, i64::MIN + 1].map(|v| table.get(v)), [10, 10]);
            assert_eq!([first + 3, i64::MAX].map(|v| table.get(v)), [30, 30]);
        }
        // A slope that no device has, and a file may.
        let slope = Modality::Linear {
            slope: -1e30,
            intercept: 0.0,
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturating, as a frame's values are cut off"
        )]
        let least = slope.apply(7) as i64;
        assert_eq!((least, table(5).get(least)), (i64::MIN, 10));
    }
}
