//! The resizers' names, as a command line or a configuration spells them. Own design.

use std::fmt;
use std::str::FromStr;

use super::Resizer;
use crate::error::Error;

impl Resizer {
    /// Every resizer, in the order of the enumeration: for a help text or a test.
    pub const ALL: [Self; 5] = [
        Self::TfBilinear,
        Self::PilBilinear,
        Self::PilBicubic,
        Self::TorchvisionBilinear,
        Self::TorchvisionBicubic,
    ];

    /// The resizer's name, such as `tf-bilinear`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TfBilinear => "tf-bilinear",
            Self::PilBilinear => "pil-bilinear",
            Self::PilBicubic => "pil-bicubic",
            Self::TorchvisionBilinear => "torchvision-bilinear",
            Self::TorchvisionBicubic => "torchvision-bicubic",
        }
    }
}

impl fmt::Display for Resizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Resizer {
    type Err = Error;

    /// # Errors
    /// [`Error::ResizerName`] for any text but one of the names.
    fn from_str(name: &str) -> Result<Self, Error> {
        let named = Self::ALL.into_iter().find(|resizer| resizer.name() == name);
        named.ok_or_else(|| Error::ResizerName {
            expected: Self::ALL.map(Self::name).join(", "),
            found: name.chars().take(80).collect(),
        })
    }
}
