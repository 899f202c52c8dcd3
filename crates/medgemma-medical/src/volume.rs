//! Planes in order along their normal: what slices of a series or a NIfTI file make.

mod between;

use std::fmt;

use crate::dicom::{Dicom, Facts, Geometry, dot};
use crate::error::{Error, Result};
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

/// A slice and where it lies.
struct Slice<'a> {
    file: &'a Dicom,
    frame: usize,
    geometry: Geometry,
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
    /// [`Error::Series`] for files of several series, slices of different size, spacing or direction, two slices at one
    /// place, or none at all; [`Error::Limit`] for more than the first file was opened with; otherwise as
    /// [`Dicom::grey`].
    pub fn from_dicom(files: &[Dicom]) -> Result<Self> {
        let mut remarks = Vec::new();
        let files = chosen(files, &mut remarks)?;
        let mut slices = placed(&files, &mut remarks)?;
        let count = slices.len();
        let dropped = remarks.iter().map(Remark::dropped).sum();
        if dropped > count {
            let kept = count;
            remarks.insert(0, Remark::MostDropped { kept, dropped });
        }
        let wrong = |expected: &str, found: String| Error::Series {
            slices: count,
            expected: expected.to_owned(),
            found,
        };
        let first = &slices[0].geometry;
        let normal = first.normal();
        for slice in &slices {
            let other = &slice.geometry;
            let apart = [
                (first.row_direction, other.row_direction),
                (first.column_direction, other.column_direction),
            ]
            .iter()
            .any(|(a, b)| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3));
            if apart || first.frame_of_reference_uid != other.frame_of_reference_uid {
                return Err(wrong(
                    "slices of one direction in one frame of reference; give one stack at a time",
                    "another direction or frame of reference".to_owned(),
                ));
            }
            if first.pixel_spacing != other.pixel_spacing {
                return Err(wrong(
                    "slices of one pixel spacing",
                    "several spacings".to_owned(),
                ));
            }
        }
        let values = slices.iter().map(|slice| slice.file.area());
        slices[0]
            .file
            .check_volume(values.fold(0, u64::saturating_add))?;
        slices.sort_by(|a, b| {
            a.geometry
                .along(normal)
                .total_cmp(&b.geometry.along(normal))
        });
        let places: Vec<f64> = slices.iter().map(|s| s.geometry.along(normal)).collect();
        let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if let Some(after) = gaps.iter().position(|&gap| gap < 1e-3) {
            return Err(wrong(
                "one slice at each place; give one phase or echo at a time",
                format!("two slices at the place of plane {after}"),
            ));
        }
        let first = &slices[0].geometry;
        let between = spacing_between(&gaps, first.slice_thickness, &mut remarks);
        let [rows, columns] = first.pixel_spacing.unwrap_or_else(|| {
            remarks.push(Remark::SpacingUnknown);
            [1.0; 2]
        });
        let positions: Vec<_> = slices.iter().map(|s| s.geometry.position).collect();
        let pixel = rows.min(columns);
        let step = between::step(&positions, normal, between, pixel, &mut remarks);
        let affine = std::array::from_fn(|i| {
            [
                first.row_direction[i] * columns,
                first.column_direction[i] * rows,
                step[i],
                first.position[i],
            ]
        });
        let planes: Vec<Plane> = slices
            .iter()
            .map(|slice| slice.file.grey(slice.frame))
            .collect::<Result<_>>()?;
        let shape = |plane: &Plane| (plane.rows(), plane.columns());
        if let Some(other) = planes
            .iter()
            .find(|plane| shape(plane) != shape(&planes[0]))
        {
            return Err(wrong(
                "slices of one size",
                format!("{:?} and {:?}", shape(&planes[0]), shape(other)),
            ));
        }
        remarks.dedup();
        let modality = slices.first().and_then(|slice| slice.file.facts().modality);
        Ok(Self {
            planes,
            modality,
            spacing: [columns, rows, between],
            affine,
            remarks,
        })
    }

    /// The same volume as a radiologist looks at axial slices: columns count to the patient's left, rows to the back,
    /// planes to the head, as nearly as turning by right angles allows. NIfTI files come in any order of axes.
    #[must_use]
    pub fn axial(&self) -> Self {
        let size = self.size();
        // For each patient axis the index axis that runs along it, the most certain first.
        let mut source = [usize::MAX; 3];
        let mut pairs: Vec<(usize, usize)> = (0..3)
            .flat_map(|to| (0..3).map(move |from| (to, from)))
            .collect();
        // By the length of the column: a step askew is longer than the planes are apart.
        let weight =
            |to: usize, from: usize| (self.affine[to][from] / length(&self.affine, from)).abs();
        pairs.sort_by(|a, b| weight(b.0, b.1).total_cmp(&weight(a.0, a.1)));
        for (to, from) in pairs {
            if source[to] == usize::MAX && !source.contains(&from) {
                source[to] = from;
            }
        }
        let flipped: [bool; 3] = std::array::from_fn(|to| self.affine[to][source[to]] < 0.0);
        let last = |to: usize| size[source[to]] - 1;
        let [columns, rows, count] = source.map(|from| size[from]);
        // Where planes are turned as they are, each keeps its padding. One that is made of several has that which all of
        // them have; each scanner has one value for all.
        let whole = source[2] == 2;
        let of_all = self
            .planes
            .windows(2)
            .all(|pair| pair[0].is_padded_as(&pair[1]));
        let mut remarks = self.remarks.clone();
        if !whole && !of_all {
            remarks.push(Remark::PaddingLost);
        }
        let planes = (0..count).map(|k| {
            let mut values = Vec::with_capacity(rows * columns);
            for j in 0..rows {
                for i in 0..columns {
                    let mut place = [0; 3];
                    for (to, &at) in [i, j, k].iter().enumerate() {
                        place[source[to]] = if flipped[to] { last(to) - at } else { at };
                    }
                    let [column, row, plane] = place;
                    values.push(self.planes[plane].values()[row * size[0] + column]);
                }
            }
            let turned =
                Plane::new(rows, columns, values).expect("as many values as the sides say");
            let padded = match (whole, of_all) {
                (true, _) => Some(if flipped[2] { last(2) - k } else { k }),
                (false, true) => Some(0),
                (false, false) => None,
            };
            match padded.and_then(|from| self.planes.get(from)) {
                Some(from) => turned.padded_as(from),
                None => turned,
            }
        });
        #[expect(clippy::cast_precision_loss, reason = "sides of a volume are small")]
        let affine = std::array::from_fn(|axis| {
            let mut row = [0.0; 4];
            row[3] = self.affine[axis][3];
            for to in 0..3 {
                let factor = self.affine[axis][source[to]];
                row[to] = if flipped[to] { -factor } else { factor };
                if flipped[to] {
                    row[3] += factor * last(to) as f64;
                }
            }
            row
        });
        Self {
            planes: planes.collect(),
            modality: self.modality.clone(),
            spacing: source.map(|from| self.spacing[from]),
            affine,
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

/// The files of the volume within a mixed series.
fn chosen<'a>(files: &'a [Dicom], remarks: &mut Vec<Remark>) -> Result<Vec<&'a Dicom>> {
    let facts: Vec<_> = files.iter().map(|file| (file, file.facts())).collect();
    if let Some(((_, first), rest)) = facts.split_first()
        && rest
            .iter()
            .any(|(_, other)| other.series_instance_uid != first.series_instance_uid)
    {
        return Err(Error::Series {
            slices: files.len(),
            expected: "files of one series; sort them by SeriesInstanceUID".to_owned(),
            found: "several series".to_owned(),
        });
    }
    let mut kept: Vec<_> = facts.iter().filter(|(file, _)| file.frames() > 0).collect();
    let mut drop_if = |unwanted: fn(&Facts) -> bool, remark: fn(usize) -> Remark| {
        let dropped = kept.iter().filter(|(_, facts)| unwanted(facts)).count();
        if dropped > 0 && dropped < kept.len() {
            kept.retain(|(_, facts)| !unwanted(facts));
            remarks.push(remark(dropped));
        }
    };
    drop_if(Facts::is_localizer, Remark::LocalizersDropped);
    drop_if(Facts::is_derived, Remark::DerivedDropped);
    let last = kept
        .iter()
        .filter_map(|(_, facts)| facts.acquisition_number)
        .max();
    let before = kept.len();
    kept.retain(|(_, facts)| facts.acquisition_number == last);
    if kept.len() < before {
        remarks.push(Remark::AcquisitionsDropped(before - kept.len()));
    }
    let mut seen = std::collections::BTreeSet::new();
    let before = kept.len();
    kept.retain(|(_, facts)| {
        facts
            .instance_number
            .is_none_or(|number| seen.insert(number))
    });
    if kept.len() < before {
        remarks.push(Remark::DuplicatesDropped(before - kept.len()));
    }
    Ok(kept.into_iter().map(|(file, _)| *file).collect())
}

/// Every frame that says where it lies; at least one.
fn placed<'a>(files: &[&'a Dicom], remarks: &mut Vec<Remark>) -> Result<Vec<Slice<'a>>> {
    let frames = files
        .iter()
        .flat_map(|&file| (0..file.frames()).map(move |frame| (file, frame)));
    let all: Vec<_> = frames
        .map(|(file, frame)| (file, frame, file.geometry(frame)))
        .collect();
    let total = all.len();
    let slices: Vec<_> = all
        .into_iter()
        .filter_map(|(file, frame, geometry)| {
            Some(Slice {
                file,
                frame,
                geometry: geometry?,
            })
        })
        .collect();
    if slices.is_empty() {
        return Err(Error::Series {
            slices: total,
            expected: "slices with ImagePositionPatient and ImageOrientationPatient".to_owned(),
            found: "none".to_owned(),
        });
    }
    if slices.len() < total {
        remarks.push(Remark::UnplacedDropped(total - slices.len()));
    }
    Ok(slices)
}

/// The median distance; remarks on gaps and unevenness.
fn spacing_between(gaps: &[f64], thickness: Option<f64>, remarks: &mut Vec<Remark>) -> f64 {
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

/// The length of a column of an affine.
pub(crate) fn length(affine: &[[f64; 4]; 3], axis: usize) -> f64 {
    let column = affine.map(|row| row[axis]);
    dot(column, column).sqrt()
}
