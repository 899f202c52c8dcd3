//! The questions that MedSigLIP was evaluated on, as data: chest radiographs, fundus pictures, histology and
//! skin, each with its classes and the prompts that stood for them.
//!
//! Source: MedGemma Technical Report (arXiv 2507.05201v4), Tables A2 to A5. Prompts are given word by word, but for
//! the marks of line and page breaks in the tables' type; what a break swallowed is said where it is.
//!
//! The report averages the unit embeddings of a class's prompts, and takes the softmax over the classes of one
//! question: what [`ClassList::embed`] and [`MedSigLip::classify`] do. That a question is listed here says how the model
//! was evaluated, not that it answers well: the report's areas under the curve are from 0.65 ("pleural other") to
//! 0.93. **Not for clinical use** without verification by a qualified person.
//!
//! ```
//! use medgemma::classes;
//!
//! let list = classes::named("chest-x-ray/pneumothorax").unwrap();
//! assert_eq!(list.classes[1].label, "present");
//! assert_eq!(list.classes[1].prompts, ["apical pneumothorax"]);
//! # let embed = |model: &medgemma::MedSigLip, image: &medgemma::Embedding| -> medgemma::Result<()> {
//! let classes = list.embed(model)?; // once for all pictures
//! let found = model.classify(image, &classes)?;
//! println!("{}: {:.3}", list.finding, found.scores()[1].softmax);
//! # Ok(()) };
//! ```

mod chest_xray;
mod dermatology;
mod fundus;
mod histology;

use medgemma_tokenizer::SiglipTextOptions;

pub use self::chest_xray::CHEST_XRAY;
pub use self::dermatology::SKIN_CONDITIONS;
pub use self::fundus::DIABETIC_RETINOPATHY;
pub use self::histology::{
    BREAST_NUCLEAR_PLEOMORPHISM, BREAST_TUBULE_FORMATION, CERVICAL_DYSPLASIA,
    INVASIVE_BREAST_CANCER, PROSTATE_NEEDLE_BIOPSY, RADICAL_PROSTATECTOMY, TCGA_STUDY_TYPES,
    TISSUE_TYPES,
};

use crate::classification::Class;
use crate::error::Result;
use crate::medsiglip::MedSigLip;

/// One question about a picture, and the answers to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassList {
    /// Its name here, for [`named`]: `chest-x-ray/pneumothorax`.
    pub name: &'static str,
    /// What is asked about, as published: `Pneumothorax`.
    pub finding: &'static str,
    /// Where classes and prompts were published.
    pub source: &'static str,
    /// The answers, in the published order; exactly one of them is taken to be true.
    pub classes: &'static [PromptedClass],
}

/// An answer, and the texts that stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PromptedClass {
    /// The published name of the class.
    pub label: &'static str,
    /// The published prompts, at least one. One that is published twice is here twice, and weighs double.
    pub prompts: &'static [&'static str],
}

/// Every list with one finding, or kind of tissue, to a picture: those of [`CHEST_XRAY`] stand apart from it, since each
/// of them is a question of its own.
const OTHERS: [&ClassList; 10] = [
    &DIABETIC_RETINOPATHY,
    &INVASIVE_BREAST_CANCER,
    &BREAST_NUCLEAR_PLEOMORPHISM,
    &BREAST_TUBULE_FORMATION,
    &CERVICAL_DYSPLASIA,
    &PROSTATE_NEEDLE_BIOPSY,
    &RADICAL_PROSTATECTOMY,
    &TCGA_STUDY_TYPES,
    &TISSUE_TYPES,
    &SKIN_CONDITIONS,
];

/// Every list: the thirteen of [`CHEST_XRAY`], then fundus, histology and skin.
pub fn all() -> impl Iterator<Item = &'static ClassList> {
    CHEST_XRAY.iter().chain(OTHERS)
}

/// The list of this name, `None` if there is none; [`all`] tells the names.
#[must_use]
pub fn named(name: &str) -> Option<&'static ClassList> {
    all().find(|list| list.name == name)
}

impl ClassList {
    /// The classes for [`MedSigLip::classify`], each the [`Embedding::ensemble`](crate::Embedding::ensemble) of its prompts. They serve any number of
    /// pictures.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_classes`]: a tokenizer other than the published one can find a prompt too long or empty, or
    /// two classes alike.
    pub fn embed(&self, model: &MedSigLip) -> Result<Vec<Class>> {
        self.embed_with(model, &SiglipTextOptions::default())
    }

    /// As [`embed`](Self::embed), with a choice of normalisation and truncation.
    ///
    /// # Errors
    /// As [`MedSigLip::embed_classes_with`].
    pub fn embed_with(&self, model: &MedSigLip, options: &SiglipTextOptions) -> Result<Vec<Class>> {
        let classes = self
            .classes
            .iter()
            .map(|class| (class.label, class.prompts));
        model.embed_classes_with(&classes.collect::<Vec<_>>(), options)
    }
}
