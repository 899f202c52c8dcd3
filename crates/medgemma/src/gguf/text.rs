//! The decoder's configuration from GGUF metadata. Where the files of llama.cpp's converter are
//! silent on what every published size has, the published value stands in.

use medgemma_tensor::Result;
use medgemma_tensor::checkpoint::{GgufMetadata, MAX_CONFIG_LAYERS};
use serde_json::{Map, Value, json};

use super::need;

/// Every sixth layer is global where a file says nothing (`load_swa_pattern` in llama.cpp).
const PATTERN: usize = 6;

/// Base of the local layers' rotation where a file says nothing, as converters before 2026 did.
const LOCAL_BASE: f64 = 10_000.0;

/// Layers and width of the published models and the linear factor of their global rotation.
const PUBLISHED: [(usize, usize, f64); 5] = [
    (18, 640, 1.0),
    (26, 1152, 1.0),
    (34, 2560, 8.0),
    (48, 3840, 8.0),
    (62, 5376, 8.0),
];

/// Base of the global rotation in all of them.
const PUBLISHED_BASE: f64 = 1_000_000.0;

/// What the norms of all of them add to the mean square.
const PUBLISHED_EPSILON: f64 = 1e-6;

/// Sizes of the decoder: GGUF's key, the configuration's, whether it must be there.
pub(super) const SIZES: [(&str, &str, bool); 7] = [
    ("block_count", "num_hidden_layers", true),
    ("embedding_length", "hidden_size", true),
    ("feed_forward_length", "intermediate_size", true),
    ("attention.head_count", "num_attention_heads", true),
    ("attention.head_count_kv", "num_key_value_heads", false),
    ("attention.key_length", "head_dim", false),
    ("context_length", "max_position_embeddings", true),
];

/// Other keys of the decoder that are read below or change nothing.
const KNOWN: [&str; 17] = [
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.sliding_window_pattern",
    "attention.value_length",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.freq_base_swa",
    "rope.global.freq_base",
    "rope.local.freq_base",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "vocab_size",
];

/// The decoder's configuration but for its vocabulary, which only the embedding tells.
///
/// # Errors
/// [`medgemma_tensor::Error::Config`] naming what is missing or cannot be followed.
pub(super) fn read(metadata: &GgufMetadata) -> Result<Map<String, Value>> {
    let mut config = Map::new();
    config.insert("model_type".into(), "gemma3_text".into());
    for (key, name, required) in SIZES {
        let key = format!("gemma3.{key}");
        match metadata.size(&key)? {
            Some(size) => drop(config.insert(name.into(), size.into())),
            None if required => return Err(metadata.error(&key, "this key")),
            None => {}
        }
    }
    let size = |name: &str| {
        let size = config.get(name).and_then(Value::as_u64);
        size.and_then(|size| usize::try_from(size).ok())
            .unwrap_or(0)
    };
    let layers = size("num_hidden_layers");
    let (width, heads) = (size("hidden_size"), size("num_attention_heads"));
    let (keys, head) = (size("num_key_value_heads"), size("head_dim"));
    if layers > MAX_CONFIG_LAYERS {
        let expected = format!("at most {MAX_CONFIG_LAYERS} layers");
        return Err(metadata.error("gemma3.block_count", expected));
    }
    let head = if head == 0 { width / heads } else { head };
    // The 27B is told by its layers (`f_attention_scale` in llama.cpp).
    let scalar = if layers == 62 { width / heads } else { head };
    config.insert("head_dim".into(), head.into());
    let keys = if keys == 0 { heads } else { keys };
    config.insert("num_key_value_heads".into(), keys.into());
    config.insert("query_pre_attn_scalar".into(), scalar.into());
    same_head(metadata, head)?;
    no_soft_capping(metadata)?;
    const EPSILON: &str = "gemma3.attention.layer_norm_rms_epsilon";
    let eps = match metadata.number(EPSILON)? {
        None if published(layers, width).is_some() => PUBLISHED_EPSILON,
        _ => need(metadata, EPSILON, GgufMetadata::number)?,
    };
    config.insert("rms_norm_eps".into(), eps.into());
    let window = metadata.size("gemma3.attention.sliding_window")?;
    config.insert("sliding_window".into(), window.into());
    config.insert(
        "layer_types".into(),
        layer_types(metadata, layers, window.is_some())?,
    );
    config.insert("rope_parameters".into(), rope(metadata, layers, width)?);
    token_ids(metadata, &mut config)?;
    Ok(config)
}

/// The ids that begin, end and pad a text.
fn token_ids(metadata: &GgufMetadata, config: &mut Map<String, Value>) -> Result<()> {
    for (key, name) in [
        ("bos_token_id", "bos_token_id"),
        ("padding_token_id", "pad_token_id"),
    ] {
        let id = metadata.id(&format!("tokenizer.ggml.{key}"))?;
        config.insert(name.into(), id.into());
    }
    let mut ends = Vec::new();
    for key in ["eos_token_id", "eot_token_id"] {
        ends.extend(metadata.id(&format!("tokenizer.ggml.{key}"))?);
    }
    ends.dedup();
    config.insert("eos_token_id".into(), ends.into());
    Ok(())
}

/// Values as wide as keys, and whole heads rotated: there are no keys for anything else.
fn same_head(metadata: &GgufMetadata, head: usize) -> Result<()> {
    for key in ["attention.value_length", "rope.dimension_count"] {
        let key = format!("gemma3.{key}");
        if metadata.size(&key)?.is_some_and(|size| size != head) {
            return Err(metadata.error(&key, format!("{head}, as attention.key_length")));
        }
    }
    Ok(())
}

fn no_soft_capping(metadata: &GgufMetadata) -> Result<()> {
    for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
        let key = format!("gemma3.{key}");
        if metadata.number(&key)?.is_some_and(|cap| cap != 0.0) {
            return Err(metadata.error(&key, "0: Gemma 3 has no soft-capping"));
        }
    }
    Ok(())
}

/// Which layers slide, as `config.json` lists them.
fn layer_types(metadata: &GgufMetadata, layers: usize, window: bool) -> Result<Value> {
    const KEY: &str = "gemma3.attention.sliding_window_pattern";
    let list = metadata.integers(KEY);
    let slides: Vec<bool> = if !window {
        vec![false; layers]
    } else if let Ok(Some(list)) = list {
        if list.len() != layers {
            return Err(metadata.error(KEY, format!("{layers} values, one for each layer")));
        }
        list.into_iter().map(|slides| slides != 0).collect()
    } else {
        // 0 for no global layers at all, 1 for no other.
        let pattern = metadata.count(KEY)?.unwrap_or(PATTERN);
        let slides = |layer: usize| pattern == 0 || !(layer + 1).is_multiple_of(pattern);
        (0..layers).map(slides).collect()
    };
    let name = |slides| {
        if slides {
            "sliding_attention"
        } else {
            "full_attention"
        }
    };
    Ok(slides.into_iter().map(name).collect())
}

/// The published model of this size, if there is one.
fn published(layers: usize, width: usize) -> Option<&'static (usize, usize, f64)> {
    let same = |&&(l, w, _): &&(usize, usize, f64)| (l, w) == (layers, width);
    PUBLISHED.iter().find(same)
}

/// Both rotary embeddings, in the dialect of transformers 5.
fn rope(metadata: &GgufMetadata, layers: usize, width: usize) -> Result<Value> {
    let published = published(layers, width);
    // Ollama's converter has names of its own for both bases.
    let either = |key: &str, ollama: &str| match metadata.number(key)? {
        None => metadata.number(ollama),
        base => Ok(base),
    };
    let base = match either("gemma3.rope.freq_base", "gemma3.rope.global.freq_base")? {
        None if published.is_some() => PUBLISHED_BASE,
        None => return Err(metadata.error("gemma3.rope.freq_base", "this key")),
        Some(base) => base,
    };
    let local = either("gemma3.rope.freq_base_swa", "gemma3.rope.local.freq_base")?;
    let kind = metadata.text("gemma3.rope.scaling.type")?;
    let factor = match metadata.number("gemma3.rope.scaling.factor")? {
        None => metadata.number("gemma3.rope.scale_linear")?,
        factor => factor,
    };
    let factor = match (kind, factor) {
        (Some("none"), _) => 1.0,
        (Some("linear") | None, Some(factor)) => factor,
        // Silent: of a published size it is known, of another silence says that there is none.
        (None, None) => published.map_or(1.0, |&(_, _, factor)| factor),
        (Some("linear"), None) => {
            return Err(metadata.error("gemma3.rope.scaling.factor", "a number"));
        }
        (Some(_), _) => {
            return Err(metadata.error("gemma3.rope.scaling.type", "`none` or `linear`"));
        }
    };
    Ok(json!({
        "full_attention": { "rope_type": "linear", "rope_theta": base, "factor": factor },
        "sliding_attention": {
            "rope_type": "default", "rope_theta": local.unwrap_or(LOCAL_BASE),
        },
    }))
}

/// Keys of the decoder that are not understood.
pub(super) fn unknown(metadata: &GgufMetadata) -> Vec<String> {
    let known = |key: &str| {
        let sizes = SIZES.iter().map(|(key, _, _)| key);
        KNOWN.iter().chain(sizes).any(|k| *k == key)
    };
    metadata
        .keys()
        .filter(|key| key.strip_prefix("gemma3.").is_some_and(|key| !known(key)))
        .map(str::to_owned)
        .collect()
}
