//! SVS and other tiled TIFF pyramids: which of the file's pictures are levels, which lie beside them, and where a tile
//! is. Held to openslide 4.0 and tifffile in `tests/slide.rs`.

use std::path::{Path, PathBuf};

use medgemma_image::Image;

use super::aperio::Description;
use super::directory::{Directory, Numbers, Values};
use super::limits::{SlideLimits, check_tiles};
use super::problem::SlideProblem;
use super::scanner::{Halved, halvings, is_philips, is_ventana, philips_microns};
use super::source::Source;
use super::tile::Coding;
use super::{Associated, AssociatedKind, Level, TileSource, same_shape};
use crate::error::{Error, Result};

/// `NewSubfileType` of a picture that is a smaller one of another in the file, TIFF 6.0, section 8; Aperio's labels have it.
const REDUCED: u64 = 1;
/// That of a macro picture, as Aperio writes.
const MACRO: u64 = 9;

/// An open TIFF pyramid.
pub(super) struct TiffSlide {
    path: PathBuf,
    numbers: Numbers,
    max_tile_bytes: u64,
    levels: Vec<Level>,
    pictures: Vec<Picture>,
    associated: Vec<Associated>,
    microns_per_pixel: Option<f64>,
    objective_power: Option<f64>,
}

/// Where and how the tiles of one level are stored.
struct Picture {
    offsets: Values,
    counts: Values,
    across: u64,
    coding: Coding,
}

impl TiffSlide {
    pub(super) fn read(file: Source, path: &Path, limits: &SlideLimits) -> Result<Self> {
        Self::parse(file, path, limits).map_err(|problem| Error::Slide {
            path: path.to_owned(),
            problem,
        })
    }

    fn parse(
        file: Source,
        path: &Path,
        limits: &SlideLimits,
    ) -> std::result::Result<Self, SlideProblem> {
        let (mut numbers, first) = Numbers::open(file)?;
        let directories = numbers.directories(first, limits.max_pictures)?;
        let Some(finest) = finest(&directories) else {
            return Err(SlideProblem::Unsupported {
                what: "a TIFF without tiles".to_owned(),
                hint: "convert it to a tiled TIFF; a small picture can be opened as PNG or JPEG",
            });
        };
        if is_ventana(&directories) {
            return Err(SlideProblem::Unsupported {
                what: "a slide of Ventana's scanners, whose tiles may overlap,".to_owned(),
                hint: "convert it to a tiled TIFF or to DICOM",
            });
        }
        let text = Description::parse(&finest.description);
        let philips = is_philips(finest);
        let microns = text.microns_per_pixel.or(finest.microns);
        let microns = microns.or_else(|| philips_microns(&finest.description).filter(|_| philips));
        let mut slide = Self {
            path: path.to_owned(),
            max_tile_bytes: limits.max_tile_bytes,
            levels: Vec::new(),
            pictures: Vec::new(),
            associated: Vec::new(),
            microns_per_pixel: microns,
            objective_power: text.objective_power,
            numbers,
        };
        let padded = philips.then(|| padded_levels(&directories, finest));
        // Where no picture is half of another, sizes are what they say, of Philips' too.
        let levels = padded
            .filter(|levels| levels.len() > 1)
            .unwrap_or_else(|| plain_levels(&directories, finest));
        for (directory, halved) in &levels {
            slide.add_level(directory, finest, *halved, limits)?;
        }
        for directory in &directories {
            if !levels
                .iter()
                .any(|(level, _)| std::ptr::eq(*level, directory))
            {
                slide.associated.push(Associated {
                    kind: kind(directory, finest),
                    width: to_usize(directory.width)?,
                    height: to_usize(directory.height)?,
                });
            }
        }
        Ok(slide)
    }

    fn add_level(
        &mut self,
        directory: &Directory,
        finest: &Directory,
        halved: Option<Halved>,
        limits: &SlideLimits,
    ) -> std::result::Result<(), SlideProblem> {
        let side = directory.tile_width.max(directory.tile_height);
        if side > limits.max_tile_side as u64 {
            return Err(SlideProblem::Limit {
                what: "max_tile_side",
                limit: limits.max_tile_side as u64,
                found: side,
            });
        }
        let sides = [directory.tile_width, directory.tile_height];
        check_tiles(directory.sides(), sides)?;
        let damaged = |what| SlideProblem::Damaged { what };
        let across = directory.width.div_ceil(directory.tile_width);
        let down = directory.height.div_ceil(directory.tile_height);
        let (Some(offsets), Some(counts)) = (directory.offsets, directory.counts) else {
            return Err(damaged("tiles without places"));
        };
        let tiles = across.checked_mul(down);
        if tiles.is_none_or(|tiles| tiles == 0 || offsets.count < tiles || counts.count < tiles) {
            return Err(damaged("a picture with fewer tiles than its size asks for"));
        }
        let tables = match directory.jpeg_tables {
            Some(values) => self.numbers.raw(values, limits.max_tile_bytes)?,
            None => Vec::new(),
        };
        let coding = Coding::new(directory, tables, self.numbers.is_little())?;
        limits.check_decoding(sides, directory.samples, coding.bytes_per_sample())?;
        let tile = [
            to_usize(directory.tile_width)?,
            to_usize(directory.tile_height)?,
        ];
        // Without what pads it.
        let sides = halved.map_or(directory.sides(), |halved| halved.sides);
        let sides = [to_usize(sides[0])?, to_usize(sides[1])?];
        let mut level = Level::below(finest.sides(), sides, tile);
        if let Some(halved) = halved {
            level.downsample = 2f64.powi(halved.times.cast_signed());
        }
        self.levels.push(level);
        self.pictures.push(Picture {
            offsets,
            counts,
            across,
            coding,
        });
        Ok(())
    }

    /// The stored bytes of a tile, if there are any.
    fn stored(
        &mut self,
        level: usize,
        index: u64,
    ) -> std::result::Result<Option<Vec<u8>>, SlideProblem> {
        let Picture {
            offsets, counts, ..
        } = self.pictures[level];
        let count = self.numbers.value(counts, index)?;
        if count == 0 {
            return Ok(None);
        }
        if count > self.max_tile_bytes {
            return Err(SlideProblem::Limit {
                what: "max_tile_bytes",
                limit: self.max_tile_bytes,
                found: count,
            });
        }
        let at = self.numbers.value(offsets, index)?;
        self.numbers.bytes(at, count).map(Some)
    }
}

impl TileSource for TiffSlide {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn associated(&self) -> &[Associated] {
        &self.associated
    }

    fn microns_per_pixel(&self) -> Option<f64> {
        self.microns_per_pixel
    }

    fn objective_power(&self) -> Option<f64> {
        self.objective_power
    }

    fn tile(&mut self, level: usize, column: usize, row: usize) -> Result<Option<Image>> {
        let across = self.pictures[level].across;
        let stored = self.stored(level, row as u64 * across + column as u64);
        let decoded = stored.and_then(|stored| {
            let Some(stored) = stored else {
                return Ok(None);
            };
            let Level {
                width,
                height,
                tile_width,
                tile_height,
                ..
            } = self.levels[level];
            let needed = [
                tile_width.min(width - column * tile_width),
                tile_height.min(height - row * tile_height),
            ];
            let decoded = self.pictures[level].coding.decode(&stored);
            let decoded = decoded.and_then(|tile| {
                let enough = tile.width() >= needed[0] && tile.height() >= needed[1];
                enough.then_some(tile).ok_or("it is smaller than its place")
            });
            decoded.map(Some).map_err(|what| SlideProblem::Tile {
                level,
                column,
                row,
                what,
            })
        });
        decoded.map_err(|problem| Error::Slide {
            path: self.path.clone(),
            problem,
        })
    }
}

fn to_usize(side: u64) -> std::result::Result<usize, SlideProblem> {
    // Products of two sides and three colours stay below 2^64.
    if side == 0 || side > 1 << 30 {
        let what = "a picture without pixels, or of more than 2^30 on a side";
        return Err(SlideProblem::Damaged { what });
    }
    usize::try_from(side).map_err(|_| SlideProblem::Damaged { what: "too large" })
}

/// Whether a picture can be a level: it has tiles, and is not called a label or a macro picture.
fn is_of_pyramid(directory: &Directory) -> bool {
    let named = Description::parse(&directory.description);
    let beside = named.is_label || named.is_macro || directory.subfile == MACRO;
    directory.tile_width > 0 && directory.tile_height > 0 && !beside
}

/// The levels of a pyramid whose sizes are those of its pictures, the finest first, whatever the order of the file; of one
/// size, the first.
fn plain_levels<'a>(
    directories: &'a [Directory],
    finest: &Directory,
) -> Vec<(&'a Directory, Option<Halved>)> {
    let is_level = |d: &&Directory| {
        let coarser = d.width < finest.width && same_shape(d.sides(), finest.sides());
        std::ptr::eq(*d, finest) || (coarser && is_of_pyramid(d))
    };
    let mut levels: Vec<_> = directories.iter().filter(is_level).collect();
    levels.sort_by_key(|d| std::cmp::Reverse(d.width));
    levels.dedup_by_key(|d| d.width);
    levels.into_iter().map(|level| (level, None)).collect()
}

/// The levels of a pyramid that may be padded to whole tiles, and how often each was halved. Of several that one tile holds, the
/// order of the file says which is finer.
fn padded_levels<'a>(
    directories: &'a [Directory],
    finest: &Directory,
) -> Vec<(&'a Directory, Option<Halved>)> {
    let mut pictures: Vec<_> = directories.iter().filter(|d| is_of_pyramid(d)).collect();
    pictures.sort_by_key(|d| std::cmp::Reverse(d.width.saturating_mul(d.height)));
    let (mut levels, mut above) = (Vec::new(), 0);
    for picture in pictures {
        if std::ptr::eq(picture, finest) {
            levels.insert(0, (picture, None));
        } else if let Some(found) = halvings(finest, picture, above) {
            above = found.times;
            levels.push((picture, Some(found)));
        }
    }
    levels
}

/// Level 0: the widest that is not marked as reduced; where all are, the widest. Of one width, the first.
fn finest(directories: &[Directory]) -> Option<&Directory> {
    let widest = |reduced: bool| {
        let levels = directories.iter().rev().filter(|d| is_of_pyramid(d));
        levels
            .filter(|d| reduced || d.subfile & REDUCED == 0)
            .max_by_key(|d| d.width)
    };
    widest(false).or_else(|| widest(true))
}

/// What a picture beside the pyramid is, by its name, its `NewSubfileType`, its shape.
fn kind(directory: &Directory, finest: &Directory) -> AssociatedKind {
    let named = Description::parse(&directory.description);
    if named.is_label {
        AssociatedKind::Label
    } else if named.is_macro || directory.subfile == MACRO {
        AssociatedKind::Macro
    } else if same_shape(directory.sides(), finest.sides()) {
        AssociatedKind::Thumbnail
    } else if directory.subfile == REDUCED {
        AssociatedKind::Label
    } else {
        AssociatedKind::Other
    }
}
