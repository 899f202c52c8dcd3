//! Keys and values as a cache holds them.
//!
//! A cache writes and cuts rows and never asks for their format: plain floats and whole numbers
//! with scales are the same to it.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use burn::tensor::kind::Basic;
use burn::tensor::{DType, Int, Tensor};

use crate::device::Device;
use crate::error::{Error, Result};
#[cfg(feature = "cpu")]
use crate::extension;
use crate::weight::{Arithmetic, widen};

/// How keys and values are cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KvPrecision {
    /// As the weights are computed: bf16 for bf16 and block weights, f32 for others.
    #[default]
    AsWeights,
    /// Whole numbers from −127 to 127 with an f32 scale for each head and key: about half of
    /// bf16's bytes.
    ///
    /// Devices other than `cpu` hold the rounded numbers as f32: they answer alike, and save
    /// nothing. No gradient goes through the rounding, but for that of the scales: train with
    /// [`KvPrecision::AsWeights`].
    Int8,
}

impl KvPrecision {
    /// The name that [`FromStr`] reads: `as-weights`, `int8`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsWeights => "as-weights",
            Self::Int8 => "int8",
        }
    }

    /// Bytes on the device `cpu` of one head's key, or value, of `head_dim` numbers, where the
    /// weights are of this arithmetic.
    #[must_use]
    pub const fn row_bytes(self, arithmetic: Arithmetic, head_dim: usize) -> usize {
        match (self, arithmetic) {
            (Self::Int8, _) => head_dim + size_of::<f32>(),
            (Self::AsWeights, Arithmetic::Bf16) => head_dim * 2,
            (Self::AsWeights, Arithmetic::F32) => head_dim * size_of::<f32>(),
        }
    }
}

impl fmt::Display for KvPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KvPrecision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::AsWeights, Self::Int8]
            .into_iter()
            .find(|precision| precision.name() == name)
            .ok_or_else(|| Error::UnknownKvPrecision {
                found: name.to_owned(),
            })
    }
}

/// Keys or values `[k, s, h]`, or `[t, k, h]` on their way into a cache: a tensor of floats, or what
/// [`ops::rounded`](crate::ops::rounded) made of one. `Debug` tells shape and format: the numbers
/// say what was read.
#[derive(Clone)]
pub struct KvRows {
    pub(crate) storage: KvStorage,
}

#[derive(Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "two for each layer: an allocation at every cut would cost more than the room"
)]
pub(crate) enum KvStorage {
    /// f32 or bf16.
    Float(Tensor<3>),
    /// The `cpu` device's bytes.
    Int8 {
        /// i8, of the shape of the rows.
        numbers: Tensor<3, Int>,
        /// f32, the shape of the rows with 1 in place of h, so that both are cut alike.
        scales: Tensor<3>,
    },
}

impl From<Tensor<3>> for KvRows {
    fn from(rows: Tensor<3>) -> Self {
        Self {
            storage: KvStorage::Float(rows),
        }
    }
}

impl KvRows {
    pub(crate) fn int8(numbers: Tensor<3, Int>, scales: Tensor<3>) -> Self {
        Self {
            storage: KvStorage::Int8 { numbers, scales },
        }
    }

    /// The shape of the rows, scales aside.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        match &self.storage {
            KvStorage::Float(rows) => rows.dims(),
            KvStorage::Int8 { numbers, .. } => numbers.dims(),
        }
    }

    /// Bytes that the numbers and scales are held in. On the device `cpu` with room that nothing is in, which
    /// memory that was used before may have: of a view, all that it is one of.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.storage {
            #[cfg(feature = "cpu")]
            KvStorage::Float(rows) => extension::held_bytes(rows).unwrap_or_else(|| bytes(rows)),
            #[cfg(not(feature = "cpu"))]
            KvStorage::Float(rows) => bytes(rows),
            KvStorage::Int8 { numbers, scales } => bytes(numbers) + bytes(scales),
        }
    }

    /// Whether they lie on this device.
    #[must_use]
    pub fn is_on(&self, device: &Device) -> bool {
        let found = match &self.storage {
            KvStorage::Float(rows) => rows.device(),
            KvStorage::Int8 { numbers, .. } => numbers.device(),
        };
        found == *device.as_burn()
    }

    /// The rows as f32, of the same shape.
    #[must_use]
    pub fn widened(&self) -> Tensor<3> {
        match &self.storage {
            KvStorage::Float(rows) => widen(rows.clone()),
            KvStorage::Int8 { numbers, scales } => widen(numbers.clone().float()) * scales.clone(),
        }
    }

    /// A view of `len` rows from `start` on along the first or second axis.
    ///
    /// # Panics
    /// When there are not so many, or `axis` is the lanes'.
    #[must_use]
    pub fn narrow(&self, axis: usize, start: usize, len: usize) -> Self {
        assert!(axis < 2, "a head is cached whole");
        match &self.storage {
            KvStorage::Float(rows) => rows.clone().narrow(axis, start, len).into(),
            KvStorage::Int8 { numbers, scales } => Self::int8(
                numbers.clone().narrow(axis, start, len),
                scales.clone().narrow(axis, start, len),
            ),
        }
    }

    /// `[t, k, h]` as `[k, t, h]`, and back: a view.
    #[must_use]
    pub fn swap_heads(self) -> Self {
        match self.storage {
            KvStorage::Float(rows) => rows.swap_dims(0, 1).into(),
            KvStorage::Int8 { numbers, scales } => {
                Self::int8(numbers.swap_dims(0, 1), scales.swap_dims(0, 1))
            }
        }
    }

    /// Rows `[k, s, h]` and then `[k, t, h]`: `[k, s + t, h]`, a copy; of two formats, as f32.
    #[must_use]
    pub fn followed_by(mut self, mut next: Self) -> Self {
        self.meet(&mut next);
        match (self.storage, next.storage) {
            (KvStorage::Float(rows), KvStorage::Float(next)) => {
                Tensor::cat(vec![rows, next], 1).into()
            }
            (
                KvStorage::Int8 { numbers, scales },
                KvStorage::Int8 {
                    numbers: next_numbers,
                    scales: next_scales,
                },
            ) => Self::int8(
                Tensor::cat(vec![numbers, next_numbers], 1),
                Tensor::cat(vec![scales, next_scales], 1),
            ),
            _ => unreachable!("meet() has made them alike"),
        }
    }

    /// Zeros `[k, capacity, h]` in the format of these rows `[k, _, h]`, on their device.
    #[must_use]
    pub fn empty(&self, capacity: usize) -> Self {
        match &self.storage {
            KvStorage::Float(rows) => {
                #[cfg(feature = "cpu")]
                if let Some(slots) = extension::zeros(rows, capacity) {
                    return slots.into();
                }
                zeros(rows, capacity).into()
            }
            KvStorage::Int8 { numbers, scales } => {
                Self::int8(zeros(numbers, capacity), zeros(scales, capacity))
            }
        }
    }

    /// Writes `rows` `[k, t, h]` to the slots from `start` on: in place where no other tensor shares
    /// the numbers, into a copy otherwise. Of two formats, all slots become f32.
    ///
    /// # Panics
    /// When the slots are too few.
    pub fn write(&mut self, start: usize, mut rows: Self) {
        self.meet(&mut rows);
        match (&mut self.storage, rows.storage) {
            (KvStorage::Float(slots), KvStorage::Float(rows)) => {
                #[cfg(feature = "cpu")]
                if extension::write(slots, start, &rows) {
                    extension::recycle(rows);
                    return;
                }
                write(slots, start, rows);
            }
            (
                KvStorage::Int8 { numbers, scales },
                KvStorage::Int8 {
                    numbers: new_numbers,
                    scales: new_scales,
                },
            ) => {
                write(numbers, start, new_numbers);
                write(scales, start, new_scales);
            }
            _ => unreachable!("meet() has made them alike"),
        }
    }

    /// Moves `len` rows from `start` on to the first slots, in place as [`KvRows::write`]; what the
    /// slots behind them hold is any.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn move_to_front(&mut self, start: usize, len: usize) {
        #[cfg(feature = "cpu")]
        if let KvStorage::Float(slots) = &mut self.storage
            && extension::move_to_front(slots, start, len)
        {
            return;
        }
        let mut moved = self.empty(self.dims()[1]);
        moved.write(0, self.narrow(1, start, len));
        *self = moved;
    }

    /// Rows one after the other along the first axis, as many as each length says: views, but for a
    /// single one, which is the whole.
    #[must_use]
    pub fn split(self, lengths: &[usize]) -> Vec<Self> {
        if let [_] = lengths {
            return vec![self];
        }
        let mut start = 0;
        let part = |&len: &usize| {
            start += len;
            self.narrow(0, start - len, len)
        };
        lengths.iter().map(part).collect()
    }

    /// Widens both if their formats differ: rows that autodiff follows are f32, and may meet others of their
    /// cache that are not.
    fn meet(&mut self, other: &mut Self) {
        if self.format() != other.format() {
            *self = self.widened().into();
            *other = other.widened().into();
        }
    }

    fn format(&self) -> DType {
        match &self.storage {
            KvStorage::Float(rows) => rows.dtype(),
            KvStorage::Int8 { .. } => DType::I8,
        }
    }

    /// Whether [`KvRows::write`] copies nothing but what is written.
    #[must_use]
    pub fn can_mut(&self) -> bool {
        match &self.storage {
            KvStorage::Float(rows) => rows.can_mut(),
            KvStorage::Int8 { numbers, scales } => numbers.can_mut() && scales.can_mut(),
        }
    }
}

impl fmt::Debug for KvRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KvRows")
            .field("dims", &self.dims())
            .field("format", &self.format())
            .finish_non_exhaustive()
    }
}

fn bytes<K: Basic>(x: &Tensor<3, K>) -> usize {
    x.dims().iter().product::<usize>() * x.dtype().size()
}

fn zeros<K: Basic>(like: &Tensor<3, K>, capacity: usize) -> Tensor<3, K> {
    let [heads, _, width] = like.dims();
    Tensor::zeros([heads, capacity, width], (&like.device(), like.dtype()))
}

fn write<K: Basic>(slots: &mut Tensor<3, K>, start: usize, rows: Tensor<3, K>) {
    let [heads, t, width] = rows.dims();
    let target: [Range<usize>; 3] = [0..heads, start..start + t, 0..width];
    slots.inplace(|slots| slots.slice_assign(target, rows));
}

#[cfg(test)]
mod tests {
    use super::KvPrecision;
    use crate::weight::Arithmetic;

    #[test]
    fn names_are_read_and_unknown_ones_name_the_others() {
        for precision in [KvPrecision::AsWeights, KvPrecision::Int8] {
            let read: KvPrecision = precision.to_string().parse().expect("its own name");
            assert_eq!(read, precision);
        }
        let error = "q4".parse::<KvPrecision>().expect_err("no such precision");
        assert!(error.to_string().contains("as-weights or int8"), "{error}");
    }

    #[test]
    fn a_row_is_its_numbers_and_its_scale() {
        let bytes = |precision: KvPrecision, arithmetic| precision.row_bytes(arithmetic, 256);
        assert_eq!(bytes(KvPrecision::AsWeights, Arithmetic::F32), 1024);
        assert_eq!(bytes(KvPrecision::AsWeights, Arithmetic::Bf16), 512);
        assert_eq!(bytes(KvPrecision::Int8, Arithmetic::F32), 260);
        assert_eq!(bytes(KvPrecision::Int8, Arithmetic::Bf16), 260);
    }
}
