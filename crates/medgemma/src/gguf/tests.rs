//! The metadata that llama.cpp's converter writes for each published size, against that size's
//! `config.json`; and what stands in where older converters wrote less.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use medgemma_gemma3::{LayerType, TextConfig};
use medgemma_image::Image;
use medgemma_tensor::checkpoint::{Gguf, MappedBytes};
use medgemma_testkit::GgufFile;
use serde_json::{Value, json};

use super::vision::tokens_per_image;
use super::{processor, text, vision};

/// A file without tensors.
fn empty() -> GgufFile {
    GgufFile {
        version: 3,
        keys: Vec::new(),
        tensors: Vec::new(),
        alignment: 32,
    }
}

/// Sizes of a published model: layers, width, feed-forward, heads, key heads, head, window.
type Sizes = [u32; 7];

const SMALL: Sizes = [18, 640, 2048, 4, 1, 256, 512];
const ONE: Sizes = [26, 1152, 6912, 4, 1, 256, 512];
const FOUR: Sizes = [34, 2560, 10240, 8, 4, 256, 1024];
const TWELVE: Sizes = [48, 3840, 15360, 16, 8, 256, 1024];
const TWENTY_SEVEN: Sizes = [62, 5376, 21504, 32, 16, 128, 1024];

/// What the converter writes of a published model.
fn published(sizes: Sizes) -> GgufFile {
    let [layers, width, inner, heads, keys, head, window] = sizes;
    let mut file = empty();
    file.set_text("general.architecture", "gemma3");
    for (key, size) in [
        ("block_count", layers),
        (
            "context_length",
            if layers == 18 || layers == 26 {
                32768
            } else {
                131_072
            },
        ),
        ("embedding_length", width),
        ("feed_forward_length", inner),
        ("attention.head_count", heads),
        ("attention.head_count_kv", keys),
        ("attention.key_length", head),
        ("attention.value_length", head),
        ("attention.sliding_window", window),
    ] {
        file.set_u32(&format!("gemma3.{key}"), size);
    }
    file.set_f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6);
    file.set_f32("gemma3.rope.freq_base", 1e6);
    if layers >= 34 {
        file.set_text("gemma3.rope.scaling.type", "linear");
        file.set_f32("gemma3.rope.scaling.factor", 8.0);
    }
    for (key, id) in [("bos", 2), ("eos", 1), ("padding", 0)] {
        file.set_u32(&format!("tokenizer.ggml.{key}_token_id"), id);
    }
    file
}

/// The `text_config` of the same model.
fn config(sizes: Sizes) -> Value {
    let [layers, width, inner, heads, keys, head, window] = sizes;
    let mut config = json!({
        "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": keys, "head_dim": head,
        "sliding_window": window, "vocab_size": 262_144,
        "query_pre_attn_scalar": if layers == 62 { 168 } else { 256 },
    });
    if layers >= 34 {
        config["rope_scaling"] = json!({ "factor": 8.0, "rope_type": "linear" });
    } else {
        config["max_position_embeddings"] = 32768.into();
    }
    config
}

fn open(file: &GgufFile) -> Gguf {
    let bytes = MappedBytes::from_owner(file.to_bytes());
    Gguf::from_bytes(Path::new("model.gguf"), bytes).unwrap()
}

fn read(file: &GgufFile) -> Result<TextConfig, String> {
    let mut config = text::read(open(file).metadata()).map_err(|error| error.to_string())?;
    config.insert("vocab_size".into(), 262_144.into());
    TextConfig::from_json(Path::new("model.gguf"), "", &Value::Object(config))
        .map_err(|error| error.to_string())
}

fn expected(sizes: Sizes) -> TextConfig {
    TextConfig::from_json(Path::new("config.json"), "", &config(sizes)).unwrap()
}

#[test]
fn every_published_size_is_configured_as_by_its_config_json() {
    for sizes in [SMALL, ONE, FOUR, TWELVE, TWENTY_SEVEN] {
        assert_eq!(read(&published(sizes)), Ok(expected(sizes)));
    }
}

#[test]
fn published_values_stand_in_where_a_file_of_that_size_is_silent() {
    for sizes in [SMALL, ONE, FOUR, TWELVE, TWENTY_SEVEN] {
        let mut file = published(sizes);
        for key in ["freq_base", "scaling.type", "scaling.factor"] {
            file.unset(&format!("gemma3.rope.{key}"));
        }
        file.unset("gemma3.attention.layer_norm_rms_epsilon");
        assert_eq!(read(&file), Ok(expected(sizes)));
    }
    let mut file = published([7, 640, 2048, 4, 1, 256, 512]);
    assert_eq!(read(&file).unwrap().rope_full.factor, 1.0);
    file.unset("gemma3.rope.freq_base");
    assert!(read(&file).unwrap_err().contains("gemma3.rope.freq_base"));
}

#[test]
fn rotation_is_scaled_as_the_file_says() {
    let factor = |change: &dyn Fn(&mut GgufFile)| {
        let mut file = published(FOUR);
        change(&mut file);
        read(&file).map(|config| config.rope_full.factor)
    };
    assert_eq!(
        factor(&|f| f.set_text("gemma3.rope.scaling.type", "none")),
        Ok(1.0)
    );
    assert_eq!(
        factor(&|f| f.set_f32("gemma3.rope.scaling.factor", 4.0)),
        Ok(4.0)
    );
    assert_eq!(factor(&|f| f.unset("gemma3.rope.scaling.type")), Ok(8.0));
    let old = |f: &mut GgufFile| {
        f.unset("gemma3.rope.scaling.factor");
        f.set_f32("gemma3.rope.scale_linear", 2.0);
    };
    assert_eq!(factor(&old), Ok(2.0));
    let error = factor(&|f| f.set_text("gemma3.rope.scaling.type", "yarn")).unwrap_err();
    assert!(error.contains("gemma3.rope.scaling.type"), "{error}");
    let mut file = published(FOUR);
    file.unset("gemma3.rope.freq_base");
    file.set_f32("gemma3.rope.global.freq_base", 5e5);
    file.set_f32("gemma3.rope.local.freq_base", 2e4);
    let config = read(&file).unwrap();
    let bases = (config.rope_full.theta, config.rope_sliding.theta);
    assert_eq!(bases, (5e5, 2e4), "Ollama's names");
    let mut file = published(FOUR);
    file.set_f32("gemma3.rope.freq_base_swa", 500.0);
    let config = read(&file).unwrap();
    assert_eq!(
        (config.rope_sliding.theta, config.rope_sliding.factor),
        (500.0, 1.0)
    );
}

#[test]
fn layers_slide_as_the_file_says() {
    let full = |change: &dyn Fn(&mut GgufFile)| -> Result<Vec<usize>, String> {
        let mut file = published(SMALL);
        change(&mut file);
        let types = read(&file)?.layer_types;
        let full = |&layer: &usize| types[layer] == LayerType::Full;
        Ok((0..types.len()).filter(full).collect())
    };
    const PATTERN: &str = "gemma3.attention.sliding_window_pattern";
    assert_eq!(full(&|_| ()), Ok(vec![5, 11, 17]));
    assert_eq!(full(&|f| f.set_u32(PATTERN, 4)), Ok(vec![3, 7, 11, 15]));
    assert_eq!(full(&|f| f.set_u32(PATTERN, 0)), Ok(vec![]));
    assert_eq!(full(&|f| f.set_u32(PATTERN, 1)), Ok((0..18).collect()));
    let all = Ok((0..18).collect());
    assert_eq!(full(&|f| f.unset("gemma3.attention.sliding_window")), all);
    let list = |layers: u64| {
        move |f: &mut GgufFile| {
            let mut value = 7_u32.to_le_bytes().to_vec();
            value.extend(layers.to_le_bytes());
            value.extend((0..layers).map(|layer| u8::from(layer != 2)));
            f.set(PATTERN, 9, value);
        }
    };
    assert_eq!(full(&list(18)), Ok(vec![2]));
    assert!(full(&list(17)).unwrap_err().contains(PATTERN));
}

#[test]
fn heads_follow_from_the_width_where_a_file_is_silent() {
    let mut file = published(FOUR);
    file.unset("gemma3.attention.head_count_kv");
    assert_eq!(read(&file).unwrap().num_key_value_heads, 8);
    file.unset("gemma3.attention.key_length");
    file.unset("gemma3.attention.value_length");
    assert_eq!(read(&file).unwrap().head_dim, 320);
}

#[test]
fn heads_of_two_widths_and_soft_capping_are_refused() {
    for key in ["attention.value_length", "rope.dimension_count"] {
        let key = format!("gemma3.{key}");
        let mut file = published(FOUR);
        file.set_u32(&key, 128);
        assert!(read(&file).unwrap_err().contains(&key), "{key}");
        file.set_u32(&key, 256);
        assert_eq!(read(&file), Ok(expected(FOUR)));
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        let key = format!("gemma3.{key}");
        let mut file = published(FOUR);
        file.set_f32(&key, 50.0);
        assert!(read(&file).unwrap_err().contains(&key), "{key}");
        file.set_f32(&key, 0.0);
        assert_eq!(read(&file), Ok(expected(FOUR)));
    }
}

#[test]
fn ids_that_end_a_text_are_listed_once() {
    for (eot, ends) in [
        (None, vec![1]),
        (Some(1), vec![1]),
        (Some(106), vec![1, 106]),
    ] {
        let mut file = published(FOUR);
        if let Some(eot) = eot {
            file.set_u32("tokenizer.ggml.eot_token_id", eot);
        }
        let config = text::read(open(&file).metadata()).unwrap();
        assert_eq!(config["eos_token_id"], json!(ends));
    }
}

#[test]
fn keys_that_are_not_understood_are_told() {
    let mut file = published(FOUR);
    file.set_u32("gemma3.altup.count", 4);
    let found = text::unknown(open(&file).metadata());
    assert_eq!(found, ["gemma3.altup.count"]);
}

#[test]
fn pictures_are_normalised_as_the_file_says() {
    let mut file = empty();
    file.set_u32("clip.vision.image_size", 2);
    for (key, values) in [("mean", [0.25_f32, 0.5, 0.75]), ("std", [0.5, 0.25, 0.125])] {
        let mut bytes = 6_u32.to_le_bytes().to_vec();
        bytes.extend(3_u64.to_le_bytes());
        bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        file.set(&format!("clip.vision.image_{key}"), 9, bytes);
    }
    let processor = processor(open(&file).metadata()).unwrap();
    let black = Image::from_rgb8(2, 2, vec![0; 12]).unwrap();
    let pixels = &processor.process(&black).unwrap().pixels[0];
    let expected = [[-0.5; 4], [-2.0; 4], [-6.0; 4]].concat();
    assert_eq!(pixels.data, expected);
}

#[test]
fn the_tower_of_gemma_3_is_configured_as_by_its_config_json() {
    let mut file = empty();
    file.set_text("clip.projector_type", "gemma3");
    for (key, size) in [
        ("embedding_length", 1152),
        ("feed_forward_length", 4304),
        ("block_count", 27),
        ("attention.head_count", 16),
        ("image_size", 896),
        ("patch_size", 14),
        ("projection_dim", 2560),
    ] {
        file.set_u32(&format!("clip.vision.{key}"), size);
    }
    file.set_f32("clip.vision.attention.layer_norm_epsilon", 1e-6);
    let (tower, decoder) = (open(&file), open(&published(FOUR)));
    assert_eq!(tokens_per_image(tower.metadata()).unwrap(), 256);
    let found = vision::read(tower.metadata(), decoder.metadata()).unwrap();
    let expected = json!({
        "hidden_size": 1152, "image_size": 896, "intermediate_size": 4304, "layer_norm_eps": 1e-6,
        "model_type": "siglip_vision_model", "num_attention_heads": 16,
        "num_hidden_layers": 27, "patch_size": 14, "vision_use_head": false
    });
    assert_eq!(Value::Object(found), expected);
    // The newer of two keys counts.
    let with = |key: &str, kind: &str| {
        let mut file = file.clone();
        file.set_text("clip.projector_type", "mlp");
        file.set_text(key, kind);
        vision::read(open(&file).metadata(), decoder.metadata())
    };
    assert!(with("clip.vision.projector_type", "gemma3").is_ok());
    assert!(with("clip.projector_type", "gemma3").is_ok());
    assert!(with("clip.vision.projector_type", "mlp").is_err());
    for (key, right) in [
        ("clip.has_vision_encoder", 1),
        ("clip.use_gelu", 1),
        ("clip.use_silu", 0),
    ] {
        let mut file = file.clone();
        file.set(key, 7, vec![right]);
        assert!(vision::read(open(&file).metadata(), decoder.metadata()).is_ok());
        file.set(key, 7, vec![1 - right]);
        let error = vision::read(open(&file).metadata(), decoder.metadata()).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
    }
    let other = open(&published(ONE));
    let error = vision::read(tower.metadata(), other.metadata()).unwrap_err();
    assert!(
        error.to_string().contains("1152, the width of model.gguf"),
        "{error}"
    );
}
