//! Sums of branches with the residual stream, in its own memory where nobody else reads it, and the
//! norms beside them.
//!
//! The tensors are plain burn-flex tensors, as [`is_plain`](super::is_plain) says: what is overwritten
//! must be taken by value, and a portable body would want it back.

use burn::tensor::Tensor;
use medgemma_kernels as kernels;

use super::buffers::{owned, recycle};
use super::{Operand, narrow, tensor};
use crate::cpu;

/// See [`crate::ops::add`].
pub(crate) fn add<const D: usize>(residual: Tensor<D>, x: Tensor<D>) -> Tensor<D> {
    let shape = residual.dims();
    let mut sum = owned(residual);
    kernels::add(&cpu::current(), plain(&x).numbers(), &mut sum);
    recycle(x);
    tensor(sum, shape)
}

/// See [`crate::ops::add_rms_norm`].
pub(crate) fn add_rms_norm(
    residual: Tensor<2>,
    x: Tensor<2>,
    gain: &Tensor<1>,
    eps: f64,
) -> Tensor<2> {
    let (shape, gain) = (residual.dims(), plain(gain));
    let mut sum = owned(residual);
    kernels::add_rms_norm(
        &cpu::current(),
        plain(&x).numbers(),
        gain.numbers(),
        narrow(eps),
        &mut sum,
    );
    recycle(x);
    tensor(sum, shape)
}

/// See [`crate::ops::add_rms_norms`].
pub(crate) fn add_rms_norms(
    residual: Tensor<2>,
    x: Tensor<2>,
    norms: [(&Tensor<1>, f64); 2],
) -> (Tensor<2>, Tensor<2>) {
    let shape = residual.dims();
    let gains = norms.map(|(gain, _)| plain(gain));
    let [first, second] = [0, 1].map(|at| (gains[at].numbers(), narrow(norms[at].1)));
    let (mut sum, mut x) = (owned(residual), owned(x));
    kernels::add_rms_norms(&cpu::current(), &mut x, [first, second], &mut sum);
    (tensor(sum, shape), tensor(x, shape))
}

/// See [`crate::ops::add_layer_norm`].
pub(crate) fn add_layer_norm(
    residual: Tensor<2>,
    x: Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    eps: f64,
) -> (Tensor<2>, Tensor<2>) {
    let (shape, weight, bias) = (residual.dims(), plain(weight), plain(bias));
    let (mut sum, mut x) = (owned(residual), owned(x));
    kernels::add_layer_norm(
        &cpu::current(),
        &mut x,
        weight.numbers(),
        bias.numbers(),
        narrow(eps),
        &mut sum,
    );
    (tensor(sum, shape), tensor(x, shape))
}

fn plain<const D: usize>(x: &Tensor<D>) -> Operand {
    Operand::new(x).expect("the caller has asked")
}
