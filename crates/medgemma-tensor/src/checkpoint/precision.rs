//! Quantising while loading: which matrices, to which blocks, and the cache file that saves doing
//! it twice.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use half::{bf16, f16};
use medgemma_kernels::{Format, Matrix, Quantizer, quantize_matrix};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::map::{MappedBytes, map_file};
use super::source::WeightSource;
use crate::cpu;
use crate::error::{Error, Result};
use crate::weight::FloatFormat;

/// How the decoder's matrices are held in memory.
///
/// Norms, biases, the vision tower and the projector stay as published, and so do matrices that a
/// file already holds in blocks. On devices other than the CPU's the numbers are the same, but
/// `Q8_0` takes 9 bits, `Q4_0` 5 and `Q6_K` 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Precision {
    /// As the file has them, without a copy.
    #[default]
    AsIs,
    /// f32 and f16 rounded to bf16.
    Bf16,
    /// 8.5 bits a number: blocks of 32 with a scale each (`Q8_0`).
    Int8,
    /// 4.5 bits a number: blocks of 32 with a scale each (`Q4_0`), chosen for the least squared
    /// error; embeddings and head 6.6 bits (`Q6_K`), where the loss would be largest.
    Int4,
}

impl Precision {
    /// The name that [`FromStr`] reads: `as-is`, `bf16`, `int8`, `int4`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        }
    }

    /// What a matrix of `cols` columns is held in when the file has it in `stored`: the smallest
    /// blocks of this precision that divide a row, else what it is stored in.
    #[must_use]
    pub fn target(self, stored: Format, cols: usize, embeddings: bool) -> Format {
        let wanted: &[Format] = match self {
            Self::AsIs => &[],
            Self::Bf16 => &[Format::Bf16],
            Self::Int8 => &[Format::Q8_0],
            Self::Int4 if embeddings => &[Format::Q6K, Format::Q8_0],
            Self::Int4 => &[Format::Q4_0],
        };
        let fits = |format: &&Format| format.row_bytes(cols).is_some();
        match wanted.iter().find(fits) {
            Some(&format) if !stored.is_blocks() => format,
            _ => stored,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::AsIs, Self::Bf16, Self::Int8, Self::Int4]
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| Error::UnknownPrecision {
                found: name.to_owned(),
            })
    }
}

/// A rule of a model's table of matrices that a [`Precision`] is for: one prefix of canonical keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantize {
    pub(super) prefix: &'static str,
    pub(super) embeddings: bool,
}

impl Quantize {
    /// Matrices of layers, whose canonical keys begin with `prefix`.
    #[must_use]
    pub const fn layers(prefix: &'static str) -> Self {
        Self {
            prefix,
            embeddings: false,
        }
    }

    /// Tables over the vocabulary, whose canonical keys begin with `prefix`.
    #[must_use]
    pub const fn embeddings(prefix: &'static str) -> Self {
        Self {
            prefix,
            embeddings: true,
        }
    }
}

/// The kernels' name for a float format.
pub(super) fn kernel_format(format: FloatFormat) -> Format {
    match format {
        FloatFormat::F32 => Format::F32,
        FloatFormat::F16 => Format::F16,
        FloatFormat::Bf16 => Format::Bf16,
    }
}

/// The format of safetensors entries that hold quantised rows, and of the checks on them.
const CACHE_VERSION: &str = "1";

/// Where the bytes of each matrix begin and end in the file.
type Index = BTreeMap<String, (usize, usize)>;

/// Quantised matrices of one model, kept in a file so that the next load maps instead of computes.
///
/// The file is a safetensors file of bytes. It names the sources that it was made from by size and
/// time of change; when they differ, it is made again.
pub(super) struct Cache {
    path: PathBuf,
    identity: String,
    found: Option<(MappedBytes, Index)>,
    made: BTreeMap<String, MappedBytes>,
}

impl Cache {
    /// Opens the cache at `path` for a model loaded from `source`, or begins a new one.
    ///
    /// # Errors
    /// [`Error::Io`] when a source file cannot be looked at. A cache that cannot be read or fits
    /// no more is no error: it is made again.
    pub(super) fn open(
        path: PathBuf,
        source: &dyn WeightSource,
        precision: Precision,
    ) -> Result<Self> {
        let identity = identity(source, precision)?;
        let found = map_file(&path).ok().and_then(|bytes| {
            let index = read_index(&bytes, &identity)?;
            Some((bytes, index))
        });
        Ok(Self {
            path,
            identity,
            found,
            made: BTreeMap::new(),
        })
    }

    /// The bytes of `name`, from the file or made now.
    pub(super) fn rows(&mut self, name: &str, matrix: Matrix<'_>, to: Format) -> MappedBytes {
        let expected = to.row_bytes(matrix.cols()).map(|row| row * matrix.rows());
        if let Some((file, index)) = &self.found
            && let Some(&(begin, end)) = index.get(name)
            && Some(end - begin) == expected
        {
            return file.slice(begin..end);
        }
        let bytes = quantized(matrix, to);
        self.made.insert(name.to_owned(), bytes.clone());
        bytes
    }

    /// Writes what was made, complete or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file.
    pub(super) fn finish(self) -> Result<()> {
        if self.made.is_empty() {
            return Ok(());
        }
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Io { path, source }
        };
        let kept = self.found.iter().flat_map(|(file, index)| {
            index
                .iter()
                .map(|(name, &(begin, end))| (name.clone(), file.slice(begin..end)))
        });
        let all: BTreeMap<String, MappedBytes> = kept.chain(self.made).collect();
        let views = all.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::U8, vec![bytes.len()], bytes);
            (name, view.expect("a vector of bytes is as long as it says"))
        });
        let metadata = [("medgemma".to_owned(), self.identity.clone())].into();
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let scratch = dir.join(format!(
            ".{}.{}",
            self.path.file_name().unwrap_or_default().to_string_lossy(),
            std::process::id()
        ));
        let written = safetensors::serialize_to_file(views, Some(metadata), &scratch)
            .map_err(|error| std::io::Error::other(error.to_string()))
            .and_then(|()| std::fs::OpenOptions::new().append(true).open(&scratch))
            .and_then(|mut file| file.flush().and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&scratch, &self.path));
        if written.is_err() {
            // What is left of it must not fill the disk; the first error is the one to tell.
            let _ = std::fs::remove_file(&scratch);
        }
        written.map_err(io(&self.path))
    }
}

/// `matrix` in the format `to`.
pub(super) fn quantized(matrix: Matrix<'_>, to: Format) -> MappedBytes {
    MappedBytes::from_owner(match (matrix.format(), to) {
        (Format::F32, Format::Bf16) => rounded(matrix.bytes(), |b: [u8; 4]| f32::from_le_bytes(b)),
        (Format::F16, Format::Bf16) => {
            rounded(matrix.bytes(), |b: [u8; 2]| f16::from_le_bytes(b).to_f32())
        }
        (_, to) => {
            let quantizer = match to {
                Format::Q4_0 => Quantizer::Q4_0,
                Format::Q6K => Quantizer::Q6K,
                _ => Quantizer::Q8_0,
            };
            quantize_matrix(&cpu::current(), matrix, quantizer)
        }
    })
}

/// Numbers of `N` bytes each as bf16.
fn rounded<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<u8> {
    let (numbers, _) = bytes.as_chunks::<N>();
    let round = |&number| bf16::from_f32(read(number)).to_le_bytes();
    numbers.iter().flat_map(round).collect()
}

/// What a cache was made from: version, precision, and each file with its size and time of change.
fn identity(source: &dyn WeightSource, precision: Precision) -> Result<String> {
    let files: std::collections::BTreeSet<&Path> = source
        .names()
        .into_iter()
        .map(|name| source.file(name))
        .collect();
    let mut identity = format!("{CACHE_VERSION} {precision}");
    for path in files {
        let io = |source| Error::Io {
            path: path.to_path_buf(),
            source,
        };
        let metadata = std::fs::metadata(path).map_err(io)?;
        let changed = metadata.modified().map_err(io)?;
        let changed = changed
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        identity += &format!(
            "\n{} {} {}",
            path.file_name().unwrap_or_default().to_string_lossy(),
            metadata.len(),
            changed.as_nanos()
        );
    }
    Ok(identity)
}

/// Where each entry of a cache file lies, if it is whole and was made for `identity`.
fn read_index(file: &[u8], identity: &str) -> Option<Index> {
    let (_, metadata) = SafeTensors::read_metadata(file).ok()?;
    let found = metadata.metadata().as_ref()?.get("medgemma")?;
    if found != identity {
        return None;
    }
    let tensors = SafeTensors::deserialize(file).ok()?;
    let entries = tensors.iter().map(|(name, view)| {
        let begin = view.data().as_ptr().addr() - file.as_ptr().addr();
        (name.to_owned(), (begin, begin + view.data().len()))
    });
    Some(entries.collect())
}
