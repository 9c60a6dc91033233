//! The paper's offline claims, each beside what was measured.

use serde::Serialize;

use super::model::Made;
use crate::cli::evaluate::told::estimate;
use crate::cli::evaluate::versions::{Kind, Named};
use crate::evaluation::{Estimate, Origin};
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

pub(super) fn claims(measured: &[Measured], made: Option<&Made>) -> Vec<Claim> {
    let of_cuts = measured.iter().flat_map(of_cut);
    of_cuts.chain([fresh_prompts(made)]).chain(made.and_then(refreshed_prompts)).chain([rewritten(made)]).collect()
}

fn fresh_prompts(made: Option<&Made>) -> Claim {
    let claim = "3.1: prompts with fresh behaviour hit more than prompts without";
    match made.and_then(|made| Some((made.rates.n, made.rates.differences.first()?))) {
        Some((n, difference)) => compared(claim, "", n, difference),
        None => Claim {
            claim: claim.into(),
            measured: "no language model was asked: what is compared is its retrieval half alone".into(),
            verdict: Verdict::Unmeasured,
        },
    }
}

/// Where tables were named that followed the one of the first day.
fn refreshed_prompts(made: &Made) -> Option<Claim> {
    let refreshed = made.refreshed.as_ref()?;
    let difference = made.rates.differences.iter().find(|of| of.against == *refreshed)?;
    let claim = "3.1: prompts with fresh behaviour, refreshed, hit more than those of the first day, held";
    Some(compared(claim, "", made.rates.n, &difference.reversed()))
}

/// Section 3.1: few answers survive fresh behaviour, fewer than survive a mere repetition.
fn rewritten(made: Option<&Made>) -> Claim {
    let claim = "3.1: fewer answers are the same with fresh behaviour (7.8 %) than when prompts without it are repeated \
                 (37.5 %)";
    let Some(Made { overlap, .. }) = made else {
        let measured = "counts have no run-to-run noise, and no language model was asked".into();
        return Claim { claim: claim.into(), measured, verdict: Verdict::Unmeasured };
    };
    let repeated: Vec<Estimate> = overlap.repeats.iter().filter_map(|repeat| repeat.identical).collect();
    let verdict = match overlap.identical {
        Some(fresh) if !repeated.is_empty() => match repeated {
            repeated if repeated.iter().all(|of| fresh.high < of.low) => Verdict::Holds,
            repeated if repeated.iter().all(|of| fresh.low > of.high) => Verdict::Fails,
            _ => Verdict::Unclear,
        },
        _ => Verdict::Unclear,
    };
    let told: Vec<String> = overlap.repeats.iter().map(|repeat| estimate(repeat.identical)).collect();
    let repeated = match &overlap.drawn {
        Some(drawn) => format!("{} when repeated at temperature {}", told.join(", "), drawn.temperature),
        None => "no repetition was named (`--repeat`)".into(),
    };
    let origin = overlap.origin.map_or(String::new(), |Origin { keys, context, new }| {
        let [context, new] = [context, new].map(|part| estimate(Estimate::share(part, keys)));
        format!("; {context} are what the prompt showed, {new} neither that nor the answer without")
    });
    let measured = format!("{} the same with it, {repeated}{origin}", estimate(overlap.identical));
    Claim { claim: claim.into(), measured, verdict }
}

/// One version's hit rate beside another's.
fn compared(claim: &str, by: &str, n: usize, difference: &Difference) -> Claim {
    let Difference { version, against, served_1, served_n } = difference;
    let (one, several) = (estimate(Some(*served_1)), estimate(Some(*served_n)));
    let measured = format!("difference of hit rate@1 {one} points, @{n} {several} points");
    Claim {
        claim: format!("{claim} (`{version}` beside `{against}`{by})"),
        measured: measured.replace(" %", ""),
        verdict: above_zero(*served_1, *served_n),
    }
}

fn of_cut(Measured { by, rates, drift }: &Measured) -> Vec<Claim> {
    let n = rates.n;
    let mut claims = Vec::new();
    for difference in &rates.differences {
        let claim = match difference.against.parse::<Named>().map_or(Kind::Other, |against| against.kind()) {
            Kind::Held => "3.1: refreshed hits more than held fixed",
            Kind::Popular => "beyond the paper: a key's own successors hit more than what is popular",
            Kind::Supported => "beyond the paper: keys that were rarely seen are worth a row of their own",
            Kind::Random => "beyond the paper: a key's own successors hit more than a random novel cluster",
            Kind::Other => "one hits more than the other",
        };
        claims.push(compared(claim, &format!(", by {by}"), n, difference));
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
