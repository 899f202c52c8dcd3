//! 4-bit codes of all rows, in memory: what a search of many rows goes through first, since they are
//! half as many bytes as the 8-bit codes, from which they are made.
//!
//! Embeddings of one model have much in common: a number that is large in all of them, say, so that any two
//! have a cosine of 0.8. What tells them apart is how they differ from their mean, and four bits are enough
//! for nothing else: each number of a vector has a range of its own, about its mean over the rows.
//!
//! A query is much like the mean as well. Its part along the mean would weigh the rounding of the codes most
//! where rows hardly differ, so that this part is multiplied with what lies beside the codes: each row's
//! product with the direction of the mean. What a mean adds to the product with the rest is the same
//! for all rows, and left out: scores put rows in order, and are no cosines.

use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

use medgemma_kernels::{Cpu, Path, dot_i8, dot_u4};

use crate::error::Result;
use crate::mask::WORD;
use crate::quantize::{self, Scaling};
use crate::rows::RowFiles;
use crate::scan::{PIECE, Scanned};

/// Rows of a chunk of memory: what a thread of a scan takes at a time.
const CHUNK: usize = PIECE * WORD;
/// Rows that means and ranges are taken from, spread over all.
const SAMPLED: usize = 4096;
/// From one code to the next, in standard deviations. Sixteen codes are then three of them to either
/// side; what lies beyond gets the last code.
const STEP: f64 = 0.4;
/// Where the mean lies among the codes 0 to 15.
const MIDDLE: f32 = 7.5;
/// Once there are so many times as many rows as the ranges were taken from, they are taken anew.
const GROWN: usize = 2;

/// The codes, made when they are first asked for.
#[derive(Debug, Default)]
pub(crate) struct Lazy {
    made: OnceLock<Coarse>,
    making: Mutex<()>,
}

impl Lazy {
    /// The codes of all rows that have `scales`.
    pub(crate) fn get(&self, cpu: &Cpu, files: &RowFiles, scales: &[f32]) -> Result<&Coarse> {
        if let Some(coarse) = self.made.get() {
            return Ok(coarse);
        }
        // Two searches at once would make them twice.
        let _one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(coarse) = self.made.get() {
            return Ok(coarse);
        }
        let coarse = Coarse::new(cpu, files, scales)?;
        Ok(self.made.get_or_init(|| coarse))
    }

    /// Takes in the rows that have come since. Where that fails, or they are many, all are made anew
    /// when they are next asked for.
    pub(crate) fn extend(&mut self, files: &RowFiles, scales: &[f32]) {
        let Some(mut coarse) = self.made.take() else {
            return;
        };
        if scales.len() < GROWN * coarse.trained && coarse.extend(files, scales).is_ok() {
            self.made = OnceLock::from(coarse);
        }
    }
}

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Coarse {
    ranges: Ranges,
    /// `[rows, dimension.div_ceil(2)]`, as [`dot_u4`] wants them.
    chunks: Vec<Vec<u8>>,
    /// Products of the rows with the direction of the mean.
    along: Vec<f32>,
    /// Rows when the ranges were taken.
    trained: usize,
    path: Path,
}

/// A query made ready: `along` times a row's product with the direction of the mean, and `scale` times the
/// product of the codes, are its score.
pub(crate) struct CoarseQuery {
    pub(crate) codes: Vec<i8>,
    along: f32,
    scale: f32,
}

impl Coarse {
    fn new(cpu: &Cpu, files: &RowFiles, scales: &[f32]) -> Result<Self> {
        let ranges = Ranges::of(files, scales)?;
        let made: Vec<Mutex<Result<Encoded>>> = (0..scales.len().div_ceil(CHUNK))
            .map(|_| Mutex::new(Ok(Encoded::default())))
            .collect();
        cpu.pool().run(made.len(), &|chunk| {
            let rows = chunk * CHUNK..scales.len().min((chunk + 1) * CHUNK);
            let encoded = ranges.encode(cpu.path(), files, scales, rows);
            *made[chunk].lock().unwrap_or_else(PoisonError::into_inner) = encoded;
        });
        let mut coarse = Self {
            ranges,
            chunks: Vec::with_capacity(made.len()),
            along: Vec::with_capacity(scales.len()),
            trained: scales.len(),
            path: cpu.path(),
        };
        for encoded in made {
            let encoded = encoded.into_inner();
            let encoded = encoded.unwrap_or_else(PoisonError::into_inner)?;
            coarse.chunks.push(encoded.codes);
            coarse.along.extend(encoded.along);
        }
        Ok(coarse)
    }

    /// Takes in the rows that `scales` has more. After an error the codes are of no use.
    fn extend(&mut self, files: &RowFiles, scales: &[f32]) -> Result<()> {
        while self.along.len() < scales.len() {
            let first = self.along.len();
            let end = scales.len().min((first / CHUNK + 1) * CHUNK);
            let encoded = self.ranges.encode(self.path, files, scales, first..end)?;
            match self.chunks.last_mut() {
                Some(last) if !first.is_multiple_of(CHUNK) => last.extend(encoded.codes),
                _ => self.chunks.push(encoded.codes),
            }
            self.along.extend(encoded.along);
        }
        Ok(())
    }

    /// What products are taken with, of a query of unit length.
    pub(crate) fn query(&self, unit: &[f32]) -> CoarseQuery {
        let (along, rest) = self.ranges.split(unit);
        let weighted = rest.iter().zip(&self.ranges.steps);
        let weighted: Vec<f32> = weighted.map(|(x, step)| x * step).collect();
        let mut codes = Vec::with_capacity(self.query_len());
        let scale = quantize::encode(&weighted, &mut codes).scale;
        codes.resize(self.query_len(), 0);
        CoarseQuery {
            codes,
            along,
            scale,
        }
    }

    /// The score of a row whose codes have this product with the query's.
    pub(crate) fn score(&self, query: &CoarseQuery, row: usize, sum: i32) -> f32 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "no more than the codes leave out"
        )]
        let sum = sum as f32;
        query.along * self.along[row] + query.scale * sum
    }
}

impl Scanned for Coarse {
    fn len(&self) -> usize {
        self.along.len()
    }

    fn query_len(&self) -> usize {
        self.ranges.bytes() * 2
    }

    fn multiply(&self, path: Path, queries: &[i8], rows: Range<usize>, sums: &mut [i32]) {
        let first = rows.start % CHUNK;
        let bytes = self.ranges.bytes();
        let codes = &self.chunks[rows.start / CHUNK][first * bytes..][..rows.len() * bytes];
        dot_u4(path, queries, codes, self.query_len(), sums);
    }
}

/// What some rows get.
#[derive(Debug, Default)]
struct Encoded {
    codes: Vec<u8>,
    along: Vec<f32>,
}

/// The mean of the rows, and the range of each number of a vector.
#[derive(Debug)]
struct Ranges {
    /// From one code to the next; 0 where all rows have one number.
    steps: Vec<f32>,
    /// Codes for 1.
    per_one: Vec<f32>,
    /// The code of 0, which need not be one.
    zeros: Vec<f32>,
    /// The mean's direction in 8 bits, which are what it is from here on.
    direction: Vec<i8>,
    scale: f32,
}

impl Ranges {
    /// Of the rows that have `scales`.
    fn of(files: &RowFiles, scales: &[f32]) -> Result<Self> {
        let count = scales.len().min(SAMPLED);
        let mut sums = vec![[0.0; 2]; files.dimension()];
        let mut codes = Vec::new();
        for index in 0..count {
            let row = index * scales.len() / count;
            files.read_codes(row..row + 1, &mut codes)?;
            for (sums, &code) in sums.iter_mut().zip(&codes) {
                let x = f64::from(code.cast_signed()) * f64::from(scales[row]);
                *sums = [sums[0] + x, sums[1] + x * x];
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let count = count.max(1) as f64;
        let moments = |[sum, squares]: [f64; 2]| {
            let mean = sum / count;
            (mean, (squares / count - mean * mean).max(0.0).sqrt())
        };
        let moments: Vec<(f64, f64)> = sums.into_iter().map(moments).collect();
        Ok(Self::new(&moments))
    }

    /// Of means and standard deviations.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to what is used")]
    fn new(moments: &[(f64, f64)]) -> Self {
        let (mut steps, mut per_one, mut zeros) = (Vec::new(), Vec::new(), Vec::new());
        for &(mean, deviation) in moments {
            let step = (STEP * deviation) as f32;
            // Of deviations so small that they are no more than rounding, nothing is told.
            let per = match step > f32::EPSILON {
                true => step.recip(),
                false => 0.0,
            };
            steps.push(step);
            per_one.push(per);
            zeros.push(MIDDLE - mean as f32 * per);
        }
        let means: Vec<f32> = moments.iter().map(|&(mean, _)| mean as f32).collect();
        let mut direction = Vec::with_capacity(means.len());
        let unit = quantize::normalized(&means).unwrap_or(means);
        let Scaling { scale, .. } = quantize::encode(&unit, &mut direction);
        Self {
            steps,
            per_one,
            zeros,
            direction,
            scale,
        }
    }

    /// Bytes of a row.
    fn bytes(&self) -> usize {
        self.steps.len().div_ceil(2)
    }

    /// A vector as so many times the direction, and the rest, which is perpendicular to it.
    fn split(&self, vector: &[f32]) -> (f32, Vec<f32>) {
        let direction: Vec<f32> = self
            .direction
            .iter()
            .map(|&c| f32::from(c) * self.scale)
            .collect();
        let product = |a: &[f32]| -> f64 {
            let products = a
                .iter()
                .zip(&direction)
                .map(|(&a, &b)| f64::from(a) * f64::from(b));
            products.sum()
        };
        #[expect(clippy::cast_possible_truncation, reason = "rounded to what is used")]
        let along = (product(vector) / product(&direction).max(f64::MIN_POSITIVE)) as f32;
        let rest = vector.iter().zip(&direction).map(|(x, d)| x - along * d);
        (along, rest.collect())
    }

    /// What some rows get, made from their codes in the file.
    fn encode(
        &self,
        path: Path,
        files: &RowFiles,
        scales: &[f32],
        rows: Range<usize>,
    ) -> Result<Encoded> {
        let mut encoded = Encoded {
            codes: Vec::with_capacity(rows.len() * self.bytes()),
            along: Vec::with_capacity(rows.len()),
        };
        let mut eight = Vec::new();
        for first in rows.clone().step_by(WORD) {
            let rows = first..rows.end.min(first + WORD);
            files.read_codes(rows.clone(), &mut eight)?;
            let scales = &scales[rows];
            let mut sums = vec![0; scales.len()];
            dot_i8(path, &self.direction, &eight, self.steps.len(), &mut sums);
            #[expect(
                clippy::cast_precision_loss,
                reason = "no more than the codes leave out"
            )]
            let along = |(&sum, scale): (&i32, &f32)| sum as f32 * (scale * self.scale);
            encoded.along.extend(sums.iter().zip(scales).map(along));
            for (eight, &scale) in eight.chunks_exact(self.steps.len()).zip(scales) {
                self.encode_row(eight, scale, &mut encoded.codes);
            }
        }
        Ok(encoded)
    }

    /// Appends the codes of a row whose 8-bit codes stand for `scale` times themselves.
    fn encode_row(&self, eight: &[u8], scale: f32, codes: &mut Vec<u8>) {
        let numbers = eight.iter().zip(self.per_one.iter().zip(&self.zeros));
        let mut fours = numbers.map(|(&eight, (per_one, zero))| {
            rounded(f32::from(eight.cast_signed()) * (scale * per_one) + zero)
        });
        let first = codes.len();
        codes.extend(fours.by_ref().take(self.bytes()));
        for (byte, four) in codes[first..].iter_mut().zip(fours) {
            *byte |= four << 4;
        }
    }
}

/// The whole number from 0 to 15 that is nearest: in the lowest bits of the sum with a number so
/// large that f32 has nothing behind the point there.
fn rounded(x: f32) -> u8 {
    const LARGE: f32 = 12_582_912.0;
    ((x.clamp(0.0, 15.0) + LARGE).to_bits() & 15) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Ranges, STEP};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Number `d` is in byte `d`, and those of the second half in its high bits; each code stands for what
        /// is half a step off at most, but for the last ones.
        #[test]
        fn codes_stand_for_the_numbers_about_their_mean(
            numbers in prop::collection::vec((any::<i8>(), -0.5f64..0.5, 0.001f64..0.2), 1..50),
            scale in 0.0001f32..0.01,
        ) {
            let moments: Vec<_> = numbers.iter().map(|&(_, mean, deviation)| (mean, deviation)).collect();
            let ranges = Ranges::new(&moments);
            let eight: Vec<u8> = numbers.iter().map(|(code, ..)| code.cast_unsigned()).collect();
            let mut codes = vec![99];
            ranges.encode_row(&eight, scale, &mut codes);
            let codes = &codes[1..];
            prop_assert_eq!(codes.len(), numbers.len().div_ceil(2));
            for (d, &(code, mean, deviation)) in numbers.iter().enumerate() {
                let four = match d < codes.len() {
                    true => codes[d] & 15,
                    false => codes[d - codes.len()] >> 4,
                };
                let step = STEP * deviation;
                let x = f64::from(code) * f64::from(scale);
                let off = (x - mean - (f64::from(four) - 7.5) * step) / step;
                let fits = match four {
                    0 => off <= 0.5001,
                    15 => off >= -0.5001,
                    _ => off.abs() <= 0.5001,
                };
                prop_assert!(fits, "{} is {} steps off as {}", x, off, four);
            }
            if numbers.len() % 2 == 1 {
                prop_assert_eq!(codes[codes.len() - 1] >> 4, 0);
            }
        }
    }

    #[test]
    fn a_query_is_its_part_along_the_mean_and_one_across() {
        let moments = [(0.7, 0.1), (-0.4, 0.1), (0.0, 0.2), (0.5, 0.3)];
        let ranges = Ranges::new(&moments);
        let direction: Vec<f32> = ranges
            .direction
            .iter()
            .map(|&c| f32::from(c) * ranges.scale)
            .collect();
        let length = moments
            .iter()
            .map(|(mean, _)| mean * mean)
            .sum::<f64>()
            .sqrt();
        for (found, (mean, _)) in direction.iter().zip(moments) {
            assert!(
                (f64::from(*found) - mean / length).abs() < 0.004,
                "{direction:?}"
            );
        }
        let query = [0.1f32, 0.5, -0.3, 0.8];
        let (along, rest) = ranges.split(&query);
        let product: f32 = rest.iter().zip(&direction).map(|(a, b)| a * b).sum();
        assert!(product.abs() < 1e-6, "{product}");
        for ((x, rest), d) in query.iter().zip(rest).zip(direction) {
            assert!(
                (x - rest - along * d).abs() < 1e-6,
                "{along} times the direction"
            );
        }
    }

    #[test]
    fn where_all_rows_have_one_number_there_is_one_code() {
        let ranges = Ranges::new(&[(0.3, 0.0), (0.1, 1e-9)]);
        let mut codes = Vec::new();
        for eight in [[0u8, 200], [127, 3]] {
            ranges.encode_row(&eight, 0.003, &mut codes);
        }
        assert_eq!(codes, [0x88, 0x88]);
    }
}
