//! The server, put together: ports first, then the live tables, the refresher's process, and serving until told to stop.

mod metrics;
mod signals;
mod supervisor;

use std::ffi::OsString;

use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::config::Config;
use crate::experiment::{self, Declared, Experiments, ExposureWriter, Exposures};
use crate::serve::{self, Backend, Drained, Listeners, LiveExperiments, Metrics, StartError};
use crate::store::live::{Live, Watcher, describe_metrics};
use crate::store::run::RunEvent;
use crate::store::{Store, StoreError};

pub use signals::asked_to_stop;
use supervisor::Supervisor;

/// Why a server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The ports, the admin token or the config.
    #[error(transparent)]
    Serve(#[from] StartError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The experiments.
    #[error("[[experiments]]: {0}")]
    Experiments(#[from] experiment::ConfigError),
    /// The exposure log.
    #[error(transparent)]
    Exposures(#[from] experiment::ExposuresError),
    /// The system's signals.
    #[error("signals cannot be listened to: {0}")]
    Signals(std::io::Error),
    /// Another part of the process counts already.
    #[error("this process has a metrics recorder already: one server a process")]
    Recorder,
}

/// A server that is bound but does not answer yet.
pub struct App {
    listeners: Listeners,
    backend: Backend,
    /// Dropped last: what is live stays so until the drain is over.
    _watcher: Watcher,
    /// Dropped after the drain too: what calls noted until then is written.
    _writer: ExposureWriter,
    live: Live,
    supervisor: Option<Supervisor>,
    hangups: Signal,
}

impl App {
    /// Binds the ports and starts to load the store's tables. `refresher` are the arguments that make this binary the
    /// refresher; without them none is run.
    pub async fn start(config: &Config, refresher: Option<Vec<OsString>>) -> Result<Self, AppError> {
        let configured = Experiments::new(&config.experiments)?;
        let listeners = serve::bind(&config.serve).await?;
        let counted = Metrics::default();
        counted.install().map_err(|_| AppError::Recorder)?;
        metrics::describe();
        describe_metrics();
        experiment::describe_metrics();
        let store = Store::open(&config.store)?;
        let (watcher, live) = Watcher::start(store.clone(), config.serve.live())?;
        let (supervisor, refresh) = refresher.map(Supervisor::new).unzip();
        let hangups = signals::hangups().map_err(AppError::Signals)?;
        let (exposures, writer) = Exposures::new(&config.exposures)?;
        let declared = Declared::new(configured, store.clone());
        let experiments = LiveExperiments::start(declared, exposures.clone(), counted.clone());
        // Later it is only told, and tried again.
        exposures.begin()?;
        let (ready, reloader) = (watcher.ready(), watcher.reloader());
        let live_tables = live.clone();
        let backend = Backend { live: live_tables, ready, reloader, store, refresh, experiments, metrics: counted };
        Ok(Self { listeners, backend, _watcher: watcher, _writer: writer, live, supervisor, hangups })
    }

    /// Where it will answer, as bound: HTTP, gRPC, admin.
    pub fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// What it answers from.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What the refresher does, and each change; `None` where none is run.
    pub fn refreshes(&self) -> Option<watch::Receiver<RunEvent>> {
        self.backend.refresh.as_ref().map(|refresh| refresh.events.clone())
    }

    /// Serves until `stop`, then drains; the refresher is ended at once. SIGHUP reloads.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<Drained, AppError> {
        let (reloader, experiments) = (self.backend.reloader.clone(), self.backend.experiments.clone());
        let reloading = tokio::spawn(signals::reload_on_hangup(self.hangups, reloader, experiments));
        let refreshing = self.supervisor.map(|supervisor| tokio::spawn(supervisor.run()));
        let stop = async {
            stop.await;
            if let Some(refreshing) = &refreshing {
                refreshing.abort();
            }
        };
        let drained = serve::run(self.listeners, self.backend, stop).await?;
        reloading.abort();
        Ok(drained)
    }
}
