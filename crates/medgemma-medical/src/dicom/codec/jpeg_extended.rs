//! JPEG Extended, sequential, Huffman codes, 12 bits, one component: ITU-T T.81, process 4. The inverse transform is
//! computed in f64 and rounded, so that it is the ideal one of annex A.3.3.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::Fault;
use super::bits::{BitReader, Stuffing};
use super::jpeg_header::{DHT, DQT, DRI, EOI, FrameHeader, SOS, segment};

/// Where the coefficient of each place in zigzag order stands.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// `BASIS[x][u]` = C(u)/2 · cos((2x+1)uπ/16).
static BASIS: LazyLock<[[f64; 8]; 8]> = LazyLock::new(|| {
    std::array::from_fn(|x| {
        std::array::from_fn(|u| {
            let scale = if u == 0 { 0.5f64.sqrt() } else { 1.0 };
            #[expect(clippy::cast_precision_loss, reason = "at most 105")]
            let angle = ((2 * x + 1) * u) as f64 * PI / 16.0;
            scale / 2.0 * angle.cos()
        })
    })
});

/// Bits of a sample that are not eight: table B.2.
const PRECISION: u32 = 12;

pub(super) fn decode(bytes: &[u8], frame: &FrameHeader) -> Result<Vec<u32>, Fault> {
    if frame.precision != PRECISION {
        return Err(Fault::new(format!(
            "{} bits, where JPEG that is not lossless has 8 or {PRECISION}",
            frame.precision
        )));
    }
    let [component] = frame.components[..] else {
        return Err(Fault::new("colours of more than 8 bits"));
    };
    let mut quantisation: [Option<[f64; 64]>; 4] = [None; 4];
    let mut codes: [[Option<Huffman>; 4]; 2] = Default::default();
    let mut restart = 0;
    let mut at = 0;
    loop {
        let found = segment(bytes, at)?;
        match found.marker {
            DQT => quantisation_tables(found.body, &mut quantisation)?,
            DHT => huffman_tables(found.body, &mut codes)?,
            DRI => {
                let words = found.body.first_chunk();
                restart = words.map_or(0, |&word| usize::from(u16::from_be_bytes(word)));
            }
            EOI => return Err(Fault::new("no scan")),
            SOS => {
                let [1, _, tables, ..] = found.body[..] else {
                    return Err(Fault::new("a scan of another number of components"));
                };
                let table = |class: usize, id: u8| {
                    let code = codes[class].get(usize::from(id)).and_then(Option::as_ref);
                    code.ok_or_else(|| Fault::new("a scan without its Huffman codes"))
                };
                let scan = Scan {
                    dc: table(0, tables >> 4)?,
                    ac: table(1, tables & 15)?,
                    quantisation: quantisation
                        .get(usize::from(component.table))
                        .and_then(Option::as_ref)
                        .ok_or_else(|| Fault::new("a frame without its quantisation table"))?,
                    restart,
                };
                return scan.decode(bytes.get(found.next..).unwrap_or_default(), frame);
            }
            _ => {}
        }
        at = found.next;
    }
}

struct Scan<'a> {
    dc: &'a Huffman,
    ac: &'a Huffman,
    quantisation: &'a [f64; 64],
    restart: usize,
}

impl Scan<'_> {
    fn decode(&self, bytes: &[u8], frame: &FrameHeader) -> Result<Vec<u32>, Fault> {
        let (across, down) = (frame.columns.div_ceil(8), frame.rows.div_ceil(8));
        let mut samples = vec![0; frame.rows * frame.columns];
        let mut rest = bytes;
        let mut reader = BitReader::new(rest, Stuffing::Byte);
        let mut previous = 0;
        for block in 0..across * down {
            if self.restart > 0 && block > 0 && block % self.restart == 0 {
                rest = behind_restart(rest)?;
                reader = BitReader::new(rest, Stuffing::Byte);
                previous = 0;
            }
            let coefficients = self.block(&mut reader, &mut previous)?;
            let (top, left) = (block / across * 8, block % across * 8);
            let pixels = inverse(&coefficients);
            for (y, row) in pixels.iter().enumerate().take(frame.rows - top) {
                let width = (frame.columns - left).min(8);
                let start = (top + y) * frame.columns + left;
                samples[start..start + width].copy_from_slice(&row[..width]);
            }
        }
        Ok(samples)
    }

    /// Figures F.12 to F.14: the dequantised coefficients of a block, in rows.
    fn block(&self, reader: &mut BitReader<'_>, previous: &mut i32) -> Result<[f64; 64], Fault> {
        let mut block = [0.0; 64];
        let size = self.dc.symbol(reader)?;
        *previous = previous.wrapping_add(signed(reader, u32::from(size))?);
        block[0] = f64::from(*previous) * self.quantisation[0];
        let mut k = 1;
        while k < 64 {
            let symbol = self.ac.symbol(reader)?;
            let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => k += 16,
                (_, 0) => break,
                _ => {
                    k += run;
                    let value = signed(reader, size)?;
                    let place = *ZIGZAG
                        .get(k)
                        .ok_or_else(|| Fault::new("coefficients behind the end of a block"))?;
                    block[place] = f64::from(value) * self.quantisation[k];
                    k += 1;
                }
            }
        }
        Ok(block)
    }
}

/// What follows the next restart marker.
fn behind_restart(bytes: &[u8]) -> Result<&[u8], Fault> {
    let at = bytes
        .windows(2)
        .position(|pair| pair[0] == 0xFF && (0xD0..=0xD7).contains(&pair[1]))
        .ok_or_else(|| Fault::new("no restart marker where one is due"))?;
    Ok(&bytes[at + 2..])
}

/// RECEIVE and EXTEND of F.2.2.1.
fn signed(reader: &mut BitReader<'_>, size: u32) -> Result<i32, Fault> {
    if size == 0 {
        return Ok(0);
    }
    if size > 16 {
        return Err(Fault::new("a difference of more than 16 bits"));
    }
    let value = reader.take(size)?.cast_signed();
    Ok(if value < 1 << (size - 1) {
        value - (1 << size) + 1
    } else {
        value
    })
}

/// A.3.3 and the level shift of A.3.1.
fn inverse(coefficients: &[f64; 64]) -> [[u32; 8]; 8] {
    let basis = &*BASIS;
    let mut rows = [[0.0; 8]; 8];
    for (v, row) in rows.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            *value = (0..8).map(|u| basis[x][u] * coefficients[v * 8 + u]).sum();
        }
    }
    let levels = f64::from(1u32 << PRECISION);
    std::array::from_fn(|y| {
        std::array::from_fn(|x| {
            let value: f64 = (0..8).map(|v| basis[y][v] * rows[v][x]).sum();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to the levels"
            )]
            let level = (value + levels / 2.0).round().clamp(0.0, levels - 1.0) as u32;
            level
        })
    })
}

fn quantisation_tables(mut body: &[u8], tables: &mut [Option<[f64; 64]>; 4]) -> Result<(), Fault> {
    let broken = || Fault::new("a quantisation table cut short");
    while let [head, rest @ ..] = body {
        let (wide, id) = (head >> 4 != 0, usize::from(head & 15));
        let table = tables.get_mut(id).ok_or_else(broken)?;
        let length = if wide { 128 } else { 64 };
        let entries = rest.get(..length).ok_or_else(broken)?;
        *table = Some(std::array::from_fn(|k| {
            f64::from(if wide {
                u16::from_be_bytes([entries[2 * k], entries[2 * k + 1]])
            } else {
                u16::from(entries[k])
            })
        }));
        body = &rest[length..];
    }
    Ok(())
}

fn huffman_tables(mut body: &[u8], codes: &mut [[Option<Huffman>; 4]; 2]) -> Result<(), Fault> {
    let broken = || Fault::new("Huffman codes cut short");
    while let [head, rest @ ..] = body {
        let (class, id) = (usize::from(head >> 4), usize::from(head & 15));
        let code = codes
            .get_mut(class)
            .and_then(|ids| ids.get_mut(id))
            .ok_or_else(broken)?;
        let (counts, rest) = rest.split_first_chunk::<16>().ok_or_else(broken)?;
        let total = counts.iter().map(|&count| usize::from(count)).sum();
        let symbols = rest.get(..total).ok_or_else(broken)?;
        *code = Some(Huffman::new(counts, symbols)?);
        body = &rest[total..];
    }
    Ok(())
}

/// A code of annex C, as first code, last code and first symbol of each length.
struct Huffman {
    lengths: [(u32, u32, usize); 16],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, Fault> {
        let mut lengths = [(0, 0, 0); 16];
        let (mut code, mut first) = (0u32, 0);
        for (length, &count) in counts.iter().enumerate() {
            let end = code + u32::from(count);
            if end > 2 << length {
                return Err(Fault::new("more Huffman codes than their length has"));
            }
            lengths[length] = (code, end, first);
            first += usize::from(count);
            code = end << 1;
        }
        Ok(Self {
            lengths,
            symbols: symbols.to_vec(),
        })
    }

    fn symbol(&self, reader: &mut BitReader<'_>) -> Result<u8, Fault> {
        let ahead = reader.peek(16);
        for (length, bits) in self.lengths.iter().zip(1u32..) {
            let &(first, end, symbol) = length;
            let code = ahead >> (16 - bits);
            if (first..end).contains(&code) {
                reader.skip(bits)?;
                let at = symbol + (code - first) as usize;
                return self.symbols.get(at).copied().ok_or_else(no_code);
            }
        }
        Err(no_code())
    }
}

fn no_code() -> Fault {
    Fault::new("bits that are no Huffman code")
}
