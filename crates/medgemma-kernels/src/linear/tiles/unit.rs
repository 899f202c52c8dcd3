//! What multiplies: the tile unit, or in tests plain Rust.

use super::{BLOCK, Crossed, ROWS, Sums, plain};
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
        // SAFETY: a block is 32 tokens of 48 sums, and borrowed.
        unsafe { self.multiply_into(tokens, weights, bias, sums.as_mut_ptr(), ROWS) };
    }

    /// [`Self::multiply`], the sums of a token `pitch` numbers behind those of the one before.
    ///
    /// # Panics
    /// When tokens and weights are not of as many steps.
    ///
    /// # Safety
    /// At `sums` and every `pitch` numbers there are 48 numbers, 32 times, which nothing else reads or
    /// writes meanwhile.
    pub(super) unsafe fn multiply_into(
        &self,
        tokens: &[Line],
        weights: &[Line],
        bias: &[Line; 3],
        sums: *mut f32,
        pitch: usize,
    ) {
        match self {
            // SAFETY: the caller's promise.
            #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
            Self::Tiles(unit) => unsafe { unit.multiply(tokens, weights, bias, sums, pitch) },
            // SAFETY: the caller's promise.
            Self::Plain => unsafe { plain::multiply(tokens, weights, bias, sums, pitch) },
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
