//! The kernel for many tokens on the tile unit (Intel SDM vol. 1, chapter 18: AMX), in assembly, for
//! which Rust has no stable intrinsics.
//!
//! A tile of weights is 16 rows × 32 bf16 as the file has them; a tile of tokens is 16 pairs of
//! columns × 16 tokens as they are packed. Four of weights times one of tokens make 64 × 16 sums.

use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
use std::ops::Range;

use super::many::Product;
use super::pack::{LANES, Step};
use super::panel::{Ahead, Shape};

/// Weight rows of a group: four tiles.
const ROWS: usize = 64;

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
    let share = ROWS.div_ceil(tiles);
    for (tile, sums) in product.sums.chunks_exact_mut(ROWS * LANES).enumerate() {
        prefetch(&product.ahead, tile * share..ROWS.min((tile + 1) * share));
        // SAFETY: `checked_tiles` has seen that the slices hold all rows, tiles and steps; the
        // tiles are configured.
        unsafe {
            multiply_tile(
                (product.weights.as_ptr(), product.stride),
                product.x.as_ptr().add(tile * product.x_stride),
                product.steps / STEPS,
                sums.as_mut_ptr(),
                product.fresh,
            );
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

/// The instructions of [`multiply_tile`] for [`STEPS`] steps, with the tile of tokens in the register
/// that is named.
macro_rules! in_steps {
    ($x:literal) => {
        concat!(
            "tileloadd ",
            $x,
            ", [{x} + {row_bytes}]\n",
            "tileloadd tmm6, [{w0} + {stride}]\n",
            "tdpbf16ps tmm0, tmm6, ",
            $x,
            "\n",
            "tileloadd tmm7, [{w1} + {stride}]\n",
            "tdpbf16ps tmm1, tmm7, ",
            $x,
            "\n",
            "tileloadd tmm6, [{w2} + {stride}]\n",
            "tdpbf16ps tmm2, tmm6, ",
            $x,
            "\n",
            "tileloadd tmm7, [{w3} + {stride}]\n",
            "tdpbf16ps tmm3, tmm7, ",
            $x,
            "\n",
            "add {x}, {tile}\n",
            "add {w0}, 64\n",
            "add {w1}, 64\n",
            "add {w2}, 64\n",
            "add {w3}, 64\n",
            "dec {count}\n",
        )
    };
}

/// 64 rows times one tile of tokens, `count` times 16 steps; `fresh` sums are not read. Each tile of
/// tokens, which comes from the second-level cache, is multiplied four times; those of weights come
/// from the first.
///
/// # Safety
/// The pointers are to slices as in [`Product`]; the tiles are configured; `count` is not 0.
unsafe fn multiply_tile(
    (weights, stride): (*const u8, usize),
    x: *const u32,
    count: usize,
    sums: *mut f32,
    fresh: bool,
) {
    // SAFETY: reads `count · 64` bytes of each of 64 rows and `count` tiles of `x`, and reads and
    // writes four tiles of sums, as the caller promises; the registers are named.
    unsafe {
        asm!(
            "test {fresh:e}, {fresh:e}",
            "jnz 4f",
            "tileloadd tmm0, [{sums} + {row_bytes}]",
            "tileloadd tmm1, [{sums} + {row_bytes} + {tile}]",
            "tileloadd tmm2, [{sums} + {row_bytes} + 2 * {tile}]",
            "tileloadd tmm3, [{sums} + {row_bytes} + 3 * {tile}]",
            "jmp 5f",
            "4:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "5:",
            // Two steps a turn, in registers of their own; an odd number begins with the second.
            "test {count:e}, 1",
            "jnz 3f",
            "2:",
            in_steps!("tmm4"),
            "3:",
            in_steps!("tmm5"),
            "jnz 2b",
            "tilestored [{sums} + {row_bytes}], tmm0",
            "tilestored [{sums} + {row_bytes} + {tile}], tmm1",
            "tilestored [{sums} + {row_bytes} + 2 * {tile}], tmm2",
            "tilestored [{sums} + {row_bytes} + 3 * {tile}], tmm3",
            tile = const TILE_BYTES,
            fresh = in(reg) u32::from(fresh),
            sums = in(reg) sums,
            row_bytes = in(reg) ROW_BYTES,
            stride = in(reg) stride,
            w0 = inout(reg) weights => _,
            w1 = inout(reg) weights.wrapping_add(16 * stride) => _,
            w2 = inout(reg) weights.wrapping_add(32 * stride) => _,
            w3 = inout(reg) weights.wrapping_add(48 * stride) => _,
            x = inout(reg) x => _,
            count = inout(reg) count => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
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
