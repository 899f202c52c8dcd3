//! Pairs of vectors that are nearly the same.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use medgemma_kernels::{Cpu, dot_i8};

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::index::Index;
use crate::mask::{Mask, WORD};
use crate::quantize::{self, bound, product};
use crate::rows::{self, NEAR};
use crate::scan;

/// Rows that are compared with all later ones at a time: their codes stay in a core's cache.
const QUERIES: usize = 2 * WORD;

/// Which pairs are looked for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DuplicateOptions {
    /// Least cosine similarity of a pair; 1 finds those that are equal as f32 numbers tell. 0.98 unless
    /// asked for otherwise: near enough to be one picture stored twice, which a look at some pairs of the
    /// archive should confirm.
    pub threshold: f32,
    /// How many pairs at most, the most similar ones: a million unless asked for otherwise.
    pub limit: usize,
    /// Which vectors are compared: all, unless asked for otherwise.
    pub filter: Option<Filter>,
}

impl Default for DuplicateOptions {
    fn default() -> Self {
        Self {
            threshold: 0.98,
            limit: 1_000_000,
            filter: None,
        }
    }
}

impl DuplicateOptions {
    /// Pairs of at least this cosine similarity.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f32) -> Self {
        self.threshold = threshold;
        self
    }

    /// At most `limit` pairs.
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Only vectors for which `filter` holds.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Refuses a threshold that no pair can reach, or that vectors reach which are nothing alike.
    fn check(&self) -> Result<()> {
        if self.threshold > 0.0 && self.threshold <= 1.0 {
            return Ok(());
        }
        Err(Error::argument(
            "options.threshold",
            "a cosine similarity above 0 and at most 1",
            self.threshold.to_string(),
        ))
    }
}

/// Pairs of vectors that are nearly the same.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Duplicates {
    /// The pairs, most similar first, those of one score in the order of the archive.
    pub pairs: Vec<Pair>,
    /// Pairs above the threshold, those beyond the limit included.
    pub found: u64,
    /// Whether the comparison was ended before all pairs were looked at: some are missing then.
    pub stopped: bool,
}

/// How far a comparison of all vectors is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compared {
    /// Pairs of rows that were compared or did not need to be, since a filter leaves them out.
    pub done: u64,
    /// All pairs of rows.
    pub pairs: u64,
}

/// Two vectors.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Pair {
    /// The id that was appended first.
    pub first: String,
    /// The id that was appended later.
    pub second: String,
    /// Their cosine similarity, from the f32 vectors.
    pub score: f32,
}

/// What a thread has found.
#[derive(Default)]
struct Found {
    pairs: Vec<(f32, usize, usize)>,
    count: u64,
    /// Why it could not go on.
    error: Option<Error>,
    /// Bytes of the vector that was last read.
    vector: Vec<u8>,
}

impl Found {
    /// Keeps the best `limit`; sorted by score, then place.
    fn shorten(&mut self, limit: usize) {
        let order = |a: &(f32, usize, usize), b: &(f32, usize, usize)| {
            b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)))
        };
        self.pairs.sort_unstable_by(order);
        self.pairs.truncate(limit);
    }
}

/// What the threads of a comparison share.
struct Watch<F> {
    compared: Compared,
    progress: F,
    stopped: bool,
}

impl<F: FnMut(Compared) -> ControlFlow<()>> Watch<F> {
    /// Tells of `pairs` more.
    fn tell(&mut self, pairs: u64) {
        self.compared.done += pairs;
        // Pieces that were begun before an end was asked for are not told of.
        if self.stopped {
            return;
        }
        // Should `progress` panic, that ends the comparison too.
        self.stopped = true;
        self.stopped = (self.progress)(self.compared).is_break();
    }
}

impl Index {
    /// All pairs of vectors whose cosine similarity reaches a threshold. None is missed: the codes
    /// only rule out what the error of their rounding cannot reach.
    ///
    /// Every vector is compared with every later one, so the time grows with the square of their
    /// number: a million take a hundred times as long as a hundred thousand. `cpu` is taken until
    /// the end; a search on the same one runs on its own thread alone meanwhile, so give it another
    /// [`Cpu`]. [`Index::duplicates_observed`] tells how far it is, and can be stopped.
    ///
    /// # Errors
    /// [`Error::Argument`] for a threshold that is not above 0 and at most 1,
    /// [`Error::Damaged`] if the log has changed since it was read or a vector is not of unit length,
    /// [`Error::Io`] if a vector cannot be read.
    pub fn duplicates(&self, cpu: &Cpu, options: &DuplicateOptions) -> Result<Duplicates> {
        self.duplicates_observed(cpu, options, |_| ControlFlow::Continue(()))
    }

    /// [`Index::duplicates`], telling `progress` how far it is: after every 128 vectors, which have
    /// then been compared with all later ones. Where it breaks, pieces that were begun are ended, and
    /// what was found by then is returned with [`Duplicates::stopped`]. It is called by one thread at a
    /// time, of those of `cpu`, and while it runs the others wait as soon as they have ended their piece.
    /// Where it panics, pieces that were begun are ended, and the panic goes on.
    ///
    /// # Errors
    /// As [`Index::duplicates`].
    pub fn duplicates_observed(
        &self,
        cpu: &Cpu,
        options: &DuplicateOptions,
        progress: impl FnMut(Compared) -> ControlFlow<()> + Send,
    ) -> Result<Duplicates> {
        options.check()?;
        let began = Instant::now();
        let filter = options.filter.as_ref();
        let mask = filter.map(|filter| scan::matching(cpu, self.catalog(), filter));
        let mask = mask.transpose()?;
        let mask = mask.as_ref().unwrap_or(self.catalog().live());
        let (all, compared) = self.compare_all(cpu, mask, options, progress)?;
        let stopped = compared.done < compared.pairs;
        let pair = |&(score, first, second): &(f32, usize, usize)| {
            Ok(Pair {
                first: self.catalog().describe(first)?.0,
                second: self.catalog().describe(second)?.0,
                score,
            })
        };
        let found = all.pairs.iter().map(pair).collect::<Result<Vec<_>>>()?;
        tracing::info!(
            rows = self.codes().len(),
            pairs = all.count,
            stopped,
            milliseconds = began.elapsed().as_millis(),
            "compared vectors"
        );
        Ok(Duplicates {
            pairs: found,
            found: all.count,
            stopped,
        })
    }

    /// Compares all rows with all later ones, on the threads of `cpu`, until `progress` breaks: the pairs that
    /// are to be returned, and how far it came.
    fn compare_all(
        &self,
        cpu: &Cpu,
        mask: &Mask,
        options: &DuplicateOptions,
        progress: impl FnMut(Compared) -> ControlFlow<()> + Send,
    ) -> Result<(Found, Compared)> {
        let states: Mutex<Vec<Found>> = Mutex::default();
        let lock = || states.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = self.codes().len();
        let watch = Mutex::new(Watch {
            compared: Compared {
                done: 0,
                pairs: pairs(rows),
            },
            progress,
            stopped: false,
        });
        let watched = || watch.lock().unwrap_or_else(PoisonError::into_inner);
        cpu.pool().run(rows.div_ceil(QUERIES), &|piece| {
            if watched().stopped {
                return;
            }
            let taken = lock().pop();
            let mut found = taken.unwrap_or_default();
            let first = piece * QUERIES;
            if found.error.is_none() {
                let compared = self.compare(cpu, first, mask, options, &mut found);
                found.error = compared.err();
            }
            // What cannot be read ends all: nothing is returned then.
            let failed = found.error.is_some();
            lock().push(found);
            let left = pairs(rows - first) - pairs(rows.saturating_sub(first + QUERIES));
            let mut watched = watched();
            watched.tell(left);
            watched.stopped |= failed;
        });
        let compared = watched().compared;
        let mut all = Found::default();
        for found in states.into_inner().unwrap_or_else(PoisonError::into_inner) {
            found.error.map_or(Ok(()), Err)?;
            all.count += found.count;
            all.pairs.extend(found.pairs);
        }
        all.shorten(options.limit);
        Ok((all, compared))
    }

    /// Compares some rows with all later ones.
    fn compare(
        &self,
        cpu: &Cpu,
        first: usize,
        mask: &Mask,
        options: &DuplicateOptions,
        found: &mut Found,
    ) -> Result<()> {
        let rows = self.codes();
        let last = rows.len().min(first + QUERIES);
        if (first..last).all(|row| !mask.contains(row)) {
            return Ok(());
        }
        let codes = rows.of(first..last);
        let queries: Vec<i8> = codes.iter().map(|code| code.cast_signed()).collect();
        let mut sums = vec![0; (last - first) * WORD];
        for begin in (first..rows.len()).step_by(WORD) {
            let count = WORD.min(rows.len() - begin);
            if mask.word(begin / WORD) == 0 {
                continue;
            }
            let sums = &mut sums[..(last - first) * count];
            let codes = rows.of(begin..begin + count);
            dot_i8(cpu.path(), &queries, codes, rows.dimension(), sums);
            for (a, sums) in (first..last).zip(sums.chunks_exact(count)) {
                if mask.contains(a) {
                    self.collect(a, begin, sums, mask, options, found)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the pairs of row `a` with the rows from `begin` on whose products are `sums`.
    fn collect(
        &self,
        a: usize,
        begin: usize,
        sums: &[i32],
        mask: &Mask,
        options: &DuplicateOptions,
        found: &mut Found,
    ) -> Result<()> {
        let (scales, residuals) = (self.catalog().scales(), self.catalog().residuals());
        let mut first = None;
        for (b, &sum) in (begin..).zip(sums) {
            // `bound` covers the rounding.
            let coded = sum as f32 * (scales[a] * scales[b]);
            let could = coded + bound(residuals[a], residuals[b]);
            if could < options.threshold || b <= a || !mask.contains(b) {
                continue;
            }
            let (vector, length) = match &mut first {
                Some(first) => first,
                none => none.insert(self.vector(a, &mut found.vector)?),
            };
            let (_, other) = self.vector(b, &mut found.vector)?;
            // Over the lengths, which are 1 to a millionth only: a vector and its copy have exactly 1.
            let score = quantize::score(product(vector, &found.vector) / (*length * other));
            if score >= options.threshold {
                found.count += 1;
                found.pairs.push((score, a, b));
                // Never more than twice the limit in memory, nor sorted at every pair.
                if found.pairs.len() >= options.limit.saturating_mul(2).max(1024) {
                    found.shorten(options.limit);
                }
            }
        }
        Ok(())
    }

    /// The vector of a row, whose bytes are read into `bytes`, and its length.
    fn vector(&self, row: usize, bytes: &mut Vec<u8>) -> Result<(Vec<f32>, f64)> {
        self.files().read_vector(row, bytes)?;
        let vector = rows::numbers(bytes);
        let length = quantize::length(&vector);
        if (length - 1.0).abs() <= NEAR {
            return Ok((vector, length));
        }
        Err(self.files().damaged_vector(row, length, self.catalog()))
    }
}

/// Pairs of so many rows.
fn pairs(rows: usize) -> u64 {
    let rows = rows as u64;
    rows * rows.saturating_sub(1) / 2
}
