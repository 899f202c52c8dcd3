//! From bytes to data elements, within bounds. PS3.5, section 7 and annex A; PS3.10, section 7.
//!
//! dicom-rs' own reader serves files of one's own archive. It reserves what a length announces before it looks
//! whether the bytes are there, descends into sequences by recursion without a bound, and writes values into its
//! errors: not for files from outside. Its dictionary and its tags are used here; nothing is copied out of the file.
//!
//! What pydicom 3.0.2 reads is read: files without preamble or file meta information, elements of unknown
//! representation (`UN`), implicit elements amid explicit ones, data sets written otherwise than the transfer syntax says,
//! padding at the end.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::cursor::Cursor;
use super::deflated;
use super::element::{DataSet, View, name};
use super::notice::Notice;
use super::transfer_syntax::TransferSyntax;
use crate::error::{Error, Origin, Result};
use crate::limits::Limits;

/// A file taken apart.
pub(crate) struct Parsed {
    /// What the ranges of `set` point into: the file, or what its deflated part unpacked to.
    pub(crate) bytes: Vec<u8>,
    pub(crate) set: DataSet,
    pub(crate) syntax: TransferSyntax,
    pub(crate) notices: Vec<Notice>,
}

/// Reads a whole file.
pub(crate) fn read(bytes: Vec<u8>, limits: &Limits, origin: &Origin) -> Result<Parsed> {
    limits.check_file(origin, bytes.len() as u64)?;
    let mut notices = Vec::new();
    let start = if bytes.get(128..132) == Some(b"DICM") {
        132
    } else {
        let group = bytes.first_chunk::<2>().map(|&b| u16::from_le_bytes(b));
        if !matches!(group, Some(0x0002 | 0x0008 | 0x0800)) {
            return Err(Error::file(
                origin,
                "preamble",
                "`DICM` at byte 128, or a data set that begins with group 0002 or 0008",
                "neither; is this a DICOM file?",
            ));
        }
        notices.push(Notice::NoPreamble);
        0
    };

    let mut cursor = Cursor::new(&bytes, start, limits, origin);
    let meta = cursor.meta()?;
    let named = View {
        bytes: &bytes,
        big_endian: false,
        set: &meta,
    }
    .text(tags::TRANSFER_SYNTAX_UID);
    let syntax = match named {
        Some(uid) => TransferSyntax::from_uid(&uid).ok_or_else(|| {
            Error::file(
                origin,
                name(tags::TRANSFER_SYNTAX_UID),
                "native, deflated, RLE, JPEG (baseline, extended, lossless), JPEG-LS or JPEG 2000",
                transfer_syntax_uid(&uid),
            )
        })?,
        None => {
            notices.push(Notice::TransferSyntaxGuessed);
            guess(bytes.get(cursor.at..).unwrap_or_default())
        }
    };

    let at = cursor.at;
    let (syntax, is_explicit) = written(syntax, bytes.get(at..).unwrap_or_default(), &mut notices);
    let (bytes, at) = if syntax == TransferSyntax::Deflated {
        (
            deflated::unpacked(bytes.get(at..).unwrap_or_default(), limits, origin)?,
            0,
        )
    } else {
        (bytes, at)
    };
    let mut cursor = Cursor::new(&bytes, at, limits, origin);
    cursor.big_endian = syntax == TransferSyntax::ExplicitBigEndian;
    let set = cursor.data_set(bytes.len(), is_explicit, 0)?;
    notices.append(&mut cursor.notices);
    Ok(Parsed {
        bytes,
        set,
        syntax,
        notices,
    })
}

/// Explicit little-endian elements, from the first byte on.
pub(super) fn explicit(bytes: &[u8], limits: &Limits, origin: &Origin) -> Result<DataSet> {
    Cursor::new(bytes, 0, limits, origin).data_set(bytes.len(), true, 0)
}

/// A UID for an error: only if it is one, since a broken file may have anything in its place.
fn transfer_syntax_uid(uid: &str) -> String {
    let registered = uid.starts_with("1.2.840.10008.")
        && uid.len() <= 64
        && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if registered {
        uid.to_owned()
    } else {
        "a private or malformed UID".to_owned()
    }
}

/// Whether a representation is written in an element, the first of `bytes`.
fn has_representation(bytes: &[u8]) -> bool {
    let letters = bytes.get(4..6);
    letters.is_some_and(|vr| VR::from_binary([vr[0], vr[1]]).is_some())
}

/// Whether the first two elements are implicit: explicit data sets have single ones amid the others.
fn begins_implicit(bytes: &[u8]) -> bool {
    let Some(&[a, b, c, d]) = bytes.get(4..).and_then(|rest| rest.first_chunk()) else {
        return false;
    };
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    let next = length.checked_add(8).and_then(|next| bytes.get(next..));
    let next = next.filter(|next| next.len() >= 8);
    !has_representation(bytes) && next.is_some_and(|next| !has_representation(next))
}

/// How the elements are written in fact, and whether with representations: programs that copy a data set under the
/// head of another contradict themselves, and the data set is right (pydicom 3.0.2, `_is_implicit_vr`).
fn written(
    named: TransferSyntax,
    bytes: &[u8],
    notices: &mut Vec<Notice>,
) -> (TransferSyntax, bool) {
    let (found, is_explicit) = match named {
        TransferSyntax::ImplicitLittleEndian if has_representation(bytes) => {
            (TransferSyntax::ExplicitLittleEndian, true)
        }
        TransferSyntax::ImplicitLittleEndian => return (named, false),
        // What is deflated is not seen here, and the other byte order is not told from damage.
        TransferSyntax::Deflated | TransferSyntax::ExplicitBigEndian => return (named, true),
        TransferSyntax::ExplicitLittleEndian if begins_implicit(bytes) => {
            (TransferSyntax::ImplicitLittleEndian, false)
        }
        // Pixels are packed as named all the same.
        _ if begins_implicit(bytes) => (named, false),
        _ => return (named, true),
    };
    notices.push(Notice::TransferSyntaxContradicted);
    (found, is_explicit)
}

/// The transfer syntax of a data set that does not say it, by its first element.
fn guess(bytes: &[u8]) -> TransferSyntax {
    match (has_representation(bytes), bytes.first()) {
        (false, _) => TransferSyntax::ImplicitLittleEndian,
        // The first group is 0008: its high byte is zero.
        (true, Some(0)) => TransferSyntax::ExplicitBigEndian,
        (true, _) => TransferSyntax::ExplicitLittleEndian,
    }
}
