//! Sample layouts of files to 8-bit RGB: 16 to 8 bits, grey to RGB, alpha dropped or laid on white.
//! The choices and their sources are on [`Image`](crate::Image).

use image::ColorType;

use crate::decode::Alpha;

/// `round(v / 257)`: exact, since 257 is odd and no quotient ends in a half.
pub(crate) fn to_8_bit(v: u16) -> u8 {
    u8::try_from((u32::from(v) + 128) / 257).unwrap_or(u8::MAX)
}

/// `round(255 · v / (2^bits − 1))` for `bits` of 1 to 16, 255 beyond: the same for 16, and exact as well, since
/// 2^bits − 1 is odd.
fn significant_to_8_bit(v: u16, bits: u8) -> u8 {
    let most = largest(bits);
    u8::try_from((510 * u32::from(v) + most) / (2 * most)).unwrap_or(u8::MAX)
}

/// The largest number of so many bits.
fn largest(bits: u8) -> u32 {
    (1 << bits) - 1
}

/// Repeats each sample three times.
pub(crate) fn grey_to_rgb(grey: &[u8]) -> Vec<u8> {
    grey.iter().flat_map(|&v| [v; 3]).collect()
}

/// One channel of a pixel laid on white, rounded as Pillow's `Image.alpha_composite` rounds
/// (`src/libImaging/AlphaComposite.c` with an opaque destination).
fn over_white(v: u8, alpha: u8) -> u8 {
    let (v, alpha) = (u32::from(v), u32::from(alpha));
    let sum = v * alpha + 255 * (255 - alpha) + 128;
    // Division by 255, rounded, in Pillow's shift form; its seven guard bits cancel for an opaque destination.
    u8::try_from(((sum >> 8) + sum) >> 8).unwrap_or(u8::MAX)
}

/// 8-bit RGB, and the largest sample that was of 16 bits before.
pub(crate) struct Rgb8 {
    pub(crate) data: Vec<u8>,
    pub(crate) source_maximum: Option<u16>,
}

/// Turns decoded samples of any layout in `color` into RGB; `None` for a layout that is not known.
/// 16-bit samples are in the machine's byte order, as the `image` crate returns them; of them the lower `bits`, 1 to 16,
/// are looked at, and of alpha all.
pub(crate) fn to_rgb8(color: ColorType, raw: Vec<u8>, alpha: Alpha, bits: u8) -> Option<Rgb8> {
    let (raw, source_maximum) = match color {
        ColorType::L16 | ColorType::Rgb16 => narrow(raw, None, bits),
        ColorType::La16 => narrow(raw, Some(2), bits),
        ColorType::Rgba16 => narrow(raw, Some(4), bits),
        _ => (raw, None),
    };
    let data = match color {
        ColorType::Rgb8 | ColorType::Rgb16 => raw,
        ColorType::L8 | ColorType::L16 => grey_to_rgb(&raw),
        ColorType::La8 | ColorType::La16 => grey_alpha_to_rgb(&raw, alpha),
        ColorType::Rgba8 | ColorType::Rgba16 => rgba_to_rgb(raw, alpha),
        _ => return None,
    };
    Some(Rgb8 {
        data,
        source_maximum,
    })
}

/// 16-bit samples to 8 bits in the same buffer: the second copy of a large picture is not needed. With them the largest,
/// alpha apart, which is every `alpha`-th.
fn narrow(mut raw: Vec<u8>, alpha: Option<usize>, bits: u8) -> (Vec<u8>, Option<u16>) {
    let samples = raw.len() / 2;
    let mut largest = 0;
    for i in 0..samples {
        let v = u16::from_ne_bytes([raw[2 * i], raw[2 * i + 1]]);
        let is_alpha = alpha.is_some_and(|every| i % every == every - 1);
        if !is_alpha {
            largest = largest.max(v);
        }
        raw[i] = match bits {
            ..16 if !is_alpha => significant_to_8_bit(v, bits),
            _ => to_8_bit(v),
        };
    }
    raw.truncate(samples);
    (raw, Some(largest))
}

fn grey_alpha_to_rgb(raw: &[u8], alpha: Alpha) -> Vec<u8> {
    raw.chunks_exact(2)
        .flat_map(|p| [resolve(p[0], p[1], alpha); 3])
        .collect()
}

fn rgba_to_rgb(mut raw: Vec<u8>, alpha: Alpha) -> Vec<u8> {
    let pixels = raw.len() / 4;
    for i in 0..pixels {
        let opacity = raw[4 * i + 3];
        for channel in 0..3 {
            raw[3 * i + channel] = resolve(raw[4 * i + channel], opacity, alpha);
        }
    }
    raw.truncate(pixels * 3);
    raw
}

fn resolve(v: u8, a: u8, alpha: Alpha) -> u8 {
    match alpha {
        Alpha::Drop => v,
        Alpha::OverWhite => over_white(v, a),
    }
}

#[cfg(test)]
mod tests {
    use super::{largest, over_white, significant_to_8_bit, to_8_bit};

    #[test]
    fn sixteen_bits_round_to_the_nearest_of_257_steps() {
        for v in 0..=u16::MAX {
            let exact = (f64::from(v) / 257.0).round();
            assert_eq!(f64::from(to_8_bit(v)), exact, "{v}");
            assert_eq!(significant_to_8_bit(v, 16), to_8_bit(v), "{v}");
        }
    }

    #[test]
    fn the_range_of_fewer_bits_is_black_to_white() {
        for bits in 1..=16 {
            let most = f64::from(largest(bits));
            for v in (0..=u16::MAX).take_while(|&v| f64::from(v) <= most) {
                let exact = (255.0 * f64::from(v) / most).round();
                assert_eq!(
                    f64::from(significant_to_8_bit(v, bits)),
                    exact,
                    "{v}, {bits} bits"
                );
            }
            assert_eq!(significant_to_8_bit(u16::MAX, bits), 255);
        }
    }

    #[test]
    fn white_shows_through_in_proportion() {
        assert_eq!(over_white(10, 0), 255);
        assert_eq!(over_white(10, 255), 10);
        // Pillow 13: 10 at alpha 128 over white is 132, 30 is 142.
        assert_eq!(over_white(10, 128), 132);
        assert_eq!(over_white(30, 128), 142);
    }
}
