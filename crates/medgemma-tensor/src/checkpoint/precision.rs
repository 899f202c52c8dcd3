//! Quantising while loading: which matrices, and to which blocks.

use std::fmt;
use std::str::FromStr;

use medgemma_kernels::{Format, Matrix, Quantizer, quantize_matrix, rounded_to_bf16};

use super::map::MappedBytes;
use crate::cpu;
use crate::device::Backend;
use crate::error::{Error, Result};
use crate::weight::FloatFormat;

/// How the decoder's matrices are held in memory.
///
/// Norms, biases, the vision tower and the projector stay as published, and so do matrices that a
/// file already holds in blocks. On devices other than the CPU's `Q8_0` takes 9 bits and `Q4_0` 5, and
/// what would be `Q6_K` is `Q8_0`: they have no such blocks, and would hold f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// As the file has them, without a copy.
    #[default]
    AsIs,
    /// f32 and f16 rounded to bf16.
    Bf16,
    /// 8.5 bits a number: blocks of 32 with a scale each (`Q8_0`).
    Int8,
    /// 4.5 bits a number: blocks of 32 with a scale each (`Q4_0`), chosen for the least squared
    /// error; embeddings and head 6.6 bits (`Q6_K`), where the loss would be largest.
    Int4,
}

impl Precision {
    /// The name that [`FromStr`] reads: `as-is`, `bf16`, `int8`, `int4`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// What a matrix of `cols` columns is held in when the file has it in `stored`: the smallest
    /// blocks of this precision that divide a row, else what it is stored in.
    #[must_use]
    pub fn target(self, stored: Format, cols: usize, embeddings: bool) -> Format {
        let wanted: &[Format] = match self {
            Self::AsIs => &[],
            Self::Bf16 => &[Format::Bf16],
            Self::Int8 => &[Format::Q8_0],
            Self::Int4 if embeddings => &[Format::Q6K, Format::Q8_0],
            Self::Int4 => &[Format::Q4_0],
        };
        let fits = |format: &&Format| format.row_bytes(cols).is_some();
        match wanted.iter().find(fits) {
            Some(&format) if !stored.is_blocks() => format,
            _ => stored,
        }
    }

    /// [`Precision::target`] on a device of `backend`. As f32, the embeddings of the 4B are 2.7 GB in
    /// one tensor, and those of the 27B are longer than a buffer of wgpu may be.
    pub(super) fn target_on(
        self,
        backend: Backend,
        stored: Format,
        cols: usize,
        embeddings: bool,
    ) -> Format {
        let target = self.target(stored, cols, embeddings);
        let on_cpu = matches!(backend, Backend::Cpu | Backend::NdArray);
        if target == Format::Q6K && target != stored && !on_cpu {
            Format::Q8_0
        } else {
            target
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::AsIs, Self::Bf16, Self::Int8, Self::Int4]
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| Error::UnknownPrecision {
                found: name.to_owned(),
            })
    }
}

/// A rule of a model's table of matrices that a [`Precision`] is for: one prefix of canonical keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantize {
    pub(super) prefix: &'static str,
    pub(super) embeddings: bool,
}

impl Quantize {
    /// Matrices of layers, whose canonical keys begin with `prefix`.
    #[must_use]
    pub const fn layers(prefix: &'static str) -> Self {
        Self {
            prefix,
            embeddings: false,
        }
    }

    /// Tables over the vocabulary, whose canonical keys begin with `prefix`.
    #[must_use]
    pub const fn embeddings(prefix: &'static str) -> Self {
        Self {
            prefix,
            embeddings: true,
        }
    }
}

/// The kernels' name for a float format.
pub(super) fn kernel_format(format: FloatFormat) -> Format {
    match format {
        FloatFormat::F32 => Format::F32,
        FloatFormat::F16 => Format::F16,
        FloatFormat::Bf16 => Format::Bf16,
    }
}

/// The other way round; `None` for blocks.
pub(super) fn float_format(format: Format) -> Option<FloatFormat> {
    match format {
        Format::F32 => Some(FloatFormat::F32),
        Format::F16 => Some(FloatFormat::F16),
        Format::Bf16 => Some(FloatFormat::Bf16),
        _ => None,
    }
}

/// `matrix` in the format `to`. `None` where `to` is blocks and not all numbers are finite: there is
/// nothing in blocks that an answer would show it by, as bf16 shows it.
pub(super) fn quantized(matrix: Matrix<'_>, to: Format) -> Option<MappedBytes> {
    let bytes = match (matrix.format(), to) {
        (Format::F32 | Format::F16, Format::Bf16) => rounded_to_bf16(&cpu::current(), matrix),
        (_, to) => {
            let quantizer = match to {
                Format::Q4_0 => Quantizer::Q4_0,
                Format::Q6K => Quantizer::Q6K,
                _ => Quantizer::Q8_0,
            };
            quantize_matrix(&cpu::current(), matrix, quantizer)?
        }
    };
    Some(MappedBytes::from_owner(bytes))
}

#[cfg(test)]
mod tests {
    use super::Precision;
    use crate::device::Backend;
    use medgemma_kernels::Format;

    #[test]
    fn embeddings_are_blocks_that_the_device_has() {
        let of = |backend, stored| Precision::Int4.target_on(backend, stored, 2560, true);
        for backend in [Backend::Cpu, Backend::NdArray] {
            assert_eq!(of(backend, Format::Bf16), Format::Q6K);
        }
        for backend in [Backend::Wgpu, Backend::Cuda] {
            assert_eq!(of(backend, Format::Bf16), Format::Q8_0);
            assert_eq!(
                of(backend, Format::Q6K),
                Format::Q6K,
                "a file's own blocks stay"
            );
            let layers = Precision::Int4.target_on(backend, Format::Bf16, 2560, false);
            assert_eq!(layers, Format::Q4_0);
        }
    }
}
