//! Pixels, tables and colours against pydicom 3.0.2: of the small files in the repository always, of all that two PyPI
//! packages ship when `.ci/run` has fetched them.
#![allow(
    clippy::cast_possible_truncation,
    reason = "small numbers of files made for the test"
)]

mod support;

use medgemma_medical::{Dicom, Frame, Limits, Plane};
use support::{
    AtFrame, Colours, Expected, Pixels, Summary, expected, fetched, files, fixture, places,
};

fn open(path: &std::path::Path) -> Dicom {
    Dicom::open(path, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn crc(values: impl Iterator<Item = i64>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let bytes: Vec<u8> = values
        .flat_map(|value| (value as u32).to_le_bytes())
        .collect();
    hasher.update(&bytes);
    hasher.finalize()
}

/// How far a value may be from pydicom's decoder. Near-lossless JPEG-LS leaves a decoder no choice, and neither does
/// anything lossless.
fn tolerance(syntax: &str) -> i64 {
    match syntax {
        "1.2.840.10008.1.2.4.50" | "1.2.840.10008.1.2.4.51" => 3,
        "1.2.840.10008.1.2.4.91" => 1,
        _ => 0,
    }
}

fn check_values(name: &str, frame: &Frame, at: &AtFrame, slack: i64) {
    let values: Vec<i64> = frame.values().collect();
    if slack == 0 {
        assert_eq!(
            crc(values.iter().copied()),
            at.crc,
            "{name}, frame {}",
            at.index
        );
        return;
    }
    for (place, &expected) in places(values.len()).zip(&at.raw.at) {
        let off = (values[place] as f64 - expected).abs();
        assert!(
            off <= slack as f64,
            "{name}: value {place}: {} for {expected}",
            values[place]
        );
    }
    let mean = values.iter().sum::<i64>() as f64 / values.len() as f64;
    let off = (mean - at.raw.mean).abs();
    assert!(off < 0.15, "{name}: mean {mean} for {}", at.raw.mean);
}

fn check_plane(name: &str, step: &str, plane: &Plane, expected: &Summary, slack: f64) {
    let close = |found: f64, wanted: f64, what: &str| {
        let slack = slack.max(wanted.abs() * 2e-7);
        assert!(
            (found - wanted).abs() <= slack,
            "{name}: {step}: {what}: {found} for {wanted}"
        );
    };
    let values = plane.values();
    for (place, &wanted) in places(values.len()).zip(&expected.at) {
        close(f64::from(values[place]), wanted, &format!("value {place}"));
    }
    if slack == 0.0 {
        let fold =
            |by: fn(f64, f64) -> f64, from| values.iter().map(|&v| f64::from(v)).fold(from, by);
        close(fold(f64::min, f64::MAX), expected.min, "least");
        close(fold(f64::max, f64::MIN), expected.max, "largest");
    }
}

fn check_colours(name: &str, samples: &[u8], expected: &Colours, slack: i64) {
    if slack == 0 {
        assert_eq!(
            crc(samples.iter().map(|&s| i64::from(s))),
            expected.crc,
            "{name}: colours"
        );
    }
    for (place, &wanted) in places(samples.len()).zip(&expected.at) {
        let off = (i64::from(samples[place]) - wanted).abs();
        // A step of a colour difference is up to 1.8 levels.
        assert!(
            off <= slack * 2,
            "{name}: colour {place}: {} for {wanted}",
            samples[place]
        );
    }
}

fn check(name: &str, file: &Dicom, expected: &Pixels) {
    assert_eq!(file.frames(), expected.frames, "{name}: frames");
    let slack = tolerance(&expected.syntax);
    for at in &expected.at {
        let frame = file
            .frame(at.index)
            .unwrap_or_else(|error| panic!("{error}"));
        let shape = [frame.rows(), frame.columns(), frame.channels()];
        assert_eq!(shape, expected.shape, "{name}: shape");
        check_values(name, &frame, at, slack);
        if let Some(summary) = at.modality.as_ref().filter(|_| !FRAMED.contains(&name)) {
            let plane = file.grey(at.index).expect("grey");
            let by = scale(&frame, &plane);
            check_plane(name, "modality", &plane, summary, slack as f64 * by);
            let plane = file.voi(at.index).expect("grey");
            // A window may spread one level over the whole range.
            if slack == 0 {
                check_plane(name, "voi", &plane, at.voi.as_ref().expect("both"), 0.0);
            }
        }
        let eight = frame.bits() == 8;
        if let Some(colours) = at.rgb.as_ref().filter(|_| eight) {
            check_colours(
                name,
                file.rgb(at.index).expect("colour").as_rgb8(),
                colours,
                slack,
            );
        }
        if let Some(colours) = &at.palette {
            let image = file.rgb(at.index).expect("palette");
            // pydicom gives entries of 16 bits; the last place is what of them 8 bits can hold.
            let wide = colours.at.iter().any(|&value| value > 255);
            for (place, &wanted) in places(image.as_rgb8().len()).zip(&colours.at) {
                let wanted = if wide {
                    (wanted as f64 / 257.0).round_ties_even() as i64
                } else {
                    wanted
                };
                assert_eq!(
                    i64::from(image.as_rgb8()[place]),
                    wanted,
                    "{name}: palette {place}"
                );
            }
        }
    }
}

/// Units of the modality for one stored level.
fn scale(frame: &Frame, plane: &Plane) -> f64 {
    let values: Vec<i64> = frame.values().collect();
    let [(low, low_at), (high, high_at)] = [
        values.iter().zip(0..).min().expect("not empty"),
        values.iter().zip(0..).max().expect("not empty"),
    ];
    let units = plane.values()[high_at as usize] - plane.values()[low_at as usize];
    if high == low {
        1.0
    } else {
        f64::from(units).abs() / (high - low) as f64
    }
}

/// Rescaling and windows of these lie in functional groups, where pydicom does not look for them.
const FRAMED: &[&str] = &["eCT_Supplemental.dcm"];

/// What pydicom does not read, or reads as nothing, and this crate does: held to another file instead, or to nothing.
const OTHERWISE: &[&str] = &[
    "JPEG-lossy.dcm",
    "badVR.dcm",
    "emri_small_jpeg_2k_lossless_too_short.dcm",
];

fn check_folder(folder: &std::path::Path) -> usize {
    let expected = expected();
    let mut checked = 0;
    for path in files(folder) {
        let name = path.file_name().and_then(|n| n.to_str()).expect("a name");
        let found = Dicom::open(&path, &Limits::default());
        match &expected[name] {
            _ if OTHERWISE.contains(&name) => {}
            Expected::Pixels(pixels) => {
                let file = found.unwrap_or_else(|error| panic!("{error}"));
                check(name, &file, pixels);
                checked += 1;
            }
            Expected::Nothing { pixels } => {
                assert!(!pixels);
                assert!(
                    found.map_or(0, |file| file.frames()) == 0,
                    "{name} has pixels"
                );
            }
            Expected::Error { error } => {
                let frames = found.and_then(|file| file.frame(0));
                assert!(frames.is_err(), "{name}: pydicom: {error}; here it is read");
            }
        }
    }
    checked
}

#[test]
fn small_files_equal_pydicom() {
    assert!(check_folder(&fixture("")) >= 20);
}

#[test]
#[ignore = "needs the files that .ci/fetch-medical fetches"]
fn fetched_files_equal_pydicom() {
    let folder = |name| fetched(name).parent().expect("a folder").to_owned();
    let checked = check_folder(&folder("RG1_UNCR.dcm")) + check_folder(&folder("CT_small.dcm"));
    assert_eq!(checked, 125);
}

#[test]
#[ignore = "needs the files that .ci/fetch-medical fetches"]
fn lossless_pairs_are_equal_and_lossy_ones_near() {
    let equal = [
        ("RG1_UNCR.dcm", "RG1_J2KR.dcm"),
        ("RG3_UNCR.dcm", "RG3_J2KR.dcm"),
        ("693_UNCR.dcm", "693_J2KR.dcm"),
        ("MR2_UNCR.dcm", "MR2_J2KR.dcm"),
        ("US1_UNCR.dcm", "US1_J2KR.dcm"),
        ("emri_small.dcm", "emri_small_RLE.dcm"),
        ("emri_small.dcm", "emri_small_big_endian.dcm"),
        ("emri_small.dcm", "emri_small_jpeg_ls_lossless.dcm"),
        ("emri_small.dcm", "emri_small_jpeg_2k_lossless.dcm"),
        (
            "emri_small.dcm",
            "emri_small_jpeg_2k_lossless_too_short.dcm",
        ),
        ("OBXXXX1A.dcm", "OBXXXX1A_rle.dcm"),
        ("OBXXXX1A_2frame.dcm", "OBXXXX1A_rle_2frame.dcm"),
        ("JPGExtended.dcm", "JPEG-lossy.dcm"),
    ];
    for (one, other) in equal {
        let (first, second) = (open(&fetched(one)), open(&fetched(other)));
        assert_eq!(first.frames(), second.frames(), "{one}, {other}");
        for frame in 0..first.frames() {
            let values = |file: &Dicom| -> Vec<i64> {
                file.frame(frame).expect("pixels").values().collect()
            };
            assert!(
                values(&first) == values(&second),
                "{one} and {other} differ"
            );
        }
    }
    for (one, other) in [
        ("RG1_UNCI.dcm", "RG1_J2KI.dcm"),
        ("RG3_UNCI.dcm", "RG3_J2KI.dcm"),
        ("693_UNCI.dcm", "693_J2KI.dcm"),
        ("MR2_UNCI.dcm", "MR2_J2KI.dcm"),
        ("US1_UNCI.dcm", "US1_J2KI.dcm"),
    ] {
        let (first, second) = (open(&fetched(one)), open(&fetched(other)));
        let (first, second) = (
            first.frame(0).expect("pixels"),
            second.frame(0).expect("pixels"),
        );
        let apart = first
            .values()
            .zip(second.values())
            .map(|(a, b)| (a - b).abs());
        let apart: Vec<i64> = apart.collect();
        assert!(
            apart.iter().all(|&d| d <= 1),
            "{one}: {:?}",
            apart.iter().max()
        );
        let unequal = apart.iter().filter(|&&d| d > 0).count();
        assert!(
            unequal * 50 < apart.len(),
            "{one}: {unequal} of {}",
            apart.len()
        );
    }
}
