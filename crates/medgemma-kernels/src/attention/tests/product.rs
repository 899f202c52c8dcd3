//! The product of a tile, element by element.

#[cfg(target_arch = "x86_64")]
use half::bf16;
use proptest::prelude::*;

use super::numbers;
use crate::Path;
use crate::attention::kernels;
use crate::attention::tile::product::Product;

/// As bf16 of every last bits rounds, ties to even: numbers of either parity, below, at and above each half.
#[cfg(target_arch = "x86_64")]
#[test]
fn rows_are_rounded_to_nearest_even() {
    let queries: Vec<f32> = (0..512)
        .map(|at| f32::from_bits(0x3f80_0000 + at * 0x1000))
        .collect();
    let bytes: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    let scale = 1.0 + 2.0_f32.powi(-8);
    for path in Path::tested() {
        let Some(pairs) = kernels(path).and_then(|kernels| kernels.pairs.as_ref()) else {
            continue;
        };
        let mut narrow = vec![f32::NAN; queries.len() / 2];
        let mut round = vec![bf16::NAN; bytes.len()];
        // SAFETY: the path is there.
        unsafe {
            (pairs.narrow)(&queries, &mut narrow);
            (pairs.round_bytes)(&bytes, scale, &mut round);
        }
        let halves = narrow.iter().flat_map(|pair| {
            let bits = pair.to_bits();
            [bits & 0xffff, bits >> 16]
        });
        let expected = queries
            .iter()
            .map(|&x| u32::from(bf16::from_f32(x).to_bits()));
        assert!(halves.eq(expected), "{path}: queries");
        let expected = bytes
            .iter()
            .map(|&byte| bf16::from_f32(f32::from(byte) * scale));
        assert!(round.iter().copied().eq(expected), "{path}: whole numbers");
    }
}

/// Each sum is one chain, however many steps are taken at a time.
fn product_is_its_sums(
    (rows, depth): (usize, usize),
    gap: usize,
    [one_vector, transposed, faded]: [bool; 3],
    seed: u64,
) {
    let elements = numbers(seed, rows * depth);
    let stride = gap + if transposed { rows } else { depth };
    let (row_step, depth_step) = if transposed { (1, stride) } else { (stride, 1) };
    let mut a = vec![f32::NAN; stride * rows.max(depth)];
    for (index, &element) in elements.iter().enumerate() {
        a[index / depth * row_step + index % depth * depth_step] = element;
    }
    for path in Path::tested() {
        let Some(kernels) = kernels(path) else {
            continue;
        };
        let width = kernels.width / if one_vector { 2 } else { 1 };
        let b = numbers(seed + 1, depth * width);
        let fade = numbers(seed + 2, width);
        let before = numbers(seed + 3, rows * width);
        let mut out = if faded {
            before.clone()
        } else {
            vec![f32::NAN; rows * width]
        };
        out.extend([f32::NAN; 64]);
        let task = Product {
            a: a.as_ptr().cast(),
            row_step: row_step * size_of::<f32>(),
            depth_step: depth_step * size_of::<f32>(),
            width,
            rows,
            depth,
            b: b.as_ptr(),
            out: out.as_mut_ptr(),
            fade: if faded {
                fade.as_ptr()
            } else {
                std::ptr::null()
            },
        };
        // SAFETY: the path is there, the operands are as long as they say.
        unsafe { (kernels.singles.product)(&task) };
        for (index, &out) in out[..rows * width].iter().enumerate() {
            let (row, column) = (index / width, index % width);
            let sum = (0..depth).fold(0.0_f32, |sum, step| {
                elements[row * depth + step].mul_add(b[step * width + column], sum)
            });
            let sum = if faded {
                before[index].mul_add(fade[column], sum)
            } else {
                sum
            };
            assert_eq!(out, sum, "{}, row {}, column {}", path, row, column);
        }
        assert!(out[rows * width..].iter().all(|out| out.is_nan()));
    }
}

/// As many rows at once as registers hold, and each number that is left of them: none is taken twice.
#[test]
fn every_number_of_rows_adds_up() {
    for rows in 1..=24 {
        for kind in 0..4 {
            product_is_its_sums((rows, 5), 1, [kind % 2 == 1, kind / 2 == 1, true], 1);
        }
    }
}

proptest! {
    #[test]
    fn elements_add_up_in_the_order_of_the_depth(
        rows in 1..30_usize,
        depth in 1..20_usize,
        gap in 0..3_usize,
        one_vector: bool,
        transposed: bool,
        faded: bool,
        seed in 0..1000_u64,
    ) {
        product_is_its_sums((rows, depth), gap, [one_vector, transposed, faded], seed);
    }
}
