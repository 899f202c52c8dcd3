//! What is no number, and the tiniest that are, in products of blocks.

use super::{FORMATS, activations, blocks};
use crate::blocks::linear_many;
use crate::cpu::{Cpu, Path};
use crate::matrix::{Format, Matrix};

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
        for path in Path::tested() {
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
fn what_is_no_number_shows() {
    for format in FORMATS {
        let bytes = blocks(format, 3, 512, 4);
        let weight = Matrix::new(format, 3, 512, &bytes);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            // Alone, and with another in the other half of its group.
            for places in [&[700][..], &[700, 680]] {
                let mut x = activations(1024, 4);
                places.iter().for_each(|&place| x[place] = bad);
                for path in Path::tested() {
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
            for path in Path::tested() {
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
        for path in Path::tested() {
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
                for path in Path::tested() {
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
