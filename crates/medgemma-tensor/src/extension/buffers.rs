//! Memory of results that nobody reads any more, kept for the next ones.
//!
//! A layer makes and drops tens of megabytes. An allocator gives so much back to the system at once
//! and gets it again page by page, zeroed: some tenth of the time of a long prompt or an image, and
//! far more on virtual machines. An operation that owns its operand hands it in here instead.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::Flex;
use burn::tensor::{DType, Tensor};

use crate::cpu::KEPT_BYTES;

/// Fewer numbers than this an allocator keeps by itself.
const LEAST: usize = 1 << 15;

/// Numbers that are kept at most.
const MOST: usize = KEPT_BYTES / size_of::<f32>();

static KEPT: Mutex<Kept> = Mutex::new(Kept::new());

/// Buffers, the longest unused first.
struct Kept {
    buffers: VecDeque<Vec<f32>>,
    /// Numbers that all of them have room for.
    room: usize,
}

impl Kept {
    const fn new() -> Self {
        Self {
            buffers: VecDeque::new(),
            room: 0,
        }
    }

    /// The smallest buffer with room for `len` numbers, unless most of it would lie idle.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        let fits = |buffer: &Vec<f32>| (len..=2 * len).contains(&buffer.capacity());
        let (index, _) = self
            .buffers
            .iter()
            .enumerate()
            .filter(|(_, buffer)| fits(buffer))
            .min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = self.buffers.remove(index)?;
        self.room -= buffer.capacity();
        Some(buffer)
    }

    /// Keeps a buffer, and frees those that are then too many.
    fn put(&mut self, buffer: Vec<f32>) {
        if !(LEAST..=MOST).contains(&buffer.capacity()) {
            return;
        }
        self.room += buffer.capacity();
        self.buffers.push_back(buffer);
        while self.room > MOST {
            let oldest = self.buffers.pop_front();
            self.room -= oldest.map_or(self.room, |buffer| buffer.capacity());
        }
    }
}

/// `len` numbers of any content, for a kernel that writes all of them.
pub(super) fn buffer(len: usize) -> Vec<f32> {
    let kept = if len < LEAST {
        None
    } else {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take(len)
    };
    let mut buffer = match kept {
        Some(mut buffer) => {
            buffer.resize(len, 0.0);
            buffer
        }
        None => vec![0.0; len],
    };
    // So that a number that a kernel leaves out shows.
    if cfg!(debug_assertions) {
        buffer.fill(f32::NAN);
    }
    buffer
}

/// Takes in the memory of a tensor of f32 that nobody else reads; other tensors are dropped.
pub(crate) fn recycle<const D: usize>(x: Tensor<D>) {
    if x.shape().num_elements() < LEAST || x.dtype() != DType::F32 {
        return;
    }
    let Ok(primitive) = x.try_into_primitive::<Flex>() else {
        return;
    };
    let data = primitive.data_arc();
    drop(primitive);
    if let Ok(bytes) = Arc::try_unwrap(data)
        && let Ok(numbers) = bytes.try_into_vec()
    {
        KEPT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(numbers);
    }
}

#[cfg(test)]
mod tests {
    use super::{Kept, LEAST, MOST, buffer, recycle};
    use crate::device::Device;
    use crate::extension::Operand;
    use crate::transfer::{tensor_from, vec_from};

    #[test]
    fn the_smallest_that_fits_is_taken_and_none_that_would_lie_idle() {
        let mut kept = Kept::new();
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
    fn the_longest_unused_go_where_there_are_too_many() {
        let mut kept = Kept::new();
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
        let other = buffer(len);
        assert_ne!(other.as_ptr(), place);
        let read = vec_from(shared.clone(), "numbers").expect("the device answers");
        assert!(read.iter().all(|&x| x == 5.0));
        recycle(shared);
        let again = buffer(len);
        assert_eq!((again.as_ptr(), again.len()), (place, len));
    }
}
