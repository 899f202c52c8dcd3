//! Attention of many queries on the tile unit: the two products of a tile, for elements that are
//! pairs of bf16. All else is AVX-512's.
//!
//! A, B and `out` of a [`Product`] are tiles as they lie, if A's elements follow each other along
//! the depth: keys do, values are turned so once a block. Two tiles of rows times two of columns
//! are summed at once. What is left of rows or depth gets smaller tiles, so that nothing outside
//! of the operands is read.

mod many;

use std::arch::asm;
use std::arch::x86_64::{_mm512_loadu_ps, _mm512_mul_ps, _mm512_storeu_ps};

use super::avx512;
use super::tile::product::{ELEMENT, Product};
use super::tile::{KEYS, Kernels, Pairs, Steps};
use crate::amx::{Config, release};
use crate::linear::turn_sums;

/// The kernels; to be called on processors that have [`crate::Path::Amx`].
pub(super) static KERNELS: Kernels = Kernels {
    pairs: Some(Pairs {
        steps: Steps {
            product,
            online: avx512::online_pairs,
        },
        turn: Some(turn),
        ..avx512::PAIRS
    }),
    many: Some(many::MANY),
    ..avx512::KERNELS
};

/// Numbers of a vector, rows of a tile and elements of its rows.
const LANES: usize = 16;

/// See [`Pairs::turn`]. Fewer lanes than a vector has, which no model has, are turned one by one.
///
/// # Safety
/// The processor has [`crate::Path::Amx`].
unsafe fn turn(pairs: &[f32], h: usize, to: &mut [f32]) {
    const APART: usize = KEYS / 2;
    for (block, pairs) in pairs.chunks(LANES * h).enumerate() {
        let at = |lane: usize| lane * APART + block * LANES;
        let pairs = pairs.chunks_exact(h);
        if h < LANES {
            for (index, pair) in pairs.enumerate() {
                for (lane, element) in pair.iter().enumerate() {
                    to[at(lane) + index] = *element;
                }
            }
            continue;
        }
        for first in (0..h).step_by(LANES) {
            // The last vector has lanes of the one before where they are no whole number.
            let lane = first.min(h - LANES);
            let vectors = pairs.clone();
            let vectors = vectors.map(|pair| pair[lane..].first_chunk().expect("a vector"));
            // SAFETY: the caller's promise.
            unsafe { turn_sums(vectors, &mut to[at(lane)..], APART) };
        }
    }
}

/// # Safety
/// The processor has [`crate::Path::Amx`]; the operands are as for
/// [`product`](super::tile::product::product), in pairs of bf16.
unsafe fn product(task: &Product) {
    assert!(
        task.depth_step == ELEMENT && task.depth > 0 && task.rows > 0,
        "rows of elements that follow each other"
    );
    // SAFETY: the caller's promise.
    unsafe {
        if !task.fade.is_null() {
            fade(task);
        }
        if task.width == LANES {
            in_tiles::<32>(task);
        } else {
            in_tiles::<64>(task);
        }
    }
}

/// `out` times the factors of its columns.
///
/// # Safety
/// As for [`product`]; `fade` is not null.
#[target_feature(enable = "avx512f")]
unsafe fn fade(task: &Product) {
    for column in (0..task.width).step_by(LANES) {
        // SAFETY: within `fade` and `out`, by the caller's promise.
        unsafe {
            let fade = _mm512_loadu_ps(task.fade.add(column));
            for row in 0..task.rows {
                let out = task.out.add(row * task.width + column);
                _mm512_storeu_ps(out, _mm512_mul_ps(_mm512_loadu_ps(out), fade));
            }
        }
    }
}

/// `out` + A · B, or A · B where there is nothing to fade, in tiles of `WIDTH` bytes of columns, half
/// of B's.
///
/// # Safety
/// As for [`product`].
unsafe fn in_tiles<const WIDTH: usize>(task: &Product) {
    let groups = task.rows.div_ceil(2 * LANES);
    // Rows of a tile, the same for all: two tiles of a group that has fewer have rows in common,
    // which come to the same.
    let half = task.rows.div_ceil(groups).div_ceil(2);
    let mut fresh = task.fade.is_null();
    for Depth {
        first,
        count,
        steps,
    } in depths(task.depth)
    {
        // SAFETY: the caller's promise; `depths` gives 1 to 16 steps, and `half` is 1 to 16.
        unsafe { config(half, steps, WIDTH).load() };
        for index in 0..groups {
            let rows = index * task.rows / groups..(index + 1) * task.rows / groups;
            let (upper, lower) = (rows.start, rows.end - half);
            // SAFETY: rows, steps and columns are within the operands, by the caller's promise; no
            // more of them is in the tiles that are configured.
            unsafe {
                let a = task.a.add(first * ELEMENT);
                group::<WIDTH>(Group {
                    a: [a.add(upper * task.row_step), a.add(lower * task.row_step)],
                    stride: task.row_step,
                    step: steps * ELEMENT,
                    b: task.b.add(first * task.width),
                    count,
                    out: [
                        task.out.add(upper * task.width),
                        task.out.add(lower * task.width),
                    ],
                    fresh,
                });
            }
        }
        fresh = false;
    }
    // SAFETY: the caller's promise.
    unsafe { release() };
}

/// Tiles along the depth that are alike.
struct Depth {
    first: usize,
    count: usize,
    steps: usize,
}

/// A depth in tiles of at most [`LANES`] steps: all alike where that takes few enough, since tiles of
/// another shape must be configured and sums read and written once more; else whole ones and the rest.
fn depths(depth: usize) -> impl Iterator<Item = Depth> {
    let least = depth.div_ceil(LANES);
    let alike = (least..=least + least / 2).find(|count| depth.is_multiple_of(*count));
    let whole = depth / LANES;
    let parts = match alike {
        Some(count) => [(0, count, depth / count), (depth, 0, 0)],
        None => [(0, whole, LANES), (whole * LANES, 1, depth % LANES)],
    };
    let parts = parts.into_iter().filter(|(_, count, _)| *count > 0);
    parts.map(|(first, count, steps)| Depth {
        first,
        count,
        steps,
    })
}

/// Four tiles of sums, then two of A, then two of B.
///
/// # Panics
/// When one of them is more than a byte holds.
fn config(rows: usize, steps: usize, width: usize) -> Config {
    let [rows, steps, step, width] =
        [rows, steps, steps * ELEMENT, width].map(|count| u8::try_from(count).expect("a tile"));
    let [sums, a, b] = [(rows, width), (rows, step), (steps, width)];
    Config::new([sums, sums, sums, sums, a, a, b, b])
}

/// Operands of [`group`].
struct Group {
    /// The first row of either tile, rows `stride` bytes apart.
    a: [*const u8; 2],
    stride: usize,
    /// Bytes of a row of a tile of A.
    step: usize,
    b: *const f32,
    /// Tiles along the depth.
    count: usize,
    /// The first row of either tile.
    out: [*mut f32; 2],
    /// Whether sums begin at 0.
    fresh: bool,
}

/// The sums of two tiles of rows.
///
/// # Safety
/// The tiles are configured, the last two for `WIDTH` bytes of columns, and the operands as large
/// as they say; `count` is not 0.
unsafe fn group<const WIDTH: usize>(task: Group) {
    // SAFETY: reads and writes whole tiles of the operands; the registers are named.
    unsafe {
        asm!(
            "test {fresh:e}, {fresh:e}",
            "jnz 3f",
            "tileloadd tmm0, [{out0} + {line}]",
            "tileloadd tmm1, [{out0} + {line} + {width}]",
            "tileloadd tmm2, [{out1} + {line}]",
            "tileloadd tmm3, [{out1} + {line} + {width}]",
            "jmp 2f",
            "3:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{a0} + {stride}]",
            "tileloadd tmm6, [{b} + {line}]",
            "tileloadd tmm7, [{b} + {line} + {width}]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{a1} + {stride}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a0}, {step}",
            "add {a1}, {step}",
            "add {b}, {b_step}",
            "dec {count}",
            "jnz 2b",
            "tilestored [{out0} + {line}], tmm0",
            "tilestored [{out0} + {line} + {width}], tmm1",
            "tilestored [{out1} + {line}], tmm2",
            "tilestored [{out1} + {line} + {width}], tmm3",
            width = const WIDTH,
            fresh = in(reg) u32::from(task.fresh),
            line = in(reg) 2 * WIDTH,
            stride = in(reg) task.stride,
            step = in(reg) task.step,
            b_step = in(reg) task.step / ELEMENT * 2 * WIDTH,
            out0 = in(reg) task.out[0],
            out1 = in(reg) task.out[1],
            a0 = inout(reg) task.a[0] => _,
            a1 = inout(reg) task.a[1] => _,
            b = inout(reg) task.b => _,
            count = inout(reg) task.count => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

#[cfg(test)]
mod tests;
