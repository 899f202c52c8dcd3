//! Softmax over rows.

use crate::cpu::Cpu;
use crate::elementwise::for_rows;

/// `exp(x − max) / Σ exp(x − max)` over every row of `cols` numbers.
///
/// Numbers of −∞ get 0. A row of nothing else, or with a NaN or +∞, becomes NaN.
///
/// # Panics
/// When lengths differ or are no whole number of rows.
pub fn softmax(cpu: &Cpu, x: &[f32], cols: usize, out: &mut [f32]) {
    assert!(cols > 0, "a row has at least one number");
    assert_eq!(x.len(), out.len(), "lengths of input and output");
    assert!(
        x.len().is_multiple_of(cols),
        "{} numbers in rows of {cols}",
        x.len()
    );
    for_rows(cpu, out, cols, &|first, out| {
        let x = x[first * cols..].chunks_exact(cols);
        for (x, out) in x.zip(out.chunks_exact_mut(cols)) {
            scalar(x, out);
        }
    });
}

/// One row: the specification.
fn scalar(x: &[f32], out: &mut [f32]) {
    let max = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (out, x) in out.iter_mut().zip(x) {
        *out = (x - max).exp();
        sum += f64::from(*out);
    }
    for out in out {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "rounding is what is wanted"
        )]
        let share = (f64::from(*out) / sum) as f32;
        *out = share;
    }
}
