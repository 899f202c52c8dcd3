//! Medical files as they come from hospitals, prepared as MedGemma was trained to read them.
//!
//! | step | module |
//! |---|---|
//! | what a file may ask for | [`Limits`] |
//! | DICOM: pixels, tables, windows, geometry | [`Dicom`] |
//! | NIfTI-1 and NIfTI-2 | [`Nifti`] |
//! | slices in order along the normal | [`Volume`] |
//! | values of one plane, after the modality's rescaling | [`Plane`] |
//! | whole-slide images by region | [`Slide`] |
//! | planes and slides to what the model was trained with | [`XrayRecipe`], [`CtRecipe`], [`MrRecipe`], [`PatchRecipe`], [`PhotoRecipe`], [`longitudinal`] |
//!
//! A recipe gives pictures, a [`Prompt`] in the order of training, and a [`Recipe`]: what was done, to be kept beside the
//! answer. `docs/medical-input.md` says for each modality which recipe, by which source, held by which test.

mod dicom;
mod error;
mod limits;
mod nifti;
mod padding;
mod plane;
mod recipe;
mod remark;
mod slide;
mod unpack;
mod volume;

// The public interface:
pub use crate::dicom::{
    Dicom, Facts, Frame, Geometry, Notice, Photometric, TransferSyntax, VoiWindow, WindowShape,
};
pub use crate::error::{Error, Origin, Result};
pub use crate::limits::Limits;
pub use crate::nifti::Nifti;
pub use crate::plane::Plane;
pub use crate::recipe::{
    Channels, CtPreset, CtRecipe, CtRecord, Item, LONGITUDINAL_QUESTION, MrRecipe, MrRecord, Order,
    PATCH, PatchRecipe, PatchRecord, PhotoRecipe, PhotoRecord, PreparedPatches, PreparedPicture,
    PreparedVolume, Prompt, Recipe, Sampler, Tissue, Voi, Window, XrayRecipe, XrayRecord,
    longitudinal, slide_instruction,
};
pub use crate::remark::Remark;
pub use crate::slide::{
    Associated, AssociatedKind, Level, Slide, SlideLimits, SlideProblem, TileSource,
};
pub use crate::volume::Volume;
