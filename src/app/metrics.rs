//! What the refresher's supervisor counts.

use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::store::run::{RunEvent, RunState, Tuning, TuningState, Weighed};

/// Tells the recorder what the names mean.
pub(super) fn describe() {
    describe_counter!("segue_refresh_runs_total", "Refresh runs that ended, by outcome");
    describe_counter!("segue_refresh_failed_steps_total", "Refresh runs that failed, by step");
    describe_counter!("segue_refresher_crashes_total", "Times that the refresher's process ended unasked");
    describe_gauge!("segue_refresh_running", "1 while a refresh is under way");
    describe_gauge!("segue_refresh_last_success_timestamp_seconds", "When a refresh last ended well, Unix time");
    describe_gauge!("segue_refresh_step_done", "Parts of the running refresh's step that are done: questions, say");
    describe_gauge!("segue_refresh_step_parts", "Parts of the running refresh's step; 0 where they are not known");
    describe_gauge!(
        "segue_refresh_next_timestamp_seconds",
        "When the next refresh is due, Unix time; 0 when none is planned"
    );
    describe_counter!("segue_refresh_decisions_total", "Days of log for which it was weighed whether to refresh");
    describe_counter!("segue_finetune_runs_total", "Tunings of a model by the refresher that ended, by outcome");
    describe_gauge!("segue_finetune_running", "1 while the refresher tunes a model");
    describe_gauge!("segue_refresh_finetune_advised", "1 while refreshes no longer bring the model's recall back");
    describe_gauge!("segue_refresh_weighed_age_days", "Age of the live table when that was last weighed");
    describe_gauge!("segue_refresh_weighed_loss_ratio", "Hit rate that it had lost by then, 0 to 1");
    describe_gauge!("segue_refresh_weighed_gain", "What that was worth, in the currency of the cadence's costs");
    describe_gauge!("segue_refresh_weighed_cost", "What a refresh would have cost then");
}

/// Counts a change of the refresher's state.
pub(super) fn refresh_event(told: &RunEvent, event: &RunEvent) {
    tuning(told.tuning.as_ref(), event.tuning.as_ref());
    let running = event.state == RunState::Running;
    if event.state == RunState::Crashed {
        // Between runs too: a refresher that cannot even start runs nothing.
        counter!("segue_refresher_crashes_total").increment(1);
    }
    if let Some(weighed) = &event.weighed {
        self::weighed(weighed);
    }
    gauge!("segue_refresh_running").set(f64::from(u8::from(running)));
    gauge!("segue_refresh_next_timestamp_seconds").set(event.next.map_or(0.0, |at| at.timestamp() as f64));
    if !event.step.is_empty() {
        gauge!("segue_refresh_step_done", "step" => event.step.clone()).set(event.done as f64);
        gauge!("segue_refresh_step_parts", "step" => event.step.clone()).set(event.total as f64);
    }
    if running || told.state != RunState::Running {
        return;
    }
    let outcome = match event.state {
        RunState::Idle | RunState::Running => return,
        RunState::Published => "published",
        RunState::Held => "held",
        RunState::NothingToDo => "nothing_to_do",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
        RunState::Crashed => "crashed",
    };
    counter!("segue_refresh_runs_total", "outcome" => outcome).increment(1);
    match event.state {
        RunState::Published | RunState::NothingToDo => {
            gauge!("segue_refresh_last_success_timestamp_seconds").set(event.at.timestamp() as f64);
        }
        RunState::Failed | RunState::Crashed => {
            counter!("segue_refresh_failed_steps_total", "step" => event.step.clone()).increment(1);
        }
        _ => {}
    }
}

fn weighed(Weighed { refresh, finetune, age, loss, gain, cost }: &Weighed) {
    let decision = if *refresh { "refresh" } else { "wait" };
    counter!("segue_refresh_decisions_total", "decision" => decision).increment(1);
    gauge!("segue_refresh_finetune_advised").set(f64::from(u8::from(*finetune)));
    gauge!("segue_refresh_weighed_age_days").set(*age);
    gauge!("segue_refresh_weighed_loss_ratio").set(loss.unwrap_or(f64::NAN));
    gauge!("segue_refresh_weighed_gain").set(*gain);
    gauge!("segue_refresh_weighed_cost").set(*cost);
}

fn tuning(told: Option<&Tuning>, now: Option<&Tuning>) {
    let state = now.map(|now| now.state);
    gauge!("segue_finetune_running").set(f64::from(u8::from(state == Some(TuningState::Running))));
    if told.map(|told| told.state) == state {
        return;
    }
    let outcome = match state {
        None | Some(TuningState::Running) => return,
        Some(TuningState::Approved) => "approved",
        Some(TuningState::Held) => "held",
        Some(TuningState::Failed) => "failed",
    };
    counter!("segue_finetune_runs_total", "outcome" => outcome).increment(1);
}
