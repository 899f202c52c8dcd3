//! Linear layers: `y = x · Wᵀ + b` with the weights read as they lie in the file.
//!
//! The arithmetic is the format's and the same for any number of rows of `x`: f32 weights are
//! multiplied and summed in f32; f16 weights are widened, which is exact; with bf16 weights the
//! activations are rounded to bf16 (to nearest, ties to even), so that products are exact in f32,
//! and sums are f32. Paths and shapes differ only in the order of summation, and in that the bf16
//! units of processors take the tiniest numbers (below 2⁻¹²⁶) for zero.
//!
//! Weights in blocks are [`crate::blocks`]' own, with activations in 8 bits; only for many rows on
//! the tile unit they are rounded to bf16 and go on as such.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx2_few;
#[cfg(target_arch = "x86_64")]
mod avx2_turn;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_few;
#[cfg(target_arch = "x86_64")]
mod avx512_turn;
mod few;
mod many;
#[cfg(target_arch = "aarch64")]
mod neon;
mod output;
mod pack;
mod panel;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(any(test, all(target_arch = "x86_64", target_os = "linux")))]
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux")),
    expect(
        dead_code,
        unused_imports,
        reason = "without a tile unit, tests hold what stands for it"
    )
)]
mod tiles;

use crate::blocks;
use crate::cpu::{Cpu, Path};
use crate::matrix::Matrix;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(crate) use avx512_turn::turn_sums;
#[cfg(target_arch = "x86_64")]
pub(crate) use many::write_sums;
pub(crate) use output::Output;
use panel::Weights;

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
    let m = checked_tokens(x, rows, cols, out);
    if m == 0 {
        return;
    }
    let (path, format) = (cpu.path(), weight.format());
    // The tile unit takes blocks as bf16: 32 times 16 × 16 outputs in 16 cycles. Tiles of 8 bits are twice as fast and yet cannot win: weights and activations have scales for each
    // group, after which the 256 sums would leave the tile, to be widened, times both scales, and
    // added up: 48 AVX-512 instructions on two ports, 24 cycles. 8-bit vectors need these and 64
    // for the products. Up to `MOST` rows, unpacking to bf16 costs about as much as they do.
    if format.is_blocks() && (m <= blocks::MOST || path != Path::Amx) {
        blocks::linear_many(cpu, x, weight, bias, out);
        return;
    }
    let output = Output::new(out, rows, bias);
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if cols > 0 && m > few::MOST && in_tiles(path, format) {
        return tiles::linear(cpu, x, cols, &[(Weights::Rows(weight), output)]);
    }
    if cols > 0 && m <= few::MOST && few::has(path, format) {
        few::linear(cpu, x, weight, &output);
    } else if cols > 0 && many::has(path, Weights::Rows(weight)) {
        many::linear(cpu, x, Weights::Rows(weight), &output);
    } else {
        scalar::linear(cpu.pool(), x, Weights::Rows(weight), &output);
    }
}

/// [`linear`] for several layers with one input, each `(weight, bias)` with its `outs`.
///
/// # Panics
/// When lengths do not fit each other, there are not as many outputs as layers, or layers have different
/// numbers of columns.
pub fn linear_each(
    cpu: &Cpu,
    x: &[f32],
    layers: &[(Matrix<'_>, Option<&[f32]>)],
    outs: &mut [&mut [f32]],
) {
    assert_eq!(layers.len(), outs.len(), "outputs of each layer");
    let Some(cols) = layers.first().map(|(weight, _)| weight.cols()) else {
        return;
    };
    assert!(
        layers.iter().all(|(weight, _)| weight.cols() == cols),
        "layers of one input have as many columns"
    );
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if cols > 0
        && x.len() / cols > few::MOST
        && layers
            .iter()
            .all(|(weight, _)| in_tiles(cpu.path(), weight.format()))
    {
        let layers = layers.iter().zip(outs).map(|((weight, bias), out)| {
            let rows = weight.rows();
            checked_tokens(x, rows, cols, out);
            (Weights::Rows(*weight), Output::new(out, rows, *bias))
        });
        let layers: Vec<_> = layers.filter(|(weight, _)| weight.rows() > 0).collect();
        return tiles::linear(cpu, x, cols, &layers);
    }
    for ((weight, bias), out) in layers.iter().zip(outs) {
        linear(cpu, x, *weight, *bias, out);
    }
}

/// Whether [`gated_mlp`] and [`mlp`] of `m` rows with such weights are faster than the operations that
/// they are made of: on the tile unit, where what lies between the halves of many tokens need not leave
/// the caches. Without weights they are not.
#[must_use]
pub fn has_mlp(cpu: &Cpu, m: usize, weights: &[Matrix<'_>]) -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    return weights.iter().all(|weight| {
        in_tiles(cpu.path(), weight.format()) && weight.rows() > 0 && weight.cols() > 0
    }) && (weights.first()).is_some_and(|first| tiles::has_mlp(m, first.cols()));
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        let _ = (cpu, m, weights);
        false
    }
}

/// `out = (gelu_tanh(x · gateᵀ) ⊙ (x · upᵀ)) · downᵀ`, the gated MLP of Gemma: [`linear`] and
/// [`geglu`](crate::geglu), but that what lies between the halves is rounded to bf16 at once.
///
/// # Panics
/// When [`has_mlp`] says no, or the lengths do not fit each other.
pub fn gated_mlp(
    cpu: &Cpu,
    x: &[f32],
    gate: Matrix<'_>,
    up: Matrix<'_>,
    down: Matrix<'_>,
    out: &mut [f32],
) {
    let m = checked_tokens(x, down.rows(), gate.cols(), out);
    assert!(has_mlp(cpu, m, &[gate, up, down]), "an MLP in one");
    assert!(
        (up.rows(), up.cols(), down.cols()) == (gate.rows(), gate.cols(), gate.rows()),
        "halves that fit"
    );
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        let x = tiles::Tokens::pack(cpu, x, gate.cols());
        let output = Output::new(out, down.rows(), None);
        tiles::gated_mlp(
            cpu,
            &x,
            [gate, up].map(Weights::Rows),
            Weights::Rows(down),
            &output,
        );
    }
}

/// `out = gelu_tanh(x · fc1ᵀ + bias) · fc2ᵀ + bias`, the MLP of SigLIP: [`linear`] and
/// [`gelu_tanh`](crate::gelu_tanh), but that what lies between the halves is rounded to bf16 at once.
///
/// # Panics
/// When [`has_mlp`] says no, or the lengths do not fit each other.
pub fn mlp(
    cpu: &Cpu,
    x: &[f32],
    (fc1, bias1): (Matrix<'_>, &[f32]),
    (fc2, bias2): (Matrix<'_>, &[f32]),
    out: &mut [f32],
) {
    let m = checked_tokens(x, fc2.rows(), fc1.cols(), out);
    assert!(has_mlp(cpu, m, &[fc1, fc2]), "an MLP in one");
    assert!(
        (fc2.cols(), bias1.len(), bias2.len()) == (fc1.rows(), fc1.rows(), fc2.rows()),
        "halves that fit"
    );
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        let x = tiles::Tokens::pack(cpu, x, fc1.cols());
        let output = Output::new(out, fc2.rows(), Some(bias2));
        let first = (Weights::Rows(fc1), Some(bias1));
        tiles::mlp(cpu, &x, first, Weights::Rows(fc2), &output);
    }
}

/// `out = x · weight` with weights that are published as `[in, out]`, as Gemma's projector is: `x`
/// is `[m, in]`, `out` `[m, out]`, all row-major. Products and sums are f32 for all of them: activations
/// are not rounded, as those of [`linear`] are for bf16.
///
/// # Panics
/// When the lengths do not fit each other, or the weights are in blocks, which run along `in`.
pub fn project(cpu: &Cpu, x: &[f32], weight: Matrix<'_>, out: &mut [f32]) {
    assert!(!weight.format().is_blocks(), "weights as plain floats");
    let weights = Weights::Columns(weight);
    let (rows, cols) = (weights.rows(), weights.cols());
    if checked_tokens(x, rows, cols, out) == 0 {
        return;
    }
    let output = Output::new(out, rows, None);
    if cols > 0 && many::has(cpu.path(), weights) {
        many::linear(cpu, x, weights, &output);
    } else {
        scalar::linear(cpu.pool(), x, weights, &output);
    }
}

/// Whether the tile unit multiplies many rows with such weights: those that are bf16 or become it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn in_tiles(path: Path, format: crate::Format) -> bool {
    use crate::Format;

    path == Path::Amx && !matches!(format, Format::F32 | Format::F16)
}

/// The number of rows of `x`; 0 also where they have no outputs.
///
/// # Panics
/// When the lengths do not fit each other, be it that a product of them is too large to be counted.
pub(crate) fn checked_tokens(x: &[f32], rows: usize, cols: usize, out: &[f32]) -> usize {
    let m = out.len().checked_div(rows).unwrap_or(0);
    assert!(
        m * rows == out.len() && (m.checked_mul(cols) == Some(x.len()) || rows == 0),
        "{} inputs of {cols} columns give no {} outputs of {rows} rows",
        x.len(),
        out.len()
    );
    m
}

/// Runs the products of the kernels for many tokens `turns` times on registers alone, and says how
/// many operations a turn is, two for a product and its sum.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_variables, reason = "only x86-64 has instructions for it")
)]
pub(crate) fn spin(path: Path, bf16: bool, turns: usize) -> usize {
    match path {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        Path::Amx if bf16 => unsafe { amx::spin(turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 if bf16 => unsafe { avx512::spin::<true>(turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Amx => unsafe { avx512::spin::<false>(turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { avx2::spin(turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Path::Neon => unsafe { neon::spin(turns) },
        _ => scalar::spin(turns),
    }
}
