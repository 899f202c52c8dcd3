//! What lies at the path that a model is loaded from: a Hugging Face directory, or GGUF files.

mod folder;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use medgemma_image::ImageProcessor;
use medgemma_tensor::checkpoint::{Gguf, GgufPair, SafetensorsDir, WeightSource};
use medgemma_tokenizer::Tokenizer;

use crate::checksum;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::files::folder::{Found, is_gguf, mmproj_beside, text_file, vision_among};
use crate::gguf;
use crate::options::{LoadOptions, Mmproj};

/// Hugging Face's tokenizer; beside a GGUF file it is preferred to the vocabulary inside.
const TOKENIZER: &str = "tokenizer.json";

/// The files of one model.
pub(crate) enum Files {
    /// `config.json`, safetensors and the rest; looked at when asked for.
    Directory(PathBuf),
    /// GGUF, opened.
    Gguf(Box<GgufPair>),
}

impl Files {
    /// Finds out what `path` is, and opens it if it is GGUF.
    ///
    /// # Errors
    /// [`Error::NotAModel`], [`Error::SeveralFiles`], [`Error::AdapterAlone`],
    /// [`Error::MmprojWithoutGguf`], [`Error::MmprojBeside`], [`Error::VisionInside`], and
    /// [`Error::Tensor`] for what GGUF files can be accused of.
    pub(crate) fn find(path: &Path, options: &LoadOptions<'_>) -> Result<Self> {
        // A path that leads nowhere is judged by its name.
        let found = if path.is_file() || (is_gguf(path) && !path.is_dir()) {
            if !is_gguf(path) && !begins_as_gguf(path) {
                return Err(Error::NotAModel {
                    path: path.to_path_buf(),
                });
            }
            let file = path.to_path_buf();
            let vision = Vec::new();
            Some(Found { file, vision })
        } else {
            text_file(path)?
        };
        let Some(Found { file, vision }) = found else {
            return match &options.mmproj {
                Mmproj::File(mmproj) => Err(Error::MmprojWithoutGguf {
                    path: path.to_path_buf(),
                    mmproj: mmproj.clone(),
                }),
                _ => Ok(Self::Directory(path.to_path_buf())),
            };
        };
        let text = Gguf::open(&file)?;
        gguf::check_architecture(text.metadata())?;
        if let Some(found) = gguf::vision_inside(&text) {
            return Err(Error::VisionInside { path: file, found });
        }
        let mmproj = match &options.mmproj {
            Mmproj::File(mmproj) => Some(Gguf::open(mmproj)?),
            Mmproj::Absent => None,
            Mmproj::Beside => match mmproj_beside(&file)? {
                Some(path) => {
                    let mmproj = Gguf::open(&path)?;
                    let fits = gguf::check_vision(mmproj.metadata(), text.metadata());
                    fits.map_err(|reason| Error::MmprojBeside {
                        path: file,
                        reason: Box::new(reason),
                    })?;
                    Some(mmproj)
                }
                None => vision_among(vision, &file, text.metadata())?,
            },
        };
        Ok(Self::Gguf(Box::new(GgufPair::new(text, mmproj)?)))
    }

    /// The configuration.
    pub(crate) fn config(&self) -> Result<ModelConfig> {
        Ok(match self {
            Self::Directory(dir) => ModelConfig::read(dir)?,
            Self::Gguf(pair) => gguf::config(pair)?,
        })
    }

    /// The image processor as the files describe it, for a tower of `image_size` pixels a side.
    pub(crate) fn processor(&self, image_size: usize) -> Result<ImageProcessor> {
        match self {
            Self::Directory(dir) => {
                let processor = ImageProcessor::from_dir(dir, image_size)?;
                processor.expect_size(dir, image_size)?;
                Ok(processor)
            }
            Self::Gguf(pair) => match pair.mmproj() {
                Some(mmproj) => gguf::processor(mmproj.metadata()),
                None => Ok(ImageProcessor::default()),
            },
        }
    }

    /// The tokenizer.
    ///
    /// # Errors
    /// [`Error::Tokenizer`], for one beside a GGUF file also where it spells ids otherwise than the
    /// vocabulary in the file.
    pub(crate) fn tokenizer(&self) -> Result<Tokenizer> {
        let pair = match self {
            Self::Directory(dir) => return Ok(Tokenizer::from_file(&dir.join(TOKENIZER))?),
            Self::Gguf(pair) => pair,
        };
        let path = pair.location();
        let metadata = pair.text().metadata();
        let beside = path.with_file_name(TOKENIZER);
        if beside.is_file() {
            let tokenizer = Tokenizer::from_file(&beside)?;
            // It may be that of another model in the same folder.
            if let Some(pieces) = gguf::pieces(metadata)? {
                pieces.check(&path.display().to_string(), &tokenizer)?;
            }
            return Ok(tokenizer);
        }
        let Some(vocabulary) = gguf::vocabulary(metadata)? else {
            let expected = format!("a vocabulary, or a {TOKENIZER} beside the file");
            return Err(metadata.error("tokenizer.ggml.model", expected).into());
        };
        let name = path.display().to_string();
        Ok(Tokenizer::from_gguf(&name, &vocabulary)?)
    }

    /// A tensor of these files that may be left aside, and why.
    pub(crate) fn ignored(&self) -> Result<Option<(&'static str, &'static str)>> {
        Ok(match self {
            Self::Directory(_) => None,
            Self::Gguf(pair) => gguf::ignored(pair)?,
        })
    }

    /// The weights, opened.
    pub(crate) fn weights(self) -> Result<Box<dyn WeightSource>> {
        Ok(match self {
            Self::Directory(dir) => Box::new(SafetensorsDir::open(&dir)?),
            Self::Gguf(pair) => pair,
        })
    }

    /// The files that decide what the model computes.
    pub(crate) fn listed(&self) -> Result<Vec<PathBuf>> {
        let pair = match self {
            Self::Directory(dir) => return checksum::files_of(dir),
            Self::Gguf(pair) => pair,
        };
        let models = std::iter::once(pair.text()).chain(pair.mmproj());
        let tokenizer = pair.location().with_file_name(TOKENIZER);
        Ok(models
            .flat_map(Gguf::files)
            .map(Path::to_path_buf)
            .chain(tokenizer.is_file().then_some(tokenizer))
            .collect())
    }

    /// Where what is computed from the weights may be kept: in their directory, under `name`,
    /// which for a GGUF file begins with that file's, less `.gguf`, since others may lie beside it.
    pub(crate) fn cache(&self, name: &str) -> PathBuf {
        match self {
            Self::Directory(dir) => dir.join(name),
            Self::Gguf(pair) => {
                let path = pair.location();
                let stem = path.file_stem().filter(|_| is_gguf(path));
                let stem = stem.or(path.file_name()).unwrap_or_default();
                path.with_file_name(format!("{}.{name}", stem.to_string_lossy()))
            }
        }
    }
}

/// What says so of a file in a store that names files by their content, such as Ollama's.
fn begins_as_gguf(path: &Path) -> bool {
    let mut begin = [0; 4];
    let file = std::fs::File::open(path);
    file.and_then(|mut file| file.read_exact(&mut begin))
        .is_ok()
        && begin == *b"GGUF"
}
