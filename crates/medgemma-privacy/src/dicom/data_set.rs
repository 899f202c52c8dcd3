//! The profile carried out on a data set and, item by item, on all its sequences.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::Header;
use dicom_core::value::{PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::Report;
use super::echo::Echoes;
use super::profile::{Retain, Step, step};
use super::value::{capped_age, dummy, sequence, shifted, texts};
use crate::key::Key;
use crate::text::Scrubber;

/// UIDs of the standard itself (classes, syntaxes) begin so and stand for nobody.
pub(super) const STANDARD_ROOT: &str = "1.2.840.10008.";

/// What one file is de-identified by.
pub(super) struct Pass<'a> {
    pub(super) key: &'a Key,
    pub(super) retained: &'a [Retain],
    pub(super) scrubber: &'a Scrubber,
    /// Days that dates are shifted by.
    pub(super) days: i64,
    pub(super) echoes: Echoes,
    pub(super) report: Report,
}

impl Pass<'_> {
    pub(super) fn data_set(&mut self, object: InMemDicomObject) -> InMemDicomObject {
        let elements: Vec<InMemElement> = object
            .into_iter()
            .filter_map(|element| self.element(element))
            .collect();
        // From elements alone: a length that was written in front would no longer be true.
        InMemDicomObject::from_element_iter(elements)
    }

    /// What becomes of an element; `None` if it goes.
    fn element(&mut self, element: InMemElement) -> Option<InMemElement> {
        let tag = element.tag();
        if !tag.group().is_multiple_of(2) {
            self.report.private += 1;
            return None;
        }
        if matches!(tag.group() >> 8, 0x50 | 0x60) {
            // Curves and overlays. Of an overlay without its data the rest would be no use.
            self.report.graphics += 1;
            return None;
        }
        // Group lengths (retired), commands and file meta information have no place here.
        let misplaced = tag.element() == 0 || matches!(tag.group(), 0x0000 | 0x0002);
        let entry = StandardDataDictionary.by_tag(tag);
        let Some(entry) = entry.filter(|_| !misplaced) else {
            self.report.unknown += 1;
            return None;
        };
        let vr = entry.vr().relaxed();
        let Some(element) = readable(element, vr) else {
            self.report.unreadable += 1;
            return None;
        };
        match step(tag, vr, self.retained) {
            Step::Remove => {
                self.report.removed += 1;
                None
            }
            Step::Empty | Step::Replace if matches!(tag, tags::PATIENT_ID | tags::PATIENT_NAME) => {
                Some(self.pseudonymous(&element))
            }
            Step::Empty => Some(self.emptied(&element)),
            Step::Replace => Some(self.replaced(&element)),
            Step::Remap => Some(self.remapped(element)),
            Step::Shift => Some(self.shifted(&element)),
            Step::Clean => self.cleaned(element),
            Step::Keep => Some(self.kept(element, vr)),
            Step::Address if is_relative(&element) => Some(self.kept(element, vr)),
            Step::Address => {
                self.report.removed += 1;
                None
            }
        }
    }

    /// A pseudonym, by which files of a patient belong together; nothing where there was nothing.
    fn pseudonymous(&mut self, element: &InMemElement) -> InMemElement {
        let value = element.to_str().unwrap_or_default();
        let value = value.trim_matches([' ', '\0']);
        if value.is_empty() {
            return self.emptied(element);
        }
        self.report.replaced += 1;
        let pseudonym = self.key.pseudonym(value);
        texts(element.tag(), element.vr(), vec![pseudonym])
    }

    fn emptied(&mut self, element: &InMemElement) -> InMemElement {
        self.report.emptied += 1;
        DataElement::empty(element.tag(), element.vr())
    }

    fn replaced(&mut self, element: &InMemElement) -> InMemElement {
        self.report.replaced += 1;
        dummy(element.tag(), element.vr())
    }

    /// With other UIDs for all that are not the standard's.
    fn remapped(&mut self, element: InMemElement) -> InMemElement {
        if matches!(element.value(), Value::Sequence(_)) {
            return self.kept(element, VR::SQ);
        }
        let values = element.to_multi_str().unwrap_or_default();
        let values = values.iter().map(|uid| {
            let uid = uid.trim_matches([' ', '\0']);
            let other = other_uid(self.key, uid);
            self.report.uids += usize::from(other != uid);
            other
        });
        let values = values.collect();
        texts(element.tag(), element.vr(), values)
    }

    fn shifted(&mut self, element: &InMemElement) -> InMemElement {
        let (tag, vr) = (element.tag(), element.vr());
        let values = element.to_multi_str().unwrap_or_default();
        let values: Option<Vec<String>> = values
            .iter()
            .map(|value| shifted(value, self.days))
            .collect();
        match values {
            Some(values) => {
                self.report.dates += 1;
                texts(tag, vr, values)
            }
            // No date, so that nothing is known of it.
            None => self.emptied(element),
        }
    }

    fn cleaned(&mut self, element: InMemElement) -> Option<InMemElement> {
        match element.value() {
            Value::Sequence(_) => Some(self.kept(element, VR::SQ)),
            Value::Primitive(_) if is_text(element.vr()) => {
                self.report.cleaned += 1;
                let (tag, vr) = (element.tag(), element.vr());
                let values = element.to_multi_str().unwrap_or_default();
                let values = values.iter().map(|text| self.scrubber.scrub(text).text);
                Some(self.without_echoes(texts(tag, vr, values.collect())))
            }
            _ => {
                self.report.removed += 1;
                None
            }
        }
    }

    fn kept(&mut self, element: InMemElement, vr: VR) -> InMemElement {
        let tag = element.tag();
        match element.into_parts() {
            (_, Value::Sequence(items)) => {
                let items = items.into_items().into_iter();
                sequence(tag, items.map(|item| self.data_set(item)).collect())
            }
            (header, value) if vr == VR::AS => {
                let ages = value.to_multi_str().unwrap_or_default();
                texts(
                    tag,
                    header.vr,
                    ages.iter().map(|age| capped_age(age)).collect(),
                )
            }
            (header, value) => {
                let element = DataElement::new_with_len(tag, header.vr, header.len, value);
                self.without_echoes(element)
            }
        }
    }

    /// Empty, if it is a text that repeats a name, number or UID of the file.
    fn without_echoes(&mut self, element: InMemElement) -> InMemElement {
        let numbers = matches!(element.vr(), VR::DS | VR::IS);
        if !is_text(element.vr()) && element.vr() != VR::UR && !numbers {
            return element;
        }
        let values = element.to_multi_str().unwrap_or_default();
        // A number that is one may have any digits.
        let said = |text: &&String| !numbers || text.trim().parse::<f64>().is_err();
        let mut said = values.iter().filter(said);
        if !said.any(|text| self.echoes.repeated_in(text)) {
            return element;
        }
        self.report.echoes += 1;
        DataElement::empty(element.tag(), element.vr())
    }
}

/// The element with the dictionary's representation where its own is unknown; `None` where what it holds
/// cannot be looked into, or is of another shape than the dictionary says: a sequence as bytes, bytes of
/// an image under another name.
fn readable(element: InMemElement, vr: VR) -> Option<InMemElement> {
    let tag = element.tag();
    let pixels = tag == tags::PIXEL_DATA;
    match element.value() {
        Value::Sequence(_) => (vr == VR::SQ).then_some(element),
        Value::PixelSequence(_) => pixels.then_some(element),
        Value::Primitive(value) if vr == VR::SQ => {
            let empty = matches!(value, PrimitiveValue::Empty);
            empty.then(|| DataElement::empty(tag, VR::SQ))
        }
        Value::Primitive(PrimitiveValue::U8(bytes)) if is_text(vr) || is_string(vr) => {
            let text = std::str::from_utf8(bytes).ok()?;
            let values = text.split('\\').map(str::to_owned);
            Some(texts(tag, vr, values.collect()))
        }
        // Under a representation that is not searched for names, such as a code's.
        Value::Primitive(value) if is_text(vr) && !is_text(element.vr()) => match value {
            PrimitiveValue::Empty => Some(element),
            PrimitiveValue::Str(_) | PrimitiveValue::Strs(_) => {
                Some(texts(tag, vr, value.to_multi_str().into_owned()))
            }
            _ => None,
        },
        Value::Primitive(_) => Some(element),
    }
}

/// Whether addresses have no scheme and no host, nor begin as a host without its scheme would.
fn is_relative(element: &InMemElement) -> bool {
    let values = element.to_multi_str().unwrap_or_default();
    values.iter().all(|address| {
        let address = address.trim_start_matches([' ', '\0']);
        let end = address.find(['/', '\\', '?', '#']);
        let first = &address[..end.unwrap_or(address.len())];
        let here = first.chars().all(|c| c == '.');
        let host = end == Some(0) && address[1..].starts_with(['/', '\\'])
            || end.is_some() && first.contains('.') && !here;
        !host && !first.contains([':', '@'])
    })
}

fn is_text(vr: VR) -> bool {
    matches!(
        vr,
        VR::LO | VR::LT | VR::PN | VR::SH | VR::ST | VR::UC | VR::UT
    )
}

/// What is written in the characters of the default repertoire.
fn is_string(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE | VR::AS | VR::CS | VR::DA | VR::DS | VR::DT | VR::IS | VR::TM | VR::UI | VR::UR
    )
}

/// Another UID, unless it is the standard's own.
pub(super) fn other_uid(key: &Key, uid: &str) -> String {
    if uid.is_empty() || uid.starts_with(STANDARD_ROOT) && is_uid(uid) {
        uid.to_owned()
    } else {
        key.uid(uid)
    }
}

/// Whether a text is a UID at all: at most 64 digits and dots.
pub(super) fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Whose file it is, for shifting dates: the first of these that says something.
pub(super) fn patient(object: &InMemDicomObject) -> String {
    let candidates = [
        tags::PATIENT_ID,
        tags::PATIENT_NAME,
        tags::STUDY_INSTANCE_UID,
    ];
    let text = |tag: Tag| Some(object.get(tag)?.to_str().ok()?.trim().to_owned());
    let mut texts = candidates.into_iter().filter_map(text);
    texts.find(|text| !text.is_empty()).unwrap_or_default()
}
