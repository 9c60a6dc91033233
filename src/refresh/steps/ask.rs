//! Ask: the language model is asked for what is not known yet; its answers make the run that a table is built from.

use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use super::input::{Input, json};
use super::retrieve::{self, Retrieved};
use crate::inference::openai::{read_answers, write_questions};
use crate::inference::{Answers, Bulk, Model, Planned, Prompts, Purpose, Run, Vocabulary, model_of};
use crate::interactions::Popular;
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Exchange, Progress};

/// The store's file of kept answers.
const ANSWERS_FILE: &str = "answers.redb";

/// A model that is about to be asked.
pub(in crate::refresh) struct Asking {
    model: Arc<dyn Model>,
    prompts: Prompts,
}

/// What asking came to.
pub(in crate::refresh) enum Asked {
    Answered(Box<Answered>),
    /// So many questions were written out for someone else.
    Exported(u64),
}

/// The answers, and what was counted on the way to them.
pub(in crate::refresh) struct Answered {
    pub(in crate::refresh) run: Run,
    pub(in crate::refresh) popular: Popular,
}

impl Asking {
    /// The model of the config, told in the table's lineage; `None` where successors predict alone.
    pub(in crate::refresh) fn of(cycle: &Cycle<'_>, input: &mut Input) -> Result<Option<Self>, RefreshError> {
        let settings = cycle.settings;
        let vocabulary = Vocabulary::new(&input.taxonomy)?;
        let Some(model) = model_of(&settings.inference, &vocabulary, cycle.store.path())? else {
            return match cycle.request.exchange {
                Exchange::None => Ok(None),
                _ => Err(RefreshError::NothingToExchange),
            };
        };
        let prompts = Prompts::new(&settings.inference.prompt, vocabulary)?;
        let lineage = &mut input.lineage;
        lineage.predictor = settings.inference.backend.name().into();
        lineage.model = Some(model.id().to_owned());
        lineage.prompt_hash = Some(prompts.hash());
        lineage.settings.extend([
            ("retrieval.similarity".into(), json(&settings.retrieval.similarity)),
            ("retrieval.granularity".into(), json(&settings.retrieval.granularity)),
            ("retrieval.top".into(), settings.retrieval.top.to_string()),
            ("retrieval.window".into(), humantime::format_duration(settings.retrieval.window).to_string()),
            ("inference.keys".into(), json(&settings.inference.keys)),
            ("inference.max_keys".into(), settings.inference.max_keys.to_string()),
            ("inference.decoding".into(), json(&settings.inference.decoding)),
        ]);
        Ok(Some(Self { model, prompts }))
    }

    /// Asks for every key of the plan.
    pub(in crate::refresh) async fn all(
        mut self,
        cycle: &Cycle<'_>,
        input: &Input,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Asked, RefreshError> {
        let Retrieved { plan, popular } = retrieve::plan(cycle, input, progress).await?;
        let active: Vec<_> = popular.clusters.iter().map(|&(cluster, _)| cluster).collect();
        self.prompts.set_popular(&active);
        let answers = Answers::open(&cycle.store.path().join(ANSWERS_FILE))?;
        let config = cycle.settings.inference.clone();
        let sampled = config.decoding.sample.min(plan.len());
        let mut bulk = Bulk::new(self.model, self.prompts, answers, config);
        match &cycle.request.exchange {
            Exchange::None => ask(&mut bulk, &plan, sampled, progress).await?,
            Exchange::Import(path) => import(cycle, &bulk, path, progress)?,
            Exchange::Export(path) => return export(cycle, &bulk, input, &plan, path).map(Asked::Exported),
        }
        let run = bulk.run(&plan, sampled)?;
        let total = run.tally.planned;
        progress(Progress { step: "ask", done: total, total, message: run.to_string() });
        Ok(Asked::Answered(Box::new(Answered { run, popular })))
    }
}

/// Tells what it is going to take, then asks; first for the keys by which the model is judged.
async fn ask(
    bulk: &mut Bulk,
    plan: &Arc<[Planned]>,
    sampled: usize,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), RefreshError> {
    let forecast = bulk.forecast(plan, sampled)?;
    progress(Progress { step: "ask", done: 0, total: forecast.questions, message: forecast.to_string() });
    let mut tell = |now: crate::inference::Progress| {
        progress(Progress { step: "ask", done: now.done, total: now.total, message: now.to_string() });
    };
    let first: Arc<[Planned]> = plan[..sampled].into();
    bulk.ask(&first, Purpose::Sample, &mut tell).await?;
    bulk.ask(&first, Purpose::Table, &mut tell).await?;
    bulk.ask(plan, Purpose::Table, &mut tell).await?;
    Ok(())
}

fn import(
    cycle: &Cycle<'_>,
    bulk: &Bulk,
    path: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), RefreshError> {
    let imported = read_answers(path, &cycle.settings.inference.openai)?;
    bulk.answers().keep(&imported.answers)?;
    let (done, failed) = (imported.answers.len() as u64, imported.failed);
    let message = format!("{done} answers were read from {}, {failed} questions had none", path.display());
    progress(Progress { step: "ask", done, total: done + failed, message });
    Ok(())
}

fn export(cycle: &Cycle<'_>, bulk: &Bulk, input: &Input, plan: &[Planned], path: &Path) -> Result<u64, RefreshError> {
    let questions = bulk.unanswered(plan)?;
    let vocabulary = Vocabulary::new(&input.taxonomy)?;
    let write = || {
        let out = BufWriter::new(std::fs::File::create(path)?);
        write_questions(out, &cycle.settings.inference.openai, &vocabulary, &questions)
    };
    write().map_err(|source| RefreshError::Export { path: path.to_owned(), source })?;
    Ok(questions.len() as u64)
}
