//! Where a frame lies in the patient: PS3.3, C.7.6.2 (image plane) and C.7.6.16 (functional groups of multi-frame
//! objects).

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::element::View;

/// A frame in the coordinates of the patient: millimetres, x to the left, y to the back, z to the head.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Geometry {
    /// The centre of the first pixel.
    pub position: [f64; 3],
    /// The direction in which columns count up (along a row).
    pub row_direction: [f64; 3],
    /// The direction in which rows count up (down a column).
    pub column_direction: [f64; 3],
    /// Millimetres between rows and between columns; none if not stated.
    pub pixel_spacing: Option<[f64; 2]>,
    /// Millimetres of thickness; none if not stated.
    pub slice_thickness: Option<f64>,
    /// The frame of reference in which positions can be compared; none if not stated.
    pub frame_of_reference_uid: Option<String>,
}

impl Geometry {
    /// From the data set, else from the functional groups of the frame. None where the plane is not stated, or where
    /// its directions are not of unit length and square to each other.
    pub(crate) fn read(view: &View<'_>, groups: &[View<'_>]) -> Option<Self> {
        let values = |sequence: Tag, tag: Tag| {
            let framed = groups.iter().filter_map(|group| group.item(sequence));
            std::iter::once(*view)
                .chain(framed)
                .map(|place| place.decimals(tag))
                .find(|values| !values.is_empty())
                .unwrap_or_default()
        };
        let position = values(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT);
        let cosines = values(
            tags::PLANE_ORIENTATION_SEQUENCE,
            tags::IMAGE_ORIENTATION_PATIENT,
        );
        let [a, b, c, d, e, f] = cosines[..] else {
            return None;
        };
        let (row_direction, column_direction) = ([a, b, c], [d, e, f]);
        let square = (dot(row_direction, row_direction) - 1.0).abs() < 1e-2
            && (dot(column_direction, column_direction) - 1.0).abs() < 1e-2
            && dot(row_direction, column_direction).abs() < 1e-2;
        let measures = tags::PIXEL_MEASURES_SEQUENCE;
        let spacing = values(measures, tags::PIXEL_SPACING);
        square.then_some(())?;
        Some(Self {
            position: position.try_into().ok()?,
            row_direction,
            column_direction,
            pixel_spacing: <[f64; 2]>::try_from(spacing)
                .ok()
                .filter(|spacing| spacing.iter().all(|&s| s > 0.0)),
            slice_thickness: values(measures, tags::SLICE_THICKNESS)
                .first()
                .copied()
                .filter(|&thickness| thickness > 0.0),
            frame_of_reference_uid: view.text(tags::FRAME_OF_REFERENCE_UID),
        })
    }

    /// The direction square to rows and columns.
    #[must_use]
    pub fn normal(&self) -> [f64; 3] {
        cross(self.row_direction, self.column_direction)
    }

    /// How far along `direction` the first pixel lies, in millimetres.
    #[must_use]
    pub fn along(&self, direction: [f64; 3]) -> f64 {
        dot(self.position, direction)
    }
}

pub(crate) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(crate) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
