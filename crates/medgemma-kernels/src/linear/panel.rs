//! Groups of weight rows as the kernels for many tokens read them: in place where the file has them
//! so, else unpacked into a panel that stays in the cache while all tokens are multiplied with it.

use std::ops::Range;

use half::f16;

use crate::blocks::unpack_bf16;
use crate::cpu::Path;
use crate::lines::Lines;
use crate::matrix::{Format, Matrix};

use super::pack::{LANES, Step};

/// Weights of a linear layer, `[out, in]` or `[in, out]` in the file.
#[derive(Clone, Copy)]
pub(super) enum Weights<'a> {
    /// `[out, in]`: an output's weights follow each other.
    Rows(Matrix<'a>),
    /// `[in, out]`, plain floats.
    Columns(Matrix<'a>),
}

impl Weights<'_> {
    /// Outputs.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Rows(matrix) => matrix.rows(),
            Self::Columns(matrix) => matrix.cols(),
        }
    }

    /// Inputs.
    pub(super) fn cols(&self) -> usize {
        match self {
            Self::Rows(matrix) => matrix.cols(),
            Self::Columns(matrix) => matrix.rows(),
        }
    }

    /// How the numbers are stored.
    pub(super) fn format(&self) -> Format {
        match self {
            Self::Rows(matrix) | Self::Columns(matrix) => matrix.format(),
        }
    }

    /// Whether activations are rounded to bf16 for them. Not for columns: the one matrix that is published
    /// so has less than a thousandth of an image's products, where there is no time to win.
    pub(super) fn rounds(&self) -> bool {
        matches!(self, Self::Rows(_)) && !matches!(self.format(), Format::F32 | Format::F16)
    }
}

/// How a kernel wants its groups of weight rows.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) step: Step,
    /// Rows of a group.
    pub(super) rows: usize,
    /// Steps come in multiples of this.
    pub(super) multiple: usize,
}

/// Rows from the one that is unpacked to the one that is asked for from memory: of the short runs of
/// several rows the processor foresees none.
const AHEAD: usize = 2;

/// Scratch for one group of rows.
pub(super) struct Panel {
    path: Path,
    shape: Shape,
    words: usize,
    /// Made when rows cannot be read in place.
    scratch: Option<Lines>,
}

impl Panel {
    /// For groups of at most `steps` steps.
    pub(super) fn new(path: Path, shape: Shape, steps: usize) -> Self {
        let words = shape.rows * steps.next_multiple_of(shape.multiple);
        Self {
            path,
            shape,
            words,
            scratch: None,
        }
    }

    /// Steps `steps` of the rows from `first` on, as bytes in which the rows are the returned
    /// number of bytes apart. Columns that are not there are zero, rows may hold anything.
    pub(super) fn group<'a>(
        &'a mut self,
        weights: Weights<'a>,
        first: usize,
        steps: Range<usize>,
    ) -> (&'a [u8], usize) {
        if let Weights::Rows(matrix) = weights
            && self.in_place(matrix, first, &steps)
        {
            let stride = matrix.row(first).len();
            return (&matrix.bytes()[first * stride + steps.start * 4..], stride);
        }
        let Shape { step, multiple, .. } = self.shape;
        let len = steps.len().next_multiple_of(multiple);
        let start = steps.start * step.width();
        let cols = start..weights.cols().min(steps.end * step.width());
        let rows = first..weights.rows().min(first + self.shape.rows);
        let scratch = (self.scratch).get_or_insert_with(|| Lines::any(self.words.div_ceil(LANES)));
        let scratch = &mut scratch.words_mut()[..self.shape.rows * len];
        if cols.len() < len * step.width() {
            scratch.fill(0);
        }
        match weights {
            Weights::Rows(matrix) => {
                for (row, place) in rows.zip(scratch.chunks_exact_mut(len)) {
                    fill_row(self.path, step, matrix, row, cols.clone(), place);
                }
            }
            Weights::Columns(matrix) => fill_columns(matrix, &rows, cols, scratch, len),
        }
        (bytes_of(scratch), len * 4)
    }

    /// Whether the file has the group just as the kernels read it.
    fn in_place(&self, matrix: Matrix<'_>, first: usize, steps: &Range<usize>) -> bool {
        let Shape {
            step,
            rows,
            multiple,
        } = self.shape;
        let format = match step {
            Step::Single => Format::F32,
            Step::Pair => Format::Bf16,
        };
        matrix.format() == format
            && first + rows <= matrix.rows()
            && steps.len().is_multiple_of(multiple)
            && steps.end * step.width() <= matrix.cols()
    }
}

/// Columns `cols` of one row; `cols` begins at a whole block.
fn fill_row(
    path: Path,
    step: Step,
    matrix: Matrix<'_>,
    row: usize,
    cols: Range<usize>,
    place: &mut [u32],
) {
    let format = matrix.format();
    let row = matrix.row(row);
    let start = cols.start / format.block_len() * format.block_bytes();
    let end = cols.end.div_ceil(format.block_len()) * format.block_bytes();
    let bytes = &row[start..end];
    if format.is_blocks() {
        ask_for(bytes.as_ptr().wrapping_add(AHEAD * row.len()), bytes.len());
    }
    match (step, format) {
        (Step::Pair, Format::Bf16) | (Step::Single, Format::F32) => {
            bytes_of_mut(place)[..bytes.len()].copy_from_slice(bytes);
        }
        (Step::Single, Format::F16) => widen_f16(path, bytes, place),
        (Step::Single, Format::Bf16) => widen_bf16(path, bytes, place),
        (Step::Pair, format) if format.is_blocks() => {
            unpack_bf16(path, format, bytes, &mut halves_of(place)[..cols.len()]);
        }
        (step, format) => unreachable!("no way to unpack {format} to {step:?}"),
    }
}

/// Asks for `len` bytes from `from` on, which need not be there.
fn ask_for(from: *const u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..len).step_by(size_of::<crate::lines::Line>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program could see, and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (from, len);
}

/// bf16 to the bits of f32.
fn widen_bf16(path: Path, bytes: &[u8], place: &mut [u32]) {
    let halves = bytes.as_chunks().0;
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx2 {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        return unsafe { super::avx2::widen_bf16(halves, place) };
    }
    let _ = path;
    super::scalar::widen_bf16(halves, place);
}

/// f16 to the bits of f32.
fn widen_f16(path: Path, bytes: &[u8], place: &mut [u32]) {
    let halves = bytes.as_chunks().0;
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx2 {
        // SAFETY: the processor has the path (`Cpu`'s promise), and all from AVX2 on have F16C.
        return unsafe { super::avx2::widen_f16(halves, place) };
    }
    #[cfg(target_arch = "aarch64")]
    if path >= Path::Neon {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        return unsafe { super::neon::widen_f16(halves, place) };
    }
    let _ = path;
    for (place, half) in place.iter_mut().zip(halves) {
        *place = f16::from_le_bytes(*half).to_f32().to_bits();
    }
}

/// Outputs `columns` of weights that are published as `[in, out]`, inputs `inputs`, as f32: one output's
/// `len` words from the next's.
fn fill_columns(
    matrix: Matrix<'_>,
    columns: &Range<usize>,
    inputs: Range<usize>,
    place: &mut [u32],
    len: usize,
) {
    let size = matrix.format().block_bytes();
    // The numbers of an input lie together, those of an output do not.
    for (index, input) in inputs.enumerate() {
        let bytes = &matrix.row(input)[columns.start * size..columns.end * size];
        let places = place[index..].iter_mut().step_by(len);
        match matrix.format() {
            Format::F32 => fill(places, bytes, u32::from_le_bytes),
            Format::F16 => fill(places, bytes, |half| {
                f16::from_le_bytes(half).to_f32().to_bits()
            }),
            Format::Bf16 => fill(places, bytes, |half| {
                u32::from(u16::from_le_bytes(half)) << 16
            }),
            format => unreachable!("no way to unpack columns of {format}"),
        }
    }
}

/// Each number of `bytes` to its place.
fn fill<'a, const SIZE: usize>(
    places: impl Iterator<Item = &'a mut u32>,
    bytes: &[u8],
    bits: impl Fn([u8; SIZE]) -> u32,
) {
    for (place, number) in places.zip(bytes.as_chunks().0) {
        *place = bits(*number);
    }
}

fn halves_of(words: &mut [u32]) -> &mut [u16] {
    let len = 2 * words.len();
    // SAFETY: the same memory; halves need less alignment and have any value. That the first is a
    // word's low half is what all processors of the kernels' paths do.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}

/// The order of a word's bytes is that of the files: the low one first.
fn bytes_of_mut(words: &mut [u32]) -> &mut [u8] {
    let len = size_of_val(words);
    // SAFETY: the same memory; bytes have no alignment and any value.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}

fn bytes_of(words: &[u32]) -> &[u8] {
    // SAFETY: the same memory; bytes have no alignment and any value.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}
