//! The plan of a MedGemma model against the peak that Linux measured, of an image and a long prompt: nothing
//! that fits by the plan may take more, and the plan may not ask for much more than is taken. A process of
//! its own, since a peak is a process's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/peak.rs"]
mod peak;
mod support;

use medgemma::{
    KvPrecision, LoadOptions, MedGemma, MemoryPlan, Message, ModelConfig, Precision, Workload,
};
use medgemma_tensor::FloatFormat;
use medgemma_testkit::Scratch;
use peak::{forget, grow, peak};
use support::{cpu, image, up_to};

/// What lengths of the tiny decoder and tower become: a decoder of half the 270M's layers, and three layers
/// of MedGemma's tower with as many patches.
const DECODER: [(usize, usize); 5] = [(24, 640), (40, 2560), (16, 256), (32, 512), (8, 128)];
const TOWER: [(usize, usize); 4] = [(20, 1152), (36, 4304), (7, 14), (16, 4096)];

fn grown() -> Scratch {
    let folder = Scratch::of("mm-2025").edit_json("config.json", |config| {
        let text = &mut config["text_config"];
        for (key, value) in [
            ("hidden_size", 640),
            ("intermediate_size", 2560),
            ("head_dim", 128),
            ("query_pre_attn_scalar", 128),
            ("sliding_window", 512),
            ("max_position_embeddings", 8192),
        ] {
            text[key] = value.into();
        }
        let vision = &mut config["vision_config"];
        for (key, value) in [
            ("hidden_size", 1152),
            ("intermediate_size", 4304),
            ("num_attention_heads", 16),
            ("image_size", 896),
            ("patch_size", 14),
        ] {
            vision[key] = value.into();
        }
        config["torch_dtype"] = "bfloat16".into();
    });
    let folder = folder.edit_json("preprocessor_config.json", |config| {
        config["size"] = serde_json::json!({"height": 896, "width": 896});
    });
    grow(&folder, true, |key, side| {
        let lengths = match key {
            "multi_modal_projector.mm_input_projection_weight" if side == 24 => &DECODER[..],
            _ if key.starts_with("language_model") => &DECODER,
            _ => &TOWER,
        };
        let found = lengths.iter().find(|(from, _)| *from == side);
        found.map_or(side, |(_, to)| *to)
    });
    folder
}

#[test]
fn the_peak_is_what_the_plan_says() {
    let folder = grown();
    forget();
    let before = peak();
    let workload = Workload::new(4096, 1);
    let options = LoadOptions::default().with_workload(workload);
    let model = MedGemma::load_with(folder.path(), &cpu(), options).unwrap();
    let question = Message::user()
        .image(image("picture-a.png"))
        .text("is it normal? ".repeat(150));
    let reply = model.chat().send_with(question, &up_to(8)).unwrap();
    let read = reply.usage.prompt_tokens;
    assert!((1000..4000).contains(&read), "{read} tokens");
    let taken = peak() - before;

    let plan = MemoryPlan::new(
        &ModelConfig::read(folder.path()).unwrap(),
        FloatFormat::Bf16,
        Precision::AsIs,
        KvPrecision::AsWeights,
        workload,
    );
    // Much of what the process takes was there before.
    let model_alone = plan.total() - plan.process;
    assert!(taken <= model_alone, "{taken} taken of {plan}");
    assert!(10 * taken > 8 * model_alone, "{taken} taken of {plan}");
}
