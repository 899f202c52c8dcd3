//! Photographs and other pictures in colour: pydicom's red, green and blue, padded to a square
//! (`golden/generate_file_recipes.py`), and what is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use medgemma_medical::{
    Dicom, Item, Limits, PhotoRecipe, Recipe, Volume, XrayRecipe, longitudinal,
};
use serde::Deserialize;
use support::blank;
use support::picture::Picture;
use support::writer::{EXPLICIT, Writer};

#[derive(Deserialize)]
struct Golden {
    photo: BTreeMap<String, Picture>,
}

fn open(path: impl AsRef<Path>) -> Dicom {
    Dicom::open(path, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// Prepares a frame and looks at all of it, and at the names in its record.
fn check(name: &str, file: &Dicom, frame: usize, colours: &str, bits: u32) {
    let path = support::root().join("tests/golden/file_recipes.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let prepared = PhotoRecipe::default().prepare_frame(file, frame);
    let prepared = prepared.unwrap_or_else(|error| panic!("{error}"));
    golden.photo[name].check(prepared.image(), name);
    let Recipe::Photo(record) = prepared.recipe() else {
        panic!("a photograph");
    };
    assert_eq!(
        (record.colours.as_str(), record.bits),
        (colours, bits),
        "{name}"
    );
    assert!(
        record.padded_to_square && !record.colour_profile_ignored,
        "{name}"
    );
}

#[test]
fn colours_go_in_as_pydicom_has_them() {
    for (name, frame, bits) in [
        ("SC_rgb_small_odd.dcm", 0, 8),
        ("SC_rgb_small_odd_big_endian.dcm", 0, 8),
        ("SC_rgb_rle_32bit.dcm", 0, 32),
        ("SC_rgb_rle_16bit_2frame.dcm", 1, 16),
    ] {
        check(name, &open(support::fixture(name)), frame, "RGB", bits);
    }
}

#[test]
#[ignore = "needs fetched files"]
fn ultrasound_and_captures_of_full_size() {
    for (name, frame, colours, bits) in [
        // What the codec turned back is red, green, blue.
        ("US1_J2KR.dcm", 0, "RGB", 8),
        ("GDCMJ2K_TextGBR.dcm", 0, "RGB", 8),
        ("OBXXXX1A_rle_2frame.dcm", 0, "PALETTE COLOR", 8),
        ("gdcm-US-ALOKA-16.dcm", 0, "PALETTE COLOR", 16),
        ("examples_palette.dcm", 0, "PALETTE COLOR", 8),
        ("color-pl.dcm", 0, "RGB", 8),
        ("SC_ybr_full_422_uncompressed.dcm", 0, "YBR_FULL_422", 8),
    ] {
        check(name, &open(support::fetched(name)), frame, colours, bits);
    }
}

/// A picture of two pixels beside each other, red and blue.
fn made(modality: Option<&str>) -> Writer {
    let writer = Writer::new(EXPLICIT);
    let writer = match modality {
        Some(modality) => writer.text(0x0008, 0x0060, b"CS", modality),
        None => writer,
    };
    writer
        .us(0x0028, 0x0002, 3)
        .text(0x0028, 0x0004, b"CS", "RGB")
        .us(0x0028, 0x0006, 0)
        .us(0x0028, 0x0010, 1)
        .us(0x0028, 0x0011, 2)
        .us(0x0028, 0x0100, 8)
        .us(0x0028, 0x0101, 8)
}

fn pixels(writer: Writer) -> Dicom {
    let file = writer.element(0x7FE0, 0x0010, b"OB", &[200, 10, 20, 30, 40, 250]);
    Dicom::read(file.file(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn padded_to_a_square_or_as_it_is_with_a_record_and_a_question() {
    // An ICC profile, whatever is in it.
    let file = pixels(made(Some("XC")).element(0x0028, 0x2000, b"OB", &[0; 4]));
    let prepared = PhotoRecipe::default().prepare_frame(&file, 0).unwrap();
    let image = prepared.image();
    assert_eq!((image.width(), image.height()), (2, 2));
    assert_eq!(
        image.as_rgb8(),
        [200, 10, 20, 30, 40, 250, 0, 0, 0, 0, 0, 0]
    );
    let json = serde_json::to_string(prepared.recipe()).unwrap();
    let expected = r#"{"modality":"photo","colours":"RGB","bits":8,"colour_profile_ignored":true,"padded_to_square":true}"#;
    assert_eq!(json, expected);
    assert_eq!(
        serde_json::from_str::<Recipe>(&json).unwrap(),
        *prepared.recipe()
    );
    let prompt = prepared.prompt("What is it?");
    assert!(
        matches!(prompt.items(), [Item::Image(_), Item::Text(text)] if text == "What is it?"),
        "{prompt:?}"
    );

    // A codec that turns its colours back itself.
    let stream = blank::jpeg_2000(4, 4, 3, blank::USUAL);
    let turned = blank::description(8, "1.2.840.10008.1.2.4.90", [4, 4], 3)
        .text(0x0028, 0x0004, b"CS", "YBR_RCT")
        .fragments(&[&stream]);
    let turned = Dicom::read(turned.file(), &Limits::default()).unwrap();
    let turned = PhotoRecipe::default().prepare_frame(&turned, 0).unwrap();
    assert!(
        matches!(turned.recipe(), Recipe::Photo(record) if record.colours == "RGB"),
        "{:?}",
        turned.recipe()
    );

    let flat = PhotoRecipe::default().with_pad_to_square(false);
    let flat = flat.prepare_frame(&pixels(made(None)), 0).unwrap();
    assert_eq!((flat.image().width(), flat.image().height()), (2, 1));
    let json = serde_json::to_string(flat.recipe()).unwrap();
    assert!(
        json.contains(r#""colour_profile_ignored":false,"padded_to_square":false"#),
        "{json}"
    );
    // A lesion over time.
    let pair = longitudinal(flat.clone(), flat, "What changed?");
    assert_eq!(pair.items().len(), 3);
}

#[test]
fn what_says_nothing_or_is_seen_in_colour_is_taken() {
    for modality in ["XC", "GM", "SM", "DMS", "ES", "OP", "US", "IVUS", "OT"] {
        let prepared = PhotoRecipe::default().prepare_frame(&pixels(made(Some(modality))), 0);
        assert!(prepared.is_ok(), "{modality}: {prepared:?}");
    }
    assert!(
        PhotoRecipe::default()
            .prepare_frame(&pixels(made(None)), 0)
            .is_ok()
    );
}

#[test]
fn what_is_no_photograph_is_refused_with_what_to_do() {
    let refused = |file: &Dicom, words: &[&str]| {
        let error = PhotoRecipe::default().prepare_frame(file, 0).unwrap_err();
        for word in words {
            assert!(error.to_string().contains(word), "{error}");
        }
    };
    let colour = |modality| pixels(made(Some(modality)));
    refused(
        &colour("CT"),
        &["(0008,0060) Modality", "CtRecipe", "found CT"],
    );
    refused(&colour("MR"), &["MrRecipe", "found MR"]);
    refused(&colour("DX"), &["XrayRecipe", "found DX"]);
    refused(&colour("NM"), &["no recipe", "Dicom::rgb", "found NM"]);
    refused(&colour("DOE^JANE"), &["another modality"]);
    let slide = made(Some("SM")).text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.77.1.6");
    refused(&pixels(slide), &["Slide::open", "a whole slide"]);
    let grey = Writer::grey(1, 2, false).pixels(&[1, 2]).file();
    let grey = Dicom::read(grey, &Limits::default()).unwrap();
    refused(&grey, &["colour", "Dicom::display", "MONOCHROME"]);
    let error = PhotoRecipe::default().prepare_frame(&colour("XC"), 1);
    assert!(error.unwrap_err().to_string().contains("a frame below 1"));
    let error = XrayRecipe::for_frame(&colour("US"), 0)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("PhotoRecipe") && error.contains("found US"),
        "{error}"
    );
}

/// Colour in a series of CT or MR is an error before any recipe has it.
#[test]
fn colour_makes_no_volume() {
    for modality in ["CT", "MR"] {
        let slice = made(Some(modality))
            .text(0x0020, 0x0032, b"DS", "0\\0\\0")
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\1\\0");
        let error = Volume::from_dicom(&[pixels(slice)])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("expected MONOCHROME1 or MONOCHROME2"),
            "{error}"
        );
    }
}
