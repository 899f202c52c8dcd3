//! Products that come out alike to the bit, whatever goes by beside them.

use super::{FORMATS, activations, blocks};
use crate::blocks::linear_many;
use crate::cpu::{Cpu, Path};
use crate::matrix::Matrix;

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
        for path in Path::tested().filter(|&path| path >= Path::Avx2) {
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
