//! The same, composed of candle's operations: for devices whose memory this process cannot walk through.

use candle_core::{D, Result, Tensor};
use candle_nn::ops::sigmoid;

pub(super) fn gated(both: &Tensor) -> Result<Tensor> {
    let (gate, up) = halves(both)?;
    gate.silu()? * up
}

pub(super) fn gated_back(gradient: &Tensor, both: &Tensor) -> Result<Tensor> {
    let (gate, up) = halves(both)?;
    let open = sigmoid(&gate)?;
    let to_up = ((gradient * &gate)? * &open)?;
    let slope = ((&open * &gate)? * open.affine(-1.0, 1.0)?)?;
    let to_gate = ((gradient * up)? * (open + slope)?)?;
    Tensor::cat(&[to_gate, to_up], D::Minus1)
}

pub(super) fn softmax_back(gradient: &Tensor, shares: &Tensor) -> Result<Tensor> {
    let mean = (gradient * shares)?.sum_keepdim(D::Minus1)?;
    shares * gradient.broadcast_sub(&mean)?
}

pub(super) fn rms_back(gradient: &Tensor, x: &Tensor, weight: &Tensor, epsilon: f32, more: &Tensor) -> Result<Tensor> {
    let squares = x.sqr()?.mean_keepdim(D::Minus1)?;
    let scale = (squares + f64::from(epsilon))?.sqrt()?.recip()?;
    let weighted = gradient.broadcast_mul(weight)?;
    let along = (&weighted * x)?.mean_keepdim(D::Minus1)?;
    let pull = (along * scale.sqr()?)?;
    more + (weighted - x.broadcast_mul(&pull)?)?.broadcast_mul(&scale)?
}

/// Rows that hold two things side by side.
fn halves(both: &Tensor) -> Result<(Tensor, Tensor)> {
    let width = both.dim(D::Minus1)? / 2;
    let half = |from| both.narrow(D::Minus1, from, width)?.contiguous();
    Ok((half(0)?, half(width)?))
}
