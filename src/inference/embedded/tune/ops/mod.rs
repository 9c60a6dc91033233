//! What a row of numbers turns into, and the way back: each one pass over memory, rows in parallel.
//!
//! candle's fused norms, turns and softmax have no gradient, and composed ones read and write memory once an operation.

mod composed;

use candle_core::{D, Device, Result, Storage, Tensor, bail};
use rayon::prelude::*;

/// Rows that one task computes at least.
const ROWS: usize = 8;

/// Rows of `width`, each computed from the rows of the same number in `inputs`, which lie in one piece.
fn by_row<const N: usize>(
    inputs: [&Tensor; N],
    width: usize,
    compute: impl Fn(&mut [f32], [&[f32]; N]) + Sync,
) -> Result<Tensor> {
    let mut shape = inputs[0].dims().to_vec();
    let rows = shape[..shape.len() - 1].iter().product::<usize>();
    shape.pop();
    shape.push(width);
    let held = inputs.map(Tensor::storage_and_layout);
    let mut slices: [(&[f32], usize); N] = [(&[], 0); N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&held) {
        let (Storage::Cpu(storage), Some((from, to))) = (&**storage, layout.contiguous_offsets()) else {
            bail!("rows must lie in one piece, in this machine's memory");
        };
        *slice = (&storage.as_slice::<f32>()?[from..to], (to - from) / rows.max(1));
    }
    let mut out = vec![0.0; rows * width];
    let tasks = out.par_chunks_mut(width).enumerate().with_min_len(ROWS);
    tasks.for_each(|(row, out)| compute(out, slices.map(|(slice, width)| &slice[row * width..][..width])));
    drop(held);
    Tensor::from_vec(out, shape, &Device::Cpu)
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// `silu(gate) * up`, of rows that hold both side by side.
pub(super) fn gated(both: &Tensor) -> Result<Tensor> {
    if !both.device().is_cpu() {
        return composed::gated(both);
    }
    by_row([both], both.dim(D::Minus1)? / 2, |out, [both]| {
        let (gate, up) = both.split_at(both.len() / 2);
        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate * sigmoid(gate) * up;
        }
    })
}

/// From the gradient of [`gated`] to that of `both`.
pub(super) fn gated_back(gradient: &Tensor, both: &Tensor) -> Result<Tensor> {
    if !both.device().is_cpu() {
        return composed::gated_back(gradient, both);
    }
    by_row([gradient, both], both.dim(D::Minus1)?, |out, [gradient, both]| {
        let (gates, ups) = both.split_at(both.len() / 2);
        let (to_gate, to_up) = out.split_at_mut(both.len() / 2);
        for (n, &gradient) in gradient.iter().enumerate() {
            let (gate, up) = (gates[n], ups[n]);
            let open = sigmoid(gate);
            to_up[n] = gradient * gate * open;
            to_gate[n] = gradient * up * open * (1.0 + gate * (1.0 - open));
        }
    })
}

/// From the gradient of softmax's `shares` to that of the scores.
pub(super) fn softmax_back(gradient: &Tensor, shares: &Tensor) -> Result<Tensor> {
    if !shares.device().is_cpu() {
        return composed::softmax_back(gradient, shares);
    }
    by_row([gradient, shares], shares.dim(D::Minus1)?, |out, [gradient, shares]| {
        let mean: f32 = gradient.iter().zip(shares).map(|(gradient, share)| gradient * share).sum();
        for ((out, &gradient), &share) in out.iter_mut().zip(gradient).zip(shares) {
            *out = share * (gradient - mean);
        }
    })
}

/// From the gradient of a norm of the root mean square to that of its input `x`, with `more` added.
pub(super) fn rms_back(gradient: &Tensor, x: &Tensor, weight: &Tensor, epsilon: f32, more: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::rms_back(gradient, x, weight, epsilon, more);
    }
    let weight: Vec<f32> = weight.to_vec1()?;
    by_row([gradient, x, more], weight.len(), |out, [gradient, x, more]| {
        let squares: f32 = x.iter().map(|x| x * x).sum();
        let scale = 1.0 / (squares / x.len() as f32 + epsilon).sqrt();
        let along: f32 = gradient.iter().zip(x).zip(&weight).map(|((gradient, x), weight)| gradient * x * weight).sum();
        let pull = along * scale * scale / x.len() as f32;
        for (n, out) in out.iter_mut().enumerate() {
            *out = more[n] + scale * (gradient[n] * weight[n] - x[n] * pull);
        }
    })
}

/// The cross entropy of rows of scores, and their gradient: `wanted` has each row's tokens, every one of which weighs
/// `weight`.
pub(super) fn entropy(scores: &Tensor, wanted: &[Vec<u32>], weight: f32) -> Result<(f64, Tensor)> {
    let width = scores.dim(D::Minus1)?;
    let mut rows: Vec<f32> = scores.flatten_all()?.to_vec1()?;
    let losses = rows.par_chunks_mut(width).zip(wanted).map(|(row, wanted)| {
        let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let said: f64 = wanted.iter().map(|&token| f64::from(row[token as usize] - highest)).sum();
        let mut sum = 0.0_f64;
        for score in row.iter_mut() {
            *score = (*score - highest).exp();
            sum += f64::from(*score);
        }
        let share = weight * wanted.len() as f32 / sum as f32;
        row.iter_mut().for_each(|score| *score *= share);
        wanted.iter().for_each(|&token| row[token as usize] -= weight);
        wanted.len() as f64 * sum.ln() - said
    });
    // In order, so that the same rows give the same sum.
    let losses: Vec<f64> = losses.collect();
    Ok((losses.iter().sum(), Tensor::from_vec(rows, scores.shape(), scores.device())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern, 3 by 4 by `width`.
    fn rows(width: usize, seed: f32) -> Tensor {
        let numbers: Vec<f32> = (0..12 * width).map(|n| ((n as f32 + seed) * 1.7).sin() * 2.0).collect();
        Tensor::from_vec(numbers, (3, 4, width), &Device::Cpu).unwrap()
    }

    fn same(one: Result<Tensor>, other: Result<Tensor>) {
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one.dims(), other.dims());
        let apart = (one - other).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(apart < 1e-5, "{apart}");
    }

    #[test]
    fn composed_of_candles_operations_they_are_the_same() {
        let (narrow, other, wide) = (rows(10, 0.0), rows(10, 0.3), rows(20, 0.7));
        let shares = candle_nn::ops::softmax_last_dim(&other).unwrap();
        let weight = other.flatten_all().unwrap().narrow(0, 0, 10).unwrap();
        same(gated(&wide), composed::gated(&wide));
        same(gated_back(&narrow, &wide), composed::gated_back(&narrow, &wide));
        same(softmax_back(&narrow, &shares), composed::softmax_back(&narrow, &shares));
        let [kernel, composed] = [rms_back, composed::rms_back]
            .map(|of| of(&narrow, &other, &weight, 1e-5, &wide.narrow(2, 0, 10).unwrap().contiguous().unwrap()));
        same(kernel, composed);
    }
}
