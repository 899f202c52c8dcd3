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

/// An open series.
pub(super) struct DicomSlide {
    levels: Vec<Level>,
    files: Vec<(PathBuf, Box<Tiled>)>,
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
        let refused = |what: &str, hint| Error::Slide {
            path: whole.to_owned(),
            problem: SlideProblem::Unsupported {
                what: what.to_owned(),
                hint,
            },
        };
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
                return Err(Error::Slide {
                    path,
                    problem: SlideProblem::Unsupported {
                        what: "a DICOM file of another kind than whole-slide microscopy".to_owned(),
                        hint: "open it by `Dicom::open`",
                    },
                });
            };
            if series.get_or_insert_with(|| uid.clone()) != &uid {
                let hint = "give the files of one series to `Slide::open_files`";
                return Err(refused("a slide of files of several series", hint));
            }
            match part {
                Part::Level(tiled) => files.push((path, tiled)),
                Part::Beside(picture) => associated.push(picture),
            }
        }
        files.sort_by_key(|(_, tiled)| std::cmp::Reverse(tiled.width));
        let Some((_, finest)) = files.first() else {
            let hint =
                "a level is a file of VL Whole Slide Microscopy whose third Image Type is VOLUME";
            return Err(refused("a DICOM slide without a level", hint));
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
        Ok(Self {
            levels: levels.collect(),
            files,
            associated,
        })
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
