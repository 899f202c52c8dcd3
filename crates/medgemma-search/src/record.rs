//! What the log says of one row: how its codes are scaled, its id, its metadata.

use crate::bytes::Cursor;
use crate::error::{Error, Result};
use crate::metadata::{self, Metadata, StoredMetadata};

/// A row's part of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a> {
    /// What a code of 1 stands for.
    pub(crate) scale: f32,
    /// Length of the difference between the row and what its codes stand for.
    pub(crate) residual: f32,
    pub(crate) id: &'a [u8],
    pub(crate) metadata: StoredMetadata<'a>,
}

impl<'a> Record<'a> {
    /// The record at the front of `bytes`; `None` if there is none.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        Some(Self {
            scale: cursor.f32()?,
            residual: cursor.f32()?,
            id: id(&mut cursor)?,
            metadata: StoredMetadata::new(cursor)?,
        })
    }
}

/// An id, of a record or of a deletion.
pub(crate) fn id<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let len = usize::from(cursor.u16()?);
    cursor.bytes(len)
}

/// Appends an id. `argument` names it in errors.
pub(crate) fn encode_id(id: &str, argument: &str, out: &mut Vec<u8>) -> Result<()> {
    let Some(len) = u16::try_from(id.len()).ok().filter(|&len| len > 0) else {
        let found = format!("{} bytes", id.len());
        return Err(Error::argument(
            argument,
            "an id of 1 to 65535 bytes",
            found,
        ));
    };
    out.extend(len.to_le_bytes());
    out.extend(id.as_bytes());
    Ok(())
}

/// Appends a record. `argument` names the entry in errors.
pub(crate) fn encode(
    (scale, residual): (f32, f32),
    id: &str,
    metadata: &Metadata,
    argument: &str,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.extend(scale.to_le_bytes());
    out.extend(residual.to_le_bytes());
    encode_id(id, &format!("{argument}.id"), out)?;
    metadata::encode(metadata, &format!("{argument}.metadata"), out)
}
