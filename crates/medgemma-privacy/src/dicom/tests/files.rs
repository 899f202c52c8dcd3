//! Small files, each for one thing that the profile's table does not say, or not alone.

use dicom_core::chrono::{NaiveDate, TimeDelta};
use dicom_core::header::Header;
use dicom_core::value::{C, PrimitiveValue, Value};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::{key, read, small, text_of};
use crate::dicom::value::texts;
use crate::dicom::{DicomDeidentifier, Limits, Retain, Warning, burned_in, part10};

#[test]
fn files_of_a_patient_belong_together_and_intervals_stay() {
    let key = key();
    let of = |patient: &str, date: &str| {
        let file = small(&[
            (tags::STUDY_DATE, VR::DA, date),
            (tags::PATIENT_ID, VR::LO, patient),
            (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.4"),
        ]);
        let options = DicomDeidentifier::new(&key)
            .retain(Retain::FullDates)
            .retain(Retain::ModifiedDates);
        let object = read(&options.deidentify(&file).expect("a file").bytes);
        [tags::PATIENT_ID, tags::STUDY_DATE, tags::STUDY_INSTANCE_UID].map(|tag| {
            object
                .element(tag)
                .expect("it is there")
                .to_str()
                .expect("text")
                .into_owned()
        })
    };
    let [first, second, other] = [
        of("7", "20240228"),
        of("7", "20240301"),
        of("8", "20240228"),
    ];
    assert_eq!((&first[0], &first[2]), (&second[0], &second[2]));
    let days = key.days("7");
    for (date, found) in [((2024, 2, 28), &first[1]), ((2024, 3, 1), &second[1])] {
        let day = NaiveDate::from_ymd_opt(date.0, date.1, date.2).expect("a day");
        let day = day + TimeDelta::days(days);
        assert_eq!(found, &day.format("%Y%m%d").to_string());
    }
    assert_ne!(first[0], other[0]);
    assert_ne!(first[1], other[1]);
    assert_eq!(first[2], other[2]);
}

#[test]
fn a_uid_that_only_the_meta_information_has_is_replaced_there() {
    let deidentifier = DicomDeidentifier::new(&key());
    let clean = deidentifier.deidentify(&small(&[])).expect("a file");
    let part = part10::read(&clean.bytes, &Limits::default()).expect("a file");
    assert!(part.object.get(tags::SOP_INSTANCE_UID).is_none());
    let instance = part.meta.media_storage_sop_instance_uid();
    assert_eq!(instance, key().uid("1.2.3.4.5"));
}

#[test]
fn what_is_no_date_is_not_kept_as_one() {
    let file = small(&[
        (tags::STUDY_DATE, VR::DA, "Quagmire"),
        (tags::SERIES_DATE, VR::DA, "202402"),
    ]);
    let options = DicomDeidentifier::new(&key()).retain(Retain::ModifiedDates);
    let object = read(&options.deidentify(&file).expect("a file").bytes);
    let text = |tag| text_of(&object, tag);
    assert_eq!(text(tags::STUDY_DATE), "");
    assert_eq!(text(tags::SERIES_DATE).len(), 6);
}

#[test]
fn old_age_is_capped_and_names_repeated_in_kept_texts_go() {
    let file = small(&[
        (tags::PATIENT_AGE, VR::AS, "097Y"),
        (tags::PATIENT_NAME, VR::PN, "Quagmire^Zebulon"),
        (tags::PATIENT_ID, VR::LO, "12-34567"),
        (tags::MANUFACTURER_MODEL_NAME, VR::LO, "Scanner of zebulon"),
        (tags::MANUFACTURER, VR::LO, "1234567 Ltd."),
        (tags::CODE_MEANING, VR::LO, "Quagmires are wet"),
    ]);
    let options = DicomDeidentifier::new(&key()).retain(Retain::PatientCharacteristics);
    let clean = options.deidentify(&file).expect("a file");
    let object = read(&clean.bytes);
    let text = |tag| text_of(&object, tag);
    assert_eq!(text(tags::PATIENT_AGE), "090Y");
    assert_eq!(
        (
            text(tags::MANUFACTURER_MODEL_NAME),
            text(tags::MANUFACTURER)
        ),
        (String::new(), String::new())
    );
    assert_eq!(
        text(tags::CODE_MEANING),
        "Quagmires are wet",
        "another word"
    );
    assert_eq!(clean.report.echoes, 2);
}

#[test]
fn what_may_be_in_the_pixels_is_warned_of_unless_the_file_says_no() {
    use Warning::{
        BurnedInAnnotation, Derived, Modality, RecognizableFeatures, SecondaryCapture, SlideLabel,
        Sound,
    };
    let warnings = |elements: &[(Tag, VR, &str)]| {
        let clean = DicomDeidentifier::new(&key()).deidentify(&small(elements));
        clean.expect("a file").report.warnings
    };
    let ultrasound = (tags::MODALITY, VR::CS, "US");
    let no = (tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    let yes = (tags::BURNED_IN_ANNOTATION, VR::CS, "YES");
    let capture = (tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.7.2");
    assert_eq!(warnings(&[(tags::MODALITY, VR::CS, "CT")]), []);
    assert_eq!(warnings(&[ultrasound]), [Modality]);
    assert_eq!(warnings(&[ultrasound, no]), []);
    assert_eq!(warnings(&[yes]), [BurnedInAnnotation]);
    assert_eq!(warnings(&[capture]), [SecondaryCapture]);
    // Photography, whose number begins alike; secondary capture alone.
    for (class, expected) in [
        ("1.2.840.10008.5.1.4.1.1.7", &[SecondaryCapture][..]),
        ("1.2.840.10008.5.1.4.1.1.104.1", &[SecondaryCapture]),
        ("1.2.840.10008.5.1.4.1.1.77.1.6", &[]),
        ("1.2.840.10008.5.1.4.1.1.9.4.1", &[Sound]),
        ("1.2.840.10008.5.1.4.1.1.9.4.2", &[Sound]),
        ("1.2.840.10008.5.1.4.1.1.9.5.1", &[]),
    ] {
        let class = (tags::SOP_CLASS_UID, VR::UI, class);
        assert_eq!(warnings(&[class]), expected, "{class:?}");
    }
    assert_eq!(warnings(&[(tags::MODALITY, VR::CS, "AU"), no]), [Sound]);
    // A representation that the writer did not know.
    assert_eq!(warnings(&[(tags::MODALITY, VR::UN, "US")]), [Modality]);
    let label = (tags::IMAGE_TYPE, VR::CS, "LABEL");
    assert_eq!(warnings(&[label]), [SlideLabel]);
    assert_eq!(warnings(&[label, no]), [SlideLabel]);
    let overview = (tags::IMAGE_TYPE, VR::CS, "OVERVIEW");
    assert_eq!(warnings(&[overview]), [SlideLabel]);
    assert_eq!(warnings(&[overview, no]), []);
    assert_eq!(
        warnings(&[(tags::SPECIMEN_LABEL_IN_IMAGE, VR::CS, "YES"), no]),
        [SlideLabel]
    );
    let object = InMemDicomObject::new_empty();
    for syntax in ["1.2.840.10008.1.2.4.102.1", "1.2.840.10008.1.2.4.108"] {
        let video = burned_in::warnings(&object, "", syntax);
        assert_eq!(video, [Sound], "{syntax}");
    }
    assert_eq!(
        warnings(&[(tags::IMAGE_TYPE, VR::CS, "SECONDARY ")]),
        [Derived]
    );
    assert_eq!(
        warnings(&[(tags::RECOGNIZABLE_VISUAL_FEATURES, VR::CS, "YES"), no]),
        [RecognizableFeatures]
    );
}

#[test]
fn dates_of_other_calendars_go_with_every_option() {
    let file = small(&[
        (
            tags::PATIENT_BIRTH_DATE_IN_ALTERNATIVE_CALENDAR,
            VR::LO,
            "SHOWA 6",
        ),
        (
            tags::PATIENT_DEATH_DATE_IN_ALTERNATIVE_CALENDAR,
            VR::LO,
            "CANARY",
        ),
        (tags::PATIENT_ALTERNATIVE_CALENDAR, VR::LO, "JAPANESE"),
    ]);
    for option in [
        Retain::FullDates,
        Retain::ModifiedDates,
        Retain::PatientCharacteristics,
    ] {
        let options = DicomDeidentifier::new(&key()).retain(option);
        let clean = options.deidentify(&file).expect("a file");
        assert_eq!(clean.report.removed, 3, "{option:?}");
        assert!(
            read(&clean.bytes)
                .iter()
                .all(|element| element.tag().group() != 0x10)
        );
    }
}

#[test]
fn uids_repeated_in_kept_texts_go_unless_they_are_retained() {
    let study = "1.2.840.999.12345.1";
    let file = small(&[
        (tags::STUDY_INSTANCE_UID, VR::UI, study),
        (tags::MANUFACTURER, VR::LO, "for 1.2.840.999.12345.1, first"),
        (
            tags::MANUFACTURER_MODEL_NAME,
            VR::LO,
            "1.2.840.999.12345.1.7",
        ),
        (
            tags::SOFTWARE_VERSIONS,
            VR::LO,
            "12.840.999.12345.1 of 1.2.3.4.5",
        ),
        (
            tags::CODE_MEANING,
            VR::LO,
            "1.2.840.999.12345.11 or 1.2.840.10008.1.2",
        ),
        (tags::URN_CODE_VALUE, VR::UR, "urn:oid:2.16.840.1"),
    ]);
    let text = |options: DicomDeidentifier, tag| {
        let object = read(&options.deidentify(&file).expect("a file").bytes);
        let element = object.element(tag).expect("it is there");
        element.to_str().expect("text").into_owned()
    };
    let plain = || DicomDeidentifier::new(&key());
    // The UID, one made of it, and the one that the meta information alone has.
    for tag in [
        tags::MANUFACTURER,
        tags::MANUFACTURER_MODEL_NAME,
        tags::SOFTWARE_VERSIONS,
    ] {
        assert_eq!(text(plain(), tag), "", "{tag}");
        assert_ne!(text(plain().retain(Retain::Uids), tag), "", "{tag}");
    }
    // Longer in its last number, the standard's own, and a code.
    for tag in [tags::CODE_MEANING, tags::URN_CODE_VALUE] {
        assert_ne!(text(plain(), tag), "", "{tag}");
    }
}

#[test]
fn addresses_go_but_for_those_within_a_file() {
    let inner = tags::RELATIVE_URI_REFERENCE_WITHIN_ENCAPSULATED_DOCUMENT;
    let clean = |address: &str| {
        let file = small(&[
            (inner, VR::UR, address),
            (tags::PATIENT_NAME, VR::PN, "Quagmire^Zebulon"),
        ]);
        let clean = DicomDeidentifier::new(&key()).deidentify(&file);
        let object = read(&clean.expect("a file").bytes);
        let kept = object.get(inner)?.to_str().expect("text").into_owned();
        Some(kept)
    };
    for address in ["textures/skin.png", "skin.png", "./a/b.mtl", "/a#b"] {
        assert_eq!(clean(address).as_deref(), Some(address));
    }
    for address in [
        "https://canary.test/x",
        "//canary.test/x",
        "canary.test/x",
        "canary:104/x",
    ] {
        assert_eq!(clean(address), None, "{address}");
    }
    assert_eq!(clean("quagmire/skin.png").as_deref(), Some(""), "a name");
    // Pixels that are nowhere else are missed.
    let file = small(&[(
        tags::PIXEL_DATA_PROVIDER_URL,
        VR::UR,
        "https://canary.test/x",
    )]);
    let warnings = |options: DicomDeidentifier| {
        let clean = options.deidentify(&file).expect("a file");
        clean.report.warnings
    };
    let plain = DicomDeidentifier::new(&key());
    assert_eq!(warnings(plain.clone()), [Warning::PixelsElsewhere]);
    assert_eq!(warnings(plain.retain(Retain::Uids)), []);
}

/// A word in the upper bits of the pixels, as an overlay has its letters.
#[test]
fn overlays_in_pixels_are_cleared_or_warned_of() {
    let number = |tag, number: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(number));
    let pixels = [0x1ABC_u16, 0x0ABC, 0x1123];
    let elements = [
        texts(
            tags::SOP_CLASS_UID,
            VR::UI,
            vec![uids::CT_IMAGE_STORAGE.into()],
        ),
        number(tags::BITS_ALLOCATED, 16),
        number(tags::BITS_STORED, 12),
        number(tags::HIGH_BIT, 11),
        number(Tag(0x6000, 0x0100), 16),
        number(Tag(0x6000, 0x0102), 12),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::from(pixels)),
    ];
    let mut object = InMemDicomObject::from_element_iter(elements);
    let cleaned = |object: &InMemDicomObject, syntax| {
        let file = part10::write(object, syntax, uids::CT_IMAGE_STORAGE, "1.2.3").expect("a file");
        let clean = DicomDeidentifier::new(&key())
            .deidentify(&file)
            .expect("a file");
        let object = read(&clean.bytes);
        let pixels = object.element(tags::PIXEL_DATA).expect("pixels");
        (clean.report, pixels.to_multi_int::<u16>().ok())
    };
    for syntax in [
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        part10::BIG_ENDIAN,
    ] {
        let (report, pixels) = cleaned(&object, syntax);
        assert_eq!(pixels, Some(vec![0x0ABC, 0x0ABC, 0x0123]), "{syntax}");
        assert_eq!((report.samples, report.graphics), (2, 2), "{syntax}");
        assert_eq!(report.warnings, []);
    }
    let fragments = vec![vec![0xBC, 0x1A]];
    let fragments = dicom_core::value::PixelFragmentSequence::new_fragments(fragments);
    object.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OB,
        Value::from(fragments),
    ));
    let (report, _) = cleaned(&object, uids::RLE_LOSSLESS);
    assert_eq!(report.warnings, [Warning::EmbeddedOverlay]);
}

/// A writer that got the representation wrong: bytes, a code or a number where the dictionary has a text.
#[test]
fn names_under_a_wrong_representation_go() {
    let bytes = |tag| {
        let bytes = PrimitiveValue::U8(C::from_slice(b"of Quagmire "));
        DataElement::new(tag, VR::OB, bytes)
    };
    let object = InMemDicomObject::from_element_iter([
        texts(
            tags::SOP_CLASS_UID,
            VR::UI,
            vec![uids::CT_IMAGE_STORAGE.into()],
        ),
        texts(tags::PATIENT_NAME, VR::PN, vec!["Quagmire^Zebulon".into()]),
        texts(tags::PATIENT_ID, VR::LO, vec!["12345".into()]),
        bytes(tags::MANUFACTURER),
        texts(
            tags::MANUFACTURER_MODEL_NAME,
            VR::CS,
            vec!["OF QUAGMIRE".into()],
        ),
        texts(tags::ROWS, VR::DS, vec!["Zebulon".into()]),
        DataElement::new(tags::CODE_MEANING, VR::US, PrimitiveValue::from(0x514A_u16)),
        texts(
            tags::PIXEL_SPACING,
            VR::DS,
            vec!["0.123456".into(), "1".into()],
        ),
    ]);
    let syntax = uids::EXPLICIT_VR_LITTLE_ENDIAN;
    let file = part10::write(&object, syntax, uids::CT_IMAGE_STORAGE, "1.2.3").expect("a file");
    let clean = DicomDeidentifier::new(&key())
        .deidentify(&file)
        .expect("a file");
    for word in ["quagmire", "zebulon"] {
        let text = String::from_utf8_lossy(&clean.bytes).to_lowercase();
        assert!(!text.contains(word), "{word}");
    }
    assert_eq!((clean.report.echoes, clean.report.unreadable), (3, 1));
    let spacing = read(&clean.bytes);
    let spacing = spacing.element(tags::PIXEL_SPACING).expect("it is there");
    assert_eq!(spacing.to_str().expect("text"), "0.123456\\1");
}
