//! Fine-tuning jobs of an endpoint: files up, a job made, looked at, its events read, cancelled.

use std::path::Path;

use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use super::config::Config;
use super::files::upload;
use super::http::{Failure, Http, MAX_BODY, read};
use super::job::{Job, JobEvent, JobStatus};
use super::orders::{self, MAX_PAGES, Page, checked, is_name, once};

/// An endpoint that tunes models.
pub struct Jobs(Http);

/// What a job is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The base model.
    pub model: String,
    /// Part of the tuned model's name.
    pub suffix: Option<String>,
    /// The id of an uploaded file of chats.
    pub training_file: String,
    /// The id of another.
    pub validation_file: String,
    /// How often every sample is learnt from.
    pub epochs: u32,
    /// Samples of a step; the endpoint's choice where it is `None`.
    pub batch_size: Option<u32>,
    /// A factor of the step width; the endpoint's choice where it is `None`.
    pub learning_rate_multiplier: Option<f64>,
    /// Makes it repeatable, as far as the endpoint can.
    pub seed: u64,
}

/// Why an endpoint does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The job is not known there.
    #[error("{0}")]
    Gone(String),
    /// Anything else: what happened, and what to do.
    #[error("{0}")]
    Failed(String),
}

impl From<Failure> for JobError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Absent(problem) => Self::Gone(problem),
            other => Self::Failed(other.problem()),
        }
    }
}

impl Jobs {
    /// Reads the API key from the environment; connects to nothing.
    pub fn new(config: &Config) -> Result<Self, JobError> {
        Http::new(config).map(Self).map_err(JobError::Failed)
    }

    /// Uploads a file of chats, from the disk.
    pub async fn upload(&self, path: &Path) -> Result<String, JobError> {
        let unread = |error| JobError::Failed(format!("{} cannot be read: {error}", path.display()));
        let file = std::fs::File::open(path).map_err(unread)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(checked(upload(&self.0, "fine-tune", &name, file).await?)?)
    }

    /// Makes a job. Where it cannot be told whether one was made, it is looked for before another is asked for: a
    /// training file has one job.
    pub async fn create(&self, order: &Order) -> Result<Job, JobError> {
        let body = body(order);
        let make = |client: &Client, url: &str| client.post(format!("{url}/fine_tuning/jobs")).json(&body);
        let find = || self.found(&order.training_file);
        Ok(once(&self.0, make, job, find).await?)
    }

    /// The job that learns from a file, where there is one.
    pub async fn find(&self, training_file: &str) -> Result<Option<Job>, JobError> {
        Ok(self.found(training_file).await?)
    }

    async fn found(&self, training_file: &str) -> Result<Option<Job>, Failure> {
        #[derive(Deserialize)]
        struct Learns {
            /// Jobs of other kinds may have none.
            training_file: Option<String>,
        }
        let is = |job: &Learns| job.training_file.as_deref() == Some(training_file);
        match orders::find(&self.0, "fine_tuning/jobs", is).await? {
            Some(id) => self.look(&id).await.map(Some),
            None => Ok(None),
        }
    }

    /// A job as it is now.
    pub async fn job(&self, id: &str) -> Result<Job, JobError> {
        Ok(self.look(id).await?)
    }

    async fn look(&self, id: &str) -> Result<Job, Failure> {
        let look = |client: &Client, url: &str| client.get(format!("{url}/fine_tuning/jobs/{id}"));
        job(&self.0.body(0, MAX_BODY, look).await?)
    }

    /// What happened since the event `seen`, the oldest first.
    pub async fn events(&self, id: &str, seen: Option<&str>) -> Result<Vec<JobEvent>, JobError> {
        let path = format!("fine_tuning/jobs/{id}/events");
        let (mut events, mut after): (Vec<JobEvent>, Option<String>) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            // The newest come first.
            let Page { data, has_more } = orders::page::<JobEvent>(&self.0, &path, after.as_deref()).await?;
            let fresh = data.iter().take_while(|event| Some(event.id.as_str()) != seen).count();
            let whole = fresh == data.len() && has_more;
            events.extend(data.into_iter().take(fresh));
            after = events.last().map(|event| event.id.clone()).filter(|_| whole);
            if after.is_none() {
                break;
            }
        }
        events.reverse();
        Ok(events)
    }

    /// Ends a job.
    pub async fn cancel(&self, id: &str) -> Result<Job, JobError> {
        let end = |client: &Client, url: &str| client.post(format!("{url}/fine_tuning/jobs/{id}/cancel"));
        Ok(job(&self.0.body(0, MAX_BODY, end).await?)?)
    }
}

fn body(order: &Order) -> Value {
    let mut parameters = json!({ "n_epochs": order.epochs });
    if let Some(size) = order.batch_size {
        parameters["batch_size"] = size.into();
    }
    if let Some(factor) = order.learning_rate_multiplier {
        parameters["learning_rate_multiplier"] = factor.into();
    }
    let mut body = json!({
        "model": order.model,
        "training_file": order.training_file,
        "validation_file": order.validation_file,
        "seed": order.seed,
        "method": { "type": "supervised", "supervised": { "hyperparameters": parameters } },
    });
    if let Some(suffix) = &order.suffix {
        body["suffix"] = suffix.as_str().into();
    }
    body
}

fn job(body: &[u8]) -> Result<Job, Failure> {
    let mut job: Job = read(body)?;
    job.id = checked(job.id)?;
    if job.status == JobStatus::Succeeded && job.fine_tuned_model.as_ref().is_none_or(|name| !is_name(name)) {
        return Err(Failure::Endpoint(format!(
            "the job {} succeeded, and the endpoint names no model that it made",
            job.id
        )));
    }
    Ok(job)
}
