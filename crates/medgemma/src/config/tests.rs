//! Whole model directories: every published variant by its config alone, both dialects, and what
//! is refused. Defaults were compared with `Gemma3Config.from_dict` of transformers 5.23.0.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use medgemma_tensor::{Error, FloatFormat};
use serde_json::{Value, json};

use super::ModelConfig;

/// Reads `config` and perhaps `generation` from a directory of their own.
fn read(config: &Value, generation: Option<&Value>) -> Result<ModelConfig, Error> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    if let Some(generation) = generation {
        let path = dir.path().join("generation_config.json");
        fs::write(path, generation.to_string()).unwrap();
    }
    ModelConfig::read(dir.path())
}

fn refused(config: Value, key: &str) {
    let error = read(&config, None).expect_err(&config.to_string());
    assert!(
        matches!(&error, Error::Config { key: k, .. } if k == key),
        "{error}"
    );
    assert!(error.to_string().contains("config.json"), "{error}");
}

fn gemma_4b() -> Value {
    json!({
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
        "boi_token_index": 255_999, "eoi_token_index": 256_000, "image_token_index": 262_144,
        "eos_token_id": [1, 106], "initializer_range": 0.02, "mm_tokens_per_image": 256,
        "text_config": {
            "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
            "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024
        },
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
        "vision_config": {
            "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304,
            "model_type": "siglip_vision_model", "num_attention_heads": 16,
            "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false
        }
    })
}

fn gemma_27b() -> Value {
    let mut config = gemma_4b();
    config["text_config"] = json!({
        "head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504,
        "model_type": "gemma3_text", "num_attention_heads": 32, "num_hidden_layers": 62,
        "num_key_value_heads": 16, "query_pre_attn_scalar": 168,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024
    });
    config
}

/// A text model's config is the decoder's with the outer keys beside it.
fn text_only(mut text: Value) -> Value {
    text["architectures"] = json!(["Gemma3ForCausalLM"]);
    text["model_type"] = json!("gemma3_text");
    text["torch_dtype"] = json!("bfloat16");
    text["eos_token_id"] = json!([1, 106]);
    text
}

#[test]
fn every_published_variant_adds_up_by_its_config_alone() {
    let small = |hidden: u32, intermediate: u32, layers: u32| {
        text_only(json!({
            "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
            "num_attention_heads": 4, "num_key_value_heads": 1, "vocab_size": 262_144,
            "sliding_window": 512, "rope_scaling": null
        }))
    };
    let cases = [
        (gemma_4b(), 4_300_079_472, "google/medgemma-4b-it"),
        (gemma_27b(), 27_432_406_640, "google/medgemma-27b-it"),
        (
            text_only(gemma_27b()["text_config"].take()),
            27_009_346_304,
            "google/medgemma-27b-text-it",
        ),
        (small(1152, 6912, 26), 999_885_952, "google/gemma-3-1b-it"),
        (small(640, 2048, 18), 268_098_176, "google/gemma-3-270m"),
    ];
    for (json, parameters, name) in cases {
        let config = read(&json, None).unwrap();
        assert_eq!(config.parameters(), parameters, "{name}");
        assert!(config.preset().unwrap().names.contains(&name), "{name}");
        assert_eq!(config.generation.eos_token_ids, [1, 106], "{name}");
        assert_eq!(config.dtype, Some(FloatFormat::Bf16), "{name}");
        assert_eq!(config.unknown_keys, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn both_dialects_of_a_multimodal_config_say_the_same() {
    let old = gemma_4b();
    let mut new = gemma_4b();
    let layer_types: Vec<_> = (1..=34)
        .map(|i| {
            if i % 6 == 0 {
                "full_attention"
            } else {
                "sliding_attention"
            }
        })
        .collect();
    let text = &mut new["text_config"];
    text["rope_scaling"].take();
    text["rope_parameters"] = json!({
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}
    });
    text["layer_types"] = json!(layer_types);
    text["_sliding_window_pattern"] = json!(6);
    let outer = new.as_object_mut().unwrap();
    outer.remove("torch_dtype");
    outer.insert("dtype".into(), "bfloat16".into());
    outer.insert("tie_word_embeddings".into(), true.into());
    for (index, id) in [
        ("boi_token_index", "boi_token_id"),
        ("image_token_index", "image_token_id"),
    ] {
        let value = outer.remove(index).unwrap();
        outer.insert(id.into(), value);
    }
    assert_eq!(read(&old, None).unwrap(), read(&new, None).unwrap());
}

#[test]
fn a_bare_multimodal_config_has_the_class_defaults() {
    // 256 tokens do not fit the 14 patches per side of the default tower.
    refused(json!({"model_type": "gemma3"}), "mm_tokens_per_image");
    let config = read(
        &json!({"model_type": "gemma3", "mm_tokens_per_image": 49}),
        None,
    )
    .unwrap();
    let multimodal = config.multimodal.unwrap();
    assert_eq!(multimodal.vision.hidden_size, 768);
    assert_eq!(
        (
            multimodal.boi_token_id,
            multimodal.eoi_token_id,
            multimodal.image_token_id
        ),
        (255_999, 256_000, 262_144)
    );
    assert_eq!(config.generation.eos_token_ids, [1]);
    assert!(config.text.tie_word_embeddings);
    assert_eq!(config.dtype, None);
}

/// 64 patches in windows of 21 are three tokens, one patch is left over: the reference pools so.
#[test]
fn a_grid_need_not_be_a_multiple_of_the_tokens() {
    let mut config = gemma_4b();
    config["mm_tokens_per_image"] = json!(9);
    let multimodal = read(&config, None).unwrap().multimodal.unwrap();
    assert_eq!(multimodal.mm_tokens_per_image, 9);
}

#[test]
fn the_outer_tie_counts_and_the_inner_does_not() {
    let mut config = gemma_4b();
    config["text_config"]["tie_word_embeddings"] = json!(false);
    assert!(read(&config, None).unwrap().text.tie_word_embeddings);
    config["tie_word_embeddings"] = json!(false);
    config["text_config"]["tie_word_embeddings"] = json!(true);
    assert!(!read(&config, None).unwrap().text.tie_word_embeddings);
}

#[test]
fn generation_config_has_the_last_word_on_stop_ids() {
    let generation = json!({
        "bos_token_id": 2, "cache_implementation": "hybrid", "do_sample": true,
        "eos_token_id": [1, 106, 107], "pad_token_id": 0, "top_k": 64, "top_p": 0.95,
        "novelty": 1, "transformers_version": "4.50.0.dev0"
    });
    let config = read(&gemma_4b(), Some(&generation)).unwrap();
    let found = &config.generation;
    assert_eq!(found.eos_token_ids, [1, 106, 107]);
    assert!(found.do_sample);
    assert_eq!(
        (found.top_k, found.top_p, found.temperature),
        (Some(64), Some(0.95), None)
    );
    assert_eq!(config.unknown_keys, ["generation_config.json: novelty"]);
    let empty = read(&gemma_4b(), Some(&json!({"top_k": 0}))).unwrap();
    assert_eq!(empty.generation.eos_token_ids, [1, 106]);
    assert_eq!(empty.generation.top_k, None);
    let greedy = json!({"do_sample": false, "temperature": 0.0, "top_p": 0});
    let found = read(&gemma_4b(), Some(&greedy)).unwrap().generation;
    assert_eq!((found.temperature, found.top_p), (Some(0.0), Some(0.0)));
    for (key, value) in [
        ("top_k", json!(-1)),
        ("temperature", json!(-0.5)),
        ("top_p", json!("all")),
    ] {
        let wrong = read(&gemma_4b(), Some(&json!({ key: value }))).unwrap_err();
        let place = format!("generation_config.json: `{key}`");
        assert!(wrong.to_string().contains(&place), "{wrong}");
    }
}

#[test]
fn other_models_and_misfits_are_refused() {
    refused(json!({"model_type": "llama"}), "model_type");
    refused(json!({}), "model_type");
    let with = |key: &str, value: Value| {
        let mut config = gemma_4b();
        config[key] = value;
        config
    };
    refused(
        with("mm_tokens_per_image", json!(255)),
        "mm_tokens_per_image",
    );
    // 64 patches in windows of four are 16 tokens, not 15.
    refused(
        with("mm_tokens_per_image", json!(225)),
        "mm_tokens_per_image",
    );
    refused(
        with("mm_tokens_per_image", json!(null)),
        "mm_tokens_per_image",
    );
    refused(with("image_token_index", json!(null)), "image_token_index");
    refused(with("torch_dtype", json!("int4")), "torch_dtype");
    refused(
        with("quantization_config", json!({"bits": 4})),
        "quantization_config",
    );
    refused(
        with("text_config", json!({"model_type": "gemma2"})),
        "text_config.model_type",
    );
    refused(
        with("vision_config", json!({"model_type": "clip"})),
        "vision_config.model_type",
    );
    refused(with("text_config", json!([])), "text_config");
    refused(
        with("text_config", json!({"hidden_size": 0})),
        "text_config.hidden_size",
    );
}

#[test]
fn unreadable_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = ModelConfig::read(dir.path()).unwrap_err();
    assert!(
        matches!(&missing, Error::Io { path, .. } if path.ends_with("config.json")),
        "{missing}"
    );
    fs::write(dir.path().join("config.json"), "{").unwrap();
    let broken = ModelConfig::read(dir.path()).unwrap_err();
    assert!(
        matches!(&broken, Error::Malformed { path, .. } if path.ends_with("config.json")),
        "{broken}"
    );
}

#[test]
fn unknown_keys_are_told_with_their_place() {
    let mut config = gemma_4b();
    config["surprise"] = json!(1);
    config["text_config"]["surprise"] = json!(1);
    config["vision_config"]["surprise"] = json!(1);
    let unknown = read(&config, None).unwrap().unknown_keys;
    assert_eq!(
        unknown,
        ["text_config.surprise", "vision_config.surprise", "surprise"]
    );
}
