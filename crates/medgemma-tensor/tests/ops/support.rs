//! Backends, numbers, weights in every published format, and the comparison.

use half::{bf16, f16};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{
    Arithmetic, Backend, Device, Error, FloatFormat, Tensor, Weight, tensor_from, vec_from,
};
use safetensors::tensor::{Dtype, TensorView};

pub(crate) const FORMATS: [FloatFormat; 3] =
    [FloatFormat::F32, FloatFormat::F16, FloatFormat::Bf16];

/// Every device to test; see the test kit.
pub(crate) fn devices() -> Vec<Device> {
    medgemma_testkit::devices(|error| matches!(error, Error::BackendNotCompiled { .. }))
}

/// A seeded stream of numbers (`SplitMix64`, Steele et al. 2014): the same on every machine.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `count` numbers in [-1, 1), exact in f32.
    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        let unit = |bits: u64| (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..count).map(|_| unit(self.next())).collect()
    }

    /// A length in 1..=`most`.
    pub(crate) fn length(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).expect("below a usize") + 1
    }
}

/// A weight as a model gets it, through a safetensors file and the loader, so that it has the very
/// storage that `device` keeps for `format`; and its numbers after rounding to `format`.
pub(crate) fn weight(
    values: &[f32],
    shape: [usize; 2],
    format: FloatFormat,
    device: &Device,
) -> (Weight, Vec<f32>) {
    let (dtype, bytes): (_, Vec<u8>) = match format {
        FloatFormat::F16 => (
            Dtype::F16,
            each(values, |x| f16::from_f32(x).to_le_bytes().to_vec()),
        ),
        FloatFormat::Bf16 => (
            Dtype::BF16,
            each(values, |x| bf16::from_f32(x).to_le_bytes().to_vec()),
        ),
        _ => (Dtype::F32, each(values, |x| x.to_le_bytes().to_vec())),
    };
    let view = TensorView::new(dtype, shape.to_vec(), &bytes).expect("values fill the shape");
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let path = directory.path().join("model.safetensors");
    safetensors::serialize_to_file([("w", view)], None, &path).expect("the file can be written");

    let files = SafetensorsDir::open(directory.path()).expect("the checkpoint is sound");
    let mut loader = Loader::new(&files, &[], device).expect("one tensor has one name");
    let loaded = loader
        .scope("")
        .weight("w", shape)
        .expect("the weight is there");
    let rounded = values.iter().map(|&x| format.round(f64::from(x))).collect();
    (loaded, rounded)
}

fn each(values: &[f32], bytes: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    values.iter().flat_map(|&x| bytes(x)).collect()
}

pub(crate) fn tensor<const D: usize>(
    values: &[f32],
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    tensor_from(values.to_vec(), shape, device)
}

/// Asserts the shape, and that no element is off by more than `tolerance` times the largest
/// magnitude expected.
#[track_caller]
pub(crate) fn assert_close<const D: usize>(
    what: &str,
    found: Tensor<D>,
    shape: [usize; D],
    expected: &[f64],
    tolerance: f64,
) {
    assert_eq!(found.dims(), shape, "{what}: shape");
    let found = vec_from(found, "the result").unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(
        found.len(),
        expected.len(),
        "{what}: the reference has another size"
    );
    let largest = expected.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    assert!(
        largest > 0.0 && largest.is_finite(),
        "{what}: a reference of {largest} proves nothing"
    );
    for (index, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(f) - e).abs() / largest;
        // Written so that NaN fails.
        assert!(
            error <= tolerance,
            "{what}: element {index} of {shape:?} is {f}, expected {e}: off by {error:.2e} of the largest magnitude, allowed {tolerance:.0e}"
        );
    }
}

/// Activations as a product with `weight` sees them: the CPU's kernels round them to bf16 for bf16
/// weights, so that a tight tolerance can hold the rest.
pub(crate) fn seen(x: &[f32], weight: &Weight, device: &Device) -> Vec<f32> {
    if device.backend() == Backend::Cpu && weight.arithmetic() == Arithmetic::Bf16 {
        x.iter().map(|&x| bf16::from_f32(x).to_f32()).collect()
    } else {
        x.to_vec()
    }
}

/// `x · wᵀ` for `x` `[rows, inner]` and `w` `[out, inner]`.
pub(crate) fn product(x: &[f32], w: &[f32], inner: usize) -> Vec<f64> {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    x.chunks_exact(inner)
        .flat_map(|row| w.chunks_exact(inner).map(move |column| dot(row, column)))
        .collect()
}
