//! From a decoded picture to what the vision tower reads: pad → pan and scan → resize → rescale → normalise.
//! `Gemma3ImageProcessor` and `SiglipImageProcessor` of `transformers` 5.23.0, plus the padding of Google's MedGemma serving
//! code and the resize of MedSigLIP's model card.

use std::path::Path;

use crate::config::{self, Family};
use crate::error::Result;
use crate::image::Image;
use crate::normalize::Normalize;
use crate::pan_and_scan::PanAndScan;
use crate::pixels::{Pixels, Processed};
use crate::resize::{ImageBackend, Resize, Resizer, check_target};

/// The image processor of a checkpoint: immutable, cheap to clone, free of tensors.
///
/// Built from a checkpoint's directory with [`from_dir`](Self::from_dir), or from the class defaults with
/// [`new`](Self::new). [`Default`] is MedGemma's published one: 896x896, mean and deviation 0.5.
/// [`medsiglip`](Self::medsiglip) is MedSigLIP's: 448x448, stretched as its evaluations did.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProcessor {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) do_resize: bool,
    pub(crate) normalize: Normalize,
    pub(crate) do_pan_and_scan: bool,
    pub(crate) pan_and_scan: PanAndScan,
    pub(crate) image_seq_length: Option<usize>,
    pub(crate) resizer: Resizer,
    /// Whether the configuration's `resample`, or its class, asks for the bicubic filter.
    pub(crate) bicubic: bool,
    pub(crate) pad_to_square: bool,
}

impl ImageProcessor {
    /// Height and width of the pictures MedGemma's vision tower reads (`preprocessor_config.json` of the published
    /// checkpoints).
    pub const MEDGEMMA_SIDE: usize = 896;

    /// Height and width of the pictures MedSigLIP reads (`medsiglip-448`).
    pub const MEDSIGLIP_SIDE: usize = 448;

    /// The class defaults of `Gemma3ImageProcessor` (rescale by 1/255, mean and deviation 0.5, bilinear) for
    /// pictures of `height` x `width` pixels.
    ///
    /// # Errors
    /// [`Error::TargetSize`](crate::Error::TargetSize) if a side is 0 or above [`MAX_SIDE`](crate::MAX_SIDE).
    pub fn new(height: usize, width: usize) -> Result<Self> {
        check_target(height, width)?;
        Ok(Self::sized(height, width))
    }

    /// MedSigLIP's processor: 448x448, [`Resizer::TfBilinear`], rescale by 1/255, mean and deviation 0.5.
    ///
    /// Equal to the recipe of its model card: `tf.image.resize` without antialiasing, cut off to 8 bits, then
    /// `SiglipImageProcessor` of `transformers` 4 (5's `SiglipImageProcessorPil`), whose own resize then finds nothing
    /// to do. Whatever the picture's shape, it is stretched: SigLIP warps by design. Training padded to a square first;
    /// [`with_pad_to_square`](Self::with_pad_to_square) does that.
    #[must_use]
    pub fn medsiglip() -> Self {
        Family::Siglip.sized(Self::MEDSIGLIP_SIDE, Self::MEDSIGLIP_SIDE)
    }

    /// The processor of a SigLIP model directory: files and keys as in [`from_dir`](Self::from_dir), but with
    /// [`Resizer::TfBilinear`] and the defaults of `SiglipImageProcessor`, whether or not the file names that class.
    ///
    /// The file's `resample` has to be 2 or 3, and is then set aside: with SigLIP it tells how `transformers` would
    /// resize, not how the model was trained and evaluated. [`with_backend`](Self::with_backend) brings
    /// it back: 3 (the class default) then is [`Resizer::PilBicubic`] or [`Resizer::TorchvisionBicubic`], 2 is
    /// [`Resizer::PilBilinear`] or [`Resizer::TorchvisionBilinear`].
    ///
    /// # Errors
    /// As [`from_dir`](Self::from_dir).
    pub fn from_siglip_dir(dir: impl AsRef<Path>, image_size: usize) -> Result<Self> {
        config::from_dir(dir.as_ref(), image_size, Family::Siglip)
    }

    /// Refuses a processor read from `dir` whose pictures have another size than `image_size` x `image_size`, which the
    /// model in it takes. One that does not resize is not refused: its pictures have the sizes that they have.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) naming the file and its key `size`.
    pub fn expect_size(&self, dir: impl AsRef<Path>, image_size: usize) -> Result<()> {
        if !self.do_resize || self.size() == [image_size; 2] {
            return Ok(());
        }
        Err(config::other_size(dir.as_ref(), self.size(), image_size))
    }

    /// The processor of a Hugging Face model directory.
    ///
    /// Looks where `transformers` 5 looks, in its order: the object `image_processor` of `processor_config.json`
    /// (written by 5.x), then `preprocessor_config.json` (2025 and earlier). With neither, the class defaults for
    /// pictures of `image_size` x `image_size` pixels, which the caller takes from `vision_config.image_size`.
    ///
    /// A key that is missing or null takes the class default, which for `size` is 224x224 and for `resample` is
    /// bilinear. A file that names a class of SigLIP is read as by [`from_siglip_dir`](Self::from_siglip_dir), any other
    /// `resample` of 3 as [`Resizer::PilBicubic`]. For the `do_*` flags that is kinder than `transformers` 5.23, where null means off; the published
    /// files have no such null but `do_convert_rgb` (this crate's pictures are always RGB) and `do_pan_and_scan`
    /// (whose class default is off).
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) for a file that exists but cannot be read,
    /// [`Error::Json`](crate::Error::Json) and [`Error::Config`](crate::Error::Config) for what it says,
    /// [`Error::TargetSize`](crate::Error::TargetSize) for an `image_size` out of bounds.
    pub fn from_dir(dir: impl AsRef<Path>, image_size: usize) -> Result<Self> {
        config::from_dir(dir.as_ref(), image_size, Family::Gemma3)
    }

    /// The processor of one configuration file in either form (`preprocessor_config.json`, or a
    /// `processor_config.json` with an `image_processor` object).
    ///
    /// # Errors
    /// As [`from_dir`](Self::from_dir); a missing file is [`Error::Io`](crate::Error::Io).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        config::from_file(path.as_ref())
    }

    /// The processor of a configuration's text; `name` stands for the file in errors.
    ///
    /// # Errors
    /// [`Error::Json`](crate::Error::Json) and [`Error::Config`](crate::Error::Config).
    pub fn from_json(json: &str, name: &str) -> Result<Self> {
        config::from_json(json, Path::new(name))
    }

    /// Chooses the reference whose resizing and rounding are reproduced. Default [`Resizer::PilBilinear`] (with SigLIP's
    /// classes [`Resizer::TfBilinear`]): since version 5 the file's `image_processor_type` no longer says which backend
    /// made the pixels.
    #[must_use]
    pub fn with_resizer(mut self, resizer: Resizer) -> Self {
        self.resizer = resizer;
        self
    }

    /// Resizes as `transformers` 5 does in one of its backends, with the filter that the configuration's `resample` names:
    /// 2 bilinear, 3 bicubic, the class default where it names none.
    #[must_use]
    pub fn with_backend(self, backend: ImageBackend) -> Self {
        let resizer = match (backend, self.bicubic) {
            (ImageBackend::Pil, false) => Resizer::PilBilinear,
            (ImageBackend::Pil, true) => Resizer::PilBicubic,
            (ImageBackend::Torchvision, false) => Resizer::TorchvisionBilinear,
            (ImageBackend::Torchvision, true) => Resizer::TorchvisionBicubic,
        };
        self.with_resizer(resizer)
    }

    /// As [`with_resizer`](Self::with_resizer) or [`with_backend`](Self::with_backend), whichever is chosen.
    #[must_use]
    pub fn with_resize(self, resize: Resize) -> Self {
        match resize {
            Resize::Named(resizer) => self.with_resizer(resizer),
            Resize::Backend(backend) => self.with_backend(backend),
        }
    }

    /// Whether pictures are centred on a black square first ([`Image::padded_to_square`]). Default `false`: strict
    /// parity with Hugging Face. Google trained and evaluated chest radiographs with it; turn it on for localisation
    /// and for comparing two studies. A padded picture has ratio 1, so pan and scan then finds nothing to cut.
    #[must_use]
    pub fn with_pad_to_square(mut self, pad: bool) -> Self {
        self.pad_to_square = pad;
        self
    }

    /// Turns pan and scan on with these settings.
    #[must_use]
    pub fn with_pan_and_scan(mut self, settings: PanAndScan) -> Self {
        self.pan_and_scan = settings;
        self.do_pan_and_scan = true;
        self
    }

    /// Turns pan and scan on or off, keeping the settings of the configuration.
    #[must_use]
    pub fn with_do_pan_and_scan(mut self, on: bool) -> Self {
        self.do_pan_and_scan = on;
        self
    }

    /// `[height, width]` of the pixels that come out.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// `image_seq_length` of the configuration: soft tokens a picture takes in the prompt, where the file says so.
    #[must_use]
    pub fn image_seq_length(&self) -> Option<usize> {
        self.image_seq_length
    }

    /// The resizer in use.
    #[must_use]
    pub fn resizer(&self) -> Resizer {
        self.resizer
    }

    /// Whether pictures are padded to a square first.
    #[must_use]
    pub fn pad_to_square(&self) -> bool {
        self.pad_to_square
    }

    /// The pan-and-scan settings, if it is on.
    #[must_use]
    pub fn pan_and_scan(&self) -> Option<&PanAndScan> {
        self.do_pan_and_scan.then_some(&self.pan_and_scan)
    }

    /// How many crops [`process`](Self::process) makes of a picture besides the whole: what its place in a prompt depends
    /// on, without the work.
    ///
    /// # Errors
    /// As [`process`](Self::process).
    pub fn num_crops(&self, image: &Image) -> Result<usize> {
        let (mut width, mut height) = (image.width(), image.height());
        if self.pad_to_square {
            width = image.square_side()?;
            height = width;
        }
        match self.pan_and_scan() {
            Some(settings) => Ok(settings.crops(width, height)?.len()),
            None => Ok(0),
        }
    }

    /// Turns one picture into pixels: the whole picture, then its crops if pan and scan is on.
    ///
    /// # Shapes
    /// Each of the [`Pixels`] is `[3, height, width]` with [`size`](Self::size), or the picture's own size where the
    /// configuration says `do_resize: false`.
    ///
    /// # Errors
    /// [`Error::EmptyCrop`](crate::Error::EmptyCrop) under pan-and-scan settings of a few pixels,
    /// [`Error::Padding`](crate::Error::Padding) for a strip whose square is too large
    /// ([`Image::padded_to_square`]).
    pub fn process(&self, image: &Image) -> Result<Processed> {
        let padded;
        let image = if self.pad_to_square {
            padded = image.padded_to_square()?;
            &padded
        } else {
            image
        };
        let crops = match self.pan_and_scan() {
            Some(settings) => settings.crops(image.width(), image.height())?,
            None => Vec::new(),
        };
        let mut pixels = Vec::with_capacity(1 + crops.len());
        pixels.push(self.pixels(image)?);
        for &crop in &crops {
            pixels.push(self.pixels(&image.cropped(crop)?)?);
        }
        Ok(Processed {
            pixels,
            num_crops: crops.len(),
        })
    }

    /// Resize, rescale, normalise.
    fn pixels(&self, image: &Image) -> Result<Pixels> {
        // The torchvision processor resizes under pan and scan whatever `do_resize` says, to stack the crops.
        let stacks = self.do_pan_and_scan && self.resizer.is_torchvision();
        if self.do_resize || stacks {
            let resized = self.resizer.resize(image, self.height, self.width)?;
            Ok(self.normalize.apply(&resized, self.resizer))
        } else {
            Ok(self.normalize.apply(image, self.resizer))
        }
    }

    /// Class defaults at a size already checked.
    pub(crate) fn sized(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            do_resize: true,
            normalize: Normalize::default(),
            do_pan_and_scan: false,
            pan_and_scan: PanAndScan::default(),
            image_seq_length: None,
            resizer: Resizer::default(),
            bicubic: false,
            pad_to_square: false,
        }
    }
}

impl Default for ImageProcessor {
    fn default() -> Self {
        Self::sized(Self::MEDGEMMA_SIDE, Self::MEDGEMMA_SIDE)
    }
}
