//! Tensors with what is said of them as GGUF files, written whole or not at all.

use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::TuneError;
use crate::files;

/// An adapter in the form that llama.cpp loads.
pub(super) fn adapter(names: &[String], tensors: &[Tensor], alpha: f32) -> candle_core::Result<Vec<u8>> {
    let text = |text: &str| Value::String(text.into());
    let metadata = [
        ("general.architecture", text("llama")),
        ("general.type", text("adapter")),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(alpha)),
    ];
    let named = names.iter().map(String::as_str).zip(tensors);
    bytes(&metadata, named.map(|(name, tensor)| (name.to_owned(), tensor.clone())))
}

/// A GGUF file's bytes.
pub(super) fn bytes(
    metadata: &[(&str, Value)],
    tensors: impl Iterator<Item = (String, Tensor)>,
) -> candle_core::Result<Vec<u8>> {
    let tensors =
        tensors.map(|(name, tensor)| Ok((name, QTensor::quantize(&tensor.to_device(&Device::Cpu)?, GgmlDType::F32)?)));
    let tensors = tensors.collect::<candle_core::Result<Vec<_>>>()?;
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let mut bytes = Cursor::new(Vec::new());
    write(&mut bytes, &metadata, &tensors)?;
    Ok(bytes.into_inner())
}

/// Puts a file in place, whole or not at all.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), TuneError> {
    files::put(path, bytes).map_err(|error| TuneError::Write { path: path.to_owned(), problem: error.to_string() })
}
