//! Any bytes: decoding gives an error or a picture within the limits, and a picture can be processed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use medgemma_image::{Alpha, DecodeOptions, Image, ImageProcessor, Limits, PanAndScan, Resizer};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default().with_max_pixels(1 << 18);
    let options = DecodeOptions::default()
        .with_limits(limits)
        .with_alpha(Alpha::OverWhite);
    let Ok(image) = Image::decode_with(bytes, &options) else {
        return;
    };
    assert!(image.width() * image.height() <= 1 << 18);
    assert_eq!(image.as_rgb8().len(), image.width() * image.height() * 3);
    for resizer in Resizer::ALL {
        let processor = ImageProcessor::new(28, 42)
            .expect("a size within bounds")
            .with_resizer(resizer)
            .with_pan_and_scan(PanAndScan::default());
        let processed = processor
            .process(&image)
            .expect("no picture is unfit for the default settings");
        assert_eq!(processed.pixels.len(), processed.num_crops + 1);
    }
});
