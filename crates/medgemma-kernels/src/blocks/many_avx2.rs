//! AVX2: many rows of activations, by the products of [`super::few_avx2`] in the same order, so that a row comes out
//! the same, alone or among many.
//!
//! Rows of weights are unpacked and crossed once for all tokens of a piece of work. A piece is some rows times some
//! tiles of tokens, walked in slabs of columns: of a slab, a tile of activations stays in the first-level cache while
//! the rows go by, and these in the second-level cache while the tiles do.

use core::arch::x86_64::*;
use std::hint::black_box;
use std::ops::Range;

use crate::cells::Cells;
use crate::cpu::{Cpu, Path};
use crate::linear::{Output, write_sums};
use crate::lines::{Line, Lines};
use crate::matrix::{Format, Matrix};

use super::crossed_avx2::{self, Crossed, STORED};
use super::decode::{format_of, of_format};
use super::lanes_avx2::across;
use super::many::TILE;
use super::packed::{CHUNK, LONGEST, Order, chunk_bytes, pack};
use super::wide_avx2::{self, PACKED, WIDE};

/// Weight rows of a piece of work at most; a quarter of it where threads would be left without work.
const PIECE_ROWS: usize = 24;

/// Tiles of a piece of work at most.
const PIECE_TILES: usize = 16;

/// Whether integers are multiplied in 16 bits.
const fn is_wide(format: Format) -> bool {
    matches!(format, Format::Q8_0)
}

/// Chunks of a slab: a tile of it is 15 to 18 kB.
const fn slab_of(format: Format) -> usize {
    if is_wide(format) { 2 } else { 3 }
}

/// Lines of a chunk of a token.
const fn lines_of(format: Format) -> usize {
    if is_wide(format) {
        WIDE
    } else {
        crossed_avx2::lines_of(format)
    }
}

/// Lines of a chunk of a row of weights.
const fn unpacked_of(format: Format) -> usize {
    if is_wide(format) { WIDE } else { STORED }
}

/// Lines of the sums of a row with a tile: eight lanes for each token.
const SUMS: usize = TILE / 2;

/// As [`super::linear_many`], whose checks have been made; there are rows, columns and `m > 0`, and the path is AVX2.
pub(super) fn linear(
    cpu: &Cpu,
    x: &[f32],
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    debug_assert_eq!(cpu.path(), Path::Avx2, "the kernel's path");
    let rows = weight.rows();
    let out = Output::new(out, rows, bias);
    let tiles = Tiles::pack(cpu, weight.format(), x, out.m(), weight.cols());
    let blocks = tiles.count().div_ceil(PIECE_TILES);
    let mut count = PIECE_ROWS;
    while count > PIECE_ROWS / 4 && rows.div_ceil(count) * blocks < 4 * cpu.pool().threads() {
        count /= 2;
    }
    cpu.pool().run(rows.div_ceil(count) * blocks, &|piece| {
        // Neighbouring pieces share weights: what one thread reads another finds in the cache.
        let (first, block) = (piece / blocks * count, piece % blocks);
        let piece_rows = first..rows.min(first + count);
        let piece_tiles = block * PIECE_TILES..tiles.count().min((block + 1) * PIECE_TILES);
        // SAFETY: the processor has the path (`Cpu`'s promise).
        let sums = unsafe { piece_sums(weight, &piece_rows, &tiles, &piece_tiles) };
        for (index, tile) in piece_tiles.clone().enumerate() {
            for row in piece_rows.clone().step_by(TILE) {
                let next = piece_rows.end.min(row + TILE);
                let mut turned = [[0.0; TILE]; TILE];
                for (row, totals) in (row..next).zip(&mut turned) {
                    let place = index * piece_rows.len() + row - first;
                    // SAFETY: as above.
                    unsafe { add_up(&sums[place * SUMS..][..SUMS], totals) };
                }
                let sums = turned[..next - row].iter();
                // SAFETY: the processor has the path (`Cpu`'s promise); this piece alone writes its
                // rows of its tokens.
                unsafe { write_sums(cpu.path(), sums, tile * TILE, row, &out) };
            }
        }
    });
}

/// Activations, rounded and crossed: tile by tile, in each chunk by chunk, and in these token by token; or, of a half
/// chunk that rows end with, in pairs of tokens, if the format [`Order::joins`].
struct Tiles {
    lines: Lines,
    chunks: usize,
    /// Whether the last chunk is of pairs.
    in_pairs: bool,
    tokens: usize,
    /// Lines of a chunk of a token.
    each: usize,
}

impl Tiles {
    fn pack(cpu: &Cpu, format: Format, x: &[f32], tokens: usize, cols: usize) -> Self {
        let (chunks, each) = (cols.div_ceil(CHUNK), lines_of(format));
        let in_pairs = Order::new(format).joins(cols % CHUNK);
        let mut lines = Lines::any(tokens.next_multiple_of(TILE) * chunks * each);
        let cells = Cells::new(&mut lines);
        cpu.pool().run(tokens.div_ceil(TILE) * chunks, &|piece| {
            // SAFETY: this piece alone writes its chunk of its tile.
            let lines = unsafe { cells.part(piece * TILE * each, TILE * each) };
            let mut lines = lines.chunks_exact_mut(each);
            let (tile, chunk) = (piece / chunks, piece % chunks);
            let columns = chunk * CHUNK..cols.min((chunk + 1) * CHUNK);
            let rows = tile * TILE..tokens.min((tile + 1) * TILE);
            let row = |token: usize| &x[token * cols..][columns.clone()];
            if in_pairs && chunk + 1 == chunks {
                for (token, lines) in rows.clone().step_by(2).zip(&mut lines) {
                    let mut both = [0.0; CHUNK];
                    let (first, second) = both.split_at_mut(CHUNK / 2);
                    first.copy_from_slice(row(token));
                    if token + 1 < rows.end {
                        second.copy_from_slice(row(token + 1));
                    }
                    // SAFETY: the processor has the path (`Cpu`'s promise).
                    unsafe { pack_chunk(format, &both, lines) };
                }
            } else {
                for (token, lines) in rows.zip(&mut lines) {
                    // SAFETY: as above.
                    unsafe { pack_chunk(format, row(token), lines) };
                }
            }
        });
        Self {
            lines,
            chunks,
            in_pairs,
            tokens,
            each,
        }
    }

    fn count(&self) -> usize {
        self.tokens.div_ceil(TILE)
    }

    /// The lines of some chunks of a tile.
    fn slab(&self, tile: usize, chunks: &Range<usize>) -> &[Line] {
        let size = TILE * self.each;
        &self.lines[(tile * self.chunks + chunks.start) * size..][..chunks.len() * size]
    }

    /// How many tokens a tile has.
    fn tokens(&self, tile: usize) -> usize {
        TILE.min(self.tokens - tile * TILE)
    }
}

/// Packs a chunk of activations.
#[target_feature(enable = "avx2")]
fn pack_chunk(format: Format, x: &[f32], lines: &mut [Line]) {
    if !is_wide(format) {
        return pack(Path::Avx2, format, x, lines);
    }
    let mut bytes = [Line([0; 64]); PACKED];
    pack(Path::Avx2, format, x, &mut bytes);
    wide_avx2::widen_packed(&bytes, lines);
}

/// The sums of a piece, tile by tile and row by row, of each token in eight lanes.
#[target_feature(enable = "avx2,fma,f16c")]
fn piece_sums(
    weight: Matrix<'_>,
    rows: &Range<usize>,
    tiles: &Tiles,
    piece: &Range<usize>,
) -> Lines {
    macro_rules! of {
        ($format:ident) => {
            sums_of::<{ Format::$format as u8 }>(weight, rows, tiles, piece)
        };
    }
    of_format!(weight.format(), of)
}

#[target_feature(enable = "avx2,fma,f16c")]
fn sums_of<const FORMAT: u8>(
    weight: Matrix<'_>,
    rows: &Range<usize>,
    tiles: &Tiles,
    piece: &Range<usize>,
) -> Lines {
    let slab = const { slab_of(format_of(FORMAT)) };
    let each = const { unpacked_of(format_of(FORMAT)) };
    let mut sums = Lines::any(rows.len() * piece.len() * SUMS);
    let mut unpacked = vec![Line([0; 64]); rows.len() * slab * each];
    for start in (0..tiles.chunks).step_by(slab) {
        let chunks = start..tiles.chunks.min(start + slab);
        for (row, unpacked) in rows.clone().zip(unpacked.chunks_exact_mut(slab * each)) {
            ask_ahead::<FORMAT>(weight.row(row), &chunks);
            unpack::<FORMAT>(weight.row(row), &chunks, unpacked);
        }
        // Of the chunks of this slab those of single tokens.
        let single = chunks.len() - usize::from(tiles.in_pairs && chunks.end == tiles.chunks);
        for (index, tile) in piece.clone().enumerate() {
            let (x, tokens) = (tiles.slab(tile, &chunks), tiles.tokens(tile));
            for (row, unpacked) in unpacked.chunks_exact(slab * each).enumerate() {
                let sums = &mut sums[(index * rows.len() + row) * SUMS..][..SUMS];
                if start == 0 {
                    sums.fill(Line([0; 64]));
                }
                let unpacked = &unpacked[..chunks.len() * each];
                multiply::<FORMAT>(unpacked, x, single, tokens, sums);
            }
        }
    }
    sums
}

/// Asks memory for the same chunks of a later row, since no processor foresees neighbouring parts of rows. Out of
/// the third-level cache 16 tokens took a fifth less, 256 a fortieth.
#[inline]
#[target_feature(enable = "avx2")]
fn ask_ahead<const FORMAT: u8>(row: &[u8], chunks: &Range<usize>) {
    const ROWS: usize = 6;
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let later = row
        .as_ptr()
        .wrapping_add(ROWS * row.len() + chunks.start * size);
    for line in 0..(chunks.len() * size).div_ceil(64) {
        _mm_prefetch::<_MM_HINT_T0>(later.wrapping_add(line * 64).cast());
    }
}

/// Unpacks some chunks of a row, the last of which it may end within; a half chunk twice, if the format
/// [`Order::joins`].
#[target_feature(enable = "avx2,f16c")]
fn unpack<const FORMAT: u8>(row: &[u8], chunks: &Range<usize>, unpacked: &mut [Line]) {
    let size = const { chunk_bytes(format_of(FORMAT)) };
    let each = const { unpacked_of(format_of(FORMAT)) };
    let joins = const { Order::new(format_of(FORMAT)).joins(CHUNK / 2) };
    for (chunk, unpacked) in chunks.clone().zip(unpacked.chunks_exact_mut(each)) {
        let bytes = &row[chunk * size..];
        // SAFETY: a whole chunk is readable, or half of one twice.
        let chunk = unsafe {
            if bytes.len() >= size {
                Crossed::unpack::<FORMAT>(bytes.as_ptr())
            } else if bytes.len() == size / 2 && joins {
                Crossed::unpack_halves::<FORMAT>([bytes.as_ptr(); 2])
            } else {
                let mut last = [0; LONGEST];
                last[..bytes.len()].copy_from_slice(bytes);
                Crossed::unpack::<FORMAT>(last.as_ptr())
            }
        };
        if is_wide(const { format_of(FORMAT) }) {
            let integers = chunk.q.as_flattened().first_chunk();
            wide_avx2::widen(
                integers.expect("eight registers"),
                chunk.scales[0],
                unpacked,
            );
        } else {
            chunk.store::<FORMAT>(unpacked);
        }
    }
}

/// Adds the products of some chunks of a row with those of a tile, of which all but the first `single` are of pairs of
/// tokens.
#[target_feature(enable = "avx2,fma")]
fn multiply<const FORMAT: u8>(
    unpacked: &[Line],
    x: &[Line],
    single: usize,
    tokens: usize,
    sums: &mut [Line],
) {
    let (each, size) = const {
        let format = format_of(FORMAT);
        (unpacked_of(format), TILE * lines_of(format))
    };
    assert!(
        x.len() == unpacked.len() / each * size && tokens <= TILE && sums.len() == SUMS,
        "as many chunks of a tile, and its sums"
    );
    let sums = sums.as_mut_ptr().cast();
    let chunks = unpacked.chunks_exact(each).zip(x.chunks_exact(size));
    let (count, pairs) = (black_box(tokens), black_box(tokens.div_ceil(2)));
    for (index, (unpacked, x)) in chunks.enumerate() {
        // SAFETY: by the assertion; a tile has an even number of sums.
        unsafe {
            match (is_wide(const { format_of(FORMAT) }), index < single) {
                (true, true) => wide_avx2::add_each::<false>(unpacked, x, count, sums),
                (true, false) => wide_avx2::add_each::<true>(unpacked, x, pairs, sums),
                (false, true) => {
                    Crossed::load(unpacked).add_each::<FORMAT>(x.as_ptr(), sums, count);
                }
                (false, false) => {
                    Crossed::load(unpacked).add_pairs::<FORMAT>(x.as_ptr(), sums, pairs);
                }
            }
        }
    }
}

/// Adds up the lanes of the sums of a row with a tile.
#[target_feature(enable = "avx2")]
fn add_up(sums: &[Line], totals: &mut [f32; TILE]) {
    assert_eq!(sums.len(), SUMS, "of one tile");
    for (sums, totals) in sums
        .chunks_exact(SUMS / 2)
        .zip(totals.as_chunks_mut::<8>().0)
    {
        let mut registers = [_mm256_setzero_ps(); 8];
        for (index, register) in registers.iter_mut().enumerate() {
            // SAFETY: half a line is 32 aligned bytes.
            *register = unsafe { _mm256_load_ps(sums.as_ptr().cast::<f32>().add(index * 8)) };
        }
        let sum = across(registers, |a, b| _mm256_add_ps(a, b));
        // SAFETY: it is 32 bytes.
        unsafe { _mm256_storeu_ps(totals.as_mut_ptr(), sum) };
    }
}
