//! How fast the processor multiplies 8-bit integers at best: the instructions of the kernels for blocks on
//! registers alone, without the scales.

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;
use std::hint::black_box;

use crate::cpu::Path;

/// Adds products of `q`, 0 to 15, with `x` `turns` times: how many operations a turn is, two for a product and its
/// sum, and the sum of all products, in 32 bits which may wrap. The tile unit has AVX-512's: a few rows go by these
/// there.
pub(crate) fn spin(path: Path, q: i8, x: i8, turns: usize) -> (usize, i32) {
    match path {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 | Path::Amx => unsafe { avx512(q, x, turns) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => unsafe { avx2(q, x, turns) },
        #[cfg(target_arch = "aarch64")]
        Path::Neon if std::arch::is_aarch64_feature_detected!("dotprod") => {
            // SAFETY: as above, and it has the instruction.
            unsafe { super::few_neon::spin::<true>(q, x, turns) }
        }
        // SAFETY: as above.
        #[cfg(target_arch = "aarch64")]
        Path::Neon => unsafe { super::few_neon::spin::<false>(q, x, turns) },
        _ => scalar(q, x, turns),
    }
}

fn scalar(q: i8, x: i8, turns: usize) -> (usize, i32) {
    const LEN: usize = 32;
    let (q, x, mut sums) = ([q; LEN], [x; LEN], [0_i32; LEN]);
    for _ in 0..turns {
        // The compiler is not to know that they are as before.
        let (q, x) = (black_box(&q), black_box(&x));
        for ((sum, &q), &x) in sums.iter_mut().zip(q).zip(x) {
            *sum = sum.wrapping_add(i32::from(q) * i32::from(x));
        }
    }
    let sum = sums.into_iter().fold(0, i32::wrapping_add);
    (2 * LEN, sum)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
fn avx512(q: i8, x: i8, turns: usize) -> (usize, i32) {
    // As many as keep all units busy, each waiting for itself alone.
    const SUMS: usize = 12;
    let (q, x) = (_mm512_set1_epi8(q), _mm512_set1_epi8(x));
    // The compiler is not to know that they are alike.
    let mut sums = black_box([_mm512_setzero_si512(); SUMS]);
    for _ in 0..turns {
        for sum in &mut sums {
            *sum = _mm512_dpbusd_epi32(*sum, q, x);
        }
    }
    let sums = sums.map(|sum| _mm512_reduce_add_epi32(sum));
    (2 * SUMS * 64, sums.into_iter().fold(0, i32::wrapping_add))
}

/// Sums of a group in 16 bits, as of four-bit formats, widened and added up.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(q: i8, x: i8, turns: usize) -> (usize, i32) {
    use super::crossed_avx2::in_16_bits;

    // As many as leave registers for the products.
    const SUMS: usize = 3;
    let q = black_box([_mm256_set1_epi8(q); 4]);
    let mut x = _mm256_set1_epi8(x);
    let one = _mm256_set1_epi16(1);
    let mut sums = [_mm256_setzero_si256(); SUMS];
    for _ in 0..turns {
        for sum in &mut sums {
            x = anew(x);
            let first = in_16_bits(&q, [x; 4]);
            x = anew(x);
            let second = in_16_bits(&q, [x; 4]);
            let products = _mm256_madd_epi16(_mm256_add_epi16(first, second), one);
            *sum = _mm256_add_epi32(*sum, products);
        }
    }
    let lanes = sums.map(|sum| {
        // SAFETY: both are 256 bits of plain data.
        unsafe { std::mem::transmute::<__m256i, [i32; 8]>(sum) }
    });
    let sum = lanes.into_iter().flatten().fold(0, i32::wrapping_add);
    (2 * SUMS * 8 * 32, sum)
}

/// The same register, for the compiler another one, so that its products are not those of before.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn anew(mut x: __m256i) -> __m256i {
    // SAFETY: there is no instruction in it.
    unsafe {
        core::arch::asm!(
            "/* {x} */",
            x = inout(ymm_reg) x,
            options(nomem, nostack, preserves_flags)
        );
    }
    x
}

#[cfg(test)]
mod tests {
    use super::spin;
    use crate::cpu::Path;

    /// `.ci/cross` runs these tests on a processor that has dot products of bytes and on one that has not.
    #[test]
    #[cfg(target_arch = "aarch64")]
    fn the_emulated_processor_is_the_one_that_was_asked_for() {
        let expected = match std::env::var("QEMU_CPU").as_deref() {
            Ok("max") => true,
            Ok("cortex-a72") => false,
            _ => return,
        };
        assert_eq!(std::arch::is_aarch64_feature_detected!("dotprod"), expected);
    }

    #[test]
    fn every_product_of_every_turn_is_added_and_counted() {
        for path in Path::tested() {
            for (q, x) in [(1, 1), (15, 127), (15, -127), (3, -5), (0, 9)] {
                for turns in [0, 1, 2, 9] {
                    let (operations, sum) = spin(path, q, x, turns);
                    let products = i32::try_from(operations / 2 * turns).expect("a few");
                    let expected = products * i32::from(q) * i32::from(x);
                    assert_eq!(sum, expected, "{path}: {turns} turns of {q} · {x}");
                    assert!(operations > 0);
                }
            }
        }
    }
}
