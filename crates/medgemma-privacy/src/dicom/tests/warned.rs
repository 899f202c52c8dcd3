//! Each modality, image type and transfer syntax that is warned of, and some that are not.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::super::burned_in::{Warning, warnings};
use super::super::value::texts;

fn warned(tag: Tag, value: &str, syntax: &str) -> Vec<Warning> {
    let element = texts(tag, VR::CS, vec![value.to_owned()]);
    warnings(&InMemDicomObject::from_element_iter([element]), "", syntax)
}

#[test]
fn modalities_that_write_into_pixels_are_warned_of_and_others_are_not() {
    // PS3.3 C.7.3.1.1.1: ultrasound, endoscopy, photography, film, paper, hard copies and waveforms on paper.
    for modality in [
        "US", "IVUS", "BDUS", "ES", "XC", "GM", "OP", "DOC", "OT", "SC", "DG", "HC", "FID", "RF",
        "SMR", "ECG",
    ] {
        let found = warned(tags::MODALITY, modality, "");
        assert_eq!(found, [Warning::Modality], "{modality}");
    }
    for modality in ["CT", "MR", "PT", "NM", "CR", "DX", "MG", "SM"] {
        assert_eq!(warned(tags::MODALITY, modality, ""), [], "{modality}");
    }
}

#[test]
fn images_made_of_others_are_warned_of_and_originals_are_not() {
    for kind in ["DERIVED", "SECONDARY", "SCREEN SAVE", "OTHER"] {
        let found = warned(tags::IMAGE_TYPE, kind, "");
        assert_eq!(found, [Warning::Derived], "{kind}");
    }
    for kind in ["ORIGINAL", "PRIMARY", "AXIAL"] {
        assert_eq!(warned(tags::IMAGE_TYPE, kind, ""), [], "{kind}");
    }
}

#[test]
fn videos_may_have_sound_and_pictures_have_none() {
    // MPEG-2, MPEG-4 and HEVC, whole and in fragments: PS3.5 A.4.5 to A.4.9.
    for last in [
        "100", "100.1", "101", "101.1", "102", "102.1", "103", "103.1", "104", "104.1", "105",
        "105.1", "106", "106.1", "107", "108",
    ] {
        let syntax = format!("1.2.840.10008.1.2.4.{last}");
        let found = warned(tags::MODALITY, "CT", &syntax);
        assert_eq!(found, [Warning::Sound], "{syntax}");
    }
    // JPEG, JPEG-LS, JPEG 2000, RLE, HTJ2K and none.
    for last in ["4.50", "4.70", "4.80", "4.90", "5", "4.201", "1"] {
        let syntax = format!("1.2.840.10008.1.2.{last}");
        assert_eq!(warned(tags::MODALITY, "CT", &syntax), [], "{syntax}");
    }
}
