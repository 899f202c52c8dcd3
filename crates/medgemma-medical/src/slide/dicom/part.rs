//! One file of a DICOM slide: a level, or a picture of the glass beside it. PS3.3, A.32.8 and C.8.12.4.

use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use medgemma_image::Image;

use super::frames::Frames;
use crate::dicom::{FrameDecoder, Head, View, WHOLE_SLIDE, name};
use crate::error::{Error, Origin, Result};
use crate::limits::Limits;
use crate::slide::limits::{SlideLimits, check_tiles};
use crate::slide::problem::SlideProblem;
use crate::slide::source::Source;
use crate::slide::{Associated, AssociatedKind};

/// How much of a file is read at first; most have their pixels within it.
const BEGINNING: u64 = 1 << 20;

/// What a file of a slide holds.
pub(super) enum Part {
    Level(Box<Tiled>),
    Beside(Associated),
}

/// A level and how it is read.
pub(super) struct Tiled {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) microns_per_pixel: Option<f64>,
    pub(super) objective_power: Option<f64>,
    decoder: FrameDecoder,
    frames: Frames,
    /// Place, counted along rows of tiles, and frame of each tile that is stored; none where every one is, in order.
    sparse: Option<Vec<(u64, usize)>>,
    source: Source,
    origin: Origin,
    max_tile_bytes: u64,
}

/// Reads the front of a file and finds its frames: what it holds, and the series that it is of. None for a DICOM file of
/// something else.
pub(super) fn open(
    mut source: Source,
    path: &Path,
    limits: &SlideLimits,
) -> Result<Option<(String, Part)>> {
    let origin = Origin::File(path.to_owned());
    let slide = of_slide(path);
    let head = beginning(&mut source, path, limits, &origin)?;
    let view = head.view();
    if view.text(tags::SOP_CLASS_UID).as_deref() != Some(WHOLE_SLIDE) {
        return Ok(None);
    }
    let series = view.text(tags::SERIES_INSTANCE_UID).unwrap_or_default();
    let matrix = |tag| side(&view, tag, &origin);
    let width = matrix(tags::TOTAL_PIXEL_MATRIX_COLUMNS)?;
    let height = matrix(tags::TOTAL_PIXEL_MATRIX_ROWS)?;
    let flavour = view.texts(tags::IMAGE_TYPE).into_iter().nth(2);
    if let Some(kind) = beside(flavour.as_deref()) {
        let found = Associated {
            kind,
            width,
            height,
        };
        return Ok(Some((series, Part::Beside(found))));
    }
    only_one(&view, &origin)?;
    let decoder = frame_decoder(&head, path, limits, &origin)?;
    let [rows, columns] = decoder.size().map(|side| side as u64);
    check_tiles([width, height].map(|side| side as u64), [columns, rows]).map_err(slide)?;
    let sparse = tiles(&view, &decoder, [height, width], &origin)?;
    let pixels = head.pixels.unwrap_or_default();
    let frames = Frames::find(&mut source, &head, &decoder, pixels).map_err(slide)?;
    let level = Tiled {
        width,
        height,
        microns_per_pixel: microns(&view),
        objective_power: objective_power(&view),
        decoder,
        frames,
        sparse,
        source,
        origin,
        max_tile_bytes: limits.max_tile_bytes,
    };
    Ok(Some((series, Part::Level(Box::new(level)))))
}

impl Tiled {
    /// Height and width of a tile.
    pub(super) fn tile_size(&self) -> [usize; 2] {
        self.decoder.size()
    }

    /// Decodes a tile, if it is stored.
    pub(super) fn tile(&mut self, path: &Path, column: usize, row: usize) -> Result<Option<Image>> {
        let across = self.width.div_ceil(self.tile_size()[1]);
        let place = row as u64 * across as u64 + column as u64;
        let frame = match &self.sparse {
            None => usize::try_from(place).unwrap_or(usize::MAX),
            Some(stored) => match stored.binary_search_by_key(&place, |&(place, _)| place) {
                Ok(found) => stored[found].1,
                Err(_) => return Ok(None),
            },
        };
        let bytes = self
            .frames
            .read(&mut self.source, frame, self.max_tile_bytes)
            .map_err(of_slide(path))?;
        self.decoder.rgb(&bytes, frame, &self.origin).map(Some)
    }
}

/// For `map_err`: what is wrong with the file at `path`.
fn of_slide(path: &Path) -> impl Fn(SlideProblem) -> Error + Copy {
    move |problem| Error::Slide {
        path: path.to_owned(),
        problem,
    }
}

/// As much of the file as it takes to have all in front of its pixels.
fn beginning(
    source: &mut Source,
    path: &Path,
    limits: &SlideLimits,
    origin: &Origin,
) -> Result<Head> {
    let slide = of_slide(path);
    // Every element takes eight bytes or more of the file.
    let bounds = Limits::default()
        .with_max_file_bytes(u64::MAX)
        .with_max_decompressed_bytes(limits.max_header_bytes)
        .with_max_elements(limits.max_header_bytes / 8 + 1);
    let mut length = BEGINNING;
    loop {
        length = length.min(source.len()).min(limits.max_header_bytes);
        let is_whole = length == source.len();
        let bytes = source.bytes(0, length).map_err(slide)?;
        if let Some(head) = Head::read(bytes, is_whole, &bounds, origin)? {
            return Ok(head);
        }
        if length == limits.max_header_bytes {
            return Err(slide(SlideProblem::Limit {
                what: "max_header_bytes",
                limit: length,
                found: source.len(),
            }));
        }
        length *= 4;
    }
}

/// How tiles are unpacked, where their sides, their number and the memory that one takes are within the limits.
fn frame_decoder(
    head: &Head,
    path: &Path,
    limits: &SlideLimits,
    origin: &Origin,
) -> Result<FrameDecoder> {
    let slide = of_slide(path);
    let view = head.view();
    let sides = [tags::ROWS, tags::COLUMNS].map(|tag| view.integer(tag).unwrap_or_default());
    let longest = sides[0].max(sides[1]);
    check("max_tile_side", limits.max_tile_side as u64, longest).map_err(slide)?;
    let tiles_stored = view.integer(tags::NUMBER_OF_FRAMES).unwrap_or(1);
    check("max_tiles", limits.max_tiles, tiles_stored).map_err(slide)?;
    // Sides and frames are checked above, by the names that they have for slides.
    let unbounded = Limits::default()
        .with_max_pixels(u64::MAX)
        .with_max_frames(u64::MAX)
        .with_max_decompressed_bytes(u64::MAX);
    let decoder = head.frames(&unbounded, origin)?;
    let tile = decoder.size().map(|side| side as u64);
    let [samples, of_sample] = decoder.cost();
    limits
        .check_decoding(tile, samples, of_sample)
        .map_err(slide)?;
    Ok(decoder)
}

fn check(what: &'static str, limit: u64, found: i64) -> std::result::Result<(), SlideProblem> {
    let found = u64::try_from(found).unwrap_or_default();
    if found <= limit {
        return Ok(());
    }
    Err(SlideProblem::Limit { what, limit, found })
}

fn side(view: &View<'_>, tag: Tag, origin: &Origin) -> Result<usize> {
    let found = view.integer(tag);
    found
        .filter(|side| (1..=1 << 30).contains(side))
        .and_then(|side| usize::try_from(side).ok())
        .ok_or_else(|| {
            let found = found.map_or_else(|| "none".to_owned(), |side| side.to_string());
            Error::file(origin, name(tag), "1 to 2^30 pixels", found)
        })
}

/// By the third value of Image Type; a level is `VOLUME`.
fn beside(flavour: Option<&str>) -> Option<AssociatedKind> {
    match flavour {
        Some("VOLUME") => None,
        Some("LABEL") => Some(AssociatedKind::Label),
        Some("OVERVIEW") => Some(AssociatedKind::Macro),
        Some("THUMBNAIL") => Some(AssociatedKind::Thumbnail),
        _ => Some(AssociatedKind::Other),
    }
}

/// Slides of several focal planes, of several colours of fluorescence, or whose frames are in several files.
fn only_one(view: &View<'_>, origin: &Origin) -> Result<()> {
    let paths = view.nth_item(tags::OPTICAL_PATH_SEQUENCE, 1).map(|_| 2);
    for (tag, found) in [
        (tags::TOTAL_PIXEL_MATRIX_FOCAL_PLANES, None),
        (tags::NUMBER_OF_OPTICAL_PATHS, None),
        (tags::OPTICAL_PATH_SEQUENCE, paths),
        (tags::IN_CONCATENATION_TOTAL_NUMBER, None),
    ] {
        let found = found.or_else(|| view.integer(tag)).unwrap_or(1);
        if found > 1 {
            let expected = "one; take such a slide apart before";
            return Err(Error::file(origin, name(tag), expected, "several"));
        }
    }
    Ok(())
}

/// The tiles that are stored, in order of their places; none if all are.
fn tiles(
    view: &View<'_>,
    decoder: &FrameDecoder,
    [height, width]: [usize; 2],
    origin: &Origin,
) -> Result<Option<Vec<(u64, usize)>>> {
    let tile = decoder.size();
    let (across, down) = (width.div_ceil(tile[1]), height.div_ceil(tile[0]));
    let organization = view.text(tags::DIMENSION_ORGANIZATION_TYPE);
    // The smallest level may be one frame, of which nothing more is said.
    if organization.as_deref() == Some("TILED_FULL") || (across, down) == (1, 1) {
        if decoder.count() != across * down {
            return Err(Error::file(
                origin,
                name(tags::NUMBER_OF_FRAMES),
                format!("{} frames, {across} x {down} tiles", across * down),
                decoder.count().to_string(),
            ));
        }
        return Ok(None);
    }
    let grid = Grid { tile, across, down };
    let mut stored = Vec::new();
    for frame in 0..decoder.count() {
        stored.push((grid.place(view, frame, origin)?, frame));
    }
    stored.sort_unstable();
    if stored.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::file(
            origin,
            name(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE),
            "one frame in each place",
            "two in the same",
        ));
    }
    Ok(Some(stored))
}

/// How a level is cut into tiles.
struct Grid {
    /// Height and width of one.
    tile: [usize; 2],
    across: usize,
    down: usize,
}

impl Grid {
    /// The place of a frame, counted along rows of tiles; refused if that is not the corner of a tile within the level.
    fn place(&self, view: &View<'_>, frame: usize, origin: &Origin) -> Result<u64> {
        let [rows, columns] = self.tile;
        let place = view
            .nth_item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame)
            .and_then(|groups| groups.item(tags::PLANE_POSITION_SLIDE_SEQUENCE));
        let number = |tag, side: usize, most: usize| {
            let found = place.and_then(|place| place.integer(tag));
            // They count from 1.
            found
                .and_then(|found| usize::try_from(found - 1).ok())
                .filter(|found| found % side == 0 && found / side < most)
                .map(|found| (found / side) as u64)
                .ok_or_else(|| {
                    let expected = format!("a place in a grid of {columns} x {rows} pixels");
                    let found = found.map_or_else(|| "none".to_owned(), |n| n.to_string());
                    Error::file(
                        origin,
                        format!("{}, frame {frame}", name(tag)),
                        expected,
                        found,
                    )
                })
        };
        let column = number(
            tags::COLUMN_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX,
            columns,
            self.across,
        )?;
        let row = number(
            tags::ROW_POSITION_IN_TOTAL_IMAGE_PIXEL_MATRIX,
            rows,
            self.down,
        )?;
        Ok(row * self.across as u64 + column)
    }
}

/// The mean of both distances between pixels, in micrometres.
fn microns(view: &View<'_>) -> Option<f64> {
    let shared = view.item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
    let own = view.item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let spacing = [shared, own]
        .into_iter()
        .flatten()
        .filter_map(|groups| groups.item(tags::PIXEL_MEASURES_SEQUENCE))
        .map(|measures| measures.decimals(tags::PIXEL_SPACING))
        .find(|spacing| spacing.len() == 2)?;
    let mean = (spacing[0] + spacing[1]) / 2.0 * 1000.0;
    (mean > 0.0).then_some(mean)
}

/// The power of the objective of the first optical path, the only one that is read.
fn objective_power(view: &View<'_>) -> Option<f64> {
    view.item(tags::OPTICAL_PATH_SEQUENCE)
        .and_then(|path| path.decimal(tags::OBJECTIVE_LENS_POWER))
        .filter(|&power| power > 0.0)
}
