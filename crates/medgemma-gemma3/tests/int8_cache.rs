//! A decoder that caches in int8 against the same decoder with an exact cache: reading in passes,
//! past the window, taking back, token by token and in a batch.

mod support;

use medgemma_gemma3::{Decoder, KvCache, Segment};
use medgemma_tensor::{Arithmetic, Backend, Device, KvPrecision, Tensor, vec_from};
use medgemma_testkit::{checkpoint, narrow_window};
use support::{decoder, devices};

/// Root mean square of the differences over that of the logits. Up to half a step of 1/127 in every
/// number, and in the kernels bf16 queries, come to 0.013 to 0.035 after six and eight layers of
/// random weights; a wrong scale makes several times as much (docs/parity.md).
const TOLERANCE: f64 = 4.5e-2;

/// The same where weights and activations are bf16: 0.042.
const BF16_TOLERANCE: f64 = 6e-2;

/// The least difference that shows that something was rounded.
const LEAST: f64 = 2e-3;

/// Between the same passes in int8 over slots that lie elsewhere: none was seen, but sums in another
/// order may push a number over the middle between two steps.
const NOISE: f64 = 1e-3;

/// On the CPU: `mm-2025`, the same with a window of three tokens, and `text-27b-like`.
fn decoders(device: &Device) -> [(&'static str, Decoder); 3] {
    [
        ("mm-2025", decoder(&checkpoint("mm-2025"), device)),
        ("mm-narrow", decoder(narrow_window().path(), device)),
        (
            "text-27b-like",
            decoder(&checkpoint("text-27b-like"), device),
        ),
    ]
}

fn int8(decoder: &Decoder) -> Decoder {
    decoder.clone().with_kv_precision(KvPrecision::Int8)
}

/// `count` ids that do not repeat themselves soon.
fn ids(count: u32) -> Vec<u32> {
    (0..count)
        .map(|at| 2 + (at * at * 31 + at * 7) % 401)
        .collect()
}

/// All cases, or on devices that hold the rounded numbers as f32, and may be software, the first.
fn some<'a>(device: &Device, cases: &'a [usize]) -> &'a [usize] {
    match device.backend() {
        Backend::Cpu => cases,
        _ => &cases[..1],
    }
}

fn numbers(logits: Tensor<2>) -> Vec<f32> {
    vec_from(logits, "logits").expect("the device answers")
}

/// Logits of `ids` read in passes of at most `chunk` rows.
fn read(decoder: &Decoder, cache: &mut KvCache, ids: &[u32], chunk: usize) -> Vec<f32> {
    let prompt = [Segment::Tokens(ids.to_vec())];
    let logits = decoder.logits_of_all(&prompt, cache, chunk);
    numbers(logits.expect("the ids are valid"))
}

fn off(found: &[f32], exact: &[f32]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let square = |x: f64| x * x;
    let errors = found.iter().zip(exact);
    let error: f64 = errors
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let size: f64 = exact.iter().map(|x| square(f64::from(*x))).sum();
    (error / size).sqrt()
}

#[track_caller]
fn assert_near(what: &str, found: &[f32], exact: &[f32]) {
    let off = off(found, exact);
    assert!(off < TOLERANCE, "{what}: off by {off:.5}");
    assert!(
        off > LEAST,
        "{what}: off by {off:.1e}: the option does nothing"
    );
}

#[test]
fn logits_are_near_those_of_an_exact_cache() {
    for device in devices() {
        for (name, decoder) in decoders(&device) {
            let quantised = int8(&decoder);
            let ids = ids(110);
            let exact = read(&decoder, &mut decoder.new_cache(), &ids, 110);
            // One pass, passes shorter and longer than the slots that a local layer has, one by one.
            for &chunk in some(&device, &[7, 110, 60, 1]) {
                let found = read(&quantised, &mut quantised.new_cache(), &ids, chunk);
                assert_near(&format!("{name} on {device}, {chunk} rows"), &found, &exact);
            }
        }
    }
}

#[test]
fn rows_taken_back_leave_their_scales_behind_them() {
    for device in devices() {
        for (name, decoder) in decoders(&device) {
            let quantised = int8(&decoder);
            let ids = ids(90);
            let exact = read(&decoder, &mut decoder.new_cache(), &ids, 90);
            let rows = exact.len() / ids.len();
            // Around the first move of the strip and after others, each time over wrong guesses.
            for &start in some(&device, &[38, 30, 37, 39, 40, 60]) {
                let mut cache = quantised.new_cache();
                read(&quantised, &mut cache, &ids[..start], 5);
                for guesses in [16, 3] {
                    read(&quantised, &mut cache, &[9; 16][..guesses], 16);
                    assert!(cache.truncate(start), "{guesses} at {start}");
                }
                let found = read(&quantised, &mut cache, &ids[start..], 1);
                let mut straight = quantised.new_cache();
                read(&quantised, &mut straight, &ids[..start], 5);
                let expected = read(&quantised, &mut straight, &ids[start..], 1);
                // The same passes without the guesses between them.
                let apart = off(&found, &expected);
                assert!(
                    apart < NOISE,
                    "{name} on {device}, back to {start}: {apart:.1e}"
                );
                let what = format!("{name} on {device}, back to {start}");
                assert_near(&what, &found, &exact[start * rows..]);
            }
        }
    }
}

#[test]
fn lanes_of_a_batch_are_read_as_alone() {
    for device in devices() {
        for (name, decoder) in decoders(&device) {
            let quantised = int8(&decoder);
            let ids = ids(50);
            let lengths = [45, 3, 20];
            let mut caches = lengths.map(|length| {
                let mut cache = quantised.new_cache();
                read(&quantised, &mut cache, &ids[..length], 64);
                cache
            });
            let mut batch = Vec::new();
            for step in 0..5 {
                let next = lengths.map(|length| ids[length + step]);
                let [a, b, c] = &mut caches;
                let logits = quantised.decode(&next, &mut [a, b, c]);
                batch.extend(numbers(logits.expect("the ids are valid")));
            }
            let mut exact = vec![Vec::new(); 5];
            for length in lengths {
                let logits = read(&decoder, &mut decoder.new_cache(), &ids[..length + 5], 64);
                let width = logits.len() / (length + 5);
                for (step, row) in logits[length * width..].chunks(width).enumerate() {
                    exact[step].extend_from_slice(row);
                }
            }
            assert_near(
                &format!("{name} on {device}, batch"),
                &batch,
                &exact.concat(),
            );
        }
    }
}

/// Lanes of one batch whose caches were made before and after the precision changed, in either order.
#[test]
fn lanes_of_two_formats_are_each_held_in_their_own() {
    for device in devices() {
        let variants = match device.backend() {
            Backend::Cpu => &["mm-bf16", "mm-2025"][..],
            _ => &["mm-bf16"],
        };
        let text = ids(40);
        for variant in variants {
            let exact = decoder(&checkpoint(variant), &device);
            let quantised = int8(&exact);
            let prefilled = |decoder: &Decoder, length: usize| {
                let mut cache = decoder.new_cache();
                read(decoder, &mut cache, &text[..length], 64);
                cache
            };
            let step = |caches: &mut [&mut KvCache], lengths: &[usize], at: usize| {
                let next: Vec<u32> = lengths.iter().map(|length| text[length + at]).collect();
                numbers(quantised.decode(&next, caches).expect("the ids are valid"))
            };
            for [first, second] in [[&exact, &quantised], [&quantised, &exact]] {
                let lengths = [30, 12];
                let mut together = [prefilled(first, 30), prefilled(second, 12)];
                let mut alone = together.clone();
                for at in 0..4 {
                    let [a, b] = &mut together;
                    let found = step(&mut [a, b], &lengths, at);
                    let [a, b] = &mut alone;
                    let mut expected = step(&mut [a], &lengths[..1], at);
                    expected.extend(step(&mut [b], &lengths[1..], at));
                    let apart = off(&found, &expected);
                    assert!(apart < NOISE, "{device}, step {at}: {apart:.1e}");
                }
                for (together, alone) in together.iter().zip(&alone) {
                    assert_eq!(together.bytes(), alone.bytes(), "{device}");
                }
            }
        }
    }
}

#[test]
fn bytes_are_counted_and_planned_with_scales() {
    let device = Device::cpu().expect("the feature cpu is on");
    for (name, exact) in decoders(&device) {
        let config = exact.config();
        let exact_layers = vec![Arithmetic::F32; config.num_hidden_layers];
        let quantised = int8(&exact);
        assert_eq!(exact.kv_precision(), KvPrecision::AsWeights);
        assert_eq!(quantised.kv_precision(), KvPrecision::Int8);
        let mut bytes = [&exact, &quantised].map(|decoder| {
            let mut cache = decoder.new_cache();
            assert_eq!(cache.bytes(), 0);
            for id in ids(200) {
                decoder
                    .decode(&[id], &mut [&mut cache])
                    .expect("a valid id");
            }
            let precision = decoder.kv_precision();
            let planned = KvCache::planned_bytes(config, cache.len(), &exact_layers, precision);
            let held = cache.bytes() as u64;
            assert!(held <= planned, "{name}, {precision}: {held} of {planned}");
            assert!(
                held * 2 > planned,
                "{name}, {precision}: {held} of {planned}"
            );
            held
        });
        // h numbers of 4 bytes, and of one byte with a scale of 4.
        let h = config.head_dim as u64;
        bytes[0] /= 4 * h;
        bytes[1] /= h + 4;
        assert_eq!(bytes[0], bytes[1], "{name}");
    }
}

#[test]
fn bf16_weights_cache_in_int8_all_the_same() {
    for device in devices() {
        let decoder = decoder(&checkpoint("mm-bf16"), &device);
        let quantised = int8(&decoder);
        let ids = ids(80);
        let mut caches = [&decoder, &quantised].map(Decoder::new_cache);
        let [exact, found] = [&decoder, &quantised];
        let [one, other] = &mut caches;
        let exact = read(exact, one, &ids, 9);
        let found = read(found, other, &ids, 9);
        let off = off(&found, &exact);
        assert!(off < BF16_TOLERANCE, "off by {off:.5}");
        if device.backend() == Backend::Cpu {
            let h = decoder.config().head_dim;
            assert_eq!(other.bytes() * 2 * h, one.bytes() * (h + 4));
        }
    }
}
