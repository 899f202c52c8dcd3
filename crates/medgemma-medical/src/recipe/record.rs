//! What was done to the pictures of a prompt, in a form that can be kept beside the answer: whoever doubts it can do the
//! same again. It holds numbers and names of recipes, nothing of the patient.

use serde::{Deserialize, Serialize};

use super::window::Window;

/// What was done, by modality. As JSON, the field `modality` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "modality", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Recipe {
    /// A radiograph.
    Xray(XrayRecord),
    /// A volume of computed tomography.
    Ct(CtRecord),
    /// A volume of magnetic resonance.
    Mr(MrRecord),
    /// Patches of a whole slide.
    Slide(PatchRecord),
    /// A photograph, or another picture in colour.
    Photo(PhotoRecord),
    /// Two pictures, the earlier first.
    Longitudinal {
        /// What was done to the earlier.
        before: Box<Recipe>,
        /// What was done to the later.
        after: Box<Recipe>,
    },
}

/// What was done to a radiograph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct XrayRecord {
    /// How values became 8 bits: `window`, `VOI LUT`, `full range`, or `8 bits as they were`.
    pub voi: String,
    /// The window, where there was one.
    pub window: Option<Window>,
    /// Whether black and white changed places (MONOCHROME1).
    pub inverted: bool,
    /// Whether black was put at two sides to make it square.
    pub padded_to_square: bool,
    /// What of the file bears on how the picture is to be taken, in words; not written where there is nothing to say, and
    /// empty of a plane that came without a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// What was done to a photograph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PhotoRecord {
    /// What became red, green and blue, by DICOM's name: `RGB`, `YBR_FULL`, `PALETTE COLOR` and so on.
    pub colours: String,
    /// Bits of a sample; more than 8 were spread over 8.
    pub bits: u32,
    /// Whether the file has an ICC profile, which was not applied.
    pub colour_profile_ignored: bool,
    /// Whether black was put at two sides to make it square.
    pub padded_to_square: bool,
}

/// What was done to a volume of CT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CtRecord {
    /// The name of the preset.
    pub preset: String,
    /// The windows in Hounsfield units.
    pub windows: Channels,
    /// Which slices.
    #[serde(flatten)]
    pub order: Order,
    /// Whether black was put at two sides to make slices square.
    pub padded_to_square: bool,
}

/// What was done to a volume of MR.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MrRecord {
    /// The least value of the volume, but for padding that was left out, which became 0.
    pub minimum: f32,
    /// The greatest, which became 255.
    pub maximum: f32,
    /// Which slices.
    #[serde(flatten)]
    pub order: Order,
    /// Whether black was put at two sides to make slices square.
    pub padded_to_square: bool,
}

/// The windows that became the three channels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Channels {
    /// Of the red channel.
    pub red: Window,
    /// Of the green channel.
    pub green: Window,
    /// Of the blue channel.
    pub blue: Window,
}

/// Which slices of a volume were shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// Slices that the volume has.
    pub slices_given: usize,
    /// Slices of the series that the volume has not: localizers, derived images, other acquisitions and the like. 0, and not
    /// written, of planes that came without a [`Volume`](crate::Volume).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slices_left_out: usize,
    /// What [`Volume::remarks`](crate::Volume::remarks) says, in words, and what became of padding; not written where
    /// there is nothing to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Those shown, counted from 0.
    pub slices_shown: Vec<usize>,
    /// By which rule they were chosen.
    pub sampler: String,
    /// Whether positions were given, and ran in one direction.
    pub order_checked: bool,
}

/// What was done to a slide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PatchRecord {
    /// The magnification asked for.
    pub magnification: f64,
    /// The level read, 0 the finest.
    pub level: usize,
    /// Pixels of that level under one pixel of a patch; 1 where nothing was resized.
    pub pixels_per_pixel: f64,
    /// By which rule patches counted as tissue.
    pub tissue: String,
    /// Whole patches that the level has.
    pub patches_of_slide: usize,
    /// Those with tissue.
    pub patches_with_tissue: usize,
    /// At most as many were shown.
    pub cap: usize,
    /// What the sample was drawn by, if there were more.
    pub seed: Option<u64>,
    /// Left upper corners of those shown, in pixels of the level, row by row.
    pub patches_shown: Vec<[usize; 2]>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}
