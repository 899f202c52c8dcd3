//! A checkpoint in memory: seeded weights under the canonical keys of a vision tower, to be changed
//! by the test before it is loaded.

#![allow(unreachable_pub, missing_docs, reason = "a module of tests")]

use std::collections::BTreeMap;
use std::path::Path;

use medgemma_siglip::{VisionConfig, VisionTower};
use medgemma_tensor::checkpoint::{Loader, MappedBytes, StoredDtype, TensorInfo, WeightSource};
use medgemma_tensor::{Device, FloatFormat, Result};
use serde_json::json;

/// Tensors by canonical key, all f32.
pub struct Memory {
    pub values: BTreeMap<String, Vec<f32>>,
    infos: BTreeMap<String, TensorInfo>,
}

impl Memory {
    /// Every tensor that a tower of this shape has; each number follows from `seed`, the key and
    /// its place.
    pub fn seeded(config: &VisionConfig, seed: u64) -> Self {
        let mut memory = Self {
            values: BTreeMap::new(),
            infos: BTreeMap::new(),
        };
        for (key, shape) in shapes(config) {
            memory.insert(&key, shape, seed);
        }
        memory
    }

    fn insert(&mut self, key: &str, shape: Vec<usize>, seed: u64) {
        let elements: usize = shape.iter().product();
        let fan_in = shape[1..].iter().product::<usize>().max(1) as f32;
        let is_gain = key.contains("norm") && key.ends_with("weight");
        let mut state = key
            .bytes()
            .fold(seed, |hash, byte| mix(hash ^ u64::from(byte)));
        let values = (0..elements).map(|_| {
            state = mix(state);
            let uniform = (state >> 40) as f32 / (1 << 23) as f32 - 1.0;
            if is_gain {
                1.0 + 0.5 * uniform
            } else {
                2.0 * uniform / fan_in.sqrt()
            }
        });
        self.values.insert(key.to_owned(), values.collect());
        let info = TensorInfo::new(
            StoredDtype::Float(FloatFormat::F32),
            shape,
            4 * elements as u64,
        );
        self.infos.insert(key.to_owned(), info);
    }

    /// The tower of these weights; panics where it does not load.
    pub fn tower(&self, config: &VisionConfig, device: &Device) -> VisionTower {
        let mut loader = Loader::new(self, &[], device).expect("canonical names");
        let tower = VisionTower::load(&mut loader.scope("vision_tower"), config).expect("complete");
        loader.finish().expect("nothing surplus");
        tower
    }
}

impl WeightSource for Memory {
    fn location(&self) -> &Path {
        Path::new("memory")
    }

    fn names(&self) -> Vec<&str> {
        self.infos.keys().map(String::as_str).collect()
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.infos.get(name)
    }

    fn file(&self, _name: &str) -> &Path {
        self.location()
    }

    fn bytes(&self, name: &str) -> Result<MappedBytes> {
        let bytes: Vec<u8> = self.values[name]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        Ok(MappedBytes::from_owner(bytes))
    }
}

/// Canonical keys and shapes of a vision tower (medgemma's weights, `vision_tower.`).
fn shapes(config: &VisionConfig) -> Vec<(String, Vec<usize>)> {
    let (d, i, p) = (
        config.hidden_size,
        config.intermediate_size,
        config.patch_size,
    );
    let patches = (config.image_size / p).pow(2);
    let mut all = vec![
        (
            "embeddings.patch_embedding.weight".to_owned(),
            vec![d, config.num_channels, p, p],
        ),
        ("embeddings.patch_embedding.bias".to_owned(), vec![d]),
        (
            "embeddings.position_embedding.weight".to_owned(),
            vec![patches, d],
        ),
        ("post_layernorm.weight".to_owned(), vec![d]),
        ("post_layernorm.bias".to_owned(), vec![d]),
    ];
    for layer in 0..config.num_hidden_layers {
        for (name, out, inputs) in [
            ("self_attn.q_proj", d, d),
            ("self_attn.k_proj", d, d),
            ("self_attn.v_proj", d, d),
            ("self_attn.out_proj", d, d),
            ("mlp.fc1", i, d),
            ("mlp.fc2", d, i),
        ] {
            all.push((
                format!("encoder.layers.{layer}.{name}.weight"),
                vec![out, inputs],
            ));
            all.push((format!("encoder.layers.{layer}.{name}.bias"), vec![out]));
        }
        for norm in ["layer_norm1", "layer_norm2"] {
            for part in ["weight", "bias"] {
                all.push((format!("encoder.layers.{layer}.{norm}.{part}"), vec![d]));
            }
        }
    }
    all.into_iter()
        .map(|(key, shape)| (format!("vision_tower.{key}"), shape))
        .collect()
}

/// One step of SplitMix64 (Steele et al. 2014).
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Pixels between −1 and 1 that follow from `seed`.
pub fn pixels(config: &VisionConfig, seed: u64) -> Vec<f32> {
    let mut state = !seed;
    let uniform = |_| {
        state = mix(state);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..config.num_channels * config.image_size.pow(2))
        .map(uniform)
        .collect()
}

/// A configuration with `[hidden_size, intermediate_size, num_hidden_layers, num_attention_heads]`
/// and `[image_size, patch_size, num_channels]`.
pub fn config(encoder: [usize; 4], picture: [usize; 3], eps: f64) -> VisionConfig {
    let [d, intermediate, layers, heads] = encoder;
    let [image, patch, channels] = picture;
    let json = json!({
        "hidden_size": d,
        "intermediate_size": intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": image,
        "patch_size": patch,
        "num_channels": channels,
        "layer_norm_eps": eps,
    });
    VisionConfig::from_json(Path::new("config.json"), "vision_config.", &json).expect("sound")
}
