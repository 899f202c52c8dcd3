//! Inner products with rows of 8-bit and of 4-bit integers: what a search over an archive of embeddings
//! spends its time on.
//!
//! Integer sums are exact, so every path gives the same numbers. One query row is bound by memory;
//! several share each load of the 8-bit rows, which is what makes comparing all rows with all possible.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod u4_avx2;
#[cfg(target_arch = "x86_64")]
mod u4_avx512;
#[cfg(target_arch = "aarch64")]
mod u4_neon;

use crate::cpu::Path;

/// The most columns of [`dot_i8`] and [`dot_u4`]: the largest sum, 2¹⁶ products of −128 and −128, is then below 2³¹.
pub const DOT_I8_MAX_COLS: usize = 1 << 16;

/// The inner product of every query with every row, on the calling thread:
/// `sums[q · n + r] = Σ queries[q][c] · rows[r][c]`. Exact for all 8-bit integers.
///
/// A caller with many rows cuts them into blocks, and reads each block's sums while they are in the
/// cache. With AVX2 the four quarters of such a block are read side by side. On x86-64 the memory that
/// follows `rows` may be fetched ahead, whatever lies there.
///
/// - `queries`: `[m, cols]`
/// - `rows`: `[n, cols]`, each byte an integer in two's complement, at any alignment: a mapped file
///   as it is
/// - `sums`: `[m, n]`
///
/// # Panics
/// When lengths do not fit each other, `cols` is 0 or above [`DOT_I8_MAX_COLS`], or the processor
/// lacks `path`.
pub fn dot_i8(path: Path, queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    assert!(path.is_available(), "this processor has no {path}");
    assert!(
        (1..=DOT_I8_MAX_COLS).contains(&cols),
        "{cols} columns, of 1 to {DOT_I8_MAX_COLS}"
    );
    assert!(queries.len().is_multiple_of(cols), "whole queries");
    assert!(rows.len().is_multiple_of(cols), "whole rows");
    let shape = [queries.len() / cols, rows.len() / cols];
    expect_sums(shape, sums.len());
    if sums.is_empty() {
        return;
    }
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX-512 with VNNI, and the lengths are as just checked.
        Path::Avx512 | Path::Amx => unsafe { avx512::dot(queries, rows, cols, sums) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX2, and the lengths are as just checked.
        Path::Avx2 => unsafe { avx2::dot(queries, rows, cols, sums) },
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the processor has Advanced SIMD, and the lengths are as just checked.
        Path::Neon => unsafe { neon::dot(queries, rows, cols, sums) },
        _ => scalar::dot(queries, rows, cols, sums),
    }
}

/// Panics unless there are so many sums: `[m, n]`, whose product may be too large to be counted.
fn expect_sums([m, n]: [usize; 2], sums: usize) {
    assert_eq!(m.checked_mul(n), Some(sums), "length of the sums");
}

/// The inner product of every query with every row of 4-bit integers, 0 to 15, on the calling thread:
/// `sums[q · n + r] = Σ queries[q][c] · rows[r][c]`. Exact for all 8-bit integers of the queries.
///
/// Two columns lie in a byte: of the `cols` columns of a row, an even number, byte `j` has column `j` in its
/// low four bits, and column `cols / 2 + j` in its high ones. A row of an odd number of columns gets one
/// more, and its query a 0 there.
///
/// As [`dot_i8`], it wants blocks of rows, and on x86-64 fetches ahead what follows `rows`.
///
/// - `queries`: `[m, cols]`
/// - `rows`: `[n, cols / 2]`, at any alignment
/// - `sums`: `[m, n]`
///
/// # Panics
/// When lengths do not fit each other, `cols` is odd, 0 or above [`DOT_I8_MAX_COLS`], or the processor
/// lacks `path`.
pub fn dot_u4(path: Path, queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    assert!(path.is_available(), "this processor has no {path}");
    assert!(
        (2..=DOT_I8_MAX_COLS).contains(&cols) && cols.is_multiple_of(2),
        "{cols} columns, of an even number up to {DOT_I8_MAX_COLS}"
    );
    assert!(queries.len().is_multiple_of(cols), "whole queries");
    assert!(rows.len().is_multiple_of(cols / 2), "whole rows");
    let shape = [queries.len() / cols, rows.len() / (cols / 2)];
    expect_sums(shape, sums.len());
    if sums.is_empty() {
        return;
    }
    for (query, sums) in queries
        .chunks_exact(cols)
        .zip(sums.chunks_exact_mut(shape[1]))
    {
        let (low, high) = query.split_at(cols / 2);
        match path {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX-512 with VNNI.
            Path::Avx512 | Path::Amx => unsafe { u4_avx512::dot([low, high], rows, sums) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX2.
            Path::Avx2 => unsafe { u4_avx2::dot([low, high], rows, sums) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: the processor has Advanced SIMD.
            Path::Neon => unsafe { u4_neon::dot([low, high], rows, sums) },
            _ => scalar::dot_u4([low, high], rows, sums),
        }
    }
}
