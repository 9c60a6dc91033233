//! The experiments of the config and those that calls declared, as one set.
//!
//! Calls add to the store's sequence of changes and never touch what the config declares. A call is checked against both
//! before it is kept. Where a config was changed later, or differs from that of the server that took the call, the two
//! may conflict: then the config wins, and the store's experiment is refused on this server for as long as that is so.

mod error;
mod ledger;
mod listing;

use crate::store::{ExperimentAction, ExperimentChange, NewExperimentChange, Note, Store, StoreError};

use super::assign::Experiments;
use super::config::{Config, check_name};

pub use error::DeclareError;
pub use ledger::Ledger;
pub use listing::{Declaration, Listed, Listing, Phase, Source};

/// Where experiments are declared. Cheap to clone, but for the config's.
#[derive(Clone, Debug)]
pub struct Declared {
    configured: Experiments,
    store: Store,
}

/// What a server runs.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The config's, then the store's.
    pub experiments: Experiments,
    /// Those of the store that are not run.
    pub refused: Vec<Refused>,
}

/// An experiment of the store that is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its name.
    pub experiment: String,
    /// Why, and what to do.
    pub why: String,
}

impl Declared {
    /// Of a config, whose experiments were checked, and a store.
    pub fn new(configured: Experiments, store: Store) -> Self {
        Self { configured, store }
    }

    /// Reads what the ledger does not know yet; returns that.
    pub fn follow(&self, ledger: &mut Ledger) -> Result<Vec<ExperimentChange>, StoreError> {
        let news = self.store.experiment_changes(ledger.seq())?;
        news.iter().for_each(|change| ledger.note(change));
        Ok(news)
    }

    /// Every change so far.
    pub fn ledger(&self) -> Result<Ledger, StoreError> {
        let mut ledger = Ledger::default();
        self.follow(&mut ledger)?;
        Ok(ledger)
    }

    /// What runs, as the ledger knows it. Of the store's, the one that was set earlier comes first.
    pub fn standing(&self, ledger: &Ledger) -> Standing {
        merged(self.configured.clone(), ledger.running())
    }

    /// Lets an experiment run with these settings, new or changed. Nothing changes where it is refused.
    pub fn set(&self, config: &Config, note: &Note) -> Result<ExperimentChange, DeclareError> {
        config.check()?;
        self.refuse_configured(&config.name)?;
        self.configured.clone().add(config).map_err(DeclareError::WithConfig)?;
        self.check_channels(config)?;
        let settings = serde_json::to_value(config).map_err(|error| DeclareError::settings(&config.name, &error))?;
        self.store.change_experiments(note, |changes| {
            let ledger = Ledger::of(changes);
            check_salt(&ledger, config)?;
            let mut others = ledger.running();
            others.retain(|change| change.experiment != config.name);
            // Those that this config refuses run elsewhere.
            merged(Experiments::default(), others.clone()).experiments.add(config)?;
            merged(self.configured.clone(), others).experiments.add(config)?;
            let (experiment, settings) = (config.name.clone(), settings.clone());
            Ok(NewExperimentChange { action: ExperimentAction::Set, experiment, settings })
        })
    }

    /// Ends an experiment that a call declared: its channel answers by itself again.
    pub fn end(&self, name: &str, note: &Note) -> Result<ExperimentChange, DeclareError> {
        check_name(name)?;
        self.refuse_configured(name)?;
        self.store.change_experiments(note, |changes| {
            let ledger = Ledger::of(changes);
            let running = ledger.running();
            let found = running.iter().find(|change| change.experiment == name);
            let settings = found.map(|change| change.settings.clone()).ok_or_else(|| {
                let known = running.iter().map(|change| change.experiment.clone()).collect();
                DeclareError::NotRunning { experiment: name.into(), known }
            })?;
            Ok(NewExperimentChange { action: ExperimentAction::End, experiment: name.into(), settings })
        })
    }

    fn refuse_configured(&self, name: &str) -> Result<(), DeclareError> {
        if self.configured.configs().any(|config| config.name == name) {
            return Err(DeclareError::Configured(name.into()));
        }
        Ok(())
    }

    /// A channel that nothing was published to is a slip of the pen: no unit would ever be answered from it.
    fn check_channels(&self, config: &Config) -> Result<(), DeclareError> {
        missing_channel(config, &self.store.channels()?).map_or(Ok(()), Err)
    }

    /// What is wrong with the channels of the config's experiments: a config may be there before what is published.
    pub fn missing_channels(&self) -> Result<Vec<DeclareError>, StoreError> {
        if self.configured.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.store.channels()?;
        Ok(self.configured.configs().filter_map(|config| missing_channel(config, &known)).collect())
    }
}

fn missing_channel(config: &Config, known: &[String]) -> Option<DeclareError> {
    let (of, channel) = config.channels().find(|(_, channel)| known.iter().all(|known| known != channel))?;
    let (experiment, channel) = (config.name.clone(), channel.into());
    Some(DeclareError::NoChannel { experiment, of, channel, known: known.to_vec() })
}

/// Adds the store's experiments to the config's, as far as they go together.
fn merged(experiments: Experiments, running: Vec<&ExperimentChange>) -> Standing {
    let mut standing = Standing { experiments, refused: Vec::new() };
    for change in running {
        let added = settings(change).and_then(|config| Ok(standing.experiments.add(&config)?));
        if let Err(error) = added {
            standing.refused.push(Refused { experiment: change.experiment.clone(), why: error.to_string() });
        }
    }
    standing
}

/// The settings that a change keeps.
fn settings(change: &ExperimentChange) -> Result<Config, DeclareError> {
    let config: Config = serde_json::from_value(change.settings.clone())
        .map_err(|error| DeclareError::settings(&change.experiment, &error))?;
    if config.name != change.experiment {
        let experiment = change.experiment.clone();
        return Err(DeclareError::Settings { experiment, problem: "another's name".into() });
    }
    Ok(config)
}

/// A name keeps its salt, so that its rows in the log come from one hand only.
fn check_salt(ledger: &Ledger, config: &Config) -> Result<(), DeclareError> {
    let before = ledger.latest(&config.name).and_then(|change| settings(change).ok());
    match before.filter(|before| before.salt != config.salt) {
        Some(before) => Err(DeclareError::Salt { experiment: config.name.clone(), before: before.salt }),
        None => Ok(()),
    }
}
