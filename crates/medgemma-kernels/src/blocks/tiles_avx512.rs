//! Products of many rows of activations with blocks of weights with AVX-512.
//!
//! Lanes are tokens: activations are packed once, 16 tokens to a tile; the weights of some rows are
//! unpacked to bytes, four of which are broadcast to all lanes. A piece of work is a chunk of rows
//! times a block of tiles, walked in slabs of columns, such that the block of tiles stays in the
//! second-level cache and six rows of weights in the first.

use std::ops::Range;

use crate::cells::Cells;
use crate::cpu::Cpu;
use crate::linear::{Output, write_sums};
use crate::lines::{Line, Lines};
use crate::matrix::{Format, Matrix};

use super::activations::GROUP;
use super::many::TILE;
use super::many_avx512;
use super::packed::{CHUNK, LONGEST, chunk_bytes};

/// Weight rows that are multiplied at once.
pub(super) const ROWS: usize = 6;

/// Weight rows of a piece of work at most.
const PIECE_ROWS: usize = 48;

/// Tiles of a piece of work at most.
const PIECE_TILES: usize = 16;

/// Columns of a slab: 16 tiles of it are 0.4 MB.
pub(super) const SLAB: usize = 5 * CHUNK;

/// Groups of a slab.
const SLAB_GROUPS: usize = SLAB / GROUP;

/// As [`super::many::linear`].
pub(super) fn linear(
    cpu: &Cpu,
    x: &[f32],
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    let (rows, cols) = (weight.rows(), weight.cols());
    let out = Output::new(out, rows, bias);
    let tiles = Tiles::pack(cpu, weight.format(), x, out.m(), cols);
    let blocks = tiles.count.div_ceil(PIECE_TILES);
    let mut chunk = PIECE_ROWS;
    while chunk > ROWS && rows.div_ceil(chunk) * blocks < 4 * cpu.pool().threads() {
        chunk /= 2;
    }
    cpu.pool().run(rows.div_ceil(chunk) * blocks, &|piece| {
        // Neighbouring pieces share weights: what one thread reads another finds in the cache.
        let (first, block) = (piece / blocks * chunk, piece % blocks);
        let piece_rows = first..rows.min(first + chunk);
        let piece_tiles = block * PIECE_TILES..tiles.count.min((block + 1) * PIECE_TILES);
        let sums = piece_sums(weight, &piece_rows, &tiles, &piece_tiles);
        for (index, tile) in piece_tiles.clone().enumerate() {
            for row in (0..piece_rows.len()).step_by(TILE) {
                let next = piece_rows.len().min(row + TILE);
                let sums = (row..next).map(|row| &sums[place(piece_tiles.len(), row, index)].0);
                // SAFETY: the processor has the path (`Cpu`'s promise); this piece alone writes its
                // rows of its tokens.
                unsafe { write_sums(cpu.path(), sums, tile * TILE, first + row, &out) };
            }
        }
    });
}

/// The sums of a row with the tokens of a tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [f32; TILE]);

/// Where the sums of a row and a tile are: by groups of rows, then tiles, then rows.
fn place(tiles: usize, row: usize, tile: usize) -> usize {
    (row / ROWS * tiles + tile) * ROWS + row % ROWS
}

/// Activations, rounded and packed: tile by tile, in each group by group.
pub(super) struct Tiles {
    lines: Lines,
    groups: usize,
    count: usize,
    stride: usize,
}

impl Tiles {
    fn pack(cpu: &Cpu, format: Format, x: &[f32], m: usize, cols: usize) -> Self {
        let stride = many_avx512::lines_of(format);
        let (count, groups) = (m.div_ceil(TILE), cols / GROUP);
        let mut lines = Lines::any(count * groups * stride);
        let cells = Cells::new(&mut lines);
        let slabs = groups.div_ceil(SLAB_GROUPS);
        cpu.pool().run(count * slabs, &|piece| {
            let (tile, slab) = (piece / slabs, piece % slabs);
            let tokens = tile * TILE..m.min((tile + 1) * TILE);
            for group in slab * SLAB_GROUPS..groups.min((slab + 1) * SLAB_GROUPS) {
                // SAFETY: this piece alone writes its groups of its tile.
                let lines = unsafe { cells.part((tile * groups + group) * stride, stride) };
                let x = &x[tokens.start * cols + group * GROUP..];
                // SAFETY: the processor has the path (`Cpu`'s promise).
                unsafe { many_avx512::pack(format, x, cols, tokens.len(), lines) };
            }
        });
        Self {
            lines,
            groups,
            count,
            stride,
        }
    }
}

/// Some rows of weights, a slab of columns, as bytes.
pub(super) struct Slab {
    /// Integers, `z` included, `SLAB` for each row.
    pub(super) q: Vec<u8>,
    /// `SLAB / 16` for each row: 16 for each chunk, of which formats with groups of 32 use eight.
    pub(super) scales: Vec<f32>,
    /// `SLAB / 32` for each row.
    pub(super) offsets: Vec<f32>,
    format: Format,
}

impl Slab {
    fn new(format: Format, rows: usize) -> Self {
        Self {
            format,
            q: vec![0; rows * SLAB],
            scales: vec![0.0; rows * (SLAB / 16)],
            offsets: vec![0.0; rows * SLAB_GROUPS],
        }
    }

    /// Unpacks columns of a row, a whole number of blocks, as row `index`.
    fn fill(&mut self, index: usize, bytes: &[u8]) {
        let format = self.format;
        let size = chunk_bytes(format);
        for (chunk, bytes) in bytes.chunks(size).enumerate() {
            let mut last = [0; LONGEST];
            let whole = if bytes.len() == size {
                bytes
            } else {
                last[..bytes.len()].copy_from_slice(bytes);
                &last[..size]
            };
            let at = index * SLAB + chunk * CHUNK;
            let q = &mut self.q[at..][..CHUNK];
            let scales = &mut self.scales[at / 16..][..16];
            let offsets = &mut self.offsets[at / 32..][..8];
            // SAFETY: the processor has the path (`Cpu`'s promise).
            unsafe { many_avx512::unpack_chunk(format, whole, q, scales, offsets) };
        }
    }
}

/// Six rows of a slab, and the tiles that they are multiplied with.
pub(super) struct Product<'a> {
    pub(super) slab: &'a Slab,
    /// The first of the rows in the slab.
    pub(super) row: usize,
    /// The groups of the slab.
    pub(super) groups: usize,
    /// From the slab's first group of the first tile on.
    pub(super) lines: &'a [Line],
    /// Lines from a tile to the next.
    pub(super) stride: usize,
    /// Six for each tile.
    pub(super) sums: &'a mut [Lanes],
}

/// The sums of a piece: as [`place`] says.
fn piece_sums(
    weight: Matrix<'_>,
    rows: &Range<usize>,
    tiles: &Tiles,
    piece: &Range<usize>,
) -> Vec<Lanes> {
    let format = weight.format();
    let padded = rows.len().next_multiple_of(ROWS);
    let mut sums = vec![Lanes([0.0; TILE]); padded * piece.len()];
    let mut slab = Slab::new(format, padded);
    for start in (0..tiles.groups).step_by(SLAB_GROUPS) {
        let groups = SLAB_GROUPS.min(tiles.groups - start);
        let bytes_of = |groups: usize| groups * GROUP / format.block_len() * format.block_bytes();
        for (index, row) in rows.clone().enumerate() {
            let bytes = &weight.row(row)[bytes_of(start)..][..bytes_of(groups)];
            slab.fill(index, bytes);
        }
        let stride = tiles.groups * tiles.stride;
        let lines = &tiles.lines[piece.start * stride + start * tiles.stride..];
        for (group, sums) in sums.chunks_exact_mut(ROWS * piece.len()).enumerate() {
            let product = Product {
                slab: &slab,
                row: group * ROWS,
                groups,
                lines,
                stride,
                sums,
            };
            // SAFETY: the processor has the path (`Cpu`'s promise).
            unsafe { many_avx512::multiply(format, product) };
        }
    }
    sums
}
