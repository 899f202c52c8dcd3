//! JPEG: baseline, extended and lossless, ITU-T T.81. Eight bits and lossless by the crate `jpeg-decoder` (`zune-jpeg`, as
//! the rest of this workspace has it, reads no lossless JPEG); twelve bits by `jpeg_extended`, since no kept crate reads
//! them.

use jpeg_decoder::{ColorTransform, Decoder, PixelFormat};

use super::jpeg_header::{Component, FrameHeader, SOS, frame_header, scans, segment};
use super::{Decoded, Fault, agree, jpeg_extended};
use crate::dicom::layout::{Layout, Photometric};

/// Most scans of a picture that is not progressive: each holds one of its components or more, whole (4.10), and no decoder
/// here reads more than four.
const MOST_SCANS: usize = 4;

/// Most scans of a progressive picture. libjpeg's own script (`jpeg_simple_progression`) makes 10 of one in colour;
/// `zune-jpeg` has this limit as well.
const MOST_PROGRESSIVE_SCANS: usize = 100;

pub(super) fn decode(bytes: &[u8], layout: &Layout) -> Result<Decoded, Fault> {
    let found = find(bytes)?;
    check_codes(bytes, &found)?;
    check_scans(bytes, found.progressive)?;
    let Found {
        frame,
        lossless,
        progressive,
        jfif,
    } = found;
    agree(
        layout,
        frame.rows,
        frame.columns,
        frame.components.len(),
        frame.precision,
    )?;
    let photometric = colour(&frame, jfif, layout.photometric);
    if frame.precision > 8 && !lossless {
        if progressive {
            return Err(Fault::new("a progressive frame of more than 8 bits"));
        }
        let data = jpeg_extended::decode(bytes, &frame)?;
        return Ok(Decoded {
            data,
            precision: frame.precision,
            photometric,
        });
    }
    if frame.precision > 8 && frame.components.len() > 1 {
        return Err(Fault::new("colours of more than 8 bits"));
    }
    let mut decoder = Decoder::new(bytes);
    // "RGB" leaves colours as they are; "None" of version 0.3.2 writes lines one behind the other, and beyond the end.
    if frame.components.len() == 3 {
        decoder.set_color_transform(ColorTransform::RGB);
    }
    // Working space included; the size of the picture is checked above.
    decoder.set_max_decoding_buffer_size(layout.frame_samples().saturating_mul(8).max(1 << 16));
    let decoded = decoder
        .decode()
        .map_err(|error| Fault::new(reason(&error)))?;
    let data: Vec<u32> = match decoder.info().map(|info| info.pixel_format) {
        Some(PixelFormat::L16) => decoded
            .as_chunks()
            .0
            .iter()
            .map(|&word| u32::from(u16::from_ne_bytes(word)))
            .collect(),
        _ => decoded.into_iter().map(u32::from).collect(),
    };
    Ok(Decoded {
        data,
        precision: frame.precision,
        photometric,
    })
}

/// What of a decoder's error has no content of the file.
fn reason(error: &jpeg_decoder::Error) -> &'static str {
    match error {
        jpeg_decoder::Error::Format(_) => "a stream that breaks the rules of JPEG",
        jpeg_decoder::Error::Unsupported(_) => "a form of JPEG that is not read",
        _ => "a stream that ends early",
    }
}

struct Found {
    frame: FrameHeader,
    lossless: bool,
    progressive: bool,
    jfif: bool,
}

/// Refuses a stream that is too short for the picture which its header announces, before anything is reserved for it.
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), Fault> {
    check_codes(bytes, &find(bytes)?)
}

/// A code has at least one bit; each sample of lossless JPEG has one, each block of the others two, of progressive JPEG
/// one (F.1.2, G.1.2, H.1.2).
fn check_codes(bytes: &[u8], found: &Found) -> Result<(), Fault> {
    let frame = &found.frame;
    let most = |side: fn(&Component) -> usize| frame.components.iter().map(side).max();
    let (across, down) = (most(|c| c.horizontal), most(|c| c.vertical));
    // A.1.1: sides of a component whose samples pixels may share.
    let share = |pixels: usize, factor: usize, most: Option<usize>| {
        (pixels * factor).div_ceil(most.unwrap_or(1).max(1)) as u64
    };
    let codes = frame.components.iter().map(|component| {
        let width = share(frame.columns, component.horizontal, across);
        let height = share(frame.rows, component.vertical, down);
        match (found.lossless, found.progressive) {
            (true, _) => width * height,
            (_, true) => width.div_ceil(8) * height.div_ceil(8),
            _ => width.div_ceil(8) * height.div_ceil(8) * 2,
        }
    });
    let least = codes.sum::<u64>() / 8;
    if bytes.len() as u64 >= least {
        return Ok(());
    }
    Err(Fault::new(format!(
        "{} bytes, where {} x {} pixels take {least} or more",
        bytes.len(),
        frame.columns,
        frame.rows
    )))
}

/// Refuses a stream of more scans than a picture has: at each the decoder goes through the whole frame, however few bytes
/// the scan has, so that hours would go into some megabytes of them.
fn check_scans(bytes: &[u8], progressive: bool) -> Result<(), Fault> {
    let (kind, most) = match progressive {
        true => ("a progressive", MOST_PROGRESSIVE_SCANS),
        false => ("a sequential or lossless", MOST_SCANS),
    };
    let found = scans(bytes);
    if found <= most {
        return Ok(());
    }
    Err(Fault::new(format!(
        "{found} scans, where {kind} picture has {most} or fewer"
    )))
}

/// The frame header, looked for up to the first scan.
fn find(bytes: &[u8]) -> Result<Found, Fault> {
    let mut at = 0;
    let mut jfif = false;
    loop {
        let segment = segment(bytes, at)?;
        match segment.marker {
            0xE0 => jfif |= segment.body.starts_with(b"JFIF"),
            0xC0..=0xC3 => {
                return Ok(Found {
                    frame: frame_header(segment.body)?,
                    lossless: segment.marker == 0xC3,
                    progressive: segment.marker == 0xC2,
                    jfif,
                });
            }
            0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(Fault::new(format!(
                    "a frame of kind {:02X}; baseline, extended and lossless with Huffman codes are read",
                    segment.marker
                )));
            }
            SOS => return Err(Fault::new("a scan before its frame header")),
            _ => {}
        }
        at = segment.next;
    }
}

/// The colours of a stream that says them, as pydicom 3 takes its word: component names `RGB`, else JFIF is YCbCr.
fn colour(frame: &FrameHeader, jfif: bool, stated: Photometric) -> Option<Photometric> {
    let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
    if ids == *b"RGB" || ids == *b"rgb" {
        return Some(Photometric::Rgb);
    }
    (jfif && stated == Photometric::Rgb).then_some(Photometric::YbrFull)
}
