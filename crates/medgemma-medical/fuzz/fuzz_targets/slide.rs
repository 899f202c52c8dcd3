//! Any bytes: an error, or a slide whose regions are errors or pictures of the size asked for.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use medgemma_medical::{Slide, SlideLimits};

fuzz_target!(|bytes: &[u8]| {
    let limits = SlideLimits::default()
        .with_max_region_pixels(1 << 14)
        .with_max_tile_side(64)
        .with_max_tile_bytes(1 << 16)
        .with_max_cached_bytes(1 << 16)
        .with_max_pictures(8)
        .with_max_tiles(1 << 12);
    let Ok(mut slide) = Slide::read(Cursor::new(bytes.to_vec()), "any", &limits) else {
        return;
    };
    let _ = (slide.magnification(), slide.associated().len());
    for index in 0..slide.levels().len().min(2) {
        let level = slide.levels()[index];
        let sides = [level.width.min(40), level.height.min(40)];
        let corner = [level.width - sides[0], level.height - sides[1]];
        for [x, y] in [[0, 0], corner] {
            if let Ok(region) = slide.region(index, x, y, sides[0], sides[1]) {
                assert_eq!([region.width(), region.height()], sides);
            }
        }
    }
});
