//! What a model needs of a checkpoint whatever its file format: names, kinds, shapes and bytes.
//! Implemented by [`SafetensorsDir`](super::SafetensorsDir) and [`GgufPair`](super::GgufPair).

use std::fmt;
use std::path::Path;

use medgemma_kernels::Format;

use super::map::MappedBytes;
use crate::error::Result;
use crate::weight::FloatFormat;

/// Most tensors that a file or an index may list, and most keys of what else it says. MedGemma 27B has about
/// 1250 tensors; each takes some hundred bytes of memory before anything is known of it.
pub(super) const MAX_ENTRIES: usize = 1 << 16;

/// How the numbers of a tensor are stored in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredDtype {
    /// Plain floats.
    Float(FloatFormat),
    /// Blocks of small integers with scales, as GGUF files hold them.
    Blocks(Format),
    /// Anything else, by the file's own name for it. Listed, so that a harmless buffer may be
    /// ignored, but never loaded.
    Other(String),
}

impl fmt::Display for StoredDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float(FloatFormat::F32) => "F32",
            Self::Float(FloatFormat::F16) => "F16",
            Self::Float(FloatFormat::Bf16) => "BF16",
            Self::Blocks(format) => format.name(),
            Self::Other(name) => name,
        })
    }
}

/// What a checkpoint says of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// How its numbers are stored.
    pub dtype: StoredDtype,
    /// Its shape, outermost axis first, as published (`[out, in]` for linear weights).
    pub shape: Vec<usize>,
    /// Its size in the file, in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Describes a tensor that takes `bytes` bytes in the file.
    #[must_use]
    pub fn new(dtype: StoredDtype, shape: Vec<usize>, bytes: u64) -> Self {
        Self {
            dtype,
            shape,
            bytes,
        }
    }

    /// The count of numbers. Sources refuse shapes whose product overflows.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape
            .iter()
            .fold(1, |n: u64, &d| n.saturating_mul(d as u64))
    }
}

/// A checkpoint, opened and validated: its tensors by the names the file uses.
pub trait WeightSource: Send + Sync {
    /// What messages call the whole checkpoint: its directory or file.
    fn location(&self) -> &Path;

    /// All tensor names, sorted.
    fn names(&self) -> Vec<&str>;

    /// What the checkpoint says of `name`, or `None` if it has no such tensor.
    fn info(&self, name: &str) -> Option<&TensorInfo>;

    /// The file that holds `name`, or [`location`](Self::location) if there is no such tensor.
    fn file(&self, name: &str) -> &Path;

    /// The bytes of `name`, little-endian and row-major, exactly
    /// [`TensorInfo::bytes`] long, without reading them into memory where the source can.
    ///
    /// # Errors
    /// [`Error::MissingTensor`](crate::error::Error::MissingTensor) if there is no such tensor.
    fn bytes(&self, name: &str) -> Result<MappedBytes>;

    /// Whether the weights of RMS norms are stored as the gain `1 + w`, which GGUF files of Gemma
    /// hold, rather than as the published `w`.
    fn norms_hold_one_plus(&self) -> bool {
        false
    }
}
