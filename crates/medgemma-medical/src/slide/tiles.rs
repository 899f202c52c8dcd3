//! Decoded tiles of the last regions: neighbouring patches share those at their borders.

use std::collections::BTreeMap;

use medgemma_image::Image;

use crate::error::Result;

/// What a tile takes beside its pixels: its places in both maps, the fields of the picture, estimated generously, so that
/// many small tiles keep to the limit as well.
const BESIDE: usize = 512;

/// A few tiles, and when each was used.
pub(super) struct Tiles {
    limit: usize,
    kept: BTreeMap<[usize; 3], Kept>,
    /// The tile of each use that was its last.
    uses: BTreeMap<u64, [usize; 3]>,
    next_use: u64,
    bytes: usize,
}

struct Kept {
    tile: Image,
    last_use: u64,
}

impl Tiles {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: BTreeMap::new(),
            uses: BTreeMap::new(),
            next_use: 0,
            bytes: 0,
        }
    }

    /// The tile of that level, column and row; `decode` is asked if it is not kept.
    pub(super) fn get(
        &mut self,
        key: [usize; 3],
        decode: impl FnOnce() -> Result<Option<Image>>,
    ) -> Result<Option<&Image>> {
        let last_use = self.next_use;
        if let Some(kept) = self.kept.get_mut(&key) {
            self.uses.remove(&kept.last_use);
            kept.last_use = last_use;
        } else {
            let Some(tile) = decode()? else {
                return Ok(None);
            };
            self.bytes += cost(&tile);
            self.kept.insert(key, Kept { tile, last_use });
        }
        self.uses.insert(last_use, key);
        self.next_use += 1;
        // The one asked for stays, whatever its size.
        while self.bytes > self.limit && self.kept.len() > 1 {
            let oldest = self.uses.pop_first();
            if let Some(old) = oldest.and_then(|(_, key)| self.kept.remove(&key)) {
                self.bytes -= cost(&old.tile);
            }
        }
        Ok(self.kept.get(&key).map(|kept| &kept.tile))
    }
}

fn cost(tile: &Image) -> usize {
    tile.as_rgb8().len() + BESIDE
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tile(side: usize) -> Image {
        Image::from_rgb8(side, side, vec![0; side * side * 3]).unwrap()
    }

    #[test]
    fn small_tiles_keep_to_the_limit_and_the_longest_unused_goes() {
        let mut tiles = Tiles::new(100 * (3 + BESIDE));
        let mut decoded = 0;
        let mut get = |tiles: &mut Tiles, at: usize| {
            let found = tiles.get([0, at, 0], || {
                decoded += 1;
                Ok(Some(tile(1)))
            });
            assert!(found.unwrap().is_some());
            decoded
        };
        for at in 0..100 {
            get(&mut tiles, at);
        }
        // Used again, so the second is the one that makes room for another.
        assert_eq!(get(&mut tiles, 0), 100);
        assert_eq!(get(&mut tiles, 100), 101);
        assert_eq!(get(&mut tiles, 0), 101);
        assert_eq!(get(&mut tiles, 2), 101);
        assert_eq!(get(&mut tiles, 1), 102);
        assert_eq!((tiles.kept.len(), tiles.uses.len()), (100, 100));
        for at in 0..10_000 {
            get(&mut tiles, at);
        }
        assert_eq!((tiles.kept.len(), tiles.uses.len()), (100, 100));
        assert_eq!(tiles.bytes, 100 * (3 + BESIDE));
    }

    #[test]
    fn one_larger_than_the_limit_is_kept_alone_and_none_is_not_kept() {
        let mut tiles = Tiles::new(10);
        assert!(tiles.get([0; 3], || Ok(Some(tile(4)))).unwrap().is_some());
        assert!(tiles.get([1; 3], || Ok(Some(tile(5)))).unwrap().is_some());
        assert!(tiles.get([2; 3], || Ok(None)).unwrap().is_none());
        assert_eq!((tiles.kept.len(), tiles.uses.len()), (1, 1));
    }
}
