//! The gates on what a language model answered.

use super::Found::{self, Outside, Unknown, Within};
use super::{of, percent, share};
use crate::evaluation::{Config, ExactMatch, Report};

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
    let largest = found.largest.map_or("none".to_owned(), |cluster| cluster.to_string());
    let own_at_random = found.key_clusters as f64 / (found.clusters * found.keys).max(1) as f64;
    let shares = [
        (format!("{} answers to {} keys of {} clusters", found.distinct, found.keys, found.clusters), None),
        (format!("{} are cluster {largest}", share(found.largest_keys, found.keys)), Some(gate.max_largest)),
        (
            format!("{} are the most popular novel cluster", share(found.most_popular, found.keys)),
            Some(gate.max_popular),
        ),
        (
            format!(
                "{} are clusters of the key itself ({} at random)",
                share(found.own, found.keys),
                percent(own_at_random)
            ),
            Some(gate.max_own.max(OFTEN * own_at_random)),
        ),
    ];
    let figures = [0, found.largest_keys, found.most_popular, found.own].map(|keys| of(keys, found.keys));
    let mut outside = Vec::new();
    if of(found.distinct, possible) < gate.min_distinct {
        let least = (gate.min_distinct * possible as f64).ceil();
        outside.push(format!("{}, at least {least} are needed", shares[0].0));
    }
    for ((says, max), figure) in shares.iter().zip(figures) {
        if let Some(max) = max.filter(|&max| figure > max) {
            outside.push(format!("{says}, at most {} may be", percent(max)));
        }
    }
    if outside.is_empty() {
        return Within(shares.map(|(says, _)| says).join(", "));
    }
    Outside(format!("the answers collapse: {}; fine-tune on more varied samples", outside.join("; ")))
}

/// So many times as often as by chance a key's own cluster is no copying yet: of few clusters chance alone names many.
const OFTEN: f64 = 2.0;

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
