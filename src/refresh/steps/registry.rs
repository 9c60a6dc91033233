//! Which model is asked: the config's, or the newest approved one of the store's.

use crate::ids::ModelId;
use crate::inference::{self, Backend, Model};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::Cycle;
use crate::store::models::{ModelManifest, Weights};

/// Who is asked.
pub(super) struct Asked {
    /// The config, with the model put in.
    pub(super) config: inference::Config,
    /// The store's model, where the config leaves it to the store.
    pub(super) registered: Option<ModelManifest>,
}

/// Who is asked; `None` where the store has no approved model yet, so that successors predict alone.
pub(super) fn asked(cycle: &Cycle<'_>) -> Result<Option<Asked>, RefreshError> {
    let config = cycle.settings.inference.clone();
    if !config.asks_registry() {
        return Ok(Some(Asked { config, registered: None }));
    }
    let Some(model) = cycle.store.current_model()? else {
        tracing::warn!("no model is approved yet (`segue models list`): successors predict alone");
        return Ok(None);
    };
    let manifest = cycle.store.model(model)?;
    let config = put_in(cycle, config, &manifest)?;
    Ok(Some(Asked { config, registered: Some(manifest) }))
}

fn put_in(
    cycle: &Cycle<'_>,
    mut config: inference::Config,
    manifest: &ModelManifest,
) -> Result<inference::Config, RefreshError> {
    let backend = config.backend.name();
    match (&manifest.weights, config.backend) {
        (Weights::Remote { model }, Backend::OpenAi | Backend::OpenAiBatch) => config.openai.model.clone_from(model),
        #[cfg(feature = "embedded")]
        (Weights::Adapter { .. }, Backend::Embedded) => config.embedded.adapter = cycle.store.adapter(manifest)?,
        // A build without it says so when it comes to the model.
        #[cfg(not(feature = "embedded"))]
        (Weights::Adapter { .. }, Backend::Embedded) => drop(cycle.store.adapter(manifest)?),
        (Weights::Remote { .. }, _) => {
            let problem = format!("which an endpoint knows, and inference.backend = \"{backend}\" asks none");
            return Err(refused(manifest.model, problem + ": use \"openai\" or \"openai-batch\""));
        }
        (Weights::Adapter { .. }, _) => {
            let problem = format!("an adapter, and inference.backend = \"{backend}\" takes none: use \"embedded\"");
            return Err(refused(manifest.model, problem));
        }
    }
    Ok(config)
}

/// Refuses an adapter of another base model than the one that was loaded.
pub(super) fn check(registered: Option<&ModelManifest>, loaded: &dyn Model) -> Result<(), RefreshError> {
    let Some(manifest) = registered else { return Ok(()) };
    let Weights::Adapter { base, .. } = &manifest.weights else { return Ok(()) };
    if loaded.id().starts_with(base.as_str()) {
        return Ok(());
    }
    let problem = format!("an adapter of {base}, and [inference.embedded] model is {}", loaded.id());
    Err(refused(manifest.model, problem + ": name the base model that it was trained on"))
}

pub(super) fn refused(model: ModelId, problem: String) -> RefreshError {
    RefreshError::Model { model, problem }
}
