//! Calls about experiments, whatever the protocol.

use std::sync::PoisonError;

use super::LiveExperiments;
use crate::experiment::{Config, Listing};
use crate::serve::error::ServeError;
use crate::store::{ExperimentChange, Note};

impl LiveExperiments {
    /// All experiments, and some of their changes, as [`Declared::list`](crate::experiment::Declared::list).
    pub(in crate::serve) async fn list(&self, limit: u32, before: u64) -> Result<Listing, ServeError> {
        self.blocking(move |live| Ok(live.0.declared.list(limit, before)?)).await
    }

    /// Sets an experiment; answers when this server runs it so.
    pub(in crate::serve) async fn set(&self, config: Config, note: Note) -> Result<ExperimentChange, ServeError> {
        self.blocking(move |live| live.shown(live.0.declared.set(&config, &note)?)).await
    }

    /// Ends an experiment; answers when this server no longer runs it.
    pub(in crate::serve) async fn end(&self, name: String, note: Note) -> Result<ExperimentChange, ServeError> {
        self.blocking(move |live| live.shown(live.0.declared.end(&name, &note)?)).await
    }

    /// Lets this server do what was asked, so that the answer is true.
    fn shown(&self, change: ExperimentChange) -> Result<ExperimentChange, ServeError> {
        let troubles = self.refresh();
        let known = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner).ledger.seq();
        if known >= change.seq {
            return Ok(change);
        }
        Err(ServeError::NotRun { experiment: change.experiment, why: troubles.join("; ") })
    }

    async fn blocking<T, F>(&self, work: F) -> Result<T, ServeError>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T, ServeError> + Send + 'static,
    {
        let live = self.clone();
        tokio::task::spawn_blocking(move || work(&live)).await.map_err(|_| ServeError::Aborted)?
    }
}
