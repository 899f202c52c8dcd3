//! The parts by themselves, on a real or an emulated tile unit.

use half::bf16;
use proptest::prelude::*;

use super::product::Product;
use super::softmax::{Gathered, Row, take};
use super::tiles::{SIDE, Sums, TILE};
use super::{DEPTH, pack};
use crate::Path;
use crate::amx::{Config, release};
use crate::attention::{Numbers, Rows};

/// Whole numbers of few digits, whose sums are exact.
fn number(index: usize) -> f32 {
    [3.0, -1.0, 0.0, 2.0, -5.0, 1.0, 7.0][index * index % 83 % 7]
}

/// The bf16 of a tile's pair.
fn halves(pair: f32) -> [f32; 2] {
    let [a, b, c, d] = pair.to_bits().to_le_bytes();
    [[a, b], [c, d]].map(|half| bf16::from_le_bytes(half).to_f32())
}

/// Rows of `h` lanes that hold [`number`], with gaps of NaN.
fn storage(keys: usize, h: usize, gap: usize) -> Vec<bf16> {
    let row = h + gap;
    let at = |index: usize| {
        if index % row < h {
            number(index)
        } else {
            f32::NAN
        }
    };
    (0..keys * row)
        .map(|index| bf16::from_f32(at(index)))
        .collect()
}

/// A head with gaps between its keys.
fn view(numbers: &[bf16], keys: usize, h: usize, gap: usize) -> Rows<'_> {
    Rows {
        numbers: Numbers::Bf16(numbers),
        heads: 1,
        len: keys,
        head_dim: h,
        head_stride: 0,
        row_stride: h + gap,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(64)))]

    #[test]
    fn keys_and_values_are_packed(h in 1..100_usize, first in 0..20_usize, count in 1..90_usize, gap in 0..4_usize) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let keys = first + count;
        let numbers = storage(keys, h, gap);
        let rows = view(&numbers, keys, h, gap);
        let value = |key: usize, lane: usize| {
            if first + key < keys && lane < h { number((first + key) * (h + gap) + lane) } else { 0.0 }
        };
        let (steps, depth, columns) = (count.div_ceil(DEPTH), h.div_ceil(DEPTH), pack::columns(h));
        let mut tiles = vec![f32::NAN; 2 * steps * depth * TILE];
        // SAFETY: the path is there.
        unsafe { pack::keys(&rows, 0, first..keys, &mut tiles) };
        for (index, pair) in tiles.iter().enumerate() {
            let (tile, row, column) = (index / TILE, index / SIDE % SIDE, index % SIDE);
            let (key, lane) = (tile / depth * SIDE + column, tile % depth * DEPTH + 2 * row);
            prop_assert_eq!(halves(*pair), [value(key, lane), value(key, lane + 1)]);
        }
        let mut tiles = vec![f32::NAN; steps * columns * TILE];
        // SAFETY: the path is there.
        unsafe { pack::values(&rows, 0, first..keys, &mut tiles) };
        for (index, pair) in tiles.iter().enumerate() {
            let (tile, row, column) = (index / TILE, index / SIDE % SIDE, index % SIDE);
            let (key, lane) = (tile / columns * DEPTH + 2 * row, tile % columns * SIDE + column);
            let wanted = if lane == h { [1.0; 2] } else { [value(key, lane), value(key + 1, lane)] };
            prop_assert_eq!(halves(*pair), wanted);
        }
    }

    #[test]
    fn queries_are_packed(h in 1..100_usize, row in 0..SIDE) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let query: Vec<f32> = (0..h).map(number).collect();
        let mut tiles = vec![-1.0; h.div_ceil(DEPTH) * TILE];
        // SAFETY: the path is there.
        unsafe { pack::query(&query, row, &mut tiles) };
        for (index, pair) in tiles.iter().enumerate() {
            let lane = index / TILE * DEPTH + index % SIDE * 2;
            let at = |lane: usize| query.get(lane).copied().unwrap_or(0.0);
            if index / SIDE % SIDE == row {
                prop_assert_eq!(halves(*pair), [at(lane), at(lane + 1)]);
            } else {
                prop_assert_eq!(*pair, -1.0);
            }
        }
    }

    /// Two products one after the other, so that the sums of each are written in time.
    #[test]
    fn products_of_any_extents(columns in 1..6_usize, depth in 1..5_usize, fresh: bool, after: bool) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let pairs = |tiles: usize, seed: usize| -> Vec<f32> {
            let half = |index| bf16::from_f32(number(index + seed));
            (0..tiles * TILE)
                .map(|index| crate::attention::tile::pack::pair(half(2 * index), half(2 * index + 1)))
                .collect()
        };
        let (a, b) = (pairs(2 * depth, 1), pairs(columns * depth, 5));
        let before = if fresh { f32::NAN } else { 4.0 };
        let mut out = [vec![before; 2 * columns * TILE], vec![before; 2 * columns * TILE]];
        let mut products = out.each_mut().map(|out| Product {
            a: a.as_ptr(),
            a_row: depth * TILE,
            b: b.as_ptr(),
            b_column: depth * TILE,
            b_step: TILE,
            out: out.as_mut_ptr(),
            out_row: columns * TILE,
            columns,
            depth,
            fresh,
            ..Product::NONE
        });
        let mut done = Sums::NOWHERE;
        // SAFETY: the path is there, the operands are as long as they say.
        unsafe {
            Config::WHOLE.load();
            for product in &mut products {
                let left = product.left();
                for _ in 0..left {
                    product.advance(&mut done);
                }
                prop_assert!(product.is_done());
                if after {
                    product.finish(&mut done);
                }
            }
            products[1].finish(&mut done);
            release();
        }
        for out in &out {
            for (index, sum) in out.iter().enumerate() {
                let (tile, row, column) = (index / TILE, index / SIDE % SIDE, index % SIDE);
                let mut wanted = if fresh { 0.0 } else { before };
                for step in 0..depth {
                    for pair in 0..SIDE {
                        let left = (tile / columns * depth + step) * TILE + row * SIDE + pair;
                        let right = (tile % columns * depth + step) * TILE + pair * SIDE + column;
                        let (left, right) = (halves(a[left]), halves(b[right]));
                        wanted += left[0] * right[0] + left[1] * right[1];
                    }
                }
                prop_assert_eq!(*sum, wanted, "tile {}, row {}, column {}", tile, row, column);
            }
        }
    }

    /// A row whose scores are beyond the limit, below it, or seen in part.
    #[test]
    fn rows_are_weighed(steps in 1..5_usize, start in 0..140_usize, len in 0..140_usize, rise in -40.0..40_f32) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let keys = steps * DEPTH;
        let seen = start..start + len;
        let mut scores = vec![f32::NAN; 2 * steps * TILE];
        let score = |key: usize| number(key + 3) * 0.7 + rise;
        for key in 0..keys {
            scores[key / SIDE * TILE + key % SIDE] = score(key);
        }
        let mut numerators = vec![f32::NAN; steps * TILE];
        let mut sums = vec![3.0; 2 * TILE];
        let mut top = -1.0;
        let mut settled = false;
        let row = Row {
            scores: scores.as_ptr(),
            numerators: numerators.as_mut_ptr(),
            steps,
            factor: 2.0,
        };
        let gathered = Gathered { top: &raw mut top, sums: sums.as_mut_ptr(), tiles: 2 };
        // SAFETY: the path is there, and all are as long as they say.
        unsafe { take(&row, &seen, &gathered, || settled = true) };
        let is_seen = |key: &usize| seen.contains(key);
        let largest = (0..keys).filter(is_seen).map(|key| 2.0 * score(key)).fold(-1.0, f32::max);
        let now = if settled { largest } else { -1.0 };
        prop_assert_eq!(top, now);
        prop_assert!(largest - top <= 16.01, "{} above {}", largest, top);
        for (index, sum) in sums.iter().enumerate() {
            let fade = if index % TILE < SIDE { (-1.0 - top).exp2() } else { 1.0 };
            prop_assert!((sum - 3.0 * fade).abs() <= 1e-5, "{} at {}", sum, index);
        }
        for key in 0..keys {
            let pair = numerators[key / DEPTH * TILE + key % DEPTH / 2];
            let wanted = if is_seen(&key) { (2.0 * score(key) - top).exp2() } else { 0.0 };
            let got = halves(pair)[key % 2];
            prop_assert!((got - wanted).abs() <= wanted * 0.004, "{} for {} of key {}", got, wanted, key);
        }
    }
}
