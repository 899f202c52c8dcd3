//! Slides as DICOM has them (VL Whole Slide Microscopy): each level a file, each tile a frame, all of one series. Frames
//! are read from their files when a region asks for them. Held to pydicom in `tests/dicom_slide.rs`.

mod frames;
mod part;

use std::path::{Path, PathBuf};

use medgemma_image::Image;

use self::part::{Part, Tiled};
use super::limits::SlideLimits;
use super::problem::SlideProblem;
use super::source::Source;
use super::{Associated, Level, TileSource, same_shape};
use crate::error::{Error, Result};

/// A level and the file that it is read from.
type LevelFile = (PathBuf, Box<Tiled>);

/// An open series.
pub(super) struct DicomSlide {
    levels: Vec<Level>,
    files: Vec<LevelFile>,
    associated: Vec<Associated>,
}

/// Whether a file begins as DICOM files do.
pub(super) fn is_dicom(source: &mut Source) -> bool {
    source.bytes(128, 4).is_ok_and(|mark| mark == b"DICM")
}

impl DicomSlide {
    /// Files of one series; others than slides are left out where `mixed` says that there may be some.
    pub(super) fn read(
        sources: impl IntoIterator<Item = Result<(Source, PathBuf)>>,
        whole: &Path,
        mixed: bool,
        limits: &SlideLimits,
    ) -> Result<Self> {
        let (mut files, associated) = parts(sources, whole, mixed, limits)?;
        files.sort_by_key(|(_, tiled)| std::cmp::Reverse(tiled.width));
        Ok(Self {
            levels: levels(&files, whole)?,
            files,
            associated,
        })
    }
}

/// The levels in the order of their files, and the pictures beside them: of one series, and no more files than allowed.
fn parts(
    sources: impl IntoIterator<Item = Result<(Source, PathBuf)>>,
    whole: &Path,
    mixed: bool,
    limits: &SlideLimits,
) -> Result<(Vec<LevelFile>, Vec<Associated>)> {
    let (mut files, mut associated) = (Vec::new(), Vec::new());
    let mut series = None;
    for (count, opened) in sources.into_iter().enumerate() {
        let (source, path) = opened?;
        if count >= limits.max_pictures {
            return Err(Error::Slide {
                path: whole.to_owned(),
                problem: SlideProblem::Limit {
                    what: "max_pictures",
                    limit: limits.max_pictures as u64,
                    found: count as u64 + 1,
                },
            });
        }
        let Some((uid, part)) = part::open(source, &path, limits)? else {
            if mixed {
                continue;
            }
            let what = "a DICOM file of another kind than whole-slide microscopy";
            return Err(refused(&path, what, "open it by `Dicom::open`"));
        };
        if series.get_or_insert_with(|| uid.clone()) != &uid {
            let hint = "give the files of one series to `Slide::open_files`";
            return Err(refused(whole, "a slide of files of several series", hint));
        }
        match part {
            Part::Level(tiled) => files.push((path, tiled)),
            Part::Beside(picture) => associated.push(picture),
        }
    }
    Ok((files, associated))
}

/// The levels of files that are in order of their widths, the finest first; refused if they are not one picture at several
/// sizes.
fn levels(files: &[LevelFile], whole: &Path) -> Result<Vec<Level>> {
    let Some((_, finest)) = files.first() else {
        let hint =
            "a level is a file of VL Whole Slide Microscopy whose third Image Type is VOLUME";
        return Err(refused(whole, "a DICOM slide without a level", hint));
    };
    let shape = [finest.width, finest.height].map(|side| side as u64);
    for pair in files.windows(2) {
        let [(_, finer), (_, coarser)] = pair else {
            continue;
        };
        let sides = [coarser.width, coarser.height].map(|side| side as u64);
        if finer.width == coarser.width || !same_shape(sides, shape) {
            let hint = "give the files of one pyramid to `Slide::open_files`";
            return Err(refused(
                whole,
                "a slide of levels of one size, or of other shapes",
                hint,
            ));
        }
    }
    let levels = files.iter().map(|(_, tiled)| {
        let [tile_height, tile_width] = tiled.tile_size();
        Level::below(
            shape,
            [tiled.width, tiled.height],
            [tile_width, tile_height],
        )
    });
    Ok(levels.collect())
}

fn refused(path: &Path, what: &str, hint: &'static str) -> Error {
    Error::Slide {
        path: path.to_owned(),
        problem: SlideProblem::Unsupported {
            what: what.to_owned(),
            hint,
        },
    }
}

impl TileSource for DicomSlide {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn associated(&self) -> &[Associated] {
        &self.associated
    }

    fn microns_per_pixel(&self) -> Option<f64> {
        self.files.first()?.1.microns_per_pixel
    }

    fn objective_power(&self) -> Option<f64> {
        self.files.first()?.1.objective_power
    }

    fn tile(&mut self, level: usize, column: usize, row: usize) -> Result<Option<Image>> {
        let (path, tiled) = &mut self.files[level];
        tiled.tile(path, column, row)
    }
}
