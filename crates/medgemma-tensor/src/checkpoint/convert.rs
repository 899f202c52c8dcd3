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
/// f16 is kept only on the CPU, whose operations widen before they multiply: devices that offer it as
/// arithmetic would overflow in it (trap T1 in docs/parity.md). bf16, with f32's range, is kept where there is such a
/// format, and widened when it is multiplied.
fn kept(format: FloatFormat, device: &Device) -> bool {
    match format {
        FloatFormat::F32 => true,
        FloatFormat::F16 => device.backend() == Backend::Cpu,
        FloatFormat::Bf16 => device.as_burn().supports_dtype(DType::BF16),
    }
}

/// Bytes of one number of a weight in `format`, as `device` holds it.
pub(super) fn number_bytes(format: FloatFormat, device: &Device) -> u64 {
    let held = if kept(format, device) {
        format
    } else {
        FloatFormat::F32
    };
    layout(held).1 as u64
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

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use burn::tensor::{DType, Tensor, bf16, f16};

    use super::{stored, widened};
    use crate::checkpoint::MappedBytes;
    use crate::device::Device;
    use crate::weight::FloatFormat;

    /// 1, −2.5, 65504 (the largest half) and 2⁻²⁴ (the smallest), as halves.
    const HALVES: [f32; 4] = [1.0, -2.5, 65504.0, 5.960_464_5e-8];

    fn cpu() -> Device {
        Device::cpu().expect("the feature cpu is on")
    }

    fn mapped(values: &[f32], format: FloatFormat) -> MappedBytes {
        let bytes: Vec<u8> = match format {
            FloatFormat::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            FloatFormat::F16 => values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
            FloatFormat::Bf16 => values
                .iter()
                .flat_map(|&v| bf16::from_f32(v).to_le_bytes())
                .collect(),
        };
        MappedBytes::from_owner(bytes)
    }

    #[test]
    fn every_format_stays_and_shares_its_memory_on_the_cpu() {
        let formats = [FloatFormat::F32, FloatFormat::F16, FloatFormat::Bf16];
        for (format, dtype) in formats
            .into_iter()
            .zip([DType::F32, DType::F16, DType::BF16])
        {
            let bytes = mapped(&HALVES, format);
            let address = bytes.as_ptr();
            let tensor: Tensor<2> = stored(bytes, format, [2, 2], &cpu());
            assert_eq!(tensor.dtype(), dtype);
            assert_eq!(
                tensor.into_data().bytes().as_ptr(),
                address,
                "{format:?} was copied"
            );
        }
    }

    #[test]
    fn misaligned_numbers_are_copied_not_misread() {
        for format in [FloatFormat::F32, FloatFormat::F16, FloatFormat::Bf16] {
            let aligned = mapped(&HALVES, format);
            let shifted: Vec<u8> = std::iter::once(0).chain(aligned.iter().copied()).collect();
            let shifted = MappedBytes::from_owner(shifted);
            let tensor: Tensor<1> = stored(shifted.slice(1..shifted.len()), format, [4], &cpu());
            let expected: Tensor<1> = stored(aligned, format, [4], &cpu());
            assert_eq!(tensor.dtype(), expected.dtype());
            let values = |t: Tensor<1>| t.cast(DType::F32).into_data().try_to_vec::<f32>().ok();
            assert_eq!(values(tensor), values(expected), "{format:?}");
        }
    }

    #[test]
    fn widening_is_exact() {
        for format in [FloatFormat::F32, FloatFormat::F16, FloatFormat::Bf16] {
            let wide: Tensor<1> = widened(&mapped(&HALVES, format), format, [4], &cpu());
            assert_eq!(wide.dtype(), DType::F32);
            let rounded = HALVES.map(|v| format.round(f64::from(v)));
            assert_eq!(
                wide.into_data().try_to_vec::<f32>().ok(),
                Some(rounded.to_vec())
            );
        }
    }
}
