//! Gradients through the decoder, of embeddings that follow what was read without them: its keys and
//! values are rounded to the format of the cache, those that autodiff follows are not.
//!
//! Held to central differences of the same pass. What was read before does not depend on the input,
//! so that its rounding is in both.

#![cfg(feature = "autodiff")]

mod support;

use medgemma_gemma3::{Decoder, KvCache, Segment};
use medgemma_tensor::{Device, KvPrecision, Tensor, tensor_from, vec_from};
use medgemma_testkit::checkpoint;
use support::decoder;

/// Differences of f32 sums over this step, and the third derivative.
const TOLERANCE: f32 = 2e-2;
const STEP: f32 = 1.0 / 512.0;

fn drawn(len: usize, seed: usize) -> Vec<f32> {
    let small = |i: usize| u16::try_from((i * 37 + seed * 61 + i * i % 11) % 113).expect("small");
    (0..len).map(|i| f32::from(small(i)) / 56.0 - 1.0).collect()
}

/// The logits of tokens after `rows`, which follow what `cache` has read.
fn logits(decoder: &Decoder, cache: &KvCache, rows: Tensor<2>) -> Tensor<2> {
    let [m, _] = rows.dims();
    let prompt = [
        Segment::Embeddings(rows),
        Segment::Tokens(vec![7, 300, 9, 105]),
    ];
    // A pass of embeddings, and one of tokens alone, which see them in the cache.
    let logits = decoder.logits_of_all(&prompt, &mut cache.clone(), m);
    logits.expect("the prompt is valid").narrow(0, m, 4)
}

/// Their sum, each weighed.
fn loss(decoder: &Decoder, cache: &KvCache, rows: Tensor<2>) -> Tensor<1> {
    let logits = logits(decoder, cache, rows);
    let c = drawn(logits.dims().iter().product(), 3);
    (logits.clone() * tensor_from(c, logits.dims(), decoder.device())).sum()
}

fn check(decoder: &Decoder, read: usize, rows: usize) {
    let ids = (0..read).map(|at| u32::try_from(2 + at * 31 % 400).expect("small"));
    let mut cache = decoder.new_cache();
    let plain = [Segment::Tokens(ids.collect())];
    decoder
        .prefill(&plain, &mut cache, 64, &mut |_, _| true)
        .expect("the ids are valid");
    let followed = decoder.device().as_burn().clone().autodiff();
    let shape = [rows, decoder.config().hidden_size];
    let input = |x: &[f32]| Tensor::<1>::from_data(x, &followed).reshape(shape);
    let x = drawn(rows * shape[1], 1);
    let leaf = input(&x).require_grad();
    let gradients = loss(decoder, &cache, leaf.clone()).backward();
    let gradient = leaf.grad(&gradients).expect("the input is followed");
    let gradient = vec_from(gradient, "gradient").expect("readable");
    let largest = gradient.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
    assert!(largest > 0.0, "no gradient");
    for index in (0..x.len()).step_by(1 + x.len() / 11) {
        let at = |step: f32| {
            let mut moved = x.clone();
            moved[index] += step;
            vec_from(loss(decoder, &cache, input(&moved)), "loss").expect("readable")[0]
        };
        let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        let error = (gradient[index] - expected).abs() / largest;
        let found = gradient[index];
        assert!(
            error <= TOLERANCE,
            "{read} read, {rows} followed: gradient {index} is {found}, expected {expected}"
        );
    }
}

#[test]
fn rows_that_are_followed_meet_a_cache_that_was_read_plainly() {
    let device = Device::cpu().expect("the feature cpu is on");
    for variant in ["mm-2025", "mm-bf16"] {
        let decoder = decoder(&checkpoint(variant), &device);
        // Into free slots, where slots grow or move, and more at once than a local layer keeps.
        for (read, rows) in [(5, 4), (62, 6), (40, 60)] {
            check(&decoder, read, rows);
        }
    }
}

/// Of int8 only that it is read: what is rounded has no slope but its scale's.
#[test]
fn followed_rows_are_read_beside_rows_in_int8() {
    let device = Device::cpu().expect("the feature cpu is on");
    let decoder = decoder(&checkpoint("mm-bf16"), &device).with_kv_precision(KvPrecision::Int8);
    let mut cache = decoder.new_cache();
    let plain = [Segment::Tokens(vec![2, 3, 4, 5, 6])];
    decoder
        .prefill(&plain, &mut cache, 64, &mut |_, _| true)
        .expect("the ids are valid");
    let shape = [4, decoder.config().hidden_size];
    let x = drawn(4 * shape[1], 1);
    let followed = device.as_burn().clone().autodiff();
    let leaf = Tensor::<1>::from_data(x.as_slice(), &followed).reshape(shape);
    let found = logits(&decoder, &cache, leaf.require_grad());
    let expected = logits(&decoder, &cache, tensor_from(x, shape, &device));
    let [found, expected] = [found, expected].map(|y| vec_from(y, "logits").expect("readable"));
    let size = |x: &mut dyn Iterator<Item = f32>| x.map(|x| x * x).sum::<f32>().sqrt();
    let error = size(&mut found.iter().zip(&expected).map(|(a, b)| a - b));
    let off = error / size(&mut expected.iter().copied());
    assert!(off < 0.1, "off by {off}");
}
