//! The best hits: candidates by their codes, whose f32 vectors decide. What the codes do not tell apart
//! can be missed, unless a second scan is asked for.

use std::time::Instant;

use medgemma_kernels::Cpu;

use crate::best::{Best, Ranked};
use crate::candidates::{TOGETHER, Target};
use crate::error::Result;
use crate::index::Index;
use crate::metadata::Metadata;
use crate::quantize::{self, bound, product};
use crate::query::Query;
use crate::rows::NEAR;

/// A vector that was found.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Hit {
    /// Its id.
    pub id: String,
    /// Cosine similarity to the query, −1 to 1, from the f32 vectors.
    pub score: f32,
    /// Its metadata.
    pub metadata: Metadata,
}

impl std::fmt::Debug for Hit {
    /// Shows no metadata: it may be about a patient.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hit")
            .field("id", &self.id)
            .field("score", &self.score)
            .finish_non_exhaustive()
    }
}

impl Index {
    /// The vectors most like the query, best first: by score, those of one score by id. The threads
    /// of `cpu` make no difference to the result.
    ///
    /// Scores are exact, but which vectors are scored is decided by their 8-bit codes: the best 128
    /// candidates, or [`Query::with_rescored`]. Where more vectors than that are as near to the query as
    /// the error of the codes, the best can be missed: of a thousand slices of one series that
    /// hardly differ, say. [`Query::with_exact`] misses none.
    ///
    /// [`Index::make_coarse_codes`] makes searches of many vectors faster.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a query vector of another dimension or
    /// without a direction, [`Error::Damaged`](crate::Error::Damaged) if the log has changed since
    /// it was read or a vector that is scored cannot be one of unit length,
    /// [`Error::Io`](crate::Error::Io) if a vector, its codes, or the log for a filter, cannot be read.
    pub fn search(&self, cpu: &Cpu, query: &Query) -> Result<Vec<Hit>> {
        let hits = self.search_all(cpu, std::slice::from_ref(query))?;
        Ok(hits.into_iter().next().unwrap_or_default())
    }

    /// [`Index::search`] for several queries in one pass over the codes for each 64 of them: as many hits for
    /// each as alone, in less time than one after the other. Metadata are read once for each filter, however
    /// many of the queries have it. In memory are all queries and all hits, a bit per row for each different
    /// filter, and for 64 queries at a time their candidates in each thread.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search_all(&self, cpu: &Cpu, queries: &[Query]) -> Result<Vec<Vec<Hit>>> {
        let began = Instant::now();
        let targets = self.targets(cpu, queries)?;
        let mut hits = Vec::with_capacity(targets.len());
        for group in targets.chunks(TOGETHER) {
            for (target, candidates) in group.iter().zip(self.candidates(cpu, group)?) {
                let best = self.rescore(cpu, target, candidates)?;
                let hit = |ranked: &Ranked<'_>| {
                    let (id, metadata) = self.catalog().describe(ranked.row)?;
                    Ok(Hit {
                        id,
                        score: ranked.score,
                        metadata,
                    })
                };
                hits.push(best.iter().map(hit).collect::<Result<Vec<_>>>()?);
            }
        }
        tracing::debug!(
            queries = queries.len(),
            rows = self.codes().len(),
            microseconds = began.elapsed().as_micros(),
            "searched"
        );
        Ok(hits)
    }

    /// The best `k` of the candidates by their vectors.
    fn rescore(
        &self,
        cpu: &Cpu,
        target: &Target<'_>,
        candidates: Best<'_>,
    ) -> Result<Vec<Ranked<'_>>> {
        let k = target.query.k.min(self.catalog().live_rows());
        let mut best = Best::new(k, self.catalog());
        if k == 0 {
            return Ok(Vec::new());
        }
        let (full, least) = (candidates.is_full(), candidates.threshold());
        let mut vector = Vec::new();
        for candidate in candidates.into_sorted() {
            let score = self.score(target, candidate.row, &mut vector)?;
            best.offer(score, candidate.row);
        }
        if target.query.exact && full {
            // What was turned away has at most the score of the last candidate by its codes.
            let widest = self
                .catalog()
                .residuals()
                .iter()
                .fold(0.0f32, |a, b| a.max(*b));
            let could = least + bound(target.scaling.residual, widest);
            if could >= best.threshold() {
                best = self.certain(cpu, target, best.threshold())?;
            }
        }
        Ok(best.into_sorted())
    }

    /// The best `k` of all rows whose codes allow a score of `least`, which `k` rows reach.
    fn certain(&self, cpu: &Cpu, target: &Target<'_>, least: f32) -> Result<Best<'_>> {
        let k = target.query.k.min(self.catalog().live_rows());
        let begin = || (Ok(Best::new(k, self.catalog())), Vec::new());
        let (scales, residuals) = (self.catalog().scales(), self.catalog().residuals());
        let codes = (self.codes(), &*target.codes);
        let heaps = self.pass(cpu, codes, &[target], begin, |(best, vector), block| {
            let Ok(heap) = best else { return };
            for (row, &sum) in block.sums.iter().enumerate() {
                let (row, wanted) = (block.first + row, block.wanted >> row & 1 == 1);
                let could =
                    target.coded(sum, scales[row]) + bound(target.scaling.residual, residuals[row]);
                if wanted && could >= least {
                    match self.score(target, row, vector) {
                        Ok(score) => heap.offer(score, row),
                        Err(error) => return *best = Err(error),
                    }
                }
            }
        });
        let mut all = Best::new(k, self.catalog());
        for (heap, _) in heaps {
            all.merge(heap?);
        }
        Ok(all)
    }

    /// A row's score by its vector, which is read into `vector`.
    fn score(&self, target: &Target<'_>, row: usize, vector: &mut Vec<u8>) -> Result<f32> {
        self.files().read_vector(row, vector)?;
        let length = quantize::length_of_bytes(vector);
        // A number that is none is not in the range either.
        if (length - 1.0).abs() <= NEAR {
            // Lengths are 1 to a millionth only, which is as much as near duplicates differ by.
            let cosine = product(&target.unit, vector) / (target.length * length);
            return Ok(quantize::score(cosine));
        }
        Err(self.files().damaged_vector(row, length, self.catalog()))
    }
}
