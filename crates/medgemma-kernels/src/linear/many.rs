//! Linear layers over many tokens: bound by arithmetic.
//!
//! Lanes are tokens: a kernel broadcasts a step of a weight row, as the file has it, and multiplies
//! it with a step of 16 tokens from the packed activations; a group of rows times a tile of tokens
//! has its sums in registers. Around it three loops: a piece of work is a chunk of rows times a
//! block of tokens, walked in blocks of the columns, such that the tokens' block stays in the
//! second-level cache while all rows of the chunk go by and a group's weights stay in the first.

use std::ops::Range;

use crate::cpu::{Cpu, Path};
use crate::scratch;

use super::output::Output;
use super::pack::{LANES, Step, Tiles};
use super::panel::{Panel, Shape, Weights};

/// Steps that share the addresses their weights are read from. To compute one for each weight took a fifth of
/// the time with AVX2, where a neighbour shared the core.
#[cfg(target_arch = "x86_64")]
pub(super) const UNROLL: usize = 4;

/// What a kernel is given: `sums[tile][row][lane] += Σ weights[row][step] · x[tile][step][lane]`, where
/// `fresh` sums are zero whatever is in their place.
pub(super) struct Product<'a> {
    /// The group's rows, `stride` bytes apart.
    pub(super) weights: &'a [u8],
    pub(super) stride: usize,
    /// Tiles of tokens, `x_stride` words apart.
    pub(super) x: &'a [u32],
    pub(super) x_stride: usize,
    pub(super) steps: usize,
    /// `[tile][row][LANES]`, as many tiles as there are to do.
    pub(super) sums: &'a mut [f32],
    /// Whether these are the first steps of the sums.
    pub(super) fresh: bool,
}

impl Product<'_> {
    /// The number of tiles.
    ///
    /// # Panics
    /// When the slices are too short for a group of `rows` rows: kernels rely on it.
    pub(super) fn checked_tiles(&self, rows: usize) -> usize {
        let tiles = self.sums.len() / (rows * LANES);
        assert!(
            tiles > 0
                && self.sums.len() == tiles * rows * LANES
                && self.weights.len() >= (rows - 1) * self.stride + self.steps * 4
                && self.x.len() >= (tiles - 1) * self.x_stride + self.steps * LANES,
            "slices of a product"
        );
        tiles
    }
}

/// Which kernel multiplies.
#[derive(Clone, Copy)]
struct Kernel {
    path: Path,
    group: Shape,
}

/// How much is done at once.
#[derive(Clone, Copy)]
struct Piece {
    /// Weight rows at most.
    rows: usize,
    /// Tiles of tokens.
    tiles: usize,
    /// Steps of a block of columns.
    steps: usize,
}

/// A block of columns of the tokens takes half a megabyte.
const PIECE: Piece = Piece {
    rows: 96,
    tiles: 16,
    steps: 512,
};

impl Kernel {
    /// The kernel of `path` for such weights; none for [`Path::Scalar`], and none for blocks, which have kernels of
    /// their own.
    fn of(path: Path, weights: Weights<'_>) -> Option<Self> {
        if weights.format().is_blocks() {
            return None;
        }
        let single = !weights.rounds();
        let kernel = |path, step, rows| Self {
            path,
            group: Shape {
                step,
                rows,
                multiple: 1,
            },
        };
        match path {
            Path::Scalar => None,
            Path::Neon | Path::Avx2 => Some(kernel(path, Step::Single, 6)),
            Path::Amx | Path::Avx512 if single => Some(kernel(Path::Avx512, Step::Single, 8)),
            // The tile unit has loops of its own.
            Path::Amx => None,
            _ => Some(kernel(Path::Avx512, Step::Pair, 8)),
        }
    }

    fn multiply(self, product: Product<'_>) {
        match (self.path, self.group.step) {
            // SAFETY: the processor has the path (`Cpu`'s promise).
            #[cfg(target_arch = "x86_64")]
            (Path::Avx512, Step::Pair) => unsafe { super::avx512::multiply::<true>(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Path::Avx512, Step::Single) => unsafe { super::avx512::multiply::<false>(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            (Path::Avx2, Step::Single) => unsafe { super::avx2::multiply(product) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            (Path::Neon, Step::Single) => unsafe { super::neon::multiply(product) },
            (path, step) => unreachable!("no kernel for {step:?} on {path}"),
        }
    }
}

/// Whether `path` has a kernel for such weights here.
pub(super) fn has(path: Path, weights: Weights<'_>) -> bool {
    Kernel::of(path, weights).is_some()
}

/// `out = x · weightsᵀ + bias`.
///
/// # Panics
/// When [`has`] says no.
pub(super) fn linear(cpu: &Cpu, x: &[f32], weights: Weights<'_>, out: &Output<'_>) {
    let kernel = Kernel::of(cpu.path(), weights).expect("the caller has asked");
    linear_with(kernel, cpu, x, weights, out);
}

fn linear_with(kernel: Kernel, cpu: &Cpu, x: &[f32], weights: Weights<'_>, out: &Output<'_>) {
    let (group, piece) = (kernel.group, PIECE);
    let x = Tiles::pack(cpu, x, weights.cols(), group.step, weights.rounds());
    let tiles = out.m().div_ceil(LANES);
    let blocks = tiles.div_ceil(piece.tiles);
    let chunk = chunk_of(weights.rows(), &kernel, blocks, cpu.pool().threads());
    let chunks = weights.rows().div_ceil(chunk);
    cpu.pool().run(chunks * blocks, &|index| {
        // Neighbouring pieces share weights: what one thread reads another finds in the cache.
        let (chunk_index, block) = (index / blocks, index % blocks);
        let rows = chunk_index * chunk..weights.rows().min((chunk_index + 1) * chunk);
        let tiles = block * piece.tiles..tiles.min((block + 1) * piece.tiles);
        let groups = rows.len().div_ceil(group.rows);
        scratch::with(groups * group.rows * tiles.len() * LANES, |sums| {
            piece_sums(kernel, weights, &rows, &x, &tiles, sums);
            // Where a row's sums with the first tile are; those with the next are a group further.
            let firsts: Vec<usize> = (0..rows.len())
                .map(|row| row / group.rows * tiles.len() * group.rows + row % group.rows)
                .collect();
            for (index, tile) in tiles.enumerate() {
                for (row, firsts) in rows.clone().step_by(LANES).zip(firsts.chunks(LANES)) {
                    let sums = firsts.iter().map(|first| {
                        let sums = &sums[(first + index * group.rows) * LANES..];
                        sums.first_chunk().expect("the sums of a row")
                    });
                    // SAFETY: the processor has the path (`Cpu`'s promise); this piece alone writes
                    // its rows of its tokens.
                    unsafe { write_sums(cpu.path(), sums, tile * LANES, row, out) };
                }
            }
        });
    });
}

/// Rows of a chunk, whole groups: fewer than a piece may have where threads would be left without
/// work.
fn chunk_of(rows: usize, kernel: &Kernel, blocks: usize, threads: usize) -> usize {
    const LEAST: usize = 24;
    let mut chunk = PIECE.rows;
    while chunk > LEAST && rows.div_ceil(chunk) * blocks < 4 * threads {
        chunk /= 2;
    }
    chunk.next_multiple_of(kernel.group.rows)
}

/// The sums of a chunk of rows and a block of tiles: `[group][tile][row][LANES]`.
fn piece_sums(
    kernel: Kernel,
    weights: Weights<'_>,
    rows: &Range<usize>,
    x: &Tiles,
    tiles: &Range<usize>,
    sums: &mut [f32],
) {
    let (group, piece) = (kernel.group, PIECE);
    let all = group.step.count(weights.cols());
    let block = |start: usize| start..all.min(start + piece.steps);
    let mut panel = Panel::new(kernel.path, group, piece.steps.min(all));
    for start in (0..all).step_by(piece.steps) {
        let firsts = rows.clone().step_by(group.rows);
        let sums = sums.chunks_exact_mut(tiles.len() * group.rows * LANES);
        for (first, sums) in firsts.zip(sums) {
            let steps = block(start);
            let (weights, stride) = panel.group(weights, first, steps.clone());
            kernel.multiply(Product {
                weights,
                stride,
                x: x.from(tiles.start, start),
                x_stride: x.stride(),
                steps: steps.len(),
                sums,
                fresh: start == 0,
            });
        }
    }
}

/// Turns up to `LANES` rows of a tile's sums, each of `LANES` tokens, into outputs: `row` and those
/// behind it of `token` and those behind it, as far as there are any.
///
/// # Safety
/// The processor has `path`, and no other thread writes these outputs.
pub(crate) unsafe fn write_sums<'a>(
    path: Path,
    sums: impl ExactSizeIterator<Item = &'a [f32; LANES]>,
    token: usize,
    row: usize,
    out: &Output<'_>,
) {
    let rows = sums.len();
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx512 {
        // SAFETY: the caller's word.
        return unsafe { super::avx512_turn::write_sums(sums, token, row, out) };
    }
    let mut turned = [[0.0; LANES]; LANES];
    turn_sums(path, sums, &mut turned);
    for (token, values) in (token..out.m().min(token + LANES)).zip(&turned) {
        // SAFETY: the caller's word.
        unsafe { out.put(token, row, &values[..rows]) };
    }
}

/// `out[token][row] = rows[row][token]`.
fn turn_sums<'a>(
    path: Path,
    rows: impl Iterator<Item = &'a [f32; LANES]>,
    out: &mut [[f32; LANES]; LANES],
) {
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx2 {
        let mut rows = rows;
        let out = out.as_flattened_mut();
        for at in (0..LANES).step_by(8) {
            // SAFETY: the processor has the path (`Cpu`'s promise).
            unsafe { super::avx2_turn::turn_sums(rows.by_ref().take(8), &mut out[at..], LANES) };
        }
        return;
    }
    let _ = path;
    for (row, lanes) in rows.enumerate() {
        for (out, &sum) in out.iter_mut().zip(lanes) {
            out[row] = sum;
        }
    }
}
