//! How large a picture may be before it is refused, checked on the header and before anything is allocated.
//! Own design; the defaults are set against Pillow's decompression-bomb guard (179 megapixels).

use crate::error::{Error, Origin, Result};

/// Upper bounds on what [`Image::decode`](crate::Image::decode) and [`Image::open`](crate::Image::open) accept.
///
/// All of them are checked against the file's header before memory is reserved for pixels, so a header that lies
/// costs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest width in pixels. Default 32 768: whole panoramic stitches pass, absurd headers do not.
    pub max_width: u32,
    /// Largest height in pixels. Default 32 768.
    pub max_height: u32,
    /// Largest `width * height`. Default 67 108 864 (64 megapixels, 8192x8192): three times the largest
    /// mammogram detector, a third of where Pillow refuses to go on.
    pub max_pixels: u64,
    /// Largest number of bytes for decoded samples: the decoder's output (up to 8 bytes a pixel for 16-bit RGBA)
    /// plus the 8-bit RGB copy where one is needed. Default 536 870 912 (512 MiB). The decoder's own working
    /// memory (a progressive JPEG keeps its coefficients, 6 bytes a pixel) comes on top; `max_pixels` bounds it.
    pub max_alloc: u64,
    /// Largest file in bytes. Default 268 435 456 (256 MiB). A larger file is not read into memory.
    pub max_file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_width: 32_768,
            max_height: 32_768,
            max_pixels: 64 << 20,
            max_alloc: 512 << 20,
            max_file_bytes: 256 << 20,
        }
    }
}

impl Limits {
    /// Sets the largest width and height in pixels.
    #[must_use]
    pub fn with_max_size(mut self, width: u32, height: u32) -> Self {
        self.max_width = width;
        self.max_height = height;
        self
    }

    /// Sets the largest number of pixels.
    #[must_use]
    pub fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the largest number of bytes for decoded samples.
    #[must_use]
    pub fn with_max_alloc(mut self, bytes: u64) -> Self {
        self.max_alloc = bytes;
        self
    }

    /// Sets the largest file size in bytes.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// Refuses dimensions over the limits.
    pub(crate) fn check_size(&self, origin: &Origin, width: u32, height: u32) -> Result<()> {
        check(
            origin,
            "max_width",
            u64::from(self.max_width),
            u64::from(width),
        )?;
        check(
            origin,
            "max_height",
            u64::from(self.max_height),
            u64::from(height),
        )?;
        let pixels = u64::from(width) * u64::from(height);
        check(origin, "max_pixels", self.max_pixels, pixels)
    }

    /// Refuses an allocation over the limit.
    pub(crate) fn check_alloc(&self, origin: &Origin, bytes: u64) -> Result<()> {
        check(origin, "max_alloc", self.max_alloc, bytes)
    }

    /// Refuses a file over the limit.
    pub(crate) fn check_file(&self, origin: &Origin, bytes: u64) -> Result<()> {
        check(origin, "max_file_bytes", self.max_file_bytes, bytes)
    }
}

fn check(origin: &Origin, what: &'static str, limit: u64, found: u64) -> Result<()> {
    if found <= limit {
        return Ok(());
    }
    Err(Error::Limit {
        origin: origin.clone(),
        what,
        limit,
        found,
    })
}
