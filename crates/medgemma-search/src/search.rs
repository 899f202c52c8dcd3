//! The best hits: a scan of the 8-bit codes for candidates, whose f32 vectors decide. What the codes
//! do not tell apart can be missed, unless a second scan is asked for.

use std::sync::Arc;
use std::time::Instant;

use medgemma_kernels::Cpu;

use crate::best::{Best, Ranked};
use crate::error::Result;
use crate::filter::Filter;
use crate::index::Index;
use crate::mask::Mask;
use crate::metadata::Metadata;
use crate::quantize::{self, Scaling, bound, product};
use crate::query::Query;
use crate::rows::NEAR;
use crate::scan::{self, Block};
use crate::writer;

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

/// A query made ready.
struct Target<'a> {
    query: &'a Query,
    unit: Vec<f32>,
    codes: Vec<i8>,
    scaling: Scaling,
    /// The rows that may be found, if not all live ones.
    mask: Option<Arc<Mask>>,
}

impl Target<'_> {
    /// A row's score by its codes.
    fn coded(&self, sum: i32, scale: f32) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "`bound` covers the rounding")]
        let sum = sum as f32;
        sum * (scale * self.scaling.scale)
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
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a query vector of another dimension or
    /// without a direction, [`Error::Damaged`](crate::Error::Damaged) if the log has changed since
    /// it was read or a vector that is scored cannot be one of unit length,
    /// [`Error::Io`](crate::Error::Io) if a vector, or the log for a filter, cannot be read.
    pub fn search(&self, cpu: &Cpu, query: &Query) -> Result<Vec<Hit>> {
        let hits = self.search_all(cpu, std::slice::from_ref(query))?;
        Ok(hits.into_iter().next().unwrap_or_default())
    }

    /// [`Index::search`] for several queries in one pass over the codes: as many hits for each as
    /// alone, in less time than one after the other. Metadata are read once for each filter, however
    /// many of the queries have it.
    ///
    /// # Errors
    /// As [`Index::search`].
    pub fn search_all(&self, cpu: &Cpu, queries: &[Query]) -> Result<Vec<Vec<Hit>>> {
        let began = Instant::now();
        let targets = self.targets(cpu, queries)?;
        let all: Vec<&Target<'_>> = targets.iter().collect();
        let candidates = self.candidates(cpu, &all);
        let mut hits = Vec::with_capacity(targets.len());
        for (target, candidates) in targets.iter().zip(candidates) {
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
        tracing::debug!(
            queries = queries.len(),
            rows = self.codes().len(),
            microseconds = began.elapsed().as_micros(),
            "searched"
        );
        Ok(hits)
    }

    fn targets<'a>(&self, cpu: &Cpu, queries: &'a [Query]) -> Result<Vec<Target<'a>>> {
        let mut masks: Vec<(&'a Filter, Arc<Mask>)> = Vec::new();
        let mut mask = |filter: &'a Filter| {
            if let Some((_, mask)) = masks.iter().find(|(known, _)| *known == filter) {
                return Ok(Arc::clone(mask));
            }
            let mask = Arc::new(scan::matching(cpu, self.catalog(), filter)?);
            masks.push((filter, Arc::clone(&mask)));
            Ok(mask)
        };
        let target = |(index, query): (usize, &'a Query)| {
            let argument = format!("query {index}.vector");
            let unit = writer::unit(&query.vector, self.fingerprint(), &argument)?;
            let mut codes = Vec::with_capacity(unit.len());
            let scaling = quantize::encode(&unit, &mut codes);
            Ok(Target {
                query,
                unit,
                codes,
                scaling,
                mask: query.filter.as_ref().map(&mut mask).transpose()?,
            })
        };
        queries.iter().enumerate().map(target).collect()
    }

    fn mask<'a>(&'a self, target: &'a Target<'_>) -> &'a Mask {
        target.mask.as_deref().unwrap_or(self.catalog().live())
    }

    /// Calls `each` with every block of rows that any of the targets may find.
    fn pass<S: Send>(
        &self,
        cpu: &Cpu,
        targets: &[&Target<'_>],
        begin: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Block<'_>) + Sync,
    ) -> Vec<S> {
        let codes: Vec<i8> = targets.iter().flat_map(|t| &t.codes).copied().collect();
        if let [target] = targets {
            return scan::scan(cpu, self.codes(), &codes, self.mask(target), begin, each);
        }
        let masks = || targets.iter().map(|target| self.mask(target));
        let words = 0..self.catalog().live().words();
        let any = words.map(|index| masks().fold(0, |word, mask| word | mask.word(index)));
        let any = Mask::from_words(any.collect());
        scan::scan(cpu, self.codes(), &codes, &any, begin, each)
    }

    /// The best rows of each target by their codes.
    fn candidates(&self, cpu: &Cpu, targets: &[&Target<'_>]) -> Vec<Best<'_>> {
        let begin = || {
            let best = |target: &&Target<'_>| {
                let most = target.query.rescored().min(self.catalog().live_rows());
                Best::new(most, self.catalog())
            };
            targets.iter().map(best).collect::<Vec<_>>()
        };
        let scales = self.catalog().scales();
        let mut heaps = self.pass(cpu, targets, begin, |heaps, block| {
            for ((target, best), sums) in targets
                .iter()
                .zip(heaps)
                .zip(block.sums.chunks_exact(block.rows))
            {
                let mask = target.mask.as_ref();
                let mut threshold = best.threshold();
                let scales = &scales[block.first..];
                for (row, (&sum, &scale)) in sums.iter().zip(scales).enumerate() {
                    let score = target.coded(sum, scale);
                    if score < threshold || block.wanted >> row & 1 == 0 {
                        continue;
                    }
                    let row = block.first + row;
                    if targets.len() == 1 || mask.is_none_or(|mask| mask.contains(row)) {
                        best.offer(score, row);
                        threshold = best.threshold();
                    }
                }
            }
        });
        let mut all = heaps.pop().unwrap_or_else(begin);
        for heaps in heaps {
            for (best, other) in all.iter_mut().zip(heaps) {
                best.merge(other);
            }
        }
        all
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
        let heaps = self.pass(cpu, &[target], begin, |(best, vector), block| {
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
        let product = product(&target.unit, vector);
        // A number that is none is not in the range either.
        if product.abs() <= 1.0 + NEAR {
            return Ok(quantize::score(product));
        }
        Err(self.files().damaged_vector(row, product))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use medgemma_kernels::Cpu;

    use crate::{Batch, Filter, Fingerprint, Index, Metadata, Query, Writer};

    #[test]
    fn queries_of_one_filter_share_its_rows() {
        let folder = tempfile::tempdir().expect("a folder");
        let fingerprint = Fingerprint::new("m", 2);
        let mut writer = Writer::create(folder.path(), &fingerprint).expect("created");
        let mut batch = Batch::new();
        for age in 0..3 {
            let metadata = Metadata::from([("age".to_owned(), age.into())]);
            batch.put(age.to_string(), vec![1.0, 2.0], metadata);
        }
        writer.append(&batch).expect("appended");
        let index = Index::open(folder.path(), &fingerprint).expect("opened");
        let filtered = |age: i32| Query::new([1.0, 0.0]).with_filter(Filter::equals("age", age));
        let queries = [
            filtered(1),
            Query::new([1.0, 0.0]),
            filtered(2),
            filtered(1),
        ];
        let targets = index.targets(&Cpu::detect(), &queries).expect("made ready");
        let masks: Vec<_> = targets.iter().map(|target| target.mask.clone()).collect();
        let [Some(first), None, Some(other), Some(last)] = &masks[..] else {
            panic!("{masks:?}");
        };
        assert!(Arc::ptr_eq(first, last));
        assert_eq!(first.iter().collect::<Vec<_>>(), [1]);
        assert_eq!(other.iter().collect::<Vec<_>>(), [2]);
    }
}
