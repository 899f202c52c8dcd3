//! RLE Lossless: PS3.5, annex G. One segment for each byte of each sample, the highest byte first.

use super::{Decoded, Fault};
use crate::dicom::layout::Layout;

pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Decoded, Fault> {
    let width = layout.allocated as usize / 8;
    let expected = layout.samples * width;
    let header = bytes
        .first_chunk::<64>()
        .ok_or_else(|| Fault::new(format!("{} bytes, less than a header", bytes.len())))?;
    let word = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| header[i * 4 + b])) as usize;
    if word(0) != expected || expected == 0 {
        return Err(Fault::new(format!(
            "{} segments instead of {expected}",
            word(0)
        )));
    }
    let area = layout.rows * layout.columns;
    // Two bytes make at most 128.
    if bytes.len().saturating_mul(64) < area * expected {
        return Err(Fault::new(format!(
            "{} bytes, fewer than {} x {} pixels take",
            bytes.len(),
            layout.columns,
            layout.rows
        )));
    }
    let mut data = vec![0u32; area * layout.samples];
    for segment in 0..expected {
        let start = word(segment + 1);
        let end = if segment + 1 < expected {
            word(segment + 2)
        } else {
            bytes.len()
        };
        let packed = bytes
            .get(start..end)
            .ok_or_else(|| Fault::new(format!("segment {segment} outside of the frame")))?;
        let (sample, byte) = (segment / width, segment % width);
        let shift = 8 * (width - 1 - byte);
        let mut pixels = data.iter_mut().skip(sample).step_by(layout.samples);
        let written = unpack(packed, |value| match pixels.next() {
            Some(pixel) => {
                *pixel |= u32::from(value) << shift;
                true
            }
            None => false,
        });
        if written < area {
            return Err(Fault::new(format!(
                "{written} of {area} pixels in segment {segment}"
            )));
        }
    }
    Ok(Decoded {
        data,
        precision: layout.allocated,
        photometric: None,
    })
}

/// PackBits, until the bytes end or `put` has had enough; how many bytes it took.
fn unpack(packed: &[u8], mut put: impl FnMut(u8) -> bool) -> usize {
    let mut written = 0;
    let mut rest = packed;
    while let [control, after @ ..] = rest {
        let control = usize::from(*control);
        if control < 128 {
            let count = (control + 1).min(after.len());
            for &value in &after[..count] {
                if !put(value) {
                    return written;
                }
                written += 1;
            }
            rest = &after[count..];
        } else if control > 128 {
            let [value, after @ ..] = after else { break };
            for _ in 0..257 - control {
                if !put(*value) {
                    return written;
                }
                written += 1;
            }
            rest = after;
        } else {
            rest = after;
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::unpack;

    #[test]
    fn the_example_of_packbits() {
        // Apple's Technical Note TN1023.
        let packed = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7,
            0xAA,
        ];
        let mut found = Vec::new();
        let written = unpack(&packed, |byte| {
            found.push(byte);
            true
        });
        let mut expected = vec![0xAA; 3];
        expected.extend([0x80, 0, 0x2A]);
        expected.extend([0xAA; 4]);
        expected.extend([0x80, 0, 0x2A, 0x22]);
        expected.extend([0xAA; 10]);
        assert_eq!(found, expected);
        assert_eq!(written, 24);
    }
}
