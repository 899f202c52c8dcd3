//! What the processor could do at best, for benchmarks to compare kernels with: products per second
//! out of registers, and bytes per second out of memory.

use std::hint::black_box;
use std::time::Instant;

use crate::cpu::{Cpu, Path};
use crate::{blocks, linear};

/// How a kernel multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Products {
    /// f32 times f32, summed in f32.
    F32,
    /// bf16 times bf16, summed in f32. On paths without such instructions these are f32 products.
    Bf16,
    /// 8-bit integers, summed in 32 bits: how weights in blocks meet activations, but for many rows of them on
    /// the tile unit, which multiplies these in bf16. The number there is AVX-512's.
    Int8,
}

/// Runs the products `turns` times on registers alone; operations of a turn.
fn spin(path: Path, products: Products, turns: usize) -> usize {
    match products {
        Products::F32 => linear::spin(path, false, turns),
        Products::Bf16 => linear::spin(path, true, turns),
        Products::Int8 => {
            let (operations, sum) = blocks::spin(path, 1, 1, turns);
            black_box(sum);
            operations
        }
    }
}

/// Times that a measurement is repeated; the best counts, for others may use the processor too.
const ROUNDS: usize = 7;

/// Operations per second of all threads together, a product and a sum being two, in
/// the instructions of the kernels for many tokens. Takes some tenths of a second.
#[must_use]
pub fn matmul_peak(cpu: &Cpu, products: Products) -> f64 {
    // A piece is a millisecond or so, and all together long enough for the threads to wake up.
    peak(cpu, products, 1 << 19)
}

fn peak(cpu: &Cpu, products: Products, turns: usize) -> f64 {
    let pieces = 16 * cpu.pool().threads();
    let operations = spin(cpu.path(), products, 1);
    let seconds = best_of(|| {
        cpu.pool().run(pieces, &|_| {
            black_box(spin(cpu.path(), products, turns));
        });
    });
    (operations * turns * pieces) as f64 / seconds
}

/// Bytes per second that all threads together read from a buffer of `bytes` bytes, each thread in four places
/// at once. A buffer much larger than the caches measures memory, a smaller one a cache.
#[must_use]
pub fn read_bandwidth(cpu: &Cpu, bytes: usize) -> f64 {
    /// Words of a piece: far more than it costs to hand it over, far fewer than a share.
    const PIECE: usize = 32 << 10;
    let buffer: Vec<u64> = (0..bytes as u64 / 8).collect();
    let pieces: Vec<&[u64]> = buffer.chunks(PIECE).collect();
    let seconds = best_of(|| {
        cpu.pool().run(pieces.len(), &|piece| {
            black_box(sum(pieces[piece]));
        });
    });
    size_of_val(buffer.as_slice()) as f64 / seconds
}

/// As many streams as bring what memory gives, from front to back each, and enough sums at once that the loads
/// are what takes the time.
fn sum(words: &[u64]) -> u64 {
    const STREAMS: usize = 4;
    const LINE: usize = 8;
    let stream = words.len() / (STREAMS * LINE);
    let (lines, _) = words.as_chunks::<LINE>();
    let rest = &words[stream * STREAMS * LINE..];
    let mut sums = [[0_u64; LINE]; STREAMS];
    for at in 0..stream {
        for (index, sums) in sums.iter_mut().enumerate() {
            for (sum, word) in sums.iter_mut().zip(&lines[index * stream + at]) {
                *sum = sum.wrapping_add(*word);
            }
        }
    }
    sums.iter()
        .flatten()
        .chain(rest)
        .fold(0, |all, &sum| all.wrapping_add(sum))
}

fn best_of(run: impl Fn()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::{Products, peak, read_bandwidth, spin, sum};
    use crate::{Cpu, Path, amx};

    #[test]
    fn any_processor_does_some_millions_a_second() {
        for path in Path::tested() {
            let cpu = Cpu::new(1, path);
            for products in [Products::F32, Products::Bf16, Products::Int8] {
                if path == Path::Amx && amx::is_emulated() {
                    // As many turns as a real one does would take minutes.
                    assert!(spin(path, products, 9) > 0);
                    continue;
                }
                // An emulated processor takes minutes for as many as a measurement wants.
                let peak = peak(&cpu, products, 1 << 10);
                assert!(peak > 1e6 && peak.is_finite(), "{path}: {peak}");
            }
            assert!(read_bandwidth(&cpu, 1 << 20) > 1e6);
        }
    }

    /// A product and its sum are two operations, and a pair of bf16 is two products.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn pairs_count_twice() {
        for path in [Path::Avx512, Path::Amx] {
            if path.is_available() {
                let sums = 16 * 16;
                assert_eq!(spin(path, Products::F32, 1), 2 * sums, "{path}");
                let bf16 = if path == Path::Amx {
                    4 * 16 * 16 * 32
                } else {
                    2 * sums
                };
                assert_eq!(spin(path, Products::Bf16, 1), 2 * bf16, "{path}");
            }
        }
    }

    #[test]
    fn what_is_read_is_all_of_it_once() {
        for len in [0, 7, 31, 32, 33, 100, 4096] {
            let words: Vec<u64> = (0..len).map(|word| word * word).collect();
            assert_eq!(sum(&words), words.iter().sum::<u64>(), "{len} words");
        }
    }
}
