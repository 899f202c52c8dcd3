//! Given continuations, scored one after the other in one cache: to the bit as each by itself.

mod support;

use medgemma_gemma3::{Decoder, KvCache, Segment};
use medgemma_tensor::{Backend, KvPrecision};
use medgemma_testkit::checkpoint;
use support::{decoder, devices};

fn ids(seed: u32, count: usize) -> Vec<u32> {
    let ids = (0..).map(|i| 2 + (seed * 31 + i * 17) % 400);
    ids.take(count).collect()
}

/// Bits of the scores of these continuations.
fn scores(
    decoder: &Decoder,
    cache: &KvCache,
    prompt: &[Segment],
    answers: &[Vec<u32>],
) -> Vec<Vec<u32>> {
    let scores = decoder.score_after(cache.clone(), prompt, answers);
    let bits = |scores: Vec<f32>| scores.into_iter().map(f32::to_bits).collect();
    scores
        .expect("finite weights")
        .into_iter()
        .map(bits)
        .collect()
}

#[test]
fn continuations_do_not_see_each_other_and_are_scored_to_the_bit_as_each_alone() {
    // A window of 6, beside which a local layer holds 32 rows.
    let lengths = [2, 33, 0, 1, 34, 10, 70, 6, 33];
    let answers: Vec<Vec<u32>> = (0..).zip(lengths).map(|(seed, n)| ids(seed, n)).collect();
    for device in devices() {
        // One of each on graphics cards, for which software may stand in, which takes minutes for all.
        let (reads, prompts): (&[usize], &[usize]) = match device.backend() {
            Backend::Wgpu | Backend::Cuda => (&[30], &[8]),
            _ => (&[0, 30, 75], &[1, 5, 8, 40]),
        };
        for precision in [KvPrecision::AsWeights, KvPrecision::Int8] {
            let decoder = decoder(&checkpoint("mm-2025"), &device).with_kv_precision(precision);
            for &read in reads {
                let mut cache = decoder.new_cache();
                if read > 0 {
                    let prompt = [Segment::Tokens(ids(99, read))];
                    let done = decoder.prefill(&prompt, &mut cache, 16, &mut |_, _| true);
                    done.expect("it is read");
                }
                let before = cache.len();
                for &length in prompts {
                    let prompt = [Segment::Tokens(ids(7, length))];
                    let together = scores(&decoder, &cache, &prompt, &answers);
                    for (answer, together) in answers.iter().zip(&together) {
                        let alone = scores(&decoder, &cache, &prompt, std::slice::from_ref(answer));
                        let what = format!("{} after {read} and {length}", answer.len());
                        assert_eq!(together.len(), answer.len(), "{what}");
                        assert_eq!(alone[0], *together, "{what}, {precision}, {device}");
                    }
                }
                assert_eq!(cache.len(), before, "the clone is another's");
            }
        }
    }
}

#[test]
fn without_continuations_there_is_no_score() {
    let device = &devices()[0];
    let decoder = decoder(&checkpoint("mm-2025"), device);
    let prompt = [Segment::Tokens(ids(7, 9))];
    let none = decoder.score(&prompt, &[]).expect("it is read");
    assert!(none.is_empty());
}
