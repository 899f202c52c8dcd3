//! The two passes over 8-bit RGB rows, with the best instructions of this processor: every path of the kernels gives
//! the same bytes.

use medgemma_kernels::{Path, ResizeTable, resize_columns, resize_rows};

/// Resizes every row: `[rows, width, 3]` to `[rows, table.len(), 3]`.
pub(super) fn horizontal(data: &[u8], width: usize, table: &ResizeTable) -> Vec<u8> {
    let rows = data.len() / (width * 3);
    let mut out = vec![0; rows * table.len() * 3];
    resize_rows(Path::best(), data, width, table, &mut out);
    out
}

/// Resizes every column: `[rows, width, 3]` to `[table.len(), width, 3]`.
pub(super) fn vertical(data: &[u8], width: usize, table: &ResizeTable) -> Vec<u8> {
    let stride = width * 3;
    let mut out = vec![0; table.len() * stride];
    resize_columns(Path::best(), data, stride, table, &mut out);
    out
}
