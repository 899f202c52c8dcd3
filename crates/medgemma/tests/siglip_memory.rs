//! The plan of a dual encoder against the peak that Linux measured: nothing that fits by the plan may take more, and
//! the plan may not ask for much more than is taken. A process of its own, since a peak is a process's.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "support/peak.rs"]
mod peak;
mod support;

use medgemma::{Backend, Error, MedSigLip, MemoryPlan, Pixels, SiglipOptions, SiglipWorkload};
use medgemma_tensor::FloatFormat;
use medgemma_testkit::{Scratch, checkpoint};
use peak::{forget, grow, peak};
use support::cpu;

/// What each length of the tiny checkpoint becomes: widths of SigLIP base and its 14 × 14 patches of 16 pixels.
const SCALED: [(usize, usize); 9] = [
    (24, 768),
    (40, 3072),
    (101, 32_000),
    (9, 64),
    (30, 768),
    (90, 3 * 768),
    (44, 3072),
    (6, 16),
    (16, 14 * 14),
];

/// `siglip` with those lengths: as few layers, 65 million weights.
fn grown() -> Scratch {
    let folder = Scratch::of("siglip").edit_json("config.json", |config| {
        for tower in ["text_config", "vision_config"] {
            for (key, value) in [
                ("hidden_size", 768),
                ("intermediate_size", 3072),
                ("num_attention_heads", 12),
            ] {
                config[tower][key] = value.into();
            }
        }
        for (key, value) in [
            ("vocab_size", 32_000),
            ("max_position_embeddings", 64),
            ("projection_size", 768),
        ] {
            config["text_config"][key] = value.into();
        }
        config["vision_config"]["image_size"] = 224.into();
        config["vision_config"]["patch_size"] = 16.into();
    });
    let folder = folder.edit_json("preprocessor_config.json", |config| {
        config["size"] = 224.into();
    });
    grow(&folder, false, |_, side| {
        let found = SCALED.iter().find(|(from, _)| *from == side);
        found.map_or(side, |(_, to)| *to)
    });
    folder
}

#[test]
fn the_peak_is_what_the_plan_says() {
    let folder = grown();
    forget();
    let before = peak();
    let model = MedSigLip::load(folder.path(), &cpu()).unwrap();
    let grey = Pixels {
        data: vec![0.5; 3 * 224 * 224],
        shape: [3, 224, 224],
    };
    for _ in 0..2 {
        model.embed_pixels(&grey).unwrap();
    }
    // Words from all over the vocabulary: a mapped table takes memory as far as it is read.
    let word = |i: u32| i * 25 / 2;
    let texts: Vec<Vec<u32>> = (0..40)
        .map(|text| (text * 64..text * 64 + 64).map(word).collect())
        .collect();
    model.embed_token_ids(&texts).unwrap();
    let taken = peak() - before;

    let workload = SiglipWorkload::new(1, 40);
    let plan = MemoryPlan::siglip(model.config(), FloatFormat::F32, Backend::Cpu, workload);
    assert!(taken <= plan.total(), "{taken} taken of {plan}");
    // Much of what the process takes was there before.
    let model_alone = plan.total() - plan.process;
    assert!(10 * taken > 9 * model_alone, "{taken} taken of {plan}");
}

#[test]
fn a_model_beyond_the_memory_allowed_is_refused_with_the_figures() {
    let load = |limit, workload| {
        let options = SiglipOptions::default()
            .with_workload(workload)
            .with_memory_limit(limit);
        MedSigLip::load_with(checkpoint("siglip"), &cpu(), options)
    };
    let error = load(1_000_000, SiglipWorkload::new(1, 3)).unwrap_err();
    let Error::NotEnoughMemory {
        plan, available, ..
    } = &error
    else {
        panic!("another error: {error}");
    };
    assert_eq!(*available, 1_000_000);
    let message = error.to_string();
    let megabytes = plan.total().div_ceil(1_000_000);
    for part in [
        &format!("{megabytes} MB"),
        "1 MB",
        "workload",
        "memory_limit",
    ] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    load(plan.total(), SiglipWorkload::new(1, 3)).unwrap();
    load(plan.total() - 1, SiglipWorkload::new(1, 3)).unwrap_err();
    load(plan.total(), SiglipWorkload::new(1, 1000)).unwrap_err();
    // The weights are those of the files, half as many bytes in bf16.
    let options = SiglipOptions::default().with_memory_limit(0);
    let error = MedSigLip::load_with(checkpoint("siglip-bf16"), &cpu(), options).unwrap_err();
    let Error::NotEnoughMemory { plan: half, .. } = error else {
        panic!("another error: {error}");
    };
    assert_eq!(2 * half.weights, plan.weights);
}
