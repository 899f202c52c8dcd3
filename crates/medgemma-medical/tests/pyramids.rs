//! TIFF pyramids made for the purpose: pictures in any order, marked or not, in tiles of any size.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod support;

use std::io::Cursor;

use medgemma_medical::{AssociatedKind, Slide, SlideLimits};
use support::writer::{EXPLICIT, Writer};

/// One grey picture of a single brightness.
#[derive(Clone, Copy)]
struct Picture {
    sides: [u32; 2],
    tile: [u32; 2],
    /// `NewSubfileType`.
    subfile: u32,
    text: &'static str,
    xmp: &'static str,
    grey: u8,
}

fn picture(width: u32, height: u32, grey: u8) -> Picture {
    Picture {
        sides: [width, height],
        tile: [32, 32],
        subfile: 0,
        text: "",
        xmp: "",
        grey,
    }
}

/// A TIFF of these pictures, in this order. All tiles of one are the same bytes of the file.
fn tiff(pictures: &[Picture]) -> Vec<u8> {
    let mut bytes = b"II\x2A\0\0\0\0\0".to_vec();
    let mut link = 4;
    for picture in pictures {
        let ([width, height], [across, down]) = (picture.sides, picture.tile);
        let tiles = (width.div_ceil(across) * height.div_ceil(down)) as usize;
        let put = |bytes: &mut Vec<u8>, values: &[u32]| {
            let at = bytes.len() as u32;
            bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            at
        };
        let text = bytes.len() as u32;
        bytes.extend(picture.text.as_bytes());
        bytes.push(0);
        let xmp = bytes.len() as u32;
        bytes.extend(picture.xmp.as_bytes());
        let stored = bytes.len() as u32;
        bytes.resize(bytes.len() + (across * down) as usize, picture.grey);
        let offsets = put(&mut bytes, &vec![stored; tiles]);
        let counts = put(&mut bytes, &vec![across * down; tiles]);
        let one = |value: u32| (1, value);
        let list = |at: u32, first: u32| (tiles as u32, if tiles == 1 { first } else { at });
        let entries = [
            (254u16, 4u16, one(picture.subfile)),
            (256, 4, one(width)),
            (257, 4, one(height)),
            (258, 3, one(8)),
            (259, 3, one(1)),
            (262, 3, one(1)),
            (270, 2, (picture.text.len() as u32 + 1, text)),
            (277, 3, one(1)),
            (322, 4, one(across)),
            (323, 4, one(down)),
            (324, 4, list(offsets, stored)),
            (325, 4, list(counts, across * down)),
            (700, 1, (picture.xmp.len() as u32, xmp)),
        ];
        let at = bytes.len() as u32;
        bytes[link..link + 4].copy_from_slice(&at.to_le_bytes());
        bytes.extend((entries.len() as u16).to_le_bytes());
        for (tag, kind, (count, value)) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(u32::to_le_bytes(count));
            // A text of up to four bytes stands in the entry itself: an empty one is a zero.
            let value = if kind == 2 && count <= 4 { 0 } else { value };
            bytes.extend(value.to_le_bytes());
        }
        link = bytes.len();
        bytes.extend([0; 4]);
    }
    bytes
}

fn read(pictures: &[Picture]) -> medgemma_medical::Result<Slide> {
    Slide::read(
        Cursor::new(tiff(pictures)),
        "made.tif",
        &SlideLimits::default(),
    )
}

/// Width and brightness of each level.
fn levels(slide: &mut Slide) -> Vec<(usize, u8)> {
    let count = slide.levels().len();
    (0..count)
        .map(|level| {
            let width = slide.levels()[level].width;
            let seen = slide.region(level, width - 1, 0, 1, 1).unwrap();
            (width, seen.as_rgb8()[0])
        })
        .collect()
}

#[test]
fn the_widest_is_level_0_whatever_the_order_of_the_file() {
    let text = "Aperio made\r\n400x300|AppMag = 40|MPP = 0.25";
    let fine = Picture {
        text,
        ..picture(400, 300, 10)
    };
    let all = [fine, picture(200, 150, 20), picture(100, 75, 30)];
    let expected = [(400, 10), (200, 20), (100, 30)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        for reduced in [0, 1] {
            let pictures = order.map(|at| Picture {
                subfile: if at == 0 { 0 } else { reduced },
                ..all[at]
            });
            let mut slide = read(&pictures).unwrap();
            assert_eq!(levels(&mut slide), expected, "{order:?} {reduced}");
            let by: Vec<_> = slide.levels().iter().map(|l| l.downsample).collect();
            assert_eq!(by, [1.0, 2.0, 4.0], "{order:?}");
            assert_eq!(slide.microns_per_pixel(), Some(0.25), "{order:?}");
            assert!(slide.associated().is_empty());
        }
    }
    // Where all are marked, or two are of one width: the widest, the first.
    let marked = all.map(|picture| Picture {
        subfile: 1,
        ..picture
    });
    assert_eq!(levels(&mut read(&marked).unwrap()), expected);
    let twice = [all[1], all[0], picture(400, 300, 99), picture(200, 150, 98)];
    let mut slide = read(&twice).unwrap();
    assert_eq!(levels(&mut slide), expected[..2]);
    assert_eq!(slide.associated().len(), 2);
}

const PHILIPS: &str = "<?xml version=\"1.0\"?><DataObject ObjectType=\"DPUfsImport\"><Attribute \
    Name=\"DICOM_PIXEL_SPACING\" PMSVR=\"IDoubleArray\">&quot;0.00025&quot; &quot;0.00025&quot;</Attribute></DataObject>";

/// Every level is padded to whole tiles: by the widths, the coarsest of these would be 50 times as coarse, and of another shape.
#[test]
fn levels_of_philips_are_halves_of_each_other_whatever_they_are_padded_to() {
    let fine = Picture {
        text: PHILIPS,
        ..picture(1600, 1312, 10)
    };
    // 800 x 656, 400 x 328, 200 x 164, 100 x 82, 50 x 41, 25 x 20, 12 x 10 in tiles of 32.
    let all = [
        fine,
        picture(800, 672, 20),
        picture(416, 352, 30),
        picture(224, 192, 40),
        picture(128, 96, 50),
        picture(64, 64, 60),
        picture(32, 32, 70),
        picture(32, 32, 80),
    ];
    let mut slide = read(&all).unwrap();
    let by: Vec<_> = slide.levels().iter().map(|l| l.downsample).collect();
    assert_eq!(by, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]);
    let sides: Vec<_> = slide.levels().iter().map(|l| (l.width, l.height)).collect();
    let expected = [
        (1600, 1312),
        (800, 656),
        (400, 328),
        (200, 164),
        (100, 82),
        (50, 41),
    ];
    assert_eq!(sides[..6], expected);
    assert_eq!(sides[6..], [(25, 20), (12, 10)]);
    let seen: Vec<_> = levels(&mut slide)
        .into_iter()
        .map(|(_, grey)| grey)
        .collect();
    assert_eq!(seen, [10, 20, 30, 40, 50, 60, 70, 80]);
    assert_eq!(slide.microns_per_pixel(), Some(0.25));
    assert!(slide.associated().is_empty());
    // One that no padding explains is none; nor is a level left out in between a fault.
    let some = [fine, picture(900, 700, 1), all[2], all[4]];
    let slide = read(&some).unwrap();
    let by: Vec<_> = slide.levels().iter().map(|l| l.downsample).collect();
    assert_eq!(by, [1.0, 4.0, 16.0]);
    assert_eq!(slide.associated().len(), 1);
    // Of files that were written anew some sides are not padded, and what was left of a half may count as a pixel.
    let odd = Picture {
        text: PHILIPS,
        ..picture(1601, 1311, 10)
    };
    let unpadded = [
        odd,
        picture(801, 656, 20),
        picture(416, 327, 30),
        picture(201, 164, 40),
    ];
    let slide = read(&unpadded).unwrap();
    let found: Vec<_> = slide
        .levels()
        .iter()
        .map(|l| (l.downsample, l.width, l.height))
        .collect();
    let expected = [
        (1.0, 1601, 1311),
        (2.0, 801, 656),
        (4.0, 400, 327),
        (8.0, 201, 164),
    ];
    assert_eq!(found, expected);
    // Where none is half of another, sizes are what they say.
    let thirds = [fine, picture(533, 437, 20)];
    let slide = read(&thirds).unwrap();
    assert_eq!((slide.levels().len(), slide.levels()[1].width), (2, 533));
    // Without that mark they are as well.
    let plain = all.map(|picture| Picture {
        text: "",
        ..picture
    });
    let slide = read(&plain).unwrap();
    assert_eq!(slide.levels()[2].width, 416);
    assert_eq!(slide.microns_per_pixel(), None);
}

#[test]
fn slides_whose_tiles_may_overlap_are_refused() {
    let described = [
        picture(64, 64, 1),
        Picture {
            text: "level=0 mag=40 quality=90",
            ..picture(400, 300, 2)
        },
    ];
    let marked = [Picture {
        xmp: "<?xml?><iScan Magnification=\"40\"/>",
        ..picture(400, 300, 2)
    }];
    for pictures in [&described[..], &marked] {
        let error = read(pictures).unwrap_err().to_string();
        assert!(
            error.contains("Ventana") && error.contains("convert it"),
            "{error}"
        );
    }
    let other = [Picture {
        xmp: "<x:xmpmeta><rdf:RDF/></x:xmpmeta>",
        ..picture(400, 300, 2)
    }];
    assert!(read(&other).is_ok());
    // What is damaged there says nothing: here, behind the end of the file.
    let mut damaged = tiff(&other);
    let entry = [188, 2, 1, 0];
    let at = damaged.windows(4).position(|bytes| bytes == entry).unwrap();
    damaged[at + 8..at + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let slide = Slide::read(Cursor::new(damaged), "made.tif", &SlideLimits::default());
    assert_eq!(slide.unwrap().levels().len(), 1);
}

#[test]
fn labels_macro_pictures_and_what_is_marked_as_reduced_are_not_level_0() {
    let beside = [
        Picture {
            text: "Aperio made\nlabel 900x700",
            ..picture(900, 700, 1)
        },
        Picture {
            text: "Aperio made\nmacro 1000x750",
            ..picture(1000, 750, 2)
        },
        Picture {
            subfile: 9,
            ..picture(800, 600, 3)
        },
        Picture {
            subfile: 1,
            ..picture(640, 200, 4)
        },
    ];
    let mut pictures = beside.to_vec();
    pictures.extend([picture(100, 75, 30), picture(400, 300, 10)]);
    let mut slide = read(&pictures).unwrap();
    assert_eq!(levels(&mut slide), [(400, 10), (100, 30)]);
    let kinds: Vec<_> = slide.associated().iter().map(|a| a.kind).collect();
    use AssociatedKind::{Label, Macro};
    assert_eq!(kinds, [Label, Macro, Macro, Label]);
    let error = read(&beside[..3]).unwrap_err().to_string();
    assert!(error.contains("a TIFF without tiles"), "{error}");
}

#[test]
fn tiles_below_16_pixels_are_refused_unless_one_is_the_level() {
    let with = |width, height, tile| {
        read(&[Picture {
            tile,
            ..picture(width, height, 5)
        }])
    };
    for (width, height, tile) in [
        (100, 80, [8, 16]),
        (100, 80, [16, 8]),
        (100, 80, [1, 1]),
        (16, 15, [15, 15]),
    ] {
        let error = with(width, height, tile).unwrap_err().to_string();
        let found = format!(
            "{width} x {height} pixels in tiles of {} x {}",
            tile[0], tile[1]
        );
        assert!(
            error.contains(&found) && error.contains("convert it"),
            "{error}"
        );
    }
    for (width, height, tile) in [
        (100, 80, [16, 16]),
        (8, 8, [8, 8]),
        (5, 3, [8, 8]),
        (100, 8, [16, 8]),
    ] {
        let mut slide = with(width, height, tile).unwrap();
        assert_eq!(levels(&mut slide), [(width as usize, 5)]);
    }
}

#[test]
fn a_dicom_slide_in_tiny_tiles_is_refused() {
    let file = |side: u16, frames: u16| {
        let matrix = u32::from(side).to_le_bytes();
        let columns = side / frames;
        let writer = Writer::new(EXPLICIT)
            .text(0x0008, 0x0008, b"CS", "ORIGINAL\\PRIMARY\\VOLUME\\NONE")
            .text(0x0008, 0x0016, b"UI", "1.2.840.10008.5.1.4.1.1.77.1.6")
            .text(0x0020, 0x000E, b"UI", "1.2.3")
            .text(0x0020, 0x9311, b"CS", "TILED_FULL")
            .us(0x0028, 0x0002, 1)
            .text(0x0028, 0x0004, b"CS", "MONOCHROME2")
            .text(0x0028, 0x0008, b"IS", &frames.to_string())
            .us(0x0028, 0x0010, side)
            .us(0x0028, 0x0011, columns)
            .us(0x0028, 0x0100, 8)
            .us(0x0028, 0x0101, 8)
            .element(0x0048, 0x0006, b"UL", &matrix)
            .element(0x0048, 0x0007, b"UL", &matrix)
            .element(0x7FE0, 0x0010, b"OB", &vec![7; usize::from(side).pow(2)]);
        let limits = SlideLimits::default();
        Slide::read(Cursor::new(writer.file()), "made.dcm", &limits)
    };
    let error = file(20, 2).unwrap_err().to_string();
    assert!(
        error.contains("20 x 20 pixels in tiles of 10 x 20"),
        "{error}"
    );
    assert!(file(32, 2).is_ok());
    assert!(file(10, 1).is_ok());
}
