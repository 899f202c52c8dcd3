//! The SIMD paths of the block formats against the plain Rust ones.

#![expect(
    clippy::cast_possible_truncation,
    reason = "random bits, of which some are enough"
)]

use proptest::prelude::*;

use super::linear_many;
use crate::cpu::{Cpu, Path};
use crate::matrix::{Format, Matrix};

const FORMATS: [Format; 8] = [
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q4K,
    Format::Q5K,
    Format::Q6K,
];

/// Pseudo-random bits.
fn noise(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Random blocks whose scales and minima are random numbers of ±0.001 to ±0.1.
fn blocks(format: Format, rows: usize, cols: usize, seed: u64) -> Vec<u8> {
    let mut noise = noise(seed);
    let row = format.row_bytes(cols).expect("whole blocks");
    let mut bytes: Vec<u8> = (0..rows * row).map(|_| (noise() >> 32) as u8).collect();
    let scales: &[usize] = match format {
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => &[0],
        Format::Q6K => &[208],
        _ => &[0, 2],
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in scales {
            let scale = 0.001 + (noise() >> 40) as f32 / (1u64 << 24) as f32 * 0.1;
            let sign = if noise() >> 63 == 0 { 1.0 } else { -1.0 };
            block[at..at + 2].copy_from_slice(&half::f16::from_f32(sign * scale).to_le_bytes());
        }
    }
    bytes
}

/// Activations of −1..1, some of them much larger and some zero.
fn activations(numbers: usize, seed: u64) -> Vec<f32> {
    let mut noise = noise(seed ^ 0x5555);
    (0..numbers)
        .map(|_| {
            let x = (noise() >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
            match noise() >> 60 {
                0 => x * 50.0,
                1 => 0.0,
                _ => x,
            }
        })
        .collect()
}

/// What stands for the numbers of each group of a row of weights in a tolerance. Offsets cancel within a
/// group, so the largest stands for all.
fn largest(format: Format, row: &[u8], cols: usize) -> Vec<f32> {
    let mut w = vec![0.0; cols];
    super::dequantize(format, row, &mut w);
    let groups = w.chunks_exact(super::decode::group_len(format));
    let largest = groups.map(|w| w.iter().fold(0.0f32, |most, w| most.max(w.abs())));
    largest.collect()
}

/// The sizes of each group of a row of activations, added.
fn sizes(format: Format, x: &[f32]) -> Vec<f32> {
    let groups = x.chunks_exact(super::decode::group_len(format));
    groups.map(|x| x.iter().map(|x| x.abs()).sum()).collect()
}

/// What f32 sums in another order may differ by: some roundings of the sum of magnitudes, of which
/// each group's terms, scale times integer sum and offset times integer sum, are bounded by those of
/// its numbers: [`largest`] and [`sizes`].
fn tolerance(largest: &[f32], sizes: &[f32]) -> f32 {
    let groups = largest.iter().zip(sizes);
    let magnitudes: f32 = groups.map(|(w, x)| 2.0 * w * x).sum();
    magnitudes * 2e-6 + 1e-30
}

fn check(format: Format, shape: [usize; 3], threads: usize, seed: u64) {
    let [m, rows, cols] = shape;
    let bytes = blocks(format, rows, cols, seed);
    let x = activations(m * cols, seed);
    let bias: Vec<f32> = activations(rows, seed + 1);
    let bias = (seed.is_multiple_of(2)).then_some(&bias[..]);
    compare(
        m,
        &x,
        Matrix::new(format, rows, cols, &bytes),
        bias,
        threads,
    );
}

/// All paths against the plain Rust one.
fn compare(m: usize, x: &[f32], weight: Matrix<'_>, bias: Option<&[f32]>, threads: usize) {
    let (format, rows, cols) = (weight.format(), weight.rows(), weight.cols());
    let mut expected = vec![0.0; m * rows];
    linear_many(&Cpu::new(1, Path::Scalar), x, weight, bias, &mut expected);
    // Once for each row: for each output, this would be more work than the product.
    let largest: Vec<_> = (0..rows)
        .map(|row| largest(format, weight.row(row), cols))
        .collect();
    let sizes: Vec<_> = (0..m)
        .map(|token| sizes(format, &x[token * cols..][..cols]))
        .collect();
    for path in Path::available() {
        let mut out = vec![f32::NAN; m * rows];
        linear_many(&Cpu::new(threads, path), x, weight, bias, &mut out);
        for (index, (out, expected)) in out.iter().zip(&expected).enumerate() {
            let (token, row) = (index / rows, index % rows);
            let most = tolerance(&largest[row], &sizes[token]) + expected.abs() * 1e-6;
            assert!(
                (out - expected).abs() <= most,
                "{format} {path} {m}×{rows}×{cols} at {token}, {row}: {out} for {expected} ± {most}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(48)))]
    #[test]
    fn few_rows_on_every_path(
        m in 1usize..=12,
        rows in 0usize..40,
        blocks in 0usize..40,
        threads in 1usize..4,
        seed in 0u64..1000,
    ) {
        for format in FORMATS {
            check(format, [m, rows, blocks * format.block_len()], threads, seed);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.min(32)))]
    #[test]
    fn many_rows_on_every_path(
        m in 0usize..70,
        rows in 0usize..60,
        blocks in 0usize..50,
        threads in 1usize..4,
        seed in 0u64..1000,
    ) {
        for format in FORMATS {
            let blocks = if format.block_len() == 256 { blocks / 6 } else { blocks };
            let shape = [m, rows, blocks * format.block_len()];
            check(format, shape, threads, seed);
        }
    }
}

/// Where [`super::linear_many`] has a kernel.
#[cfg(target_arch = "x86_64")]
#[test]
fn many_rows_of_several_pieces_and_slabs() {
    for format in FORMATS {
        check(format, [260, 50, 1536], 3, 5);
        // Pieces of more rows than are turned at once.
        check(format, [20, 100, 512], 1, 5);
    }
}

/// Where the kernels change: a few, half a tile, a tile, and what is left over of each.
#[test]
fn numbers_of_rows_around_tiles() {
    for format in FORMATS {
        for m in [7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 32, 33] {
            check(format, [m, 13, 512], 2, m as u64);
        }
    }
}

/// Integers of a group that add up to the most that there is, of either sign: no sum may saturate or
/// wrap.
#[test]
fn the_largest_integers_do_not_overflow() {
    let rows = 7;
    for (format, m, cols) in FORMATS.into_iter().flat_map(|format| {
        let half = (512 + 128usize).next_multiple_of(format.block_len());
        [(4, 512), (4, half), (20, 512), (20, half)].map(|(m, cols)| (format, m, cols))
    }) {
        let row = format.row_bytes(cols).expect("whole blocks");
        let mut bytes = blocks(format, rows, cols, 6);
        // All numbers of a row alike, the most and the least of each format among them.
        let patterns = [0xff, 0, 0x7f, 0x80, 0x0f, 0xf0, 0x55];
        for (block, index) in bytes.chunks_exact_mut(format.block_bytes()).zip(0..) {
            let pattern = patterns[index * format.block_bytes() / row];
            let head = match format {
                Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => 2,
                Format::Q6K => {
                    block[..192].fill(pattern);
                    continue;
                }
                Format::Q4_1 | Format::Q5_1 => 4,
                _ => 16,
            };
            block[head..].fill(pattern);
        }
        let x: Vec<f32> = (0..m * cols)
            .map(|index| match index / cols % 4 {
                0 => 1.0,
                1 => -1.0,
                2 => [1.0, -1.0][index / 32 % 2],
                _ => [1.0, -1.0][index % 2],
            })
            .collect();
        compare(m, &x, Matrix::new(format, rows, cols, &bytes), None, 2);
    }
}

#[test]
fn few_rows_of_real_widths() {
    for format in FORMATS {
        check(format, [1, 50, 2560], 2, 1);
        check(format, [3, 20, 10240], 3, 2);
        let half = (22 * 256 + 128usize).next_multiple_of(format.block_len());
        check(format, [8, 7, half], 2, 3);
        check(format, [3, 5, half], 2, 4);
    }
}

/// Bit for bit: a draft that is verified, or a batch, is to be answered as each token alone is.
#[test]
fn a_row_comes_out_the_same_alone_and_among_others() {
    // The last two are so wide that eight rows go by in stretches, one row not.
    for (format, cols) in FORMATS.into_iter().flat_map(|format| {
        let ends = [32, 128].map(|end: usize| 22 * 256 + end.next_multiple_of(format.block_len()));
        [768, 22 * 256, ends[0], ends[1]].map(|cols| (format, cols))
    }) {
        let rows = 5;
        let bytes = blocks(format, rows, cols, 8);
        let weight = Matrix::new(format, rows, cols, &bytes);
        for path in Path::available().filter(|&path| path >= Path::Avx2) {
            // With AVX2 also among many.
            for m in if path == Path::Avx2 {
                &[8, 37][..]
            } else {
                &[8]
            } {
                let x = activations(m * cols, 9);
                let cpu = Cpu::new(1, path);
                let (mut alone, mut together) = (vec![0.0; m * rows], vec![0.0; m * rows]);
                linear_many(&cpu, &x, weight, None, &mut together);
                for (x, out) in x.chunks(cols).zip(alone.chunks_mut(rows)) {
                    linear_many(&cpu, x, weight, None, out);
                }
                assert_eq!(alone, together, "{format} {path}, {m} × {cols}");
            }
        }
    }
}

/// Bit for bit: which rows go by together is a matter of their number and of the threads.
#[test]
fn a_row_comes_out_the_same_with_any_rows_and_threads() {
    let rows = 48;
    for (format, cols) in FORMATS.into_iter().flat_map(|format| {
        let ends = [128, 512 + 96, 512 + 128, 22 * 256 + 128];
        ends.map(|cols: usize| (format, cols.next_multiple_of(format.block_len())))
    }) {
        let bytes = blocks(format, rows, cols, 10);
        let weight = Matrix::new(format, rows, cols, &bytes);
        for (path, m) in Path::tested().flat_map(|path| {
            let many = (path == Path::Avx2).then_some(19);
            [1, 3, 8].into_iter().chain(many).map(move |m| (path, m))
        }) {
            let x = activations(m * cols, 11);
            let mut all = vec![0.0; m * rows];
            linear_many(&Cpu::new(1, path), &x, weight, None, &mut all);
            let mut again = all.clone();
            for threads in 2..=4 {
                again.fill(0.0);
                linear_many(&Cpu::new(threads, path), &x, weight, None, &mut again);
                assert_eq!(
                    all, again,
                    "{format} {path}, {cols} columns, {threads} threads"
                );
            }
            let some = format.row_bytes(cols).expect("whole blocks") * 3;
            let some = Matrix::new(format, rows - 3, cols, &bytes[some..]);
            let mut sums = vec![0.0; m * (rows - 3)];
            linear_many(&Cpu::new(1, path), &x, some, None, &mut sums);
            for (sums, all) in sums.chunks(rows - 3).zip(all.chunks(rows)) {
                assert_eq!(
                    sums,
                    &all[3..],
                    "{format} {path}, {cols} columns, later rows alone"
                );
            }
        }
    }
}

/// Rows that end within a chunk are read on into the next row, whose numbers must not count.
#[test]
fn what_is_no_number_stays_in_its_row() {
    let (rows, cols) = (5usize, 256usize + 96);
    for format in FORMATS {
        if !cols.is_multiple_of(format.block_len()) {
            continue;
        }
        let mut bytes = blocks(format, rows, cols, 3);
        let row = format.row_bytes(cols).expect("whole blocks");
        bytes[3 * row..][..2].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
        let weight = Matrix::new(format, rows, cols, &bytes);
        let x = activations(2 * cols, 7);
        for path in Path::available() {
            let mut out = vec![0.0; 2 * rows];
            linear_many(&Cpu::new(1, path), &x, weight, None, &mut out);
            for (index, sum) in out.iter().enumerate() {
                let own = index % rows == 3;
                assert_eq!(sum.is_finite(), !own, "{format} on {path}: row {index}");
            }
        }
    }
}

#[test]
fn the_specification_is_near_the_exact_product() {
    for format in FORMATS {
        let (m, rows, cols) = (2, 9, 768);
        let bytes = blocks(format, rows, cols, 17);
        let weight = Matrix::new(format, rows, cols, &bytes);
        let x = activations(m * cols, 18);
        let mut out = vec![0.0; m * rows];
        linear_many(&Cpu::new(1, Path::Scalar), &x, weight, None, &mut out);
        for (index, out) in out.iter().enumerate() {
            let (token, row) = (index / rows, index % rows);
            let mut w = vec![0.0; cols];
            super::dequantize(format, weight.row(row), &mut w);
            let x = &x[token * cols..][..cols];
            let exact: f64 = w.iter().zip(x).map(|(w, x)| f64::from(w * x)).sum();
            // Half a step for each activation, adding up as independent errors do: four sigma.
            let variance: f64 = w
                .chunks_exact(32)
                .zip(x.chunks_exact(32))
                .map(|(w, x)| {
                    let step = x.iter().fold(0.0f32, |most, x| most.max(x.abs())) / 127.0;
                    let w: f64 = w.iter().map(|w| f64::from(*w).powi(2)).sum();
                    f64::from(step).powi(2) / 12.0 * w
                })
                .sum();
            let error = f64::from(*out) - exact;
            assert!(
                error.abs() <= 4.0 * variance.sqrt(),
                "{format} {error} {exact}"
            );
        }
    }
}

#[test]
fn what_is_no_number_shows() {
    for format in FORMATS {
        let bytes = blocks(format, 3, 512, 4);
        let weight = Matrix::new(format, 3, 512, &bytes);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            // Alone, and with another in the other half of its group.
            for places in [&[700][..], &[700, 680]] {
                let mut x = activations(1024, 4);
                places.iter().for_each(|&place| x[place] = bad);
                for path in Path::available() {
                    let mut out = [0.0; 6];
                    linear_many(&Cpu::new(1, path), &x, weight, None, &mut out);
                    assert!(
                        out[..3].iter().all(|y| y.is_finite()),
                        "{format} {path} {out:?}"
                    );
                    assert!(
                        out[3..].iter().all(|y| y.is_nan()),
                        "{format} {path} {out:?}"
                    );
                }
            }
        }
        for tiny in [f32::MIN_POSITIVE / 8.0, 1e-37, 0.0] {
            let x = [tiny; 512];
            for path in Path::available() {
                let mut out = [f32::NAN; 3];
                linear_many(&Cpu::new(1, path), &x, weight, None, &mut out);
                assert!(
                    out.iter().all(|y| y.abs() < 1e-30),
                    "{format} {path} {out:?}"
                );
            }
        }
    }
}

/// Not a number in a product of many rows shows in its row alone; the tiniest count as zeros.
#[test]
fn what_is_no_number_shows_among_many() {
    // Of tokens in pairs one, the other, and one without another.
    for (format, bad, cols) in FORMATS.into_iter().flat_map(|format| {
        let half = (512 + 128usize).next_multiple_of(format.block_len());
        [(17, 512), (16, half), (17, half), (20, half)].map(|(bad, cols)| (format, bad, cols))
    }) {
        let bytes = blocks(format, 7, cols, 4);
        let weight = Matrix::new(format, 7, cols, &bytes);
        let mut x = activations(21 * cols, 4);
        x[(bad + 1) * cols - 20] = f32::NAN;
        x[5 * cols..6 * cols].fill(5e-36);
        for path in Path::available() {
            let mut out = [0.0; 147];
            linear_many(&Cpu::new(2, path), &x, weight, None, &mut out);
            for (token, out) in out.chunks(7).enumerate() {
                assert!(
                    out.iter()
                        .all(|&y| y.is_nan() == (token == bad) && (token != 5 || y == 0.0)),
                    "{format} {path} {out:?}"
                );
            }
        }
    }
}

/// A row that ends within a chunk is read on into the next one, of which nothing may show.
#[test]
fn what_is_no_number_stays_in_its_row_of_weights() {
    let (rows, bad) = (40, 17);
    for format in [
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
    ] {
        for blocks_in_row in 1..=9 {
            let cols = blocks_in_row * format.block_len();
            let mut bytes = blocks(format, rows, cols, 6);
            let row = bytes.len() / rows;
            for block in bytes[bad * row..][..row].chunks_exact_mut(format.block_bytes()) {
                let leading = format.block_bytes() - format.block_len() / 2;
                for half in block[..leading.min(4)].as_chunks_mut().0 {
                    *half = half::f16::INFINITY.to_le_bytes();
                }
            }
            let weight = Matrix::new(format, rows, cols, &bytes);
            for m in 1..=9 {
                let x = activations(m * cols, 6);
                for path in Path::available() {
                    let mut out = vec![0.0; m * rows];
                    linear_many(&Cpu::new(1, path), &x, weight, None, &mut out);
                    for (index, y) in out.iter().enumerate() {
                        assert!(
                            y.is_finite() || index % rows == bad,
                            "{format} {path} {blocks_in_row} blocks, {m} rows: {y} at {index}"
                        );
                    }
                    assert!(
                        (0..m).all(|token| !out[token * rows + bad].is_finite()),
                        "{format} {path}: an infinite scale shows"
                    );
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "give no 9 outputs")]
fn lengths_must_fit() {
    let bytes = blocks(Format::Q8_0, 3, 32, 1);
    let weight = Matrix::new(Format::Q8_0, 3, 32, &bytes);
    linear_many(
        &Cpu::new(1, Path::Scalar),
        &[0.0; 64],
        weight,
        None,
        &mut [0.0; 9],
    );
}

#[cfg(target_arch = "x86_64")]
#[test]
fn activations_are_packed_alike() {
    for format in FORMATS {
        for (seed, len) in [(1, 256), (2, 32), (3, 1120)] {
            let mut x = activations(2 * len, seed);
            if seed == 3 {
                x[5] = f32::NAN;
                x[40] = f32::INFINITY;
                x[64..96].fill(f32::MIN_POSITIVE);
            }
            let plain = super::packed::Packed::new(&Cpu::new(1, Path::Scalar), format, &x, 2, len);
            // What AVX2 makes is compared below.
            for path in Path::available().filter(|&path| path != Path::Avx2) {
                let packed = super::packed::Packed::new(&Cpu::new(1, path), format, &x, 2, len);
                let order = super::packed::Order::new(format);
                let (expected, lines, factors) = if path >= Path::Avx512 {
                    let factors = if order.offsets { 4..6 } else { 5..6 };
                    let lines = super::packed::CROSSED;
                    (crossed(format, &plain.lines), lines, factors)
                } else {
                    let lines = order.lines();
                    (plain.lines.clone(), lines, lines - 1..lines)
                };
                assert_eq!(packed.lines.len(), expected.len(), "{format} {path}");
                for (index, (line, expected)) in packed.lines.iter().zip(&expected).enumerate() {
                    let factors = factors.contains(&(index % lines));
                    let words = |line: &crate::lines::Line| words(line, factors);
                    assert_eq!(words(line), words(expected), "{format} {path} line {index}");
                }
            }
        }
    }
}

/// The words of a line. Of `factors`, f32, any NaN is the same one: which NaN a product of one is
/// depends on how the compiler orders its factors.
#[cfg(target_arch = "x86_64")]
fn words(line: &crate::lines::Line, factors: bool) -> [u32; 16] {
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
#[cfg(target_arch = "x86_64")]
fn crossed(format: Format, plain: &[crate::lines::Line]) -> Vec<crate::lines::Line> {
    let order = super::packed::Order::new(format);
    let chunks = plain.chunks_exact(order.lines());
    let crossed = chunks.map(|chunk| {
        let mut lines = [crate::lines::Line([0; 64]); super::packed::CROSSED];
        // SAFETY: the processor has the path.
        unsafe { super::crossed_avx512::activations(order, chunk, &mut lines) };
        lines
    });
    crossed.flatten().collect()
}

/// The crossed lines against what [`super::crossed_avx512`] says of them.
#[cfg(target_arch = "x86_64")]
#[test]
fn activations_are_crossed_as_their_weights_are() {
    let path = Path::Avx512;
    if !path.is_available() {
        return;
    }
    for format in FORMATS {
        let order = super::packed::Order::new(format);
        let mut x = activations(2 * 256, 3);
        x[256 + 70] = f32::INFINITY;
        let rounded = super::activations::Rounded::new(&x[256..]);
        let packed = super::packed::Packed::new(&Cpu::new(1, path), format, &x, 2, 256);
        let (_, lines) = packed.lines.split_at(super::packed::CROSSED);
        assert_eq!(lines.len(), super::packed::CROSSED);
        let [mut begin, mut scales] = [crate::lines::Line([0; 64]); 2];
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

/// The registers of AVX2 against what [`super::crossed_avx2`] says of them.
#[cfg(target_arch = "x86_64")]
#[test]
fn registers_of_activations_are_crossed_as_their_weights_are() {
    let len = 512 + 160;
    if !Path::Avx2.is_available() {
        return;
    }
    for format in FORMATS {
        let order = super::packed::Order::new(format);
        let mut x = activations(2 * len, 3);
        x[len + 70] = f32::INFINITY;
        x[len + 256..len + 288].fill(f32::MIN_POSITIVE);
        x[len + 300] = f32::NAN;
        let mut filled = x[len..].to_vec();
        filled.resize(768, 0.0);
        let rounded = super::activations::Rounded::new(&filled);
        let packed = super::packed::Packed::new(&Cpu::new(1, Path::Avx2), format, &x, 2, len);
        let each = super::crossed_avx2::lines_of(format);
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

#[test]
fn rows_are_unpacked_alike() {
    for format in FORMATS {
        for blocks_in_row in [0, 1, 7, 8, 9, 80] {
            let cols = blocks_in_row * format.block_len();
            let row = blocks(format, 1, cols, 3);
            let (mut expected, mut rounded) = (vec![0.0; cols], vec![0; cols]);
            super::unpack::unpack_f32(Path::Scalar, format, &row, &mut expected);
            super::unpack_bf16(Path::Scalar, format, &row, &mut rounded);
            for path in Path::available() {
                let (mut out, mut bits) = (vec![f32::NAN; cols], vec![1; cols]);
                super::unpack::unpack_f32(path, format, &row, &mut out);
                super::unpack_bf16(path, format, &row, &mut bits);
                assert_eq!(out, expected, "{format} {path}");
                assert_eq!(bits, rounded, "{format} {path}");
            }
        }
    }
}
