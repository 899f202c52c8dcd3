//! Rows of weights that are too wide for their activations to stay in the first-level cache go by in
//! stretches of their columns.

use std::ops::Range;

use crate::lines::Line;
use crate::matrix::{Format, Matrix};

use super::few::Row;
use super::packed::CHUNK;

/// Bytes of activations at most that rows of weights go by together: what does not stay in the first-level
/// cache, of 32 or 48 kB, every two rows of weights fetch again. With AVX-512 24 kB were a tenth slower where
/// 30 kB are all, 40 kB no faster.
const NEAR: usize = 32 << 10;

/// Sums that are not yet added up, of two rows of weights with eight of activations.
pub(super) type Kept = [[Line; 8]; 2];

/// What two rows of weights go through at once.
pub(super) struct Stretch<'a> {
    /// Of these chunks.
    pub(super) chunks: Range<usize>,
    /// From the weights in use to those that memory is asked for, in bytes.
    pub(super) ahead: isize,
    /// From the stretch before and for the one after, where there are several.
    pub(super) kept: Option<&'a mut Kept>,
}

/// The sums of two rows of weights with each of `m` rows of activations, `out[..][..m]`, after the last of the
/// stretches.
///
/// Rows, stretch and sums are by reference: to copy what has just been written in parts waits for it to reach
/// the cache.
pub(super) type TwoRows =
    unsafe fn(Format, &[Row<'_>; 2], &[Line], usize, &mut Stretch<'_>, &mut [[f32; 8]; 2]);

/// Calls `put` with each of some rows of weights and its sums with `m` rows of activations, as `two_rows`
/// makes them. `ahead` is for rows that go by whole.
///
/// With AVX-512 stretches took 0.5 to 0.65 of the time for 5 to 8 rows of activations, 10240 columns and any
/// format, 0.7 to 0.8 for 3 and 4.
///
/// # Panics
/// When `two_rows` does, or there are no such rows.
///
/// # Safety
/// `two_rows` may be called.
pub(super) unsafe fn piece(
    two_rows: TwoRows,
    ahead: isize,
    weight: Matrix<'_>,
    rows: Range<usize>,
    lines: &[Line],
    m: usize,
    mut put: impl FnMut(usize, &[f32; 8]),
) {
    let chunks = weight.cols().div_ceil(CHUNK);
    let each = match rows.len() {
        // They alone would find nothing in the cache again.
        ..=2 => chunks.max(1),
        _ => stretch(chunks, size_of_val(lines)),
    };
    let stretches = chunks.div_ceil(each);
    // Each of the two rows goes on where the one before it ended: a processor foresees that, which it
    // does not of neighbours that take turns.
    let half = rows.len().div_ceil(2);
    let len = weight.row(rows.start).len();
    let ahead = if stretches > 1 {
        len.cast_signed()
    } else {
        ahead
    };
    let mut kept = vec![[[Line([0; 64]); 8]; 2]; if stretches > 1 { half } else { 0 }];
    // Without columns, sums of nothing are put.
    for start in (0..chunks.max(1)).step_by(each) {
        let end = chunks.min(start + each);
        for index in 0..half {
            let row = rows.start + index;
            // An odd last row is taken twice.
            let next = (row + half).min(rows.end - 1);
            let pair = [row, next].map(|row| Row::new(weight, row, len));
            let mut stretch = Stretch {
                chunks: start..end,
                ahead,
                kept: kept.get_mut(index),
            };
            let mut sums = [[0.0; 8]; 2];
            // SAFETY: the caller's word.
            unsafe { two_rows(weight.format(), &pair, lines, m, &mut stretch, &mut sums) };
            if end == chunks {
                put(row, &sums[0]);
                put(next, &sums[1]);
            }
        }
    }
}

/// Chunks of a stretch, of `chunks` whose activations are some `bytes` together.
fn stretch(chunks: usize, bytes: usize) -> usize {
    let most = NEAR * chunks / bytes.max(1);
    let stretches = chunks.div_ceil(most.max(1)).max(1);
    chunks.div_ceil(stretches).max(1)
}
