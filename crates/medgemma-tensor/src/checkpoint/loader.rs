//! Hands a model its weights by canonical name, strict in both directions: what the model asks for
//! must be there in the right shape and kind, what it does not ask for must not be there.

use std::collections::{BTreeMap, BTreeSet};

use burn::tensor::Tensor;
use medgemma_kernels::{Format, Matrix, f16_as_bf16};

use super::convert;
use super::map::MappedBytes;
use super::names::{Ignore, NameMap, Rename};
use super::precision::{Cache, Precision, Quantize, kernel_format, quantized};
use super::source::{StoredDtype, TensorInfo, WeightSource};
use crate::cpu;
use crate::device::{Backend, Device};
use crate::error::{Error, Result};
use crate::weight::{FloatFormat, Weight};

/// What every message about a wrong kind of number expects.
const LOADABLE: &str = "F32, F16 or BF16";

/// The same where blocks will do too.
const LOADABLE_MATRIX: &str = "F32, F16, BF16 or a block format of GGUF";

/// Called after each tensor with the bytes handled so far and in total, both counted in the files.
/// The last call of a successful load has both equal.
pub type Progress<'a> = Box<dyn FnMut(u64, u64) + 'a>;

/// What a load did, for logs and user interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// Tensors loaded.
    pub tensors: usize,
    /// Numbers in them.
    pub parameters: u64,
    /// Their size in the files, in bytes.
    pub bytes: u64,
    /// Tensors loaded, by the name of their stored format (`BF16`, …).
    pub formats: BTreeMap<String, usize>,
    /// Rewrite rules that applied, by dialect, with the number of tensors in the checkpoint that
    /// each touched. Empty for canonical names.
    pub dialects: Vec<(&'static str, usize)>,
    /// Tensors left aside, as the file spells them, and why that changes nothing.
    pub ignored: Vec<(String, &'static str)>,
}

/// Loads one model from one checkpoint.
///
/// On the CPU, weights keep pointing into the memory-mapped files: the files must not be changed
/// in place while a model made from them is alive (replacing them by renaming is safe).
pub struct Loader<'a> {
    source: &'a dyn WeightSource,
    device: Device,
    names: NameMap,
    taken: BTreeSet<String>,
    ignored_suffixes: Vec<Ignore>,
    ignored_prefixes: Vec<(String, &'static str)>,
    report: LoadReport,
    progress: Option<Progress<'a>>,
    done_bytes: u64,
    total_bytes: u64,
    precision: Precision,
    quantized: &'static [Quantize],
    cache: Option<Cache>,
}

impl<'a> Loader<'a> {
    /// Renames every tensor of `source` by `table` and makes ready to load them to `device`.
    ///
    /// # Errors
    /// [`Error::NameCollision`] if two tensors become one name.
    pub fn new(source: &'a dyn WeightSource, table: &[Rename], device: &Device) -> Result<Self> {
        let mut names = NameMap::new(source, table)?;
        let report = LoadReport {
            tensors: 0,
            parameters: 0,
            bytes: 0,
            formats: BTreeMap::new(),
            dialects: std::mem::take(&mut names.dialects),
            ignored: Vec::new(),
        };
        let sizes = names.files.values().filter_map(|key| source.info(key));
        let total_bytes = sizes.map(|info| info.bytes).sum();
        Ok(Self {
            source,
            device: device.clone(),
            names,
            taken: BTreeSet::new(),
            ignored_suffixes: Vec::new(),
            ignored_prefixes: Vec::new(),
            report,
            progress: None,
            done_bytes: 0,
            total_bytes,
            precision: Precision::AsIs,
            quantized: &[],
            cache: None,
        })
    }

    /// Holds the matrices that `table` names in `precision`.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision, table: &'static [Quantize]) -> Self {
        self.precision = precision;
        self.quantized = table;
        self
    }

    /// Bytes that all tensors of the checkpoint will take on a CPU, in the precision asked for.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        let tensors = self.names.files.iter();
        tensors
            .filter(|(name, _)| self.reason_to_ignore(name).is_none())
            .filter_map(|(name, key)| Some((name, self.source.info(key)?)))
            .map(|(name, info)| {
                let (&[rows, cols], StoredDtype::Float(format)) = (&*info.shape, &info.dtype)
                else {
                    return info.bytes;
                };
                self.target(name, kernel_format(*format), cols)
                    .row_bytes(cols)
                    .map_or(info.bytes, |row| row as u64 * rows as u64)
            })
            .sum()
    }

    /// What the matrix `name` of `cols` columns is held in when the file has it in `stored`.
    fn target(&self, name: &str, stored: Format, cols: usize) -> Format {
        let rule = self
            .quantized
            .iter()
            .find(|rule| name.starts_with(rule.prefix));
        rule.map_or(stored, |rule| {
            self.precision.target(stored, cols, rule.embeddings)
        })
    }

    /// Keeps what is quantised in the file `path`, and takes it from there when that file was made
    /// from the same source files with the same precision. The file is written by
    /// [`Loader::finish`], as a whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when a source file cannot be looked at.
    pub fn with_cache(mut self, path: std::path::PathBuf) -> Result<Self> {
        if self.precision != Precision::AsIs {
            self.cache = Some(Cache::open(path, self.source, self.precision)?);
        }
        Ok(self)
    }

    /// Reports progress to `progress`.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress<'a>) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Leaves aside every tensor whose canonical name ends as a rule of `table` says, unless the
    /// model asks for it.
    #[must_use]
    pub fn with_ignored(mut self, table: &[Ignore]) -> Self {
        self.ignored_suffixes.extend_from_slice(table);
        self
    }

    /// Leaves aside every tensor whose canonical name begins with `prefix` (a part of the model
    /// that is not wanted, or one name in full), because of `reason`, unless the model asks for it.
    pub fn ignore(&mut self, prefix: &str, reason: &'static str) {
        self.ignored_prefixes.push((prefix.to_owned(), reason));
    }

    /// Why `name` may be left aside, if it may.
    fn reason_to_ignore(&self, name: &str) -> Option<&'static str> {
        let suffix = self
            .ignored_suffixes
            .iter()
            .find(|rule| name.ends_with(rule.suffix));
        let prefix = || {
            self.ignored_prefixes
                .iter()
                .find(|(p, _)| name.starts_with(p.as_str()))
        };
        suffix
            .map(|rule| rule.reason)
            .or_else(|| prefix().map(|&(_, reason)| reason))
    }

    fn advance(&mut self, bytes: u64) {
        self.done_bytes += bytes;
        if let Some(progress) = &mut self.progress {
            progress(self.done_bytes, self.total_bytes);
        }
    }

    /// The part of the model under `prefix` (without its closing dot); `""` is the whole.
    pub fn scope(&mut self, prefix: &str) -> Scope<'_, 'a> {
        Scope {
            prefix: prefix.to_owned(),
            loader: self,
        }
    }

    /// Ends the load.
    ///
    /// # Errors
    /// [`Error::SurplusTensors`] with every tensor that was neither asked for nor ignored.
    pub fn finish(mut self) -> Result<LoadReport> {
        let files = std::mem::take(&mut self.names.files);
        let mut surplus = Vec::new();
        for (name, file) in files {
            if self.taken.contains(&name) {
                continue;
            }
            match self.reason_to_ignore(&name) {
                Some(reason) => self.report.ignored.push((file, reason)),
                None => surplus.push(file),
            }
        }
        if !surplus.is_empty() {
            return Err(Error::SurplusTensors {
                location: self.source.location().to_path_buf(),
                keys: surplus,
            });
        }
        let left = self.total_bytes - self.done_bytes;
        self.advance(left);
        if let Some(cache) = self.cache {
            cache.finish()?;
        }
        Ok(self.report)
    }

    /// Checks `name` against `shape` and marks it taken. Returns its file key and storage.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<(String, StoredDtype)> {
        let Some((file_key, info)) = self.find(name) else {
            return Err(Error::MissingTensor {
                location: self.source.location().to_path_buf(),
                key: name.to_owned(),
                closest: self.names.closest(name),
            });
        };
        let (file_key, info) = (file_key.to_owned(), info.clone());
        let path = || self.source.file(&file_key).to_path_buf();
        if info.shape != shape {
            return Err(Error::WrongShape {
                path: path(),
                key: file_key.clone(),
                expected: shape.to_vec(),
                found: info.shape,
            });
        }
        if let StoredDtype::Other(found) = info.dtype {
            return Err(Error::WrongDtype {
                path: path(),
                key: file_key.clone(),
                expected: LOADABLE_MATRIX,
                found,
            });
        }
        if self.taken.insert(name.to_owned()) {
            self.report.tensors += 1;
            self.report.parameters += info.elements();
            self.report.bytes += info.bytes;
            *self
                .report
                .formats
                .entry(info.dtype.to_string())
                .or_default() += 1;
            self.advance(info.bytes);
        }
        Ok((file_key, info.dtype))
    }

    /// f16 numbers that are all bf16 numbers, as such: a model that was published in bf16 then
    /// computes as that, and faster. On other devices than the CPU f16 is widened anyway.
    fn as_bf16(&self, stored: Format, bytes: &[u8]) -> Option<MappedBytes> {
        let wanted = stored == Format::F16 && self.device.backend() == Backend::Cpu;
        let same = wanted.then(|| f16_as_bf16(&cpu::current(), bytes))??;
        Some(MappedBytes::from_owner(same))
    }

    /// The matrix `name` in the precision asked for.
    fn hold(
        &mut self,
        name: &str,
        dtype: StoredDtype,
        [rows, cols]: [usize; 2],
        bytes: MappedBytes,
    ) -> Weight {
        let (stored, published) = match dtype {
            StoredDtype::Float(format) => (kernel_format(format), format),
            // Nothing in the file says what it was made from; nothing is rounded then.
            StoredDtype::Blocks(format) => (format, FloatFormat::F32),
            StoredDtype::Other(_) => unreachable!("take() refuses it"),
        };
        let mut target = self.target(name, stored, cols);
        let bytes = if target != stored {
            let matrix = Matrix::new(stored, rows, cols, &bytes);
            let made = match &mut self.cache {
                Some(cache) => cache.rows(name, matrix, target),
                None => quantized(matrix, target),
            };
            bytes.release();
            made
        } else if let Some(same) = self.as_bf16(stored, &bytes) {
            bytes.release();
            target = Format::Bf16;
            same
        } else {
            bytes
        };
        let held = match target {
            Format::F32 => FloatFormat::F32,
            Format::F16 => FloatFormat::F16,
            Format::Bf16 => FloatFormat::Bf16,
            blocks => {
                return Weight::from_blocks(blocks, [rows, cols], bytes, published, &self.device);
            }
        };
        let tensor = convert::stored(bytes, held, [rows, cols], &self.device);
        Weight::new(tensor, published)
    }

    fn find(&self, name: &str) -> Option<(&str, &TensorInfo)> {
        let file_key = self.names.files.get(name)?;
        Some((file_key, self.source.info(file_key)?))
    }
}

impl std::fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("location", &self.source.location())
            .field("device", &self.device)
            .field("taken", &self.taken.len())
            .finish_non_exhaustive()
    }
}

/// A part of the model being loaded: keys are relative to its prefix.
#[derive(Debug)]
pub struct Scope<'l, 'a> {
    loader: &'l mut Loader<'a>,
    prefix: String,
}

impl<'a> Scope<'_, 'a> {
    /// The part `name` of this part.
    pub fn scope(&mut self, name: &str) -> Scope<'_, 'a> {
        Scope {
            prefix: self.full(name),
            loader: self.loader,
        }
    }

    /// The device that tensors are loaded to.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.loader.device
    }

    /// Whether the checkpoint has `key` in this part.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.loader.find(&self.full(key)).is_some()
    }

    /// Whether `a` and `b` both exist and hold the same bytes: a matrix that a file repeats.
    ///
    /// # Errors
    /// Those of reading the bytes.
    pub fn identical(&self, a: &str, b: &str) -> Result<bool> {
        let loader = &self.loader;
        match (loader.find(&self.full(a)), loader.find(&self.full(b))) {
            (Some((a, a_info)), Some((b, b_info))) if a_info == b_info => {
                Ok(*loader.source.bytes(a)? == *loader.source.bytes(b)?)
            }
            _ => Ok(false),
        }
    }

    /// The shape of `key` as the file has it, for sizes that a config does not tell.
    #[must_use]
    pub fn shape(&self, key: &str) -> Option<&[usize]> {
        let (_, info) = self.loader.find(&self.full(key))?;
        Some(&info.shape)
    }

    /// The matrix `key`, `[out, in]`, in its published format without a copy where the device can
    /// hold that, else widened to f32.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::WrongShape`], [`Error::WrongDtype`].
    pub fn weight(&mut self, key: &str, shape: [usize; 2]) -> Result<Weight> {
        self.weight_flattened(key, shape)
    }

    /// [`weight`](Self::weight) of a tensor `[out, …]` seen as the matrix `[out, product of …]`: the
    /// kernel of a convolution whose stride is its size, the same numbers in the same order.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn weight_flattened<const D: usize>(
        &mut self,
        key: &str,
        shape: [usize; D],
    ) -> Result<Weight> {
        let (file_key, dtype) = self.loader.take(&self.full(key), &shape)?;
        let bytes = self.loader.source.bytes(&file_key)?;
        let (out, rest) = shape.split_first().map_or((1, &[][..]), |(&o, r)| (o, r));
        let matrix = [out, rest.iter().product()];
        Ok(self.loader.hold(&self.full(key), dtype, matrix, bytes))
    }

    /// The `N` matrices `[out, in]` that the file holds below each other as the one tensor `key`,
    /// `[N·out, in]`: the query, key and value projections of torch's own attention. Each is loaded
    /// as [`weight`](Self::weight) does.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn weight_stack<const N: usize>(
        &mut self,
        key: &str,
        [out, inputs]: [usize; 2],
    ) -> Result<[Weight; N]> {
        let name = self.full(key);
        let (file_key, dtype) = self.loader.take(&name, &[N * out, inputs])?;
        let bytes = self.loader.source.bytes(&file_key)?;
        let size = bytes.len() / N;
        Ok(std::array::from_fn(|i| {
            let part = bytes.slice(i * size..(i + 1) * size);
            let name = format!("{name}[{i}]");
            self.loader.hold(&name, dtype.clone(), [out, inputs], part)
        }))
    }

    /// The vector `key` (norm weights, biases) as f32, `[len]`.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn vector(&mut self, key: &str, len: usize) -> Result<Tensor<1>> {
        self.tensor(key, [len])
    }

    /// The gain `1 + w` of the RMS norm whose weight is `key`, as f32, `[len]`: the sum is rounded
    /// once, by whoever took it, this loader or the converter that wrote the file.
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn norm_gain(&mut self, key: &str, len: usize) -> Result<Tensor<1>> {
        let stored = self.vector(key, len)?;
        Ok(if self.loader.source.norms_hold_one_plus() {
            stored
        } else {
            stored + 1.0
        })
    }

    /// The tensor `key` as f32, for weights that are small or no matrices (position embeddings,
    /// convolutions).
    ///
    /// # Errors
    /// As [`weight`](Self::weight).
    pub fn tensor<const D: usize>(&mut self, key: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        let (file_key, dtype) = self.loader.take(&self.full(key), &shape)?;
        let StoredDtype::Float(format) = dtype else {
            return Err(Error::WrongDtype {
                path: self.loader.source.file(&file_key).to_path_buf(),
                key: file_key,
                expected: LOADABLE,
                found: dtype.to_string(),
            });
        };
        let bytes = self.loader.source.bytes(&file_key)?;
        Ok(convert::widened(&bytes, format, shape, &self.loader.device))
    }

    /// The whole canonical key.
    fn full(&self, key: &str) -> String {
        if self.prefix.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.prefix)
        }
    }
}
