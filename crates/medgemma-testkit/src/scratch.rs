//! A private copy of a checkpoint directory, to be changed by a test and removed afterwards.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Tensors, paths};

/// A checkpoint directory in a temporary folder; dropping it removes the folder.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
}

impl Scratch {
    /// A copy of a committed checkpoint.
    ///
    /// # Panics
    /// If the checkpoint does not exist or cannot be copied.
    #[must_use]
    pub fn of(variant: &str) -> Self {
        let directory = TempDir::new().expect("a temporary folder can be made");
        let source = paths::checkpoint(variant);
        for entry in std::fs::read_dir(&source).expect("a committed checkpoint can be read") {
            let from = entry.expect("a committed checkpoint can be listed").path();
            let to = directory
                .path()
                .join(from.file_name().expect("files have names"));
            std::fs::copy(&from, &to).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        }
        Self { directory }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A file in the directory.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// All tensors of the checkpoint.
    #[must_use]
    pub fn tensors(&self) -> Tensors {
        Tensors::read_dir(self.path())
    }

    /// Replaces all weight files by one `model.safetensors`.
    ///
    /// # Panics
    /// If a file cannot be removed or written.
    pub fn replace(&self, tensors: &Tensors) {
        for entry in std::fs::read_dir(self.path()).expect("the scratch folder can be read") {
            let path = entry.expect("the scratch folder can be listed").path();
            let name = path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            if name.ends_with(".safetensors") || name == "model.safetensors.index.json" {
                std::fs::remove_file(&path).expect("a scratch file can be removed");
            }
        }
        tensors.write_file(&self.file("model.safetensors"));
    }

    /// Changes the tensors; the result is one `model.safetensors`.
    ///
    /// # Panics
    /// If a file cannot be read or written.
    #[must_use]
    pub fn edit(self, change: impl FnOnce(&mut Tensors)) -> Self {
        let mut tensors = self.tensors();
        change(&mut tensors);
        self.replace(&tensors);
        self
    }

    /// Changes one JSON file.
    ///
    /// # Panics
    /// If the file is no JSON or cannot be written.
    #[must_use]
    pub fn edit_json(self, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let path = self.file(name);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        change(&mut value);
        std::fs::write(&path, value.to_string())
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        self
    }
}
