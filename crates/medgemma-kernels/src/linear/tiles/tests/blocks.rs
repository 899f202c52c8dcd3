//! Several layers, and weights in blocks, on slots: what the operations take only of many tokens, with few.

use half::bf16;

use super::{assert_near, bytes, folded, numbers, paths, products};
use crate::linear::output::Output;
use crate::linear::panel::Weights;
use crate::linear::tests::blocks;
use crate::linear::tiles::{COLS, STRETCH, Tokens, mlp, rolled, straight};
use crate::{Cpu, Format, Matrix};

/// All that such weights may be in but bf16.
const BLOCKS: [Format; 5] = [
    Format::Q8_0,
    Format::Q4_0,
    Format::Q5_1,
    Format::Q4K,
    Format::Q6K,
];

/// Of numbers that are whole multiples of it, all sums here are exact.
const UNIT: f32 = 1.0 / 16384.0;

/// Blocks, and their numbers as bf16.
fn drawn(format: Format, rows: usize, cols: usize) -> (Vec<u8>, Vec<f32>) {
    let bytes = blocks(format, rows * cols / format.block_len(), UNIT);
    let mut w = vec![0.0; rows * cols];
    crate::dequantize(format, &bytes, &mut w);
    for w in &mut w {
        *w = bf16::from_f32(*w).to_f32();
    }
    (bytes, w)
}

#[test]
fn each_layer_has_its_own_groups() {
    // The first ends within a group, the last has a group alone; two stretches of columns.
    let (m, rows, cols) = (33, [50, 97, 3], COLS * STRETCH + 1);
    let x = numbers(1, m * cols);
    let layers = rows.map(|rows| (numbers(rows, rows * cols), numbers(3 * rows, rows)));
    let stored = layers.each_ref().map(|(w, _)| bytes(w));
    for path in paths() {
        let cpu = Cpu::new(2, path);
        let mut outs = rows.map(|rows| vec![f32::NAN; m * rows]);
        let places = outs.iter_mut().zip(&stored).zip(&layers).zip(rows);
        let places = places.map(|(((out, bytes), (_, bias)), rows)| {
            let weights = Weights::Rows(Matrix::new(Format::Bf16, rows, cols, bytes));
            (weights, Output::new(out, rows, Some(bias)))
        });
        let places: Vec<_> = places.collect();
        rolled(&cpu, &Tokens::pack(&cpu, &x, cols), &places);
        drop(places);
        for (out, (w, bias)) in outs.iter().zip(&layers) {
            let expected = products(&x, w, cols, Some(bias));
            assert!(*out == expected, "{} rows on {path}", bias.len());
        }
    }
}

/// Two stretches of columns, each turned in two parts, and more than one panel and group.
#[test]
fn blocks_are_multiplied_as_bf16() {
    let (m, rows, cols) = (33, 50, 3072);
    let x = numbers(1, m * cols);
    for format in BLOCKS {
        let (bytes, w) = drawn(format, rows, cols);
        let weights = Weights::Rows(Matrix::new(format, rows, cols, &bytes));
        let expected = products(&x, &w, cols, None);
        for path in paths() {
            let cpu = Cpu::new(2, path);
            let mut out = vec![f32::NAN; m * rows];
            let packed = Tokens::pack(&cpu, &x, cols);
            rolled(
                &cpu,
                &packed,
                &[(weights, Output::new(&mut out, rows, None))],
            );
            assert!(out == expected, "{format} on {path}");
            out.fill(f32::NAN);
            let output = Output::new(&mut out, rows, None);
            straight::linear(&cpu, &x, cols, &[(weights, output)]);
            assert!(out == expected, "straight, {format} on {path}");
        }
    }
}

/// As files mix them. The first half's rows are turned in two parts.
#[test]
fn mlps_take_blocks_as_bf16() {
    let (m, d, hidden, rows) = (9, 1536, 64, 19);
    let x = numbers(1, m * d);
    let down = drawn(Format::Q8_0, rows, hidden);
    let fold = Weights::Rows(Matrix::new(Format::Q8_0, rows, hidden, &down.0));
    for formats in [
        [Format::Q8_0, Format::Q6K],
        [Format::Q4K, Format::Q8_0],
        [Format::Q6K, Format::Q4K],
    ] {
        let halves = formats.map(|format| drawn(format, hidden, d));
        let sums = halves.each_ref().map(|(_, w)| products(&x, w, d, None));
        let both = [0, 1].map(|at| Matrix::new(formats[at], hidden, d, &halves[at].0));
        let both = both.map(Weights::Rows);
        for path in paths() {
            let cpu = Cpu::new(2, path);
            let packed = Tokens::pack(&cpu, &x, d);
            let mut between = vec![0.0; m * hidden];
            let mut out = vec![f32::NAN; m * rows];
            crate::geglu(&cpu, &sums[0], &sums[1], &mut between);
            let expected = folded(&between, &down.1, hidden, None);
            mlp::gated_mlp(
                &cpu,
                &packed,
                both,
                fold,
                &Output::new(&mut out, rows, None),
            );
            assert_near(&out, &expected, &format!("gated, {formats:?} on {path}"));
            crate::gelu_tanh(&cpu, &sums[0], &mut between);
            let expected = folded(&between, &down.1, hidden, None);
            let output = Output::new(&mut out, rows, None);
            mlp::mlp(&cpu, &packed, (both[0], None), fold, &output);
            assert_near(&out, &expected, &format!("plain, {formats:?} on {path}"));
        }
    }
}
