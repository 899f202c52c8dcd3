//! One checksum of a model, by which a file of embeddings, or of what was learnt from them, can know
//! it again: a name stays the same when the weights are trained on.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use medgemma_image::Resizer;
use medgemma_tensor::Error as TensorError;

use crate::error::Result;
use crate::medgemma::MedGemma;
use crate::medsiglip::MedSigLip;

/// How the names of those files end that a model directory is loaded from. Chat templates and
/// `tokenizer.model` are published with them and not read.
const ENDINGS: [&str; 5] = [
    ".safetensors",
    ".safetensors.index.json",
    "config.json",
    "tokenizer.json",
    "spiece.model",
];

impl MedSigLip {
    /// A checksum of the directory's files: equal for a copy of it wherever that lies, another once a
    /// file has another name or content that decides what the model computes.
    ///
    /// It is the BLAKE3 hash, in 64 hexadecimal digits, of name and content of the weights
    /// (`*.safetensors` and their index), of every `*config.json`, which image processing is one of,
    /// and of `tokenizer.json` and `spiece.model`, on which embeddings of texts depend. What
    /// [`SiglipOptions`](crate::SiglipOptions) changed is not in it: [`MedSigLip::embedding_id`] has that too.
    ///
    /// Each call reads all files that were there when the model was loaded, as they are now: call it
    /// once, right after loading.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) naming a file that can no longer be read.
    pub fn checksum(&self) -> Result<String> {
        of(self.files())
    }

    /// What pictures' embeddings that are kept, or what was learnt from them, know this model by: equal where
    /// embeddings may be compared, another where they are those of other weights or of pictures that were processed in
    /// another way.
    ///
    /// It is [`MedSigLip::checksum`] where [`SiglipOptions`](crate::SiglipOptions) leaves processing as it is. Otherwise
    /// it is the BLAKE3 hash of that text and of what is done, by name, such as
    /// `\nresize=pil-bicubic\npad_to_square=true\ninterpolate=false\n`. How texts are normalised is chosen with each text and
    /// is not in it.
    ///
    /// # Errors
    /// As [`MedSigLip::checksum`], which says when to call it, too; [`Error::NoProcessor`](crate::Error::NoProcessor) where it
    /// is not known how pictures are processed.
    pub fn embedding_id(&self) -> Result<String> {
        let checksum = self.checksum()?;
        let processor = self.processor()?;
        let (resize, pad) = (processor.resizer(), processor.pad_to_square());
        let interpolate = self.interpolates();
        if resize == Resizer::TfBilinear && !pad && !interpolate {
            return Ok(checksum);
        }
        let all = format!(
            "{checksum}\nresize={resize}\npad_to_square={pad}\ninterpolate={interpolate}\n"
        );
        Ok(blake3::hash(all.as_bytes()).to_string())
    }
}

impl MedGemma {
    /// A checksum of the model as [`MedSigLip::checksum`] makes one; for a GGUF model of its file or all
    /// its parts, of the vision part that was loaded, and of the `tokenizer.json` beside them if there
    /// is one. What [`LoadOptions`](crate::LoadOptions) changed, a precision for instance, is not in it, nor
    /// is the file of [`LoadOptions::cache_quantized`](crate::LoadOptions::cache_quantized), which is made
    /// from these.
    ///
    /// Each call reads the files, as that of [`MedSigLip::checksum`] does.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) naming a file that can no longer be read.
    pub fn checksum(&self) -> Result<String> {
        of(self.files())
    }
}

/// The files of a model directory that decide what the model computes, sorted by name.
pub(crate) fn files_of(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| unread(dir, source))? {
        let path = entry.map_err(|source| unread(dir, source))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A pipe would be waited for; nothing is loaded from one.
        if ENDINGS.iter().any(|ending| name.ends_with(ending)) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Names and contents are hashed each for itself, so that nothing can move from one to the next.
fn of(files: &[PathBuf]) -> Result<String> {
    let mut all = blake3::Hasher::new();
    for file in files {
        let mut content = blake3::Hasher::new();
        File::open(file)
            .and_then(|open| content.update_reader(open).map(drop))
            .map_err(|source| unread(file, source))?;
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        all.update(blake3::hash(name).as_bytes());
        all.update(content.finalize().as_bytes());
    }
    Ok(all.finalize().to_string())
}

fn unread(path: &Path, source: std::io::Error) -> TensorError {
    TensorError::Io {
        path: path.to_path_buf(),
        source,
    }
}
