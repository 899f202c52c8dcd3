//! Keys and values of the tokens already read.
//!
//! A local layer never looks further back than its window, so its cache is a ring of that many
//! slots; a global layer's cache grows by doubling. Both are written in place: no concatenation
//! per token. The position of a key is kept outside of the layers (peers' trap T8: a length read
//! from a wrapped local layer is wrong).

use medgemma_tensor::{Device, Tensor, tensor_from};

use crate::config::{LayerType, TextConfig};

/// Slots of a fresh layer cache.
const INITIAL_SLOTS: usize = 64;

/// The state of one conversation: what the model has read so far.
///
/// Cloning is cheap until one of the clones is written to; then the written layer is copied. Use
/// that to try several continuations of one prompt.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    len: usize,
}

impl KvCache {
    pub(crate) fn new(config: &TextConfig, device: &Device) -> Self {
        let layers = config.layer_types.iter().map(|kind| LayerCache {
            slots: None,
            heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            window: match kind {
                LayerType::Sliding => Some(config.sliding_window),
                LayerType::Full => None,
            },
            device: device.clone(),
        });
        Self {
            layers: layers.collect(),
            len: 0,
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

    /// Bytes that the keys and values occupy on the device.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let elements = |layer: &LayerCache| 2 * layer.heads * layer.head_dim * layer.capacity();
        self.layers.iter().map(elements).sum::<usize>() * size_of::<f32>()
    }

    /// Marks `rows` more tokens as read, once every layer has stored them.
    pub(crate) fn advance(&mut self, rows: usize) {
        self.len += rows;
    }

    /// Stores the keys and values of the next rows in one layer; see [`LayerCache::extend`].
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
    /// Keys and values, each `[k, capacity, h]`; position p lies in slot p mod window.
    slots: Option<(Tensor<3>, Tensor<3>)>,
    heads: usize,
    head_dim: usize,
    window: Option<usize>,
    device: Device,
}

impl LayerCache {
    fn capacity(&self) -> usize {
        self.slots.as_ref().map_or(0, |(keys, _)| keys.dims()[1])
    }

    /// Stores `k`, `v` `[t, k, h]` at `position`.., and returns what these rows attend over: the
    /// [`past_keys`] and the rows themselves in order of position. A single row may see its ring
    /// in slot order instead, since every slot is visible to it and softmax has no order.
    fn extend(&mut self, position: usize, k: Tensor<3>, v: Tensor<3>) -> Attended {
        let [t, ..] = k.dims();
        let (k, v) = (k.swap_dims(0, 1), v.swap_dims(0, 1));
        match self.window {
            Some(window) if t > 1 => {
                let past = past_keys(position, self.window);
                let attended = Attended {
                    keys: self.joined(|slots| &slots.0, position - past..position, k.clone()),
                    values: self.joined(|slots| &slots.1, position - past..position, v.clone()),
                };
                let kept = t.min(window);
                self.store(
                    position + t - kept,
                    k.narrow(1, t - kept, kept),
                    v.narrow(1, t - kept, kept),
                );
                attended
            }
            _ => {
                self.store(position, k, v);
                let filled = self
                    .window
                    .map_or(position + t, |window| window.min(position + t));
                self.view(filled)
            }
        }
    }

    /// The first `filled` slots.
    fn view(&self, filled: usize) -> Attended {
        let (keys, values) = self.slots.as_ref().expect("store() allocates the slots");
        Attended {
            keys: keys.clone().narrow(1, 0, filled),
            values: values.clone().narrow(1, 0, filled),
        }
    }

    /// The stored rows at `positions`, then `new`, along the key axis.
    fn joined(
        &self,
        half: impl Fn(&(Tensor<3>, Tensor<3>)) -> &Tensor<3>,
        positions: std::ops::Range<usize>,
        new: Tensor<3>,
    ) -> Tensor<3> {
        let Some(slots) = self.slots.as_ref().filter(|_| !positions.is_empty()) else {
            return new;
        };
        let mut parts: Vec<Tensor<3>> = self
            .runs(positions.start, positions.len())
            .map(|(slot, _, rows)| half(slots).clone().narrow(1, slot, rows))
            .collect();
        parts.push(new);
        Tensor::cat(parts, 1)
    }

    /// Writes rows `[k, t, h]` in place at `position`.., growing first when they do not fit.
    fn store(&mut self, position: usize, k: Tensor<3>, v: Tensor<3>) {
        let [heads, t, head_dim] = k.dims();
        self.reserve(position + t);
        let runs: Vec<_> = self.runs(position, t).collect();
        let (keys, values) = self.slots.as_mut().expect("reserve() allocates the slots");
        for (slot, offset, rows) in runs {
            let target = [0..heads, slot..slot + rows, 0..head_dim];
            keys.inplace(|keys| {
                keys.slice_assign(target.clone(), k.clone().narrow(1, offset, rows))
            });
            values.inplace(|values| values.slice_assign(target, v.clone().narrow(1, offset, rows)));
        }
    }

    /// Cuts `rows` positions from `position` on where the ring wraps: (slot, offset, rows) each.
    fn runs(
        &self,
        position: usize,
        rows: usize,
    ) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let slot = self.window.map_or(position, |window| position % window);
        let first = self.window.map_or(rows, |window| rows.min(window - slot));
        let wrapped = (first < rows).then_some((0, first, rows - first));
        std::iter::once((slot, 0, first)).chain(wrapped)
    }

    /// Makes room for positions below `end`, or for the whole window.
    fn reserve(&mut self, end: usize) {
        let needed = self.window.map_or(end, |window| window.min(end));
        let old = self.capacity();
        if needed <= old {
            return;
        }
        let doubled = needed.max(2 * old).max(INITIAL_SLOTS);
        let capacity = self.window.map_or(doubled, |window| window.min(doubled));
        let shape = [self.heads, capacity, self.head_dim];
        let empty = || tensor_from(vec![0.0; shape.iter().product()], shape, &self.device);
        let grown = |tensor: &Tensor<3>| {
            // A ring grows only before it first wraps, so its slots still are its positions.
            empty().slice_assign([0..shape[0], 0..old, 0..shape[2]], tensor.clone())
        };
        self.slots = Some(match &self.slots {
            Some((keys, values)) => (grown(keys), grown(values)),
            None => (empty(), empty()),
        });
    }
}

#[cfg(test)]
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positions stand for keys, small whole numbers"
)]
mod tests {
    use medgemma_tensor::{Device, tensor_from, vec_from};

    use super::{INITIAL_SLOTS, LayerCache, past_keys};

    fn layer(window: Option<usize>) -> LayerCache {
        let device = Device::cpu().expect("the tests enable the feature cpu");
        LayerCache {
            slots: None,
            heads: 1,
            head_dim: 1,
            window,
            device,
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

    #[test]
    fn a_ring_holds_exactly_its_window() {
        for window in [1, 2, 3, 5, 64, 100] {
            let mut layer = layer(Some(window));
            let mut position = 0;
            for rows in [1, 1, 4, 1, 7, 2, 1, 150, 1, 1, 3] {
                let mut keys = extend(&mut layer, position, rows);
                let first = position - past_keys(position, Some(window));
                if rows == 1 {
                    keys.sort_unstable();
                }
                assert_eq!(
                    keys,
                    (first..position + rows).collect::<Vec<_>>(),
                    "{rows} rows at {position}"
                );
                position += rows;
                assert!(layer.capacity() <= window);
            }
        }
    }

    #[test]
    fn a_global_layer_keeps_everything_and_grows_by_doubling() {
        let mut layer = layer(None);
        let mut capacities = std::collections::BTreeSet::new();
        for position in 0..300 {
            assert_eq!(extend(&mut layer, position, 1).len(), position + 1);
            capacities.insert(layer.capacity());
        }
        assert_eq!(
            capacities.into_iter().collect::<Vec<_>>(),
            [INITIAL_SLOTS, 128, 256, 512]
        );
    }

    #[test]
    fn slots_are_written_in_place() {
        for window in [None, Some(8)] {
            let mut layer = layer(window);
            for position in 0..20 {
                extend(&mut layer, position, 1);
                let (keys, values) = layer.slots.as_ref().expect("something is stored");
                // Uniquely owned again once the view is gone: the next write copies nothing.
                assert!(keys.can_mut() && values.can_mut(), "position {position}");
            }
        }
    }
}
