//! The encoder, and a name by which a probe knows it again.

use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use medgemma::{Device, Embedding, Image, MedSigLip};

/// A SigLIP model and its checksum.
pub(crate) struct Encoder {
    model: MedSigLip,
    id: String,
}

impl Encoder {
    /// Loads a model directory.
    pub(crate) fn load(dir: &Path, device: &str) -> Result<Self, Box<dyn Error>> {
        let device: Device = device.parse()?;
        let model = MedSigLip::load(dir, &device)?;
        let id =
            checksum(dir).map_err(|error| format!("cannot read {}: {error}", dir.display()))?;
        Ok(Self { model, id })
    }

    /// The same for the same weights and image processing, wherever they lie.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What the model sees in a picture.
    pub(crate) fn embed(&self, image: Image) -> medgemma::Result<Embedding> {
        Ok(self.model.embed_images(&[image])?.remove(0))
    }
}

/// BLAKE3 of all that an embedding depends on.
fn checksum(dir: &Path) -> std::io::Result<String> {
    let entries = fs::read_dir(dir)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<PathBuf> = entries.collect::<std::io::Result<_>>()?;
    files.retain(|file| {
        let is = |name: &str| file.ends_with(name);
        let weights = file.extension().is_some_and(|end| end == "safetensors");
        weights || is("config.json") || is("preprocessor_config.json")
    });
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(&fs::metadata(&file)?.len().to_le_bytes());
        hasher.update_reader(File::open(file)?)?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}
