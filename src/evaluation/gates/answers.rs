//! The gates on what a language model answered.

use super::Found::{self, Outside, Unknown, Within};
use super::{of, percent, share};
use crate::evaluation::{Collapse, CollapseGate, Config, ExactMatch, Report};

pub(super) fn exact_match(found: Option<ExactMatch>, config: &Config) -> Found {
    let Some(ExactMatch { asked, matched }) = found else { return unasked() };
    let min = config.exact_match.min;
    let says = format!("{} of {asked} unconstrained answers are a cluster's description", share(matched, asked));
    if of(matched, asked) < min {
        return Outside(format!(
            "{says}, at least {} must be: fine-tune the model on this taxonomy, or ask another one",
            percent(min)
        ));
    }
    Within(says)
}

pub(super) fn collapse(report: &Report, config: &Config) -> Found {
    let gate = &config.collapse;
    let Some(found) = report.collapse else { return Unknown("no key was answered with a cluster".to_owned()) };
    if found.keys < gate.min_keys {
        return Unknown(format!("{} keys were answered, at least {} are needed to tell", found.keys, gate.min_keys));
    }
    let possible = found.keys.min(found.clusters);
    let distinct = format!("{} answers to {} keys of {} clusters", found.distinct, found.keys, found.clusters);
    let mut outside = Vec::new();
    if of(found.distinct, possible) < gate.min_distinct {
        let least = (gate.min_distinct * possible as f64).ceil();
        outside.push(format!("{distinct}, at least {least} are needed"));
    }
    let mut within = vec![distinct];
    for (figure, says, max) in shares(report, &found, gate) {
        if figure > max {
            outside.push(format!("{says}, at most {} may be", percent(max)));
        }
        within.push(says);
    }
    if outside.is_empty() {
        return Within(within.join(", "));
    }
    Outside(format!("the answers collapse: {}; fine-tune on more varied samples", outside.join("; ")))
}

/// What may not take too much of all: its share, how it reads, and the bound.
fn shares(report: &Report, found: &Collapse, gate: &CollapseGate) -> Vec<(f64, String, f64)> {
    let of_keys =
        |keys, what: &str, max| (of(keys, found.keys), format!("{} are {what}", share(keys, found.keys)), max);
    let largest = found.largest.map_or("none".to_owned(), |cluster| format!("cluster {cluster}"));
    let mut shares = vec![
        of_keys(found.largest_keys, &largest, gate.max_largest),
        of_keys(found.most_popular, "the most popular novel cluster", gate.max_popular),
    ];
    let named = report.exact_match.map_or(0, |found| found.matched);
    if named >= gate.min_keys {
        let says = format!("{} of {named} unconstrained ones are clusters of the key itself", share(found.own, named));
        shares.push((of(found.own, named), says, gate.max_own));
    }
    shares
}

pub(super) fn fallbacks(report: &Report, config: &Config) -> Found {
    let Some(found) = report.fallbacks else { return unasked() };
    let says =
        format!("{} of {} keys fell back to what was retrieved", share(found.fell_back, found.asked), found.asked);
    if of(found.fell_back, found.asked) > config.fallbacks.max {
        let max = percent(config.fallbacks.max);
        return Outside(format!("{says}, at most {max} may: look at raw answers with `segue explain`"));
    }
    Within(says)
}

fn unasked() -> Found {
    Unknown("no language model was asked".to_owned())
}
