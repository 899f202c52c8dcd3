//! TensorFlow's bilinear resize without antialiasing: `ResizeBilinearOp` with `half_pixel_centers`
//! (`core/kernels/image/resize_bilinear_op.cc`, `image_resizer_state.h`; TensorFlow 2.21.0), its `f32` result cut off to
//! 8 bits as MedSigLIP's model card (`.astype(np.uint8)`) and big_vision (`tf.cast`) do.
//!
//! Every operation is in `f32` and in the reference's order, without fused multiply-add: cutting off turns the last bit
//! of a sum that is almost whole into a level.

use crate::error::Result;
use crate::image::Image;

/// Where one output position lies between two input positions.
struct Between {
    lower: usize,
    upper: usize,
    /// 0 at `lower`, towards 1 at `upper`. Before the first sample's centre both are 0 and this does not matter.
    lerp: f32,
}

/// Stretches to `height` x `width`, both at least 1.
pub(super) fn resize(image: &Image, height: usize, width: usize) -> Result<Image> {
    let across = axis(image.width(), width);
    let down = axis(image.height(), height);
    let stride = image.width() * 3;
    let mut data = Vec::with_capacity(height * width * 3);
    for y in &down {
        let top = &image.as_rgb8()[y.lower * stride..][..stride];
        let bottom = &image.as_rgb8()[y.upper * stride..][..stride];
        for x in &across {
            for channel in 0..3 {
                let (left, right) = (x.lower * 3 + channel, x.upper * 3 + channel);
                let top = mix(f32::from(top[left]), f32::from(top[right]), x.lerp);
                let bottom = mix(f32::from(bottom[left]), f32::from(bottom[right]), x.lerp);
                data.push(cut_off(mix(top, bottom, y.lerp)));
            }
        }
    }
    Image::from_rgb8(width, height, data)
}

/// `compute_lerp` along one axis.
fn mix(a: f32, b: f32, lerp: f32) -> f32 {
    a + (b - a) * lerp
}

/// `compute_interpolation_weights` with the `HalfPixelScaler`.
fn axis(input: usize, output: usize) -> Vec<Between> {
    let scale = as_f32(input) / as_f32(output);
    let last = input - 1;
    let place = |i| {
        let x = (as_f32(i) + 0.5) * scale - 0.5;
        let floor = x.floor();
        Between {
            lower: position(floor).min(last),
            upper: position(x.ceil()).min(last),
            lerp: x - floor,
        }
    };
    (0..output).map(place).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the reference's own cast; sides are below 2^24 under every limit on pictures"
)]
fn as_f32(n: usize) -> f32 {
    n as f32
}

/// A whole number, never negative: the reference's clamp to 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturation at 0 is the rule being reproduced"
)]
fn position(x: f32) -> usize {
    x as usize
}

/// Towards zero. A mean of samples does not leave 0 to 255.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "truncation is the rule being reproduced"
)]
fn cut_off(x: f32) -> u8 {
    x as u8
}
