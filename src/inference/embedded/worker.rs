//! The threads that compute, apart from everyone else's and below them in priority.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use futures::executor::block_on;
use futures::future::{Either, select};
use futures::stream::BoxStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::config::Config;
use super::engine::Engine;
use super::error::LoadError;
use crate::inference::{Answer, ModelError, Question};

/// The lowest priority there is.
const NICEST: i32 = 19;
/// Answers that wait for whoever asked.
const WAITING: usize = 64;

type Told = Result<Answer, ModelError>;

/// A loaded model with its threads.
pub(super) struct Worker {
    engine: Engine,
    pool: rayon::ThreadPool,
    batch: usize,
}

impl Worker {
    /// Loads in a thread of low priority: what candle starts of its own inherits it.
    pub(super) fn start(config: &Config, model: PathBuf, names: Vec<String>) -> Result<Self, LoadError> {
        // candle's reader is not proof against every file.
        let damaged = || LoadError::file(&model, "reading it failed inside: the file is damaged");
        let load = || Engine::load(&model, config.adapter.as_deref(), names);
        let (pool, engine) = apart(config, load, damaged)?;
        Ok(Self { engine: engine?, pool, batch: config.batch.get() })
    }

    /// Answers in a thread of its own until the questions end, or nobody takes the answers.
    pub(super) fn ask(self: Arc<Self>, questions: BoxStream<'static, Question>) -> Receiver<Told> {
        let (send, answers) = channel(WAITING);
        let failed = send.clone();
        // Questions may come from something that needs its runtime, such as a timer.
        let runtime = tokio::runtime::Handle::try_current();
        let work = move || {
            step_back();
            let _runtime = runtime.as_ref().map(tokio::runtime::Handle::enter);
            if catch_unwind(AssertUnwindSafe(|| self.work(questions, &send))).is_err() {
                let _ = send.blocking_send(Err(stopped("the model failed inside: ask again, or report it")));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("segue-llm".into()).spawn(work) {
            let _ = failed.try_send(Err(stopped(&format!("the model's thread cannot be started: {error}"))));
        }
        answers
    }

    fn work(&self, questions: BoxStream<'static, Question>, send: &Sender<Told>) {
        let mut tree = self.engine.tree();
        let mut batches = questions.ready_chunks(self.batch);
        while let Some(batch) = block_on(unless_closed(batches.next(), send)) {
            let mut told = Vec::new();
            self.pool.install(|| self.engine.answer(batch, &mut tree, |answer| told.push(answer)));
            for answer in told {
                let last = matches!(&answer, Err(ModelError { question: None, .. }));
                if send.blocking_send(answer).is_err() || last {
                    return;
                }
            }
        }
    }
}

/// Works in threads of low priority, which come back with the result: what candle starts of its own inherits it.
/// `failed` says what it means when the work panics.
pub(super) fn apart<T: Send>(
    config: &Config,
    work: impl FnOnce() -> T + Send,
    failed: impl FnOnce() -> LoadError,
) -> Result<(rayon::ThreadPool, T), LoadError> {
    let begin = || {
        step_back();
        let threads = config.threads.map_or(0, NonZeroUsize::get);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("segue-llm-{n}"));
        let pool = pool.build().map_err(|error| LoadError::Threads(error.to_string()))?;
        let done = pool.install(work);
        Ok((pool, done))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("segue-llm".into()).spawn_scoped(scope, begin);
        let thread = thread.map_err(|error| LoadError::Threads(error.to_string()))?;
        thread.join().unwrap_or_else(|_| Err(failed()))
    })
}

/// `None` as soon as nobody takes answers any more, even where questions are slow to come.
async fn unless_closed<T>(next: impl Future<Output = Option<T>>, send: &Sender<Told>) -> Option<T> {
    match select(pin!(next), pin!(send.closed())).await {
        Either::Left((next, _)) => next,
        Either::Right(_) => None,
    }
}

fn stopped(problem: &str) -> ModelError {
    ModelError { question: None, problem: problem.into() }
}

/// Puts this thread, and those it starts, behind everyone else's.
fn step_back() {
    // Linux knows priorities by thread. Best effort: lowering one's own is refused nowhere.
    if let Err(error) = rustix::process::setpriority_process(None, NICEST) {
        tracing::debug!(%error, "the model's priority could not be lowered");
    }
}
