//! Attention over cached keys and values: softmax(scale · q · Kᵀ) · V, with the scores never stored.
//!
//! The usual online softmax (Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv
//! 2205.14135): keys are taken block by block, and a running maximum and sum say how what has been
//! gathered so far is to be scaled down. Grouped queries (Ainslie et al., arXiv 2305.13245) share
//! each reading of their keys.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, reason = "no vectors to run it on")
)]
mod few;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, reason = "no vectors to run it on")
)]
mod lanes;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plan;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, reason = "no vectors to run it on")
)]
mod powers;
mod quantize;
mod rows;
mod scalar;
mod shared;
#[cfg_attr(
    not(any(target_arch = "x86_64", target_arch = "aarch64")),
    allow(dead_code, reason = "no vectors to run it on")
)]
mod tile;

use std::f32::consts::LOG2_E;
use std::ops::Range;

pub use quantize::quantize_rows;
pub use rows::{Numbers, Rows};

use crate::{Cpu, Path, scratch};
use plan::{Plan, Sink, Way};
use shared::Shared;
use tile::Kernels;

/// softmax(`scale` · q · Kᵀ) · V for `heads` heads of queries.
///
/// # Shapes
/// - q: `[t, n, h]`, n = `heads`, h = `keys.head_dim`, contiguous
/// - keys, values: `[k, s, h]`; head i of the queries reads head i / (n / k)
/// - visible: of each of the t rows the interval of keys that it sees; `None`: all s
/// - out: `[t, n, h]`, contiguous
///
/// A row that sees no key becomes zeros. Keys and values before the first that any row sees, and after
/// the last, are not read. Between these, keys that a row does not see may hold anything; values may be
/// multiplied by 0 for it, and so must be finite: an infinite one, or NaN, whether other rows see it or
/// none does, can make the row NaN.
///
/// # Arithmetic
/// f32 storage: f32 throughout. Others: f32 sums and softmax; queries, the numerators of the softmax
/// and numbers that are not bf16 as stored may be rounded to bf16. The result does not depend on the
/// number of threads. Vectors sum scores in f32: a row that sees none but scores beneath it becomes zeros there, and
/// one that sees a score above it NaN, where [`Path::Scalar`](crate::Path::Scalar) has its mean.
///
/// # Panics
/// When the shapes do not fit each other, an interval ends after s, or `scale` is not positive or, times
/// log₂ e, not finite.
#[expect(
    clippy::too_many_arguments,
    reason = "the operands of the formula; each is used once"
)]
pub fn attention(
    cpu: &Cpu,
    q: &[f32],
    heads: usize,
    keys: Rows<'_>,
    values: Rows<'_>,
    scale: f32,
    visible: Option<&[Range<usize>]>,
    out: &mut [f32],
) {
    assert!(
        scale > 0.0 && (scale * LOG2_E).is_finite(),
        "a scale of {scale} is not positive, or beyond 2.3e38"
    );
    keys.check("keys");
    values.check("values");
    let (k, s, h) = (keys.heads, keys.len, keys.head_dim);
    assert!(
        std::mem::discriminant(&keys.numbers) == std::mem::discriminant(&values.numbers),
        "keys and values are stored alike"
    );
    assert_eq!(
        (k, s, h),
        (values.heads, values.len, values.head_dim),
        "heads, length and head size of keys and of values"
    );
    assert!(
        k > 0 && heads > 0 && heads.is_multiple_of(k),
        "{heads} heads of queries on {k} heads of keys"
    );
    // All products of counts of rows and heads are within the queries then, if there are any.
    let width = heads.checked_mul(h);
    assert!(
        width.is_some_and(|width| width > 0 && q.len().is_multiple_of(width)),
        "{} numbers are not rows of {heads} heads of {h}",
        q.len()
    );
    assert_eq!(out.len(), q.len(), "as many outputs as queries");
    let t = width.map_or(0, |width| q.len() / width);
    if let Some(visible) = visible {
        assert_eq!(visible.len(), t, "an interval for each row of queries");
        assert!(
            visible.iter().all(|keys| keys.end <= s),
            "an interval ends after the {s} keys"
        );
    }
    let problem = Problem {
        q,
        t,
        heads,
        keys,
        values,
        scale,
        visible,
        seen: visible.map_or(0..s, all_seen),
    };
    match kernels(cpu.path()) {
        // SAFETY: the processor has the path.
        Some(kernels) => unsafe { run(cpu, kernels, &problem, out) },
        None => scalar::attention(cpu, &problem, out),
    }
}

/// The kernels of a path; `None` for plain Rust.
fn kernels(path: Path) -> Option<&'static Kernels> {
    match path {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        Path::Amx => Some(&amx::KERNELS),
        #[cfg(target_arch = "x86_64")]
        Path::Avx512 => Some(&avx512::KERNELS),
        #[cfg(target_arch = "x86_64")]
        Path::Avx2 => Some(&avx2::KERNELS),
        #[cfg(target_arch = "aarch64")]
        Path::Neon => Some(&neon::KERNELS),
        _ => None,
    }
}

/// # Safety
/// The processor has the instructions of `kernels`.
unsafe fn run(cpu: &Cpu, kernels: &Kernels, problem: &Problem<'_>, out: &mut [f32]) {
    let plan = Plan::new(problem, kernels);
    let (shared, parts) = match plan.way {
        Way::Many(many) => (many.shared)(problem),
        _ => (0, 0),
    };
    scratch::with(plan.partials + shared, |numbers| {
        let (partials, shared) = numbers.split_at_mut(plan.partials);
        let sink = Sink {
            out: Shared::new(out),
            partials: Shared::new(partials),
        };
        if let Way::Many(many) = plan.way {
            let shared = Shared::new(shared);
            // SAFETY: the caller's promise; the pool runs each part once.
            (cpu.pool()).run(parts, &|part| unsafe {
                (many.share)(problem, part, &shared)
            });
        }
        let shared = &*shared;
        cpu.pool().run(plan.pieces.len(), &|piece| {
            let piece = &plan.pieces[piece];
            // SAFETY: the caller's promise; the pool runs each piece once.
            unsafe {
                match plan.way {
                    Way::Few => few::run(problem, kernels, piece, &sink),
                    Way::Tiles => tile::run(problem, kernels, piece, &sink),
                    Way::Many(many) => (many.run)(problem, piece, &sink, shared),
                }
            }
        });
        // SAFETY: all pieces are done.
        let partials = unsafe { sink.partials.part(0..plan.partials) };
        plan.merge(cpu, problem, partials, &sink.out);
    });
}

/// The operands, with shapes that fit each other.
struct Problem<'a> {
    q: &'a [f32],
    t: usize,
    heads: usize,
    keys: Rows<'a>,
    values: Rows<'a>,
    scale: f32,
    visible: Option<&'a [Range<usize>]>,
    /// Keys that any row sees, and those between.
    #[cfg_attr(
        not(all(target_arch = "x86_64", target_os = "linux")),
        expect(dead_code, reason = "only the tile unit packs keys for all rows")
    )]
    seen: Range<usize>,
}

/// The keys of all intervals, and those between.
fn all_seen(visible: &[Range<usize>]) -> Range<usize> {
    let seen = visible.iter().filter(|keys| !keys.is_empty()).cloned();
    seen.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
        .unwrap_or(0..0)
}

impl Problem<'_> {
    /// What products of queries and keys are to be multiplied by to be powers of 2.
    fn factor(&self) -> f32 {
        self.scale * LOG2_E
    }

    /// Heads of queries that read the same head of keys.
    fn group(&self) -> usize {
        self.heads / self.keys.heads
    }

    /// The numbers of row `row` of `head` of the keys, in the queries and in the result; rows as
    /// in [`plan`].
    fn place(&self, head: usize, row: usize) -> Range<usize> {
        let (group, h) = (self.group(), self.keys.head_dim);
        let start = (row / group * self.heads + head * group + row % group) * h;
        start..start + h
    }

    /// Keys that row `row` of the queries sees.
    fn visible(&self, row: usize) -> Range<usize> {
        self.visible
            .map_or(0..self.keys.len, |visible| visible[row].clone())
    }
}

#[cfg(test)]
mod tests;
