//! The products and the turning by themselves, on a real or an emulated tile unit.

use half::bf16;
use proptest::prelude::*;

use super::{KEYS, Product, product, turn};
use crate::Path;
use crate::attention::tile::pack;

/// Whole numbers of few digits, whose sums are exact; what is not an operand is NaN.
fn number(index: usize) -> f32 {
    [3.0, -1.0, 0.0, 2.0, -5.0, 1.0, 7.0][index * index % 83 % 7]
}

proptest! {
    #[test]
    fn products_of_any_extents_touch_nothing_else(
        rows in 1..100_usize,
        depth in 1..70_usize,
        wide: bool,
        gap in 0..5_usize,
        faded: bool,
    ) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let (width, apart) = (if wide { 32 } else { 16 }, 2 * depth + gap);
        let mut a = vec![bf16::NAN; rows * apart];
        for (row, numbers) in a.chunks_mut(apart).enumerate() {
            for (step, place) in numbers[..2 * depth].iter_mut().enumerate() {
                *place = bf16::from_f32(number(3 * row + step));
            }
        }
        let b: Vec<f32> = (0..2 * depth * width).map(|index| number(index + 1)).collect();
        let pair = |step: usize, column: usize| {
            let at = |step: usize| bf16::from_f32(b[step * width + column]);
            pack::pair(at(2 * step), at(2 * step + 1))
        };
        let pairs: Vec<f32> =
            (0..depth * width).map(|index| pair(index / width, index % width)).collect();
        let fade: Vec<f32> = (0..width).map(|column| [0.5, 1.0, 0.0][column % 3]).collect();
        let before = if faded { 4.0 } else { f32::NAN };
        let mut out = vec![before; rows * width];
        out.extend([f32::NAN; 64]);
        let task = Product {
            a: a.as_ptr().cast(),
            row_step: 2 * apart,
            depth_step: 4,
            width,
            rows,
            depth,
            b: pairs.as_ptr(),
            out: out.as_mut_ptr(),
            fade: if faded { fade.as_ptr() } else { std::ptr::null() },
        };
        // SAFETY: the path is there, the operands are as long as they say.
        unsafe { product(&task) };
        for (index, out) in out[..rows * width].iter().enumerate() {
            let (row, column) = (index / width, index % width);
            let sum: f32 = (0..2 * depth)
                .map(|step| a[row * apart + step].to_f32() * b[step * width + column])
                .sum();
            let sum = sum + if faded { before * fade[column] } else { 0.0 };
            prop_assert_eq!(*out, sum, "row {}, column {}", row, column);
        }
        prop_assert!(out[rows * width..].iter().all(|out| out.is_nan()));
    }

    #[test]
    fn values_are_turned(h in 1..80_usize, count in 1..=KEYS / 2) {
        if !Path::Amx.is_available() {
            return Ok(());
        }
        let pairs: Vec<f32> = (0_u16..).map(f32::from).take(count * h).collect();
        let mut turned = vec![f32::NAN; h * (KEYS / 2)];
        // SAFETY: the path is there.
        unsafe { turn(&pairs, h, &mut turned) };
        for (index, element) in pairs.iter().enumerate() {
            prop_assert_eq!(turned[index % h * (KEYS / 2) + index / h], *element);
        }
    }
}
