//! Slides against openslide 4.0 and tifffile (`golden/generate_slides.py`): sizes and levels equal, lossless tiles bit
//! for bit, JPEG tiles within what two decoders differ by.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod support;

use std::path::Path;

use medgemma_image::Image;
use medgemma_medical::{AssociatedKind, Error, Slide, SlideLimits};
use support::golden::{Golden, slide};

fn golden() -> Golden {
    Golden::open("slides.safetensors")
}

fn open(name: &str) -> Slide {
    Slide::open(slide(name)).unwrap()
}

fn whole(slide: &mut Slide, level: usize) -> Image {
    let found = slide.levels()[level];
    slide
        .region(level, 0, 0, found.width, found.height)
        .unwrap()
}

/// Largest and mean difference.
fn apart(found: &[u8], expected: &[u8]) -> (u8, f64) {
    assert_eq!(found.len(), expected.len());
    let pairs = found.iter().zip(expected);
    let differences: Vec<u8> = pairs.map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: u64 = differences.iter().map(|&d| u64::from(d)).sum();
    let most = differences.iter().max().copied().unwrap_or_default();
    (most, sum as f64 / differences.len() as f64)
}

/// Rows and columns of an RGB picture.
fn cut(image: &[u8], width: usize, [x, y, w, h]: [usize; 4]) -> Vec<u8> {
    let rows = image.chunks(width * 3).skip(y).take(h);
    rows.flat_map(|row| &row[x * 3..(x + w) * 3])
        .copied()
        .collect()
}

#[test]
fn sizes_levels_and_numbers_are_openslides() {
    for name in [
        "pyramid_jpeg",
        "rgb_in_jpeg",
        "lzw_big_endian",
        "deflate_missing",
        "raw_alpha",
    ] {
        let found = open(&format!("{name}.tif"));
        let (_, sizes) = golden().integers(&format!("{name}.sizes"));
        let levels = found.levels().iter();
        let found_sizes: Vec<i32> = levels
            .flat_map(|l| [l.width, l.height])
            .map(|s| s as i32)
            .collect();
        assert_eq!(found_sizes, sizes, "{name}");
        if name.contains("jpeg") {
            let (_, downsamples) = golden().floats(&format!("{name}.downsamples"));
            let found: Vec<f32> = found.levels().iter().map(|l| l.downsample as f32).collect();
            assert_eq!(found, downsamples, "{name}");
        }
    }
    let found = open("pyramid_jpeg.tif");
    assert_eq!(
        (found.microns_per_pixel(), found.objective_power()),
        (Some(0.499), Some(20.0))
    );
    assert!((found.magnification().unwrap() - 20.04).abs() < 0.01);
    let found = open("rgb_in_jpeg.tif");
    assert_eq!(
        (found.microns_per_pixel(), found.magnification()),
        (None, Some(40.0))
    );
    let found = open("deflate_missing.tif");
    assert_eq!(
        (found.microns_per_pixel(), found.magnification()),
        (Some(0.25), Some(40.0))
    );
    assert_eq!(
        open("raw_alpha.tif").magnification(),
        None,
        "72 dpi is no microscope"
    );
}

#[test]
fn pictures_beside_the_pyramid_are_told_apart() {
    let found = open("pyramid_jpeg.tif");
    let kinds: Vec<_> = found
        .associated()
        .iter()
        .map(|a| (a.kind, a.width, a.height))
        .collect();
    let expected = [
        (AssociatedKind::Thumbnail, 37, 27),
        (AssociatedKind::Label, 30, 40),
        (AssociatedKind::Macro, 60, 20),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn lossless_tiles_are_equal_bit_for_bit() {
    let (_, source) = golden().bytes("source");
    for name in ["lzw_big_endian", "raw_alpha"] {
        let mut found = open(&format!("{name}.tif"));
        assert_eq!(whole(&mut found, 0).as_rgb8(), source, "{name}");
    }
    let mut grey = open("packbits_white_is_zero.tif");
    let expected: Vec<u8> = source.chunks(3).flat_map(|p| [p[1]; 3]).collect();
    assert_eq!(whole(&mut grey, 0).as_rgb8(), expected);
}

#[test]
fn tiles_that_are_not_stored_are_white() {
    let (_, mut expected) = golden().bytes("source");
    // Tiles 1 and 7 of five a row.
    for (column, row) in [(1, 0), (2, 1)] {
        for y in row * 32..(row + 1) * 32 {
            expected[(y * 150 + column * 32) * 3..][..96].fill(255);
        }
    }
    assert_eq!(
        whole(&mut open("deflate_missing.tif"), 0).as_rgb8(),
        expected
    );
}

#[test]
fn jpeg_tiles_differ_by_the_decoder_only() {
    // YCbCr at 4:2:0: two decoders interpolate colours in their own ways.
    let bounds = [
        ("pyramid_jpeg", 0, 4, 0.4),
        ("pyramid_jpeg", 1, 4, 0.4),
        ("rgb_in_jpeg", 0, 1, 0.01),
    ];
    for (name, level, most, mean) in bounds {
        let (shape, expected) = golden().bytes(&format!("{name}.{level}"));
        let found = whole(&mut open(&format!("{name}.tif")), level);
        assert_eq!([found.height(), found.width(), 3], shape[..]);
        let (largest, average) = apart(found.as_rgb8(), &expected);
        println!("{name} {level}: largest {largest}, mean {average:.3}");
        assert!(
            largest <= most && average <= mean,
            "{name} {level}: {largest}, {average}"
        );
    }
}

#[test]
fn jpeg_2000_tiles_are_openslides() {
    let (_, source) = golden().bytes("source");
    let found = whole(&mut open("jpeg2000.tif"), 0);
    assert_eq!(found.as_rgb8(), source);
    // Luminance and two differences, for each pair of pixels or for each, turned into colours by tables there.
    for name in ["jpeg2000_ycbcr", "jpeg2000_ycbcr_whole"] {
        let (_, expected) = Golden::open("slides_jpeg2000.safetensors").bytes(name);
        let found = whole(&mut open(&format!("{name}.tif")), 0);
        let (largest, average) = apart(found.as_rgb8(), &expected);
        println!("{name}: largest {largest}, mean {average:.4}");
        assert!(
            largest <= 1 && average <= 0.01,
            "{name}: {largest}, {average}"
        );
    }
}

#[test]
fn a_jpeg_2000_header_larger_than_its_tile_is_refused() {
    let mut file = std::fs::read(slide("jpeg2000.tif")).unwrap();
    let start = file
        .windows(4)
        .position(|marker| marker == [0xFF, 0x4F, 0xFF, 0x51])
        .unwrap();
    // Width of the picture, and of its only tile: ISO/IEC 15444-1, A.5.1.
    for place in [8, 24] {
        file[start + place..][..4].copy_from_slice(&33u32.to_be_bytes());
    }
    let limits = SlideLimits::default();
    let mut found = Slide::read(std::io::Cursor::new(file), "wide.svs", &limits).unwrap();
    let text = found.region(0, 0, 0, 1, 1).unwrap_err().to_string();
    assert!(
        text.contains("wide.svs") && text.contains("larger than the tile"),
        "{text}"
    );
}

#[test]
fn every_region_is_a_part_of_the_whole() {
    for name in [
        "lzw_big_endian.tif",
        "pyramid_jpeg.tif",
        "deflate_missing.tif",
    ] {
        let mut found = open(name);
        let image = whole(&mut found, 0);
        // With and without what the last region left behind; over edges of tiles, at those of the slide, single pixels.
        let small = SlideLimits::default().with_max_cached_bytes(0);
        let mut forgetful = Slide::open_with(slide(name), &small).unwrap();
        for region in [
            [0, 0, 1, 1],
            [31, 31, 2, 2],
            [5, 40, 100, 3],
            [149, 109, 1, 1],
            [96, 64, 54, 46],
            [32, 32, 32, 32],
            [0, 0, 150, 110],
        ] {
            let [x, y, w, h] = region;
            let expected = cut(image.as_rgb8(), 150, region);
            for slide in [&mut found, &mut forgetful] {
                assert_eq!(
                    slide.region(0, x, y, w, h).unwrap().as_rgb8(),
                    expected,
                    "{name} {region:?}"
                );
            }
        }
        for wrong in [
            [0, 0, 0, 1],
            [0, 0, 1, 0],
            [150, 0, 1, 1],
            [0, 109, 1, 2],
            [100, 0, 51, 1],
            [usize::MAX, 0, 2, 1],
        ] {
            let [x, y, w, h] = wrong;
            let error = found.region(0, x, y, w, h).unwrap_err().to_string();
            assert!(
                error.contains("region") && error.contains("150 x 110"),
                "{error}"
            );
        }
        assert!(
            found
                .region(9, 0, 0, 1, 1)
                .unwrap_err()
                .to_string()
                .contains("level")
        );
    }
}

#[test]
fn what_is_not_supported_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = Slide::open(folder.path().join("none.svs")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains("none.svs"));
    let png = folder.path().join("picture.svs");
    std::fs::write(&png, b"\x89PNG\r\n\x1a\n").unwrap();
    let error = Slide::open(&png).unwrap_err().to_string();
    assert!(error.contains("expected a TIFF"), "{error}");
}

#[test]
fn limits_are_checked_before_anything_is_reserved() {
    let with = |limits: SlideLimits| Slide::open_with(slide("pyramid_jpeg.tif"), &limits);
    let error = with(SlideLimits::default().with_max_tile_side(31))
        .unwrap_err()
        .to_string();
    assert!(error.contains("max_tile_side is 32, limit 31"), "{error}");
    let error = with(SlideLimits::default().with_max_pictures(4))
        .unwrap_err()
        .to_string();
    assert!(error.contains("max_pictures"), "{error}");
    let mut tight = with(SlideLimits::default().with_max_region_pixels(100)).unwrap();
    assert!(tight.region(0, 0, 0, 10, 10).is_ok());
    assert!(
        tight
            .region(0, 0, 0, 101, 1)
            .unwrap_err()
            .to_string()
            .contains("max_region_pixels")
    );
    let error = with(SlideLimits::default().with_max_tile_bytes(20))
        .unwrap_err()
        .to_string();
    assert!(error.contains("max_tile_bytes"), "{error}");
}

/// A part of OpenSlide's CMU-1, CC0, 1.9 MB, that `.ci/fetch-slide` puts there.
#[test]
#[ignore = "needs medical/cmu_small_region.svs in the folder that MEDGEMMA_TESTDATA names"]
fn a_real_slide() {
    let folder = std::env::var_os("MEDGEMMA_TESTDATA").unwrap();
    let path = Path::new(&folder).join("medical/cmu_small_region.svs");
    let golden = Golden::open("cmu.safetensors");
    let mut found = Slide::open(path).unwrap();
    let (_, size) = golden.integers("size");
    let level = found.levels()[0];
    assert_eq!([level.width as i32, level.height as i32], size[..]);
    assert_eq!((found.levels().len(), level.tile_width), (1, 240));
    assert_eq!(
        (found.microns_per_pixel(), found.objective_power()),
        (Some(0.499), Some(20.0))
    );
    let kinds: Vec<_> = found
        .associated()
        .iter()
        .map(|a| (a.kind, a.width, a.height))
        .collect();
    let expected = [
        (AssociatedKind::Thumbnail, 574, 768),
        (AssociatedKind::Label, 387, 463),
        (AssociatedKind::Macro, 1280, 431),
    ];
    assert_eq!(kinds, expected);
    for name in golden.names() {
        let Some((x, y)) = name.split_once(',') else {
            continue;
        };
        let (shape, expected) = golden.bytes(&name);
        let [x, y]: [usize; 2] = [x, y].map(|n| n.parse().unwrap());
        let region = found.region(0, x, y, shape[1], shape[0]).unwrap();
        let (largest, average) = apart(region.as_rgb8(), &expected);
        println!("{name}: largest {largest}, mean {average:.3}");
        assert!(
            largest <= 1 && average <= 0.02,
            "{name}: {largest}, {average}"
        );
    }
}
