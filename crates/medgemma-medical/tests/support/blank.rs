//! Pictures of one level, written as shortly as each compression allows.
#![allow(
    clippy::cast_possible_truncation,
    reason = "sides of pictures made for the test have 16 bits"
)]

use super::writer::Writer;

/// What stands in front of pixels: grey of one sample, else red, green, blue.
pub(crate) fn description(
    bits: u16,
    syntax: &str,
    [rows, columns]: [usize; 2],
    samples: u16,
) -> Writer {
    let name = if samples == 1 { "MONOCHROME2" } else { "RGB" };
    Writer::new(syntax)
        .us(0x0028, 0x0002, samples)
        .text(0x0028, 0x0004, b"CS", name)
        .us(0x0028, 0x0006, 0)
        .us(0x0028, 0x0010, rows as u16)
        .us(0x0028, 0x0011, columns as u16)
        .us(0x0028, 0x0100, bits)
        .us(0x0028, 0x0101, bits)
}

/// Which frames of JPEG.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Jpeg {
    Baseline,
    Progressive,
    Lossless,
    /// Of 16 bits.
    LosslessWide,
}

fn segment(bytes: &mut Vec<u8>, marker: u8, body: &[u8]) {
    bytes.extend([0xFF, marker]);
    bytes.extend((body.len() as u16 + 2).to_be_bytes());
    bytes.extend(body);
}

/// JPEG whose every code has one bit.
pub(crate) fn jpeg(kind: Jpeg, rows: usize, columns: usize, components: usize) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    segment(&mut bytes, 0xDB, &[&[0][..], &[1; 64]].concat());
    let (marker, bits, scan) = match kind {
        Jpeg::Baseline => (0xC0, rows.div_ceil(8) * columns.div_ceil(8) * 2, [0, 63, 0]),
        Jpeg::Progressive => (0xC2, rows.div_ceil(8) * columns.div_ceil(8), [0, 0, 0]),
        Jpeg::Lossless | Jpeg::LosslessWide => (0xC3, rows * columns, [1, 0, 0]),
    };
    let mut frame = vec![if kind == Jpeg::LosslessWide { 16 } else { 8 }];
    frame.extend((rows as u16).to_be_bytes());
    frame.extend((columns as u16).to_be_bytes());
    frame.push(components as u8);
    let mut tables = vec![components as u8];
    for id in 1..=components as u8 {
        frame.extend([id, 0x11, 0]);
        tables.extend([id, 0]);
    }
    tables.extend(scan);
    segment(&mut bytes, marker, &frame);
    for class in [0x00, 0x10] {
        let code = [&[class, 1][..], &[0; 15], &[0]].concat();
        segment(&mut bytes, 0xC4, &code);
    }
    segment(&mut bytes, 0xDA, &tables);
    bytes.resize(bytes.len() + (bits * components).div_ceil(8), 0);
    bytes.extend([0xFF, 0xD9]);
    bytes
}

/// RLE of bytes, each run as long as can be.
pub(crate) fn rle(rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[0] = 1;
    bytes[4] = 64;
    bytes.extend([0x81, 7].repeat((rows * columns).div_ceil(128)));
    bytes
}

/// JPEG-LS: nothing but runs, a bit stuffed behind each byte of ones.
pub(crate) fn jpeg_ls(rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    let [y1, y0] = (rows as u16).to_be_bytes();
    let [x1, x0] = (columns as u16).to_be_bytes();
    segment(&mut bytes, 0xF7, &[8, y1, y0, x1, x0, 1, 1, 0x11, 0]);
    segment(&mut bytes, 0xDA, &[1, 1, 0, 0, 0, 0]);
    bytes.extend([0xFF, 0x7F].repeat(rows * 2));
    bytes.extend([0xFF, 0xD9]);
    bytes
}

/// How a JPEG 2000 stream is cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) tile: usize,
    pub(crate) layers: u16,
    /// Exponents of a code-block's sides.
    pub(crate) block: u8,
    /// Exponents of a precinct's sides, but for the lowest resolution.
    pub(crate) precinct: Option<u8>,
    /// Whether it is said in the tile-part and not in front.
    pub(crate) in_tile: bool,
}

pub(crate) const USUAL: Cut = Cut {
    tile: 1 << 20,
    layers: 1,
    block: 6,
    precinct: None,
    in_tile: false,
};

/// JPEG 2000 of 8 bits and empty packets.
pub(crate) fn jpeg_2000(rows: usize, columns: usize, components: usize, cut: Cut) -> Vec<u8> {
    const LEVELS: u8 = 5;
    let mut bytes = vec![0xFF, 0x4F];
    let mut size = vec![0, 0];
    for side in [columns, rows, 0, 0, cut.tile, cut.tile, 0, 0] {
        size.extend((side as u32).to_be_bytes());
    }
    size.extend((components as u16).to_be_bytes());
    size.extend([7, 1, 1].repeat(components));
    segment(&mut bytes, 0x51, &size);
    let style = |cut: Cut| {
        let [l1, l0] = cut.layers.to_be_bytes();
        let mut body = vec![u8::from(cut.precinct.is_some()), 0, l1, l0, 0];
        body.extend([LEVELS, cut.block - 2, cut.block - 2, 0, 1]);
        if let Some(exponent) = cut.precinct {
            body.push(0x11 * (exponent - 1));
            body.resize(body.len() + usize::from(LEVELS), 0x11 * exponent);
        }
        body
    };
    segment(
        &mut bytes,
        0x52,
        &style(if cut.in_tile { USUAL } else { cut }),
    );
    let mut steps = vec![0x40];
    steps.resize(2 + 3 * usize::from(LEVELS), 9 << 3);
    segment(&mut bytes, 0x5C, &steps);
    segment(&mut bytes, 0x90, &[0, 0, 0, 0, 0, 0, 0, 1]);
    if cut.in_tile {
        segment(&mut bytes, 0x52, &style(cut));
    }
    bytes.extend([0xFF, 0x93]);
    bytes.resize(bytes.len() + (usize::from(LEVELS) + 1) * components, 0);
    bytes.extend([0xFF, 0xD9]);
    bytes
}

/// A TIFF of one tile.
pub(crate) fn tiff(
    side: u32,
    compression: u32,
    photometric: u32,
    samples: u32,
    tile: &[u8],
) -> Vec<u8> {
    let entries = [
        (256u16, 4u16, 1, side),
        (257, 4, 1, side),
        (258, 3, 1, 8),
        (259, 3, 1, compression),
        (262, 3, 1, photometric),
        (277, 3, 1, samples),
        (322, 4, 1, side),
        (323, 4, 1, side),
        (324, 4, 1, 8 + 2 + 10 * 12 + 4),
        (325, 4, 1, tile.len() as u32),
    ];
    let mut bytes = b"II\x2A\0\x08\0\0\0".to_vec();
    bytes.extend((entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(u32::to_le_bytes(count));
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(tile);
    bytes
}

/// A NIfTI-1 header of bytes.
pub(crate) fn nifti(columns: i16, rows: i16, planes: i16) -> Vec<u8> {
    let mut header = vec![0; 352];
    header[..4].copy_from_slice(&348i32.to_le_bytes());
    for (place, side) in [3, columns, rows, planes].into_iter().enumerate() {
        header[40 + 2 * place..][..2].copy_from_slice(&side.to_le_bytes());
    }
    header[70] = 2;
    header[108..112].copy_from_slice(&352f32.to_le_bytes());
    header[344..348].copy_from_slice(b"n+1\0");
    header
}
