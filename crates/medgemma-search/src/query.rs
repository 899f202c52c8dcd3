//! What is searched for: embeddings, how many hits, which vectors may be found.

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::quantize;

/// Candidates of a scan that are scored again in f32, unless asked for otherwise.
const RESCORED: usize = 128;
/// A weighted sum shorter than this part of its weights has no direction of its own. Vectors of unit
/// length are only that to a millionth, and their numbers are rounded: what is left of embeddings that
/// cancel out is as long as these errors, and points anywhere.
const CANCELLED: f64 = 1e-6;

/// A search. The embeddings come from the caller, so text, an image, or both search alike.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Query {
    /// `[dimension]`, brought to unit length before the search.
    pub vector: Vec<f32>,
    /// How many hits at most: 10 unless asked for otherwise.
    pub k: usize,
    /// Which vectors may be found: all, unless asked for otherwise.
    pub filter: Option<Filter>,
    /// How many of the best candidates of the 8-bit scan are scored again in f32: the larger of 128
    /// and four times `k`, unless asked for otherwise. Each costs a look into the file of vectors.
    pub rescored: Option<usize>,
    /// Whether the hits must be the best in f32 beyond doubt. A second scan then looks for every
    /// vector that the error of its codes could have kept out, where there can be one. Without it hits
    /// can be missed whose scores are within that error of others': all ten best of a thousand
    /// near-identical slices. None has a wrong score.
    pub exact: bool,
}

impl std::fmt::Debug for Query {
    /// Shows sizes: what a doctor looks for may tell of a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query")
            .field("dimension", &self.vector.len())
            .field("k", &self.k)
            .field("filtered", &self.filter.is_some())
            .field("rescored", &self.rescored())
            .field("exact", &self.exact)
            .finish()
    }
}

impl Query {
    /// The vectors nearest to one embedding.
    #[must_use]
    pub fn new(vector: impl Into<Vec<f32>>) -> Self {
        Self {
            vector: vector.into(),
            k: 10,
            filter: None,
            rescored: None,
            exact: false,
        }
    }

    /// The vectors nearest to several embeddings together, such as a text and an image: each is
    /// brought to unit length, multiplied by its weight and added. A negative weight searches away
    /// from its embedding.
    ///
    /// # Errors
    /// [`Error::Argument`] if there are no embeddings, they differ in length, one has no direction,
    /// a weight is not finite, or the sum cancels out: to less than a millionth of the weights.
    pub fn weighted(parts: &[(&[f32], f32)]) -> Result<Self> {
        let Some((first, _)) = parts.first() else {
            return Err(Error::argument("parts", "at least one embedding", "none"));
        };
        let mut sum = vec![0.0; first.len()];
        let mut weights = 0.0;
        for (index, (vector, weight)) in parts.iter().enumerate() {
            let argument = format!("parts {index}");
            if vector.len() != sum.len() {
                let expected = format!("{} numbers, as the first has", sum.len());
                return Err(Error::argument(
                    argument,
                    expected,
                    vector.len().to_string(),
                ));
            }
            if !weight.is_finite() {
                let expected = "a finite weight";
                return Err(Error::argument(argument, expected, weight.to_string()));
            }
            let unit = quantize::normalized(vector).ok_or_else(|| {
                let expected = "finite numbers, not all of them zero";
                Error::argument(&argument, expected, "a vector without a direction")
            })?;
            let weight = f64::from(*weight);
            weights += weight.abs();
            for (sum, x) in sum.iter_mut().zip(unit) {
                *sum += weight * f64::from(x);
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length <= CANCELLED * weights {
            let expected = "embeddings whose weighted sum has a direction: change the weights";
            let found = "a sum that cancels out";
            return Err(Error::argument("parts", expected, found));
        }
        #[expect(clippy::cast_possible_truncation, reason = "rounded to what is stored")]
        let vector: Vec<f32> = sum.iter().map(|x| (x / length) as f32).collect();
        Ok(Self::new(vector))
    }

    /// At most `k` hits.
    #[must_use]
    pub fn with_k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Only vectors for which `filter` holds.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// The best `candidates` of the scan are scored again in f32, though never fewer than `k`.
    #[must_use]
    pub fn with_rescored(mut self, candidates: usize) -> Self {
        self.rescored = Some(candidates);
        self
    }

    /// The best hits in f32 beyond doubt; see [`Query::exact`].
    #[must_use]
    pub fn with_exact(mut self) -> Self {
        self.exact = true;
        self
    }

    pub(crate) fn rescored(&self) -> usize {
        let wanted = self
            .rescored
            .unwrap_or(RESCORED.max(self.k.saturating_mul(4)));
        wanted.max(self.k)
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn as_many_are_scored_again_as_the_docs_say() {
        let rescored = |k, wanted: Option<usize>| {
            let query = Query::new([1.0]).with_k(k);
            wanted
                .map_or(query.clone(), |n| query.with_rescored(n))
                .rescored()
        };
        assert_eq!((rescored(10, None), rescored(32, None)), (128, 128));
        assert_eq!((rescored(33, None), rescored(100, None)), (132, 400));
        assert_eq!((rescored(10, Some(50)), rescored(10, Some(5))), (50, 10));
        assert_eq!(rescored(usize::MAX, None), usize::MAX);
    }
}
