//! Patches of a slide: those with tissue, cut into squares of 896 pixels that touch and do not overlap, at most 126 of
//! them, drawn at random but shown row by row (report; notebook: 125 at 10×, in the order in which they were drawn).

use medgemma_image::{Image, Resizer};

use super::draw::sample;
use super::prompt::{Item, Prompt};
use super::record::{PatchRecord, Recipe};
use super::tissue::{Tissue, shrunk};
use crate::error::{Error, Result};
use crate::slide::{Level, Slide};

/// The side of a patch in pixels: the side of MedGemma's pictures.
pub const PATCH: usize = 896;

/// A level this much finer or coarser than asked for is taken as it is (ez-wsi, `MAX_LEVEL_DIST`).
const NEAR: f64 = 0.23;

/// What the notebook asks, for a tissue and a procedure, such as `colon` and `biopsy`.
#[must_use]
pub fn slide_instruction(tissue: &str, procedure: &str) -> String {
    format!(
        "You are an instructor teaching medical students. For education purposes, provide a brief descriptive text for \
        the set of pathology patches extracted from a pathology slide. Consider the tissue type and procedure (below) \
        when deciding what to include in the descriptive text.\n{tissue}, {procedure}:"
    )
}

/// How patches of a slide are chosen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PatchRecipe {
    /// The magnification. MedGemma 1.5 was trained with 5, 10 and 20, a third each. Default 10, the notebook's.
    pub magnification: f64,
    /// Which patches are tissue. Default [`Tissue::hsv`].
    pub tissue: Tissue,
    /// Most patches. Default 126, the report's.
    pub cap: usize,
    /// Which sample is drawn where there are more. Default 0: the same slide gives the same patches.
    pub seed: u64,
    /// Micrometres per pixel of level 0, for files that do not say. Default `None`.
    pub microns_per_pixel: Option<f64>,
    /// Most patches of a slide, each of which is looked at for tissue. Default 200 000: a glass of 25 × 75 mm has 37 000
    /// at 40×.
    pub max_looked_at: usize,
}

impl Default for PatchRecipe {
    fn default() -> Self {
        Self {
            magnification: 10.0,
            tissue: Tissue::hsv(),
            cap: 126,
            seed: 0,
            microns_per_pixel: None,
            max_looked_at: 200_000,
        }
    }
}

/// Patches as the model will see them.
#[derive(Debug, Clone)]
pub struct PreparedPatches {
    images: Vec<Image>,
    recipe: Recipe,
}

impl PreparedPatches {
    /// The patches, row by row.
    #[must_use]
    pub fn images(&self) -> &[Image] {
        &self.images
    }

    /// What was done.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The message as in the notebook: the words first, then the patches. [`slide_instruction`] has its words.
    #[must_use]
    pub fn prompt(self, instruction: &str) -> Prompt {
        let images = self.images.into_iter().map(Item::Image);
        let items = std::iter::once(Item::Text(instruction.to_owned())).chain(images);
        Prompt::new(items.collect(), self.recipe)
    }
}

/// The grid of patches on a level.
struct Grid {
    level: usize,
    /// Pixels of the level under one of a patch.
    ratio: f64,
    /// The side of a patch on the level.
    side: usize,
    across: usize,
    down: usize,
}

impl PatchRecipe {
    /// Sets [`magnification`](Self::magnification).
    #[must_use]
    pub fn with_magnification(mut self, magnification: f64) -> Self {
        self.magnification = magnification;
        self
    }

    /// Sets [`tissue`](Self::tissue).
    #[must_use]
    pub fn with_tissue(mut self, tissue: Tissue) -> Self {
        self.tissue = tissue;
        self
    }

    /// Sets [`cap`](Self::cap).
    #[must_use]
    pub fn with_cap(mut self, patches: usize) -> Self {
        self.cap = patches;
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`microns_per_pixel`](Self::microns_per_pixel).
    #[must_use]
    pub fn with_microns_per_pixel(mut self, microns: f64) -> Self {
        self.microns_per_pixel = Some(microns);
        self
    }

    /// Sets [`max_looked_at`](Self::max_looked_at).
    #[must_use]
    pub fn with_max_looked_at(mut self, patches: usize) -> Self {
        self.max_looked_at = patches;
        self
    }

    /// Looks at the slide for tissue, coarse, patch by patch; draws the sample; and reads its patches. A level within
    /// 23 % of the magnification is taken as it is; from a finer one, patches are read larger and resized by Pillow's
    /// bilinear filter. Patches are whole: what is left over at the right and below is not shown.
    ///
    /// # Errors
    /// [`Error::Argument`] for a slide whose magnification is unknown or too low, one that is smaller than a patch, one
    /// without tissue by that rule, one of more patches than [`max_looked_at`](Self::max_looked_at), or a cap of 0; and as
    /// [`Slide::region`].
    pub fn prepare(&self, slide: &mut Slide) -> Result<PreparedPatches> {
        if self.cap == 0 {
            return Err(Error::argument("cap", "at least one patch", "0"));
        }
        let finest = self.finest(slide)?;
        let grid = self.grid(slide.levels(), finest)?;
        let mut tissue = Vec::new();
        for row in 0..grid.down {
            for column in 0..grid.across {
                if self.is_tissue(slide, &grid, finest, [column, row])? {
                    tissue.push([column, row]);
                }
            }
        }
        if tissue.is_empty() {
            let expected = format!("a slide with tissue ({})", self.tissue.name());
            let found = format!("none in {} patches", grid.across * grid.down);
            return Err(Error::argument("slide", expected, found));
        }
        let drawn = sample(tissue.len(), self.cap, self.seed);
        let mut patches_shown = Vec::with_capacity(drawn.len());
        let mut images = Vec::with_capacity(drawn.len());
        for index in drawn {
            let [x, y] = grid.corner(tissue[index]);
            let patch = slide.region(grid.level, x, y, grid.side, grid.side)?;
            images.push(if grid.side == PATCH {
                patch
            } else {
                Resizer::PilBilinear.resize(&patch, PATCH, PATCH)?
            });
            patches_shown.push([x, y]);
        }
        let record = PatchRecord {
            magnification: self.magnification,
            level: grid.level,
            pixels_per_pixel: grid.ratio,
            tissue: self.tissue.name(),
            patches_of_slide: grid.across * grid.down,
            patches_with_tissue: tissue.len(),
            cap: self.cap,
            seed: (tissue.len() > self.cap).then_some(self.seed),
            patches_shown,
        };
        Ok(PreparedPatches {
            images,
            recipe: Recipe::Slide(record),
        })
    }

    /// The magnification of level 0.
    fn finest(&self, slide: &Slide) -> Result<f64> {
        let given = self.microns_per_pixel.map(|microns| 10.0 / microns);
        let found = given.or(slide.magnification());
        match found {
            Some(finest) if finest.is_finite() && finest > 0.0 => Ok(finest),
            _ => Err(Error::argument(
                "microns_per_pixel",
                "the size of a pixel above 0, as the file does not say it: PatchRecipe::with_microns_per_pixel",
                "none",
            )),
        }
    }

    /// The level to read, and the patches on it.
    fn grid(&self, levels: &[Level], finest: f64) -> Result<Grid> {
        let wanted = self.magnification;
        if !(wanted.is_finite() && wanted > 0.0) {
            return Err(Error::argument(
                "magnification",
                "5, 10 or 20",
                wanted.to_string(),
            ));
        }
        // Pixels of a level under one pixel of a patch: below 1 where the level is too coarse.
        let ratio = |level: &Level| finest / level.downsample / wanted;
        let near = |level: &&Level| (1.0 / ratio(level) - 1.0).abs() <= NEAR;
        let by_distance = |a: &&Level, b: &&Level| {
            let distance = |level: &Level| ratio(level).ln().abs();
            distance(a).total_cmp(&distance(b))
        };
        let (level, ratio) = if let Some(level) = levels.iter().filter(near).min_by(by_distance) {
            (level, 1.0)
        } else if let Some(level) = levels.iter().rfind(|level| ratio(level) > 1.0) {
            (level, ratio(level))
        } else {
            let expected = format!("{finest:.1} or less, the slide's own");
            return Err(Error::argument(
                "magnification",
                expected,
                wanted.to_string(),
            ));
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a side of a level bounds it in the next lines"
        )]
        let side = (PATCH as f64 * ratio).round() as usize;
        let grid = Grid {
            level: levels.iter().position(|l| l == level).unwrap_or_default(),
            ratio,
            side,
            across: level.width / side,
            down: level.height / side,
        };
        if grid.across == 0 || grid.down == 0 {
            let expected = format!(
                "a slide of {side} x {side} pixels or more at {wanted}x: choose a higher magnification"
            );
            let found = format!("{} x {}", level.width, level.height);
            return Err(Error::argument("slide", expected, found));
        }
        let patches = grid.across.saturating_mul(grid.down);
        if patches > self.max_looked_at {
            let expected = format!(
                "{} patches or fewer at {wanted}x: choose a lower magnification, or raise `PatchRecipe::max_looked_at`",
                self.max_looked_at
            );
            return Err(Error::argument("slide", expected, patches.to_string()));
        }
        Ok(grid)
    }

    /// Looks at one patch on the level nearest to the rule's magnification.
    fn is_tissue(
        &self,
        slide: &mut Slide,
        grid: &Grid,
        finest: f64,
        place: [usize; 2],
    ) -> Result<bool> {
        let Some(wanted) = self.tissue.magnification() else {
            return Ok(true);
        };
        let levels = slide.levels();
        let magnification = |level: &Level| finest / level.downsample;
        let distance = |level: &Level| (magnification(level) / wanted).ln().abs();
        // Of two that are as near, the coarser: it is four times as fast.
        let nearest = (0..levels.len())
            .rev()
            .min_by(|&a, &b| distance(&levels[a]).total_cmp(&distance(&levels[b])))
            .unwrap_or_default();
        let (coarse, fine) = (levels[nearest], levels[grid.level]);
        let factor = magnification(&coarse) / wanted;
        let [x, y] = grid.corner(place);
        let scale = [
            coarse.width as f64 / fine.width as f64,
            coarse.height as f64 / fine.height as f64,
        ];
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "places on a level that is smaller than 2^30"
        )]
        let span = |from: usize, scale: f64, end: usize| {
            let begin = ((from as f64 * scale).round() as usize).min(end - 1);
            let stop = ((from + grid.side) as f64 * scale).round() as usize;
            (begin, stop.clamp(begin + 1, end) - begin)
        };
        let (left, width) = span(x, scale[0], coarse.width);
        let (top, height) = span(y, scale[1], coarse.height);
        let seen = slide.region(nearest, left, top, width, height)?;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "no microscope magnifies by 2^32"
        )]
        let factor = factor.round().max(1.0) as usize;
        Ok(self.tissue.accepts(&shrunk(seen, factor)?))
    }
}

impl Grid {
    fn corner(&self, [column, row]: [usize; 2]) -> [usize; 2] {
        [column * self.side, row * self.side]
    }
}
