//! Who is in which arm: a formula, with no state to keep or to lose.
//!
//! With `H(bytes, seed)` the 64-bit XXH3 hash (seed 0 where none is given) and `U(h) = (floor(h / 2^11) + 0.5) / 2^53`,
//! which lies between 0 and 1:
//!
//! ```text
//! in the experiment   U(H(unit, H(salt ++ 00))) < traffic
//! key of an arm       H(salt ++ 00 ++ arm)
//! its arm             the arm with the least  -ln(U(H(unit, key))) / weight;  the first of equals
//! ```
//!
//! All texts are UTF-8, `++` joins bytes, `00` is one zero byte. This is weighted rendezvous hashing: each arm draws an
//! exponential time at the rate of its weight, and the first one takes the unit. So an arm whose weight grows takes units
//! from the others and gives none away, one whose weight falls only gives, an arm that is new or gone moves nobody
//! between the others, and the order of arms does not matter. `docs/assignment.md` says the same to those who deal units
//! elsewhere, with vectors.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::config::{Config, ConfigError, MAX_EXPERIMENTS};

/// The experiments of one server. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct Experiments(Vec<Experiment>);

#[derive(Clone, Debug)]
struct Experiment {
    config: Config,
    traffic_key: u64,
    /// As the config's arms.
    keys: Vec<u64>,
    window: (i64, i64),
}

/// The arm that a unit is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned<'e> {
    /// The experiment's name.
    pub experiment: &'e str,
    /// The arm's name.
    pub arm: &'e str,
    /// The channel that answers.
    pub channel: &'e str,
    /// Places in [`Experiments::configs`] and its arms.
    pub place: (usize, usize),
}

impl Experiments {
    /// Refuses what cannot be run, and two experiments that would disturb each other.
    pub fn new(configs: &[Config]) -> Result<Self, ConfigError> {
        let mut experiments = Self::default();
        configs.iter().try_for_each(|config| experiments.add(config))?;
        Ok(experiments)
    }

    /// Adds one. Refuses what cannot be run, and what would disturb those that are there; then nothing changes.
    pub fn add(&mut self, config: &Config) -> Result<(), ConfigError> {
        config.check()?;
        for before in self.configs() {
            let names = || (before.name.clone(), config.name.clone());
            if before.name == config.name {
                return Err(ConfigError::SameName(names().0));
            }
            if before.channel == config.channel && overlap(window(before), window(config)) {
                return Err(ConfigError::SameChannel(names().0, names().1, config.channel.clone()));
            }
            if before.salt == config.salt {
                return Err(ConfigError::SameSalt(names().0, names().1));
            }
        }
        if self.0.len() == MAX_EXPERIMENTS {
            return Err(ConfigError::Many(config.name.clone()));
        }
        self.0.push(Experiment::of(config));
        Ok(())
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they were made of, in order.
    pub fn configs(&self) -> impl Iterator<Item = &Config> {
        self.0.iter().map(|experiment| &experiment.config)
    }

    /// The arm that answers `unit` on `channel` at `now` (seconds since 1970); `None` where no experiment takes over:
    /// there is none on the channel or none at that time, the unit takes no part, or it is empty. Allocates nothing.
    pub fn assign(&self, channel: &str, unit: &str, now: i64) -> Option<Assigned<'_>> {
        let runs = |one: &Experiment| one.config.channel == channel && one.window.0 <= now && now < one.window.1;
        let place = self.0.iter().position(runs)?;
        let experiment = &self.0[place];
        if unit.is_empty() || !experiment.takes(unit) {
            return None;
        }
        let index = experiment.arm_of(unit);
        let arm = &experiment.config.arms[index];
        let (experiment, channel) = (&experiment.config.name, &arm.channel);
        Some(Assigned { experiment, arm: &arm.name, channel, place: (place, index) })
    }
}

impl Experiment {
    fn of(config: &Config) -> Self {
        let key = |arm: &str| xxh3_64(&[config.salt.as_bytes(), b"\0", arm.as_bytes()].concat());
        Self {
            traffic_key: key(""),
            keys: config.arms.iter().map(|arm| key(&arm.name)).collect(),
            window: window(config),
            config: config.clone(),
        }
    }

    fn takes(&self, unit: &str) -> bool {
        uniform(xxh3_64_with_seed(unit.as_bytes(), self.traffic_key)) < self.config.traffic
    }

    fn arm_of(&self, unit: &str) -> usize {
        let mut first = (f64::INFINITY, 0);
        for (index, (arm, &key)) in self.config.arms.iter().zip(&self.keys).enumerate() {
            let time = -uniform(xxh3_64_with_seed(unit.as_bytes(), key)).ln() / arm.weight;
            if time < first.0 {
                first = (time, index);
            }
        }
        first.1
    }
}

/// In seconds since 1970; from the first, up to the second.
fn window(config: &Config) -> (i64, i64) {
    let start = config.start.map_or(i64::MIN, |start| start.timestamp());
    (start, config.end.map_or(i64::MAX, |end| end.timestamp()))
}

fn overlap(one: (i64, i64), other: (i64, i64)) -> bool {
    one.0 < other.1 && other.0 < one.1
}

/// The middle of one of 2^53 parts of the unit interval: never 0 and never 1.
fn uniform(hash: u64) -> f64 {
    ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}
