//! Memory of results that nobody reads any more, kept for the next ones.
//!
//! A layer makes and drops tens of megabytes. An allocator gives so much back to the system at once
//! and gets it again page by page, zeroed: some tenth of the time of a long prompt or an image, and
//! far more on virtual machines. An operation that owns its operand hands it in here instead.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::backend::Flex;
use burn::tensor::{Bytes, DType, Tensor, bf16};
use half::vec::HalfBitsVecExt;

use super::Operand;
use crate::cpu::KEPT_BYTES;
use crate::kv::{KvRows, KvStorage};

/// Fewer numbers than this an allocator keeps by itself.
const LEAST: usize = 1 << 15;

/// Numbers that are kept at most: of bf16, keys and values of a layer or two.
const MOST_HALVES: usize = KEPT_BYTES / 8 / size_of::<bf16>();
const MOST_FLOATS: usize = KEPT_BYTES / 8 * 7 / size_of::<f32>();

static FLOATS: Mutex<Kept<f32>> = Mutex::new(Kept::new(MOST_FLOATS));
static HALVES: Mutex<Kept<bf16>> = Mutex::new(Kept::new(MOST_HALVES));

/// A kind of number of which results are made.
pub(super) trait Number: Copy + 'static {
    const ZERO: Self;
    /// Shows where a kernel leaves it out.
    const WRONG: Self;

    fn kept() -> MutexGuard<'static, Kept<Self>>;

    /// Zeros, which the system has ready.
    fn zeros(len: usize) -> Vec<Self>;

    /// The numbers of a tensor's memory, if they were made as such.
    fn of(bytes: Bytes) -> Option<Vec<Self>>;
}

impl Number for f32 {
    const ZERO: Self = 0.0;
    const WRONG: Self = Self::NAN;

    fn kept() -> MutexGuard<'static, Kept<Self>> {
        FLOATS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zeros(len: usize) -> Vec<Self> {
        vec![0.0; len]
    }

    fn of(bytes: Bytes) -> Option<Vec<Self>> {
        bytes.try_into_vec().ok()
    }
}

impl Number for bf16 {
    const ZERO: Self = Self::ZERO;
    const WRONG: Self = Self::NAN;

    fn kept() -> MutexGuard<'static, Kept<Self>> {
        HALVES.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zeros(len: usize) -> Vec<Self> {
        // A vector of bf16 would be written zero by zero.
        vec![0u16; len].reinterpret_into()
    }

    fn of(bytes: Bytes) -> Option<Vec<Self>> {
        bytes.try_into_vec().ok()
    }
}

/// Buffers, the longest unused first.
pub(super) struct Kept<N> {
    buffers: VecDeque<Vec<N>>,
    /// Numbers that all of them have room for.
    room: usize,
    /// Numbers that they may have room for.
    most: usize,
}

impl<N> Kept<N> {
    const fn new(most: usize) -> Self {
        Self {
            buffers: VecDeque::new(),
            room: 0,
            most,
        }
    }

    /// The smallest buffer with room for `len` numbers, unless most of it would lie idle; one with as
    /// many numbers before those that must be zeroed first, and long ones only where they are needed.
    fn take(&mut self, len: usize) -> Option<Vec<N>> {
        let fits = |buffer: &Vec<N>| (len..=2 * len).contains(&buffer.capacity());
        let (index, _) = self
            .buffers
            .iter()
            .enumerate()
            .filter(|(_, buffer)| fits(buffer))
            .min_by_key(|(_, buffer)| {
                let missing = len.saturating_sub(buffer.len());
                (missing, buffer.capacity(), buffer.len())
            })?;
        let buffer = self.buffers.remove(index)?;
        self.room -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps a buffer, and frees those that are then too many.
    fn put(&mut self, buffer: Vec<N>) {
        if !(LEAST..=self.most).contains(&buffer.capacity()) {
            return;
        }
        self.room += buffer.capacity();
        self.buffers.push_back(buffer);
        while self.room > self.most {
            let oldest = self.buffers.pop_front();
            self.room -= oldest.map_or(self.room, |buffer| buffer.capacity());
        }
    }
}

/// `len` numbers of any content, for a kernel that writes all of them.
pub(super) fn buffer<N: Number>(len: usize) -> Vec<N> {
    let kept = if len < LEAST {
        None
    } else {
        N::kept().take(len)
    };
    let mut buffer = match kept {
        Some(mut buffer) => {
            buffer.resize(len, N::ZERO);
            buffer
        }
        None => N::zeros(len),
    };
    // So that a number that a kernel leaves out shows.
    if cfg!(debug_assertions) {
        buffer.fill(N::WRONG);
    }
    buffer
}

/// The numbers of `x` to be overwritten: where they are if nobody else reads them, a copy otherwise.
///
/// # Panics
/// When `x` is no plain burn-flex tensor of f32.
pub(super) fn owned<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let x = x.try_into_primitive::<Flex>();
    let x = Operand::of(x.expect("the caller has asked"));
    x.into_memory().unwrap_or_else(|x| {
        let mut copy = buffer(x.numbers().len());
        copy.copy_from_slice(x.numbers());
        copy
    })
}

/// Takes in the memory of a tensor of f32 or bf16 that nobody else reads; other tensors are dropped.
pub(crate) fn recycle<const D: usize>(x: Tensor<D>) {
    match x.dtype() {
        _ if x.shape().num_elements() < LEAST => {}
        DType::F32 => put::<f32, D>(x),
        DType::BF16 => put::<bf16, D>(x),
        _ => {}
    }
}

fn put<N: Number, const D: usize>(x: Tensor<D>) {
    let Ok(primitive) = x.try_into_primitive::<Flex>() else {
        return;
    };
    let data = primitive.data_arc();
    drop(primitive);
    if let Some(numbers) = Arc::try_unwrap(data).ok().and_then(N::of) {
        N::kept().put(numbers);
    }
}

/// [`recycle`] for keys or values; whole numbers are dropped.
pub(crate) fn recycle_rows(rows: KvRows) {
    if let KvStorage::Float(rows) = rows.storage {
        recycle(rows);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::bf16;

    use super::{Kept, LEAST, buffer, owned, recycle, recycle_rows};
    use crate::device::Device;
    use crate::extension::{Operand, bf16_tensor, tensor};
    use crate::kv::KvRows;
    use crate::transfer::{tensor_from, vec_from};

    const MOST: usize = 64 * LEAST;

    #[test]
    fn the_smallest_that_fits_is_taken_and_none_that_would_lie_idle() {
        let mut kept = Kept::new(MOST);
        for factor in [8, 2, 3] {
            kept.put(vec![0.0; factor * LEAST]);
        }
        assert_eq!(
            kept.take(2 * LEAST + 1).map(|x| x.capacity()),
            Some(3 * LEAST)
        );
        assert_eq!(
            kept.take(3 * LEAST),
            None,
            "eight would do, for the most part idle"
        );
        assert_eq!(kept.take(LEAST).map(|x| x.capacity()), Some(2 * LEAST));
        assert_eq!(kept.room, 8 * LEAST);
    }

    #[test]
    fn what_would_be_zeroed_again_is_left_and_so_is_what_is_longer_than_needed() {
        let mut kept = Kept::new(MOST);
        for len in [3 * LEAST, 2 * LEAST, LEAST, 3 * LEAST] {
            let mut buffer = vec![0.0; 3 * LEAST];
            buffer.truncate(len);
            kept.put(buffer);
        }
        let mut took = |len| kept.take(len).map(|buffer: Vec<f32>| buffer.len());
        assert_eq!(took(2 * LEAST), Some(2 * LEAST));
        assert_eq!(took(2 * LEAST), Some(3 * LEAST));
        assert_eq!(took(3 * LEAST), Some(3 * LEAST));
        assert_eq!(took(3 * LEAST), Some(LEAST), "better than none");
    }

    #[test]
    fn the_longest_unused_go_where_there_are_too_many() {
        let mut kept = Kept::<f32>::new(MOST);
        kept.put(vec![0.0; LEAST - 1]);
        kept.put(Vec::with_capacity(MOST + 1));
        assert_eq!(kept.room, 0, "too small, too large");
        for _ in 0..5 {
            kept.put(Vec::with_capacity(MOST / 4));
        }
        kept.put(Vec::with_capacity(MOST / 2));
        assert_eq!(kept.buffers.len(), 3);
        assert_eq!(kept.room, MOST);
    }

    #[test]
    fn what_others_read_is_left_to_them() {
        let device = Device::cpu().expect("the feature cpu is on");
        // A size that no other test has.
        let len = 3 * LEAST + 17;
        let x = tensor_from(vec![5.0; len], [len], &device);
        let place = Operand::new(&x).expect("a plain tensor").numbers().as_ptr();
        let shared = x.clone();
        recycle(x);
        recycle(shared.clone().reshape([1, len]));
        let other = buffer::<f32>(len);
        assert_ne!(other.as_ptr(), place);
        let read = vec_from(shared.clone(), "numbers").expect("the device answers");
        assert!(read.iter().all(|&x| x == 5.0));
        recycle(shared);
        let again = buffer::<f32>(len);
        assert_eq!((again.as_ptr(), again.len()), (place, len));
    }

    #[test]
    fn only_what_nobody_else_reads_is_overwritten_where_it_is() {
        let device = Device::cpu().expect("the feature cpu is on");
        let x = tensor_from(vec![5.0, 6.0, 7.0, 8.0], [2, 2], &device);
        let place = Operand::new(&x).expect("a plain tensor").numbers().as_ptr();
        let (shared, part) = (x.clone(), x.clone().narrow(0, 1, 1));
        for mut copy in [owned(x), owned(part)] {
            assert_ne!(copy.as_ptr(), place);
            copy.fill(0.0);
        }
        let read = vec_from(shared.clone(), "numbers").expect("the device answers");
        assert_eq!(read, [5.0, 6.0, 7.0, 8.0]);
        let numbers = owned(shared.swap_dims(0, 1));
        assert_eq!(numbers, [5.0, 7.0, 6.0, 8.0]);
        let x = tensor(numbers, [4]);
        let place = Operand::new(&x).expect("a plain tensor").numbers().as_ptr();
        assert_eq!(owned(x.clone().narrow(0, 2, 2)), [6.0, 8.0]);
        let numbers = owned(x);
        assert_eq!(numbers.as_ptr(), place);
    }

    #[test]
    fn room_that_nothing_is_in_counts() {
        let mut numbers = Vec::with_capacity(100);
        numbers.resize(60, bf16::ONE);
        let rows: KvRows = bf16_tensor(numbers, [1, 60, 1]).into();
        assert_eq!(rows.bytes(), 2 * 100);
        let rows: KvRows = tensor(vec![1.0; 60], [1, 60, 1]).into();
        assert_eq!(rows.bytes(), 4 * 60);
    }

    #[test]
    fn bf16_is_kept_too() {
        let shape = [1, 1, 5 * LEAST + 17];
        let numbers = buffer::<bf16>(shape[2]);
        let place = numbers.as_ptr();
        let x = bf16_tensor(numbers, shape);
        recycle_rows(x.clone().into());
        let other = buffer::<bf16>(shape[2]);
        assert_ne!(other.as_ptr(), place);
        recycle_rows(x.into());
        let again = buffer::<bf16>(shape[2]);
        assert_eq!(again.as_ptr(), place);
    }
}
