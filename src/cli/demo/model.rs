//! The language model of the demo: settings under which the refresher tunes it, and what is told of that.

use std::collections::HashSet;

use serde_json::json;
use tokio::sync::watch;

use super::tell;
use crate::cli::Common;
use crate::store::run::{RunEvent, Tuning, TuningState};

/// What lets the refresher tune a model, and ask it once one is approved. Few samples and few keys, so that it takes minutes
/// on two cores.
#[cfg(feature = "embedded")]
pub(super) const SETTINGS: &[&str] = &[
    "inference.backend=\"embedded\"",
    "inference.model=\"registry\"",
    "inference.max_keys=300",
    "inference.decoding.constrained=true",
    "finetune.window=\"14d\"",
    "finetune.samples=1000",
    "finetune.watched=100",
    "finetune.prompt=\"rag\"",
    "finetune.embedded.epochs=1",
    "finetune.embedded.batch=8",
    "finetune.embedded.learning_rate=0.002",
];
/// There is none to tune.
#[cfg(not(feature = "embedded"))]
pub(super) const SETTINGS: &[&str] = &[];

/// How long a day takes: with a language model there is more to see.
pub(super) const PACE: &str = if cfg!(feature = "embedded") { "20s" } else { "4s" };

/// Days that arrive, at least and at most: a model that its gates let through is waited for, on a machine that is busy for
/// twice as long as on one that is not.
pub(super) const DAYS: [u32; 2] = if cfg!(feature = "embedded") { [20, 120] } else { [20, 20] };

/// Days that it has to predict for before the demo ends.
pub(super) const SEEN: u32 = 4;

/// What the rows of days call it.
pub(super) const NAME: &str = "model";

/// What there is to see of it.
pub(super) const ANNOUNCED: &str = if cfg!(feature = "embedded") {
    "Meanwhile the refresher tunes a small language model; once its gates let it through, it predicts the tables (`by`)."
} else {
    "This build has no language model, so successors predict alone; one with `--features embedded` tunes one meanwhile."
};

/// Tells what the refresher says of the model, each line once: a failure that comes again is no news. Never ends.
pub(super) async fn follow(common: &Common, events: Option<watch::Receiver<RunEvent>>) {
    let Some(mut events) = events else { return std::future::pending().await };
    let mut told = HashSet::new();
    loop {
        let RunEvent { step, message, done, total, tuning, .. } = events.borrow_and_update().clone();
        if let Some(tuning) = tuning {
            let text = line(&tuning);
            if told.insert(text.clone()) {
                tell(common, json!({ "tuning": tuning }), &text);
            }
        }
        if step == "ask" && (done == 0 || done == total) && told.insert(message.clone()) {
            tell(common, json!({ "asking": message }), &format!("asking the model: {message}"));
        }
        if events.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn line(Tuning { state, says, .. }: &Tuning) -> String {
    match state {
        TuningState::Running => format!("tuning a model: {says}"),
        TuningState::Approved => format!("the tuned model {says}: it predicts the next table"),
        TuningState::Held => format!("the tuned model {says}; successors go on predicting alone"),
        TuningState::Failed => format!("no model is tuned, and successors predict alone: {says}"),
    }
}
