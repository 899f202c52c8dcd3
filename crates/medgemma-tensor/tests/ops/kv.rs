//! Keys and values in int8: the rounding by hand, and attention over what it stands for.
//!
//! The portable bodies attend over the f32 numbers that the whole ones stand for: 1e-5, as for any
//! other keys. The CPU's kernels also round queries and the softmax's numerators to bf16, 2⁻⁹ of
//! each: 1e-2 of the largest magnitude, where a wrong scale moves the result by a tenth and more.

use std::ops::Range;

use medgemma_tensor::ops::{self, AttentionMask};
use medgemma_tensor::{Arithmetic, Backend, Device, KvPrecision, KvRows, vec_from};

use crate::support::{Numbers, assert_close, devices, tensor};

fn int8(values: &[f32], shape: [usize; 3], device: &Device) -> KvRows {
    let x = tensor(values, shape, device);
    ops::rounded(x, Arithmetic::F32, KvPrecision::Int8)
}

fn widened(rows: &KvRows) -> Vec<f32> {
    vec_from(rows.widened(), "rows").expect("the device answers")
}

#[test]
fn rows_are_rounded_to_127_steps_of_their_largest() {
    // Two heads of two keys, with scales 1, 1/2, 2 and none; halves go to the even neighbour, and
    // the largest of the second row is negative.
    let x = [
        [127.0, -126.6, 0.5, 1.5, -2.5],
        [-63.5, 63.2, 0.25, 0.75, -31.1],
        [254.0, 1.0, 3.0, -253.0, 2.1],
        [0.0, -0.0, 0.0, 0.0, 0.0],
    ];
    let expected = [
        [127.0, -127.0, 0.0, 2.0, -2.0],
        [-63.5, 63.0, 0.0, 1.0, -31.0],
        [254.0, 0.0, 4.0, -252.0, 2.0],
        [0.0; 5],
    ];
    let x: &[f32; 20] = x.as_flattened().try_into().expect("four rows of five");
    for device in devices() {
        for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
            let x = tensor(x, [2, 2, 5], &device);
            let rows = ops::rounded(x, arithmetic, KvPrecision::Int8);
            assert_eq!(rows.dims(), [2, 2, 5]);
            assert_eq!(widened(&rows), expected.as_flattened(), "{device}");
        }
    }
}

#[test]
fn what_has_no_scale_is_zeros_and_what_is_not_finite_shows() {
    let x = [1e-45, -1e-39, 0.0, 3.0, f32::NAN, 1.0, f32::INFINITY, -1.0];
    for device in devices() {
        let rows = widened(&int8(&x, [4, 1, 2], &device));
        assert_eq!(rows[..2], [0.0, 0.0], "{device}");
        assert_eq!(rows[2], 0.0, "{device}");
        assert!((rows[3] - 3.0).abs() < 1e-6, "{device}");
        assert!(!rows[4].is_finite() && !rows[6].is_finite(), "{device}");
    }
}

#[test]
fn the_cpu_holds_a_byte_for_a_number_and_others_say_what_they_hold() {
    for device in devices() {
        let rows = int8(&[1.0; 2 * 3 * 5], [2, 3, 5], &device);
        let expected = match device.backend() {
            Backend::Cpu => 2 * 3 * (5 + 4),
            _ => 2 * 3 * 5 * 4,
        };
        assert_eq!(rows.bytes(), expected, "{device}");
        let text = format!("{rows:?}");
        let format = if device.backend() == Backend::Cpu {
            "I8"
        } else {
            "F32"
        };
        assert!(
            text.contains("[2, 3, 5]") && text.contains(format),
            "{text}"
        );
    }
}

#[test]
fn rows_are_cut_joined_and_written_with_their_scales() {
    // Two heads; the key at position p is its number times a scale of its own.
    let row = |head: usize, p: usize| {
        let scale = (1 + head + 2 * p) as f32;
        [127.0 * scale, scale * p as f32]
    };
    let rows = |positions: Range<usize>| -> Vec<f32> {
        (0..2)
            .flat_map(|head| positions.clone().flat_map(move |p| row(head, p)))
            .collect()
    };
    for device in devices() {
        let new = |positions: Range<usize>| {
            let shape = [2, positions.len(), 2];
            let x = tensor(&rows(positions), shape, &device);
            ops::rounded(x, Arithmetic::F32, KvPrecision::Int8)
        };
        assert_eq!(widened(&new(3..8).narrow(1, 1, 3)), rows(4..7), "{device}");
        let second = new(3..8).narrow(0, 1, 1);
        assert_eq!(widened(&second), rows(3..8)[10..], "{device}");
        let joined = new(0..3).followed_by(new(3..5));
        assert_eq!(widened(&joined), rows(0..5), "{device}");
        let swapped = new(0..3).swap_heads();
        assert_eq!(swapped.dims(), [3, 2, 2]);
        let across: Vec<f32> = (0..3)
            .flat_map(|p| [row(0, p), row(1, p)])
            .flatten()
            .collect();
        assert_eq!(widened(&swapped), across, "{device}");
        let mut slots = new(0..1).empty(6);
        assert_eq!(widened(&slots), [0.0; 24], "{device}");
        // Through both orders of the axes, as a cache is given its rows.
        slots.write(0, new(0..2));
        slots.write(2, swapped_twice(&new(2..6)));
        assert_eq!(widened(&slots), rows(0..6), "{device}");
        // What other backends share inside of themselves is theirs to say.
        if device.backend() == Backend::Cpu {
            assert!(slots.can_mut(), "{device}");
        }
        let shared = slots.clone();
        assert!(!slots.can_mut(), "{device}");
        slots.write(1, new(9..10));
        assert_eq!(widened(&shared), rows(0..6), "{device}: a clone is apart");
    }
}

/// The same rows, with the strides of rows that came as `[t, k, h]`.
fn swapped_twice(rows: &KvRows) -> KvRows {
    let [k, s, h] = rows.dims();
    let x = rows.widened().swap_dims(0, 1).reshape([s, k, h]);
    ops::rounded(x, Arithmetic::F32, KvPrecision::Int8).swap_heads()
}

/// `[k, s, h]` of numbers in [−1, 1) times a size that differs from key to key and head to head.
fn drawn([k, s, h]: [usize; 3], seed: u64) -> Vec<f32> {
    let mut numbers = Numbers::seeded(seed);
    let mut values = numbers.floats(k * s * h);
    for row in values.chunks_exact_mut(h) {
        let size = 0.25 * numbers.length(12) as f32;
        row.iter_mut().for_each(|x| *x *= size);
    }
    values
}

#[test]
fn attention_reads_numbers_and_scales_where_they_lie() {
    for (t, n, k, s, h) in [
        (1, 4, 2, 37, 16),
        (1, 3, 3, 9, 5),
        (1, 5, 1, 300, 8),
        (7, 6, 2, 31, 12),
        (40, 4, 2, 90, 32),
    ] {
        let (keys, values) = (drawn([k, s, h], 70), drawn([k, s, h], 71));
        let q = Numbers::seeded(72).floats(t * n * h);
        let visible: Vec<Range<usize>> = (0..t).map(|row| row / 2..s - t + row + 1).collect();
        for device in devices() {
            // In the middle of a longer cache, whose other rows are loud.
            let cached = |x: &[f32]| {
                let loud = || int8(&vec![99.0; k * 4 * h], [k, 4, h], &device);
                let rows = int8(x, [k, s, h], &device);
                loud().followed_by(rows).followed_by(loud()).narrow(1, 4, s)
            };
            let (keys, values) = (cached(&keys), cached(&values));
            let attend = |keys: KvRows, values: KvRows| {
                let q = tensor(&q, [t, n, h], &device);
                let mask = AttentionMask::new(&visible, s, &device);
                ops::attention(q, keys, values, 1.0 / (h as f64).sqrt(), mask.as_ref())
            };
            let exact = attend(keys.widened().into(), values.widened().into());
            let exact: Vec<f64> = vec_from(exact, "attention over f32")
                .expect("the device answers")
                .into_iter()
                .map(f64::from)
                .collect();
            let tolerance = match device.backend() {
                Backend::Cpu => 1e-2,
                _ => 1e-5,
            };
            let what = format!("attention over int8 {:?} on {device}", (t, n, k, s, h));
            assert_close(&what, attend(keys, values), [t, n * h], &exact, tolerance);
        }
    }
}
