//! Plain Rust: the specification.

/// See [`super::dot_i8`]; lengths have been checked.
pub(super) fn dot(queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    let count = rows.len() / cols;
    for (query, sums) in queries.chunks_exact(cols).zip(sums.chunks_exact_mut(count)) {
        for (row, sum) in rows.chunks_exact(cols).zip(sums) {
            *sum = products(query, row);
        }
    }
}

/// The sum of the products of two rows.
pub(super) fn products(query: &[i8], row: &[u8]) -> i32 {
    let pairs = query.iter().zip(row);
    pairs
        .map(|(&q, &r)| i32::from(q) * i32::from(r.cast_signed()))
        .sum()
}

/// See [`super::dot_u4`]: one query, its columns of the low bits and those of the high ones.
pub(super) fn dot_u4(query: [&[i8]; 2], rows: &[u8], sums: &mut [i32]) {
    for (row, sum) in rows.chunks_exact(query[0].len()).zip(sums) {
        *sum = products_u4(query, row);
    }
}

/// The sum of the products of a query with a row.
pub(super) fn products_u4([low, high]: [&[i8]; 2], row: &[u8]) -> i32 {
    let columns = row.iter().zip(low.iter().zip(high));
    columns
        .map(|(&r, (&l, &h))| i32::from(r & 15) * i32::from(l) + i32::from(r >> 4) * i32::from(h))
        .sum()
}
