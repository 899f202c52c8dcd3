//! Slides with every byte cut or changed: an error or a picture, no panic, no long wait, no large memory.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod support;

use std::io::Cursor;
use std::time::{Duration, Instant};

use medgemma_medical::{Slide, SlideLimits};
use support::golden::slide;

const FILES: [&str; 12] = [
    "pyramid_jpeg.tif",
    "rgb_in_jpeg.tif",
    "lzw_big_endian.tif",
    "deflate_missing.tif",
    "raw_alpha.tif",
    "packbits_white_is_zero.tif",
    "jpeg2000.tif",
    "jpeg2000_ycbcr.tif",
    "jpeg2000_ycbcr_whole.tif",
    "dicom/sparse_jpeg2000.dcm",
    "dicom/jpeg_no_table.dcm",
    "dicom/series/a.dcm",
];

/// Opens a file and reads what there is of it, within limits.
fn read(bytes: Vec<u8>) {
    let limits = SlideLimits::default()
        .with_max_region_pixels(1 << 16)
        .with_max_tile_side(64);
    let Ok(mut slide) = Slide::read(Cursor::new(bytes), "hostile.svs", &limits) else {
        return;
    };
    for level in 0..slide.levels().len() {
        let (width, height) = (slide.levels()[level].width, slide.levels()[level].height);
        let [w, h] = [width.min(40), height.min(40)];
        for (x, y) in [(0, 0), (width - w, height - h)] {
            if let Ok(region) = slide.region(level, x, y, w, h) {
                assert_eq!((region.width(), region.height()), (w, h));
            }
        }
    }
}

/// With how many times as few changes as in the quickest files: JPEG 2000 takes its time.
fn each(change: impl Fn(&[u8], usize, &mut dyn FnMut(Vec<u8>))) {
    for name in FILES {
        let whole = std::fs::read(slide(name)).unwrap();
        let fewer = match name {
            _ if name.contains("2000") => 10,
            _ if name.starts_with("dicom") => 3,
            _ => 1,
        };
        change(&whole, fewer, &mut |bytes| {
            let begun = Instant::now();
            read(bytes);
            assert!(begun.elapsed() < Duration::from_secs(5), "{name}");
        });
    }
}

#[test]
fn cut_anywhere() {
    each(|whole, fewer, read| {
        let step = fewer * (whole.len() / 150 + 1);
        for end in (0..whole.len())
            .step_by(step)
            .chain(whole.len() - 40..whole.len())
        {
            read(whole[..end].to_vec());
        }
    });
}

#[test]
fn changed_anywhere() {
    // The generators put TIFF's directories behind the tiles, and DICOM's attributes before them: their bytes are changed
    // one by one, the rest in steps.
    each(|whole, fewer, read| {
        let is_dicom = whole.get(128..132) == Some(b"DICM");
        let [dense, sparse] = if is_dicom {
            [128..1400, 1400..whole.len()]
        } else {
            let directories = whole.len().saturating_sub(1200);
            [directories..whole.len(), 16..directories]
        };
        for at in (0..16)
            .chain(sparse.step_by(101 * fewer))
            .chain(dense.step_by(fewer))
        {
            for value in [0, 0xff, whole[at] ^ 0x81] {
                let mut bytes = whole.to_vec();
                bytes[at] = value;
                read(bytes);
            }
        }
    });
}

#[test]
fn directories_in_a_circle() {
    let whole = std::fs::read(slide("raw_alpha.tif")).unwrap();
    let first = u32::from_le_bytes(whole[4..8].try_into().unwrap()) as usize;
    let count = usize::from(u16::from_le_bytes(
        whole[first..first + 2].try_into().unwrap(),
    ));
    let mut circle = whole.clone();
    circle[first + 2 + count * 12..][..4].copy_from_slice(&whole[4..8]);
    let limits = SlideLimits::default();
    let error = Slide::read(Cursor::new(circle), "circle.svs", &limits)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("circle") && error.contains("damaged"),
        "{error}"
    );
}
