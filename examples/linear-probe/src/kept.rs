//! Embeddings on the disk, so that nothing is embedded twice: an index of `medgemma-search`.

use std::collections::BTreeMap;
use std::path::Path;

use medgemma::{Embedding, Image};
use medgemma_image::Crop;
use medgemma_search::{
    Batch, Error, Fingerprint, Index, Metadata, Result, Writer, content_id_of_file,
};

use crate::encoder::Encoder;
use crate::samples::Embedded;

/// Embeddings of one encoder, and how many were of use.
pub(crate) struct Kept {
    writer: Writer,
    index: Index,
    pub(crate) found: usize,
    pub(crate) made: usize,
}

/// Not that of the encoder alone: an archive's index has whole pictures, and where each is.
fn fingerprint(encoder: &str, dimension: usize) -> Fingerprint {
    Fingerprint::new(format!("{encoder}, parts of pictures"), dimension)
}

impl Kept {
    /// Opens the index in `folder`, or makes one.
    pub(crate) fn open(folder: &Path, encoder: &Encoder) -> Result<Self> {
        let fingerprint = fingerprint(encoder.id(), encoder.dimension());
        let writer = match Writer::open(folder, &fingerprint) {
            Err(Error::NoIndex { .. }) => Writer::create(folder, &fingerprint)?,
            opened => opened?.0,
        };
        Ok(Self {
            writer,
            index: Index::open(folder, &fingerprint)?,
            found: 0,
            made: 0,
        })
    }

    /// As [`Encoder::embed_parts`], of what is not there. All of it is read from the disk, so that it is the
    /// same to the bit whenever it was embedded. The inner error is the picture's, the outer one the disk's.
    pub(crate) fn embed_parts(
        &mut self,
        encoder: &Encoder,
        path: &Path,
        image: &Image,
        parts: &[Option<Crop>],
    ) -> Result<Embedded> {
        let content = match content_id_of_file(path) {
            Ok(content) => content,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let ids: Vec<String> = parts.iter().map(|part| id(&content, *part)).collect();
        self.found += ids.iter().filter(|id| self.index.contains(id)).count();
        // Of a small picture two parts may be one.
        let missing: BTreeMap<&String, Option<Crop>> = ids
            .iter()
            .zip(parts.iter().copied())
            .filter(|(id, _)| !self.index.contains(id))
            .collect();
        if !missing.is_empty() {
            let parts: Vec<Option<Crop>> = missing.values().copied().collect();
            let made = match encoder.embed_parts(path, image, &parts) {
                Ok(made) => made,
                Err(error) => return Ok(Err(error)),
            };
            let mut batch = Batch::new();
            for (id, embedding) in missing.keys().zip(made) {
                batch.put(*id, embedding.into_vec(), Metadata::new());
            }
            // One picture at a time: a run that ends early has embedded nothing in vain.
            self.writer.append(&batch)?;
            self.index.refresh()?;
        }
        self.made += missing.len();
        let mut kept = Vec::with_capacity(ids.len());
        for id in &ids {
            let entry = self.index.get(id)?.expect("there or just appended");
            match Embedding::new(entry.vector) {
                Ok(embedding) => kept.push(embedding),
                Err(error) => return Ok(Err(format!("{}: {error}", path.display()))),
            }
        }
        Ok(Ok(kept))
    }
}

/// By what an embedding is found: the content of the file, and the part of the picture.
fn id(content: &str, part: Option<Crop>) -> String {
    match part {
        None => content.to_owned(),
        Some(Crop {
            x,
            y,
            width,
            height,
        }) => format!("{content} {x},{y} {width}x{height}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use medgemma_image::Crop;

    use medgemma_search::{Error, Fingerprint, Writer};

    use super::{fingerprint, id};

    #[test]
    fn an_index_of_an_archive_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        Writer::create(folder.path(), &Fingerprint::new("encoder", 3)).expect("created");
        let opened = Writer::open(folder.path(), &fingerprint("encoder", 3));
        assert!(matches!(opened, Err(Error::Model { .. })), "{opened:?}");
    }

    #[test]
    fn every_part_of_every_file_has_its_own_id() {
        let crop = |[x, y, width, height]: [usize; 4]| Crop {
            x,
            y,
            width,
            height,
        };
        let crops = [
            [1, 2, 3, 4],
            [2, 1, 3, 4],
            [1, 2, 4, 3],
            [1, 2, 3, 5],
            [1, 23, 3, 4],
            [12, 3, 3, 4],
        ];
        let parts: Vec<_> = crops
            .map(|c| Some(crop(c)))
            .into_iter()
            .chain([None])
            .collect();
        let each = parts
            .iter()
            .flat_map(|&part| [id("a", part), id("b", part)]);
        assert_eq!(each.collect::<BTreeSet<_>>().len(), 14);
    }
}
