//! A text model and its vision part as one checkpoint: llama.cpp keeps them in two files.

use std::path::Path;

use super::file::Gguf;
use crate::checkpoint::map::MappedBytes;
use crate::checkpoint::source::{TensorInfo, WeightSource};
use crate::error::{Error, Result};

/// A text model, and the file with its vision tower and projector (`mmproj`) if there is one.
#[derive(Debug)]
pub struct GgufPair {
    text: Gguf,
    mmproj: Option<Gguf>,
}

impl GgufPair {
    /// Joins the two.
    ///
    /// Converters of early 2025 called the tower's two feed-forward layers by each other's names.
    /// Such a file is told by the shapes, as llama.cpp does, and read as if it were a later one.
    ///
    /// # Errors
    /// [`Error::NameCollision`] if both have a tensor of one name.
    pub fn new(text: Gguf, mut mmproj: Option<Gguf>) -> Result<Self> {
        if let Some(mmproj) = &mut mmproj {
            if let Some(name) = text.names().into_iter().find(|n| mmproj.info(n).is_some()) {
                return Err(Error::NameCollision {
                    location: text.location().to_path_buf(),
                    canonical: name.to_owned(),
                    first: text.file(name).display().to_string(),
                    second: mmproj.file(name).display().to_string(),
                });
            }
            set_feed_forward_right(mmproj)?;
        }
        Ok(Self { text, mmproj })
    }

    /// The text model's file.
    #[must_use]
    pub fn text(&self) -> &Gguf {
        &self.text
    }

    /// The vision part's file.
    #[must_use]
    pub fn mmproj(&self) -> Option<&Gguf> {
        self.mmproj.as_ref()
    }

    /// The file with `name`, else the text model's.
    fn of(&self, name: &str) -> &Gguf {
        let mmproj = self.mmproj.as_ref();
        mmproj
            .filter(|file| file.info(name).is_some())
            .unwrap_or(&self.text)
    }
}

/// Exchanges `ffn_up` and `ffn_down` in every block of the tower whose `ffn_down` begins at the
/// tower's width, where `ffn_up` should.
fn set_feed_forward_right(file: &mut Gguf) -> Result<()> {
    let Some(width) = file.metadata().size("clip.vision.embedding_length")? else {
        return Ok(());
    };
    let begins_at_width = |name: &str| {
        let shape = file.info(name).map(|info| info.shape.as_slice());
        // Of a square nothing can be told; names are then taken at their word.
        matches!(shape, Some(&[out, inner]) if inner == width && out != width)
    };
    let swapped: Vec<String> = file
        .names()
        .into_iter()
        .filter(|name| begins_at_width(name))
        .filter_map(|name| name.strip_suffix(".ffn_down.weight"))
        .filter(|block| block.starts_with("v.blk."))
        .map(str::to_owned)
        .collect();
    for block in swapped {
        for kind in ["weight", "bias"] {
            file.exchange(
                &format!("{block}.ffn_up.{kind}"),
                &format!("{block}.ffn_down.{kind}"),
            );
        }
    }
    Ok(())
}

impl WeightSource for GgufPair {
    fn location(&self) -> &Path {
        self.text.location()
    }

    fn names(&self) -> Vec<&str> {
        let mut names = self.text.names();
        names.extend(self.mmproj.iter().flat_map(|file| file.names()));
        names.sort_unstable();
        names
    }

    fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.of(name).info(name)
    }

    fn file(&self, name: &str) -> &Path {
        self.of(name).file(name)
    }

    fn bytes(&self, name: &str) -> Result<MappedBytes> {
        self.of(name).bytes(name)
    }

    fn norms_hold_one_plus(&self) -> bool {
        true
    }
}
