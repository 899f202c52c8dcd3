//! Gradients: a tensor that autodiff follows takes the portable bodies, so every operation can be
//! trained through, whatever the kernels do for plain tensors.
//!
//! Each gradient is held to central differences of the same operation on plain tensors, which on
//! the CPU is the kernel: a wrong fallback and a kernel that computes something else both show.

use burn::tensor::{DType, Tensor, TensorData};
use medgemma_tensor::ops::{self, AttentionMask, Rotation};
use medgemma_tensor::{Backend, Device, FloatFormat, Format, KvRows, tensor_from, vec_from};

use crate::blocks::drawn;
use crate::support::{Numbers, devices, weight};

/// Differences of f32 sums over a step of 2⁻⁷: 2⁻²⁴ · 2⁷ of the sum, and the third derivative.
const TOLERANCE: f32 = 5e-3;

const STEP: f32 = 1.0 / 128.0;

/// Checks d(c · f(x))/dx for a fixed random c.
fn check<const D: usize, const E: usize>(
    what: &str,
    shape: [usize; D],
    f: impl Fn(Tensor<D>) -> Tensor<E>,
) {
    let device = Device::cpu().expect("the feature cpu is on");
    check_on(&device, what, shape, f);
}

fn check_on<const D: usize, const E: usize>(
    device: &Device,
    what: &str,
    shape: [usize; D],
    f: impl Fn(Tensor<D>) -> Tensor<E>,
) {
    let mut numbers = Numbers::seeded(5);
    let x = numbers.floats(shape.iter().product());
    let plain =
        |x: &[f32]| vec_from(f(tensor_from(x.to_vec(), shape, device)), "y").expect("readable");
    let c = numbers.floats(plain(&x).len());
    let weighed = |x: &[f32]| -> f32 { plain(x).iter().zip(&c).map(|(y, c)| y * c).sum() };

    let followed = device.as_burn().clone().autodiff();
    let data = TensorData::new(x.clone(), shape);
    let input = Tensor::<D>::from_data(data, (&followed, DType::F32)).require_grad();
    let output = f(input.clone());
    let factors = TensorData::new(c.clone(), output.dims());
    let loss = (output * Tensor::from_data(factors, (&followed, DType::F32))).sum();
    let gradient = input.grad(&loss.backward()).expect("the input is followed");
    let gradient = vec_from(gradient, "gradient").expect("readable");

    let largest = gradient.iter().fold(0.0f32, |most, g| most.max(g.abs()));
    assert!(largest > 0.0, "{what}: no gradient");
    for index in (0..x.len()).step_by(1 + x.len() / 23) {
        let at = |step: f32| {
            let mut moved = x.clone();
            moved[index] += step;
            weighed(&moved)
        };
        let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        let error = (gradient[index] - expected).abs() / largest.max(1.0);
        assert!(
            error <= TOLERANCE,
            "{what}: gradient {index} is {}, expected {expected}",
            gradient[index]
        );
    }
}

fn vector(seed: u64, length: usize) -> Tensor<1> {
    let device = Device::cpu().expect("the feature cpu is on");
    tensor_from(Numbers::seeded(seed).floats(length), [length], &device)
}

#[test]
fn products_and_norms_pass_gradients() {
    let device = Device::cpu().expect("the feature cpu is on");
    let values = Numbers::seeded(1).floats(7 * 33);
    let (w, _) = weight(&values, [7, 33], FloatFormat::F32, &device);
    let bias = vector(2, 7);
    check("linear", [5, 33], |x| ops::linear(x, &w, Some(&bias)));
    check("logits", [2, 33], |x| ops::logits(x, &w));
    check("project", [5, 7], |x| ops::project(x, &w));
    check("pool_patches", [25, 3], |x| ops::pool_patches(x, 5, 2));
    let (gain, shift) = (vector(3, 33), vector(4, 33));
    check("rms_norm", [3, 33], |x: Tensor<2>| {
        ops::rms_norm(x, &gain, 1e-6)
    });
    check("layer_norm", [3, 33], |x| {
        ops::layer_norm(x, &gain, &shift, 1e-6)
    });
    check("add_rms_norm", [3, 33], |x| {
        ops::add_rms_norm(x.clone(), x, &gain, 1e-6)
    });
    check("add_rms_norms", [3, 33], |x| {
        let norms = [(&gain, 1e-6), (&shift, 1e-5)];
        let (sum, normed) = ops::add_rms_norms(x.clone(), x, norms);
        Tensor::cat(vec![sum, normed], 1)
    });
    check("add_layer_norm", [3, 33], |x| {
        let (sum, normed) = ops::add_layer_norm(x.clone(), x, &gain, &shift, 1e-6);
        Tensor::cat(vec![sum, normed], 1)
    });
    check("add", [3, 33], |x: Tensor<2>| ops::add(x.clone(), x));
}

#[test]
fn products_with_blocks_pass_gradients_on_every_device() {
    for device in devices() {
        if device.backend() == Backend::Cpu {
            // Its kernels round activations, so differences of a small step are rounding.
            continue;
        }
        for format in [Format::Q8_0, Format::Q4_0, Format::Q6K] {
            let (w, _) = drawn(format, [7, 256], &device);
            let what = format!("{format} on {device}");
            for t in [1, 5] {
                check_on(&device, &what, [t, 256], |x| ops::linear(x, &w, None));
            }
        }
    }
}

#[test]
fn activations_and_attention_pass_gradients() {
    let device = Device::cpu().expect("the feature cpu is on");
    check("gelu_tanh", [3, 17], |x: Tensor<2>| ops::gelu_tanh(x));
    check("geglu", [3, 17], |x| ops::geglu(x.clone(), x));
    let gain = vector(6, 8);
    let rotation = Rotation::new(&[3, 4, 9], &[1.0, 0.5, 0.25, 0.1], &device);
    check("qk_norm_rope", [3, 2, 8], |x| {
        ops::qk_norm_rope(x, &gain, 1e-6, &rotation)
    });
    let visible = [0..3, 1..4, 0..5];
    let mask = AttentionMask::new(&visible, 5, &device);
    let keys = tensor_from(Numbers::seeded(7).floats(2 * 5 * 8), [2, 5, 8], &device);
    let keys = KvRows::from(keys);
    check("attention to queries", [3, 4, 8], |q| {
        ops::attention(q, keys.clone(), keys.clone(), 0.5, mask.as_ref())
    });
    let q = tensor_from(Numbers::seeded(8).floats(3 * 4 * 8), [3, 4, 8], &device);
    check("attention to keys and values", [2, 5, 8], |keys| {
        let keys = KvRows::from(keys);
        ops::attention(q.clone(), keys.clone(), keys, 0.5, mask.as_ref())
    });
}
