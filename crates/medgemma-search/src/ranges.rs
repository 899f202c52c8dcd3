//! What 4-bit codes stand for: a few directions in which rows are told exactly, and a range for each
//! number of what is left.
//!
//! Embeddings of one model have most of their length in common, and those of one kind of picture most of
//! the rest. Neighbours differ by little beside it, and a query that has all of it would weigh the
//! rounding of the codes more than what they differ by. So the directions in which rows and queries
//! are longest are taken out of both, and their products kept in f32.

use std::ops::Range;

use medgemma_kernels::{Cpu, Format, Matrix, Path, dot_i8, linear};

use crate::error::Result;
use crate::mask::WORD;
use crate::quantize;
use crate::rows::RowFiles;

/// Directions that are taken out.
pub(crate) const DIRECTIONS: usize = 16;
/// Rows that directions and ranges are found from.
const SAMPLED: usize = 4096;
/// One of so many of these, for the directions.
const THINNED: usize = 4;
/// Each round brings the directions nearer to those in which rows are longest.
const ROUNDS: usize = 4;
/// Directions of 8 bits are not quite at right angles: each step finds what the last one has left, some
/// hundredths, until nothing but rounding is.
const STEPS: usize = 5;
/// From one code to the next, in standard deviations. Sixteen codes are then three of them to either
/// side; what lies beyond gets the last code.
const STEP: f64 = 0.4;
/// Where the mean lies among the codes 0 to 15.
pub(crate) const MIDDLE: f32 = 7.5;

/// A number for each direction.
pub(crate) type Along = [f32; DIRECTIONS];

/// See the file's header.
#[derive(Debug)]
pub(crate) struct Ranges {
    /// `[DIRECTIONS, dimension]`, 8-bit codes: products with the rows' are exact then, on every path.
    directions: Vec<i8>,
    scales: Along,
    /// `[dimension]`, the same as they stand.
    columns: Vec<Along>,
    /// Means of what is left, from one code to the next, codes for 1, and the code of 0.
    pub(crate) means: Vec<f32>,
    pub(crate) steps: Vec<f32>,
    per_one: Vec<f32>,
    zeros: Vec<f32>,
}

/// What some rows get.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) codes: Vec<u8>,
    pub(crate) along: Vec<Along>,
}

impl Ranges {
    /// Of the rows that have `scales`.
    pub(crate) fn of(files: &RowFiles, scales: &[f32]) -> Result<Self> {
        let mut sample = Vec::new();
        let mut codes = Vec::new();
        for row in sampled(scales.len()) {
            files.read_codes(row..row + 1, &mut codes)?;
            let number = |code: &u8| f32::from(code.cast_signed()) * scales[row];
            sample.push(codes.iter().map(number).collect::<Vec<f32>>());
        }
        Ok(Self::new(&sample, files.dimension()))
    }

    /// Of some rows, `[any, dimension]`.
    pub(crate) fn new(sample: &[Vec<f32>], dimension: usize) -> Self {
        let mut directions = Vec::with_capacity(DIRECTIONS * dimension);
        let mut scales = [0.0; DIRECTIONS];
        let found = longest(sample, dimension);
        for (direction, scale) in found.iter().zip(&mut scales) {
            *scale = quantize::encode(direction, &mut directions).scale;
        }
        let column = |d| {
            let one = |j: usize| f32::from(directions[j * dimension + d]) * scales[j];
            std::array::from_fn(one)
        };
        let mut ranges = Self {
            columns: (0..dimension).map(column).collect(),
            directions,
            scales,
            means: Vec::new(),
            steps: Vec::new(),
            per_one: Vec::new(),
            zeros: Vec::new(),
        };
        let mut sums = vec![[0.0; 2]; dimension];
        for row in sample {
            let along = ranges.along(row);
            for (sums, x) in sums.iter_mut().zip(ranges.left(row, &along)) {
                let x = f64::from(x);
                *sums = [sums[0] + x, sums[1] + x * x];
            }
        }
        ranges.set(&sums, sample.len());
        ranges
    }

    /// From the sums of the numbers that are left, and of their squares.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to what is used")]
    fn set(&mut self, sums: &[[f64; 2]], rows: usize) {
        for [sum, squares] in sums {
            let mean = sum / rows.max(1) as f64;
            let variance = squares / rows.max(1) as f64 - mean * mean;
            let step = (STEP * variance.max(0.0).sqrt()) as f32;
            // Of deviations so small that they are no more than rounding, nothing is told.
            let (step, per_one) = match step > f32::EPSILON {
                true => (step, step.recip()),
                false => (0.0, 0.0),
            };
            self.means.push(mean as f32);
            self.steps.push(step);
            self.per_one.push(per_one);
            self.zeros.push(MIDDLE - mean as f32 * per_one);
        }
    }

    /// Bytes of a row.
    pub(crate) fn bytes(&self) -> usize {
        self.columns.len().div_ceil(2)
    }

    /// The products of a vector with the directions.
    pub(crate) fn along(&self, vector: &[f32]) -> Along {
        products(vector, &self.columns)
    }

    /// A vector without so much of each direction.
    pub(crate) fn left(&self, vector: &[f32], along: &Along) -> impl Iterator<Item = f32> {
        let numbers = vector.iter().zip(&self.columns);
        numbers.map(|(x, column)| x - inner(along, column))
    }

    /// A vector as so much of each direction, and the rest, which is at right angles to all of them.
    pub(crate) fn split(&self, vector: &[f32]) -> (Along, Vec<f32>) {
        let mut along = [0.0; DIRECTIONS];
        let mut left = vector.to_vec();
        for _ in 0..STEPS {
            let more = self.along(&left);
            along.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
            left = self.left(vector, &along).collect();
        }
        (along, left)
    }

    /// What some rows get, made from their codes in the file.
    pub(crate) fn encode(
        &self,
        path: Path,
        files: &RowFiles,
        scales: &[f32],
        rows: Range<usize>,
    ) -> Result<Encoded> {
        let dimension = self.columns.len();
        // The caller's threads each have rows of their own.
        let cpu = Cpu::new(1, path);
        let numbers: Vec<u8> = self
            .columns
            .as_flattened()
            .iter()
            .flat_map(|x| x.to_le_bytes())
            .collect();
        let columns = Matrix::new(Format::F32, dimension, DIRECTIONS, &numbers);
        let mut encoded = Encoded {
            codes: Vec::with_capacity(rows.len() * self.bytes()),
            along: Vec::with_capacity(rows.len()),
        };
        let mut eight = Vec::new();
        for first in rows.clone().step_by(WORD) {
            let rows = first..rows.end.min(first + WORD);
            files.read_codes(rows.clone(), &mut eight)?;
            let scales = &scales[rows];
            let along = self.along_all(path, &eight, scales);
            let mut parts = vec![0.0; eight.len()];
            linear(&cpu, along.as_flattened(), columns, None, &mut parts);
            let vectors = eight.chunks_exact(dimension);
            let vectors = vectors.zip(parts.chunks_exact_mut(dimension));
            for ((eight, part), scale) in vectors.zip(scales) {
                for (code, x) in eight.iter().zip(&mut *part) {
                    *x = f32::from(code.cast_signed()) * scale - *x;
                }
                self.encode_row(part, &mut encoded.codes);
            }
            encoded.along.extend(along);
        }
        Ok(encoded)
    }

    /// The products of rows of 8-bit codes with the directions.
    fn along_all(&self, path: Path, eight: &[u8], scales: &[f32]) -> Vec<Along> {
        let mut sums = vec![0; DIRECTIONS * scales.len()];
        dot_i8(path, &self.directions, eight, self.columns.len(), &mut sums);
        let row = |(row, scale): (usize, &f32)| {
            let product = |j: usize| sums[j * scales.len() + row] as f32;
            std::array::from_fn(|j| product(j) * (scale * self.scales[j]))
        };
        scales.iter().enumerate().map(row).collect()
    }

    /// Appends the codes of what is left of a row.
    pub(crate) fn encode_row(&self, left: &[f32], codes: &mut Vec<u8>) {
        let half = self.bytes();
        let four = |(x, (per_one, zero)): (&f32, (&f32, &f32))| rounded(x * per_one + zero);
        let ranges = |some: Range<usize>| self.per_one[some.clone()].iter().zip(&self.zeros[some]);
        let first = codes.len();
        codes.extend(left[..half].iter().zip(ranges(0..half)).map(four));
        let high = left[half..].iter().zip(ranges(half..left.len())).map(four);
        for (byte, four) in codes[first..].iter_mut().zip(high) {
            *byte |= four << 4;
        }
    }
}

/// The products of a vector with directions, `[dimension]` numbers of each.
fn products(vector: &[f32], columns: &[Along]) -> Along {
    let mut along = [0.0; DIRECTIONS];
    for (x, column) in vector.iter().zip(columns) {
        for (sum, d) in along.iter_mut().zip(column) {
            *sum += x * d;
        }
    }
    along
}

/// The inner product.
#[inline]
pub(crate) fn inner(a: &Along, b: &Along) -> f32 {
    let mut sums = [0.0; 4];
    for (a, b) in a.chunks_exact(4).zip(b.chunks_exact(4)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// Rows from all over, at no regular distance: pictures may come in turns.
fn sampled(rows: usize) -> impl Iterator<Item = usize> {
    let count = rows.min(SAMPLED);
    (0..count).map(move |index| {
        let (first, end) = (index * rows / count, (index + 1) * rows / count);
        let spread = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        first + usize::try_from(spread).unwrap_or_default() % (end - first)
    })
}

/// Directions in which the sample is longest, at right angles and of unit length, or 0 where it
/// has fewer: by a few rounds of multiplying with it.
fn longest(sample: &[Vec<f32>], dimension: usize) -> Vec<Vec<f32>> {
    let thinned: Vec<&Vec<f32>> = sample.iter().step_by(THINNED).collect();
    let mut columns: Vec<Along> = vec![[0.0; DIRECTIONS]; dimension];
    // To begin with, the sum of all, and rows from all over.
    for row in &thinned {
        for (column, x) in columns.iter_mut().zip(*row) {
            column[0] += x;
        }
    }
    for j in 1..DIRECTIONS.min(thinned.len()) {
        let row = thinned[j * thinned.len() / DIRECTIONS.min(thinned.len())];
        for (column, x) in columns.iter_mut().zip(row) {
            column[j] = *x;
        }
    }
    let mut directions = right_angles(&columns);
    for _ in 0..ROUNDS {
        let column = |d| std::array::from_fn(|j: usize| directions[j][d]);
        let before: Vec<Along> = (0..dimension).map(column).collect();
        columns.fill([0.0; DIRECTIONS]);
        for row in &thinned {
            let along = products(row, &before);
            for (x, column) in row.iter().zip(&mut columns) {
                for (sum, along) in column.iter_mut().zip(along) {
                    *sum += x * along;
                }
            }
        }
        directions = right_angles(&columns);
    }
    directions
}

/// Gram and Schmidt's way, as exact as 8 bits want it. What the others already have is 0.
fn right_angles(columns: &[Along]) -> Vec<Vec<f32>> {
    let mut directions: Vec<Vec<f32>> = Vec::with_capacity(DIRECTIONS);
    for j in 0..DIRECTIONS {
        let mut one: Vec<f32> = columns.iter().map(|column| column[j]).collect();
        let before = quantize::length(&one);
        for other in &directions {
            let products = one.iter().zip(other);
            let along: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            #[expect(clippy::cast_possible_truncation, reason = "rounded to what is used")]
            let along = along as f32;
            for (x, d) in one.iter_mut().zip(other) {
                *x -= along * d;
            }
        }
        let own = quantize::length(&one) > 1e-4 * before;
        let unit = quantize::normalized(&one).filter(|_| own);
        directions.push(unit.unwrap_or_else(|| vec![0.0; columns.len()]));
    }
    directions
}

/// The whole number from 0 to 15 that is nearest. What the library offers for it is a call for each number
/// on processors before SSE 4.1, which this is compiled for: here it is in the lowest bits of the sum
/// with a number so large that f32 has nothing behind the point there.
fn rounded(x: f32) -> u8 {
    const LARGE: f32 = 12_582_912.0;
    ((x.clamp(0.0, 15.0) + LARGE).to_bits() & 15) as u8
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{DIRECTIONS, MIDDLE, Ranges, inner, sampled};

    /// Rows of a few kinds, beside which they differ by little.
    fn rows(count: usize, dimension: usize, kinds: usize) -> Vec<Vec<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut numbers = |scale: f32| -> Vec<f32> {
            (0..dimension)
                .map(|_| rng.random_range(-scale..scale))
                .collect()
        };
        let kinds: Vec<_> = (0..kinds).map(|_| numbers(0.2)).collect();
        (0..count)
            .map(|row| {
                let kind = kinds[row % kinds.len()].iter();
                kind.zip(numbers(0.01))
                    .map(|(kind, own)| kind + own)
                    .collect()
            })
            .collect()
    }

    #[test]
    fn what_kinds_have_in_common_is_taken_out() {
        let (rows, dimension) = (rows(1000, 41, 5), 41);
        let ranges = Ranges::new(&rows, dimension);
        for row in &rows {
            let along = ranges.along(row);
            let left: Vec<f32> = ranges.left(row, &along).collect();
            let again = ranges.along(&left);
            let most = again.iter().fold(0f32, |most, x| most.max(x.abs()));
            assert!(most < 0.03, "{most} is left along a direction");
            let length = inner_of(&left).sqrt();
            assert!(length < 0.09, "{length} is left");
        }
    }

    #[test]
    fn a_query_is_split_at_right_angles() {
        let rows = rows(1000, 41, 20);
        let ranges = Ranges::new(&rows, 41);
        let (along, left) = ranges.split(&rows[7]);
        let again = ranges.along(&left);
        assert!(again.iter().all(|x| x.abs() < 1e-6), "{again:?}");
        for ((x, left), column) in rows[7].iter().zip(left).zip(&ranges.columns) {
            assert!((x - left - inner(&along, column)).abs() < 1e-6);
        }
    }

    /// Of numbers that grow smaller and smaller, the first are taken out, which no few rows show by themselves.
    #[test]
    fn directions_are_those_in_which_rows_are_longest() {
        let dimension = 48;
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let rows: Vec<Vec<f32>> = (0..4000)
            .map(|_| {
                let sizes = std::iter::successors(Some(1.0f32), |size| Some(size * 0.85));
                sizes
                    .take(dimension)
                    .map(|size| size * rng.random_range(-1.0..1.0))
                    .collect()
            })
            .collect();
        let ranges = Ranges::new(&rows, dimension);
        let (mut left, mut least) = (0.0, 0.0);
        for row in &rows {
            let along = ranges.along(row);
            left += inner_of(&ranges.left(row, &along).collect::<Vec<_>>());
            least += inner_of(&row[DIRECTIONS..]);
        }
        assert!(left < 1.2 * least, "{left} is left, where {least} could be");
    }

    fn inner_of(vector: &[f32]) -> f32 {
        vector.iter().map(|x| x * x).sum()
    }

    /// Number `d` is in byte `d`, and those of the second half in its high bits; each code stands for
    /// what is half a step off at most, but for the last ones.
    #[test]
    fn codes_stand_for_what_is_left() {
        for dimension in [1, 2, 33, 40] {
            let rows = rows(500, dimension, 3);
            let ranges = Ranges::new(&rows, dimension);
            let (mut within, mut all) = (0, 0);
            for row in &rows {
                let along = ranges.along(row);
                let mut codes = vec![99];
                let left: Vec<f32> = ranges.left(row, &along).collect();
                ranges.encode_row(&left, &mut codes);
                let codes = &codes[1..];
                assert_eq!(codes.len(), dimension.div_ceil(2));
                for (d, x) in ranges.left(row, &along).enumerate() {
                    let four = match d < codes.len() {
                        true => codes[d] & 15,
                        false => codes[d - codes.len()] >> 4,
                    };
                    let stands_for = ranges.means[d] + (f32::from(four) - MIDDLE) * ranges.steps[d];
                    let off = (x - stands_for) / ranges.steps[d].max(1e-9);
                    let fits = match four {
                        0 => off <= 0.51,
                        15 => off >= -0.51,
                        _ => off.abs() <= 0.51 || ranges.steps[d] == 0.0,
                    };
                    assert!(fits, "{x} is {off} steps off as {four}");
                    within += usize::from((1..15).contains(&four));
                    all += 1;
                }
                if dimension % 2 == 1 {
                    assert_eq!(codes[codes.len() - 1] >> 4, 0);
                }
            }
            assert!(
                within * 20 >= all * 19,
                "{within} of {all} are no last codes"
            );
        }
    }

    #[test]
    fn where_all_rows_have_one_number_there_is_one_code() {
        let row = vec![0.6f32, 0.8];
        let ranges = Ranges::new(&[row.clone(), row.clone()], 2);
        assert_eq!(ranges.steps, [0.0, 0.0]);
        let mut codes = Vec::new();
        for row in [row, vec![-1.0, 0.0]] {
            let along = ranges.along(&row);
            let left: Vec<f32> = ranges.left(&row, &along).collect();
            ranges.encode_row(&left, &mut codes);
        }
        assert_eq!(codes, [0x88, 0x88]);
        let nothing = Ranges::new(&[], 3);
        assert_eq!(nothing.along(&[1.0, 2.0, 3.0]), [0.0; DIRECTIONS]);
    }

    #[test]
    fn the_sample_is_from_all_over_and_keeps_no_time() {
        assert_eq!(sampled(0).count(), 0);
        assert_eq!(sampled(3).collect::<Vec<_>>(), [0, 1, 2]);
        let rows: Vec<usize> = sampled(4096 * 14).collect();
        assert!(rows.is_sorted_by(|a, b| a < b) && rows.len() == 4096);
        assert!(rows[0] < 14 && rows[4095] >= 4095 * 14);
        for every in [2, 7, 14] {
            let part = rows.iter().filter(|row| *row % every == 0).count();
            let (least, most) = (4096 / every * 3 / 4, 4096 / every * 5 / 4);
            assert!((least..most).contains(&part), "{part} of one in {every}");
        }
    }

    #[test]
    fn products_of_directions_are_sums() {
        let a = std::array::from_fn(|j| j as f32);
        let b = std::array::from_fn(|j| (j * j) as f32);
        assert_eq!(inner(&a, &b), 14_400.0);
    }
}
