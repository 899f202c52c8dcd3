//! Attention of grouped queries over cached keys, with memory linear in the number of keys.

use std::ops::Range;
use std::sync::OnceLock;

use burn::tensor::{Bool, DType, Tensor, TensorData, activation::softmax};

use super::concat::concat;
use super::matmul::matmul;
use crate::device::Device;
#[cfg(feature = "cpu")]
use crate::extension;
use crate::kv::{KvPrecision, KvRows};
use crate::weight::Arithmetic;

/// Elements of one block of scores: 2²⁴ · 4 bytes = 64 MB, whatever the picture or prompt.
const SCORE_ELEMENTS: usize = 1 << 24;

/// Any finite score that the exponential takes to zero; infinities would make NaN of a row that
/// the softmax subtracts its maximum from on backends that evaluate it in a different order.
const HIDDEN_SCORE: f32 = -1e30;

/// The longest axis that every backend reduces rightly: burn-wgpu 0.22.1 sums some longer ones
/// wrongly without a word (70 001 numbers are off by a quarter).
const LONGEST_SUM: usize = 1 << 16;

/// Which keys each query may attend to: one interval of key indices per query row.
///
/// Causal, sliding-window and image-span visibility are all intervals: a query at position p sees
/// the keys from `p + 1 − window` up to itself, or up to the end of its image. An empty interval sees
/// none.
#[derive(Debug, Clone)]
pub struct AttentionMask {
    visible: Vec<Range<usize>>,
    keys: usize,
    device: Device,
    /// What portable code needs, made when it is first asked for: t·s flags.
    hidden: OnceLock<Tensor<2, Bool>>,
}

impl AttentionMask {
    /// Builds the mask; `None` when every query sees every key, so that nothing needs hiding.
    ///
    /// # Shapes
    /// - `visible`: t intervals within `0..keys`
    #[must_use]
    pub fn new(visible: &[Range<usize>], keys: usize, device: &Device) -> Option<Self> {
        if visible
            .iter()
            .all(|interval| interval.start == 0 && interval.end >= keys)
        {
            return None;
        }
        Some(Self {
            visible: visible.to_vec(),
            keys,
            device: device.clone(),
            hidden: OnceLock::new(),
        })
    }

    /// The mask of the last `rows` queries.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn last(&self, rows: usize) -> Self {
        Self {
            visible: self.visible[self.visible.len() - rows..].to_vec(),
            keys: self.keys,
            device: self.device.clone(),
            hidden: OnceLock::new(),
        }
    }

    /// `[t, 1]`, true for queries that see no key; `None` when there are none.
    fn blind(&self) -> Option<Tensor<2, Bool>> {
        // In models each sees itself.
        if !self.visible.iter().any(Range::is_empty) {
            return None;
        }
        let flags: Vec<bool> = self.visible.iter().map(Range::is_empty).collect();
        let shape = [flags.len(), 1];
        let data = TensorData::new(flags, shape);
        Some(Tensor::from_data(data, self.device.as_burn()))
    }

    /// `[t, s]`, true where a query must not look.
    fn hidden(&self) -> &Tensor<2, Bool> {
        self.hidden.get_or_init(|| {
            let flags: Vec<bool> = self
                .visible
                .iter()
                .flat_map(|interval| (0..self.keys).map(move |key| !interval.contains(&key)))
                .collect();
            let data = TensorData::new(flags, [self.visible.len(), self.keys]);
            Tensor::from_data(data, self.device.as_burn())
        })
    }
}

/// Keys or values in the format that they are cached in: a cache stores what this returns.
///
/// [`KvPrecision::AsWeights`] is what attention with this arithmetic reads fastest: bf16 on the CPU
/// for [`Arithmetic::Bf16`], unchanged otherwise. [`KvPrecision::Int8`] is symmetric, for each head
/// and key: scale = max |x| / 127, number = x / scale, rounded, ties to even; a row of zeros has
/// the scale 0. The CPU holds whole numbers and scales, other devices their products as f32.
///
/// Rows that autodiff follows stay f32: unchanged with [`KvPrecision::AsWeights`], and with [`KvPrecision::Int8`]
/// rounded, through which no gradient goes but that of the scales.
///
/// # Shapes
/// - `x`: `[t, k, h]` or `[k, t, h]`, f32; the result has the same
#[must_use]
pub fn rounded(x: Tensor<3>, arithmetic: Arithmetic, precision: KvPrecision) -> KvRows {
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::rounded(&x, arithmetic, precision) {
        extension::recycle(x);
        return y;
    }
    let _ = arithmetic;
    match precision {
        KvPrecision::AsWeights => x.into(),
        KvPrecision::Int8 => {
            let scales = x.clone().abs().max_dim(2) / 127.0;
            // A row of zeros must not be divided by zero; 1 leaves it as it is. So must not what
            // the kernel takes for zeros: its scale would lose bits.
            let zeros = scales.clone().lower_elem(f32::MIN_POSITIVE);
            let divisors = scales.clone().mask_fill(zeros.clone(), 1.0);
            ((x / divisors).round() * scales.mask_fill(zeros, 0.0)).into()
        }
    }
}

/// `softmax(scale · q · Kᵀ) · V`; query head i reads key-value head `i / (n/k)`.
///
/// Groups are folded into the query axis instead of repeating keys: the fused attention of some
/// backends is silently wrong on unequal head counts, and no copy of the cache is made. A query that sees no
/// key, or has none to see, gets zeros.
///
/// # Shapes
/// - `q`: `[t, n, h]`, f32
/// - `keys`, `values`: `[k, s, h]`, of tensors of f32 or what [`rounded`] made of them, both alike,
///   n a multiple of k; views are read where they lie
/// - `mask`: t intervals over s keys; `None` shows everything
/// - result: `[t, n·h]`, f32
#[must_use]
pub fn attention(
    q: Tensor<3>,
    keys: KvRows,
    values: KvRows,
    scale: f64,
    mask: Option<&AttentionMask>,
) -> Tensor<2> {
    let [t, n, h] = q.dims();
    let [k, s, _] = keys.dims();
    if t == 0 || s == 0 {
        return Tensor::zeros([t, n * h], (&q.device(), DType::F32));
    }
    #[cfg(feature = "cpu")]
    if let Some(y) = extension::attention(
        &q,
        &keys,
        &values,
        scale,
        mask.map(|mask| mask.visible.as_slice()),
    ) {
        extension::recycle(q);
        extension::recycle_rows(keys);
        extension::recycle_rows(values);
        return y;
    }
    let group = n / k;
    let (keys, values) = (keys.widened(), values.widened());
    // [t, n, h] → [k, group, t, h]
    let q = (q * scale).reshape([t, k, group, h]).permute([1, 2, 0, 3]);
    let block = block_of(t, n * s);
    let parts = (0..t).step_by(block).map(|start| {
        let rows = block.min(t - start);
        let q = q
            .clone()
            .narrow(2, start, rows)
            .reshape([k, group * rows, h]);
        let scores = matmul(q, keys.clone().swap_dims(1, 2), false).reshape([k, group, rows, s]);
        let scores = match mask {
            Some(mask) => hide(scores, mask.hidden().clone().narrow(0, start, rows)),
            None => scores,
        };
        let weights = softmax_over_keys(scores).reshape([k, group * rows, s]);
        // [k, group·rows, h] → [rows, n·h]
        matmul(weights, values.clone(), false)
            .reshape([n, rows, h])
            .swap_dims(0, 1)
            .reshape([rows, n * h])
    });
    let y = concat(parts.collect(), 0);
    // Of hidden scores alone, the softmax made the mean of all values.
    match mask.and_then(AttentionMask::blind) {
        Some(blind) => y.mask_fill(blind.expand([t, n * h]), 0.0),
        None => y,
    }
}

/// Queries, of `t`, whose scores are made at a time, `scores` of each: as many as [`SCORE_ELEMENTS`] hold, one
/// at least.
fn block_of(t: usize, scores: usize) -> usize {
    (SCORE_ELEMENTS / scores).clamp(1, t)
}

/// Replaces the scores `[k, group, rows, s]` of hidden keys.
fn hide(scores: Tensor<4>, hidden: Tensor<2, Bool>) -> Tensor<4> {
    let shape = scores.dims();
    scores.mask_fill(hidden.unsqueeze::<4>().expand(shape), HIDDEN_SCORE)
}

/// Softmax of scores `[k, group, rows, s]` over s, summed in pieces that no backend gets wrong.
fn softmax_over_keys(scores: Tensor<4>) -> Tensor<4> {
    if scores.dims()[3] <= LONGEST_SUM {
        return softmax(scores, 3);
    }
    let pieces = scores.split(LONGEST_SUM, 3);
    let maxima = pieces.iter().map(|piece| piece.clone().max_dim(3));
    let most = maxima
        .reduce(Tensor::max_pair)
        .expect("there is more than one piece");
    let powers: Vec<Tensor<4>> = pieces
        .into_iter()
        .map(|piece| (piece - most.clone()).exp())
        .collect();
    let sums = powers.iter().map(|piece| piece.clone().sum_dim(3));
    let total = sums
        .reduce(|a, b| a + b)
        .expect("there is more than one piece");
    Tensor::cat(powers, 3) / total
}

#[cfg(test)]
mod tests {
    use super::block_of;

    #[test]
    fn the_scores_of_a_block_take_64_megabytes_at_most() {
        const MOST: usize = 64 << 20;
        let bytes = |rows: usize, scores: usize| rows * scores * size_of::<f32>();
        // Tokens, heads and keys of 27B's longest prompt, in its chunks; of a picture; and of a few.
        for (t, n, s) in [
            (512, 32, 131_072),
            (512, 32, 1000),
            (4096, 16, 4096),
            (3, 8, 70),
        ] {
            let rows = block_of(t, n * s);
            assert!((1..=t).contains(&rows));
            assert!(bytes(rows, n * s) <= MOST, "{t} {n} {s}");
            assert!(rows == t || bytes(rows + 1, n * s) > MOST, "{t} {n} {s}");
        }
        // There is no less than one query.
        assert_eq!(block_of(5, 1 << 30), 1);
    }
}
