//! Identifiers that turn up again in attributes that stay: a patient's name in a device's free text.

use std::collections::BTreeSet;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::Header;
use dicom_core::value::Value;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::data_set::{STANDARD_ROOT, is_uid};
use super::value::strings;

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
/// Of codes, which many files share.
const CODE_UIDS: [Tag; 4] = [
    tags::CODING_SCHEME_UID,
    tags::MAPPING_RESOURCE_UID,
    tags::CONTEXT_UID,
    tags::CONTEXT_GROUP_EXTENSION_CREATOR_UID,
];
/// Shorter words are initials, titles and chance, but for those with letters that words of English have not.
const SHORTEST_NAME: usize = 3;
const SHORTEST_FOREIGN_NAME: usize = 2;
/// Scripts without spaces between words, Thai to Khmer and Korean to Chinese. Others have words, Hebrew and Arabic
/// with particles written to some.
const JOINED_SCRIPTS: [(char, char); 8] = [
    ('\u{0E00}', '\u{109F}'),
    ('\u{1100}', '\u{11FF}'),
    ('\u{1780}', '\u{17FF}'),
    ('\u{2E80}', '\u{A4CF}'),
    ('\u{A960}', '\u{D7FF}'),
    ('\u{F900}', '\u{FAFF}'),
    ('\u{FF66}', '\u{FFDC}'),
    ('\u{20000}', '\u{3FFFF}'),
];
const SHORTEST_NUMBER: usize = 5;
/// A name has five parts of 64 characters in each of three spellings, PS3.5 6.2.
const SPELLINGS: usize = 3;
const LONGEST_SPELLING: usize = 5 * 64;
/// Of what each text is searched for as a whole, so that a file cannot ask for time without end.
const MOST_WITHIN: usize = 256;
/// Bytes of a UID at most, PS3.5 9.1.
const LONGEST_UID: usize = 64;
/// One with fewer dots and bytes may be a version, or a section.
const FEWEST_DOTS: usize = 4;
const SHORTEST_UID: usize = 20;

/// The names, numbers and UIDs of a file.
#[derive(Default)]
pub(super) struct Echoes {
    names: BTreeSet<String>,
    /// Neighbours in a name, where one of them is too short to be told from other words alone.
    pairs: BTreeSet<(String, String)>,
    /// Names in scripts where they are found within words.
    joined: BTreeSet<String>,
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
                Value::Primitive(_) if is(element, VR::PN) => {
                    strings(element)
                        .iter()
                        .for_each(|name| self.insert_name(name));
                }
                Value::Primitive(_) if NUMBERS.contains(&element.tag()) => {
                    let numbers = strings(element).into_iter().map(|text| squeezed(&text));
                    numbers
                        .filter(|number| number.len() >= SHORTEST_NUMBER)
                        .for_each(|number| insert(&mut self.numbers, number));
                }
                _ => {}
            }
        }
    }

    /// The parts of a name in each of its spellings: alphabetic, ideographic, phonetic.
    fn insert_name(&mut self, name: &str) {
        for spelling in name.split('=').take(SPELLINGS) {
            let spelling: String = spelling.chars().take(LONGEST_SPELLING).collect();
            let parts = spelling.split(|c: char| {
                c.is_whitespace() || c.is_ascii_punctuation() || "・·、，".contains(c)
            });
            let (joined, spaced): (Vec<&str>, Vec<&str>) = parts.partition(|part| is_joined(part));
            let joined: Vec<String> = joined.into_iter().map(squeezed).collect();
            // One character is many words; the whole name, as it is written, is one.
            let whole = joined.concat();
            let long = |part: &String| part.chars().count() >= SHORTEST_FOREIGN_NAME;
            for part in joined.into_iter().chain([whole]).filter(long) {
                insert(&mut self.joined, part);
            }
            let spaced: Vec<String> = spaced.into_iter().flat_map(words).collect();
            let is_short = |part: &String| part.chars().count() < shortest(part);
            let names = spaced.iter().filter(|part| !is_short(part));
            self.names.extend(names.cloned());
            for two in spaced.windows(2) {
                let initial = two.iter().any(|part| part.len() < 2);
                if !initial && two.iter().any(is_short) {
                    self.pairs.insert((two[0].clone(), two[1].clone()));
                    self.pairs.insert((two[1].clone(), two[0].clone()));
                }
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
                Value::Primitive(_)
                    if is(element, VR::UI) && !CODE_UIDS.contains(&element.tag()) =>
                {
                    strings(element).iter().for_each(|uid| self.insert_uid(uid));
                }
                _ => {}
            }
        }
    }

    fn insert_uid(&mut self, uid: &str) {
        let uid = uid.trim_matches([' ', '\0']);
        let dots = uid.bytes().filter(|&byte| byte == b'.').count();
        let long = dots >= FEWEST_DOTS || dots > 0 && uid.len() >= SHORTEST_UID;
        if is_uid(uid) && long && !uid.starts_with(STANDARD_ROOT) {
            self.uids.insert(uid.to_owned());
        }
    }

    /// Whether a text repeats one of them.
    pub(super) fn repeated_in(&self, text: &str) -> bool {
        if !self.uids.is_empty() && self.repeats_uid(text) {
            return true;
        }
        let mut before = String::new();
        for word in words(text) {
            let pair = (before, word);
            if self.names.contains(&pair.1) || self.pairs.contains(&pair) {
                return true;
            }
            before = pair.1;
        }
        let text = squeezed(text);
        let mut within = self.numbers.iter().chain(&self.joined);
        within.any(|known| text.contains(known))
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

/// Whether an element is of this representation by what it says or by the dictionary: a writer that did not know
/// the attribute said `UN`.
fn is(element: &InMemElement, vr: VR) -> bool {
    let listed = || StandardDataDictionary.by_tag(element.tag());
    element.vr() == vr || listed().is_some_and(|entry| entry.vr().relaxed() == vr)
}

fn insert(known: &mut BTreeSet<String>, text: String) {
    if known.len() < MOST_WITHIN {
        known.insert(text);
    }
}

/// Whether a part of a name is wholly of scripts where it is found within words.
fn is_joined(part: &str) -> bool {
    let joined = |c: char| {
        let within = |&(first, last): &(char, char)| (first..=last).contains(&c);
        JOINED_SCRIPTS.iter().any(within)
    };
    let mut letters = part.chars().filter(|c| c.is_alphabetic()).peekable();
    letters.peek().is_some() && letters.all(joined)
}

/// How many letters a part of a name has at least, to be told from other words.
fn shortest(part: &str) -> usize {
    // Latin, Greek, Cyrillic and Armenian.
    let european = |c: char| c < '\u{0590}' || ('\u{1E00}'..='\u{1FFF}').contains(&c);
    if !part.is_ascii() && part.chars().all(european) {
        SHORTEST_FOREIGN_NAME
    } else {
        SHORTEST_NAME
    }
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

#[cfg(test)]
mod tests {
    use super::super::value::texts;
    use super::*;
    use dicom_core::DataElement;
    use dicom_core::value::PrimitiveValue;

    fn of(name: &str) -> Echoes {
        let name = texts(tags::PATIENT_NAME, VR::PN, vec![name.to_owned()]);
        Echoes::of(&InMemDicomObject::from_element_iter([name]))
    }

    #[test]
    fn names_without_spaces_are_found_within_texts() {
        let echoes = of("Yamada^Tarou=山田^太郎=やまだ^たろう");
        for text in ["装置山田用", "太郎さん", "（やまだ）", "山 田", "Yamada's"] {
            assert!(echoes.repeated_in(text), "{text}");
        }
        for text in ["山川", "田山", "太い", "Yamadas"] {
            assert!(!echoes.repeated_in(text), "{text}");
        }
        // A single character stands in other words; the whole name does not.
        let echoes = of("李^明");
        assert!(echoes.repeated_in("为李明检查") && echoes.repeated_in("李 明"));
        assert!(!echoes.repeated_in("说明") && !echoes.repeated_in("李"));
    }

    #[test]
    fn names_of_other_scripts_are_words_part_by_part() {
        let echoes = of("Nguyễn^Văn An");
        assert!(echoes.repeated_in("of Nguyễn") && echoes.repeated_in("An Văn"));
        assert!(!echoes.repeated_in("Canon") && !echoes.repeated_in("an image"));
        let echoes = of("LI MING 李明");
        assert!(echoes.repeated_in("Li Ming") && echoes.repeated_in("为李明检查"));
        assert!(!echoes.repeated_in("Li") && !echoes.repeated_in("Lithium"));
        assert!(of("LI MING 李^明").repeated_in("李明"));
        let echoes = of("כהן^דוד בן");
        assert!(echoes.repeated_in("של כהן") && !echoes.repeated_in("הכהן"));
        assert!(!echoes.repeated_in("בן") && echoes.repeated_in("דוד"));
        let echoes = of("كريم^علي");
        assert!(echoes.repeated_in("علي") && !echoes.repeated_in("علينا"));
        assert!(of("สมชาย^ใจดี").repeated_in("คุณสมชายมา"));
    }

    #[test]
    fn uids_of_codes_and_short_ones_are_no_echoes() {
        let uid = |tag, uid: &str| texts(tag, VR::UI, vec![uid.to_owned()]);
        let object = InMemDicomObject::from_element_iter([
            uid(tags::CODING_SCHEME_UID, "2.16.840.1.113883.6.1"),
            uid(tags::STUDY_INSTANCE_UID, "1.2.3"),
            uid(tags::SERIES_INSTANCE_UID, "1.2.3.4.5"),
            uid(tags::FRAME_OF_REFERENCE_UID, "2.25.329800735698586629295"),
        ]);
        let echoes = Echoes::default().with_uids(&object, "");
        for text in ["2.16.840.1.113883.6.1", "version 1.2.3", "1.2.3.4"] {
            assert!(!echoes.repeated_in(text), "{text}");
        }
        assert!(echoes.repeated_in("1.2.3.4.5.6"));
        assert!(echoes.repeated_in("2.25.329800735698586629295"));
    }

    #[test]
    fn short_names_are_found_by_their_letters_or_in_company() {
        let echoes = of("Øe^Åse");
        assert!(echoes.repeated_in("for Øe") && !echoes.repeated_in("Øer"));
        let echoes = of("Li^Wu^A");
        assert!(echoes.repeated_in("scan of LI, WU") && echoes.repeated_in("Wu Li"));
        for text in ["Li", "wu", "A Li B", "Lithium Wu", "Li or Wu"] {
            assert!(!echoes.repeated_in(text), "{text}");
        }
        assert!(of("Ng^Mei").repeated_in("Mei") && !of("Ng^Mei").repeated_in("ng of it"));
    }

    /// As a writer has it that does not know the attribute.
    #[test]
    fn names_and_numbers_in_bytes_are_names_and_numbers() {
        let bytes = |tag, text: &str| {
            DataElement::new(tag, VR::UN, PrimitiveValue::U8(text.bytes().collect()))
        };
        let object = InMemDicomObject::from_element_iter([
            bytes(tags::PATIENT_NAME, "Quagmire^Zebulon"),
            bytes(tags::PATIENT_ID, "12-34567"),
            bytes(tags::STUDY_INSTANCE_UID, "1.2.345.6.7"),
        ]);
        let echoes = Echoes::of(&object).with_uids(&object, "");
        for text in ["of Zebulon", "1234567", "see 1.2.345.6.7"] {
            assert!(echoes.repeated_in(text), "{text}");
        }
    }
}
