//! Every path against attention in f64 by the formula.

use std::cell::LazyCell;
use std::ops::Range;

use half::bf16;
use proptest::prelude::*;

use super::{Numbers, Rows, attention};
use crate::{Cpu, Path};

mod limits;
mod product;

/// Operands of one call, made from a seed.
#[derive(Debug, Clone)]
struct Case {
    t: usize,
    group: usize,
    k: usize,
    s: usize,
    h: usize,
    /// Numbers between the rows and between the heads of keys and values that belong to neither.
    gaps: (usize, usize),
    visible: Option<Vec<Range<usize>>>,
    scale: f32,
    seed: u64,
}

/// Numbers from −1 to 1 (splitmix64).
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            f32::from(u16::try_from(z >> 48).expect("16 bits")) / 32768.0 - 1.0
        })
        .collect()
}

/// How keys and values are stored in a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    F32,
    Bf16,
    Int8,
}

impl Stored {
    const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];
}

/// Whole numbers and the scales of each head and key, with a scale of NaN between the heads.
struct Int8 {
    numbers: Vec<i8>,
    scales: Vec<f32>,
}

/// Operands of a case: queries, keys, values; the gaps hold NaN.
struct Operands {
    q: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    row_stride: usize,
    head_stride: usize,
}

impl Case {
    /// On AArch64, with fewer heads of keys and then fewer rows if there are more than 2²⁴ products of a
    /// query's number and a key's: emulated, the largest cases take minutes.
    fn short_enough_to_emulate(mut self) -> Self {
        let most = if cfg!(target_arch = "aarch64") {
            1 << 24
        } else {
            usize::MAX
        };
        let products = self.group * self.s * self.h;
        self.k = self.k.min((most / (self.t * products)).max(1));
        self.t = self.t.min((most / (self.k * products)).max(1));
        if let Some(visible) = &mut self.visible {
            visible.truncate(self.t);
        }
        self
    }

    /// The scale of a key in bytes.
    fn scale_of(key: usize) -> f32 {
        [1.0 / 128.0, 1.0 / 256.0, 1.0 / 64.0][key % 3]
    }

    /// The same numbers as bytes; what is NaN gets a scale that is.
    #[expect(clippy::cast_possible_truncation, reason = "they are whole and short")]
    fn int8(&self, operands: &Operands, storage: &[f32]) -> Int8 {
        let key = |index: usize| index % operands.head_stride / operands.row_stride;
        let numbers = storage.iter().enumerate();
        let numbers = numbers.map(|(index, number)| (number / Self::scale_of(key(index))) as i8);
        let scales = (0..self.k * (self.s + 1)).map(|index| {
            let (head, key) = (index / (self.s + 1), index % (self.s + 1));
            let first = storage.get(head * operands.head_stride + key * operands.row_stride);
            match first {
                Some(first) if key < self.s && !first.is_nan() => Self::scale_of(key),
                _ => f32::NAN,
            }
        });
        Int8 {
            numbers: numbers.collect(),
            scales: scales.collect(),
        }
    }

    fn operands(&self) -> Operands {
        let row_stride = self.h + self.gaps.0;
        let head_stride = self.s * row_stride + self.gaps.1;
        let storage = |seed| {
            let mut storage = numbers(seed, self.k * head_stride);
            for (index, number) in storage.iter_mut().enumerate() {
                let within = index % head_stride;
                if within >= self.s * row_stride || within % row_stride >= self.h {
                    *number = f32::NAN;
                } else {
                    // Bytes times powers of 2 are exact in all storages.
                    let key = within / row_stride;
                    *number = (*number * 127.0).round() * Self::scale_of(key);
                }
            }
            storage
        };
        Operands {
            q: numbers(self.seed, self.t * self.k * self.group * self.h),
            keys: storage(self.seed ^ 1),
            values: storage(self.seed ^ 2),
            row_stride,
            head_stride,
        }
    }

    fn rows<'a>(&self, operands: &Operands, numbers: Numbers<'a>) -> Rows<'a> {
        Rows {
            numbers,
            heads: self.k,
            len: self.s,
            head_dim: self.h,
            head_stride: operands.head_stride,
            row_stride: operands.row_stride,
        }
    }

    /// By the formula, in f64.
    fn expected(&self, operands: &Operands, q: &[f32]) -> Vec<Mean> {
        self.means(operands, q, |_, _| 0.0)
    }

    /// The same, with what `spread` makes of a mean's weights and values.
    fn means(
        &self,
        operands: &Operands,
        q: &[f32],
        spread: impl Fn(&[f64], &[f64]) -> f64,
    ) -> Vec<Mean> {
        let n = self.k * self.group;
        let wide =
            |numbers: &[f32]| -> Vec<f64> { numbers.iter().copied().map(f64::from).collect() };
        let [q, keys, values] = [q, &operands.keys, &operands.values].map(wide);
        let (mut out, mut of_lane) = (Vec::new(), Vec::new());
        for row in 0..self.t {
            for head in 0..n {
                let q = &q[(row * n + head) * self.h..][..self.h];
                let place = |key: usize| {
                    head / self.group * operands.head_stride + key * operands.row_stride
                };
                let visible = self
                    .visible
                    .as_ref()
                    .map_or(0..self.s, |visible| visible[row].clone());
                let score = |key: usize| {
                    let products = q.iter().zip(&keys[place(key)..]).map(|(q, key)| q * key);
                    products.sum::<f64>() * f64::from(self.scale)
                };
                let scores: Vec<f64> = visible.clone().map(score).collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let mut weights: Vec<f64> =
                    scores.iter().map(|score| (score - max).exp()).collect();
                let sum: f64 = weights.iter().sum();
                weights.iter_mut().for_each(|weight| *weight /= sum);
                for lane in 0..self.h {
                    of_lane.clear();
                    of_lane.extend(visible.clone().map(|key| values[place(key) + lane]));
                    out.push(Mean {
                        value: mean(&weights, of_lane.iter().copied()),
                        spread: spread(&weights, &of_lane),
                    });
                }
            }
        }
        out
    }

    /// The result of `path`, the same for one to three threads; that of plain Rust on AArch64 for two
    /// alone: it is what emulation is slowest with, and the threads have it alike on every processor.
    fn run(&self, path: Path, operands: &Operands, stored: Stored) -> Vec<f32> {
        let storages = [&operands.keys, &operands.values];
        let bf16s = storages.map(|storage| narrowed(storage));
        let int8s = storages.map(|storage| self.int8(operands, storage));
        let numbers = |index: usize| match stored {
            Stored::F32 => Numbers::F32(storages[index]),
            Stored::Bf16 => Numbers::Bf16(&bf16s[index]),
            Stored::Int8 => Numbers::Int8 {
                numbers: &int8s[index].numbers,
                scales: &int8s[index].scales,
                scale_stride: self.s + 1,
            },
        };
        let threads: &[usize] = match path {
            #[cfg(target_arch = "aarch64")]
            Path::Scalar => &[2],
            _ => &[1, 2, 3],
        };
        let mut results = threads.iter().map(|&threads| {
            let mut out = vec![f32::NAN; operands.q.len()];
            attention(
                &Cpu::new(threads, path),
                &operands.q,
                self.k * self.group,
                self.rows(operands, numbers(0)),
                self.rows(operands, numbers(1)),
                self.scale,
                self.visible.as_deref(),
                &mut out,
            );
            out
        });
        let first = results.next().expect("a result");
        for other in results {
            let same = first
                .iter()
                .zip(&other)
                .all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{path}: results differ by threads: {self:?}");
        }
        first
    }

    /// Holds every path against the formula.
    fn check(&self) {
        let operands = self.operands();
        let expected = self.means(&operands, &operands.q, spread);
        let q: Vec<f32> = narrowed(&operands.q).iter().map(|q| q.to_f32()).collect();
        let rounded = LazyCell::new(|| self.means(&operands, &q, spread));
        // Scores are sums of h products of at most 2 in f32; each of their errors moves the
        // result, whose numbers are at most 2, by as much.
        let exact = f64::from(f32::EPSILON) * (4.0 + 2.0 * f64::from(self.scale) * self.h as f64);
        // Numerators in bf16 are off by 2⁻⁸ of themselves, and before by the error of rough powers. Those
        // in fixed point may be off by 0.6 %, a sum of many of them by less.
        let off = 2f64.powi(-8) + 2f64.powi(-18);
        for path in Path::tested() {
            let got = self.run(path, &operands, Stored::F32);
            let error = distance(&got, &expected, 0.0);
            assert!(error <= exact, "{path}, f32: off by {error}: {self:?}");
            for stored in [Stored::Bf16, Stored::Int8] {
                let got = self.run(path, &operands, stored);
                let mut error = distance(&got, &expected, off);
                if error > exact {
                    error = error.min(distance(&got, &rounded, off));
                }
                assert!(
                    error <= exact,
                    "{path}, {stored:?}: off by {error} more than that: {self:?}"
                );
            }
        }
    }
}

/// A weighted mean.
struct Mean {
    value: f64,
    /// See [`spread`]; 0 where nobody asks.
    spread: f64,
}

/// Of no values it is 0.
fn mean(weights: &[f64], values: impl Iterator<Item = f64>) -> f64 {
    let weighted = weights.iter().zip(values);
    weighted.map(|(weight, x)| weight * x).sum()
}

/// How much a mean changes at most with weights that are all off by a part of themselves, over that
/// part: whether or not the weights are then divided by their sum.
fn spread(weights: &[f64], values: &[f64]) -> f64 {
    let value = mean(weights, values.iter().copied());
    let sizes = values.iter().map(|x| x.abs());
    let distances = values.iter().map(|x| (x - value).abs());
    mean(weights, sizes).max(mean(weights, distances))
}

/// The largest difference beyond what weights that are off by `off` of themselves explain; ∞ where a
/// number is NaN.
fn distance(got: &[f32], expected: &[Mean], off: f64) -> f64 {
    let errors = got.iter().zip(expected).map(|(got, expected)| {
        let error = (f64::from(*got) - expected.value).abs() - off * expected.spread;
        if error.is_nan() { f64::INFINITY } else { error }
    });
    errors.fold(0.0, f64::max)
}

fn narrowed(wide: &[f32]) -> Vec<bf16> {
    wide.iter().copied().map(bf16::from_f32).collect()
}

/// Intervals of t rows over s keys: none, causal, a window, spans in a causal text, or any.
fn visible(t: usize, s: usize) -> BoxedStrategy<Option<Vec<Range<usize>>>> {
    let end = move |row: usize| (s + row + 1).saturating_sub(t);
    let causal: Vec<Range<usize>> = (0..t).map(|row| 0..end(row)).collect();
    let windows = (1..=s).prop_map(move |window| {
        let interval = |row| end(row).saturating_sub(window)..end(row);
        Some((0..t).map(interval).collect())
    });
    let spans = (1..=t).prop_map(move |span| {
        let interval = |row: usize| 0..end((row / span * span + span - 1).min(t - 1));
        Some((0..t).map(interval).collect())
    });
    let any = proptest::collection::vec((0..=s, 0..=s), t).prop_map(|ends| {
        let interval = |(a, b): (usize, usize)| a.min(b)..a.max(b);
        Some(ends.into_iter().map(interval).collect())
    });
    prop_oneof![Just(None), Just(Some(causal)), windows, spans, any].boxed()
}

fn cases(t: Range<usize>, s: Range<usize>) -> impl Strategy<Value = Case> {
    let h = prop_oneof![1..80_usize, Just(72), Just(128), Just(256)];
    let shape = (
        t,
        prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)],
        1..4_usize,
        s,
        h,
    );
    (
        shape,
        (0..9_usize, 0..40_usize),
        0.02..0.5_f32,
        any::<u64>(),
    )
        .prop_flat_map(|((t, group, k, s, h), gaps, scale, seed)| {
            visible(t, s).prop_map(move |visible| Case {
                t,
                group,
                k,
                s,
                h,
                gaps,
                visible,
                scale,
                seed,
            })
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(48)))]

    #[test]
    fn decoding_is_the_formula(case in cases(1..9, 1..700)) {
        case.check();
    }

    #[test]
    fn prefill_is_the_formula(case in cases(3..71, 1..200)) {
        case.check();
    }
}

proptest! {
    // A case is long. Under emulation, where fewer are asked for, it takes up to half a minute, and so does
    // each that once failed and is tried again.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.div_ceil(25)))]

    #[test]
    fn long_prefill_is_the_formula(case in cases(9..71, 380..1300)) {
        case.short_enough_to_emulate().check();
    }
}

fn case(t: usize, s: usize) -> Case {
    Case {
        t,
        group: 2,
        k: 2,
        s,
        h: 72,
        gaps: (5, 7),
        visible: None,
        scale: 0.2,
        seed: 3,
    }
}

#[test]
fn a_row_that_sees_nothing_is_zeros() {
    for t in [2, 40] {
        let mut case = case(t, 300);
        let mut visible = vec![0..300; t];
        visible[1] = 7..7;
        visible[0] = Range {
            start: 200,
            end: 100,
        };
        case.visible = Some(visible);
        case.check();
        case.visible = Some(vec![300..300; t]);
        case.check();
    }
    case(3, 0).check();
    case(20, 0).check();
    case(0, 20).check();
}

/// Bit for bit: a draft's tokens are to be those written one by one.
#[test]
fn rows_of_a_draft_come_out_as_each_alone() {
    let t = 8;
    // Of one piece of keys, and of several.
    for s in [120, 1500] {
        let visible: Vec<_> = (0..t).map(|row| 0..s - t + row + 1).collect();
        let draft = Case {
            group: 4,
            visible: Some(visible.clone()),
            ..case(t, s)
        };
        let operands = draft.operands();
        let width = operands.q.len() / t;
        for (path, stored) in
            Path::tested().flat_map(|path| Stored::ALL.map(|stored| (path, stored)))
        {
            let together = draft.run(path, &operands, stored);
            for (row, together) in together.chunks(width).enumerate() {
                let alone = Case {
                    t: 1,
                    visible: Some(visible[row..=row].to_vec()),
                    ..draft.clone()
                };
                let operands = Operands {
                    q: operands.q[row * width..][..width].to_vec(),
                    keys: operands.keys.clone(),
                    values: operands.values.clone(),
                    ..operands
                };
                let alone = alone.run(path, &operands, stored);
                assert!(alone == together, "{path} {stored:?} {s} keys, row {row}");
            }
        }
    }
}

/// So many rows that pieces are of several tiles, which see stretches that begin anywhere.
#[test]
fn pieces_of_several_tiles() {
    let mut case = case(1200, 800);
    (case.h, case.gaps) = (8, (0, 0));
    for (slope, window) in [(3, 101), (2, 7), (5, 300)] {
        let interval = |row: usize| (row / slope)..(row / slope + window).min(800);
        case.visible = Some((0..case.t).map(interval).collect());
        case.check();
    }
}

#[test]
fn keys_that_no_row_sees_are_not_read() {
    for t in [2, 40] {
        let mut case = case(t, 700);
        case.visible = Some((0..t).map(|row| 200 + row..500 + row).collect());
        let mut operands = case.operands();
        let expected = case.expected(&operands, &operands.q);
        let unseen = (0..200).chain(500 + t - 1..700);
        for key in unseen {
            for head in 0..case.k {
                let start = head * operands.head_stride + key * operands.row_stride;
                operands.keys[start..start + case.h].fill(f32::NAN);
                operands.values[start..start + case.h].fill(f32::NAN);
            }
        }
        for path in Path::tested() {
            for stored in Stored::ALL {
                let got = case.run(path, &operands, stored);
                assert!(distance(&got, &expected, 0.0) < 0.02, "{path}, {t} rows");
            }
        }
    }
}

#[test]
fn large_scores_leave_the_largest_and_nan_is_kept() {
    for t in [2, 40] {
        let mut case = case(t, 500);
        let mut operands = case.operands();
        let q: Vec<f32> = narrowed(&operands.q).iter().map(|q| q.to_f32()).collect();
        // Products of about the largest that are not large; of 2³⁸, whose rounding is beyond any power's
        // range; and beyond f32 if they are multiplied.
        for scale in [1e3, 1e5, 1e10, 2e37] {
            case.scale = scale;
            let expected = case.expected(&operands, &operands.q);
            let rounded = LazyCell::new(|| case.expected(&operands, &q));
            for path in Path::tested() {
                for stored in Stored::ALL {
                    let got = case.run(path, &operands, stored);
                    let mut error = distance(&got, &expected, 0.0);
                    if error > 0.02 {
                        error = error.min(distance(&got, &rounded, 0.0));
                    }
                    assert!(
                        error <= 0.02,
                        "{path}, {stored:?}, {t} rows times {scale}: {error}"
                    );
                }
            }
        }
        case.scale = 0.2;
        operands.keys[3 * operands.row_stride + 1] = f32::NAN;
        for path in Path::tested() {
            for stored in Stored::ALL {
                if stored == Stored::Int8 {
                    continue;
                }
                let got = case.run(path, &operands, stored);
                // All of the two heads of queries that read the first head of keys.
                let width = case.group * case.h;
                for (index, number) in got.iter().enumerate() {
                    let first = (index / width).is_multiple_of(case.k);
                    assert_eq!(number.is_nan(), first, "{path}, {stored:?}: {index}");
                }
            }
        }
    }
}

/// Where the product of the smallest f32 and the scale is −∞.
#[test]
fn keys_hidden_before_those_that_are_seen_leave_no_trace() {
    for t in [2, 40] {
        let mut case = case(t, 700);
        case.scale = 3.0;
        let interval = |row: usize| if row == 0 { 0..700 } else { 450..650 };
        case.visible = Some((0..t).map(interval).collect());
        case.check();
    }
}

/// What has been gathered is faded again and again, and what is beyond a limit is taken anew.
#[test]
fn scores_that_rise_and_fall() {
    for (t, h) in [(2, 72), (40, 72), (33, 64), (70, 256)] {
        let mut case = case(t, 700);
        // A second head of keys would be the first again.
        (case.k, case.h, case.scale) = (1, h, 0.25);
        for slope in [1.0, -1.0, 0.25, 0.0625] {
            let mut operands = case.operands();
            operands.q.fill(1.0);
            for key in 0..case.s {
                // Waves on a slope.
                let wave = [0.0, 3.0, -2.0, 1.0][key / 37 % 4];
                let number = f32::from(u16::try_from(key / 8).expect("few keys")) * slope + wave;
                for head in 0..case.k {
                    let start = head * operands.head_stride + key * operands.row_stride;
                    operands.keys[start..start + 4].fill(number);
                    operands.keys[start + 4..start + h].fill(0.0);
                }
            }
            let expected = case.expected(&operands, &operands.q);
            for path in Path::tested() {
                let got = case.run(path, &operands, Stored::Bf16);
                let error = distance(&got, &expected, 0.0);
                assert!(
                    error < 0.008,
                    "{path}: {t} rows of {h}, {slope}: off by {error}"
                );
            }
        }
    }
}

/// Numbers of rows, keys and lanes around those of tiles, chunks and what is made at a time.
#[test]
fn many_rows_against_any_number_of_keys() {
    for (t, s, h) in [
        (31, 33, 16),
        (32, 128, 15),
        (33, 129, 72),
        (47, 255, 128),
        (65, 31, 256),
        (64, 1025, 64),
        (40, 700, 256),
    ] {
        let mut case = case(t, s);
        (case.h, case.scale) = (h, 0.1);
        // A second head of keys shows nothing of these numbers, and takes long where they are large.
        case.k = if t * s * h < 1 << 20 { 2 } else { 1 };
        case.check();
        let end = |row: usize| (s + row + 1).saturating_sub(t);
        case.visible = Some(
            (0..t)
                .map(|row| end(row).saturating_sub(29)..end(row))
                .collect(),
        );
        case.check();
    }
}

#[test]
fn a_query_that_is_no_number_leaves_none() {
    for t in [2, 40] {
        let case = case(t, 500);
        let mut operands = case.operands();
        // Cut off to bf16, the second is infinite; rounded like a number, the third is −0.
        for bits in [0x7fc0_0000, 0x7f80_0001, 0x7fff_ffff] {
            operands.q[5] = f32::from_bits(bits);
            for path in Path::tested() {
                for stored in Stored::ALL {
                    let got = case.run(path, &operands, stored);
                    for (index, number) in got.iter().enumerate() {
                        let first = index < case.h;
                        assert_eq!(number.is_nan(), first, "{path}, {stored:?}: {index}");
                    }
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "are too few for values")]
fn storage_that_is_too_short_is_refused() {
    let case = case(1, 10);
    let operands = case.operands();
    let mut out = vec![0.0; operands.q.len()];
    attention(
        &Cpu::new(1, Path::Scalar),
        &operands.q,
        4,
        case.rows(&operands, Numbers::F32(&operands.keys)),
        case.rows(
            &operands,
            Numbers::F32(&operands.values[..operands.values.len() - 13]),
        ),
        1.0,
        None,
        &mut out,
    );
}
