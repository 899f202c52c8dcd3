//! Interpolation kernels as functions of the distance to the sample, in output pixels when shrinking.

/// A symmetric kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// `1 - |x|` on (-1, 1): bilinear. Pillow's `bilinear_filter`, torch's `HelperInterpLinear::aa_filter`.
    Triangle,
}

impl Kernel {
    /// The distance beyond which the kernel is zero.
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
        }
    }

    /// The kernel's value at `x`.
    pub(super) fn weight(self, x: f64) -> f64 {
        match self {
            Self::Triangle => (1.0 - x.abs()).max(0.0),
        }
    }
}
