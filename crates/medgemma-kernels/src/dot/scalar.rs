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
