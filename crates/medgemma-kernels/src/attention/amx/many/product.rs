//! A product of two tiles of rows, done a step at a time between other work.

use super::tiles::{self, Operands, Sums, TILE};

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

    /// How often [`Self::advance`] does something from here, where it is between columns.
    pub(super) fn left(&self) -> usize {
        self.columns.saturating_sub(self.column).div_ceil(2) * self.depth
    }

    pub(super) fn is_done(&self) -> bool {
        self.column >= self.columns
    }

    /// Does the next step, if there is one. `done` is where sums in the tiles still are to be
    /// written.
    ///
    /// # Safety
    /// The tiles are configured, the operands as large as they say, and no other product has been
    /// advanced since this one began a tile of columns and did not end it.
    #[inline(always)]
    pub(super) unsafe fn advance(&mut self, done: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.columns.wrapping_sub(self.column) {
                0 => {}
                1 => self.one(done),
                _ => self.two(done),
            }
        }
    }

    /// Does all that is left.
    ///
    /// # Safety
    /// As for [`Self::advance`].
    pub(super) unsafe fn finish(&mut self, done: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            while !self.is_done() {
                self.advance(done);
            }
            write(done);
        }
    }

    /// # Safety
    /// As for [`Self::advance`]; there are two tiles of columns.
    #[inline(always)]
    unsafe fn two(&mut self, done: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            let operands = self.operands();
            if self.step > 0 {
                tiles::step(operands);
            } else if done.is_nowhere() {
                if self.fresh {
                    tiles::zero();
                } else {
                    tiles::load(self.sums());
                }
                tiles::step(operands);
            } else if self.fresh {
                tiles::step_from_zero(operands, *done);
            } else {
                tiles::step_from_sums(operands, self.sums(), *done);
            }
            *done = Sums::NOWHERE;
            self.step += 1;
            if self.step == self.depth {
                *done = self.sums();
                (self.column, self.step) = (self.column + 2, 0);
            }
        }
    }

    /// # Safety
    /// As for [`Self::advance`]; there is one tile of columns.
    #[inline(always)]
    unsafe fn one(&mut self, done: &mut Sums) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.step == 0 {
                write(done);
                if self.fresh {
                    tiles::zero();
                } else {
                    tiles::load_one(self.sums());
                }
            }
            tiles::step_one(self.operands());
            self.step += 1;
            if self.step == self.depth {
                tiles::store_one(self.sums());
                (self.column, self.step) = (self.column + 1, 0);
            }
        }
    }

    /// # Safety
    /// There is a step.
    #[inline(always)]
    unsafe fn operands(&self) -> Operands {
        // SAFETY: the caller's promise.
        unsafe {
            let a = self.a.add(self.step * TILE);
            let b = (self.b).add(self.column * self.b_column + self.step * self.b_step);
            Operands {
                rows: [a, a.add(self.a_row)],
                columns: [b, b.wrapping_add(self.b_column)],
            }
        }
    }

    /// # Safety
    /// There is a column.
    #[inline(always)]
    unsafe fn sums(&self) -> Sums {
        // SAFETY: the caller's promise.
        unsafe {
            let upper = self.out.add(self.column * TILE);
            let lower = upper.add(self.out_row);
            Sums { upper, lower }
        }
    }
}

/// Writes sums that are in the tiles.
///
/// # Safety
/// They are there.
#[inline(always)]
unsafe fn write(done: &mut Sums) {
    if !done.is_nowhere() {
        // SAFETY: the caller's promise.
        unsafe { tiles::store(*done) };
        *done = Sums::NOWHERE;
    }
}
