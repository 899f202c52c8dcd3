//! The block formats against ggml's Python twin, and what quantising to them loses.

#![expect(clippy::cast_possible_truncation, reason = "random numbers, rounded")]

use medgemma_kernels::{
    Cpu, Format, Matrix, Path, Quantizer, dequantize, quantize, quantize_matrix,
};
use proptest::prelude::*;

/// The goldens of `golden/generate.py`: bytes, then values.
fn goldens() -> [(Format, &'static [u8]); 8] {
    [
        (Format::Q8_0, include_bytes!("golden/q8_0.bin")),
        (Format::Q4_0, include_bytes!("golden/q4_0.bin")),
        (Format::Q4_1, include_bytes!("golden/q4_1.bin")),
        (Format::Q5_0, include_bytes!("golden/q5_0.bin")),
        (Format::Q5_1, include_bytes!("golden/q5_1.bin")),
        (Format::Q4K, include_bytes!("golden/q4_k.bin")),
        (Format::Q5K, include_bytes!("golden/q5_k.bin")),
        (Format::Q6K, include_bytes!("golden/q6_k.bin")),
    ]
}

#[test]
fn values_are_ggmls() {
    for (format, file) in goldens() {
        let (len, size) = (format.block_len(), format.block_bytes());
        let blocks = file.len() / (size + 4 * len);
        let (bytes, values) = file.split_at(blocks * size);
        let mut out = vec![f32::NAN; blocks * len];
        dequantize(format, bytes, &mut out);
        for (index, (out, value)) in out.iter().zip(values.as_chunks().0).enumerate() {
            let value = f32::from_le_bytes(*value);
            assert_eq!(
                out.to_bits(),
                value.to_bits(),
                "{format} {index}: {out} {value}"
            );
        }
    }
}

#[test]
fn floats_are_widened() {
    let mut out = [0.0; 2];
    dequantize(Format::F32, &[0, 0, 128, 63, 0, 0, 0, 192], &mut out);
    assert_eq!(out, [1.0, -2.0]);
    dequantize(Format::F16, &[0, 60, 0, 192], &mut out);
    assert_eq!(out, [1.0, -2.0]);
    dequantize(Format::Bf16, &[128, 63, 0, 192], &mut out);
    assert_eq!(out, [1.0, -2.0]);
}

/// Pseudo-random numbers: uniform in −1..1.
fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

/// Rows as weights have them: normal, and normal with a heavy tail.
fn rows(heavy: bool, numbers: usize, seed: u64) -> Vec<f32> {
    let mut uniform = uniform(seed);
    (0..numbers)
        .map(|_| {
            let normal: f64 = (0..12).map(|_| uniform()).sum::<f64>() / 2.0;
            let scale = if heavy {
                0.02 / uniform().abs().max(0.02)
            } else {
                0.02
            };
            (normal * scale) as f32
        })
        .collect()
}

fn error(x: &[f32], y: &[f32]) -> f64 {
    x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum()
}

/// Quantised and read back.
fn through(to: Quantizer, x: &[f32]) -> Vec<f32> {
    let format = to.format();
    let mut bytes = vec![0; format.row_bytes(x.len()).expect("whole blocks")];
    quantize(&Cpu::new(2, Path::best()), to, x.len(), x, &mut bytes);
    let mut out = vec![0.0; x.len()];
    dequantize(format, &bytes, &mut out);
    out
}

/// Q4_0 by the plain rule: the largest magnitude becomes −8.
fn plain_q4(x: &[f32]) -> Vec<f32> {
    x.chunks(32)
        .flat_map(|x| {
            let largest = x
                .iter()
                .fold(0.0f32, |a, &b| if b.abs() > a.abs() { b } else { a });
            let d = largest / -8.0;
            let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
            let d = half::f16::from_f32(d).to_f32();
            x.iter()
                .map(move |x| d * ((x * inverse + 8.5).trunc().min(15.0) - 8.0))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn four_bits_lose_less_than_by_the_plain_rule() {
    // The last are so small that their scales have few bits.
    for (heavy, most, size) in [(false, 0.92, 1.0), (true, 0.97, 1.0), (false, 1.0, 2e-5)] {
        let x: Vec<f32> = rows(heavy, 1 << 14, 7).iter().map(|x| x * size).collect();
        let ours = error(&x, &through(Quantizer::Q4_0, &x));
        let plain = error(&x, &plain_q4(&x));
        assert!(ours < most * plain, "{ours} {plain}");
        for x in x.chunks(32) {
            let ours = error(x, &through(Quantizer::Q4_0, x));
            let plain = error(x, &plain_q4(x));
            assert!(ours <= 1.0001 * plain, "{ours} {plain}");
        }
    }
}

#[test]
fn more_bits_lose_less() {
    for heavy in [false, true] {
        let x = rows(heavy, 1 << 14, 11);
        let power = error(&x, &vec![0.0; x.len()]);
        let loss = |to| (error(&x, &through(to, &x)) / power).sqrt();
        let losses = [
            loss(Quantizer::Q8_0),
            loss(Quantizer::Q6K),
            loss(Quantizer::Q4_0),
        ];
        let most = if heavy {
            [0.012, 0.034, 0.14]
        } else {
            [0.007, 0.02, 0.1]
        };
        for (loss, most) in losses.iter().zip(most) {
            assert!(*loss < most, "{losses:?}");
        }
    }
}

#[test]
fn eight_bits_are_within_half_a_step() {
    let x = rows(true, 1 << 12, 5);
    let y = through(Quantizer::Q8_0, &x);
    for (x, y) in x.chunks(32).zip(y.chunks(32)) {
        let largest = x.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        for (x, y) in x.iter().zip(y) {
            // Half a step, and what the f16 scale cuts off at the end of the range.
            assert!(
                (x - y).abs() <= largest * (0.5 / 127.0 + 1.0 / 2048.0),
                "{x} {y}"
            );
        }
    }
}

/// What the integers of a block are multiplied with, number by number.
fn steps(to: Quantizer, block: &[u8]) -> Vec<f64> {
    let half = |at: usize| f64::from(half::f16::from_le_bytes([block[at], block[at + 1]]));
    match to {
        Quantizer::Q6K => (0..256)
            .map(|index| half(208) * f64::from(block[192 + index / 16].cast_signed()))
            .collect(),
        _ => vec![half(0); 32],
    }
}

/// The error of `x` with the nearest integers.
fn least_error(to: Quantizer, x: &[f32], step: f64) -> f64 {
    let (least, most) = match to {
        Quantizer::Q8_0 => (-127.0, 127.0),
        Quantizer::Q4_0 => (-8.0, 7.0),
        _ => (-32.0, 31.0),
    };
    let one = |&x: &f32| {
        let integer = (f64::from(x) / step).round().clamp(least, most);
        (f64::from(x) - step * integer).powi(2)
    };
    x.iter().map(one).sum()
}

#[test]
fn integers_are_the_nearest_by_the_scales_that_are_stored() {
    for to in [Quantizer::Q8_0, Quantizer::Q4_0, Quantizer::Q6K] {
        let (len, size) = (to.format().block_len(), to.format().block_bytes());
        let x = rows(true, 1 << 13, 21);
        let mut bytes = vec![0; x.len() / len * size];
        quantize(&Cpu::new(1, Path::best()), to, x.len(), &x, &mut bytes);
        let mut y = vec![0.0; x.len()];
        dequantize(to.format(), &bytes, &mut y);
        let steps = bytes.chunks(size).flat_map(|block| steps(to, block));
        for ((x, y), step) in x.iter().zip(&y).zip(steps).filter(|(_, step)| *step != 0.0) {
            let off = f64::from(x - y).abs();
            let least = least_error(to, &[*x], step).sqrt();
            assert!(off <= least + 1e-4 * step.abs(), "{to:?}: {x} {y} {step}");
        }
    }
}

#[test]
fn six_bits_are_near_the_best_scales() {
    for heavy in [false, true] {
        let x = rows(heavy, 1 << 13, 23);
        let to = Quantizer::Q6K;
        let mut bytes = vec![0; x.len() / 256 * 210];
        quantize(&Cpu::new(1, Path::best()), to, x.len(), &x, &mut bytes);
        let (mut ours, mut best) = (0.0, 0.0);
        for (x, block) in x.chunks(256).zip(bytes.chunks(210)) {
            let scales = block[192..208].iter().map(|byte| byte.cast_signed());
            // The end of i8 that reaches further.
            assert!(scales.clone().any(|scale| scale == i8::MIN), "{block:?}");
            let d = f64::from(half::f16::from_le_bytes([block[208], block[209]]));
            for (x, scale) in x.chunks(16).zip(scales) {
                ours += least_error(to, x, d * f64::from(scale));
                let others = (i8::MIN..=i8::MAX).filter(|&scale| scale != 0);
                let errors = others.map(|scale| least_error(to, x, d * f64::from(scale)));
                best += errors.fold(f64::INFINITY, f64::min);
            }
        }
        assert!(ours <= 1.03 * best, "{ours} {best}");
    }
}

#[test]
fn what_is_representable_is_kept() {
    for to in [Quantizer::Q8_0, Quantizer::Q4_0, Quantizer::Q6K] {
        let zeros = through(to, &[0.0; 256]);
        assert_eq!(zeros, [0.0; 256]);
        let integers: Vec<f32> = (0..256).map(|i| (i % 16) as f32 / 4.0 - 2.0).collect();
        if to == Quantizer::Q4_0 {
            assert_eq!(through(to, &integers), integers);
            let negated: Vec<f32> = integers.iter().map(|x| -x).collect();
            assert_eq!(through(to, &negated), negated);
        }
    }
}

#[test]
fn what_is_no_number_counts_as_zero() {
    for to in [Quantizer::Q8_0, Quantizer::Q4_0, Quantizer::Q6K] {
        let mut x = rows(false, 512, 3);
        x[3] = f32::NAN;
        x[40] = f32::INFINITY;
        x[300] = f32::NEG_INFINITY;
        x[301] = f32::MIN_POSITIVE / 3.0;
        let y = through(to, &x);
        assert!(y.iter().all(|y| y.is_finite()));
        assert_eq!((y[3], y[40], y[300]), (0.0, 0.0, 0.0));
        for extreme in [f32::MAX, f32::MIN, 1e-42] {
            let y = through(to, &[extreme; 256]);
            assert!(y.iter().all(|y| y.is_finite()), "{extreme} {y:?}");
        }
    }
}

#[test]
fn a_matrix_of_any_format_is_quantised_by_rows() {
    let x = rows(true, 3 * 256, 9);
    let cpu = Cpu::new(2, Path::best());
    let bf16: Vec<u8> = x
        .iter()
        .flat_map(|&x| half::bf16::from_f32(x).to_le_bytes())
        .collect();
    for to in [Quantizer::Q8_0, Quantizer::Q4_0, Quantizer::Q6K] {
        let source = Matrix::new(Format::Bf16, 3, 256, &bf16);
        let mut widened = vec![0.0; x.len()];
        dequantize(Format::Bf16, &bf16, &mut widened);
        let mut expected = vec![0; to.format().row_bytes(x.len()).expect("whole blocks")];
        quantize(&cpu, to, 256, &widened, &mut expected);
        assert_eq!(quantize_matrix(&cpu, source, to).as_ref(), Some(&expected));
        // A matrix of blocks is read back first; here, to itself it stays itself or near.
        let blocks = Matrix::new(to.format(), 3, 256, &expected);
        let again = quantize_matrix(&cpu, blocks, to).expect("all are finite");
        let (mut first, mut second) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        dequantize(to.format(), &expected, &mut first);
        dequantize(to.format(), &again, &mut second);
        assert!(error(&first, &second) <= 1e-3 * error(&first, &vec![0.0; x.len()]));
    }
}

#[test]
fn rows_without_columns_take_no_time() {
    let source = Matrix::new(Format::F32, usize::MAX, 0, &[]);
    let none = quantize_matrix(&Cpu::new(2, Path::best()), source, Quantizer::Q8_0);
    assert_eq!(none, Some(Vec::new()));
}

#[test]
fn a_matrix_with_a_number_that_is_not_finite_makes_no_blocks() {
    let sound = rows(true, 5 * 512, 3);
    for cpu in [Cpu::new(1, Path::Scalar), Cpu::new(3, Path::best())] {
        for to in [Quantizer::Q8_0, Quantizer::Q4_0, Quantizer::Q6K] {
            let made = |x: &[f32]| {
                let bytes: Vec<u8> = x.iter().flat_map(|x| x.to_le_bytes()).collect();
                quantize_matrix(&cpu, Matrix::new(Format::F32, 5, 512, &bytes), to)
            };
            assert!(made(&sound).is_some());
            // The first, one within, the last.
            for place in [0, 2 * 512 + 77, 5 * 512 - 1] {
                for damage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let mut x = sound.clone();
                    x[place] = damage;
                    assert_eq!(made(&x), None, "{damage} at {place}");
                }
                let mut x = sound.clone();
                x[place] = f32::MIN;
                assert!(made(&x).is_some(), "finite, however large");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(32)))]
    #[test]
    fn threads_do_not_change_the_blocks(blocks in 0usize..200, seed in 0u64..1000, threads in 1usize..4) {
        let x = rows(seed % 2 == 0, blocks * 256, seed);
        for to in [Quantizer::Q8_0, Quantizer::Q4_0, Quantizer::Q6K] {
            let mut one = vec![0; to.format().row_bytes(x.len()).expect("whole blocks")];
            let mut other = one.clone();
            quantize(&Cpu::new(1, Path::Scalar), to, 256, &x, &mut one);
            quantize(&Cpu::new(threads, Path::best()), to, 256, &x, &mut other);
            prop_assert_eq!(&one, &other);
        }
    }
}
