//! A GGUF file: what it says of itself, and its tensors widened to f32.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};

use super::error::LoadError;

/// An open file, of which only the head has been read.
pub(super) struct Gguf {
    path: PathBuf,
    content: Content,
    file: BufReader<File>,
    device: Device,
}

impl Gguf {
    /// Its tensors are going to lie on `device`.
    pub(super) fn open(path: &Path, device: &Device) -> Result<Self, LoadError> {
        let unreadable = |error: &dyn std::fmt::Display| {
            // candle adds a backtrace where the environment asks for one.
            let problem = error.to_string().lines().next().unwrap_or_default().to_owned();
            LoadError::file(path, problem + ": name a GGUF file that this process can read")
        };
        let mut file = BufReader::new(File::open(path).map_err(|error| unreadable(&error))?);
        let content = Content::read(&mut file).map_err(|error| unreadable(&error))?;
        Ok(Self { path: path.to_owned(), content, file, device: device.clone() })
    }

    /// An error about this file.
    pub(super) fn error(&self, problem: impl ToString) -> LoadError {
        LoadError::file(&self.path, problem)
    }

    pub(super) fn text(&self, key: &str) -> Result<&str, LoadError> {
        self.value(key)?.to_string().map(String::as_str).map_err(|error| self.error(format!("{key}: {error}")))
    }

    /// A positive whole number of any width.
    pub(super) fn count(&self, key: &str) -> Result<usize, LoadError> {
        let value = self.value(key)?;
        whole(value).ok_or_else(|| self.error(format!("{key} is {value:?}: a whole number is expected")))
    }

    pub(super) fn real(&self, key: &str) -> Result<f32, LoadError> {
        self.value(key)?.to_f32().map_err(|error| self.error(format!("{key}: {error}")))
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.content.metadata.get(key).is_some_and(|value| matches!(value, Value::Bool(true)))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.content.metadata.contains_key(key)
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, LoadError> {
        let text = |value: &Value| value.to_string().cloned();
        let read = self.value(key)?.to_vec().and_then(|values| values.iter().map(text).collect());
        read.map_err(|error| self.error(format!("{key}: {error}")))
    }

    pub(super) fn counts(&self, key: &str) -> Result<Vec<usize>, LoadError> {
        let values = self.value(key)?.to_vec().map_err(|error| self.error(format!("{key}: {error}")))?;
        let read: Option<Vec<_>> = values.iter().map(whole).collect();
        read.ok_or_else(|| self.error(format!("{key} holds something else than whole numbers")))
    }

    /// The names of all tensors.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.content.tensor_infos.keys().map(String::as_str)
    }

    /// The lengths of a tensor's dimensions, rows first.
    pub(super) fn dims(&self, name: &str) -> Option<&[usize]> {
        Some(self.content.tensor_infos.get(name)?.shape.dims())
    }

    /// A tensor of exactly these dimensions, as f32.
    pub(super) fn tensor(&mut self, name: &str, dims: &[usize]) -> Result<Tensor, LoadError> {
        match self.dims(name) {
            None => return Err(self.error(format!("has no tensor {name}: it is not a whole Llama-family model"))),
            Some(found) if found != dims => {
                return Err(self.error(format!("the tensor {name} is {found:?}, its head makes it {dims:?}")));
            }
            Some(_) => {}
        }
        let read = self.content.tensor(&mut self.file, name, &Device::Cpu);
        let widened = read.and_then(|tensor| tensor.dequantize(&Device::Cpu)?.to_device(&self.device));
        widened.map_err(|error| self.error(format!("{name}: {error}")))
    }

    fn value(&self, key: &str) -> Result<&Value, LoadError> {
        self.content.metadata.get(key).ok_or_else(|| self.error(format!("says nothing of {key}: it is incomplete")))
    }
}

fn whole(value: &Value) -> Option<usize> {
    match *value {
        Value::U8(n) => Some(n.into()),
        Value::U16(n) => Some(n.into()),
        Value::U32(n) => n.try_into().ok(),
        Value::U64(n) => n.try_into().ok(),
        Value::I8(n) => n.try_into().ok(),
        Value::I16(n) => n.try_into().ok(),
        Value::I32(n) => n.try_into().ok(),
        Value::I64(n) => n.try_into().ok(),
        _ => None,
    }
}
