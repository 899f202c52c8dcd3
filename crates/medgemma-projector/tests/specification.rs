//! The projector against its formula, written out as loops over f64, for random grids, windows,
//! widths and weights.

use medgemma_projector::{Projector, ProjectorConfig};
use medgemma_tensor::checkpoint::{Loader, SafetensorsDir};
use medgemma_tensor::{Device, tensor_from, vec_from};
use medgemma_testkit::{Scratch, Stored, Tensors};
use proptest::prelude::*;

/// The weights, as a checkpoint of only the projector.
#[derive(Debug)]
struct Weights {
    norm: Vec<f32>,
    projection: Vec<f32>,
}

impl Weights {
    fn run(&self, config: ProjectorConfig, features: &[f32]) -> Vec<f32> {
        let (vision, text) = (config.vision_hidden_size, config.text_hidden_size);
        let mut tensors = Tensors::default();
        tensors.insert(
            "mm_soft_emb_norm.weight",
            Stored::from_f32(&[vision], &self.norm),
        );
        tensors.insert(
            "mm_input_projection_weight",
            Stored::from_f32(&[vision, text], &self.projection),
        );
        let scratch = Scratch::of("text-27b-like");
        scratch.replace(&tensors);
        let device = Device::cpu().expect("compiled in");
        let source = SafetensorsDir::open(scratch.path()).expect("sound");
        let mut loader = Loader::new(&source, &[], &device).expect("distinct names");
        let projector = Projector::load(&mut loader.scope(""), &config).expect("complete");
        loader.finish().expect("nothing surplus");
        let patches = config.patches_per_side.pow(2);
        let features = tensor_from(features.to_vec(), [patches, vision], &device);
        vec_from(projector.forward(features).expect("fits"), "tokens").expect("readable")
    }

    /// token(r, c) = rms(mean of its window)·(1 + w) · W
    fn formula(&self, config: ProjectorConfig, features: &[f32]) -> Vec<f64> {
        let (d, side) = (config.vision_hidden_size, config.patches_per_side);
        let tokens = config.tokens_per_side();
        let kernel = side / tokens;
        assert_eq!(side / kernel, tokens, "what fills no window is left out");
        let mut out = Vec::new();
        for token in 0..tokens * tokens {
            let (top, left) = (token / tokens * kernel, token % tokens * kernel);
            let mean = |lane: usize| {
                let window = (0..kernel * kernel).map(|i| {
                    let patch = (top + i / kernel) * side + left + i % kernel;
                    f64::from(features[patch * d + lane])
                });
                window.sum::<f64>() / (kernel * kernel) as f64
            };
            let pooled: Vec<f64> = (0..d).map(mean).collect();
            let square = pooled.iter().map(|v| v * v).sum::<f64>() / d as f64;
            let root = (square + config.eps).sqrt();
            let normed: Vec<f64> = (0..d)
                .map(|i| pooled[i] / root * (1.0 + f64::from(self.norm[i])))
                .collect();
            out.extend((0..config.text_hidden_size).map(|column| {
                let weights = self
                    .projection
                    .iter()
                    .skip(column)
                    .step_by(config.text_hidden_size);
                normed
                    .iter()
                    .zip(weights)
                    .map(|(v, &w)| v * f64::from(w))
                    .sum::<f64>()
            }));
        }
        out
    }
}

fn values(len: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1.0f32..1.0, len)
}

/// Sizes with weights and features that fit them.
fn cases() -> impl Strategy<Value = (ProjectorConfig, Weights, Vec<f32>)> {
    let sizes = (
        1usize..4,
        1usize..5,
        0usize..3,
        2usize..7,
        1usize..7,
        prop::sample::select(vec![1e-6, 0.3]),
    );
    sizes.prop_flat_map(|(tokens, kernel, rest, vision, text, eps)| {
        // A rest as large as either would make another window, or another token.
        let side = tokens * kernel + rest.min(tokens.min(kernel) - 1);
        let config = ProjectorConfig::new(vision, text, side, tokens * tokens, eps).expect("sound");
        (
            values(vision),
            values(vision * text),
            values(side * side * vision),
        )
            .prop_map(move |(norm, projection, features)| {
                (config, Weights { norm, projection }, features)
            })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn soft_tokens_are_what_the_formula_says((config, weights, features) in cases()) {
        let found = weights.run(config, &features);
        let expected = weights.formula(config, &features);
        prop_assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            prop_assert!((f64::from(*a) - b).abs() / largest < 1e-4, "{a} is not {b}");
        }
    }
}
