//! Judge: what was built is measured, and the gates say whether it may go live (section 2.2).

use futures::TryStreamExt;

use super::ask::Answered;
use super::count::{self, Predictions};
use super::input::{Input, Source};
use super::retrieve;
use crate::evaluation::{self, Churn, Coverage, Estimate, RecallTally, Report, Verdict};
use crate::ids::VersionId;
use crate::interactions::{Log, Users, Window, clusters_of};
use crate::lookup::{ClusterSet, Query, Rules, Scratch, lookup};
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress};
use crate::store::{Changed, Draft, Manifest, Mapping, State};
use crate::table::Table;

/// Measures the draft, with the answers where a language model was asked, judges it, and puts the judgement beside its
/// table. Tells what changed against the live version, too.
pub(in crate::refresh) async fn judge(
    cycle: &Cycle<'_>,
    input: &Input,
    draft: &Draft,
    answered: Option<&Answered>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(Verdict, Option<Changed>), RefreshError> {
    let mut tell = |done, message| progress(Progress { step: "judge", done, total: 2, message });
    let config = &cycle.settings.evaluation;
    tell(0, "beside the live version".into());
    let live = live(cycle)?;
    let mut report = beside_live(cycle, live.as_ref(), draft)?;
    if let Source::Log { log, window } = &input.source {
        if config.input.severity.is_on()
            && let Some(to) = window.to
        {
            let live_to = live.as_ref().and_then(|live| live.lineage.window_to);
            report.input = evaluation::Input::of(&log.daily(window).await?, to, live_to);
        }
        tell(1, "by held-out users".into());
        by_held_out(cycle, input, log, window, answered, &mut report).await?;
    }
    if let Some(answered) = answered {
        report = report.with_answers(&answered.figures(input.taxonomy.clusters().len() as u64));
        report.first_recall = first_recall(cycle, input.lineage.model.as_deref())?;
    }
    let verdict = evaluation::judge(&report, config);
    draft.judge(&verdict.judgement(&report, &cycle.request.note.who, State::Passed, State::Held))?;
    let said = verdict.reasons();
    tell(2, if said.is_empty() { "no gate objects".into() } else { said });
    let changed = report.churn.zip(live).map(|(Churn { keys, changed, gone, fell_back }, live)| Changed {
        against: live.version,
        keys,
        changed,
        gone,
        fell_back,
    });
    Ok((verdict, changed))
}

/// What the newest version before this one that came of the same model hands on: the first one's recall, or its own.
fn first_recall(cycle: &Cycle<'_>, model: Option<&str>) -> Result<Option<Estimate>, RefreshError> {
    let Some(model) = model else { return Ok(None) };
    for version in cycle.store.versions()? {
        if cycle.store.manifest(version)?.lineage.model.as_deref() != Some(model) {
            continue;
        }
        let Report { first_recall, recall, .. } = self::report(cycle, version)?;
        if let Some(first) = first_recall.or(recall.map(|recall| recall.estimate())) {
            return Ok(Some(first));
        }
    }
    Ok(None)
}

/// What was measured of a version when it was made; nothing where nobody measured.
pub(super) fn report(cycle: &Cycle<'_>, version: VersionId) -> Result<Report, RefreshError> {
    let judgement = cycle.store.judgements(version)?.into_iter().next();
    // A report of another build may tell less.
    Ok(judgement.map_or_else(Report::default, |judgement| serde_json::from_value(judgement.report).unwrap_or_default()))
}

fn live(cycle: &Cycle<'_>) -> Result<Option<Manifest>, RefreshError> {
    let channel = cycle.store.channel(&cycle.request.channel)?;
    Ok(channel.map(|channel| cycle.store.manifest(channel.version)).transpose()?)
}

/// What a candidate tells beside the version that it would replace.
fn beside_live(cycle: &Cycle<'_>, live: Option<&Manifest>, draft: &Draft) -> Result<Report, RefreshError> {
    let candidate = draft.open()?;
    let keys = candidate.sections().map(|section| section.rows).sum();
    let live_keys = live.map(|live| live.keys.iter().sum());
    let coverage = Some(Coverage { keys, live_keys, ..Coverage::default() });
    // Keys of another taxonomy are other keys.
    let comparable = live.filter(|live| live.taxonomy_hash == candidate.taxonomy().hash());
    let churn = comparable.and_then(|live| match cycle.store.load(live.version) {
        Ok(table) => Churn::of(&table, &candidate),
        // What is damaged is best replaced.
        Err(error) => {
            tracing::warn!(%error, "the live version cannot be compared with");
            None
        }
    });
    Ok(Report { coverage, churn, ..Report::default() })
}

/// What held-out users tell of a table that leaves them out, answered by the very code that serves.
async fn by_held_out(
    cycle: &Cycle<'_>,
    input: &Input,
    log: &Log,
    window: &Window,
    answered: Option<&Answered>,
    report: &mut Report,
) -> Result<(), RefreshError> {
    let config = &cycle.settings.evaluation;
    let is_asked = config.recall.severity.is_on() || config.coverage.severity.is_on();
    if !is_asked || config.held_out.share == 0.0 {
        return Ok(());
    }
    let Some(table) = without_held_out(cycle, input, log, window, answered).await? else { return Ok(()) };
    let mut recall = RecallTally::new(input.taxonomy.clusters().len(), 1);
    let mut coverage = report.coverage.unwrap_or_default();
    let nobody = ClusterSet::default();
    let rules = Rules { blocklist: &nobody, max_history: usize::MAX };
    let (mut scratch, mut history) = (Scratch::default(), Vec::new());
    let mut users = log.of(Users::HeldOut(config.held_out.clone())).sequences(window).await?;
    while let Some(sequences) = users.try_next().await? {
        recall.take(&clusters_of(&sequences), |met| {
            history.clear();
            history.extend(met.iter().map(|cluster| cluster.0));
            let query = Query { history: &history, limit: 1, exclude: &[] };
            let answer = lookup(&table, rules, query, &mut scratch).ok()?;
            coverage.take(met.len().min(table.k()), answer.matched as usize);
            answer.predictions.first().map(|prediction| prediction.cluster)
        });
    }
    (report.recall, report.coverage) = (recall.finish(), Some(coverage));
    Ok(())
}

/// The candidate's table as it would be without the held-out users; `None` where the others made no transition.
async fn without_held_out(
    cycle: &Cycle<'_>,
    input: &Input,
    log: &Log,
    window: &Window,
    answered: Option<&Answered>,
) -> Result<Option<Table<Mapping>>, RefreshError> {
    let kept = Box::new(log.of(Users::Kept(cycle.settings.evaluation.held_out.clone())));
    let source = Source::Log { log: kept, window: *window };
    let input = Input { taxonomy: input.taxonomy.clone(), source, lineage: input.lineage.clone() };
    let known = match answered {
        Some(answered) => Some((untouched(cycle, &input, answered).await?, input.source.popular().await?)),
        None => None,
    };
    let known = known.as_ref().map(|(answers, popular)| (answers, popular));
    count::private(cycle, &input, known).await
}

/// The answers to prompts that held-out users had no part in: those that show the same without them. To ask again for the
/// others would cost as much as they are many.
async fn untouched(cycle: &Cycle<'_>, kept: &Input, answered: &Answered) -> Result<Predictions, RefreshError> {
    let keys: Vec<_> = answered.plan.iter().map(|planned| planned.key.clone()).collect();
    let contexts = retrieve::shown(cycle, kept, &keys).await?;
    let same = answered.plan.iter().zip(&contexts).filter(|(planned, context)| planned.context.shows_as(context));
    let answers = same.filter_map(|(planned, _)| answered.run.answers.get_key_value(&planned.key));
    Ok(answers.map(|(key, answer)| (key.clone(), answer.clone())).collect())
}
