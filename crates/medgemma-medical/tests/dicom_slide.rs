//! DICOM slides against pydicom 3.0.2 (`golden/generate_dicom_slides.py`): frames put together tile by tile, equal to the
//! last value where they are stored without loss.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod support;

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use medgemma_image::Image;
use medgemma_medical::{AssociatedKind, Slide, SlideLimits};
use support::golden::{Golden, slide};
use support::writer::{EXPLICIT, Writer};

fn path(name: &str) -> PathBuf {
    slide("dicom").join(name)
}

fn golden(name: &str) -> (Vec<usize>, Vec<u8>) {
    Golden::open("dicom_slides.safetensors").bytes(name)
}

fn whole(slide: &mut Slide, level: usize) -> Image {
    let found = slide.levels()[level];
    slide
        .region(level, 0, 0, found.width, found.height)
        .unwrap()
}

fn error(slide: medgemma_medical::Result<Slide>) -> String {
    slide.unwrap_err().to_string()
}

/// Every byte that is read of a file is counted.
struct Counted {
    file: Cursor<Vec<u8>>,
    bytes: Arc<AtomicUsize>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bytes.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn a_folder_is_a_pyramid_and_what_lies_beside_it() {
    let mut found = Slide::open(path("series")).unwrap();
    let levels = found.levels();
    assert_eq!(
        levels
            .iter()
            .map(|l| (l.width, l.height, l.tile_width, l.tile_height, l.downsample))
            .collect::<Vec<_>>(),
        [(150, 110, 32, 32, 1.0), (75, 55, 32, 32, 2.0)]
    );
    // The mean of 0.98 and 1.02 of a half, of the finest level.
    assert!((found.microns_per_pixel().unwrap() - 0.5).abs() < 1e-9);
    assert_eq!(found.objective_power(), Some(20.0));
    assert!((found.magnification().unwrap() - 20.0).abs() < 1e-6);
    let mut kinds: Vec<_> = found
        .associated()
        .iter()
        .map(|a| (format!("{:?}", a.kind), a.width, a.height))
        .collect();
    kinds.sort();
    let expected = ["Label", "Macro", "Thumbnail"].map(|kind| (kind.to_owned(), 30, 20));
    assert_eq!(kinds, expected);
    for (level, name) in ["series/b", "series/a"].into_iter().enumerate() {
        let (shape, expected) = golden(name);
        let image = whole(&mut found, level);
        assert_eq!([image.height(), image.width(), 3], shape[..]);
        assert_eq!(image.as_rgb8(), expected, "{name}");
    }
}

#[test]
fn frames_equal_pydicoms() {
    for (name, most) in [
        ("sparse_jpeg2000", 0),
        ("extended_table", 0),
        ("grey_implicit", 0),
        ("planes", 0),
        // Two decoders interpolate the shared differences in their own ways.
        ("jpeg_no_table", 3),
    ] {
        let mut found = Slide::open(path(&format!("{name}.dcm"))).unwrap();
        let (shape, expected) = golden(name);
        assert_eq!(found.levels().len(), 1, "{name}");
        let image = whole(&mut found, 0);
        assert_eq!([image.height(), image.width(), 3], shape[..], "{name}");
        let apart = image.as_rgb8().iter().zip(&expected);
        let apart = apart.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= most, "{name}: {apart}");
    }
}

#[test]
fn tiles_that_a_sparse_slide_leaves_out_are_white() {
    let mut found = Slide::open(path("sparse_jpeg2000.dcm")).unwrap();
    // Places 1 and 6 of three a row, 32 x 16 each.
    for (x, y) in [(32, 0), (0, 32)] {
        let region = found.region(0, x, y, 32, 16).unwrap();
        assert!(region.as_rgb8().iter().all(|&value| value == 255));
    }
}

#[test]
fn a_region_is_a_part_of_the_whole() {
    for name in ["sparse_jpeg2000.dcm", "series/a.dcm", "jpeg_no_table.dcm"] {
        let mut found = Slide::open(path(name)).unwrap();
        let image = whole(&mut found, 0);
        for [x, y, w, h] in [
            [0, 0, 1, 1],
            [31, 15, 2, 2],
            [5, 20, 60, 3],
            [64, 40, 6, 10],
        ] {
            let region = found.region(0, x, y, w, h).unwrap();
            for line in 0..h {
                let from = ((y + line) * image.width() + x) * 3;
                assert_eq!(
                    region.as_rgb8()[line * w * 3..][..w * 3],
                    image.as_rgb8()[from..][..w * 3],
                    "{name}"
                );
            }
        }
    }
}

/// A slide of half a gigapixel whose pixels are there, as zeros, in a file that nobody holds.
struct Sparse {
    front: Vec<u8>,
    len: u64,
    at: u64,
    read: Arc<AtomicUsize>,
}

impl Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.len - self.at)
            .unwrap()
            .min(buffer.len());
        for (place, at) in buffer[..left].iter_mut().zip(self.at..) {
            let known = usize::try_from(at).ok().and_then(|at| self.front.get(at));
            *place = known.copied().unwrap_or((at / 3 % 251) as u8);
        }
        self.at += left as u64;
        self.read.fetch_add(left, Ordering::Relaxed);
        Ok(left)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(back) => self.len.saturating_add_signed(back),
            SeekFrom::Current(on) => self.at.saturating_add_signed(on),
        };
        Ok(self.at)
    }
}

/// The attributes of a slide of tiles of 256, without pixels.
fn described(side: u32) -> Writer {
    described_in(EXPLICIT, side)
}

fn described_in(syntax: &str, side: u32) -> Writer {
    let across = side.div_ceil(256);
    Writer::new(syntax)
        .text(0x0008, 0x0008, b"CS", r"ORIGINAL\PRIMARY\VOLUME\NONE")
        .text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.77.1.6")
        .text(0x0020, 0x9311, b"CS", "TILED_FULL")
        .us(0x0028, 0x0002, 3)
        .text(0x0028, 0x0004, b"CS", "RGB")
        .us(0x0028, 0x0006, 0)
        .text(0x0028, 0x0008, b"IS", &(across * across).to_string())
        .us(0x0028, 0x0010, 256)
        .us(0x0028, 0x0011, 256)
        .us(0x0028, 0x0100, 8)
        .us(0x0028, 0x0101, 8)
        .us(0x0028, 0x0102, 7)
        .us(0x0028, 0x0103, 0)
        .element(0x0048, 0x0006, b"UL", &side.to_le_bytes())
        .element(0x0048, 0x0007, b"UL", &side.to_le_bytes())
}

#[test]
fn no_more_of_a_large_slide_is_read_than_its_region_needs() {
    let side = 23_040; // 90 tiles of 256, 1.6 GB
    let length = u64::from(side) * u64::from(side) * 3;
    let mut front = described(side).file();
    front.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0]);
    front.extend(u32::try_from(length).unwrap().to_le_bytes());
    let first = front.len() as u64;
    let read = Arc::new(AtomicUsize::new(0));
    let file = Sparse {
        len: first + length,
        front,
        at: 0,
        read: read.clone(),
    };
    let mut found = Slide::read(file, "large.dcm", &SlideLimits::default()).unwrap();
    let opened = read.load(Ordering::Relaxed);
    assert!(opened < 3 << 20, "{opened} bytes to open it");
    // Over four tiles.
    let region = found.region(0, 256 * 40 - 1, 256 * 7 - 1, 2, 2).unwrap();
    let tile = |column: u64, row: u64| first + (row * 90 + column) * 256 * 256 * 3;
    let pixel = |tile: u64, x: u64, y: u64| {
        [0, 1, 2].map(|channel| ((tile + (y * 256 + x) * 3 + channel) / 3 % 251) as u8)
    };
    let expected = [
        pixel(tile(39, 6), 255, 255),
        pixel(tile(40, 6), 0, 255),
        pixel(tile(39, 7), 255, 0),
        pixel(tile(40, 7), 0, 0),
    ];
    assert_eq!(region.as_rgb8(), expected.as_flattened());
    assert_eq!(read.load(Ordering::Relaxed) - opened, 4 * 256 * 256 * 3);
}

#[test]
fn compressed_frames_are_read_from_their_places_only() {
    let bytes = std::fs::read(path("series/a.dcm")).unwrap();
    let (len, read) = (bytes.len(), Arc::new(AtomicUsize::new(0)));
    let file = Counted {
        file: Cursor::new(bytes),
        bytes: read.clone(),
    };
    let mut found = Slide::read(file, "a.dcm", &SlideLimits::default()).unwrap();
    let before = read.load(Ordering::Relaxed);
    found.region(0, 40, 40, 1, 1).unwrap();
    let one = read.load(Ordering::Relaxed) - before;
    assert!(one > 0 && one < len / 4, "{one} of {len} for one tile");
}

#[test]
fn the_only_frame_may_have_fragments_without_a_table() {
    // RLE: three segments of 512 runs of 128 equal bytes.
    let mut frame = vec![3, 0, 0, 0];
    for segment in 0..15u32 {
        let begins = if segment < 3 { 64 + segment * 1024 } else { 0 };
        frame.extend(begins.to_le_bytes());
    }
    for value in [7, 8, 9] {
        frame.extend([129, value].repeat(512));
    }
    let file =
        described_in("1.2.840.10008.1.2.5", 256).fragments(&[&frame[..1000], &frame[1000..]]);
    let limits = SlideLimits::default();
    let mut found = Slide::read(Cursor::new(file.file()), "one.dcm", &limits).unwrap();
    let image = whole(&mut found, 0);
    assert_eq!(image.as_rgb8(), [7, 8, 9].repeat(256 * 256));
}

#[test]
fn a_front_longer_than_the_first_look_is_read_on() {
    // A private attribute of 3 MiB in front of the pixels.
    let writer = described(256)
        .element(0x0049, 0x1001, b"OB", &vec![7; 3 << 20])
        .element(0x7FE0, 0x0010, b"OB", &vec![9; 256 * 256 * 3]);
    let file = writer.file();
    let open = |limits: &SlideLimits| Slide::read(Cursor::new(file.clone()), "long.dcm", limits);
    let mut found = open(&SlideLimits::default()).unwrap();
    assert_eq!(found.region(0, 255, 255, 1, 1).unwrap().as_rgb8(), [9; 3]);
    let tight = SlideLimits::default().with_max_header_bytes(2 << 20);
    let text = error(open(&tight));
    assert!(
        text.contains("long.dcm") && text.contains("max_header_bytes"),
        "{text}"
    );
}

#[test]
fn limits_by_their_own_names() {
    let with = |limits: SlideLimits| Slide::open_with(path("series/b.dcm"), &limits);
    for (limits, name) in [
        (
            SlideLimits::default().with_max_tile_side(31),
            "SlideLimits::max_tile_side",
        ),
        (
            SlideLimits::default().with_max_tiles(19),
            "SlideLimits::max_tiles",
        ),
        (
            // 8 for each of three samples, 6 for the pixel.
            SlideLimits::default().with_max_decoding_bytes(32 * 32 * 30 - 1),
            "SlideLimits::max_decoding_bytes",
        ),
    ] {
        let text = error(with(limits));
        assert!(text.contains(name) && text.contains("b.dcm"), "{text}");
    }
    let enough = SlideLimits::default().with_max_decoding_bytes(32 * 32 * 30);
    assert!(with(enough.with_max_tiles(20)).is_ok());
    let mut tight = with(SlideLimits::default().with_max_tile_bytes(3071)).unwrap();
    let text = tight.region(0, 0, 0, 1, 1).unwrap_err().to_string();
    assert!(text.contains("SlideLimits::max_tile_bytes"), "{text}");
    let few = SlideLimits::default().with_max_pictures(4);
    let text = error(Slide::open_with(path("series"), &few));
    assert!(text.contains("SlideLimits::max_pictures"), "{text}");
}

#[test]
fn what_makes_no_slide_says_so() {
    let text = error(Slide::open(path("two")));
    assert!(
        text.contains("several series") && text.contains("open_files"),
        "{text}"
    );
    let limits = SlideLimits::default();
    assert!(Slide::open_files(&[path("two/1.dcm")], &limits).is_ok());
    let twice = [path("two/1.dcm"), path("two/1.dcm")];
    let text = error(Slide::open_files(&twice, &limits));
    assert!(text.contains("levels of one size"), "{text}");
    let text = error(Slide::open(path("series/c.dcm")));
    assert!(text.contains("without a level"), "{text}");
    let text = error(Slide::open(support::fixture("MR_small_RLE.dcm")));
    assert!(
        text.contains("another kind") && text.contains("Dicom::open"),
        "{text}"
    );
    let text = error(Slide::open_files(&[] as &[&Path], &limits));
    assert!(text.contains("paths"), "{text}");
    let empty = tempfile::tempdir().unwrap();
    let text = error(Slide::open(empty.path()));
    assert!(text.contains("without a level"), "{text}");
}

#[test]
fn what_is_not_supported_is_named() {
    let pixels = |writer: Writer| {
        let file = writer.element(0x7FE0, 0x0010, b"OB", &vec![9; 256 * 256 * 3]);
        Slide::read(Cursor::new(file.file()), "odd.dcm", &SlideLimits::default())
    };
    assert!(pixels(described(256)).is_ok());
    // One frame has one place.
    let alone = described(256).text(0x0020, 0x9311, b"CS", "TILED_SPARSE");
    assert!(pixels(alone).is_ok());
    for (writer, name) in [
        (described(256).us(0x0028, 0x0100, 16), "BitsAllocated"),
        (
            described(256).element(0x0048, 0x0302, b"UL", &[2, 0, 0, 0]),
            "NumberOfOpticalPaths",
        ),
        (
            described(256).element(0x0048, 0x0303, b"UL", &[3, 0, 0, 0]),
            "TotalPixelMatrixFocalPlanes",
        ),
        (
            described(256).us(0x0020, 0x9163, 2),
            "InConcatenationTotalNumber",
        ),
        (
            described(256).text(0x0028, 0x0008, b"IS", "2"),
            "NumberOfFrames",
        ),
        (
            described(512).text(0x0020, 0x9311, b"CS", "TILED_SPARSE"),
            "ColumnPosition",
        ),
        (
            described(256).element(0x0048, 0x0006, b"UL", &[0; 4]),
            "TotalPixelMatrixColumns",
        ),
    ] {
        let text = error(pixels(writer));
        assert!(
            text.contains(name) && text.contains("odd.dcm"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_label_is_not_decoded() {
    // Its pixels are no JPEG, and nobody looks.
    let label = Writer::new("1.2.840.10008.1.2.4.50")
        .text(0x0008, 0x0008, b"CS", r"ORIGINAL\PRIMARY\LABEL\NONE")
        .text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.77.1.6")
        .element(0x0048, 0x0006, b"UL", &[30, 0, 0, 0])
        .element(0x0048, 0x0007, b"UL", &[20, 0, 0, 0])
        .fragments(&[b"nothing."]);
    let level = described(256).element(0x7FE0, 0x0010, b"OB", &vec![9; 256 * 256 * 3]);
    let folder = tempfile::tempdir().unwrap();
    let files = ["label.dcm", "level.dcm"].map(|name| folder.path().join(name));
    std::fs::write(&files[0], label.file()).unwrap();
    std::fs::write(&files[1], level.file()).unwrap();
    let found = Slide::open_files(&files, &SlideLimits::default()).unwrap();
    assert_eq!(found.associated()[0].kind, AssociatedKind::Label);
}
