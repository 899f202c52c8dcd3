//! Every attribute of the table, and of what this crate adds to it, with a value that is found again wherever it is, at the top and in
//! sequences, through each option.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::value::{C, PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::{key, read, text_of};
use crate::dicom::additions::ADDITIONS;
use crate::dicom::profile::Action;
use crate::dicom::profile_table::TABLE;
use crate::dicom::value::{dummy, sequence, texts};
use crate::dicom::{DicomDeidentifier, Limits, Retain, part10};

/// Parts of the values below; none is part of what this crate writes.
const CANARIES: [&str; 7] = [
    "CANARY",
    "19310723",
    "042319",
    "1.2.3.4.333.",
    "777333",
    "077Y",
    "canary.test",
];
/// Not in the table, and with sequences in it that are.
const KEPT_SEQUENCE: Tag = tags::ANATOMIC_REGION_SEQUENCE;

fn vr(tag: Tag) -> Option<VR> {
    Some(StandardDataDictionary.by_tag(tag)?.vr().relaxed())
}

fn canary(tag: Tag, vr: VR) -> InMemElement {
    let number = (u32::from(tag.group()) << 16) + u32::from(tag.element());
    let text = match vr {
        VR::SQ => {
            let item = InMemDicomObject::from_element_iter([
                texts(tags::PATIENT_NAME, VR::PN, vec!["CANARY^INNER".into()]),
                texts(Tag(0x0009, 0x0010), VR::LO, vec!["CANARY PRIVATE".into()]),
                texts(tags::CODE_MEANING, VR::LO, vec!["CANARY'S meaning".into()]),
            ]);
            return sequence(tag, vec![item]);
        }
        VR::DA => "19310723".to_owned(),
        VR::DT => "19310723042319.777333".to_owned(),
        VR::TM => "042319".to_owned(),
        VR::AS => "077Y".to_owned(),
        VR::DS | VR::IS => "777333".to_owned(),
        VR::UI => format!("1.2.3.4.333.{number}"),
        VR::UR => "https://canary.test/x".to_owned(),
        VR::PN => format!("CANARY^{number:X}"),
        VR::OB | VR::OW | VR::UN | VR::OF | VR::OD | VR::OL | VR::OV => {
            let bytes = C::from_slice(b"CANARY__");
            return DataElement::new(tag, VR::OB, PrimitiveValue::U8(bytes));
        }
        VR::US | VR::SS | VR::UL | VR::SL | VR::FL | VR::FD | VR::AT | VR::SV | VR::UV => {
            // Two letters in a number are no canary; that it was touched is asserted otherwise.
            return dummy(tag, vr);
        }
        _ => format!("CANARY {number:X}"),
    };
    texts(tag, vr, vec![text])
}

fn every_attribute() -> Vec<InMemElement> {
    let elements = TABLE.iter().chain(&ADDITIONS).filter_map(|row| {
        let tag = Tag((row.0 >> 16) as u16, (row.0 & 0xFFFF) as u16);
        let data_set = tag.group() > 4 && tag.element() != 0;
        Some(canary(tag, vr(tag).filter(|_| data_set)?))
    });
    let more = [
        texts(Tag(0x0029, 0x1010), VR::LO, vec!["CANARY private".into()]),
        texts(Tag(0x0028, 0x7777), VR::LO, vec!["CANARY unknown".into()]),
        texts(Tag(0x6000, 0x4000), VR::LT, vec!["CANARY overlay".into()]),
        texts(Tag(0x5000, 0x2500), VR::LO, vec!["CANARY curve".into()]),
        texts(
            tags::MANUFACTURER,
            VR::LO,
            vec!["Scanners for CANARY".into()],
        ),
        // Addresses that no row names: removed, and kept as long as they repeat no UID.
        texts(
            tags::RETRIEVE_URL,
            VR::UR,
            vec!["https://canary.test/studies/1.2.3.4.333.2097165".into()],
        ),
        texts(
            tags::PIXEL_DATA_PROVIDER_URL,
            VR::UR,
            vec!["https://canary.test/x".into()],
        ),
        texts(
            tags::STORAGE_URL,
            VR::UR,
            vec!["https://canary.test/x".into()],
        ),
        texts(
            tags::RETRIEVE_URI,
            VR::UR,
            vec!["https://canary.test/x".into()],
        ),
        texts(
            tags::URN_CODE_VALUE,
            VR::UR,
            vec!["urn:oid:1.2.3.4.333.2097165".into()],
        ),
        // A name and a UID that no row names.
        texts(
            tags::CODING_SCHEME_UID,
            VR::UI,
            vec!["1.2.3.4.333.9".into()],
        ),
        // A sequence as bytes, which nobody looks into.
        DataElement::new(
            tags::VIEW_CODE_SEQUENCE,
            VR::UN,
            PrimitiveValue::U8(C::from_slice(b"\xFE\xFF\x00\xE0CANARY")),
        ),
        texts(tags::MODALITY, VR::CS, vec!["CT".into()]),
        texts(
            tags::SOP_CLASS_UID,
            VR::UI,
            vec![uids::CT_IMAGE_STORAGE.into()],
        ),
        texts(tags::PATIENT_SEX, VR::CS, vec!["F".into()]),
    ];
    elements.chain(more).collect()
}

fn file(syntax: &str) -> Vec<u8> {
    // Bytes in place of a sequence need a representation that says so.
    let explicit = syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN;
    let kept = |element: &InMemElement| explicit || element.vr() != VR::UN;
    let data_set =
        || InMemDicomObject::from_element_iter(every_attribute().into_iter().filter(kept));
    let (mut object, nested) = (data_set(), data_set());
    let deeper = InMemDicomObject::from_element_iter([sequence(KEPT_SEQUENCE, vec![nested])]);
    object.put(sequence(KEPT_SEQUENCE, vec![deeper]));
    part10::write(&object, syntax, uids::CT_IMAGE_STORAGE, "1.2.3.4.333.1").expect("a file")
}

fn found(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |canary: &&str| {
        bytes
            .windows(canary.len())
            .any(|window| window.eq_ignore_ascii_case(canary.as_bytes()))
    };
    CANARIES.iter().copied().filter(holds).collect()
}

#[test]
fn nothing_of_any_listed_attribute_is_left() {
    let deidentifier = DicomDeidentifier::new(&key());
    for syntax in [
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        part10::BIG_ENDIAN,
    ] {
        let file = file(syntax);
        assert_eq!(
            found(&file).len(),
            CANARIES.len(),
            "the test has its canaries"
        );
        let clean = deidentifier.deidentify(&file).expect("a file");
        assert_eq!(
            found(&clean.bytes),
            Vec::<&str>::new(),
            "{syntax}: {clean:?}"
        );
        let report = &clean.report;
        assert!(
            report.private >= 2 && report.unknown >= 2 && report.graphics >= 4,
            "{report:?}"
        );
        assert!(
            report.echoes >= 2
                && (report.unreadable == 2) == (syntax != uids::IMPLICIT_VR_LITTLE_ENDIAN),
            "{report:?}"
        );
        assert!(report.removed > 500 && report.uids > 100, "{report:?}");
    }
}

/// The preamble, the meta information and a deflated data set as well.
#[test]
fn nothing_is_left_around_the_data_set() {
    let mut file = file(uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
    file[..6].copy_from_slice(b"CANARY");
    let deidentifier = DicomDeidentifier::new(&key());
    let clean = deidentifier.deidentify(&file).expect("a file");
    let part = part10::read(&clean.bytes, &Limits::default()).expect("a file");
    let deflated = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    assert_eq!(part.meta.transfer_syntax(), deflated);
    let plain = uids::EXPLICIT_VR_LITTLE_ENDIAN;
    let inflated = part10::write(&part.object, plain, uids::CT_IMAGE_STORAGE, "2.25.1");
    assert_eq!(found(&inflated.expect("a file")), Vec::<&str>::new());
    assert_eq!(found(&clean.bytes[..400]), Vec::<&str>::new());
    let instance = part.object.element(tags::SOP_INSTANCE_UID).expect("one");
    assert_eq!(
        instance.to_str().expect("text"),
        part.meta.media_storage_sop_instance_uid()
    );
}

#[test]
fn each_attribute_gets_the_action_of_the_table() {
    let deidentifier = DicomDeidentifier::new(&key());
    let clean = deidentifier.deidentify(&file(uids::EXPLICIT_VR_LITTLE_ENDIAN));
    let object = read(&clean.expect("a file").bytes);
    let mut seen = 0;
    for tag in [tags::PATIENT_ID, tags::PATIENT_NAME] {
        let element = object.element(tag).expect("it is there");
        let text = element.to_str().expect("text").trim_end().to_owned();
        assert!(text.len() == 17 && text.starts_with('P'), "{tag}: {text}");
    }
    for &(number, action, _) in TABLE.iter().chain(&ADDITIONS) {
        let tag = Tag((number >> 16) as u16, (number & 0xFFFF) as u16);
        let added = ADDITIONS.iter().any(|row| row.0 == number);
        assert!(!added || vr(tag).is_some(), "{tag} is in no dictionary");
        if vr(tag).is_none() || tag.group() <= 4 {
            continue;
        }
        let element = object.get(tag);
        seen += 1;
        match (action, element.map(|element| element.value())) {
            (Action::X, None) => {}
            (Action::Z, Some(_)) if tag == tags::PATIENT_NAME => {}
            (Action::Z, Some(value)) => assert_eq!(value.multiplicity(), 0, "{tag}"),
            (Action::D, Some(Value::Sequence(items))) => {
                assert_eq!(items.multiplicity(), 1, "{tag}")
            }
            (Action::D, Some(value)) => assert_ne!(value.multiplicity(), 0, "{tag}"),
            (Action::U, Some(Value::Sequence(_))) => {}
            (Action::U, Some(value)) => {
                let uid = value.to_str().expect("text");
                assert!(uid.starts_with("2.25.") && uid.len() <= 64, "{tag}: {uid}");
            }
            (action, value) => panic!("{tag} {action:?}: {value:?}"),
        }
    }
    assert!(seen > 600, "{seen}");
    let text = |tag| text_of(&object, tag);
    assert_eq!(text(tags::PATIENT_IDENTITY_REMOVED), "YES");
    assert_eq!(
        text(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED),
        "REMOVED"
    );
    assert_eq!(text(tags::MODALITY), "CT", "what identifies nobody stays");
    let codes = object
        .element(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
        .expect("it is there");
    let code = codes.items().expect("items")[0]
        .element(tags::CODE_VALUE)
        .expect("a code");
    assert_eq!(code.to_str().expect("text"), "113100");
}

#[test]
fn options_keep_what_they_say() {
    let file = file(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let key = key();
    let with = |option| {
        let clean = DicomDeidentifier::new(&key)
            .retain(option)
            .deidentify(&file);
        read(&clean.expect("a file").bytes)
    };
    let text = |object: &InMemDicomObject, tag| {
        let element = object.get(tag)?;
        element.to_str().ok().map(|text| text.into_owned())
    };
    let plain = read(
        &DicomDeidentifier::new(&key)
            .deidentify(&file)
            .expect("a file")
            .bytes,
    );
    for (option, tag, kept) in [
        (
            Retain::Uids,
            tags::STUDY_INSTANCE_UID,
            "1.2.3.4.333.2097165",
        ),
        (Retain::FullDates, tags::STUDY_DATE, "19310723"),
        (Retain::FullDates, tags::STUDY_TIME, "042319"),
        (Retain::ModifiedDates, tags::STUDY_TIME, "042319"),
        (Retain::PatientCharacteristics, tags::PATIENT_AGE, "077Y"),
    ] {
        assert_eq!(
            text(&with(option), tag).as_deref(),
            Some(kept),
            "{option:?}"
        );
        assert_ne!(text(&plain, tag).as_deref(), Some(kept), "{option:?}");
    }
    // Texts that are kept or cleaned repeat a name here, and go for it; the element stays.
    for (option, tag, otherwise) in [
        (
            Retain::DeviceIdentity,
            tags::STATION_NAME,
            Some("ANONYMIZED"),
        ),
        (
            Retain::InstitutionIdentity,
            tags::INSTITUTION_NAME,
            Some("ANONYMIZED"),
        ),
        (Retain::CleanedDescriptors, tags::STUDY_DESCRIPTION, None),
    ] {
        assert_eq!(text(&with(option), tag).as_deref(), Some(""), "{option:?}");
        assert_eq!(text(&plain, tag).as_deref(), otherwise, "{option:?}");
    }
    let modified = with(Retain::ModifiedDates);
    let date = text(&modified, tags::STUDY_DATE).expect("a date");
    assert_eq!(
        text(&modified, tags::PATIENT_BIRTH_DATE).as_deref(),
        Some(""),
        "not of that option"
    );
    assert_ne!(date, "19310723");
    assert!(
        date.as_str() < "19300724" && date.as_str() > "19210701",
        "{date}"
    );
    let acquired = text(&modified, tags::ACQUISITION_DATE_TIME).expect("a time");
    assert_eq!(
        acquired,
        format!("{date}042319.777333"),
        "the same shift, the same time"
    );
}
