//! What held-out users tell of a tuned model (section 2.2): exact match, recall and collapse.

use std::collections::{BTreeSet, BinaryHeap, HashMap};

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use xxhash_rust::xxh3::Xxh3;

use super::error::FinetuneError;
use super::manifest::Manifest;
use crate::evaluation::{Answers, ExactMatch, RecallTally, Report};
use crate::ids::ClusterId;
use crate::inference::prompt::{self, Template};
use crate::inference::{Answer, Candidate, Decoding, Model, ModelError, Prompts, Question, Usage, Vocabulary, parse};
use crate::interactions::{KeyCounts, Log, UserSequences, Users, Window};
use crate::retrieval::{Context, Similarity};
use crate::taxonomy::Taxonomy;

type Key = Vec<ClusterId>;

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
/// counted from the other users, in the window's last `retrieval.window`, as a refresh at its end would show it.
pub async fn measure(
    by: &Examination<'_>,
    model: &dyn Model,
    log: &Log,
    taxonomy: &Taxonomy,
) -> Result<Report, FinetuneError> {
    let manifest = by.manifest;
    let window = Window { from: Some(manifest.from), to: Some(manifest.to) };
    let users = users(manifest, log, &window).await?;
    let keys: BTreeSet<Key> = users.iter().flatten().flat_map(|sequence| keys(sequence, manifest.k)).collect();
    let kept = log.of(Users::Kept(manifest.held_out.clone()));
    let popular: Vec<_> = kept.popular(&window).await?.clusters.into_iter().map(|(cluster, _)| cluster).collect();
    let template = prompt::Config { template: manifest.config.prompt, ..by.prompt.clone() };
    let mut prompts = Prompts::new(&template, Vocabulary::new(taxonomy)?)?;
    if prompts.hash() != manifest.prompt_hash {
        let problem = "the prompt's template was changed since the samples were curated: curate them again".into();
        return Err(FinetuneError::Samples { path: "inference.prompt".into(), problem });
    }
    prompts.set_popular(&popular);
    let contexts = contexts(by, &kept, &keys).await?;
    let (mut questions, none) = (Vec::new(), Context::default());
    for (id, key) in (0..).zip(&keys) {
        let messages = prompts.render(key, contexts.get(key).unwrap_or(&none))?;
        let decoding = Decoding::Free { samples: 1, temperature: 0.0, seed: 0, max_tokens: by.max_tokens };
        questions.push(Question { id, messages, decoding });
    }
    let keys: Vec<Key> = keys.into_iter().collect();
    let mut answers = Answers::new(taxonomy.clusters().len() as u64, popular);
    let mut predicted: HashMap<&[ClusterId], ClusterId> = HashMap::new();
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
        let Some(key) = keys.get(answer.id as usize) else { continue };
        let said = parse(prompts.vocabulary(), key, &answer.candidates);
        answers.free(ExactMatch { asked: said.said, matched: said.exact });
        answers.key(key, said.first);
        predicted.extend(said.first.map(|first| (key.as_slice(), first)));
    }
    let mut recall = RecallTally::new(taxonomy.clusters().len());
    for user in &users {
        recall.take(user, |met| predicted.get(latest(met, manifest.k)).copied());
    }
    Ok(Report { recall: recall.finish(), ..Report::default() }.with_answers(&answers))
}

/// The held-out users that a hash draws first; the same whenever they are drawn.
async fn users(manifest: &Manifest, log: &Log, window: &Window) -> Result<Vec<UserSequences>, FinetuneError> {
    let mut drawn: BinaryHeap<(u64, UserSequences)> = BinaryHeap::new();
    let mut users = log.of(Users::HeldOut(manifest.held_out.clone())).sequences(window).await?;
    while let Some(sequences) = users.try_next().await? {
        let mut hasher = Xxh3::with_seed(manifest.config.seed);
        sequences.iter().flatten().for_each(|cluster| hasher.update(&cluster.0.to_le_bytes()));
        drawn.push((hasher.digest(), sequences));
        if drawn.len() > manifest.config.watched {
            drawn.pop();
        }
    }
    Ok(drawn.into_sorted_vec().into_iter().map(|(_, sequences)| sequences).collect())
}

/// What is asked at each position that has a successor: the latest `k` clusters, or all where there are fewer.
fn keys(sequence: &[ClusterId], k: usize) -> impl Iterator<Item = Key> {
    (1..sequence.len()).map(move |met| latest(&sequence[..met], k).to_vec())
}

fn latest(met: &[ClusterId], k: usize) -> &[ClusterId] {
    &met[met.len().saturating_sub(k)..]
}

/// What the prompts of whole keys show.
async fn contexts(
    by: &Examination<'_>,
    log: &Log,
    keys: &BTreeSet<Key>,
) -> Result<HashMap<Key, Context>, FinetuneError> {
    let manifest = by.manifest;
    if manifest.config.prompt == Template::Base {
        return Ok(HashMap::new());
    }
    let length = TimeDelta::from_std(manifest.retrieval.window).unwrap_or(TimeDelta::MAX);
    let middle = manifest.to.checked_sub_signed(length);
    let start = middle.and_then(|middle| middle.checked_sub_signed(length));
    let now = counts(log, manifest.k, &Window { from: middle, to: Some(manifest.to) }, keys).await?;
    let before = match manifest.retrieval.similarity {
        Similarity::Trend => counts(log, manifest.k, &Window { from: start, to: middle }, keys).await?,
        Similarity::Frequency => HashMap::new(),
    };
    let of = |counts: &HashMap<Key, Vec<(ClusterId, u64)>>, key: &Key| counts.get(key).cloned().unwrap_or_default();
    let context = |key: &Key| Context::instance(&manifest.retrieval, &of(&now, key), &of(&before, key));
    Ok(keys.iter().map(|key| (key.clone(), context(key))).collect())
}

async fn counts(
    log: &Log,
    k: usize,
    window: &Window,
    keys: &BTreeSet<Key>,
) -> Result<HashMap<Key, Vec<(ClusterId, u64)>>, FinetuneError> {
    let (mut found, mut counts) = (HashMap::new(), log.count(k, window).await?);
    while let Some(KeyCounts { key, next }) = counts.try_next().await? {
        if keys.contains(&key) {
            found.insert(key, next);
        }
    }
    Ok(found)
}
