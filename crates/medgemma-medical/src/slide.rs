//! Whole-slide images: pictures of gigapixels in pyramids of tiles, read by region and never whole.
//!
//! A format is a [`TileSource`]: it knows its levels and decodes one tile. What regions, levels and magnifications are is
//! said here, once for all formats.

mod aperio;
mod dicom;
mod directory;
mod jpeg;
mod limits;
mod problem;
mod scanner;
mod source;
mod tiff;
mod tile;
mod tiles;

use std::fmt;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use medgemma_image::Image;

use self::dicom::{DicomSlide, is_dicom};
pub use self::limits::SlideLimits;
pub use self::problem::SlideProblem;
use self::source::Source;
use self::tiff::TiffSlide;
use self::tiles::Tiles;
use crate::error::{Error, Result};
use crate::limits::open_file;

/// One resolution of a slide, cut into tiles of one size; those at the right and lower edge may reach over it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Level {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width of a tile.
    pub tile_width: usize,
    /// Height of a tile.
    pub tile_height: usize,
    /// Pixels of level 0 under one pixel of this, on a side: the mean of both axes, 1 for level 0; a power of two where the
    /// file pads levels, as Philips' do.
    pub downsample: f64,
}

impl Level {
    /// A level under one of size `finest`, all sides as width and height.
    fn below(finest: [u64; 2], [width, height]: [usize; 2], tile: [usize; 2]) -> Self {
        let [across, down] = finest.map(|side| side as f64);
        Self {
            width,
            height,
            tile_width: tile[0],
            tile_height: tile[1],
            downsample: (across / width as f64 + down / height as f64) / 2.0,
        }
    }
}

/// Levels are one picture at several sizes: their sides may differ by rounding, and by the last tile that some writers
/// leave out.
const SAME_SHAPE: f64 = 0.05;

fn same_shape(a: [u64; 2], b: [u64; 2]) -> bool {
    let shape = |[width, height]: [u64; 2]| width as f64 / height.max(1) as f64;
    (shape(a) / shape(b) - 1.0).abs() <= SAME_SHAPE
}

/// A picture of the glass that lies in the file beside the pyramid. Its pixels are never read: labels and macro pictures
/// show names and numbers of patients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Associated {
    /// What it shows.
    pub kind: AssociatedKind,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
}

/// What a picture beside the pyramid shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssociatedKind {
    /// The scanned area, small.
    Thumbnail,
    /// The paper label.
    Label,
    /// The whole glass, with its label.
    Macro,
    /// Something else.
    Other,
}

/// A format of whole-slide images. Implemented for TIFF and DICOM here; a reader of another format implements it to have regions,
/// magnifications and patches.
pub trait TileSource: Send {
    /// The levels, the finest first, at least one.
    fn levels(&self) -> &[Level];

    /// Pictures beside the pyramid.
    fn associated(&self) -> &[Associated];

    /// Micrometres per pixel of level 0, as the file says; the mean of both axes.
    fn microns_per_pixel(&self) -> Option<f64>;

    /// The power of the objective (20 for 20×), as the file says.
    fn objective_power(&self) -> Option<f64>;

    /// Decodes one tile: at least the part of it that lies within the level, from its left upper corner. `None` where the
    /// file stores none, as scanners do with empty glass.
    ///
    /// # Errors
    /// An [`Error`] that names the file.
    fn tile(&mut self, level: usize, column: usize, row: usize) -> Result<Option<Image>>;
}

/// A whole-slide image, open.
///
/// ```
/// # fn main() -> medgemma_medical::Result<()> {
/// # let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/slides/pyramid_jpeg.tif");
/// use medgemma_medical::Slide;
///
/// let mut slide = Slide::open(file)?;
/// let coarse = slide.levels().len() - 1;
/// let region = slide.region(coarse, 10, 5, 64, 48)?; // in pixels of that level
/// assert_eq!((region.width(), region.height()), (64, 48));
/// # Ok(())
/// # }
/// ```
pub struct Slide {
    source: Box<dyn TileSource>,
    limits: SlideLimits,
    tiles: Tiles,
}

impl fmt::Debug for Slide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slide")
            .field("levels", &self.levels())
            .field("associated", &self.associated())
            .finish_non_exhaustive()
    }
}

impl Slide {
    /// Opens an SVS or another tiled TIFF, also a `BigTIFF`; a DICOM file of whole-slide microscopy, as a slide of one
    /// level; or a folder of such DICOM files, each a level or a picture beside them. With the default [`SlideLimits`].
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Slide`] for what is damaged, too large, or not supported; [`Error::File`] for attributes
    /// of DICOM that are.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &SlideLimits::default())
    }

    /// As [`open`](Self::open), within other limits.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, limits: &SlideLimits) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            return Self::open_folder(path, limits);
        }
        let file = open_file(path)?;
        Self::read(BufReader::new(file), path, limits)
    }

    /// The files of one DICOM slide, in any order.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Error::Slide`] for files of several series.
    pub fn open_files(paths: &[impl AsRef<Path>], limits: &SlideLimits) -> Result<Self> {
        let Some(first) = paths.first() else {
            return Err(Error::argument("paths", "one file or more", "none"));
        };
        let sources = paths.iter().map(|path| opened(path.as_ref()));
        let slide = DicomSlide::read(sources, first.as_ref(), false, limits)?;
        Ok(Self::from_source(Box::new(slide), limits))
    }

    /// The DICOM files in a folder; what is in it beside them is passed over.
    fn open_folder(path: &Path, limits: &SlideLimits) -> Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(Error::io(path, "list"))? {
            let file = entry.map_err(Error::io(path, "list"))?.path();
            if file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        let sources = files.iter().filter_map(|file| match opened(file) {
            Ok((mut source, path)) => is_dicom(&mut source).then_some(Ok((source, path))),
            Err(error) => Some(Err(error)),
        });
        let slide = DicomSlide::read(sources, path, true, limits)?;
        Ok(Self::from_source(Box::new(slide), limits))
    }

    /// As [`open_with`](Self::open_with), from anything that can be read at any place; errors call it `name`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn read(
        file: impl Read + Seek + Send + 'static,
        name: impl AsRef<Path>,
        limits: &SlideLimits,
    ) -> Result<Self> {
        let name = name.as_ref();
        let mut source = source(Box::new(file), name)?;
        let source: Box<dyn TileSource> = if is_dicom(&mut source) {
            let one = [Ok((source, name.to_owned()))];
            Box::new(DicomSlide::read(one, name, false, limits)?)
        } else {
            Box::new(TiffSlide::read(source, name, limits)?)
        };
        Ok(Self::from_source(source, limits))
    }

    /// A slide of another format.
    #[must_use]
    pub fn from_source(source: Box<dyn TileSource>, limits: &SlideLimits) -> Self {
        Self {
            source,
            limits: limits.clone(),
            tiles: Tiles::new(limits.max_cached_bytes),
        }
    }

    /// The levels, the finest first.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        self.source.levels()
    }

    /// Pictures beside the pyramid, which are never read.
    #[must_use]
    pub fn associated(&self) -> &[Associated] {
        self.source.associated()
    }

    /// Micrometres per pixel of level 0, as the file says.
    #[must_use]
    pub fn microns_per_pixel(&self) -> Option<f64> {
        self.source.microns_per_pixel()
    }

    /// The power of the objective, as the file says.
    #[must_use]
    pub fn objective_power(&self) -> Option<f64> {
        self.source.objective_power()
    }

    /// The magnification of level 0: 10 divided by the micrometres per pixel (10× is 1 µm, as ez-wsi has it), else the
    /// power of the objective.
    #[must_use]
    pub fn magnification(&self) -> Option<f64> {
        let by_size = self.microns_per_pixel().map(|microns| 10.0 / microns);
        by_size.or(self.objective_power())
    }

    /// Decodes a rectangle, in pixels of the level itself (openslide counts `x` and `y` in those of level 0). Only the
    /// tiles that it touches are read. What the file stores no tile for is white, as glass is.
    ///
    /// # Errors
    /// [`Error::Argument`] for a rectangle that is empty, leaves the level, or has more pixels than
    /// [`SlideLimits::max_region_pixels`]; [`Error::Slide`] for damaged tiles.
    pub fn region(
        &mut self,
        level: usize,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
    ) -> Result<Image> {
        let Level {
            tile_width,
            tile_height,
            ..
        } = self.check(level, x, y, width, height)?;
        let mut data = vec![255; width * height * 3];
        for row in y / tile_height..(y + height).div_ceil(tile_height) {
            for column in x / tile_width..(x + width).div_ceil(tile_width) {
                let tile = self.tiles.get([level, column, row], || {
                    self.source.tile(level, column, row)
                })?;
                let Some(tile) = tile else {
                    continue;
                };
                // What of the tile lies under the rectangle, in pixels of the level.
                let (left, top) = (column * tile_width, row * tile_height);
                let from = [x.max(left), y.max(top)];
                let to = [
                    (x + width).min(left + tile_width),
                    (y + height).min(top + tile_height),
                ];
                if tile.width() < to[0] - left || tile.height() < to[1] - top {
                    let expected = format!(
                        "a tile of {} x {} pixels or more",
                        to[0] - left,
                        to[1] - top
                    );
                    let found = format!("{} x {}", tile.width(), tile.height());
                    return Err(Error::argument("tile", expected, found));
                }
                let bytes = (to[0] - from[0]) * 3;
                for line in from[1]..to[1] {
                    let source = ((line - top) * tile.width() + from[0] - left) * 3;
                    let target = ((line - y) * width + from[0] - x) * 3;
                    data[target..target + bytes]
                        .copy_from_slice(&tile.as_rgb8()[source..source + bytes]);
                }
            }
        }
        Ok(Image::from_rgb8(width, height, data)?)
    }

    fn check(
        &self,
        level: usize,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
    ) -> Result<Level> {
        let Some(&found) = self.levels().get(level) else {
            let expected = format!("a level below {}", self.levels().len());
            return Err(Error::argument("level", expected, level.to_string()));
        };
        let right = x.checked_add(width);
        let bottom = y.checked_add(height);
        let inside = right.is_some_and(|right| right <= found.width)
            && bottom.is_some_and(|bottom| bottom <= found.height);
        if width == 0 || height == 0 || !inside {
            let expected = format!(
                "a rectangle with pixels within the {} x {} of level {level}",
                found.width, found.height
            );
            let given = format!("{width} x {height} at ({x}, {y})");
            return Err(Error::argument("region", expected, given));
        }
        let pixels = width as u64 * height as u64;
        if pixels > self.limits.max_region_pixels {
            let expected = format!(
                "{} pixels or fewer: read smaller regions, or raise `SlideLimits::max_region_pixels`",
                self.limits.max_region_pixels
            );
            return Err(Error::argument("region", expected, pixels.to_string()));
        }
        Ok(found)
    }
}

fn opened(path: &Path) -> Result<(Source, PathBuf)> {
    let file = open_file(path)?;
    Ok((
        source(Box::new(BufReader::new(file)), path)?,
        path.to_owned(),
    ))
}

fn source(file: Box<dyn source::ReadSeek>, path: &Path) -> Result<Source> {
    Source::new(file).map_err(|problem| Error::Slide {
        path: path.to_owned(),
        problem,
    })
}
