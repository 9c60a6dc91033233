//! The handle on the refresher: asking it for a run, ending one, watching it. Who fills it in owns the process.

use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::WatchStream;

use super::error::ServeError;
use crate::store::Note;
use crate::store::run::RunEvent;

/// What the admin API needs of the refresher's owner.
#[derive(Clone, Debug)]
pub struct RefreshControl {
    /// Where commands go. Each carries the way back for its answer.
    pub commands: mpsc::Sender<RefreshCommand>,
    /// The refresher's state. A slow watcher skips to the newest one.
    pub events: watch::Receiver<RunEvent>,
}

/// One command, to be answered with the run it is about.
#[derive(Debug)]
pub struct RefreshCommand {
    /// What is asked.
    pub action: RefreshAction,
    /// Who asks, and why.
    pub note: Note,
    /// Where the answer goes: the run's id, or why not. Dropping it means that the refresher is away.
    pub answer: oneshot::Sender<Result<String, RefreshRefusal>>,
}

/// What can be asked of the refresher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshAction {
    /// Begin a run now.
    Start,
    /// End the run that is under way.
    Cancel,
}

/// Why the refresher does not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshRefusal {
    /// One run at a time.
    UnderWay {
        /// The run that is under way.
        run: String,
    },
    /// There is nothing to cancel.
    NoneUnderWay,
    /// The refresher's process is not there now; the text says why.
    Away(String),
}

impl RefreshControl {
    pub(super) async fn ask(&self, action: RefreshAction, note: Note) -> Result<String, ServeError> {
        note.check()?;
        let (answer, answered) = oneshot::channel();
        let gone = || ServeError::RefresherGone("it has ended; the server's log says why".into());
        self.commands.send(RefreshCommand { action, note, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?.map_err(ServeError::from)
    }

    /// The state now, then each change.
    pub(super) fn watch(&self) -> WatchStream<RunEvent> {
        WatchStream::new(self.events.clone())
    }
}

impl From<RefreshRefusal> for ServeError {
    fn from(refusal: RefreshRefusal) -> Self {
        match refusal {
            RefreshRefusal::UnderWay { run } => ServeError::RefreshUnderWay { run },
            RefreshRefusal::NoneUnderWay => ServeError::NoRefreshUnderWay,
            RefreshRefusal::Away(why) => ServeError::RefresherGone(why),
        }
    }
}
