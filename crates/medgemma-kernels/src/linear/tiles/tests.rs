//! The parts against plain Rust, and the whole against sums written out, on the tile unit, emulated or
//! not, and on no unit at all.

#[cfg(target_arch = "x86_64")]
mod blocks;

use half::bf16;
use proptest::prelude::*;

use super::jobs::Unfolding;
use super::{
    BLOCK, COLS, LANES, PANELS, ROWS, STRETCH, TOKENS, Tokens, WHOLE, even, plain, straight,
    stretches, vectors,
};
use crate::linear::output::Output;
use crate::linear::panel::Weights;
use crate::lines::Line;
use crate::{Cpu, Format, Matrix, Path};

/// Whole numbers of few digits, whose sums are exact.
fn number(index: usize) -> f32 {
    [3.0, -1.0, 0.0, 2.0, -5.0, 1.0, 7.0][index * index % 83 % 7]
}

fn numbers(seed: usize, count: usize) -> Vec<f32> {
    (0..count).map(|index| number(seed + index)).collect()
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    let bytes = numbers.iter().map(|&x| bf16::from_f32(x).to_le_bytes());
    bytes.flatten().collect()
}

/// Tokens that are never blocks.
const FEW: usize = straight::PANELS * TOKENS;

fn lines(count: usize) -> Vec<Line> {
    vec![Line([0xff; 64]); count]
}

/// The tile unit, if there is one, and plain Rust. Beyond x86-64 there is none, and nothing that stands
/// for it is used: tests of these paths are not for other processors, whose emulation takes long for them.
fn paths() -> impl Iterator<Item = Path> {
    [Path::Scalar, Path::Amx]
        .into_iter()
        .filter(|path| path.is_available())
}

fn same(a: &[Line], b: &[Line]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.0 == b.0)
}

/// `x · wᵀ + bias`, exact.
fn products(x: &[f32], w: &[f32], cols: usize, bias: Option<&[f32]>) -> Vec<f32> {
    let rows = w.len() / cols;
    let tokens = x.chunks(cols);
    let each = tokens.flat_map(|x| {
        (0..rows).map(move |row| {
            let sum: f32 = x.iter().zip(&w[row * cols..]).map(|(x, w)| x * w).sum();
            sum + bias.map_or(0.0, |bias| bias[row])
        })
    });
    each.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(64)))]

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn tokens_and_weights_are_laid_out_as_in_plain_rust(
        tokens in 1..=TOKENS,
        cols in 1..200_usize,
        seed in 0..1000_usize,
    ) {
        let steps = cols.div_ceil(COLS);
        let x = numbers(seed, tokens * cols);
        let [mut plainly, mut quickly] = [(); 2].map(|()| lines(steps * TOKENS));
        plain::pack(&x, cols, &mut plainly);
        let stride = 64 * steps + seed % 5;
        let rows: Vec<u8> = (0..16 * stride).map(|at| (at * 31 + seed).to_le_bytes()[0]).collect();
        let [mut turned, mut turned_quickly] = [(); 2].map(|()| lines(steps * ROWS));
        plain::turn(&rows, stride, steps, &mut turned);
        for path in paths() {
            vectors::pack(path, &x, cols, &mut quickly);
            prop_assert!(same(&plainly, &quickly), "{path}");
            vectors::turn(path, &rows, stride, steps, &mut turned_quickly);
            prop_assert!(same(&turned, &turned_quickly), "{path}");
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn blocks_end_where_outputs_and_columns_do(
        m in 1..70_usize,
        rows in 1..130_usize,
        added: bool,
        seed in 0..1000_usize,
    ) {
        let sums: Box<[f32; BLOCK]> = numbers(seed, BLOCK).try_into().expect("a block");
        let (panel, group) = (seed % m.div_ceil(TOKENS), seed % rows.div_ceil(ROWS));
        let steps = rows.div_ceil(COLS);
        let mut first = None;
        for path in paths() {
            let mut out = vec![1000.0; m * rows];
            let mut into = Tokens::any(m, rows);
            let output = Output::new(&mut out, rows, None);
            // SAFETY: one thread; the path is there.
            unsafe {
                vectors::put(path, &sums, panel * TOKENS, group * ROWS, &output, added);
                vectors::round(path, &sums, panel * TOKENS, group, rows, &into.halves());
            }
            for (index, &out) in out.iter().enumerate() {
                let (token, row) = (index / rows, index % rows);
                let inside = token / TOKENS == panel && row / ROWS == group;
                let sum = sums[token % TOKENS * ROWS + row % ROWS];
                let base = if inside && !added { 0.0 } else { 1000.0 };
                prop_assert_eq!(out, base + if inside { sum } else { 0.0 });
            }
            let all: Vec<_> = into.panel(panel, 0..steps).iter().map(|line| line.0).collect();
            if group + 1 == rows.div_ceil(ROWS) {
                // Behind the last column there are zeros.
                let last = (steps - 1) * TOKENS;
                let beyond = (rows - 1) % COLS + 1;
                prop_assert!(all[last..].iter().all(|line| line[2 * beyond..].iter().all(|&x| x == 0)));
            }
            prop_assert_eq!(first.get_or_insert_with(|| all.clone()), &all);
        }
    }

    /// More than one stretch of columns, and several groups, slots and panels.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn layers_are_sums_of_products(
        m in prop_oneof![1..100_usize, Just(TOKENS * 5 + 1)],
        rows in prop_oneof![1..200_usize, Just(ROWS * 9)],
        cols in prop_oneof![1..300_usize, Just(COLS * STRETCH + 1)],
        threads in 1..4_usize,
        with_bias: bool,
        seed in 0..1000_usize,
    ) {
        let (m, rows) = if cols > 1000 { (m.min(40), rows.min(60)) } else { (m, rows) };
        let (x, w) = (numbers(seed, m * cols), numbers(seed + 7, rows * cols));
        let bias = numbers(seed + 3, rows);
        let bias = with_bias.then_some(&bias[..]);
        let bytes = bytes(&w);
        let weights = Weights::Rows(Matrix::new(Format::Bf16, rows, cols, &bytes));
        let expected = products(&x, &w, cols, bias);
        for path in paths() {
            let cpu = Cpu::new(threads, path);
            let mut out = vec![f32::NAN; m * rows];
            let packed = Tokens::pack(&cpu, &x, cols);
            super::rolled(&cpu, &packed, &[(weights, Output::new(&mut out, rows, bias))]);
            prop_assert_eq!(&out, &expected, "{}", path);
            if packed.panels() <= straight::PANELS {
                out.fill(f32::NAN);
                straight::linear(&cpu, &x, cols, &[(weights, Output::new(&mut out, rows, bias))]);
                prop_assert_eq!(&out, &expected, "straight, {}", path);
            }
        }
    }
}

/// Columns and outputs that fill no vector, each number of them: nothing beyond is read or written.
#[cfg(target_arch = "x86_64")]
#[test]
fn every_rest_of_a_vector_ends_where_it_does() {
    let sums: Box<[f32; BLOCK]> = numbers(5, BLOCK).try_into().expect("a block");
    for count in 1..=ROWS {
        let x = numbers(3, 3 * count);
        let [mut plainly, mut quickly] = [(); 2].map(|()| lines(count.div_ceil(COLS) * TOKENS));
        // What lies behind the last token is no part of it.
        plain::pack(&x[..2 * count], count, &mut plainly);
        for path in paths() {
            vectors::pack(path, &x[..2 * count], count, &mut quickly);
            assert!(same(&plainly, &quickly), "{count} columns on {path}");
            let mut out = vec![1000.0; 2 * count + 1];
            let output = Output::new(&mut out[..2 * count], count, None);
            // SAFETY: one thread; the path is there.
            unsafe { vectors::put(path, &sums, 0, 0, &output, true) };
            for (index, &out) in out.iter().enumerate() {
                let (token, row) = (index / count, index % count);
                let sum = if token < 2 {
                    sums[token * ROWS + row]
                } else {
                    0.0
                };
                assert_eq!(out, 1000.0 + sum, "{count} rows on {path}, output {index}");
            }
            let mut into = Tokens::any(2, count);
            // SAFETY: as above.
            unsafe { vectors::round(path, &sums, 0, 0, count, &into.halves()) };
            let lines = into.panel(0, 0..count.div_ceil(COLS));
            for (at, line) in lines.iter().enumerate() {
                for (column, half) in line.0.as_chunks::<2>().0.iter().enumerate() {
                    let (token, row) = (at % TOKENS, at / TOKENS * COLS + column);
                    let sum = if row < count {
                        sums[token * ROWS + row]
                    } else {
                        0.0
                    };
                    let found = bf16::from_le_bytes(*half).to_f32();
                    assert_eq!(
                        found, sum,
                        "{count} rows on {path}, token {token}, row {row}"
                    );
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn tokens_beyond_the_panels_of_a_turn_are_met_too() {
    let (m, rows, cols) = (TOKENS * PANELS + 5, 50, 33);
    let (x, w) = (numbers(1, m * cols), numbers(2, rows * cols));
    let bytes = bytes(&w);
    let weights = Weights::Rows(Matrix::new(Format::Bf16, rows, cols, &bytes));
    for path in paths() {
        let cpu = Cpu::new(2, path);
        let mut out = vec![f32::NAN; m * rows];
        super::linear(
            &cpu,
            &x,
            cols,
            &[(weights, Output::new(&mut out, rows, None))],
        );
        assert!(out == products(&x, &w, cols, None), "{path}");
    }
}

#[test]
fn parts_are_even_and_no_longer_than_they_may() {
    for (count, most) in [(0, 4), (1, 4), (4, 4), (5, 4), (16, 11), (40, 11)] {
        let all: Vec<_> = even(count, most).collect();
        assert_eq!(all.len(), count.div_ceil(most));
        assert!(all.iter().all(|part| (1..=most).contains(&part.len())));
        assert!(
            all.iter().cloned().flatten().eq(0..count),
            "{count} by {most}"
        );
        let lengths = || all.iter().map(ExactSizeIterator::len);
        assert!(lengths().max().unwrap_or(0) - lengths().min().unwrap_or(0) <= 1);
    }
}

/// The widths of all Gemma 3 and of SigLIP among them.
#[test]
fn stretches_begin_where_blocks_do() {
    for steps in [0, 1, 20, 36, 64, 80, 88, 89, 120, 135, 168, 320, 480, 672] {
        let all: Vec<_> = stretches(steps).collect();
        assert!(all.iter().all(|part| part.start % WHOLE == 0));
        assert!(all.iter().all(|part| (1..=STRETCH).contains(&part.len())));
        assert!(all.iter().cloned().flatten().eq(0..steps), "{steps}");
        assert_eq!(all.len(), steps.div_ceil(STRETCH));
    }
}

#[test]
fn halves_are_where_the_columns_are() {
    let (m, cols) = (40, 100);
    let mut tokens = Tokens::any(m, cols);
    let halves = tokens.halves();
    for (token, piece) in (0..m).flat_map(|token| (0..7).map(move |piece| (token, piece))) {
        // SAFETY: one thread.
        let place = unsafe { halves.cells.part(halves.place(token, piece), 1) };
        for (lane, place) in place[0].iter_mut().enumerate() {
            *place = u16::try_from(token * cols + piece * LANES + lane).expect("few");
        }
    }
    let line = tokens.panel(1, 2..3)[3].0;
    let wanted = (0..32).flat_map(|lane| {
        u16::try_from(35 * cols + 64 + lane)
            .expect("few")
            .to_ne_bytes()
    });
    assert!(line.into_iter().eq(wanted));
}

/// Sums of the first half, a multiple of 2⁻⁴ below 8, so that both ways see the same numbers to bend.
fn sixteenths(seed: usize, count: usize) -> Vec<f32> {
    numbers(seed, count).iter().map(|x| x / 16.0).collect()
}

/// What the second half of an MLP makes of `hidden`, and how far f32 sums may be from it.
fn folded(hidden: &[f32], w: &[f32], cols: usize, bias: Option<&[f32]>) -> Vec<(f64, f64)> {
    let rows = w.len() / cols;
    let roundings = (cols + 2) as f64 * 2.0_f64.powi(-23);
    let mut out = Vec::new();
    for hidden in hidden.chunks(cols) {
        for row in 0..rows {
            let bias = bias.map_or(0.0, |bias| f64::from(bias[row]));
            let products = hidden.iter().zip(&w[row * cols..]);
            let products = products.map(|(&x, &w)| f64::from(bf16::from_f32(x).to_f32() * w));
            let size = products.clone().map(f64::abs).sum::<f64>() + bias.abs();
            out.push((products.sum::<f64>() + bias, roundings * size));
        }
    }
    out
}

fn assert_near(out: &[f32], expected: &[(f64, f64)], what: &str) {
    assert_eq!(out.len(), expected.len(), "{what}");
    for (index, (out, (wanted, most))) in out.iter().zip(expected).enumerate() {
        let far = (f64::from(*out) - wanted).abs();
        assert!(
            far <= *most,
            "{what}: output {index} is {out}, not {wanted}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(32)))]

    /// Also in more than one part, on hidden layers so wide that few tokens are taken at a time.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn mlps_are_their_operations(
        m in prop_oneof![9..80_usize, Just(FEW + 1)],
        d in 1..70_usize,
        hidden in 1..200_usize,
        panels in 1..4_usize,
        threads in 1..3_usize,
        seed in 0..1000_usize,
    ) {
        let x = numbers(seed, m * d);
        let [gate, up] = [11, 23].map(|at| sixteenths(seed + at, hidden * d));
        let down = numbers(seed + 5, d * hidden);
        let [bias1, bias2] = [hidden, d].map(|len| sixteenths(seed + 1, len));
        let first = |w, bias| products(&x, w, d, bias);
        let sums = [first(&gate, None), first(&up, None), first(&gate, Some(&bias1))];

        let fold = down.clone();
        let [gate, up, down] = [&gate, &up, &down].map(|w| bytes(w));
        let matrix = |bytes, rows, cols| Matrix::new(Format::Bf16, rows, cols, bytes);
        let [gate, up] = [&gate, &up].map(|w| matrix(w, hidden, d));
        let down = matrix(&down, d, hidden);
        for path in paths() {
            let cpu = Cpu::new(threads, path);
            let mut between = vec![0.0; m * hidden];
            crate::geglu(&cpu, &sums[0], &sums[1], &mut between);
            let gated = folded(&between, &fold, hidden, None);
            crate::gelu_tanh(&cpu, &sums[2], &mut between);
            let bent = folded(&between, &fold, hidden, Some(&bias2));
            let packed = Tokens::pack(&cpu, &x, d);
            let mut out = vec![f32::NAN; m * d];
            let both = [gate, up].map(Weights::Rows);
            let output = Output::new(&mut out, d, None);
            super::mlp::in_parts(&cpu, &packed, &|| Unfolding::Gated(both), Weights::Rows(down), &output, panels);
            assert_near(&out, &gated, &format!("gated on {path}"));
            out.fill(f32::NAN);
            let first = || Unfolding::Gelu(Weights::Rows(gate), Some(&bias1));
            let output = Output::new(&mut out, d, Some(&bias2));
            super::mlp::in_parts(&cpu, &packed, &first, Weights::Rows(down), &output, panels);
            assert_near(&out, &bent, &format!("plain on {path}"));
            if crate::has_mlp(&cpu, m, &[gate, up, down]) {
                crate::gated_mlp(&cpu, &x, gate, up, down, &mut out);
                assert_near(&out, &gated, "gated, from outside");
                crate::mlp(&cpu, &x, (gate, &bias1), (down, &bias2), &mut out);
                assert_near(&out, &bent, "plain, from outside");
            } else {
                prop_assert!(path != Path::Amx || m <= FEW);
            }
        }
    }

    #[test]
    fn layers_with_one_input_are_layers(
        m in prop_oneof![1..50_usize, Just(FEW + 1)],
        cols in 1..70_usize,
        rows in prop::array::uniform3(1..80_usize),
        blocks: bool,
        seed in 0..1000_usize,
    ) {
        let cols = if blocks { cols.next_multiple_of(32) } else { cols };
        let x = numbers(seed, m * cols);
        let layers = rows.map(|rows| {
            let w = bytes(&numbers(seed + rows, rows * cols));
            (rows, w, numbers(seed, rows))
        });
        for path in Path::tested() {
            let cpu = Cpu::new(2, path);
            let format = if blocks { Format::Q8_0 } else { Format::Bf16 };
            let views = layers.each_ref().map(|(rows, w, bias)| {
                let size = rows * cols / format.block_len() * format.block_bytes();
                let matrix = Matrix::new(format, *rows, cols, &w[..size]);
                (matrix, Some(&bias[..]).filter(|_| rows % 2 == 0))
            });
            let mut outs = rows.map(|rows| vec![f32::NAN; m * rows]);
            let mut places = outs.each_mut().map(Vec::as_mut_slice);
            crate::linear_each(&cpu, &x, &views, &mut places);
            for ((weight, bias), out) in views.into_iter().zip(outs) {
                let mut alone = vec![f32::NAN; out.len()];
                crate::linear(&cpu, &x, weight, bias, &mut alone);
                let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                prop_assert!(out.iter().zip(&alone).all(same), "{path}");
            }
        }
    }
}
