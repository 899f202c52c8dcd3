//! The best of many rows without sorting them all: heaps of bounded size.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::catalog::Catalog;

/// A row and its score. The greater of two is the worse, so that a heap's top is what goes next:
/// lower scores are worse, and of equal ones larger ids.
#[derive(Clone, Copy)]
pub(crate) struct Ranked<'a> {
    pub(crate) score: f32,
    pub(crate) row: usize,
    /// Looked into for ids only where scores are equal.
    catalog: &'a Catalog,
}

impl Ord for Ranked<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let id = |ranked: &Self| ranked.catalog.id(ranked.row);
        let by_score = other.score.total_cmp(&self.score);
        by_score
            .then_with(|| id(self).cmp(id(other)))
            .then_with(|| self.row.cmp(&other.row))
    }
}

impl PartialOrd for Ranked<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked<'_> {}

/// The best rows seen so far. Which they are does not depend on the order in which they came.
pub(crate) struct Best<'a> {
    size: usize,
    catalog: &'a Catalog,
    heap: BinaryHeap<Ranked<'a>>,
}

impl<'a> Best<'a> {
    /// Keeps the best `size` rows.
    pub(crate) fn new(size: usize, catalog: &'a Catalog) -> Self {
        Self {
            size,
            catalog,
            heap: BinaryHeap::with_capacity(size.min(1 << 16)),
        }
    }

    /// A score below this one will not be kept.
    pub(crate) fn threshold(&self) -> f32 {
        match self.heap.peek() {
            Some(worst) if self.heap.len() == self.size => worst.score,
            _ => f32::NEG_INFINITY,
        }
    }

    /// Whether rows may have been turned away.
    pub(crate) fn is_full(&self) -> bool {
        self.heap.len() == self.size
    }

    /// Considers a row.
    pub(crate) fn offer(&mut self, score: f32, row: usize) {
        let ranked = Ranked {
            score,
            row,
            catalog: self.catalog,
        };
        if self.heap.len() < self.size {
            self.heap.push(ranked);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && ranked < *worst
        {
            *worst = ranked;
        }
    }

    /// Considers all rows of another.
    pub(crate) fn merge(&mut self, other: Self) {
        for ranked in other.heap {
            self.offer(ranked.score, ranked.row);
        }
    }

    /// The rows, best first.
    pub(crate) fn into_sorted(self) -> Vec<Ranked<'a>> {
        self.heap.into_sorted_vec()
    }
}
