//! The gates on the log and on the table, whoever predicts.

use super::Found::{self, Outside, Unknown, Within};
use super::{of, percent, share};
use crate::evaluation::{Config, Report};

pub(super) fn recall(report: &Report, config: &Config) -> Found {
    let gate = &config.recall;
    let Some(found) = report.recall else { return no_users() };
    if found.positions < gate.min_positions {
        return few_positions(found.positions, gate.min_positions);
    }
    let says = format!(
        "held-out users come to the prediction at {} of {} positions (95 %: {} to {}; {} at random)",
        percent(found.recall),
        found.positions,
        percent(found.low),
        percent(found.high),
        percent(found.random)
    );
    let remedy = "compare with the live version, look at the window and the model";
    if found.recall < gate.min {
        return Outside(format!("{says}, at least {} is needed: {remedy}", percent(gate.min)));
    }
    // Users who come to nearly everything make every prediction come true: there is nothing to be better than.
    if found.low <= found.random && found.random < MOSTLY {
        return Outside(format!("{says}, which is not clear of random: {remedy}"));
    }
    Within(says)
}

/// From here on a random cluster comes true so often that no prediction can be told from it.
const MOSTLY: f64 = 0.5;

pub(super) fn input(report: &Report, config: &Config) -> Found {
    let gate = &config.input;
    let Some(found) = &report.input else {
        return Unknown("no log was read, or it has too few days to compare with".to_owned());
    };
    let judged: Vec<_> = found.days.iter().filter(|day| day.median >= gate.min_positives as f64).collect();
    let Some(newest) = judged.last() else {
        let least = gate.min_positives;
        return Unknown(format!("a usual day has fewer than {least} positives: too few to tell one from another"));
    };
    let is_outside = |positives: u64, median: f64| {
        let ratio = positives as f64 / median;
        ratio < gate.min || ratio > gate.max
    };
    match judged.iter().find(|day| is_outside(day.positives, day.median)) {
        None => Within(format!("{} has {} positives, usual are {}", newest.day, newest.positives, newest.median)),
        Some(day) => Outside(format!(
            "{} has {} positives, usual are {}, and {} to {} of that are let through: wait until the day is whole, end \
             the window before it (--to {}), or mend the log",
            day.day,
            day.positives,
            day.median,
            percent(gate.min),
            percent(gate.max),
            day.day
        )),
    }
}

pub(super) fn coverage(report: &Report, config: &Config) -> Found {
    let gate = &config.coverage;
    let Some(found) = report.coverage else { return Unknown("nothing was measured".to_owned()) };
    if let Some(live) = found.live_keys.filter(|&live| of(found.keys, live) < gate.min_keys) {
        return Outside(format!(
            "{} keys, the live version has {live} and at least {} of them are needed: look at the window and at what \
             the log lost",
            found.keys,
            percent(gate.min_keys)
        ));
    }
    let keys = format!("{} keys", found.keys);
    if found.positions < gate.min_positions {
        return Within(keys);
    }
    let matched = share(found.matched, found.positions);
    let says = format!(
        "{keys}; {matched} of held-out positions find one, {} their longest",
        share(found.full, found.positions)
    );
    if of(found.matched, found.positions) < gate.min_matched {
        let least = percent(gate.min_matched);
        return Outside(format!("{says}; at least {least} must find one: widen the window, or lower table.min_count"));
    }
    Within(says)
}

pub(super) fn churn(report: &Report, config: &Config) -> Found {
    let Some(found) = report.churn else { return Unknown("nothing is live to compare with".to_owned()) };
    let says = format!(
        "{} of {} live keys change their answer, {} of them are gone",
        percent(found.share()),
        found.keys,
        found.gone
    );
    if found.share() > config.churn.max {
        let max = percent(config.churn.max);
        return Outside(format!("{says}; at most {max} may: look at a few of them with `segue explain`"));
    }
    Within(says)
}

fn no_users() -> Found {
    Unknown("there are no held-out users".to_owned())
}

fn few_positions(found: u64, least: u64) -> Found {
    Unknown(format!("held-out users have {found} positions, at least {least} are needed to tell"))
}
