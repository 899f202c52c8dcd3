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
pub(crate) use rows::{for_numbers, for_rows, for_rows_of_both};
pub(crate) use simd::{Kernel, Simd, run};

/// `sum += x`.
///
/// # Panics
/// When lengths differ.
pub fn add(cpu: &Cpu, x: &[f32], sum: &mut [f32]) {
    assert_eq!(x.len(), sum.len(), "length of x");
    for_numbers(cpu, sum, &|first, sum| {
        let x = &x[first..first + sum.len()];
        run(cpu.path(), Add { x, sum });
    });
}

pub(crate) struct Add<'a> {
    pub(crate) x: &'a [f32],
    pub(crate) sum: &'a mut [f32],
}

impl Kernel for Add<'_> {
    fn scalar(self) {
        for (sum, x) in self.sum.iter_mut().zip(self.x) {
            *sum += x;
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(self, s: S) {
        let sums = self.sum.chunks_mut(S::LANES);
        for (sum, x) in sums.zip(self.x.chunks(S::LANES)) {
            s.store(s.add(s.load(sum), s.load(x)), sum);
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
            check(&expected, &vec![0.0; len], |cpu, out| {
                out.copy_from_slice(&a);
                add(cpu, &b, out);
            });
        }
    }
}
