//! What held-out users tell of a tuned model (section 2.2): exact match, recall and collapse.

use std::path::Path;
use std::sync::Arc;

use super::curate::popular_before;
use super::error::FinetuneError;
use super::manifest::Manifest;
use super::positions::{Asked, User, asked};
use crate::evaluation::{self, ExactMatch, RecallTally, Report};
use crate::ids::ClusterId;
use crate::inference::{
    self, Answers, Bulk, DecodingConfig, Ended, Model, Parsed, Planned, Prompts, Purpose, Trace, Vocabulary, prompt,
};
use crate::interactions::{Log, Users, Window};
use crate::taxonomy::Taxonomy;

/// What a model is asked by.
pub struct Examination<'e> {
    /// The samples that it was tuned with.
    pub manifest: &'e Manifest,
    /// Their templates, the longest answer, and what asking may take.
    pub inference: &'e inference::Config,
    /// The file in which answers are kept: where judging was ended, it goes on from there.
    pub answers: &'e Path,
}

/// What a model's answers come to.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The figures.
    pub report: Report,
    /// Questions that the budget did not do for.
    pub left_out: u64,
}

/// Where more than one question in so many fails, what is left tells too little of the model: the fault is elsewhere.
const TRUSTED: u64 = 10;

/// Where asking stands: before it begins, and as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Questions that ended.
    pub done: u64,
    /// Questions.
    pub total: u64,
    /// What they are going to take, or took so far, for people.
    pub message: String,
}

/// Asks `model`, unconstrained and greedily, what [`Config::watched`](super::Config) held-out users take up next at
/// each position in the samples' window that has `k` clusters before it, by the samples' prompt. What that shows of recent
/// behaviour is counted as for the samples: from the other users, strictly before the position.
///
/// Tells `told` beforehand what it is going to take. Users that are left without an answer, since the budget did not do for
/// them or their question failed, have no part; where many failed, that is the error, and another call asks those alone.
pub async fn measure(
    by: &Examination<'_>,
    model: Arc<dyn Model>,
    log: &Log,
    taxonomy: &Taxonomy,
    told: &mut (dyn FnMut(Asking) + Send),
) -> Result<Measured, FinetuneError> {
    let prompts = prompts(by, log, taxonomy).await?;
    let Asked { plan, users } = asked(by.manifest, log).await?;
    let plan: Arc<[Planned]> = plan.into();
    let mut bulk = Bulk::new(model, prompts, Answers::open(by.answers)?, unconstrained(by.inference));
    let forecast = bulk.forecast(&plan, 0)?;
    told(Asking { done: 0, total: forecast.questions, message: forecast.to_string() });
    let mut tell =
        |now: inference::Progress| told(Asking { done: now.done, total: now.total, message: now.to_string() });
    bulk.ask(&plan, Purpose::Table, &mut tell).await?;
    let traces = plan.iter().map(|planned| bulk.trace(planned)).collect::<Result<Vec<_>, _>>()?;
    let ended = |how| traces.iter().filter(|trace| trace.ended == how).count() as u64;
    let (failed, left_out) = (ended(Ended::Failed), ended(Ended::LeftOut));
    if failed * TRUSTED > plan.len() as u64 {
        return Err(FinetuneError::Unanswered { failed, asked: plan.len() as u64 - left_out });
    }
    let said: Vec<_> = traces.into_iter().map(said).collect();

    let clusters = taxonomy.clusters().len();
    let mut answers = evaluation::Answers::new(clusters as u64, popular(by.manifest, log).await?);
    for (Planned { key, .. }, said) in plan.iter().zip(&said) {
        let Some(said) = said else { continue };
        answers.free(ExactMatch { asked: said.said, matched: said.exact }, said.own);
        answers.key(key, said.first);
    }
    let mut recall = RecallTally::new(clusters, by.manifest.k);
    for User { sequences, places } in &users {
        let of_user: Option<Vec<&Parsed>> = places.iter().map(|&place| said[place].as_ref()).collect();
        let Some(of_user) = of_user else { continue };
        let mut of_user = of_user.into_iter();
        recall.take(sequences, |_| of_user.next().and_then(|said| said.first));
    }
    let report = Report { recall: recall.finish(), ..Report::default() }.with_answers(&answers);
    Ok(Measured { report, left_out })
}

/// One answer of each key, as the model says it.
fn unconstrained(config: &inference::Config) -> inference::Config {
    let max_tokens = config.decoding.max_tokens;
    let decoding = DecodingConfig { retries: 0, max_tokens, ..DecodingConfig::default() };
    inference::Config { decoding, budget: config.budget, ..inference::Config::default() }
}

/// What came of a question; `None` where it was not asked, or failed.
fn said(trace: Trace) -> Option<Parsed> {
    match trace.ended {
        Ended::LeftOut | Ended::Failed => None,
        Ended::Answered(_) | Ended::Fallback => Some(trace.first),
    }
}

/// The samples' prompts.
async fn prompts(by: &Examination<'_>, log: &Log, taxonomy: &Taxonomy) -> Result<Prompts, FinetuneError> {
    let Manifest { config, held_out, from, .. } = by.manifest;
    let mut prompts = prompts_of(by.manifest, by.inference, taxonomy)?;
    prompts.set_popular(&popular_before(log, held_out, *from, config.window).await?);
    Ok(prompts)
}

/// The samples' template. One that was changed since is refused, which is best found out before anything is learnt.
pub fn prompts_of(
    samples: &Manifest,
    inference: &inference::Config,
    taxonomy: &Taxonomy,
) -> Result<Prompts, FinetuneError> {
    let template = prompt::Config { template: samples.config.prompt, ..inference.prompt.clone() };
    let prompts = Prompts::new(&template, Vocabulary::new(taxonomy)?)?;
    if prompts.hash() != samples.prompt_hash {
        let problem = "the prompt's template was changed since the samples were curated: curate them again".into();
        return Err(FinetuneError::Samples { path: "inference.prompt".into(), problem });
    }
    Ok(prompts)
}

/// What is popular in the samples' window: no prompt shows it, but a model that says nothing else has collapsed.
async fn popular(manifest: &Manifest, log: &Log) -> Result<Vec<ClusterId>, FinetuneError> {
    let window = Window { from: Some(manifest.from), to: Some(manifest.to) };
    let popular = log.of(Users::Kept(manifest.held_out.clone())).popular(&window).await?;
    Ok(popular.clusters.into_iter().map(|(cluster, _)| cluster).collect())
}
