//! What the bits of each block format mean: the one place that the plain Rust code reads them in.
//!
//! Every format stores unsigned integers `q`, groups of which share a scale `s` and an offset `o`:
//! a weight is `s·(q − z) − o`, where `z` is a constant of the format. The layouts are those of
//! ggml's `ggml-common.h`; the goldens in `tests/golden` were made with its Python twin.

use half::f16;

use crate::matrix::Format;

/// What the macro `$of` makes of the name of `$format`: code that is compiled for each block format by itself.
///
/// # Panics
/// For a format without blocks.
macro_rules! of_format {
    ($format:expr, $of:ident) => {
        match $format {
            $crate::matrix::Format::Q8_0 => $of!(Q8_0),
            $crate::matrix::Format::Q4_0 => $of!(Q4_0),
            $crate::matrix::Format::Q4_1 => $of!(Q4_1),
            $crate::matrix::Format::Q5_0 => $of!(Q5_0),
            $crate::matrix::Format::Q5_1 => $of!(Q5_1),
            $crate::matrix::Format::Q4K => $of!(Q4K),
            $crate::matrix::Format::Q5K => $of!(Q5K),
            $crate::matrix::Format::Q6K => $of!(Q6K),
            format @ ($crate::matrix::Format::F32
            | $crate::matrix::Format::F16
            | $crate::matrix::Format::Bf16) => panic!("{format} has no blocks"),
        }
    };
}
pub(super) use of_format;

/// Numbers of the longest block.
pub(super) const LONGEST: usize = 256;

/// One block, unpacked, its numbers in the order of the row.
pub(super) struct Block {
    /// The integers; the first `block_len` are of the block.
    pub(super) q: [u8; LONGEST],
    /// A factor for each group.
    pub(super) scale: [f32; 16],
    /// What is subtracted, for each group.
    pub(super) offset: [f32; 16],
}

impl Block {
    /// A block of zeros.
    pub(super) const fn new() -> Self {
        Self {
            q: [0; LONGEST],
            scale: [0.0; 16],
            offset: [0.0; 16],
        }
    }

    /// Number `index` of the block that was decoded, as ggml computes it.
    pub(super) fn value(&self, format: Format, index: usize) -> f32 {
        let group = index / group_len(format);
        let q = i16::from(self.q[index]) - i16::from(zero(format));
        self.scale[group] * f32::from(q) - self.offset[group]
    }
}

/// Numbers that share a scale.
pub(super) const fn group_len(format: Format) -> usize {
    match format {
        Format::Q6K => 16,
        _ => 32,
    }
}

/// The integer that stands for zero (before the offset).
pub(super) const fn zero(format: Format) -> u8 {
    match format {
        Format::Q8_0 => 128,
        Format::Q4_0 => 8,
        Format::Q5_0 => 16,
        Format::Q6K => 32,
        _ => 0,
    }
}

/// The format whose discriminant `code` is: what a constant parameter stands for.
pub(super) const fn format_of(code: u8) -> Format {
    const BLOCKS: [Format; 8] = [
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
        Format::Q4K,
        Format::Q5K,
        Format::Q6K,
    ];
    let mut index = 0;
    while BLOCKS[index] as u8 != code {
        index += 1;
    }
    BLOCKS[index]
}

/// Reads the block at the beginning of `bytes`.
///
/// # Panics
/// When there are not as many bytes, or the format has no blocks.
pub(super) fn decode(format: Format, bytes: &[u8], block: &mut Block) {
    factors(format, bytes, &mut block.scale, &mut block.offset);
    integers(format, bytes, &mut block.q);
}

/// The scales and offsets of the block at the beginning of `bytes`; what a format has not is left
/// as it is.
///
/// # Panics
/// When there are not as many bytes, or the format has no blocks.
pub(super) fn factors(format: Format, bytes: &[u8], scale: &mut [f32; 16], offset: &mut [f32; 16]) {
    match format {
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => scale[0] = half(bytes, 0),
        Format::Q4_1 | Format::Q5_1 => {
            scale[0] = half(bytes, 0);
            offset[0] = -half(bytes, 2);
        }
        Format::Q4K | Format::Q5K => scales_and_minima(bytes, scale, offset),
        Format::Q6K => {
            let d = half(bytes, 208);
            for (scale, &byte) in scale.iter_mut().zip(&bytes[192..208]) {
                *scale = d * f32::from(byte.cast_signed());
            }
        }
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

/// The integers of the block at the beginning of `bytes`, `z` included.
fn integers(format: Format, bytes: &[u8], all: &mut [u8; LONGEST]) {
    let q = &mut all[..format.block_len()];
    match format {
        Format::Q8_0 => {
            for (q, byte) in q.iter_mut().zip(&bytes[2..34]) {
                *q = byte ^ 0x80;
            }
        }
        Format::Q4_0 => nibbles(&bytes[2..18], q),
        Format::Q4_1 => nibbles(&bytes[4..20], q),
        Format::Q5_0 => {
            nibbles(&bytes[6..22], q);
            fifth_bits(&bytes[2..6], q);
        }
        Format::Q5_1 => {
            nibbles(&bytes[8..24], q);
            fifth_bits(&bytes[4..8], q);
        }
        Format::Q4K => {
            for (bytes, q) in chunks(&bytes[16..144], q, 32, 64) {
                nibbles(bytes, q);
            }
        }
        Format::Q5K => {
            for (bytes, q) in chunks(&bytes[48..176], q, 32, 64) {
                nibbles(bytes, q);
            }
            let high = &bytes[16..48];
            for (index, q) in q.iter_mut().enumerate() {
                *q |= (high[index % 32] >> (index / 32) & 1) << 4;
            }
        }
        Format::Q6K => {
            for (bytes, q) in chunks(&bytes[..128], q, 64, 128) {
                nibbles(bytes, q);
            }
            for (index, q) in q.iter_mut().enumerate() {
                let high = bytes[128 + index / 128 * 32 + index % 32];
                *q |= (high >> (index % 128 / 32 * 2) & 3) << 4;
            }
        }
        Format::F32 | Format::F16 | Format::Bf16 => panic!("{format} has no blocks"),
    }
}

/// The little-endian f16 at `at`.
fn half(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// The low halves of all bytes, then the high halves.
fn nibbles(bytes: &[u8], q: &mut [u8]) {
    let (low, high) = q.split_at_mut(bytes.len());
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        *low = byte & 15;
        *high = byte >> 4;
    }
}

/// Adds bit `i` of `bits` to integer `i` as its fifth.
fn fifth_bits(bits: &[u8], q: &mut [u8]) {
    for (index, q) in q.iter_mut().enumerate() {
        *q |= (bits[index / 8] >> (index % 8) & 1) << 4;
    }
}

/// The pieces of `bytes` and of `q` that belong together.
fn chunks<'a>(
    bytes: &'a [u8],
    q: &'a mut [u8],
    bytes_each: usize,
    q_each: usize,
) -> impl Iterator<Item = (&'a [u8], &'a mut [u8])> {
    bytes
        .chunks_exact(bytes_each)
        .zip(q.chunks_exact_mut(q_each))
}

/// The factors of the eight groups of Q4_K and Q5_K: six bits each of twelve bytes, the upper two
/// bits of the last four pairs lying above the first four.
fn scales_and_minima(bytes: &[u8], scales: &mut [f32; 16], offsets: &mut [f32; 16]) {
    let (d, dmin) = (half(bytes, 0), half(bytes, 2));
    let packed = &bytes[4..16];
    for group in 0..8 {
        let (scale, min) = if group < 4 {
            (packed[group] & 63, packed[group + 4] & 63)
        } else {
            (
                packed[group + 4] & 15 | packed[group - 4] >> 6 << 4,
                packed[group + 4] >> 4 | packed[group] >> 6 << 4,
            )
        };
        scales[group] = d * f32::from(scale);
        offsets[group] = dmin * f32::from(min);
    }
}
