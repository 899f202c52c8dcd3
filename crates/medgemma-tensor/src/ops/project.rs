//! The product with a weight that is published `[in, out]`.

use burn::tensor::Tensor;

use super::matmul::matmul;
#[cfg(feature = "cpu")]
use crate::extension;
use crate::weight::Weight;

/// `x · W`: no transpose. Gemma 3 publishes its multimodal projection this way round, unlike every
/// other matrix of the model; see [`linear`](super::linear) for those. Products and sums are f32
/// on every device, whatever the weight's [`arithmetic`](Weight::arithmetic): there are too few of them for
/// rounded activations to be worth it.
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
    use super::project;
    use crate::{Device, FloatFormat, Weight, tensor_from, vec_from};

    #[test]
    fn the_weight_is_not_transposed() {
        let device = Device::cpu().expect("compiled in");
        let weight = tensor_from(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 3], &device);
        let weight = Weight::new(weight, FloatFormat::F32);
        let x = tensor_from(vec![10.0, 1.0], [1, 2], &device);
        let y = vec_from(project(x, &weight), "y").expect("readable");
        assert_eq!(y, [14.0, 25.0, 36.0]);
    }
}
