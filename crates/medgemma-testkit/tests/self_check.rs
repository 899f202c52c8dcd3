//! The test material checks itself: files agree with each other, and goldens can tell rows apart.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use medgemma_testkit::{
    Array, Dialect, Fault, GEMMA, Golden, Scratch, Tensors, assert_close, checkpoint, closeness,
    dialect, golden_names, narrow_window, picture,
};
use serde_json::Value;

const TOLERANCE: f32 = 1e-4;

fn json(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Rows that lie closer together than the tolerance could be exchanged unseen.
#[test]
fn rows_of_every_golden_differ_by_far_more_than_the_tolerance() {
    for name in golden_names() {
        let golden = Golden::named(&name);
        for key in golden
            .names()
            .filter(|key| key.starts_with("hidden") || matches!(*key, "logits" | "final_norm"))
        {
            let array = golden.f32(key);
            let ids = golden.ids("input_ids");
            let scale = array.data.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
            let rows: Vec<_> = array.rows().collect();
            for (i, a) in rows.iter().enumerate() {
                for (j, b) in rows.iter().enumerate().skip(i + 1) {
                    let far = a
                        .iter()
                        .zip(*b)
                        .fold(0.0_f32, |max, (x, y)| max.max((x - y).abs()));
                    // runs of one id in a sliding window can come close in the first layers
                    assert!(
                        ids[i] == ids[j] || far > 50.0 * TOLERANCE * scale,
                        "{name} {key}: rows {i} and {j}"
                    );
                }
            }
        }
    }
}

/// Of all goldens, whatever they are of: numbers that are finite and not all zero.
#[test]
fn every_golden_has_content() {
    for name in golden_names() {
        let golden = Golden::named(&name);
        let mut seen = 0;
        for key in golden.names().filter(|key| !key.ends_with("_ids")) {
            let array = golden.f32(key);
            let what = format!("{name} {key}");
            assert_close(&what, &array.shape, &array.data, &array, 0.0);
            seen += 1;
        }
        assert!(seen > 0, "{name}");
    }
}

#[test]
fn goldens_of_prompts_are_consistent() {
    let prompts = golden_names()
        .into_iter()
        .filter(|name| GEMMA.iter().any(|v| name.starts_with(v)) || name.starts_with("mm-narrow"));
    let mut seen = 0;
    for name in prompts {
        let golden = Golden::named(&name);
        let ids = golden.ids("input_ids");
        assert_eq!(golden.f32("final_norm").shape[0], ids.len(), "{name}");
        seen += 1;
        // Of twelve images they would not fit into a file of the size that is allowed.
        if name == "mm-2025.twelve-images" {
            assert_eq!(golden.f32("pixel_values").shape[0], 12);
            continue;
        }
        let logits = golden.f32("logits");
        assert_eq!(logits.shape[0], ids.len(), "{name}");
        let last = logits.rows().last().unwrap();
        let best = (0..last.len())
            .max_by(|&a, &b| last[a].total_cmp(&last[b]))
            .unwrap();
        assert_eq!(golden.ids("generated_ids")[0] as usize, best, "{name}");
        let first = f64::from(golden.f32("generated_logprobs").data[0]);
        let total: f64 = last.iter().map(|&x| f64::from(x).exp()).sum();
        assert!(
            (f64::from(last[best]) - total.ln() - first).abs() < 1e-5,
            "{name}: log-probability"
        );
    }
    assert_eq!(seen, 16, "a golden is missing");
}

/// The goldens belong to these weights: the tied head, and the untied one, give the logits.
#[test]
fn logits_are_the_final_norm_times_the_head() {
    for (name, variant, key) in [
        (
            "mm-2025.two-images",
            "mm-2025",
            "language_model.model.embed_tokens.weight",
        ),
        (
            "mm-bf16.text",
            "mm-bf16",
            "language_model.model.embed_tokens.weight",
        ),
        ("text-27b-like.text", "text-27b-like", "lm_head.weight"),
    ] {
        let golden = Golden::named(name);
        let tensors = Tensors::read_dir(&checkpoint(variant));
        let head = tensors.get(key).unwrap();
        let (weights, logits) = (head.to_f32(), golden.f32("logits"));
        let norm = golden.f32("final_norm");
        let mut found = Vec::new();
        for row in norm.rows() {
            found.extend(
                weights
                    .chunks_exact(head.shape[1])
                    .map(|w| w.iter().zip(row).map(|(a, b)| a * b).sum::<f32>()),
            );
        }
        assert_close(
            name,
            &[logits.shape[0], head.shape[0]],
            &found,
            &logits,
            1e-5,
        );
    }
}

/// Average pooling of the 4 × 4 patch grid by 2 × 2, row by row.
#[test]
fn pooled_patches_are_the_means_of_two_by_two() {
    let golden = Golden::named("mm-2025.two-images");
    let (patches, pooled) = (golden.f32("vision.post_layernorm"), golden.f32("pooled"));
    let width = patches.shape[2];
    let mut found = Vec::new();
    for image in patches.data.chunks_exact(16 * width) {
        for (row, column) in [(0, 0), (0, 2), (2, 0), (2, 2)] {
            let at = |r: usize, c: usize, k: usize| image[((row + r) * 4 + column + c) * width + k];
            found.extend(
                (0..width).map(|k| (at(0, 0, k) + at(0, 1, k) + at(1, 0, k) + at(1, 1, k)) / 4.0),
            );
        }
    }
    assert_close("pooled", &[2, 4, width], &found, &pooled, 1e-6);
}

#[test]
fn images_are_told_apart_and_reach_the_text() {
    let two = Golden::named("mm-2025.two-images").f32("soft_tokens");
    let (a, b) = two.data.split_at(two.data.len() / 2);
    let first = Array {
        shape: vec![4, 24],
        data: a.to_vec(),
    };
    assert!(
        closeness(&[4, 24], b, &first, 0.1).is_err(),
        "both images give the same soft tokens"
    );
}

#[test]
fn dialects_rename_every_tensor_and_change_none() {
    let published = Tensors::read_dir(&checkpoint("mm-2025"));
    for kind in Dialect::ALL {
        let directory = dialect(kind);
        let rewritten = directory.tensors();
        let mut matched = 0;
        for key in published.keys() {
            let Some(new) = kind.key(key) else { continue };
            assert_eq!(rewritten.get(&new), published.get(key), "{kind:?}: {new}");
            matched += 1;
        }
        let extra = usize::from(kind == Dialect::Prefixed);
        assert_eq!(rewritten.keys().count(), matched + extra, "{kind:?}");
        assert_eq!(
            matched,
            if kind.is_multimodal() {
                published.keys().count()
            } else {
                106
            },
            "{kind:?}"
        );
        let config = json(&directory.file("config.json"));
        assert_eq!(
            config["text_config"].is_object(),
            kind.is_multimodal(),
            "{kind:?}"
        );
    }
}

/// `save_pretrained` of transformers 5.23 wrote this list.
#[test]
fn the_saved_dialect_has_the_references_own_keys() {
    let keys = checkpoint("mm-2025").join("../configs/mm-5x.keys.json");
    let expected: Vec<String> = serde_json::from_value(json(&keys)).unwrap();
    assert!(
        expected
            .iter()
            .any(|key| key == "vision_tower.post_layernorm.weight")
    );
    let directory = dialect(Dialect::Transformers5);
    assert_eq!(directory.tensors().keys().collect::<Vec<_>>(), expected);
}

#[test]
fn faults_change_the_directory_and_nothing_else() {
    let right = Scratch::of("mm-2025").tensors();
    for fault in Fault::ALL {
        let directory = fault.directory();
        let readable = std::panic::catch_unwind(|| directory.tensors());
        let names_tensor =
            fault.must_name().contains("weight") || fault.must_name().contains("layers");
        if names_tensor {
            let wrong = readable.unwrap();
            let differs: BTreeMap<_, _> = right
                .keys()
                .chain(wrong.keys())
                .filter(|k| right.get(k) != wrong.get(k))
                .map(|k| (k, ()))
                .collect();
            assert!(
                !differs.is_empty() && differs.keys().all(|k| k.contains(fault.must_name())),
                "{fault:?}: {differs:?}"
            );
        } else if let Ok(same) = readable {
            assert_eq!(
                same, right,
                "{fault:?} is in the index or the configuration only"
            );
        }
    }
}

#[test]
fn mutations_do_what_they_say() {
    let key = "language_model.model.layers.0.self_attn.k_proj.weight";
    let mut tensors = Tensors::read_dir(&checkpoint("mm-bf16"));
    let before = tensors.get(key).unwrap().clone();
    tensors.scale(key, 2.0);
    assert_eq!(
        tensors.get(key).unwrap().to_f32()[7],
        2.0 * before.to_f32()[7]
    );
    tensors.scale(key, 0.5);
    tensors.reverse_rows(key);
    let (old, new) = (before.to_f32(), tensors.get(key).unwrap().to_f32());
    assert_eq!(old[..24], new[15 * 24..]);
    tensors.reverse_rows(key);
    assert_eq!(tensors.get(key), Some(&before));
    tensors.exchange(key, "language_model.model.layers.0.self_attn.v_proj.weight");
    assert_ne!(tensors.get(key), Some(&before));
}

/// The parts of a dual encoder's golden belong together and to its weights: unit vectors, and logits
/// that are their scaled and shifted cosines.
#[test]
fn dual_logits_are_the_cosines_scaled_and_shifted() {
    let names = golden_names();
    let duals = names.iter().filter(|name| name.starts_with("siglip"));
    let mut seen = 0;
    for name in duals {
        let (variant, _) = name.split_once('.').unwrap();
        let golden = Golden::named(name);
        let tensors = Tensors::read_dir(&checkpoint(variant));
        let number = |key: &str| tensors.get(key).unwrap().to_f32()[0];
        let (scale, bias) = (number("logit_scale").exp(), number("logit_bias"));
        let (images, texts) = (golden.f32("image_embeds"), golden.f32("text_embeds"));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        for row in images.rows().chain(texts.rows()) {
            assert!(
                (dot(row, row) - 1.0).abs() < 1e-5,
                "{name}: not of unit length"
            );
        }
        let found: Vec<f32> = images
            .rows()
            .flat_map(|image| {
                texts
                    .rows()
                    .map(move |text| scale * dot(image, text) + bias)
            })
            .collect();
        let shape = [images.shape[0], texts.shape[0]];
        let logits = golden.f32("logits_per_image");
        assert_close(name, &shape, &found, &logits, 1e-5);
        seen += 1;
    }
    assert_eq!(seen, 5, "a golden is missing");
}

/// Every fault of the tables moves some prompt's logits by at least five tolerances.
#[test]
fn the_tables_of_teeth_show_every_fault() {
    let mut faults = 0;
    for name in ["mm-2025", "mm-narrow", "text-27b-like", "siglip"] {
        let table = json(&picture(&format!("teeth.{name}.json")));
        for (fault, prompts) in table["largest relative change of the logits"]
            .as_object()
            .unwrap()
        {
            let best = prompts
                .as_object()
                .unwrap()
                .values()
                .filter_map(Value::as_f64)
                .fold(0.0, f64::max);
            assert!(
                best >= 5.0 * f64::from(TOLERANCE),
                "{name}: {fault} moves the logits by {best:.1e}"
            );
            faults += 1;
        }
    }
    assert!(faults > 100, "only {faults} faults are listed");
}

#[test]
fn the_narrow_window_is_narrower_than_an_image() {
    let config = json(&narrow_window().file("config.json"));
    assert!(
        config["text_config"]["sliding_window"].as_u64() < config["mm_tokens_per_image"].as_u64()
    );
}
