//! Decoded tiles of the last regions: neighbouring patches share those at their borders.

use std::collections::VecDeque;

use medgemma_image::Image;

use crate::error::Result;

/// A few tiles, the last used at the back.
pub(super) struct Tiles {
    limit: usize,
    kept: VecDeque<([usize; 3], Image)>,
    bytes: usize,
}

impl Tiles {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            kept: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The tile of that level, column and row; `decode` is asked if it is not kept.
    pub(super) fn get(
        &mut self,
        key: [usize; 3],
        decode: impl FnOnce() -> Result<Option<Image>>,
    ) -> Result<Option<&Image>> {
        let found = self.kept.iter().position(|(known, _)| *known == key);
        let entry = match found.and_then(|index| self.kept.remove(index)) {
            Some(entry) => entry,
            None => match decode()? {
                None => return Ok(None),
                Some(tile) => {
                    self.bytes += tile.as_rgb8().len();
                    (key, tile)
                }
            },
        };
        self.kept.push_back(entry);
        // The one asked for stays, whatever its size.
        while self.bytes > self.limit && self.kept.len() > 1 {
            if let Some((_, tile)) = self.kept.pop_front() {
                self.bytes -= tile.as_rgb8().len();
            }
        }
        Ok(self.kept.back().map(|(_, tile)| tile))
    }
}
