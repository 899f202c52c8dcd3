//! Every path against attention in f64 by the formula.

use std::ops::Range;

use half::bf16;
use proptest::prelude::*;

use super::{Numbers, Rows, attention};
use crate::{Cpu, Path};

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

/// Operands of a case: queries, keys, values; the gaps hold NaN.
struct Operands {
    q: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    row_stride: usize,
    head_stride: usize,
}

impl Case {
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
                    *number = bf16::from_f32(*number).to_f32();
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
    fn expected(&self, operands: &Operands) -> Vec<f64> {
        let n = self.k * self.group;
        let mut out = Vec::new();
        for row in 0..self.t {
            for head in 0..n {
                let q = &operands.q[(row * n + head) * self.h..][..self.h];
                let at = |storage: &[f32], key: usize, lane: usize| {
                    let source = head / self.group;
                    f64::from(
                        storage[source * operands.head_stride + key * operands.row_stride + lane],
                    )
                };
                let visible = self
                    .visible
                    .as_ref()
                    .map_or(0..self.s, |visible| visible[row].clone());
                let scores: Vec<f64> = visible
                    .clone()
                    .map(|key| {
                        (0..self.h)
                            .map(|lane| f64::from(q[lane]) * at(&operands.keys, key, lane))
                            .sum::<f64>()
                            * f64::from(self.scale)
                    })
                    .collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| (score - max).exp()).sum();
                for lane in 0..self.h {
                    let weighted: f64 = visible
                        .clone()
                        .zip(&scores)
                        .map(|(key, score)| (score - max).exp() * at(&operands.values, key, lane))
                        .sum();
                    out.push(if scores.is_empty() {
                        0.0
                    } else {
                        weighted / sum
                    });
                }
            }
        }
        out
    }

    /// The result of `path` in either storage, the same for one to three threads.
    fn run(&self, path: Path, operands: &Operands, narrow: bool) -> Vec<f32> {
        let (narrow_keys, narrow_values) = (narrowed(&operands.keys), narrowed(&operands.values));
        let (keys, values) = if narrow {
            (Numbers::Bf16(&narrow_keys), Numbers::Bf16(&narrow_values))
        } else {
            (Numbers::F32(&operands.keys), Numbers::F32(&operands.values))
        };
        let mut results = [1, 2, 3].into_iter().map(|threads| {
            let mut out = vec![f32::NAN; operands.q.len()];
            attention(
                &Cpu::new(threads, path),
                &operands.q,
                self.k * self.group,
                self.rows(operands, keys),
                self.rows(operands, values),
                self.scale,
                self.visible.as_deref(),
                &mut out,
            );
            out
        });
        let first = results.next().expect("three results");
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
        let expected = self.expected(&operands);
        // Scores are sums of h products of at most 1 in f32; each of their errors moves the
        // result, whose numbers are at most 1, by as much.
        let score = self.scale * (self.h as f32);
        let exact = 4.0 * f32::EPSILON * (1.0 + score);
        // In bf16 a query is off by 2⁻⁹ of itself, and so may its score be; errors of lanes have
        // random signs, so that they add up as their root, and four times that is not seen. The
        // numerators are off by 2⁻⁹ of themselves, the result by no more than their weighted mean.
        let rounded = 2f32.powi(-9) * (2.0 + 4.0 * self.scale * (self.h as f32).sqrt());
        for path in Path::available() {
            for (narrow, tolerance) in [(false, exact), (true, rounded)] {
                let got = self.run(path, &operands, narrow);
                for (index, (got, expected)) in got.iter().zip(&expected).enumerate() {
                    let error = (f64::from(*got) - expected).abs();
                    assert!(
                        error <= f64::from(tolerance),
                        "{path}, bf16 {narrow}: number {index} is {got}, not {expected}: {self:?}"
                    );
                }
            }
        }
    }
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
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn decoding_is_the_formula(case in cases(1..9, 1..700)) {
        case.check();
    }

    #[test]
    fn prefill_is_the_formula(case in cases(9..71, 1..200)) {
        case.check();
    }
}
