//! From the bytes of a tensor to a burn tensor: shared with the memory map where the device can
//! hold the published format, else widened to f32, which represents every half exactly.

use burn::tensor::{AllocationProperty, Bytes, DType, Tensor, TensorData};

use super::map::MappedBytes;
use crate::device::{Backend, Device};
use crate::weight::FloatFormat;

/// Burn's name for `format` and the bytes of one number.
fn layout(format: FloatFormat) -> (DType, usize) {
    match format {
        FloatFormat::F32 => (DType::F32, 4),
        FloatFormat::F16 => (DType::F16, 2),
        FloatFormat::Bf16 => (DType::BF16, 2),
    }
}

/// Whether weights in `format` stay as they are on `device`.
///
/// Half precision is kept only on the CPU, whose operations widen before they multiply: devices
/// that offer it as arithmetic would overflow in it (trap T1).
fn kept(format: FloatFormat, device: &Device) -> bool {
    match format {
        FloatFormat::F32 => true,
        FloatFormat::F16 => device.backend() == Backend::Cpu,
        FloatFormat::Bf16 => device.as_burn().supports_dtype(DType::BF16),
    }
}

/// The tensor in its published format, without a copy on the CPU; widened where `device` cannot
/// hold that format.
///
/// `bytes` must hold exactly the numbers of `shape`: the loader has checked it.
pub(super) fn stored<const D: usize>(
    bytes: MappedBytes,
    format: FloatFormat,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    if !kept(format, device) {
        return widened(&bytes, format, shape, device);
    }
    let (dtype, size) = layout(format);
    let bytes = if bytes.is_aligned_to(size) && cfg!(target_endian = "little") {
        Bytes::from_shared(bytes.into_shared(), AllocationProperty::File)
    } else {
        match format {
            FloatFormat::F32 => Bytes::from_elems(numbers(&bytes, f32::from_le_bytes)),
            FloatFormat::F16 => Bytes::from_elems(numbers(&bytes, half::f16::from_le_bytes)),
            FloatFormat::Bf16 => Bytes::from_elems(numbers(&bytes, half::bf16::from_le_bytes)),
        }
    };
    let data = TensorData::from_bytes(bytes, shape, dtype);
    Tensor::from_data(data, (device.as_burn(), dtype))
}

/// The tensor as f32.
pub(super) fn widened<const D: usize>(
    bytes: &[u8],
    format: FloatFormat,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    let values = match format {
        FloatFormat::F32 => numbers(bytes, f32::from_le_bytes),
        FloatFormat::F16 => numbers(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        FloatFormat::Bf16 => numbers(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
    };
    Tensor::from_data(
        TensorData::new(values, shape),
        (device.as_burn(), DType::F32),
    )
}

/// Little-endian numbers of `N` bytes each, wherever they lie.
fn numbers<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| read(chunk)).collect()
}
