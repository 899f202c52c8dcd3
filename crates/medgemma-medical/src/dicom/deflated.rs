//! Deflated data sets: unpacked as far as their pixels go by their own description. PS3.5, annex A.5.

use super::element::View;
use super::layout::Layout;
use super::reader;
use super::transfer_syntax::TransferSyntax;
use crate::error::{Error, Origin, Result};
use crate::limits::Limits;
use crate::unpack::Unpacker;

/// How much is unpacked before it is asked how much there is to come.
const FIRST_PIECE: u64 = 1 << 20;

/// As many bytes as the pixels take, and beside them what is allowed, or up to a quarter of all more.
pub(super) fn unpacked(packed: &[u8], limits: &Limits, origin: &Origin) -> Result<Vec<u8>> {
    let reader = flate2::read::DeflateDecoder::new(packed);
    let mut unpacker = Unpacker::new(reader, origin, "deflated data set");
    let mut length = FIRST_PIECE;
    loop {
        let bytes = unpacker.up_to(length.saturating_add(1))?;
        limits.check_decompressed(origin, bytes.len() as u64)?;
        if bytes.len() as u64 <= length {
            return Ok(unpacker.into_bytes());
        }
        let pixels = described(bytes, limits, origin)?;
        limits.check_header(origin, length.saturating_sub(pixels) + 1)?;
        let most = pixels.saturating_add(limits.max_header_bytes);
        // By a quarter or more, so that what is read again each time stays in proportion: a description that asks for
        // more whenever more of it is seen would be read as often as it changes.
        let least = length.saturating_add(length / 4);
        let next = length.saturating_mul(4).min(most).max(least);
        length = next.min(limits.max_decompressed_bytes);
    }
}

/// Bytes of all frames by the description in front of them; 0 of a data set that is cut off before its pixels.
fn described(beginning: &[u8], limits: &Limits, origin: &Origin) -> Result<u64> {
    let set = match reader::explicit(beginning, limits, origin) {
        Ok(set) => set,
        Err(Error::File { .. }) => return Ok(0),
        Err(error) => return Err(error),
    };
    let view = View {
        bytes: beginning,
        big_endian: false,
        set: &set,
    };
    let syntax = TransferSyntax::Deflated;
    let layout = Layout::read(&view, syntax, limits, origin, &mut Vec::new())?;
    Ok(layout.map_or(0, |layout| layout.native_length()))
}
