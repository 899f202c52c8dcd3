//! Comments and other data beside the picture in compressed frames: JPEG (ITU-T T.81, annex B; JPEG-LS has the same
//! markers) and JPEG 2000 (ITU-T T.800, annexes A and I).

use std::borrow::Cow;

const JPEG: [u8; 2] = [0xFF, 0xD8];
const JPEG_2000: [u8; 2] = [0xFF, 0x4F];
/// The first box of a JP2 file, which DICOM has no room for, and files have all the same.
const JP2: [u8; 8] = *b"\0\0\0\x0CjP  ";

/// What encoders write in front of their own version, in every file.
const ENCODERS: [&[u8]; 4] = [
    b"Created by OpenJPEG version ",
    b"Kakadu-v",
    b"Kakadu-",
    b"OpenJPH Ver ",
];

/// Whether a frame has a comment, application data, or boxes beside the picture.
pub(super) fn holds_metadata<B: AsRef<[u8]>>(fragments: &[B]) -> bool {
    let begins = |bytes: &[u8]| {
        bytes.starts_with(&JPEG) || bytes.starts_with(&JPEG_2000) || bytes.starts_with(&JP2)
    };
    // A frame may go on in the next fragment, in the middle of a segment.
    let mut rest = fragments;
    while let Some((first, others)) = rest.split_first() {
        let first = first.as_ref();
        let next = others.iter().position(|next| begins(next.as_ref()));
        let (parts, after) = others.split_at(next.unwrap_or(others.len()));
        rest = after;
        if !begins(first) {
            continue;
        }
        let mut frame = Cow::Borrowed(first);
        for part in parts {
            frame.to_mut().extend_from_slice(part.as_ref());
        }
        if frame_holds_metadata(&frame) {
            return true;
        }
    }
    false
}

fn frame_holds_metadata(frame: &[u8]) -> bool {
    if frame.starts_with(&JPEG) {
        jpeg(&frame[JPEG.len()..])
    } else if frame.starts_with(&JPEG_2000) {
        code_stream(frame)
    } else {
        boxes(frame)
    }
}

/// Whether there is a comment, or application data other than the header of JFIF and the colours of Adobe, in front of
/// any scan or behind one.
fn jpeg(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    // What is no marker is the data of a scan.
    while let Some(at) = rest.iter().position(|&byte| byte == 0xFF) {
        rest = &rest[at + 1..];
        match *rest {
            [0xD9, ..] => return false,
            [0xFE | 0xE1..=0xED | 0xEF, ..] => return true,
            [0xE0, _, _, ref body @ ..] if !body.starts_with(b"JFIF") => return true,
            [0xC0..=0xCF | 0xDA..=0xFD, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                rest = rest.get(1 + length..).unwrap_or_default();
            }
            // A byte of ones before the marker, one within data, or a marker without a length.
            _ => {}
        }
    }
    false
}

/// Whether there is a comment in the main header or that of a tile-part.
fn code_stream(bytes: &[u8]) -> bool {
    let mut at = JPEG_2000.len();
    let mut tile_part_end = None;
    while let Some(&[0xFF, marker, ref rest @ ..]) = bytes.get(at..) {
        match (marker, rest) {
            // Data up to the end of the tile-part.
            (0x93, _) => match tile_part_end.take() {
                Some(end) if end > at => at = end,
                _ => return false,
            },
            (_, &[high, low, ref body @ ..]) => {
                let length = usize::from(u16::from_be_bytes([high, low]));
                let body = &body[..body.len().min(length.saturating_sub(2))];
                if marker == 0x64 && !is_of_encoder(body) {
                    return true;
                }
                if let (0x90, &[_, _, a, b, c, d, ..]) = (marker, body) {
                    // Without a length it is the last one.
                    let length = u32::from_be_bytes([a, b, c, d]);
                    let length = usize::try_from(length).ok().filter(|&length| length > 0);
                    tile_part_end = length.and_then(|length| at.checked_add(length));
                }
                at += 2 + length;
            }
            _ => return false,
        }
    }
    false
}

/// Whether a comment is text, and nothing but the name and version of an encoder.
fn is_of_encoder(comment: &[u8]) -> bool {
    let Some(text) = comment.strip_prefix(&[0, 1]) else {
        return false;
    };
    let versions = ENCODERS.iter().filter_map(|name| text.strip_prefix(*name));
    let is_version = |version: &[u8]| {
        let of_version = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | 0);
        version.len() <= 9 && version.iter().all(of_version)
    };
    versions.into_iter().any(is_version)
}

/// Whether a file has boxes beside those of the picture, or its code stream a comment.
fn boxes(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((&[a, b, c, d, ref kind @ ..], body)) = rest.split_first_chunk::<8>() {
        let (length, header) = match (u32::from_be_bytes([a, b, c, d]), body.first_chunk()) {
            (0, _) => (rest.len() as u64, 8),
            (1, Some(&long)) => (u64::from_be_bytes(long), 16),
            (length, _) => (u64::from(length), 8),
        };
        let end = usize::try_from(length).map_or(rest.len(), |end| end.clamp(8, rest.len()));
        let metadata = match kind {
            b"jP  " | b"ftyp" | b"jp2h" => false,
            b"jp2c" => rest[..end].get(header..).is_some_and(code_stream),
            // An odd length of a fragment is filled up.
            _ => rest.iter().any(|&byte| byte != 0),
        };
        if metadata {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::holds_metadata;

    const JFIF: &[u8] = b"\xFF\xD8\xFF\xE0\0\x06JFIF";
    const COMMENT: &[u8] = b"\xFF\xFE\0\x05Doe";
    /// With a stuffed byte, a restart, and what would be a comment if it were no data.
    const SCAN: &[u8] = b"\xFF\xDA\0\x06\xFF\xFE\0\x03data\xFF\0\xFF\xD0data";
    const END: &[u8] = b"\xFF\xD9";

    fn of(parts: &[&[u8]]) -> bool {
        holds_metadata(&[parts.concat()])
    }

    #[test]
    fn comments_and_application_data_of_a_jpeg_are_seen() {
        assert!(!of(&[JFIF, SCAN, SCAN, END]));
        assert!(of(&[JFIF, COMMENT, SCAN, END]));
        assert!(of(&[JFIF, SCAN, COMMENT, SCAN, END]));
        assert!(of(&[JFIF, SCAN, SCAN, COMMENT, END]));
        // Any number of bytes of ones may stand before a marker.
        assert!(of(&[b"\xFF\xD8\xFF", COMMENT, END]));
        assert!(of(&[b"\xFF\xD8\xFF\xFF", COMMENT, END]));
        assert!(of(&[b"\xFF\xD8\xFF\xE1\0\x02", SCAN]));
        for none in [
            COMMENT,
            &[],
            b"\xFF",
            b"\xFF\xD8\xFF",
            b"\xFF\xD8\xFF\xDB\xFF\xFF",
        ] {
            assert!(!of(&[none]));
        }
    }

    #[test]
    fn a_frame_goes_on_in_the_next_fragment() {
        let split = [&[JFIF, SCAN, &COMMENT[..1]].concat(), &COMMENT[1..], END];
        assert!(holds_metadata(&split));
        assert!(!holds_metadata(&[split[0], END, COMMENT]));
        assert!(holds_metadata(&[
            &[JFIF, END].concat()[..],
            &[JFIF, COMMENT].concat()
        ]));
    }

    /// A main header, with or without a comment; two tile-parts, the second with or without one.
    fn code_stream(main: &[u8], tile: &[u8]) -> Vec<u8> {
        let size = u8::try_from(12 + tile.len() + 2 + 4).expect("short");
        let first: &[u8] = b"\xFF\x90\0\x0A\0\0\0\0\0\x12\0\x02\xFF\x93\xFF\x64\0\x09";
        let second = [b"\xFF\x90\0\x0A\0\0\0\0\0", &[size, 1, 2][..]].concat();
        let data: &[u8] = b"\xFF\x93data";
        [
            b"\xFF\x4F\xFF\x51\0\x04ab",
            main,
            first,
            &second,
            tile,
            data,
            END,
        ]
        .concat()
    }

    #[test]
    fn comments_of_jpeg_2000_are_seen_but_for_those_of_encoders() {
        let comment = |text: &[u8]| {
            let length = u8::try_from(text.len() + 4).expect("short");
            [b"\xFF\x64\0", &[length, 0, 1][..], text].concat()
        };
        let (name, encoder) = (
            comment(b"Doe"),
            comment(b"Created by OpenJPEG version 2.5.2"),
        );
        for (main, tile, seen) in [
            (&[][..], &[][..], false),
            (&name, &[], true),
            (&[], &name, true),
            (&encoder, &encoder, false),
            (&comment(b"Kakadu-v7.2.1"), &[], false),
            (&comment(b"Kakadu-v7.2.1 Doe"), &[], true),
            (&comment(b"Kakadu-v5551234567"), &[], true),
        ] {
            assert_eq!(of(&[&code_stream(main, tile)]), seen, "{main:?} {tile:?}");
        }
        let open_end = code_stream(&[], &[])[..8].to_vec();
        assert!(!of(&[
            &open_end,
            b"\xFF\x90\0\x0A\0\0\0\0\0\0\0\x01\xFF\x93",
            &name
        ]));
    }

    #[test]
    fn boxes_beside_the_picture_are_seen() {
        let start: &[u8] = b"\0\0\0\x0CjP  \x0D\x0A\x87\x0A\0\0\0\x08jp2h";
        let xml: &[u8] = b"\0\0\0\x0Bxml Doe";
        let picture = |comment: &[u8]| [b"\0\0\0\0jp2c", &code_stream(comment, &[])[..]].concat();
        assert!(!of(&[start, &picture(&[])]));
        assert!(of(&[start, &picture(b"\xFF\x64\0\x07\0\x01Doe")]));
        assert!(of(&[start, xml, &picture(&[])]));
        let long = [b"\0\0\0\x01jp2c\0\0\0\0\0\0\0\x12", &b"\xFF\x4F"[..]].concat();
        assert!(of(&[start, &long, xml]));
        assert!(!of(&[start, &long, &[0; 8]]));
    }
}
