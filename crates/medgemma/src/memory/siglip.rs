//! What a dual encoder needs: its weights, and one picture or one group of texts under way.

mod budget;

use medgemma_siglip::{SiglipConfig, TextTower};
use medgemma_tensor::{Backend, FloatFormat, Format};

use super::{MemoryPlan, PROCESS, bytes, float, reused_bytes};

pub(crate) use self::budget::SiglipBudget;

/// What a [`MedSigLip`](crate::MedSigLip) is expected to encode in one call.
///
/// One call at a time is planned for: where several threads encode at the same time, each but the first takes a
/// step's [`activations`](MemoryPlan::activations) more, which no call is refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SiglipWorkload {
    /// Pictures of a call. They are encoded one after the other, so only whether there are any
    /// changes the peak, but for their embeddings. The pictures themselves are the caller's and not counted.
    pub images: usize,
    /// Texts of a call. They are encoded 16 at a time.
    pub texts: usize,
    /// Height and width of the largest picture's pixels, as the model is given them. `None`: what the directory's
    /// processor makes of a picture, and the model's own where it leaves pictures as they are. Other sizes than the
    /// model's are only taken with [`SiglipOptions::interpolate`](crate::SiglipOptions::interpolate).
    pub image_size: Option<[usize; 2]>,
}

impl SiglipWorkload {
    /// Calls of up to `images` pictures or `texts` texts.
    #[must_use]
    pub fn new(images: usize, texts: usize) -> Self {
        Self {
            images,
            texts,
            image_size: None,
        }
    }

    /// Sets [`image_size`](Self::image_size): height and width.
    #[must_use]
    pub fn with_image_size(mut self, size: [usize; 2]) -> Self {
        self.image_size = Some(size);
        self
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
    /// conversations, so [`kv_cache`](Self::kv_cache) is 0. No directory is looked at: pictures without a
    /// [`SiglipWorkload::image_size`] are of the model's own.
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
            kept: 0,
            activations: activation_bytes(config, workload),
            process: PROCESS,
        }
    }
}

/// The widest step, and the embeddings of the call.
fn activation_bytes(config: &SiglipConfig, workload: SiglipWorkload) -> u64 {
    widest_step(config, workload).saturating_add(embedding_bytes(config, workload))
}

/// What a call's vectors take.
fn embedding_bytes(config: &SiglipConfig, workload: SiglipWorkload) -> u64 {
    let vectors = workload.images.saturating_add(workload.texts);
    bytes(vectors, config.embedding_size())
}

/// The wider of the two towers' steps.
fn widest_step(config: &SiglipConfig, workload: SiglipWorkload) -> u64 {
    let (vision, text) = (&config.vision_config, &config.text_config);
    let picture = if workload.images > 0 {
        let [height, width] = workload.image_size.unwrap_or([vision.image_size; 2]);
        let rows = (height / vision.patch_size).saturating_mul(width / vision.patch_size);
        step_bytes(rows, vision.hidden_size, vision.intermediate_size)
            .saturating_add(reused_bytes(
                rows,
                vision.hidden_size,
                vision.num_hidden_layers,
            ))
            .saturating_add(bytes(2 * vision.num_channels, height.saturating_mul(width)))
    } else {
        0
    };
    let rows = workload.texts.min(TextTower::TEXTS_AT_ONCE) * text.max_position_embeddings;
    let texts = step_bytes(rows, text.hidden_size, text.intermediate_size)
        + reused_bytes(rows, text.hidden_size, text.num_hidden_layers);
    picture.max(texts)
}

/// f32 numbers alive at once in a block, as for MedGemma's tower.
fn step_bytes(rows: usize, width: usize, intermediate: usize) -> u64 {
    bytes(rows, 5 * width + 2 * intermediate)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use medgemma_siglip::SiglipConfig;
    use medgemma_tensor::{Backend, FloatFormat};
    use serde_json::json;

    use super::{MemoryPlan, SiglipWorkload};

    /// The published shapes of MedSigLIP.
    pub(super) fn config() -> SiglipConfig {
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
            assert_eq!((plan.kv_cache, plan.kept, plan.process), (0, 0, 150 << 20));
        }
    }

    #[test]
    fn activations_are_those_of_the_wider_tower() {
        let activations =
            |images, texts| plan(FloatFormat::F32, Backend::Cpu, images, texts).activations;
        // By hand: a row is 5·1152 + 2·4304 numbers, and 2·27·1152 that are kept, 256 MiB at most; 32·32 patches,
        // three planes of 448·448; 64 tokens.
        let (row, kept) = (5 * 1152 + 2 * 4304, 2 * 27 * 1152);
        let picture = 4 * (1024 * (row + kept) + 2 * 3 * 448 * 448);
        assert!(4 * 1024 * kept < 256 << 20);
        assert_eq!(activations(0, 0), 0);
        assert_eq!(activations(1, 0), picture + 4 * 1152);
        assert_eq!(activations(0, 3), 4 * (3 * 64 * (row + kept) + 3 * 1152));
        assert_eq!(activations(0, 16), 4 * (1024 * (row + kept) + 16 * 1152));
        // One after the other, and 16 at a time: more of either are only more embeddings.
        assert_eq!(activations(100, 0), picture + 4 * 100 * 1152);
        assert_eq!(
            activations(0, 1000),
            4 * (1024 * (row + kept) + 1000 * 1152)
        );
        assert_eq!(activations(2, 16), picture + 4 * 18 * 1152);
        let mut larger = config();
        larger.vision_config.image_size = 896;
        let workload = SiglipWorkload::new(1, 0);
        let plan = MemoryPlan::siglip(&larger, FloatFormat::F32, Backend::Cpu, workload);
        let step = 4 * (4096 * row + 2 * 3 * 896 * 896 + 1152);
        assert_eq!(plan.activations, step + (256 << 20));
    }

    #[test]
    fn pictures_of_other_sizes_take_what_their_patches_do() {
        let activations = |size| {
            let workload = SiglipWorkload::new(1, 0).with_image_size(size);
            MemoryPlan::siglip(&config(), FloatFormat::F32, Backend::Cpu, workload).activations
        };
        let own = plan(FloatFormat::F32, Backend::Cpu, 1, 0).activations;
        assert_eq!(activations([448, 448]), own);
        // By hand: 64 rows of 3 patches, and a rest of 7 pixels that are no patch.
        let (row, kept) = (5 * 1152 + 2 * 4304, 2 * 27 * 1152);
        let strip = 4 * (64 * 3 * (row + kept) + 2 * 3 * 896 * 49 + 1152);
        assert_eq!(activations([896, 49]), strip);
        assert_eq!(activations([49, 896]), strip);
        // Four times as many patches; what is kept has a bound.
        let larger = 4 * (4096 * row + 2 * 3 * 896 * 896 + 1152);
        assert_eq!(activations([896, 896]), larger + (256 << 20));
        assert_eq!(activations([usize::MAX; 2]), u64::MAX);
    }
}
