//! Whether a file reaches the end marker of its format: PNG (W3C PNG §5.3, chunks up to `IEND`) and JPEG
//! (ITU-T T.81 §B.1, segments up to `EOI`).
//!
//! Decoders are lenient here: a JPEG cut in half decodes to a picture with a grey lower half, which a model would
//! read as anatomy. A walk over the outer structure costs one pass and tells the cut file from the whole one.
//! What it cannot tell is damage inside a JPEG's entropy-coded data, which has no check sum: that decodes to something
//! here as it does in libjpeg. PNG data has check sums, and the decoder verifies them.

use crate::error::{Error, Origin, Result};

const PNG_SIGNATURE: usize = 8;

/// Walks the chunks of a PNG up to `IEND`, and refuses a palette that is not made of 1 to 256 colours of three bytes
/// (W3C PNG §11.2.2): `png` 0.18.1 takes any length and panics on it when expanding the samples.
pub(crate) fn png(bytes: &[u8], origin: &Origin) -> Result<()> {
    let truncated = |expected, at| Error::Truncated {
        origin: origin.clone(),
        format: "PNG",
        expected,
        at,
    };
    let mut at = PNG_SIGNATURE;
    loop {
        let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) else {
            return Err(truncated("a chunk up to `IEND`", at));
        };
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        // Length, type and check sum are four bytes each.
        let next = at.saturating_add(12).saturating_add(length);
        if next > bytes.len() {
            return Err(truncated("the rest of a chunk", at));
        }
        match &head[4..8] {
            b"IEND" => return Ok(()),
            b"PLTE" if !length.is_multiple_of(3) || !(3..=768).contains(&length) => {
                return Err(Error::Corrupt {
                    origin: origin.clone(),
                    format: "PNG",
                    source: format!("a palette of {length} bytes, not of 1 to 256 colours").into(),
                });
            }
            _ => {}
        }
        at = next;
    }
}

/// Width and height of a PNG by its first chunk, which has to be `IHDR`: known before any decoder is set up.
pub(crate) fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(PNG_SIGNATURE + 4..)?.first_chunk::<12>()?;
    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    (&header[..4] == b"IHDR").then(|| (number(4), number(8)))
}

/// Walks the segments of a JPEG up to `EOI`, through the entropy-coded data of every scan, and refuses more scans than a
/// picture has.
pub(crate) fn jpeg(bytes: &[u8], origin: &Origin) -> Result<()> {
    const SOF2: u8 = 0xC2;
    const SOI: u8 = 0xD8;
    const EOI: u8 = 0xD9;
    const SOS: u8 = 0xDA;
    let truncated = |expected, at| Error::Truncated {
        origin: origin.clone(),
        format: "JPEG",
        expected,
        at,
    };
    let (mut at, mut scans, mut progressive) = (0, 0, false);
    loop {
        let Some((marker, after)) = next_marker(bytes, at) else {
            return Err(truncated("the end marker `EOI`", bytes.len()));
        };
        match marker {
            EOI => return check_scans(bytes, scans, progressive, origin),
            // TEM and RSTn stand alone, as does the start of the image.
            SOI | 0x01 | 0xD0..=0xD7 => at = after,
            _ => {
                let Some(length) = bytes.get(after..).and_then(<[u8]>::first_chunk::<2>) else {
                    return Err(truncated("a segment's length", after));
                };
                at = after.saturating_add(usize::from(u16::from_be_bytes(*length)));
                if at > bytes.len() {
                    return Err(truncated("the rest of a segment", after));
                }
                progressive |= marker == SOF2;
                if marker == SOS {
                    scans += 1;
                    at = end_of_scan(bytes, at);
                }
            }
        }
    }
}

/// Most scans of a picture that is not progressive: each holds one of its components or more, whole (T.81, 4.10), and no
/// decoder here reads more than four.
const MOST_SCANS: usize = 4;

/// Most scans of a progressive picture. libjpeg's own script (`jpeg_simple_progression`) makes 10 of one in colour;
/// `zune-jpeg` keeps to this limit too, for progressive pictures alone.
const MOST_PROGRESSIVE_SCANS: usize = 100;

/// Each scan costs the decoder a row of blocks or all of them, however few bytes it has.
fn check_scans(bytes: &[u8], walked: usize, progressive: bool, origin: &Origin) -> Result<()> {
    let refused = |found: usize, most: usize| Error::Corrupt {
        origin: origin.clone(),
        format: "JPEG",
        source: format!("{found} scans, where such a picture has {most} or fewer").into(),
    };
    let most = match progressive {
        true => MOST_PROGRESSIVE_SCANS,
        false => MOST_SCANS,
    };
    if walked > most {
        return Err(refused(walked, most));
    }
    // What is no segment to the walk above may be one to the decoder. Pictures behind the first one, as some cameras write
    // them, are few.
    let anywhere = scan_headers(bytes);
    if anywhere > MOST_PROGRESSIVE_SCANS {
        return Err(refused(anywhere, MOST_PROGRESSIVE_SCANS));
    }
    Ok(())
}

/// Headers of a JPEG's scans wherever they stand, for a decoder that looks at some of them only: their length tells the
/// number of components again (T.81, B.2.3). For crates of this workspace that decode JPEG by themselves.
#[must_use]
pub fn scan_headers(bytes: &[u8]) -> usize {
    let headers = bytes.windows(5).filter(|bytes| {
        matches!(bytes, &[0xFF, 0xDA, 0, length, count @ 1..=4] if *length == 6 + 2 * count)
    });
    headers.count()
}

/// The next marker at or after `at`, and the position behind it. Bytes that belong to no marker are passed over,
/// as decoders do.
fn next_marker(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(at..)?;
    let found = rest
        .windows(2)
        .position(|pair| pair[0] == 0xFF && pair[1] != 0xFF && pair[1] != 0)?;
    Some((rest[found + 1], at + found + 2))
}

/// The position of the first marker after entropy-coded data: not a stuffed zero, not a restart marker.
fn end_of_scan(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.windows(2)
        .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF | 0xD0..=0xD7))
        .map_or(bytes.len(), |found| at + found)
}
