//! Many pictures or texts, one after the other: watched, stopped at any of them, and each with a result of its own.

use std::ops::ControlFlow;

use medgemma_image::Image;
use medgemma_siglip::{Error as VisionError, TextTower};
use medgemma_tokenizer::SiglipTextOptions;

use super::MedSigLip;
use crate::embedding::Embedding;
use crate::error::{Error, Result};

impl MedSigLip {
    /// Embeds pictures one after the other and gives `observer` each one's number, counted from 0, and its embedding,
    /// or why it has none. A picture that fails, or that could not be read, costs no other its embedding; `Break`
    /// ends the work. Each picture is asked for when the one before it is embedded and given away: of thousands, one is
    /// in memory at a time. What comes back is what `observer` broke off with, `Continue` if it never did.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// # use std::path::PathBuf;
    /// # use medgemma::{Image, MedSigLip};
    ///
    /// # let archive = |model: &MedSigLip, paths: &[PathBuf]| {
    /// let mut archive = Vec::new();
    /// let ended = model.embed_each_image(paths.iter().map(Image::open), |index, embedded| {
    ///     match embedded {
    ///         Ok(embedding) => archive.push((index, embedding)),
    ///         Err(error) => eprintln!("picture {index}: {error}"),
    ///     }
    ///     if archive.len() < 100 { ControlFlow::Continue(()) } else { ControlFlow::Break("enough") }
    /// });
    /// # (archive, ended) };
    /// ```
    ///
    /// # Errors
    /// Those that `observer` is given: what a picture's own `E` says, and as [`MedSigLip::embed_images`] of it alone.
    pub fn embed_each_image<E, B>(
        &self,
        images: impl IntoIterator<Item = std::result::Result<Image, E>>,
        mut observer: impl FnMut(usize, Result<Embedding>) -> ControlFlow<B>,
    ) -> ControlFlow<B>
    where
        Error: From<E>,
    {
        let mut images = images.into_iter().enumerate();
        images.try_for_each(|(index, image)| {
            let image = image.map_err(Error::from);
            observer(index, image.and_then(|image| self.embed_image(&image)))
        })
    }

    /// Embeds texts 16 at a time, as one pass takes them, and gives `observer` each one's number, counted from 0, and its
    /// embedding, or why it has none. A text that fails costs no other its embedding; `Break` ends the work. What
    /// comes back is what `observer` broke off with, `Continue` if it never did.
    ///
    /// # Errors
    /// Those that `observer` is given: as [`MedSigLip::embed_texts_with`], with the number of the text among all.
    pub fn embed_each_text<B>(
        &self,
        texts: &[&str],
        options: &SiglipTextOptions,
        mut observer: impl FnMut(usize, Result<Embedding>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let numbers: Vec<usize> = (0..texts.len()).collect();
        for group in numbers.chunks(TextTower::TEXTS_AT_ONCE) {
            let rows = group.iter().map(|&index| self.row(texts, index, options));
            let embedded = self.embed_rows(rows.collect(), group[0]);
            for (&index, embedded) in group.iter().zip(embedded) {
                observer(index, embedded)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The embedding of one picture.
    pub(super) fn embed_image(&self, image: &Image) -> Result<Embedding> {
        let processed = self.processor()?.process(image)?;
        // The picture itself; crops are Gemma 3's.
        self.embed_pixels(&processed.pixels[0])
    }

    /// The rows that have ids in one pass, and each alone where that fails, so that the one at fault is found. `first`
    /// is the number of the first row among all.
    fn embed_rows(
        &self,
        rows: Vec<Result<Vec<u32>>>,
        first: usize,
    ) -> impl Iterator<Item = Result<Embedding>> {
        let good: Vec<Vec<u32>> = rows.iter().flatten().cloned().collect();
        let mut together = self.embed_token_ids(&good).ok().map(Vec::into_iter);
        rows.into_iter().enumerate().map(move |(index, row)| {
            let row = row?;
            let embedded = together.as_mut().and_then(Iterator::next);
            embedded.map_or_else(|| self.embed_alone(row, first + index), Ok)
        })
    }

    /// The text `index` of all.
    fn embed_alone(&self, row: Vec<u32>, index: usize) -> Result<Embedding> {
        let embedded = self.embed_token_ids(&[row]);
        let mut embedded = embedded.map_err(|error| match error {
            Error::Vision(VisionError::TokenOutOfRange {
                position,
                id,
                vocab_size,
                ..
            }) => Error::Vision(VisionError::TokenOutOfRange {
                text: index,
                position,
                id,
                vocab_size,
            }),
            other => other,
        })?;
        Ok(embedded.remove(0))
    }
}
