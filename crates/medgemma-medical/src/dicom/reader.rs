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
    let start = start(&bytes, origin, &mut notices)?;

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

/// Where the first element begins: behind the preamble, or at once in a file without one.
fn start(bytes: &[u8], origin: &Origin, notices: &mut Vec<Notice>) -> Result<usize> {
    if bytes.get(128..132) == Some(b"DICM") {
        return Ok(132);
    }
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
    Ok(0)
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

/// The tag of an element, little-endian, as PS3.5, section 7.1, has elements ascend.
fn ordered(bytes: &[u8]) -> Option<u32> {
    let &[a, b, c, d] = bytes.first_chunk()?;
    Some(u32::from_le_bytes([c, d, a, b]))
}

/// Whether elements are implicit throughout: the first two have no representation, and read so, all lie within the file in
/// ascending order, up to its end, pixels or a length that is not said. Explicit data sets have single ones amid the others,
/// of which the next one read so does not.
fn is_implicit(bytes: &[u8]) -> bool {
    let (mut rest, mut before, mut count) = (bytes, None, 0);
    while let (Some(tag), Some(&[a, b, c, d])) = (
        ordered(rest),
        rest.get(4..).and_then(|rest| rest.first_chunk()),
    ) {
        // A length can look like letters; not the first two.
        if before.is_some_and(|before| before >= tag) || (count < 2 && has_representation(rest)) {
            return false;
        }
        count += 1;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length == u32::MAX {
            break;
        }
        let next = (length as usize).checked_add(8);
        let Some(next) = next.and_then(|next| rest.get(next..)) else {
            return false;
        };
        if tag >= PIXELS {
            break;
        }
        (rest, before) = (next, Some(tag));
    }
    count >= 2
}

/// Float, double or integer pixel data, behind which there is at most padding.
const PIXELS: u32 = 0x7FE0_0008;

/// Whether the first two elements are explicit: an implicit one's length can look like letters.
fn begins_explicit(bytes: &[u8]) -> bool {
    let Some(vr) = bytes.get(4..6).filter(|_| has_representation(bytes)) else {
        return false;
    };
    let long = matches!(
        vr,
        b"OB"
            | b"OD"
            | b"OF"
            | b"OL"
            | b"OV"
            | b"OW"
            | b"SQ"
            | b"SV"
            | b"UC"
            | b"UN"
            | b"UR"
            | b"UT"
            | b"UV"
    );
    let next = if long {
        let length = bytes.get(8..).and_then(|rest| rest.first_chunk());
        let length = length.map(|&length| u32::from_le_bytes(length) as usize);
        length.and_then(|length| length.checked_add(12))
    } else {
        let length = bytes.get(6..).and_then(|rest| rest.first_chunk());
        length.map(|&length| usize::from(u16::from_le_bytes(length)) + 8)
    };
    let next = next.and_then(|next| bytes.get(next..));
    next.is_some_and(|next| has_representation(next) && ordered(bytes) < ordered(next))
}

/// How the elements are written in fact, and whether with representations: programs that copy a data set under the
/// head of another contradict themselves, and the data set is right (pydicom 3.0.2, `_is_implicit_vr`).
fn written(
    named: TransferSyntax,
    bytes: &[u8],
    notices: &mut Vec<Notice>,
) -> (TransferSyntax, bool) {
    let (found, is_explicit) = match named {
        TransferSyntax::ImplicitLittleEndian if begins_explicit(bytes) => {
            (TransferSyntax::ExplicitLittleEndian, true)
        }
        TransferSyntax::ImplicitLittleEndian => return (named, false),
        // What is deflated is not seen here, and the other byte order is not told from damage.
        TransferSyntax::Deflated | TransferSyntax::ExplicitBigEndian => return (named, true),
        TransferSyntax::ExplicitLittleEndian if is_implicit(bytes) => {
            (TransferSyntax::ImplicitLittleEndian, false)
        }
        // Pixels are packed as named all the same.
        _ if is_implicit(bytes) => (named, false),
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
