//! Data elements as they lie in the file: ranges of bytes, read when asked for. PS3.5, section 7.

use std::ops::Range;

use dicom_core::{Tag, VR};

use super::transfer_syntax::TransferSyntax;

/// Bytes of a value that are read as numbers or texts, for every frame anew: attributes that are read so have a few values
/// of at most 64 bytes. Tables and pixels are read otherwise.
const LONGEST: usize = 4096;

/// The value of one element.
#[derive(Clone)]
pub(crate) enum Value {
    /// A plain value: where its bytes lie.
    Bytes(Range<usize>),
    /// A sequence.
    Items(Vec<DataSet>),
    /// Encapsulated pixel data: the offset table, then the fragments.
    Fragments(Vec<Range<usize>>),
}

/// One element.
#[derive(Clone)]
pub(crate) struct Element {
    pub(crate) tag: Tag,
    pub(crate) vr: VR,
    pub(crate) value: Value,
}

/// The elements of a data set or of an item, in the order of their tags, each once: they are looked up for every frame.
/// A file has a hundred of them, an item of a functional group one: a list costs less than a map.
#[derive(Clone, Default)]
pub(crate) struct DataSet {
    elements: Vec<Element>,
}

impl DataSet {
    /// Of the elements of a file, in its order. Of two with one tag the last counts, as in pydicom.
    pub(crate) fn new(mut elements: Vec<Element>) -> Self {
        // As PS3.5, section 7.1, has them written; so nothing is moved but in a file that breaks the rule.
        if !elements.is_sorted_by(|a, b| a.tag < b.tag) {
            elements.sort_by_key(|element| element.tag);
            elements.reverse();
            elements.dedup_by_key(|element| element.tag);
            elements.reverse();
        }
        Self { elements }
    }

    pub(crate) fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The element, if it is there.
    pub(crate) fn element(&self, tag: Tag) -> Option<&Element> {
        let found = self.elements.binary_search_by_key(&tag, |e| e.tag).ok()?;
        self.elements.get(found)
    }
}

/// A data set beside the bytes that its ranges point into.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) big_endian: bool,
    pub(crate) set: &'a DataSet,
}

impl<'a> View<'a> {
    pub(crate) fn new(bytes: &'a [u8], syntax: TransferSyntax, set: &'a DataSet) -> Self {
        Self {
            bytes,
            big_endian: syntax == TransferSyntax::ExplicitBigEndian,
            set,
        }
    }

    /// The element, if it is there.
    pub(crate) fn element(&self, tag: Tag) -> Option<&'a Element> {
        self.set.element(tag)
    }

    /// The bytes of a plain value; none if it is absent, empty or a sequence.
    pub(crate) fn raw(&self, tag: Tag) -> Option<&'a [u8]> {
        match &self.element(tag)?.value {
            Value::Bytes(range) if !range.is_empty() => self.bytes.get(range.clone()),
            _ => None,
        }
    }

    /// The beginning of a plain value that is read as numbers or texts.
    fn short(&self, tag: Tag) -> Option<&'a [u8]> {
        let raw = self.raw(tag)?;
        Some(raw.get(..LONGEST).unwrap_or(raw))
    }

    /// The items of a sequence.
    pub(crate) fn items(&self, tag: Tag) -> impl Iterator<Item = View<'a>> + use<'a> {
        let view = *self;
        let items = match view.element(tag).map(|element| &element.value) {
            Some(Value::Items(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(move |set| Self { set, ..view })
    }

    /// One item of a sequence.
    pub(crate) fn nth_item(&self, tag: Tag, index: usize) -> Option<View<'a>> {
        match &self.element(tag)?.value {
            Value::Items(items) => items.get(index).map(|set| Self { set, ..*self }),
            _ => None,
        }
    }

    /// The first item of a sequence.
    pub(crate) fn item(&self, tag: Tag) -> Option<View<'a>> {
        self.nth_item(tag, 0)
    }

    pub(crate) fn u16_at(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        }
    }

    /// Values of US, SS, UL, SL, OW and IS, however the file calls them.
    pub(crate) fn integers(&self, tag: Tag) -> Vec<i64> {
        let Some(raw) = self.short(tag) else {
            return Vec::new();
        };
        match self.element(tag).map(Element::vr) {
            Some(VR::IS | VR::DS | VR::LO | VR::SH | VR::CS) => split(raw)
                .filter_map(|text| text.parse::<f64>().ok())
                .filter(|value| value.fract() == 0.0 && value.abs() < 9e15)
                .map(|value| {
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "whole and within the range, by the line above"
                    )]
                    let whole = value as i64;
                    whole
                })
                .collect(),
            Some(VR::SS) => self
                .words(raw)
                .map(|word| i64::from(word.cast_signed()))
                .collect(),
            Some(vr @ (VR::UL | VR::SL | VR::OL)) => {
                let signed = vr == VR::SL;
                raw.as_chunks()
                    .0
                    .iter()
                    .map(|&word: &[u8; 4]| {
                        let word = if self.big_endian {
                            u32::from_be_bytes(word)
                        } else {
                            u32::from_le_bytes(word)
                        };
                        if signed {
                            i64::from(word.cast_signed())
                        } else {
                            i64::from(word)
                        }
                    })
                    .collect()
            }
            _ => self.words(raw).map(i64::from).collect(),
        }
    }

    /// The first of [`integers`](Self::integers).
    pub(crate) fn integer(&self, tag: Tag) -> Option<i64> {
        self.integers(tag).first().copied()
    }

    /// Values of DS, IS, FD and FL; what is no finite number is left out.
    pub(crate) fn decimals(&self, tag: Tag) -> Vec<f64> {
        self.decimals_in_place(tag).into_iter().flatten().collect()
    }

    /// As [`decimals`](Self::decimals), with none where a value is no finite number: the second value of one attribute
    /// goes with the second of another.
    pub(crate) fn decimals_in_place(&self, tag: Tag) -> Vec<Option<f64>> {
        let Some(raw) = self.short(tag) else {
            return Vec::new();
        };
        let values: Vec<Option<f64>> = match self.element(tag).map(Element::vr) {
            Some(VR::FD) => raw
                .as_chunks()
                .0
                .iter()
                .map(|&word: &[u8; 8]| {
                    Some(if self.big_endian {
                        f64::from_be_bytes(word)
                    } else {
                        f64::from_le_bytes(word)
                    })
                })
                .collect(),
            Some(VR::FL) => raw
                .as_chunks()
                .0
                .iter()
                .map(|&word: &[u8; 4]| {
                    let value = if self.big_endian {
                        f32::from_be_bytes(word)
                    } else {
                        f32::from_le_bytes(word)
                    };
                    Some(f64::from(value))
                })
                .collect(),
            Some(VR::US | VR::SS | VR::UL) => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "words of at most 32 bits are exact"
                )]
                let values = self.integers(tag).into_iter().map(|v| Some(v as f64));
                values.collect()
            }
            _ => split(raw).map(|text| text.parse().ok()).collect(),
        };
        values
            .into_iter()
            .map(|value| value.filter(|value| value.is_finite()))
            .collect()
    }

    /// The first value of [`decimals_in_place`](Self::decimals_in_place).
    pub(crate) fn decimal(&self, tag: Tag) -> Option<f64> {
        self.decimals_in_place(tag).first().copied().flatten()
    }

    /// The values of a text, without padding. Bytes that are not ASCII are replaced: the texts read here are codes
    /// and identifiers, which have no other characters.
    pub(crate) fn texts(&self, tag: Tag) -> Vec<String> {
        let Some(raw) = self.short(tag) else {
            return Vec::new();
        };
        split(raw)
            .map(|text| text.replace(|c: char| !(' '..='~').contains(&c), "?"))
            .collect()
    }

    /// The first value of a text, if it is not empty.
    pub(crate) fn text(&self, tag: Tag) -> Option<String> {
        self.texts(tag)
            .into_iter()
            .next()
            .filter(|text| !text.is_empty())
    }

    pub(crate) fn words(&self, raw: &'a [u8]) -> impl Iterator<Item = u16> + use<'a> {
        let view = *self;
        raw.as_chunks()
            .0
            .iter()
            .map(move |&word: &[u8; 2]| view.u16_at(word))
    }
}

impl Element {
    pub(crate) fn vr(&self) -> VR {
        self.vr
    }
}

/// The values of a text: backslash between them, blanks and NUL around them.
fn split(raw: &[u8]) -> impl Iterator<Item = &str> {
    raw.split(|&byte| byte == b'\\').map(|part| {
        std::str::from_utf8(part)
            .unwrap_or("?")
            .trim_matches([' ', '\0'])
    })
}

/// `(0028,0010) Rows`, as errors name an attribute; private and unknown ones by their number.
pub(crate) fn name(tag: Tag) -> String {
    use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _};
    let number = format!("({:04X},{:04X})", tag.group(), tag.element());
    match dicom_dictionary_std::StandardDataDictionary.by_tag(tag) {
        Some(entry) => format!("{number} {}", entry.alias()),
        None => number,
    }
}
