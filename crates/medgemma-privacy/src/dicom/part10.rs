//! Bytes to a data set and back: PS3.10, with limits that hold before anything is read into memory.

use std::io::{Cursor, Read, Write};

use dicom_core::Tag;
use dicom_core::header::Header;
use dicom_dictionary_std::uids;
use dicom_object::InMemDicomObject;
use dicom_object::meta::{FileMetaTable, FileMetaTableBuilder};
use dicom_parser::StatefulDecode;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::{TransferSyntax, TransferSyntaxIndex, TransferSyntaxRegistry};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::Limits;
use super::data_set::is_uid;
use crate::error::{Error, Result};

/// Explicit VR big endian, retired.
pub(super) const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

const PREAMBLE: usize = 128;
const MAGIC: &[u8] = b"DICM";
/// Representations whose length takes two bytes: PS3.5, table 7.1-2.
const SHORT: [&[u8]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];

/// The tag of every item: PS3.5, 7.5.
const ITEM: Tag = Tag(0xFFFE, 0xE000);

/// A file taken apart.
pub(super) struct Part10 {
    pub(super) meta: FileMetaTable,
    pub(super) object: InMemDicomObject,
}

/// How a data set is encoded, as the meta information names it.
struct Encoding {
    syntax: &'static TransferSyntax,
    deflated: bool,
}

impl Encoding {
    fn of(uid: &str) -> Result<Self> {
        let unknown = || Error::TransferSyntax {
            // What is no UID may be a name.
            uid: if is_uid(uid) {
                uid.to_owned()
            } else {
                String::new()
            },
        };
        let deflated = uid == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
        // The data set in it is encoded so; inflating is done here, where it has a limit.
        let uid = if deflated {
            uids::EXPLICIT_VR_LITTLE_ENDIAN
        } else {
            uid
        };
        let syntax = TransferSyntaxRegistry.get(uid).ok_or_else(unknown)?;
        if syntax.is_unsupported() {
            return Err(unknown());
        }
        Ok(Self { syntax, deflated })
    }
}

pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Part10> {
    let after_preamble = bytes.get(PREAMBLE..).unwrap_or_default();
    if !after_preamble.starts_with(MAGIC) {
        return Err(Error::NotDicom { bytes: bytes.len() });
    }
    let (meta, rest) = after_preamble.split_at(meta_end(after_preamble)?);
    let meta = FileMetaTable::from_reader(meta).map_err(|_| Error::MetaInformation)?;
    let encoding = Encoding::of(meta.transfer_syntax())?;
    let inflated;
    let data_set = if encoding.deflated {
        inflated = inflate(rest, limits.max_decompressed_bytes)?;
        &inflated
    } else {
        rest
    };
    check(data_set, encoding.syntax, limits)?;
    let object = InMemDicomObject::read_dataset_with_ts(data_set, encoding.syntax);
    let object = object.map_err(|_| Error::Damaged { position: 0 })?;
    Ok(Part10 { meta, object })
}

/// A file of the same transfer syntax, with meta information that says no more than it must.
pub(super) fn write(
    object: &InMemDicomObject,
    syntax: &str,
    class: &str,
    instance: &str,
) -> Result<Vec<u8>> {
    let encoding = Encoding::of(syntax)?;
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid(instance)
        .transfer_syntax(syntax)
        .build();
    let meta = meta.map_err(|_| Error::Unwritable)?;
    let mut bytes = vec![0; PREAMBLE];
    bytes.extend_from_slice(MAGIC);
    meta.write(&mut bytes).map_err(|_| Error::Unwritable)?;
    if encoding.deflated {
        let mut data_set = Vec::new();
        let written = object.write_dataset_with_ts(&mut data_set, encoding.syntax);
        written.map_err(|_| Error::Unwritable)?;
        let mut deflated = DeflateEncoder::new(bytes, Compression::default());
        let bytes = deflated
            .write_all(&data_set)
            .and_then(|()| deflated.finish());
        return bytes.map_err(|_| Error::Unwritable);
    }
    let written = object.write_dataset_with_ts(&mut bytes, encoding.syntax);
    written.map_err(|_| Error::Unwritable)?;
    Ok(bytes)
}

/// Where the meta information ends: elements of group 0002, explicit little endian. Its reader sets aside
/// as many bytes as an element claims, so that these are compared with what is there first.
fn meta_end(bytes: &[u8]) -> Result<usize> {
    let number = |at: usize, len: usize| {
        let bytes = bytes.get(at..at + len)?.iter().rev();
        Some(bytes.fold(0_usize, |number, &byte| number << 8 | usize::from(byte)))
    };
    let mut at = MAGIC.len();
    while number(at, 2) == Some(2) {
        // As the reader has it: what is no representation at all has four bytes of length, too.
        let vr = bytes.get(at + 4..at + 6).unwrap_or_default();
        let (header, len) = if SHORT.contains(&vr) {
            (8, number(at + 6, 2))
        } else {
            (12, number(at + 8, 4))
        };
        at = len
            .and_then(|len| at.checked_add(header)?.checked_add(len))
            .filter(|&end| end <= bytes.len())
            .ok_or(Error::MetaInformation)?;
    }
    Ok(at)
}

fn inflate(bytes: &[u8], limit: u64) -> Result<Vec<u8>> {
    let mut inflated = Vec::new();
    let mut source = DeflateDecoder::new(bytes).take(limit.saturating_add(1));
    let read = source.read_to_end(&mut inflated);
    read.map_err(|_| Error::Damaged { position: 0 })?;
    within_limit("max_decompressed_bytes", inflated.len() as u64, limit)?;
    Ok(inflated)
}

/// Walks over headers, without values: the reader behind it goes into a sequence by calling itself and
/// sets memory aside for as many bytes as a header claims.
fn check(data_set: &[u8], syntax: &TransferSyntax, limits: &Limits) -> Result<()> {
    let damaged = |position| Error::Damaged { position };
    let end = data_set.len() as u64;
    let reader = LazyDataSetReader::new_with_ts(Cursor::new(data_set), syntax);
    let mut reader = reader.map_err(|_| damaged(0))?;
    let (mut depth, mut elements, mut position) = (0_u64, 0_u64, 0_u64);
    while let Some(token) = reader.advance() {
        let token = token.map_err(|_| damaged(position))?;
        match &token {
            LazyDataToken::SequenceStart { .. } | LazyDataToken::PixelSequenceStart => {
                depth += 1;
                elements += 1;
            }
            LazyDataToken::SequenceEnd => depth = depth.saturating_sub(1),
            LazyDataToken::LazyValue { header, decoder } => {
                elements += 1;
                position = decoder.position();
                let claimed = header.len.get().map_or(u64::MAX, u64::from);
                let available = end.saturating_sub(position);
                within_file(header.tag(), claimed, available)?;
            }
            LazyDataToken::LazyItemValue { len, decoder } => {
                position = decoder.position();
                let available = end.saturating_sub(position);
                within_file(ITEM, u64::from(*len), available)?;
            }
            _ => {}
        }
        within_limit("max_depth", depth, limits.max_depth)?;
        within_limit("max_elements", elements, limits.max_elements)?;
        if matches!(
            token,
            LazyDataToken::LazyValue { .. } | LazyDataToken::LazyItemValue { .. }
        ) {
            token.skip().map_err(|_| damaged(position))?;
        }
    }
    Ok(())
}

/// Refuses an element that claims more bytes than are left behind its header.
fn within_file(tag: Tag, claimed: u64, available: u64) -> Result<()> {
    if claimed > available {
        return Err(Error::CutOff {
            group: tag.group(),
            element: tag.element(),
            claimed,
            available,
        });
    }
    Ok(())
}

fn within_limit(what: &'static str, found: u64, limit: u64) -> Result<()> {
    if found > limit {
        return Err(Error::Limit { what, limit, found });
    }
    Ok(())
}
