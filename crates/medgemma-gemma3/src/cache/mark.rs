//! Reading several texts after one, each as if the others had not been: a cache is marked, read on and taken
//! back. It is one cache all the time; a clone for each text would hold every key and value twice.

use super::{KvCache, LayerCache, past_keys};

/// Where a cache stood, and what of it reading on gives up.
pub(crate) struct Mark {
    len: usize,
    /// Local layers, by index, that have no room for what is to be read beside the window that is seen now.
    kept: Vec<(usize, LayerCache)>,
}

impl KvCache {
    /// Marks where the cache stands, before up to `rows` rows that are to be taken back.
    ///
    /// A global layer gives up nothing. A local one holds its window and some rows more, see
    /// [`slack`](super::slack): if so many are read, a copy of it is kept, of the layer and not of the cache.
    pub(crate) fn mark(&mut self, rows: usize) -> Mark {
        let len = self.len;
        let layers = self.layers.iter_mut().enumerate();
        let kept = layers.filter_map(|(index, layer)| {
            let holds = layer.make_ready(len, rows);
            (!holds).then(|| (index, layer.clone()))
        });
        Mark {
            len,
            kept: kept.collect(),
        }
    }

    /// Forgets what was read since, no more rows than the mark is for; it can be read on and taken back again.
    pub(crate) fn take_back(&mut self, mark: &Mark) {
        for (index, layer) in &mark.kept {
            self.layers[*index] = layer.clone();
        }
        self.len = mark.len;
    }
}

impl LayerCache {
    /// Whether what a row at `position` sees stays while `rows` rows are read from there on. Where the strip
    /// is only too far to the right for that, it is moved at once.
    fn make_ready(&mut self, position: usize, rows: usize) -> bool {
        let first = position - past_keys(position, self.window);
        let end = position.saturating_add(rows);
        if end - first > self.limit() {
            return false;
        }
        if end - self.base > self.limit() {
            self.make_room(first..position, end, None);
        }
        true
    }
}

#[cfg(test)]
impl Mark {
    /// The layers of which a copy is kept.
    pub(super) fn kept(&self) -> Vec<usize> {
        self.kept.iter().map(|(index, _)| *index).collect()
    }
}
