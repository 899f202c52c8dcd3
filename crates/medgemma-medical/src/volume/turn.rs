//! Turning a volume by right angles: its axes change places, and some are counted from their other end.

use super::length;
use crate::plane::Plane;

/// Axis `to` of the turned volume is axis `source[to]` of the one before, backwards where `flipped[to]`. Each axis is the
/// source of one.
pub(super) struct Turn {
    source: [usize; 3],
    flipped: [bool; 3],
    /// Columns, rows, planes before.
    size: [usize; 3],
}

impl Turn {
    /// The turn that brings each axis of a volume as near as it can to one of the patient's.
    pub(super) fn to_axial(affine: &[[f64; 4]; 3], size: [usize; 3]) -> Self {
        // For each patient axis the index axis that runs along it, the most certain first.
        let mut source = [usize::MAX; 3];
        let mut pairs: Vec<(usize, usize)> = (0..3)
            .flat_map(|to| (0..3).map(move |from| (to, from)))
            .collect();
        // By the length of the column: a step askew is longer than the planes are apart.
        let weight = |to: usize, from: usize| (affine[to][from] / length(affine, from)).abs();
        pairs.sort_by(|a, b| weight(b.0, b.1).total_cmp(&weight(a.0, a.1)));
        for (to, from) in pairs {
            if source[to] == usize::MAX && !source.contains(&from) {
                source[to] = from;
            }
        }
        Self {
            source,
            flipped: std::array::from_fn(|to| affine[to][source[to]] < 0.0),
            size,
        }
    }

    /// Whether each plane is one of those before, be it turned within itself.
    pub(super) fn keeps_planes(&self) -> bool {
        self.source[2] == 2
    }

    /// What each axis has, put into the turned order.
    pub(super) fn ordered<T: Copy>(&self, before: [T; 3]) -> [T; 3] {
        self.source.map(|from| before[from])
    }

    /// The index along `source[to]` of what is at `at` along axis `to`.
    pub(super) fn index(&self, to: usize, at: usize) -> usize {
        if self.flipped[to] {
            self.last(to) - at
        } else {
            at
        }
    }

    fn last(&self, to: usize) -> usize {
        self.size[self.source[to]] - 1
    }

    /// Plane `k` of the turned volume, made of the values of all `planes` before. Its padding is left to the caller.
    pub(super) fn plane(&self, planes: &[Plane], k: usize) -> Plane {
        let [columns, rows, _] = self.ordered(self.size);
        let mut values = Vec::with_capacity(rows * columns);
        for j in 0..rows {
            for i in 0..columns {
                let mut place = [0; 3];
                for (to, &at) in [i, j, k].iter().enumerate() {
                    place[self.source[to]] = self.index(to, at);
                }
                let [column, row, plane] = place;
                values.push(planes[plane].values()[row * self.size[0] + column]);
            }
        }
        Plane::new(rows, columns, values).expect("as many values as the sides say")
    }

    /// The affine of the turned volume: every value stays where it is in the patient.
    #[expect(clippy::cast_precision_loss, reason = "sides of a volume are small")]
    pub(super) fn affine(&self, before: &[[f64; 4]; 3]) -> [[f64; 4]; 3] {
        std::array::from_fn(|axis| {
            let mut row = [0.0; 4];
            row[3] = before[axis][3];
            for to in 0..3 {
                let factor = before[axis][self.source[to]];
                row[to] = if self.flipped[to] { -factor } else { factor };
                if self.flipped[to] {
                    row[3] += factor * self.last(to) as f64;
                }
            }
            row
        })
    }
}
