//! Products of many rows of activations with blocks of weights, in 8-bit integers: bound by
//! arithmetic. [`many_avx2`] and [`tiles_avx512`] say how.
//!
//! The arithmetic is that of [`super::few`], and so are the results but for the order of the sums.

use crate::cpu::{Cpu, Path};
use crate::matrix::Matrix;

use super::{many_avx2, tiles_avx512};

/// Rows of activations that go by together: with AVX-512 the lanes of a register.
pub(super) const TILE: usize = 16;

/// Rows of activations from which on the kernel of `path` is faster than that for a few: with AVX-512 it
/// computes 16 at once, with AVX2 it unpacks weights once for all. None if there is none.
pub(super) fn least(path: Path) -> Option<usize> {
    match path {
        Path::Avx2 => Some(9),
        Path::Avx512 => Some(13),
        _ => None,
    }
}

/// As [`super::linear_many`], whose checks have been made and which has asked [`least`]; there are
/// rows, columns and `m > 0`.
pub(super) fn linear(
    cpu: &Cpu,
    x: &[f32],
    weight: Matrix<'_>,
    bias: Option<&[f32]>,
    out: &mut [f32],
) {
    match cpu.path() {
        Path::Avx2 => many_avx2::linear(cpu, x, weight, bias, out),
        _ => tiles_avx512::linear(cpu, x, weight, bias, out),
    }
}
