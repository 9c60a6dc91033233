//! From the log to three files of samples.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use futures::TryStreamExt;

use super::config::{Config, Labels};
use super::draw::{Draw, Sample};
use super::error::{FinetuneError, part_name};
use super::manifest::Manifest;
use super::recent::Recent;
use super::shared::Shared;
use super::write;
use crate::ids::ClusterId;
use crate::inference::prompt::{self, Template};
use crate::inference::{Prompts, Vocabulary};
use crate::interactions::{HeldOut, Log, Part, Users, Window};
use crate::retrieval::{self, Granularity};
use crate::taxonomy::Taxonomy;

/// What samples are drawn by, beside `[finetune]`.
pub struct Settings<'s> {
    /// Clusters in a key.
    pub k: usize,
    /// Who is held out.
    pub held_out: &'s HeldOut,
    /// What a prompt shows of recent behaviour.
    pub retrieval: &'s retrieval::Config,
    /// The templates.
    pub prompt: &'s prompt::Config,
    /// What is open ends behind the newest event, and reaches back [`Config::window`].
    pub window: Window,
}

const PARTS: [Part; 3] = [Part::Train, Part::Validation, Part::Test];

type Drawn = (Vec<Sample>, BTreeMap<ClusterId, u64>);

/// Draws samples and writes them to `dir`, which must not exist yet: it appears when everything in it is whole.
///
/// Contexts and popular clusters are counted from those who are not held out, strictly before the sample (popular: before
/// the window). A context's steps are those of the sequences in the window; a refresh, which sees its own window alone,
/// counts those steps too to which users come back. Steps that fewer than `interactions.min_users` made, in the window or
/// in a context's, are in no file: a refresh would not count them either.
pub async fn curate(
    config: &Config,
    settings: &Settings<'_>,
    log: &Log,
    taxonomy: &Taxonomy,
    dir: &Path,
) -> Result<Manifest, FinetuneError> {
    config.check()?;
    if config.prompt == Template::Rag && settings.retrieval.granularity == Granularity::Global {
        return Err(FinetuneError::Global);
    }
    if dir.exists() {
        return Err(FinetuneError::Exists(dir.to_owned()));
    }
    let (from, to) = bounds(config, settings, log).await?;
    let window = Window { from: Some(from), to: Some(to) };
    let template = prompt::Config { template: config.prompt, ..settings.prompt.clone() };
    let mut prompts = Prompts::new(&template, Vocabulary::new(taxonomy)?)?;
    prompts.set_popular(&popular_before(log, settings.held_out, from, config.window).await?);
    let drawn = draw(config, settings, log, &window).await?;
    check(config, &window, &drawn, prompts.vocabulary())?;
    write::directory(dir, |dir| {
        let mut splits = BTreeMap::new();
        for (part, (samples, seen)) in PARTS.into_iter().zip(drawn) {
            let name = if part == Part::Train { "train" } else { part_name(part) };
            let path = dir.join(format!("{name}.jsonl"));
            splits.insert(name.to_owned(), write::split(&path, &samples, seen, &prompts)?);
        }
        Ok(Manifest {
            created: Utc::now(),
            from,
            to,
            k: settings.k,
            config: config.clone(),
            retrieval: settings.retrieval.clone(),
            held_out: settings.held_out.clone(),
            taxonomy_hash: taxonomy.hash(),
            prompt_hash: prompts.hash(),
            log: log.path().to_owned(),
            log_files: log.fingerprint(),
            splits,
        })
    })
}

async fn bounds(
    config: &Config,
    settings: &Settings<'_>,
    log: &Log,
) -> Result<(DateTime<Utc>, DateTime<Utc>), FinetuneError> {
    let to = match settings.window.to {
        Some(to) => to,
        None => log.span().await?.newest + TimeDelta::nanoseconds(1),
    };
    let from = settings.window.from.or_else(|| back(to, config.window)).unwrap_or(DateTime::<Utc>::MIN_UTC);
    log.report(&Window { from: Some(from), to: Some(to) }).await?;
    Ok((from, to))
}

/// The clusters that are popular with those who are not held out, for so long before the samples' window.
pub(super) async fn popular_before(
    log: &Log,
    held_out: &HeldOut,
    from: DateTime<Utc>,
    length: std::time::Duration,
) -> Result<Vec<ClusterId>, FinetuneError> {
    let before = Window { from: back(from, length), to: Some(from) };
    let popular = log.of(Users::Kept(held_out.clone())).popular(&before).await?;
    Ok(popular.clusters.into_iter().map(|(cluster, _)| cluster).collect())
}

fn back(to: DateTime<Utc>, length: std::time::Duration) -> Option<DateTime<Utc>> {
    to.checked_sub_signed(TimeDelta::from_std(length).ok()?)
}

/// One pass over the log, for all three parts, and one before it where steps need more than one user.
async fn draw(
    config: &Config,
    settings: &Settings<'_>,
    log: &Log,
    window: &Window,
) -> Result<[Drawn; 3], FinetuneError> {
    let shows = config.prompt == Template::Rag;
    let wide = if shows { Recent::reach(settings.retrieval, window) } else { *window };
    let mut recent = Recent::new(settings.retrieval, log.min_users());
    let kept = log.of(Users::Kept(settings.held_out.clone()));
    let shared = Shared::count(&kept, settings.k, window).await?;
    let shared_by_all = Shared::count(log, settings.k, window).await?;
    let mut draws = [config.samples, config.watched, config.watched].map(|most| Draw::new(config.seed, most));
    let mut moves = log.samples(settings.k, &wide, settings.held_out, config.validation).await?;
    while let Some(moved) = moves.try_next().await? {
        let is_within = window.from.is_none_or(|from| moved.began >= from);
        let shared = if moved.part == Part::Test { &shared_by_all } else { &shared };
        if moved.novel && is_within && shared.holds(&moved.key, moved.next) {
            let context = if shows { recent.context(&moved.key, moved.at) } else { retrieval::Context::default() };
            draws[moved.part as usize].add(&moved, context);
        }
        if shows && moved.part != Part::Test {
            recent.add(&moved);
        }
    }
    let [train, validation, test] = draws;
    Ok([train.finish(config.labels), validation.finish(Labels::Natural), test.finish(Labels::Natural)])
}

/// Refuses what no model could be tuned with, or judged by.
fn check(config: &Config, window: &Window, drawn: &[Drawn; 3], vocabulary: &Vocabulary) -> Result<(), FinetuneError> {
    let window = *window;
    let (train, found) = (&drawn[0].0, drawn[0].0.len());
    if found < config.min_samples {
        return Err(FinetuneError::TooFew { window, found, needed: config.min_samples });
    }
    if let Some(first) = train.first().filter(|first| train.iter().all(|sample| sample.next == first.next)) {
        return Err(FinetuneError::OneLabel { window, label: vocabulary.name(first.next).to_owned() });
    }
    match PARTS.into_iter().zip(drawn).find(|(_, (samples, _))| samples.is_empty()) {
        Some((part, _)) => Err(FinetuneError::NoUsers { window, part }),
        None => Ok(()),
    }
}
