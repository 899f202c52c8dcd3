//! Every dialect and every refusal of the decoder's config. Expected values were obtained from
//! `Gemma3TextConfig.from_dict` and `Gemma3RotaryEmbedding` of transformers 5.23.0.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use medgemma_tensor::Error;
use serde_json::{Value, json};

use super::{LayerType, RopeParameters, TextConfig};

fn read(value: &Value) -> Result<TextConfig, Error> {
    TextConfig::from_json(Path::new("config.json"), "text_config.", value)
}

fn rope(value: &Value) -> [(f64, f64); 2] {
    let config = read(value).unwrap();
    [config.rope_full, config.rope_sliding].map(|RopeParameters { theta, factor }| (theta, factor))
}

fn full_layers(config: &TextConfig) -> Vec<usize> {
    let full = |(i, kind): (usize, &LayerType)| (*kind == LayerType::Full).then_some(i);
    config
        .layer_types
        .iter()
        .enumerate()
        .filter_map(full)
        .collect()
}

/// The message names the file and `key`, and tells what was found.
fn refused(value: Value, key: &str, found: &str) {
    let error = read(&value).expect_err(&value.to_string());
    let Error::Config {
        key: k, found: f, ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (k.as_str(), f.as_str()),
        (format!("text_config.{key}").as_str(), found),
        "{value}"
    );
    assert!(error.to_string().contains("config.json"), "{error}");
}

#[test]
fn an_empty_config_has_the_class_defaults() {
    let config = read(&json!({})).unwrap();
    assert_eq!(
        (
            config.vocab_size,
            config.hidden_size,
            config.intermediate_size
        ),
        (262_208, 2304, 9216)
    );
    assert_eq!(
        (
            config.num_hidden_layers,
            config.num_attention_heads,
            config.num_key_value_heads
        ),
        (26, 8, 4)
    );
    assert_eq!(
        (config.head_dim, config.query_pre_attn_scalar),
        (256, 256.0)
    );
    assert_eq!(
        (config.sliding_window, config.max_position_embeddings),
        (4096, 131_072)
    );
    assert_eq!(full_layers(&config), [5, 11, 17, 23]);
    assert_eq!(rope(&json!({})), [(1e6, 1.0), (1e4, 1.0)]);
    assert_eq!(config.rms_norm_eps, 1e-6);
    assert!(config.tie_word_embeddings);
    assert_eq!(
        (config.bos_token_id, config.pad_token_id),
        (Some(2), Some(0))
    );
    assert_eq!(config.eos_token_ids, [1]);
    assert!(config.unknown_keys.is_empty());
}

/// The published 4B file is this short.
#[test]
fn the_minimal_4b_config_is_filled_up() {
    let config = read(&json!({
        "hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
        "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024
    }))
    .unwrap();
    assert_eq!(config.parameters(), 3_880_263_168);
    assert_eq!(full_layers(&config), [5, 11, 17, 23, 29]);
    assert_eq!(
        config.rope_full,
        RopeParameters {
            theta: 1e6,
            factor: 8.0
        }
    );
    assert_eq!(
        config.rope_sliding,
        RopeParameters {
            theta: 1e4,
            factor: 1.0
        }
    );
    assert_eq!(config.sliding_window, 1024);
}

#[test]
fn the_27b_text_config_has_its_own_query_scale() {
    let config = read(&json!({
        "head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504,
        "num_attention_heads": 32, "num_hidden_layers": 62, "num_key_value_heads": 16,
        "query_pre_attn_scalar": 168, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024, "use_cache": true
    }))
    .unwrap();
    assert_eq!(config.parameters(), 27_009_346_304);
    assert_eq!(config.query_pre_attn_scalar, 168.0);
    assert_eq!(
        full_layers(&config),
        [5, 11, 17, 23, 29, 35, 41, 47, 53, 59]
    );
}

#[test]
fn an_untied_head_counts() {
    let tied = read(&json!({})).unwrap().parameters();
    let untied = read(&json!({"tie_word_embeddings": false})).unwrap();
    assert_eq!(untied.parameters() - tied, 262_208 * 2304);
}

#[test]
fn both_dialects_say_the_same() {
    let old = json!({
        "num_hidden_layers": 8, "rope_theta": 5e5, "rope_local_base_freq": 300,
        "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "sliding_window_pattern": 3,
        "torch_dtype": "bfloat16", "transformers_version": "4.50.0"
    });
    let (s, f) = ("sliding_attention", "full_attention");
    let new = json!({
        "num_hidden_layers": 8, "dtype": "bfloat16", "use_bidirectional_attention": false,
        "_sliding_window_pattern": 3, "layer_types": [s, s, f, s, s, f, s, s],
        "rope_parameters": {
            f: {"rope_type": "linear", "factor": 4.0, "rope_theta": 5e5},
            s: {"rope_type": "default", "rope_theta": 300.0}
        },
        "transformers_version": "5.23.0"
    });
    assert_eq!(read(&old).unwrap(), read(&new).unwrap());
    assert_eq!(rope(&old), [(5e5, 4.0), (300.0, 1.0)]);
}

#[test]
fn without_rope_scaling_nothing_is_scaled() {
    let (plain, null) = (
        json!({"rope_theta": 5e5}),
        json!({"rope_theta": 5e5, "rope_scaling": null}),
    );
    assert_eq!(rope(&plain), [(5e5, 1.0), (1e4, 1.0)]);
    assert_eq!(rope(&null), rope(&plain));
}

#[test]
fn missing_layer_types_of_rope_parameters_fall_back_to_the_old_keys() {
    let full = json!({"full_attention": {"rope_type": "linear", "factor": 4.0}});
    assert_eq!(
        rope(&json!({"rope_parameters": full})),
        [(1e6, 4.0), (1e4, 1.0)]
    );
    let both = json!({"rope_parameters": full, "rope_theta": 888, "rope_local_base_freq": 777});
    assert_eq!(rope(&both), [(888.0, 4.0), (777.0, 1.0)]);
    let sliding = json!({"full_attention": null, "sliding_attention": {"rope_theta": 2e4}});
    assert_eq!(
        rope(&json!({"rope_parameters": sliding})),
        [(1e6, 1.0), (2e4, 1.0)]
    );
    assert_eq!(
        rope(&json!({"rope_parameters": {}})),
        [(1e6, 1.0), (1e4, 1.0)]
    );
}

#[test]
fn the_values_under_a_layer_type_win_over_the_old_bases() {
    let new =
        json!({"full_attention": {"rope_theta": 3e5}, "sliding_attention": {"rope_theta": 2e4}});
    let config = json!({"rope_parameters": new, "rope_theta": 888, "rope_local_base_freq": 777});
    assert_eq!(rope(&config), [(3e5, 1.0), (2e4, 1.0)]);
}

#[test]
fn rope_scaling_overrides_the_full_layers_key_by_key() {
    let config = json!({
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        "rope_parameters": {"full_attention": {"rope_theta": 3e5}, "sliding_attention": {}}
    });
    assert_eq!(rope(&config), [(3e5, 8.0), (1e4, 1.0)]);
    let theta = json!({"rope_scaling": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5.0}});
    assert_eq!(rope(&theta), [(5.0, 8.0), (1e4, 1.0)]);
}

#[test]
fn sliding_layers_may_be_scaled_and_name_their_type_in_the_old_way() {
    let linear = json!({"sliding_attention": {"type": "linear", "factor": 2.0}});
    assert_eq!(
        rope(&json!({"rope_parameters": linear})),
        [(1e6, 1.0), (1e4, 2.0)]
    );
}

#[test]
fn what_the_reference_would_silently_drop_is_refused() {
    refused(
        json!({"rope_scaling": {"type": "linear", "factor": 8.0}}),
        "rope_scaling.type",
        "\"linear\"",
    );
    refused(
        json!({"rope_scaling": {"factor": 8.0}}),
        "rope_scaling.rope_type",
        "nothing",
    );
    for kind in ["full_attention", "sliding_attention"] {
        let nested = json!({ kind: {"factor": 8.0} });
        refused(
            json!({ "rope_scaling": nested }),
            &format!("rope_scaling.{kind}"),
            "{\"factor\":8.0}",
        );
    }
    let flat = json!({"rope_type": "linear", "factor": 4.0, "rope_theta": 3e5});
    refused(
        json!({"rope_parameters": flat}),
        "rope_parameters.rope_theta",
        "300000.0",
    );
    let flat = json!({"rope_type": "linear", "factor": 4.0});
    refused(
        json!({"rope_parameters": flat}),
        "rope_parameters.factor",
        "4.0",
    );
    refused(
        json!({"_sliding_window_pattern": 3}),
        "_sliding_window_pattern",
        "3",
    );
    let default = json!({"full_attention": {"rope_type": "default", "factor": 8.0}});
    refused(
        json!({"rope_parameters": default}),
        "rope_parameters.full_attention.rope_type",
        "\"default\"",
    );
}

#[test]
fn other_mathematics_is_refused() {
    refused(
        json!({"attn_logit_softcapping": 50.0}),
        "attn_logit_softcapping",
        "50.0",
    );
    refused(
        json!({"final_logit_softcapping": 30.0}),
        "final_logit_softcapping",
        "30.0",
    );
    refused(json!({"attention_bias": true}), "attention_bias", "true");
    refused(
        json!({"use_bidirectional_attention": true}),
        "use_bidirectional_attention",
        "true",
    );
    refused(
        json!({"hidden_activation": "silu"}),
        "hidden_activation",
        "\"silu\"",
    );
    refused(
        json!({"hidden_activation": "gelu"}),
        "hidden_activation",
        "\"gelu\"",
    );
    refused(json!({"hidden_act": "relu"}), "hidden_act", "\"relu\"");
    refused(
        json!({"rope_scaling": {"rope_type": "yarn", "factor": 8.0}}),
        "rope_scaling.rope_type",
        "\"yarn\"",
    );
    refused(
        json!({"rope_scaling": {"rope_type": "linear"}}),
        "rope_scaling.factor",
        "nothing",
    );
    let partial = json!({"full_attention": {"partial_rotary_factor": 0.5}});
    refused(
        json!({"rope_parameters": partial}),
        "rope_parameters.full_attention.partial_rotary_factor",
        "0.5",
    );
    refused(
        json!({"quantization_config": {}}),
        "quantization_config",
        "{}",
    );
}

#[test]
fn sizes_must_fit_together() {
    refused(json!({"head_dim": 31}), "head_dim", "31");
    refused(
        json!({"num_key_value_heads": 3}),
        "num_key_value_heads",
        "3",
    );
    refused(json!({"hidden_size": 0}), "hidden_size", "0");
    refused(json!({"hidden_size": -1}), "hidden_size", "-1");
    refused(json!({"hidden_size": 2.5}), "hidden_size", "2.5");
    refused(json!({"hidden_size": "2304"}), "hidden_size", "\"2304\"");
    refused(
        json!({"vocab_size": u64::MAX}),
        "vocab_size",
        "18446744073709551615",
    );
    refused(
        json!({"num_hidden_layers": 1 << 24}),
        "num_hidden_layers",
        "16777216",
    );
    refused(
        json!({"num_attention_heads": 1 << 20, "num_key_value_heads": 1}),
        "num_attention_heads",
        "1048576",
    );
    refused(json!({"head_dim": null}), "head_dim", "null");
    refused(json!({"rms_norm_eps": 0}), "rms_norm_eps", "0");
    refused(
        json!({"query_pre_attn_scalar": -1}),
        "query_pre_attn_scalar",
        "-1",
    );
    refused(
        json!({"sliding_window_pattern": 0}),
        "sliding_window_pattern",
        "0",
    );
    refused(json!({"eos_token_id": ["a"]}), "eos_token_id", "[\"a\"]");
    refused(json!({"rope_scaling": 8}), "rope_scaling", "8");
    refused(json!({"rope_theta": 0}), "rope_theta", "0");
}

#[test]
fn the_scale_of_scores_is_a_number_in_f32() {
    let key = "query_pre_attn_scalar";
    for scalar in [1e100, 1e-100, f64::MAX, f64::MIN_POSITIVE, 3.5e38, 1e-46] {
        refused(json!({key: scalar}), key, &json!(scalar).to_string());
    }
    for scalar in [1e-44, 1.0, 168.0, 3.4e38] {
        assert_eq!(
            read(&json!({key: scalar})).unwrap().query_pre_attn_scalar,
            scalar
        );
    }
}

#[test]
fn layer_types_must_be_known_and_as_many_as_layers() {
    let short = json!({"num_hidden_layers": 2, "layer_types": ["full_attention"]});
    refused(short, "layer_types", "[\"full_attention\"]");
    let odd = json!({"num_hidden_layers": 1, "layer_types": ["chunked_attention"]});
    refused(odd, "layer_types", "[\"chunked_attention\"]");
    let config = read(&json!({
        "num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"],
        "sliding_window_pattern": 6
    }))
    .unwrap();
    assert_eq!(
        config.layer_types,
        [LayerType::Full, LayerType::Sliding],
        "the list wins"
    );
    let null = read(&json!({
        "num_hidden_layers": 1, "layer_types": ["full_attention"], "sliding_window_pattern": null
    }));
    assert_eq!(null.unwrap().layer_types, [LayerType::Full]);
    refused(
        json!({"sliding_window_pattern": null}),
        "sliding_window_pattern",
        "null",
    );
    let all_full = read(&json!({"sliding_window_pattern": 1, "sliding_window": null})).unwrap();
    assert_eq!(full_layers(&all_full).len(), 26);
    refused(json!({"sliding_window": null}), "sliding_window", "null");
}

#[test]
fn ids_may_be_one_many_or_none() {
    let eos = |v: Value| read(&json!({"eos_token_id": v})).unwrap().eos_token_ids;
    assert_eq!(eos(json!(7)), [7]);
    assert_eq!(eos(json!([1, 106])), [1, 106]);
    assert!(eos(json!(null)).is_empty());
    // -1 is how some exporters write that there is none.
    for none in [json!(null), json!(-1)] {
        let config = read(&json!({ "pad_token_id": none })).unwrap();
        assert_eq!(config.pad_token_id, None);
    }
    refused(json!({"pad_token_id": -2}), "pad_token_id", "-2");
}

#[test]
fn unknown_keys_are_told_with_their_place() {
    let config = read(&json!({
        "surprise": 1, "use_cache": true,
        "rope_parameters": {"full_attention": {"spice": 2, "rope_theta": 1e6}}
    }))
    .unwrap();
    assert_eq!(
        config.unknown_keys,
        [
            "text_config.surprise",
            "text_config.rope_parameters.full_attention.spice"
        ]
    );
}
