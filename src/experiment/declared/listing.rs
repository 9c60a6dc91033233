//! What people are shown.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Config, Declared, settings};
use crate::store::{ExperimentAction, ExperimentChange, StoreError};

/// Changes listed where no limit is given, and the most that are.
const LISTED: (usize, usize) = (100, 1000);

/// Every experiment that is not ended, and the changes of those that calls declared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listing {
    /// The config's first, then the store's in the order in which they were set.
    pub experiments: Vec<Listed>,
    /// The newest first.
    pub changes: Vec<ExperimentChange>,
}

/// One experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its settings; none where this build cannot read them.
    pub settings: Option<Config>,
    /// Who declared it.
    pub source: Source,
    /// Whether it deals units now.
    pub phase: Phase,
    /// Why it is refused, where it is.
    pub refused: Option<String>,
    /// Who set it so, when, and why; the config tells none of it.
    pub declaration: Option<Declaration>,
}

/// Who set an experiment as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declaration {
    /// Who.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// Where an experiment is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// By `[[experiments]]`: no call changes it.
    Config,
    /// By a call, in the store.
    Call,
}

impl Source {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Call => "call",
        }
    }
}

/// Whether an experiment deals units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its start is to come.
    Planned,
    /// It does.
    Running,
    /// Its end has passed.
    Over,
    /// It conflicts with the config, or cannot be read, and is not run.
    Refused,
}

impl Phase {
    fn of(config: &Config, now: DateTime<Utc>) -> Self {
        match (config.start, config.end) {
            (Some(start), _) if now < start => Self::Planned,
            (_, Some(end)) if now >= end => Self::Over,
            _ => Self::Running,
        }
    }

    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Over => "over",
            Self::Refused => "refused",
        }
    }
}

impl Declared {
    /// All experiments, and at most `limit` changes (0: a hundred) below the number `before` (0: from the newest).
    pub fn list(&self, limit: u32, before: u64) -> Result<Listing, StoreError> {
        let limit = if limit == 0 { LISTED.0 } else { (limit as usize).min(LISTED.1) };
        let mut ledger = super::Ledger::default();
        let mut changes = self.follow(&mut ledger)?;
        let (standing, now) = (self.standing(&ledger), Utc::now());
        let of_config = self.configured.configs().map(|config| Listed {
            name: config.name.clone(),
            phase: Phase::of(config, now),
            settings: Some(config.clone()),
            source: Source::Config,
            refused: None,
            declaration: None,
        });
        let of_store = ledger.running().into_iter().map(|change| {
            let settings = settings(change).ok();
            let refused = standing.refused.iter().find(|refused| refused.experiment == change.experiment);
            let phase = settings.as_ref().map_or(Phase::Refused, |config| Phase::of(config, now));
            let ExperimentChange { who, at, why, .. } = change.clone();
            Listed {
                name: change.experiment.clone(),
                settings,
                source: Source::Call,
                phase: if refused.is_some() { Phase::Refused } else { phase },
                refused: refused.map(|refused| refused.why.clone()),
                declaration: Some(Declaration { who, at, why }),
            }
        });
        let experiments = of_config.chain(of_store).collect();
        changes.reverse();
        changes.retain(|change| before == 0 || change.seq < before);
        changes.truncate(limit);
        Ok(Listing { experiments, changes })
    }

    /// The settings of every experiment there was, for reading what came of it: the config's, then those of calls by
    /// name. One that was ended has its end there at the latest.
    pub fn ever(&self) -> Result<Vec<Config>, StoreError> {
        let ledger = self.ledger()?;
        let of_store = ledger.all().filter(|change| self.refuse_configured(&change.experiment).is_ok());
        let of_store = of_store.filter_map(|change| {
            let mut config = settings(change).ok()?;
            if change.action == ExperimentAction::End {
                config.end = Some(config.end.map_or(change.at, |end| end.min(change.at)));
            }
            Some(config)
        });
        Ok(self.configured.configs().cloned().chain(of_store).collect())
    }
}
