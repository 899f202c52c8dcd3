//! How pictures are resized, by name.

use std::str::FromStr;

use medgemma::{ImageBackend, ImageProcessor, Resizer};

/// One resize for every picture, or what `transformers` does with the directory in one of its backends.
#[derive(Clone, Copy)]
pub(crate) enum Resize {
    Named(Resizer),
    Backend(ImageBackend),
}

impl FromStr for Resize {
    type Err = medgemma_image::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "pil" => Ok(Self::Backend(ImageBackend::Pil)),
            "torchvision" => Ok(Self::Backend(ImageBackend::Torchvision)),
            "torchvision-bilinear" => Ok(Self::Named(Resizer::TorchvisionBilinear)),
            _ => name.parse().map(Self::Named),
        }
    }
}

impl Resize {
    /// The same processor with this resize.
    pub(crate) fn of(self, processor: ImageProcessor) -> ImageProcessor {
        match self {
            Self::Named(resizer) => processor.with_resizer(resizer),
            Self::Backend(backend) => processor.with_backend(backend),
        }
    }
}
