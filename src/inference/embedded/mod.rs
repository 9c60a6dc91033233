//! A Llama-family model in this process, in pure Rust: nothing to install, nothing to call.
//!
//! What costs is tokens that are not shared, so prompts are kept as one tree of tokens and each token is computed once:
//! neighbours share their beginnings with the prompt before, several are computed in one pass, and so are the steps of
//! their answers. Choosing among names looks at the scores of a trie's branches alone.
//!
//! The file says everything: sizes, tokenizer, chat template. An adapter (LoRA, llama.cpp's form) is worked into the
//! weights when they are loaded. Threads run at the lowest priority. Supported are dense Llama models with byte-level
//! BPE; anything else is refused by name.

mod chat;
mod config;
mod device;
mod drawing;
mod engine;
mod error;
mod fetch;
mod gguf;
mod llama;
mod names;
mod product;
mod search;
mod shape;
mod threads;
mod tokens;
mod tree;
pub mod tune;
mod weights;
mod worker;

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio_stream::wrappers::ReceiverStream;

pub use config::Config;
pub use error::LoadError;
pub use fetch::FetchError;

use super::{Answer, Model, ModelError, Question};
use worker::Worker;

/// A loaded model that chooses among descriptions, or speaks freely.
pub struct Embedded {
    id: String,
    worker: Arc<Worker>,
}

impl Embedded {
    /// Loads the model that `config` names, fetching the default one where it is not cached yet; blocks meanwhile.
    /// `descriptions` are the clusters' in order of id: ties go to the earlier. Takes four bytes of memory a parameter.
    pub fn load(config: &Config, descriptions: Vec<String>) -> Result<Self, LoadError> {
        let model = config.model()?;
        let mut id = format!("gguf:{}", model.sha256);
        if let Some(adapter) = &config.adapter {
            let sha256 = fetch::sha256(adapter).map_err(|error| LoadError::file(adapter, error))?;
            id += &format!("+lora:{sha256}");
        }
        let worker = Worker::start(config, model.path, descriptions)?;
        Ok(Self { id, worker: Arc::new(worker) })
    }
}

impl Model for Embedded {
    fn id(&self) -> &str {
        &self.id
    }

    fn ask(&self, questions: BoxStream<'static, Question>) -> BoxStream<'static, Result<Answer, ModelError>> {
        ReceiverStream::new(Arc::clone(&self.worker).ask(questions)).boxed()
    }
}
