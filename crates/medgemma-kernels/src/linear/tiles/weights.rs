//! Weights as the tile unit reads them: 48 rows to a slot, and of each step 16 pairs of columns, a
//! line each with a pair of 16 rows.

use std::ops::Range;

use super::{COLS, LANES, ROWS, vectors};
use crate::cpu::Path;
use crate::linear::pack::Step;
use crate::linear::panel::{Panel, Shape, Weights};
use crate::lines::Line;

/// Lines of biases behind the weights.
pub(super) const BIAS: usize = 3;

/// Lines that `steps` steps of a group take.
pub(super) fn slot(steps: usize) -> usize {
    steps * ROWS + BIAS
}

/// The weights and the biases of a slot.
pub(super) fn parts(slot: &[Line]) -> (&[Line], &[Line; BIAS]) {
    slot.split_last_chunk().expect("lines of biases")
}

/// Steps that are turned at a time, some times 256 columns: whole blocks of every format. What is
/// unpacked before it is turned just fits into the first-level cache.
const TURNED: usize = 40;

/// Turns steps `steps` of a group of rows, and writes their biases behind: zeros if there are none.
/// Columns that are not there are zero, rows may hold anything.
pub(super) fn fill(
    path: Path,
    weights: Weights<'_>,
    bias: Option<&[f32]>,
    group: usize,
    steps: Range<usize>,
    slot: &mut [Line],
) {
    let (slot, biases) = slot
        .split_last_chunk_mut::<BIAS>()
        .expect("lines of biases");
    let shape = Shape {
        step: Step::Pair,
        rows: LANES,
        multiple: COLS / 2,
    };
    let mut panel = Panel::new(path, shape, TURNED * COLS / 2);
    let pairs = weights.cols().div_ceil(2);
    for (tile, biases) in biases.iter_mut().enumerate() {
        let first = group * ROWS + tile * LANES;
        let rows = first..weights.rows().min(first + LANES);
        if rows.is_empty() {
            break;
        }
        *biases = bias_line(bias, rows);
        for start in steps.clone().step_by(TURNED) {
            let end = steps.end.min(start + TURNED);
            let columns = start * COLS / 2..pairs.min(end * COLS / 2);
            let (bytes, stride) = panel.group(weights, first, columns);
            let place = &mut slot[(start - steps.start) * ROWS + tile * LANES..];
            vectors::turn(path, bytes, stride, end - start, place);
        }
    }
}

fn bias_line(bias: Option<&[f32]>, rows: Range<usize>) -> Line {
    let mut line = Line([0; 64]);
    if let Some(bias) = bias {
        for (place, bias) in line.0.as_chunks_mut().0.iter_mut().zip(&bias[rows]) {
            *place = bias.to_ne_bytes();
        }
    }
    line
}
