//! The work around the products, by path.

use super::{BLOCK, Crossed, Halves, LANES, ROWS, TOKENS, plain};
use crate::cpu::Path;
use crate::linear::output::Output;
use crate::lines::Line;

/// Rounds up to 32 tokens of `cols` numbers to the lines of their panel, whose further columns
/// become zero.
pub(super) fn pack(path: Path, x: &[f32], cols: usize, lines: &mut [Line]) {
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx512 {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        return unsafe { super::vectors_avx512::pack(x, cols, lines) };
    }
    let _ = path;
    plain::pack(x, cols, lines);
}

/// Turns 16 rows of bytes, `stride` apart, into lines of pairs: of each of `steps` steps 16, every
/// 48 lines.
///
/// # Panics
/// When bytes or lines are too few.
pub(super) fn turn(path: Path, bytes: &[u8], stride: usize, steps: usize, place: &mut [Line]) {
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx512 {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        return unsafe { super::vectors_avx512::turn(bytes, stride, steps, place) };
    }
    let _ = path;
    plain::turn(bytes, stride, steps, place);
}

/// The sums of each token, a row after the other.
pub(super) fn turned(path: Path, sums: &Crossed) -> [[f32; TOKENS]; TOKENS] {
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx512 {
        // SAFETY: the processor has the path (`Cpu`'s promise).
        return unsafe { super::vectors_avx512::turned(sums) };
    }
    let _ = path;
    plain::turned(sums)
}

/// Writes a block's sums as outputs `row` and following of tokens `token` and following, as far as
/// there are such; or adds them to these.
///
/// # Safety
/// No other thread writes these outputs.
pub(super) unsafe fn put(
    path: Path,
    sums: &[f32; BLOCK],
    token: usize,
    row: usize,
    out: &Output<'_>,
    added: bool,
) {
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx512 {
        // SAFETY: the processor has the path (`Cpu`'s promise); the caller's promise.
        return unsafe { super::vectors_avx512::put(sums, token, row, out, added) };
    }
    let _ = path;
    // SAFETY: the caller's promise.
    unsafe { plain::put(sums, token, row, out, added) }
}

/// Rounds a block's numbers of `group` to columns of tokens `token` and following. Of `rows` columns
/// in all, those that are not there become zero, to the end of the last step.
///
/// # Safety
/// No other thread writes these columns.
pub(super) unsafe fn round(
    path: Path,
    sums: &[f32; BLOCK],
    token: usize,
    group: usize,
    rows: usize,
    into: &Halves<'_>,
) {
    const PIECES: usize = ROWS / LANES;
    let last = (group + 1) * ROWS >= rows;
    let end = if last {
        2 * into.steps
    } else {
        (group + 1) * PIECES
    };
    let pieces = group * PIECES..end;
    #[cfg(target_arch = "x86_64")]
    if path >= Path::Avx512 {
        // SAFETY: the processor has the path (`Cpu`'s promise); the caller's promise.
        return unsafe { super::vectors_avx512::round(sums, token, pieces, rows, into) };
    }
    let _ = path;
    // SAFETY: the caller's promise.
    unsafe { plain::round(sums, token, pieces, rows, into) }
}
