//! Products with weights: bytes of a mapped file in, activations out.

use burn::tensor::{DType, Tensor};
use burn_flex::FlexTensor;
use medgemma_kernels::{Format, Matrix, has_mlp};

use super::buffers::buffer;
use super::{Operand, primitive, tensor};
use crate::cpu;
use crate::weight::{Blocks, Storage, Weight};

/// A layer: its weight, and its bias if it has one.
pub(crate) type Layer<'a> = (&'a Weight, Option<&'a Tensor<1>>);

/// `x · Wᵀ + bias`; see [`crate::ops::linear`].
pub(crate) fn linear(
    x: &Tensor<2>,
    weight: &Weight,
    bias: Option<&Tensor<1>>,
) -> Option<Tensor<2>> {
    linear_each(x, [(weight, bias)]).map(|[y]| y)
}

/// See [`crate::ops::linear_each`].
pub(crate) fn linear_each<const N: usize>(
    x: &Tensor<2>,
    layers: [Layer<'_>; N],
) -> Option<[Tensor<2>; N]> {
    let ([t, _], x) = (x.dims(), Operand::new(x)?);
    let parts = parts(layers)?;
    let views: Vec<_> = parts.iter().map(Part::view).collect::<Option<_>>()?;
    let rows = views.iter().map(|(weight, _)| weight.rows());
    let mut ys: Vec<_> = rows.map(|rows| buffer(t * rows)).collect();
    let mut outs: Vec<_> = ys.iter_mut().map(Vec::as_mut_slice).collect();
    medgemma_kernels::linear_each(&cpu::current(), x.numbers(), &views, &mut outs);
    let ys = ys.into_iter().zip(&views);
    let tensors: Vec<_> = ys.map(|(y, view)| tensor(y, [t, view.0.rows()])).collect();
    tensors.try_into().ok()
}

/// See [`crate::ops::project`].
pub(crate) fn project(x: &Tensor<2>, weight: &Weight) -> Option<Tensor<2>> {
    let ([t, _], x) = (x.dims(), Operand::new(x)?);
    let stored = match &weight.storage {
        Storage::Float(weight) => primitive(weight)?,
        // Blocks lie along the file's rows, across the outputs: no kernel multiplies them so.
        Storage::Blocks(_) => primitive(&weight.numbers())?,
        Storage::Quantized(_) => return None,
    };
    let weight = matrix(&stored)?;
    let mut y = buffer(t * weight.cols());
    medgemma_kernels::project(&cpu::current(), x.numbers(), weight, &mut y);
    Some(tensor(y, [t, weight.cols()]))
}

/// See [`crate::ops::gated_mlp`]. `None` also where there is no faster way than its operations.
pub(crate) fn gated_mlp(
    x: &Tensor<2>,
    gate: &Weight,
    up: &Weight,
    down: &Weight,
) -> Option<Tensor<2>> {
    let [t, _] = x.dims();
    let parts = parts([(gate, None), (up, None), (down, None)])?;
    let [gate, up, down] = matrices(&parts)?;
    let cpu = cpu::current();
    if !has_mlp(&cpu, t, &[gate, up, down]) {
        return None;
    }
    let (x, mut y) = (Operand::new(x)?, buffer(t * down.rows()));
    medgemma_kernels::gated_mlp(&cpu, x.numbers(), gate, up, down, &mut y);
    Some(tensor(y, [t, down.rows()]))
}

/// See [`crate::ops::mlp`]. `None` also where there is no faster way than its operations.
pub(crate) fn mlp(x: &Tensor<2>, fc1: Layer<'_>, fc2: Layer<'_>) -> Option<Tensor<2>> {
    let [t, _] = x.dims();
    let parts = parts([fc1, fc2])?;
    let [first, second] = [parts[0].view()?, parts[1].view()?];
    let cpu = cpu::current();
    if !has_mlp(&cpu, t, &[first.0, second.0]) {
        return None;
    }
    let (x, mut y) = (Operand::new(x)?, buffer(t * second.0.rows()));
    let [first, second] = [(first.0, first.1?), (second.0, second.1?)];
    medgemma_kernels::mlp(&cpu, x.numbers(), first, second, &mut y);
    Some(tensor(y, [t, second.0.rows()]))
}

/// What a layer borrows from, as the kernels see it.
struct Part<'a> {
    weight: Stored<'a>,
    bias: Option<Operand>,
}

enum Stored<'a> {
    Float(FlexTensor),
    Blocks(&'a Blocks),
}

impl<'a> Part<'a> {
    /// `None` for weights that are not burn-flex's or ours.
    fn new((weight, bias): Layer<'a>) -> Option<Self> {
        let weight = match &weight.storage {
            Storage::Float(weight) => Stored::Float(primitive(weight)?),
            Storage::Blocks(blocks) => Stored::Blocks(blocks),
            Storage::Quantized(_) => return None,
        };
        let bias = match bias {
            Some(bias) => Some(Operand::new(bias)?),
            None => None,
        };
        Some(Self { weight, bias })
    }

    /// `None` when the numbers of a float weight do not lie row after row.
    fn view(&self) -> Option<(Matrix<'_>, Option<&[f32]>)> {
        let weight = match &self.weight {
            Stored::Float(weight) => matrix(weight)?,
            Stored::Blocks(blocks) => blocks.matrix(),
        };
        Some((weight, self.bias.as_ref().map(Operand::numbers)))
    }
}

fn parts<const N: usize>(layers: [Layer<'_>; N]) -> Option<Vec<Part<'_>>> {
    layers.into_iter().map(Part::new).collect()
}

fn matrices<'a, const N: usize>(parts: &'a [Part<'_>]) -> Option<[Matrix<'a>; N]> {
    let all: Option<Vec<_>> = parts.iter().map(|part| Some(part.view()?.0)).collect();
    all?.try_into().ok()
}

/// The bytes of a float weight; `None` when they do not lie row after row.
fn matrix(weight: &FlexTensor) -> Option<Matrix<'_>> {
    let format = match weight.dtype() {
        DType::F32 => Format::F32,
        DType::F16 => Format::F16,
        DType::BF16 => Format::Bf16,
        _ => return None,
    };
    let (start, end) = weight.layout().contiguous_offsets()?;
    let size = format.block_bytes();
    let dims = weight.layout().shape().dims::<2>();
    let bytes = &weight.bytes()[start * size..end * size];
    Some(Matrix::new(format, dims[0], dims[1], bytes))
}
