//! Crop rectangles against `Gemma3ImageProcessorPil.pan_and_scan` of transformers 5.23.0.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use medgemma_image::{Crop, Error, PanAndScan};
use proptest::prelude::*;

#[test]
fn the_published_examples() {
    let settings = PanAndScan::default();
    let crops = |width, height| {
        let crops = settings.crops(width, height).unwrap();
        crops
            .iter()
            .map(|c| (c.x, c.y, c.width, c.height))
            .collect::<Vec<_>>()
    };
    assert_eq!(crops(1200, 1000), [(0, 0, 600, 1000), (600, 0, 600, 1000)]);
    let four = [0, 650, 1300, 1950].map(|x| (x, 0, 650, 500));
    assert_eq!(crops(2600, 500), four);
    assert_eq!(
        crops(1000, 2000),
        [(0, 0, 1000, 1000), (0, 1000, 1000, 1000)]
    );
    assert_eq!(crops(400, 300), []);
    assert_eq!(crops(1000, 1000), []);
    // One pixel below the smallest crop.
    assert_eq!(crops(510, 255), []);
    assert_eq!(crops(512, 256).len(), 2);
}

#[test]
fn two_hundred_sizes_and_settings_equal_the_reference() {
    let cases = support::json("pan_and_scan.json");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 257);
    for case in cases {
        let number = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        let settings = PanAndScan::default()
            .with_min_crop_size(number("min"))
            .with_max_num_crops(number("max"))
            .with_min_ratio_to_activate(case["ratio"].as_f64().unwrap());
        let found = settings.crops(number("width"), number("height"));
        let expected = case["crops"].as_array().unwrap();
        if expected.iter().any(serde_json::Value::is_null) {
            assert!(matches!(found, Err(Error::EmptyCrop { .. })), "{case}");
            continue;
        }
        let found: Vec<_> = found
            .unwrap()
            .iter()
            .map(|c| serde_json::json!([c.x, c.y, c.width, c.height]))
            .collect();
        assert_eq!(&found, expected, "{case}");
    }
}

#[test]
fn sides_of_zero_are_refused() {
    for (width, height) in [(0, 9), (9, 0), (0, 0)] {
        let crops = PanAndScan::default().crops(width, height);
        assert!(matches!(crops, Err(Error::Empty { .. })));
    }
}

proptest! {
    /// The crops tile the picture: no gap, no overlap, nothing outside.
    #[test]
    fn crops_tile_the_picture(
        (width, height) in (1usize..70_000, 1usize..70_000),
        (low, most) in (0usize..600, 0usize..200),
        ratio in 0.0f64..4.0,
    ) {
        let settings = PanAndScan::default()
            .with_min_crop_size(low)
            .with_max_num_crops(most)
            .with_min_ratio_to_activate(ratio);
        if let Ok(crops) = settings.crops(width, height) {
            prop_assert!(crops.len() <= PanAndScan::MAX_CROPS);
            let mut at = 0;
            for &Crop { x, y, width: w, height: h } in &crops {
                prop_assert_eq!(if width >= height { (x, y, h) } else { (y, x, w) }, (at, 0, width.min(height)));
                at += if width >= height { w } else { h };
            }
            prop_assert!(crops.is_empty() || at == width.max(height));
        }
    }
}
