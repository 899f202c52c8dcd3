//! A part of a model being loaded: the tensors it asks for, each checked, in the form it asks for.

use burn::tensor::Tensor;

use super::Loader;
use crate::checkpoint::convert;
use crate::checkpoint::source::StoredDtype;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::weight::Weight;

/// What a message about another tensor in a wrong kind of number expects.
const LOADABLE: &str = "F32, F16 or BF16";

/// A part of the model being loaded: keys are relative to its prefix.
#[derive(Debug)]
pub struct Scope<'l, 'a> {
    pub(super) loader: &'l mut Loader<'a>,
    pub(super) prefix: String,
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

    /// Whether `a` and `b` both exist and hold the same bytes: a matrix that a file repeats. The answer is
    /// remembered, since it may take gigabytes to read.
    ///
    /// # Errors
    /// Those of reading the bytes.
    pub fn identical(&mut self, a: &str, b: &str) -> Result<bool> {
        let pair = (self.full(a), self.full(b));
        if let Some(&same) = self.loader.compared.get(&pair) {
            return Ok(same);
        }
        let loader = &self.loader;
        let same = match (loader.find(&pair.0), loader.find(&pair.1)) {
            (Some((a, a_info)), Some((b, b_info))) if a_info == b_info => {
                let (a, b) = (loader.source.bytes(a)?, loader.source.bytes(b)?);
                let same = *a == *b;
                // Gigabytes of which one is not needed, and the other not yet.
                a.release();
                b.release();
                same
            }
            _ => false,
        };
        self.loader.compared.insert(pair, same);
        Ok(same)
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
    /// [`Error::MissingTensor`], [`Error::WrongShape`], [`Error::WrongDtype`]; [`Error::NonFiniteWeights`]
    /// where the matrix is to be quantised.
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
        self.loader
            .hold(&self.full(key), &file_key, dtype, matrix, bytes)
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
        let parts = (0..N).map(|i| {
            let part = bytes.slice(i * size..(i + 1) * size);
            let (name, shape) = (format!("{name}[{i}]"), [out, inputs]);
            self.loader
                .hold(&name, &file_key, dtype.clone(), shape, part)
        });
        let parts = parts.collect::<Result<Vec<_>>>()?;
        Ok(parts.try_into().expect("there are N"))
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
