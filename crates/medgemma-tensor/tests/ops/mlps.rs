//! `linear_each`, `gated_mlp` and `mlp`, of few tokens and of more than 128, from which on the tile unit takes a
//! whole MLP.
//!
//! Tolerance 1e-5 of the largest magnitude, as for one product. What lies between the halves is rounded to bf16
//! where the CPU's kernels multiply bf16 weights with it: a number that f32 and f64 round to different sides is
//! off by 2⁻⁸, and so is 5e-3 of the largest result, of some thirty products.

use medgemma_tensor::{Arithmetic, Backend, Device, FloatFormat, Weight, ops};

use crate::pointwise::gelu_reference;
use crate::support::{FORMATS, Numbers, assert_close, devices, product, seen, tensor, weight};

const TOLERANCE: f64 = 1e-5;

/// Width, and width between the halves.
const SIZES: [usize; 2] = [21, 37];

const TOKENS: [usize; 2] = [5, 160];

fn tolerance(weight: &Weight, device: &Device) -> f64 {
    match (device.backend(), weight.arithmetic()) {
        (Backend::Cpu, Arithmetic::Bf16) => 5e-3,
        _ => TOLERANCE,
    }
}

/// The second half: `hidden` is rounded as `down` asks for.
fn folded(hidden: &[f64], down: &Weight, numbers: &[f32], device: &Device) -> Vec<f64> {
    let hidden: Vec<f32> = hidden.iter().map(|&x| x as f32).collect();
    product(&seen(&hidden, down, device), numbers, SIZES[1])
}

fn biased(sums: &[f64], bias: &[f32]) -> Vec<f64> {
    let rows = sums.chunks_exact(bias.len());
    rows.flat_map(|row| row.iter().zip(bias).map(|(y, &b)| y + f64::from(b)))
        .collect()
}

/// Every device and format, with few tokens and many.
fn cases() -> impl Iterator<Item = (Device, FloatFormat, usize)> {
    devices().into_iter().flat_map(|device| {
        FORMATS
            .into_iter()
            .flat_map(move |format| TOKENS.map(|t| (format, t)))
            .map(move |(format, t)| (device.clone(), format, t))
    })
}

#[test]
fn layers_of_one_input_are_products_with_their_own_weights() {
    let (inner, rows) = (SIZES[0], [11, 50, 3]);
    for (device, format, t) in cases() {
        let mut numbers = Numbers::seeded(30);
        let x = numbers.floats(t * inner);
        let layers = rows.map(|rows| {
            let (w, rounded) = weight(
                &numbers.floats(rows * inner),
                [rows, inner],
                format,
                &device,
            );
            (w, rounded, numbers.floats(rows))
        });
        let biases = layers
            .each_ref()
            .map(|(_, _, b)| tensor(b, [b.len()], &device));
        let with = [0, 1, 2].map(|at| (&layers[at].0, (at != 1).then_some(&biases[at])));
        let found = ops::linear_each(tensor(&x, [t, inner], &device), with);
        for (at, (found, (w, rounded, bias))) in found.into_iter().zip(&layers).enumerate() {
            let sums = product(&seen(&x, w, &device), rounded, inner);
            let expected = if at == 1 { sums } else { biased(&sums, bias) };
            let what = format!("layer {at} of {t} tokens, {format:?} on {device}");
            assert_close(&what, found, [t, bias.len()], &expected, TOLERANCE);
        }
    }
}

#[test]
fn a_gated_mlp_puts_the_gate_and_not_the_other_half_through_gelu() {
    let [d, hidden] = SIZES;
    for (device, format, t) in cases() {
        let mut numbers = Numbers::seeded(31);
        let x = numbers.floats(t * d);
        let mut drawn = |shape: [usize; 2]| {
            weight(&numbers.floats(shape[0] * shape[1]), shape, format, &device)
        };
        let [gate, up] = [(); 2].map(|()| drawn([hidden, d]));
        let down = drawn([d, hidden]);
        let sums = |(w, rounded): &(Weight, Vec<f32>)| product(&seen(&x, w, &device), rounded, d);
        let (gates, ups) = (sums(&gate), sums(&up));
        let between = gates
            .iter()
            .zip(ups)
            .map(|(&g, u)| gelu_reference(g as f32) * u);
        let between: Vec<f64> = between.collect();
        let expected = folded(&between, &down.0, &down.1, &device);
        let found = ops::gated_mlp(tensor(&x, [t, d], &device), &gate.0, &up.0, &down.0);
        let what = format!("gated MLP of {t} tokens, {format:?} on {device}");
        assert_close(&what, found, [t, d], &expected, tolerance(&down.0, &device));
    }
}

#[test]
fn an_mlp_has_a_bias_in_each_half() {
    let [d, hidden] = SIZES;
    for (device, format, t) in cases() {
        let mut numbers = Numbers::seeded(32);
        let x = numbers.floats(t * d);
        let (fc1, one) = weight(&numbers.floats(hidden * d), [hidden, d], format, &device);
        let (fc2, two) = weight(&numbers.floats(d * hidden), [d, hidden], format, &device);
        let biases = [hidden, d].map(|len| numbers.floats(len));
        let sums = biased(&product(&seen(&x, &fc1, &device), &one, d), &biases[0]);
        let between: Vec<f64> = sums.iter().map(|&x| gelu_reference(x as f32)).collect();
        let expected = biased(&folded(&between, &fc2, &two, &device), &biases[1]);
        let [bias1, bias2] = biases.map(|bias| tensor(&bias, [bias.len()], &device));
        let x = tensor(&x, [t, d], &device);
        let found = ops::mlp(x, (&fc1, &bias1), (&fc2, &bias2));
        let what = format!("MLP of {t} tokens, {format:?} on {device}");
        assert_close(&what, found, [t, d], &expected, tolerance(&fc2, &device));
    }
}
