//! Every operation of `medgemma_tensor::ops` against plain f64 loops, on every backend compiled in.
//!
//! The loops are written from the formulas (papers named in the operations' own files) and share no
//! code with the operations. Shapes are odd on purpose: no axis is a multiple of a SIMD width or of
//! a workgroup, and no two axes of one case have the same length unless the operation asks for it.

#![allow(
    clippy::cast_possible_truncation,
    reason = "references are computed in f64 and compared in f32, as the operations compute"
)]

mod attention;
#[cfg(all(feature = "autodiff", feature = "cpu"))]
mod autodiff;
mod blocks;
mod kv;
mod matrices;
mod mlps;
mod pictures;
mod pointwise;
mod rope;
mod support;
