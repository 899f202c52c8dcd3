//! The instructions of the tile unit: two tiles of rows times two of columns, a step of the depth at a
//! time, so that vectors can be worked on in between.
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

/// Makes all tiles whole ones.
///
/// # Safety
/// The processor has [`crate::Path::Amx`].
pub(super) unsafe fn configure() {
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
    // SAFETY: 64 bytes of a valid configuration, and the caller's promise.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) CONFIG.0.as_ptr(), options(nostack, preserves_flags));
    }
}

/// Gives the tiles up: what is left in them would be saved and restored with every change of threads.
///
/// # Safety
/// The processor has [`crate::Path::Amx`].
pub(super) unsafe fn release() {
    // SAFETY: the caller's promise.
    unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
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

/// Begins sums at those of two tiles of either row; the second, `apart` numbers behind the first.
///
/// # Safety
/// The tiles are configured, and these can be read.
#[inline(always)]
pub(super) unsafe fn load(upper: *const f32, lower: *const f32, apart: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm0, [{upper} + {line}]",
            "tileloadd tmm1, [{upper1} + {line}]",
            "tileloadd tmm2, [{lower} + {line}]",
            "tileloadd tmm3, [{lower1} + {line}]",
            upper = in(reg) upper,
            upper1 = in(reg) upper.add(apart),
            lower = in(reg) lower,
            lower1 = in(reg) lower.add(apart),
            line = in(reg) ROW,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}

/// Writes the sums to where [`load`] reads them.
///
/// # Safety
/// The tiles are configured, and these can be written.
#[inline(always)]
pub(super) unsafe fn store(upper: *mut f32, lower: *mut f32, apart: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tilestored [{upper} + {line}], tmm0",
            "tilestored [{upper1} + {line}], tmm1",
            "tilestored [{lower} + {line}], tmm2",
            "tilestored [{lower1} + {line}], tmm3",
            upper = in(reg) upper,
            upper1 = in(reg) upper.add(apart),
            lower = in(reg) lower,
            lower1 = in(reg) lower.add(apart),
            line = in(reg) ROW,
            options(nostack, preserves_flags)
        );
    }
}

/// Adds the products of two tiles of rows and two of columns to the sums.
///
/// # Safety
/// The tiles are configured, and the operands can be read.
#[inline(always)]
pub(super) unsafe fn step(rows: [*const f32; 2], columns: [*const f32; 2]) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm4, [{a0} + {line}]",
            "tileloadd tmm6, [{b0} + {line}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {line}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm7, [{b1} + {line}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            a0 = in(reg) rows[0],
            a1 = in(reg) rows[1],
            b0 = in(reg) columns[0],
            b1 = in(reg) columns[1],
            line = in(reg) ROW,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}

/// As [`load`], [`step`] and [`store`], with one tile of columns.
///
/// # Safety
/// As for those.
#[inline(always)]
pub(super) unsafe fn load_one(upper: *const f32, lower: *const f32) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm0, [{upper} + {line}]",
            "tileloadd tmm2, [{lower} + {line}]",
            upper = in(reg) upper,
            lower = in(reg) lower,
            line = in(reg) ROW,
            out("tmm0") _, out("tmm2") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}

/// See [`load_one`].
///
/// # Safety
/// As for [`store`].
#[inline(always)]
pub(super) unsafe fn store_one(upper: *mut f32, lower: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tilestored [{upper} + {line}], tmm0",
            "tilestored [{lower} + {line}], tmm2",
            upper = in(reg) upper,
            lower = in(reg) lower,
            line = in(reg) ROW,
            options(nostack, preserves_flags)
        );
    }
}

/// See [`load_one`].
///
/// # Safety
/// As for [`step`].
#[inline(always)]
pub(super) unsafe fn step_one(rows: [*const f32; 2], column: *const f32) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "tileloadd tmm4, [{a0} + {line}]",
            "tileloadd tmm6, [{b0} + {line}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {line}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            a0 = in(reg) rows[0],
            a1 = in(reg) rows[1],
            b0 = in(reg) column,
            line = in(reg) ROW,
            out("tmm0") _, out("tmm2") _, out("tmm4") _, out("tmm5") _, out("tmm6") _,
            options(readonly, nostack, preserves_flags)
        );
    }
}
