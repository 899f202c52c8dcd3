//! How much memory whole files, volumes and slides take, by the peak that the system saw: as much as the limits in force
//! say, whatever the file announces or unpacks to.
#![cfg(target_os = "linux")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of files made for the test are small"
)]

mod support;

use std::io::{Cursor, Write as _};

use medgemma_medical::{Dicom, Error, Limits, Nifti, Slide, SlideLimits, SlideProblem, Volume};
use support::blank::{self, Jpeg, USUAL};
use support::resident::{BESIDE, measured, peak, reserved};
use support::writer::{EXPLICIT, Writer};

const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

/// Zeros by the mebibyte, which deflate to a thousandth.
fn zeros(packer: &mut impl std::io::Write, mebibytes: usize) {
    for _ in 0..mebibytes {
        packer.write_all(&vec![0; 1 << 20]).expect("in memory");
    }
}

#[test]
fn of_a_gzipped_file_no_more_is_kept_than_its_header_says() {
    measured(
        "of_a_gzipped_file_no_more_is_kept_than_its_header_says",
        || {
            let packed = |header: &[u8], mebibytes| {
                let mut packer =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(header).expect("in memory");
                zeros(&mut packer, mebibytes);
                packer.finish().expect("in memory")
            };
            let bomb = packed(&blank::nifti(2, 3, 2), 256);
            let (volume, taken) =
                peak(|| Nifti::read(bomb.clone(), &Limits::default()).and_then(|f| f.volume(0)));
            assert_eq!(volume.expect("a small picture").planes.len(), 2);
            assert!(taken < BESIDE, "{taken} bytes");
            let limits = Limits::default().with_max_decompressed_bytes(128 << 20);
            let (outcome, taken) = peak(|| Nifti::read(bomb, &limits));
            let error = outcome.expect_err("what stands behind is unpacked as well");
            assert!(
                matches!(
                    error,
                    Error::Limit {
                        what: "max_decompressed_bytes",
                        ..
                    }
                ),
                "{error}"
            );
            assert!(taken < BESIDE, "{taken} bytes");
            // A header that lies: 250 MB, of which none is there.
            let lie = packed(&blank::nifti(1000, 1000, 250), 0);
            let (outcome, taken) = reserved(|| Nifti::read(lie, &Limits::default()));
            let error = outcome.expect_err("no data").to_string();
            assert!(error.contains("found 0 bytes"), "{error}");
            assert!(taken < BESIDE, "{taken} bytes");
            // 64 MiB, with the header.
            let (limits, whole) = (
                Limits::default().with_max_decompressed_bytes(64 << 20),
                64 << 20,
            );
            let large = packed(&blank::nifti(256, 256, 1024), 64);
            let (outcome, taken) = peak(|| Nifti::read(large.clone(), &limits));
            let error = outcome.expect_err("with its header it is larger");
            assert!(
                matches!(
                    error,
                    Error::Limit {
                        what: "max_decompressed_bytes",
                        ..
                    }
                ),
                "{error}"
            );
            assert!(taken < BESIDE, "{taken} bytes");
            let limits = limits.with_max_decompressed_bytes(4 * whole);
            let (file, taken) = peak(|| Nifti::read(large, &limits).expect("a picture"));
            assert!(taken < whole + whole / 8 + BESIDE, "{taken} bytes");
            drop(file);
        },
    );
}

fn deflated(body: &Writer, mebibytes: usize) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    // Behind preamble, `DICM` and the transfer syntax.
    packer
        .write_all(&body.file()[132 + 8 + 20..])
        .expect("in memory");
    zeros(&mut packer, mebibytes);
    let packed = packer.finish().expect("in memory");
    Writer::new("1.2.840.10008.1.2.1.99").raw(&packed).file()
}

#[test]
fn of_a_deflated_file_no_more_is_unpacked_than_its_pixels_take_and_a_header() {
    measured(
        "of_a_deflated_file_no_more_is_unpacked_than_its_pixels_take_and_a_header",
        || {
            let small = blank::description(8, EXPLICIT, [2, 2], 1).element(
                0x7FE0,
                0x0010,
                b"OB",
                &[1, 2, 3, 4],
            );
            let before = blank::description(8, EXPLICIT, [2, 2], 1)
                .raw(b"\x09\x00\x00\x10OB\x00\x00\x00\x00\x00\x10");
            let none = Writer::new(EXPLICIT).text(0x0008, 0x0060, b"CS", "SR");
            for (name, body) in [("behind", &small), ("before", &before), ("without", &none)] {
                let bomb = deflated(body, 256);
                let (outcome, taken) = peak(|| Dicom::read(bomb, &Limits::default()));
                let error = outcome.expect_err(name);
                assert!(
                    matches!(error, Error::Limit { what: "max_header_bytes", limit, .. } if limit == 64 << 20),
                    "{name}: {error}"
                );
                assert!(taken < (64 << 20) * 2 + BESIDE, "{name}: {taken} bytes");
            }
            // 32 MiB of pixels are no header.
            let pixels = blank::description(8, EXPLICIT, [4096, 8192], 1)
                .raw(b"\xE0\x7F\x10\x00OB\x00\x00\x00\x00\x00\x02");
            let limits = Limits::default().with_max_header_bytes(2 << 20);
            let (read, taken) = peak(|| Dicom::read(deflated(&pixels, 32), &limits));
            let read = read.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(read.frame(0).expect("pixels").values().len(), 32 << 20);
            assert!(taken < (32 << 20) * 2 + BESIDE, "{taken} bytes");
        },
    );
}

#[test]
fn a_volume_takes_no_more_than_allowed() {
    measured("a_volume_takes_no_more_than_allowed", || {
        let (side, frames) = (512, 100);
        let stream = blank::jpeg_2000(side, side, 1, USUAL);
        let many = vec![stream.as_slice(); frames];
        let bytes = blank::description(8, JPEG_2000, [side, side], 1)
            .text(0x0028, 0x0008, b"IS", &frames.to_string())
            .text(0x0020, 0x0032, b"DS", "0\\0\\0")
            .text(0x0020, 0x0037, b"DS", "1\\0\\0\\0\\1\\0")
            .fragments(&many)
            .file();
        assert!(bytes.len() < 20_000, "{} bytes", bytes.len());
        let whole = (side * side * frames * 4) as u64;
        let open = |most| {
            let limits = Limits::default().with_max_volume_bytes(most);
            [Dicom::read(bytes.clone(), &limits).expect("a file")]
        };
        let files = open(whole - 1);
        let (outcome, taken) = reserved(|| Volume::from_dicom(&files));
        let error = outcome.expect_err("one byte more");
        assert!(
            matches!(error, Error::Limit { what: "max_volume_bytes", found, .. } if found == whole),
            "{error}"
        );
        assert!(taken < BESIDE, "{taken} bytes");
        // All lie in one place, which is found behind the limit.
        let error = Volume::from_dicom(&open(whole)).expect_err("in one place");
        assert!(matches!(error, Error::Series { .. }), "{error}");

        let mut file = blank::nifti(100, 100, 100);
        file.resize(file.len() + 1_000_000, 0);
        for (most, allowed) in [(4_000_000, true), (3_999_999, false)] {
            let limits = Limits::default().with_max_volume_bytes(most);
            let volume = Nifti::read(file.clone(), &limits).and_then(|file| file.volume(0));
            assert_eq!(volume.is_ok(), allowed, "{most}");
        }
    });
}

fn open(bytes: Vec<u8>, limits: &SlideLimits) -> medgemma_medical::Result<Slide> {
    Slide::read(Cursor::new(bytes), "tile.svs", limits)
}

#[test]
fn a_tile_takes_what_its_limit_says_and_no_more() {
    measured("a_tile_takes_what_its_limit_says_and_no_more", || {
        const SIDE: usize = 2048;
        let deflate = {
            let mut packer =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            zeros(&mut packer, (SIDE * SIDE * 3) >> 20);
            packer.finish().expect("in memory")
        };
        for (name, compression, photometric, samples, of_sample, tile) in [
            (
                "JPEG",
                7,
                6,
                3,
                4,
                blank::jpeg(Jpeg::Progressive, SIDE, SIDE, 3),
            ),
            (
                "grey JPEG",
                7,
                1,
                1,
                4,
                blank::jpeg(Jpeg::Baseline, SIDE, SIDE, 1),
            ),
            (
                "JPEG 2000",
                33005,
                2,
                3,
                20,
                blank::jpeg_2000(SIDE, SIDE, 3, USUAL),
            ),
            ("deflate", 8, 2, 3, 1, deflate),
        ] {
            let bytes = blank::tiff(SIDE as u32, compression, photometric, samples, &tile);
            let most = (SIDE * SIDE) as u64 * (u64::from(samples) * of_sample + 6);
            let limits = SlideLimits::default().with_max_decoding_bytes(most - 1);
            let error = open(bytes.clone(), &limits).expect_err(name);
            let Error::Slide { problem, .. } = &error else {
                panic!("{name}: {error}");
            };
            let expected = SlideProblem::Limit {
                what: "max_decoding_bytes",
                limit: most - 1,
                found: most,
            };
            assert_eq!(*problem, expected, "{name}");
            let limits = limits.with_max_decoding_bytes(most);
            let mut slide = open(bytes, &limits).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (region, taken) = peak(|| slide.region(0, 0, 0, 8, 8));
            assert_eq!(
                region
                    .unwrap_or_else(|error| panic!("{name}: {error}"))
                    .width(),
                8
            );
            assert!(
                taken <= most + BESIDE,
                "{name}: {taken} bytes, {most} allowed"
            );
            assert!(taken * 3 > most, "{name}: {taken} bytes, {most} allowed");
        }
    });
}

#[test]
fn tiles_that_no_scanner_writes_are_refused_when_the_slide_is_opened() {
    measured(
        "tiles_that_no_scanner_writes_are_refused_when_the_slide_is_opened",
        || {
            let limits = SlideLimits::default();
            for (side, compression, what) in [
                (8192, 7, "max_tile_side is 8192, limit 4096"),
                (
                    4096,
                    33005,
                    "max_decoding_bytes is 1107296256, limit 536870912",
                ),
            ] {
                let (outcome, taken) =
                    peak(|| open(blank::tiff(side, compression, 2, 3, &[0; 64]), &limits));
                let error = outcome.expect_err(what).to_string();
                assert!(error.contains(what), "{error}");
                assert!(taken < BESIDE, "{taken} bytes");
            }
            // JPEG of 4096 a side may be, but not in a hundred bytes.
            let short = blank::jpeg(Jpeg::Baseline, 4096, 4096, 3);
            let bytes = blank::tiff(4096, 7, 2, 3, &short[..200]);
            let mut slide = open(bytes, &limits).expect("a slide");
            let (region, taken) = peak(|| slide.region(0, 0, 0, 8, 8));
            let error = region.expect_err("too short").to_string();
            assert!(
                error.contains("announces more than its bytes can hold"),
                "{error}"
            );
            assert!(taken < BESIDE, "{taken} bytes");
        },
    );
}
