//! Medical files as they come from hospitals, prepared as MedGemma was trained to read them.
//!
//! | step | module |
//! |---|---|
//! | values of one plane, after the modality's rescaling | `plane` |
//! | whole-slide images by region: [`Slide`] | `slide` |
//! | planes and slides to what the model was trained with: [`XrayRecipe`], [`CtRecipe`], [`MrRecipe`], [`PatchRecipe`], [`longitudinal`] | `recipe` |
//!
//! A recipe gives pictures, a [`Prompt`] in the order of training, and a [`Recipe`]: what was done, to be kept beside the
//! answer. `docs/medical-input.md` says for each modality which recipe, by which source, held by which test.

mod error;
mod plane;
mod recipe;
mod slide;

// The public interface:
pub use crate::error::{Error, Result};
pub use crate::plane::Plane;
pub use crate::recipe::{
    Channels, CtPreset, CtRecipe, CtRecord, Item, LONGITUDINAL_QUESTION, MrRecipe, MrRecord, Order,
    PATCH, PatchRecipe, PatchRecord, PreparedPatches, PreparedVolume, PreparedXray, Prompt, Recipe,
    Sampler, Tissue, Voi, Window, XrayRecipe, XrayRecord, longitudinal, slide_instruction,
};
pub use crate::slide::{
    Associated, AssociatedKind, Level, Slide, SlideLimits, SlideProblem, TileSource,
};
