//! The two rotary embeddings of Gemma 3 (report §2.1, "long context").
//!
//! Local layers rotate with base `rope_local_base_freq` (10 000) at the plain position. Global
//! layers rotate with base `rope_theta` (1 000 000) and, on 4B and larger, frequencies divided by
//! 8 (`rope_scaling: linear`): they were extended from 32k to 128k tokens after pre-training,
//! local layers never see further than their window and were not. Reference:
//! `Gemma3RotaryEmbedding` in transformers 5.23.

use medgemma_tensor::{Device, ops::Rotation};

use crate::config::{LayerType, RopeParameters, TextConfig};

/// Inverse frequencies of both layer kinds, built once at load.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    sliding: Vec<f32>,
    full: Vec<f32>,
}

impl Rope {
    pub(crate) fn new(config: &TextConfig) -> Self {
        Self {
            sliding: frequencies(&config.rope_sliding, config.head_dim),
            full: frequencies(&config.rope_full, config.head_dim),
        }
    }

    /// Cosines and sines of these absolute positions for layers of this kind.
    pub(crate) fn rotation(
        &self,
        kind: LayerType,
        positions: &[usize],
        device: &Device,
    ) -> Rotation {
        let frequencies = match kind {
            LayerType::Sliding => &self.sliding,
            LayerType::Full => &self.full,
        };
        Rotation::new(positions, frequencies, device)
    }
}

/// `theta^(−2i/h) / factor` for i in 0..h/2, rounded step by step as torch's f32 expression is.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the reference computes in f32; an f64 table would differ from it at long positions"
)]
fn frequencies(rope: &RopeParameters, head_dim: usize) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|i| {
            let exponent = (2 * i) as f32 / head_dim as f32;
            1.0 / (rope.theta as f32).powf(exponent) / rope.factor as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::frequencies;
    use crate::config::RopeParameters;

    #[test]
    fn the_factor_divides_every_frequency_and_the_base_sets_the_last() {
        let local = frequencies(
            &RopeParameters {
                theta: 10_000.0,
                factor: 1.0,
            },
            256,
        );
        let global = frequencies(
            &RopeParameters {
                theta: 1_000_000.0,
                factor: 8.0,
            },
            256,
        );
        assert_eq!(local.len(), 128);
        assert_eq!((local[0], global[0]), (1.0, 0.125));
        // 10000^(−254/256) and 1000000^(−254/256)/8, by hand
        assert!(
            (local[127] / 1.074_607_8e-4 - 1.0).abs() < 1e-5,
            "{}",
            local[127]
        );
        assert!(
            (global[127] / 1.392_467e-7 - 1.0).abs() < 1e-5,
            "{}",
            global[127]
        );
    }
}
