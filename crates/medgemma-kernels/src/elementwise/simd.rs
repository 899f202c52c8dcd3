//! What the row-wise kernels ask of a set of instructions, so that each is written once for all.

use half::bf16;

use crate::cpu::Path;

/// Proof that the processor has a set of instructions, and its vectors of f32.
///
/// Values of an implementing type are made only inside of functions compiled for those
/// instructions, after the path was asked for; that makes the methods safe.
///
/// Kernels are generic over it and `#[inline(always)]`, as are the methods: only inside of the
/// function that enables the instructions are they worth anything. For the same reason no closure
/// touches a vector: it would be compiled without.
pub(crate) trait Simd: Copy {
    /// A vector.
    type V: Copy;
    /// Numbers of a vector.
    const LANES: usize;

    fn splat(self, x: f32) -> Self::V;
    /// The first numbers of `x`; where it has fewer than a vector, `fill` in place of the others.
    fn load_or(self, x: &[f32], fill: f32) -> Self::V;
    /// The first numbers of `v` to `out`, as many as it takes.
    fn store(self, v: Self::V, out: &mut [f32]);
    /// As `store`, each number as [`bf16::from_f32`] rounds it, in integers: the instructions for it
    /// take subnormal numbers for zero.
    fn store_bf16(self, v: Self::V, out: &mut [bf16]);
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger one; either, if one of them is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn exp(self, x: Self::V) -> Self::V;
    /// The sum of the numbers.
    fn sum(self, v: Self::V) -> f32;
    /// The largest number.
    fn highest(self, v: Self::V) -> f32;

    #[inline(always)]
    fn load(self, x: &[f32]) -> Self::V {
        self.load_or(x, 0.0)
    }
}

/// A kernel over a block of rows, in plain Rust and in vectors.
pub(crate) trait Kernel {
    /// The specification.
    fn scalar(self);
    /// `#[inline(always)]` in every implementation.
    fn vectors<S: Simd>(self, simd: S);
}

/// Runs `kernel` with the instructions of `path`, which the processor has.
pub(crate) fn run(path: Path, kernel: impl Kernel) {
    assert!(path.is_available(), "this processor has no {path}");
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has the instructions, as just asserted.
        Path::Avx512 | Path::Amx => unsafe { super::avx512::run(kernel) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx2 => unsafe { super::avx2::run(kernel) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Path::Neon => unsafe { super::neon::run(kernel) },
        _ => kernel.scalar(),
    }
}

/// `x` and then `fill`, for the end of a row where there are no masks.
#[cold]
#[inline(never)]
pub(super) fn padded<const LANES: usize>(x: &[f32], fill: f32) -> [f32; LANES] {
    let mut padded = [fill; LANES];
    padded[..x.len()].copy_from_slice(x);
    padded
}

/// The first numbers of `v`, for the end of a row where there are no masks.
#[cold]
#[inline(never)]
pub(super) fn shortened<T: Copy, const LANES: usize>(v: &[T; LANES], out: &mut [T]) {
    out.copy_from_slice(&v[..out.len()]);
}
