//! A picture as numpy has it, of `golden/file_recipes.json`.

use medgemma_image::Image;
use serde::Deserialize;

/// Height and width, CRC-32 of its bytes, and some of them.
#[derive(Deserialize)]
pub(crate) struct Picture {
    size: [usize; 2],
    crc: u32,
    at: Vec<u8>,
}

impl Picture {
    pub(crate) fn check(&self, found: &Image, what: &str) {
        assert_eq!([found.height(), found.width()], self.size, "{what}");
        let bytes = found.as_rgb8();
        let at: Vec<u8> = super::places(bytes.len()).map(|i| bytes[i]).collect();
        assert_eq!(at, self.at, "{what}");
        assert_eq!(crc32fast::hash(bytes), self.crc, "{what}");
    }
}
