//! Cached keys or values, borrowed where they lie.

use half::bf16;

/// Number storage of cached keys and values.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Numbers<'a> {
    /// IEEE 754 binary32.
    F32(&'a [f32]),
    /// bfloat16.
    Bf16(&'a [bf16]),
    /// Whole numbers with one scale for each head and key.
    Int8 {
        /// The whole numbers.
        numbers: &'a [i8],
        /// The scale of a head's key stands at `head · scale_stride + key`.
        scales: &'a [f32],
        /// Scales from a head to the next.
        scale_stride: usize,
    },
}

impl Numbers<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(numbers) => numbers.len(),
            Self::Bf16(numbers) => numbers.len(),
            Self::Int8 { numbers, .. } => numbers.len(),
        }
    }
}

/// A strided view `[heads, len, head_dim]` of cached keys or values: the number of a head, key and
/// lane stands at `head · head_stride + key · row_stride + lane`, counted in numbers.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The storage, beginning with the view's first number.
    pub numbers: Numbers<'a>,
    /// Heads, k.
    pub heads: usize,
    /// Keys, s.
    pub len: usize,
    /// Lanes of a head, h.
    pub head_dim: usize,
    /// Numbers from a head to the next.
    pub head_stride: usize,
    /// Numbers from a key to the next.
    pub row_stride: usize,
}

impl Rows<'_> {
    /// # Panics
    /// When the storage is too short for the view.
    pub(super) fn check(&self, name: &str) {
        let last = |count: usize, stride: usize| count.saturating_sub(1).checked_mul(stride);
        let needed = if self.heads == 0 || self.len == 0 {
            Some(0)
        } else {
            last(self.heads, self.head_stride)
                .zip(last(self.len, self.row_stride))
                .and_then(|(head, row)| head.checked_add(row)?.checked_add(self.head_dim))
        };
        assert!(
            needed.is_some_and(|needed| needed <= self.numbers.len()),
            "{} numbers are too few for {name} [{}, {}, {}] with strides {} and {}",
            self.numbers.len(),
            self.heads,
            self.len,
            self.head_dim,
            self.head_stride,
            self.row_stride
        );
        if let Numbers::Int8 {
            scales,
            scale_stride,
            ..
        } = self.numbers
        {
            let needed = last(self.heads, scale_stride)
                .and_then(|head| head.checked_add(if self.heads == 0 { 0 } else { self.len }));
            assert!(
                needed.is_some_and(|needed| needed <= scales.len()),
                "{} scales are too few for {name} [{}, {}] with a stride of {scale_stride}",
                scales.len(),
                self.heads,
                self.len
            );
        }
    }

    /// Scales of a head's keys from `key` on; none where numbers have none.
    pub(super) fn scales(&self, head: usize, key: usize) -> &[f32] {
        match self.numbers {
            Numbers::Int8 {
                scales,
                scale_stride,
                ..
            } => &scales[head * scale_stride + key..],
            _ => &[],
        }
    }

    /// Widens the numbers of a head's key into `to`.
    pub(super) fn widen(&self, head: usize, key: usize, to: &mut [f32]) {
        let start = head * self.head_stride + key * self.row_stride;
        let numbers = start..start + self.head_dim;
        match self.numbers {
            Numbers::F32(from) => to.copy_from_slice(&from[numbers]),
            Numbers::Bf16(from) => {
                for (to, from) in to.iter_mut().zip(&from[numbers]) {
                    *to = from.to_f32();
                }
            }
            Numbers::Int8 { numbers: from, .. } => {
                let scale = self.scales(head, key)[0];
                for (to, from) in to.iter_mut().zip(&from[numbers]) {
                    *to = f32::from(*from) * scale;
                }
            }
        }
    }
}
