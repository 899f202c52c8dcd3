//! The whole processor against `Gemma3ImageProcessorPil` and `Gemma3ImageProcessor` of transformers 5.23.0.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use medgemma_image::{Image, ImageProcessor, PanAndScan, Resizer};

#[test]
fn pixel_values_equal_the_reference_bit_for_bit() {
    let cases = support::json("process.json");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 25);
    for case in cases {
        let (name, backend) = (case["name"].as_str().unwrap(), case["backend"].as_str());
        let backend = backend.unwrap();
        let golden = support::floats(&format!("process_{backend}.safetensors"));
        let (shape, expected) = &golden[&format!("{name}/{backend}")];
        let resizer = match backend {
            "pil" => Resizer::PilBilinear,
            _ => Resizer::TorchvisionBilinear,
        };
        let processor = ImageProcessor::from_json(&case["config"].to_string(), name).unwrap();
        let picture = case["picture"].as_str().unwrap();
        let image = Image::open(support::file(&format!("{picture}.png"))).unwrap();
        let processed = processor.with_resizer(resizer).process(&image).unwrap();
        assert_eq!(processed.num_crops, case["num_crops"], "{name}/{backend}");
        assert_eq!(processed.pixels.len(), shape[0], "{name}/{backend}");
        let each = shape[1..].iter().product::<usize>();
        for (pixels, expected) in processed.pixels.iter().zip(expected.chunks_exact(each)) {
            assert_eq!(pixels.shape, shape[1..], "{name}/{backend}");
            let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert!(
                bits(&pixels.data) == bits(expected),
                "{name}/{backend}: values"
            );
        }
    }
}

#[test]
fn crops_are_counted_before_they_are_made() {
    let settings = PanAndScan::default().with_min_crop_size(10);
    for (width, height) in [(40, 40), (90, 30), (30, 90), (31, 60), (1, 64)] {
        let image = Image::from_gray8(width, height, vec![7; width * height]).unwrap();
        for pad in [false, true] {
            let off = ImageProcessor::new(28, 28).unwrap().with_pad_to_square(pad);
            for processor in [off.clone().with_pan_and_scan(settings.clone()), off] {
                let made = processor.process(&image).unwrap().num_crops;
                let told = processor.num_crops(&image).unwrap();
                assert_eq!(told, made, "{width} x {height}, {pad}");
            }
        }
        assert_eq!(settings.crops(90, 30).unwrap().len(), 3);
    }
}

#[test]
fn a_clone_shares_its_samples() {
    let image = Image::from_gray8(2, 1, vec![3, 4]).unwrap();
    let twin = image.clone();
    assert_eq!(image.as_rgb8().as_ptr(), twin.as_rgb8().as_ptr());
    assert_eq!(image.into_rgb8(), [3, 3, 3, 4, 4, 4]);
    assert_eq!(twin.into_rgb8(), [3, 3, 3, 4, 4, 4]);
}

#[test]
fn an_odd_row_of_padding_goes_to_the_bottom_or_right() {
    // 2x5 and 5x2: difference 3, one before and two after (serving code: d // 2 and d - d // 2).
    let tall = Image::from_gray8(2, 5, (1..=10).collect()).unwrap();
    let square = tall.padded_to_square().unwrap();
    assert_eq!((square.width(), square.height()), (5, 5));
    let grey: Vec<u8> = square.as_rgb8().chunks_exact(3).map(|p| p[0]).collect();
    assert_eq!(grey[..10], [0, 1, 2, 0, 0, 0, 3, 4, 0, 0]);
    let wide = Image::from_gray8(5, 2, (1..=10).collect()).unwrap();
    let square = wide.padded_to_square().unwrap();
    let grey: Vec<u8> = square.as_rgb8().chunks_exact(3).map(|p| p[0]).collect();
    let rows: Vec<&[u8]> = grey.chunks_exact(5).collect();
    assert_eq!(rows[0], [0; 5]);
    assert_eq!(rows[1], [1, 2, 3, 4, 5]);
    assert_eq!(rows[2], [6, 7, 8, 9, 10]);
    assert_eq!((rows[3], rows[4]), (&[0; 5][..], &[0; 5][..]));
}

#[test]
fn padding_comes_before_everything_else() {
    let image = Image::open(support::file("strip_300x3.png")).unwrap();
    let processor = ImageProcessor::new(28, 28)
        .unwrap()
        .with_pan_and_scan(PanAndScan::default().with_min_crop_size(1));
    assert_eq!(processor.process(&image).unwrap().num_crops, 4);
    let padding = processor.clone().with_pad_to_square(true);
    let processed = padding.process(&image).unwrap();
    assert_eq!(
        processed.num_crops, 0,
        "a square has no long side to cut along"
    );
    let by_hand = ImageProcessor::new(28, 28).unwrap();
    let by_hand = by_hand.process(&image.padded_to_square().unwrap()).unwrap();
    assert_eq!(processed.pixels, by_hand.pixels);
    assert_eq!(
        processed.pixels[0].data[0], -1.0,
        "black above a wide picture"
    );
}

#[test]
fn crops_follow_the_whole_picture_in_reading_order() {
    // Four flat bands: each crop of the default settings shows one of them.
    let band = |x: usize| [10u8, 90, 170, 250][x / 256];
    let data = (0..1024 * 256).map(|i| band(i % 1024)).collect();
    let image = Image::from_gray8(1024, 256, data).unwrap();
    let processor = ImageProcessor::new(28, 28)
        .unwrap()
        .with_do_pan_and_scan(true);
    let processed = processor.process(&image).unwrap();
    assert_eq!((processed.num_crops, processed.pixels.len()), (4, 5));
    for (crop, level) in processed.pixels[1..]
        .iter()
        .zip([10.0f32, 90.0, 170.0, 250.0])
    {
        let expected = (level / 255.0 - 0.5) / 0.5;
        assert!(crop.data.iter().all(|v| (v - expected).abs() < 1e-6));
    }
}
