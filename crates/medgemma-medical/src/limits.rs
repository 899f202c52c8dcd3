//! How much a medical file may ask for before it is refused. Lengths and dimensions are checked as they are read and
//! before memory is reserved for what they announce, so that a header that lies costs nothing.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::{Error, Origin, Result};

/// Upper bounds on what a file may hold or unpack to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Largest file in bytes. Default 1 GiB: a cine of a cardiac laboratory passes.
    pub max_file_bytes: u64,
    /// Largest number of bytes that a compressed file (deflated DICOM, gzipped NIfTI) may unpack to, or that one frame
    /// may take while it is decoded: 8 for each sample, 20 of JPEG 2000, with what it is decoded to.
    /// Default 1 GiB.
    pub max_decompressed_bytes: u64,
    /// Largest number of bytes of a deflated DICOM file beside its pixels. Default 64 MiB.
    pub max_header_bytes: u64,
    /// Largest number of bytes of a volume at 4 for each value. Default 4 GiB: two thousand slices of CT take half.
    pub max_volume_bytes: u64,
    /// Largest number of pixels of one frame. Default 67 108 864 (8192 × 8192): three times a mammogram.
    pub max_pixels: u64,
    /// Largest number of frames or slices of one file. Default 65 536.
    pub max_frames: u64,
    /// Largest number of data elements and sequence items of a DICOM file. Default 1 048 576: an enhanced
    /// multi-frame object holds some hundred for each frame.
    pub max_elements: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 1 << 30,
            max_decompressed_bytes: 1 << 30,
            max_header_bytes: 64 << 20,
            max_volume_bytes: 4 << 30,
            max_pixels: 64 << 20,
            max_frames: 1 << 16,
            max_elements: 1 << 20,
        }
    }
}

impl Limits {
    /// Sets the largest file in bytes.
    #[must_use]
    pub fn with_max_file_bytes(mut self, bytes: u64) -> Self {
        self.max_file_bytes = bytes;
        self
    }

    /// Sets the largest number of bytes that something compressed may unpack to.
    #[must_use]
    pub fn with_max_decompressed_bytes(mut self, bytes: u64) -> Self {
        self.max_decompressed_bytes = bytes;
        self
    }

    /// Sets the largest number of bytes of a deflated file beside its pixels.
    #[must_use]
    pub fn with_max_header_bytes(mut self, bytes: u64) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// Sets the largest number of bytes of a volume.
    #[must_use]
    pub fn with_max_volume_bytes(mut self, bytes: u64) -> Self {
        self.max_volume_bytes = bytes;
        self
    }

    /// Sets the largest number of pixels of one frame.
    #[must_use]
    pub fn with_max_pixels(mut self, pixels: u64) -> Self {
        self.max_pixels = pixels;
        self
    }

    /// Sets the largest number of frames.
    #[must_use]
    pub fn with_max_frames(mut self, frames: u64) -> Self {
        self.max_frames = frames;
        self
    }

    /// Sets the largest number of data elements and items.
    #[must_use]
    pub fn with_max_elements(mut self, elements: u64) -> Self {
        self.max_elements = elements;
        self
    }

    pub(crate) fn check_file(&self, origin: &Origin, found: u64) -> Result<()> {
        check(origin, "max_file_bytes", self.max_file_bytes, found)
    }

    pub(crate) fn check_decompressed(&self, origin: &Origin, found: u64) -> Result<()> {
        check(
            origin,
            "max_decompressed_bytes",
            self.max_decompressed_bytes,
            found,
        )
    }

    pub(crate) fn check_header(&self, origin: &Origin, found: u64) -> Result<()> {
        check(origin, "max_header_bytes", self.max_header_bytes, found)
    }

    /// Refuses a volume of `values` values where its file was opened with this limit.
    pub(crate) fn check_volume(origin: &Origin, limit: u64, values: u64) -> Result<()> {
        let found = values.saturating_mul(size_of::<f32>() as u64);
        check(origin, "max_volume_bytes", limit, found)
    }

    pub(crate) fn check_pixels(&self, origin: &Origin, rows: u64, columns: u64) -> Result<()> {
        let found = rows.saturating_mul(columns);
        check(origin, "max_pixels", self.max_pixels, found)
    }

    pub(crate) fn check_frames(&self, origin: &Origin, found: u64) -> Result<()> {
        check(origin, "max_frames", self.max_frames, found)
    }

    pub(crate) fn check_elements(&self, origin: &Origin, found: u64) -> Result<()> {
        check(origin, "max_elements", self.max_elements, found)
    }

    /// The whole file, unless it is larger than allowed.
    pub(crate) fn read_file(&self, path: &Path) -> Result<Vec<u8>> {
        let file = open_file(path)?;
        let mut bytes = Vec::new();
        let origin = Origin::File(path.to_owned());
        if let Ok(metadata) = file.metadata() {
            self.check_file(&origin, metadata.len())?;
        }
        file.take(self.max_file_bytes.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(Error::io(path, "be read"))?;
        self.check_file(&origin, bytes.len() as u64)?;
        Ok(bytes)
    }
}

/// Opens a file, and nothing else: a pipe that nobody writes to would be waited for without end.
pub(crate) fn open_file(path: &Path) -> Result<File> {
    let metadata = std::fs::metadata(path).map_err(Error::io(path, "be opened"))?;
    if !metadata.is_file() {
        let other = io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected a file, found a folder, a pipe or a device",
        );
        return Err(Error::io(path, "be opened")(other));
    }
    File::open(path).map_err(Error::io(path, "be opened"))
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
