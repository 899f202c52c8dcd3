//! A matrix of weights `[rows, cols]` as it lies in a file: plain floats, or blocks of small
//! integers with scales.

use std::fmt;

/// How the numbers of a [`Matrix`] are stored. Rows follow each other without gaps.
///
/// The block formats are those of GGUF (ggml's `ggml-common.h`), little-endian, and hold 32 or 256
/// numbers of one row each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// 32 numbers: f16 d, 32 × i8; `d·q`.
    Q8_0,
    /// 32 numbers: f16 d, 32 × 4 bits; `d·(q − 8)`.
    Q4_0,
    /// 32 numbers: f16 d, f16 m, 32 × 4 bits; `d·q + m`.
    Q4_1,
    /// 32 numbers: f16 d, 32 fifth bits, 32 × 4 bits; `d·(q − 16)`.
    Q5_0,
    /// 32 numbers: f16 d, f16 m, 32 fifth bits, 32 × 4 bits; `d·q + m`.
    Q5_1,
    /// 256 numbers: f16 d, f16 dmin, 8 six-bit scales and minima, 256 × 4 bits.
    Q4K,
    /// 256 numbers: f16 d, f16 dmin, 8 six-bit scales and minima, 256 fifth bits, 256 × 4 bits.
    Q5K,
    /// 256 numbers: 256 × 4 low bits, 256 × 2 high bits, 16 i8 scales, f16 d; `d·s·(q − 32)`.
    Q6K,
}

impl Format {
    /// Numbers of one block; 1 for plain floats.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => 32,
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
        }
    }

    /// Bytes of one block.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Bytes of a row of `cols` numbers, or `None` if `cols` is not a whole number of blocks or the
    /// row exceeds the address space.
    #[must_use]
    pub const fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Whether numbers are stored as small integers with scales.
    #[must_use]
    pub const fn is_blocks(self) -> bool {
        self.block_len() > 1
    }

    /// The name in GGUF files: `F32`, `BF16`, `Q4_K`, ….
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A borrowed matrix of weights, `[rows, cols]`, row-major, at any alignment.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    format: Format,
    rows: usize,
    cols: usize,
    row_bytes: usize,
    bytes: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// Wraps `bytes` as `rows` rows of `cols` numbers in `format`.
    ///
    /// # Panics
    /// When `cols` is not a whole number of blocks, or `bytes` has not the length that the shape
    /// asks for.
    #[must_use]
    pub fn new(format: Format, rows: usize, cols: usize, bytes: &'a [u8]) -> Self {
        let row_bytes = format.row_bytes(cols);
        let row_bytes = row_bytes
            .unwrap_or_else(|| panic!("{cols} columns are not a whole number of {format} blocks"));
        assert_eq!(
            row_bytes.checked_mul(rows),
            Some(bytes.len()),
            "bytes of {rows} × {cols} numbers in {format}"
        );
        Self {
            format,
            rows,
            cols,
            row_bytes,
            bytes,
        }
    }

    /// How the numbers are stored.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Rows: outputs of a linear layer.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: inputs of a linear layer.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The bytes of row `index`.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, index: usize) -> &'a [u8] {
        assert!(index < self.rows, "row {index} of {}", self.rows);
        &self.bytes[index * self.row_bytes..][..self.row_bytes]
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl fmt::Debug for Matrix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix")
            .field("format", &self.format)
            .field("rows", &self.rows)
            .field("cols", &self.cols)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, Matrix};

    #[test]
    fn rows_follow_each_other() {
        let matrix = Matrix::new(Format::Bf16, 2, 2, &[0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(
            [0, 1].map(|row| matrix.row(row)),
            [[0, 1, 2, 3], [4, 5, 6, 7]]
        );
    }

    /// Its place in bytes would wrap round to the first row's.
    #[test]
    #[should_panic(expected = "row 9223372036854775808 of 2")]
    fn a_row_beyond_the_address_space_is_refused() {
        let _ = Matrix::new(Format::Bf16, 2, 2, &[0; 8]).row(1 << 63);
    }

    #[test]
    #[should_panic(expected = "row 0 of 0")]
    fn a_row_without_numbers_is_refused_too() {
        let _ = Matrix::new(Format::F32, 0, 0, &[]).row(0);
    }
}
