//! What the system tells the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::serve::LiveExperiments;
use crate::store::live::Reloader;

/// Ends with the first SIGTERM or SIGINT. A second one ends the process at once: who asks twice will not wait.
pub fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    // Listened for from here on, not from the first poll.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
            _ = interrupt.recv() => tracing::info!("interrupted: draining"),
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
    })
}

/// SIGHUPs from now on; before, they end the process.
pub(super) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Looks at the store with every SIGHUP.
pub(super) async fn reload_on_hangup(mut hangups: Signal, reloader: Reloader, experiments: LiveExperiments) {
    while hangups.recv().await.is_some() {
        let mut refused = reloader.reload().await.refused;
        refused.extend(experiments.reload().await);
        match refused.as_slice() {
            [] => tracing::info!("SIGHUP: the store was read, and all it points at is live"),
            refused => tracing::error!("SIGHUP: refused {}", refused.join("; ")),
        }
    }
}
