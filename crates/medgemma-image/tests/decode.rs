//! PNG of every kind, alpha, 16 bits and EXIF orientation against Pillow 13.0.0 (16 bits: against `round(v / 257)`).

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::io::Cursor;

use image::{ExtendedColorType, ImageFormat};
use medgemma_image::{Alpha, Crop, DecodeOptions, Error, Image, Limits};

#[test]
fn every_kind_of_png_equals_the_reference() {
    let golden = support::bytes("decode.safetensors");
    // 8 grey and palette depths, 3 direct, 3 with tRNS, 2 interlaced and 1 with gamma, twice; 8 of 16 bits.
    assert_eq!(golden.len(), 17 * 2 + 8);
    for (name, (shape, expected)) in &golden {
        let (file, alpha) = name.split_once('/').unwrap();
        let alpha = match alpha {
            "drop" => Alpha::Drop,
            _ => Alpha::OverWhite,
        };
        let options = DecodeOptions::default().with_alpha(alpha);
        let image = Image::open_with(support::file(&format!("{file}.png")), &options).unwrap();
        assert_eq!([image.height(), image.width()], shape[..2], "{name}");
        assert!(image.as_rgb8() == expected, "{name}: samples");
    }
}

#[test]
fn every_sample_under_every_alpha_is_laid_on_white_as_pillow_does() {
    let golden = support::bytes("alpha_table.safetensors");
    let (shape, expected) = &golden["red"];
    assert_eq!(shape, &[256, 256]);
    let options = DecodeOptions::default().with_alpha(Alpha::OverWhite);
    let image = Image::open_with(support::file("alpha_table.png"), &options).unwrap();
    let red: Vec<u8> = image.as_rgb8().chunks_exact(3).map(|p| p[0]).collect();
    assert!(&red == expected);
}

/// Largest and mean difference of two pictures' samples.
fn distance(a: &[u8], b: &[u8]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let sum: f64 = differences.clone().map(f64::from).sum();
    let count = u32::try_from(a.len()).unwrap();
    (differences.max().unwrap(), sum / f64::from(count))
}

#[test]
fn the_eight_exif_orientations_of_png_and_jpeg() {
    let golden = support::bytes("orientation.safetensors");
    assert_eq!(golden.len(), 32);
    for (name, (shape, expected)) in &golden {
        let (file, form) = name.split_once('/').unwrap();
        let options = DecodeOptions::default().with_exif_orientation(form == "turned");
        let image = Image::open_with(support::file(file), &options).unwrap();
        assert_eq!([image.height(), image.width()], shape[..2], "{name}");
        // Flat 8x8 blocks: a JPEG of them decodes to within a level everywhere, a wrong turn is off by dozens.
        let most = if file.ends_with("png") { 0 } else { 1 };
        assert!(distance(image.as_rgb8(), expected).0 <= most, "{name}");
    }
    let turned = Image::open(support::file("orientation_6.png")).unwrap();
    assert_eq!(
        turned.as_rgb8(),
        golden["orientation_6.png/turned"].1,
        "applied by default"
    );
}

#[test]
fn jpeg_stays_within_the_measured_distance_of_libjpeg_turbo() {
    // Measured with zune-jpeg 0.5.15 against the libjpeg-turbo of Pillow 13.0.0: the largest and the mean difference
    // in levels. The inverse transforms round apart, and so does chroma upsampling at the edge of the red patch.
    let measured = [
        ("full", 2, 0.014),
        ("half", 3, 0.175),
        ("quarter", 4, 0.387),
        ("progressive", 4, 0.393),
        ("restarts", 4, 0.393),
        ("grey", 1, 0.007),
    ];
    let golden = support::bytes("jpeg.safetensors");
    assert_eq!(golden.len(), measured.len());
    let mut found = Vec::new();
    for (name, most, mean) in measured {
        let image = Image::open(support::file(&format!("jpeg_{name}.jpg"))).unwrap();
        let (shape, expected) = &golden[name];
        assert_eq!([image.height(), image.width()], shape[..2], "{name}");
        let distance = distance(image.as_rgb8(), expected);
        found.push((name, distance, distance.0 <= most && distance.1 <= mean));
    }
    assert!(found.iter().all(|f| f.2), "{found:?}");
}

#[test]
fn the_content_decides_the_format_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("picture.jpg");
    std::fs::copy(support::file("rgb8.png"), &path).unwrap();
    let expected = Image::open(support::file("rgb8.png")).unwrap();
    assert!(Image::open(path).unwrap() == expected);
}

#[test]
fn buffers_become_pictures() {
    let grey = Image::from_gray16(2, 1, vec![0x1234, 0xFFFF]).unwrap();
    // 0x1234 / 257 = 18.13
    assert_eq!(grey.as_rgb8(), [18, 18, 18, 255, 255, 255]);
    assert_eq!(
        Image::from_gray8(1, 2, vec![3, 4]).unwrap().as_rgb8(),
        [3, 3, 3, 4, 4, 4]
    );
    let rgb = Image::from_rgb8(1, 1, vec![1, 2, 3]).unwrap();
    assert_eq!((rgb.width(), rgb.height()), (1, 1));
    assert_eq!(format!("{rgb:?}"), "Image { width: 1, height: 1, .. }");
    assert_eq!(rgb.into_rgb8(), [1, 2, 3]);
}

/// A PNG file of 2 x 1 pixels of 16 bits.
fn png(color: ExtendedColorType, samples: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = samples.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let mut file = Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut file, &bytes, 2, 1, color, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Two pixels of 12 bits in every layout, with alpha of 16 bits where there is one, and their colours.
const LAYOUTS: [(ExtendedColorType, &[u16], [u16; 6]); 4] = [
    (
        ExtendedColorType::L16,
        &[7, 4095],
        [7, 7, 7, 4095, 4095, 4095],
    ),
    (
        ExtendedColorType::La16,
        &[4095, 65_535, 7, 65_535],
        [4095, 4095, 4095, 7, 7, 7],
    ),
    (
        ExtendedColorType::Rgb16,
        &[0, 900, 2048, 4095, 1, 77],
        [0, 900, 2048, 4095, 1, 77],
    ),
    (
        ExtendedColorType::Rgba16,
        &[0, 900, 2048, 65_535, 33, 1, 4095, 65_535],
        [0, 900, 2048, 33, 1, 4095],
    ),
];

#[test]
fn the_largest_sample_of_16_bits_is_told_and_kept_out_of_debug() {
    for (color, samples, _) in LAYOUTS {
        let image = Image::decode(&png(color, samples), &Limits::default()).unwrap();
        assert_eq!(image.source_maximum(), Some(4095), "{color:?}");
        assert!(!format!("{image:?}").contains("4095"), "{image:?}");
        // The picture is nearly black, which nothing else tells.
        assert!(image.as_rgb8().iter().all(|&v| v <= 16), "{color:?}");
        let crop = Crop {
            x: 0,
            y: 0,
            width: 1,
            height: 1,
        };
        let crop = image.cropped(crop).unwrap();
        let square = image.padded_to_square().unwrap();
        for made in [&crop, &square, &image.clone()] {
            assert_eq!(made.source_maximum(), Some(4095), "{color:?}");
        }
        let same = Image::from_rgb8(2, 1, image.as_rgb8().to_vec()).unwrap();
        assert_eq!((&same, same.source_maximum()), (&image, None));
    }
    for file in ["rgb8.png", "la8.png", "grey1.png", "jpeg_full.jpg"] {
        let image = Image::open(support::file(file)).unwrap();
        assert_eq!(image.source_maximum(), None, "{file}");
    }
    let grey = Image::from_gray16(2, 1, vec![3, 2]).unwrap();
    assert_eq!(grey.source_maximum(), Some(3));
}

#[test]
fn a_picture_that_is_nearly_black_for_want_of_bits_says_so() {
    let grey = |samples: &[u16]| png(ExtendedColorType::L16, samples);
    let bits = |file: &[u8], options: &DecodeOptions| {
        let image = Image::decode_with(file, options).unwrap();
        image.few_bits().map(|few| few.bits)
    };
    let as_they_are = DecodeOptions::default();
    for (most, expected) in [
        (0, None),
        (1, Some(1)),
        (2047, Some(11)),
        (4095, Some(12)),
        (8191, Some(13)),
        (8192, None),
        (65_535, None),
    ] {
        assert_eq!(bits(&grey(&[0, most]), &as_they_are), expected, "{most}");
    }
    let file = grey(&[0, 4095]);
    let image = Image::decode(&file, &Limits::default()).unwrap();
    let sentence = image.few_bits().unwrap().to_string();
    assert!(sentence.contains("12 of its 16 bits"), "{sentence}");
    // Read by its bits it is as bright as it was meant, and one of 8 bits may be as dark as it likes.
    let twelve = as_they_are.clone().with_significant_bits(12);
    assert_eq!(bits(&file, &twelve), None);
    // However dark it was meant.
    assert_eq!(bits(&grey(&[0, 500]), &twelve), None);
    assert_eq!(Image::from_gray8(1, 1, vec![3]).unwrap().few_bits(), None);
}

#[test]
fn the_bits_that_hold_the_picture_can_be_said() {
    let twelve = DecodeOptions::default().with_significant_bits(12);
    let scaled = |v: u16| (f64::from(v) * 255.0 / 4095.0).round();
    for (color, samples, colours) in LAYOUTS {
        for alpha in [Alpha::Drop, Alpha::OverWhite] {
            let options = twelve.clone().with_alpha(alpha);
            let image = Image::decode_with(&png(color, samples), &options).unwrap();
            let found: Vec<f64> = image.as_rgb8().iter().copied().map(f64::from).collect();
            assert_eq!(found, colours.map(scaled), "{color:?} {alpha:?}");
            assert_eq!(image.source_maximum(), Some(4095), "{color:?}");
        }
    }
    // Alpha has 16 bits all the same: 0x8080 is half, 128 of 255, and black is laid on white as 127.
    let half = png(ExtendedColorType::La16, &[0, 0x8080, 0, 0x8080]);
    let on_white = twelve.clone().with_alpha(Alpha::OverWhite);
    let image = Image::decode_with(&half, &on_white).unwrap();
    assert_eq!(image.as_rgb8(), [127; 6]);
    // Files of 8 bits are as they are.
    let path = support::file("la8.png");
    assert_eq!(
        Image::open_with(&path, &twelve).unwrap(),
        Image::open(&path).unwrap()
    );
}

#[test]
fn samples_beyond_the_bits_that_were_said_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chest.png");
    std::fs::write(&path, png(ExtendedColorType::L16, &[7, 4096])).unwrap();
    let read =
        |bits| Image::open_with(&path, &DecodeOptions::default().with_significant_bits(bits));
    for bits in 13..=16 {
        read(bits).unwrap();
    }
    let error = read(12).unwrap_err();
    let fits = matches!(
        error,
        Error::BeyondSignificantBits {
            expected: 12,
            found: 13,
            ..
        }
    );
    assert!(fits, "{error:?}");
    let told = format!("{error} {error:?}");
    for part in [
        path.to_str().unwrap(),
        "12 significant bits",
        "found one of 13",
        "raise",
    ] {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    assert!(!told.contains("4096"), "a sample is told: {told}");
    for bits in [0, 17, 255] {
        let error = read(bits).unwrap_err();
        assert!(
            matches!(error, Error::SignificantBits { found } if found == bits),
            "{error}"
        );
        let told = error.to_string();
        assert!(
            told.contains("`significant_bits`") && told.contains("1 to 16"),
            "{told}"
        );
    }
}
