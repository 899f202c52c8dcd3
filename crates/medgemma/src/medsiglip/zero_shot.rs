//! Pictures against classes of the caller's own words, and which words cannot be told apart.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use medgemma_image::Image;
use medgemma_tokenizer::{SiglipNormalization, SiglipTextOptions};

use super::MedSigLip;
use crate::classification::{Class, Classification, check_labels};
use crate::embedding::Embedding;
use crate::error::{Error, Result};

impl MedSigLip {
    /// The classes of these labels and their prompts, in their order, each the
    /// [`Embedding::ensemble`] of its prompts. They serve any number of pictures. No label may be there
    /// twice, nor two classes whose prompts the tokenizer makes the same texts of, as it does of
    /// `SpO2 <90` and `SpO2 >90`: [`SiglipNormalization`] says what it leaves of them.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_classes_with`].
    pub fn embed_classes(&self, classes: &[(&str, &[&str])]) -> Result<Vec<Class>> {
        self.embed_classes_with(classes, &SiglipTextOptions::default())
    }

    /// As [`MedSigLip::embed_classes`], with a choice of normalisation and truncation.
    ///
    /// # Errors
    /// [`Error::NoClasses`] and
    /// [`Error::DuplicateLabel`],
    /// [`Error::NoPrompts`] for a class without prompts,
    /// [`Error::EmptyPrompt`] for a prompt of which the tokenizer leaves nothing,
    /// [`Error::PromptTooLong`] for one that is too long, unless truncation is asked for,
    /// [`Error::SameText`] for two classes whose prompts are the same to it, in whatever order and however
    /// often, and as [`MedSigLip::embed_texts_with`].
    pub fn embed_classes_with(
        &self,
        classes: &[(&str, &[&str])],
        options: &SiglipTextOptions,
    ) -> Result<Vec<Class>> {
        let labels: Vec<&str> = classes.iter().map(|&(label, _)| label).collect();
        check_labels(&labels)?;
        if let Some(class) = classes.iter().position(|(_, own)| own.is_empty()) {
            return Err(Error::NoPrompts { class });
        }
        // All prompts in one call, which reads each weight once for sixteen of them.
        let prompts: Vec<&str> = classes.iter().flat_map(|&(_, own)| own).copied().collect();
        let rows = self.tokenize(&prompts, options);
        let rows = rows.map_err(|error| of_class(error, classes))?;
        let empty = self.tokenize(&[""], options)?.remove(0);
        check_texts(classes, &rows, &empty, options.normalization)?;
        let embedded = self.embed_token_ids(&rows)?;
        let mut rest = embedded.as_slice();
        let class = |&(label, prompts): &(&str, &[&str])| {
            let own;
            (own, rest) = rest.split_at(prompts.len());
            Ok(Class::new(label, Embedding::ensemble(own)?))
        };
        classes.iter().map(class).collect()
    }

    /// A picture against labels, each of which is its own prompt: all that [`MedSigLip::classify`]
    /// wants in one call. For several pictures, or several prompts to a label, make the classes
    /// once, by [`MedSigLip::embed_classes`]. As there, two labels that the tokenizer makes one text, such as
    /// `Normal` and `normal`, are refused.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_classes`] and [`MedSigLip::embed_images`].
    pub fn classify_image(&self, image: &Image, labels: &[&str]) -> Result<Classification> {
        let classes: Vec<_> = labels
            .iter()
            .map(|label| (*label, slice::from_ref(label)))
            .collect();
        let classes = self.embed_classes(&classes)?;
        let image = self.embed_images(slice::from_ref(image))?.remove(0);
        self.classify(&image, &classes)
    }

    /// A picture against classes: per class the logit, the sigmoid and the softmax, by name.
    ///
    /// # Errors
    /// [`Error::NoClasses`],
    /// [`Error::DuplicateLabel`], and as [`MedSigLip::logits`].
    pub fn classify(&self, image: &Embedding, classes: &[Class]) -> Result<Classification> {
        let labels: Vec<&str> = classes.iter().map(|class| class.label.as_str()).collect();
        let each = classes
            .iter()
            .map(|class| self.logit(image, &class.embedding));
        Classification::from_logits(&labels, &each.collect::<Result<Vec<_>>>()?)
    }
}

/// The error of one of all prompts, class after class, as one of its class.
fn of_class(error: Error, classes: &[(&str, &[&str])]) -> Error {
    let Error::TextTooLong {
        index,
        limit,
        found,
        ..
    } = error
    else {
        return error;
    };
    let mut prompt = index;
    for (class, (label, prompts)) in classes.iter().enumerate() {
        if prompt < prompts.len() {
            return Error::PromptTooLong {
                class,
                // One that is its own prompt is as long as that.
                label: label.chars().take(80).collect(),
                prompt,
                limit,
                found,
            };
        }
        prompt -= prompts.len();
    }
    error
}

/// Refuses a prompt of which nothing is left, and two classes of the same texts. `rows` are the ids of all
/// prompts, class after class, `empty` those of the empty text.
fn check_texts(
    classes: &[(&str, &[&str])],
    rows: &[Vec<u32>],
    empty: &[u32],
    normalization: SiglipNormalization,
) -> Result<()> {
    let (mut rest, mut seen) = (rows, BTreeMap::new());
    for (class, (label, prompts)) in classes.iter().enumerate() {
        let own;
        (own, rest) = rest.split_at(prompts.len());
        if own.iter().any(|row| row == empty) {
            return Err(Error::EmptyPrompt {
                class,
                label: (*label).to_owned(),
                normalization,
            });
        }
        let texts: BTreeSet<&Vec<u32>> = own.iter().collect();
        if let Some(first) = seen.insert(texts, class) {
            return Err(Error::SameText {
                first,
                first_label: classes[first].0.to_owned(),
                second: class,
                second_label: (*label).to_owned(),
                normalization,
            });
        }
    }
    Ok(())
}
