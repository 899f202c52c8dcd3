//! What a dual encoder needs: its weights, and one picture or one group of texts under way.

use medgemma_siglip::{SiglipConfig, TextTower};
use medgemma_tensor::{Backend, FloatFormat, Format};

use super::{MemoryPlan, PROCESS, float};

/// What a [`MedSigLip`](crate::MedSigLip) is expected to encode in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SiglipWorkload {
    /// Pictures of a call, of the model's own size. They are encoded one after the other, so only whether there are any
    /// changes the peak, but for their embeddings. The pictures themselves are the caller's and not counted.
    pub images: usize,
    /// Texts of a call. They are encoded 16 at a time.
    pub texts: usize,
}

impl SiglipWorkload {
    /// Calls of up to `images` pictures or `texts` texts.
    #[must_use]
    pub fn new(images: usize, texts: usize) -> Self {
        Self { images, texts }
    }
}

impl Default for SiglipWorkload {
    /// A picture, and the texts of one step.
    fn default() -> Self {
        Self::new(1, TextTower::TEXTS_AT_ONCE)
    }
}

impl MemoryPlan {
    /// The plan for a dual encoder whose files hold its weights as `stored`, on a CPU's `backend`. There are no
    /// conversations, so [`kv_cache`](Self::kv_cache) is 0.
    ///
    /// Only [`Backend::Cpu`] keeps weights as they are stored; everywhere else they become f32.
    #[must_use]
    pub fn siglip(
        config: &SiglipConfig,
        stored: FloatFormat,
        backend: Backend,
        workload: SiglipWorkload,
    ) -> Self {
        let format = match backend {
            Backend::Cpu => float(stored),
            _ => Format::F32,
        };
        Self {
            weights: config.parameters() * format.block_bytes() as u64,
            kv_cache: 0,
            activations: activation_bytes(config, workload),
            process: PROCESS,
        }
    }
}

/// f32 numbers alive at once in the wider of the two towers, as for MedGemma's, and the embeddings of the call.
fn activation_bytes(config: &SiglipConfig, workload: SiglipWorkload) -> u64 {
    let (vision, text) = (&config.vision_config, &config.text_config);
    let widest =
        |rows: usize, width: usize, intermediate: usize| rows * (5 * width + 2 * intermediate);
    let picture = if workload.images > 0 {
        2 * vision.num_channels * vision.image_size * vision.image_size
            + widest(
                vision.num_patches(),
                vision.hidden_size,
                vision.intermediate_size,
            )
    } else {
        0
    };
    let rows = workload.texts.min(TextTower::TEXTS_AT_ONCE) * text.max_position_embeddings;
    let texts = widest(rows, text.hidden_size, text.intermediate_size);
    let embeddings = (workload.images + workload.texts) * config.embedding_size();
    ((picture.max(texts) + embeddings) * size_of::<f32>()) as u64
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use medgemma_siglip::SiglipConfig;
    use medgemma_tensor::{Backend, FloatFormat};
    use serde_json::json;

    use super::{MemoryPlan, SiglipWorkload};

    /// The published shapes of MedSigLIP.
    fn config() -> SiglipConfig {
        let tower = json!({
            "hidden_size": 1152, "intermediate_size": 4304,
            "num_attention_heads": 16, "num_hidden_layers": 27,
        });
        let mut vision = tower.clone();
        vision["image_size"] = 448.into();
        vision["patch_size"] = 14.into();
        let json = json!({"text_config": tower, "vision_config": vision});
        SiglipConfig::from_json(Path::new("config.json"), &json).expect("the published shapes")
    }

    fn plan(stored: FloatFormat, backend: Backend, images: usize, texts: usize) -> MemoryPlan {
        MemoryPlan::siglip(
            &config(),
            stored,
            backend,
            SiglipWorkload::new(images, texts),
        )
    }

    #[test]
    fn only_the_cpu_keeps_weights_as_they_are_stored() {
        for (stored, backend, bytes) in [
            (FloatFormat::F32, Backend::Cpu, 4),
            (FloatFormat::Bf16, Backend::Cpu, 2),
            (FloatFormat::F16, Backend::Cpu, 2),
            (FloatFormat::Bf16, Backend::NdArray, 4),
        ] {
            let plan = plan(stored, backend, 1, 1);
            assert_eq!(plan.weights, bytes * 878_300_338, "{stored:?} {backend:?}");
            assert_eq!((plan.kv_cache, plan.process), (0, 150 << 20));
        }
    }

    #[test]
    fn activations_are_those_of_the_wider_tower() {
        let activations =
            |images, texts| plan(FloatFormat::F32, Backend::Cpu, images, texts).activations;
        // By hand: a row is 5·1152 + 2·4304 numbers; 32·32 patches, three planes of 448·448; 64 tokens.
        let row = 5 * 1152 + 2 * 4304;
        let picture = 1024 * row + 2 * 3 * 448 * 448;
        assert_eq!(activations(0, 0), 0);
        assert_eq!(activations(1, 0), 4 * (picture + 1152));
        assert_eq!(activations(0, 3), 4 * (3 * 64 * row + 3 * 1152));
        assert_eq!(activations(0, 16), 4 * (1024 * row + 16 * 1152));
        // One after the other, and 16 at a time: more of either are only more embeddings.
        assert_eq!(activations(100, 0), 4 * (picture + 100 * 1152));
        assert_eq!(activations(0, 1000), 4 * (1024 * row + 1000 * 1152));
        assert_eq!(activations(2, 16), 4 * (picture + 18 * 1152));
    }
}
