//! Medical files as they come from hospitals, prepared as MedGemma was trained to read them.
//!
//! | step | module |
//! |---|---|
//! | values of one plane, after the modality's rescaling | `plane` |

mod error;
mod plane;

// The public interface:
pub use crate::error::{Error, Result};
pub use crate::plane::Plane;
