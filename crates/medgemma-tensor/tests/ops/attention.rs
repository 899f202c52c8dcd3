//! `attention`: grouped heads, one row as in decoding and many as in prefill, every kind of mask.
//!
//! Tolerance 1e-5 of the largest magnitude: weights of a softmax sum to one, so only the scores'
//! own rounding is left, of some units of 2⁻²⁴ times the scores' size (below 30).

use std::ops::Range;

use medgemma_tensor::ops::{self, AttentionMask};
use medgemma_tensor::{Device, KvRows, Tensor, vec_from};

use crate::support::{Numbers, assert_close, devices, tensor};

const TOLERANCE: f64 = 1e-5;

/// One call: t queries of n heads, k key-value heads, s keys, head size h.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    t: usize,
    n: usize,
    k: usize,
    s: usize,
    h: usize,
}

struct Inputs {
    sizes: Sizes,
    scale: f64,
    q: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Inputs {
    /// Numbers from -1 to 1, and a scale that gives scores a spread of a few units, so that the
    /// softmax is neither flat nor a maximum.
    fn drawn(sizes: Sizes, seed: u64) -> Self {
        let Sizes { t, n, k, s, h } = sizes;
        let mut numbers = Numbers::seeded(seed);
        Self {
            sizes,
            scale: 4.0 / (h as f64).sqrt(),
            q: numbers.floats(t * n * h),
            keys: numbers.floats(k * s * h),
            values: numbers.floats(k * s * h),
        }
    }

    /// The result's rows `rows` by the definition: query head i reads key-value head i / (n / k).
    fn reference(&self, visible: &[Range<usize>], rows: &[usize]) -> Vec<f64> {
        let Sizes { n, k, s, h, .. } = self.sizes;
        let mut result = Vec::new();
        for (&row, head) in rows
            .iter()
            .flat_map(|row| (0..n).map(move |head| (row, head)))
        {
            let query = &self.q[(row * n + head) * h..][..h];
            let group = head / (n / k);
            let line = |cache: &'_ [f32], key: usize| -> Vec<f64> {
                let found = &cache[(group * s + key) * h..][..h];
                found.iter().map(|&x| f64::from(x)).collect()
            };
            let score = |key: usize| -> f64 {
                let products = query.iter().zip(line(&self.keys, key));
                self.scale * products.map(|(&q, x)| f64::from(q) * x).sum::<f64>()
            };
            let scores: Vec<f64> = visible[row].clone().map(score).collect();
            let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|x| (x - most).exp()).sum();
            let mut mixed = vec![0.0; h];
            for (key, score) in visible[row].clone().zip(scores) {
                let share = (score - most).exp() / total;
                for (sum, value) in mixed.iter_mut().zip(line(&self.values, key)) {
                    *sum += share * value;
                }
            }
            result.extend(mixed);
        }
        result
    }

    fn attend(&self, visible: Option<&[Range<usize>]>, device: &Device) -> Tensor<2> {
        let Sizes { t, n, k, s, h } = self.sizes;
        let mask = visible.map(|rows| {
            AttentionMask::new(rows, s, device).expect("some key is hidden from some query")
        });
        ops::attention(
            tensor(&self.q, [t, n, h], device),
            tensor(&self.keys, [k, s, h], device).into(),
            tensor(&self.values, [k, s, h], device).into(),
            self.scale,
            mask.as_ref(),
        )
    }

    /// Compares all rows on all backends; `None` shows every key.
    fn check(&self, what: &str, visible: Option<&[Range<usize>]>) {
        let Sizes { t, n, s, h, .. } = self.sizes;
        let rows: Vec<usize> = (0..t).collect();
        let everything = vec![0..s; t];
        let expected = self.reference(visible.unwrap_or(&everything), &rows);
        for device in devices() {
            let what = format!("{what} {:?} on {device}", self.sizes);
            let found = self.attend(visible, &device);
            assert_close(&what, found, [t, n * h], &expected, TOLERANCE);
        }
    }
}

/// Group counts: one head, all heads alike, groups of two and three, one head for all.
const GROUPS: [(usize, usize); 5] = [(1, 1), (3, 3), (4, 2), (6, 2), (5, 1)];

/// What query `row` of t sees when the last of s keys is its own: the causal part of the cache.
fn causal(t: usize, s: usize) -> Vec<Range<usize>> {
    (0..t).map(|row| 0..s - t + row + 1).collect()
}

#[test]
fn every_key_is_seen_without_a_mask() {
    for (n, k) in GROUPS {
        for (t, s, h) in [(1, 1, 3), (1, 37, 6), (9, 9, 5), (13, 29, 7)] {
            Inputs::drawn(Sizes { t, n, k, s, h }, 40).check("attention", None);
        }
    }
}

#[test]
fn a_causal_mask_hides_what_comes_later() {
    for (n, k) in GROUPS {
        for (t, s) in [(2, 2), (13, 13), (7, 31)] {
            let inputs = Inputs::drawn(Sizes { t, n, k, s, h: 6 }, 41);
            inputs.check("causal attention", Some(&causal(t, s)));
        }
    }
}

#[test]
fn a_window_hides_what_lies_too_far_back_also_from_a_single_query() {
    for (n, k) in GROUPS {
        for (t, s, window) in [(1, 23, 5), (11, 11, 4), (6, 27, 1)] {
            let visible: Vec<Range<usize>> = causal(t, s)
                .into_iter()
                .map(|seen| seen.end.saturating_sub(window)..seen.end)
                .collect();
            let inputs = Inputs::drawn(Sizes { t, n, k, s, h: 4 }, 42);
            inputs.check("attention in a window", Some(&visible));
        }
    }
}

#[test]
fn rows_of_a_picture_see_each_other_both_ways() {
    let (t, s, picture) = (12, 15, 6..11);
    let visible: Vec<Range<usize>> = causal(t, s)
        .into_iter()
        .map(|seen| {
            let own = seen.end - 1;
            0..if picture.contains(&own) {
                picture.end
            } else {
                seen.end
            }
        })
        .collect();
    for (n, k) in GROUPS {
        let inputs = Inputs::drawn(Sizes { t, n, k, s, h: 8 }, 43);
        inputs.check("attention with a picture", Some(&visible));
    }
}

#[test]
fn drawn_sizes_and_intervals_agree() {
    let mut numbers = Numbers::seeded(44);
    for seed in 45..55 {
        let k = numbers.length(3);
        let sizes = Sizes {
            t: numbers.length(18),
            n: k * numbers.length(3),
            k,
            s: 1 + numbers.length(70),
            h: numbers.length(21),
        };
        let mut visible: Vec<Range<usize>> = (0..sizes.t)
            .map(|_| {
                let (a, b) = (numbers.length(sizes.s) - 1, numbers.length(sizes.s) - 1);
                a.min(b)..a.max(b) + 1
            })
            .collect();
        visible[0] = 1..sizes.s;
        Inputs::drawn(sizes, seed).check("drawn attention", Some(&visible));
    }
}

#[test]
fn hidden_keys_weigh_nothing_even_if_they_would_win() {
    // Visible scores near -200, the hidden one far above zero and its value huge.
    let sizes = Sizes {
        t: 1,
        n: 4,
        k: 2,
        s: 9,
        h: 4,
    };
    let mut inputs = Inputs::drawn(sizes, 56);
    inputs.q.iter_mut().for_each(|x| *x = 0.5 + x.abs() / 2.0);
    for (key, (keys, values)) in inputs
        .keys
        .chunks_exact_mut(sizes.h)
        .zip(inputs.values.chunks_exact_mut(sizes.h))
        .enumerate()
    {
        if key % sizes.s == sizes.s - 1 {
            keys.fill(1e4);
            values.fill(1e6);
        } else {
            keys.iter_mut().for_each(|x| *x -= 33.0);
        }
    }
    inputs.check(
        "attention beside a loud key",
        Some(std::slice::from_ref(&(0..8))),
    );
}

#[test]
fn large_scores_do_not_overflow() {
    // Scores of several hundred: their exponentials are beyond f32.
    let mut inputs = Inputs::drawn(
        Sizes {
            t: 5,
            n: 2,
            k: 1,
            s: 8,
            h: 4,
        },
        57,
    );
    inputs.keys.iter_mut().for_each(|x| *x = x.signum() * 128.0);
    inputs.q.iter_mut().for_each(|x| *x = x.signum());
    inputs.check("attention with large scores", Some(&causal(5, 8)));
}

#[test]
fn a_slice_of_a_longer_cache_is_read_where_it_lies() {
    let sizes = Sizes {
        t: 3,
        n: 4,
        k: 2,
        s: 7,
        h: 5,
    };
    let inputs = Inputs::drawn(sizes, 58);
    let Sizes { t, n, k, s, h } = sizes;
    let expected = inputs.reference(&vec![0..s; t], &[0, 1, 2]);
    for device in devices() {
        let within = |part: &[f32]| {
            let filler = tensor(&vec![99.0; k * 4 * h], [k, 4, h], &device);
            let part = tensor(part, [k, s, h], &device);
            KvRows::from(Tensor::cat(vec![filler.clone(), part, filler], 1)).narrow(1, 4, s)
        };
        let found = ops::attention(
            tensor(&inputs.q, [t, n, h], &device),
            within(&inputs.keys),
            within(&inputs.values),
            inputs.scale,
            None,
        );
        let what = format!("attention over a slice on {device}");
        assert_close(&what, found, [t, n * h], &expected, TOLERANCE);
    }
}

#[test]
fn more_keys_than_65536_are_summed_rightly() {
    // The wgpu backend's own sums are wrong here.
    for s in [65_537, 70_001, 131_073] {
        let sizes = Sizes {
            t: 2,
            n: 2,
            k: 1,
            s,
            h: 2,
        };
        let inputs = Inputs::drawn(sizes, 60);
        inputs.check("long attention", None);
        inputs.check("long causal attention", Some(&causal(2, s)));
    }
}

#[test]
fn blocks_of_scores_join_without_a_seam() {
    // 2 · 40009 · 211 scores are two rows more than the 2²⁴ that are held at a time, so that the
    // second block has two rows. The reference is computed at the ends of both blocks.
    let sizes = Sizes {
        t: 211,
        n: 2,
        k: 1,
        s: 40_009,
        h: 2,
    };
    let inputs = Inputs::drawn(sizes, 59);
    let visible: Vec<Range<usize>> = (0..sizes.t).map(|row| 70 * row..sizes.s - row).collect();
    let rows = [0, 208, 209, 210];
    let expected = inputs.reference(&visible, &rows);
    for device in devices() {
        let found = inputs.attend(Some(&visible), &device);
        assert_eq!(found.dims(), [sizes.t, sizes.n * sizes.h]);
        let picked = rows.map(|row| found.clone().narrow(0, row, 1)).to_vec();
        let what = format!("attention in blocks on {device}");
        let shape = [rows.len(), sizes.n * sizes.h];
        assert_close(&what, Tensor::cat(picked, 0), shape, &expected, TOLERANCE);
    }
}

#[test]
fn a_query_that_sees_no_key_gets_zeros() {
    let sizes = Sizes {
        t: 5,
        n: 4,
        k: 2,
        s: 9,
        h: 3,
    };
    let visible = [0..4, 2..2, 3..9, 9..9, 1..5];
    // The sum over no values is zero, whatever it is divided by.
    Inputs::drawn(sizes, 61).check("attention to nothing", Some(&visible));
    for s in [0, 9] {
        for device in devices() {
            let inputs = Inputs::drawn(Sizes { t: 3, s, ..sizes }, 62);
            let empty = (s > 0).then(|| vec![0..0; 3]);
            let found = inputs.attend(empty.as_deref(), &device);
            assert_eq!(found.dims(), [3, 12], "{s} keys on {device}");
            let found = vec_from(found, "rows").expect("readable");
            assert_eq!(found, [0.0; 36], "{s} keys on {device}");
        }
    }
}

#[test]
fn no_queries_have_no_rows() {
    for device in devices() {
        let sizes = Sizes {
            t: 0,
            n: 4,
            k: 2,
            s: 9,
            h: 3,
        };
        let found = Inputs::drawn(sizes, 63).attend(None, &device);
        assert_eq!(found.dims(), [0, 12], "{device}");
    }
}
