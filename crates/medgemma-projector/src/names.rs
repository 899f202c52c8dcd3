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
    }
}
