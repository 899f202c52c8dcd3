//! Norms, rotary embedding and activations.

use burn::tensor::Tensor;
use medgemma_kernels as kernels;

use super::buffers::buffer;
use super::{Operand, narrow, tensor};
use crate::cpu;

/// See [`crate::ops::rms_norm`].
pub(crate) fn rms_norm<const D: usize>(
    x: &Tensor<D>,
    gain: &Tensor<1>,
    eps: f64,
) -> Option<Tensor<D>> {
    let (shape, x, gain) = (x.dims(), Operand::new(x)?, Operand::new(gain)?);
    let mut y = buffer(x.numbers().len());
    kernels::rms_norm(
        &cpu::current(),
        x.numbers(),
        gain.numbers(),
        narrow(eps),
        &mut y,
    );
    Some(tensor(y, shape))
}

/// See [`crate::ops::layer_norm`].
pub(crate) fn layer_norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    eps: f64,
) -> Option<Tensor<2>> {
    let (shape, x) = (x.dims(), Operand::new(x)?);
    let (weight, bias) = (Operand::new(weight)?, Operand::new(bias)?);
    let mut y = buffer(x.numbers().len());
    kernels::layer_norm(
        &cpu::current(),
        x.numbers(),
        weight.numbers(),
        bias.numbers(),
        narrow(eps),
        &mut y,
    );
    Some(tensor(y, shape))
}

/// See [`crate::ops::qk_norm_rope`]; `cos` and `sin` are `[t, 1, h/2]`.
pub(crate) fn qk_norm_rope(
    x: &Tensor<3>,
    gain: &Tensor<1>,
    eps: f64,
    cos: &Tensor<3>,
    sin: &Tensor<3>,
) -> Option<Tensor<3>> {
    let (shape, x, gain) = (x.dims(), Operand::new(x)?, Operand::new(gain)?);
    let (cos, sin) = (Operand::new(cos)?, Operand::new(sin)?);
    let mut y = buffer(x.numbers().len());
    kernels::qk_norm_rope(
        &cpu::current(),
        x.numbers(),
        shape[1],
        gain.numbers(),
        narrow(eps),
        cos.numbers(),
        sin.numbers(),
        &mut y,
    );
    Some(tensor(y, shape))
}

/// See [`crate::ops::gelu_tanh`].
pub(crate) fn gelu_tanh<const D: usize>(x: &Tensor<D>) -> Option<Tensor<D>> {
    let (shape, x) = (x.dims(), Operand::new(x)?);
    let mut y = buffer(x.numbers().len());
    kernels::gelu_tanh(&cpu::current(), x.numbers(), &mut y);
    Some(tensor(y, shape))
}

/// See [`crate::ops::geglu`].
pub(crate) fn geglu(gate: &Tensor<2>, up: &Tensor<2>) -> Option<Tensor<2>> {
    let (shape, gate, up) = (gate.dims(), Operand::new(gate)?, Operand::new(up)?);
    let mut y = buffer(gate.numbers().len());
    kernels::geglu(&cpu::current(), gate.numbers(), up.numbers(), &mut y);
    Some(tensor(y, shape))
}
