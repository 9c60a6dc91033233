//! Forwards through the network and back, by hand: candle's own tape would also compute the gradients of the frozen
//! matrices, which is half of the work again, and keep every number in between.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};
use candle_nn::ops::{rms_norm, softmax_last_dim};
use candle_nn::rotary_emb::rope_i;

use super::batch::{Batch, View};
use super::lora::{Adapted, Gradients, Lora, fused};
use super::ops::{entropy, gated, gated_back, rms_back, softmax_back};
use crate::inference::embedded::llama::{Layer, Llama, by_head};
use crate::inference::embedded::product::product;
use crate::inference::embedded::shape::Shape;

/// Rows whose scores for all tokens are in memory at a time.
const SCORED: usize = 128;

/// The frozen network with its adapted matrices.
pub(super) struct Network<'m> {
    model: &'m Llama,
    blocks: Vec<Block<'m>>,
}

struct Block<'m> {
    layer: &'m Layer,
    query_key_value: Adapted<'m>,
    output: Adapted<'m>,
    gate_up: Adapted<'m>,
    down: Adapted<'m>,
}

/// What the way back needs of a layer.
struct Kept {
    x: Tensor,
    attention_normed: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    /// One for each view.
    shares: Vec<Tensor>,
    seen: Tensor,
    middle: Tensor,
    inner_normed: Tensor,
    both: Tensor,
}

/// A batch as tensors.
struct Rows {
    cos: Tensor,
    sin: Tensor,
    views: Vec<Sight>,
}

/// Rows that look together: where they begin, how many they are, and what they see.
struct Sight {
    first: usize,
    count: usize,
    slots: Tensor,
    mask: Tensor,
}

impl<'m> Network<'m> {
    pub(super) fn new(model: &'m Llama, lora: &Lora) -> Self {
        let places: BTreeMap<&str, usize> = lora.names.iter().map(String::as_str).zip(0..).collect();
        let [qkv, output, gate_up, down] = fused(&model.shape);
        let block = |(n, layer): (usize, &'m Layer)| Block {
            layer,
            query_key_value: Adapted::new(&layer.query_key_value.0, n, &qkv, &places),
            output: Adapted::new(&layer.output.0, n, &output, &places),
            gate_up: Adapted::new(&layer.gate_up.0, n, &gate_up, &places),
            down: Adapted::new(&layer.down.0, n, &down, &places),
        };
        Self { model, blocks: model.layers.iter().enumerate().map(block).collect() }
    }

    /// The summed cross entropy of a batch's answer tokens.
    pub(super) fn loss(&self, batch: &Batch, lora: &Lora) -> Result<f64> {
        let x = self.forward(batch, &self.rows(batch)?, lora, None)?;
        Ok(self.score(batch, &x, 1.0, false)?.0)
    }

    /// The same; adds the gradients, each answer token's times `weight`.
    pub(super) fn learn(&self, batch: &Batch, lora: &Lora, weight: f32, gradients: &mut Gradients) -> Result<f64> {
        let rows = self.rows(batch)?;
        let mut kept = Vec::new();
        let x = self.forward(batch, &rows, lora, Some(&mut kept))?;
        let (loss, mut gradient) = self.score(batch, &x, weight, true)?;
        drop(x);
        for (block, kept) in self.blocks.iter().zip(kept).rev() {
            gradient = block.unthink(&gradient, &kept, &self.model.shape, lora, gradients)?;
            gradient = block.unattend(&gradient, &kept, &self.model.shape, &rows, lora, gradients)?;
        }
        Ok(loss)
    }

    fn rows(&self, batch: &Batch) -> Result<Rows> {
        let device = self.model.device();
        let positions = Tensor::from_slice(&batch.positions, batch.positions.len(), device)?;
        let view = |view: &View| {
            let (first, count) = (view.rows.start, view.rows.len());
            let slots = Tensor::from_slice(&view.slots, view.slots.len(), device)?;
            let mask = Tensor::from_slice(&view.mask, (count, view.slots.len()), device)?;
            Ok(Sight { first, count, slots, mask })
        };
        Ok(Rows {
            cos: self.model.cos.index_select(&positions, 0)?,
            sin: self.model.sin.index_select(&positions, 0)?,
            views: batch.views.iter().map(view).collect::<Result<_>>()?,
        })
    }

    fn forward(&self, batch: &Batch, rows: &Rows, lora: &Lora, mut kept: Option<&mut Vec<Kept>>) -> Result<Tensor> {
        let tokens = Tensor::from_slice(&batch.tokens, batch.tokens.len(), self.model.device())?;
        let mut x = self.model.embedding.index_select(&tokens, 0)?;
        for block in &self.blocks {
            let (out, layer) = block.forward(x, &self.model.shape, rows, lora)?;
            x = out;
            if let Some(kept) = &mut kept {
                kept.push(layer);
            }
        }
        Ok(x)
    }

    /// The loss of what came out, and the gradient of that where it is `wanted`.
    fn score(&self, batch: &Batch, x: &Tensor, weight: f32, wanted: bool) -> Result<(f64, Tensor)> {
        let (mut loss, mut to_x) = (0.0, x.zeros_like()?);
        for (asked, tokens) in batch.asked.chunks(SCORED).zip(batch.wanted.chunks(SCORED)) {
            let asked = Tensor::from_slice(asked, asked.len(), x.device())?;
            let x = x.index_select(&asked, 0)?;
            let normed = rms_norm(&x, &self.model.norm, self.model.shape.epsilon)?;
            let (lost, to_scores) = entropy(&product(&normed, &self.model.head.t()?)?, tokens, weight)?;
            loss += lost;
            if wanted {
                let to_normed = product(&to_scores, &self.model.head)?;
                let nothing = x.zeros_like()?;
                let back = rms_back(&to_normed, &x, &self.model.norm, self.model.shape.epsilon, &nothing)?;
                to_x = to_x.index_add(&asked, &back, 0)?;
            }
        }
        Ok((loss, to_x))
    }
}

impl Block<'_> {
    fn forward(&self, x: Tensor, shape: &Shape, rows: &Rows, lora: &Lora) -> Result<(Tensor, Kept)> {
        let attention_normed = rms_norm(&x, &self.layer.attention_norm, shape.epsilon)?;
        let all = self.query_key_value.forward(&attention_normed, lora)?;
        let (kv, head) = (shape.kv_heads, shape.head_width);
        let query = by_head(&all.narrow(1, 0, shape.width)?, shape.heads, head)?;
        let key = by_head(&all.narrow(1, shape.width, kv * head)?, kv, head)?;
        let value = by_head(&all.narrow(1, shape.width + kv * head, kv * head)?, kv, head)?;
        let query = (turned(&query, &rows.cos, &rows.sin)? * scale(shape))?;
        let key = turned(&key, &rows.cos, &rows.sin)?;
        let (mut shares, mut seen) = (Vec::new(), Vec::new());
        for view in &rows.views {
            let keys = key.index_select(&view.slots, 1)?;
            let scores = product(&view.of(&query, shape)?, &keys.transpose(1, 2)?)?;
            let scores = scores.reshape((shape.heads, view.count, ()))?.broadcast_add(&view.mask)?;
            let share = softmax_last_dim(&scores)?.reshape((kv, shape.heads / kv * view.count, ()))?;
            let values = value.index_select(&view.slots, 1)?;
            seen.push(product(&share, &values)?.reshape((shape.heads, view.count, head))?);
            shares.push(share);
        }
        let seen = by_row(&Tensor::cat(&seen, 1)?)?;
        let middle = (self.output.forward(&seen, lora)? + &x)?;
        let inner_normed = rms_norm(&middle, &self.layer.inner_norm, shape.epsilon)?;
        let both = self.gate_up.forward(&inner_normed, lora)?;
        let out = (self.down.forward(&gated(&both)?, lora)? + &middle)?;
        Ok((out, Kept { x, attention_normed, query, key, value, shares, seen, middle, inner_normed, both }))
    }

    /// From the gradient of a layer's output to that of its middle.
    fn unthink(
        &self,
        gradient: &Tensor,
        kept: &Kept,
        shape: &Shape,
        lora: &Lora,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let to_gated = self.down.backward(gradient, &gated(&kept.both)?, lora, gradients)?;
        let to_both = gated_back(&to_gated, &kept.both)?;
        let to_normed = self.gate_up.backward(&to_both, &kept.inner_normed, lora, gradients)?;
        rms_back(&to_normed, &kept.middle, &self.layer.inner_norm, shape.epsilon, gradient)
    }

    /// From the gradient of a layer's middle to that of its input.
    fn unattend(
        &self,
        gradient: &Tensor,
        kept: &Kept,
        shape: &Shape,
        rows: &Rows,
        lora: &Lora,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let to_seen = self.output.backward(gradient, &kept.seen, lora, gradients)?;
        let to_seen = by_head(&to_seen, shape.heads, shape.head_width)?;
        let (mut to_query, mut to_key, mut to_value) = (Vec::new(), kept.key.zeros_like()?, kept.value.zeros_like()?);
        for (view, shares) in rows.views.iter().zip(&kept.shares) {
            let (query, to_seen) = (view.of(&kept.query, shape)?, view.of(&to_seen, shape)?);
            let values = kept.value.index_select(&view.slots, 1)?;
            to_value = to_value.index_add(&view.slots, &product(&shares.transpose(1, 2)?, &to_seen)?, 1)?;
            let to_scores = softmax_back(&product(&to_seen, &values.transpose(1, 2)?)?, shares)?;
            to_key = to_key.index_add(&view.slots, &product(&to_scores.transpose(1, 2)?, &query)?, 1)?;
            let keys = kept.key.index_select(&view.slots, 1)?;
            to_query.push(product(&to_scores, &keys)?.reshape((shape.heads, view.count, shape.head_width))?);
        }
        let back_turn = rows.sin.neg()?;
        let to_query = (turned(&Tensor::cat(&to_query, 1)?, &rows.cos, &back_turn)? * scale(shape))?;
        let to_key = turned(&to_key, &rows.cos, &back_turn)?;
        let to_all = Tensor::cat(&[by_row(&to_query)?, by_row(&to_key)?, by_row(&to_value)?], 1)?;
        let to_normed = self.query_key_value.backward(&to_all, &kept.attention_normed, lora, gradients)?;
        rms_back(&to_normed, &kept.x, &self.layer.attention_norm, shape.epsilon, gradient)
    }
}

impl Sight {
    /// The view's rows of heads, as heads of keys by rows of all heads that share them.
    fn of(&self, heads: &Tensor, shape: &Shape) -> Result<Tensor> {
        let rows = heads.narrow(1, self.first, self.count)?.contiguous()?;
        rows.reshape((shape.kv_heads, shape.heads / shape.kv_heads * self.count, shape.head_width))
    }
}

fn scale(shape: &Shape) -> f64 {
    1.0 / (shape.head_width as f64).sqrt()
}

/// Heads turned by the positions of their rows; with the sine negated, turned back.
fn turned(heads: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rope_i(&heads.unsqueeze(0)?, cos, sin)?.squeeze(0)
}

/// Heads by rows by the head's width to rows by width.
fn by_row(heads: &Tensor) -> Result<Tensor> {
    let (count, rows, head) = heads.dims3()?;
    heads.transpose(0, 1)?.reshape((rows, count * head))
}
