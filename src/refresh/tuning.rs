//! When the model is tuned next: on a schedule, or when refreshes no longer bring its recall back (section 2: RAG follows what
//! changes from week to week, fine-tuning what stays changed).

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::config::{Fixed, Policy};
use super::pipeline::Settings;
use super::schedule::signed;
use crate::evaluation::Decision;
use crate::finetune::samples_to;
use crate::store::models::ModelManifest;
use crate::store::{Decided, Store, StoreError};

/// When the refresher tunes a model next, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: DateTime<Utc>,
    /// What is kept with the model as its reason.
    pub why: String,
}

/// Where the refresher tunes: samples, checkpoints, an endpoint's job. It is there for as long as something goes on from it.
pub(super) fn dir(store: &Store) -> PathBuf {
    store.path().join("tuning")
}

/// When the refresher tunes a model next: `now` where it is due. `None` where the policy leaves that to people, and where
/// by the adaptive one nothing known asks for it.
pub fn due(settings: &Settings, store: &Store, channel: &str, now: DateTime<Utc>) -> Result<Option<Due>, StoreError> {
    let models = store.models()?;
    let newest = models.first().map(|&newest| store.model(newest)).transpose()?;
    let planned = match (&settings.refresh.policy, newest) {
        (Policy::OnDemand | Policy::Fixed(Fixed { finetune: None, .. }), _) => return Ok(None),
        (Policy::Adaptive, _) if !settings.inference.asks_registry() => return Ok(None),
        (_, None) => Some(Due { at: now, why: "no model was tuned before".into() }),
        (Policy::Fixed(Fixed { finetune: Some(every), .. }), Some(newest)) => on_schedule(*every, &newest),
        (Policy::Adaptive, Some(newest)) => {
            let decided = store.decisions(channel, 1)?.pop();
            decided.and_then(|decided| advised(settings.evaluation.cadence.finetune_min, &newest, &decided))
        }
    };
    let planned = planned.map(|due| Due { at: due.at.max(now), ..due });
    let cut_short = || Due { at: now, why: "a tuning was cut short".into() };
    let is_due = planned.as_ref().is_some_and(|due| due.at == now);
    Ok(if !is_due && dir(store).exists() { Some(cut_short()) } else { planned })
}

fn on_schedule(every: Duration, newest: &ModelManifest) -> Option<Due> {
    let ModelManifest { model, created, .. } = newest;
    let why =
        format!("{model} was made {}, and finetune = {}", created.format("%F"), humantime::format_duration(every));
    Some(Due { at: created.checked_add_signed(signed(every))?, why })
}

/// What the newest decision asks for, unless the newest model learnt from nearly the same log: a model that its gates hold
/// would be learnt again every day.
fn advised(apart: Duration, newest: &ModelManifest, decided: &Decided) -> Option<Due> {
    let decision: Decision = serde_json::from_value(decided.decision.clone()).ok()?;
    let why = decision.advice()?;
    let learnt = samples_to(&newest.training).and_then(|to| to.checked_add_signed(signed(apart)));
    learnt.is_none_or(|soonest| soonest <= decided.log_to).then_some(Due { at: decided.at, why })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::ids::VersionId;
    use crate::refresh::Config;
    use crate::store::models::{NewModel, NewWeights};

    struct World {
        settings: Settings,
        store: Store,
        _dir: tempfile::TempDir,
    }

    /// An empty store, kept fresh by this policy, with a model of the registry to be asked.
    fn world(policy: &str) -> World {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store").to_str().unwrap().to_owned();
        let store = Store::open(&crate::store::Config { path, ..Default::default() }).unwrap();
        let settings = Settings {
            clusters: Default::default(),
            interactions: Default::default(),
            table: Default::default(),
            retrieval: Default::default(),
            inference: serde_json::from_str(r#"{"backend": "openai", "model": "registry"}"#).unwrap(),
            refresh: Config { policy: serde_json::from_str(policy).unwrap(), ..Config::default() },
            evaluation: Default::default(),
        };
        World { settings, store, _dir: dir }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    impl World {
        /// Adds a model that learnt from the log up to here; returns when it was made.
        fn tuned(&self, samples_to: &str) -> DateTime<Utc> {
            let training = json!({ "manifest": { "to": samples_to } });
            let (creator, reason) = ("tester".to_owned(), "a test".to_owned());
            let weights = NewWeights::Remote("ft:base");
            self.store.add_model(&NewModel { weights, training, judgement: None, creator, reason }).unwrap().created
        }

        /// Keeps a decision made when the log ended here, by a recall that fell to this from 8 %.
        fn decided(&self, log_to: &str, recall: f64) {
            let estimate = |value| json!({ "value": value, "low": value - 0.01, "high": value + 0.01 });
            let recall_of = json!({ "first": estimate(0.08), "live": estimate(recall) });
            let ageing =
                json!({ "age": 1.0, "loss": null, "live": null, "stability": null, "calls": 0, "recall": recall_of });
            let decision = json!({
                "refresh": false, "reason": "too_soon", "finetune": recall < 0.06, "gain": 0.0, "cost": 3.0, "ageing": ageing
            });
            self.store.keep_decision("main", at(log_to), VersionId(1), &decision).unwrap();
        }

        fn due(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, String)> {
            due(&self.settings, &self.store, "main", now).unwrap().map(|due| (due.at, due.why))
        }
    }

    #[test]
    fn a_schedule_counts_from_the_newest_model_whatever_became_of_it() {
        for policy in
            [r#"{"fixed":{"every":"2d","finetune":"30d"}}"#, r#"{"fixed":{"cron":"0 3 * * *","finetune":"30d"}}"#]
        {
            let world = world(policy);
            let now = at("2026-03-01T00:00:00Z");
            assert_eq!(world.due(now), Some((now, "no model was tuned before".into())));
            let made = world.tuned("2026-02-01T00:00:00Z");
            let (next, why) = world.due(made).unwrap();
            assert_eq!(next, made + TimeDelta::days(30));
            assert!(why.starts_with("m1 was made ") && why.ends_with("finetune = 30days"), "{why}");
            let later = made + TimeDelta::days(40);
            assert_eq!(world.due(later).unwrap().0, later, "a time that passed while nothing ran is made up for");
        }
    }

    #[test]
    fn the_adaptive_policy_tunes_what_refreshes_no_longer_help_and_not_the_same_log_twice() {
        let mut world = world(r#""adaptive""#);
        let now = Utc::now();
        assert_eq!(world.due(now), Some((now, "no model was tuned before".into())));
        world.tuned("2026-03-10T00:00:00Z");
        assert_eq!(world.due(now), None, "nothing was decided yet");
        world.decided("2026-03-20T00:00:00Z", 0.07);
        assert_eq!(world.due(now), None, "chance explains that");
        world.decided("2026-03-16T23:59:59Z", 0.05);
        assert_eq!(world.due(now), None, "the model knows nearly all of that log");
        world.decided("2026-03-17T00:00:00Z", 0.05);
        let (next, why) = world.due(Utc::now() + TimeDelta::days(1)).unwrap();
        assert!(next > now && why.contains("its recall fell from 8.00 % to 5.00 %"), "{next} {why}");
        world.settings.evaluation.cadence.finetune_min = Duration::from_secs(30 * 86_400);
        assert_eq!(world.due(now), None);
        // A model that does not say what it learnt from.
        world.tuned("long ago");
        assert!(world.due(now).is_some());
        world.settings.inference.model = crate::inference::Choice::Config;
        assert_eq!(world.due(now), None, "nobody would ask it");
    }

    #[test]
    fn what_was_cut_short_goes_on_where_the_policy_tunes_at_all() {
        let now = Utc::now();
        for (policy, goes_on) in [
            (r#"{"fixed":{"every":"2d","finetune":"30d"}}"#, true),
            (r#""adaptive""#, true),
            (r#"{"fixed":{"every":"2d"}}"#, false),
            (r#""on_demand""#, false),
        ] {
            let world = world(policy);
            world.tuned("2026-03-10T00:00:00Z");
            assert!(world.due(now).is_none_or(|(next, _)| next > now));
            std::fs::create_dir(dir(&world.store)).unwrap();
            let due = world.due(now).filter(|(next, _)| *next == now);
            assert_eq!(due, goes_on.then(|| (now, "a tuning was cut short".into())), "{policy}");
            world.store.discard(&dir(&world.store)).unwrap();
            world.store.discard(&dir(&world.store)).unwrap();
            assert!(world.due(now).is_none_or(|(next, _)| next > now));
        }
    }
}
