//! Planes in order along their normal: what slices of a series or a NIfTI file make.

mod between;
mod series;
mod stack;
mod turn;

use std::fmt;

use self::stack::Stack;
use self::turn::Turn;
use crate::dicom::{Dicom, dot};
use crate::error::Result;
use crate::plane::Plane;
use crate::remark::Remark;

/// Planes of one size, in order along their normal, and where they lie.
///
/// `Debug` prints the shape only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Volume {
    /// The planes, from the lowest position along the normal on.
    pub planes: Vec<Plane>,
    /// `CT`, `MR`, … as the files say; none of NIfTI, which does not say it.
    pub modality: Option<String>,
    /// Millimetres between columns, between rows and between planes; of DICOM the last along the normal, however the planes
    /// are displaced along themselves.
    pub spacing: [f64; 3],
    /// From column, row and plane, counted from 0, to the patient's millimetres: x to the left, y to the back, z to
    /// the head. `affine[i]` is one coordinate: the factors of column, row and plane, then the offset.
    pub affine: [[f64; 4]; 3],
    /// What was left out or is uneven.
    pub remarks: Vec<Remark>,
}

impl Volume {
    /// The volume that the files of one series hold, whatever their order: of a mixed series the one that Google's
    /// serving code takes.
    ///
    /// Localizers and derived images are left out unless there is nothing else; then the acquisition with the largest
    /// number is kept, and of slices with one instance number the first. The rest is put in order by its position
    /// along the normal. Google's code orders by the first coordinate of the position, which is wrong for axial slices.
    ///
    /// All that is left out is counted in [`remarks`](Self::remarks), and recipes write it into their records. Where a scanner
    /// numbers the parts of one examination, or each slice, as acquisitions of their own, most slices go: then
    /// [`Remark::MostDropped`] comes first.
    ///
    /// # Errors
    /// [`crate::Error::Series`] for files of several series, slices of different size, spacing or direction, two slices at
    /// one place, or none at all; [`crate::Error::Limit`] for more than the first file was opened with; otherwise as
    /// [`Dicom::grey`].
    pub fn from_dicom(files: &[Dicom]) -> Result<Self> {
        let mut remarks = Vec::new();
        let stack = Stack::of(files, &mut remarks)?;
        let (spacing, affine) = stack.grid(&mut remarks);
        let planes = stack.planes()?;
        remarks.dedup();
        Ok(Self {
            planes,
            modality: stack.modality(),
            spacing,
            affine,
            remarks,
        })
    }

    /// The same volume as a radiologist looks at axial slices: columns count to the patient's left, rows to the back,
    /// planes to the head, as nearly as turning by right angles allows. NIfTI files come in any order of axes.
    #[must_use]
    pub fn axial(&self) -> Self {
        let turn = Turn::to_axial(&self.affine, self.size());
        // Where planes are turned as they are, each keeps its padding. One that is made of several has that which all of
        // them have; each scanner has one value for all.
        let whole = turn.keeps_planes();
        let of_all = self
            .planes
            .windows(2)
            .all(|pair| pair[0].is_padded_as(&pair[1]));
        let mut remarks = self.remarks.clone();
        if !whole && !of_all {
            remarks.push(Remark::PaddingLost);
        }
        let [_, _, count] = turn.ordered(self.size());
        let planes = (0..count).map(|k| {
            let turned = turn.plane(&self.planes, k);
            let padded = match (whole, of_all) {
                (true, _) => Some(turn.index(2, k)),
                (false, true) => Some(0),
                (false, false) => None,
            };
            match padded.and_then(|from| self.planes.get(from)) {
                Some(from) => turned.padded_as(from),
                None => turned,
            }
        });
        Self {
            planes: planes.collect(),
            modality: self.modality.clone(),
            spacing: turn.ordered(self.spacing),
            affine: turn.affine(&self.affine),
            remarks,
        }
    }

    /// Columns, rows, planes.
    fn size(&self) -> [usize; 3] {
        let (rows, columns) = self
            .planes
            .first()
            .map_or((0, 0), |plane| (plane.rows(), plane.columns()));
        [columns, rows, self.planes.len()]
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume")
            .field("size", &self.size())
            .field("spacing", &self.spacing)
            .field("remarks", &self.remarks)
            .finish_non_exhaustive()
    }
}

/// The length of a column of an affine.
pub(crate) fn length(affine: &[[f64; 4]; 3], axis: usize) -> f64 {
    let column = affine.map(|row| row[axis]);
    dot(column, column).sqrt()
}
