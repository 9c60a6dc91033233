//! The adapter: for a frozen matrix `W`, `W + alpha / r * B A`, of which only `A` and `B` are learnt.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::Config;
use crate::inference::embedded::product::product;
use crate::inference::embedded::shape::Shape;

/// What is learnt: `A` (rank by inputs) and `B` (outputs by rank) of each adapted matrix, one after the other.
pub(super) struct Lora {
    pub(super) names: Vec<String>,
    pub(super) tensors: Vec<Tensor>,
    scale: f64,
}

/// Gradients of [`Lora::tensors`], in their order.
pub(super) struct Gradients(pub(super) Vec<Option<Tensor>>);

impl Gradients {
    pub(super) fn none(lora: &Lora) -> Self {
        Self(vec![None; lora.tensors.len()])
    }

    fn add(&mut self, at: usize, gradient: Tensor) -> Result<()> {
        let sum = match self.0[at].take() {
            None => gradient,
            Some(known) => (known + gradient)?,
        };
        self.0[at] = Some(sum);
        Ok(())
    }
}

/// The matrices of one layer that take the same input, and the outputs of each.
pub(super) fn fused(shape: &Shape) -> [Vec<(&'static str, usize)>; 4] {
    let narrow = shape.kv_heads * shape.head_width;
    [
        vec![("attn_q", shape.width), ("attn_k", narrow), ("attn_v", narrow)],
        vec![("attn_output", shape.width)],
        vec![("ffn_gate", shape.inner), ("ffn_up", shape.inner)],
        vec![("ffn_down", shape.width)],
    ]
}

impl Lora {
    /// `A` is drawn, `B` is 0: it begins as the model is.
    pub(super) fn new(config: &Config, shape: &Shape, device: &Device) -> Result<Self> {
        let mut chance = ChaCha8Rng::seed_from_u64(config.seed);
        let mut lora =
            Self { names: Vec::new(), tensors: Vec::new(), scale: f64::from(config.alpha) / config.rank as f64 };
        for layer in 0..shape.layers {
            for (parts, inputs) in fused(shape).into_iter().zip([shape.width, shape.width, shape.width, shape.inner]) {
                for (part, outputs) in parts.into_iter().filter(|(part, _)| config.targets.hold(part)) {
                    let edge = 1.0 / (inputs as f32).sqrt();
                    let drawn = (0..config.rank * inputs).map(|_| edge * (2.0 * chance.random::<f32>() - 1.0));
                    let a = Tensor::from_vec(drawn.collect::<Vec<_>>(), (config.rank, inputs), device)?;
                    let b = Tensor::zeros((outputs, config.rank), candle_core::DType::F32, device)?;
                    for (suffix, tensor) in [("lora_a", a), ("lora_b", b)] {
                        lora.names.push(format!("blk.{layer}.{part}.weight.{suffix}"));
                        lora.tensors.push(tensor);
                    }
                }
            }
        }
        Ok(lora)
    }
}

/// A frozen matrix, or several side by side, with what is learnt about each.
pub(super) struct Adapted<'m> {
    frozen: &'m Tensor,
    /// Outputs, and where `A` lies among the tensors: `B` follows it.
    parts: Vec<(usize, Option<usize>)>,
}

impl<'m> Adapted<'m> {
    pub(super) fn new(
        frozen: &'m Tensor,
        layer: usize,
        parts: &[(&str, usize)],
        places: &BTreeMap<&str, usize>,
    ) -> Self {
        let place = |part: &str| places.get(format!("blk.{layer}.{part}.weight.lora_a").as_str()).copied();
        Self { frozen, parts: parts.iter().map(|&(part, outputs)| (outputs, place(part))).collect() }
    }

    pub(super) fn forward(&self, x: &Tensor, lora: &Lora) -> Result<Tensor> {
        let out = product(x, &self.frozen.t()?)?;
        if self.parts.iter().all(|(_, at)| at.is_none()) {
            return Ok(out);
        }
        let delta = |&(outputs, at): &(usize, Option<usize>)| match at {
            None => Tensor::zeros((x.dim(0)?, outputs), out.dtype(), out.device()),
            Some(at) => product(&self.low(x, at, lora)?, &lora.tensors[at + 1].t()?),
        };
        let deltas = self.parts.iter().map(delta).collect::<Result<Vec<_>>>()?;
        out + if deltas.len() == 1 { deltas[0].clone() } else { Tensor::cat(&deltas, 1)? }
    }

    /// Rows by rank, scaled.
    fn low(&self, x: &Tensor, at: usize, lora: &Lora) -> Result<Tensor> {
        product(x, &lora.tensors[at].t()?)? * lora.scale
    }

    /// From the gradient of the output to that of the input `x`.
    pub(super) fn backward(
        &self,
        gradient: &Tensor,
        x: &Tensor,
        lora: &Lora,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let mut to_x = product(gradient, self.frozen)?;
        let mut first = 0;
        for &(outputs, at) in &self.parts {
            if let Some(at) = at {
                let gradient = gradient.narrow(1, first, outputs)?.contiguous()?;
                let low = (product(&gradient, &lora.tensors[at + 1])? * lora.scale)?;
                gradients.add(at, product(&low.t()?, x)?)?;
                gradients.add(at + 1, product(&gradient.t()?, &self.low(x, at, lora)?)?)?;
                to_x = (to_x + product(&low, &lora.tensors[at])?)?;
            }
            first += outputs;
        }
        Ok(to_x)
    }
}
