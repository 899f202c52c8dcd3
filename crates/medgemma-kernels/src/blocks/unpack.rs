//! Whole rows of blocks as floats: rows of an embedding, and the panels of a product with many rows.

use half::{bf16, f16};

use crate::cpu::Path;
use crate::matrix::Format;

use super::decode::{Block, LONGEST, decode};
#[cfg(target_arch = "x86_64")]
use super::{unpack_avx2, unpack_avx512};

/// The numbers that `bytes` hold, exactly as ggml computes them in f32; plain floats are widened.
///
/// With the best instructions of the processor, whatever a [`Cpu`](crate::Cpu) was told: the numbers are the same with
/// all.
///
/// # Panics
/// When `bytes` are not `out.len()` numbers in `format`.
pub fn dequantize(format: Format, bytes: &[u8], out: &mut [f32]) {
    assert_eq!(
        format.row_bytes(out.len()),
        Some(bytes.len()),
        "bytes of {} numbers in {format}",
        out.len()
    );
    match format {
        Format::F32 => {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f32::from_le_bytes(*bytes);
            }
        }
        Format::F16 => {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f16::from_le_bytes(*bytes).to_f32();
            }
        }
        Format::Bf16 => {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = bf16::from_le_bytes(*bytes).to_f32();
            }
        }
        _ => unpack_f32(Path::best(), format, bytes, out),
    }
}

/// A row of blocks as f32. The processor has `path`.
///
/// # Panics
/// When `row` is not `out.len()` numbers in `format`, or the format has no blocks.
pub(super) fn unpack_f32(path: Path, format: Format, row: &[u8], out: &mut [f32]) {
    check(format, row, out.len());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller has the instructions of `path`.
        Path::Avx2 => unsafe { unpack_avx2::row_f32(format, row, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx512 | Path::Amx => unsafe { unpack_avx512::row_f32(format, row, out) },
        _ => scalar(format, row, out, |value| value),
    }
}

/// A row of blocks as the bits of bf16, rounded to nearest, ties to even. The processor has `path`.
///
/// # Panics
/// When `row` is not `out.len()` numbers in `format`, or the format has no blocks.
pub(crate) fn unpack_bf16(path: Path, format: Format, row: &[u8], out: &mut [u16]) {
    check(format, row, out.len());
    match path {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the caller has the instructions of `path`.
        Path::Avx2 => unsafe { unpack_avx2::row_bf16(format, row, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Path::Avx512 | Path::Amx => unsafe { unpack_avx512::row_bf16(format, row, out) },
        _ => scalar(format, row, out, |value| bf16::from_f32(value).to_bits()),
    }
}

fn check(format: Format, row: &[u8], numbers: usize) {
    assert!(format.is_blocks(), "{format} has no blocks");
    assert_eq!(
        format.row_bytes(numbers),
        Some(row.len()),
        "bytes of {numbers} numbers in {format}"
    );
}

/// The specification: block by block, number by number.
fn scalar<T>(format: Format, row: &[u8], out: &mut [T], store: impl Fn(f32) -> T) {
    let len = format.block_len();
    debug_assert!(len <= LONGEST);
    let mut block = Block::new();
    for (bytes, out) in row
        .chunks_exact(format.block_bytes())
        .zip(out.chunks_exact_mut(len))
    {
        decode(format, bytes, &mut block);
        for (index, out) in out.iter_mut().enumerate() {
            *out = store(block.value(format, index));
        }
    }
}
