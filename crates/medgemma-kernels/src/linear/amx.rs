//! The kernel for many tokens on the tile unit (Intel SDM vol. 1, chapter 18: AMX), in assembly, for
//! which Rust has no stable intrinsics.
//!
//! A tile of weights is 16 rows × 32 bf16 as the file has them; a tile of tokens is 16 pairs of
//! columns × 16 tokens as they are packed. Two of each make 32 × 32 sums in four tiles.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
use std::ops::Range;

use super::many::Product;
use super::pack::{LANES, Step};
use super::panel::{Ahead, Shape};

/// Weight rows of a group: two tiles.
const ROWS: usize = 32;

/// Steps of a tile.
const STEPS: usize = 16;

/// What the kernel wants.
pub(super) const GROUP: Shape = Shape {
    step: Step::Pair,
    rows: ROWS,
    multiple: STEPS,
    copied: true,
};

/// Bytes of a row of a tile.
const ROW_BYTES: usize = 64;

/// Bytes of a tile.
const TILE_BYTES: usize = 16 * ROW_BYTES;

/// What `ldtilecfg` reads: the palette, then from byte 16 the bytes of a row of each tile in 16
/// bits, and from byte 48 their rows in 8. All eight tiles are whole.
#[repr(C, align(64))]
struct Config([u8; 64]);

static CONFIG: Config = {
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let mut tile = 0;
    while tile < 8 {
        bytes[16 + 2 * tile] = 64;
        bytes[48 + tile] = 16;
        tile += 1;
    }
    Config(bytes)
};

/// Many tokens, in steps of two bf16: see [`Product`]. Steps come in multiples of [`STEPS`].
///
/// # Safety
/// The processor has AMX with bf16, and the system lets this process use it.
pub(super) unsafe fn multiply(product: Product<'_>) {
    let tiles = product.checked_tiles(ROWS);
    assert!(
        product.steps.is_multiple_of(STEPS) && product.steps > 0,
        "whole tiles of steps"
    );
    // SAFETY: the configuration is 64 bytes of a valid one, and the promise of the caller.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) CONFIG.0.as_ptr(), options(nostack, preserves_flags));
    }
    let weights = product.weights.as_ptr();
    let share = ROWS.div_ceil(tiles.div_ceil(2));
    for (pair, tile) in (0..tiles).step_by(2).enumerate() {
        prefetch(&product.ahead, pair * share..ROWS.min((pair + 1) * share));
        let sums = product.sums[tile * ROWS * LANES..].as_mut_ptr();
        // SAFETY: `checked_tiles` has seen that the slices hold all rows, tiles and steps; the
        // tiles are configured.
        unsafe {
            let x = product.x.as_ptr().add(tile * product.x_stride);
            let count = product.steps / STEPS;
            if tile + 1 < tiles {
                let x = [x, x.add(product.x_stride)];
                multiply_two(weights, product.stride, x, count, sums);
            } else {
                multiply_one(weights, product.stride, x, count, sums);
            }
        }
    }
    // What is left in the tiles would be saved and restored with every change of threads.
    // SAFETY: as for the configuration.
    unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
}

/// Asks for some of the next group's rows: a file's rows are too many, too far apart and too short
/// at a time for the processor to foresee.
fn prefetch(ahead: &Ahead<'_>, rows: Range<usize>) {
    for row in rows {
        let start = row * ahead.stride;
        for line in (0..ahead.width).step_by(64) {
            let Some(place) = ahead.bytes.get(start + line) else {
                return;
            };
            // SAFETY: a place that can be read, and prefetching reads nothing.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::from_ref(place).cast()) };
        }
    }
}

/// 32 rows times two tiles of tokens, `count` times 16 steps.
///
/// # Safety
/// The pointers are to slices as in [`Product`]; the tiles are configured; `count` is not 0.
unsafe fn multiply_two(
    weights: *const u8,
    stride: usize,
    x: [*const u32; 2],
    count: usize,
    sums: *mut f32,
) {
    // SAFETY: reads `count · 64` bytes of each of 32 rows, `count` tiles of each `x`, and reads and
    // writes four tiles of sums, as the caller promises; the registers are named.
    unsafe {
        asm!(
            "tileloadd tmm0, [{sums} + {row_bytes}]",
            "tileloadd tmm2, [{sums} + {row_bytes} + {tile}]",
            "tileloadd tmm1, [{sums} + {row_bytes} + 2 * {tile}]",
            "tileloadd tmm3, [{sums} + {row_bytes} + 3 * {tile}]",
            "2:",
            "tileloadd tmm4, [{upper} + {stride}]",
            "tileloadd tmm6, [{x0} + {row_bytes}]",
            "tileloadd tmm7, [{x1} + {row_bytes}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{lower} + {stride}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {upper}, 64",
            "add {lower}, 64",
            "add {x0}, {tile}",
            "add {x1}, {tile}",
            "dec {count}",
            "jnz 2b",
            "tilestored [{sums} + {row_bytes}], tmm0",
            "tilestored [{sums} + {row_bytes} + {tile}], tmm2",
            "tilestored [{sums} + {row_bytes} + 2 * {tile}], tmm1",
            "tilestored [{sums} + {row_bytes} + 3 * {tile}], tmm3",
            tile = const TILE_BYTES,
            sums = in(reg) sums,
            row_bytes = in(reg) ROW_BYTES,
            stride = in(reg) stride,
            upper = inout(reg) weights => _,
            lower = inout(reg) weights.wrapping_add(16 * stride) => _,
            x0 = inout(reg) x[0] => _,
            x1 = inout(reg) x[1] => _,
            count = inout(reg) count => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

/// 32 rows times one tile of tokens, `count` times 16 steps.
///
/// # Safety
/// As for [`multiply_two`].
unsafe fn multiply_one(
    weights: *const u8,
    stride: usize,
    x: *const u32,
    count: usize,
    sums: *mut f32,
) {
    // SAFETY: as in `multiply_two`, with one tile of tokens and two of sums.
    unsafe {
        asm!(
            "tileloadd tmm0, [{sums} + {row_bytes}]",
            "tileloadd tmm2, [{sums} + {row_bytes} + {tile}]",
            "2:",
            "tileloadd tmm4, [{upper} + {stride}]",
            "tileloadd tmm6, [{x} + {row_bytes}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{lower} + {stride}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "add {upper}, 64",
            "add {lower}, 64",
            "add {x}, {tile}",
            "dec {count}",
            "jnz 2b",
            "tilestored [{sums} + {row_bytes}], tmm0",
            "tilestored [{sums} + {row_bytes} + {tile}], tmm2",
            tile = const TILE_BYTES,
            sums = in(reg) sums,
            row_bytes = in(reg) ROW_BYTES,
            stride = in(reg) stride,
            upper = inout(reg) weights => _,
            lower = inout(reg) weights.wrapping_add(16 * stride) => _,
            x = inout(reg) x => _,
            count = inout(reg) count => _,
            out("tmm0") _, out("tmm2") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            options(nostack)
        );
    }
}

/// See [`super::spin`]: four tiles of sums, as in the kernel.
///
/// # Safety
/// As for [`multiply`].
pub(super) unsafe fn spin(turns: usize) -> usize {
    // SAFETY: the configuration is 64 bytes of a valid one; then registers only.
    unsafe {
        asm!(
            "ldtilecfg [{config}]",
            "2:",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "dec {turns}",
            "jnz 2b",
            "tilerelease",
            config = in(reg) CONFIG.0.as_ptr(),
            turns = inout(reg) turns.max(1) => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
    // Four tiles of 16 × 16 sums of 32 products each.
    4 * 2 * 16 * 16 * 32
}
