//! Files and texts that want harm: truncated, nested, bloated, random. Errors by name, in bounded time,
//! without a word of what they hold.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write;
use std::time::Duration;

use cpu_time::ThreadTime;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::meta::FileMetaTableBuilder;
use dicom_object::{FileDicomObject, InMemDicomObject};
use medgemma_privacy::{DicomDeidentifier, Error, Key, Limits, Scrubber};
use proptest::prelude::*;

fn deidentifier() -> DicomDeidentifier {
    DicomDeidentifier::new(&Key::from_secret(b"a secret of the tests").unwrap())
}

fn header(syntax: &str) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::CT_IMAGE_STORAGE)
        .media_storage_sop_instance_uid("1.2.3")
        .transfer_syntax(syntax)
        .build();
    let mut bytes = vec![0; 128];
    bytes.extend_from_slice(b"DICM");
    meta.unwrap().write(&mut bytes).unwrap();
    bytes
}

fn file() -> Vec<u8> {
    file_of("Quagmire^Zebulon", "a maker")
}

fn file_of(name: &str, manufacturer: &str) -> Vec<u8> {
    let text = |tag, vr, text: &str| DataElement::new(tag, vr, PrimitiveValue::from(text));
    let object = InMemDicomObject::from_element_iter([
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3"),
        text(tags::MANUFACTURER, VR::LO, manufacturer),
        text(tags::PATIENT_NAME, VR::PN, name),
        text(tags::PATIENT_BIRTH_DATE, VR::DA, "19310723"),
    ]);
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let object: FileDicomObject<_> = object.with_meta(meta).unwrap();
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_clean() {
    let file = file();
    deidentifier().deidentify(&file).unwrap();
    let mut errors = 0;
    for length in 0..file.len() {
        match deidentifier().deidentify(&file[..length]) {
            Ok(clean) => {
                let text = String::from_utf8_lossy(&clean.bytes).into_owned();
                assert!(!text.contains("Quagmire"), "{length}");
            }
            Err(error) => {
                errors += 1;
                let text = format!("{error} {error:?}");
                assert!(
                    !text.contains("Quag") && !text.contains("1931"),
                    "{length}: {text}"
                );
            }
        }
    }
    assert!(errors > 330, "{errors} of {}", file.len());
}

/// The quicker of two runs: other work on the machine, and what is made only once, make one slow.
fn took(file: &[u8]) -> Duration {
    let once = || {
        let begun = ThreadTime::now();
        let _ = deidentifier().deidentify(file);
        begun.elapsed()
    };
    once().min(once())
}

/// Whether a file takes about as long as a plain one of its size.
fn in_proportion(hostile: Duration, plain: Duration, what: &str) {
    let most = plain * 20 + Duration::from_millis(100);
    assert!(
        hostile < most,
        "{what}: {hostile:?}, the plain one {plain:?}"
    );
}

/// As long as its length of 16 bits lets it be.
#[test]
fn names_of_many_words_take_no_longer_than_others() {
    // As many bytes, of one word each.
    let plain = took(&file_of(&"L".repeat(60_000), &"o".repeat(40_000)));
    let maker = "of 明 Li and 李 or ".repeat(2000);
    for piece in ["Li ", "李明^", "Li=", "é^", "Lu\\", "李明\\"] {
        let file = file_of(&piece.repeat(60_000 / piece.len()), &maker);
        in_proportion(took(&file), plain, piece);
    }
}

#[test]
fn sequences_in_each_other_are_counted_before_they_are_read() {
    let mut bytes = header(uids::IMPLICIT_VR_LITTLE_ENDIAN);
    for _ in 0..200_000 {
        // Anatomic Region Sequence and an item of it, both of undefined length.
        bytes.extend_from_slice(&[0x08, 0, 0x18, 0x22, 0xFF, 0xFF, 0xFF, 0xFF]);
        bytes.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }
    let error = deidentifier().deidentify(&bytes).unwrap_err();
    let limit = Error::Limit {
        what: "max_depth",
        limit: 32,
        found: 33,
    };
    assert_eq!(error, limit);
    assert_eq!(
        error.to_string(),
        "the file: max_depth is 33 or more, limit 32; raise `Limits::max_depth` if you trust the file"
    );
}

#[test]
fn a_deeper_limit_lets_deeper_sequences_in() {
    let mut bytes = header(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    for _ in 0..33 {
        bytes.extend_from_slice(b"\x08\0\x18\x22SQ\0\0\xFF\xFF\xFF\xFF");
        bytes.extend_from_slice(b"\xFE\xFF\0\xE0\xFF\xFF\xFF\xFF");
    }
    for _ in 0..33 {
        bytes.extend_from_slice(b"\xFE\xFF\x0D\xE0\0\0\0\0\xFE\xFF\xDD\xE0\0\0\0\0");
    }
    let of = |limits| deidentifier().with_limits(limits).deidentify(&bytes);
    assert!(matches!(
        of(Limits::default()),
        Err(Error::Limit { found: 33, .. })
    ));
    of(Limits::default().with_max_depth(33)).expect("a file");
}

#[test]
fn lengths_are_compared_with_what_is_there() {
    let mut bytes = header(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    bytes.extend_from_slice(&[
        0x42, 0, 0x11, 0, b'O', b'B', 0, 0, 0xF0, 0xFF, 0xFF, 0xFF, 1, 2,
    ]);
    let error = deidentifier().deidentify(&bytes).unwrap_err();
    let claimed = Error::CutOff {
        group: 0x42,
        element: 0x11,
        claimed: 0xFFFF_FFF0,
        available: 2,
    };
    assert_eq!(error, claimed);
    // In the meta information: Private Information of 4 GB, of every representation with lengths of 32 bits,
    // and of what is none.
    for vr in [b"OB", b"OV", b"SV", b"UV", b"UN", b"??", b"\xFF\0"] {
        let mut bytes = header(uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let (tag, length) = ([2, 0, 2, 1], [0, 0, 0xF0, 0xFF, 0xFF, 0xFF, 1, 2]);
        bytes.extend([&tag[..], vr, &length].concat());
        assert_eq!(
            deidentifier().deidentify(&bytes),
            Err(Error::MetaInformation),
            "{vr:?}"
        );
    }
    // The transfer syntax: its representation damaged, the text after it read as a length.
    let mut bytes = header(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let at = bytes
        .windows(6)
        .position(|w| w == [2, 0, 0x10, 0, b'U', b'I']);
    bytes[at.unwrap() + 4] = b'?';
    assert_eq!(
        deidentifier().deidentify(&bytes),
        Err(Error::MetaInformation)
    );
    in_proportion(took(&bytes), took(&file()), "a length of some 800 MB");
}

#[test]
fn what_inflates_without_end_is_stopped() {
    let mut bytes = header(uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN);
    let mut bomb = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..20 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    bytes.extend_from_slice(&bomb.finish().unwrap());
    let limit = 10 << 20;
    let error = deidentifier()
        .with_limits(Limits::default().with_max_decompressed_bytes(limit))
        .deidentify(&bytes)
        .unwrap_err();
    assert_eq!(
        error,
        Error::Limit {
            what: "max_decompressed_bytes",
            limit,
            found: limit + 1
        }
    );
}

#[test]
fn what_is_no_file_for_it_is_refused_by_name() {
    let refused = |bytes: &[u8]| deidentifier().deidentify(bytes).unwrap_err();
    assert_eq!(refused(b"Quagmire"), Error::NotDicom { bytes: 8 });
    let unknown = refused(&header("1.2.3.4.5"));
    assert_eq!(
        unknown,
        Error::TransferSyntax {
            uid: "1.2.3.4.5".into()
        }
    );
    // What is no UID may be anything: longer than one, or no digits, which the reader refuses before.
    let unknown = refused(&header(&"1".repeat(66)));
    assert_eq!(unknown, Error::TransferSyntax { uid: String::new() });
    assert_eq!(refused(&header("Quagmire^Zebulon")), Error::MetaInformation);
    let limits = Limits::default().with_max_elements(3);
    let narrow = deidentifier().with_limits(limits).deidentify(&file());
    assert_eq!(
        narrow,
        Err(Error::Limit {
            what: "max_elements",
            limit: 3,
            found: 4
        })
    );
    let empty = &header(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    deidentifier().deidentify(empty).unwrap();
    let mut directory = file();
    let class = uids::MEDIA_STORAGE_DIRECTORY_STORAGE;
    let at = |bytes: &[u8], what: &str| {
        bytes
            .windows(what.len())
            .rposition(|w| w == what.as_bytes())
    };
    let from = at(&directory, uids::CT_IMAGE_STORAGE).unwrap();
    let padded = format!("{class:\0<width$}", width = uids::CT_IMAGE_STORAGE.len());
    directory[from..from + padded.len()].copy_from_slice(padded.as_bytes());
    assert_eq!(refused(&directory), Error::Directory);
}

/// Twice the text takes about twice the time, whatever it is made of.
#[test]
fn time_grows_with_the_text_and_no_faster() {
    let scrubber = Scrubber::new();
    // Compiles the rules.
    assert_eq!(scrubber.find("Dr. Moore").len(), 1);
    for piece in [
        "a",
        "1",
        "@",
        ".",
        " ",
        "-",
        "A",
        "Dr. ",
        "A. ",
        "1-",
        "1.",
        "a.",
        "a@",
        "1 ",
        "(",
        "+1 ",
        "Xaab ",
        "name: ",
        "MRN ",
        "1/",
        "www.",
        "http://",
        "Jan ",
        "\u{e9}",
        "van ",
        "Smith, ",
        "123 Xa ",
        "::",
        "00:",
        "\n",
        "  ",
        "A\n",
        "Dr.\n",
        "Mr. Aa\n",
        "May\n",
        "3MAY",
        "\u{a0}",
        "in Aa, MI\n",
        "A^",
        "Aa^",
        "Aa ",
        "a=",
        "93 F ",
    ] {
        let time = |bytes: usize| {
            let text = piece.repeat(bytes / piece.len());
            let begun = ThreadTime::now();
            let scrubbed = scrubber.scrub(&text);
            assert!(
                scrubbed
                    .findings
                    .windows(2)
                    .all(|two| two[0].range.end <= two[1].range.start)
            );
            begun.elapsed().as_secs_f64()
        };
        // Others may have the processor meanwhile: the longer text again, where it took long.
        let (short, mut long) = (time(100_000), time(400_000));
        for _ in 0..3 {
            if long >= 12.0 * short.max(0.02) {
                long = long.min(time(400_000));
            }
        }
        assert!(
            long < 12.0 * short.max(0.02),
            "{piece:?}: {short} s, {long} s"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damage_never_panics_and_never_leaks(changes in proptest::collection::vec((0_usize..600, any::<u8>()), 1..12)) {
        let mut bytes = file();
        for (at, byte) in changes {
            if let Some(to) = bytes.get_mut(132 + at) {
                *to = byte;
            }
        }
        if let Err(error) = deidentifier().deidentify(&bytes) {
            let text = format!("{error} {error:?}");
            prop_assert!(!text.contains("Quag") && !text.contains("1931"), "{}", text);
        }
    }

    #[test]
    fn any_text_is_scrubbed_at_the_borders_of_characters(text in "(\\PC|[ .,:/@\\-0-9A-Z]|Dr\\. |MRN |Smith|é){0,60}") {
        let scrubbed = Scrubber::new().scrub(&text);
        let mut rebuilt = String::new();
        let mut end = 0;
        for finding in &scrubbed.findings {
            prop_assert!(finding.range.start >= end && finding.range.end > finding.range.start);
            rebuilt.push_str(&text[end..finding.range.start]);
            rebuilt.push_str(finding.identifier.tag());
            end = finding.range.end;
        }
        rebuilt.push_str(&text[end..]);
        prop_assert_eq!(&rebuilt, &scrubbed.text);
    }
}
