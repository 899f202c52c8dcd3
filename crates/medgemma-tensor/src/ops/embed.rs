//! Rows of an embedding table.

use burn::tensor::Tensor;

use crate::device::Device;
use crate::weight::Weight;

/// Looks up rows of `weight` by id.
///
/// # Shapes
/// - `weight`: `[v, d]`
/// - `ids`: t ids below v
/// - result: `[t, d]`, f32
///
/// # Panics
/// When an id is not below v: the caller checks ids where they enter.
#[must_use]
pub fn embed_rows(weight: &Weight, ids: &[u32], device: &Device) -> Tensor<2> {
    let [rows, _] = weight.dims();
    if let Some(id) = ids.iter().find(|&&id| id as usize >= rows) {
        panic!("id {id} is outside of the {rows} embedding rows");
    }
    weight.gather(ids, device)
}
