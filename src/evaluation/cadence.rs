//! When the next refresh pays: how the table ages is measured, and one pure decision follows (section 4 leaves the
//! cadence open). What replays a log and what refreshes a live table ask the same function.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::interval::Estimate;
use super::stability::Jaccard;

/// `[evaluation.cadence]`: what the adaptive policy weighs. Money is in the currency of `[inference.budget]`'s prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cadence {
    /// No refresh is sooner after the last one.
    #[serde(with = "humantime_serde")]
    pub min: Duration,
    /// No refresh is later after the last one, whatever the figures.
    #[serde(with = "humantime_serde")]
    pub max: Duration,
    /// What one point (0.01) of hit rate is worth in one day.
    pub worth: f64,
    /// What a refresh costs, questions left aside.
    pub refresh_cost: f64,
    /// What one question to the language model costs, beside what its tokens cost by the prices of `[inference.budget]`.
    pub call_cost: f64,
    /// The gain must exceed the cost by this share of it, so that figures near the border do not decide.
    pub hysteresis: f64,
    /// No other model is tuned before the log has gone on for so long after what the newest one learnt from.
    #[serde(with = "humantime_serde")]
    pub finetune_min: Duration,
}

impl Default for Cadence {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            min: day,
            max: 14 * day,
            worth: 1.0,
            refresh_cost: 3.0,
            call_cost: 0.0,
            hysteresis: 0.2,
            finetune_min: 7 * day,
        }
    }
}

impl Cadence {
    /// The first setting that makes no sense: its name, value and what is wrong.
    pub(super) fn problem(&self) -> Option<(&'static str, f64, &'static str)> {
        let days = |duration: Duration| duration.as_secs_f64() / DAY;
        let Self { min, max, worth, refresh_cost, call_cost, hysteresis, .. } = *self;
        let money =
            [("worth", worth), ("refresh_cost", refresh_cost), ("call_cost", call_cost), ("hysteresis", hysteresis)];
        if let Some(&(field, value)) = money.iter().find(|(_, value)| !value.is_finite() || *value < 0.0) {
            return Some((field, value, "give a number of 0 or more"));
        }
        if max.is_zero() {
            return Some(("max", days(max), "give a time above 0"));
        }
        (min > max).then_some(("min", days(min), "(in days) it lies above max"))
    }

    /// What a refresh with so many questions costs, the price of their tokens left aside.
    pub fn cost(&self, calls: u64) -> f64 {
        self.refresh_cost + calls as f64 * self.call_cost
    }
}

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// What is known of the live table beside one counted freshly, neither of which counts the users that judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ageing {
    /// Days since the last refresh.
    pub age: f64,
    /// By how much the fresh table's hit rate exceeds the live one's at the same positions, all those since the last
    /// refresh; none without any.
    pub loss: Option<Estimate>,
    /// The live table's own hit rate there.
    pub live: Option<f64>,
    /// How alike the two tables' top 5 successors are. Told beside; it decides nothing, since a key that changed may be
    /// one that nobody asks for.
    pub stability: Option<Jaccard>,
    /// Questions that a refresh would ask now.
    pub calls: u64,
    /// What their tokens cost, estimated; 0 where no prices are given.
    #[serde(default)]
    pub tokens_cost: f64,
    /// What held-out users said of the language model's tables; none where none was asked, or only one table came of it.
    #[serde(default)]
    pub recall: Option<Recalled>,
}

/// Recall of two tables of the same language model, each as it was judged when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// Of the first one.
    pub first: Estimate,
    /// Of the live one.
    pub live: Estimate,
}

/// Whether to refresh, with the numbers that say so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether to refresh now.
    pub refresh: bool,
    /// What settled it.
    pub reason: Reason,
    /// Whether the language model is due for fine-tuning: its tables have become worse than its first one beyond chance,
    /// though each was made from fresh behaviour (section 2: RAG follows what changes from week to week, fine-tuning what
    /// stays changed).
    #[serde(default)]
    pub finetune: bool,
    /// What the live table has lost since the last refresh, in money: what a refresh is taken to gain over as many days.
    /// 0 where no loss was measured.
    pub gain: f64,
    /// What it costs.
    pub cost: f64,
    /// What was known.
    pub ageing: Ageing,
}

/// What settles a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The last refresh is younger than `min`.
    TooSoon,
    /// The last refresh is as old as `max`.
    Overdue,
    /// No position since the last refresh tells of a loss.
    Unmeasured,
    /// The loss is within what chance gives.
    Uncertain,
    /// The loss has cost less than a refresh so far.
    TooCheap,
    /// The loss has cost more than a refresh.
    Pays,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooSoon => "too soon after the last one",
            Self::Overdue => "the longest interval is over",
            Self::Unmeasured => "no position since the last one tells of a loss",
            Self::Uncertain => "the loss is within chance",
            Self::TooCheap => "so far the loss has cost less than a refresh",
            Self::Pays => "the loss has cost more than a refresh",
        })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refresh, reason, gain, cost, ageing: Ageing { age, loss, .. }, .. } = self;
        write!(f, "{}: {reason}", if *refresh { "refresh" } else { "wait" })?;
        if let Some(Estimate { value, low, high }) = loss.map(|loss| loss.times(100.0)) {
            write!(f, "; {value:.2} [{low:.2}, {high:.2}] points lost")?;
        }
        write!(f, " over {age:.1} days, worth {gain:.2}; a refresh costs {cost:.2}")?;
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl Decision {
    /// What is to be done beside: by the refresher, where it asks the registry's model, else by a person.
    pub fn advice(&self) -> Option<String> {
        let Recalled { first, live } = self.ageing.recall.filter(|_| self.finetune)?;
        let (first, live) = (100.0 * first.value, 100.0 * live.value);
        Some(format!("fine-tune the model: its recall fell from {first:.2} % to {live:.2} %, refreshed as it is"))
    }
}

/// Decides. Never before `min`, always from `max` on; in between once the loss since the last refresh has cost what a
/// refresh costs, and the hysteresis: where a table ages evenly, refreshes and losses together cost least at that
/// cadence. More loss never turns a refresh down.
///
/// The loss must exceed its standard error too (half of its interval's lower arm). More certainty is not asked for: a
/// refresh too many costs what it costs, and one too late goes on costing.
pub fn decide(config: &Cadence, ageing: &Ageing) -> Decision {
    let loss = ageing.loss.unwrap_or_default();
    let gain = 100.0 * loss.value.max(0.0) * config.worth * ageing.age;
    let cost = config.cost(ageing.calls) + ageing.tokens_cost;
    let age = ageing.age * DAY;
    let reason = if age < config.min.as_secs_f64() {
        Reason::TooSoon
    } else if age >= config.max.as_secs_f64() {
        Reason::Overdue
    } else if ageing.loss.is_none() {
        Reason::Unmeasured
    } else if loss.value <= (loss.value - loss.low) / 2.0 {
        Reason::Uncertain
    } else if gain <= cost * (1.0 + config.hysteresis) {
        Reason::TooCheap
    } else {
        Reason::Pays
    };
    let refresh = matches!(reason, Reason::Overdue | Reason::Pays);
    let finetune = ageing.recall.is_some_and(|recall| recall.live.high < recall.first.low);
    Decision { refresh, reason, finetune, gain, cost, ageing: *ageing }
}
