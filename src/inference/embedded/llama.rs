//! A Llama on candle's tensors: one pass over rows of tokens that may belong to many texts at once.
//!
//! Weights are kept as f32, the fastest form here for more than a few rows at a time: see `benches/README.md`. A model
//! takes four bytes a parameter.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::rope_i;

use super::error::LoadError;
use super::product::product;
use super::shape::Shape;
use super::weights::Weights;

/// The network.
pub(super) struct Llama {
    pub(super) shape: Shape,
    pub(super) embedding: Tensor,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Tensor,
    /// Vocabulary by width: scores tokens by what comes out.
    pub(super) head: Tensor,
    pub(super) cos: Tensor,
    pub(super) sin: Tensor,
}

pub(super) struct Layer {
    pub(super) attention_norm: Tensor,
    pub(super) query_key_value: Linear,
    pub(super) output: Linear,
    pub(super) inner_norm: Tensor,
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
}

/// Outputs by inputs. What takes the same input is one matrix: fewer, larger products.
pub(super) struct Linear(pub(super) Tensor);

impl Linear {
    /// Matrices, each with the number of its outputs, side by side.
    fn load(weights: &mut Weights, parts: &[(String, usize)], inputs: usize) -> std::result::Result<Self, LoadError> {
        let read = |(name, outputs): &(String, usize)| weights.matrix(name, *outputs, inputs);
        let parts = parts.iter().map(read).collect::<std::result::Result<Vec<_>, _>>()?;
        Tensor::cat(&parts, 0).map(Self).map_err(|error| weights.base.error(error))
    }

    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        product(rows, &self.0.t()?)
    }
}

/// Keys and values of one layer, by head, slot and head's width.
pub(super) struct KeyValues {
    pub(super) keys: Tensor,
    pub(super) values: Tensor,
}

/// What one pass computes.
pub(super) struct Rows {
    pub(super) tokens: Vec<u32>,
    /// How many tokens stand before each in its text.
    pub(super) positions: Vec<u32>,
    /// The slot of the first row; the others follow.
    pub(super) first: usize,
    /// Rows by slots up to the last row's: 0 where a row sees a slot, minus infinity where not.
    pub(super) mask: Vec<f32>,
}

impl Llama {
    pub(super) fn load(weights: &mut Weights) -> std::result::Result<Self, LoadError> {
        let shape = Shape::read(&weights.base)?;
        let (width, vocabulary) = (shape.width, shape.vocabulary);
        let embedding = weights.matrix("token_embd.weight", vocabulary, width)?;
        let tied = weights.base.dims("output.weight").is_none();
        let head = if tied { embedding.clone() } else { weights.matrix("output.weight", vocabulary, width)? };
        let layers =
            (0..shape.layers).map(|n| Layer::load(weights, &shape, n)).collect::<std::result::Result<_, _>>()?;
        let norm = weights.vector("output_norm.weight", width)?;
        let angles = angles(weights, &shape, embedding.device())?;
        let waves = angles.cos().and_then(|cos| Ok((cos, angles.sin()?)));
        let (cos, sin) = waves.map_err(|error| weights.base.error(error))?;
        Ok(Self { shape, embedding, layers, norm, head, cos, sin })
    }

    /// Where it lies, and computes.
    pub(super) fn device(&self) -> &Device {
        self.embedding.device()
    }

    /// Room for `slots` tokens in each layer.
    pub(super) fn room(&self, slots: usize) -> Result<Vec<KeyValues>> {
        let dims = (self.shape.kv_heads, slots, self.shape.head_width);
        let zeros = || Tensor::zeros(dims, candle_core::DType::F32, self.device());
        (0..self.shape.layers).map(|_| Ok(KeyValues { keys: zeros()?, values: zeros()? })).collect()
    }

    /// Computes rows, whose keys and values go to their slots; returns what comes out, rows by width.
    pub(super) fn forward(&self, rows: &Rows, room: &[KeyValues]) -> Result<Tensor> {
        let (count, device) = (rows.tokens.len(), self.device());
        let slots = rows.first + count;
        let positions = Tensor::from_slice(&rows.positions, count, device)?;
        let sight = Sight {
            first: rows.first,
            slots,
            cos: self.cos.index_select(&positions, 0)?,
            sin: self.sin.index_select(&positions, 0)?,
            mask: Tensor::from_slice(&rows.mask, (count, slots), device)?,
        };
        let tokens = Tensor::from_slice(&rows.tokens, count, device)?;
        let mut x = self.embedding.index_select(&tokens, 0)?;
        for (layer, room) in self.layers.iter().zip(room) {
            x = (layer.attend(&x, &self.shape, room, &sight)? + x)?;
            x = (layer.think(&x, &self.shape)? + x)?;
        }
        rms_norm(&x, &self.norm, self.shape.epsilon)
    }
}

/// How many radians each pair of a head's numbers is turned at each position.
fn angles(weights: &mut Weights, shape: &Shape, device: &Device) -> std::result::Result<Tensor, LoadError> {
    let half = shape.head_width / 2;
    let exponent = |pair: usize| -2.0 * pair as f32 / shape.head_width as f32;
    let turns: Vec<f32> = (0..half).map(|pair| shape.rope_base.powf(exponent(pair))).collect();
    let positions: Vec<f32> = (0..shape.context).map(|position| position as f32).collect();
    let factors = match weights.base.dims("rope_freqs.weight") {
        Some(_) => Some(weights.vector("rope_freqs.weight", half)?),
        None => None,
    };
    let product = || {
        let turns = Tensor::from_vec(turns, (1, half), device)?;
        let turns = factors.map_or(Ok(turns.clone()), |factors| turns.broadcast_div(&factors))?;
        product(&Tensor::from_vec(positions, (shape.context, 1), device)?, &turns)
    };
    product().map_err(|error| weights.base.error(error))
}

/// What the rows of one pass see, the same in every layer.
struct Sight {
    first: usize,
    slots: usize,
    cos: Tensor,
    sin: Tensor,
    mask: Tensor,
}

impl Layer {
    fn load(weights: &mut Weights, shape: &Shape, n: usize) -> std::result::Result<Self, LoadError> {
        let name = |part: &str| format!("blk.{n}.{part}.weight");
        let (width, inner, narrow) = (shape.width, shape.inner, shape.kv_heads * shape.head_width);
        let query_key_value = [(name("attn_q"), width), (name("attn_k"), narrow), (name("attn_v"), narrow)];
        Ok(Self {
            attention_norm: weights.vector(&name("attn_norm"), width)?,
            query_key_value: Linear::load(weights, &query_key_value, width)?,
            output: Linear::load(weights, &[(name("attn_output"), width)], width)?,
            inner_norm: weights.vector(&name("ffn_norm"), width)?,
            gate_up: Linear::load(weights, &[(name("ffn_gate"), inner), (name("ffn_up"), inner)], width)?,
            down: Linear::load(weights, &[(name("ffn_down"), width)], inner)?,
        })
    }

    fn attend(&self, x: &Tensor, shape: &Shape, room: &KeyValues, sight: &Sight) -> Result<Tensor> {
        let x = rms_norm(x, &self.attention_norm, shape.epsilon)?;
        let count = x.dim(0)?;
        let (kv, head) = (shape.kv_heads, shape.head_width);
        // Heads of neighbouring numbers share a head of keys: (kv heads, rows of all its heads, head's width).
        let all = self.query_key_value.forward(&x)?;
        let query = by_head(&all.narrow(1, 0, shape.width)?, shape.heads, head)?;
        let key = by_head(&all.narrow(1, shape.width, kv * head)?, kv, head)?;
        let value = by_head(&all.narrow(1, shape.width + kv * head, kv * head)?, kv, head)?;
        let query = (turned(&query, sight)? * (1.0 / (head as f64).sqrt()))?;
        let query = query.reshape((kv, shape.heads / kv * count, head))?;
        room.keys.slice_set(&turned(&key, sight)?, 1, sight.first)?;
        room.values.slice_set(&value, 1, sight.first)?;
        let keys = room.keys.narrow(1, 0, sight.slots)?;
        let scores = product(&query, &keys.transpose(1, 2)?)?;
        let scores = scores.reshape((shape.heads, count, sight.slots))?.broadcast_add(&sight.mask)?;
        let shares = softmax_last_dim(&scores)?.reshape((kv, shape.heads / kv * count, sight.slots))?;
        let seen = product(&shares, &room.values.narrow(1, 0, sight.slots)?)?;
        let seen = seen.reshape((shape.heads, count, head))?.transpose(0, 1)?.reshape((count, shape.width))?;
        self.output.forward(&seen)
    }

    fn think(&self, x: &Tensor, shape: &Shape) -> Result<Tensor> {
        let x = rms_norm(x, &self.inner_norm, shape.epsilon)?;
        let both = self.gate_up.forward(&x)?;
        let (gate, up) = (both.narrow(1, 0, shape.inner)?, both.narrow(1, shape.inner, shape.inner)?);
        // Only what lies in one piece is computed by several threads.
        self.down.forward(&(silu(&gate.contiguous()?)? * up)?)
    }
}

/// Rows by width to heads by rows by the head's width.
pub(super) fn by_head(rows: &Tensor, heads: usize, head: usize) -> Result<Tensor> {
    rows.reshape((rows.dim(0)?, heads, head))?.transpose(0, 1)?.contiguous()
}

/// Heads turned by the positions of their rows.
fn turned(heads: &Tensor, sight: &Sight) -> Result<Tensor> {
    rope_i(&heads.unsqueeze(0)?, &sight.cos, &sight.sin)?.squeeze(0)
}

/// Scores of each row for each of the tokens whose rows of the head are given.
pub(super) fn scores(out: &Tensor, head: &Tensor) -> Result<Vec<Vec<f32>>> {
    debug_assert_eq!(out.dim(D::Minus1)?, head.dim(D::Minus1)?);
    product(out, &head.t()?)?.to_vec2()
}
