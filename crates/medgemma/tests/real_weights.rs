//! Gemma 3 270M with its real weights, against transformers 5.23.
//!
//! The weights are under Gemma's terms and are never committed: `.ci/run` fetches and converts
//! them (`real_weights_convert.py`), and runs these tests with
//! `MEDGEMMA_REAL_WEIGHTS=DIR cargo test --release -p medgemma --test real_weights -- --ignored`.

use std::path::PathBuf;

use medgemma::{Device, FinishReason, GenerateOptions, MedGemma};
use medgemma_gemma3::{DEFAULT_CHUNK, Segment};
use medgemma_tensor::vec_from;
use serde_json::Value;

/// Of the largest logit: the reference's own noise between two ways of summing is 1.5e-6.
const TOLERANCE: f32 = 1e-4;

fn model() -> MedGemma {
    let dir = std::env::var_os("MEDGEMMA_REAL_WEIGHTS").map(PathBuf::from);
    let dir = dir.expect("MEDGEMMA_REAL_WEIGHTS names the converted directory");
    MedGemma::load(dir, &Device::cpu().expect("the feature cpu is on"))
        .expect("the real weights load")
}

fn goldens() -> Vec<Value> {
    let json: Value =
        serde_json::from_str(include_str!("real_weights_golden.json")).expect("the golden is JSON");
    let prompts = json["prompts"].as_object().expect("prompts by name");
    assert_eq!(
        prompts.len(),
        3,
        "two short prompts and one beyond the window"
    );
    prompts.values().cloned().collect()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).expect("a list of ids")
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the reference's values are f32 printed as decimals"
)]
fn number(value: &Value) -> f32 {
    value.as_f64().expect("a number") as f32
}

#[test]
#[ignore = "needs the fetched weights of Gemma 3 270M: see the header; .ci/run runs it"]
fn logits_equal_the_reference() {
    let model = model();
    for golden in goldens() {
        let prompt = model
            .tokenizer()
            .encode_prompt(golden["text"].as_str().expect("a text"))
            .expect("encodes");
        assert_eq!(prompt, ids(&golden["input_ids"]));
        let decoder = model.model().decoder();
        let logits = decoder
            .prefill(
                &[Segment::Tokens(prompt)],
                &mut decoder.new_cache(),
                DEFAULT_CHUNK,
                &mut |_, _| true,
            )
            .expect("a valid prompt")
            .expect("not cancelled");
        let logits = vec_from(logits, "logits").expect("the device answers");
        assert_eq!(logits.len(), decoder.config().vocab_size);
        let largest = number(&golden["largest_magnitude"]);
        let close = |found: f32, expected: f32, what: &str| {
            assert!(
                (found - expected).abs() <= TOLERANCE * largest,
                "{what}: {found}, expected {expected}"
            );
        };
        let points =
            [&golden["top5"], &golden["sampled"]].map(|list| list.as_array().expect("a list"));
        assert!(points.iter().all(|list| list.len() >= 5));
        for point in points.into_iter().flatten() {
            let id = usize::try_from(point[0].as_u64().expect("an id")).expect("ids are small");
            close(logits[id], number(&point[1]), &format!("logit {id}"));
        }
        let highest = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = logits.iter().map(|&x| f64::from(x - highest).exp()).sum();
        let log_sum_exp = f64::from(highest) + sum.ln();
        assert!(
            (log_sum_exp - f64::from(number(&golden["log_sum_exp"]))).abs() < 1e-3,
            "{log_sum_exp}"
        );
    }
}

#[test]
#[ignore = "needs the fetched weights of Gemma 3 270M: see the header; .ci/run runs it"]
fn greedy_continuations_equal_the_reference() {
    let model = model();
    for golden in goldens() {
        let expected = ids(&golden["generated_ids"]);
        let options = GenerateOptions::default()
            .with_max_new_tokens(expected.len())
            .with_ignore_stop_ids(true);
        let reply = model
            .complete(golden["text"].as_str().expect("a text"), &[], &options)
            .expect("a reply");
        assert_eq!(
            reply
                .tokens
                .iter()
                .map(|token| token.id)
                .collect::<Vec<_>>(),
            expected
        );
        assert_eq!(
            reply.text,
            golden["generated_text"].as_str().expect("a text")
        );
        assert_eq!(reply.finish, FinishReason::Length);
    }
}
