//! From measured values to what MedGemma was trained to see, one recipe for each modality.
//!
//! Sources, read at the commits named here:
//! - **notebook**: `notebooks/high_dimensional_ct_hugging_face.ipynb` of Google-Health/medgemma at d89262c, and
//!   `high_dimensional_pathology_hugging_face.ipynb`, `cxr_longitudinal_comparison_with_hugging_face.ipynb` of its
//!   copy lhidalgo42/medgemma at 80a1de1;
//! - **serving**: `python/data_accessors/local_file_handlers/generic_dicom_handler.py`, `python/data_processing/
//!   image_utils.py` and `python/serving/predictor.py` of the same copy;
//! - **ez-wsi**: `patch_generator.py` and `slide_level_map.py` of PyPI's ez-wsi-dicomweb 6.1.6, which the notebook
//!   takes its tissue mask from;
//! - **report**: "MedGemma 1.5", arXiv 2604.05081, and the maintainers' answers in Google-Health/medgemma#27, #49, #65.
//!
//! Where they contradict each other the choice has a name and is written down in the [`Recipe`].

mod ct;
mod draw;
mod modality;
mod mr;
mod pair;
mod patches;
mod photo;
mod picture;
mod prompt;
mod record;
mod sampler;
mod tissue;
mod volume;
mod window;
mod xray;

pub use ct::{CtPreset, CtRecipe};
pub use mr::MrRecipe;
pub use pair::{LONGITUDINAL_QUESTION, longitudinal};
pub use patches::{PATCH, PatchRecipe, PreparedPatches, slide_instruction};
pub use photo::PhotoRecipe;
pub use picture::PreparedPicture;
pub use prompt::{Item, Prompt};
pub use record::{
    Channels, CtRecord, MrRecord, Order, PatchRecord, PhotoRecord, Recipe, XrayRecord,
};
pub use sampler::Sampler;
pub use tissue::Tissue;
pub use volume::PreparedVolume;
pub use window::Window;
pub use xray::{Voi, XrayRecipe};
