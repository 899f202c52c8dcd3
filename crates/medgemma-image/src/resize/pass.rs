//! The two passes over 8-bit RGB rows. Sums are `i32` and exact, so the order of additions does not matter and the
//! compiler may vectorise; every sum starts at half a unit, is shifted and clipped.

use super::table::FixedTable;

/// Resizes every row: `[rows, width, 3]` to `[rows, table.len(), 3]`.
pub(super) fn horizontal(data: &[u8], width: usize, table: &FixedTable) -> Vec<u8> {
    let rows = data.len() / (width * 3);
    let mut out = vec![0; rows * table.len() * 3];
    let inputs = data.chunks_exact(width * 3);
    for (input, output) in inputs.zip(out.chunks_exact_mut(table.len() * 3)) {
        for ((window, weights), pixel) in table.rows().zip(output.chunks_exact_mut(3)) {
            let span = &input[window.start * 3..(window.start + window.len) * 3];
            let [mut r, mut g, mut b] = [table.half(); 3];
            for (p, &w) in span.chunks_exact(3).zip(weights) {
                r += i32::from(p[0]) * w;
                g += i32::from(p[1]) * w;
                b += i32::from(p[2]) * w;
            }
            pixel.copy_from_slice(&[table.round(r), table.round(g), table.round(b)]);
        }
    }
    out
}

/// Resizes every column: `[rows, width, 3]` to `[table.len(), width, 3]`.
pub(super) fn vertical(data: &[u8], width: usize, table: &FixedTable) -> Vec<u8> {
    let stride = width * 3;
    let mut out = vec![0; table.len() * stride];
    let mut sums = vec![0; stride];
    for ((window, weights), output) in table.rows().zip(out.chunks_exact_mut(stride)) {
        sums.fill(table.half());
        let rows = data[window.start * stride..].chunks_exact(stride);
        for (row, &w) in rows.zip(weights) {
            for (sum, &v) in sums.iter_mut().zip(row) {
                *sum += i32::from(v) * w;
            }
        }
        for (sample, &sum) in output.iter_mut().zip(&sums) {
            *sample = table.round(sum);
        }
    }
    out
}
