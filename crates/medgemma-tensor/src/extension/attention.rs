//! Attention over cached keys, read where they lie, and the format that they are cached in.

use std::ops::Range;

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, bf16};
use burn_flex::FlexTensor;
use medgemma_kernels::{Numbers, Rows, quantize_rows, round_heads};

use super::buffers::buffer;
use super::{Operand, bf16_tensor, int8_tensor, narrow, primitive, tensor};
use crate::cpu;
use crate::kv::{KvPrecision, KvRows, KvStorage};
use crate::weight::Arithmetic;

/// See [`crate::ops::attention`].
pub(crate) fn attention(
    q: &Tensor<3>,
    keys: &KvRows,
    values: &KvRows,
    scale: f64,
    visible: Option<&[Range<usize>]>,
) -> Option<Tensor<2>> {
    let [t, n, h] = q.dims();
    let q = Operand::new(q)?;
    let (keys, values) = (Cached::new(keys)?, Cached::new(values)?);
    let mut y = buffer(t * n * h);
    medgemma_kernels::attention(
        &cpu::current(),
        q.numbers(),
        n,
        keys.rows()?,
        values.rows()?,
        narrow(scale),
        visible,
        &mut y,
    );
    Some(tensor(y, [t, n * h]))
}

/// See [`crate::ops::rounded`].
pub(crate) fn rounded(
    x: &Tensor<3>,
    arithmetic: Arithmetic,
    precision: KvPrecision,
) -> Option<KvRows> {
    primitive(x)?;
    match (precision, arithmetic) {
        (KvPrecision::AsWeights, Arithmetic::F32) => None,
        (KvPrecision::AsWeights, Arithmetic::Bf16) => {
            let [t, k, h] = x.dims();
            let x = Operand::new(x)?;
            let mut numbers = buffer(t * k * h);
            round_heads(&cpu::current(), x.numbers(), k, h, &mut numbers);
            // Attention reads, and a cache holds, a head's rows one after the other.
            Some(bf16_tensor(numbers, [k, t, h]).swap_dims(0, 1).into())
        }
        (KvPrecision::Int8, _) => {
            let [a, b, h] = x.dims();
            let x = Operand::new(x)?;
            let (mut numbers, mut scales) = (vec![0; a * b * h], vec![0.0; a * b]);
            quantize_rows(x.numbers(), h, &mut numbers, &mut scales);
            Some(KvRows::int8(
                int8_tensor(numbers, [a, b, h]),
                tensor(scales, [a, b, 1]),
            ))
        }
    }
}

/// The primitives of keys or values `[k, s, h]`.
struct Cached {
    numbers: FlexTensor,
    /// `[k, s, 1]`
    scales: Option<FlexTensor>,
}

impl Cached {
    /// Copies only if the numbers of one key, or the scales of one head, do not lie together.
    fn new(rows: &KvRows) -> Option<Self> {
        let (numbers, scales) = match &rows.storage {
            KvStorage::Float(rows) => (primitive(rows)?, None),
            KvStorage::Int8 { numbers, scales } => (
                numbers.clone().try_into_primitive::<Flex>().ok()?,
                Some(dense(primitive(scales)?, 1)),
            ),
        };
        Some(Self {
            numbers: dense(numbers, 2),
            scales,
        })
    }

    /// The kernel's view; `None` for a number format that it has not.
    fn rows(&self) -> Option<Rows<'_>> {
        let layout = self.numbers.layout();
        let [heads, len, head_dim] = layout.shape().dims::<3>();
        let start = layout.start_offset();
        let numbers = match (self.numbers.dtype(), &self.scales) {
            (DType::F32, None) => Numbers::F32(&self.numbers.storage::<f32>()[start..]),
            (DType::BF16, None) => Numbers::Bf16(&self.numbers.storage::<bf16>()[start..]),
            (DType::I8, Some(scales)) => Numbers::Int8 {
                numbers: &self.numbers.storage::<i8>()[start..],
                scales: &scales.storage::<f32>()[scales.layout().start_offset()..],
                scale_stride: stride(scales, 0),
            },
            _ => return None,
        };
        Some(Rows {
            numbers,
            heads,
            len,
            head_dim,
            head_stride: stride(&self.numbers, 0),
            row_stride: stride(&self.numbers, 1),
        })
    }
}

/// `x`, whose numbers lie one after the other along `axis`, copied only if they do not.
fn dense(x: FlexTensor, axis: usize) -> FlexTensor {
    let strides = x.layout().strides();
    let fit = strides[axis] == 1 && strides.iter().all(|&stride| stride >= 0);
    if fit { x } else { x.to_contiguous() }
}

/// Numbers from one index of `axis` to the next; [`dense`] made sure that they go up.
fn stride(x: &FlexTensor, axis: usize) -> usize {
    x.layout().strides()[axis].unsigned_abs()
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, bf16};

    use super::Cached;
    use crate::device::Device;
    use crate::kv::{KvPrecision, KvRows};
    use crate::ops;
    use crate::transfer::tensor_from;
    use crate::weight::Arithmetic;

    fn rows(len: usize, arithmetic: Arithmetic, precision: KvPrecision) -> KvRows {
        let device = Device::cpu().expect("the feature cpu is on");
        let numbers = (0..2 * len * 3).map(|x| f32::from(u16::try_from(x).expect("few")));
        let x = tensor_from(numbers.collect(), [2, len, 3], &device);
        ops::rounded(x, arithmetic, precision)
    }

    /// Where the numbers and the scales lie that the kernel would read.
    fn places(rows: &KvRows) -> [usize; 2] {
        let cached = Cached::new(rows).expect("rows of the cpu");
        let numbers = match cached.numbers.dtype() {
            DType::F32 => cached.numbers.storage::<f32>().as_ptr().addr(),
            DType::BF16 => cached.numbers.storage::<bf16>().as_ptr().addr(),
            _ => cached.numbers.storage::<i8>().as_ptr().addr(),
        };
        let scales = cached.scales;
        [
            numbers,
            scales.map_or(0, |scales| scales.storage::<f32>().as_ptr().addr()),
        ]
    }

    #[test]
    fn heads_that_came_side_by_side_are_rounded_to_lie_apart() {
        let device = Device::cpu().expect("the feature cpu is on");
        // Halves of a unit of bf16 above 256 go to the even neighbour.
        let numbers = (0..3 * 2 * 4u16).map(|x| f32::from(x) + 256.0);
        let x = tensor_from(numbers.collect(), [3, 2, 4], &device);
        let rows = ops::rounded(x, Arithmetic::Bf16, KvPrecision::AsWeights).swap_heads();
        let cached = Cached::new(&rows).expect("rows of the cpu");
        let found = cached
            .numbers
            .as_slice::<bf16>()
            .expect("they lie together");
        let expected = [0, 0, 2, 4, 8, 8, 10, 12, 16, 16, 18, 20].into_iter();
        let expected = expected.chain([4, 4, 6, 8, 12, 12, 14, 16, 20, 20, 22, 24]);
        assert!(
            found
                .iter()
                .map(|x| x.to_f32() - 256.0)
                .eq(expected.map(|x: u8| f32::from(x)))
        );
    }

    #[test]
    fn slots_stay_where_they_are_when_written_to_and_are_read_there() {
        for (arithmetic, precision) in [
            (Arithmetic::F32, KvPrecision::AsWeights),
            (Arithmetic::Bf16, KvPrecision::AsWeights),
            (Arithmetic::Bf16, KvPrecision::Int8),
        ] {
            let new = rows(1, arithmetic, precision);
            let mut slots = new.empty(50);
            let before = places(&slots);
            for slot in 0..50 {
                slots.write(slot, new.clone());
                // A view is read without a copy, from the storage of the whole.
                assert_eq!(places(&slots.narrow(1, slot / 2, 7)), before, "{precision}");
            }
            assert_eq!(places(&slots), before, "{precision}");
            assert_eq!(before[1] != 0, precision == KvPrecision::Int8);
        }
    }
}
