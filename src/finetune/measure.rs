//! What held-out users tell of a tuned model (section 2.2): exact match, recall and collapse.

use futures::{StreamExt, stream};

use super::curate::popular_before;
use super::error::FinetuneError;
use super::manifest::Manifest;
use super::positions::{Asked, asked};
use crate::evaluation::{Answers, ExactMatch, RecallTally, Report};
use crate::ids::ClusterId;
use crate::inference::prompt;
use crate::inference::{
    Answer, Candidate, Decoding, Model, ModelError, Planned, Prompts, Question, Usage, Vocabulary, parse,
};
use crate::interactions::{Log, Users, Window, clusters_of};
use crate::taxonomy::Taxonomy;

/// What a model is asked by.
pub struct Examination<'e> {
    /// The samples that it was tuned with.
    pub manifest: &'e Manifest,
    /// Their templates.
    pub prompt: &'e prompt::Config,
    /// The longest answer.
    pub max_tokens: usize,
}

/// Asks `model`, unconstrained and greedily, what [`Config::watched`](super::Config) held-out users take up next at
/// each of their positions in the samples' window, by the samples' prompt. What that shows of recent behaviour is
/// counted as for the samples: from the other users, strictly before the position.
pub async fn measure(
    by: &Examination<'_>,
    model: &dyn Model,
    log: &Log,
    taxonomy: &Taxonomy,
) -> Result<Report, FinetuneError> {
    let prompts = prompts(by, log, taxonomy).await?;
    let Asked { users, plan, places } = asked(by.manifest, log).await?;
    let mut answers = Answers::new(taxonomy.clusters().len() as u64, popular(by.manifest, log).await?);
    let mut firsts: Vec<Option<ClusterId>> = vec![None; plan.len()];
    let mut questions = Vec::new();
    for (id, Planned { key, context }) in (0..).zip(&plan) {
        let messages = prompts.render(key, context)?;
        let decoding = Decoding::Free { samples: 1, temperature: 0.0, seed: 0, max_tokens: by.max_tokens };
        questions.push(Question { id, messages, decoding });
    }
    let mut told = model.ask(stream::iter(questions).boxed());
    while let Some(answer) = told.next().await {
        let answer = match answer {
            // One bad key never stops the run; to the gates it is an answer that names no cluster.
            Err(ModelError { question: Some(id), problem }) => {
                tracing::warn!(problem, "one question was not answered");
                Answer {
                    id,
                    candidates: vec![Candidate { text: String::new(), probability: None }],
                    usage: Usage::default(),
                }
            }
            answer => answer?,
        };
        let Some(Planned { key, .. }) = plan.get(answer.id as usize) else { continue };
        let said = parse(prompts.vocabulary(), key, &answer.candidates);
        answers.free(ExactMatch { asked: said.said, matched: said.exact });
        answers.key(key, said.first);
        firsts[answer.id as usize] = said.first;
    }
    let mut recall = RecallTally::new(taxonomy.clusters().len());
    let mut places = places.into_iter();
    for user in &users {
        recall.take(&clusters_of(user), |_| places.next().and_then(|place| firsts[place]));
    }
    Ok(Report { recall: recall.finish(), ..Report::default() }.with_answers(&answers))
}

/// The samples' prompts.
async fn prompts(by: &Examination<'_>, log: &Log, taxonomy: &Taxonomy) -> Result<Prompts, FinetuneError> {
    let Manifest { config, held_out, from, prompt_hash, .. } = by.manifest;
    let template = prompt::Config { template: config.prompt, ..by.prompt.clone() };
    let mut prompts = Prompts::new(&template, Vocabulary::new(taxonomy)?)?;
    if prompts.hash() != *prompt_hash {
        let problem = "the prompt's template was changed since the samples were curated: curate them again".into();
        return Err(FinetuneError::Samples { path: "inference.prompt".into(), problem });
    }
    prompts.set_popular(&popular_before(log, held_out, *from, config.window).await?);
    Ok(prompts)
}

/// What is popular in the samples' window: no prompt shows it, but a model that says nothing else has collapsed.
async fn popular(manifest: &Manifest, log: &Log) -> Result<Vec<ClusterId>, FinetuneError> {
    let window = Window { from: Some(manifest.from), to: Some(manifest.to) };
    let popular = log.of(Users::Kept(manifest.held_out.clone())).popular(&window).await?;
    Ok(popular.clusters.into_iter().map(|(cluster, _)| cluster).collect())
}
