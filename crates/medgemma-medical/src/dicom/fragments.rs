//! Which fragments of encapsulated pixel data make one frame: PS3.5, annex A.4.

use std::borrow::Cow;
use std::ops::Range;

use dicom_dictionary_std::tags;

use super::element::{View, name};
use super::layout::Layout;
use super::transfer_syntax::TransferSyntax;
use crate::error::{Error, Origin, Result};

/// The ranges of fragments of each frame.
pub(crate) fn by_frame(
    view: &View<'_>,
    all: &[Range<usize>],
    layout: &Layout,
    syntax: TransferSyntax,
    origin: &Origin,
) -> Result<Vec<Range<usize>>> {
    let (table, fragments) = match all.split_first() {
        Some((table, fragments)) => (view.bytes.get(table.clone()).unwrap_or_default(), fragments),
        None => (&[][..], all),
    };
    let frames = layout.frames;
    if frames == 1 {
        return Ok(vec![0..fragments.len(); usize::from(!fragments.is_empty())]);
    }
    if fragments.len() == frames {
        return Ok((0..frames).map(|i| i..i + 1).collect());
    }
    let starts = offsets(view, table);
    let groups = if starts.len() == frames {
        from_offsets(fragments, &starts)
    } else {
        from_marks(view, fragments, syntax)
    };
    groups
        .filter(|groups| groups.len() >= frames)
        .ok_or_else(|| {
            Error::file(
                origin,
                name(tags::PIXEL_DATA),
                format!("fragments of {frames} frames, and a table of where each begins"),
                format!("{} fragments that cannot be told apart", fragments.len()),
            )
        })
}

/// The extended offset table, else the basic one.
fn offsets(view: &View<'_>, table: &[u8]) -> Vec<u64> {
    if let Some(extended) = view.raw(tags::EXTENDED_OFFSET_TABLE) {
        let (words, _) = extended.as_chunks();
        return words.iter().map(|&word| u64::from_le_bytes(word)).collect();
    }
    let (words, _) = table.as_chunks();
    words
        .iter()
        .map(|&word| u64::from(u32::from_le_bytes(word)))
        .collect()
}

/// Offsets count from the first fragment's item tag.
fn from_offsets(fragments: &[Range<usize>], starts: &[u64]) -> Option<Vec<Range<usize>>> {
    let first = fragments.first()?.start;
    let index = |offset: u64| {
        let start = first.checked_add(usize::try_from(offset).ok()?)?;
        fragments.binary_search_by_key(&start, |f| f.start).ok()
    };
    let mut begins: Vec<usize> = starts.iter().map(|&o| index(o)).collect::<Option<_>>()?;
    begins.push(fragments.len());
    begins
        .windows(2)
        .map(|pair| (pair[0] < pair[1]).then(|| pair[0]..pair[1]))
        .collect()
}

/// A frame ends in a fragment that ends in the stream's end mark. RLE has none, but one fragment a frame.
fn from_marks(
    view: &View<'_>,
    fragments: &[Range<usize>],
    syntax: TransferSyntax,
) -> Option<Vec<Range<usize>>> {
    if syntax == TransferSyntax::Rle {
        return None;
    }
    let mut groups = Vec::new();
    let mut begin = 0;
    for (index, fragment) in fragments.iter().enumerate() {
        let bytes = view.bytes.get(fragment.clone())?;
        let tail = &bytes[bytes.len().saturating_sub(10)..];
        if tail.windows(2).any(|mark| mark == [0xFF, 0xD9]) {
            groups.push(begin..index + 1);
            begin = index + 1;
        }
    }
    Some(groups)
}

/// The bytes of the fragments one after the other; no copy if there is one only.
pub(crate) fn joined<'a>(bytes: &'a [u8], fragments: &[Range<usize>]) -> Cow<'a, [u8]> {
    match fragments {
        [one] => Cow::Borrowed(bytes.get(one.clone()).unwrap_or_default()),
        many => Cow::Owned(
            many.iter()
                .flat_map(|range| bytes.get(range.clone()).unwrap_or_default())
                .copied()
                .collect(),
        ),
    }
}
