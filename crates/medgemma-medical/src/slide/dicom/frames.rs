//! Where the bytes of each frame lie in a file that is not in memory: PS3.5, section 8.2 and annex A.4.

use dicom_dictionary_std::tags;

use crate::dicom::{FrameDecoder, Head};
use crate::slide::problem::SlideProblem;
use crate::slide::source::Source;

type Result<T> = std::result::Result<T, SlideProblem>;

/// Most fragments of one frame.
const MOST_FRAGMENTS: usize = 1 << 16;

const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const SEQUENCE_END: [u8; 4] = [0xFE, 0xFF, 0xDD, 0xE0];

/// The places of frames.
pub(super) enum Frames {
    /// One behind the other.
    Native { first: u64, each: u64 },
    /// Where the first fragment of each begins, ascending.
    Encapsulated(Vec<u64>),
}

const fn damaged(what: &'static str) -> SlideProblem {
    SlideProblem::Damaged { what }
}

impl Frames {
    pub(super) fn find(
        source: &mut Source,
        head: &Head,
        decoder: &FrameDecoder,
        pixels: u64,
    ) -> Result<Self> {
        let count = decoder.count();
        if let Some(each) = decoder.native_length() {
            let end = each
                .checked_mul(count as u64)
                .and_then(|all| all.checked_add(pixels));
            if end.is_none_or(|end| end > source.len()) {
                return Err(damaged("it ends before its last frame"));
            }
            let first = pixels;
            return Ok(Self::Native { first, each });
        }
        // The offset table is an item, its length stands before it.
        let length = pixels.checked_sub(4).map(|at| source.bytes(at, 4));
        let length = word(&length.ok_or(damaged("pixels without a table"))??);
        let first = pixels + length;
        let table = table(source, head, pixels, length, count)?;
        let starts = match in_the_file(&table, count, first, source.len()) {
            Some(starts) => starts,
            None => scan(source, first, count)?,
        };
        Ok(Self::Encapsulated(starts))
    }

    /// The bytes of a frame.
    pub(super) fn read(&self, source: &mut Source, index: usize, most: u64) -> Result<Vec<u8>> {
        let check = |found: u64| {
            let what = "max_tile_bytes";
            (found <= most).then_some(()).ok_or(SlideProblem::Limit {
                what,
                limit: most,
                found,
            })
        };
        let starts = match self {
            Self::Native { first, each } => {
                check(*each)?;
                return source.bytes(first + each * index as u64, *each);
            }
            Self::Encapsulated(starts) => starts,
        };
        let mut at = *starts
            .get(index)
            .ok_or(damaged("a frame that is not there"))?;
        let end = starts.get(index + 1).copied().unwrap_or(source.len());
        let mut bytes = Vec::new();
        for _ in 0..MOST_FRAGMENTS {
            if at >= end {
                break;
            }
            let header = source.bytes(at, 8)?;
            if header[..4] == SEQUENCE_END {
                break;
            }
            if header[..4] != ITEM {
                return Err(damaged("a frame that is not where its table says"));
            }
            let length = word(&header[4..]);
            check(bytes.len() as u64 + length)?;
            bytes.extend(source.bytes(at + 8, length)?);
            at += 8 + length;
        }
        Ok(bytes)
    }
}

/// The extended offset table, else the basic one, if it has an entry for each frame.
fn table(
    source: &mut Source,
    head: &Head,
    pixels: u64,
    length: u64,
    count: usize,
) -> Result<Vec<u64>> {
    let extended = head.view().raw(tags::EXTENDED_OFFSET_TABLE);
    let entries = extended.unwrap_or_default().as_chunks::<8>().0;
    if entries.len() == count {
        return Ok(entries.iter().map(|&e| u64::from_le_bytes(e)).collect());
    }
    if length != count as u64 * 4 {
        return Ok(Vec::new());
    }
    let basic = source.bytes(pixels, length)?;
    Ok(basic.as_chunks::<4>().0.iter().map(|e| word(e)).collect())
}

/// The places that a table means, if it can be right.
fn in_the_file(table: &[u64], count: usize, first: u64, len: u64) -> Option<Vec<u64>> {
    let starts: Option<Vec<u64>> = table
        .iter()
        .map(|&entry| first.checked_add(entry))
        .collect();
    let starts = starts?;
    let ascending = starts.windows(2).all(|pair| pair[0] < pair[1]);
    let inside = starts.first() == Some(&first) && starts.last().is_some_and(|&last| last < len);
    (starts.len() == count && ascending && inside).then_some(starts)
}

/// Without a table: every fragment is a frame, or all of them are the only one.
fn scan(source: &mut Source, first: u64, count: usize) -> Result<Vec<u64>> {
    if count == 1 {
        return Ok(vec![first]);
    }
    let mut starts = Vec::new();
    let mut at = first;
    // A file may end without the mark of its end.
    while at + 8 <= source.len() {
        let header = source.bytes(at, 8)?;
        if header[..4] == SEQUENCE_END {
            break;
        }
        if header[..4] != ITEM {
            return Err(damaged("something else where a fragment should begin"));
        }
        if starts.len() == count {
            return Err(damaged(
                "more fragments than frames, and no table of where frames begin",
            ));
        }
        starts.push(at);
        at += 8 + word(&header[4..]);
    }
    if starts.len() < count {
        return Err(damaged("fewer fragments than frames"));
    }
    Ok(starts)
}

fn word(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, &b| sum << 8 | u64::from(b))
}
