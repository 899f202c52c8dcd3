//! One grey plane of measured values: what a recipe for a prompt starts from, whatever file it came from.

use std::fmt;
use std::ops::RangeInclusive;

use crate::error::{Error, Result};

/// One plane of grey values in the units of its modality: Hounsfield units of CT, arbitrary units of MR, stored values
/// after the modality LUT of X-rays. `values[y * columns + x]`.
///
/// `Debug` prints the shape only, so that a log never holds a patient's picture.
#[derive(Clone, PartialEq)]
pub struct Plane {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
    padding: Option<[f32; 2]>,
}

impl Plane {
    /// A plane of `rows` × `columns` values, row-major.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty plane, or values of another number.
    pub fn new(rows: usize, columns: usize, values: Vec<f32>) -> Result<Self> {
        let expected = rows.checked_mul(columns).filter(|&area| area > 0);
        if expected != Some(values.len()) {
            return Err(Error::argument(
                "values",
                format!("{rows} x {columns} values, at least one"),
                format!("{} values", values.len()),
            ));
        }
        Ok(Self {
            rows,
            columns,
            values,
            padding: None,
        })
    }

    /// Sets [`padding`](Self::padding).
    #[must_use]
    pub fn with_padding(mut self, padding: Option<RangeInclusive<f32>>) -> Self {
        self.padding = padding.map(|range| [*range.start(), *range.end()]);
        self
    }

    /// The values that stand where nothing was measured, as a DICOM file says (Pixel Padding Value), or as the caller did.
    /// Where a recipe stretches a plane from its least to its greatest value, they are left out, and shown black.
    #[must_use]
    pub fn padding(&self) -> Option<RangeInclusive<f32>> {
        self.padding.map(|[low, high]| low..=high)
    }

    /// Whether any value is one of them.
    pub(crate) fn is_padded(&self) -> bool {
        let padding = self.padding();
        padding.is_some_and(|padding| self.values.iter().any(|value| padding.contains(value)))
    }

    /// The height.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The width.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values, row-major.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane")
            .field("rows", &self.rows)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}
