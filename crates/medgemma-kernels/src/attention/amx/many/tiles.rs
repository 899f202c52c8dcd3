//! The instructions of the tile unit: two tiles of rows times two of columns, a step of the depth at a
//! time.
//!
//! Every tile is whole, and its rows follow each other in memory. Between the calls the first four
//! tiles hold sums, which nothing else uses: the compiler knows of no tiles.

use std::arch::asm;

/// Rows of a tile, and f32 or pairs of bf16 of its rows.
pub(super) const SIDE: usize = 16;

/// Numbers of a tile, counted as f32.
pub(super) const TILE: usize = SIDE * SIDE;

/// Bytes of a row of a tile.
const ROW: usize = 64;

/// Where the four tiles of sums belong: two of either row of tiles, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    pub(super) upper: *mut f32,
    pub(super) lower: *mut f32,
}

/// Operands of a step: two tiles of rows, read from the first-level cache, and two of columns, read
/// past it from the second.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    pub(super) rows: [*const f32; 2],
    pub(super) columns: [*const f32; 2],
}

/// The instructions of a step, each product behind what `$before` makes of its sums.
macro_rules! step {
    ($operands:expr, [$($before0:literal)*], [$($before1:literal)*], [$($before2:literal)*], [$($before3:literal)*] $(, $name:ident = $value:expr)*) => {
        asm!(
            "tileloadd tmm4, [{a0} + {line}]",
            "tileloaddt1 tmm6, [{b0} + {line}]",
            $($before0,)*
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {line}]",
            $($before2,)*
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloaddt1 tmm7, [{b1} + {line}]",
            $($before1,)*
            "tdpbf16ps tmm1, tmm4, tmm7",
            $($before3,)*
            "tdpbf16ps tmm3, tmm5, tmm7",
            a0 = in(reg) $operands.rows[0],
            a1 = in(reg) $operands.rows[1],
            b0 = in(reg) $operands.columns[0],
            b1 = in(reg) $operands.columns[1],
            line = in(reg) ROW,
            $($name = in(reg) $value,)*
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack, preserves_flags)
        )
    };
}

/// Adds the products of two tiles of rows and two of columns to the sums.
///
/// # Safety
/// The tiles are configured, and the operands can be read.
#[inline(always)]
pub(super) unsafe fn step(operands: Operands) {
    // SAFETY: the caller's promise.
    unsafe { step!(operands, [], [], [], []) };
}

/// A step that begins sums at 0, and first writes those that are there to `done`.
///
/// Four stores together would hold up the products: each goes between two of them.
///
/// # Safety
/// As for [`step`], and `done` can be written.
#[inline(always)]
pub(super) unsafe fn step_from_zero(operands: Operands, done: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        step!(
            operands,
            ["tilestored [{upper} + {line}], tmm0" "tilezero tmm0"],
            ["tilestored [{upper} + {line} + 1024], tmm1" "tilezero tmm1"],
            ["tilestored [{lower} + {line}], tmm2" "tilezero tmm2"],
            ["tilestored [{lower} + {line} + 1024], tmm3" "tilezero tmm3"],
            upper = done.upper,
            lower = done.lower
        );
    }
}

/// A step that begins sums at those of `from`, and first writes those that are there to `done`.
///
/// # Safety
/// As for [`step_from_zero`], and `from` can be read.
#[inline(always)]
pub(super) unsafe fn step_from_sums(operands: Operands, from: Sums, done: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        step!(
            operands,
            ["tilestored [{upper} + {line}], tmm0" "tileloadd tmm0, [{from0} + {line}]"],
            ["tilestored [{upper} + {line} + 1024], tmm1" "tileloadd tmm1, [{from0} + {line} + 1024]"],
            ["tilestored [{lower} + {line}], tmm2" "tileloadd tmm2, [{from1} + {line}]"],
            ["tilestored [{lower} + {line} + 1024], tmm3" "tileloadd tmm3, [{from1} + {line} + 1024]"],
            upper = done.upper,
            lower = done.lower,
            from0 = from.upper,
            from1 = from.lower
        );
    }
}

/// Begins sums at 0.
///
/// # Safety
/// The tiles are configured.
#[inline(always)]
pub(super) unsafe fn zero() {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            options(nomem, nostack, preserves_flags)
        );
    }
}

/// Begins sums at those of `from`.
///
/// # Safety
/// The tiles are configured, and `from` can be read.
#[inline(always)]
pub(super) unsafe fn load(from: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm0, [{upper} + {line}]",
            "tileloadd tmm1, [{upper} + {line} + 1024]",
            "tileloadd tmm2, [{lower} + {line}]",
            "tileloadd tmm3, [{lower} + {line} + 1024]",
            upper = in(reg) from.upper,
            lower = in(reg) from.lower,
            line = in(reg) ROW,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}

/// Writes the sums.
///
/// # Safety
/// The tiles are configured, and `to` can be written.
#[inline(always)]
pub(super) unsafe fn store(to: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tilestored [{upper} + {line}], tmm0",
            "tilestored [{upper} + {line} + 1024], tmm1",
            "tilestored [{lower} + {line}], tmm2",
            "tilestored [{lower} + {line} + 1024], tmm3",
            upper = in(reg) to.upper,
            lower = in(reg) to.lower,
            line = in(reg) ROW,
            options(nostack, preserves_flags)
        );
    }
}

/// As [`load`], with one tile of columns.
///
/// # Safety
/// As for [`load`].
#[inline(always)]
pub(super) unsafe fn load_one(from: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm0, [{upper} + {line}]",
            "tileloadd tmm2, [{lower} + {line}]",
            upper = in(reg) from.upper,
            lower = in(reg) from.lower,
            line = in(reg) ROW,
            out("tmm0") _, out("tmm2") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}

/// As [`store`], with one tile of columns.
///
/// # Safety
/// As for [`store`].
#[inline(always)]
pub(super) unsafe fn store_one(to: Sums) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tilestored [{upper} + {line}], tmm0",
            "tilestored [{lower} + {line}], tmm2",
            upper = in(reg) to.upper,
            lower = in(reg) to.lower,
            line = in(reg) ROW,
            options(nostack, preserves_flags)
        );
    }
}

/// As [`step`], with the first tile of columns alone.
///
/// # Safety
/// As for [`step`]; the second is not read.
#[inline(always)]
pub(super) unsafe fn step_one(operands: Operands) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm4, [{a0} + {line}]",
            "tileloaddt1 tmm6, [{b0} + {line}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {line}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            a0 = in(reg) operands.rows[0],
            a1 = in(reg) operands.rows[1],
            b0 = in(reg) operands.columns[0],
            line = in(reg) ROW,
            out("tmm0") _, out("tmm2") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}
