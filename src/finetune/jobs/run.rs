//! One run: uploads, the order, the watch. Each thing that is known is noted before the next is done.

use super::config::Config;
use super::note::{NOTE_FILE, Note};
use super::{Ordering, Tell, Told, gone, line, plain};
use crate::finetune::error::FinetuneError;
use crate::inference::openai::{Job, JobError, JobStatus, Jobs, Order};

/// The job that a note does not tell of, where one was made.
pub(super) async fn made(note: &Note, jobs: &Jobs) -> Result<Option<Job>, FinetuneError> {
    match note.sought() {
        Some(training_file) => Ok(jobs.find(training_file).await?),
        None => Ok(None),
    }
}

/// A run in progress.
pub(super) struct Run<'r> {
    pub(super) by: &'r Ordering<'r>,
    pub(super) note: Note,
    pub(super) jobs: Jobs,
}

impl Run<'_> {
    /// Uploads what is not uploaded yet and has a job made, or finds the one that was.
    pub(super) async fn ordered(&mut self, told: Tell<'_>) -> Result<Job, FinetuneError> {
        let Config { epochs, suffix, batch_size, learning_rate_multiplier, .. } = self.by.config.clone();
        if !self.note.ordered {
            self.by.price(&mut self.note)?;
        }
        let Note { tokens, cost, .. } = self.note;
        let price = if cost > 0.0 { format!(" for about {cost:.2}") } else { String::new() };
        told(Told::Says(&format!("about {tokens} tokens are to be trained in {epochs} epochs{price}")));
        let training_file = self.uploaded("train", |note| &mut note.training_file).await?;
        let validation_file = self.uploaded("validation", |note| &mut note.validation_file).await?;
        let job = match made(&self.note, &self.jobs).await? {
            Some(job) => job,
            None => {
                self.by.price(&mut self.note)?;
                self.note.ordered = true;
                self.note.write(self.by.dir)?;
                let (model, seed) = (self.note.base.clone(), self.by.seed);
                let order = Order {
                    model,
                    suffix,
                    training_file,
                    validation_file,
                    epochs,
                    batch_size,
                    learning_rate_multiplier,
                    seed,
                };
                self.jobs.create(&order).await?
            }
        };
        self.note.job = Some(job.clone());
        self.note.write(self.by.dir)?;
        told(Told::Says(&format!("the job is {} at {}", job.id, self.note.url)));
        Ok(job)
    }

    async fn uploaded(
        &mut self,
        split: &str,
        place: impl Fn(&mut Note) -> &mut Option<String>,
    ) -> Result<String, FinetuneError> {
        if let Some(id) = place(&mut self.note).clone() {
            return Ok(id);
        }
        let id = self.jobs.upload(&self.by.files.join(format!("{split}.jsonl"))).await?;
        *place(&mut self.note) = Some(id.clone());
        self.note.write(self.by.dir)?;
        Ok(id)
    }

    /// The job, once nothing more comes of it.
    pub(super) async fn follow(&mut self, mut job: Job, told: Tell<'_>) -> Result<Job, FinetuneError> {
        let mut status = None;
        loop {
            if self.note.job.as_ref().is_some_and(|noted| noted.status.is_over()) {
                return Ok(job);
            }
            job = self.jobs.job(&job.id).await.map_err(|error| gone(self.by.dir, &job.id, error))?;
            if status.as_ref() != Some(&job.status) {
                told(Told::Says(&format!("{} is {}", job.id, job.status)));
                status = Some(job.status.clone());
            }
            self.events(&job.id, told).await?;
            self.note.job = Some(job.clone());
            self.note.write(self.by.dir)?;
            if !job.status.is_over() {
                tokio::time::sleep(self.by.config.poll).await;
            }
        }
    }

    async fn events(&mut self, id: &str, told: Tell<'_>) -> Result<(), FinetuneError> {
        let seen = self.note.events.last().map(|event| event.id.clone());
        let events = match self.jobs.events(id, seen.as_deref()).await {
            Ok(events) => events,
            // Not every server has them.
            Err(JobError::Gone(_)) => Vec::new(),
            Err(error) => return Err(gone(self.by.dir, id, error)),
        };
        for event in &events {
            match event.step() {
                Some(step) => told(Told::Step(step)),
                None => told(Told::Says(&line(event))),
            }
        }
        self.note.add(events);
        Ok(())
    }

    pub(super) fn ended_badly(&self, id: &str, status: &JobStatus, why: Option<String>) -> FinetuneError {
        let why = why.map_or(String::new(), |why| format!(" ({})", plain(&why)));
        let note = self.by.dir.join(NOTE_FILE);
        let problem = format!(
            "is {status}{why}: no model came of it, and none was changed; to order another one, remove {} or name \
             another --dir",
            note.display()
        );
        FinetuneError::Job { job: id.to_owned(), problem }
    }
}
