//! From an id to its row: a table of hashes and rows. The ids themselves stay in the log.

use std::hash::{BuildHasher, RandomState};

/// Marks a free place.
const FREE: u32 = u32::MAX;

/// Open addressing with linear probing; at most half of the places are taken.
///
/// An id keeps its place for ever, also when it is deleted: whether the row lives is known elsewhere.
/// Eight bytes a place, where a map of strings would take a hundred an id.
#[derive(Debug, Default)]
pub(crate) struct IdTable {
    /// Hash and row.
    places: Vec<(u32, u32)>,
    taken: usize,
    /// Drawn for each table: ids come from whoever made the pictures, who could otherwise choose thousands of one hash,
    /// and each would be compared with all others.
    key: RandomState,
}

impl IdTable {
    /// The hash of an id, the same while the table lives.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "32 bits of a hash are a hash"
    )]
    pub(crate) fn hash(&self, id: &[u8]) -> u32 {
        self.key.hash_one(id) as u32
    }

    /// Makes room for `ids` in all.
    pub(crate) fn reserve(&mut self, ids: usize) {
        let wanted = (ids * 2).next_power_of_two().max(16);
        if wanted <= self.places.len() {
            return;
        }
        let old = std::mem::replace(&mut self.places, vec![(0, FREE); wanted]);
        for (hash, row) in old {
            if row != FREE {
                let place = self.probe(hash, |_| false);
                self.places[place] = (hash, row);
            }
        }
    }

    /// The row last put under an id of this `hash` for which `is` holds.
    pub(crate) fn get(&self, hash: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.places.is_empty() {
            return None;
        }
        let (_, row) = self.places[self.probe(hash, is)];
        (row != FREE).then_some(row)
    }

    /// Puts `row` under its id; the row that was there before.
    pub(crate) fn put(&mut self, hash: u32, row: u32, is: impl Fn(u32) -> bool) -> Option<u32> {
        self.reserve(self.taken + 1);
        let place = self.probe(hash, is);
        let (_, old) = std::mem::replace(&mut self.places[place], (hash, row));
        if old == FREE {
            self.taken += 1;
            return None;
        }
        Some(old)
    }

    /// The place of the id, or the free one where it would be.
    fn probe(&self, hash: u32, is: impl Fn(u32) -> bool) -> usize {
        let mask = self.places.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let (found, row) = self.places[place];
            if row == FREE || (found == hash && is(row)) {
                return place;
            }
            place = (place + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::IdTable;

    #[test]
    fn ids_are_found_whatever_their_hashes() {
        // All ids share one of three hashes, so that most of the table is one run.
        let ids: Vec<String> = (0..500).map(|id| format!("id {id}")).collect();
        for hashes in [3, u32::MAX] {
            let mut table = IdTable::default();
            let hash = |id: &str| table.hash(id.as_bytes()) % hashes;
            let all: Vec<u32> = ids.iter().map(|id| hash(id)).collect();
            let of = |id: &str| all[ids.iter().position(|known| known == id).expect("an id")];
            for (row, id) in (0..).zip(&ids) {
                assert_eq!(table.get(of(id), |row| ids[row as usize] == *id), None);
                let old = table.put(of(id), row, |row| ids[row as usize] == *id);
                assert_eq!(old, None);
            }
            for (row, id) in (0..).zip(&ids) {
                let found = table.get(of(id), |row| ids[row as usize] == *id);
                assert_eq!(found, Some(row));
            }
            assert_eq!(table.put(of("id 7"), 500, |row| row == 7), Some(7));
            assert_eq!(table.get(of("id 7"), |row| row == 500), Some(500));
        }
    }

    /// Who knew the hashes could choose ids that share one.
    #[test]
    fn hashes_are_those_of_one_table() {
        let (first, second) = (IdTable::default(), IdTable::default());
        let same = |id: &u32| first.hash(&id.to_le_bytes()) == second.hash(&id.to_le_bytes());
        assert!((0..100).filter(same).count() < 5);
        assert_eq!(first.hash(b"id"), first.hash(b"id"));
    }
}
