//! The paper's offline claims, each beside what was measured.

use serde::Serialize;

use super::told::estimate;
use super::versions::{Kind, Named};
use crate::evaluation::Estimate;
use crate::replay::{Difference, Drift, HitRate, Neighbours, Pooled, Step};

/// What was measured by one cut of time.
pub(super) struct Measured {
    pub(super) by: Step,
    pub(super) rates: HitRate,
    pub(super) drift: Drift,
}

/// A claim, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Claim {
    /// What is claimed, and where.
    claim: String,
    /// What was measured.
    measured: String,
    /// Whether that is so here.
    verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Verdict {
    #[serde(rename = "holds")]
    Holds,
    #[serde(rename = "does not hold")]
    Fails,
    #[serde(rename = "cannot be told")]
    Unclear,
    #[serde(rename = "not measured here")]
    Unmeasured,
}

pub(super) fn claims(measured: &[Measured]) -> Vec<Claim> {
    let mut claims: Vec<Claim> = measured.iter().flat_map(of_cut).collect();
    claims.extend([
        unmeasured(
            "3.1: prompts with fresh behaviour hit more than prompts without",
            "no language model was asked: what is compared is its retrieval half alone. `segue evaluate hit-rate \
             --versions version:A,version:B` compares tables of the store made with and without it",
        ),
        unmeasured(
            "3.1: 7.8 % of answers are the same with fresh behaviour, 37.5 % when prompts without it are repeated",
            "counts have no run-to-run noise, and no language model was asked. `segue evaluate overlap A B --repeat V` \
             compares tables of the store",
        ),
    ]);
    claims
}

fn unmeasured(claim: &str, measured: &str) -> Claim {
    Claim { claim: claim.into(), measured: measured.into(), verdict: Verdict::Unmeasured }
}

fn of_cut(Measured { by, rates, drift }: &Measured) -> Vec<Claim> {
    let n = rates.n;
    let mut claims = Vec::new();
    for difference in &rates.differences {
        let Difference { version, against, served_1, served_n } = difference;
        let claim = match against.parse::<Named>().map_or(Kind::Other, |against| against.kind()) {
            Kind::Held => "3.1: refreshed hits more than held fixed",
            Kind::Popular => "beyond the paper: a key's own successors hit more than what is popular",
            Kind::Supported => "beyond the paper: keys that were rarely seen are worth a row of their own",
            Kind::Random => "beyond the paper: a key's own successors hit more than a random novel cluster",
            Kind::Other => "one hits more than the other",
        };
        let claim = format!("{claim} (`{version}` beside `{against}`, by {by})");
        let (one, several) = (estimate(Some(*served_1)), estimate(Some(*served_n)));
        let measured = format!("difference of hit rate@1 {one} points, @{n} {several} points");
        claims.push(Claim { claim, measured: measured.replace(" %", ""), verdict: above_zero(*served_1, *served_n) });
    }
    claims.extend(faded(*by, drift));
    claims.extend(drifted(*by, drift));
    claims
}

/// Both figures must agree.
fn above_zero(one: Estimate, several: Estimate) -> Verdict {
    match (one, several) {
        (one, several) if one.low > 0.0 && several.low > 0.0 => Verdict::Holds,
        (one, several) if one.high < 0.0 || several.high < 0.0 => Verdict::Fails,
        _ => Verdict::Unclear,
    }
}

/// Figure 3(b): the share of unchanged top sets falls as time goes on.
fn faded(by: Step, drift: &Drift) -> Option<Claim> {
    let top = drift.identical.iter().find(|of| of.top == 1)?;
    let mut shares = top.shares.iter().copied().flatten();
    let (next, last) = (shares.next()?, shares.last()?);
    let verdict = match (next, last) {
        (next, last) if last.high < next.low => Verdict::Holds,
        (next, last) if last.low > next.high => Verdict::Fails,
        _ => Verdict::Unclear,
    };
    let verdict_of = if verdict == Verdict::Unclear { " (the intervals meet)" } else { "" };
    Some(Claim {
        claim: format!("3.1, Figure 3b: the overlap with the first {by}'s top successors drops as time goes on"),
        measured: format!(
            "same top successor: {} of common keys in the next {by}, {} in the last{verdict_of}",
            estimate(Some(next)),
            estimate(Some(last))
        ),
        verdict,
    })
}

/// Section 2.1: a low similarity is drift only below what chance gives.
fn drifted(by: Step, drift: &Drift) -> Option<Claim> {
    let pooled = drift.pooled?;
    let Pooled { pairs, mean, null, difference } = pooled;
    let below = |of: &&Neighbours| of.all.zip(of.null).is_some_and(|(all, null)| all.mean < null.interval().0);
    let below = drift.neighbours.iter().filter(below).count();
    let share = pooled.share().map_or(String::new(), |share| format!(", {:+.0} % of it", 100.0 * share));
    Some(Claim {
        claim: format!(
            "2.1: top-5 successors differ from {by} to {by} by drift (the paper's log: Jaccard 0.17 by month)"
        ),
        measured: format!(
            "mean Jaccard over {pairs} pairs {mean:.3}; {null:.3} had nothing drifted: a difference of {:.3} [{:.3}, \
             {:.3}]{share}; {below} pairs lie below their own null's 95 %",
            difference.value, difference.low, difference.high
        ),
        verdict: match difference {
            of if of.high < 0.0 => Verdict::Holds,
            of if of.low > 0.0 => Verdict::Fails,
            _ => Verdict::Unclear,
        },
    })
}
