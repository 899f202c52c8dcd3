//! A product of two tiles of rows, done a step at a time between other work.

use super::tiles::{self, TILE};

/// Operands, and how far it is. All are tiles; distances are counted in numbers.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// Left operands: tiles along the depth follow each other, the second tile of rows is `a_row` on.
    pub(super) a: *const f32,
    pub(super) a_row: usize,
    /// Right operands, from a tile of columns to the next, and from a step of the depth to the next.
    pub(super) b: *const f32,
    pub(super) b_column: usize,
    pub(super) b_step: usize,
    /// Sums: tiles of columns follow each other, the second tile of rows is `out_row` on.
    pub(super) out: *mut f32,
    pub(super) out_row: usize,
    /// Tiles of columns, and steps of the depth.
    pub(super) columns: usize,
    pub(super) depth: usize,
    /// Whether sums begin at 0.
    pub(super) fresh: bool,
    /// The step that is next.
    pub(super) column: usize,
    pub(super) step: usize,
}

impl Product {
    /// Nothing to do.
    pub(super) const NONE: Self = Self {
        a: std::ptr::null(),
        a_row: 0,
        b: std::ptr::null(),
        b_column: 0,
        b_step: 0,
        out: std::ptr::null_mut(),
        out_row: 0,
        columns: 0,
        depth: 0,
        fresh: true,
        column: 0,
        step: 0,
    };

    /// How often [`Self::advance`] does something.
    pub(super) fn steps(&self) -> usize {
        self.columns.div_ceil(2) * self.depth
    }

    pub(super) fn is_done(&self) -> bool {
        self.column >= self.columns
    }

    /// Does the next step, if there is one.
    ///
    /// # Safety
    /// The tiles are configured, the operands as large as they say, and no other product has been
    /// advanced since this one began a tile of columns and did not end it.
    #[inline(always)]
    pub(super) unsafe fn advance(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.columns.wrapping_sub(self.column) {
                0 => {}
                1 => self.one(),
                _ => self.two(),
            }
        }
    }

    /// Does all that is left.
    ///
    /// # Safety
    /// As for [`Self::advance`].
    pub(super) unsafe fn finish(&mut self) {
        while !self.is_done() {
            // SAFETY: the caller's promise.
            unsafe { self.advance() };
        }
    }

    /// # Safety
    /// As for [`Self::advance`]; there are two tiles of columns.
    #[inline(always)]
    unsafe fn two(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            let out = self.out.add(self.column * TILE);
            let lower = out.add(self.out_row);
            if self.step == 0 {
                if self.fresh {
                    tiles::zero();
                } else {
                    tiles::load(out, lower, TILE);
                }
            }
            let b = self.b.add(self.column * self.b_column + self.step * self.b_step);
            tiles::step(self.rows(), [b, b.add(self.b_column)]);
            self.step += 1;
            if self.step == self.depth {
                tiles::store(out, lower, TILE);
                (self.column, self.step) = (self.column + 2, 0);
            }
        }
    }

    /// # Safety
    /// As for [`Self::advance`]; there is one tile of columns.
    #[inline(always)]
    unsafe fn one(&mut self) {
        // SAFETY: the caller's promise.
        unsafe {
            let out = self.out.add(self.column * TILE);
            let lower = out.add(self.out_row);
            if self.step == 0 {
                if self.fresh {
                    tiles::zero();
                } else {
                    tiles::load_one(out, lower);
                }
            }
            let b = self.b.add(self.column * self.b_column + self.step * self.b_step);
            tiles::step_one(self.rows(), b);
            self.step += 1;
            if self.step == self.depth {
                tiles::store_one(out, lower);
                (self.column, self.step) = (self.column + 1, 0);
            }
        }
    }

    /// # Safety
    /// There is a step.
    #[inline(always)]
    unsafe fn rows(&self) -> [*const f32; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let a = self.a.add(self.step * TILE);
            [a, a.add(self.a_row)]
        }
    }
}
