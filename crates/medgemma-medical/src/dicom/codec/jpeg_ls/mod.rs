//! JPEG-LS, lossless and near-lossless: ITU-T T.87. Written here since the crates there are bind a C++ library.
//!
//! | part of T.87 | file |
//! |---|---|
//! | marker segments, interleaving (annex C, 4.5) | `mod` |
//! | default thresholds, contexts, bias (C.2.4.1, A.2.1, A.6) | `context` |
//! | prediction, error decoding, runs (annex A, F) | `scan` |

mod context;
mod scan;

use super::jpeg_header::{DRI, EOI, FrameHeader, SOI, SOS, frame_header, segment};
use super::{Decoded, Fault, agree};
use crate::dicom::layout::{Layout, Photometric};
use context::{Parameters, Presets};

const SOF55: u8 = 0xF7;
const LSE: u8 = 0xF8;

/// How the components of a scan follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interleave {
    Line,
    Sample,
}

pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Decoded, Fault> {
    let mut frame: Option<FrameHeader> = None;
    let mut presets = Presets::default();
    let mut planes: Vec<Vec<i32>> = Vec::new();
    let mut at = 0;
    loop {
        let found = segment(bytes, at)?;
        at = found.next;
        match found.marker {
            SOF55 => frame = Some(checked_frame(found.body, layout)?),
            LSE => presets.read(found.body)?,
            DRI if found.body.iter().any(|&byte| byte != 0) => {
                return Err(Fault::new("restart intervals, which are not read"));
            }
            SOS => {
                let frame = frame.as_ref().ok_or_else(no_frame)?;
                let rest = bytes.get(at..).unwrap_or_default();
                let data = &rest[..data_length(rest)];
                let (interleave, near, count) = scan_header(found.body)?;
                if planes.len() + count > frame.components.len() {
                    return Err(Fault::new("more components than announced"));
                }
                let parameters = Parameters::new(frame.precision, near, &presets)?;
                let mut decoded = scan::decode(
                    data,
                    &parameters,
                    interleave,
                    [frame.rows, frame.columns, count],
                )?;
                planes.append(&mut decoded);
                at += data.len();
                if planes.len() >= frame.components.len() {
                    break;
                }
            }
            EOI => return Err(Fault::new("fewer components than announced")),
            SOI => {}
            0xC0..=0xCF => return Err(Fault::new("a frame that is not of JPEG-LS")),
            _ => {}
        }
    }
    let frame = frame.ok_or_else(no_frame)?;
    let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
    Ok(Decoded {
        data: interleaved(&planes, &frame),
        precision: frame.precision,
        photometric: (ids == *b"RGB" || ids == *b"rgb").then_some(Photometric::Rgb),
    })
}

/// A frame header that agrees with the data set and is of a kind that is read: no scan is decoded, and nothing reserved for
/// one, without it.
fn checked_frame(body: &[u8], layout: &Layout) -> Result<FrameHeader, Fault> {
    let header = frame_header(body)?;
    agree(
        layout,
        header.rows,
        header.columns,
        header.components.len(),
        header.precision,
    )?;
    let whole = header
        .components
        .iter()
        .all(|c| (c.horizontal, c.vertical) == (1, 1));
    if !(2..=16).contains(&header.precision) || !whole {
        return Err(Fault::new(
            "a frame of other precision or sampling than is read",
        ));
    }
    Ok(header)
}

/// The samples of each pixel side by side, of the planes of all components.
fn interleaved(planes: &[Vec<i32>], frame: &FrameHeader) -> Vec<u32> {
    let area = frame.rows * frame.columns;
    let samples = frame.components.len();
    let mut data = vec![0; area * samples];
    for (channel, plane) in planes.iter().take(samples).enumerate() {
        let places = data.iter_mut().skip(channel).step_by(samples);
        for (place, value) in places.zip(plane) {
            *place = value.cast_unsigned();
        }
    }
    data
}

fn no_frame() -> Fault {
    Fault::new("a scan before its frame header")
}

/// Up to the next marker: in coded data a byte behind `FF` is below 128.
fn data_length(bytes: &[u8]) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair[0] == 0xFF && pair[1] >= 0x80)
        .unwrap_or(bytes.len())
}

/// Interleaving, NEAR and the number of components: C.2.3.
fn scan_header(body: &[u8]) -> Result<(Interleave, i32, usize), Fault> {
    let broken = || Fault::new("a scan header of the wrong length");
    let (&count, rest) = body.split_first().ok_or_else(broken)?;
    let (components, rest) = rest
        .split_at_checked(usize::from(count) * 2)
        .ok_or_else(broken)?;
    let &[near, interleave, transform] = rest else {
        return Err(broken());
    };
    if components.chunks(2).any(|pair| pair[1] != 0) || transform != 0 {
        return Err(Fault::new(
            "mapping tables or a point transform, which are not read",
        ));
    }
    let interleave = match (interleave, count) {
        (0, 1) | (1, 1..=4) => Interleave::Line,
        (2, 1..=4) => Interleave::Sample,
        _ => return Err(Fault::new("an unknown interleaving")),
    };
    Ok((interleave, i32::from(near), usize::from(count)))
}
