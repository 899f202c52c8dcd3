//! Products of f32 that keep the bits of f32 on every device.
//!
//! burn-cuda 0.22.1 rounds the factors of f32 products to TF32, 11 bits, where tensor cores are the
//! fastest, and has no switch for it. There the factors are split into parts that TF32 holds, and the
//! products of the parts summed, as Markidis et al. 2018 (arXiv:1803.04014) do with f16. Gradients are
//! burn's, whose own products are not split.

use burn::tensor::{DType, Tensor};

/// `a · b`.
///
/// # Shapes
/// - `a`: `[…, m, k]`, f32; `b`: `[…, k, n]`, f32, or on devices other than CUDA's whatever burn
///   multiplies f32 with
/// - `b_is_bf16`: that the numbers of `b` are bf16's, whatever they are held in
/// - result: `[…, m, n]`, f32
pub(crate) fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>, b_is_bf16: bool) -> Tensor<D> {
    if rounds_to_tf32(&a) {
        return by_parts(a, b, b_is_bf16, Tensor::matmul);
    }
    a.matmul(b)
}

/// Whether the device of `x` rounds the factors of products to TF32; one of autodiff does as the one
/// that it is around.
#[cfg(feature = "cuda")]
pub(super) fn rounds_to_tf32<const D: usize>(x: &Tensor<D>) -> bool {
    use burn::backend::{CubeDevice, DispatchDevice};

    let device = x.device().without_autodiff();
    matches!(
        device.as_dispatch(),
        DispatchDevice::Cube(CubeDevice::Cuda(_))
    )
}

#[cfg(not(feature = "cuda"))]
pub(super) fn rounds_to_tf32<const D: usize>(_: &Tensor<D>) -> bool {
    false
}

/// Columns of the longest product. Tensor cores round sums towards zero (Ootomo and Yokota 2022,
/// arXiv:2203.03341, section 3), which adds up over long ones; what pieces add up to is rounded to nearest.
const LONGEST: usize = 2048;

/// `a · b` by a `product` that rounds its factors to TF32: the products of all parts that are not
/// below the last bit of f32. An infinite factor makes NaN. Takes several times the memory of its
/// factors and of its result.
fn by_parts<const D: usize>(
    a: Tensor<D>,
    b: Tensor<D>,
    b_is_bf16: bool,
    product: impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let k = a.dims()[D - 1];
    if k <= LONGEST {
        return piece_by_parts(a, b, b_is_bf16, &product);
    }
    let pieces = (0..k).step_by(LONGEST).map(|start| {
        let columns = LONGEST.min(k - start);
        let (a, b) = (a.clone(), b.clone());
        piece_by_parts(
            a.narrow(D - 1, start, columns),
            b.narrow(D - 2, start, columns),
            b_is_bf16,
            &product,
        )
    });
    pieces
        .reduce(|sum, piece| sum + piece)
        .expect("there are pieces")
}

/// [`by_parts`], of few enough columns for one sum.
fn piece_by_parts<const D: usize>(
    a: Tensor<D>,
    b: Tensor<D>,
    b_is_bf16: bool,
    product: &impl Fn(Tensor<D>, Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let m = a.dims()[D - 2];
    // All parts of `a` in one product, so that `b` is read once for them.
    let a = Tensor::cat(split(a).into(), D - 2);
    let b = if b_is_bf16 { vec![b] } else { split(b).into() };
    let products = b.into_iter().enumerate().flat_map(|(index, b)| {
        let parts = PARTS - index;
        let products = product(a.clone().narrow(D - 2, 0, parts * m), b);
        (0..parts).map(move |part| products.clone().narrow(D - 2, part * m, m))
    });
    products
        .reduce(|sum, product| sum + product)
        .expect("there are parts")
}

/// Parts of 8 bits, bf16's, that f32's 24 come apart into.
const PARTS: usize = 3;

/// The parts of `x`, the largest first, which are bf16 and so TF32: they add up to it exactly.
fn split<const D: usize>(x: Tensor<D>) -> [Tensor<D>; PARTS] {
    let round = |x: Tensor<D>| x.cast(DType::BF16).cast(DType::F32);
    let first = round(x.clone());
    let rest = x - first.clone();
    let second = round(rest.clone());
    [first, second.clone(), rest - second]
}

#[cfg(all(test, feature = "cpu"))]
mod tests {
    use burn::tensor::Tensor;

    use super::by_parts;
    use crate::{Device, tensor_from, vec_from};

    /// To nearest, ties away from zero, as `cvt.rna.tf32.f32` does.
    fn tf32(x: f32) -> f32 {
        f32::from_bits((x.to_bits() + (1 << 12)) & !((1 << 13) - 1))
    }

    /// A product that rounds its factors to TF32.
    fn rounding<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
        let device = Device::cpu().expect("compiled in");
        let round = |x: Tensor<D>| {
            let shape = x.dims();
            let numbers = vec_from(x, "x").expect("readable");
            tensor_from(numbers.into_iter().map(tf32).collect(), shape, &device)
        };
        round(a).matmul(round(b))
    }

    /// Numbers with all their bits, of several magnitudes.
    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let number = |i: u32| {
            let bits = (i + seed).wrapping_mul(2_654_435_761) >> 8;
            (bits as f32 / 8_388_608.0 - 1.0) * [1.0, 8.0, 0.25][i as usize % 3]
        };
        (0u32..).take(count).map(number).collect()
    }

    /// The largest error of a product, of its largest number; in f64, row by row.
    fn error(a: &[f32], b: &[f32], [m, k, n]: [usize; 3], found: &[f32]) -> f64 {
        let mut largest = [0.0f64; 2];
        for (i, &found) in found.iter().enumerate() {
            let (matrix, row, column) = (i / (m * n), i / n % m, i % n);
            let exact: f64 = (0..k)
                .map(|j| {
                    let a = a[(matrix * m + row) * k + j];
                    f64::from(a) * f64::from(b[(matrix * k + j) * n + column])
                })
                .sum();
            largest[0] = largest[0].max((f64::from(found) - exact).abs());
            largest[1] = largest[1].max(exact.abs());
        }
        largest[0] / largest[1]
    }

    #[test]
    fn products_of_rounded_parts_keep_what_rounding_loses() {
        let device = Device::cpu().expect("compiled in");
        // The second is summed in three pieces.
        for k in [67, 4500] {
            let dims @ [m, k, n] = [5, k, 9];
            let a = numbers(2 * m * k, 1);
            for b_is_bf16 in [false, true] {
                let mut b = numbers(2 * k * n, 4711);
                if b_is_bf16 {
                    b.iter_mut()
                        .for_each(|x| *x = half::bf16::from_f32(*x).to_f32());
                }
                let told = |product: &dyn Fn(Tensor<3>, Tensor<3>) -> Tensor<3>| {
                    let left = tensor_from(a.clone(), [2, m, k], &device);
                    let right = tensor_from(b.clone(), [2, k, n], &device);
                    let y = product(left, right);
                    assert_eq!(y.dims(), [2, m, n]);
                    error(&a, &b, dims, &vec_from(y, "y").expect("readable"))
                };
                let rounded = told(&rounding);
                assert!(rounded > 3e-5, "the product does round: {rounded:e}");
                let parts = told(&|a, b| by_parts(a, b, b_is_bf16, rounding));
                assert!(parts < 3e-7, "{parts:e}, {k}, {b_is_bf16}");
            }
        }
    }
}
