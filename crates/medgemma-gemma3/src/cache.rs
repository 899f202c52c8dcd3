//! Keys and values of the tokens already read.
//!
//! A global layer keeps every position and grows by a quarter. A local layer never looks further
//! back than its window; it keeps that and some positions more in a strip which is written from
//! left to right, and whose last window moves to the front when the strip is full. So what a row
//! sees is always one contiguous run of slots in order of position, and the last rows can be taken
//! back: a ring of exactly `window` slots would have overwritten what becomes visible again. The
//! position of a key is kept outside of the layers (trap T8 in docs/parity.md: a length read from a
//! wrapped local layer is wrong).

mod mark;
mod owner;

use std::ops::Range;

use medgemma_tensor::{Arithmetic, KvPrecision, KvRows, Tensor, ops};

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
/// Cloning is cheap until one of the clones is written to; then the written layer is copied, or of one that
/// was cut short, what is left of it. Use that to try several continuations of one prompt.
///
/// A cache is its decoder's, and that of the decoder's clones. One with other layers, windows, heads or on
/// another device is refused, [`Error::ForeignCache`](crate::Error::ForeignCache). That of another model of
/// the same shape, as a fine-tune of the same one is, cannot be told from its own: it is read on, and what
/// comes of it is no model's answer.
#[derive(Debug, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
    len: usize,
    precision: KvPrecision,
}

impl KvCache {
    /// Empty. `arithmetic` is that of each layer's weights, as [`joint_arithmetic`] tells it, and decides
    /// together with `precision` the format of its keys and values.
    pub(crate) fn new(
        config: &TextConfig,
        arithmetic: impl Iterator<Item = Arithmetic>,
        precision: KvPrecision,
    ) -> Self {
        let layers = config.layer_types.iter().zip(arithmetic);
        let layers = layers.map(|(kind, arithmetic)| LayerCache {
            slots: None,
            base: 0,
            window: config.window(*kind),
            arithmetic,
        });
        Self {
            layers: layers.collect(),
            len: 0,
            precision,
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

    /// Bytes that the keys and values occupy on the device, scales and unused slots included.
    /// Clones that still share them count them each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layers.iter().map(LayerCache::bytes).sum()
    }

    /// The most bytes that a cache of `context` positions takes on the device `cpu`, with the room
    /// that a layer which just grew has not filled, and the keys or values that are still in their old
    /// slots while they move to new ones: what a memory plan must count. `arithmetic`: of each
    /// layer, as [`Decoder::planned_arithmetic`](crate::Decoder::planned_arithmetic) tells it.
    ///
    /// # Panics
    /// When `arithmetic` is not one for each layer.
    #[must_use]
    pub fn planned_bytes(
        config: &TextConfig,
        context: usize,
        arithmetic: &[Arithmetic],
        precision: KvPrecision,
    ) -> u64 {
        let kinds = &config.layer_types;
        assert_eq!(arithmetic.len(), kinds.len(), "one for each layer");
        let grown = context.saturating_add(context / 4);
        let layers = kinds.iter().zip(arithmetic).map(|(kind, &arithmetic)| {
            let slots = match kind {
                LayerType::Sliding => {
                    grown.min(config.sliding_window + slack(config.sliding_window))
                }
                LayerType::Full => grown,
            };
            let head = precision.row_bytes(arithmetic, config.head_dim);
            let half = (config.num_key_value_heads * head) as u64;
            let bytes = |slots: usize, of_each: u64| (slots as u64).saturating_mul(of_each);
            let moving = Some(slots.min(context)).filter(|&slots| slots > INITIAL_SLOTS);
            [
                bytes(slots.max(INITIAL_SLOTS), 2 * half),
                bytes(moving.unwrap_or(0), half),
            ]
        });
        let [held, moving] = layers.fold([0_u64; 2], |[all, most], [layer, old]: [u64; 2]| {
            [all.saturating_add(layer), most.max(old)]
        });
        held.saturating_add(moving)
    }

    /// Forgets what was read after the first `len` positions, as if it had never been read.
    ///
    /// The answer is `false`, and nothing changes, when so much was never read, or when a local
    /// layer has already given up keys that the next token would see. The 16 rows read last can
    /// always be forgotten, and any while the text is no longer than the window. `len` must not cut
    /// through an image, whose rows have seen each other. Memory stays with the cache for what is read
    /// next, but where nothing is left.
    #[must_use]
    pub fn truncate(&mut self, len: usize) -> bool {
        let kept = |layer: &LayerCache| layer.holds(len - past_keys(len, layer.window));
        let possible = len <= self.len && self.layers.iter().all(kept);
        if possible {
            self.len = len;
            if len == 0 {
                // The next text has nothing to do with this one, nor need it be as long.
                self.clear();
            }
        }
        possible
    }

    /// Forgets all, and gives its memory back.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
        for layer in &mut self.layers {
            (layer.slots, layer.base) = (None, 0);
        }
    }

    /// Marks `rows` more tokens as read, once every layer has stored them.
    pub(crate) fn advance(&mut self, rows: usize) {
        self.len += rows;
    }

    /// What decides the format of a layer's keys and values: equal for caches that hold them alike.
    pub(crate) fn format(&self, layer: usize) -> (Arithmetic, KvPrecision) {
        (self.layers[layer].arithmetic, self.precision)
    }

    /// Keys or values in the format that this layer stores them in.
    pub(crate) fn rounded(&self, layer: usize, rows: Tensor<3>) -> KvRows {
        ops::rounded(rows, self.layers[layer].arithmetic, self.precision)
    }

    /// Stores the keys and values, [`KvCache::rounded`], of the next rows in one layer; see
    /// [`LayerCache::extend`].
    pub(crate) fn extend(&mut self, layer: usize, k: KvRows, v: KvRows) -> Attended {
        self.layers[layer].extend(self.len, k, v)
    }
}

/// What the new rows attend over.
#[derive(Debug)]
pub(crate) struct Attended {
    /// `[k, s, h]`
    pub(crate) keys: KvRows,
    /// `[k, s, h]`
    pub(crate) values: KvRows,
}

/// What keys and values of a layer are held for, whose projections to them are computed in these: for
/// f32 where either is, since a key that was computed in f32 is not to be rounded.
pub(crate) fn joint_arithmetic(projections: [Arithmetic; 2]) -> Arithmetic {
    if projections.contains(&Arithmetic::F32) {
        Arithmetic::F32
    } else {
        Arithmetic::Bf16
    }
}

/// Keys already stored that new rows from `position` on can see in a layer with this window: those of
/// the positions just before it, which they attend over together with their own.
pub(crate) fn past_keys(position: usize, window: Option<usize>) -> usize {
    window.map_or(position, |window| position.min(window - 1))
}

#[derive(Debug, Clone)]
struct LayerCache {
    /// Keys and values, each `[k, capacity, h]`; position p lies in slot p − base.
    slots: Option<(KvRows, KvRows)>,
    /// The position in the first slot; positions before it are gone.
    base: usize,
    window: Option<usize>,
    /// Of the weights: files may hold one layer in f32 and the next in blocks.
    arithmetic: Arithmetic,
}

impl LayerCache {
    fn capacity(&self) -> usize {
        self.slots.as_ref().map_or(0, |(keys, _)| keys.dims()[1])
    }

    fn bytes(&self) -> usize {
        self.slots
            .as_ref()
            .map_or(0, |(keys, values)| keys.bytes() + values.bytes())
    }

    /// Whether others hold the slots too, so that a write would copy all of them.
    fn is_shared(&self) -> bool {
        self.slots
            .as_ref()
            .is_some_and(|(keys, values)| !(keys.can_mut() && values.can_mut()))
    }

    /// The most slots that the layer may have.
    fn limit(&self) -> usize {
        self.window
            .map_or(usize::MAX, |window| window + slack(window))
    }

    /// Slots with room to grow beyond `slots`.
    fn grown(&self, slots: usize) -> usize {
        (slots + slots / 4).max(INITIAL_SLOTS).min(self.limit())
    }

    /// Whether the positions from `first` on are still there.
    fn holds(&self, first: usize) -> bool {
        first >= self.base
    }

    /// Stores `k`, `v` `[t, k, h]` at `position`.., and returns what these rows attend over: the
    /// [`past_keys`] and the rows themselves, in order of position.
    fn extend(&mut self, position: usize, k: KvRows, v: KvRows) -> Attended {
        let end = position + k.dims()[0];
        let first = position - past_keys(position, self.window);
        let (k, v) = (k.swap_heads(), v.swap_heads());
        if end - first > self.limit() {
            return self.replace(first..position, k, v);
        }
        if self.slots.is_none() && k.dims()[1] >= INITIAL_SLOTS && k.can_mut() && v.can_mut() {
            // Nobody else reads them, and slots would be as many.
            self.slots = Some((k, v));
            self.base = position;
        } else {
            self.make_room(first..position, end, Some(&k));
            self.store(position, k, v);
        }
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
            keys: keys.narrow(1, slot, rows),
            values: values.narrow(1, slot, rows),
        }
    }

    /// Rows `[k, t, h]` that are more than the layer keeps: they attend over the joined keys, of
    /// which the last ones stay.
    fn replace(&mut self, past: Range<usize>, k: KvRows, v: KvRows) -> Attended {
        let joined = match &self.slots {
            Some(_) if !past.is_empty() => {
                let old = self.view(past.clone());
                Attended {
                    keys: old.keys.followed_by(k),
                    values: old.values.followed_by(v),
                }
            }
            _ => Attended { keys: k, values: v },
        };
        let rows = joined.keys.dims()[1];
        let kept = rows.min(past_keys(rows, self.window) + TAKEN_BACK);
        let last = |joined: &KvRows| {
            let mut slots = joined.empty(self.limit());
            slots.write(0, joined.narrow(1, rows - kept, kept));
            slots
        };
        self.slots = Some((last(&joined.keys), last(&joined.values)));
        self.base = past.start + rows - kept;
        joined
    }

    /// Writes rows `[k, t, h]` in place at `position`...
    fn store(&mut self, position: usize, k: KvRows, v: KvRows) {
        let slot = position - self.base;
        let (keys, values) = self
            .slots
            .as_mut()
            .expect("make_room() allocates the slots");
        keys.write(slot, k);
        values.write(slot, v);
    }

    /// Makes room for positions below `end`: by growing while the layer may, then by moving the
    /// positions `past`, which are all that is still seen, and some before them to the front. Shared slots
    /// that are more than a layer which grew would have are left to the others: a short text that begins as
    /// a long one did would hold as much as that. `like`: rows `[k, t, h]` in the format of the slots, for new ones; without it there are none where
    /// nothing is seen.
    fn make_room(&mut self, past: Range<usize>, end: usize, like: Option<&KvRows>) {
        let (capacity, shared) = (self.capacity(), self.is_shared());
        let has_room = end - self.base <= capacity;
        if has_room && !(shared && capacity > self.grown(end - self.base)) {
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
        let capacity = if has_room {
            self.grown(end - front)
        } else {
            self.grown(capacity).max(end - front)
        };
        let start = kept.start - self.base;
        let moved = |mut rows: KvRows| {
            if capacity == rows.dims()[1] {
                rows.move_to_front(start, kept.len());
                return rows;
            }
            let mut slots = rows.empty(capacity);
            slots.write(0, rows.narrow(1, start, kept.len()));
            slots
        };
        self.slots = match self.slots.take() {
            Some((keys, values)) if !kept.is_empty() => Some((moved(keys), moved(values))),
            _ => like.map(|like| (like.empty(capacity), like.empty(capacity))),
        };
        self.base = front;
    }
}

#[cfg(test)]
mod tests;
