//! CPU kernels on slices: products with weights as they lie in the file, attention, norms, and the
//! threads to run them on. No burn, no allocation behind the caller's back but scratch.
//!
//! Every kernel takes a [`Cpu`], which says how many threads and which instructions; exists as plain
//! Rust, its specification ([`Path::Scalar`]); and is tested on every path that the processor has
//! against that specification. This crate is the home of `unsafe`.

mod amx;
mod cpu;
mod linear;
mod matrix;
mod pool;

// The public interface is:
pub use cpu::{Cpu, Path, UnknownPath};
pub use linear::linear;
pub use matrix::{Format, Matrix};
pub use pool::Pool;
