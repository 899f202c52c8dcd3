//! The slots of a cache: made, written and moved on all threads.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, bf16};
use burn_flex::FlexTensor;
use medgemma_kernels::{copy_heads, move_to_front as move_heads};

use super::buffers::Number;
use super::{bf16_tensor, primitive, tensor};
use crate::cpu;

/// Zeros `[k, capacity, h]` in the format of `like` `[k, _, h]`, in pages that the system may give out
/// when they are first written to; burn's own zeros are written twice.
pub(crate) fn zeros(like: &Tensor<3>, capacity: usize) -> Option<Tensor<3>> {
    let like = primitive(like)?;
    let [heads, _, width] = like.layout().shape().dims::<3>();
    let shape = [heads, capacity, width];
    let len = heads * capacity * width;
    match like.dtype() {
        DType::F32 => Some(tensor(f32::zeros(len), shape)),
        DType::BF16 => Some(bf16_tensor(bf16::zeros(len), shape)),
        _ => None,
    }
}

/// Writes `rows` `[k, t, h]` to the slots from `start` on; `false`, with nothing written, where burn has
/// to: for other tensors, formats and orders of rows.
///
/// # Panics
/// When the slots are too few.
pub(crate) fn write(slots: &mut Tensor<3>, start: usize, rows: &Tensor<3>) -> bool {
    let Some(rows) = primitive(rows) else {
        return false;
    };
    let [heads, t, width] = rows.layout().shape().dims::<3>();
    let strides = rows.layout().strides();
    let lie_together = strides[1..] == [width.cast_signed(), 1] && strides[0] >= 0;
    if !lie_together || !is_whole(slots, rows.dtype()) {
        return false;
    }
    let [slot_heads, capacity, slot_width] = slots.dims();
    assert!(
        [slot_heads, slot_width] == [heads, width] && start + t <= capacity,
        "{t} rows from {start} on in {capacity} slots"
    );
    let first = rows.layout().start_offset();
    let from_stride = strides[0].unsigned_abs();
    overwrite(slots, |slots| {
        let (cpu, len, to) = (&cpu::current(), t * width, start * width);
        let to_stride = capacity * width;
        match rows.dtype() {
            DType::F32 => copy_heads(
                cpu,
                heads,
                len,
                (&rows.storage::<f32>()[first..], from_stride),
                (&mut slots.storage_mut::<f32>()[to..], to_stride),
            ),
            _ => copy_heads(
                cpu,
                heads,
                len,
                (&rows.storage::<bf16>()[first..], from_stride),
                (&mut slots.storage_mut::<bf16>()[to..], to_stride),
            ),
        }
    });
    true
}

/// Moves `len` rows from `start` on to the first slots; `false`, with nothing moved, for other tensors
/// and formats.
pub(crate) fn move_to_front(slots: &mut Tensor<3>, start: usize, len: usize) -> bool {
    let dtype = slots.dtype();
    if !is_whole(slots, dtype) {
        return false;
    }
    let [_, capacity, width] = slots.dims();
    let [stride, from, len] = [capacity, start, len].map(|rows| rows * width);
    overwrite(slots, |slots| {
        let cpu = &cpu::current();
        match dtype {
            DType::F32 => move_heads(cpu, slots.storage_mut::<f32>(), stride, from, len),
            _ => move_heads(cpu, slots.storage_mut::<bf16>(), stride, from, len),
        }
    });
    true
}

/// Whether the slots are a plain tensor of this format, f32 or bf16, with nothing else in its memory.
fn is_whole(slots: &Tensor<3>, dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::BF16)
        && slots.dtype() == dtype
        && primitive(slots).is_some_and(|slots| {
            let bytes = slots.layout().num_elements() * dtype.size();
            slots.is_contiguous() && slots.bytes().len() == bytes
        })
}

/// Lets `change` write to the numbers: where they are, or to a copy if another tensor reads them.
fn overwrite(slots: &mut Tensor<3>, change: impl FnOnce(&mut FlexTensor)) {
    slots.inplace(|slots| {
        let slots = slots.try_into_primitive::<Flex>();
        let mut slots = slots.expect("is_whole() has asked");
        change(&mut slots);
        Tensor::from_primitive::<Flex>(slots)
    });
}

#[cfg(test)]
mod tests {
    use super::{move_to_front, write};
    use crate::device::Device;
    use crate::transfer::{tensor_from, vec_from};

    #[test]
    fn a_shared_tensor_is_left_as_it_is() {
        let device = Device::cpu().expect("the feature cpu is on");
        let numbers = |from: u8| (from..from + 12).map(f32::from).collect::<Vec<_>>();
        let mut slots = tensor_from(numbers(0), [2, 3, 2], &device);
        let shared = slots.clone();
        assert!(move_to_front(&mut slots, 1, 2));
        let rows = tensor_from(numbers(50), [2, 3, 2], &device).narrow(1, 1, 1);
        assert!(write(&mut slots, 2, &rows));
        let read = |x| vec_from(x, "slots").expect("the device answers");
        let found = [2, 3, 4, 5, 52, 53, 8, 9, 10, 11, 58, 59].map(f32::from as fn(u8) -> f32);
        assert_eq!(read(slots.clone()), found);
        assert_eq!(read(shared), numbers(0));
        // Rows whose numbers lie apart, and slots that are part of others, are burn's.
        let apart = tensor_from(numbers(50), [3, 2, 2], &device).swap_dims(0, 1);
        assert!(!write(&mut slots, 0, &apart));
        let mut part = slots.clone().narrow(0, 0, 1);
        assert!(!move_to_front(&mut part, 1, 1));
        assert_eq!(read(slots), found);
    }
}
