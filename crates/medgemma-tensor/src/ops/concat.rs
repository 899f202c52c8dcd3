//! Parts put together.

use burn::tensor::Tensor;

/// The parts one after the other along `axis`. One alone is given back as it is: most calls have no more, and
/// some backends would copy it.
///
/// # Shapes
/// - `parts`: alike but for the length of `axis`, one at least
/// - result: the same, `axis` as long as all of them
///
/// # Panics
/// Without parts.
#[must_use]
pub fn concat<const D: usize>(mut parts: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        Tensor::cat(parts, axis)
    }
}
