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
    /// What the stored value 0 became, and whether larger stored values became smaller ones.
    zero: f32,
    falling: bool,
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
            zero: 0.0,
            falling: false,
        })
    }

    /// Sets [`padding`](Self::padding).
    #[must_use]
    pub fn with_padding(mut self, padding: Option<RangeInclusive<f32>>) -> Self {
        self.padding = padding.map(|range| [*range.start(), *range.end()]);
        self
    }

    /// The values that stand where nothing was measured, as a DICOM file says (Pixel Padding Value), or as the caller did.
    /// Where a recipe stretches a plane from its least to its greatest value, they are left out, and shown black, if they
    /// lie apart from all others: below 0 where no other does, or further above or below than the others are from each
    /// other. Else they count like others, as in Google's serving code: 0 in unsigned data is the natural least.
    #[must_use]
    pub fn padding(&self) -> Option<RangeInclusive<f32>> {
        self.padding.map(|[low, high]| low..=high)
    }

    /// Says how the values came from stored ones: what 0 became, and whether larger ones became smaller.
    pub(crate) fn with_stored(mut self, zero: f32, falling: bool) -> Self {
        (self.zero, self.falling) = (zero, falling);
        self
    }

    /// Takes over [`padding`](Self::padding) of a plane of which these values are, and how they were stored.
    pub(crate) fn padded_as(mut self, other: &Self) -> Self {
        self.padding = other.padding;
        self.with_stored(other.zero, other.falling)
    }

    /// Whether both have the same padding of values that were stored alike.
    pub(crate) fn is_padded_as(&self, other: &Self) -> bool {
        let told = |plane: &Self| (plane.padding, plane.zero, plane.falling);
        told(self) == told(other)
    }

    /// A value as far from 0 as its stored value lies, by the same scale and with its sign.
    pub(crate) fn beyond_zero(&self, value: f64) -> f64 {
        let far = value - f64::from(self.zero);
        if self.falling { -far } else { far }
    }

    /// Tells values of [`padding`](Self::padding).
    pub(crate) fn is_padding(&self) -> impl Fn(f32) -> bool + Copy + use<> {
        let padding = self.padding;
        move |value| padding.is_some_and(|[low, high]| (low..=high).contains(&value))
    }

    /// Whether any value is one of them.
    pub(crate) fn is_padded(&self) -> bool {
        let is_padding = self.is_padding();
        self.padding.is_some() && self.values.iter().any(|&value| is_padding(value))
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
