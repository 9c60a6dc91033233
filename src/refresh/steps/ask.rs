//! Ask: the language model is asked for what is not known yet; its answers make the run that a table is built from.

use std::collections::HashMap;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use super::input::{Input, json};
use super::registry;
use super::retrieve::{self, Retrieved};
use super::tuned;
use crate::evaluation::{self, ExactMatch};
use crate::finetune::samples_to;
use crate::ids::ClusterId;
use crate::inference::openai::{Imported, read_answers, write_questions};
use crate::inference::{
    Answers, Bulk, Forecast, Model, Planned, Prompts, Purpose, Run, Trace, Unconstrained, Vocabulary, model_of,
};
use crate::interactions::Popular;
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Exchange, Progress};
use crate::table::Lineage;

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

/// The answers, and how they came about.
pub(in crate::refresh) struct Answered {
    pub(in crate::refresh) run: Run,
    pub(super) plan: Arc<[Planned]>,
    pub(super) popular: Popular,
    bulk: Bulk,
    /// Places in the plan.
    places: HashMap<Vec<ClusterId>, usize>,
}

impl Answered {
    /// What the gates judge the answers by.
    pub(super) fn figures(&self, clusters: u64) -> evaluation::Answers {
        let popular = self.popular.clusters.iter().map(|&(cluster, _)| cluster).collect();
        let mut figures = evaluation::Answers::new(clusters, popular);
        figures.free(exact_match(self.run.unconstrained), self.run.unconstrained.own);
        self.run.firsts.iter().for_each(|(key, first)| figures.key(key, *first));
        figures
    }

    /// What a key's prompt showed of its successors, and all that came of asking; `None` for keys that nobody asks for.
    pub(super) fn trace(&self, key: &[ClusterId]) -> Result<Option<(Vec<ClusterId>, Trace)>, RefreshError> {
        let Some(&place) = self.places.get(key) else { return Ok(None) };
        let planned = &self.plan[place];
        let shown = planned.context.successors.iter().map(|successor| successor.cluster).collect();
        Ok(Some((shown, self.bulk.trace(planned)?)))
    }

    /// Remembers which answers were of use and, where a version was `published`, removes those that have been of none for
    /// long. The version stands, whatever comes of this.
    pub(in crate::refresh) fn tidy(mut self, published: bool, progress: &mut (dyn FnMut(Progress) + Send)) {
        let swept = self.bulk.rests_on(&self.run).and_then(|()| published.then(|| self.bulk.sweep()).transpose());
        match swept {
            Ok(Some(swept)) if swept.removed > 0 => {
                progress(Progress { step: "sweep", done: 1, total: 1, message: format!("removed {swept}") });
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "old answers could not be swept"),
        }
    }
}

impl Asking {
    /// The model of the config, told in the table's lineage; `None` where successors predict alone.
    pub(in crate::refresh) fn of(cycle: &Cycle<'_>, input: &mut Input) -> Result<Option<Self>, RefreshError> {
        let settings = cycle.settings;
        let vocabulary = Vocabulary::new(&input.taxonomy)?;
        let asked = registry::asked(cycle)?;
        let model = match &asked {
            None => None,
            Some(asked) => model_of(&asked.config, &vocabulary, cycle.store.path())?,
        };
        let registered = asked.and_then(|asked| asked.registered);
        let Some(model) = model else {
            return match cycle.request.exchange {
                Exchange::None => Ok(None),
                _ => Err(RefreshError::NothingToExchange),
            };
        };
        registry::check(registered.as_ref(), model.as_ref())?;
        let prompts = Prompts::new(&settings.inference.prompt, vocabulary)?;
        if let Some(registered) = &registered {
            tuned::check(cycle, registered, &input.taxonomy, &prompts)?;
        }
        let lineage = &mut input.lineage;
        if let Some(known) = registered {
            lineage.tuned_to = samples_to(&known.training);
            lineage.settings.insert(Lineage::REGISTRY.into(), known.model.to_string());
        }
        lineage.predictor = settings.inference.backend.name().into();
        lineage.model = Some(model.id().to_owned());
        lineage.prompt_hash = Some(prompts.hash());
        lineage.settings.extend([
            (Lineage::TEMPLATE.into(), settings.inference.prompt.template.name().into()),
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

    /// What asking for every key of the plan is going to take.
    pub(super) async fn forecast(self, cycle: &Cycle<'_>, input: &Input) -> Result<Forecast, RefreshError> {
        let (bulk, Retrieved { plan, .. }, sampled) = self.prepared(cycle, input, &mut |_| {}).await?;
        Ok(bulk.forecast(&plan, sampled)?)
    }

    /// What asks, the plan, and how many of its keys the model is judged by.
    async fn prepared(
        mut self,
        cycle: &Cycle<'_>,
        input: &Input,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(Bulk, Retrieved, usize), RefreshError> {
        let retrieved = retrieve::plan(cycle, input, progress).await?;
        let active: Vec<_> = retrieved.popular.clusters.iter().map(|&(cluster, _)| cluster).collect();
        self.prompts.set_popular(&active);
        let answers = Answers::open(&cycle.store.path().join(Answers::FILE))?;
        let config = cycle.settings.inference.clone();
        let sampled = retrieved.plan.len().min(cycle.settings.evaluation.exact_match.first as usize);
        Ok((Bulk::new(self.model, self.prompts, answers, config), retrieved, sampled))
    }

    /// Asks for every key of the plan.
    pub(in crate::refresh) async fn all(
        self,
        cycle: &Cycle<'_>,
        input: &Input,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Asked, RefreshError> {
        let (mut bulk, Retrieved { plan, popular }, sampled) = self.prepared(cycle, input, progress).await?;
        match &cycle.request.exchange {
            Exchange::None => ask(cycle, &mut bulk, &plan, sampled, progress).await?,
            Exchange::Import(path) => import(cycle, &bulk, path, progress)?,
            Exchange::Export(path) => return export(cycle, &bulk, input, &plan, path).map(Asked::Exported),
        }
        let run = bulk.run(&plan, sampled)?;
        let total = run.tally.planned;
        progress(Progress { step: "ask", done: total, total, message: run.to_string() });
        let places = plan.iter().enumerate().map(|(place, planned)| (planned.key.clone(), place)).collect();
        Ok(Asked::Answered(Box::new(Answered { run, plan, popular, bulk, places })))
    }
}

/// Tells what it is going to take, then asks: first for the keys by which the model is judged, and no further where it
/// fails (section 2.2).
async fn ask(
    cycle: &Cycle<'_>,
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
    let sample = exact_match(bulk.run(&first, sampled)?.unconstrained);
    let found = evaluation::judge_first(sample, &cycle.settings.evaluation);
    if found.outcome == evaluation::Outcome::Fail {
        let message = format!("stopped after the first {}: {}", sample.asked, found.says);
        progress(Progress { step: "ask", done: sample.asked, total: forecast.questions, message });
        return Ok(());
    }
    bulk.ask(&first, Purpose::Table, &mut tell).await?;
    bulk.ask(plan, Purpose::Table, &mut tell).await?;
    Ok(())
}

fn exact_match(answers: Unconstrained) -> ExactMatch {
    ExactMatch { asked: answers.answers, matched: answers.exact }
}

fn import(
    cycle: &Cycle<'_>,
    bulk: &Bulk,
    path: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), RefreshError> {
    let answers = bulk.answers();
    let Imported { answered: done, failed } =
        read_answers(path, &cycle.settings.inference.openai, |fresh| answers.keep(fresh))?;
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
