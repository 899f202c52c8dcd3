//! Rounded activations in the order in which the SIMD paths unpack weights.
//!
//! The unit is a chunk of 256 columns: 16 pieces of 16 integers. Four pieces make a line of 64
//! bytes; the order of the pieces is the one that comes out of a format's bits with the fewest
//! instructions, and such that a 128-bit lane holds integers of one group only. The last chunk is
//! filled up with zeros or, where [`Order::joins`] says so, half of one with itself.

use crate::cells::Cells;
use crate::cpu::{Cpu, Path};
use crate::lines::Line;
use crate::matrix::Format;

use super::activations::{GROUP, round_group};
use super::decode::zero;
use super::{crossed_avx2, crossed_avx512, pack_avx2, pack_avx512};

/// Columns of a chunk.
pub(super) const CHUNK: usize = 256;

/// Bytes of the weights of a chunk.
pub(super) const fn chunk_bytes(format: Format) -> usize {
    CHUNK / format.block_len() * format.block_bytes()
}

/// The most of [`chunk_bytes`].
pub(super) const LONGEST: usize = chunk_bytes(Format::Q8_0);

/// Numbers that are packed sooner than other threads are called: some seven microseconds.
const ALONE: usize = 1 << 15;

/// Lines of a chunk of activations at most.
const MOST_LINES: usize = 9;

/// Lines of a chunk of a row of activations once they are crossed for AVX-512: four of integers; one of what the
/// products begin with or, for formats with offsets, of the eight sums of the groups times their scale, in
/// its upper half; and one of the scales, lane by lane.
pub(super) const CROSSED: usize = 6;

/// Where the lines of one chunk of one row of activations are.
///
/// Formats with groups of 32: four lines of integers; two lines of sums to begin with, one for
/// lines 0 and 1, the other for 2 and 3 (see [`Packed`]); and a line with the eight scales and the
/// eight sums of the groups times their scale if
/// they have offsets. `Q6_K`: four lines of integers, four of sums to
/// begin with, 16 scales.
#[derive(Clone, Copy)]
pub(super) struct Order {
    /// For each piece of the lines, its index in the row.
    pub(super) pieces: [u8; 16],
    /// Whether each line has sums of its own.
    pub(super) sums_each: bool,
    /// What the weights' integers have too much.
    pub(super) zero: i32,
    /// Whether groups have an offset.
    pub(super) offsets: bool,
    /// The factor of the groups' sums: minima are subtracted, offsets added.
    pub(super) sign: f32,
}

impl Order {
    /// The order for weights in `format`.
    pub(super) const fn new(format: Format) -> Self {
        let pieces = match format {
            // Low halves of all bytes are groups 0, 2, 4, 6; high halves 1, 3, 5, 7.
            Format::Q4K | Format::Q5K => [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
            Format::Q6K => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            // Blocks 0 to 3, first halves, then second halves; then blocks 4 to 7.
            _ => [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15],
        };
        Self {
            pieces,
            sums_each: matches!(format, Format::Q6K),
            zero: zero(format) as i32,
            offsets: matches!(
                format,
                Format::Q4_1 | Format::Q5_1 | Format::Q4K | Format::Q5K
            ),
            sign: match format {
                Format::Q4K | Format::Q5K => -1.0,
                _ => 1.0,
            },
        }
    }

    /// Which scale of a chunk each lane of 32 bits of a crossed line wants: of eight, or of 16 where halves of
    /// groups have their own.
    pub(super) const fn lanes(self) -> [i32; 16] {
        let mut lanes = [0; 16];
        let mut lane = 0;
        while lane < 16 {
            let place = if self.sums_each {
                lane % 4 * 4 + lane / 4
            } else {
                lane / 2 % 2 * 8 + lane / 4
            };
            let piece = self.pieces[place] as i32;
            lanes[lane] = if self.sums_each { piece } else { piece / 2 };
            lane += 1;
        }
        lanes
    }

    /// Whether, with AVX2, two rows that end within a chunk after `columns` of it share it: half of it is the
    /// one's, half the other's, and the activations are there twice; or, of many rows of activations, the weights. Offsets of two rows could not be told
    /// apart; formats with scales for halves of groups have one block to a chunk.
    pub(super) const fn joins(self, columns: usize) -> bool {
        columns == CHUNK / 2 && !self.offsets && !self.sums_each
    }

    /// Lines of a chunk.
    pub(super) const fn lines(self) -> usize {
        if self.sums_each { 9 } else { 7 }
    }
}

/// Rows of activations; chunk by chunk, and within a chunk row by row. For AVX2 and AVX-512 chunks are crossed: see
/// [`crossed_avx2`] and [`crossed_avx512`].
pub(super) struct Packed {
    pub(super) lines: Vec<Line>,
}

impl Packed {
    /// Rounds and packs `x`, `m` rows of `cols`, whole groups of 32.
    pub(super) fn new(cpu: &Cpu, format: Format, x: &[f32], m: usize, cols: usize) -> Self {
        let stride = match cpu.path() {
            Path::Avx2 => crossed_avx2::lines_of(format),
            Path::Avx512 | Path::Amx => CROSSED,
            _ => Order::new(format).lines(),
        };
        let chunks = cols.div_ceil(CHUNK);
        let mut lines = vec![Line([0; 64]); chunks * m * stride];
        let cells = Cells::new(&mut lines);
        let chunk = |chunk: usize| {
            // SAFETY: each chunk has its own lines.
            let lines = unsafe { cells.part(chunk * m * stride, m * stride) };
            let columns = chunk * CHUNK..cols.min((chunk + 1) * CHUNK);
            for (token, lines) in lines.chunks_exact_mut(stride).enumerate() {
                let row = &x[token * cols..][columns.clone()];
                pack(cpu.path(), format, row, lines);
            }
        };
        if m * cols < ALONE {
            (0..chunks).for_each(chunk);
        } else {
            cpu.pool().run(chunks, &chunk);
        }
        Self { lines }
    }
}

/// Packs what there is of one chunk of one row. The processor has `path`.
pub(super) fn pack(path: Path, format: Format, row: &[f32], lines: &mut [Line]) {
    let order = Order::new(format);
    let mut filled = [0.0; CHUNK];
    let row = row.first_chunk().unwrap_or_else(|| {
        filled[..row.len()].copy_from_slice(row);
        if path == Path::Avx2 && order.joins(row.len()) {
            filled[CHUNK / 2..].copy_from_slice(row);
        }
        &filled
    });
    match path {
        // SAFETY: the caller has the instructions of `path`.
        Path::Avx2 => unsafe { pack_avx2::fill(format, row, lines) },
        // SAFETY: the caller has the instructions of `path`.
        Path::Avx512 | Path::Amx => unsafe {
            let mut plain = [Line([0; 64]); MOST_LINES];
            let plain = &mut plain[..order.lines()];
            pack_avx512::fill(order, row, plain);
            let crossed = lines.as_mut_array().expect("lines of a chunk");
            crossed_avx512::activations(order, plain, crossed);
        },
        _ => fill(order, row, lines),
    }
}

/// Packs one chunk.
fn fill(order: Order, x: &[f32; CHUNK], lines: &mut [Line]) {
    let mut integers = [0i8; CHUNK];
    let mut scales = [0.0f32; 8];
    for ((x, integers), scale) in x
        .chunks_exact(GROUP)
        .zip(integers.chunks_exact_mut(GROUP))
        .zip(&mut scales)
    {
        *scale = round_group(x, integers);
    }
    for (place, &piece) in order.pieces.iter().enumerate() {
        let from = &integers[usize::from(piece) * 16..][..16];
        let to = &mut lines[place / 4].0[place % 4 * 16..][..16];
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.cast_unsigned();
        }
    }
    let (packed, rest) = lines.split_at_mut(4);
    if order.sums_each {
        for (sums, line) in rest.iter_mut().zip(&*packed) {
            add_sums(order.zero, line, sums);
        }
        for (group, place) in rest[4].0.as_chunks_mut().0.iter_mut().enumerate() {
            *place = scales[group / 2].to_le_bytes();
        }
        return;
    }
    for (index, line) in packed.iter().enumerate() {
        add_sums(order.zero, line, &mut rest[index / 2]);
    }
    let places = rest[2].0.as_chunks_mut().0;
    for (group, &scale) in scales.iter().enumerate() {
        let sum: i16 = integers[group * GROUP..][..GROUP]
            .iter()
            .map(|&integer| i16::from(integer))
            .sum();
        places[group] = scale.to_le_bytes();
        if order.offsets {
            places[group + 8] = (order.sign * scale * f32::from(sum)).to_le_bytes();
        }
    }
}

/// Adds `−zero` times the sum of each four integers to the i32 at their place, so that summing
/// products onto these gives what weights without `zero` would.
fn add_sums(zero: i32, line: &Line, sums: &mut Line) {
    for (four, sum) in line
        .0
        .as_chunks::<4>()
        .0
        .iter()
        .zip(sums.0.as_chunks_mut().0)
    {
        let total: i32 = four.iter().map(|&x| i32::from(x.cast_signed())).sum();
        *sum = (i32::from_le_bytes(*sum) - zero * total).to_le_bytes();
    }
}
