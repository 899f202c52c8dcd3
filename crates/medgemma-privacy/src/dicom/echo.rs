//! Identifiers that turn up again in attributes that stay: a patient's name in a device's free text.

use std::collections::BTreeSet;

use dicom_core::header::Header;
use dicom_core::value::Value;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::data_set::{STANDARD_ROOT, is_uid};

/// Retired, and in files.
const OTHER_PATIENT_IDS: Tag = Tag(0x0010, 0x1000);
const MEDICAL_RECORD_LOCATOR: Tag = Tag(0x0010, 0x1090);

/// Numbers that stand for a person or a visit; names are found by their value representation.
const NUMBERS: [Tag; 9] = [
    tags::PATIENT_ID,
    OTHER_PATIENT_IDS,
    tags::ACCESSION_NUMBER,
    tags::ADMISSION_ID,
    MEDICAL_RECORD_LOCATOR,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_TELEPHONE_NUMBERS,
    tags::REQUESTED_PROCEDURE_ID,
    tags::PATIENT_BIRTH_DATE,
];
/// Shorter words are initials, titles and chance.
const SHORTEST_NAME: usize = 3;
const SHORTEST_NUMBER: usize = 5;
/// Bytes of a UID at most, PS3.5 9.1.
const LONGEST_UID: usize = 64;

/// The names, numbers and UIDs of a file.
#[derive(Default)]
pub(super) struct Echoes {
    names: BTreeSet<String>,
    numbers: BTreeSet<String>,
    uids: BTreeSet<String>,
}

impl Echoes {
    /// Of a data set and all its sequences.
    pub(super) fn of(object: &InMemDicomObject) -> Self {
        let mut echoes = Self::default();
        echoes.collect(object);
        echoes
    }

    fn collect(&mut self, object: &InMemDicomObject) {
        for element in object {
            match element.value() {
                Value::Sequence(items) => items.items().iter().for_each(|item| self.collect(item)),
                Value::Primitive(_) if element.vr() == VR::PN => {
                    for text in texts(element) {
                        let long = |word: &String| word.chars().count() >= SHORTEST_NAME;
                        self.names.extend(words(&text).filter(long));
                    }
                }
                Value::Primitive(_) if NUMBERS.contains(&element.tag()) => {
                    let numbers = texts(element).into_iter().map(|text| squeezed(&text));
                    self.numbers
                        .extend(numbers.filter(|number| number.len() >= SHORTEST_NUMBER));
                }
                _ => {}
            }
        }
    }

    /// And of its UIDs, but for the standard's; `instance` is the one of the meta information.
    pub(super) fn with_uids(mut self, object: &InMemDicomObject, instance: &str) -> Self {
        self.insert_uid(instance);
        self.collect_uids(object);
        self
    }

    fn collect_uids(&mut self, object: &InMemDicomObject) {
        for element in object {
            match element.value() {
                Value::Sequence(items) => items
                    .items()
                    .iter()
                    .for_each(|item| self.collect_uids(item)),
                Value::Primitive(_) if element.vr() == VR::UI => {
                    texts(element).iter().for_each(|uid| self.insert_uid(uid));
                }
                _ => {}
            }
        }
    }

    fn insert_uid(&mut self, uid: &str) {
        let uid = uid.trim_matches([' ', '\0']);
        // A single number is a number, and no UID of anything.
        if is_uid(uid) && uid.contains('.') && !uid.starts_with(STANDARD_ROOT) {
            self.uids.insert(uid.to_owned());
        }
    }

    /// Whether a text repeats one of them.
    pub(super) fn repeated_in(&self, text: &str) -> bool {
        if !self.uids.is_empty() && self.repeats_uid(text) {
            return true;
        }
        if words(text).any(|word| self.names.contains(&word)) {
            return true;
        }
        let text = squeezed(text);
        self.numbers.iter().any(|number| text.contains(number))
    }
}

impl Echoes {
    /// Whether a text holds one of the UIDs, or one that was made by putting more behind it.
    fn repeats_uid(&self, text: &str) -> bool {
        let numbers = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        let mut numbers = numbers.map(|number| number.trim_matches('.'));
        numbers.any(|number| {
            // No longer than a UID, so that a text of nothing but points takes no time.
            let number = &number[..number.len().min(LONGEST_UID)];
            let dots = number.match_indices('.').map(|(at, _)| at);
            dots.chain([number.len()])
                .any(|end| self.uids.contains(&number[..end]))
        })
    }
}

fn texts(element: &InMemElement) -> Vec<String> {
    element
        .to_multi_str()
        .map(|texts| texts.into_owned())
        .unwrap_or_default()
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// Letters and digits alone, as numbers are written with and without hyphens.
fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}
