//! What multiplies: the tile unit, or in tests plain Rust.

use super::{BLOCK, Crossed, Sums, plain};
use crate::cpu::Path;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use crate::linear::amx;
use crate::lines::Line;

pub(super) enum Unit {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    Tiles(amx::Unit),
    /// The specification.
    Plain,
}

impl Unit {
    /// This thread's unit, of which there is one at a time.
    pub(super) fn of(path: Path) -> Self {
        match path {
            // SAFETY: the processor has the path (`Cpu`'s promise); products are this module's
            // alone while a thread rolls.
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Path::Amx => Self::Tiles(unsafe { amx::Unit::new() }),
            _ => Self::Plain,
        }
    }

    /// `sums[token][row] = bias[row] + Σ tokens[step][token] · weights[step][row]`.
    ///
    /// # Panics
    /// When tokens and weights are not of as many steps.
    pub(super) fn multiply(
        &self,
        tokens: &[Line],
        weights: &[Line],
        bias: &[Line; 3],
        sums: &mut [f32; BLOCK],
    ) {
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Tiles(unit) => unit.multiply(tokens, weights, bias, sums),
            Self::Plain => plain::multiply(tokens, weights, bias, sums),
        }
    }

    /// `sums[r][t][row][token] += Σ bytes[16 r + row] · tokens[step][t][token]`: 32 rows of weights, which lie
    /// `stride` bytes apart, and 32 tokens.
    ///
    /// # Panics
    /// When there are fewer bytes than steps of tokens.
    pub(super) fn multiply_rows(
        &self,
        bytes: &[u8],
        stride: usize,
        tokens: &[Line],
        sums: &mut Crossed,
    ) {
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Tiles(unit) => unit.multiply_rows(bytes, stride, tokens, sums),
            Self::Plain => plain::multiply_rows(bytes, stride, tokens, sums),
        }
    }

    /// As [`Self::multiply_rows`] with 16 rows and twice 32 tokens: `sums[p][t][row][token] += Σ bytes[row] ·
    /// tokens[p][step][t][token]`.
    ///
    /// # Panics
    /// When there are fewer bytes than steps of tokens, or tokens are not of as many steps.
    pub(super) fn multiply_half(
        &self,
        bytes: &[u8],
        stride: usize,
        tokens: [&[Line]; 2],
        sums: [&mut [Sums; 2]; 2],
    ) {
        match self {
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Tiles(unit) => unit.multiply_half(bytes, stride, tokens, sums),
            Self::Plain => {
                for (tokens, sums) in tokens.into_iter().zip(sums) {
                    plain::multiply_half(bytes, stride, tokens, sums);
                }
            }
        }
    }
}
