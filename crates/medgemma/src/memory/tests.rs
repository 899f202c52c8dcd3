//! Plans against sums by hand.

use medgemma_tensor::checkpoint::Precision;
use medgemma_tensor::{Arithmetic, Device, FloatFormat, KvPrecision};
use serde_json::json;

use super::{MemoryPlan, Workload};
use crate::config::ModelConfig;
use crate::options::LoadOptions;
use crate::vision_cache::VisionCache;

/// As large as a configuration may say that a model is: no figure wraps around.
#[test]
fn the_largest_sizes_are_added_up_all_the_same() {
    let most = 1_usize << 24;
    let json = json!({
        "model_type": "gemma3_text", "hidden_size": most, "intermediate_size": most,
        "num_hidden_layers": 512, "num_attention_heads": 65536, "num_key_value_heads": 65536,
        "head_dim": 256, "vocab_size": most, "tie_word_embeddings": false,
    });
    let config = ModelConfig::from_json("config.json".as_ref(), &json).expect("a possible one");
    let h = 1_u128 << 24;
    let layer = 4 * h * h + 3 * h * h + 4 * h + 2 * 256;
    assert_eq!(u128::from(config.parameters()), 512 * layer + 2 * h * h + h);
    let (f32, workload) = (FloatFormat::F32, Workload::new(usize::MAX, 0));
    let plan = MemoryPlan::new(
        &config,
        f32,
        Precision::AsIs,
        KvPrecision::AsWeights,
        workload,
    );
    assert_eq!(u128::from(plan.weights), 4 * (512 * layer + 2 * h * h));
    assert!(plan.total() > plan.weights);
}

/// The published shapes of the 27B with vision.
pub(super) fn config() -> ModelConfig {
    tied(true)
}

/// The same, the head a matrix of its own or not.
fn tied(tied: bool) -> ModelConfig {
    let json = json!({
        "architectures": ["Gemma3ForConditionalGeneration"],
        "model_type": "gemma3",
        "mm_tokens_per_image": 256, "boi_token_index": 255_999, "eoi_token_index": 256_000,
        "image_token_index": 262_144,
        "tie_word_embeddings": tied,
        "text_config": {
            "model_type": "gemma3_text", "hidden_size": 5376, "intermediate_size": 21504,
            "tie_word_embeddings": tied,
            "num_hidden_layers": 62, "num_attention_heads": 32, "num_key_value_heads": 16,
            "head_dim": 128, "query_pre_attn_scalar": 168, "sliding_window": 1024,
            "vocab_size": 262_208, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "max_position_embeddings": 131_072
        },
        "vision_config": {
            "model_type": "siglip_vision_model", "hidden_size": 1152,
            "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16,
            "image_size": 896, "patch_size": 14, "vision_use_head": false
        }
    });
    let dir = tempfile::tempdir().expect("a scratch folder");
    std::fs::write(dir.path().join("config.json"), json.to_string()).expect("writable");
    ModelConfig::read(dir.path()).expect("the published configuration")
}

#[test]
fn weights_are_the_sum_of_the_shapes() {
    let config = config();
    let plan = |precision| {
        MemoryPlan::new(
            &config,
            FloatFormat::Bf16,
            precision,
            KvPrecision::AsWeights,
            Workload::new(8192, 1),
        )
        .weights
    };
    // 27.43 billion parameters in all: 2 bytes each but for the norms' 4.
    let parameters = config.parameters();
    let as_is = plan(Precision::AsIs);
    // Four norms of 5376 and two of 128 a layer; the last norm is not counted.
    let norms = 62 * (4 * 5376 + 2 * 128);
    assert_eq!(as_is, 2 * parameters + 2 * norms - 2 * 5376);
    // By hand: layers 62·(5376·(4096 + 2·2048 + 4096) + 3·5376·21504) = 25 597 771 776 numbers
    // of 4.5 bits, 262208·5376 of 210/256 bytes; the tower and projector keep 2 bytes.
    let layers = 62 * (5376 * (4096 + 2 * 2048 + 4096) + 3 * 5376 * 21504_u64);
    let int4 = layers * 18 / 32 + 262_208 * 5376 * 210 / 256;
    let vision = as_is - 2 * (layers + 262_208 * 5376);
    assert_eq!(plan(Precision::Int4), int4 + vision);
    assert_eq!(
        plan(Precision::Int8),
        layers * 34 / 32 + 262_208 * 5376 * 34 / 32 + vision
    );
}

#[test]
fn a_head_of_its_own_is_counted() {
    let weights = |tied_head| {
        let (workload, kv_cache) = (Workload::new(1, 0), KvPrecision::AsWeights);
        let (config, int4) = (tied(tied_head), Precision::Int4);
        MemoryPlan::new(&config, FloatFormat::Bf16, int4, kv_cache, workload).weights
    };
    assert_eq!(weights(false) - weights(true), 262_208 * 5376 * 210 / 256);
}

#[test]
fn activations_are_those_of_the_widest_step() {
    let plan = |images| {
        let workload = Workload::new(2048, images);
        let (bf16, kv_cache) = (FloatFormat::Bf16, KvPrecision::AsWeights);
        MemoryPlan::new(&config(), bf16, Precision::AsIs, kv_cache, workload)
    };
    // By hand: a chunk of 512 tokens; 64·64 patches and three planes of 896·896.
    let chunk = 512 * (4 * 5376 + 3 * 21504) + 2 * 262_208;
    let picture = 4096 * (5 * 1152 + 2 * 4304) + 2 * 3 * 896 * 896;
    // What is kept for later results is as much as may be: 62 layers, and 27.
    let kept = 256 << 20;
    assert_eq!(plan(0).activations, 4 * chunk + kept);
    assert_eq!(plan(1).activations, 4 * picture + kept);
    assert_eq!(
        plan(2).activations,
        4 * picture + kept,
        "one after the other"
    );
    let plan = plan(1).with_kept(1000);
    let parts = [plan.weights, plan.kv_cache, plan.kept, plan.activations];
    assert_eq!(plan.total(), parts.iter().sum::<u64>() + plan.process);
    assert_eq!(plan.process, 150 << 20);
}

#[test]
fn a_pass_is_as_long_as_asked_for_and_no_longer_than_the_context() {
    let activations = |workload| {
        let (bf16, kv_cache) = (FloatFormat::Bf16, KvPrecision::AsWeights);
        MemoryPlan::new(&config(), bf16, Precision::AsIs, kv_cache, workload).activations
    };
    let workload = Workload::new(16_384, 0);
    // By hand, as above; 8 rows leave less behind than may be kept: two results of 62 layers.
    let of = |rows: u64| 4 * (rows * (4 * 5376 + 3 * 21504) + 2 * 262_208);
    let kept = 256 << 20;
    assert_eq!(activations(workload), of(512) + kept);
    let long = workload.with_prefill_chunk(8192);
    assert_eq!(activations(long), of(8192) + kept);
    let longer = workload.with_prefill_chunk(usize::MAX);
    assert_eq!(activations(longer), of(16_384) + kept);
    let short = workload.with_prefill_chunk(8);
    assert_eq!(activations(short), of(8) + 4 * 2 * 62 * 8 * 5376);
}

#[test]
fn a_batch_has_logits_and_a_row_of_each_conversation() {
    let activations = |conversations, chunk| {
        let workload = Workload::new(2048, 0)
            .with_conversations(conversations)
            .with_prefill_chunk(chunk);
        let (bf16, kv_cache) = (FloatFormat::Bf16, KvPrecision::AsWeights);
        MemoryPlan::new(&config(), bf16, Precision::AsIs, kv_cache, workload).activations
    };
    // By hand, as above: rows of a pass, and rows of logits, of which those of one conversation are there twice.
    let of = |rows: u64, logits: u64| 4 * (rows * (4 * 5376 + 3 * 21504) + logits * 262_208);
    let reused = |rows: u64| (4 * 2 * 62 * rows * 5376).min(256 << 20);
    assert_eq!(activations(64, 512), of(512, 65) + reused(512));
    assert_eq!(activations(64, 8), of(64, 65) + reused(64));
    assert_eq!(activations(1, 8), of(8, 2) + reused(8));
    assert_eq!(
        activations(0, 8),
        of(8, 2) + reused(8),
        "a step all the same"
    );
}

#[test]
fn soft_tokens_of_every_image_and_budgets_of_caches_are_kept() {
    let kept = |images, conversations| {
        let workload = Workload::new(2048, images).with_conversations(conversations);
        let (bf16, kv_cache) = (FloatFormat::Bf16, KvPrecision::AsWeights);
        MemoryPlan::new(&config(), bf16, Precision::AsIs, kv_cache, workload)
    };
    // By hand: 256 rows of 5376 numbers in f32, 5.5 MB; 468 MB for the 85 slices of a volume.
    let image = 256 * 5376 * 4;
    assert_eq!(kept(0, 1).kept, 0);
    assert_eq!(kept(1, 1).kept, image);
    assert_eq!(kept(85, 1).kept, 85 * image);
    assert_eq!(kept(85, 3).kept, 3 * 85 * image);
    let plan = kept(85, 1);
    assert_eq!(plan.with_kept(1 << 30).total(), plan.total() + (1 << 30));
    assert_eq!(
        plan.with_kept(u64::MAX).total(),
        u64::MAX,
        "no budget is too large to be refused"
    );
}

#[test]
fn options_of_a_load_are_planned_for() {
    let device = Device::cpu().expect("the feature cpu is on");
    let layers = [Arithmetic::Bf16; 62];
    let plan =
        |options: LoadOptions<'_>| MemoryPlan::of_load(&config(), &device, &options, &layers);
    let plain = plan(LoadOptions::default());
    let keeping = LoadOptions::default()
        .with_prefix_cache(1 << 20)
        .with_vision_cache(VisionCache::in_memory(1 << 25).with_folder("/nowhere", 1 << 40));
    assert_eq!(plan(keeping).kept, plain.kept + (1 << 20) + (1 << 25));
    let int8 = plan(LoadOptions::default().with_kv_cache(KvPrecision::Int8));
    assert!(int8.kv_cache < plain.kv_cache);
    // The files count, not the configuration: one layer of 62, a local one, in f32.
    let mut mixed = layers;
    mixed[0] = Arithmetic::F32;
    let options =
        LoadOptions::default().with_workload(Workload::new(4096, 1).with_conversations(3));
    let in_bf16 = MemoryPlan::of_load(&config(), &device, &options, &layers).kv_cache;
    let found = MemoryPlan::of_load(&config(), &device, &options, &mixed).kv_cache;
    assert_eq!(found - in_bf16, 3 * 1536 * 2 * 16 * 128 * 2);
    #[cfg(feature = "ndarray")]
    {
        let device = Device::ndarray().expect("the feature ndarray is on");
        let options = LoadOptions::default().with_kv_cache(KvPrecision::Int8);
        let wide = MemoryPlan::of_load(&config(), &device, &options, &layers);
        assert_eq!(
            wide.kv_cache,
            2 * plain.kv_cache,
            "f32 for bf16, whatever is asked for"
        );
    }
}

#[test]
fn a_longer_context_or_an_image_needs_more() {
    let config = config();
    let plan = |context, images| {
        let workload = Workload::new(context, images);
        let kv_cache = KvPrecision::AsWeights;
        MemoryPlan::new(
            &config,
            FloatFormat::Bf16,
            Precision::Int4,
            kv_cache,
            workload,
        )
    };
    assert!(plan(8192, 0).kv_cache > plan(2048, 0).kv_cache);
    assert!(plan(8192, 1).activations > plan(8192, 0).activations);
    assert_eq!(
        plan(4096, 0).kv_cache * 3,
        MemoryPlan::new(
            &config,
            FloatFormat::Bf16,
            Precision::Int4,
            KvPrecision::AsWeights,
            Workload::new(4096, 0).with_conversations(3)
        )
        .kv_cache
    );
    assert!(plan(8192, 1).total() < 22 << 30, "{}", plan(8192, 1));
}

#[test]
fn keys_and_values_in_int8_are_a_byte_each_and_a_scale_for_each_head() {
    let config = config();
    let held = |stored, precision, kv_cache, context| {
        let workload = Workload::new(context, 0);
        MemoryPlan::new(&config, stored, precision, kv_cache, workload).kv_cache
    };
    let plan = |stored, kv_cache| held(stored, Precision::AsIs, kv_cache, 8192);
    // By hand: every sixth of 62 layers is global, 10 of 8192 · 5 / 4 slots; the other 52 have a
    // window of 1024 and 512 more; keys and values of 16 heads of 128 numbers in each slot.
    // Once more the keys of a global layer, whose old slots stay while they move to longer ones.
    let rows = (10 * 10_240 + 52 * 1536) * 2 * 16 + 8192 * 16;
    let (bf16, f32) = (FloatFormat::Bf16, FloatFormat::F32);
    assert_eq!(plan(bf16, KvPrecision::AsWeights), rows * 128 * 2);
    assert_eq!(plan(f32, KvPrecision::AsWeights), rows * 128 * 4);
    assert_eq!(plan(bf16, KvPrecision::Int8), rows * (128 + 4));
    assert_eq!(plan(f32, KvPrecision::Int8), rows * (128 + 4));
    // f16 is computed in f32, and whatever is held in fewer bits in bf16.
    assert_eq!(
        plan(FloatFormat::F16, KvPrecision::AsWeights),
        rows * 128 * 4
    );
    let int4 = held(f32, Precision::Int4, KvPrecision::AsWeights, 8192);
    assert_eq!(int4, rows * 128 * 2);
    // Rows of 24 numbers are no whole blocks: they stay as they are.
    let mut odd = config.clone();
    odd.text.hidden_size = 24;
    let workload = Workload::new(8192, 0);
    let plan = MemoryPlan::new(&odd, f32, Precision::Int4, KvPrecision::AsWeights, workload);
    assert_eq!(plan.kv_cache, rows * 128 * 4);
    // A cache begins with 64 slots, and nothing has moved.
    let short = held(bf16, Precision::AsIs, KvPrecision::AsWeights, 10);
    assert_eq!(short, 62 * 64 * 2 * 16 * 128 * 2);
}
