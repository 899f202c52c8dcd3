//! What a command line or a caller chooses between: one resizer, or what `transformers` does with a directory. Own design.

use std::fmt;
use std::str::FromStr;

use super::{ImageBackend, Resizer};
use crate::error::{Error, Result};

/// One resizer whatever the directory says, or a backend of `transformers` with the filter that the directory names;
/// for [`ImageProcessor::with_resize`](crate::ImageProcessor::with_resize).
///
/// Each has a name, the same in [`Display`](fmt::Display) and [`FromStr`]: those of [`Resizer`], `pil` and `torchvision`.
///
/// ```
/// use medgemma_image::{ImageProcessor, Resize, Resizer};
///
/// // SigLIP's class default names the bicubic filter.
/// let processor = ImageProcessor::medsiglip();
/// assert_eq!(processor.resizer(), Resizer::TfBilinear);
/// let processor = processor.with_resize("torchvision".parse::<Resize>()?);
/// assert_eq!(processor.resizer(), Resizer::TorchvisionBicubic);
/// # Ok::<(), medgemma_image::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resize {
    /// This one.
    Named(Resizer),
    /// `pil` or `torchvision`: bilinear or bicubic as `resample` of the directory says, its class default without a file.
    Backend(ImageBackend),
}

impl Resize {
    /// The name, such as `torchvision`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Named(resizer) => resizer.name(),
            Self::Backend(ImageBackend::Pil) => "pil",
            Self::Backend(ImageBackend::Torchvision) => "torchvision",
        }
    }

    /// Every choice: each resizer, then the two backends.
    pub fn all() -> impl Iterator<Item = Self> {
        let backends = [ImageBackend::Pil, ImageBackend::Torchvision];
        let named = Resizer::ALL.into_iter().map(Self::Named);
        named.chain(backends.map(Self::Backend))
    }
}

impl From<Resizer> for Resize {
    fn from(resizer: Resizer) -> Self {
        Self::Named(resizer)
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Resize {
    type Err = Error;

    /// # Errors
    /// [`Error::ResizerName`] for any text but one of the names.
    fn from_str(name: &str) -> Result<Self> {
        let chosen = Self::all().find(|choice| choice.name() == name);
        chosen.ok_or_else(|| Error::ResizerName {
            expected: Self::all().map(Self::name).collect::<Vec<_>>().join(", "),
            found: name.chars().take(80).collect(),
        })
    }
}
