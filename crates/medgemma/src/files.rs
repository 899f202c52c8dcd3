//! What lies at the path that a model is loaded from: a Hugging Face directory, or GGUF files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use medgemma_image::ImageProcessor;
use medgemma_tensor::checkpoint::{Gguf, GgufPair, SafetensorsDir, WeightSource};
use medgemma_tokenizer::Tokenizer;

use crate::checksum;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
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
    /// [`Error::NotAModel`], [`Error::SeveralFiles`], [`Error::MmprojWithoutGguf`],
    /// [`Error::MmprojBeside`], and [`Error::Tensor`] for what GGUF files can be accused of.
    pub(crate) fn find(path: &Path, options: &LoadOptions<'_>) -> Result<Self> {
        // A path that leads nowhere is judged by its name.
        let file = if path.is_file() || (is_gguf(path) && !path.is_dir()) {
            if !is_gguf(path) && !begins_as_gguf(path) {
                return Err(Error::NotAModel {
                    path: path.to_path_buf(),
                });
            }
            Some(path.to_path_buf())
        } else {
            text_file(path)?
        };
        let Some(file) = file else {
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
        let mmproj = match &options.mmproj {
            Mmproj::File(mmproj) => Some(mmproj.clone()),
            Mmproj::Absent => None,
            Mmproj::Beside => mmproj_beside(&file)?,
        };
        let mmproj = mmproj.map(|path| Gguf::open(&path)).transpose()?;
        if let (Mmproj::Beside, Some(mmproj)) = (&options.mmproj, &mmproj) {
            let fits = gguf::check_vision(mmproj.metadata(), text.metadata());
            fits.map_err(|reason| Error::MmprojBeside {
                path: file,
                reason: Box::new(reason),
            })?;
        }
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
            Self::Directory(dir) => Ok(ImageProcessor::from_dir(dir, image_size)?),
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

fn is_gguf(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// What says so of a file in a store that names files by their content, such as Ollama's.
fn begins_as_gguf(path: &Path) -> bool {
    let mut begin = [0; 4];
    let file = std::fs::File::open(path);
    file.and_then(|mut file| file.read_exact(&mut begin))
        .is_ok()
        && begin == *b"GGUF"
}

/// The file name, in lower case.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().to_lowercase()
}

/// The GGUF files in `dir`, sorted, of a split model only the first; none if it cannot be read.
fn gguf_files(dir: &Path) -> Vec<PathBuf> {
    let later_part = |path: &Path| {
        let name = name(path);
        let number = name.rsplit_once("-of-").map(|(begin, _)| begin);
        let number = number.and_then(|begin| begin.rsplit_once('-'));
        number.is_some_and(|(_, number)| number.parse::<u32>().is_ok_and(|n| n > 1))
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| is_gguf(path) && !later_part(path))
        .collect();
    files.sort();
    files
}

/// Whether the name says that a file is a vision part.
fn is_mmproj(path: &Path) -> bool {
    name(path).contains("mmproj")
}

/// The text model of a directory that holds one in GGUF and no safetensors files. A `config.json`
/// says nothing: it is often left beside converted weights.
fn text_file(dir: &Path) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let extension = |path: &Path| path.extension().is_some_and(|e| e == "safetensors");
    if entries.map(|entry| entry.path()).any(|p| extension(&p)) {
        return Ok(None);
    }
    let mut files = gguf_files(dir);
    files.retain(|path| !is_mmproj(path));
    only(dir, "text models", "the file to load", files)
}

/// The only vision part beside `file`.
fn mmproj_beside(file: &Path) -> Result<Option<PathBuf>> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    let mut files = gguf_files(dir);
    files.retain(|path| is_mmproj(path));
    let hint = "one by `with_mmproj`, or none by `without_mmproj`";
    only(dir, "vision parts (mmproj)", hint, files)
}

fn only(
    dir: &Path,
    what: &'static str,
    hint: &'static str,
    mut files: Vec<PathBuf>,
) -> Result<Option<PathBuf>> {
    if files.len() < 2 {
        return Ok(files.pop());
    }
    let name = |path: &PathBuf| Some(path.file_name()?.to_string_lossy().into_owned());
    Err(Error::SeveralFiles {
        dir: dir.to_path_buf(),
        what,
        found: files.iter().filter_map(name).collect(),
        hint,
    })
}
