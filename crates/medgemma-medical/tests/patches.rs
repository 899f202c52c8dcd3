//! Patches of slides that do not exist: of gigapixels whose tiles are made when they are asked for, and counted.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use medgemma_image::Image;
use medgemma_medical::{
    Associated, Item, Level, PATCH, PatchRecipe, PatchRecord, PreparedPatches, Recipe, Result,
    Slide, SlideLimits, TileSource, Tissue, slide_instruction,
};

const TILE: usize = 256;
const GLASS: [u8; 3] = [244, 243, 246];
const TISSUE: [u8; 3] = [200, 120, 170];

type Calls = Arc<Mutex<Vec<[usize; 3]>>>;

/// A slide at 40× whose tissue is where `is_tissue` says, in pixels of level 0.
struct Imagined {
    levels: Vec<Level>,
    is_tissue: fn(usize, usize) -> bool,
    calls: Calls,
}

fn imagine(
    width: usize,
    height: usize,
    downsamples: &[usize],
    is_tissue: fn(usize, usize) -> bool,
) -> (Slide, Calls) {
    // A level cannot be made by name outside of its crate, but changed.
    let open = Slide::open(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/golden/slides/raw_alpha.tif"
    ));
    let pattern = open.unwrap().levels()[0];
    let levels = downsamples.iter().map(|&by| {
        let mut level = pattern;
        (level.width, level.height) = (width / by, height / by);
        (level.tile_width, level.tile_height) = (TILE, TILE);
        level.downsample = by as f64;
        level
    });
    let calls = Calls::default();
    let source = Imagined {
        levels: levels.collect(),
        is_tissue,
        calls: calls.clone(),
    };
    let limits = SlideLimits::default().with_max_region_pixels(16 << 20);
    (Slide::from_source(Box::new(source), &limits), calls)
}

impl TileSource for Imagined {
    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn associated(&self) -> &[Associated] {
        &[]
    }

    fn microns_per_pixel(&self) -> Option<f64> {
        Some(0.25)
    }

    fn objective_power(&self) -> Option<f64> {
        None
    }

    fn tile(&mut self, level: usize, column: usize, row: usize) -> Result<Option<Image>> {
        self.calls.lock().unwrap().push([level, column, row]);
        let by = self.levels[level].downsample as usize;
        let mut data = Vec::with_capacity(TILE * TILE * 3);
        for y in 0..TILE {
            for x in 0..TILE {
                let place = [(column * TILE + x) * by, (row * TILE + y) * by];
                let mut colour = GLASS;
                if (self.is_tissue)(place[0], place[1]) {
                    // Tells places apart.
                    colour = TISSUE;
                    colour[2] -= (place[0] / 1000 % 8 + place[1] / 1000 % 8 * 8) as u8;
                }
                data.extend(colour);
            }
        }
        Ok(Some(Image::from_rgb8(TILE, TILE, data).unwrap()))
    }
}

fn record(prepared: &PreparedPatches) -> &PatchRecord {
    let Recipe::Slide(record) = prepared.recipe() else {
        panic!("a slide");
    };
    record
}

/// A disc of tissue in the middle of 100 000 × 80 000 pixels.
fn disc(x: usize, y: usize) -> bool {
    let [x, y] = [x as f64 - 50_000.0, y as f64 - 40_000.0];
    x.hypot(y) < 30_000.0
}

#[test]
fn a_gigapixel_slide_is_looked_at_coarse_and_read_in_patches() {
    let (mut slide, calls) = imagine(100_000, 80_000, &[1, 4, 16, 64], disc);
    let prepared = PatchRecipe::default().prepare(&mut slide).unwrap();
    let done = record(&prepared);
    assert_eq!(
        (done.level, done.pixels_per_pixel),
        (1, 1.0),
        "10x is the second level"
    );
    assert_eq!(done.patches_of_slide, 27 * 22);
    // The disc has the area of 220 patches; those that it covers to a quarter are a few more.
    assert!(
        (220..250).contains(&done.patches_with_tissue),
        "{}",
        done.patches_with_tissue
    );
    assert_eq!(
        (done.cap, done.seed, prepared.images().len()),
        (126, Some(0), 126)
    );
    let in_order = done
        .patches_shown
        .is_sorted_by(|a, b| [a[1], a[0]] < [b[1], b[0]]);
    assert!(in_order, "row by row, each once");
    for [x, y] in &done.patches_shown {
        assert!(x % PATCH == 0 && y % PATCH == 0);
        let corner = |dx: usize, dy: usize| disc((x + dx * PATCH) * 4, (y + dy * PATCH) * 4);
        assert!(
            corner(0, 0) || corner(1, 0) || corner(0, 1) || corner(1, 1),
            "({x}, {y}) has tissue"
        );
    }
    // The patches are those of the level.
    let [x, y] = done.patches_shown[40];
    assert_eq!(
        prepared.images()[40],
        slide.region(1, x, y, PATCH, PATCH).unwrap()
    );

    let calls = calls.lock().unwrap();
    assert!(
        calls.iter().all(|[level, ..]| *level != 0),
        "the finest level is not touched"
    );
    // 2.5x is as near to 5x as 10x is: the whole of it, and at most 25 tiles a patch.
    let tiles = |level: usize| calls.iter().filter(|call| call[0] == level).count();
    assert!(tiles(2) <= 27 * 22 * 4, "{}", tiles(2));
    assert!(tiles(1) <= 127 * 25, "{}", tiles(1));
    assert_eq!(tiles(3), 0);
}

#[test]
fn a_region_reads_the_tiles_under_it_and_no_others() {
    let (mut slide, calls) = imagine(100_000, 80_000, &[1], disc);
    slide.region(0, 300, 500, 700, 30).unwrap();
    let read: BTreeSet<_> = calls.lock().unwrap().drain(..).collect();
    let expected = [
        [0, 1, 1],
        [0, 1, 2],
        [0, 2, 1],
        [0, 2, 2],
        [0, 3, 1],
        [0, 3, 2],
    ];
    assert_eq!(read, BTreeSet::from(expected));
    // The next region has two of them in common, which are kept.
    slide.region(0, 1000, 520, 100, 30).unwrap();
    assert_eq!(*calls.lock().unwrap(), [[0, 4, 2]]);
    assert!(
        slide
            .region(0, 0, 0, 10_000, 10_000)
            .unwrap_err()
            .to_string()
            .contains("max_region_pixels")
    );
}

#[test]
fn other_magnifications_take_other_levels_or_resize() {
    let (mut slide, _) = imagine(30_000, 30_000, &[1, 4, 16], |_, _| true);
    let everything = PatchRecipe::default()
        .with_tissue(Tissue::Everything)
        .with_cap(2);
    // 20x: no level is near, so patches of 40x are read twice as large.
    for (magnification, level, ratio, side) in [
        (40.0, 0, 1.0, PATCH),
        (33.0, 0, 1.0, PATCH),
        (20.0, 0, 2.0, PATCH * 2),
        (10.0, 1, 1.0, PATCH),
        (5.0, 1, 2.0, PATCH * 2),
        (2.5, 2, 1.0, PATCH),
    ] {
        let recipe = everything.clone().with_magnification(magnification);
        let prepared = recipe.prepare(&mut slide).unwrap();
        let done = record(&prepared);
        assert_eq!(
            (done.level, done.pixels_per_pixel),
            (level, ratio),
            "{magnification}"
        );
        let per_side = slide.levels()[level].width / side;
        assert_eq!(done.patches_of_slide, per_side * per_side);
        for (image, [x, y]) in prepared.images().iter().zip(&done.patches_shown) {
            assert_eq!((image.width(), image.height()), (PATCH, PATCH));
            assert_eq!((x % side, y % side), (0, 0), "{magnification}");
        }
    }
    for wrong in [80.0, 0.0, f64::NAN] {
        let error = everything
            .clone()
            .with_magnification(wrong)
            .prepare(&mut slide);
        assert!(
            error.unwrap_err().to_string().contains("magnification"),
            "{wrong}"
        );
    }
    // What the caller knows of the size of a pixel goes before the file.
    let coarser = everything.clone().with_microns_per_pixel(0.5);
    assert_eq!(
        record(&coarser.prepare(&mut slide).unwrap()).level,
        0,
        "twice 10x"
    );
}

#[test]
fn a_slide_of_too_many_patches_is_refused_before_any_is_looked_at() {
    // 450 x 450 patches of 40x.
    let (mut slide, calls) = imagine(PATCH * 450, PATCH * 450, &[1, 16, 256], |_, _| true);
    let recipe = PatchRecipe::default()
        .with_magnification(40.0)
        .with_tissue(Tissue::Everything)
        .with_cap(1);
    let error = recipe.prepare(&mut slide).unwrap_err().to_string();
    assert!(
        error.contains("200000 patches or fewer at 40x")
            && error.contains("lower magnification")
            && error.contains("PatchRecipe::max_looked_at")
            && error.contains("found 202500"),
        "{error}"
    );
    assert!(calls.lock().unwrap().is_empty());
    let raised = recipe.with_max_looked_at(202_500);
    let prepared = raised.prepare(&mut slide).unwrap();
    assert_eq!(record(&prepared).patches_of_slide, 202_500);
}

#[test]
fn seeds_draw_samples_and_few_patches_are_all_shown() {
    let (mut slide, _) = imagine(10_000, 10_000, &[1, 8], |_, _| true);
    let recipe = PatchRecipe::default().with_cap(5);
    let shown = |slide: &mut Slide, recipe: &PatchRecipe| {
        record(&recipe.prepare(slide).unwrap())
            .patches_shown
            .clone()
    };
    let recipe = recipe.with_magnification(40.0);
    let first = shown(&mut slide, &recipe);
    assert_eq!(first, shown(&mut slide, &recipe));
    assert_ne!(first, shown(&mut slide, &recipe.clone().with_seed(1)));
    let all = recipe.with_cap(1000).prepare(&mut slide).unwrap();
    assert_eq!((all.images().len(), record(&all).seed), (121, None));
}

#[test]
fn both_rules_find_the_tissue_and_a_slide_of_glass_is_refused() {
    let left = |x: usize, _: usize| x < 10_752 / 2;
    for (tissue, level) in [(Tissue::hsv(), 2), (Tissue::notebook(), 3)] {
        let (mut slide, calls) = imagine(10_752, 7168, &[1, 4, 8, 32], left);
        let recipe = PatchRecipe::default().with_tissue(tissue);
        let prepared = recipe.prepare(&mut slide).unwrap();
        let done = record(&prepared);
        assert_eq!(done.patches_of_slide, 6);
        // Three columns, the middle one half of tissue: 25 % are enough for the one, and its mean for the other.
        let columns: BTreeSet<_> = done.patches_shown.iter().map(|[x, _]| x / PATCH).collect();
        assert_eq!(columns, BTreeSet::from([0, 1]), "{tissue:?}");
        let seen: BTreeSet<_> = calls.lock().unwrap().iter().map(|call| call[0]).collect();
        assert_eq!(seen, BTreeSet::from([1, level]), "{tissue:?}");
    }
    let (mut glass, _) = imagine(10_752, 7168, &[1, 4], |_, _| false);
    for tissue in [Tissue::hsv(), Tissue::notebook()] {
        let error = PatchRecipe::default()
            .with_tissue(tissue)
            .prepare(&mut glass);
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("tissue") && error.contains("none in 6 patches"),
            "{error}"
        );
    }
    let (mut small, _) = imagine(3000, 3000, &[1], |_, _| true);
    let error = PatchRecipe::default()
        .prepare(&mut small)
        .unwrap_err()
        .to_string();
    assert!(error.contains("higher magnification"), "{error}");
    assert!(
        PatchRecipe::default()
            .with_cap(0)
            .prepare(&mut small)
            .is_err()
    );
}

#[test]
fn words_first_then_the_patches() {
    let (mut slide, _) = imagine(10_752, 7168, &[1, 4], |_, _| true);
    let prepared = PatchRecipe::default().prepare(&mut slide).unwrap();
    let prompt = prepared.prompt(&slide_instruction("colon", "biopsy"));
    let [Item::Text(text), images @ ..] = prompt.items() else {
        panic!("words first");
    };
    assert!(
        text.starts_with("You are an instructor")
            && text.ends_with("descriptive text.\ncolon, biopsy:"),
        "{text}"
    );
    assert_eq!(images.len(), 6);
    assert!(images.iter().all(|item| matches!(item, Item::Image(_))));
}
