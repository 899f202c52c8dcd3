//! Marker segments of JPEG and JPEG-LS: ITU-T T.81, annex B; T.87, annex C.

use super::Fault;

/// One marker segment.
pub(super) struct Segment<'a> {
    /// The second byte of the marker.
    pub(super) marker: u8,
    /// Its parameters, without the length.
    pub(super) body: &'a [u8],
    /// Where the bytes behind it begin.
    pub(super) next: usize,
}

pub(super) const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
pub(super) const DQT: u8 = 0xDB;
pub(super) const DHT: u8 = 0xC4;
pub(super) const DRI: u8 = 0xDD;

/// The segment whose marker is the next one at or behind `at`.
pub(super) fn segment(bytes: &[u8], mut at: usize) -> Result<Segment<'_>, Fault> {
    let ended = || Fault::new("the end of the stream before its image");
    loop {
        let rest = bytes.get(at..).ok_or_else(ended)?;
        let found = rest.iter().position(|&b| b == 0xFF).ok_or_else(ended)?;
        at += found + 1;
        match bytes.get(at).ok_or_else(ended)? {
            // Fill bytes and stuffed ones are no markers.
            0xFF | 0 => {}
            &marker @ (SOI | EOI | 0xD0..=0xD7 | 0x01) => {
                return Ok(Segment {
                    marker,
                    body: &[],
                    next: at + 1,
                });
            }
            &marker => {
                let length = bytes
                    .get(at + 1..at + 3)
                    .map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])))
                    .filter(|&length| length >= 2)
                    .ok_or_else(ended)?;
                let next = at + 1 + length;
                let body = bytes.get(at + 3..next).ok_or_else(ended)?;
                return Ok(Segment { marker, body, next });
            }
        }
    }
}

/// Scans up to the end of the picture, or of what can be walked through: a decoder goes no further either.
pub(super) fn scans(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Ok(found) = segment(bytes, at) {
        match found.marker {
            EOI => break,
            SOS => count += 1,
            _ => {}
        }
        at = found.next;
    }
    count
}

/// A frame header: SOF0 to SOF15, SOF55.
pub(super) struct FrameHeader {
    pub(super) precision: u32,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) components: Vec<Component>,
}

/// What a frame header says of one component.
#[derive(Clone, Copy)]
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    pub(super) table: u8,
}

pub(super) fn frame_header(body: &[u8]) -> Result<FrameHeader, Fault> {
    let broken = || Fault::new("a frame header of the wrong length");
    let (&[precision, y1, y0, x1, x0, count], rest) =
        body.split_first_chunk().ok_or_else(broken)?;
    let (components, []) = rest.as_chunks::<3>() else {
        return Err(broken());
    };
    if components.len() != usize::from(count) || components.is_empty() {
        return Err(broken());
    }
    Ok(FrameHeader {
        precision: u32::from(precision),
        rows: usize::from(u16::from_be_bytes([y1, y0])),
        columns: usize::from(u16::from_be_bytes([x1, x0])),
        components: components
            .iter()
            .map(|&[id, factors, table]| Component {
                id,
                horizontal: usize::from(factors >> 4),
                vertical: usize::from(factors & 15),
                table,
            })
            .collect(),
    })
}
