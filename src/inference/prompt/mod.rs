//! Figure 1: the prompt, from templates.
//!
//! There are two: `base` says what fine-tuning says too, the history; `rag` extends it with recent behaviour. Each is a
//! [minijinja](https://docs.rs/minijinja) template whose blocks `system` and `user` become the two messages of a chat
//! (without a block `system` there is only the one). A template may use
//!
//! | variable | what it holds |
//! |---|---|
//! | `history` | the key's descriptions, oldest first |
//! | `retrieved` | the key's own recent successors, the one that stands out most first: `cluster`, its description, and `trend`, `"rising"`, `"falling"` or none (`[retrieval] granularity = "instance"`) |
//! | `moves` | recent transitions of everyone: `history` (descriptions), `cluster` and `trend` as above (`granularity = "global"`) |
//! | `popular` | the descriptions of the currently most popular clusters, at most 20 |
//! | `clusters` | every description, in order of id |
//!
//! Anything else is refused. Descriptions come as [`Vocabulary`] shows them, and are never rendered again, so nothing in
//! them changes a prompt's structure. There are no counts: a prompt changes when what it tells changes, and an unchanged
//! prompt is not asked again. For the same reason the templates at hand leave `popular` out.

use std::path::PathBuf;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, context};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::error::InferenceError;
use super::model::{Message, Role};
use super::vocabulary::Vocabulary;
use crate::ids::ClusterId;
use crate::retrieval::{Context, Successor, Transition};

const BASE: &str = include_str!("base.j2");
const RAG: &str = include_str!("rag.j2");

/// The variables of the table above.
const VARIABLES: [&str; 5] = ["history", "retrieved", "moves", "popular", "clusters"];

/// Popular clusters at hand.
const POPULAR: usize = 20;

/// What is said to the model (`[inference.prompt]`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which of the two is asked.
    pub template: Template,
    /// A file instead of the base template at hand.
    pub base: Option<PathBuf>,
    /// A file instead of the rag template at hand; it may extend `base`.
    pub rag: Option<PathBuf>,
}

/// Which prompt is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// The history alone.
    Base,
    /// The history and recent behaviour.
    #[default]
    Rag,
}

impl Template {
    /// As the config spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Rag => "rag",
        }
    }
}

/// Renders prompts of one template over one vocabulary.
pub struct Prompts {
    environment: Environment<'static>,
    template: Template,
    hash: u128,
    vocabulary: Vocabulary,
}

impl Prompts {
    /// Reads the templates and tries them out.
    pub fn new(config: &Config, vocabulary: Vocabulary) -> Result<Self, InferenceError> {
        let sources = sources(config)?;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.add_global("clusters", Value::from(vocabulary.names().to_vec()));
        environment.add_global("popular", Value::from(Vec::<Value>::new()));
        for (name, source) in &sources {
            let added = environment.add_template_owned(*name, source.clone());
            added.map_err(|error| wrong(name, &error))?;
        }
        for (name, _) in &sources {
            check_variables(&environment, name)?;
        }
        let (template, hash) = (config.template, hash(config.template, &sources));
        let prompts = Self { environment, template, hash, vocabulary };
        prompts.try_out()?;
        Ok(prompts)
    }

    /// Tells which clusters are popular now, the most popular first.
    pub fn set_popular(&mut self, popular: &[ClusterId]) {
        let names = popular.iter().take(POPULAR).map(|&cluster| Value::from(self.vocabulary.name(cluster)));
        self.environment.add_global("popular", Value::from(names.collect::<Vec<Value>>()));
    }

    /// Names the template's text: part of every version's lineage.
    pub fn hash(&self) -> String {
        format!("{:032x}", self.hash)
    }

    /// What clusters are called.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The prompt of `key`, of which `context` is known.
    pub fn render(&self, key: &[ClusterId], context: &Context) -> Result<Vec<Message>, InferenceError> {
        let name = self.template.name();
        let failed = |error: minijinja::Error| wrong(name, &error);
        let named = |clusters: &[ClusterId]| {
            clusters.iter().map(|&cluster| Value::from(self.vocabulary.name(cluster))).collect::<Vec<Value>>()
        };
        let successor = |next: &Successor| (Value::from(self.vocabulary.name(next.cluster)), trend(next));
        let retrieved = context.successors.iter().map(|next| {
            let (cluster, trend) = successor(next);
            context! { cluster, trend }
        });
        let moves = context.transitions.iter().map(|transition| {
            let (cluster, trend) = successor(&transition.next);
            context! { history => named(&transition.key), cluster, trend }
        });
        let (retrieved, moves): (Vec<Value>, Vec<Value>) = (retrieved.collect(), moves.collect());
        let values = context! { history => named(key), retrieved, moves };
        let template = self.environment.get_template(name).map_err(failed)?;
        let mut rendered = template.render_captured_to(values, std::io::sink()).map_err(failed)?;
        let mut block = |block, role| match rendered.with_state_mut(|state| state.render_block(block)) {
            Ok(content) => Ok(Some(Message { role, content: content.trim().to_owned() })),
            Err(error) if error.kind() == ErrorKind::UnknownBlock => Ok(None),
            Err(error) => Err(failed(error)),
        };
        let system = block("system", Role::System)?.filter(|message| !message.content.is_empty());
        let no_user = || InferenceError::Template { name, problem: "it has no block `user`".into() };
        let user = block("user", Role::User)?.ok_or_else(no_user)?;
        Ok(system.into_iter().chain([user]).collect())
    }

    /// Renders with everything there is to render, so that a template fails now rather than in the middle of a run.
    fn try_out(&self) -> Result<(), InferenceError> {
        let key: Vec<ClusterId> = self.vocabulary.ids().iter().copied().take(2).collect();
        let successor = |change| Successor { cluster: key[0], count: 1, change };
        let successors: Vec<Successor> = [None, Some(1), Some(-1)].into_iter().map(successor).collect();
        let transitions = successors.iter().map(|&next| Transition { key: key.clone(), next }).collect();
        self.render(&key, &Context { successors, transitions }).map(drop)
    }
}

fn trend(next: &Successor) -> Option<&'static str> {
    next.change.map(|change| if change > 0 { "rising" } else { "falling" })
}

/// The templates needed, by name.
fn sources(config: &Config) -> Result<Vec<(&'static str, String)>, InferenceError> {
    let read = |name, path: &Option<PathBuf>, at_hand: &str| match path {
        None => Ok((name, at_hand.to_owned())),
        Some(path) => match std::fs::read_to_string(path) {
            Ok(source) => Ok((name, source)),
            Err(source) => Err(InferenceError::TemplateFile { name, path: path.clone(), source }),
        },
    };
    let base = read("base", &config.base, BASE)?;
    match config.template {
        Template::Base => Ok(vec![base]),
        Template::Rag => Ok(vec![base, read("rag", &config.rag, RAG)?]),
    }
}

fn check_variables(environment: &Environment, name: &'static str) -> Result<(), InferenceError> {
    let template = environment.get_template(name).map_err(|error| wrong(name, &error))?;
    let mut used: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    used.sort();
    match used.into_iter().find(|used| !VARIABLES.contains(&used.as_str()) && used != "super") {
        None => Ok(()),
        Some(unknown) => {
            let problem = format!("there is no variable `{unknown}`; there are {}", VARIABLES.join(", "));
            Err(InferenceError::Template { name, problem })
        }
    }
}

fn hash(template: Template, sources: &[(&'static str, String)]) -> u128 {
    let mut hasher = Xxh3::new();
    for text in [template.name()].into_iter().chain(sources.iter().map(|(_, source)| source.as_str())) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest128()
}

fn wrong(name: &'static str, error: &minijinja::Error) -> InferenceError {
    // The alternate form shows the line.
    InferenceError::Template { name, problem: format!("{error:#}").trim().to_owned() }
}

#[cfg(test)]
mod tests;
