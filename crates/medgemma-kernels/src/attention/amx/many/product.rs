//! A product of two tiles of rows.

use super::tiles::{self, Operands, Sums, TILE};

/// Operands. All are tiles; distances are counted in numbers.
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
}

impl Product {
    /// # Safety
    /// The tiles are configured, the operands as large as they say.
    #[inline(always)]
    pub(super) unsafe fn run(&self) {
        let mut done = None;
        let mut column = 0;
        // SAFETY: the caller's promise.
        unsafe {
            while column + 2 <= self.columns {
                let mut operands = self.operands(column);
                let sums = self.sums(column);
                self.first(operands, sums, done);
                for _ in 1..self.depth {
                    operands = self.next(operands);
                    tiles::step(operands);
                }
                done = Some(sums);
                column += 2;
            }
            if let Some(done) = done {
                tiles::store(done);
            }
            if column < self.columns {
                self.last(column);
            }
        }
    }

    /// The first step of two tiles of columns. `done` is where the sums in the tiles still are to be
    /// written.
    ///
    /// # Safety
    /// As for [`Self::run`].
    #[inline(always)]
    unsafe fn first(&self, operands: Operands, sums: Sums, done: Option<Sums>) {
        // SAFETY: the caller's promise.
        unsafe {
            match (done, self.fresh) {
                (None, true) => {
                    tiles::zero();
                    tiles::step(operands);
                }
                (None, false) => {
                    tiles::load(sums);
                    tiles::step(operands);
                }
                (Some(done), true) => tiles::step_from_zero(operands, done),
                (Some(done), false) => tiles::step_from_sums(operands, sums, done),
            }
        }
    }

    /// A tile of columns that is left alone.
    ///
    /// # Safety
    /// As for [`Self::run`].
    #[inline(always)]
    unsafe fn last(&self, column: usize) {
        let mut operands = self.operands(column);
        let sums = self.sums(column);
        // SAFETY: the caller's promise.
        unsafe {
            if self.fresh {
                tiles::zero();
            } else {
                tiles::load_one(sums);
            }
            for _ in 0..self.depth {
                tiles::step_one(operands);
                operands = self.next(operands);
            }
            tiles::store_one(sums);
        }
    }

    #[inline(always)]
    fn operands(&self, column: usize) -> Operands {
        let b = self.b.wrapping_add(column * self.b_column);
        Operands {
            rows: [self.a, self.a.wrapping_add(self.a_row)],
            columns: [b, b.wrapping_add(self.b_column)],
        }
    }

    /// The operands of the next step.
    #[inline(always)]
    fn next(&self, Operands { rows, columns }: Operands) -> Operands {
        Operands {
            rows: rows.map(|tile| tile.wrapping_add(TILE)),
            columns: columns.map(|tile| tile.wrapping_add(self.b_step)),
        }
    }

    #[inline(always)]
    fn sums(&self, column: usize) -> Sums {
        let upper = self.out.wrapping_add(column * TILE);
        let lower = upper.wrapping_add(self.out_row);
        Sums { upper, lower }
    }
}
