//! Slices of one series, put in order and measured by where they lie.

use super::{between, series};
use crate::dicom::{Dicom, Geometry};
use crate::error::{Error, Result};
use crate::plane::Plane;
use crate::remark::Remark;

/// A slice and where it lies.
struct Slice<'a> {
    file: &'a Dicom,
    frame: usize,
    geometry: Geometry,
}

/// Slices of one direction and spacing in one frame of reference, in order along their normal, no two at one place; at least
/// one.
pub(super) struct Stack<'a> {
    slices: Vec<Slice<'a>>,
    normal: [f64; 3],
    /// From each slice to the next along the normal, in millimetres.
    gaps: Vec<f64>,
}

impl<'a> Stack<'a> {
    /// What is kept of the files of a series. Refuses too large a volume by its size alone, before any pixel is unpacked.
    pub(super) fn of(files: &'a [Dicom], remarks: &mut Vec<Remark>) -> Result<Self> {
        let files = series::chosen(files, remarks)?;
        let mut slices = placed(&files, remarks)?;
        let kept = slices.len();
        let dropped = remarks.iter().map(Remark::dropped).sum();
        if dropped > kept {
            remarks.insert(0, Remark::MostDropped { kept, dropped });
        }
        check_alike(&slices)?;
        let values = slices.iter().map(|slice| slice.file.area());
        slices[0]
            .file
            .check_volume(values.fold(0, u64::saturating_add))?;
        let normal = slices[0].geometry.normal();
        slices.sort_by(|a, b| {
            a.geometry
                .along(normal)
                .total_cmp(&b.geometry.along(normal))
        });
        let places: Vec<f64> = slices.iter().map(|s| s.geometry.along(normal)).collect();
        let gaps: Vec<f64> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if let Some(after) = gaps.iter().position(|&gap| gap < 1e-3) {
            return Err(refused(
                &slices,
                "one slice at each place; give one phase or echo at a time",
                format!("two slices at the place of plane {after}"),
            ));
        }
        Ok(Self {
            slices,
            normal,
            gaps,
        })
    }

    /// The spacing and the affine of the volume, as [`Volume`](super::Volume) has them.
    pub(super) fn grid(&self, remarks: &mut Vec<Remark>) -> ([f64; 3], [[f64; 4]; 3]) {
        let first = &self.slices[0].geometry;
        let between = between::spacing(&self.gaps, first.slice_thickness, remarks);
        let [rows, columns] = first.pixel_spacing.unwrap_or_else(|| {
            remarks.push(Remark::SpacingUnknown);
            [1.0; 2]
        });
        let positions: Vec<_> = self.slices.iter().map(|s| s.geometry.position).collect();
        let pixel = rows.min(columns);
        let step = between::step(&positions, self.normal, between, pixel, remarks);
        let affine = std::array::from_fn(|i| {
            [
                first.row_direction[i] * columns,
                first.column_direction[i] * rows,
                step[i],
                first.position[i],
            ]
        });
        ([columns, rows, between], affine)
    }

    /// The values of each slice, all of one size.
    pub(super) fn planes(&self) -> Result<Vec<Plane>> {
        let planes: Vec<Plane> = self
            .slices
            .iter()
            .map(|slice| slice.file.grey(slice.frame))
            .collect::<Result<_>>()?;
        let shape = |plane: &Plane| (plane.rows(), plane.columns());
        if let Some(other) = planes
            .iter()
            .find(|plane| shape(plane) != shape(&planes[0]))
        {
            return Err(refused(
                &self.slices,
                "slices of one size",
                format!("{:?} and {:?}", shape(&planes[0]), shape(other)),
            ));
        }
        Ok(planes)
    }

    /// The modality, as the file of the first slice says it.
    pub(super) fn modality(&self) -> Option<String> {
        self.slices
            .first()
            .and_then(|slice| slice.file.facts().modality)
    }
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

/// Refuses slices that are not parallel, or whose positions or pixels cannot be compared: one normal and one affine would be
/// wrong for some of them.
fn check_alike(slices: &[Slice<'_>]) -> Result<()> {
    let first = &slices[0].geometry;
    for slice in slices {
        let other = &slice.geometry;
        let apart = [
            (first.row_direction, other.row_direction),
            (first.column_direction, other.column_direction),
        ]
        .iter()
        .any(|(a, b)| a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-3));
        if apart || first.frame_of_reference_uid != other.frame_of_reference_uid {
            return Err(refused(
                slices,
                "slices of one direction in one frame of reference; give one stack at a time",
                "another direction or frame of reference".to_owned(),
            ));
        }
        if first.pixel_spacing != other.pixel_spacing {
            return Err(refused(
                slices,
                "slices of one pixel spacing",
                "several spacings".to_owned(),
            ));
        }
    }
    Ok(())
}

/// The error of slices that do not make one volume.
fn refused(slices: &[Slice<'_>], expected: &str, found: String) -> Error {
    Error::Series {
        slices: slices.len(),
        expected: expected.to_owned(),
        found,
    }
}
