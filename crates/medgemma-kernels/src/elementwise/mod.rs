//! Sums of two arrays, and what the other row-wise kernels share: blocks of rows and vectors.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(test)]
pub(crate) mod check;
#[cfg(target_arch = "aarch64")]
mod neon;
mod rows;
mod simd;

use crate::cpu::Cpu;
pub(crate) use rows::{for_numbers, for_rows};
pub(crate) use simd::{Kernel, Simd, run};

/// `out = a + b`, all of one length.
///
/// # Panics
/// When lengths differ.
pub fn add(cpu: &Cpu, a: &[f32], b: &[f32], out: &mut [f32]) {
    assert_eq!(a.len(), out.len(), "length of a");
    assert_eq!(b.len(), out.len(), "length of b");
    for_numbers(cpu, out, &|first, out| {
        let here = first..first + out.len();
        let (a, b) = (&a[here.clone()], &b[here]);
        run(cpu.path(), Add { a, b, out });
    });
}

struct Add<'a> {
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Add<'_> {
    fn scalar(self) {
        for ((out, a), b) in self.out.iter_mut().zip(self.a).zip(self.b) {
            *out = a + b;
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let outs = self.out.chunks_mut(S::LANES);
        let inputs = self.a.chunks(S::LANES).zip(self.b.chunks(S::LANES));
        for (out, (a, b)) in outs.zip(inputs) {
            s.store(s.add(s.load(a), s.load(b)), out);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::add;
    use super::check::{check, numbers};

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn sums_are_exact(len in 0usize..70_000, seed: u64) {
            let (a, b) = (numbers(seed, len, 2.0), numbers(!seed, len, 1e-3));
            let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::from(a + b)).collect();
            check(&expected, &vec![0.0; len], |cpu, out| add(cpu, &a, &b, out));
        }
    }
}
