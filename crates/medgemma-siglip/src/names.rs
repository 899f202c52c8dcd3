//! Tensor names in every published dialect, as data: of the vision tower in Gemma 3, and of the dual
//! encoder.

use medgemma_tensor::checkpoint::{Ignore, Rename};

/// Who writes the names of `mmproj` files: llama.cpp's converter since May 2025. What older ones
/// call `ffn_up` and `ffn_down` is set right where the file is read.
const GGUF: &str = "GGUF";

/// From the names of Gemma 3 checkpoints to the canonical ones, which begin with `vision_tower.`
/// and are those that transformers 5 saves. A table for a whole model puts these rules before the
/// decoder's.
pub const RENAMES: &[Rename] = &[
    Rename::new("base_model.model.", "", "PEFT wrapper"),
    Rename::new(
        "model.vision_tower.",
        "vision_tower.",
        "transformers ≥ 4.52 in memory",
    ),
    Rename::new(
        "vision_tower.vision_model.",
        "vision_tower.",
        "published 2025",
    ),
    Rename::new(
        "v.patch_embd.",
        "vision_tower.embeddings.patch_embedding.",
        GGUF,
    ),
    Rename::new(
        "v.position_embd.",
        "vision_tower.embeddings.position_embedding.",
        GGUF,
    ),
    Rename::new("v.post_ln.", "vision_tower.post_layernorm.", GGUF),
    Rename::new(
        "v.blk.{}.ln1.",
        "vision_tower.encoder.layers.{}.layer_norm1.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.ln2.",
        "vision_tower.encoder.layers.{}.layer_norm2.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.attn_q.",
        "vision_tower.encoder.layers.{}.self_attn.q_proj.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.attn_k.",
        "vision_tower.encoder.layers.{}.self_attn.k_proj.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.attn_v.",
        "vision_tower.encoder.layers.{}.self_attn.v_proj.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.attn_out.",
        "vision_tower.encoder.layers.{}.self_attn.out_proj.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.ffn_up.",
        "vision_tower.encoder.layers.{}.mlp.fc1.",
        GGUF,
    ),
    Rename::new(
        "v.blk.{}.ffn_down.",
        "vision_tower.encoder.layers.{}.mlp.fc2.",
        GGUF,
    ),
];

/// From the names of SigLIP 1 checkpoints to the canonical ones of the dual encoder, which are those
/// of every published file: `vision_model.…`, `text_model.…`, `logit_scale`, `logit_bias`.
pub const DUAL_RENAMES: &[Rename] = &[
    Rename::new("base_model.model.", "", "PEFT wrapper"),
    // `base_model_prefix` of `SiglipPreTrainedModel`, which the reference takes off too.
    Rename::new("siglip.", "", "a model around SiglipModel"),
];

/// Buffers of old exports that hold nothing learnt, in either tower.
pub const IGNORED: &[Ignore] = &[Ignore::new(
    ".embeddings.position_ids",
    "the numbers of the positions in order",
)];

#[cfg(test)]
mod tests {
    use medgemma_tensor::checkpoint::canonical;

    use super::{DUAL_RENAMES, RENAMES};

    #[test]
    fn a_dual_encoder_may_be_within_another_model() {
        for name in [
            "vision_model.head.probe",
            "text_model.head.bias",
            "logit_scale",
        ] {
            for prefix in [
                "",
                "siglip.",
                "base_model.model.",
                "base_model.model.siglip.",
            ] {
                let key = canonical(&format!("{prefix}{name}"), DUAL_RENAMES, |_| {});
                assert_eq!(key, name, "{prefix}");
            }
        }
    }

    #[test]
    fn every_dialect_becomes_the_canonical_name() {
        for prefix in [
            "vision_tower.",
            "vision_tower.vision_model.",
            "model.vision_tower.",
            "model.vision_tower.vision_model.",
            "base_model.model.model.vision_tower.vision_model.",
        ] {
            let key = canonical(&format!("{prefix}post_layernorm.bias"), RENAMES, |_| {});
            assert_eq!(key, "vision_tower.post_layernorm.bias", "{prefix}");
        }
        for (key, name) in [
            ("v.patch_embd.bias", "embeddings.patch_embedding.bias"),
            (
                "v.blk.12.attn_out.weight",
                "encoder.layers.12.self_attn.out_proj.weight",
            ),
            ("v.blk.0.ffn_up.bias", "encoder.layers.0.mlp.fc1.bias"),
        ] {
            let expected = format!("vision_tower.{name}");
            assert_eq!(canonical(key, RENAMES, |_| {}), expected);
        }
        let other = "language_model.model.norm.weight";
        assert_eq!(canonical(other, RENAMES, |_| {}), other);
    }
}
