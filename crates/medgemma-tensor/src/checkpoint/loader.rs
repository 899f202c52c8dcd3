//! Hands a model its weights by canonical name, strict in both directions: what the model asks for
//! must be there in the right shape and kind, what it does not ask for must not be there.

mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use medgemma_kernels::{Format, Matrix, f16_as_bf16};

use super::cache::Cache;
use super::convert;
use super::map::MappedBytes;
use super::names::{Ignore, NameMap, Rename};
use super::precision::{Precision, Quantize, float_format, kernel_format, quantized};
use super::source::{StoredDtype, TensorInfo, WeightSource};
use crate::cpu;
use crate::device::{Backend, Device};
use crate::error::{Error, Result};
use crate::weight::{Arithmetic, FloatFormat, Weight};

pub use self::scope::Scope;

/// What a message about a matrix in a wrong kind of number expects.
const LOADABLE_MATRIX: &str = "F32, F16, BF16 or a block format of GGUF";

/// The end of the name of tables of positions, the only matrices that models load by [`Scope::tensor`].
const POSITIONS: &str = "position_embedding.weight";

/// Told after each tensor the bytes handled so far and in total, both counted in the files. The last
/// call of a successful load has both equal. [`ControlFlow::Break`] ends the load with
/// [`Error::Stopped`].
pub type LoadObserver<'a> = Box<dyn FnMut(u64, u64) -> ControlFlow<()> + Send + 'a>;

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
    /// Pairs of tensors that [`Scope::identical`] has compared, and whether they are the same.
    compared: BTreeMap<(String, String), bool>,
    ignored_suffixes: Vec<Ignore>,
    ignored_prefixes: Vec<(String, &'static str)>,
    report: LoadReport,
    progress: Option<LoadObserver<'a>>,
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
            compared: BTreeMap::new(),
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

    /// Bytes that all tensors of the checkpoint will take on a CPU, in the precision asked for, but for
    /// those that a rule leaves aside so far: [`Loader::with_ignored`], [`Loader::ignore`]. On the device
    /// `ndarray`, which has no half precision, these are four for each number that is not in blocks.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.wanted()
            .map(|(name, info)| self.held(name, info))
            .sum()
    }

    /// Of [`Loader::held_bytes`] those that are surely read where the mapped files have them: on the device
    /// `cpu`, matrices that stay as they are stored. f16 does not count, whose numbers may all be bf16.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        if self.device.backend() != Backend::Cpu {
            return 0;
        }
        let mapped = self.wanted().filter(|(name, info)| {
            let stored = match info.dtype {
                StoredDtype::Float(format) => kernel_format(format),
                StoredDtype::Blocks(format) => format,
                StoredDtype::Other(_) => return false,
            };
            let stays = |cols| !widens(name, info) && self.target(name, stored, cols) == stored;
            stored != Format::F16 && matches!(*info.shape, [_, cols] if stays(cols))
        });
        mapped.map(|(_, info)| info.bytes).sum()
    }

    /// The tensors that no rule leaves aside so far.
    fn wanted(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        let tensors = self.names.files.iter();
        tensors
            .filter(|(name, _)| self.reason_to_ignore(name).is_none())
            .filter_map(|(name, key)| Some((&**name, self.source.info(key)?)))
    }

    /// Bytes that the tensor `name` will take.
    fn held(&self, name: &str, info: &TensorInfo) -> u64 {
        let StoredDtype::Float(stored) = info.dtype else {
            return info.bytes;
        };
        if widens(name, info) {
            return info.elements() * size_of::<f32>() as u64;
        }
        let mut held = stored;
        if let &[rows, cols] = &*info.shape {
            let target = self.target(name, kernel_format(stored), cols);
            match float_format(target) {
                Some(format) => held = format,
                None => {
                    let row = target.row_bytes(cols).unwrap_or_default();
                    return row as u64 * rows as u64;
                }
            }
        }
        info.elements() * convert::number_bytes(held, &self.device)
    }

    /// What [`Weight::arithmetic`] of the matrix `name` will be on the device `cpu`, before it is loaded;
    /// `None` where there is no such matrix.
    ///
    /// f16 that is to stay as it is must be looked at for that, number by number: it is computed in
    /// bf16 where all of it are bf16 numbers.
    ///
    /// # Errors
    /// [`Error::Io`] when f16 cannot be read.
    pub fn arithmetic(&self, name: &str) -> Result<Option<Arithmetic>> {
        let Some((key, info)) = self.find(name) else {
            return Ok(None);
        };
        let &[_, cols] = &*info.shape else {
            return Ok(None);
        };
        let stored = match &info.dtype {
            StoredDtype::Float(format) => kernel_format(*format),
            StoredDtype::Blocks(format) => *format,
            StoredDtype::Other(_) => return Ok(None),
        };
        let in_bf16 = match self.target(name, stored, cols) {
            Format::F32 => false,
            Format::F16 => {
                let bytes = self.source.bytes(key)?;
                let same = self.as_bf16(stored, &bytes).is_some();
                bytes.release();
                same
            }
            _ => true,
        };
        Ok(Some(if in_bf16 {
            Arithmetic::Bf16
        } else {
            Arithmetic::F32
        }))
    }

    /// What the matrix `name` of `cols` columns is held in when the file has it in `stored`.
    fn target(&self, name: &str, stored: Format, cols: usize) -> Format {
        let rule = self
            .quantized
            .iter()
            .find(|rule| name.starts_with(rule.prefix));
        rule.map_or(stored, |rule| {
            let backend = self.device.backend();
            self.precision
                .target_on(backend, stored, cols, rule.embeddings)
        })
    }

    /// Keeps what is quantised in the file `path`, and takes it from there when that file was made
    /// from the same source files with the same precision, as [`Loader::with_precision`] has set it
    /// before. The file is written by [`Loader::finish`], as a whole or not at all; that it cannot be
    /// read or written costs the time of quantising and a warning in the log, not the load.
    ///
    /// Sources are the same when the matrices that are quantised have the same names, kinds and shapes,
    /// the same first and last 4 KiB, and are in files of the same names, sizes and times of change. The
    /// files of other tensors, a vision part for instance, do not matter: the cache holds nothing of them.
    /// Weights that were replaced by others of one size and time, as images of containers set it, are
    /// noticed by these; numbers changed in the midst of a matrix, with the file's time set back, are
    /// not. Each matrix of the cache is held to a checksum of its own (CRC-32, 8 GB a second where
    /// there are instructions for it) before it is used, and quantised again when it does not fit.
    ///
    /// # Errors
    /// [`Error::Io`] when a source file cannot be looked at.
    pub fn with_cache(mut self, path: std::path::PathBuf) -> Result<Self> {
        if self.precision != Precision::AsIs {
            let quantized = self.names.files.iter().filter_map(|(name, key)| {
                let info = self.source.info(key)?;
                let (&[_, cols], &StoredDtype::Float(format)) = (&*info.shape, &info.dtype) else {
                    return None;
                };
                let stored = kernel_format(format);
                (self.target(name, stored, cols) != stored).then_some(key.as_str())
            });
            self.cache = Some(Cache::open(path, self.source, self.precision, quantized)?);
        }
        Ok(self)
    }

    /// Tells `observer` how far the load is, and lets it stop the load.
    #[must_use]
    pub fn with_progress(mut self, observer: LoadObserver<'a>) -> Self {
        self.progress = Some(observer);
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

    /// Whether a rule lets the canonical name `name` be left aside.
    #[must_use]
    pub fn is_ignored(&self, name: &str) -> bool {
        self.reason_to_ignore(name).is_some()
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

    fn advance(&mut self, bytes: u64) -> Result<()> {
        self.done_bytes += bytes;
        let Some(observer) = &mut self.progress else {
            return Ok(());
        };
        match observer(self.done_bytes, self.total_bytes) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped {
                location: self.source.location().to_path_buf(),
                done: self.done_bytes,
                total: self.total_bytes,
            }),
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
    /// [`Error::SurplusTensors`] with every tensor that was neither asked for nor ignored;
    /// [`Error::Stopped`] where the observer said so at the last call.
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
        self.advance(left)?;
        if let Some(cache) = self.cache {
            cache.finish();
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
            self.advance(info.bytes)?;
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

    /// The matrix `name`, `file_key` in the file, in the precision asked for.
    fn hold(
        &mut self,
        name: &str,
        file_key: &str,
        dtype: StoredDtype,
        [rows, cols]: [usize; 2],
        bytes: MappedBytes,
    ) -> Result<Weight> {
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
            made.ok_or_else(|| Error::NonFiniteWeights {
                path: self.source.file(file_key).to_path_buf(),
                key: file_key.to_owned(),
                precision: self.precision,
            })?
        } else if let Some(same) = self.as_bf16(stored, &bytes) {
            bytes.release();
            target = Format::Bf16;
            same
        } else {
            bytes
        };
        let Some(held) = float_format(target) else {
            let shape = [rows, cols];
            return Ok(Weight::from_blocks(
                target,
                shape,
                bytes,
                published,
                &self.device,
            ));
        };
        let tensor = convert::stored(bytes, held, [rows, cols], &self.device);
        Ok(Weight::new(tensor, published))
    }

    fn find(&self, name: &str) -> Option<(&str, &TensorInfo)> {
        let file_key = self.names.files.get(name)?;
        Some((file_key, self.source.info(file_key)?))
    }
}

/// Whether models hold the tensor `name` as f32, whatever it is stored in: what they load by
/// [`Scope::vector`] and [`Scope::tensor`], vectors, the probe `[1, 1, d]` of a head and positions. Kernels
/// of convolutions, `[out, c, h, w]`, are matrices to them.
fn widens(name: &str, info: &TensorInfo) -> bool {
    matches!(info.shape.len(), 0 | 1 | 3) || name.ends_with(POSITIONS)
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
