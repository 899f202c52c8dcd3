//! The products of the tile unit (Intel SDM vol. 1, chapter 18: AMX), in assembly, for which Rust has
//! no stable intrinsics.

use std::arch::asm;
use std::marker::PhantomData;

use super::tiles::{Crossed, ROWS, Sums, TOKENS};
use crate::amx::{Config, release};
use crate::lines::Line;

/// Bytes of a row of a tile.
const ROW_BYTES: usize = 64;

/// Bytes of a tile.
const TILE_BYTES: usize = 16 * ROW_BYTES;

/// Adds `$count` times `$step` to twice two tiles of sums, which are read before and written after.
macro_rules! four_tiles {
    ($sums:expr, [$($step:literal)*], $count:expr, $($operands:tt)*) => {{
        let [first, second] = $sums;
        asm!(
            "tileloadd tmm0, [{first} + {row}]",
            "tileloadd tmm1, [{first} + {row} + {tile}]",
            "tileloadd tmm2, [{second} + {row}]",
            "tileloadd tmm3, [{second} + {row} + {tile}]",
            "2:",
            $($step,)*
            "dec {count}",
            "jnz 2b",
            "tilestored [{first} + {row}], tmm0",
            "tilestored [{first} + {row} + {tile}], tmm1",
            "tilestored [{second} + {row}], tmm2",
            "tilestored [{second} + {row} + {tile}], tmm3",
            tile = const TILE_BYTES,
            row = in(reg) ROW_BYTES,
            first = in(reg) first.as_mut_ptr(),
            second = in(reg) second.as_mut_ptr(),
            count = inout(reg) $count => _,
            $($operands)*,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        )
    }};
}

/// The tile unit of this thread, configured. Of another thread it would not be: hence the pointer,
/// which is not sent.
pub(super) struct Unit(PhantomData<*const ()>);

impl Unit {
    /// # Safety
    /// The processor has AMX with bf16, and the system lets this process use it. Until it is
    /// dropped, nothing else of this thread uses the unit.
    pub(super) unsafe fn new() -> Self {
        // SAFETY: the caller's promise.
        unsafe { Config::WHOLE.load() };
        Self(PhantomData)
    }

    /// `sums[token][row] = bias[row] + Σ tokens[step][token] · weights[step][row]`: two tiles of tokens
    /// times three of weights. Both stream from the second-level cache, which gives a line a cycle:
    /// six products of 16 cycles take five tiles of it, and the two of weights that are loaded again
    /// are in the first-level cache still.
    ///
    /// The sums of a token are `pitch` numbers behind those of the one before.
    ///
    /// # Panics
    /// When the slices are of other steps: `tokens` has 32 lines a step, `weights` 48.
    ///
    /// # Safety
    /// At `sums` and every `pitch` numbers there are 48 numbers, 32 times, which nothing else reads or
    /// writes meanwhile.
    pub(super) unsafe fn multiply(
        &self,
        tokens: &[Line],
        weights: &[Line],
        bias: &[Line; 3],
        sums: *mut f32,
        pitch: usize,
    ) {
        let count = tokens.len() / TOKENS;
        assert!(
            count > 0 && tokens.len() == count * TOKENS && weights.len() == count * ROWS,
            "steps of tokens and of weights"
        );
        // SAFETY: reads `count` times two tiles of tokens and three of weights, and three lines of
        // biases, each as all rows of a tile: within the slices; writes 32 rows of 192 bytes, by the
        // caller's promise. The unit is configured, since `self` is there.
        unsafe {
            asm!(
                "tileloadd tmm0, [{bias} + {none}]",
                "tileloadd tmm1, [{bias} + {none} + 64]",
                "tileloadd tmm2, [{bias} + {none} + 128]",
                "tileloadd tmm3, [{bias} + {none}]",
                "tileloadd tmm4, [{bias} + {none} + 64]",
                "tileloadd tmm5, [{bias} + {none} + 128]",
                "2:",
                "tileloadd tmm6, [{x} + {row}]",
                "tileloadd tmm7, [{w} + {row}]",
                "tdpbf16ps tmm0, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {row} + {tile}]",
                "tdpbf16ps tmm1, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {row} + 2 * {tile}]",
                "tdpbf16ps tmm2, tmm6, tmm7",
                "tileloadd tmm6, [{x} + {row} + {tile}]",
                "tdpbf16ps tmm5, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {row} + {tile}]",
                "tdpbf16ps tmm4, tmm6, tmm7",
                "tileloadd tmm7, [{w} + {row}]",
                "tdpbf16ps tmm3, tmm6, tmm7",
                "add {x}, 2 * {tile}",
                "add {w}, 3 * {tile}",
                "dec {count}",
                "jnz 2b",
                "tilestored [{sums} + {pitch}], tmm0",
                "tilestored [{sums} + {pitch} + 64], tmm1",
                "tilestored [{sums} + {pitch} + 128], tmm2",
                "tilestored [{lower} + {pitch}], tmm3",
                "tilestored [{lower} + {pitch} + 64], tmm4",
                "tilestored [{lower} + {pitch} + 128], tmm5",
                tile = const TILE_BYTES,
                row = in(reg) ROW_BYTES,
                none = in(reg) 0_usize,
                bias = in(reg) bias.as_ptr(),
                x = inout(reg) tokens.as_ptr() => _,
                w = inout(reg) weights.as_ptr() => _,
                count = inout(reg) count => _,
                pitch = in(reg) pitch * size_of::<f32>(),
                sums = in(reg) sums,
                lower = in(reg) sums.add(TOKENS / 2 * pitch),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            );
        }
    }

    /// `sums[r][t] += Σ rows[16 r ..] · tokens[16 t ..]`, tiles of 16 rows by 16 tokens: two tiles of rows of
    /// weights, which lie `stride` bytes apart as left operands do, times two of tokens that have been
    /// turned. What the rows cost is their way from memory.
    ///
    /// # Panics
    /// When there are not 32 rows of as many steps as `tokens` has, 32 lines each.
    pub(super) fn multiply_rows(
        &self,
        bytes: &[u8],
        stride: usize,
        tokens: &[Line],
        sums: &mut Crossed,
    ) {
        let count = tokens.len() / TOKENS;
        assert!(
            count > 0
                && tokens.len() == count * TOKENS
                && bytes.len() >= (TOKENS - 1) * stride + count * ROW_BYTES,
            "steps of rows and of tokens"
        );
        // SAFETY: reads `count` times two tiles of rows, `stride` bytes apart, and two of tokens; reads
        // and writes four tiles of sums: within the slices. The unit is configured, since `self` is
        // there.
        unsafe {
            four_tiles!(
                sums.0.each_mut(),
                [
                    "tileloadd tmm4, [{w} + {stride}]"
                    "tileloadd tmm6, [{x} + {row}]"
                    "tdpbf16ps tmm0, tmm4, tmm6"
                    "tileloadd tmm7, [{x} + {row} + {tile}]"
                    "tdpbf16ps tmm1, tmm4, tmm7"
                    "tileloadd tmm5, [{lower} + {stride}]"
                    "tdpbf16ps tmm2, tmm5, tmm6"
                    "tdpbf16ps tmm3, tmm5, tmm7"
                    "add {w}, {row}"
                    "add {lower}, {row}"
                    "add {x}, 2 * {tile}"
                ],
                count,
                stride = in(reg) stride,
                w = inout(reg) bytes.as_ptr() => _,
                lower = inout(reg) bytes[TOKENS / 2 * stride..].as_ptr() => _,
                x = inout(reg) tokens.as_ptr() => _
            );
        }
    }

    /// As [`Self::multiply_rows`] for one tile of rows and twice two of tokens: `sums[p][t] += Σ rows ·
    /// tokens[p][16 t ..]`.
    ///
    /// # Panics
    /// When there are not 16 rows of as many steps as either of `tokens` has, 32 lines each.
    pub(super) fn multiply_half(
        &self,
        bytes: &[u8],
        stride: usize,
        tokens: [&[Line]; 2],
        sums: [&mut [Sums; 2]; 2],
    ) {
        let count = tokens[0].len() / TOKENS;
        assert!(
            count > 0
                && tokens.iter().all(|tokens| tokens.len() == count * TOKENS)
                && bytes.len() >= (TOKENS / 2 - 1) * stride + count * ROW_BYTES,
            "steps of rows and of tokens"
        );
        // SAFETY: reads `count` times a tile of rows, `stride` bytes apart, and twice two of tokens; reads
        // and writes twice two tiles of sums: within the slices. The unit is configured, since `self` is
        // there.
        unsafe {
            four_tiles!(
                sums,
                [
                    "tileloadd tmm4, [{w} + {stride}]"
                    "tileloadd tmm5, [{x} + {row}]"
                    "tdpbf16ps tmm0, tmm4, tmm5"
                    "tileloadd tmm6, [{x} + {row} + {tile}]"
                    "tdpbf16ps tmm1, tmm4, tmm6"
                    "tileloadd tmm7, [{y} + {row}]"
                    "tdpbf16ps tmm2, tmm4, tmm7"
                    "tileloadd tmm5, [{y} + {row} + {tile}]"
                    "tdpbf16ps tmm3, tmm4, tmm5"
                    "add {w}, {row}"
                    "add {x}, 2 * {tile}"
                    "add {y}, 2 * {tile}"
                ],
                count,
                stride = in(reg) stride,
                w = inout(reg) bytes.as_ptr() => _,
                x = inout(reg) tokens[0].as_ptr() => _,
                y = inout(reg) tokens[1].as_ptr() => _
            );
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        // SAFETY: the unit is there, since `self` was.
        unsafe { release() };
    }
}

/// See [`super::spin`]: four tiles of sums.
///
/// # Safety
/// As for [`Unit::new`].
pub(super) unsafe fn spin(turns: usize) -> usize {
    // SAFETY: the caller's promise; registers only.
    unsafe {
        let unit = Unit::new();
        asm!(
            "2:",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "dec {turns}",
            "jnz 2b",
            turns = inout(reg) turns.max(1) => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
        drop(unit);
    }
    // Four tiles of 16 × 16 sums of 32 products each.
    4 * 2 * 16 * 16 * 32
}
