//! The vision tower's tensor names in every published dialect, as data.

use medgemma_tensor::checkpoint::{Ignore, Rename};

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
];

/// Buffers of old exports that hold nothing learnt.
pub const IGNORED: &[Ignore] = &[Ignore::new(
    ".embeddings.position_ids",
    "the numbers of the patches in order",
)];

#[cfg(test)]
mod tests {
    use medgemma_tensor::checkpoint::canonical;

    use super::RENAMES;

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
        let other = "language_model.model.norm.weight";
        assert_eq!(canonical(other, RENAMES, |_| {}), other);
    }
}
