//! Identifiers that turn up again in attributes that stay: a patient's name in a device's free text.

use std::collections::BTreeSet;

use dicom_core::header::Header;
use dicom_core::value::Value;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

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

/// The names and numbers of a file.
#[derive(Default)]
pub(super) struct Echoes {
    names: BTreeSet<String>,
    numbers: BTreeSet<String>,
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

    /// Whether a text repeats one of them.
    pub(super) fn repeated_in(&self, text: &str) -> bool {
        if words(text).any(|word| self.names.contains(&word)) {
            return true;
        }
        let text = squeezed(text);
        self.numbers.iter().any(|number| text.contains(number))
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
