//! Keys and values that a choice within a long conversation holds, against the peak that Linux measured: those of
//! the conversation once more, however many answers there are. A process of its own, since a peak is a process's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/peak.rs"]
mod peak;
mod support;

use medgemma::{KvPrecision, LoadOptions, MedGemma, MemoryPlan, ModelConfig, Precision, Workload};
use medgemma_tensor::FloatFormat;
use medgemma_testkit::Scratch;
use peak::{forget, grow, peak};
use support::{ask, cpu, up_to};

/// What lengths of the tiny decoder become: narrow, with 16 heads of 256, keys and values of as many. All of its
/// eight layers are global, so that a token takes 131 KB in bf16.
const DECODER: [(usize, usize); 5] = [(24, 64), (40, 64), (16, 4096), (32, 4096), (8, 256)];

fn grown() -> Scratch {
    let folder = Scratch::of("mm-2025").edit_json("config.json", |config| {
        let text = &mut config["text_config"];
        for (key, value) in [
            ("hidden_size", 64),
            ("intermediate_size", 64),
            ("head_dim", 256),
            ("num_attention_heads", 16),
            ("num_key_value_heads", 16),
            ("sliding_window_pattern", 1),
            ("max_position_embeddings", 8192),
        ] {
            text[key] = value.into();
        }
        config["torch_dtype"] = "bfloat16".into();
    });
    grow(&folder, true, |key, side| {
        let decoder = key.starts_with("language_model") || key.contains("mm_input_projection");
        let found = DECODER.iter().find(|(from, _)| decoder && *from == side);
        found.map_or(side, |(_, to)| *to)
    });
    folder
}

#[test]
fn answers_are_read_into_one_copy_of_the_conversation() {
    let folder = grown();
    let options = LoadOptions::default().with_workload(Workload::new(2048, 0));
    let model = MedGemma::load_with(folder.path(), &cpu(), options).unwrap();
    let mut chat = model.chat();
    let question = ask(&"is it normal? ".repeat(130));
    chat.send_with(question, &up_to(2)).unwrap();
    let read = chat.context_len();
    assert!((800..1600).contains(&read), "{read} tokens");
    forget();
    let before = peak();
    let answers = ["yes", "no", "it may be", "nobody knows"];
    let choice = chat.choose(&ask("and here?"), &answers).unwrap();
    assert_eq!(choice.answers.len(), answers.len());
    let taken = peak() - before;

    let config = ModelConfig::read(folder.path()).unwrap();
    let (bf16, kv) = (FloatFormat::Bf16, KvPrecision::AsWeights);
    let plan = MemoryPlan::new(&config, bf16, Precision::AsIs, kv, Workload::new(read, 0));
    assert!(plan.kv_cache > 100_000_000, "{plan}");
    assert!(10 * taken > 6 * plan.kv_cache, "{taken} taken of {plan}");
    assert!(10 * taken < 13 * plan.kv_cache, "{taken} taken of {plan}");
}
