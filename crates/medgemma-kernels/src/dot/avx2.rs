//! AVX2: bytes widened to 16 bits, whose products are added in pairs. The instruction that multiplies
//! bytes as they are would clip sums of two.

use core::arch::x86_64::*;

use super::scalar::products;

/// Rows that share each load of the queries. They lie far apart, so that each is a stream of its own that the
/// processor fetches ahead: out of memory four streams took 0.8 to 0.9 of the time of one, and four rows side
/// by side one and a half times as long as these streams.
const ROWS: usize = 4;
/// Queries that share each load of a row; more would not leave registers for the sums.
const QUERIES: usize = 2;

/// See [`super::dot_i8`].
///
/// # Safety
/// Queries and rows are whole, at least one of each, and `sums` has a number for each pair.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dot(queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    let count = rows.len() / cols;
    let groups = queries.chunks(QUERIES * cols);
    for (queries, sums) in groups.zip(sums.chunks_mut(QUERIES * count)) {
        if queries.len() == cols {
            tiles::<1>(queries, rows, cols, sums);
        } else {
            tiles::<QUERIES>(queries, rows, cols, sums);
        }
    }
}

/// `Q` queries with all rows.
#[target_feature(enable = "avx2")]
fn tiles<const Q: usize>(queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    let count = rows.len() / cols;
    let queries: [&[i8]; Q] = std::array::from_fn(|q| &queries[q * cols..][..cols]);
    let row = |row: usize| &rows[row * cols..][..cols];
    let mut put = |row: usize, products: [i32; Q]| {
        for q in 0..Q {
            sums[q * count + row] = products[q];
        }
    };
    let stream = count / ROWS;
    for first in 0..stream {
        let tile = tile::<ROWS, Q>(queries, std::array::from_fn(|r| row(first + r * stream)));
        for (r, products) in tile.into_iter().enumerate() {
            put(first + r * stream, products);
        }
    }
    for last in ROWS * stream..count {
        let [products] = tile::<1, Q>(queries, [row(last)]);
        put(last, products);
    }
}

/// The products of `R` rows with `Q` queries, all of one length.
#[inline]
#[target_feature(enable = "avx2")]
fn tile<const R: usize, const Q: usize>(queries: [&[i8]; Q], rows: [&[u8]; R]) -> [[i32; Q]; R] {
    let cols = rows[0].len();
    let rows: [&[u8]; R] = rows.map(|row| &row[..cols]);
    let queries: [&[i8]; Q] = queries.map(|query| &query[..cols]);
    let mut sums = [[_mm256_setzero_si256(); Q]; R];
    let whole = cols / 16 * 16;
    let mut at = 0;
    while at < whole {
        // SAFETY: every row and query has `cols` bytes, of which 16 are left.
        let q = queries.map(|query| unsafe { widened(query.as_ptr().add(at).cast()) });
        for (row, sums) in rows.iter().zip(&mut sums) {
            // SAFETY: as above.
            let r = unsafe { widened(row.as_ptr().add(at)) };
            for (sum, q) in sums.iter_mut().zip(q) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(r, q));
            }
        }
        at += 16;
    }
    std::array::from_fn(|r| {
        std::array::from_fn(|q| {
            total(sums[r][q]).wrapping_add(products(&queries[q][whole..], &rows[r][whole..]))
        })
    })
}

/// Sixteen signed bytes as numbers of 16 bits.
///
/// # Safety
/// The bytes are readable.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn widened(bytes: *const u8) -> __m256i {
    // SAFETY: the caller's word.
    _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(bytes.cast()) })
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn total(sums: __m256i) -> i32 {
    let four = _mm_add_epi32(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    );
    let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b00_00_11_10>(four));
    _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<1>(two)))
}
