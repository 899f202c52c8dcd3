//! JPEG tiles. The tables that the tiles of a picture share are put in front, and the colour is what TIFF's directory
//! says, whatever markers the tile has: so does libtiff, and Aperio stores RGB in tiles without or with contradicting
//! Adobe markers. By `zune-jpeg`, which `medgemma-image` links; DICOM needs lossless JPEG, and so another decoder.

use medgemma_image::scan_headers;
use zune_core::bytestream::ZCursor;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::dicom::check_jpeg_length;

/// Most scans of a tile, where libjpeg's own script for a progressive picture in colour makes 10. `zune-jpeg` keeps to it
/// for progressive pictures alone.
const MOST_SCANS_OF_A_TILE: usize = 100;

pub(super) struct Decoded {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) samples: Vec<u8>,
}

/// Decodes a tile of at most `most` pixels a side and exactly `components` samples a pixel, in the colours that they
/// are stored in.
pub(super) fn decode(
    stored: &[u8],
    tables: &[u8],
    most: [usize; 2],
    components: usize,
) -> Result<Decoded, &'static str> {
    let file = joined(stored, tables)?;
    check_jpeg_length(stored)
        .map_err(|_| "its JPEG is broken, or announces more than its bytes can hold")?;
    if has_extended_xmp(&file) {
        return Err("its JPEG has extended XMP, which no tile has; convert the slide again");
    }
    // Each costs a row of blocks, however few bytes it has.
    if scan_headers(&file) > MOST_SCANS_OF_A_TILE {
        return Err("its JPEG has more than 100 scans; convert the slide again");
    }
    // A header that claims more than the directory does is refused before anything is reserved for it.
    let options = DecoderOptions::default()
        .set_max_width(most[0])
        .set_max_height(most[1]);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(file), options);
    decoder
        .decode_headers()
        .map_err(|_| "its JPEG header is broken, or larger than the tile")?;
    let stored_as = decoder
        .input_colorspace()
        .ok_or("its JPEG header has no colours")?;
    if stored_as.num_components() != components {
        return Err("its JPEG header has another number of colours than its directory");
    }
    // Asked for in the colours that it is in, it is not converted.
    decoder.set_options(options.jpeg_set_out_colorspace(stored_as));
    let info = decoder.info().ok_or("its JPEG header is broken")?;
    let samples = decoder.decode().map_err(|_| "its JPEG data is broken")?;
    Ok(Decoded {
        width: info.width.into(),
        height: info.height.into(),
        samples,
    })
}

/// Whether extended XMP may be in it, wherever the decoder would look for segments. `zune-jpeg` 0.5.15 goes through all
/// parts of it after each marker until they are whole: many that never become whole keep it busy for hours. From whole
/// pictures, which may have such, `medgemma-image` takes it out (`xmp.rs`).
fn has_extended_xmp(file: &[u8]) -> bool {
    const SIGNATURE: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
    let mut parts = file.windows(SIGNATURE.len());
    parts.any(|part| part[0] == SIGNATURE[0] && part == SIGNATURE)
}

/// The tile behind the shared tables: without their end marker, and without its own begin marker.
fn joined(stored: &[u8], tables: &[u8]) -> Result<Vec<u8>, &'static str> {
    const BEGIN: [u8; 2] = [0xff, 0xd8];
    const END: [u8; 2] = [0xff, 0xd9];
    let tile = stored.strip_prefix(&BEGIN).ok_or("it is no JPEG")?;
    if tables.is_empty() {
        return Ok(stored.to_vec());
    }
    if !tables.starts_with(&BEGIN) {
        return Err("the shared JPEG tables are broken");
    }
    let tables = tables.strip_suffix(&END).unwrap_or(tables);
    Ok([tables, tile].concat())
}

/// JFIF's conversion (luminance and two differences of the full range) in libjpeg's fixed point, 16 bits behind the comma.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a byte holds"
)]
pub(super) fn to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shared tables reach the decoder as well.
    #[test]
    fn extended_xmp_is_refused_before_it_is_decoded() {
        let xmp = b"\xff\xe1\0\x4dhttp://ns.adobe.com/xmp/extension/\0".as_slice();
        let parts = [xmp, &[1; 40]].concat().repeat(4_000);
        let markers = b"\xff\xfe\0\x02".repeat(200_000);
        // A frame of 8 × 8 grey pixels, so that its length is right.
        let frame = b"\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0".as_slice();
        let scan = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\0\xff\xd9".as_slice();
        let hostile = [parts, markers].concat();
        for [tables, segments] in [[&[][..], &hostile], [&hostile, &[]]] {
            let tile = [&[0xff, 0xd8], segments, frame, scan].concat();
            let tables = match tables.is_empty() {
                true => Vec::new(),
                false => [&[0xff, 0xd8], tables].concat(),
            };
            let begun = std::time::Instant::now();
            let refused = decode(&tile, &tables, [8, 8], 1).err();
            assert!(
                refused.is_some_and(|why| why.contains("extended XMP")),
                "{refused:?}"
            );
            assert!(begun.elapsed().as_secs() < 5);
        }
    }

    #[test]
    fn more_scans_than_a_tile_has_are_refused() {
        let tables = [b"\xff\xdb\0\x43\0".as_slice(), &[1; 64]].concat();
        let codes = [0, 0x10].map(|class| {
            let code = [b"\xff\xc4\0\x14".as_slice(), &[class, 1], &[0; 16]];
            code.concat()
        });
        // Three components of 8 × 8 pixels, a scan for each.
        let frame = b"\xff\xc0\0\x11\x08\0\x08\0\x08\x03\x01\x11\0\x02\x11\0\x03\x11\0".as_slice();
        let scan = |id| [b"\xff\xda\0\x08\x01".as_slice(), &[id, 0, 0, 0x3f, 0]].concat();
        let body = [&tables, &codes.concat(), frame].concat();
        let tile = |scans: usize| {
            let first = [scan(1), vec![0x3f]].concat();
            let more = scan(2).repeat(scans - 2);
            let last = [scan(3), vec![0x3f]].concat();
            let tile = [
                &[0xff, 0xd8],
                &body[..],
                &first,
                &more,
                &last,
                &[0xff, 0xd9],
            ]
            .concat();
            decode(&tile, &[], [8, 8], 3)
        };
        assert!(tile(3).is_ok(), "{:?}", tile(3).err());
        assert!(tile(100).is_ok(), "{:?}", tile(100).err());
        let refused = tile(101).err();
        assert!(
            refused.is_some_and(|why| why.contains("scans")),
            "{refused:?}"
        );
    }

    #[test]
    fn jfif_colours() {
        for (ycc, rgb) in [
            ([0, 128, 128], [0, 0, 0]),
            ([255, 128, 128], [255, 255, 255]),
            // What Pillow's YCbCr to RGB makes of pure red, green, blue and something between.
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
            ([100, 60, 200], [201, 72, 0]),
        ] {
            assert_eq!(to_rgb(ycc), rgb, "{ycc:?}");
        }
    }
}
