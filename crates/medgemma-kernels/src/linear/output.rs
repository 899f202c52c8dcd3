//! The outputs `[m, rows]` of a linear layer, written by several threads at once.

use std::marker::PhantomData;

/// Outputs and the bias that is added to them. Each place is written by one piece of work.
pub(crate) struct Output<'a> {
    start: *mut f32,
    m: usize,
    rows: usize,
    bias: Option<&'a [f32]>,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: the only access through `start` is that of `Output::put` and of who writes to
// `Output::place`, all of whom promise that no two threads write the same place.
unsafe impl Sync for Output<'_> {}

impl<'a> Output<'a> {
    /// `out` is a whole number of rows of `rows` numbers, none if that is 0; `bias` has `rows`.
    pub(crate) fn new(out: &'a mut [f32], rows: usize, bias: Option<&'a [f32]>) -> Self {
        assert!(bias.is_none_or(|bias| bias.len() == rows), "bias of rows");
        Self {
            start: out.as_mut_ptr(),
            m: out.len().checked_div(rows).unwrap_or(0),
            rows,
            bias,
            borrow: PhantomData,
        }
    }

    /// Rows of `x`.
    pub(crate) fn m(&self) -> usize {
        self.m
    }

    /// Outputs of a token.
    #[cfg_attr(
        not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
        expect(dead_code, reason = "only the tile unit asks")
    )]
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The bias of `count` outputs from `row` on, if there is any.
    pub(super) fn bias(&self, row: usize, count: usize) -> Option<&'a [f32]> {
        self.bias.map(|bias| &bias[row..row + count])
    }

    /// Where outputs `row` and following, `count` of them, of `tokens` tokens from `token` on are;
    /// a token's are [`Self::rows`] behind those of the one before.
    ///
    /// # Panics
    /// When they are not within the outputs.
    pub(super) fn place(&self, token: usize, row: usize, tokens: usize, count: usize) -> *mut f32 {
        assert!(
            token + tokens <= self.m && row + count <= self.rows,
            "outputs within the slice"
        );
        self.start.wrapping_add(token * self.rows + row)
    }

    /// The outputs of `m` tokens from token `first` on.
    ///
    /// # Panics
    /// When there are not as many.
    #[cfg_attr(
        not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
        expect(dead_code, reason = "only the tile unit takes tokens in parts")
    )]
    pub(super) fn tokens(&self, first: usize, m: usize) -> Output<'a> {
        Output {
            start: self.place(first, 0, m, self.rows),
            m,
            ..*self
        }
    }

    /// Writes `values` as outputs, or adds them to those that are there.
    ///
    /// # Panics
    /// When they are not within the outputs.
    ///
    /// # Safety
    /// No other thread writes these outputs.
    #[cfg_attr(
        not(any(test, all(target_arch = "x86_64", target_os = "linux"))),
        expect(dead_code, reason = "only the tile unit adds to outputs")
    )]
    pub(super) unsafe fn add(&self, token: usize, row: usize, values: &[f32], added: bool) {
        let place = self.place(token, row, 1, values.len());
        // SAFETY: as for `put`.
        let place = unsafe { std::slice::from_raw_parts_mut(place, values.len()) };
        for (place, value) in place.iter_mut().zip(values) {
            *place = if added { *place + value } else { *value };
        }
    }

    /// Writes `values` plus the bias as the outputs of token `token` for the weight rows from
    /// `row` on.
    ///
    /// # Panics
    /// When they are not within the outputs.
    ///
    /// # Safety
    /// No other thread writes these outputs.
    pub(super) unsafe fn put(&self, token: usize, row: usize, values: &[f32]) {
        let place = self.place(token, row, 1, values.len());
        // SAFETY: within the slice that `start` came from, as `place` has seen; exclusively, by the
        // promise of the caller.
        let place = unsafe { std::slice::from_raw_parts_mut(place, values.len()) };
        match self.bias(row, values.len()) {
            None => place.copy_from_slice(values),
            Some(bias) => {
                for ((place, value), bias) in place.iter_mut().zip(values).zip(bias) {
                    *place = value + bias;
                }
            }
        }
    }
}
