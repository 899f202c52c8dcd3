//! Which rows of a search are scored by their vectors: a scan of the 8-bit codes says, or, of many
//! rows that have 4-bit codes, one of these, whose shortlist the 8-bit codes narrow down.

use std::sync::{Arc, Mutex, PoisonError};

use medgemma_kernels::{Cpu, dot_i8};

use crate::best::{Best, Ranked};
use crate::coarse::{Coarse, CoarseQuery};
use crate::error::Result;
use crate::filter::Filter;
use crate::index::Index;
use crate::mask::{Mask, WORD};
use crate::prepared;
use crate::quantize::{self, Scaling};
use crate::query::Query;
use crate::scan::{self, Block, Scanned};

/// Rows that 4-bit codes leave to the 8-bit ones, or more.
const SHORTLIST: usize = 1024;
/// And for each candidate that is scored in f32.
const SHORTLISTED: usize = 8;
/// For a shortlist of one there must be so many rows: of fewer, the 8-bit codes are scanned at once, in a
/// millisecond.
const MANY: usize = 16;
/// Queries that are searched for in one pass: each has a heap in every thread.
pub(crate) const TOGETHER: usize = 64;
/// Standard deviations by which a row's 4-bit score is taken to be off at most.
const CERTAIN: f64 = 4.0;

/// A query made ready.
pub(crate) struct Target<'a> {
    pub(crate) query: &'a Query,
    pub(crate) unit: Vec<f32>,
    /// Of `unit`: 1 to a millionth.
    pub(crate) length: f64,
    pub(crate) codes: Vec<i8>,
    pub(crate) scaling: Scaling,
    /// The rows that may be found, if not all live ones.
    pub(crate) mask: Option<Arc<Mask>>,
    /// Rows that 4-bit codes may choose for the 8-bit ones; `None` where these are scanned at once.
    shortlist: Option<usize>,
}

impl Target<'_> {
    /// A row's score by its codes.
    pub(crate) fn coded(&self, sum: i32, scale: f32) -> f32 {
        // `bound` covers the rounding.
        let sum = sum as f32;
        sum * (scale * self.scaling.scale)
    }
}

impl Index {
    /// The queries made ready. Those of one filter share its rows.
    pub(crate) fn targets<'a>(&self, cpu: &Cpu, queries: &'a [Query]) -> Result<Vec<Target<'a>>> {
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
            let unit = prepared::unit(&query.vector, self.fingerprint(), &argument)?;
            let mut codes = Vec::with_capacity(unit.len());
            let scaling = quantize::encode(&unit, &mut codes);
            let mask = query.filter.as_ref().map(&mut mask).transpose()?;
            let rows = mask.as_ref().map_or(self.len(), |mask| mask.count());
            let shortlist = SHORTLIST.max(query.rescored().saturating_mul(SHORTLISTED));
            let many = !query.exact && rows / MANY >= shortlist;
            Ok(Target {
                query,
                length: quantize::length(&unit),
                unit,
                codes,
                scaling,
                mask,
                shortlist: many.then_some(shortlist),
            })
        };
        queries.iter().enumerate().map(target).collect()
    }

    fn mask<'a>(&'a self, target: &'a Target<'_>) -> &'a Mask {
        target.mask.as_deref().unwrap_or(self.catalog().live())
    }

    /// Calls `each` with every block of `rows` that any of the targets may find, and its products with the
    /// `queries` of all of them.
    pub(crate) fn pass<S: Send>(
        &self,
        cpu: &Cpu,
        (rows, queries): (&impl Scanned, &[i8]),
        targets: &[&Target<'_>],
        begin: impl Fn() -> S + Sync,
        each: impl Fn(&mut S, &Block<'_>) + Sync,
    ) -> Vec<S> {
        if let [target] = targets {
            return scan::scan(cpu, rows, queries, self.mask(target), begin, each);
        }
        let masks = || targets.iter().map(|target| self.mask(target));
        let words = 0..self.catalog().live().words();
        let any = words.map(|index| masks().fold(0, |word, mask| word | mask.word(index)));
        let any = Mask::from_words(any.collect());
        scan::scan(cpu, rows, queries, &any, begin, each)
    }

    /// The rows of each target, [`TOGETHER`] at most, that are scored by their vectors.
    pub(crate) fn candidates(&self, cpu: &Cpu, targets: &[Target<'_>]) -> Result<Vec<Best<'_>>> {
        debug_assert!(targets.len() <= TOGETHER, "{} heaps", targets.len());
        let mut found: Vec<Option<Best<'_>>> = targets.iter().map(|_| None).collect();
        if let Some(coarse) = self.coarse() {
            let many: Vec<usize> = (0..targets.len())
                .filter(|&index| targets[index].shortlist.is_some())
                .collect();
            let of_many: Vec<_> = many.iter().map(|&index| &targets[index]).collect();
            let best = self.by_coarse(cpu, coarse, &of_many)?;
            for (index, best) in many.into_iter().zip(best) {
                found[index] = best;
            }
        }
        let left = targets
            .iter()
            .zip(&found)
            .filter(|(_, best)| best.is_none());
        let left: Vec<&Target<'_>> = left.map(|(target, _)| target).collect();
        let mut by_codes = self.by_codes(cpu, &left).into_iter();
        let all = found
            .into_iter()
            .map(|best| best.or_else(|| by_codes.next()));
        Ok(all.flatten().collect())
    }

    /// The best rows of each target by their 8-bit codes.
    fn by_codes(&self, cpu: &Cpu, targets: &[&Target<'_>]) -> Vec<Best<'_>> {
        let codes: Vec<i8> = targets.iter().flat_map(|t| &t.codes).copied().collect();
        let scales = self.catalog().scales();
        let size = |target: &Target<'_>| target.query.rescored();
        let score = |index: usize, row: usize, sum| targets[index].coded(sum, scales[row]);
        self.best(cpu, (self.codes(), &codes), targets, size, score)
    }

    /// The best rows of each target by their 8-bit codes, of those that are best by their 4-bit codes; `None`
    /// where these may have passed over one.
    fn by_coarse(
        &self,
        cpu: &Cpu,
        coarse: &Coarse,
        targets: &[&Target<'_>],
    ) -> Result<Vec<Option<Best<'_>>>> {
        let queries: Vec<CoarseQuery> = targets.iter().map(|t| coarse.query(&t.unit)).collect();
        let codes: Vec<i8> = queries.iter().flat_map(|q| &q.codes).copied().collect();
        let size = |target: &Target<'_>| target.shortlist.unwrap_or_default();
        let score = |index: usize, row, sum| coarse.score(&queries[index], row, sum);
        let shortlists = self.best(cpu, (coarse, &codes), targets, size, score);
        let shortlists = targets.iter().zip(&queries).zip(shortlists);
        let narrow = |((target, query), shortlist): ((&&Target<'_>, &CoarseQuery), Best<'_>)| {
            let full = shortlist.is_full();
            let shortlist = shortlist.into_sorted();
            let scores = self.scores(cpu, target, &shortlist)?;
            let coarse: Vec<f32> = shortlist.iter().map(|ranked| ranked.score).collect();
            if full && may_miss(target.query.rescored(), query.deviation, &coarse, &scores) {
                return Ok(None);
            }
            let mut best = Best::new(target.query.rescored(), self.catalog());
            for (ranked, score) in shortlist.iter().zip(scores) {
                best.offer(score, ranked.row);
            }
            Ok(Some(best))
        };
        shortlists.map(narrow).collect()
    }

    /// The scores of a shortlist's rows by their 8-bit codes, which are read from the file: pages of the map
    /// would count as memory of the process.
    fn scores(&self, cpu: &Cpu, target: &Target<'_>, shortlist: &[Ranked<'_>]) -> Result<Vec<f32>> {
        let scales = self.catalog().scales();
        let pieces: Vec<_> = shortlist
            .chunks(WORD)
            .map(|piece| (piece, Mutex::new(Ok(Vec::new()))))
            .collect();
        cpu.pool().run(pieces.len(), &|index| {
            let (piece, scored) = &pieces[index];
            let (mut codes, mut sum) = (Vec::new(), [0]);
            let score = |ranked: &Ranked<'_>| {
                let row = ranked.row;
                self.files().read_codes(row..row + 1, &mut codes)?;
                dot_i8(cpu.path(), &target.codes, &codes, codes.len(), &mut sum);
                Ok(target.coded(sum[0], scales[row]))
            };
            let scores: Result<Vec<f32>> = piece.iter().map(score).collect();
            *scored.lock().unwrap_or_else(PoisonError::into_inner) = scores;
        });
        let scores = pieces.into_iter().map(|(_, scored)| scored.into_inner());
        let scores = scores.map(|scored| scored.unwrap_or_else(PoisonError::into_inner));
        Ok(scores.collect::<Result<Vec<_>>>()?.concat())
    }

    /// The best `size` rows of each target by what `score` makes of its index, a row and their product.
    fn best(
        &self,
        cpu: &Cpu,
        rows: (&impl Scanned, &[i8]),
        targets: &[&Target<'_>],
        size: impl Fn(&Target<'_>) -> usize + Sync,
        score: impl Fn(usize, usize, i32) -> f32 + Sync,
    ) -> Vec<Best<'_>> {
        let begin = || {
            let best = |target: &&Target<'_>| {
                Best::new(size(target).min(self.catalog().live_rows()), self.catalog())
            };
            targets.iter().map(best).collect::<Vec<_>>()
        };
        if targets.is_empty() {
            return Vec::new();
        }
        let mut heaps = self.pass(cpu, rows, targets, begin, |heaps, block| {
            let sums = block.sums.chunks_exact(block.rows);
            for (index, (best, sums)) in heaps.iter_mut().zip(sums).enumerate() {
                let mask = targets[index].mask.as_ref();
                let mut threshold = best.threshold();
                for (row, &sum) in sums.iter().enumerate() {
                    let score = score(index, block.first + row, sum);
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
}

/// Whether a row that is not on the shortlist could be among the `most` best by its 8-bit codes: it has at
/// most the lowest of the `coarse` scores, in order, which are off by `deviation`, or by what they
/// are seen to be off from the 8-bit `scores` of the same rows, should that be more.
fn may_miss(most: usize, deviation: f64, coarse: &[f32], scores: &[f32]) -> bool {
    let mut order = scores.to_vec();
    order.sort_by(|a, b| b.total_cmp(a));
    let (Some(&lowest), Some(&least)) = (coarse.last(), order.get(most.saturating_sub(1))) else {
        return most > 0;
    };
    let off = || coarse.iter().zip(scores).map(|(c, s)| f64::from(s - c));
    let count = scores.len() as f64;
    let mean = off().sum::<f64>() / count;
    let seen = (off().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    let reach = mean.max(0.0) + CERTAIN * deviation.max(seen);
    most > 0 && f64::from(lowest) + reach >= f64::from(least)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use medgemma_kernels::Cpu;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{MANY, SHORTLIST, may_miss};
    use crate::{Batch, Filter, Fingerprint, Index, Metadata, Query, Writer};

    #[test]
    fn only_of_many_rows_a_shortlist_is_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let fingerprint = Fingerprint::new("m", 2);
        let mut writer = Writer::create(folder.path(), &fingerprint).expect("created");
        let rows = SHORTLIST * MANY;
        let mut batch = Batch::new();
        for row in 0..rows {
            let metadata = Metadata::from([("first".to_owned(), (row == 0).into())]);
            batch.put(row.to_string(), vec![1.0, 2.0], metadata);
        }
        writer.append(&batch).expect("appended");
        let shortlists = || {
            let index = Index::open(folder.path(), &fingerprint).expect("opened");
            let plain = || Query::new([1.0, 0.0]);
            let filtered = |first: bool| plain().with_filter(Filter::equals("first", first));
            let queries = [
                plain(),
                plain().with_exact(),
                filtered(true),
                filtered(false),
                plain().with_rescored(SHORTLIST),
            ];
            let targets = index.targets(&Cpu::detect(), &queries).expect("made ready");
            targets
                .iter()
                .map(|target| target.shortlist)
                .collect::<Vec<_>>()
        };
        assert_eq!(shortlists(), [Some(SHORTLIST), None, None, None, None]);
        let mut batch = Batch::new();
        batch.put(
            "another",
            vec![1.0, 2.0],
            Metadata::from([("first".to_owned(), false.into())]),
        );
        writer.append(&batch).expect("appended");
        assert_eq!(
            shortlists(),
            [Some(SHORTLIST), None, None, Some(SHORTLIST), None]
        );
        let mut batch = Batch::new();
        batch.delete("another");
        batch.delete("0");
        writer.append(&batch).expect("appended");
        assert_eq!(shortlists(), [None; 5]);
    }

    /// Of how many queries a shortlist was enough: each is a later row, which alone is asked for.
    fn enough(rows: impl Fn(usize) -> Vec<f32>, later: impl Fn(usize) -> Vec<f32>) -> usize {
        let folder = tempfile::tempdir().expect("a folder");
        let fingerprint = Fingerprint::new("m", rows(0).len());
        let mut writer = Writer::create(folder.path(), &fingerprint).expect("created");
        let count = SHORTLIST * MANY + 3000;
        let mut append = |some: std::ops::Range<usize>, vector: &dyn Fn(usize) -> Vec<f32>| {
            let mut batch = Batch::new();
            for row in some {
                batch.put(row.to_string(), vector(row), Metadata::new());
            }
            writer.append(&batch).expect("appended");
        };
        append(0..count, &rows);
        let cpu = Cpu::detect();
        let mut index = Index::open(folder.path(), &fingerprint).expect("opened");
        index.make_coarse_codes(&cpu).expect("made");
        append(count..2 * count, &later);
        assert!(index.refresh().expect("refreshed"));
        // What is far from all others is found in any case; what is scored in f32 beside it is not.
        let query = |number: usize| Query::new(later(count + number * 1000)).with_k(1);
        let queries: Vec<Query> = (0..10).map(query).collect();
        let targets = index.targets(&cpu, &queries).expect("made ready");
        let targets: Vec<_> = targets.iter().collect();
        let coarse = index.coarse().expect("made");
        let found = index.by_coarse(&cpu, coarse, &targets).expect("searched");
        found.iter().flatten().count()
    }

    #[test]
    fn a_shortlist_is_enough_but_of_what_the_codes_do_not_know() {
        let numbers = |seed: usize| -> Vec<f32> {
            let mut rng = ChaCha8Rng::seed_from_u64(seed as u64);
            (0..64).map(|_| rng.random_range(-1.0..1.0)).collect()
        };
        // One of three kinds that are alike within, the first of them the `first`.
        let kind = |first: usize, row: usize| -> Vec<f32> {
            let kind = numbers(usize::MAX - first - row % 3);
            kind.iter()
                .zip(numbers(row))
                .map(|(kind, own)| kind + 0.1 * own)
                .collect()
        };
        assert_eq!(enough(numbers, numbers), 10);
        assert!(enough(|row| kind(0, row), |row| kind(0, row)) >= 9);
        assert_eq!(enough(|row| kind(0, row), |row| kind(3, row)), 0);
    }

    #[test]
    fn a_shortlist_is_enough_where_its_last_row_is_far_from_the_hits() {
        let scores = [0.9, 0.7, 0.5, 0.3];
        // Exact scores, which are said to be off by so much.
        let miss = |k, deviation| may_miss(k, deviation, &scores, &scores);
        assert!(!miss(1, 0.1) && miss(1, 0.16));
        assert!(!miss(3, 0.04) && miss(3, 0.06));
        assert!(miss(4, 0.0) && miss(5, 0.0) && !miss(0, 1.0));
        assert!(may_miss(1, 0.0, &[], &[]) && !may_miss(0, 0.0, &[], &[]));
        // Off by 0.1 either way, though they are said to be exact.
        let coarse = [1.0, 0.6, 0.6, 0.2];
        assert!(!may_miss(2, 0.0, &coarse, &scores) && may_miss(3, 0.0, &coarse, &scores));
        // All are too low.
        let coarse = [0.6, 0.4, 0.2, 0.0];
        assert!(!may_miss(3, 0.04, &coarse, &scores) && may_miss(3, 0.06, &coarse, &scores));
        // All are too high, which is no promise for others.
        let coarse = [1.3, 1.1, 0.9, 0.7];
        assert!(may_miss(2, 0.0, &coarse, &scores) && !may_miss(1, 0.0, &coarse, &scores));
    }

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
