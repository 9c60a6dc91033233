//! What held-out users are asked about: the moments at which they took up something else, each with what was known just
//! before it. A model learns to go on from `k` clusters and is asked about no fewer, so moments before that are left out.

use std::collections::{BinaryHeap, HashMap};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use xxhash_rust::xxh3::Xxh3;

use super::error::FinetuneError;
use super::manifest::Manifest;
use super::recent::Recent;
use crate::ids::ClusterId;
use crate::inference::Planned;
use crate::inference::prompt::Template;
use crate::interactions::{Log, Meeting, Part, UserSequences, Users, Window, clusters_of};
use crate::retrieval::Context;

/// What is asked, each prompt once.
pub(super) struct Asked {
    /// Keys with what their prompts show.
    pub(super) plan: Vec<Planned>,
    pub(super) users: Vec<User>,
}

/// A user who is asked about.
pub(super) struct User {
    pub(super) sequences: Vec<Vec<ClusterId>>,
    /// Of each position with `k` clusters before it, sequence by sequence: its place in the plan.
    pub(super) places: Vec<usize>,
}

/// A moment at which a user takes up something else.
struct Position {
    /// The latest `k` clusters met before.
    key: Vec<ClusterId>,
    at: DateTime<Utc>,
}

/// The positions of at most [`Config::watched`](super::Config) held-out users in the samples' window.
pub(super) async fn asked(manifest: &Manifest, log: &Log) -> Result<Asked, FinetuneError> {
    let window = Window { from: Some(manifest.from), to: Some(manifest.to) };
    let users = users(manifest, log, &window).await?;
    let positions: Vec<Position> =
        users.iter().flatten().flat_map(|sequence| positions(sequence, manifest.k)).collect();
    let contexts = contexts(manifest, log, &window, &positions).await?;
    let (mut plan, mut places, mut known) = (Vec::new(), Vec::new(), HashMap::new());
    for (Position { key, .. }, context) in positions.into_iter().zip(contexts) {
        let place = *known.entry((key.clone(), context.shown())).or_insert_with(|| {
            plan.push(Planned { key, context });
            plan.len() - 1
        });
        places.push(place);
    }
    let mut places = places.into_iter();
    let user = |sequences: UserSequences| User {
        places: places.by_ref().take(sequences.iter().map(|sequence| full(sequence, manifest.k)).sum()).collect(),
        sequences: clusters_of(&sequences),
    };
    let users = users.into_iter().map(user).collect();
    Ok(Asked { plan, users })
}

/// The held-out users with a position that a hash draws first; the same whenever they are drawn.
async fn users(manifest: &Manifest, log: &Log, window: &Window) -> Result<Vec<UserSequences>, FinetuneError> {
    let mut drawn: BinaryHeap<(u64, UserSequences)> = BinaryHeap::new();
    let mut users = log.of(Users::HeldOut(manifest.held_out.clone())).sequences(window).await?;
    while let Some(sequences) = users.try_next().await? {
        if sequences.iter().all(|sequence| full(sequence, manifest.k) == 0) {
            continue;
        }
        let mut hasher = Xxh3::with_seed(manifest.config.seed);
        sequences.iter().flatten().for_each(|met| hasher.update(&met.cluster.0.to_le_bytes()));
        drawn.push((hasher.digest(), sequences));
        if drawn.len() > manifest.config.watched {
            drawn.pop();
        }
    }
    Ok(drawn.into_sorted_vec().into_iter().map(|(_, sequences)| sequences).collect())
}

/// Positions of a sequence that have `k` clusters before them.
fn full(sequence: &[Meeting], k: usize) -> usize {
    sequence.len().saturating_sub(k)
}

fn positions(sequence: &[Meeting], k: usize) -> impl Iterator<Item = Position> {
    (k..sequence.len()).map(move |met| {
        let key = sequence[met - k..met].iter().map(|meeting| meeting.cluster).collect();
        Position { key, at: sequence[met].at }
    })
}

/// What the prompt of each position shows: the steps of users who are not held out, strictly before it, as samples do.
async fn contexts(
    manifest: &Manifest,
    log: &Log,
    window: &Window,
    positions: &[Position],
) -> Result<Vec<Context>, FinetuneError> {
    let mut contexts = vec![Context::default(); positions.len()];
    if manifest.config.prompt == Template::Base {
        return Ok(contexts);
    }
    let mut in_time: Vec<usize> = (0..positions.len()).collect();
    in_time.sort_by_key(|&at| positions[at].at);
    let mut in_time = in_time.into_iter().peekable();
    let mut recent = Recent::new(&manifest.retrieval, log.min_users());
    let wide = Recent::reach(&manifest.retrieval, window);
    let mut moves = log.samples(manifest.k, &wide, &manifest.held_out, manifest.config.validation).await?;
    while let Some(moved) = moves.try_next().await? {
        while let Some(at) = in_time.next_if(|&at| positions[at].at <= moved.at) {
            contexts[at] = recent.context(&positions[at].key, positions[at].at);
        }
        if moved.part != Part::Test {
            recent.add(&moved);
        }
    }
    for at in in_time {
        contexts[at] = recent.context(&positions[at].key, positions[at].at);
    }
    Ok(contexts)
}
