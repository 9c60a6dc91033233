//! From the store's words to the contract's messages.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

use super::lookup::source;
use crate::ids::ClusterId;
use crate::proto::refresh_event::State;
use crate::proto::{
    Channel, Explanation, Finding, Judgement, Move, Prediction, RefreshEvent, Successor, Tuning, Version, tuning,
};
use crate::serve::admin;
use crate::store;
use crate::store::run::{self, RunEvent, RunState, TuningState};
use crate::table::Candidate;

impl From<admin::Version> for Version {
    fn from(version: admin::Version) -> Self {
        let state = version.state().to_string();
        let admin::Version { manifest, channels, judgements } = version;
        Self {
            version: manifest.version.0,
            created: Some(timestamp(manifest.created)),
            parent: manifest.parent.map_or(0, |parent| parent.0),
            taxonomy_hash: manifest.taxonomy_hash.to_string(),
            table_bytes: manifest.table_bytes,
            k: manifest.k as u32,
            width: manifest.width as u32,
            channels,
            manifest_json: serde_json::to_string(&manifest).unwrap_or_default(),
            creator: manifest.creator,
            reason: manifest.reason,
            checksum: manifest.checksum,
            keys: manifest.keys,
            state,
            judgements: judgements.into_iter().map(Judgement::from).collect(),
        }
    }
}

impl From<store::Judgement> for Judgement {
    fn from(judgement: store::Judgement) -> Self {
        let finding = |store::Finding { gate, outcome, says }: store::Finding| Finding { gate, outcome, says };
        let report = judgement.report;
        Self {
            state: judgement.state.to_string(),
            who: judgement.who,
            at: Some(timestamp(judgement.at)),
            why: judgement.why,
            findings: judgement.findings.into_iter().map(finding).collect(),
            report_json: if report.is_null() { String::new() } else { report.to_string() },
        }
    }
}

impl From<admin::Explained> for Explanation {
    fn from(explained: admin::Explained) -> Self {
        let admin::Explained { version, explanation: why } = explained;
        let ids = |clusters: &[ClusterId]| clusters.iter().map(|cluster| cluster.0).collect();
        let successor = |one: &store::Successor| Successor { cluster: one.cluster.0, count: one.count };
        let level = why.key.len() as u32;
        let predicted = |one: &Candidate| Prediction {
            cluster: one.cluster.0,
            score: one.score.into(),
            source: source(one.source).into(),
            level,
        };
        Self {
            version: version.0,
            key: ids(&why.key),
            seen: why.seen,
            successors: why.successors.iter().map(successor).collect(),
            retrieved: ids(&why.retrieved),
            prompt: why.prompt.unwrap_or_default(),
            answer: why.answer.unwrap_or_default(),
            parsed: why.parsed.unwrap_or_default(),
            row: why.row.iter().map(predicted).collect(),
        }
    }
}

impl From<store::Channel> for Channel {
    fn from(channel: store::Channel) -> Self {
        Self {
            name: channel.name,
            version: channel.version.0,
            blocklist: channel.blocklist.into_iter().map(|cluster| cluster.0).collect(),
            moves: channel.moves.into_iter().map(Move::from).collect(),
        }
    }
}

impl From<store::Move> for Move {
    fn from(one: store::Move) -> Self {
        Self {
            seq: one.seq,
            action: one.action.to_string(),
            version: one.version.0,
            who: one.who,
            at: Some(timestamp(one.at)),
            why: one.why,
        }
    }
}

impl From<RunEvent> for RefreshEvent {
    fn from(event: RunEvent) -> Self {
        Self {
            at: Some(timestamp(event.at)),
            run: event.run,
            state: state(event.state).into(),
            step: event.step,
            done: event.done,
            total: event.total,
            message: event.message,
            version: event.version.map_or(0, |version| version.0),
            next: event.next.map(timestamp),
            tuning: event.tuning.map(Tuning::from),
        }
    }
}

impl From<run::Tuning> for Tuning {
    fn from(run::Tuning { state, says, model }: run::Tuning) -> Self {
        let state = match state {
            TuningState::Running => tuning::State::Running,
            TuningState::Approved => tuning::State::Approved,
            TuningState::Held => tuning::State::Held,
            TuningState::Failed => tuning::State::Failed,
        };
        Self { state: state.into(), says, model: model.map_or(0, |model| model.0) }
    }
}

fn state(state: RunState) -> State {
    match state {
        RunState::Idle => State::Idle,
        RunState::Running => State::Running,
        RunState::Published => State::Published,
        RunState::Held => State::Held,
        RunState::NothingToDo => State::NothingToDo,
        RunState::Failed => State::Failed,
        RunState::Cancelled => State::Cancelled,
        RunState::Crashed => State::Crashed,
    }
}

pub(super) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() as i32 }
}
