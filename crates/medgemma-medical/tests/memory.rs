//! How much memory a file takes, by the peak that the system saw: as much as the limits in force say, whatever the file
//! announces. Small files that announce much are refused before anything is reserved for it.
#![cfg(target_os = "linux")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers of files made for the test are small"
)]

mod support;

use std::io::{Cursor, Write as _};
use std::process::Command;

use medgemma_medical::{Dicom, Error, Limits, Nifti, Slide, SlideLimits, SlideProblem, Volume};
use support::blank::{self, Cut, Jpeg, USUAL};
use support::writer::{EXPLICIT, Writer};

/// What is not the picture: code, the heap's own, rounding.
const BESIDE: u64 = 4 << 20;

/// Runs a test's body in a process of its own, in which what is freed goes back to the system at once: what was kept would
/// hide what is taken next.
fn measured(test: &str, body: impl FnOnce()) {
    const FREED_AT_ONCE: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "65536");
    if std::env::var_os(FREED_AT_ONCE.0).is_some() {
        return body();
    }
    let run = Command::new(std::env::current_exe().expect("a test"))
        .args([test, "--exact", "--nocapture"])
        .env(FREED_AT_ONCE.0, FREED_AT_ONCE.1)
        .output()
        .expect("a process");
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("of Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.expect("a peak").trim().trim_end_matches("kB").trim();
    kilobytes.parse::<u64>().expect("a number") * 1024
}

/// What `work` gives, and the most bytes that were resident in it beyond those before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, u64) {
    std::fs::write("/proc/self/clear_refs", "5").expect("of Linux");
    let before = resident();
    let found = work();
    (found, resident().saturating_sub(before))
}

const RLE: &str = "1.2.840.10008.1.2.5";
const JPEG: &str = "1.2.840.10008.1.2.4.50";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.57";
const JPEG_LS: &str = "1.2.840.10008.1.2.4.80";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

/// A grey picture of 8 bits, or a colour one.
fn header(syntax: &str, rows: usize, columns: usize, samples: u16) -> Writer {
    header_of_bits(8, syntax, rows, columns, samples)
}

fn header_of_bits(bits: u16, syntax: &str, rows: usize, columns: usize, samples: u16) -> Writer {
    let name = if samples == 1 { "MONOCHROME2" } else { "RGB" };
    Writer::new(syntax)
        .us(0x0028, 0x0002, samples)
        .text(0x0028, 0x0004, b"CS", name)
        .us(0x0028, 0x0006, 0)
        .us(0x0028, 0x0010, rows as u16)
        .us(0x0028, 0x0011, columns as u16)
        .us(0x0028, 0x0100, bits)
        .us(0x0028, 0x0101, bits)
}

fn file(syntax: &str, side: usize, samples: u16, stream: &[u8]) -> Vec<u8> {
    header(syntax, side, side, samples)
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
            let header = header_of_bits(bits, syntax, SIDE, SIDE, samples);
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
    let (outcome, taken) = peak(|| {
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
        let precincts = Cut {
            layers: 1,
            precinct: Some(1),
            ..USUAL
        };
        for (name, cut) in [("layers", layers), ("precincts", precincts)] {
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

/// Zeros by the mebibyte, which deflate to a thousandth.
fn zeros(packer: &mut impl std::io::Write, mebibytes: usize) {
    for _ in 0..mebibytes {
        packer.write_all(&vec![0; 1 << 20]).expect("in memory");
    }
}

/// A NIfTI-1 header of bytes.
fn nifti(columns: i16, rows: i16, planes: i16) -> Vec<u8> {
    let mut header = vec![0; 352];
    header[..4].copy_from_slice(&348i32.to_le_bytes());
    for (place, side) in [3, columns, rows, planes].into_iter().enumerate() {
        header[40 + 2 * place..][..2].copy_from_slice(&side.to_le_bytes());
    }
    header[70] = 2;
    header[108..112].copy_from_slice(&352f32.to_le_bytes());
    header[344..348].copy_from_slice(b"n+1\0");
    header
}

#[test]
fn of_a_gzipped_file_no_more_is_unpacked_than_its_header_says() {
    measured(
        "of_a_gzipped_file_no_more_is_unpacked_than_its_header_says",
        || {
            let packed = |header: &[u8], mebibytes| {
                let mut packer =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(header).expect("in memory");
                zeros(&mut packer, mebibytes);
                packer.finish().expect("in memory")
            };
            let bomb = packed(&nifti(2, 3, 2), 256);
            let (volume, taken) =
                peak(|| Nifti::read(bomb, &Limits::default()).and_then(|f| f.volume(0)));
            assert_eq!(volume.expect("a small picture").planes.len(), 2);
            assert!(taken < BESIDE, "{taken} bytes");
            // 64 MiB, with the header.
            let (limits, whole) = (
                Limits::default().with_max_decompressed_bytes(64 << 20),
                64 << 20,
            );
            let large = packed(&nifti(256, 256, 1024), 64);
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
            let small = header(EXPLICIT, 2, 2, 1).element(0x7FE0, 0x0010, b"OB", &[1, 2, 3, 4]);
            let before =
                header(EXPLICIT, 2, 2, 1).raw(b"\x09\x00\x00\x10OB\x00\x00\x00\x00\x00\x10");
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
            let pixels =
                header(EXPLICIT, 4096, 8192, 1).raw(b"\xE0\x7F\x10\x00OB\x00\x00\x00\x00\x00\x02");
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
        let bytes = header(JPEG_2000, side, side, 1)
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
        let (outcome, taken) = peak(|| Volume::from_dicom(&files));
        let error = outcome.expect_err("one byte more");
        assert!(
            matches!(error, Error::Limit { what: "max_volume_bytes", found, .. } if found == whole),
            "{error}"
        );
        assert!(taken < BESIDE, "{taken} bytes");
        // All lie in one place, which is found behind the limit.
        let error = Volume::from_dicom(&open(whole)).expect_err("in one place");
        assert!(matches!(error, Error::Series { .. }), "{error}");

        let mut file = nifti(100, 100, 100);
        file.resize(file.len() + 1_000_000, 0);
        for (most, allowed) in [(4_000_000, true), (3_999_999, false)] {
            let limits = Limits::default().with_max_volume_bytes(most);
            let volume = Nifti::read(file.clone(), &limits)
                .expect("a file")
                .volume(0);
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
                error.contains("shorter than any JPEG of its size"),
                "{error}"
            );
            assert!(taken < BESIDE, "{taken} bytes");
        },
    );
}
