//! PNG of every kind, alpha, 16 bits and EXIF orientation against Pillow 13.0.0 (16 bits: against `round(v / 257)`).

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use medgemma_image::{Alpha, DecodeOptions, Image};

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
