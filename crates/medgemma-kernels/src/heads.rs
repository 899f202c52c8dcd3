//! Keys and values as attention reads them: rounded to bf16, each head's one after the other, and
//! copied to where a cache has room for more of each head's.

use half::bf16;

use crate::cells::Cells;
use crate::cpu::Cpu;
use crate::elementwise::{Kernel, Simd, run};

/// Numbers of one piece: some microseconds of work. So few are done by the caller alone.
const PIECE: usize = 16 << 10;

/// The bf16 numbers nearest to `x`, ties to even, head by head; NaN stays NaN.
///
/// # Shapes
/// - x: `[t, k, h]`, k = `heads`, h = `head_dim`, contiguous
/// - out: `[k, t, h]`, contiguous
///
/// # Panics
/// When the lengths do not fit each other.
pub fn round_heads(cpu: &Cpu, x: &[f32], heads: usize, head_dim: usize, out: &mut [bf16]) {
    assert_eq!(x.len(), out.len(), "lengths of input and output");
    if x.is_empty() {
        return;
    }
    let width = heads.checked_mul(head_dim).unwrap_or(0);
    assert!(
        width > 0 && x.len().is_multiple_of(width),
        "{} numbers of {heads} heads of {head_dim}",
        x.len()
    );
    let t = x.len() / width;
    let tokens = (PIECE / width).max(1);
    let cells = Cells::new(out);
    cpu.pool().run(t.div_ceil(tokens), &|piece| {
        let first = piece * tokens;
        let count = tokens.min(t - first);
        let place = |head| {
            // SAFETY: the pool runs each piece once, and these tokens of this head are its alone.
            unsafe { cells.part((head * t + first) * head_dim, count * head_dim) }
        };
        let kernel = Round {
            x: &x[first * width..][..count * width],
            head_dim,
            heads: (0..heads).map(place).collect(),
        };
        run(cpu.path(), kernel);
    });
}

/// Copies the first `len` numbers of each head of `from`, whose heads are `from_stride` numbers apart,
/// to `to`, where they are `to_stride` apart.
///
/// # Panics
/// When the heads are not all within the slices, or those of `to` run into each other.
pub fn copy_heads<T: Copy + Send + Sync>(
    cpu: &Cpu,
    heads: usize,
    len: usize,
    (from, from_stride): (&[T], usize),
    (to, to_stride): (&mut [T], usize),
) {
    if heads == 0 || len == 0 {
        return;
    }
    assert!(heads == 1 || len <= to_stride, "heads of the copy overlap");
    let end = |stride: usize| (heads - 1).checked_mul(stride)?.checked_add(len);
    for (numbers, stride) in [(from.len(), from_stride), (to.len(), to_stride)] {
        assert!(
            end(stride).is_some_and(|end| end <= numbers),
            "{numbers} numbers are too few for {heads} heads of {len} that are {stride} apart"
        );
    }
    let cells = Cells::new(to);
    let pieces = len.div_ceil(PIECE);
    let copy = |piece: usize| {
        let (head, first) = (piece / pieces, piece % pieces * PIECE);
        let count = PIECE.min(len - first);
        let from = &from[head * from_stride + first..][..count];
        // SAFETY: each piece is run once, and as just asserted heads are apart and within the slice.
        unsafe { cells.part(head * to_stride + first, count) }.copy_from_slice(from);
    };
    if heads * len <= PIECE {
        // A token's: sooner done than handed over.
        (0..heads).for_each(copy);
    } else {
        cpu.pool().run(heads * pieces, &copy);
    }
}

/// Moves `len` numbers from `from` on of each head to the head's beginning. Heads are `stride` numbers
/// each.
///
/// # Panics
/// When a head has not so many.
pub fn move_to_front<T: Copy + Send>(
    cpu: &Cpu,
    heads: &mut [T],
    stride: usize,
    from: usize,
    len: usize,
) {
    let count = heads.len().checked_div(stride).unwrap_or(0);
    let cells = Cells::new(heads);
    cpu.pool().run(count, &|head| {
        // SAFETY: the pool runs each head once.
        let head = unsafe { cells.part(head * stride, stride) };
        head.copy_within(from..from + len, 0);
    });
}

struct Round<'a> {
    /// Whole tokens.
    x: &'a [f32],
    head_dim: usize,
    /// The same tokens of each head.
    heads: Vec<&'a mut [bf16]>,
}

impl Kernel for Round<'_> {
    fn scalar(mut self) {
        let width = self.heads.len() * self.head_dim;
        for (token, x) in self.x.chunks_exact(width).enumerate() {
            for (head, x) in self.heads.iter_mut().zip(x.chunks_exact(self.head_dim)) {
                let out = &mut head[token * self.head_dim..];
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = bf16::from_f32(x);
                }
            }
        }
    }

    #[inline(always)]
    fn vectors<S: Simd>(mut self, s: S) {
        let width = self.heads.len() * self.head_dim;
        for (token, x) in self.x.chunks_exact(width).enumerate() {
            for (head, x) in self.heads.iter_mut().zip(x.chunks_exact(self.head_dim)) {
                let out = &mut head[token * self.head_dim..][..self.head_dim];
                for (out, x) in out.chunks_mut(S::LANES).zip(x.chunks(S::LANES)) {
                    s.store_bf16(s.load(x), out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use proptest::prelude::*;

    use super::{PIECE, copy_heads, move_to_front, round_heads};
    use crate::cpu::{Cpu, Path};

    /// Checks every path, with one to three threads, against `from_f32` and the order of the axes.
    fn check(x: &[f32], [t, heads, head_dim]: [usize; 3]) {
        let mut expected = vec![0; x.len()];
        for (index, &x) in x.iter().enumerate() {
            let (row, lane) = (index / head_dim, index % head_dim);
            let (token, head) = (row / heads, row % heads);
            expected[(head * t + token) * head_dim + lane] = bf16::from_f32(x).to_bits();
        }
        for path in Path::tested() {
            for threads in 1..=3 {
                let mut out = vec![bf16::from_bits(0x1234); x.len()];
                round_heads(&Cpu::new(threads, path), x, heads, head_dim, &mut out);
                let found: Vec<u16> = out.iter().map(|x| x.to_bits()).collect();
                assert!(found == expected, "{path}, {threads} threads");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn heads_are_brought_to_the_front(t in 0usize..40, heads in 1usize..9, head_dim in 1usize..80, seed: u32) {
            let numbers = 0..u32::try_from(t * heads * head_dim).expect("few");
            // Any bits, all kinds of numbers among them.
            let any = |index: u32| f32::from_bits(index.wrapping_add(seed).wrapping_mul(0x9E37_79B9));
            check(&numbers.map(any).collect::<Vec<_>>(), [t, heads, head_dim]);
        }
    }

    /// What lies at, before and behind each tie, of every sign, exponent and parity, and every kind
    /// of NaN that bf16 tells apart.
    #[test]
    fn every_upper_half_is_rounded_as_by_the_scalar() {
        let lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        let numbers = (0..=u16::MAX)
            .flat_map(|upper| lower.map(|lower| f32::from_bits(u32::from(upper) << 16 | lower)));
        let numbers: Vec<f32> = numbers.collect();
        check(&numbers, [1 << 9, 1 << 2, numbers.len() >> 11]);
    }

    #[test]
    fn heads_are_copied_and_moved_to_where_they_belong() {
        for threads in 1..=3 {
            let cpu = &Cpu::new(threads, Path::Scalar);
            for len in [0, 1, 7, PIECE, PIECE + 1, 3 * PIECE - 1] {
                let (from_stride, to_stride) = (len + 3, len + 5);
                let from: Vec<usize> = (0..3 * from_stride).collect();
                let mut to = vec![usize::MAX; 3 * to_stride];
                copy_heads(cpu, 3, len, (&from, from_stride), (&mut to[2..], to_stride));
                for (head, found) in to.chunks_exact(to_stride).enumerate() {
                    let expected = head * from_stride..head * from_stride + len;
                    assert!(found[2..2 + len].iter().copied().eq(expected));
                    assert!(
                        found[..2]
                            .iter()
                            .chain(&found[2 + len..])
                            .all(|&x| x == usize::MAX)
                    );
                }
                move_to_front(cpu, &mut to, to_stride, 1, len + 2);
                for (head, found) in to.chunks_exact(to_stride).enumerate() {
                    let expected = head * from_stride..head * from_stride + len;
                    assert_eq!(found[0], usize::MAX);
                    assert!(found[1..=len].iter().copied().eq(expected));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "heads of the copy overlap")]
    fn heads_that_run_into_each_other_are_refused() {
        let cpu = Cpu::new(2, Path::Scalar);
        copy_heads(&cpu, 2, 3, (&[0; 6], 3), (&mut [0; 6], 2));
    }

    /// The third head would wrap round to where the first is.
    #[test]
    #[should_panic(expected = "are too few for 3 heads of 8192 that are 9223372036854775808 apart")]
    fn heads_beyond_the_address_space_are_refused() {
        let cpu = Cpu::new(2, Path::Scalar);
        let (from, mut to) = ([1; 8192], [0; 8192]);
        copy_heads(&cpu, 3, 8192, (&from, 0), (&mut to, 1 << 63));
    }

    #[test]
    #[should_panic(expected = "7 numbers are too few for 2 heads of 3 that are 5 apart")]
    fn heads_that_are_not_all_there_are_refused() {
        let cpu = Cpu::new(2, Path::Scalar);
        copy_heads(&cpu, 2, 3, (&[0; 7], 5), (&mut [0; 6], 3));
    }

    #[test]
    #[should_panic(expected = "8 numbers of 9223372036854775810 heads of 4")]
    fn heads_whose_numbers_cannot_be_counted_are_refused() {
        let cpu = Cpu::new(2, Path::Scalar);
        let heads = (1 << 63) + 2;
        round_heads(&cpu, &[0.0; 8], heads, 4, &mut [bf16::ZERO; 8]);
    }

    #[test]
    #[should_panic(expected = "5 numbers of 2 heads of 2")]
    fn half_a_token_is_refused() {
        let cpu = Cpu::new(1, Path::Scalar);
        round_heads(&cpu, &[0.0; 5], 2, 2, &mut [bf16::ZERO; 5]);
    }
}
