//! AVX-512 with VNNI: 64 products an instruction.
//!
//! `vpdpbusd` multiplies unsigned with signed bytes. Flipping the top bit of a row's integers adds
//! 128 to each, which makes them unsigned; what that adds to the sum, 128 times the sum of the
//! query, is the same for all rows. Sums wrap, so the difference is exact.

use core::arch::x86_64::*;

/// Rows that share each load of several queries. A single query waits for memory and nothing else, which
/// it reads from front to back: rows side by side took longer. Streams far apart, as in `avx2.rs`, were not tried on
/// such a processor.
const ROWS: usize = 4;
/// Queries that share each load of a row.
const QUERIES: usize = 4;
/// Bytes that rows are fetched ahead, for each row that is read at a time: the processor's own
/// fetching ends at each page of 4 KiB. They go into the second cache: the first one has few open
/// requests, which the loads themselves need.
const AHEAD: usize = 4 << 10;

/// See [`super::dot_i8`].
///
/// # Safety
/// Queries and rows are whole, at least one of each, and `sums` has a number for each pair.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn dot(queries: &[i8], rows: &[u8], cols: usize, sums: &mut [i32]) {
    let count = rows.len() / cols;
    let groups = queries.chunks(QUERIES * cols);
    for (queries, sums) in groups.zip(sums.chunks_mut(QUERIES * count)) {
        match queries.len() / cols {
            1 => tiles::<1, 1>(queries, rows, cols, sums),
            2 => tiles::<ROWS, 2>(queries, rows, cols, sums),
            3 => tiles::<ROWS, 3>(queries, rows, cols, sums),
            _ => tiles::<ROWS, QUERIES>(queries, rows, cols, sums),
        }
    }
}

/// `Q` queries with all rows, `R` of them at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tiles<const R: usize, const Q: usize>(
    queries: &[i8],
    rows: &[u8],
    cols: usize,
    sums: &mut [i32],
) {
    let count = rows.len() / cols;
    let queries: [&[i8]; Q] = std::array::from_fn(|q| &queries[q * cols..][..cols]);
    let surplus = queries.map(|query| surplus(query));
    let mut first = 0;
    while first < count {
        let rows = &rows[first * cols..];
        let mut put = |row: usize, products: [i32; Q]| {
            for q in 0..Q {
                sums[q * count + first + row] = products[q].wrapping_sub(surplus[q]);
            }
        };
        if count - first >= R {
            let tile = tile::<R, Q>(queries, rows, cols);
            for (row, products) in tile.into_iter().enumerate() {
                put(row, products);
            }
            first += R;
        } else {
            let [products] = tile::<1, Q>(queries, rows, cols);
            put(0, products);
            first += 1;
        }
    }
}

/// What unsigned rows add to every sum.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn surplus(query: &[i8]) -> i32 {
    let mut sum = _mm512_setzero_si512();
    for chunk in query.chunks(64) {
        // SAFETY: the mask takes no more bytes than the chunk has.
        let q = unsafe { _mm512_maskz_loadu_epi8(mask(chunk.len()), chunk.as_ptr()) };
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(i8::MIN), q);
    }
    _mm512_reduce_add_epi32(sum)
}

/// The products of the first `R` rows, taken as unsigned, with `Q` queries.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tile<const R: usize, const Q: usize>(
    queries: [&[i8]; Q],
    rows: &[u8],
    cols: usize,
) -> [[i32; Q]; R] {
    let rows: [&[u8]; R] = std::array::from_fn(|r| &rows[r * cols..][..cols]);
    let queries: [&[i8]; Q] = queries.map(|query| &query[..cols]);
    let flip = _mm512_set1_epi8(i8::MIN);
    let mut sums = [[_mm512_setzero_si512(); Q]; R];
    let mut at = 0;
    while at + 64 <= cols {
        // SAFETY: every row and query has `cols` bytes, of which 64 are left.
        let q = queries.map(|query| unsafe { _mm512_loadu_si512(query.as_ptr().add(at).cast()) });
        for (row, sums) in rows.iter().zip(&mut sums) {
            let start = row.as_ptr();
            // Fetching from an address that is not readable does nothing.
            _mm_prefetch::<_MM_HINT_T1>(start.wrapping_add(at + R * AHEAD).cast());
            // SAFETY: as above.
            let r = _mm512_xor_si512(unsafe { _mm512_loadu_si512(start.add(at).cast()) }, flip);
            for (sum, q) in sums.iter_mut().zip(q) {
                *sum = _mm512_dpbusd_epi32(*sum, r, q);
            }
        }
        at += 64;
    }
    if at < cols {
        let mask = mask(cols - at);
        // SAFETY: the mask takes no more bytes than are left. Where it takes none the query is zero.
        let q =
            queries.map(|query| unsafe { _mm512_maskz_loadu_epi8(mask, query.as_ptr().add(at)) });
        for (row, sums) in rows.iter().zip(&mut sums) {
            // SAFETY: as above.
            let r = unsafe { _mm512_maskz_loadu_epi8(mask, row.as_ptr().add(at).cast()) };
            let r = _mm512_xor_si512(r, flip);
            for (sum, q) in sums.iter_mut().zip(q) {
                *sum = _mm512_dpbusd_epi32(*sum, r, q);
            }
        }
    }
    sums.map(|sums| sums.map(|sum| _mm512_reduce_add_epi32(sum)))
}

/// The bytes that `len` of them fill, at most 64.
#[inline]
fn mask(len: usize) -> __mmask64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}
