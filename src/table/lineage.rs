//! Where a table comes from: enough to make it again, kept in the file itself.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Written as JSON inside the archive, so that later builds can add fields without a new format: an unknown field is
/// ignored, a missing one takes its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lineage {
    /// When the table was built.
    pub created: DateTime<Utc>,
    /// The software that built it, `segue 0.1.0`.
    pub creator: String,
    /// What answers the keys: `retrieved`, or a language model's back end.
    pub predictor: String,
    /// The language model, where there is one.
    pub model: Option<String>,
    /// The hash of the prompt's template, where there is one.
    pub prompt_hash: Option<String>,
    /// The window of the log, `[from, to)`; open where it was not bounded.
    pub window_from: Option<DateTime<Utc>>,
    /// The window's end, exclusive.
    pub window_to: Option<DateTime<Utc>>,
    /// The end of the window that the store's model was tuned on, exclusive, where such a model was asked and tells.
    pub tuned_to: Option<DateTime<Utc>>,
    /// The settings that decided the counts, by their names in the config.
    pub settings: BTreeMap<String, String>,
}

impl Default for Lineage {
    fn default() -> Self {
        Self {
            created: DateTime::UNIX_EPOCH,
            creator: concat!("segue ", env!("CARGO_PKG_VERSION")).into(),
            predictor: "retrieved".into(),
            model: None,
            prompt_hash: None,
            window_from: None,
            window_to: None,
            tuned_to: None,
            settings: BTreeMap::new(),
        }
    }
}

impl Lineage {
    /// The name in [`Lineage::settings`] of the store's model that was asked, where one was.
    pub const REGISTRY: &str = "inference.registry";
    /// The name there of the template of its prompts.
    pub const TEMPLATE: &str = "inference.prompt.template";

    /// Up to when the table, or the model that was asked for it, has seen what happened; `None` where that is not told.
    pub fn knows_to(&self) -> Option<DateTime<Utc>> {
        if self.settings.contains_key(Self::REGISTRY) && self.tuned_to.is_none() {
            return None;
        }
        Some(self.window_to?.max(self.tuned_to.unwrap_or(DateTime::<Utc>::MIN_UTC)))
    }
}
