//! f16 numbers that are bf16 numbers, as bf16; and any, rounded to it.
//!
//! A file in f16 that was made from a model in bf16, as GGUF's `mmproj` files of Gemma 3 are, holds numbers
//! with seven bits after the leading one, three less than f16 has. Such a matrix is the same in bf16, which
//! processors that multiply bf16 are faster in than in f32.

use std::sync::atomic::{AtomicBool, Ordering};

use half::{bf16, f16};

use crate::cells::Cells;
use crate::cpu::{Cpu, Path};
use crate::matrix::{Format, Matrix};

/// Numbers of a piece of work.
const PIECE: usize = 1 << 16;
/// Numbers that are looked at together.
const RUN: usize = 64;

/// The f16 numbers of `halves` (little-endian) as bf16, if every one of them is a bf16 number; NaN is
/// none.
///
/// # Panics
/// When `halves` is not a whole number of them.
#[must_use]
pub fn f16_as_bf16(cpu: &Cpu, halves: &[u8]) -> Option<Vec<u8>> {
    let (halves, rest) = halves.as_chunks::<2>();
    assert!(rest.is_empty(), "two bytes a number");
    let mut numbers = vec![[0; 2]; halves.len()];
    let cells = Cells::new(&mut numbers);
    let exact = AtomicBool::new(true);
    cpu.pool().run(halves.len().div_ceil(PIECE), &|piece| {
        if !exact.load(Ordering::Relaxed) {
            return;
        }
        let first = piece * PIECE;
        let halves = &halves[first..halves.len().min(first + PIECE)];
        // SAFETY: the pool runs each piece once, and pieces have no number in common.
        let numbers = unsafe { cells.part(first, halves.len()) };
        if !convert(cpu.path(), halves, numbers) {
            exact.store(false, Ordering::Relaxed);
        }
    });
    exact.into_inner().then(|| numbers.into_flattened())
}

/// The numbers of `matrix`, in f32 or f16, rounded to bf16: the nearest, of two the even one.
///
/// # Panics
/// When the matrix is in another format.
#[must_use]
pub fn rounded_to_bf16(cpu: &Cpu, matrix: Matrix<'_>) -> Vec<u8> {
    let bytes = matrix.bytes();
    match matrix.format() {
        Format::F32 => rounded(cpu, bytes, f32::from_le_bytes),
        // Most files in f16 were made from bf16: these need no rounding.
        Format::F16 => f16_as_bf16(cpu, bytes)
            .unwrap_or_else(|| rounded(cpu, bytes, |half| f16::from_le_bytes(half).to_f32())),
        other => panic!("{other} is not rounded to bf16"),
    }
}

/// Numbers of `N` bytes each as bf16.
fn rounded<const N: usize>(
    cpu: &Cpu,
    bytes: &[u8],
    read: impl Fn([u8; N]) -> f32 + Sync,
) -> Vec<u8> {
    let (given, _) = bytes.as_chunks::<N>();
    let mut numbers = vec![[0; 2]; given.len()];
    let cells = Cells::new(&mut numbers);
    cpu.pool().run(given.len().div_ceil(PIECE), &|piece| {
        let first = piece * PIECE;
        let given = &given[first..given.len().min(first + PIECE)];
        // SAFETY: the pool runs each piece once, and pieces have no number in common.
        let numbers = unsafe { cells.part(first, given.len()) };
        for (given, number) in given.iter().zip(numbers) {
            *number = bf16::from_f32(read(*given)).to_le_bytes();
        }
    });
    numbers.into_flattened()
}

/// Whether all are bf16 numbers; else `numbers` is not filled.
fn convert(path: Path, halves: &[[u8; 2]], numbers: &mut [[u8; 2]]) -> bool {
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx2 {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        return unsafe { convert_avx2(halves, numbers) };
    }
    let _ = path;
    convert_any(halves, numbers)
}

/// The same code with wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn convert_avx2(halves: &[[u8; 2]], numbers: &mut [[u8; 2]]) -> bool {
    convert_any(halves, numbers)
}

#[inline(always)]
fn convert_any(halves: &[[u8; 2]], numbers: &mut [[u8; 2]]) -> bool {
    let runs = halves.chunks(RUN).zip(numbers.chunks_mut(RUN));
    runs.into_iter().all(|(halves, numbers)| {
        let mut usual = true;
        for (half, number) in halves.iter().zip(&mut *numbers) {
            let bits = u16::from_le_bytes(*half);
            usual &= is_usual(bits);
            *number = of_usual(bits).to_le_bytes();
        }
        usual || one_by_one(halves, numbers)
    })
}

/// Neither zero, subnormal, infinite nor NaN, and its last three bits, which bf16 has not, are zero.
#[inline(always)]
fn is_usual(bits: u16) -> bool {
    let exponent = bits & 0x7c00;
    (exponent != 0) & (exponent != 0x7c00) & (bits & 7 == 0)
}

/// Sign, exponent with 127 instead of 15 as its zero, and seven bits.
#[inline(always)]
fn of_usual(bits: u16) -> u16 {
    const ZERO: u16 = (127 - 15) << 7;
    (bits & 0x8000) | (((bits & 0x7fff) >> 3) + ZERO)
}

/// Any numbers, by way of f32.
#[cold]
fn one_by_one(halves: &[[u8; 2]], numbers: &mut [[u8; 2]]) -> bool {
    halves.iter().zip(numbers).all(|(half, number)| {
        let value = f16::from_le_bytes(*half).to_f32();
        let rounded = bf16::from_f32(value);
        *number = rounded.to_le_bytes();
        // Of two zeros this says that they are the same; the sign was kept all the same.
        rounded.to_f32() == value
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread::ThreadId;
    use std::time::{Duration, Instant};

    use half::{bf16, f16};

    use super::{PIECE, f16_as_bf16, rounded, rounded_to_bf16};
    use crate::cpu::{Cpu, Path};
    use crate::matrix::{Format, Matrix};

    fn paths() -> impl Iterator<Item = Cpu> {
        Path::tested().map(|path| Cpu::new(2, path))
    }

    /// Each of the 65536 patterns, alone among numbers that are bf16 numbers.
    #[test]
    fn exactly_the_numbers_that_bf16_has_are_taken() {
        for cpu in paths() {
            for bits in 0..=u16::MAX {
                let number = f16::from_bits(bits);
                let halves = [f16::ONE, number, f16::from_f32(-0.375)];
                let bytes: Vec<u8> = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
                let expected: Vec<u8> = halves
                    .iter()
                    .flat_map(|half| bf16::from_f32(half.to_f32()).to_le_bytes())
                    .collect();
                let exact = bf16::from_f32(number.to_f32()).to_f32() == number.to_f32();
                let found = f16_as_bf16(&cpu, &bytes);
                assert_eq!(found, exact.then_some(expected), "{bits:#06x}");
            }
        }
    }

    /// What is made of bf16 by way of f16 comes back, whatever the length; one number that is none
    /// anywhere spoils it.
    #[test]
    fn numbers_of_a_bf16_model_come_back() {
        for cpu in paths() {
            for len in [0, 1, 63, 64, 65, PIECE - 1, PIECE + 1, 3 * PIECE + 7] {
                let model = |index: usize| {
                    let sign = if index.is_multiple_of(3) { -1.0 } else { 1.0 };
                    let size = f32::from(u16::try_from(index % 4099).expect("below 4099")) * 1e-5;
                    f16::from_f32(bf16::from_f32(sign * size).to_f32())
                };
                let mut bytes: Vec<u8> = (0..len)
                    .flat_map(|index| model(index).to_le_bytes())
                    .collect();
                let found = f16_as_bf16(&cpu, &bytes).expect("all are bf16 numbers");
                let (found, _) = found.as_chunks();
                for (index, number) in found.iter().enumerate() {
                    let number = bf16::from_le_bytes(*number);
                    assert_eq!(number.to_f32(), model(index).to_f32(), "{index} of {len}");
                }
                if len > 0 {
                    let at = (len - 1) * 2;
                    bytes[at..].copy_from_slice(&f16::from_bits(0x3c01).to_le_bytes());
                    assert_eq!(f16_as_bf16(&cpu, &bytes), None, "the last of {len}");
                }
            }
        }
    }

    /// Every f16 number, and as many f32 numbers with low bits, more than a piece and not whole ones.
    #[test]
    fn any_numbers_are_rounded_to_the_nearest() {
        let f32s = |bits: u16| f32::from_bits((u32::from(bits) << 16) | u32::from(bits ^ 0xa3c5));
        let bits = || (0..=u16::MAX).chain(0x3c00..0x3c45);
        let bf16s = |values: &mut dyn Iterator<Item = f32>| -> Vec<u8> {
            values
                .flat_map(|x| bf16::from_f32(x).to_le_bytes())
                .collect()
        };
        for cpu in paths() {
            let wide: Vec<u8> = bits().flat_map(|b| f32s(b).to_le_bytes()).collect();
            let found = rounded_to_bf16(&cpu, Matrix::new(Format::F32, 1, bits().count(), &wide));
            assert_eq!(found, bf16s(&mut bits().map(f32s)));
            let half: Vec<u8> = bits().flat_map(u16::to_le_bytes).collect();
            let found = rounded_to_bf16(&cpu, Matrix::new(Format::F16, 1, bits().count(), &half));
            assert_eq!(
                found,
                bf16s(&mut bits().map(|b| f16::from_bits(b).to_f32()))
            );
        }
    }

    #[test]
    fn all_threads_round() {
        let threads = Mutex::new(Vec::<ThreadId>::new());
        let met = || {
            let mut threads = threads.lock().expect("nobody panicked");
            let own = std::thread::current().id();
            if !threads.contains(&own) {
                threads.push(own);
            }
            threads.len()
        };
        let start = Instant::now();
        let bytes = vec![0; 4 * PIECE];
        rounded(&Cpu::new(2, Path::Scalar), &bytes, |half: [u8; 2]| {
            // Whoever comes first waits for the other.
            while met() < 2 && start.elapsed() < Duration::from_secs(20) {
                std::thread::yield_now();
            }
            f32::from(half[0])
        });
        assert_eq!(met(), 2);
    }
}
