//! One forward pass over the rows of one or more independent sequences.
//!
//! A batch is packed: the rows of all sequences stand one after the other in one `[t, d]` tensor,
//! so that every product reads its weight once, while attention runs for each sequence over its
//! own cache. There is no padding, so a sequence's result cannot depend on its neighbours
//! (trap T30 in docs/parity.md).

use std::ops::Range;

use medgemma_tensor::ops::{AttentionMask, Rotation, attention, concat};
use medgemma_tensor::{Device, KvRows, Tensor};

use crate::cache::{KvCache, past_keys};
use crate::config::{LayerType, TextConfig};
use crate::rope::Rope;

/// The next rows of one sequence.
pub(crate) struct Lane<'a> {
    pub(crate) cache: &'a mut KvCache,
    /// Rows in this pass.
    pub(crate) rows: usize,
    /// Absolute positions of image spans that lie in these rows, each whole.
    pub(crate) spans: Vec<Range<usize>>,
}

/// What the layers of one pass share: caches, rotations and masks, each built once.
pub(crate) struct Pass<'a> {
    lanes: Vec<(Lane<'a>, Masks)>,
    layer_types: &'a [LayerType],
    sliding: Rotation,
    full: Rotation,
}

struct Masks {
    sliding: Option<AttentionMask>,
    full: Option<AttentionMask>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        lanes: Vec<Lane<'a>>,
        config: &'a TextConfig,
        rope: &Rope,
        device: &Device,
    ) -> Self {
        let positions: Vec<usize> = lanes
            .iter()
            .flat_map(|lane| lane.cache.len()..lane.cache.len() + lane.rows)
            .collect();
        let masked = lanes.into_iter().map(|lane| {
            let mask = |window| visibility(&lane, window, device);
            let masks = Masks {
                sliding: mask(Some(config.sliding_window)),
                full: mask(None),
            };
            (lane, masks)
        });
        Self {
            lanes: masked.collect(),
            layer_types: &config.layer_types,
            sliding: rope.rotation(LayerType::Sliding, &positions, device),
            full: rope.rotation(LayerType::Full, &positions, device),
        }
    }

    /// The rotation of all rows for this layer.
    pub(crate) fn rotation(&self, layer: usize) -> &Rotation {
        match self.layer_types[layer] {
            LayerType::Sliding => &self.sliding,
            LayerType::Full => &self.full,
        }
    }

    /// Stores `k`, `v` `[t, k, h]` and attends with `q` `[t, n, h]`, lane by lane; `[t, n·h]`. Where
    /// there is one lane, `q` may be that of its last rows only.
    pub(crate) fn attend(
        &mut self,
        layer: usize,
        q: Tensor<3>,
        k: Tensor<3>,
        v: Tensor<3>,
        scale: f64,
    ) -> Tensor<2> {
        let kind = self.layer_types[layer];
        let [k, v] = [k, v].map(|rows| self.rounded(layer, rows));
        let mut start = 0;
        let mut parts = Vec::with_capacity(self.lanes.len());
        for ((lane, masks), (k, v)) in self.lanes.iter_mut().zip(k.into_iter().zip(v)) {
            let attended = lane.cache.extend(layer, k, v);
            let mask = match kind {
                LayerType::Sliding => masks.sliding.as_ref(),
                LayerType::Full => masks.full.as_ref(),
            };
            let asked = lane.rows.min(q.dims()[0]);
            let fewer = mask.filter(|_| asked < lane.rows);
            let fewer = fewer.map(|mask| mask.last(asked));
            parts.push(attention(
                q.clone().narrow(0, start, asked),
                attended.keys,
                attended.values,
                scale,
                fewer.as_ref().or(mask),
            ));
            start += lane.rows;
        }
        concat(parts, 0)
    }

    /// A layer's keys or values `[t, k, h]` of all lanes, each lane's in the format of its cache.
    fn rounded(&self, layer: usize, rows: Tensor<3>) -> Vec<KvRows> {
        let lengths: Vec<usize> = self.lanes.iter().map(|(lane, _)| lane.rows).collect();
        match self.lanes.as_slice() {
            // As a rule one decoder made all caches: their rows are rounded at once.
            [(first, _), others @ ..]
                if others
                    .iter()
                    .all(|(lane, _)| lane.cache.format(layer) == first.cache.format(layer)) =>
            {
                first.cache.rounded(layer, rows).split(&lengths)
            }
            lanes => {
                let rows = rows.split_with_sizes(lengths, 0).into_iter();
                rows.zip(lanes)
                    .map(|(rows, (lane, _))| lane.cache.rounded(layer, rows))
                    .collect()
            }
        }
    }

    /// Marks the rows as read in every cache.
    pub(crate) fn finish(self) {
        for (lane, _) in self.lanes {
            lane.cache.advance(lane.rows);
        }
    }
}

/// The mask of one lane in layers with this window; a single row sees all that its cache returns.
fn visibility(lane: &Lane<'_>, window: Option<usize>, device: &Device) -> Option<AttentionMask> {
    if lane.rows == 1 {
        return None;
    }
    let position = lane.cache.len();
    let past = past_keys(position, window);
    let first = position - past;
    let visible: Vec<Range<usize>> = (position..position + lane.rows)
        .map(|row| {
            let seen = visible_positions(row, window, &lane.spans);
            seen.start.saturating_sub(first)..seen.end - first
        })
        .collect();
    AttentionMask::new(&visible, past + lane.rows, device)
}

/// The positions that the token at `row` attends to: itself and what precedes it, within `window`
/// keys counting itself; inside an image also the rest of that image, and no other.
///
/// Reference: `create_masks_for_generate` in transformers 5.23, where the window bounds both
/// parts: `(kv > q − window) AND (kv ≤ q OR same image)`.
fn visible_positions(row: usize, window: Option<usize>, spans: &[Range<usize>]) -> Range<usize> {
    let start = window.map_or(0, |window| (row + 1).saturating_sub(window));
    let end = spans
        .iter()
        .find(|span| span.contains(&row))
        .map_or(row + 1, |span| span.end);
    start..end
}

#[cfg(test)]
mod tests {
    use super::visible_positions;

    #[test]
    fn a_window_counts_the_token_itself() {
        assert_eq!(visible_positions(9, Some(4), &[]), 6..10);
        assert_eq!(visible_positions(2, Some(4), &[]), 0..3);
        assert_eq!(visible_positions(9, None, &[]), 0..10);
    }

    #[test]
    fn an_image_is_seen_whole_by_its_own_tokens_only() {
        let spans = [3..6, 6..9, 12..15, 20..24];
        assert_eq!(
            visible_positions(4, None, &spans),
            0..6,
            "adjacent images stay apart"
        );
        assert_eq!(visible_positions(6, None, &spans), 0..9);
        assert_eq!(visible_positions(9, None, &spans), 0..10);
        assert_eq!(visible_positions(12, None, &spans), 0..15);
        assert_eq!(visible_positions(21, Some(4), &spans), 18..24);
        assert_eq!(
            visible_positions(7, Some(2), &spans),
            6..9,
            "the window bounds the past of an image too"
        );
    }
}
