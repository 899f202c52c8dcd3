//! The parts by themselves, on a real or an emulated tile unit.

use half::bf16;
use proptest::prelude::*;

use super::product::Product;
use super::softmax::Block;
use super::space::{CHUNK, ROWS};
use super::tiles::{SIDE, TILE};
use super::{DEPTH, pack};
use crate::Path;
use crate::amx::{Config, release};
use crate::attention::{Numbers, Problem, Rows};

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
            let key = tile / columns * DEPTH + pack::key_at(2 * row);
            let lane = tile % columns * SIDE + column;
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

    #[test]
    fn products_of_any_extents(columns in 1..8_usize, depth in 1..5_usize, fresh: bool) {
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
        let mut out = vec![before; 2 * columns * TILE];
        let product = Product {
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
        };
        // SAFETY: the path is there, the operands are as long as they say.
        unsafe {
            Config::WHOLE.load();
            product.run();
            release();
        }
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

    /// A row whose scores are beyond the limit, below it, or seen in part.
    #[test]
    fn rows_are_weighed(steps in 1..=CHUNK, index in 0..ROWS, start in 0..140_usize, len in 0..140_usize, rise in -40.0..40_f32) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let score = |key: usize| number(key + 3) * 0.7 + rise;
        let mut memory = Memory::new(index, score);
        let seen = start..start + len;
        // SAFETY: the path is there, and all is as long as a block wants it.
        unsafe { memory.block(steps).take(index, &seen) };
        let is_seen = |key: &usize| seen.contains(key);
        let keys = steps * DEPTH;
        let largest = (0..keys).filter(is_seen).map(score).fold(-0.5, f32::max);
        let top = memory.tops[index];
        prop_assert!(top == -0.5 || top == largest, "{}", top);
        let (top, largest) = (2.0 * top, 2.0 * largest);
        prop_assert!(largest - top <= 16.01, "{} above {}", largest, top);
        for (at, sum) in memory.sums.iter().enumerate() {
            let (tile, row) = (at / TILE / 2, at % TILE / SIDE);
            let is_row = tile * SIDE + row == index;
            let fade = if is_row { (-1.0 - top).exp2() } else { 1.0 };
            prop_assert!((sum - 3.0 * fade).abs() <= 1e-5, "{} at {}", sum, at);
        }
        for key in 0..keys {
            let wanted = if is_seen(&key) { (2.0 * score(key) - top - 16.0).exp2() } else { 0.0 };
            let got = memory.numerator(index, key);
            prop_assert!((got - wanted).abs() <= wanted * 0.004, "{} for {} of key {}", got, wanted, key);
        }
    }

    /// All rows at once, below the limit, beyond it, or so far below that they are left to [`Block::take`].
    #[test]
    fn rows_are_weighed_together(steps in 1..=CHUNK, index in 0..ROWS, rise in prop_oneof![-8.0..9_f32, -70.0..-40_f32]) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let score = |key: usize| number(key + 3) * 0.37 + rise;
        let mut memory = Memory::new(index, score);
        // SAFETY: the path is there, and all is as long as a block wants it.
        let left = unsafe { memory.block(steps).take_all() };
        let powers = (0..steps * DEPTH).map(|key| 2.0 * score(key) + 1.0);
        let (least, most) = powers.clone().fold((f32::MAX, f32::MIN), |(a, b), x| (a.min(x), b.max(x)));
        if left >> index & 1 == 1 {
            prop_assert!(most > 15.99 || least < -110.99, "from {} to {}", least, most);
            return Ok(());
        }
        prop_assert!(most < 16.01 && least > -111.01, "from {} to {}", least, most);
        for (key, power) in powers.enumerate() {
            let (got, wanted) = (memory.numerator(index, key), (power - 16.0).exp2());
            // What is below the normal range, the tile unit takes for 0.
            let wanted = if wanted < f32::MIN_POSITIVE { got.min(wanted) } else { wanted };
            prop_assert!((got - wanted).abs() <= wanted * 0.006, "{} for {} of key {}", got, wanted, key);
        }
    }

    /// What no number can be made of is left to [`Block::take`], in whatever lane it is.
    #[test]
    fn what_is_no_number_is_left(key in 0..CHUNK * DEPTH, index in 0..ROWS, which in 0..3_usize) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][which];
        let mut memory = Memory::new(index, |at| if at == key { odd } else { 1.0 });
        // SAFETY: the path is there, and all is as long as a block wants it.
        let left = unsafe { memory.block(CHUNK).take_all() };
        prop_assert_eq!(left >> index & 1, 1);
        // SAFETY: as above.
        unsafe { memory.block(CHUNK).take(index, &(0..CHUNK * DEPTH)) };
        let got = memory.numerator(index, key);
        prop_assert!(if which == 2 { got == 0.0 } else { got.is_nan() }, "{} of {}", got, odd);
    }
}

/// Wrapped round, the numbers of their tiles are none.
#[test]
fn more_keys_than_can_be_counted_have_no_tiles_in_common() {
    let len = usize::MAX;
    let rows = Rows {
        len,
        row_stride: 0,
        ..view(&[bf16::ZERO], 1, 1, 0)
    };
    let problem = Problem {
        q: &[],
        t: 0,
        heads: 1,
        keys: rows,
        values: rows,
        scale: 1.0,
        visible: None,
        seen: 0..len,
    };
    assert_eq!(super::shared(&problem), (0, 0));
}

/// The powers of 2 in the quick way's table, over all that it can be asked for.
#[test]
fn powers_in_fixed_point_have_no_bias() {
    if !Path::Amx.is_available() {
        return;
    }
    let (mut bias, mut square, mut count) = (0.0, 0.0, 0.0);
    for stretch in 0..64_u16 {
        let score = |key: usize| {
            let part = key as f32 / 128.0;
            (f32::from(stretch) + part) / 16.0 - 2.2
        };
        let mut memory = Memory::new(5, score);
        // SAFETY: the path is there, and all is as long as a block wants it.
        let left = unsafe { memory.block(CHUNK).take_all() };
        assert_eq!(left >> 5 & 1, 0);
        for key in 0..CHUNK * DEPTH {
            let wanted = (2.0 * score(key) + 1.0 - 16.0).exp2();
            let error = f64::from(memory.numerator(5, key) / wanted - 1.0);
            (bias, square, count) = (bias + error, square + error * error, count + 1.0);
        }
    }
    let (bias, rms) = (bias / count, f64::sqrt(square / count));
    assert!(bias.abs() < 1e-4 && rms < 0.0019, "{bias}, {rms}");
}

/// Where the fixed point ends: what is used there is tiny, whatever the last bits are, or at most 1.
#[test]
fn powers_in_fixed_point_do_not_wrap() {
    if !Path::Amx.is_available() {
        return;
    }
    let (mut used, mut left) = (0, 0);
    for step in 0..512_u16 {
        let power = -111.125 + f32::from(step) / 2048.0;
        let mut memory = Memory::new(9, |_| (power - 1.0) / 2.0);
        // SAFETY: the path is there, and all is as long as a block wants it.
        if unsafe { memory.block(CHUNK).take_all() } >> 9 & 1 == 1 {
            left += 1;
            continue;
        }
        used += 1;
        for key in 0..CHUNK * DEPTH {
            let got = memory.numerator(9, key);
            assert!((0.0..1e-37).contains(&got), "{got} for {power}");
        }
    }
    assert!(used > 200 && left > 200, "{used} and {left}");
    for (power, is_left) in [(15.99, 0), (16.01, 1)] {
        let mut memory = Memory::new(9, |_| (power - 1.0) / 2.0);
        // SAFETY: as above.
        let left = unsafe { memory.block(CHUNK).take_all() };
        assert_eq!(left >> 9 & 1, is_left, "{power}");
    }
}

/// A score far above the top, in a step that is not the last, makes a new one; what its row alone has gathered
/// fades, in all tiles.
#[test]
fn what_a_row_has_gathered_fades() {
    if !Path::Amx.is_available() {
        return;
    }
    for (index, key) in [(0, 3), (15, 40), (16, 70), (31, 95)] {
        let mut memory = Memory::new(index, |at| if at == key { 9.0 } else { 0.0 });
        // SAFETY: the path is there, and all is as long as a block wants it.
        unsafe { memory.block(CHUNK).take(index, &(0..CHUNK * DEPTH)) };
        assert_eq!(memory.tops[index].to_bits(), 9.0_f32.to_bits());
        for (at, sum) in memory.sums.iter().enumerate() {
            let (tile, row) = (at / TILE / 2, at % TILE / SIDE);
            let is_row = tile * SIDE + row == index;
            let wanted = if is_row {
                3.0 * (-19.0_f32).exp2()
            } else {
                3.0
            };
            assert!((sum - wanted).abs() <= 1e-5 * wanted, "{sum} at {at}");
        }
        let got = memory.numerator(index, key);
        assert!((got - (-16.0_f32).exp2()).abs() < 1e-6, "{got}");
    }
}

/// Of a product of 2³¹, f32 has no room for the headroom beside it: the difference is taken first.
#[test]
fn large_scores_keep_their_headroom() {
    if !Path::Amx.is_available() {
        return;
    }
    let large = 2.0_f32.powi(30);
    let mut memory = Memory::new(7, |at| if at == 70 { large } else { 0.0 });
    // SAFETY: the path is there, and all is as long as a block wants it.
    unsafe { memory.block(CHUNK).take(7, &(0..CHUNK * DEPTH)) };
    assert_eq!(memory.tops[7].to_bits(), large.to_bits());
    let numerators = [69, 70].map(|key| memory.numerator(7, key).to_bits());
    assert_eq!(numerators, [0.0, (-16.0_f32).exp2()].map(f32::to_bits));
}

/// A block of which one row has scores, where a block's rows lie.
struct Memory {
    scores: Vec<f32>,
    numerators: Vec<f32>,
    tops: Vec<f32>,
    sums: Vec<f32>,
}

impl Memory {
    fn new(index: usize, score: impl Fn(usize) -> f32) -> Self {
        let mut scores = vec![0.0; 2 * 2 * CHUNK * TILE];
        for key in 0..CHUNK * DEPTH {
            let tile = index / SIDE * 2 * CHUNK + key / SIDE;
            scores[tile * TILE + index % SIDE * SIDE + key % SIDE] = score(key);
        }
        Self {
            scores,
            numerators: vec![f32::NAN; 2 * CHUNK * TILE],
            tops: vec![-0.5; ROWS],
            sums: vec![3.0; 2 * 2 * TILE],
        }
    }

    fn block(&mut self, steps: usize) -> Block {
        Block {
            scores: self.scores.as_ptr(),
            numerators: self.numerators.as_mut_ptr(),
            steps,
            factor: 2.0,
            tops: self.tops.as_mut_ptr(),
            sums: self.sums.as_mut_ptr(),
            tiles: 2,
        }
    }

    fn numerator(&self, index: usize, key: usize) -> f32 {
        let tile = index / SIDE * CHUNK + key / DEPTH;
        let at = (0..DEPTH).find(|at| pack::key_at(*at) == key % DEPTH);
        let at = at.expect("every key has a place");
        halves(self.numerators[tile * TILE + index % SIDE * SIDE + at / 2])[at % 2]
    }
}
