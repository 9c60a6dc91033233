//! Back-tests: against the replay of fixed schedules, and on a log that changes once.

use std::time::Duration;

use segue::evaluation::{Cadence, Reason};
use segue::interactions::{Config, HeldOut, Log};
use segue::replay::{BackTest, Policy, Refresh, Rows, Settings, Step, Version, Weighing, backtest};
use segue::retrieval;

use super::{day, replayed, settings, written};
use crate::count::{run, taxonomy};

const DAY: Duration = Duration::from_secs(86_400);

/// Ten users a day for sixty days go 1, 2, 4; from the thirtieth on, 1, 3, 5.
fn turning() -> Vec<(u32, u32, i64)> {
    let path = |day: i64| if day < 30 { [1, 2, 4] } else { [1, 3, 5] };
    let user = |user: u32| path(i64::from(user / 10)).map(|cluster| (user, cluster, i64::from(user / 10)));
    (0..600).flat_map(user).collect()
}

/// The days 20 to 60 with a window of a week, one prediction each.
fn asked() -> Settings {
    let held_out = Some(HeldOut { share: 0.3, ..HeldOut::default() });
    Settings { window: Step::Days(7), n: 1, held_out, resamples: 50, ..settings(20, 60) }
}

fn tested(config: &Config, settings: &Settings, cadence: Cadence, policies: &[Policy]) -> BackTest {
    let week = Duration::from_secs(7 * 86_400);
    let retrieval = retrieval::Config { window: week, ..retrieval::Config::default() };
    run(async {
        let log = Log::open(config, &taxonomy(20)).await.unwrap();
        let weighing = Weighing { cadence, retrieval };
        backtest(&log, &taxonomy(20), settings, &weighing, policies, &mut |_, _, _| ()).await.unwrap()
    })
}

#[test]
fn fixed_policies_come_to_what_a_replay_of_their_schedule_comes_to() {
    let directory = tempfile::tempdir().unwrap();
    let config = written(directory.path(), &turning());
    let policies = [Policy::Fixed(1), Policy::Fixed(5), Policy::OnDemand];
    let result = tested(&config, &asked(), Cadence::default(), &policies);
    let every = |days| Refresh::Every(Step::Days(days));
    let versions =
        [every(1), every(5), Refresh::Once].map(|refresh| Version::Counted { refresh, rows: Rows::Configured });
    let replayed = run(replayed(&config, &taxonomy(20), &asked(), versions.into())).unwrap();
    for (policy, version) in result.policies.iter().zip(&replayed.versions) {
        assert_eq!((&policy.rates.overall, &policy.rates.periods), (&version.overall, &version.periods));
        assert_eq!(policy.rates.levels, version.levels);
    }
    assert!(result.policies[0].rates.overall.positions > 100);
    assert_eq!(result.policies.iter().map(|of| of.refreshes.len()).collect::<Vec<_>>(), [39, 7, 0]);
    // (1, 2) is known from the start; (1, 3) is all that there is to ask later, once.
    assert_eq!(
        result.policies.iter().map(|of| (of.first_calls, of.calls)).collect::<Vec<_>>(),
        [(1, 1), (1, 1), (1, 0)]
    );
    assert_eq!(result.policies[1].cost, 7.0 * Cadence::default().refresh_cost);
}

#[test]
fn the_adaptive_policy_rests_while_nothing_changes_and_follows_what_does() {
    let directory = tempfile::tempdir().unwrap();
    let config = written(directory.path(), &turning());
    let cadence = Cadence { max: 100 * DAY, refresh_cost: 1.0, call_cost: 0.25, ..Cadence::default() };
    let policies = [Policy::Fixed(1), Policy::Adaptive, Policy::OnDemand];
    let result = tested(&config, &asked(), cadence.clone(), &policies);
    let [daily, adaptive, never] = &result.policies[..] else { panic!("three policies") };
    let rate = |of: &segue::replay::Replayed| of.rates.overall.served_1.value;
    assert!(rate(never) < 0.4 && rate(daily) > 0.8, "{} {}", rate(never), rate(daily));
    // The loss is seen once a day has passed with it: a fortieth of what is asked.
    assert!(rate(adaptive) >= rate(daily) - 1.0 / 40.0, "{} {}", rate(adaptive), rate(daily));
    let refreshes = &adaptive.refreshes;
    assert!(!refreshes.is_empty() && refreshes.len() <= 3, "{refreshes:?}");
    assert!(refreshes.iter().all(|&at| at > day(30) && at <= day(39)), "{refreshes:?}");
    assert_eq!(adaptive.cost, refreshes.len() as f64 + 0.25 * adaptive.calls as f64);
    let over = adaptive.over_first.as_ref().unwrap();
    assert_eq!((over.version.as_str(), over.against.as_str()), ("adaptive", "fixed:1d"));
    for decided in &adaptive.decisions {
        assert_eq!(decided.decision.refresh, refreshes.contains(&decided.at));
        assert_eq!(decided.decision.refresh, decided.decision.reason == Reason::Pays);
    }
    // The same, were the refresh too dear for what a point is worth.
    let dear = tested(&config, &asked(), Cadence { refresh_cost: 1e6, ..cadence }, &[Policy::Adaptive]);
    assert_eq!((dear.policies[0].refreshes.len(), rate(&dear.policies[0])), (0, rate(never)));
}

#[test]
fn a_decision_knows_nothing_of_what_comes_later() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut changed = turning();
    // From day 40 on all is different.
    changed.iter_mut().filter(|row| row.2 >= 40).for_each(|row| row.1 += 10);
    let decisions = |directory: &tempfile::TempDir, rows: &[_]| {
        let config = written(directory.path(), rows);
        let result = tested(&config, &asked(), Cadence::default(), &[Policy::Adaptive]);
        let decided = result.policies[0].decisions.clone();
        decided.into_iter().filter(|of| of.at <= day(40)).collect::<Vec<_>>()
    };
    let one = decisions(&directories[0], &turning());
    assert_eq!(one, decisions(&directories[1], &changed));
    assert!(one.len() > 15);
}

#[test]
fn policies_are_written_as_they_are_read() {
    for text in ["fixed:1d", "fixed:30d", "adaptive", "on_demand"] {
        assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
    }
    for wrong in ["", "fixed", "fixed:0d", "fixed:2", "fixed:-1d", "fixed:9999d", "Adaptive", "weekly"] {
        let error = wrong.parse::<Policy>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{wrong}` is no policy")), "{error}");
    }
}
