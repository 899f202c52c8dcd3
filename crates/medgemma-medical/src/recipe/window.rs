//! A range of values that becomes 0 to 255: the published code does it in two arithmetics, which differ where a value
//! falls between two bytes.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Values from `low`, which becomes 0, to `high`, which becomes 255; what lies outside is clipped.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    low: f32,
    high: f32,
}

impl Window {
    /// # Errors
    /// [`Error::Argument`] unless both are finite and `low < high`.
    pub fn new(low: f32, high: f32) -> Result<Self> {
        if low.is_finite() && high.is_finite() && low < high {
            Ok(Self { low, high })
        } else {
            let found = format!("{low} to {high}");
            Err(Error::argument(
                "window",
                "a finite low below a finite high",
                found,
            ))
        }
    }

    /// A window by centre ("level") and width, as radiologists name it: from `center - width / 2` to
    /// `center + width / 2`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn centered(center: f32, width: f32) -> Result<Self> {
        Self::new(center - width / 2.0, center + width / 2.0)
    }

    /// For windows of this crate's own tables.
    pub(crate) const fn of(low: f32, high: f32) -> Self {
        assert!(low < high);
        Self { low, high }
    }

    /// The value that becomes 0.
    #[must_use]
    pub fn low(self) -> f32 {
        self.low
    }

    /// The value that becomes 255.
    #[must_use]
    pub fn high(self) -> f32 {
        self.high
    }

    /// The notebook's arithmetic: clip, and in f32 subtract, divide, multiply by 255, round half to even
    /// (`numpy.round`). What is no number becomes 0, where numpy's cast is undefined.
    #[must_use]
    pub fn byte(self, value: f32) -> u8 {
        let share = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        to_byte(f64::from(share * 255.0))
    }

    /// The serving code's arithmetic: `numpy.interp` in f64, then round half to even.
    #[must_use]
    pub fn byte_by_interpolation(self, value: f64) -> u8 {
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        if value >= high {
            return 255;
        }
        // The order of numpy: the slope first.
        to_byte(255.0 / (high - low) * (value.max(low) - low))
    }
}

/// Rounds half to even; what is no number is 0.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a byte holds"
)]
pub(super) fn to_byte(value: f64) -> u8 {
    value.round_ties_even().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_published_values_of_the_three_windows() {
        // medgemma.md section 5: what numpy makes of these Hounsfield units.
        let units = [-1024.0, -600.0, -135.0, 0.0, 40.0, 80.0, 215.0, 1024.0];
        for (low, high, expected) in [
            (-1024.0, 1024.0, [0, 53, 111, 128, 132, 137, 154, 255]),
            (-135.0, 215.0, [0, 0, 0, 98, 128, 157, 255, 255]),
            (0.0, 80.0, [0, 0, 0, 0, 128, 255, 255, 255]),
        ] {
            let window = Window::of(low, high);
            assert_eq!(units.map(|unit| window.byte(unit)), expected);
            let by_interpolation = units.map(|unit| window.byte_by_interpolation(unit.into()));
            assert_eq!(by_interpolation, expected);
        }
    }

    #[test]
    fn halves_go_to_even_and_no_number_to_nought() {
        // 0 of 2048 values is 127.5, 40 of 80 too.
        assert_eq!(Window::of(-1024.0, 1024.0).byte(0.0), 128);
        let window = Window::of(0.0, 255.0);
        for (value, byte) in [(0.5, 0), (1.5, 2), (2.5, 2), (253.5, 254), (254.5, 254)] {
            assert_eq!(window.byte(value), byte, "{value}");
            assert_eq!(window.byte_by_interpolation(value.into()), byte, "{value}");
        }
        assert_eq!(window.byte(f32::NAN), 0);
        assert_eq!(window.byte(f32::INFINITY), 255);
        assert_eq!(window.byte(f32::NEG_INFINITY), 0);
    }

    #[test]
    fn level_and_width_are_what_they_say() {
        let report = Window::centered(-100.0, 2250.0).unwrap();
        assert_eq!((report.low(), report.high()), (-1225.0, 1025.0));
        for (low, high) in [
            (1.0, 1.0),
            (2.0, 1.0),
            (f32::NAN, 1.0),
            (0.0, f32::INFINITY),
        ] {
            let error = Window::new(low, high).unwrap_err().to_string();
            assert!(error.contains("window") && error.contains("low"), "{error}");
        }
    }
}
