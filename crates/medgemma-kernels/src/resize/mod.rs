//! The two passes of a separable resize of 8-bit RGB pictures with fixed-point weights, as Pillow
//! (`src/libImaging/Resample.c`) and torch (`UpSampleKernel.cpp`) make them on 8-bit samples.
//!
//! Integer sums are exact, so every path gives the same bytes. Which weights stand in the table is
//! what tells the one reference from the other, and is the caller's to say.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::cpu::Path;

/// For each output position along an axis: which input positions it reads, with which weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResizeTable {
    windows: Vec<Window>,
    weights: Vec<i32>,
    bits: u32,
    /// One more than the last input position that any window reads.
    end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Window {
    /// First input position.
    start: usize,
    /// Its weights among all.
    weights: Range<usize>,
}

impl ResizeTable {
    /// A table without positions, whose weights have `bits` fractional bits.
    ///
    /// # Panics
    /// When `bits` is not of 1 to 30.
    #[must_use]
    pub fn new(bits: u32) -> Self {
        assert!((1..=30).contains(&bits), "{bits} fractional bits");
        Self {
            windows: Vec::new(),
            weights: Vec::new(),
            bits,
            end: 0,
        }
    }

    /// Appends an output position, which reads as many input positions from `start` on as there are
    /// weights.
    ///
    /// # Panics
    /// When the positions exceed the address space.
    pub fn push(&mut self, start: usize, weights: impl IntoIterator<Item = i32>) {
        let first = self.weights.len();
        self.weights.extend(weights);
        let weights = first..self.weights.len();
        let end = start.checked_add(weights.len());
        self.end = self
            .end
            .max(end.expect("a window within the address space"));
        self.windows.push(Window { start, weights });
    }

    /// Number of output positions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether there is no output position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// Fractional bits of the weights.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Each output position's first input position and weights, in order.
    pub fn windows(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let windows = self.windows.iter();
        windows.map(|window| (window.start, &self.weights[window.weights.clone()]))
    }

    /// Half a unit of the result: where every sum starts, so that the shift at its end rounds.
    fn half(&self) -> i32 {
        1 << (self.bits - 1)
    }
}

/// Resizes every row, on the calling thread: each sample is half a unit and the weighted sum of the
/// samples of its channel in its window, shifted right by the table's bits and clipped to 0–255.
/// Sums are in `i32` and wrap.
///
/// - `data`: `[rows, width, 3]`
/// - `out`: `[rows, table.len(), 3]`
///
/// # Panics
/// When lengths do not fit each other, a window ends beyond the row, or the processor lacks `path`.
pub fn resize_rows(path: Path, data: &[u8], width: usize, table: &ResizeTable, out: &mut [u8]) {
    assert!(path.is_available(), "this processor has no {path}");
    assert!(table.end <= width, "a window ends beyond the row");
    if width == 0 || table.is_empty() {
        return assert!(out.is_empty(), "length of the output");
    }
    // A width that wraps is of no whole row either.
    let row = width.saturating_mul(3);
    let rows = data.len() / row;
    assert_eq!(data.len() % row, 0, "whole rows");
    assert_eq!(out.len(), rows * table.len() * 3, "length of the output");
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX2, which the paths above it include.
        Path::Avx2 | Path::Avx512 | Path::Amx => unsafe { avx2::rows(data, width, table, out) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the processor has Advanced SIMD.
        Path::Neon => unsafe { neon::rows(data, width, table, out) },
        _ => scalar::rows(data, width, table, out),
    }
}

/// Resizes every column, on the calling thread, by the arithmetic of [`resize_rows`].
///
/// - `data`: `[height, stride]`, `stride` bytes a row, whatever they mean
/// - `out`: `[table.len(), stride]`
///
/// # Panics
/// When lengths do not fit each other, a window ends beyond the column, or the processor lacks
/// `path`.
pub fn resize_columns(path: Path, data: &[u8], stride: usize, table: &ResizeTable, out: &mut [u8]) {
    assert!(path.is_available(), "this processor has no {path}");
    if stride == 0 || table.is_empty() {
        return assert!(out.is_empty(), "length of the output");
    }
    assert!(data.len().is_multiple_of(stride), "whole rows");
    assert!(
        table.end <= data.len() / stride,
        "a window ends beyond the column"
    );
    assert_eq!(out.len(), table.len() * stride, "length of the output");
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX2, which the paths above it include.
        Path::Avx2 | Path::Avx512 | Path::Amx => unsafe { avx2::columns(data, stride, table, out) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the processor has Advanced SIMD.
        Path::Neon => unsafe { neon::columns(data, stride, table, out) },
        _ => scalar::columns(data, stride, table, out),
    }
}
