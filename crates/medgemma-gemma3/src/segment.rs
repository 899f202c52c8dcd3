//! What the decoder reads: runs of token ids, and given embeddings in between.
//!
//! The decoder knows nothing of pictures. An image reaches it as embeddings whose rows attend to
//! each other both ways; it never splits such a segment across two passes.

use std::fmt;
use std::ops::Range;

use medgemma_tensor::{Device, Tensor, check_f32};

use crate::error::{Error, Result};

/// A part of a prompt. `Debug` tells its length or shape: it is what was said or shown.
#[derive(Clone)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "a prompt has a handful of segments; a box would only add an indirection"
)]
pub enum Segment {
    /// Token ids, causal.
    Tokens(Vec<u32>),
    /// Rows `[m, d]` in place of soft tokens: not scaled, attending to each other both ways.
    Embeddings(Tensor<2>),
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens(ids) => write!(f, "Tokens({})", ids.len()),
            Self::Embeddings(rows) => write!(f, "Embeddings({:?})", rows.dims()),
        }
    }
}

impl Segment {
    /// Positions that the segment takes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Tokens(ids) => ids.len(),
            Self::Embeddings(rows) => rows.dims()[0],
        }
    }

    /// Whether the segment takes no position.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Positions that these segments take together.
    #[must_use]
    pub fn total(segments: &[Self]) -> usize {
        segments.iter().map(Self::len).sum()
    }

    /// What of `segments` lies at these positions. Embeddings are taken whole or not at all.
    #[must_use]
    pub fn cut(segments: &[Self], positions: Range<usize>) -> Vec<Self> {
        let mut start = 0;
        let mut part = Vec::new();
        for segment in segments {
            let end = start + segment.len();
            let (from, to) = (positions.start.max(start), positions.end.min(end));
            match segment {
                Self::Tokens(ids) if from < to => {
                    part.push(Self::Tokens(ids[from - start..to - start].to_vec()));
                }
                _ if from == start && to == end && from < to => part.push(segment.clone()),
                _ => {}
            }
            start = end;
        }
        part
    }
}

/// Refuses ids outside of the vocabulary and embeddings of a foreign width, device or format.
pub(crate) fn check(
    segments: &[Segment],
    vocab_size: usize,
    width: usize,
    device: &Device,
) -> Result<()> {
    if Segment::total(segments) == 0 {
        return Err(Error::EmptyPrompt);
    }
    let mut position = 0;
    for segment in segments {
        match segment {
            Segment::Tokens(ids) => {
                if let Some(at) = ids.iter().position(|&id| id as usize >= vocab_size) {
                    return Err(Error::TokenOutOfRange {
                        id: ids[at],
                        position: position + at,
                        vocab_size,
                    });
                }
            }
            Segment::Embeddings(rows) if rows.dims()[1] != width || rows.dims()[0] == 0 => {
                return Err(Error::EmbeddingShape {
                    position,
                    found: rows.dims(),
                    expected: width,
                });
            }
            Segment::Embeddings(rows) => {
                let found = rows.device();
                if found != *device.as_burn() {
                    return Err(Error::EmbeddingDevice {
                        position,
                        expected: device.to_string(),
                        found: format!("{found:?}"),
                    });
                }
                check_f32("embeddings", rows)?;
            }
        }
        position += segment.len();
    }
    Ok(())
}

/// Rows for one forward pass.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) segments: Vec<Segment>,
    pub(crate) rows: usize,
}

impl Chunk {
    fn push(&mut self, segment: Segment) {
        self.rows += segment.len();
        self.segments.push(segment);
    }

    /// Where embeddings lie, as absolute positions, when the chunk starts at `start`.
    pub(crate) fn spans(&self, start: usize) -> Vec<Range<usize>> {
        let mut position = start;
        let mut spans = Vec::new();
        for segment in &self.segments {
            let range = position..position + segment.len();
            position = range.end;
            if matches!(segment, Segment::Embeddings(_)) {
                spans.push(range);
            }
        }
        spans
    }
}

/// Cuts a prompt into chunks of at most `size` rows. Tokens are cut anywhere, embeddings nowhere:
/// a segment of embeddings that does not fit gets a chunk of its own, however long.
pub(crate) fn chunks(segments: &[Segment], size: usize) -> Vec<Chunk> {
    let mut chunks = vec![Chunk::default()];
    for segment in segments {
        match segment {
            Segment::Tokens(ids) => {
                let mut rest = ids.as_slice();
                while !rest.is_empty() {
                    let last = open_chunk(&mut chunks, 1, size);
                    let (head, tail) = rest.split_at(rest.len().min(size - last.rows));
                    last.push(Segment::Tokens(head.to_vec()));
                    rest = tail;
                }
            }
            Segment::Embeddings(rows) => {
                open_chunk(&mut chunks, segment.len(), size)
                    .push(Segment::Embeddings(rows.clone()));
            }
        }
    }
    chunks.retain(|chunk| chunk.rows > 0);
    chunks
}

/// The chunk that takes `rows` more rows: the last one if it has room, else a new one.
fn open_chunk(chunks: &mut Vec<Chunk>, rows: usize, size: usize) -> &mut Chunk {
    let full = chunks
        .last()
        .is_none_or(|last| last.rows > 0 && last.rows + rows > size);
    if full {
        chunks.push(Chunk::default());
    }
    chunks
        .last_mut()
        .expect("a chunk was pushed when there was none")
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use medgemma_tensor::{Device, tensor_from};

    use super::{Segment, chunks};

    #[test]
    fn a_part_has_embeddings_whole_or_not_at_all() {
        let device = Device::cpu().expect("the tests enable the feature cpu");
        let said = [
            Segment::Tokens(vec![2, 5, 7]),
            Segment::Embeddings(tensor_from(vec![0.0; 8], [4, 2], &device)),
            Segment::Tokens(vec![7, 9]),
        ];
        let cut = |positions| {
            let part = Segment::cut(&said, positions);
            let ids = part.iter().map(|segment| match segment {
                Segment::Tokens(ids) => ids.clone(),
                Segment::Embeddings(rows) => vec![0; rows.dims()[0]],
            });
            ids.collect::<Vec<_>>().concat()
        };
        assert_eq!(cut(1..7), [5, 7, 0, 0, 0, 0]);
        assert_eq!(cut(0..3), [2, 5, 7]);
        // Through the embeddings, from either side.
        assert_eq!(cut(2..6), [7]);
        assert_eq!(cut(4..8), [7]);
        assert_eq!(cut(8..usize::MAX), [9]);
        assert!(Segment::cut(&said, 0..0).is_empty());
    }

    #[test]
    fn embeddings_are_never_cut() {
        let device = Device::cpu().expect("the tests enable the feature cpu");
        let image =
            |rows| Segment::Embeddings(tensor_from(vec![0.0; rows * 2], [rows, 2], &device));
        let prompt = [
            Segment::Tokens(vec![1; 5]),
            image(4),
            Segment::Tokens(vec![1; 9]),
            image(12),
            image(1),
        ];
        let chunks = chunks(&prompt, 8);
        assert_eq!(
            chunks.iter().map(|chunk| chunk.rows).collect::<Vec<_>>(),
            [5, 8, 5, 12, 1]
        );
        let spans: Vec<_> = chunks
            .iter()
            .scan(0, |start, chunk| {
                let spans = chunk.spans(*start);
                *start += chunk.rows;
                Some(spans)
            })
            .flatten()
            .collect();
        assert_eq!(spans, [5..9, 18..30, 30..31]);
    }
}
