//! The product with a weight that is published `[in, out]`.

use burn::tensor::Tensor;

use super::matmul::matmul;
#[cfg(feature = "cpu")]
use crate::extension;
use crate::weight::Weight;

/// `x · W`: no transpose. Gemma 3 publishes its multimodal projection this way round, unlike every
/// other matrix of the model; see [`linear`](super::linear) for those. Products and sums are f32
/// on every device, whatever the weight's [`arithmetic`](Weight::arithmetic): it is too few of them to
/// round activations for.
///
/// # Shapes
/// - `x`: `[t, in]`, f32
/// - `weight`: `[in, out]`
/// - result: `[t, out]`, f32
#[must_use]
pub fn project(x: Tensor<2>, weight: &Weight) -> Tensor<2> {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::project(&x, weight) {
        extension::recycle(x);
        return y;
    }
    matmul(x, weight.numbers(), weight.is_bf16())
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use burn::tensor::DType;
    use medgemma_kernels::{Format, Matrix, Quantizer, quantize};

    use super::project;
    use crate::checkpoint::MappedBytes;
    use crate::{Device, FloatFormat, Weight, cpu, tensor_from, vec_from};

    #[test]
    fn the_weight_is_not_transposed() {
        let device = Device::cpu().expect("compiled in");
        let weight = tensor_from(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], &device);
        let weight = Weight::new(weight, FloatFormat::F32);
        let x = tensor_from(vec![10.0, 1.0], [1, 2], &device);
        let y = vec_from(project(x, &weight), "y").expect("readable");
        assert_eq!(y, [14.0, 25.0, 36.0]);
    }

    /// Bit for bit: burn's own product adds up in another order.
    #[test]
    fn the_cpu_takes_the_kernel_whatever_the_weight_is_stored_in() {
        let device = Device::cpu().expect("compiled in");
        let [t, inner, out] = [3, 3000, 64];
        let numbers = |count: usize, seed: u32| -> Vec<f32> {
            let bits = |i: u32| (i + seed).wrapping_mul(2_654_435_761) >> 8;
            let number = |i| bits(i) as f32 / 8_388_608.0 - 1.0;
            (0u32..).take(count).map(number).collect()
        };
        let (x, w) = (numbers(t * inner, 1), numbers(inner * out, 4711));
        let float = |dtype| tensor_from(w.clone(), [inner, out], &device).cast(dtype);
        let cpu = cpu::current();
        let mut blocks = vec![0; Format::Q8_0.row_bytes(out) * inner];
        quantize(&cpu, Quantizer::Q8_0, out, &w, &mut blocks);
        let blocks = MappedBytes::from_owner(blocks);
        for weight in [
            Weight::new(float(DType::F32), FloatFormat::F32),
            Weight::new(float(DType::F16), FloatFormat::F16),
            Weight::new(float(DType::BF16), FloatFormat::Bf16),
            Weight::from_blocks(
                Format::Q8_0,
                [inner, out],
                blocks,
                FloatFormat::F32,
                &device,
            ),
        ] {
            let held = vec_from(weight.numbers(), "w").expect("readable");
            let held: Vec<u8> = held.into_iter().flat_map(f32::to_le_bytes).collect();
            let matrix = Matrix::new(Format::F32, inner, out, &held);
            let mut expected = vec![0.0; t * out];
            medgemma_kernels::project(&cpu, &x, matrix, &mut expected);
            let y = project(tensor_from(x.clone(), [t, inner], &device), &weight);
            assert_eq!(y.dims(), [t, out]);
            let y = vec_from(y, "y").expect("readable");
            assert!(y == expected, "{weight:?}");
        }
    }
}
