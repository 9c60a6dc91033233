//! A model's matrices, with an adapter's changes worked in.

use std::collections::BTreeSet;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::device::device;
use super::error::LoadError;
use super::gguf::Gguf;
use super::product::product;

/// The tensors of a file, and what a LoRA adapter adds to them.
pub(super) struct Weights {
    pub(super) base: Gguf,
    adapter: Option<Adapter>,
}

impl Weights {
    pub(super) fn open(model: &Path, adapter: Option<&Path>) -> Result<Self, LoadError> {
        let device = device()?;
        let base = Gguf::open(model, &device)?;
        let adapter = adapter.map(|path| Adapter::open(path, &base, &device)).transpose()?;
        Ok(Self { base, adapter })
    }

    /// A vector of f32.
    pub(super) fn vector(&mut self, name: &str, len: usize) -> Result<Tensor, LoadError> {
        self.base.tensor(name, &[len])
    }

    /// A matrix of `rows` outputs by `columns` inputs, the adapter's share added.
    pub(super) fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<Tensor, LoadError> {
        let base = self.base.tensor(name, &[rows, columns])?;
        match self.adapter.as_mut().map(|adapter| adapter.delta(name, rows, columns)).transpose()?.flatten() {
            None => Ok(base),
            Some(delta) => (base + delta).map_err(|error| self.base.error(format!("{name}: {error}"))),
        }
    }

    /// Once everything is read: an adapter must not hold more than was used.
    pub(super) fn finish(self) -> Result<(), LoadError> {
        self.adapter.map_or(Ok(()), Adapter::finish)
    }
}

/// A LoRA adapter in llama.cpp's form: for a matrix `W`, `W + alpha / r * B A`.
struct Adapter {
    gguf: Gguf,
    alpha: f32,
    unused: BTreeSet<String>,
}

impl Adapter {
    fn open(path: &Path, base: &Gguf, device: &Device) -> Result<Self, LoadError> {
        let gguf = Gguf::open(path, device)?;
        if gguf.text("general.type")? != "adapter" || gguf.text("adapter.type")? != "lora" {
            return Err(gguf.error("is no LoRA adapter: general.type must be `adapter`, adapter.type `lora`"));
        }
        let (own, theirs) = (gguf.text("general.architecture")?, base.text("general.architecture")?);
        if own != theirs {
            return Err(gguf.error(format!("adapts a model of `{own}`, and this one is `{theirs}`")));
        }
        let unused = gguf.tensors().map(str::to_owned).collect();
        let alpha = gguf.real("adapter.lora.alpha")?;
        Ok(Self { gguf, alpha, unused })
    }

    /// What is added to a matrix, where anything is.
    fn delta(&mut self, name: &str, rows: usize, columns: usize) -> Result<Option<Tensor>, LoadError> {
        let (down, up) = (format!("{name}.lora_a"), format!("{name}.lora_b"));
        let Some(&[rank, _]) = self.gguf.dims(&down) else { return Ok(None) };
        let a = self.gguf.tensor(&down, &[rank, columns])?;
        let b = self.gguf.tensor(&up, &[rows, rank])?;
        self.unused.remove(&down);
        self.unused.remove(&up);
        // llama.cpp reads an alpha of 0 as a scale of 1.
        let scale = if self.alpha == 0.0 { 1.0 } else { f64::from(self.alpha) / rank as f64 };
        let delta = product(&b, &a).and_then(|product| product * scale);
        delta.map(Some).map_err(|error| self.gguf.error(format!("{name}: {error}")))
    }

    fn finish(self) -> Result<(), LoadError> {
        match self.unused.first() {
            None => Ok(()),
            Some(name) => Err(self.gguf.error(format!(
                "has {} tensors that change no matrix of this model, `{name}` for one: use the model it was trained on",
                self.unused.len()
            ))),
        }
    }
}
