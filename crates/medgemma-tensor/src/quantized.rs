//! Blocks as burn's quantised tensors: how devices without kernels of our own hold them.
//!
//! The integers of a file's blocks are taken over bit for bit and its scales exactly; nothing is
//! quantised a second time.

use burn::tensor::quantization::{QuantScheme, QuantStore, QuantValue, ScaleDtype};
use burn::tensor::{Bytes, DType, Tensor, TensorData};
use medgemma_kernels::{Format, Matrix};

use crate::device::Device;
use crate::weight::{row_indices, widen};

/// Numbers in one piece: 2²⁴, 64 MiB as f32, which is what widening a weight takes at any moment.
const PIECE_NUMBERS: usize = 1 << 24;

/// A matrix `[out, in]` in pieces of whole rows, each a tensor that burn holds in blocks.
///
/// Pieces, because burn 0.22 has no rows of a quantised tensor: it widens the whole, takes the rows
/// and quantises them anew.
#[derive(Debug, Clone)]
pub(crate) struct Quantized {
    pieces: Vec<Tensor<2>>,
    /// Rows of every piece but the last.
    piece_rows: usize,
    dims: [usize; 2],
    bytes: usize,
}

impl Quantized {
    /// The very numbers of `matrix`; `None` when burn has no such blocks.
    pub(crate) fn new(matrix: Matrix<'_>, device: &Device) -> Option<Self> {
        Self::in_pieces(
            matrix,
            device,
            (PIECE_NUMBERS / matrix.cols().max(1)).max(1),
        )
    }

    fn in_pieces(matrix: Matrix<'_>, device: &Device, piece_rows: usize) -> Option<Self> {
        let layout = Layout::of(matrix.format())?;
        let dims @ [rows, cols] = [matrix.rows(), matrix.cols()];
        let mut bytes = 0;
        let pieces = (0..rows).step_by(piece_rows).map(|start| {
            let piece = start..rows.min(start + piece_rows);
            let shape = [piece.len(), cols];
            let words = layout.words(piece.map(|row| matrix.row(row)));
            bytes += words.len() * size_of::<u32>();
            let dtype = DType::QFloat(layout.scheme());
            let data = TensorData::from_bytes(Bytes::from_elems(words), shape, dtype);
            Tensor::from_data(data, (device.as_burn(), dtype))
        });
        Some(Self {
            pieces: pieces.collect(),
            piece_rows,
            dims,
            bytes,
        })
    }

    /// `[out, in]`.
    pub(crate) fn dims(&self) -> [usize; 2] {
        self.dims
    }

    /// Bytes on the device: the integers and their scales.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All rows in blocks, for products with one row, which burn computes from the blocks: less is
    /// read than of f32. It does so for more rows, too, but then widening first was as fast (`Q8_0`)
    /// or seven times as fast (`Q4_0`, 2560 × 2560, four rows) on a software rasteriser.
    pub(crate) fn packed(&self) -> impl Iterator<Item = Tensor<2>> {
        self.pieces.iter().cloned()
    }

    /// All rows as f32, piece by piece: each is widened when it is asked for.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Tensor<2>> {
        self.pieces
            .iter()
            .map(|piece| widen(piece.clone().dequantize()))
    }

    /// The rows with these indices as f32, `[indices.len(), in]`.
    ///
    /// # Panics
    /// When there is no such row.
    pub(crate) fn gather(&self, indices: &[usize], device: &Device) -> Tensor<2> {
        let mut found = Vec::new();
        // Where in `found` the row of each index is.
        let mut places = vec![0; indices.len()];
        let mut before = 0;
        for (piece, first) in self.pieces.iter().zip((0..).step_by(self.piece_rows)) {
            let rows = first..first + self.piece_rows;
            let here = indices.iter().zip(&mut places).filter_map(|(&row, place)| {
                rows.contains(&row).then(|| {
                    *place = before;
                    before += 1;
                    row - first
                })
            });
            let here: Vec<usize> = here.collect();
            if !here.is_empty() {
                found.push(widen(piece.clone().dequantize()).select(0, row_indices(&here, device)));
            }
        }
        assert_eq!(before, indices.len(), "every index has its row");
        if found.len() == 1 {
            return found.remove(0);
        }
        Tensor::cat(found, 0).select(0, row_indices(&places, device))
    }
}

/// The formats whose blocks are 32 signed integers and one scale, as burn's are.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Q8_0,
    Q4_0,
}

impl Layout {
    fn of(format: Format) -> Option<Self> {
        match format {
            Format::Q8_0 => Some(Self::Q8_0),
            Format::Q4_0 => Some(Self::Q4_0),
            _ => None,
        }
    }

    /// Integers of the whole range, −128 and −8 included, since files hold them. In words, since
    /// WGSL has no smaller integer. Scales as f32, since WGSL lets a device flush f16 below 2⁻¹⁴ to
    /// zero, and published weights have blocks with smaller ones.
    fn scheme(self) -> QuantScheme {
        let value = match self {
            Self::Q8_0 => QuantValue::Q8F,
            Self::Q4_0 => QuantValue::Q4F,
        };
        QuantScheme::default()
            .with_value(value)
            .with_store(QuantStore::PackedU32(0))
            .per_block([32], ScaleDtype::F32)
    }

    /// Rows of blocks as burn lays out a tensor: all integers, then all scales.
    fn words<'a>(self, rows: impl Iterator<Item = &'a [u8]>) -> Vec<u32> {
        let (mut integers, mut scales) = (Vec::new(), Vec::new());
        for row in rows {
            match self {
                Self::Q8_0 => {
                    for block in row.as_chunks::<34>().0 {
                        scales.push(scale(block));
                        integers.extend(
                            block[2..]
                                .as_chunks()
                                .0
                                .iter()
                                .map(|&b| u32::from_le_bytes(b)),
                        );
                    }
                }
                Self::Q4_0 => {
                    for block in row.as_chunks::<18>().0 {
                        scales.push(scale(block));
                        integers.extend(nibbles(&block[2..]));
                    }
                }
            }
        }
        integers.append(&mut scales);
        integers
    }
}

/// The f16 that a block begins with, as the bits of an f32.
fn scale(block: &[u8]) -> u32 {
    half::f16::from_le_bytes([block[0], block[1]])
        .to_f32()
        .to_bits()
}

/// Sixteen bytes of a `Q4_0` block, whose low halves are the first 16 numbers, each 8 too large, and
/// whose high halves are the others: eight numbers in a word, first lowest, in two's complement.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u32> {
    [0, 4].into_iter().flat_map(move |shift| {
        bytes.chunks_exact(8).map(move |eight| {
            let word = |word, byte: &u8| (word << 4) | u32::from(((byte >> shift) & 0xF) ^ 8);
            eight.iter().rev().fold(0, word)
        })
    })
}

#[cfg(all(test, feature = "wgpu"))]
mod tests {
    use burn::tensor::Tensor;
    use medgemma_kernels::{Cpu, Format, Matrix, Quantizer, dequantize, quantize_matrix};

    use super::Quantized;
    use crate::device::Device;
    use crate::{tensor_from, vec_from};

    #[test]
    fn pieces_join_in_the_order_of_the_rows_and_of_the_indices() {
        let device = Device::wgpu_software().expect("a software rasteriser answers");
        let [rows, cols] = [11, 64];
        let numbers: Vec<u8> = (0..rows * cols)
            .flat_map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0).to_le_bytes())
            .collect();
        let matrix = Matrix::new(Format::F32, rows, cols, &numbers);
        for quantizer in [Quantizer::Q8_0, Quantizer::Q4_0] {
            let bytes = quantize_matrix(&Cpu::detect(), matrix, quantizer);
            let bytes = bytes.expect("all are finite");
            let format = quantizer.format();
            let mut values = vec![0.0; rows * cols];
            dequantize(format, &bytes, &mut values);
            let matrix = Matrix::new(format, rows, cols, &bytes);
            // Eleven rows in three pieces, the last one short; in one; in one each.
            for piece_rows in [4, 11, 1] {
                let held = Quantized::in_pieces(matrix, &device, piece_rows).expect("burn has it");
                let what = format!("{format} in pieces of {piece_rows}");
                let all = Tensor::cat(held.pieces().collect(), 0);
                assert_eq!(vec_from(all, "all").expect("readable"), values, "{what}");
                // Exact, since all products but one are zeros.
                let mut x = vec![0.0; cols];
                x[37] = 1.0;
                let x = tensor_from(x, [1, cols], &device);
                let y = held.packed().map(|w| x.clone().matmul(w.transpose()));
                let y = vec_from(Tensor::cat(y.collect(), 1), "y").expect("readable");
                let column = values.iter().skip(37).step_by(cols);
                assert!(y.iter().eq(column), "{what}: a product");
                for indices in [vec![10, 0, 7, 7, 3, 4, 8], vec![5], vec![6, 4]] {
                    let expected = indices
                        .iter()
                        .flat_map(|&row| &values[row * cols..][..cols]);
                    let found = held.gather(&indices, &device);
                    assert_eq!(found.dims(), [indices.len(), cols]);
                    let found = vec_from(found, "rows").expect("readable");
                    assert!(found.iter().eq(expected), "{what}: rows {indices:?}");
                }
            }
        }
    }
}
