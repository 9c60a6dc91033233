//! From samples to a tuned model, by an endpoint's fine-tuning job.
//!
//! A run is its directory's `job.json`: a job that was paid for is followed, whatever ended the process before, and no
//! second one is made for the same samples and settings.

mod config;
mod note;
mod run;

use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

pub use config::Config;
pub use note::Note;

use super::error::FinetuneError;
use super::samples::{Chat, Samples};
use super::standing::hold;
use super::training::Training;
use crate::inference::openai::{self, Job, JobError, JobEvent, JobStatus, JobStep, Jobs};
use crate::inference::tokens;
use note::NOTE_FILE;
use run::{Run, made};

/// How an endpoint trained a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordered {
    /// The settings.
    pub config: Config,
    /// The endpoint.
    pub url: String,
    /// The job's name there.
    pub job: String,
    /// The tuned model's.
    pub model: String,
    /// Tokens that were paid for, where it is told.
    pub trained_tokens: Option<u64>,
    /// Their price, or what was estimated.
    pub cost: f64,
    /// How the loss fell.
    pub curve: Vec<JobStep>,
}

/// What is to be tuned, where, and with what.
pub struct Ordering<'o> {
    /// What is learnt from.
    pub samples: &'o Samples,
    /// The directory that they were read from.
    pub files: &'o Path,
    /// The endpoint.
    pub endpoint: &'o openai::Config,
    /// The settings.
    pub config: &'o Config,
    /// Makes the job repeatable, as far as the endpoint can.
    pub seed: u64,
    /// The run's directory.
    pub dir: &'o Path,
}

/// What a run tells as it goes on.
pub enum Told<'t> {
    /// A line for people.
    Says(&'t str),
    /// What a step came to.
    Step(JobStep),
}

type Tell<'t> = &'t mut (dyn FnMut(Told<'_>) + Send);

/// Orders the job, unless one is noted in the directory, and follows it to its end. The future can be dropped at any
/// moment: the next call goes on where it was.
pub async fn order(by: &Ordering<'_>, told: Tell<'_>) -> Result<Training<Ordered>, FinetuneError> {
    let _held = hold(by.dir)?;
    let mut run = Run { by, note: by.note()?, jobs: Jobs::new(&by.endpoint())? };
    let job = match run.note.job.clone() {
        Some(job) => job,
        None => run.ordered(told).await?,
    };
    let job = run.follow(job, told).await?;
    let Some(model) = job.fine_tuned_model.filter(|_| job.status == JobStatus::Succeeded) else {
        return Err(run.ended_badly(&job.id, &job.status, job.error.and_then(|error| error.message)));
    };
    let cost = job.trained_tokens.map_or(run.note.cost, |tokens| tokens as f64 * by.config.price / 1e6);
    let Note { url, base, curve, .. } = run.note;
    let (job, trained_tokens) = (job.id, job.trained_tokens);
    let how = Ordered { config: by.config.clone(), url, job, model, trained_tokens, cost, curve };
    let training = Training::of(by.samples, base, how);
    training.write(by.dir)?;
    Ok(training)
}

/// Ends the job that is noted in `dir`, or that was made of its training file where the note of it was lost.
pub async fn cancel(dir: &Path, endpoint: &openai::Config) -> Result<Job, FinetuneError> {
    let (mut note, jobs, id) = known(dir, endpoint).await?;
    let job = jobs.cancel(&id).await.map_err(|error| gone(dir, &id, error))?;
    // A run that follows it notes it by itself.
    if let Ok(_held) = hold(dir) {
        note.job = Some(job.clone());
        note.write(dir)?;
    }
    Ok(job)
}

/// The same job as the endpoint tells of it now.
pub async fn look(dir: &Path, endpoint: &openai::Config) -> Result<Job, FinetuneError> {
    // Whoever looks does not wait: there is what is noted.
    let once = openai::Config { retries: 0, ..endpoint.clone() };
    let (_, jobs, id) = known(dir, &once).await?;
    jobs.job(&id).await.map_err(|error| gone(dir, &id, error))
}

/// The job of a run's directory, with its note and who is to be asked about it.
async fn known(dir: &Path, endpoint: &openai::Config) -> Result<(Note, Jobs, String), FinetuneError> {
    let path = dir.join(NOTE_FILE);
    let none = |what: &str| FinetuneError::Endpoint(format!("{} {what}", path.display()));
    let note = Note::read(dir)?.ok_or_else(|| none("is missing: no job was ordered there"))?;
    let jobs = asking(&note, endpoint)?;
    let id = match &note.job {
        Some(job) => Some(job.id.clone()),
        None => made(&note, &jobs).await?.map(|job| job.id),
    };
    let id = id.ok_or_else(|| none("notes no job, and the endpoint knows none of its training file"))?;
    Ok((note, jobs, id))
}

/// The endpoint at which a job was ordered, whatever the config says by now of another.
fn asking(note: &Note, endpoint: &openai::Config) -> Result<Jobs, FinetuneError> {
    Ok(Jobs::new(&openai::Config { url: note.url.clone(), model: note.base.clone(), ..endpoint.clone() })?)
}

fn gone(dir: &Path, id: &str, error: JobError) -> FinetuneError {
    let problem = match error {
        JobError::Gone(problem) => format!(
            "is not known there any more, or to this key ({problem}); to order another one, remove {} or name another --dir",
            dir.join(NOTE_FILE).display()
        ),
        JobError::Failed(problem) => format!("cannot be asked about: {problem}"),
    };
    FinetuneError::Job { job: id.to_owned(), problem }
}

impl Ordering<'_> {
    fn endpoint(&self) -> openai::Config {
        openai::Config { model: self.config.model.clone(), ..self.endpoint.clone() }
    }

    /// What is noted of this run, or the beginning of it: the cap is looked at before anything is sent.
    fn note(&self) -> Result<Note, FinetuneError> {
        let model = &self.config.model;
        if model.is_empty() {
            let remedy = "name the base model that the endpoint is to tune";
            return Err(FinetuneError::Config { field: "openai.model", value: "\"\"".into(), remedy });
        }
        let run = self.run();
        if let Some(note) = Note::read(self.dir)? {
            let path = self.dir.join(NOTE_FILE);
            let problem =
                "it notes a job of other samples, settings or another endpoint: name another --dir, or remove it";
            return if note.run == run {
                Ok(note)
            } else {
                Err(FinetuneError::Samples { path, problem: problem.into() })
            };
        }
        let mut note = Note { run, url: self.endpoint.url.clone(), base: model.clone(), ..Note::default() };
        self.price(&mut note)?;
        Ok(note)
    }

    /// What a job costs by now; refused above the cap. To be called before one is ordered.
    fn price(&self, note: &mut Note) -> Result<(), FinetuneError> {
        let Config { epochs, price, max_cost, .. } = self.config;
        let tokens = self.samples.train.iter().map(length).sum::<u64>() * u64::from(*epochs);
        let cost = tokens as f64 * price / 1e6;
        if let Some(cap) = max_cost.filter(|&cap| cost > cap) {
            return Err(FinetuneError::Endpoint(format!(
                "a job of about {tokens} tokens in {epochs} epochs would cost about {cost:.4}, and [finetune.openai] \
                 max_cost is {cap}: nothing was ordered; raise it, or lower epochs or [finetune] samples"
            )));
        }
        (note.tokens, note.cost) = (tokens, cost);
        Ok(())
    }

    /// Names all that decides what comes out.
    fn run(&self) -> String {
        let Config { model, suffix, epochs, batch_size, learning_rate_multiplier, .. } = self.config;
        let decided = (&self.endpoint.url, model, suffix, epochs, batch_size, learning_rate_multiplier);
        let mut hasher = Xxh3::new();
        hasher.update(format!("{decided:?} {} {}", self.samples.xxh3, self.seed).as_bytes());
        format!("{:032x}", hasher.digest128())
    }
}

/// A guess at a sample's tokens: a turn of a chat has marks around it.
fn length(chat: &Chat) -> u64 {
    chat.prompt.iter().map(|turn| tokens(&turn.content) + 4).sum::<u64>() + tokens(&chat.answer) + 4
}

/// An event for people.
pub fn line(event: &JobEvent) -> String {
    plain(&event.message)
}

/// On one line, and no longer than that.
fn plain(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
