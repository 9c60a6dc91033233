//! Publish: the draft becomes a version, and the channel points at it, unless a gate holds it.

use super::input::Input;
use crate::evaluation::Verdict;
use crate::ids::VersionId;
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Outcome, Progress};
use crate::store::{Changed, Draft, Provenance, TaxonomyChange};

/// The live version, where a table from this input would say nothing new. Refuses another taxonomy now rather than
/// after all the counting.
pub(in crate::refresh) fn unchanged(cycle: &Cycle<'_>, input: &Input) -> Result<Option<VersionId>, RefreshError> {
    let Some(channel) = cycle.store.channel(&cycle.request.channel)? else { return Ok(None) };
    let live = cycle.store.manifest(channel.version)?;
    let (live_hash, hash) = (live.taxonomy_hash, input.taxonomy.hash());
    if live_hash != hash {
        let (path, channel, live) = (cycle.settings.clusters.path.clone(), channel.name, channel.version);
        let refused = RefreshError::Taxonomy { path, channel, live, live_hash, hash };
        return if cycle.request.taxonomy == TaxonomyChange::Refused { Err(refused) } else { Ok(None) };
    }
    let mut lineage = live.lineage;
    lineage.created = input.lineage.created;
    Ok((lineage == input.lineage).then_some(channel.version))
}

pub(in crate::refresh) fn publish(
    cycle: &Cycle<'_>,
    draft: Draft,
    verdict: &Verdict,
    changed: Option<Changed>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Outcome, RefreshError> {
    let request = cycle.request;
    let mut tell = |done, message| progress(Progress { step: "publish", done, total: 2, message });
    tell(0, "verifying the table".into());
    let parent = cycle.store.channel(&request.channel)?.map(|channel| channel.version);
    let (creator, reason) = (request.note.who.clone(), request.note.why.clone());
    let provenance = Provenance { creator, reason, parent, changed };
    let version = cycle.store.add(draft, provenance)?.version;
    if verdict.holds() {
        tell(2, format!("{version} is held: {}", verdict.reasons()));
        return Ok(Outcome::Held(version));
    }
    tell(1, format!("pointing {} at {version}", request.channel));
    cycle.store.publish(&request.channel, version, &request.note, request.taxonomy)?;
    tell(2, format!("{version} is live on {}", request.channel));
    Ok(Outcome::Published(version))
}
