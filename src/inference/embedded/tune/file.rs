//! Tensors with what is said of them as GGUF files, written whole or not at all.

use std::fs::File;
use std::io::{self, Cursor, Write};
use std::path::Path;

use candle_core::Tensor;
use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};

use super::TuneError;
use crate::files::unique_path;

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
    let tensors = tensors.map(|(name, tensor)| Ok((name, QTensor::quantize(&tensor, GgmlDType::F32)?)));
    let tensors = tensors.collect::<candle_core::Result<Vec<_>>>()?;
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let mut bytes = Cursor::new(Vec::new());
    write(&mut bytes, &metadata, &tensors)?;
    Ok(bytes.into_inner())
}

/// Puts a file in place: what was there before stays until all of the new one is on the disk.
pub(super) fn put(path: &Path, bytes: &[u8]) -> Result<(), TuneError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let private = unique_path(dir, ".writing");
    let write = || -> io::Result<()> {
        let mut file = File::create(&private)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&private, path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| {
        // What stays is hidden.
        let _ = std::fs::remove_file(&private);
        TuneError::Write { path: path.to_owned(), problem: error.to_string() }
    })
}
