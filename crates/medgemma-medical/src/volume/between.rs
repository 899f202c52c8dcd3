//! From one plane to the next, in the patient: how far, and whether along the normal or askew, where a gantry was tilted.

use crate::dicom::dot;
use crate::remark::Remark;

/// Positions leave the line along the normal by more than this part of a pixel, or they are taken to lie on it: directions
/// are written with few digits.
const NOTICED: f64 = 0.1;

/// The median distance; remarks on gaps and unevenness.
pub(super) fn spacing(gaps: &[f64], thickness: Option<f64>, remarks: &mut Vec<Remark>) -> f64 {
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&median) = sorted.get(sorted.len().saturating_sub(1) / 2) else {
        return thickness.unwrap_or_else(|| {
            remarks.push(Remark::SpacingUnknown);
            1.0
        });
    };
    for (after, gap) in gaps.iter().enumerate() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturating, and positive"
        )]
        let fits = (gap / median).round() as usize;
        if fits > 1 {
            remarks.push(Remark::Gap {
                after,
                missing: fits - 1,
            });
        }
    }
    let (smallest, largest) = (sorted[0], sorted[sorted.len() - 1]);
    if largest - smallest > median / 100.0 {
        remarks.push(Remark::Uneven { smallest, largest });
    }
    median
}

/// The step between planes that lie `between` apart along `normal`: the third column of an affine. `positions` are those of
/// their first pixels, in order; `pixel` is the shorter side of one.
pub(super) fn step(
    positions: &[[f64; 3]],
    normal: [f64; 3],
    between: f64,
    pixel: f64,
    remarks: &mut Vec<Remark>,
) -> [f64; 3] {
    let straight = normal.map(|part| part * between);
    let ([first, ..], [.., last]) = (positions, positions) else {
        return straight;
    };
    let largest = positions
        .iter()
        .map(|&position| {
            let way = less(position, *first);
            let along = dot(way, normal);
            let aside = less(way, normal.map(|part| part * along));
            dot(aside, aside).sqrt()
        })
        .fold(0.0, f64::max);
    if largest <= pixel * NOTICED {
        return straight;
    }
    remarks.push(Remark::Sheared { largest });
    let way = less(*last, *first);
    #[expect(clippy::cast_precision_loss, reason = "no series has 2^53 slices")]
    let steps = (positions.len() - 1) as f64;
    let mean = way.map(|part| part / steps);
    // Where slices are missing, the step is still that between two neighbours.
    let scale = between / dot(mean, normal);
    if (scale - 1.0).abs() < 1e-2 {
        mean
    } else {
        mean.map(|part| part * scale)
    }
}

fn less(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}
