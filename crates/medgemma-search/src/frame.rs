//! One batch in the log: a head with checksums, then the rows' records and the deletions.

use crate::bytes::Cursor;
use crate::commit::Commit;
use crate::error::{Error, RESTORE, Result};
use crate::files::NamedFile;

const MAGIC: [u8; 4] = *b"MGSF";
/// Bytes of a head: magic, sequence, length and checksum of the payload, checksum of the head.
const HEAD: usize = 28;

/// What a frame says of the rows that it adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first_row: u64,
    pub(crate) rows: u32,
    pub(crate) deletions: u32,
    /// Checksum of the rows in the file of vectors.
    pub(crate) vectors_crc: u32,
    /// Checksum of the rows in the file of codes.
    pub(crate) codes_crc: u32,
}

impl Span {
    /// Bytes that [`Span::encode`] appends.
    pub(crate) const LEN: usize = 24;

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.first_row.to_le_bytes());
        for number in [self.rows, self.deletions, self.vectors_crc, self.codes_crc] {
            out.extend(number.to_le_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        Some(Self {
            first_row: cursor.u64()?,
            rows: cursor.u32()?,
            deletions: cursor.u32()?,
            vectors_crc: cursor.u32()?,
            codes_crc: cursor.u32()?,
        })
    }
}

/// A frame whose checksums hold.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) span: Span,
    /// The records and deletions.
    pub(crate) body: Vec<u8>,
    /// Where the body begins in the log.
    pub(crate) at: u64,
    /// The state of the index with this frame.
    pub(crate) after: Commit,
}

/// Why there is no frame at a place of the log.
#[derive(Debug)]
pub(crate) struct Fault {
    at: u64,
    what: &'static str,
    expected: String,
    found: String,
}

impl Fault {
    pub(crate) fn new(
        at: u64,
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (expected, found) = (expected.into(), found.into());
        Self {
            at,
            what,
            expected,
            found,
        }
    }

    fn checksum(at: u64, what: &'static str, expected: u32, found: u32) -> Self {
        Self::new(
            at,
            what,
            format!("checksum {expected:08x}"),
            format!("{found:08x}"),
        )
    }

    /// The fault in what has been published.
    pub(crate) fn published(self, log: &NamedFile) -> Error {
        Error::Damaged {
            path: log.path.clone(),
            at: self.at,
            what: self.what,
            expected: self.expected,
            found: self.found,
            remedy: RESTORE,
        }
    }
}

/// The frame that brings the index from `before` to the next state, its payload being what
/// [`Span::encode`], records and deletions have appended.
pub(crate) fn encode(before: &Commit, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + payload.len());
    bytes.extend(MAGIC);
    bytes.extend((before.sequence + 1).to_le_bytes());
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// Where the body of the frame after `before` begins in the log.
pub(crate) fn body_at(before: &Commit) -> u64 {
    before.log_bytes + (HEAD + Span::LEN) as u64
}

/// Reads the frame after `before`, which must end at byte `end` of the log at the latest.
pub(crate) fn read(
    log: &NamedFile,
    before: &Commit,
    end: u64,
) -> Result<std::result::Result<Frame, Fault>> {
    let at = before.log_bytes;
    let short = |what, needed: u64, left: u64| {
        let found = format!("{left} before the end");
        Ok(Err(Fault::new(at, what, format!("{needed} bytes"), found)))
    };
    let left = end.saturating_sub(at);
    if left < HEAD as u64 {
        return short("head of a batch", HEAD as u64, left);
    }
    let mut head = [0; HEAD];
    log.read_at(at, &mut head)?;
    let (len, crc) = match decode_head(&head, before) {
        Ok(head) => head,
        Err(fault) => return Ok(Err(fault)),
    };
    let left = left - HEAD as u64;
    let (Ok(size), true) = (usize::try_from(len), len <= left) else {
        return short("payload of a batch", len, left);
    };
    let mut payload = vec![0; size];
    log.read_at(at + HEAD as u64, &mut payload)?;
    let found = crc32fast::hash(&payload);
    if found != crc {
        let fault = Fault::checksum(at + HEAD as u64, "payload of a batch", crc, found);
        return Ok(Err(fault));
    }
    let Some(span) = Span::decode(&payload) else {
        return short("payload of a batch", Span::LEN as u64, len);
    };
    if span.first_row != before.rows {
        let (expected, found) = (before.rows.to_string(), span.first_row.to_string());
        return Ok(Err(Fault::new(at, "first row of a batch", expected, found)));
    }
    payload.drain(..Span::LEN);
    Ok(Ok(Frame {
        span,
        body: payload,
        at: body_at(before),
        after: Commit {
            sequence: before.sequence + 1,
            log_bytes: at + HEAD as u64 + len,
            rows: before.rows + u64::from(span.rows),
        },
    }))
}

/// Length and checksum of the payload.
fn decode_head(head: &[u8; HEAD], before: &Commit) -> std::result::Result<(u64, u32), Fault> {
    let at = before.log_bytes;
    let mut cursor = Cursor(head);
    let fields = (
        cursor.array::<4>(),
        cursor.u64(),
        cursor.u64(),
        cursor.u32(),
        cursor.u32(),
    );
    let (Some(magic), Some(sequence), Some(len), Some(crc), Some(head_crc)) = fields else {
        unreachable!("a head is as long as its fields");
    };
    let found = crc32fast::hash(&head[..HEAD - 4]);
    if magic != MAGIC || found != head_crc {
        return Err(Fault::checksum(at, "head of a batch", head_crc, found));
    }
    if sequence != before.sequence + 1 {
        let expected = format!("batch {}", before.sequence + 1);
        let found = format!("batch {sequence}");
        return Err(Fault::new(at, "head of a batch", expected, found));
    }
    Ok((len, crc))
}
