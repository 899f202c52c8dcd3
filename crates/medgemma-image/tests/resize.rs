//! Every resizer against its original, sample by sample: Pillow 13.0.0, torchvision 0.29.2, TensorFlow 2.21.0.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use medgemma_image::{Error, Image, ImageProcessor, MAX_SIDE, Resizer};
use proptest::prelude::*;

/// The resizers of MedGemma's processors, with their names in `large.json`.
const GEMMA: [(Resizer, &str); 2] = [
    (Resizer::PilBilinear, "pil"),
    (Resizer::TorchvisionBilinear, "torchvision"),
];

/// Every case of a golden file; returns how many there were.
fn check(resizer: Resizer, golden: &str) -> usize {
    let cases = support::bytes(golden);
    for (name, (shape, expected)) in &cases {
        let picture = name.split('/').next().unwrap();
        let image = Image::open(support::file(&format!("{picture}.png"))).unwrap();
        let resized = resizer.resize(&image, shape[0], shape[1]).unwrap();
        assert_eq!([resized.height(), resized.width()], shape[..2], "{name}");
        let wrong = resized.as_rgb8().iter().zip(expected);
        let wrong = wrong.filter(|(a, b)| a != b).count();
        assert_eq!(wrong, 0, "{name}: samples that differ");
        assert_eq!(resized.as_rgb8().len(), expected.len(), "{name}");
    }
    cases.len()
}

#[test]
fn pillow_bit_for_bit() {
    assert_eq!(check(Resizer::PilBilinear, "resize_pil.safetensors"), 33);
}

#[test]
fn torchvision_bit_for_bit() {
    // One fewer: torch 2.15 fails on 37x53 to 1x1 with an internal assertion.
    let golden = "resize_torchvision.safetensors";
    assert_eq!(check(Resizer::TorchvisionBilinear, golden), 32);
}

#[test]
fn bicubic_bit_for_bit() {
    let golden = "resize_bicubic_pil.safetensors";
    assert_eq!(check(Resizer::PilBicubic, golden), 23);
    let golden = "resize_bicubic_torchvision.safetensors";
    assert_eq!(check(Resizer::TorchvisionBicubic, golden), 23);
}

#[test]
fn tensorflow_bit_for_bit() {
    let golden = "resize_tf.safetensors";
    assert_eq!(check(Resizer::TfBilinear, golden), 31);
}

/// `hashed` of `generate.py`.
fn hashed(width: u32, height: u32) -> Image {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let v = x.wrapping_mul(2_654_435_761);
                let v = v.wrapping_add(y.wrapping_mul(40_503)).wrapping_add(c * 97);
                let v = (v ^ (v >> 15)).wrapping_mul(2_246_822_519);
                data.push(u8::try_from((v >> 24) / 4 + (x / 9 + y / 7) % 192).unwrap());
            }
        }
    }
    Image::from_rgb8(width as usize, height as usize, data).unwrap()
}

#[test]
fn a_radiograph_sized_picture_equals_the_reference_by_checksum() {
    let golden = support::json("large.json");
    let image = hashed(1955, 1841);
    assert_eq!(
        support::fnv(image.as_rgb8().iter().copied()),
        golden["input"]
    );
    let small = hashed(500, 333);
    for (resizer, backend) in GEMMA {
        let resized = resizer.resize(&image, 896, 896).unwrap();
        let found = support::fnv(resized.into_rgb8());
        assert_eq!(found, golden[format!("{backend}_u8")], "{backend}");
        let enlarged = resizer.resize(&small, 896, 896).unwrap();
        let found = support::fnv(enlarged.into_rgb8());
        assert_eq!(found, golden[format!("{backend}_enlarged_u8")], "{backend}");
        let processor = ImageProcessor::default().with_resizer(resizer);
        let pixels = processor.process(&image).unwrap().pixels.remove(0);
        let found = support::fnv(pixels.data.iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(found, golden[format!("{backend}_f32")], "{backend}");
    }
}

#[test]
fn tensorflow_at_medsiglips_size_equals_the_reference_by_checksum() {
    let golden = support::json("large_tf.json");
    let large = hashed(1955, 1841);
    assert_eq!(
        support::fnv(large.as_rgb8().iter().copied()),
        golden["input"]
    );
    for (image, key) in [(large, "tf_u8"), (hashed(300, 211), "tf_enlarged_u8")] {
        let resized = Resizer::TfBilinear.resize(&image, 448, 448).unwrap();
        assert_eq!(support::fnv(resized.into_rgb8()), golden[key], "{key}");
    }
}

/// From 3 to 2 samples: centres at 0.25 and 1.75. Means by hand, cut off rather than rounded; a kernel widened for
/// shrinking would mix in the third sample, corners in place of centres would give 10 and 90.
#[test]
fn tensorflow_reads_two_neighbours_around_half_pixel_centres() {
    let image = Image::from_gray8(3, 1, vec![10, 21, 90]).unwrap();
    let resized = Resizer::TfBilinear.resize(&image, 1, 2).unwrap();
    // 10 + 0.25 * 11 = 12.75; 21 + 0.75 * 69 = 72.75
    assert_eq!(resized.as_rgb8(), [12, 12, 12, 72, 72, 72]);
    let image = Image::from_gray8(1, 2, vec![0, 201]).unwrap();
    let resized = Resizer::TfBilinear.resize(&image, 4, 1).unwrap();
    let grey: Vec<u8> = resized.as_rgb8().iter().copied().step_by(3).collect();
    // Centres at -0.25, 0.25, 0.75, 1.25: the first and the last lie beyond the samples' centres.
    assert_eq!(grey, [0, 50, 150, 201]);
}

#[test]
fn every_resizer_has_one_name_both_ways() {
    let names = [
        "tf-bilinear",
        "pil-bilinear",
        "pil-bicubic",
        "torchvision-bilinear",
        "torchvision-bicubic",
    ];
    assert_eq!(Resizer::ALL.map(Resizer::name), names);
    for (resizer, name) in Resizer::ALL.into_iter().zip(names) {
        assert_eq!(resizer.to_string(), name);
        assert_eq!(name.parse::<Resizer>().unwrap(), resizer);
    }
    // The last two are names of `Resize`: which filter, a model's files say.
    for wrong in [
        "",
        "TF-bilinear",
        "bilinear",
        "pil-bilinear ",
        "lanczos",
        "pil",
        "torchvision",
    ] {
        let error = wrong.parse::<Resizer>().unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("found `{wrong}`")), "{text}");
        assert!(names.iter().all(|name| text.contains(name)), "{text}");
        assert!(matches!(error, Error::ResizerName { found, .. } if found == wrong));
    }
}

#[test]
fn targets_out_of_bounds_are_refused() {
    let image = Image::from_rgb8(1, 1, vec![0; 3]).unwrap();
    for (height, width) in [(0, 5), (5, 0), (MAX_SIDE + 1, 5), (5, usize::MAX)] {
        let error = Resizer::PilBilinear.resize(&image, height, width);
        assert!(
            matches!(error, Err(Error::TargetSize { .. })),
            "{height}x{width}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Weights add up to one closely enough that a flat picture stays flat.
    #[test]
    fn a_constant_picture_stays_constant(
        (width, height) in (1usize..80, 1usize..80),
        (to_width, to_height) in (1usize..80, 1usize..80),
        color in any::<[u8; 3]>(),
    ) {
        let image = Image::from_rgb8(width, height, color.repeat(width * height)).unwrap();
        for resizer in Resizer::ALL {
            let resized = resizer.resize(&image, to_height, to_width).unwrap();
            prop_assert_eq!(resized.as_rgb8(), color.repeat(to_width * to_height));
        }
    }

    /// No sample leaves the range of the picture (the bicubic ones overshoot), and turning the
    /// picture by 180° turns the result.
    #[test]
    fn the_range_is_kept_and_a_mirror_image_mirrored(
        (width, height, data) in (1usize..40, 1usize..40).prop_flat_map(|(w, h)| {
            (Just(w), Just(h), proptest::collection::vec(50u8..200, w * h * 3))
        }),
        (to_width, to_height) in (1usize..60, 1usize..60),
    ) {
        let turned: Vec<u8> = data.chunks_exact(3).rev().flatten().copied().collect();
        let image = Image::from_rgb8(width, height, data).unwrap();
        let turned = Image::from_rgb8(width, height, turned).unwrap();
        for resizer in Resizer::ALL {
            let a = resizer.resize(&image, to_height, to_width).unwrap();
            if !matches!(resizer, Resizer::PilBicubic | Resizer::TorchvisionBicubic) {
                prop_assert!(a.as_rgb8().iter().all(|v| (50..200).contains(v)), "{}", resizer);
            }
            let b = resizer.resize(&turned, to_height, to_width).unwrap();
            let back = b.as_rgb8().chunks_exact(3).rev().flatten();
            // A window edge that falls on a half rounds to one side, so mirrored sums may differ by one level a pass;
            // what TensorFlow cuts off lies on the other side of a whole number.
            prop_assert!(a.as_rgb8().iter().zip(back).all(|(a, b)| a.abs_diff(*b) <= 2));
        }
    }
}
