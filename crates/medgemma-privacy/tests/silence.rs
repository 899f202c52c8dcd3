//! No log line, error, `Debug` or panic of this crate carries what a file or a text says.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::meta::FileMetaTableBuilder;
use medgemma_privacy::{DicomDeidentifier, Key, Limits, Retain, Scrubber};
use tracing_subscriber::filter::LevelFilter;

/// Parts of what the file and the texts say; no other text of the test holds any of them.
const WORDS: [&str; 6] = [
    "Zebulon",
    "Quagmire",
    "1931",
    "99172",
    "Wolverhampton",
    "777.333",
];

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[track_caller]
fn clean(what: &str, text: &str) {
    for word in WORDS {
        assert!(!text.contains(word), "{what} tells {word:?}: {text}");
    }
}

fn file(syntax: &str) -> Vec<u8> {
    let text = |tag, vr, text: &str| DataElement::new(tag, vr, PrimitiveValue::from(text));
    let object = InMemDicomObject::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.777.333"),
        text(tags::PATIENT_NAME, VR::PN, "Quagmire^Zebulon"),
        text(tags::PATIENT_ID, VR::LO, "99172"),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, "1931ABCD"),
        text(tags::STUDY_DATE, VR::DA, "Wolverhampton"),
        text(tags::STUDY_DESCRIPTION, VR::LO, "Zebulon of Wolverhampton"),
        text(Tag(0x0029, 0x1010), VR::LO, "Quagmire"),
        text(Tag(0x0028, 0x0010), VR::DS, "Zebulon"),
    ]);
    let meta = FileMetaTableBuilder::new().transfer_syntax(syntax);
    let mut bytes = Vec::new();
    object
        .with_meta(meta)
        .unwrap()
        .write_all(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn no_word_leaves_by_logs_debug_or_errors() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        // Its digits are anybody's.
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    tracing::info!("the log is there");

    let key = Key::from_secret(b"Quagmire of the tests").unwrap();
    let options = [
        Retain::Uids,
        Retain::DeviceIdentity,
        Retain::PatientCharacteristics,
        Retain::ModifiedDates,
        Retain::CleanedDescriptors,
    ];
    let deidentifiers: Vec<DicomDeidentifier> = options
        .iter()
        .map(|&option| DicomDeidentifier::new(&key).retain(option))
        .chain([DicomDeidentifier::new(&key)])
        .collect();
    let limits = Limits::default().with_max_elements(1);
    let narrow = DicomDeidentifier::new(&key).with_limits(limits);
    let syntaxes = [
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
    ];
    let mut errors = 0;
    for file in syntaxes.map(file) {
        for deidentifier in deidentifiers.iter().chain([&narrow]) {
            let result = deidentifier.deidentify(&file);
            clean("a result", &format!("{result:?} {deidentifier:?}"));
        }
        for at in 0..file.len() {
            // Cut off, and with one byte that may be a tag, a length or a representation changed.
            let mut changed = file.clone();
            changed[at] ^= 0x55;
            for bytes in [&file[..at], &changed] {
                let result = deidentifiers[0].deidentify(bytes);
                clean("a result", &format!("{result:?}"));
                if let Err(error) = result {
                    errors += 1;
                    clean("an error", &error.to_string());
                }
            }
        }
    }
    assert!(errors > 500, "{errors}");
    let text = "Zebulon Quagmire, born 7/23/1931, MRN 99172, of Wolverhampton, UK";
    let scrubbed = Scrubber::new().scrub(text);
    assert!(scrubbed.findings.len() >= 2);
    clean("findings", &format!("{scrubbed:?} {:?}", scrubbed.findings));

    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the log is there"));
    clean("the log", &logged);
}
