//! Which model the config means: the one place where back ends are made.

use std::path::Path;
use std::sync::Arc;

use super::config::{Backend, Config};
use super::error::InferenceError;
use super::model::Model;
use super::openai;
use super::vocabulary::Vocabulary;

/// The model of the config; `None` where successors predict alone. `state` is a directory for what outlives the process.
pub fn model_of(
    config: &Config,
    vocabulary: &Vocabulary,
    state: &Path,
) -> Result<Option<Arc<dyn Model>>, InferenceError> {
    let backend = config.backend.name();
    let failed = |problem| InferenceError::Backend { backend, problem };
    match config.backend {
        Backend::Retrieved => Ok(None),
        #[cfg(feature = "embedded")]
        Backend::Embedded => {
            let names = vocabulary.names().iter().map(|name| name.to_string()).collect();
            let model = super::embedded::Embedded::load(&config.embedded, names);
            Ok(Some(Arc::new(model.map_err(|error| failed(error.to_string()))?)))
        }
        #[cfg(not(feature = "embedded"))]
        Backend::Embedded => Err(failed(
            "this build has no model of its own: build it with `--features embedded`, or use \"openai\" or \"retrieved\""
                .into(),
        )),
        Backend::OpenAi => Ok(Some(Arc::new(openai::Chat::new(&config.openai, vocabulary).map_err(failed)?))),
        Backend::OpenAiBatch => {
            Ok(Some(Arc::new(openai::Batches::new(&config.openai, vocabulary, state).map_err(failed)?)))
        }
    }
}
