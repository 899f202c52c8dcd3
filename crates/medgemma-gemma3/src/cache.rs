//! Keys and values of the tokens already read.
//!
//! A global layer keeps every position and grows by a quarter. A local layer never looks further
//! back than its window; it keeps that and some positions more in a strip which is written from
//! left to right, and whose last window moves to the front when the strip is full. So what a row
//! sees is always one contiguous run of slots in order of position, and the last rows can be taken
//! back: a ring of exactly `window` slots would have overwritten what becomes visible again. The
//! position of a key is kept outside of the layers (peers' trap T8: a length read from a wrapped
//! local layer is wrong).

use std::ops::Range;

use medgemma_tensor::{Arithmetic, Device, Tensor, ops};

use crate::config::{LayerType, TextConfig};

/// Slots of a fresh layer cache, so that a short text does not grow it at every token.
const INITIAL_SLOTS: usize = 64;

/// The rows read last that can always be taken back again.
pub(crate) const TAKEN_BACK: usize = 16;

/// Slots beyond the window of a local layer. More makes moving rarer and spares longer passes the
/// joining of old and new keys; this is as much again as the window, up to a pass of prefill.
fn slack(window: usize) -> usize {
    const MOST: usize = 512;
    // Rows taken back, and as many written before the strip moves once more.
    window.clamp(2 * TAKEN_BACK, MOST)
}

/// The state of one conversation: what the model has read so far.
///
/// Cloning is cheap until one of the clones is written to; then the written layer is copied. Use
/// that to try several continuations of one prompt.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    len: usize,
    arithmetic: Arithmetic,
}

impl KvCache {
    /// Empty. `arithmetic` is that of the weights, and decides the format of keys and values.
    pub(crate) fn new(config: &TextConfig, arithmetic: Arithmetic, device: &Device) -> Self {
        let layers = config.layer_types.iter().map(|kind| LayerCache {
            slots: None,
            base: 0,
            window: match kind {
                LayerType::Sliding => Some(config.sliding_window),
                LayerType::Full => None,
            },
            device: device.clone(),
        });
        Self {
            layers: layers.collect(),
            len: 0,
            arithmetic,
        }
    }

    /// Tokens read so far, soft tokens of images included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been read yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the keys and values occupy on the device, unused slots included. Clones that
    /// still share them count them each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(LayerCache::bytes).sum()
    }

    /// The most bytes that a cache of `context` positions takes on a CPU, with the room that a
    /// layer which just grew has not filled: what a memory plan must count.
    #[must_use]
    pub fn planned_bytes(config: &TextConfig, context: usize, arithmetic: Arithmetic) -> u64 {
        let number = match arithmetic {
            Arithmetic::Bf16 => 2,
            _ => size_of::<f32>(),
        };
        let slots = config.layer_types.iter().map(|kind| match kind {
            LayerType::Sliding => {
                (context + context / 4).min(config.sliding_window + slack(config.sliding_window))
            }
            LayerType::Full => context + context / 4,
        });
        let row = 2 * config.num_key_value_heads * config.head_dim * number;
        slots
            .map(|slots| (slots.max(INITIAL_SLOTS) * row) as u64)
            .sum()
    }

    /// Forgets what was read after the first `len` positions, as if it had never been read.
    ///
    /// The answer is `false`, and nothing changes, when so much was never read, or when a local
    /// layer has already given up keys that the next token would see. The 16 rows read last can
    /// always be forgotten, and any while the text is no longer than the window. `len` must not cut
    /// through an image, whose rows have seen each other.
    #[must_use]
    pub fn truncate(&mut self, len: usize) -> bool {
        let kept = |layer: &LayerCache| layer.holds(len - past_keys(len, layer.window));
        let possible = len <= self.len && self.layers.iter().all(kept);
        if possible {
            self.len = len;
        }
        possible
    }

    /// Marks `rows` more tokens as read, once every layer has stored them.
    pub(crate) fn advance(&mut self, rows: usize) {
        self.len += rows;
    }

    /// Keys or values in the format that they are stored in.
    pub(crate) fn rounded(&self, rows: Tensor<3>) -> Tensor<3> {
        ops::rounded(rows, self.arithmetic)
    }

    /// Stores the keys and values, [`KvCache::rounded`], of the next rows in one layer; see
    /// [`LayerCache::extend`].
    pub(crate) fn extend(&mut self, layer: usize, k: Tensor<3>, v: Tensor<3>) -> Attended {
        self.layers[layer].extend(self.len, k, v)
    }
}

/// What the new rows attend over.
#[derive(Debug)]
pub(crate) struct Attended {
    /// `[k, s, h]`
    pub(crate) keys: Tensor<3>,
    /// `[k, s, h]`
    pub(crate) values: Tensor<3>,
}

/// Keys that `rows` new rows at `position` attend over in a layer with this window: those already
/// stored that any of the rows can see, in order of position, then the rows' own.
pub(crate) fn past_keys(position: usize, window: Option<usize>) -> usize {
    window.map_or(position, |window| position.min(window - 1))
}

#[derive(Debug, Clone)]
struct LayerCache {
    /// Keys and values, each `[k, capacity, h]`; position p lies in slot p − base.
    slots: Option<(Tensor<3>, Tensor<3>)>,
    /// The position in the first slot; positions before it are gone.
    base: usize,
    window: Option<usize>,
    device: Device,
}

impl LayerCache {
    fn capacity(&self) -> usize {
        self.slots.as_ref().map_or(0, |(keys, _)| keys.dims()[1])
    }

    fn bytes(&self) -> usize {
        self.slots.as_ref().map_or(0, |(keys, _)| {
            2 * keys.dims().iter().product::<usize>() * keys.dtype().size()
        })
    }

    /// The most slots that the layer may have.
    fn limit(&self) -> usize {
        self.window
            .map_or(usize::MAX, |window| window + slack(window))
    }

    /// Whether the positions from `first` on are still there.
    fn holds(&self, first: usize) -> bool {
        first >= self.base
    }

    /// Stores `k`, `v` `[t, k, h]` at `position`.., and returns what these rows attend over: the
    /// [`past_keys`] and the rows themselves, in order of position.
    fn extend(&mut self, position: usize, k: Tensor<3>, v: Tensor<3>) -> Attended {
        let end = position + k.dims()[0];
        let first = position - past_keys(position, self.window);
        let (k, v) = (k.swap_dims(0, 1), v.swap_dims(0, 1));
        if end - first > self.limit() {
            return self.replace(first..position, &k, &v);
        }
        self.make_room(first..position, end, &k);
        self.store(position, k, v);
        self.view(first..end)
    }

    /// The slots of these positions.
    fn view(&self, positions: Range<usize>) -> Attended {
        let (keys, values) = self
            .slots
            .as_ref()
            .expect("make_room() allocates the slots");
        let (slot, rows) = (positions.start - self.base, positions.len());
        Attended {
            keys: keys.clone().narrow(1, slot, rows),
            values: values.clone().narrow(1, slot, rows),
        }
    }

    /// Rows `[k, t, h]` that are more than the layer keeps: they attend over the joined keys, of
    /// which the last ones stay.
    fn replace(&mut self, past: Range<usize>, k: &Tensor<3>, v: &Tensor<3>) -> Attended {
        let joined = match &self.slots {
            Some(_) if !past.is_empty() => {
                let old = self.view(past.clone());
                Attended {
                    keys: Tensor::cat(vec![old.keys, k.clone()], 1),
                    values: Tensor::cat(vec![old.values, v.clone()], 1),
                }
            }
            _ => Attended {
                keys: k.clone(),
                values: v.clone(),
            },
        };
        let rows = joined.keys.dims()[1];
        let kept = rows.min(past_keys(rows, self.window) + TAKEN_BACK);
        let last = |joined: &Tensor<3>| {
            self.empty(joined, self.limit()).slice_assign(
                shape(joined, kept),
                joined.clone().narrow(1, rows - kept, kept),
            )
        };
        self.slots = Some((last(&joined.keys), last(&joined.values)));
        self.base = past.start + rows - kept;
        joined
    }

    /// Writes rows `[k, t, h]` in place at `position`...
    fn store(&mut self, position: usize, k: Tensor<3>, v: Tensor<3>) {
        let [heads, t, head_dim] = k.dims();
        let slot = position - self.base;
        let target = [0..heads, slot..slot + t, 0..head_dim];
        let (keys, values) = self
            .slots
            .as_mut()
            .expect("make_room() allocates the slots");
        keys.inplace(|keys| keys.slice_assign(target.clone(), k));
        values.inplace(|values| values.slice_assign(target, v));
    }

    /// Makes room for positions below `end`: by growing while the layer may, then by moving the
    /// positions `past`, which are all that is still seen, and some before them to the front.
    /// `like`: rows `[k, t, h]` in the format of the slots.
    fn make_room(&mut self, past: Range<usize>, end: usize, like: &Tensor<3>) {
        let capacity = self.capacity();
        if end - self.base <= capacity {
            return;
        }
        let spare = self.limit().saturating_sub(end - past.start);
        let front = if end - self.base <= self.limit() {
            self.base
        } else {
            past.start
                .saturating_sub(spare.min(TAKEN_BACK))
                .max(self.base)
        };
        let kept = front..past.end;
        let capacity = (end - front)
            .max(capacity + capacity / 4)
            .max(INITIAL_SLOTS)
            .min(self.limit());
        let moved = |tensor: &Tensor<3>| {
            let rows = tensor.clone().narrow(1, kept.start - self.base, kept.len());
            self.empty(tensor, capacity)
                .slice_assign(shape(tensor, kept.len()), rows)
        };
        self.slots = Some(match &self.slots {
            Some((keys, values)) if !kept.is_empty() => (moved(keys), moved(values)),
            _ => (self.empty(like, capacity), self.empty(like, capacity)),
        });
        self.base = front;
    }

    /// Zeros `[k, capacity, h]` in the format of `like` `[k, _, h]`.
    fn empty(&self, like: &Tensor<3>, capacity: usize) -> Tensor<3> {
        let [heads, _, head_dim] = like.dims();
        let options = (self.device.as_burn(), like.dtype());
        Tensor::zeros([heads, capacity, head_dim], options)
    }
}

/// The first `rows` slots of `like` `[k, _, h]`.
fn shape(like: &Tensor<3>, rows: usize) -> [Range<usize>; 3] {
    let [heads, _, head_dim] = like.dims();
    [0..heads, 0..rows, 0..head_dim]
}

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions stand for keys, small whole numbers"
)]
mod tests {
    use medgemma_tensor::{Arithmetic, Device, ops, tensor_from, vec_from};

    use super::{KvCache, LayerCache, TAKEN_BACK, past_keys, slack};

    fn layer(window: Option<usize>) -> LayerCache {
        LayerCache {
            slots: None,
            base: 0,
            window,
            device: Device::cpu().expect("the tests enable the feature cpu"),
        }
    }

    fn cache(layers: Vec<LayerCache>) -> KvCache {
        KvCache {
            layers,
            len: 0,
            arithmetic: Arithmetic::F32,
        }
    }

    /// Stores rows whose keys are their positions; returns the keys that they attend over.
    fn extend(layer: &mut LayerCache, position: usize, rows: usize) -> Vec<usize> {
        let values: Vec<f32> = (position..position + rows).map(|p| p as f32).collect();
        let new = tensor_from(values, [rows, 1, 1], &layer.device);
        let attended = layer.extend(position, new.clone(), new);
        let keys = vec_from(attended.keys, "keys").expect("the device answers");
        let found: Vec<usize> = keys.iter().map(|&key| key as usize).collect();
        assert_eq!(
            vec_from(attended.values, "values").expect("the device answers"),
            keys
        );
        found
    }

    /// The positions that rows at `position` must see.
    fn seen(position: usize, rows: usize, window: Option<usize>) -> Vec<usize> {
        (position - past_keys(position, window)..position + rows).collect()
    }

    #[test]
    fn a_local_layer_shows_exactly_its_window() {
        for window in [1, 2, 3, 5, 64, 100] {
            let mut layer = layer(Some(window));
            let mut position = 0;
            for rows in [1, 1, 4, 1, 7, 2, 1, 150, 1, 1, 3].repeat(9) {
                let keys = extend(&mut layer, position, rows);
                assert_eq!(
                    keys,
                    seen(position, rows, Some(window)),
                    "{rows} rows at {position}"
                );
                position += rows;
                assert!(layer.capacity() <= window + slack(window));
            }
            assert!(layer.base > window, "the strip has moved");
        }
    }

    #[test]
    fn rows_taken_back_leave_the_window_whole() {
        for window in [1, 2, 15, 16, 17, 40] {
            let whole = window + slack(window);
            // Around the window, around the first move, and around a later one.
            let starts = [window, whole, whole + slack(window) - TAKEN_BACK];
            let starts = starts.map(|at| at.saturating_sub(TAKEN_BACK + 2)..at + 3);
            for start in starts.into_iter().flatten() {
                for rows in [1, 3, TAKEN_BACK] {
                    let mut cache = cache(vec![layer(Some(window)), layer(None)]);
                    for position in 0..start {
                        cache.layers.iter_mut().for_each(|layer| {
                            extend(layer, position, 1);
                        });
                        cache.advance(1);
                    }
                    cache.layers.iter_mut().for_each(|layer| {
                        extend(layer, start, rows);
                    });
                    cache.advance(rows);
                    // The pass itself, and what was read before it.
                    let end = start + rows;
                    for len in (end.saturating_sub(TAKEN_BACK)..=end).rev().step_by(3) {
                        let mut cache = cache.clone();
                        assert!(cache.truncate(len), "to {len} after {rows} at {start}");
                        for (layer, window) in cache.layers.iter_mut().zip([Some(window), None]) {
                            for next in 0..3 {
                                assert_eq!(
                                    extend(layer, len + next, 1),
                                    seen(len + next, 1, window),
                                    "to {len} after {rows} at {start}, window {window:?}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_local_layer_has_given_up_cannot_be_taken_back() {
        let mut cache = cache(vec![layer(Some(20))]);
        let mut floor = 0;
        for position in 0..200 {
            extend(&mut cache.layers[0], position, 1);
            cache.advance(1);
            let before = cache.layers[0].base;
            floor = if before == 0 { 0 } else { before + 19 };
            for len in 0..=position + 2 {
                let mut cut = cache.clone();
                let expected = len <= position + 1 && len >= floor;
                assert_eq!(cut.truncate(len), expected, "{len} of {}", position + 1);
                assert_eq!(cut.len(), if expected { len } else { position + 1 });
            }
        }
        assert!(floor > 150, "the oldest are gone");
    }

    #[test]
    fn a_global_layer_keeps_everything_and_grows_by_a_quarter() {
        let mut layer = layer(None);
        let mut capacities = std::collections::BTreeSet::new();
        for position in 0..150 {
            assert_eq!(extend(&mut layer, position, 1).len(), position + 1);
            capacities.insert(layer.capacity());
            assert_eq!(layer.bytes(), layer.capacity() * 2 * size_of::<f32>());
        }
        assert_eq!(
            capacities.into_iter().collect::<Vec<_>>(),
            [64, 80, 100, 125, 156]
        );
    }

    #[test]
    fn what_is_rounded_takes_half_the_bytes_and_is_found_again() {
        for window in [None, Some(8)] {
            let mut layer = layer(window);
            for (position, rows) in [(0, 3), (3, 1), (4, 60), (64, 1)] {
                let values: Vec<f32> = (0..rows).map(|row| (position + row) as f32).collect();
                let new = tensor_from(values, [rows, 1, 1], &layer.device);
                let new = ops::rounded(new, Arithmetic::Bf16);
                let attended = layer.extend(position, new.clone(), new);
                assert_eq!(attended.keys.dtype().size(), 2, "as it is stored");
                let keys = vec_from(attended.keys, "keys").expect("the device answers");
                let found: Vec<usize> = keys.iter().map(|&key| key as usize).collect();
                assert_eq!(found, seen(position, rows, window));
                assert_eq!(layer.bytes(), layer.capacity() * 2 * 2);
            }
        }
    }

    #[test]
    fn slots_are_written_in_place() {
        for window in [None, Some(8)] {
            let mut layer = layer(window);
            for position in 0..60 {
                extend(&mut layer, position, 1);
                let (keys, values) = layer.slots.as_ref().expect("something is stored");
                // Uniquely owned again once the view is gone: the next write copies nothing.
                assert!(keys.can_mut() && values.can_mut(), "position {position}");
            }
        }
    }
}
