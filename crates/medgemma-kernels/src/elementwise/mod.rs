//! Sums of two arrays, and what the other row-wise kernels share: blocks of rows.

mod rows;

use crate::cpu::Cpu;
pub(crate) use rows::{for_numbers, for_rows};

/// `out = a + b`, all of one length.
///
/// # Panics
/// When lengths differ.
pub fn add(cpu: &Cpu, a: &[f32], b: &[f32], out: &mut [f32]) {
    assert_eq!(a.len(), out.len(), "length of a");
    assert_eq!(b.len(), out.len(), "length of b");
    for_numbers(cpu, out, &|first, out| {
        let (a, b) = (&a[first..], &b[first..]);
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = a + b;
        }
    });
}
