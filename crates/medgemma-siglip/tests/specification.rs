//! The vision tower against the formulas of its papers, written out as loops over f64, for random
//! shapes and weights. The two share no code: what one gets wrong, the other does not.

#![allow(clippy::cast_possible_truncation, reason = "a test")]

mod support;

use medgemma_siglip::{Error, Stage, VisionConfig};
use medgemma_tensor::{Device, tensor_from, vec_from};
use proptest::prelude::*;
use support::{Memory, config};

type Rows = Vec<Vec<f64>>;

/// The papers' tower over the weights of a [`Memory`].
struct Formulas<'a> {
    memory: &'a Memory,
    config: &'a VisionConfig,
}

impl Formulas<'_> {
    fn get(&self, key: &str) -> Vec<f64> {
        let values = &self.memory.values[&format!("vision_tower.{key}")];
        values.iter().map(|&v| f64::from(v)).collect()
    }

    fn linear(&self, name: &str, x: &Rows) -> Rows {
        let (weight, bias) = (
            self.get(&format!("{name}.weight")),
            self.get(&format!("{name}.bias")),
        );
        let dot = |row: &[f64], out: usize| {
            let w = &weight[out * row.len()..(out + 1) * row.len()];
            row.iter().zip(w).map(|(a, b)| a * b).sum::<f64>() + bias[out]
        };
        x.iter()
            .map(|row| (0..bias.len()).map(|out| dot(row, out)).collect())
            .collect()
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        let (gain, bias) = (
            self.get(&format!("{name}.weight")),
            self.get(&format!("{name}.bias")),
        );
        x.iter()
            .map(|row| {
                let d = row.len() as f64;
                let mean = row.iter().sum::<f64>() / d;
                let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / d;
                let root = (variance + self.config.layer_norm_eps).sqrt();
                (0..row.len())
                    .map(|i| (row[i] - mean) / root * gain[i] + bias[i])
                    .collect()
            })
            .collect()
    }

    /// softmax(q·kᵀ/√h)·v for every head on its own.
    fn attention(&self, layer: &str, x: &Rows) -> Rows {
        let [q, k, v] = ["q_proj", "k_proj", "v_proj"]
            .map(|name| self.linear(&format!("{layer}.self_attn.{name}"), x));
        let h = self.config.hidden_size / self.config.num_attention_heads;
        let mut joined: Rows = vec![Vec::new(); x.len()];
        for head in 0..self.config.num_attention_heads {
            let lanes = head * h..(head + 1) * h;
            for (query, out) in q.iter().zip(&mut joined) {
                let weights: Vec<f64> = k
                    .iter()
                    .map(|key| {
                        let dot: f64 = lanes.clone().map(|i| query[i] * key[i]).sum();
                        (dot / (h as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                out.extend(lanes.clone().map(|lane| {
                    weights
                        .iter()
                        .zip(&v)
                        .map(|(w, value)| w / total * value[lane])
                        .sum::<f64>()
                }));
            }
        }
        self.linear(&format!("{layer}.self_attn.out_proj"), &joined)
    }

    fn mlp(&self, layer: &str, x: &Rows) -> Rows {
        let gelu = |v: f64| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3));
            0.5 * v * (1.0 + inner.tanh())
        };
        let mut hidden = self.linear(&format!("{layer}.mlp.fc1"), x);
        hidden.iter_mut().flatten().for_each(|v| *v = gelu(*v));
        self.linear(&format!("{layer}.mlp.fc2"), &hidden)
    }

    /// Patches in reading order, each a dot product with the kernel of every output.
    fn embeddings(&self, pixels: &[f32]) -> Rows {
        let (p, side) = (self.config.patch_size, self.config.image_size);
        let kernel = self.get("embeddings.patch_embedding.weight");
        let bias = self.get("embeddings.patch_embedding.bias");
        let positions = self.get("embeddings.position_embedding.weight");
        let (channels, d, grid) = (self.config.num_channels, bias.len(), side / p);
        let mut rows = Rows::new();
        for (patch, (top, left)) in (0..grid)
            .flat_map(|r| (0..grid).map(move |c| (r * p, c * p)))
            .enumerate()
        {
            let one = |out: usize| {
                let mut sum = bias[out] + positions[patch * d + out];
                for c in 0..channels {
                    for (y, x) in (0..p).flat_map(|y| (0..p).map(move |x| (y, x))) {
                        let pixel = pixels[(c * side + top + y) * side + left + x];
                        sum += f64::from(pixel) * kernel[((out * channels + c) * p + y) * p + x];
                    }
                }
                sum
            };
            rows.push((0..d).map(one).collect());
        }
        rows
    }

    /// Every stage in order.
    fn stages(&self, pixels: &[f32]) -> Vec<(Stage, Rows)> {
        let mut x = self.embeddings(pixels);
        let mut stages = vec![(Stage::Embeddings, x.clone())];
        for i in 0..self.config.num_hidden_layers {
            let layer = format!("encoder.layers.{i}");
            x = sum(
                &x,
                &self.attention(&layer, &self.norm(&format!("{layer}.layer_norm1"), &x)),
            );
            x = sum(
                &x,
                &self.mlp(&layer, &self.norm(&format!("{layer}.layer_norm2"), &x)),
            );
            stages.push((Stage::Layer(i), x.clone()));
        }
        stages.push((Stage::PostLayernorm, self.norm("post_layernorm", &x)));
        stages
    }
}

fn sum(a: &Rows, b: &Rows) -> Rows {
    let add = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(add).collect()
}

fn observed(memory: &Memory, config: &VisionConfig, pixels: &[f32]) -> Vec<(Stage, Vec<f32>)> {
    let device = Device::cpu().expect("compiled in");
    let side = config.image_size;
    let pixels = tensor_from(pixels.to_vec(), [config.num_channels, side, side], &device);
    let mut seen = Vec::new();
    memory
        .tower(config, &device)
        .forward_observed(pixels, &mut |stage, x| {
            seen.push((stage, vec_from(x.clone(), "stage").expect("readable")));
        })
        .expect("fits");
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stage_is_what_the_formulas_say(
        seed in any::<u64>(),
        heads in 1usize..4,
        head_width in 2usize..6,
        intermediate in 1usize..17,
        (grid, patch, channels) in (1usize..4, 1usize..4, 1usize..4),
        layers in 1usize..4,
        eps in prop::sample::select(vec![1e-6, 1e-2, 0.5]),
    ) {
        // Of two or three numbers a norm may leave a sign alone, which rounding turns, but for a large epsilon.
        prop_assume!(heads * head_width > 3 || eps > 0.1);
        let config = config(
            [heads * head_width, intermediate, layers, heads],
            [grid * patch, patch, channels],
            eps,
        );
        let memory = Memory::seeded(&config, seed);
        let pixels = support::pixels(&config, seed);
        let right = Formulas { memory: &memory, config: &config }.stages(&pixels);
        let seen = observed(&memory, &config, &pixels);
        prop_assert_eq!(seen.len(), right.len());
        for ((stage, found), (expected_stage, expected)) in seen.iter().zip(&right) {
            prop_assert_eq!(stage, expected_stage);
            let expected: Vec<f64> = expected.iter().flatten().copied().collect();
            let largest = expected.iter().fold(1e-3, |m: f64, v| m.max(v.abs()));
            prop_assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(&expected) {
                let error = (f64::from(*a) - b).abs() / largest;
                prop_assert!(error < 1e-5, "{stage:?}: {a} is not {b}");
            }
        }
    }
}

/// The embeddings are the patches themselves.
fn identity() -> (VisionConfig, Memory) {
    let config = config([4, 1, 1, 1], [4, 2, 1], 1e-6);
    let mut memory = Memory::seeded(&config, 1);
    let mut set = |key: &str, values: Vec<f32>| {
        let slot = memory
            .values
            .get_mut(&format!("vision_tower.{key}"))
            .expect("known key");
        assert_eq!(slot.len(), values.len());
        *slot = values;
    };
    let unit = (0..16)
        .map(|i| if i % 5 == 0 { 1.0 } else { 0.0 })
        .collect();
    set("embeddings.patch_embedding.weight", unit);
    set("embeddings.patch_embedding.bias", vec![0.0; 4]);
    set("embeddings.position_embedding.weight", vec![0.0; 16]);
    (config, memory)
}

#[test]
fn patches_and_their_pixels_are_read_row_by_row() {
    let (config, memory) = identity();
    let pixels: Vec<f32> = (0..16u8).map(f32::from).collect();
    let (stage, rows) = observed(&memory, &config, &pixels).swap_remove(0);
    assert_eq!(stage, Stage::Embeddings);
    let expected = [
        [0.0, 1.0, 4.0, 5.0],
        [2.0, 3.0, 6.0, 7.0],
        [8.0, 9.0, 12.0, 13.0],
        [10.0, 11.0, 14.0, 15.0],
    ];
    assert_eq!(rows, expected.concat());
}

#[test]
fn each_position_belongs_to_its_patch() {
    let config = config([6, 9, 2, 2], [6, 2, 3], 1e-6);
    let mut memory = Memory::seeded(&config, 5);
    let pixels = support::pixels(&config, 5);
    let before = observed(&memory, &config, &pixels);
    let positions = memory
        .values
        .get_mut("vision_tower.embeddings.position_embedding.weight")
        .expect("known key");
    // Exchanges the positions of patches 0 and 1.
    positions[..12].rotate_left(6);
    let after = observed(&memory, &config, &pixels);
    let (_, last_before) = before.last().expect("stages");
    let (_, last_after) = after.last().expect("stages");
    let moved = last_before
        .iter()
        .zip(last_after)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(moved > 1e-2, "positions do not matter: {moved}");
}

#[test]
fn without_positions_the_encoder_does_not_know_the_order_of_rows() {
    let config = config([6, 9, 2, 2], [2, 1, 1], 1e-6);
    let mut memory = Memory::seeded(&config, 5);
    memory
        .values
        .get_mut("vision_tower.embeddings.position_embedding.weight")
        .expect("known key")
        .fill(0.0);
    let (_, straight) = observed(&memory, &config, &[0.1, -0.5, 0.9, 0.3])
        .pop()
        .expect("stages");
    let (_, reversed) = observed(&memory, &config, &[0.3, 0.9, -0.5, 0.1])
        .pop()
        .expect("stages");
    for (row, mirror) in straight.chunks(6).zip(reversed.rchunks(6)) {
        for (a, b) in row.iter().zip(mirror) {
            assert!((a - b).abs() < 1e-5, "a mask or an order crept in: {a} {b}");
        }
    }
}

#[test]
fn pixels_of_another_shape_are_an_error_that_tells_both() {
    let (config, memory) = identity();
    let device = Device::cpu().expect("compiled in");
    let tower = memory.tower(&config, &device);
    for shape in [[3, 4, 4], [1, 8, 4], [1, 4, 8], [1, 2, 2], [0, 4, 4]] {
        let pixels = tensor_from(vec![0.0; shape.iter().product()], shape, &device);
        let error = tower.forward(pixels).expect_err("does not fit");
        assert!(
            matches!(error, Error::PixelShape { expected: [1, 4, 4], found } if found == shape),
            "{error}"
        );
    }
}
