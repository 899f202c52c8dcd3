//! Shapes and numbers that no model has.

use super::{Case, Numbers, Operands, Rows, Stored, attention, case, distance};
use crate::{Cpu, Path};

/// Wrapped round, heads times their size are 8.
#[test]
fn more_heads_than_can_be_counted_are_refused() {
    let rows = Rows {
        numbers: Numbers::F32(&[0.0; 8]),
        heads: 2,
        len: 1,
        head_dim: 4,
        head_stride: 4,
        row_stride: 4,
    };
    let heads = (1 << 63) + 2;
    for path in Path::tested() {
        let caught = std::panic::catch_unwind(|| {
            let (cpu, mut out) = (Cpu::new(2, path), [0.0; 512]);
            attention(&cpu, &[0.0; 512], heads, rows, rows, 1.0, None, &mut out);
        });
        let message = caught.expect_err("refused");
        let message = message.downcast_ref::<String>().expect("a text");
        let wanted = format!("512 numbers are not rows of {heads} heads of 4");
        assert_eq!(*message, wanted, "{path}");
    }
}

/// One key is at no stride from the next: with overflow checks, counting it was a panic.
#[test]
fn a_single_key_may_have_any_stride() {
    let bf16 = [half::bf16::ONE; 128];
    for numbers in [Numbers::F32(&[1.0; 128]), Numbers::Bf16(&bf16)] {
        let rows = Rows {
            numbers,
            heads: 1,
            len: 1,
            head_dim: 128,
            head_stride: usize::MAX,
            row_stride: usize::MAX,
        };
        for path in Path::tested() {
            for t in [1, 40] {
                let (cpu, mut out) = (Cpu::new(2, path), vec![0.0; t * 128]);
                attention(
                    &cpu,
                    &vec![1.0; t * 128],
                    1,
                    rows,
                    rows,
                    1.0,
                    None,
                    &mut out,
                );
                let near = |&out: &f32| (out - 1.0).abs() < 1e-4;
                assert!(out.iter().all(near), "{path}, {t} rows: {out:?}");
            }
        }
    }
}

/// A key may begin within the one before it: at a stride of 1 its numbers lie where a transposed block would have
/// them, and at 0 all keys are the same.
#[test]
fn keys_may_lie_in_each_other() {
    let (len, t) = (70, 21);
    for (h, row_stride) in [(1, 1), (3, 1), (6, 1), (6, 0)] {
        let numbers = super::numbers(1, len + h);
        let rows = Rows {
            numbers: Numbers::F32(&numbers),
            heads: 1,
            len,
            head_dim: h,
            head_stride: 0,
            row_stride,
        };
        let q = super::numbers(2, t * h);
        let result = |path| {
            let (cpu, mut out) = (Cpu::new(2, path), vec![f32::NAN; t * h]);
            attention(&cpu, &q, 1, rows, rows, 1.0, None, &mut out);
            out
        };
        let plain = result(Path::Scalar);
        for path in Path::tested() {
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            let all = result(path).iter().zip(&plain).all(near);
            assert!(all, "{path}, {h} numbers, {row_stride} apart");
        }
    }
}

/// What the documentation says of scores that f32 does not hold.
#[test]
fn scores_beneath_f32_are_seen_by_plain_rust_alone() {
    let rows = |number| Rows {
        numbers: Numbers::F32(number),
        heads: 1,
        len: 1,
        head_dim: 128,
        head_stride: 128,
        row_stride: 128,
    };
    let (keys, values) = (rows(&[-1e20; 128]), rows(&[1.0; 128]));
    for path in Path::tested() {
        for t in [1, 40] {
            let (cpu, mut out) = (Cpu::new(2, path), vec![9.0; t * 128]);
            let q = vec![1e20; t * 128];
            attention(&cpu, &q, 1, keys, values, 1.0, None, &mut out);
            let expected = if path == Path::Scalar { 1.0 } else { 0.0 };
            assert_eq!(out, vec![expected; t * 128], "{path}, {t} rows");
        }
    }
}

#[test]
fn scales_beyond_f32_in_powers_of_two_are_refused() {
    let rows = Rows {
        numbers: Numbers::F32(&[0.0; 4]),
        heads: 1,
        len: 1,
        head_dim: 4,
        head_stride: 4,
        row_stride: 4,
    };
    for scale in [2.5e38, f32::INFINITY, f32::NAN, 0.0, -1.0] {
        for path in Path::tested() {
            let caught = std::panic::catch_unwind(|| {
                let (cpu, mut out) = (Cpu::new(1, path), [0.0; 4]);
                attention(&cpu, &[0.0; 4], 1, rows, rows, scale, None, &mut out);
            });
            assert!(caught.is_err(), "{path}, {scale}");
        }
    }
}

/// Rows see one of two stretches, with keys between them that nobody sees.
fn stretches(t: usize) -> Case {
    let mut case = case(t, 700);
    let interval = |row: usize| [101..300, 399..601][row % 2].clone();
    case.visible = Some((0..t).map(interval).collect());
    case
}

#[test]
fn keys_that_a_row_does_not_see_may_hold_anything() {
    for t in [2, 40] {
        let case = stretches(t);
        let mut operands = case.operands();
        let expected = case.expected(&operands, &operands.q);
        // Of the second stretch, and of the gap.
        for key in (300..399).chain([400, 511]) {
            for head in 0..case.k {
                let start = head * operands.head_stride + key * operands.row_stride;
                operands.keys[start..start + case.h].fill([f32::NAN, f32::INFINITY][key % 2]);
            }
        }
        let width = case.k * case.group * case.h;
        for path in Path::tested() {
            for stored in Stored::ALL {
                let got = case.run(path, &operands, stored);
                for (row, (got, expected)) in
                    got.chunks(width).zip(expected.chunks(width)).enumerate()
                {
                    let error = distance(got, expected, 0.0);
                    let is_right = error < 0.02;
                    assert_eq!(
                        is_right,
                        row % 2 == 0,
                        "{path}, {stored:?}, {t} rows, row {row}: {error}"
                    );
                }
            }
        }
    }
}

/// The key behind the last that is seen would weigh more than all others: one short of the tile unit's steps and
/// chunks, too.
#[test]
fn the_key_behind_the_last_has_no_weight() {
    for end in [159, 255] {
        let mut case = case(40, 300);
        case.k = 1;
        // A row of another block sees it: it is packed.
        let mut visible = vec![0..end; 40];
        visible[39] = 0..300;
        case.visible = Some(visible);
        let mut operands = case.operands();
        operands.q.fill(0.5);
        // Exact in all storages.
        operands.keys[end * operands.row_stride..][..case.h].fill(0.984_375);
        let expected = case.expected(&operands, &operands.q);
        for (path, stored) in
            Path::tested().flat_map(|path| Stored::ALL.map(|stored| (path, stored)))
        {
            let got = case.run(path, &operands, stored);
            let error = distance(&got, &expected, 0.0);
            assert!(error < 0.02, "{path}, {stored:?}, {end} keys: {error}");
        }
    }
}

#[test]
fn scores_far_below_zero_leave_the_largest() {
    for t in [2, 40] {
        let mut case = case(t, 500);
        let mut operands = case.operands();
        // Every other row has ordinary ones.
        let width = case.k * case.group * case.h;
        for (row, q) in operands.q.chunks_exact_mut(width).enumerate() {
            q.fill([-1.0, 0.0][row % 2]);
        }
        operands.keys.iter_mut().for_each(|key| *key = key.abs());
        // 2³⁸, whose rounding is beyond any power's range; and beyond f32.
        for scale in [1e10, 2e37] {
            case.scale = scale;
            let expected = case.expected(&operands, &operands.q);
            for path in Path::tested() {
                for stored in Stored::ALL {
                    let got = case.run(path, &operands, stored);
                    let error = distance(&got, &expected, 0.0);
                    let what = format!("{path}, {stored:?}, {t} rows times {scale}");
                    assert!(error <= 0.02, "{what}: off by {error}");
                }
            }
        }
    }
}

/// Every path is off from the formula by `most` at most.
#[track_caller]
fn follows(case: &Case, operands: &Operands, most: f64, what: &str) {
    let expected = case.expected(operands, &operands.q);
    for path in Path::tested() {
        for stored in [Stored::F32, Stored::Bf16] {
            let got = case.run(path, operands, stored);
            let error = distance(&got, &expected, 0.0);
            assert!(error <= most, "{path}, {stored:?}, {what}: off by {error}");
        }
    }
}

/// Two scores of about 2²² are 1 apart, in one block or piece of keys, or in two.
#[test]
fn differences_of_large_scores_count() {
    let least = 2.0_f32.powi(-16);
    for (t, keys) in [2, 40]
        .into_iter()
        .flat_map(|t| [[50, 51], [50, 450], [450, 50]].map(|keys| (t, keys)))
    {
        let mut case = case(t, 500);
        case.scale = 1.0 / least;
        let mut operands = case.operands();
        operands.q.fill(1.0);
        for (head, key) in (0..case.k).flat_map(|head| (0..case.s).map(move |key| (head, key))) {
            let start = head * operands.head_stride + key * operands.row_stride;
            let lanes = &mut operands.keys[start..start + case.h];
            lanes.fill(if keys.contains(&key) { 1.0 } else { 0.0 });
            if keys.contains(&key) {
                lanes[0] = if keys[0] == key { least } else { 0.0 };
            }
        }
        follows(&case, &operands, 0.01, &format!("{t} rows, {keys:?}"));
    }
}

/// Those of the first chunk, for which there is no largest yet, and of others.
#[test]
fn equal_large_scores_weigh_alike() {
    for (t, number) in [2, 40]
        .into_iter()
        .flat_map(|t| [1.0, 0.75, 0.625, 0.5625].map(|number| (t, number)))
    {
        let mut case = case(t, 700);
        case.scale = 65536.0;
        let mut operands = case.operands();
        operands.q.fill(1.0);
        operands.keys.fill(number);
        for (index, value) in operands.values.iter_mut().enumerate() {
            let key = index % operands.head_stride / operands.row_stride;
            *value = if key < 128 { 1.0 } else { 0.0 };
        }
        follows(&case, &operands, 0.004, &format!("{t} rows of {number}"));
    }
}
