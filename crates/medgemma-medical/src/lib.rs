//! Medical files as they come from hospitals, prepared as MedGemma was trained to read them.
//!
//! | step | module |
//! |---|---|
//! | what a file may ask for | [`Limits`] |
//! | DICOM: pixels, tables, windows, geometry | [`Dicom`] |
//! | NIfTI-1 and NIfTI-2 | [`Nifti`] |
//! | slices in order along the normal | [`Volume`] |
//! | values of one plane, after the modality's rescaling | [`Plane`] |

mod dicom;
mod error;
mod limits;
mod nifti;
mod plane;
mod volume;

// The public interface:
pub use crate::dicom::{
    Dicom, Facts, Frame, Geometry, Notice, Photometric, TransferSyntax, Window, WindowShape,
};
pub use crate::error::{Error, Origin, Result};
pub use crate::limits::Limits;
pub use crate::nifti::Nifti;
pub use crate::plane::Plane;
pub use crate::volume::{Remark, Volume};
