//! The tile unit's state and what its instructions do to it (Intel SDM vol. 1, chapter 18, and
//! vol. 2, the instructions' pages), in plain Rust.

use std::ops::Range;

use super::decode::{Instruction, Memory};

/// Bytes of a tile's row and of a configuration.
const BYTES: usize = 64;
const ROWS: usize = 16;
const TILES: usize = 8;

/// What a processor raises, #UD or #GP, in place of carrying the instruction out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are no configuration.
    Configuration,
    /// A tile without a configuration.
    Unconfigured,
    /// Tiles whose extents give no product, or one tile twice.
    Extents,
}

#[derive(Clone, Copy)]
struct Tile {
    rows: usize,
    /// Bytes of a row.
    width: usize,
    data: [[u8; BYTES]; ROWS],
}

/// The tiles of a thread.
pub(super) struct Tiles([Tile; TILES]);

impl Tiles {
    /// As a thread begins: without a configuration.
    pub(super) const fn new() -> Self {
        let tile = Tile {
            rows: 0,
            width: 0,
            data: [[0; BYTES]; ROWS],
        };
        Self([tile; TILES])
    }

    /// Carries an instruction out.
    ///
    /// # Safety
    /// As on a processor: what the instruction reads and writes can be read and written.
    pub(super) unsafe fn execute(&mut self, instruction: Instruction) -> Result<(), Fault> {
        match instruction {
            Instruction::Configure(memory) => {
                // SAFETY: the caller's promise.
                let bytes = unsafe { pointer(memory, 0).cast::<[u8; BYTES]>().read_unaligned() };
                return self.configure(&bytes);
            }
            Instruction::Release => *self = Self::new(),
            Instruction::Zero(tile) => self.configured(tile)?.data = [[0; BYTES]; ROWS],
            Instruction::Load(tile, memory) => {
                let tile = self.configured(tile)?;
                tile.data = [[0; BYTES]; ROWS];
                for (row, data) in tile.data[..tile.rows].iter_mut().enumerate() {
                    let data = &mut data[..tile.width];
                    // SAFETY: the caller's promise.
                    unsafe {
                        data.as_mut_ptr()
                            .copy_from(pointer(memory, row), data.len())
                    };
                }
            }
            Instruction::Store(memory, tile) => {
                let tile = self.configured(tile)?;
                for (row, data) in tile.data[..tile.rows].iter().enumerate() {
                    let data = &data[..tile.width];
                    // SAFETY: the caller's promise.
                    unsafe { pointer(memory, row).copy_from(data.as_ptr(), data.len()) };
                }
            }
            Instruction::MultiplyBf16 { sums, left, right } => {
                return self.multiply_bf16(sums, left, right);
            }
        }
        Ok(())
    }

    fn configure(&mut self, bytes: &[u8; BYTES]) -> Result<(), Fault> {
        const WIDTHS: Range<usize> = 16..32;
        const HEIGHTS: Range<usize> = 48..56;
        let reserved = |at: &usize| *at > 0 && !WIDTHS.contains(at) && !HEIGHTS.contains(at);
        *self = Self::new();
        if bytes[0] == 0 {
            return Ok(());
        }
        if bytes[0] != 1 || (0..BYTES).filter(reserved).any(|at| bytes[at] != 0) {
            return Err(Fault::Configuration);
        }
        let mut tiles = Self::new();
        let widths = bytes[WIDTHS].as_chunks().0;
        for ((tile, width), rows) in tiles.0.iter_mut().zip(widths).zip(&bytes[HEIGHTS]) {
            tile.width = usize::from(u16::from_le_bytes(*width));
            tile.rows = usize::from(*rows);
            if tile.width > BYTES || tile.rows > ROWS || (tile.width == 0) != (tile.rows == 0) {
                return Err(Fault::Configuration);
            }
        }
        *self = tiles;
        Ok(())
    }

    fn configured(&mut self, tile: usize) -> Result<&mut Tile, Fault> {
        let tile = &mut self.0[tile];
        if tile.rows == 0 {
            return Err(Fault::Unconfigured);
        }
        Ok(tile)
    }

    fn multiply_bf16(&mut self, sums: usize, left: usize, right: usize) -> Result<(), Fault> {
        let (a, b) = (*self.configured(left)?, *self.configured(right)?);
        let c = self.configured(sums)?;
        let same = sums == left || sums == right || left == right;
        let whole = [a.width, b.width, c.width].map(|width| width % 4) == [0; 3];
        if same || !whole || c.width != b.width || c.rows != a.rows || a.width / 4 != b.rows {
            return Err(Fault::Extents);
        }
        let pairs = b.data.map(|row| pairs(&row));
        for (sums, a) in c.data[..c.rows].iter_mut().zip(&a.data) {
            let mut halves = [[0.0_f32; BYTES / 4]; 2];
            for (a, b) in halves_of(a).zip(&pairs[..b.rows]) {
                for half in 0..2 {
                    for (sum, b) in halves[half].iter_mut().zip(&b[half]) {
                        // Products of bf16 are exact in f32: this rounds as often as one step.
                        *sum = flushed(*sum + flushed(a[half] * b));
                    }
                }
            }
            let places = sums[..c.width].as_chunks_mut().0;
            for (place, (first, second)) in places.iter_mut().zip(halves[0].iter().zip(&halves[1]))
            {
                let sum = flushed(f32::from_le_bytes(*place));
                *place = flushed(sum + flushed(first + second)).to_le_bytes();
            }
        }
        Ok(())
    }
}

/// Where a row is.
fn pointer(memory: Memory, row: usize) -> *mut u8 {
    let at = memory
        .start
        .wrapping_add(memory.stride.wrapping_mul(row as u64));
    std::ptr::with_exposed_provenance_mut(usize::try_from(at).expect("64 bits"))
}

/// The first and the second numbers of a row's pairs of bf16.
fn pairs(row: &[u8; BYTES]) -> [[f32; BYTES / 4]; 2] {
    let mut halves = [[0.0; BYTES / 4]; 2];
    for (index, pair) in halves_of(row).enumerate() {
        (halves[0][index], halves[1][index]) = pair.into();
    }
    halves
}

/// A row's pairs of bf16; the tiniest numbers count as 0.
fn halves_of(row: &[u8; BYTES]) -> impl Iterator<Item = [f32; 2]> {
    let wide = |low, high| flushed(f32::from_le_bytes([0, 0, low, high]));
    let pairs = row.as_chunks().0.iter();
    pairs.map(move |&[a, b, c, d]| [wide(a, b), wide(c, d)])
}

/// 0 of the same sign for what is subnormal.
fn flushed(number: f32) -> f32 {
    if number.abs() < f32::MIN_POSITIVE {
        number * 0.0
    } else {
        number
    }
}
