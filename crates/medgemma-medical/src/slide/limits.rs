//! How much of a slide may be in memory at once, and how strange its file may be. The slide itself may have any size.

use super::problem::SlideProblem;

/// Shortest side of one tile of many. TIFF 6.0, section 15, has multiples of 16.
const SHORTEST_SIDE: u64 = 16;

/// Refuses a level cut into tiles so small that reading a region is all looking for tiles. A level of one tile may be small.
pub(super) fn check_tiles(level: [u64; 2], tile: [u64; 2]) -> Result<(), SlideProblem> {
    let tiny = |axis: usize| tile[axis] < SHORTEST_SIDE && level[axis] > tile[axis];
    if !tiny(0) && !tiny(1) {
        return Ok(());
    }
    let ([width, height], [across, down]) = (level, tile);
    Err(SlideProblem::Unsupported {
        what: format!("a level of {width} x {height} pixels in tiles of {across} x {down}"),
        hint: "convert it to tiles of 16 pixels a side or more; 256 are usual",
    })
}

/// Bounds on what reading a slide takes. All are checked before memory is reserved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlideLimits {
    /// Most pixels of one region. Default 67 108 864 (8192 × 8192, 192 MiB).
    pub max_region_pixels: u64,
    /// Longest side of a tile. Default 4096; scanners write 240 to 1024.
    pub max_tile_side: usize,
    /// Most bytes that a tile takes while it is decoded, by its size and its compression: for each sample 4 of JPEG, 20 of
    /// JPEG 2000, 1 of others, in DICOM 8, 20 and 8; and 6 for each pixel. Default 536 870 912, which tiles of 4096 pixels
    /// a side keep to but for JPEG 2000: those may have 2800.
    pub max_decoding_bytes: u64,
    /// Most bytes of one tile as stored, and of shared JPEG tables. Default 67 108 864.
    pub max_tile_bytes: u64,
    /// Decoded tiles that are kept for the next region. Default 67 108 864.
    pub max_cached_bytes: usize,
    /// Most pictures in one file, most files of one DICOM slide. Default 256.
    pub max_pictures: usize,
    /// Most tiles of one level of a DICOM slide: 8 bytes are kept for each. Default 4 194 304.
    pub max_tiles: u64,
    /// Most bytes in front of the pixels of a DICOM file, where a sparse one lists its tiles. While the file is opened they
    /// take up to eight times as many. Default 67 108 864.
    pub max_header_bytes: u64,
}

impl Default for SlideLimits {
    fn default() -> Self {
        Self {
            max_region_pixels: 64 << 20,
            max_tile_side: 4096,
            max_decoding_bytes: 512 << 20,
            max_tile_bytes: 64 << 20,
            max_cached_bytes: 64 << 20,
            max_pictures: 256,
            max_tiles: 4 << 20,
            max_header_bytes: 64 << 20,
        }
    }
}

impl SlideLimits {
    /// Sets [`max_region_pixels`](Self::max_region_pixels).
    #[must_use]
    pub fn with_max_region_pixels(mut self, pixels: u64) -> Self {
        self.max_region_pixels = pixels;
        self
    }

    /// Sets [`max_tile_side`](Self::max_tile_side).
    #[must_use]
    pub fn with_max_tile_side(mut self, pixels: usize) -> Self {
        self.max_tile_side = pixels;
        self
    }

    /// Sets [`max_decoding_bytes`](Self::max_decoding_bytes).
    #[must_use]
    pub fn with_max_decoding_bytes(mut self, bytes: u64) -> Self {
        self.max_decoding_bytes = bytes;
        self
    }

    /// Sets [`max_tile_bytes`](Self::max_tile_bytes).
    #[must_use]
    pub fn with_max_tile_bytes(mut self, bytes: u64) -> Self {
        self.max_tile_bytes = bytes;
        self
    }

    /// Sets [`max_cached_bytes`](Self::max_cached_bytes).
    #[must_use]
    pub fn with_max_cached_bytes(mut self, bytes: usize) -> Self {
        self.max_cached_bytes = bytes;
        self
    }

    /// Sets [`max_pictures`](Self::max_pictures).
    #[must_use]
    pub fn with_max_pictures(mut self, pictures: usize) -> Self {
        self.max_pictures = pictures;
        self
    }

    /// Sets [`max_tiles`](Self::max_tiles).
    #[must_use]
    pub fn with_max_tiles(mut self, tiles: u64) -> Self {
        self.max_tiles = tiles;
        self
    }

    /// Sets [`max_header_bytes`](Self::max_header_bytes).
    #[must_use]
    pub fn with_max_header_bytes(mut self, bytes: u64) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// Refuses tiles of `sides` and `samples` a pixel that take more than is allowed while they are decoded.
    pub(super) fn check_decoding(
        &self,
        sides: [u64; 2],
        samples: u64,
        bytes_per_sample: u64,
    ) -> Result<(), SlideProblem> {
        let of_pixel = samples.saturating_mul(bytes_per_sample) + 6;
        let found = sides[0].saturating_mul(sides[1]).saturating_mul(of_pixel);
        if found <= self.max_decoding_bytes {
            return Ok(());
        }
        Err(SlideProblem::Limit {
            what: "max_decoding_bytes",
            limit: self.max_decoding_bytes,
            found,
        })
    }
}
