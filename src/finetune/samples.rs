//! Samples read back: only what was curated, bit by bit.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use super::config::Config;
use super::error::FinetuneError;
use super::manifest::Manifest;
use crate::inference::{Message, Role};
use crate::taxonomy::Taxonomy;

/// What is asked, and what should be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// The prompt, in order.
    pub prompt: Vec<Message>,
    /// The answer.
    pub answer: String,
}

/// A directory that [`curate`](super::curate) wrote.
#[derive(Clone, Debug)]
pub struct Samples {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The xxh3 of the manifest's file, which names all of it.
    pub xxh3: String,
    /// What is learnt from.
    pub train: Vec<Chat>,
    /// What tells when to stop.
    pub validation: Vec<Chat>,
}

#[derive(Deserialize)]
struct Line {
    messages: Vec<Turn>,
}

#[derive(Deserialize)]
struct Turn {
    role: String,
    content: String,
}

impl Samples {
    /// Reads a directory. Refuses what was changed since it was curated, what was curated for other clusters than
    /// `taxonomy`, and what teaches too little by `config`.
    pub fn read(dir: &Path, config: &Config, taxonomy: &Taxonomy) -> Result<Self, FinetuneError> {
        let path = dir.join("manifest.json");
        let wrong = |problem: String| FinetuneError::Samples { path: path.clone(), problem };
        let text = fs::read(&path).map_err(|error| {
            wrong(format!("{error}: draw samples with `segue finetune curate --dir`, and name them"))
        })?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| wrong(format!("{error}: curate samples again")))?;
        if manifest.taxonomy_hash != taxonomy.hash() {
            let (theirs, own) = (manifest.taxonomy_hash, taxonomy.hash());
            return Err(wrong(format!(
                "it is of the taxonomy {theirs}, the clusters file holds {own}: curate samples again"
            )));
        }
        let samples = Self {
            train: split(dir, "train", &manifest)?,
            validation: split(dir, "validation", &manifest)?,
            xxh3: hash(&text),
            manifest,
        };
        samples.check(dir, config)?;
        Ok(samples)
    }

    fn check(&self, dir: &Path, config: &Config) -> Result<(), FinetuneError> {
        let refused = |file: &str, problem: String| Err(FinetuneError::Samples { path: dir.join(file), problem });
        let (found, needed) = (self.train.len(), config.min_samples.max(1));
        if found < needed {
            let remedy = "widen [finetune] window and curate again, or lower min_samples";
            return refused("train.jsonl", format!("{found} samples to learn from, {needed} are needed: {remedy}"));
        }
        if self.train.iter().all(|sample| sample.answer == self.train[0].answer) {
            let answer = &self.train[0].answer;
            let problem = format!("every answer is `{answer}`: there is nothing to learn; widen [finetune] window");
            return refused("train.jsonl", problem);
        }
        for (name, remedy) in [("validation", "[finetune] validation"), ("test", "evaluation.held_out.share")] {
            if self.manifest.splits.get(name).is_none_or(|split| split.samples == 0) {
                let problem = format!("no user for the {name}: widen [finetune] window, or raise {remedy}");
                return refused(&format!("{name}.jsonl"), problem);
            }
        }
        Ok(())
    }
}

fn split(dir: &Path, name: &str, manifest: &Manifest) -> Result<Vec<Chat>, FinetuneError> {
    let path = dir.join(format!("{name}.jsonl"));
    let wrong = |problem: String| FinetuneError::Samples { path: path.clone(), problem };
    let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
    let stated = manifest.splits.get(name).map(|split| split.xxh3.as_str()).unwrap_or_default();
    let found = hash(&text);
    if found != stated {
        let problem = format!("its hash is {found}, the manifest says {stated}: it was changed; curate samples again");
        return Err(wrong(problem));
    }
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    (1..)
        .zip(lines)
        .map(|(number, line)| chat(line).map_err(|problem| wrong(format!("line {number}: {problem}"))))
        .collect()
}

fn chat(line: &[u8]) -> Result<Chat, String> {
    let mut turns = serde_json::from_slice::<Line>(line).map_err(|error| error.to_string())?.messages;
    let answer = turns.pop().filter(|turn| turn.role == "assistant").ok_or("it does not end with an answer")?.content;
    let message = |turn: Turn| match turn.role.as_str() {
        "system" => Ok(Message { role: Role::System, content: turn.content }),
        "user" => Ok(Message { role: Role::User, content: turn.content }),
        other => Err(format!("nobody is called `{other}`")),
    };
    Ok(Chat { prompt: turns.into_iter().map(message).collect::<Result<_, _>>()?, answer })
}

fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}
