//! Activations in the order in which each path multiplies them.

use super::{FORMATS, activations as numbers};
use crate::blocks::{activations, crossed_avx2, crossed_avx512, packed};
use crate::cpu::{Cpu, Path};
use crate::lines::Line;
use crate::matrix::Format;

#[test]
fn activations_are_packed_alike() {
    for format in FORMATS {
        for (seed, len) in [(1, 256), (2, 32), (3, 1120)] {
            let mut x = numbers(2 * len, seed);
            if seed == 3 {
                x[5] = f32::NAN;
                x[40] = f32::INFINITY;
                x[64..96].fill(f32::MIN_POSITIVE);
                // Their integers could be told, but count as zeros.
                x[96..128].fill(5e-36);
            }
            let plain = packed::Packed::new(&Cpu::new(1, Path::Scalar), format, &x, 2, len);
            // What AVX2 makes is compared below.
            for path in Path::tested().filter(|&path| path != Path::Avx2) {
                let packed = packed::Packed::new(&Cpu::new(1, path), format, &x, 2, len);
                let order = packed::Order::new(format);
                let (expected, lines, factors) = if path >= Path::Avx512 {
                    let factors = if order.offsets { 4..6 } else { 5..6 };
                    let lines = packed::CROSSED;
                    (crossed(format, &plain.lines), lines, factors)
                } else {
                    let lines = order.lines();
                    (plain.lines.clone(), lines, lines - 1..lines)
                };
                assert_eq!(packed.lines.len(), expected.len(), "{format} {path}");
                for (index, (line, expected)) in packed.lines.iter().zip(&expected).enumerate() {
                    let factors = factors.contains(&(index % lines));
                    let words = |line: &Line| words(line, factors);
                    assert_eq!(words(line), words(expected), "{format} {path} line {index}");
                }
            }
        }
    }
}

/// The words of a line. Of `factors`, f32, any NaN is the same one: which NaN a product of one is
/// depends on how the compiler orders its factors.
fn words(line: &Line, factors: bool) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, &bytes) in words.iter_mut().zip(line.0.as_chunks().0) {
        *word = match f32::from_le_bytes(bytes) {
            number if factors && number.is_nan() => f32::NAN.to_bits(),
            _ => u32::from_le_bytes(bytes),
        };
    }
    words
}

/// Plain lines crossed for AVX-512; what crossing does is compared below.
fn crossed(format: Format, plain: &[Line]) -> Vec<Line> {
    let order = packed::Order::new(format);
    let chunks = plain.chunks_exact(order.lines());
    let crossed = chunks.map(|chunk| {
        let mut lines = [Line([0; 64]); packed::CROSSED];
        // SAFETY: the processor has the path.
        unsafe { crossed_avx512::activations(order, chunk, &mut lines) };
        lines
    });
    crossed.flatten().collect()
}

/// The crossed lines against what [`crate::blocks::crossed_avx512`] says of them.
#[test]
fn activations_are_crossed_as_their_weights_are() {
    let path = Path::Avx512;
    if !path.is_available() {
        return;
    }
    for format in FORMATS {
        let order = packed::Order::new(format);
        let mut x = numbers(2 * 256, 3);
        x[256 + 70] = f32::INFINITY;
        let rounded = activations::Rounded::new(&x[256..]);
        let packed = packed::Packed::new(&Cpu::new(1, path), format, &x, 2, 256);
        let (_, lines) = packed.lines.split_at(packed::CROSSED);
        assert_eq!(lines.len(), packed::CROSSED);
        let [mut begin, mut scales] = [Line([0; 64]); 2];
        for lane in 0..16 {
            // Where the first column of the lane is, and how many columns the next line's are behind.
            let (column, step) = match format {
                Format::Q6K => ((lane % 4 * 4 + lane / 4) * 16, 4),
                Format::Q4K | Format::Q5K => (lane / 2 * 32 + lane % 2 * 4, 8),
                _ => ((lane / 4 + lane / 2 % 2 * 4) * 32 + lane % 2 * 4, 8),
            };
            let word = |line: usize| lines[line].0.as_chunks::<4>().0[lane];
            let mut sum = 0;
            for line in 0..4 {
                let integers = &rounded.integers[column + line * step..][..4];
                let bytes = word(line).map(u8::cast_signed);
                assert_eq!(bytes, integers, "{format} {path} line {line} lane {lane}");
                sum += integers.iter().map(|&x| i32::from(x)).sum::<i32>();
            }
            let expected = match (order.offsets, lane) {
                (false, _) => (-order.zero * sum).to_le_bytes(),
                (true, 0..8) => [0; 4],
                (true, _) => {
                    let total = f32::from(rounded.totals[lane - 8]);
                    (order.sign * rounded.scales[lane - 8] * total).to_le_bytes()
                }
            };
            begin.0.as_chunks_mut().0[lane] = expected;
            scales.0.as_chunks_mut().0[lane] = rounded.scales[column / 32].to_le_bytes();
        }
        let found = [words(&lines[4], order.offsets), words(&lines[5], true)];
        assert_eq!(
            found,
            [words(&begin, order.offsets), words(&scales, true)],
            "{format} {path}"
        );
    }
}

/// The registers of AVX2 against what [`crate::blocks::crossed_avx2`] says of them.
#[test]
fn registers_of_activations_are_crossed_as_their_weights_are() {
    let len = 512 + 160;
    if !Path::Avx2.is_available() {
        return;
    }
    for format in FORMATS {
        let order = packed::Order::new(format);
        let mut x = numbers(2 * len, 3);
        x[len + 70] = f32::INFINITY;
        x[len + 256..len + 288].fill(f32::MIN_POSITIVE);
        x[len + 300] = f32::NAN;
        x[len + 320..len + 352].fill(5e-36);
        let mut filled = x[len..].to_vec();
        filled.resize(768, 0.0);
        let rounded = activations::Rounded::new(&filled);
        let packed = packed::Packed::new(&Cpu::new(1, Path::Avx2), format, &x, 2, len);
        let each = crossed_avx2::lines_of(format);
        assert_eq!(packed.lines.len(), 3 * 2 * each, "{format}");
        for chunk in 0..3 {
            let lines = &packed.lines[(chunk * 2 + 1) * each..][..each];
            let word = |register: usize, lane: usize| {
                lines[register / 2].0.as_chunks::<4>().0[register % 2 * 8 + lane]
            };
            let float = |register, lane| f32::from_le_bytes(word(register, lane));
            let halves = if format == Format::Q6K { 2 } else { 1 };
            for lane in 0..8 {
                let group = match format {
                    Format::Q4K | Format::Q5K => lane / 4 * 2 + lane % 4 / 2 + lane % 2 * 4,
                    _ => lane / 4 + lane % 4 * 2,
                };
                // Of the two integers of each 16 bits.
                let mut sums = [[0i16; 2]; 2];
                for register in 0..8 {
                    let piece = if halves == 2 {
                        register / 4 * 8 + group
                    } else {
                        group * 2 + register / 4
                    };
                    let column = chunk * 256 + piece * 16 + register % 4 * 4;
                    let integers = &rounded.integers[column..][..4];
                    let bytes = word(register, lane).map(u8::cast_signed);
                    assert_eq!(bytes, integers, "{format} register {register} lane {lane}");
                    let sums = &mut sums[if halves == 2 { register / 4 } else { 0 }];
                    for (sum, pair) in sums.iter_mut().zip(integers.as_chunks::<2>().0) {
                        *sum += i16::from(pair[0]) + i16::from(pair[1]);
                    }
                }
                for (half, sums) in sums.into_iter().enumerate().take(halves) {
                    let group = chunk * 8
                        + if halves == 2 {
                            half * 4 + group / 2
                        } else {
                            group
                        };
                    let (scale, expected) = (float(8 + halves + half, lane), rounded.scales[group]);
                    let alike = scale == expected || scale.is_nan() && expected.is_nan();
                    assert!(alike, "{format}: {scale} for {expected}, lane {lane}");
                    if !order.offsets {
                        let zero = i16::try_from(order.zero).expect("a byte");
                        let begin = sums.map(|sum| sum.wrapping_mul(-zero).to_le_bytes());
                        assert_eq!(
                            word(8 + half, lane),
                            begin.as_flattened(),
                            "{format} {lane}"
                        );
                    }
                }
                if order.offsets {
                    let group = chunk * 8 + lane;
                    let total = f32::from(rounded.totals[group]);
                    let expected = order.sign * rounded.scales[group] * total;
                    let found = float(8, lane);
                    let alike = found == expected || found.is_nan() && expected.is_nan();
                    assert!(alike, "{format}: {found} for {expected}, lane {lane}");
                }
            }
        }
    }
}
