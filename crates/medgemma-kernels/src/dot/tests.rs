//! Every path gives the numbers of plain Rust, whatever the shape, and plain Rust those of the
//! formula.

use proptest::prelude::*;

use super::{DOT_I8_MAX_COLS, dot_i8, dot_u4};
use crate::Path;

/// Shapes `[m, n, cols]` with their numbers, the extremes often among them.
fn shapes() -> impl Strategy<Value = (usize, Vec<i8>, Vec<u8>)> {
    let number = || {
        prop_oneof![
            4 => any::<i8>(),
            1 => Just(i8::MIN),
            1 => Just(i8::MAX),
        ]
    };
    (1usize..=9, 0usize..=13, 1usize..=300).prop_flat_map(move |(m, n, cols)| {
        let bytes = prop::collection::vec(number().prop_map(i8::cast_unsigned), n * cols);
        (Just(cols), prop::collection::vec(number(), m * cols), bytes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_those_of_the_formula((cols, queries, rows) in shapes(), shift in 0usize..3) {
        let mut expected = Vec::new();
        for query in queries.chunks_exact(cols) {
            for row in rows.chunks_exact(cols) {
                let products = query.iter().zip(row).map(|(&q, &r)| i64::from(q) * i64::from(r as i8));
                expected.push(products.sum::<i64>());
            }
        }
        // At an address that is no multiple of anything.
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&rows);
        for path in Path::tested() {
            let mut sums = vec![7; expected.len()];
            dot_i8(path, &queries, &shifted[shift..], cols, &mut sums);
            let sums: Vec<i64> = sums.into_iter().map(i64::from).collect();
            prop_assert_eq!(&sums, &expected, "{}", path);
        }
    }
}

#[test]
fn the_longest_rows_of_the_largest_numbers_do_not_overflow() {
    let cols = DOT_I8_MAX_COLS;
    for (q, r) in [(i8::MIN, i8::MIN), (i8::MIN, i8::MAX), (i8::MAX, i8::MIN)] {
        let (queries, rows) = (vec![q; cols], vec![r.cast_unsigned(); cols * 5]);
        let expected = i64::from(q) * i64::from(r) * cols as i64;
        for path in Path::tested() {
            let mut sums = [0; 5];
            dot_i8(path, &queries, &rows, cols, &mut sums);
            assert!(
                sums.iter().all(|&sum| i64::from(sum) == expected),
                "{path}: {sums:?} is not {expected}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "length of the sums")]
fn sums_of_another_shape_are_refused() {
    dot_i8(Path::Scalar, &[1, 2], &[1, 2, 3, 4], 2, &mut [0; 3]);
}

/// Wrapped round, they are none. Their vectors would take 8 GiB.
#[test]
#[should_panic(expected = "length of the sums")]
fn more_sums_than_can_be_counted_are_refused() {
    super::expect_sums([1 << 32; 2], 0);
}

#[test]
#[should_panic(expected = "whole rows")]
fn half_a_row_is_refused() {
    dot_i8(Path::Scalar, &[1, 2], &[1, 2, 3], 2, &mut [0; 1]);
}

#[test]
#[should_panic(expected = "65537 columns")]
fn rows_whose_sums_could_overflow_are_refused() {
    let cols = DOT_I8_MAX_COLS + 1;
    dot_i8(Path::Scalar, &vec![0; cols], &vec![0; cols], cols, &mut [0]);
}

/// Shapes `[m, n, cols]` of [`dot_u4`] with their numbers, the extremes often among them.
fn nibbles() -> impl Strategy<Value = (usize, Vec<i8>, Vec<u8>)> {
    let query = prop_oneof![4 => any::<i8>(), 1 => Just(i8::MIN), 1 => Just(i8::MAX)];
    let byte = prop_oneof![4 => any::<u8>(), 1 => Just(0xFF), 1 => Just(0xF0), 1 => Just(0x0F)];
    (1usize..=4, 0usize..=9, 1usize..=300).prop_flat_map(move |(m, n, half)| {
        let rows = prop::collection::vec(byte.clone(), n * half);
        let queries = prop::collection::vec(query.clone(), m * half * 2);
        (Just(half * 2), queries, rows)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_of_four_bits_are_those_of_the_formula((cols, queries, rows) in nibbles(), shift in 0usize..3) {
        let mut expected = Vec::new();
        for query in queries.chunks_exact(cols) {
            for row in rows.chunks_exact(cols / 2) {
                let column = |c: usize| match c < cols / 2 {
                    true => row[c] & 15,
                    false => row[c - cols / 2] >> 4,
                };
                let products = query.iter().enumerate().map(|(c, &q)| i64::from(q) * i64::from(column(c)));
                expected.push(products.sum::<i64>());
            }
        }
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(&rows);
        for path in Path::tested() {
            let mut sums = vec![7; expected.len()];
            dot_u4(path, &queries, &shifted[shift..], cols, &mut sums);
            let sums: Vec<i64> = sums.into_iter().map(i64::from).collect();
            prop_assert_eq!(&sums, &expected, "{}", path);
        }
    }
}

#[test]
fn the_longest_rows_of_four_bits_do_not_overflow() {
    let cols = DOT_I8_MAX_COLS;
    for q in [i8::MIN, i8::MAX] {
        let (queries, rows) = (vec![q; cols], vec![0xFF; cols / 2 * 3]);
        let expected = i64::from(q) * 15 * cols as i64;
        for path in Path::tested() {
            let mut sums = [0; 3];
            dot_u4(path, &queries, &rows, cols, &mut sums);
            assert!(
                sums.iter().all(|&sum| i64::from(sum) == expected),
                "{path}: {sums:?} is not {expected}"
            );
        }
    }
}

#[test]
#[should_panic(expected = "3 columns, of an even number")]
fn an_odd_number_of_columns_of_four_bits_is_refused() {
    dot_u4(Path::Scalar, &[1, 2, 3], &[1], 3, &mut [0]);
}

#[test]
#[should_panic(expected = "whole rows")]
fn half_a_row_of_four_bits_is_refused() {
    dot_u4(Path::Scalar, &[1, 2, 3, 4], &[1, 2, 3], 4, &mut [0]);
}

#[test]
#[should_panic(expected = "length of the sums")]
fn sums_of_four_bits_of_another_shape_are_refused() {
    dot_u4(Path::Scalar, &[1, 2, 3, 4], &[1, 2], 4, &mut [0; 2]);
}
