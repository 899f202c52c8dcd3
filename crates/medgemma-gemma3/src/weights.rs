//! From a checkpoint to a [`Decoder`]: the table of names, and the shape of every tensor.
//!
//! Canonical keys are those of `transformers` 5.23 in memory without the outer `model.`:
//! `language_model.embed_tokens.weight`, `language_model.layers.N.…`, `language_model.norm.weight`
//! and, when not tied, `lm_head.weight`.

use medgemma_tensor::checkpoint::{Ignore, Loader, Quantize, Rename, Scope};
use medgemma_tensor::{Arithmetic, Device, KvPrecision, Weight};

use crate::attention::Attention;
use crate::block::Block;
use crate::cache::joint_arithmetic;
use crate::config::TextConfig;
use crate::error::{Error, Result};
use crate::mlp::Mlp;
use crate::model::Decoder;
use crate::norm::RmsNorm;
use crate::rope::Rope;

/// The canonical key of the embedding table.
const EMBEDDINGS: &str = "language_model.embed_tokens.weight";

/// That of the head.
const HEAD: &str = "lm_head.weight";

/// Who writes the names of GGUF files.
const GGUF: &str = "GGUF";

/// Who writes names without any prefix: `save_pretrained` of `Gemma3TextModel`, the decoder without
/// its head.
const BASE: &str = "base model";

/// Names of the decoder's tensors in every published dialect. Put it after the tables of the
/// other parts of a model: its last rules take any `model.` that is left, and names without a prefix.
///
/// Those of GGUF are llama.cpp's for the architecture `gemma3` (`gguf-py/gguf/constants.py`).
pub const RENAMES: &[Rename] = &[
    Rename::new("base_model.model.", "", "PEFT wrapper"),
    Rename::new(
        "model.language_model.",
        "language_model.",
        "transformers ≥ 4.52 in memory",
    ),
    Rename::new("language_model.model.", "language_model.", "published 2025"),
    Rename::new("language_model.lm_head.", "lm_head.", "published 2025"),
    Rename::new("token_embd.", "language_model.embed_tokens.", GGUF),
    Rename::new("output_norm.", "language_model.norm.", GGUF),
    Rename::new("output.", "lm_head.", GGUF),
    Rename::new(
        "blk.{}.attn_norm.",
        "language_model.layers.{}.input_layernorm.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.attn_q.",
        "language_model.layers.{}.self_attn.q_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.attn_k.",
        "language_model.layers.{}.self_attn.k_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.attn_v.",
        "language_model.layers.{}.self_attn.v_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.attn_output.",
        "language_model.layers.{}.self_attn.o_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.attn_q_norm.",
        "language_model.layers.{}.self_attn.q_norm.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.attn_k_norm.",
        "language_model.layers.{}.self_attn.k_norm.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.post_attention_norm.",
        "language_model.layers.{}.post_attention_layernorm.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.ffn_norm.",
        "language_model.layers.{}.pre_feedforward_layernorm.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.ffn_gate.",
        "language_model.layers.{}.mlp.gate_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.ffn_up.",
        "language_model.layers.{}.mlp.up_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.ffn_down.",
        "language_model.layers.{}.mlp.down_proj.",
        GGUF,
    ),
    Rename::new(
        "blk.{}.post_ffw_norm.",
        "language_model.layers.{}.post_feedforward_layernorm.",
        GGUF,
    ),
    Rename::new("model.", "language_model.", "text only"),
    Rename::new("embed_tokens.", "language_model.embed_tokens.", BASE),
    Rename::new("layers.", "language_model.layers.", BASE),
    Rename::new("norm.", "language_model.norm.", BASE),
];

/// Tensors of old exports that hold nothing learnt.
pub const IGNORED: &[Ignore] = &[Ignore::new(
    ".rotary_emb.inv_freq",
    "frequencies are computed from the configuration",
)];

/// The matrices that a reduced precision is for.
pub const MATRICES: &[Quantize] = &[
    Quantize::layers("language_model.layers."),
    Quantize::embeddings("language_model.embed_tokens."),
    Quantize::embeddings("lm_head."),
];

impl Decoder {
    /// Loads the decoder from the canonical keys of `loader`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] for a missing, misshaped or wrong-typed tensor, with its key.
    pub fn load(loader: &mut Loader<'_>, config: TextConfig, device: &Device) -> Result<Self> {
        let (embed_tokens, lm_head) = embeddings(loader, &config)?;
        let mut scope = loader.scope("language_model");
        let layers = (0..config.num_hidden_layers)
            .map(|index| block(&mut scope.scope(&format!("layers.{index}")), &config))
            .collect::<Result<_>>()?;
        let norm = norm(&mut scope, "norm", config.hidden_size, &config)?;
        let rope = Rope::new(&config);
        Ok(Self {
            config,
            embed_tokens,
            layers,
            norm,
            lm_head,
            rope,
            device: device.clone(),
            kv_precision: KvPrecision::default(),
        })
    }

    /// Leaves a head aside that repeats the embeddings which it is tied to, as exporters write it. Call it
    /// before [`Loader::held_bytes`]: a head that is never loaded must not count.
    ///
    /// # Errors
    /// [`Error::Tensor`] when either matrix cannot be read.
    pub fn ignore_repeated_head(loader: &mut Loader<'_>, config: &TextConfig) -> Result<()> {
        let decided = loader.is_ignored(HEAD) || !config.tie_word_embeddings;
        if !decided && loader.scope("").identical(EMBEDDINGS, HEAD)? {
            loader.ignore(HEAD, "repeats the embeddings that it is tied to");
        }
        Ok(())
    }

    /// What each layer's keys and values will be cached for on the device `cpu`, before anything is
    /// loaded: what [`KvCache::planned_bytes`](crate::KvCache::planned_bytes) must know. A layer whose
    /// tensors are missing, which loading refuses by name, counts as the least.
    ///
    /// # Errors
    /// As [`Loader::arithmetic`].
    pub fn planned_arithmetic(loader: &Loader<'_>, config: &TextConfig) -> Result<Vec<Arithmetic>> {
        let of_layer = |layer| {
            let of = |projection: &str| {
                let name = format!("language_model.layers.{layer}.self_attn.{projection}.weight");
                let found = loader.arithmetic(&name)?;
                Ok::<_, Error>(found.unwrap_or(Arithmetic::Bf16))
            };
            Ok(joint_arithmetic([of("k_proj")?, of("v_proj")?]))
        };
        (0..config.num_hidden_layers).map(of_layer).collect()
    }
}

/// The embedding table, and the head where it is another matrix.
///
/// A configuration that ties the two may lie, as after fine-tuning with both in `modules_to_save`:
/// like the reference, a head in the file is taken as it is unless it repeats the embeddings, and
/// stands in for them when they are missing (`tie_weights` in transformers 5.23).
fn embeddings(loader: &mut Loader<'_>, config: &TextConfig) -> Result<(Weight, Option<Weight>)> {
    Decoder::ignore_repeated_head(loader, config)?;
    let repeated = loader.is_ignored(HEAD);
    let shape = [config.vocab_size, config.hidden_size];
    let mut scope = loader.scope("");
    if config.tie_word_embeddings && !scope.contains(EMBEDDINGS) && scope.contains(HEAD) {
        return Ok((scope.weight(HEAD, shape)?, None));
    }
    let embed_tokens = scope.weight(EMBEDDINGS, shape)?;
    if config.tie_word_embeddings && (repeated || !scope.contains(HEAD)) {
        return Ok((embed_tokens, None));
    }
    Ok((embed_tokens, Some(scope.weight(HEAD, shape)?)))
}

fn block(scope: &mut Scope<'_, '_>, config: &TextConfig) -> Result<Block> {
    let d = config.hidden_size;
    Ok(Block {
        input_layernorm: norm(scope, "input_layernorm", d, config)?,
        self_attn: attention(&mut scope.scope("self_attn"), config)?,
        post_attention_layernorm: norm(scope, "post_attention_layernorm", d, config)?,
        pre_feedforward_layernorm: norm(scope, "pre_feedforward_layernorm", d, config)?,
        mlp: mlp(&mut scope.scope("mlp"), config)?,
        post_feedforward_layernorm: norm(scope, "post_feedforward_layernorm", d, config)?,
    })
}

fn attention(scope: &mut Scope<'_, '_>, config: &TextConfig) -> Result<Attention> {
    let (d, h) = (config.hidden_size, config.head_dim);
    let queries = config.num_attention_heads * h;
    let keys = config.num_key_value_heads * h;
    Ok(Attention {
        q_proj: scope.weight("q_proj.weight", [queries, d])?,
        k_proj: scope.weight("k_proj.weight", [keys, d])?,
        v_proj: scope.weight("v_proj.weight", [keys, d])?,
        o_proj: scope.weight("o_proj.weight", [d, queries])?,
        q_norm: norm(scope, "q_norm", h, config)?,
        k_norm: norm(scope, "k_norm", h, config)?,
        head_dim: h,
        scale: config.query_pre_attn_scalar.powf(-0.5),
    })
}

fn mlp(scope: &mut Scope<'_, '_>, config: &TextConfig) -> Result<Mlp> {
    let (d, intermediate) = (config.hidden_size, config.intermediate_size);
    Ok(Mlp {
        gate_proj: scope.weight("gate_proj.weight", [intermediate, d])?,
        up_proj: scope.weight("up_proj.weight", [intermediate, d])?,
        down_proj: scope.weight("down_proj.weight", [d, intermediate])?,
    })
}

fn norm(
    scope: &mut Scope<'_, '_>,
    name: &str,
    width: usize,
    config: &TextConfig,
) -> Result<RmsNorm> {
    let gain = scope.scope(name).norm_gain("weight", width)?;
    Ok(RmsNorm::new(gain, config.rms_norm_eps))
}
