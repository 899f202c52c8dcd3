//! Every path gives the bytes of plain Rust, whatever the table.

use proptest::prelude::*;

use super::{ResizeTable, resize_columns, resize_rows};
use crate::Path;

/// A table that reads `input` positions: arbitrary windows, with the weights of a mean, with
/// overshoot on both sides or, to tell wrapping sums apart, with any at all.
fn table(input: usize) -> impl Strategy<Value = ResizeTable> {
    let weight = |bits: u32| {
        let unit = 1i32 << bits;
        prop_oneof![0..=unit, -unit..=2 * unit, any::<i32>()]
    };
    let windows = move |bits| {
        let window = (0..=input).prop_flat_map(move |start| {
            (
                Just(start),
                prop::collection::vec(weight(bits), 0..=(input - start).min(9)),
            )
        });
        (Just(bits), prop::collection::vec(window, 0..40))
    };
    (1u32..=22)
        .prop_flat_map(windows)
        .prop_map(|(bits, windows)| {
            let mut table = ResizeTable::new(bits);
            for (start, weights) in windows {
                table.push(start, weights);
            }
            table
        })
}

/// A picture of `[height, width, 3]` samples and a table for an axis of `input` positions.
fn picture(across: bool) -> impl Strategy<Value = (usize, Vec<u8>, ResizeTable)> {
    (1usize..60, 1usize..20).prop_flat_map(move |(width, height)| {
        let samples = prop::collection::vec(any::<u8>(), width * height * 3);
        (
            Just(width),
            samples,
            table(if across { width } else { height }),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_those_of_plain_rust((width, data, table) in picture(true)) {
        let len = data.len() / width * table.len();
        let mut expected = vec![0; len];
        resize_rows(Path::Scalar, &data, width, &table, &mut expected);
        for path in Path::tested() {
            let mut out = vec![7; len];
            resize_rows(path, &data, width, &table, &mut out);
            prop_assert_eq!(&out, &expected, "{}", path);
        }
    }

    #[test]
    fn columns_are_those_of_plain_rust((width, data, table) in picture(false)) {
        let len = width * 3 * table.len();
        let mut expected = vec![0; len];
        resize_columns(Path::Scalar, &data, width * 3, &table, &mut expected);
        for path in Path::tested() {
            let mut out = vec![7; len];
            resize_columns(path, &data, width * 3, &table, &mut out);
            prop_assert_eq!(&out, &expected, "{}", path);
        }
    }
}

/// Half of 10 and 21 is 15.5, which rounds up; −0.5 of 3 is below 0; twice 200 is above 255.
#[test]
fn sums_are_rounded_and_clipped() {
    let mut table = ResizeTable::new(4);
    table.push(0, [8, 8]);
    table.push(1, [-8]);
    table.push(0, [32]);
    table.push(1, []);
    let (row, turned) = (
        [10, 3, 200, 21, 3, 0],
        [16, 3, 100, 0, 0, 0, 20, 6, 255, 0, 0, 0],
    );
    for path in Path::tested() {
        // The last row is read with more care than those before it.
        let mut out = [7; 24];
        resize_rows(path, &row.repeat(2), 2, &table, &mut out);
        assert_eq!(out[..], turned.repeat(2), "{path}");
        let mut out = [7; 12];
        resize_columns(path, &row, 3, &table, &mut out);
        assert_eq!(out, turned, "{path}");
    }
}

#[test]
#[should_panic(expected = "a window ends beyond the row")]
fn a_window_beyond_the_row_is_refused() {
    let mut table = ResizeTable::new(4);
    table.push(1, [8, 8]);
    resize_rows(Path::Scalar, &[0; 6], 2, &table, &mut [0; 3]);
}

#[test]
#[should_panic(expected = "a window ends beyond the column")]
fn a_window_beyond_the_column_is_refused() {
    let mut table = ResizeTable::new(4);
    table.push(1, [8, 8]);
    resize_columns(Path::Scalar, &[0; 6], 3, &table, &mut [0; 3]);
}

/// Wrapped round, three times this width are 2.
#[test]
#[should_panic(expected = "whole rows")]
fn a_row_longer_than_can_be_counted_is_refused() {
    let mut table = ResizeTable::new(4);
    table.push(0, [8, 8]);
    resize_rows(
        Path::Scalar,
        &[0; 8],
        usize::MAX / 3 + 1,
        &table,
        &mut [0; 12],
    );
}
