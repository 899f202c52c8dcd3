//! Linear layers: `y = x · Wᵀ + b` with the weights read as they lie in the file.
//!
//! The arithmetic is the format's and the same for any number of rows of `x`: f32 weights are
//! multiplied and summed in f32; f16 weights are widened, which is exact; with bf16 weights the
//! activations are rounded to bf16 (to nearest, ties to even), so that products are exact in f32,
//! and sums are f32. Paths and shapes differ only in the order of summation.

mod output;
mod scalar;

use crate::cpu::Cpu;
use crate::matrix::Matrix;

use output::Output;

/// `out = x · weightᵀ + bias`: `x` is `[m, cols]`, `weight` `[rows, cols]`, `bias` `[rows]`, `out`
/// `[m, rows]`, all row-major.
///
/// # Panics
/// When the lengths do not fit each other.
pub fn linear(cpu: &Cpu, x: &[f32], weight: Matrix<'_>, bias: Option<&[f32]>, out: &mut [f32]) {
    let (rows, cols) = (weight.rows(), weight.cols());
    assert!(
        bias.is_none_or(|bias| bias.len() == rows),
        "one bias for each of {rows} rows"
    );
    if rows == 0 || out.is_empty() {
        assert!(
            out.is_empty() && (rows == 0 || x.is_empty()),
            "{} inputs of {cols} columns give no {} outputs of {rows} rows",
            x.len(),
            out.len()
        );
        return;
    }
    let m = out.len() / rows;
    assert!(
        m * rows == out.len() && m * cols == x.len(),
        "{} inputs of {cols} columns give no {} outputs of {rows} rows",
        x.len(),
        out.len()
    );
    let output = Output::new(out, rows, bias);
    scalar::linear(cpu.pool(), x, weight, &output);
}
