//! How much memory a frame takes, by the peak that the system saw: as much as the limits in force say, in each compression.
//! A stream that announces more than it can hold is refused before anything is reserved for it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of files made for the test are small"
)]

mod support;

use medgemma_medical::{Dicom, Error, Limits};
use support::blank::{self, Cut, Jpeg, USUAL};
use support::resident::{BESIDE, measured, peak, reserved};

const RLE: &str = "1.2.840.10008.1.2.5";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.57";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

fn file(syntax: &str, side: usize, samples: u16, stream: &[u8]) -> Vec<u8> {
    blank::description(8, syntax, [side, side], samples)
        .fragments(&[stream])
        .file()
}

#[test]
fn a_frame_takes_what_its_limit_says_and_no_more() {
    measured("a_frame_takes_what_its_limit_says_and_no_more", || {
        const SIDE: usize = 2048;
        for (name, syntax, stream, samples, of_sample) in [
            ("RLE", RLE, blank::rle(SIDE, SIDE), 1, 8),
            ("JPEG-LS", JPEG_LS, blank::jpeg_ls(SIDE, SIDE), 1, 8),
            (
                "JPEG",
                JPEG,
                blank::jpeg(Jpeg::Baseline, SIDE, SIDE, 3),
                3,
                8,
            ),
            (
                "progressive",
                JPEG,
                blank::jpeg(Jpeg::Progressive, SIDE, SIDE, 3),
                3,
                8,
            ),
            (
                "lossless",
                JPEG_LOSSLESS,
                blank::jpeg(Jpeg::Lossless, SIDE, SIDE, 1),
                1,
                8,
            ),
            (
                "16 bits",
                JPEG_LOSSLESS,
                blank::jpeg(Jpeg::LosslessWide, SIDE, SIDE, 1),
                1,
                8,
            ),
            (
                "JPEG 2000",
                JPEG_2000,
                blank::jpeg_2000(SIDE, SIDE, 1, USUAL),
                1,
                20,
            ),
            (
                "JPEG 2000, colour",
                JPEG_2000,
                blank::jpeg_2000(SIDE, SIDE, 3, USUAL),
                3,
                20,
            ),
        ] {
            let bits = if name == "16 bits" { 16 } else { 8 };
            let header = blank::description(bits, syntax, [SIDE, SIDE], samples);
            let bytes = header.fragments(&[&stream]).file();
            let most = (SIDE * SIDE) as u64 * u64::from(samples) * of_sample;
            let limits = |bytes| Limits::default().with_max_decompressed_bytes(bytes);
            let read = |bytes: &[u8], limits| Dicom::read(bytes.to_vec(), &limits);
            let error = read(&bytes, limits(most - 1)).expect_err(name);
            assert!(
                matches!(error, Error::Limit { what: "max_decompressed_bytes", found, .. } if found == most),
                "{name}: {error}"
            );
            let opened =
                read(&bytes, limits(most)).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (frame, taken) = peak(|| opened.frame(0));
            let frame = frame.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(
                frame.values().len(),
                SIDE * SIDE * usize::from(samples),
                "{name}"
            );
            assert!(
                taken <= most + BESIDE,
                "{name}: {taken} bytes, {most} allowed"
            );
            // A limit that is far from what is taken would refuse what could be read.
            assert!(taken * 3 > most, "{name}: {taken} bytes, {most} allowed");
        }
    });
}

fn refused(what: &str, bytes: Vec<u8>, words: &str) {
    let (outcome, taken) = reserved(|| {
        let file = Dicom::read(bytes, &Limits::default());
        file.and_then(|file| file.frame(0).map(drop))
    });
    let error = outcome.expect_err(what).to_string();
    assert!(error.contains(words), "{what}: {error}");
    assert!(taken < BESIDE, "{what}: {taken} bytes");
}

/// Of the least code that each picture can have, half: a stream as long is read in the test above.
#[test]
fn a_stream_too_short_for_its_picture_takes_nothing() {
    measured("a_stream_too_short_for_its_picture_takes_nothing", || {
        const SIDE: usize = 4096;
        for (name, syntax, stream, samples) in [
            ("RLE", RLE, blank::rle(SIDE, SIDE), 1),
            ("JPEG", JPEG, blank::jpeg(Jpeg::Baseline, SIDE, SIDE, 3), 3),
            (
                "progressive",
                JPEG,
                blank::jpeg(Jpeg::Progressive, SIDE, SIDE, 3),
                3,
            ),
            (
                "lossless",
                JPEG_LOSSLESS,
                blank::jpeg(Jpeg::Lossless, SIDE, SIDE, 1),
                1,
            ),
        ] {
            let half = &stream[..stream.len() / 2];
            refused(
                name,
                file(syntax, SIDE, samples, half),
                "4096 x 4096 pixels take",
            );
        }
    });
}

/// Thousands of code-blocks, layers and precincts for a few pixels each, in front of the tiles or in one of them.
#[test]
fn structure_of_jpeg_2000_is_bounded() {
    measured("structure_of_jpeg_2000_is_bounded", || {
        const SIDE: usize = 1024;
        let small = Cut { block: 2, ..USUAL };
        let read = file(JPEG_2000, SIDE, 1, &blank::jpeg_2000(SIDE, SIDE, 1, small));
        let read = Dicom::read(read, &Limits::default()).expect("a header");
        let (frame, taken) = peak(|| read.frame(0));
        assert!(frame.is_ok(), "code-blocks of 4 x 4: {frame:?}");
        assert!(
            taken <= (SIDE * SIDE) as u64 * (20 + 32) + BESIDE,
            "{taken}"
        );
        let layers = Cut {
            layers: 32,
            ..small
        };
        let precincts = |exponent| Cut {
            precinct: Some(exponent),
            ..USUAL
        };
        for (name, cut) in [
            ("layers", layers),
            ("precincts", precincts(1)),
            // Neither these nor the code-blocks that they cut are too many alone.
            ("precincts of eight", precincts(3)),
        ] {
            for in_tile in [false, true] {
                let stream = blank::jpeg_2000(SIDE, SIDE, 1, Cut { in_tile, ..cut });
                refused(
                    name,
                    file(JPEG_2000, SIDE, 1, &stream),
                    "code-blocks, precincts and layers",
                );
            }
        }
    });
}

/// What the bound counts is what the decoder takes: of any structure, what is not refused stays below it.
#[test]
fn whatever_the_structure_of_jpeg_2000_its_bound_holds() {
    const SIDE: usize = 512;
    let most = (SIDE * SIDE) as u64 * (20 + 32) + BESIDE;
    measured(
        "whatever_the_structure_of_jpeg_2000_its_bound_holds",
        || {
            let (mut read, mut refused) = (0, 0);
            for precinct in [None, Some(1), Some(2), Some(3), Some(4), Some(6)] {
                for (block, layers) in [(2, 1), (2, 2), (3, 8), (4, 32), (6, 32)] {
                    for tile in [SIDE, 100, 16] {
                        let cut = Cut {
                            tile,
                            layers,
                            block,
                            precinct,
                            in_tile: false,
                        };
                        let stream = blank::jpeg_2000(SIDE, SIDE, 1, cut);
                        let file = file(JPEG_2000, SIDE, 1, &stream);
                        let file = Dicom::read(file, &Limits::default()).expect("a header");
                        let (frame, taken) = peak(|| file.frame(0).is_ok());
                        assert!(taken <= most, "{cut:?}: {taken} bytes, {most} allowed");
                        *if frame { &mut read } else { &mut refused } += 1;
                    }
                }
            }
            assert!(read > 30 && refused > 15, "{read} read, {refused} refused");
        },
    );
}

#[test]
fn many_small_tiles_of_jpeg_2000_are_bounded() {
    const SIDE: usize = 508;
    measured("many_small_tiles_of_jpeg_2000_are_bounded", || {
        let stream = blank::jpeg_2000(SIDE, SIDE, 1, Cut { tile: 2, ..USUAL });
        let file = file(JPEG_2000, SIDE, 1, &stream);
        refused("64516 tiles", file, "code-blocks, precincts and layers");
    });
}

/// A segment whose length is not that of its content could hide another.
#[test]
fn segments_of_jpeg_2000_have_the_length_of_their_content() {
    measured(
        "segments_of_jpeg_2000_have_the_length_of_their_content",
        || {
            let stream = blank::jpeg_2000(64, 64, 1, USUAL);
            for marker in [0x52, 0x5C, 0x90] {
                let at = stream.windows(2).position(|pair| pair == [0xFF, marker]);
                let length = at.expect("a segment") + 3;
                let mut longer = stream.clone();
                longer[length] += 1;
                longer.insert(length + 1 + usize::from(stream[length]) - 2, 0);
                if marker == 0x5C {
                    // Without a style of its own, any length is one.
                    longer[length + 1] |= 1;
                }
                refused(
                    "another length",
                    file(JPEG_2000, 64, 1, &longer),
                    "than its content",
                );
            }
        },
    );
}

#[test]
fn more_components_of_jpeg_ls_than_announced_are_refused() {
    measured(
        "more_components_of_jpeg_ls_than_announced_are_refused",
        || {
            let mut stream = blank::jpeg_ls(2048, 2048);
            let scan = stream
                .windows(2)
                .position(|pair| pair == [0xFF, 0xDA])
                .expect("a scan");
            // Four components, line by line, in a frame of one.
            stream.splice(
                scan + 2..scan + 10,
                [0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 1, 0],
            );
            refused(
                "four",
                file(JPEG_LS, 2048, 1, &stream),
                "more components than announced",
            );
        },
    );
}
