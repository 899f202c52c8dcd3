//! What must not decode: too large, cut short, damaged, of another format. Nothing here may panic or hang.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::error::Error as _;
use std::time::{Duration, Instant};

use medgemma_image::{Crop, DecodeOptions, Error, Image, ImageProcessor, Limits, Pixels};
use proptest::prelude::*;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(support::file(name)).unwrap()
}

#[test]
fn each_limit_is_named_when_it_is_exceeded() {
    // 19x13, 16-bit RGBA: 8 bytes a pixel, and 3 more for the 8-bit picture.
    let bytes = read("rgba16.png");
    let exact = Limits::default()
        .with_max_size(19, 13)
        .with_max_pixels(247)
        .with_max_alloc(247 * 11)
        .with_max_file_bytes(bytes.len() as u64);
    assert!(
        Image::decode(&bytes, &exact).is_ok(),
        "every limit is inclusive"
    );
    let refusals = [
        (exact.clone().with_max_size(18, 13), "max_width"),
        (exact.clone().with_max_size(19, 12), "max_height"),
        (exact.clone().with_max_pixels(246), "max_pixels"),
        (exact.clone().with_max_alloc(247 * 11 - 1), "max_alloc"),
        (
            exact.clone().with_max_file_bytes(bytes.len() as u64 - 1),
            "max_file_bytes",
        ),
    ];
    for (limits, name) in refusals {
        let error = Image::decode(&bytes, &limits).unwrap_err();
        assert!(
            matches!(error, Error::Limit { what, .. } if what == name),
            "{error}"
        );
        assert!(error.to_string().contains(&format!("Limits::{name}")));
    }
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let options = DecodeOptions::default().with_limits(Limits::default().with_max_file_bytes(100));
    let path = support::file("noise_37x53.png");
    let error = Image::open_with(&path, &options).unwrap_err();
    assert!(matches!(
        error,
        Error::Limit {
            what: "max_file_bytes",
            limit: 100,
            ..
        }
    ));
    assert!(error.to_string().contains("noise_37x53.png"), "{error}");
}

/// It would be waited for.
#[cfg(unix)]
#[test]
fn a_pipe_is_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chest.png");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let error = Image::open(&path).unwrap_err();
    assert!(
        matches!(&error, Error::Io { path: found, .. } if *found == path),
        "{error}"
    );
}

/// A PNG of one chunk `IHDR` with these dimensions and its right check sum, and nothing behind it but `IEND`.
fn lying_png(width: u32, height: u32) -> Vec<u8> {
    let mut head = b"IHDR".to_vec();
    head.extend(width.to_be_bytes());
    head.extend(height.to_be_bytes());
    head.extend([16, 6, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(&head);
    png.extend(crc32(&head).to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    png.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    png
}

/// The check sum of PNG (W3C PNG annex D).
fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
    !data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), step)
    })
}

#[test]
fn a_header_that_lies_costs_nothing() {
    // 2^31-1 squared at 8 bytes a pixel would be 2^65 bytes.
    let error = Image::decode(&lying_png(0x7FFF_FFFF, 0x7FFF_FFFF), &Limits::default());
    assert!(matches!(
        error,
        Err(Error::Limit {
            what: "max_width",
            ..
        })
    ));
    let error = Image::decode(&lying_png(32_768, 32_768), &Limits::default());
    assert!(matches!(
        error,
        Err(Error::Limit {
            what: "max_pixels",
            ..
        })
    ));
    let error = Image::decode(&lying_png(8192, 8192), &Limits::default());
    assert!(matches!(
        error,
        Err(Error::Limit {
            what: "max_alloc",
            ..
        })
    ));
    // Within the limits, but there is no data.
    let error = Image::decode(&lying_png(64, 64), &Limits::default());
    assert!(matches!(error, Err(Error::Corrupt { .. })), "{error:?}");
    // No pixels at all.
    let error = Image::decode(&lying_png(0, 64), &Limits::default());
    assert!(matches!(error, Err(Error::Corrupt { .. })), "{error:?}");
    // A JPEG whose frame header (SOF0: length, precision, height, width) claims 65535x65535.
    let mut jpeg = read("jpeg_full.jpg");
    let frame = jpeg.windows(2).position(|m| m == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xFF);
    let error = Image::decode(&jpeg, &Limits::default());
    assert!(matches!(
        error,
        Err(Error::Limit {
            what: "max_width",
            ..
        })
    ));
}

#[test]
fn every_truncation_is_an_error() {
    let files = [
        "rgb8.png",
        "palette8_trns.png",
        "rgb8_interlaced.png",
        "jpeg_quarter.jpg",
        "jpeg_progressive.jpg",
        "orientation_6.jpg",
    ];
    for name in files {
        let bytes = read(name);
        for length in 0..bytes.len() {
            let error = Image::decode(&bytes[..length], &Limits::default()).unwrap_err();
            // The signature of PNG is 8 bytes, of JPEG 3.
            let signature = if name.ends_with("png") { 8 } else { 3 };
            match error {
                Error::Format { .. } => assert!(length < signature, "{name} cut to {length}"),
                Error::Truncated { .. } => assert!(length >= signature, "{name} cut to {length}"),
                other => panic!("{name} cut to {length}: {other}"),
            }
        }
    }
}

#[test]
fn damaged_data_is_an_error_with_its_cause() {
    let mut png = read("noise_37x53.png");
    let middle = png.len() / 2;
    png[middle] ^= 0x10;
    let error = Image::decode(&png, &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { format: "PNG", .. }));
    assert!(error.source().is_some());
}

#[test]
fn a_palette_of_another_length_is_an_error() {
    // Found by fuzzing: `png` 0.18.1 panics on these. A right palette of 16 colours, then its length changed.
    let bytes = read("palette4.png");
    let at = bytes.windows(4).position(|kind| kind == b"PLTE").unwrap();
    assert_eq!(bytes[at - 4..at], 48u32.to_be_bytes());
    for length in [0, 1, 2, 3, 46, 47, 48, 49, 768, 769, 771, 3000] {
        let mut chunk = b"PLTE".to_vec();
        chunk.extend(bytes[at + 4..at + 52].iter().cycle().take(length));
        let mut file = bytes[..at - 4].to_vec();
        file.extend(u32::try_from(length).unwrap().to_be_bytes());
        file.extend(&chunk);
        file.extend(crc32(&chunk).to_be_bytes());
        file.extend(&bytes[at + 56..]);
        let result = Image::decode(&file, &Limits::default());
        if [3, 48, 768].contains(&length) {
            assert!(result.is_ok(), "{length}: {result:?}");
        } else {
            assert!(matches!(result, Err(Error::Corrupt { .. })), "{length}");
        }
    }
}

/// A JPEG with these segments between its begin and the rest.
fn with_segments(jpeg: &[u8], segments: &[u8]) -> Vec<u8> {
    [&jpeg[..2], segments, &jpeg[2..]].concat()
}

/// A segment of extended XMP: an identity, the length of the whole, and where this part lies in it.
fn extended_xmp(whole: u32, offset: u32, data: &[u8]) -> Vec<u8> {
    let mut body = b"http://ns.adobe.com/xmp/extension/\0".to_vec();
    body.extend([b'A'; 32]);
    body.extend(whole.to_be_bytes());
    body.extend(offset.to_be_bytes());
    body.extend(data);
    let length = u16::try_from(body.len() + 2).unwrap();
    [&[0xFF, 0xE1], &length.to_be_bytes()[..], &body].concat()
}

/// `zune-jpeg` 0.5.15 goes through all parts of extended XMP after each marker until they are whole: such a file of 1 MB
/// took it twenty seconds, one of twenty times the length would have taken hours.
#[test]
fn metadata_that_never_become_whole_cost_nothing() {
    let jpeg = read("jpeg_full.jpg");
    let plain = Image::decode(&jpeg, &Limits::default()).unwrap();
    let parts = extended_xmp(1 << 30, 1, b"").repeat(4_000);
    // Empty comments. Of the bytes between a marker's two, decoders pass over FF, and this one over 0.
    for marker in [&b"\xFF\xFE\0\x02"[..], b"\xFF\0\xFE\0\x02"] {
        let file = with_segments(&jpeg, &[&parts, &marker.repeat(200_000)[..]].concat());
        let begun = Instant::now();
        let decoded = Image::decode(&file, &Limits::default()).unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        assert!(decoded == plain);
    }
    // One that the walk of this crate does not see as a segment, and the decoder does.
    let mut hidden = extended_xmp(1 << 30, 1, b"");
    hidden.insert(1, 0);
    let file = with_segments(
        &jpeg,
        &[hidden.repeat(4_000), b"\xFF\xFE\0\x02".repeat(200_000)].concat(),
    );
    let begun = Instant::now();
    assert!(Image::decode(&file, &Limits::default()).unwrap() == plain);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // Whole, as a camera writes them: the picture as before.
    let [first, second] = [(0, [b'x'; 60_000]), (60_000, [b'y'; 60_000])];
    let parts = [first, second].map(|(offset, data)| extended_xmp(120_000, offset, &data));
    let file = with_segments(&jpeg, &parts.concat());
    assert!(Image::decode(&file, &Limits::default()).unwrap() == plain);
}

/// The header of the last scan, which the decoder takes for one more wherever it is put.
fn scan_header(jpeg: &[u8]) -> &[u8] {
    let at = jpeg.windows(2).rposition(|m| m == [0xFF, 0xDA]).unwrap();
    &jpeg[at..at + 2 + usize::from(jpeg[at + 3])]
}

/// At each scan of a few bytes the decoder goes through a row of blocks or more.
#[test]
fn more_scans_than_a_picture_has_are_refused() {
    for (name, has, most) in [("jpeg_full.jpg", 1, 4), ("jpeg_progressive.jpg", 10, 100)] {
        let jpeg = read(name);
        let (picture, end) = jpeg.split_at(jpeg.len() - 2);
        assert_eq!(end, [0xFF, 0xD9]);
        let of = |scans: usize| [picture, &scan_header(&jpeg).repeat(scans - has), end].concat();
        assert!(Image::decode(&of(most), &Limits::default()).is_ok());
        let error = Image::decode(&of(most + 1), &Limits::default()).unwrap_err();
        let cause = error.source().unwrap().to_string();
        let (found, most) = (
            format!("{} scans", most + 1),
            format!("has {most} or fewer"),
        );
        assert!(cause.contains(&found) && cause.contains(&most), "{cause}");
    }
}

#[test]
fn scans_that_the_walk_does_not_see_are_counted() {
    let jpeg = read("jpeg_full.jpg");
    let picture = [&jpeg[..jpeg.len() - 2], &scan_header(&jpeg).repeat(100)].concat();
    // To the walk a comment up to the end marker; to the decoder a segment of an application, four bytes long.
    let length = u16::try_from(picture.len()).unwrap();
    let hides = [b"\xFF\0\xE5\0\x06\xFF\xFE", &length.to_be_bytes()[..]].concat();
    let file = [
        &with_segments(&picture, &hides)[..],
        &jpeg[jpeg.len() - 2..],
    ]
    .concat();
    let error = Image::decode(&file, &Limits::default()).unwrap_err();
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("101 scans"), "{cause}");
}

#[test]
fn other_formats_are_named() {
    let found = |bytes: &[u8]| match Image::decode(bytes, &Limits::default()).unwrap_err() {
        Error::Format { found, .. } => found,
        other => panic!("{other}"),
    };
    assert_eq!(found(b"GIF89a\x01\0\x01\0"), "Gif");
    assert_eq!(found(b"%PDF-1.7"), "first bytes 25 50 44 46 2d 31 2e 37");
    assert_eq!(found(b""), "no bytes");
    let error = Image::open("no/such/file.png").unwrap_err();
    assert!(
        error.to_string().starts_with("no/such/file.png: "),
        "{error}"
    );
}

#[test]
fn buffers_that_do_not_fit_are_refused() {
    assert!(matches!(
        Image::from_rgb8(2, 2, vec![0; 11]),
        Err(Error::Buffer {
            expected: 12,
            found: 11,
            ..
        })
    ));
    assert!(matches!(
        Image::from_gray8(0, 2, vec![]),
        Err(Error::Empty { .. })
    ));
    assert!(Image::from_gray16(2, 2, vec![0; 5]).is_err());
    assert!(Image::from_rgb8(usize::MAX, usize::MAX, vec![0; 3]).is_err());
    assert!(Image::from_gray8(usize::MAX, 2, vec![]).is_err());
    let image = Image::from_rgb8(2, 2, vec![0; 12]).unwrap();
    for (x, y, width, height) in [
        (1, 0, 2, 1),
        (0, 2, 1, 1),
        (0, 0, 0, 1),
        (usize::MAX, 0, 2, 1),
    ] {
        let crop = Crop {
            x,
            y,
            width,
            height,
        };
        assert!(matches!(image.cropped(crop), Err(Error::Crop { .. })));
    }
}

/// A strip of some megabytes is no square of gigabytes: 32 768 squared, three bytes each, are 3.2 GB, and five million
/// squared abort the process.
#[test]
fn a_strip_is_not_padded_to_a_square_of_gigabytes() {
    for (width, height) in [(32_768, 1), (1, 32_768), (5_000_000, 1), (13_378, 1)] {
        let strip = Image::from_gray8(width, height, vec![7; width * height]).unwrap();
        let processor = ImageProcessor::medsiglip().with_pad_to_square(true);
        let refused = [
            strip.padded_to_square().map(drop),
            processor.process(&strip).map(drop),
            processor.num_crops(&strip).map(drop),
        ];
        let side = width.max(height);
        for error in refused.map(Result::unwrap_err) {
            assert!(
                matches!(error, Error::Padding { side: found, limit: 178_956_970, .. } if found == side),
                "{error}"
            );
            let told = error.to_string();
            for word in [
                format!("{width}x{height}"),
                format!("{side}x{side}"),
                "178956970 pixels".to_owned(),
                "crop or shrink".to_owned(),
            ] {
                assert!(told.contains(&word), "{word}: {told}");
            }
        }
        // Stretched, as by default, it is a picture as any other.
        assert!(ImageProcessor::medsiglip().process(&strip).is_ok());
    }
    // The limit is inclusive, can be set, and is none for what is a square.
    let strip = Image::from_gray8(3, 1, vec![7; 3]).unwrap();
    let square = strip.padded_to_square_within(9).unwrap();
    assert_eq!((square.width(), square.height()), (3, 3));
    assert!(strip.padded_to_square_within(8).is_err());
    let within = square.padded_to_square_within(0).unwrap();
    assert!(within == square);
}

/// The fields of pixels are public, and what a tensor is made of must be whole.
#[test]
fn pixels_whose_fields_disagree_are_refused() {
    let of = |numbers: usize, shape| {
        let data = vec![0.0; numbers];
        Pixels { data, shape }.check()
    };
    assert!(of(24, [3, 2, 4]).is_ok());
    assert!(of(8, [1, 2, 4]).is_ok() && of(24, [1, 2, 4]).is_err());
    for (numbers, shape) in [
        (23, [3, 2, 4]),
        (25, [3, 2, 4]),
        (0, [3, 2, 4]),
        (24, [3, 4, 4]),
    ] {
        let error = of(numbers, shape).unwrap_err();
        let expected = shape.iter().product::<usize>();
        assert!(
            matches!(error, Error::Buffer { expected: wanted, found, .. } if (wanted, found) == (expected, numbers)),
            "{error}"
        );
    }
    assert!(matches!(
        of(5, [3, usize::MAX, usize::MAX]),
        Err(Error::Buffer { found: 5, .. })
    ));
    assert!(matches!(of(0, [3, 0, 4]), Err(Error::Empty { .. })));
    assert!(matches!(of(0, [3, 4, 0]), Err(Error::Empty { .. })));
}

/// A file of the goldens with bytes changed, removed and doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let names = [
        "rgb8.png",
        "palette4_interlaced.png",
        "palette8_trns.png",
        "la16.png",
        "orientation_5.png",
        "jpeg_quarter.jpg",
        "jpeg_progressive.jpg",
        "jpeg_restarts.jpg",
        "orientation_3.jpg",
    ];
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..9);
    (proptest::sample::select(names.to_vec()), edits).prop_map(|(name, edits)| {
        let mut bytes = read(name);
        for (at, value, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 | 1 => bytes[at] = value,
                2 => drop(bytes.drain(at..(at + usize::from(value)).min(bytes.len()))),
                _ => bytes.insert(at, value),
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A damaged file gives an error or a picture of the size its header says, within the limits; never a panic.
    #[test]
    fn decoding_damaged_files_never_panics(bytes in mutated()) {
        let limits = Limits::default().with_max_pixels(1 << 16);
        if let Ok(image) = Image::decode(&bytes, &limits) {
            prop_assert!(image.width() * image.height() <= 1 << 16);
            prop_assert_eq!(image.as_rgb8().len(), image.width() * image.height() * 3);
        }
    }

    /// Nor do bytes behind a right signature.
    #[test]
    fn decoding_noise_never_panics(png in any::<bool>(), noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let signature: &[u8] = if png { b"\x89PNG\r\n\x1a\n" } else { b"\xff\xd8\xff" };
        let bytes = [signature, &noise].concat();
        let result = Image::decode(&bytes, &Limits::default().with_max_pixels(1 << 16));
        prop_assert!(result.is_err() || bytes.len() > 100);
    }
}
