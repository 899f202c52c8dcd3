//! The projector's tensor names in every published dialect, as data.

use medgemma_tensor::checkpoint::Rename;

/// From the names of Gemma 3 checkpoints to the canonical ones, which begin with
/// `multi_modal_projector.` and are those of the 2025 releases. A table for a whole model puts
/// these rules before the decoder's.
pub const RENAMES: &[Rename] = &[
    Rename::new("base_model.model.", "", "PEFT wrapper"),
    Rename::new(
        "model.multi_modal_projector.",
        "multi_modal_projector.",
        "transformers ≥ 4.52 in memory",
    ),
    // llama.cpp's `mmproj` files; the matrix is `[in, out]` there too.
    Rename::new(
        "mm.input_projection.weight",
        "multi_modal_projector.mm_input_projection_weight",
        "GGUF",
    ),
    Rename::new(
        "mm.soft_emb_norm.",
        "multi_modal_projector.mm_soft_emb_norm.",
        "GGUF",
    ),
];

#[cfg(test)]
mod tests {
    use medgemma_tensor::checkpoint::canonical;

    use super::RENAMES;

    #[test]
    fn every_dialect_becomes_the_canonical_name() {
        for prefix in ["", "model.", "base_model.model.", "base_model.model.model."] {
            let key = format!("{prefix}multi_modal_projector.mm_input_projection_weight");
            assert_eq!(
                canonical(&key, RENAMES, |_| {}),
                "multi_modal_projector.mm_input_projection_weight",
                "{prefix}"
            );
        }
        for (key, name) in [
            ("mm.input_projection.weight", "mm_input_projection_weight"),
            ("mm.soft_emb_norm.weight", "mm_soft_emb_norm.weight"),
        ] {
            let expected = format!("multi_modal_projector.{name}");
            assert_eq!(canonical(key, RENAMES, |_| {}), expected);
        }
    }
}
