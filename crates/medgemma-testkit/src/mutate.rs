//! Deliberate faults in weights, so that a suite can show that its goldens have teeth.

use crate::{Stored, Tensors};

impl Tensors {
    /// Every value through `f`.
    ///
    /// # Panics
    /// If there is no floating-point tensor of this key.
    pub fn map(&mut self, key: &str, f: impl Fn(f32) -> f32) {
        self.change(key, |_, values| values.iter_mut().for_each(|x| *x = f(*x)));
    }

    /// Every value times `factor`.
    ///
    /// # Panics
    /// If there is no floating-point tensor of this key.
    pub fn scale(&mut self, key: &str, factor: f32) {
        self.map(key, |x| x * factor);
    }

    /// Rows (slices along the first axis) in reverse order.
    ///
    /// # Panics
    /// If there is no floating-point tensor of this key.
    pub fn reverse_rows(&mut self, key: &str) {
        self.permute_rows(key, |row, rows| rows - 1 - row);
    }

    /// Row `i` becomes the old row `from(i, rows)`.
    ///
    /// # Panics
    /// If there is no floating-point tensor of this key or `from` leaves the range.
    pub fn permute_rows(&mut self, key: &str, from: impl Fn(usize, usize) -> usize) {
        self.change(key, |shape, values| {
            let rows = shape.first().copied().unwrap_or(1);
            let width = values.len() / rows;
            let old = values.to_vec();
            for row in 0..rows {
                let source = from(row, rows) * width;
                values[row * width..][..width].copy_from_slice(&old[source..][..width]);
            }
        });
    }

    /// The values of two tensors of one shape change places.
    ///
    /// # Panics
    /// If a key is absent or the shapes differ.
    pub fn exchange(&mut self, a: &str, b: &str) {
        let (first, second) = (self.remove(a), self.remove(b));
        assert_eq!(
            first.shape, second.shape,
            "{a} and {b} have different shapes"
        );
        self.insert(a, second);
        self.insert(b, first);
    }

    fn change(&mut self, key: &str, f: impl FnOnce(&[usize], &mut [f32])) {
        let old: Stored = self.remove(key);
        let mut values = old.to_f32();
        f(&old.shape, &mut values);
        self.insert(key, old.with_f32(&values));
    }
}
