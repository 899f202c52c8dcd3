//! Interpolation kernels as functions of the distance to the sample, in output pixels when shrinking.

/// A symmetric kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// `1 - |x|` on (-1, 1): bilinear. Pillow's `bilinear_filter`, torch's `HelperInterpLinear::aa_filter`.
    Triangle,
    /// The cubic convolution with a = -1/2 on (-2, 2): bicubic. Pillow's `bicubic_filter`, torch's
    /// `HelperInterpCubic::aa_filter` (which without antialiasing would take a = -3/4). Negative beyond 1, so that
    /// sums overshoot and are clipped.
    Cubic,
}

impl Kernel {
    /// The distance beyond which the kernel is zero.
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
            Self::Cubic => 2.0,
        }
    }

    /// The kernel's value at `x`.
    pub(super) fn weight(self, x: f64) -> f64 {
        match self {
            Self::Triangle => (1.0 - x.abs()).max(0.0),
            Self::Cubic => cubic(x.abs()),
        }
    }
}

/// Horner's form as in Pillow: the last bit of a weight decides how it is rounded to an integer.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}
