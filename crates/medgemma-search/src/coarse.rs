//! 4-bit codes of all rows, in memory: what a search of many rows goes through first, if it is asked to.
//! They are half as many bytes as the 8-bit codes, from which they are made; see `ranges` for how.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use medgemma_kernels::{Cpu, Path, dot_u4};

use crate::error::Result;
use crate::mask::WORD;
use crate::quantize;
use crate::ranges::{Along, Encoded, MIDDLE, Ranges, inner};
use crate::rows::RowFiles;
use crate::scan::{PIECE, Scanned};

/// Rows of a chunk of memory: what a thread of a scan takes at a time.
const CHUNK: usize = PIECE * WORD;

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Coarse {
    ranges: Ranges,
    /// `[rows, dimension.div_ceil(2)]`, as [`dot_u4`] wants them.
    chunks: Vec<Vec<u8>>,
    /// `[rows]`, products with the directions that are taken out.
    along: Vec<Along>,
    path: Path,
}

/// A query made ready.
pub(crate) struct CoarseQuery {
    pub(crate) codes: Vec<i8>,
    scale: f32,
    along: Along,
    constant: f32,
    /// Standard deviation of what the rounding of a row's codes does to its score.
    pub(crate) deviation: f64,
}

impl Coarse {
    /// Of all rows that have `scales`.
    pub(crate) fn new(cpu: &Cpu, files: &RowFiles, scales: &[f32]) -> Result<Self> {
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
    pub(crate) fn extend(&mut self, files: &RowFiles, scales: &[f32]) -> Result<()> {
        let chunk = CHUNK * self.ranges.bytes();
        while self.along.len() < scales.len() {
            let first = self.along.len();
            let end = scales.len().min((first / CHUNK + 1) * CHUNK);
            let encoded = self.ranges.encode(self.path, files, scales, first..end)?;
            if first.is_multiple_of(CHUNK) {
                self.chunks.push(Vec::new());
            }
            if let Some(last) = self.chunks.last_mut() {
                last.reserve_exact(chunk - last.len());
                last.extend(encoded.codes);
            }
            self.along.extend(encoded.along);
        }
        Ok(())
    }

    /// What products are taken with, of a query of unit length.
    pub(crate) fn query(&self, unit: &[f32]) -> CoarseQuery {
        let ranges = &self.ranges;
        let (along, left) = ranges.split(unit);
        let weights = left.iter().zip(&ranges.steps);
        let weights: Vec<f32> = weights.map(|(x, step)| x * step).collect();
        let mut codes = Vec::with_capacity(self.query_len());
        let scale = quantize::encode(&weights, &mut codes).scale;
        let sum: f32 = codes.iter().map(|&code| f32::from(code)).sum();
        let mean: f32 = left
            .iter()
            .zip(&ranges.means)
            .map(|(x, mean)| x * mean)
            .sum();
        codes.resize(self.query_len(), 0);
        CoarseQuery {
            codes,
            scale,
            along,
            constant: mean - MIDDLE * scale * sum,
            // A number that is rounded is off by up to half a step, any as likely as another.
            deviation: quantize::length(&weights) / 12f64.sqrt(),
        }
    }

    /// The cosine of a query and a row whose codes have this product with the query's, as far as they tell.
    #[inline]
    pub(crate) fn score(&self, query: &CoarseQuery, row: usize, sum: i32) -> f32 {
        // What is rounded is no more than the codes leave out.
        let sum = sum as f32;
        inner(&query.along, &self.along[row]) + (query.scale * sum + query.constant)
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

#[cfg(test)]
mod tests {
    use medgemma_kernels::Path;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{CHUNK, Coarse};
    use crate::ranges::Ranges;
    use crate::scan::Scanned;

    /// Of rows that have much in common, and a query that has it too.
    #[test]
    fn scores_are_cosines_but_for_the_rounding_that_is_told() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut row = || -> Vec<f32> {
            let own = (0..64).map(|d| rng.random_range(-0.05..0.05) + [0.15, -0.1][d % 2]);
            own.collect()
        };
        let rows: Vec<Vec<f32>> = (0..CHUNK).map(|_| row()).collect();
        let ranges = Ranges::new(&rows, 64);
        let mut codes = Vec::new();
        for row in &rows {
            let left: Vec<f32> = ranges.left(row, &ranges.along(row)).collect();
            ranges.encode_row(&left, &mut codes);
        }
        let coarse = Coarse {
            chunks: vec![codes],
            along: rows.iter().map(|row| ranges.along(row)).collect(),
            ranges,
            path: Path::Scalar,
        };
        for _ in 0..5 {
            let vector = row();
            let query = coarse.query(&vector);
            let mut off = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                let mut sum = [0];
                coarse.multiply(Path::Scalar, &query.codes, index..index + 1, &mut sum);
                let exact: f32 = row.iter().zip(&vector).map(|(a, b)| a * b).sum();
                off.push(f64::from(coarse.score(&query, index, sum[0]) - exact));
            }
            let mean = off.iter().sum::<f64>() / off.len() as f64;
            let deviation = off.iter().map(|x| x * x).sum::<f64>() / off.len() as f64;
            let of_told = deviation.sqrt() / query.deviation;
            assert!(
                (0.8..1.25).contains(&of_told),
                "{of_told} of {}",
                query.deviation
            );
            assert!(
                mean.abs() < 0.2 * query.deviation,
                "{mean}: {}",
                query.deviation
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Any rows of one word, as thin filters ask for them: `sums[q, r]`, byte by byte.
        #[test]
        fn rows_are_multiplied_wherever_they_lie(
            dimension in 1usize..9,
            rows in (0usize..2 * CHUNK).prop_flat_map(|first| {
                let word = first % 64;
                (Just(first), 1..=64 - word)
            }),
            queries in prop::collection::vec(any::<i8>(), 20),
        ) {
            let ranges = Ranges::new(&[], dimension);
            let bytes = ranges.bytes();
            let byte = |at: usize| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[5];
            let chunk = |c: usize| (0..CHUNK * bytes).map(|at| byte(c * CHUNK * bytes + at)).collect();
            let coarse = Coarse {
                chunks: (0..2).map(chunk).collect(),
                along: vec![[0.0; _]; 2 * CHUNK],
                ranges,
                path: Path::Scalar,
            };
            let (first, count) = rows;
            let queries = &queries[..2 * coarse.query_len()];
            let mut sums = vec![0; 2 * count];
            coarse.multiply(Path::Scalar, queries, first..first + count, &mut sums);
            for (q, query) in queries.chunks(coarse.query_len()).enumerate() {
                for row in 0..count {
                    let product = |j: usize| {
                        let byte = i32::from(byte((first + row) * bytes + j));
                        (byte & 15) * i32::from(query[j]) + (byte >> 4) * i32::from(query[bytes + j])
                    };
                    prop_assert_eq!(sums[q * count + row], (0..bytes).map(product).sum::<i32>());
                }
            }
        }
    }
}
