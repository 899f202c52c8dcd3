//! A matrix of trained weights, in the storage that it was published in.
//!
//! Model code hands a [`Weight`] to the operations of [`crate::ops`] and never looks inside: plain
//! floats and block-quantised numbers are the same to it.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{DType, Int, Tensor, TensorData};
use medgemma_kernels::{Format, Matrix, dequantize};

use crate::checkpoint::MappedBytes;
use crate::device::{Backend, Device};
use crate::ops::concat;
use crate::quantized::Quantized;

/// The float format that a tensor has in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FloatFormat {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16. Stored only: nothing is ever computed in it, Gemma 3 overflows it.
    F16,
    /// bfloat16, the format that Gemma 3 was published in.
    Bf16,
}

impl FloatFormat {
    /// Rounds a number to this format, as `torch.tensor(x).to(dtype)` does.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is what is asked for"
    )]
    pub fn round(self, value: f64) -> f32 {
        let value = value as f32;
        match self {
            Self::F32 => value,
            Self::F16 => half::f16::from_f32(value).to_f32(),
            Self::Bf16 => half::bf16::from_f32(value).to_f32(),
        }
    }
}

/// What products with a weight are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arithmetic {
    /// f32 products and sums: what f32 and f16 weights ask for, and the only arithmetic of devices
    /// without kernels of our own.
    F32,
    /// Products of numbers rounded to bf16 (or of int8 blocks, for a few rows), sums in f32: what
    /// bf16 and block weights ask for on the CPU.
    Bf16,
}

/// A weight matrix `[out, in]`, as published: never transposed, and widened only where the device
/// cannot hold its format.
#[derive(Debug, Clone)]
pub struct Weight {
    pub(crate) storage: Storage,
    published: FloatFormat,
}

/// Where the numbers are.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "a tensor's own size grows with the backends compiled in; weights are few, and each is \
              large whatever holds it"
)]
pub(crate) enum Storage {
    /// A tensor of the device's backend.
    Float(Tensor<2>),
    /// Main memory or a mapped file, for the CPU's devices.
    Blocks(Arc<Blocks>),
    /// Burn's quantised tensors, for devices without kernels of our own.
    Quantized(Quantized),
}

/// Block-quantised rows in main memory or a mapped file.
pub(crate) struct Blocks {
    format: Format,
    rows: usize,
    cols: usize,
    bytes: MappedBytes,
    device: Device,
}

impl Blocks {
    pub(crate) fn matrix(&self) -> Matrix<'_> {
        Matrix::new(self.format, self.rows, self.cols, &self.bytes)
    }

    /// These rows as f32, one after the other.
    fn widened(&self, rows: impl ExactSizeIterator<Item = usize>) -> Tensor<2> {
        let matrix = self.matrix();
        let count = rows.len();
        let mut values = vec![0.0; count * self.cols];
        for (row, out) in rows.zip(values.chunks_exact_mut(self.cols)) {
            dequantize(self.format, matrix.row(row), out);
        }
        let data = TensorData::new(values, [count, self.cols]);
        Tensor::from_data(data, (self.device.as_burn(), DType::F32))
    }
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.matrix().fmt(f)
    }
}

impl Weight {
    /// Wraps a float tensor `[out, in]` whose published format is `published`; the tensor itself
    /// may be wider.
    #[must_use]
    pub fn new(tensor: Tensor<2>, published: FloatFormat) -> Self {
        Self {
            storage: Storage::Float(tensor),
            published,
        }
    }

    /// Wraps rows of blocks, `[out, in]`. The CPU's devices read them where they lie; others hold
    /// `Q8_0` and `Q4_0` as burn's quantised tensors of the same numbers, with a scale of four bytes
    /// in place of two, and are given the numbers of other blocks as f32.
    ///
    /// `published` is the format that the model was trained and published in, as far as it is
    /// known: see [`Weight::published`].
    ///
    /// # Panics
    /// When `bytes` has not the length that format and shape ask for, or `format` is no block
    /// format.
    #[must_use]
    pub fn from_blocks(
        format: Format,
        [rows, cols]: [usize; 2],
        bytes: MappedBytes,
        published: FloatFormat,
        device: &Device,
    ) -> Self {
        assert!(format.is_blocks(), "{format} has no blocks");
        let blocks = Blocks {
            format,
            rows,
            cols,
            bytes,
            device: device.clone(),
        };
        let storage = match device.backend() {
            Backend::Cpu | Backend::NdArray => Storage::Blocks(Arc::new(blocks)),
            _ => match Quantized::new(blocks.matrix(), device) {
                Some(quantized) => Storage::Quantized(quantized),
                None => Storage::Float(blocks.widened(0..rows)),
            },
        };
        Self { storage, published }
    }

    /// `[out, in]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        match &self.storage {
            Storage::Float(tensor) => tensor.dims(),
            Storage::Blocks(blocks) => [blocks.rows, blocks.cols],
            Storage::Quantized(quantized) => quantized.dims(),
        }
    }

    /// The float format that the model was published in, whatever the device or the file holds.
    #[must_use]
    pub fn published(&self) -> FloatFormat {
        self.published
    }

    /// What products with this weight are computed in, and so what [`crate::ops::rounded`] is asked
    /// for. Only the device `cpu` has bf16 products, and a weight that autodiff follows has none there.
    #[must_use]
    pub fn arithmetic(&self) -> Arithmetic {
        let rounds = match &self.storage {
            #[cfg(feature = "cpu")]
            Storage::Float(tensor) => {
                tensor.dtype() == DType::BF16 && crate::extension::is_plain(tensor)
            }
            #[cfg(not(feature = "cpu"))]
            Storage::Float(_) => false,
            Storage::Blocks(blocks) => blocks.device.backend() == Backend::Cpu,
            Storage::Quantized(_) => false,
        };
        if rounds {
            Arithmetic::Bf16
        } else {
            Arithmetic::F32
        }
    }

    /// Whether the numbers are held in bf16, so that widening them adds nothing but zeros.
    pub(crate) fn is_bf16(&self) -> bool {
        matches!(&self.storage, Storage::Float(tensor) if tensor.dtype() == DType::BF16)
    }

    /// Bytes of the numbers as they are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::Float(tensor) => {
                tensor.dims().iter().product::<usize>() * tensor.dtype().size()
            }
            Storage::Blocks(blocks) => blocks.bytes.len(),
            Storage::Quantized(quantized) => quantized.bytes(),
        }
    }

    /// All rows as f32, `[out, in]`.
    pub(crate) fn numbers(&self) -> Tensor<2> {
        concat(self.pieces(usize::MAX).collect(), 0)
    }

    /// All rows in order, as the right-hand sides of products: [`Weight::pieces`], or with `packed`
    /// still in the blocks that a device holds.
    pub(crate) fn factors(
        &self,
        packed: bool,
        most: usize,
    ) -> Box<dyn Iterator<Item = Tensor<2>> + '_> {
        match &self.storage {
            Storage::Quantized(quantized) if packed => Box::new(quantized.packed()),
            _ => self.pieces(most),
        }
    }

    /// All rows as f32, in order, in pieces `[n, in]` of at most `most` rows; what a device holds in
    /// pieces comes in those. Each is widened when it is asked for, so that no more than one is in
    /// memory.
    pub(crate) fn pieces(&self, most: usize) -> Box<dyn Iterator<Item = Tensor<2>> + '_> {
        let [rows, _] = self.dims();
        let ranges = (0..rows)
            .step_by(most)
            .map(move |start| start..rows.min(start.saturating_add(most)));
        match &self.storage {
            Storage::Float(tensor) if rows <= most => {
                Box::new(std::iter::once(widen(tensor.clone())))
            }
            Storage::Float(tensor) => {
                Box::new(ranges.map(|range| widen(tensor.clone().slice(range))))
            }
            Storage::Blocks(blocks) => Box::new(ranges.map(|range| blocks.widened(range))),
            Storage::Quantized(quantized) => Box::new(quantized.pieces()),
        }
    }

    /// The rows with these indices as f32, `[indices.len(), in]`.
    ///
    /// # Panics
    /// When there is no such row.
    pub(crate) fn gather(&self, indices: &[u32], device: &Device) -> Tensor<2> {
        if indices.is_empty() {
            // Not every backend takes, or joins, no rows.
            return Tensor::zeros([0, self.dims()[1]], (device.as_burn(), DType::F32));
        }
        let indices: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
        match &self.storage {
            Storage::Float(tensor) => {
                widen(tensor.clone().select(0, row_indices(&indices, device)))
            }
            Storage::Blocks(blocks) => blocks.widened(indices.into_iter()),
            Storage::Quantized(quantized) => quantized.gather(&indices, device),
        }
    }
}

/// Indices of rows, for burn.
pub(crate) fn row_indices(rows: &[usize], device: &Device) -> Tensor<1, Int> {
    let signed = rows
        .iter()
        .map(|&row| i32::try_from(row).expect("an embedding table has fewer than 2³¹ rows"));
    let data = TensorData::new(signed.collect::<Vec<i32>>(), [rows.len()]);
    Tensor::from_data(data, (device.as_burn(), DType::I32))
}

/// Arithmetic is f32 where nothing else is asked for: half-precision sums lose what the reference
/// keeps.
pub(crate) fn widen<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if tensor.dtype() == DType::F32 {
        tensor
    } else {
        tensor.cast(DType::F32)
    }
}
