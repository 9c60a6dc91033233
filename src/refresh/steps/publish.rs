//! Publish: the draft becomes a version, and the channel points at it.

use super::input::Input;
use crate::ids::VersionId;
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress};
use crate::store::{Draft, Provenance, TaxonomyChange};

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
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<VersionId, RefreshError> {
    let request = cycle.request;
    let mut tell = |done, message| progress(Progress { step: "publish", done, total: 2, message });
    tell(0, "verifying the table".into());
    let parent = cycle.store.channel(&request.channel)?.map(|channel| channel.version);
    let provenance = Provenance { creator: request.note.who.clone(), reason: request.note.why.clone(), parent };
    let manifest = cycle.store.add(draft, provenance)?;
    tell(1, format!("pointing {} at {}", request.channel, manifest.version));
    cycle.store.publish(&request.channel, manifest.version, &request.note, request.taxonomy)?;
    tell(2, format!("{} is live on {}", manifest.version, request.channel));
    Ok(manifest.version)
}
