//! Rows of an embedding table.

use burn::tensor::{DType, Int, Tensor, TensorData};

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
    let indices: Vec<i32> = ids
        .iter()
        .map(|&id| {
            assert!(
                (id as usize) < rows,
                "id {id} is outside of the {rows} embedding rows"
            );
            i32::try_from(id).expect("an embedding table has fewer than 2³¹ rows")
        })
        .collect();
    let data = TensorData::new(indices, [ids.len()]);
    weight.gather(Tensor::<1, Int>::from_data(
        data,
        (device.as_burn(), DType::I32),
    ))
}
