//! What a JPEG 2000 decoder sets aside beside the samples: for tiles, precincts, code-blocks and their layers, as many as
//! the coding style announces. A header of a hundred bytes can ask for blocks of 4 x 4 in precincts of one sample with 32
//! layers each, a kilobyte for each sample. ISO/IEC 15444-1, A.4.2, A.6.1, A.6.2, A.6.6 and B.6 to B.9.

use super::Fault;
use super::jpeg_2000::Size;

/// Most bytes for each sample, and for the whole picture beside: blocks of 4 x 4 pass, with one layer or two.
const MOST_PER_SAMPLE: u64 = 32;
const MOST_BESIDE: u64 = 1 << 20;

/// What version 0.5 of `hayro-jpeg2000` takes for each, doubled since its lists grow by doubling: a code-block has nodes in
/// two trees, a precinct two roots, a packet its place in the order.
const OF_LAYER: u64 = 48;
const OF_BLOCK: u64 = 384;
const OF_PRECINCT: u64 = 320;
const OF_PACKET: u64 = 64;
const OF_TILE: u64 = 640;

const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
const EOC: u8 = 0xD9;
const COD: u8 = 0x52;
const COC: u8 = 0x53;
const QCD: u8 = 0x5C;
const QCC: u8 = 0x5D;
const RGN: u8 = 0x5E;
const POC: u8 = 0x5F;

/// Refuses a stream whose structure takes more than its samples have use for.
pub(super) fn check(codestream: &[u8], size: &Size) -> Result<(), Fault> {
    let structure = Structure::read(codestream, size.components)?;
    let components = size.components as u64;
    let of_component = structure
        .styles
        .iter()
        .map(|style| structure.cost(style, size));
    let tiles = (size.tiles as u64 * components).saturating_mul(OF_TILE);
    let found = of_component.max().unwrap_or_default();
    let found = found.saturating_mul(components).saturating_add(tiles);
    let samples = size.rows as u64 * size.columns as u64 * components;
    let most = samples
        .saturating_mul(MOST_PER_SAMPLE)
        .saturating_add(MOST_BESIDE);
    if found <= most {
        return Ok(());
    }
    Err(Fault::new(format!(
        "code-blocks, precincts and layers that take {found} bytes, for {} x {} pixels at most {most}",
        size.columns, size.rows
    )))
}

/// What the headers of the stream and of its tile-parts say.
#[derive(Default)]
struct Structure {
    layers: u64,
    changes: u64,
    styles: Vec<Style>,
}

/// Of components: A.6.1, tables A.15 and A.20. Sides are exponents of two.
struct Style {
    levels: u32,
    block: [u32; 2],
    /// Of each resolution, the lowest first; none where they are as large as can be.
    precincts: Vec<[u32; 2]>,
}

impl Structure {
    /// Headers as the decoder walks them. It goes by what a segment holds and not by the length in front of it, so that
    /// segments in which the two differ are refused: one could hide in another.
    fn read(bytes: &[u8], components: usize) -> Result<Self, Fault> {
        let mut found = Self::default();
        // Behind the first marker.
        let mut at = 2;
        let mut end = None;
        while let Some(&[0xFF, marker]) = bytes.get(at..at + 2).and_then(<[u8]>::first_chunk) {
            match (marker, end) {
                (SOD, Some(next)) => at = at.saturating_add(2).max(next),
                (EOC, Some(next)) if at < next => at = next,
                (SOD | EOC, _) => break,
                // They have no segment: A.1.
                (0x30..=0x3F, _) => at += 2,
                _ => {
                    let body = segment(bytes, at)?;
                    if marker == SOT {
                        end = tile_part_end(body, at)?;
                    }
                    found.note(marker, body, components)?;
                    at += 4 + body.len();
                }
            }
        }
        Ok(found)
    }

    fn note(&mut self, marker: u8, body: &[u8], components: usize) -> Result<(), Fault> {
        let name = if components < 257 { 1 } else { 2 };
        let named = || body.get(name..).ok_or_else(other_length);
        match marker {
            COD => {
                let (&[style, _, l1, l0, _], rest) =
                    body.split_first_chunk().ok_or_else(other_length)?;
                self.layers = self.layers.max(u64::from(u16::from_be_bytes([l1, l0])));
                self.styles.push(Style::read(style, rest)?);
            }
            COC => {
                let (&style, rest) = named()?.split_first().ok_or_else(other_length)?;
                self.styles.push(Style::read(style, rest)?);
            }
            QCD => check_quantisation(body)?,
            QCC => check_quantisation(named()?)?,
            RGN if named()?.len() != 2 => return Err(other_length()),
            // A change takes seven bytes.
            POC => self.changes += body.len() as u64 / 7 + 1,
            _ => {}
        }
        Ok(())
    }

    /// Bytes for one component of one tile, from above.
    fn cost(&self, style: &Style, size: &Size) -> u64 {
        let mut bytes = 0u64;
        for resolution in 0..=style.levels {
            // B.5, with one more for a tile that does not begin at a multiple.
            let sides = size
                .tile
                .map(|side| (side as u64).div_ceil(1 << (style.levels - resolution)) + 1);
            let precinct = style
                .precincts
                .get(resolution as usize)
                .copied()
                .unwrap_or([15; 2]);
            // The lowest resolution is one band, the others are three of half their sides (B.5, B.7).
            let (bands, halved) = if resolution == 0 { (1, 0) } else { (3, 1) };
            let cells =
                |axis: usize, halved: u32, exponent: u32| ((sides[axis] >> halved) >> exponent) + 2;
            let precincts = cells(0, 0, precinct[0]).saturating_mul(cells(1, 0, precinct[1]));
            let block = |axis: usize| {
                let exponent = style.block[axis].min(precinct[axis].saturating_sub(halved));
                cells(axis, halved, exponent)
            };
            let blocks = block(0).saturating_mul(block(1));
            let of_block = OF_BLOCK + OF_LAYER * self.layers;
            let of_precinct = OF_PRECINCT * bands + OF_PACKET * (1 + self.changes + self.layers);
            bytes = bytes
                .saturating_add((bands * of_block).saturating_mul(blocks))
                .saturating_add(of_precinct.saturating_mul(precincts));
        }
        bytes
    }
}

impl Style {
    fn read(style: u8, parameters: &[u8]) -> Result<Self, Fault> {
        let (&[levels, width, height, _, _], sizes) =
            parameters.split_first_chunk().ok_or_else(other_length)?;
        if levels > 32 || width > 8 || height > 8 {
            return Err(Fault::new("a coding style that cannot be"));
        }
        let given = if style & 1 == 1 {
            usize::from(levels) + 1
        } else {
            0
        };
        if sizes.len() != given {
            return Err(other_length());
        }
        let precincts = sizes.iter().map(|&size| [size & 15, size >> 4]);
        Ok(Self {
            levels: u32::from(levels),
            block: [width, height].map(|exponent| u32::from(exponent) + 2),
            precincts: precincts.map(|sides| sides.map(u32::from)).collect(),
        })
    }
}

/// A.6.4: a byte for each band, two for all, or two for each.
fn check_quantisation(body: &[u8]) -> Result<(), Fault> {
    let (style, steps) = body.split_first().ok_or_else(other_length)?;
    match (style & 0x1F, steps.len()) {
        (0, _) | (1, 2) => Ok(()),
        (2, steps) if steps % 2 == 0 => Ok(()),
        _ => Err(other_length()),
    }
}

fn other_length() -> Fault {
    Fault::new("a marker segment of another length than its content")
}

/// What follows the length of the marker segment at `at`.
fn segment(bytes: &[u8], at: usize) -> Result<&[u8], Fault> {
    let length = bytes.get(at + 2..at + 4).and_then(<[u8]>::first_chunk);
    let length = length.map(|&pair| usize::from(u16::from_be_bytes(pair)));
    length
        .filter(|&length| length >= 2)
        .and_then(|length| bytes.get(at + 4..at + 2 + length))
        .ok_or_else(other_length)
}

/// Where the tile-part that begins at `at` ends; none if it goes to the end of the stream.
fn tile_part_end(body: &[u8], at: usize) -> Result<Option<usize>, Fault> {
    let &[_, _, p3, p2, p1, p0, _, _] = body else {
        return Err(other_length());
    };
    let length = u32::from_be_bytes([p3, p2, p1, p0]) as usize;
    Ok((length > 0).then(|| at.saturating_add(length)))
}
