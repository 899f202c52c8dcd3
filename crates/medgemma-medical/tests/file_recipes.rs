//! From files to pictures: readers and recipes joined, against pydicom, nibabel and the published arithmetic in numpy
//! (`golden/generate_file_recipes.py`). Tests that need the fetched files are run by `.ci/run`.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and files made for it are small"
)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use medgemma_image::Image;
use medgemma_medical::{
    CtRecipe, Dicom, Limits, MrRecipe, Nifti, Notice, Recipe, Sampler, Voi, Volume, XrayRecipe,
};
use serde::Deserialize;
use support::picture::Picture;
use support::writer::Writer;

#[derive(Deserialize)]
struct Golden {
    xray: BTreeMap<String, Picture>,
    ct: BTreeMap<String, Vec<Picture>>,
    mr: BTreeMap<String, Vec<Picture>>,
}

fn golden() -> Golden {
    let path = support::root().join("tests/golden/file_recipes.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("goldens")).expect("JSON")
}

fn open(path: impl AsRef<Path>) -> Dicom {
    Dicom::open(path, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn series(name: &str) -> Volume {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(support::fixture("series").join(name))
        .expect("a folder of fixtures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let files: Vec<Dicom> = paths.iter().map(open).collect();
    Volume::from_dicom(&files).unwrap_or_else(|error| panic!("{error}"))
}

/// One slice of the folder `series/mr`.
fn magnetic(name: &str) -> Volume {
    Volume::from_dicom(&[open(support::fixture("series/mr").join(name))]).expect("one slice")
}

fn nifti(name: &str) -> Volume {
    let file = Nifti::open(support::fetched(name), &Limits::default());
    file.and_then(|file| file.volume(0)).expect("a volume")
}

fn check_all(expected: &[Picture], found: &[Image], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
        expected.check(found, &format!("{what}, slice {index}"));
    }
}

fn check_xray(name: &str, file: &Dicom, voi: &str, inverted: bool) {
    let prepared = XrayRecipe::for_frame(file, 0)
        .and_then(|recipe| recipe.prepare_frame(file, 0))
        .unwrap_or_else(|error| panic!("{error}"));
    golden().xray[name].check(prepared.image(), name);
    let Recipe::Xray(record) = prepared.recipe() else {
        panic!("X-ray");
    };
    assert_eq!((record.voi.as_str(), record.inverted), (voi, inverted));
}

#[test]
fn a_radiograph_is_windowed_and_inverted_as_its_file_says() {
    // Rescaled by 0.684 and 200, then its window, then inverted.
    let file = open(support::fixture("series/cr/6154"));
    check_xray("series/cr/6154", &file, "window", true);
    let recipe = XrayRecipe::for_frame(&file, 0).expect("a radiograph");
    let window = Voi::Window {
        center: 1600.0,
        width: 2800.0,
    };
    assert_eq!(
        recipe,
        XrayRecipe::default()
            .with_voi(window)
            .with_monochrome1(true)
    );
    check_xray(
        "image_dfl.dcm",
        &open(support::fixture("image_dfl.dcm")),
        "8 bits as they were",
        false,
    );
}

#[test]
#[ignore = "needs fetched files"]
fn radiographs_of_full_size_and_tables() {
    for (name, voi, inverted) in [
        ("RG1_UNCR.dcm", "window", true),
        ("RG3_UNCR.dcm", "window", true),
        ("mlut_18.dcm", "full range", false),
        ("vlut_04.dcm", "VOI LUT", false),
    ] {
        check_xray(name, &open(support::fetched(name)), voi, inverted);
    }
}

/// A radiograph of three samples.
fn made(photometric: &str, allocated: u16, stored: u16, signed: u16) -> Writer {
    Writer::new(support::writer::EXPLICIT)
        .text(0x0008, 0x0060, b"CS", "DX")
        .us(0x0028, 0x0002, 1)
        .text(0x0028, 0x0004, b"CS", photometric)
        .us(0x0028, 0x0010, 1)
        .us(0x0028, 0x0011, 3)
        .us(0x0028, 0x0100, allocated)
        .us(0x0028, 0x0101, stored)
        .us(0x0028, 0x0102, stored - 1)
        .us(0x0028, 0x0103, signed)
        .text(0x0028, 0x0301, b"CS", "NO")
}

fn table(writer: Writer) -> Writer {
    let descriptor: Vec<u8> = [3u16, 10, 12]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let entries: Vec<u8> = [0u16, 4095, 1000]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let item = Writer::new(support::writer::EXPLICIT)
        .element(0x0028, 0x3002, b"US", &descriptor)
        .element(0x0028, 0x3006, b"OW", &entries);
    writer.sequence(0x0028, 0x3010, &[item])
}

fn windowed(writer: Writer) -> Writer {
    writer
        .text(0x0028, 0x1050, b"DS", "11\\500")
        .text(0x0028, 0x1051, b"DS", "2\\900")
}

/// How the recipe sees the file, and its row of grey.
fn row(writer: &Writer) -> (Voi, Vec<u8>) {
    let file = Dicom::read(writer.file(), &Limits::default()).expect("a file");
    let recipe = XrayRecipe::for_frame(&file, 0)
        .unwrap_or_else(|error| panic!("{error}"))
        .with_pad_to_square(false);
    let prepared = recipe.prepare_frame(&file, 0).expect("a picture");
    let grey = prepared.image().as_rgb8().iter().step_by(3).copied();
    (recipe.voi, grey.collect())
}

#[test]
fn the_first_window_goes_before_the_table_and_both_before_what_is_stored() {
    let samples = [10, 11, 12];
    let window = Voi::Window {
        center: 11.0,
        width: 2.0,
    };
    let both = windowed(made("MONOCHROME2", 16, 12, 0));
    let both = table(both).pixels(&samples);
    assert_eq!(row(&both), (window, vec![0, 128, 255]));
    let table_alone = table(made("MONOCHROME2", 16, 12, 0)).pixels(&samples);
    assert_eq!(row(&table_alone), (Voi::Table, vec![0, 255, 62]));
    let rescaled = made("MONOCHROME2", 16, 12, 0)
        .text(0x0028, 0x1052, b"DS", "-1000")
        .text(0x0028, 0x1053, b"DS", "1");
    let rescaled = table(rescaled).pixels(&[1010, 1011, 1012]);
    assert_eq!(row(&rescaled), (Voi::Table, vec![0, 255, 62]));
    let inverted = table(made("MONOCHROME1", 16, 12, 0)).pixels(&samples);
    assert_eq!(row(&inverted), (Voi::Table, vec![255, 0, 193]));
    let wide = made("MONOCHROME2", 16, 8, 0).pixels(&samples);
    assert_eq!(
        row(&wide),
        (Voi::FullRange, vec![0, 127, 255]),
        "16 bits are no bytes"
    );
    let bytes = made("MONOCHROME1", 8, 8, 0).element(0x7FE0, 0x0010, b"OB", &[10, 11, 12, 0]);
    assert_eq!(row(&bytes), (Voi::EightBit, vec![245, 244, 243]));
    let signed = made("MONOCHROME2", 8, 8, 1).element(0x7FE0, 0x0010, b"OB", &[0xFF, 0, 1, 0]);
    assert_eq!(row(&signed), (Voi::FullRange, vec![0, 127, 255]));
}

/// What the recipe chooses, it can do.
#[test]
fn bytes_are_taken_as_they_are_only_where_they_are_the_values() {
    let of = |stored: u16, rescaled: &[(u16, &str)]| {
        let writer = made("MONOCHROME2", 8, stored, 0);
        let writer = rescaled.iter().fold(writer, |writer, (element, value)| {
            writer.text(0x0028, *element, b"DS", value)
        });
        row(&writer.element(0x7FE0, 0x0010, b"OB", &[3, 4, 5, 0]))
    };
    let stretched = (Voi::FullRange, vec![0, 127, 255]);
    for (intercept, slope) in [("0", "16"), ("0", "0.5"), ("-1024", "1")] {
        let found = of(8, &[(0x1052, intercept), (0x1053, slope)]);
        assert_eq!(found, stretched, "{slope} {intercept}");
    }
    let same = (Voi::EightBit, vec![3, 4, 5]);
    assert_eq!(of(8, &[]), same);
    // The serving code asks for the type alone.
    assert_eq!(of(4, &[]), same, "4 bits of 8");
    assert_eq!(of(8, &[(0x1052, "0"), (0x1053, "1")]), same);
    // The published rule has no window narrower than 2.
    let window = |centers: &str, widths: &str| {
        let writer = made("MONOCHROME2", 16, 12, 0)
            .text(0x0028, 0x1050, b"DS", centers)
            .text(0x0028, 0x1051, b"DS", widths);
        row(&writer.pixels(&[10, 11, 12]))
    };
    assert_eq!(window("11", "1"), stretched);
    let second = Voi::Window {
        center: 12.0,
        width: 4.0,
    };
    assert_eq!(window("11\\12", "1\\4"), (second, vec![0, 64, 128]));
}

/// They were passed over without a word, and what stands elsewhere was passed over with them.
#[test]
fn windows_that_cannot_be_used_are_said_and_hide_nothing() {
    let empty = || Writer::new(support::writer::EXPLICIT);
    let window = |writer: Writer, center: &str, width: &str| {
        writer
            .text(0x0028, 0x1050, b"DS", center)
            .text(0x0028, 0x1051, b"DS", width)
    };
    let group = |writer: Writer| empty().sequence(0x0028, 0x9132, &[writer]);
    let of = |head: Writer, shared: &Writer| {
        let file = head
            .sequence(0x5200, 0x9229, std::slice::from_ref(shared))
            .pixels(&[10, 11, 12]);
        let file = Dicom::read(file.file(), &Limits::default()).expect("a file");
        let recipe = XrayRecipe::for_frame(&file, 0).expect("a radiograph");
        let prepared = recipe.prepare_frame(&file, 0).expect("a picture");
        let Recipe::Xray(record) = prepared.recipe() else {
            panic!("X-ray");
        };
        (recipe.voi, record.remarks.clone())
    };
    let plain = || made("MONOCHROME2", 16, 12, 0);
    let narrow = || window(plain(), "11", "1");
    let told = vec!["a window narrower than 2 passed over".to_owned()];
    let wide = group(window(empty(), "12", "4"));
    let used = Voi::Window {
        center: 12.0,
        width: 4.0,
    };
    assert_eq!(
        of(narrow(), &group(empty())),
        (Voi::FullRange, told.clone())
    );
    assert_eq!(of(narrow(), &wide), (used, told.clone()));
    assert_eq!(of(plain(), &wide), (used, vec![]));
    assert_eq!(
        of(narrow(), &group(table(empty()))),
        (Voi::Table, told.clone())
    );
    let without = window(plain(), "11", "0");
    let (voi, remarks) = of(without, &group(table(empty())));
    assert_eq!(
        (voi, remarks),
        (Voi::Table, vec![Notice::WindowIgnored.to_string()])
    );
}

/// Raw values were shown like a finished radiograph.
#[test]
fn values_of_the_detector_are_refused_and_said() {
    let file = |intent: &str, class: &str| {
        let head = Writer::new(support::writer::EXPLICIT)
            .text(0x0008, 0x0016, b"UI", class)
            .text(0x0008, 0x0068, b"CS", intent);
        let file = head.append(&made("MONOCHROME2", 16, 12, 0).pixels(&[1, 2, 3]));
        Dicom::read(file.file(), &Limits::default()).expect("a file")
    };
    // Digital X-ray, mammography, intra-oral and breast projection X-ray: PS3.4, B.5.
    let pairs = ["1.1", "1.2", "1.3", "13.1.4"].map(|class| {
        let finished = format!("1.2.840.10008.5.1.4.1.1.{class}");
        let raw = match finished.strip_suffix('4') {
            Some(breast) => format!("{breast}5"),
            None => format!("{finished}.1"),
        };
        [finished, raw]
    });
    let of_pairs = pairs.iter().flat_map(|[finished, raw]| {
        [
            ("FOR PROCESSING", finished, Some(true)),
            ("", raw, Some(true)),
            ("FOR PRESENTATION", raw, Some(false)),
            ("FOR PRESENTATION", finished, Some(false)),
            ("", finished, Some(false)),
        ]
    });
    // Computed Radiography says nothing of it.
    let computed = "1.2.840.10008.5.1.4.1.1.1".to_owned();
    for (intent, class, says) in of_pairs.chain([("", &computed, None)]) {
        let refused = says == Some(true);
        let file = file(intent, class);
        let found = XrayRecipe::for_frame(&file, 0);
        let told = file.notices().contains(&Notice::ForProcessing);
        assert_eq!(
            (found.is_err(), told),
            (refused, refused),
            "{intent} {class}"
        );
        assert_eq!(file.facts().for_processing, says, "{intent} {class}");
        if let Err(error) = found {
            let error = error.to_string();
            assert!(
                error.contains("(0008,0068)") && error.contains("FOR PRESENTATION"),
                "{error}"
            );
        }
        // Made by hand it is shown, and the record says what it is.
        let shown = XrayRecipe::default()
            .prepare_frame(&file, 0)
            .expect("a picture");
        let Recipe::Xray(record) = shown.recipe() else {
            panic!("X-ray");
        };
        let said = record
            .remarks
            .iter()
            .any(|remark| remark.contains("detector"));
        assert_eq!(said, refused, "{intent} {class}");
    }
}

#[test]
fn each_frame_has_its_own_window() {
    let empty = || Writer::new(support::writer::EXPLICIT);
    let group = |center: &str| {
        let window = empty()
            .text(0x0028, 0x1050, b"DS", center)
            .text(0x0028, 0x1051, b"DS", "2");
        empty().sequence(0x0028, 0x9132, &[window])
    };
    let file = made("MONOCHROME2", 16, 12, 0)
        .text(0x0028, 0x0008, b"IS", "2")
        .sequence(0x5200, 0x9230, &[group("2"), group("11")])
        .pixels(&[1, 2, 3, 12, 11, 10]);
    let file = Dicom::read(file.file(), &Limits::default()).expect("a file");
    for (frame, expected) in [(0, [0, 128, 255]), (1, [255, 128, 0])] {
        let recipe = XrayRecipe::for_frame(&file, frame).expect("a radiograph");
        let prepared = recipe.prepare_frame(&file, frame).expect("a picture");
        let grey: Vec<u8> = prepared
            .image()
            .as_rgb8()
            .iter()
            .step_by(3)
            .copied()
            .collect();
        assert_eq!(grey[3..6], expected, "frame {frame}");
    }
}

/// Enhanced objects have their tables there, and nowhere else.
#[test]
fn a_table_of_functional_groups_is_applied_the_frames_own_first() {
    let empty = || Writer::new(support::writer::EXPLICIT);
    let group = |writer: Writer| empty().sequence(0x0028, 0x9132, &[writer]);
    let window = empty()
        .text(0x0028, 0x1050, b"DS", "11")
        .text(0x0028, 0x1051, b"DS", "2");
    let item = empty()
        .element(0x0028, 0x3002, b"US", &[3, 0, 10, 0, 8, 0])
        .element(0x0028, 0x3006, b"OW", &[50, 60, 70, 0]);
    let other = empty().sequence(0x0028, 0x3010, &[item]);
    let file = |shared: &Writer, own: &[Writer]| {
        let file = made("MONOCHROME2", 16, 12, 0)
            .text(0x0028, 0x0008, b"IS", "2")
            .sequence(0x5200, 0x9229, std::slice::from_ref(shared))
            .sequence(0x5200, 0x9230, own)
            .pixels(&[10, 11, 12, 12, 11, 10]);
        Dicom::read(file.file(), &Limits::default()).expect("a file")
    };
    let shown = |file: &Dicom, frame: usize| {
        let recipe = XrayRecipe::for_frame(file, frame).expect("a radiograph");
        let prepared = recipe.prepare_frame(file, frame).expect("a picture");
        let grey = prepared.image().as_rgb8().iter().step_by(3);
        (
            recipe.voi,
            grey.copied().skip(3).take(3).collect::<Vec<u8>>(),
        )
    };
    let both = file(&group(table(empty())), &[empty(), group(other.clone())]);
    assert_eq!(shown(&both, 0), (Voi::Table, vec![0, 255, 62]));
    assert_eq!(shown(&both, 1), (Voi::Table, vec![70, 60, 50]));
    let grey: Vec<u8> = both.display(1).expect("grey").as_rgb8()[..9].to_vec();
    assert_eq!(grey, [70, 70, 70, 60, 60, 60, 50, 50, 50]);
    assert_eq!(both.voi(0).expect("values").values(), [0.0, 4095.0, 1000.0]);
    assert_eq!(both.notices(), []);
    // The frame's own window before all frames' table, in what is displayed.
    let mixed = file(&group(table(empty())), &[group(window), empty()]);
    assert_eq!(
        mixed.display(0).expect("grey").as_rgb8()[..6],
        [0, 0, 0, 255, 255, 255]
    );
    // A table that cannot be read is said, wherever it stands; then the shared one counts.
    let cut = empty().sequence(0x0028, 0x3010, &[empty().us(0x0028, 0x3002, 3)]);
    let broken = file(&group(table(empty())), &[group(cut.clone()), empty()]);
    assert_eq!(broken.notices(), [Notice::TableIgnored("VOILUTSequence")]);
    assert_eq!(shown(&broken, 0), (Voi::Table, vec![0, 255, 62]));
    let whole = made("MONOCHROME2", 16, 12, 0)
        .sequence(0x0028, 0x3000, &[empty().us(0x0028, 0x3002, 3)])
        .append(&cut)
        .pixels(&[10, 11, 12]);
    let whole = Dicom::read(whole.file(), &Limits::default()).expect("a file");
    let told = ["ModalityLUTSequence", "VOILUTSequence"].map(Notice::TableIgnored);
    assert_eq!(whole.notices(), told);
}

#[test]
fn what_is_no_radiograph_is_refused_with_what_to_do() {
    let refused = |path: &str, words: &[&str]| {
        let error = XrayRecipe::for_frame(&open(support::fixture(path)), 0).unwrap_err();
        for word in words {
            assert!(error.to_string().contains(word), "{path}: {error}");
        }
    };
    refused(
        "series/ct/17106",
        &["17106: (0008,0060) Modality", "CtRecipe", "found CT"],
    );
    refused("series/mr/4981", &["MrRecipe", "found MR"]);
    refused("JPGExtended.dcm", &["Dicom::display", "found NM"]);
    refused(
        "SC_rgb_small_odd.dcm",
        &["PhotoRecipe", "Dicom::rgb", "Rgb"],
    );
    let named = Writer::new(support::writer::EXPLICIT).text(0x0008, 0x0060, b"CS", "DOE^JANE");
    let file = Dicom::read(named.file(), &Limits::default()).expect("a file");
    let error = XrayRecipe::for_frame(&file, 0).unwrap_err().to_string();
    assert!(
        error.contains("another modality") && !error.contains("DOE"),
        "{error}"
    );
    let silent = Writer::grey(1, 2, false).pixels(&[1, 2]);
    let silent = Dicom::read(silent.file(), &Limits::default()).expect("a file");
    assert!(
        XrayRecipe::for_frame(&silent, 0).is_ok(),
        "a file that says nothing"
    );
    assert!(XrayRecipe::for_frame(&silent, 1).is_err(), "no such frame");
    let recipe = XrayRecipe::default().with_voi(Voi::Table);
    let error = recipe.prepare_frame(&silent, 0).unwrap_err().to_string();
    assert!(error.contains("VOILUTSequence"), "{error}");
}

#[test]
fn ct_series_are_shown_from_the_feet_up() {
    for (name, left_out) in [("ct", 2), ("ct-two-acquisitions", 3)] {
        let volume = series(name);
        let prepared = CtRecipe::default().prepare_volume(&volume).expect(name);
        check_all(&golden().ct[name], prepared.images(), name);
        let Recipe::Ct(record) = prepared.recipe() else {
            panic!("CT");
        };
        assert!(record.order.order_checked);
        assert_eq!(record.order.slices_given, 2, "the last acquisition alone");
        // The record that is kept beside an answer says what the model was not shown.
        assert_eq!(record.order.slices_left_out, left_out);
        let said: Vec<String> = volume.remarks.iter().map(ToString::to_string).collect();
        assert_eq!(record.order.remarks, said);
        let json = serde_json::to_string(prepared.recipe()).expect("JSON");
        assert!(
            json.contains(&format!("\"slices_left_out\":{left_out}")),
            "{json}"
        );
        assert_eq!(
            json.contains("most slices left out"),
            left_out > 2,
            "{json}"
        );
        let read: Recipe = serde_json::from_str(&json).expect("a record");
        assert_eq!(&read, prepared.recipe());
        let error = MrRecipe::default().prepare_volume(&volume).unwrap_err();
        assert!(error.to_string().contains("CtRecipe reads CT"), "{error}");
        // Turning what lies well changes nothing, and what it is stays known.
        let turned = CtRecipe::default()
            .prepare_volume(&volume.axial())
            .expect(name);
        assert_eq!(turned.images(), prepared.images());
        assert!(MrRecipe::default().prepare_volume(&volume.axial()).is_err());
    }
}

#[test]
fn mr_is_stretched_axial_or_sagittal() {
    for name in ["4981", "5011"] {
        let volume = magnetic(name);
        let prepared = MrRecipe::default().prepare_volume(&volume).expect(name);
        check_all(&golden().mr[&format!("mr/{name}")], prepared.images(), name);
        let error = CtRecipe::default().prepare_volume(&volume).unwrap_err();
        assert!(error.to_string().contains("MrRecipe reads MR"), "{error}");
    }
}

#[test]
#[ignore = "needs fetched files"]
fn a_slice_of_full_size_and_nifti() {
    let head = Volume::from_dicom(&[open(support::fetched("693_UNCR.dcm"))]).expect("a slice");
    let prepared = CtRecipe::default().prepare_volume(&head).expect("CT");
    check_all(&golden().ct["693_UNCR.dcm"], prepared.images(), "693");
    // One file of two frames, whose columns run to the right.
    let name = "eCT_Supplemental.dcm";
    let mirrored = Volume::from_dicom(&[open(support::fetched(name))]).expect("two frames");
    let error = CtRecipe::default().prepare_volume(&mirrored).unwrap_err();
    assert!(error.to_string().contains("Volume::axial"), "{error}");
    let prepared = CtRecipe::default().prepare_volume(&mirrored.axial());
    check_all(
        &golden().ct[name],
        prepared.expect("CT").images(),
        "enhanced",
    );
    for name in ["anatomical.nii", "example4d.nii.gz"] {
        let volume = nifti(name);
        let error = MrRecipe::default().prepare_volume(&volume).unwrap_err();
        assert!(error.to_string().contains("Volume::axial"), "{error}");
        let volume = volume.axial();
        let prepared = MrRecipe::default().prepare_volume(&volume).expect(name);
        check_all(&golden().mr[name], prepared.images(), name);
        let prepared = CtRecipe::default().prepare_volume(&volume).expect(name);
        check_all(&golden().ct[name], prepared.images(), name);
    }
}

#[test]
fn planes_that_are_mirrored_or_turned_are_refused() {
    let mut volume = series("ct");
    let upright = volume.affine;
    let prepare = |volume: &Volume| CtRecipe::default().prepare_volume(volume);
    for (column, row, right) in [
        ([1, 0, 0], [0, 1, 0], true),   // axial
        ([1, 0, 0], [0, 0, -1], true),  // coronal
        ([0, 1, 0], [0, 0, -1], true),  // sagittal
        ([-1, 0, 0], [0, 1, 0], false), // mirrored
        ([1, 0, 0], [0, -1, 0], false), // upside down
        ([1, 0, 0], [0, 0, 1], false),  // head below
        ([0, 1, 0], [1, 0, 0], false),  // on the side
        ([0, 0, 1], [0, 1, 0], false),
    ] {
        for axis in 0..3 {
            // A little oblique, as many a series is.
            volume.affine[axis][0] = f64::from(column[axis]) + 0.1;
            volume.affine[axis][1] = f64::from(row[axis]) - 0.1;
        }
        // Planes in the order of the normal, and the other way: a head before its neck.
        let [c, r] = [0, 1].map(|index| volume.affine.map(|row| row[index]));
        let normal = [
            c[1] * r[2] - c[2] * r[1],
            c[2] * r[0] - c[0] * r[2],
            c[0] * r[1] - c[1] * r[0],
        ];
        for (sign, up) in [(3.0, true), (-3.0, false)] {
            for (axis, part) in normal.into_iter().enumerate() {
                volume.affine[axis][2] = sign * part;
            }
            let taken = prepare(&volume).is_ok();
            assert_eq!(taken, right && up, "{column:?} {row:?} {sign}");
        }
    }
    let mut turned = series("ct");
    turned.affine[2][2] *= -1.0;
    let error = prepare(&turned).unwrap_err().to_string();
    assert!(error.contains("Volume::axial"), "{error}");
    assert!(prepare(&turned.axial()).is_ok());
    // One plane has no order.
    turned.planes.truncate(1);
    assert!(prepare(&turned).is_ok());
    volume.affine = upright;
    // A silent volume is taken for what the recipe reads.
    volume.modality = None;
    assert!(prepare(&volume).is_ok());
    assert!(MrRecipe::default().prepare_volume(&volume).is_ok());
    volume.modality = Some("DOE^JANE".to_owned());
    let error = prepare(&volume).unwrap_err().to_string();
    assert!(
        error.contains("another modality") && !error.contains("DOE"),
        "{error}"
    );
}

#[test]
fn the_sampler_counts_planes_of_the_volume() {
    let recipe = CtRecipe::default().with_sampler(Sampler::Slices(vec![1]));
    let prepared = recipe.prepare_volume(&series("ct")).expect("CT");
    check_all(
        &golden().ct["ct"][1..],
        prepared.images(),
        "the upper slice",
    );
}
