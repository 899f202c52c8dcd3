//! Vectors part by part, each of which fits into a record batch.

use std::iter::Peekable;

use crate::batch::Entry;
use crate::error::{Error, Result};
use crate::metadata::Value;

/// The longest text that a column can hold: its places are counted in i32.
const TEXT: usize = 0x7fff_ffff;

/// What a record batch may hold.
#[derive(Clone, Copy)]
pub(super) struct Room {
    /// Vectors.
    rows: usize,
    /// Bytes of text in ids and metadata. One vector may have more: it has a record batch to itself.
    text: usize,
    /// Bytes of one text.
    longest: usize,
}

impl Room {
    pub(super) const fn new(rows: usize, text: usize) -> Self {
        Self {
            rows,
            text,
            longest: TEXT,
        }
    }

    /// The next of `entries` that fit, at least one if there are any.
    pub(super) fn take(
        self,
        entries: &mut Peekable<impl Iterator<Item = Result<Entry>>>,
    ) -> Result<Vec<Entry>> {
        let mut part = Vec::new();
        let mut text = 0;
        while part.len() < self.rows {
            let fits = |next: &Result<Entry>| match next {
                // What is too long for any record batch is told, and so is what cannot be read.
                Ok(entry) => match self.text_of(entry) {
                    Ok(bytes) => part.is_empty() || text + bytes <= self.text,
                    Err(_) => true,
                },
                Err(_) => true,
            };
            let Some(entry) = entries.next_if(fits) else {
                break;
            };
            let entry = entry?;
            text += self.text_of(&entry)?;
            part.push(entry);
        }
        Ok(part)
    }

    /// Bytes of text in an entry.
    fn text_of(self, entry: &Entry) -> Result<usize> {
        let mut bytes = entry.id.len();
        for (name, value) in &entry.metadata {
            let Value::Text(text) = value else { continue };
            if text.len() > self.longest {
                let argument = format!("metadata `{name}`");
                let expected = format!(
                    "text of at most {} bytes: put a shorter one, or keep it elsewhere",
                    self.longest
                );
                let found = format!("{} bytes in '{}'", text.len(), entry.id);
                return Err(Error::argument(argument, expected, found));
            }
            bytes += text.len();
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Room;
    use crate::{Entry, Metadata};

    fn entry(text: usize) -> crate::Result<Entry> {
        let metadata = [
            ("note".to_owned(), "x".repeat(text).into()),
            ("n".to_owned(), 1.into()),
        ];
        Ok(Entry {
            id: "id".to_owned(),
            vector: Vec::new(),
            metadata: Metadata::from(metadata),
        })
    }

    /// The number of vectors in each record batch.
    fn parts(room: Room, texts: &[usize]) -> crate::Result<Vec<usize>> {
        let mut entries = texts.iter().map(|text| entry(*text)).peekable();
        let mut parts = Vec::new();
        while entries.peek().is_some() {
            parts.push(room.take(&mut entries)?.len());
        }
        Ok(parts)
    }

    #[test]
    fn a_record_batch_has_so_many_vectors_and_so_much_text() {
        let room = Room::new(3, 20);
        let of = |texts: &[usize]| parts(room, texts).expect("parts");
        assert_eq!(of(&[0; 7]), [3, 3, 1]);
        // With two bytes of each id: 10 and 10, which fit exactly, then one more.
        assert_eq!(of(&[8, 8, 8]), [2, 1]);
        assert_eq!(of(&[8, 9, 8]), [1, 1, 1]);
        // What is longer than the room is alone.
        assert_eq!(of(&[1, 500, 1, 1]), [1, 1, 2]);
        assert_eq!(of(&[]), [0; 0]);
    }

    #[test]
    fn text_that_no_column_can_hold_is_refused_by_its_name() {
        let room = Room {
            longest: 100,
            ..Room::new(3, 20)
        };
        assert_eq!(parts(room, &[1, 100]).expect("parts"), [1, 1]);
        let error = parts(room, &[1, 101]).expect_err("too long");
        let message = error.to_string();
        for part in ["metadata `note`", "at most 100 bytes", "101 bytes in 'id'"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_eq!(
            Room::new(1, 1).longest,
            usize::try_from(i32::MAX).expect("small")
        );
    }
}
