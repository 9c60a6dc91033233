//! From the store's words to the contract's messages.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;

use crate::proto::refresh_event::State;
use crate::proto::{Channel, Move, RefreshEvent, Version};
use crate::serve::admin;
use crate::store::run::{RunEvent, RunState};
use crate::store::{self, Action};

impl From<admin::Version> for Version {
    fn from(version: admin::Version) -> Self {
        let admin::Version { manifest, channels } = version;
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
        let action = match one.action {
            Action::Publish => "publish",
            Action::Rollback => "rollback",
            Action::Blocklist => "blocklist",
        };
        Self {
            seq: one.seq,
            action: action.into(),
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
        }
    }
}

fn state(state: RunState) -> State {
    match state {
        RunState::Idle => State::Idle,
        RunState::Running => State::Running,
        RunState::Published => State::Published,
        RunState::NothingToDo => State::NothingToDo,
        RunState::Failed => State::Failed,
        RunState::Cancelled => State::Cancelled,
        RunState::Crashed => State::Crashed,
    }
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() as i32 }
}
