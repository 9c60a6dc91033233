//! Figures that an independent script found in the development data.

use segue::interactions::{ClustersConfig, Config, load_taxonomy};
use segue::replay::{Refresh, Settings, Step, Version};
use segue::table::{self, MinCount};
use segue::taxonomy::Taxonomy;

use super::{replayed, settings};
use crate::count::{config, run, shared};

fn movietweetings() -> Option<(Config, Taxonomy)> {
    let config = Config { positive: Some("rating >= 7".to_owned()), ..config(&shared("interactions.parquet")?) };
    let taxonomy = load_taxonomy(&ClustersConfig { path: shared("clusters.csv")? }).unwrap();
    Some((config, taxonomy))
}

/// May to October, each month by what was counted in the one before.
fn monthly() -> Settings {
    let at = |text: &str| text.parse().unwrap();
    let (from, to) = (at("2013-05-01T00:00:00Z"), at("2013-11-01T00:00:00Z"));
    Settings { from, to, step: Step::Month, window: Step::Month, ..settings(0, 1) }
}

fn tenths(share: f64) -> f64 {
    (1000.0 * share).round() / 10.0
}

#[test]
fn hit_rates_are_the_known_ones() {
    let Some((config, taxonomy)) = movietweetings() else { return };
    let counted = |refresh, rows| Version::Counted { refresh, rows };
    let month = Refresh::Every(Step::Month);
    let versions = vec![counted(month, true), counted(Refresh::Once, true), counted(month, false), Version::Random];
    let result = run(replayed(&config, &taxonomy, &monthly(), versions)).unwrap();
    let rates: Vec<_> = result.versions.iter().map(|version| &version.overall).collect();
    assert!(rates.iter().all(|rates| rates.positions == 39_767), "{}", rates[0].positions);
    let served = |at: usize| (tenths(rates[at].served_1.value), tenths(rates[at].served_n.value));
    let table = |at: usize| (tenths(rates[at].table_1.unwrap().value), tenths(rates[at].table_n.unwrap().value));
    assert_eq!((table(0), table(1)), ((5.2, 12.3), (4.3, 9.3)), "full key only, last month and first month");
    assert_eq!((served(0), served(1)), ((14.1, 44.7), (12.4, 40.1)), "served, last month and first month");
    assert_eq!((served(2), served(3)), ((18.0, 49.9), (0.9, 4.2)), "popular and random");
}

#[test]
fn support_makes_them_the_known_ones_too() {
    let Some((config, taxonomy)) = movietweetings() else { return };
    let table = table::Config { min_count: MinCount::ByLength(vec![200, 30]), ..table::Config::default() };
    let settings = Settings { table, ..monthly() };
    let versions = vec![Version::Counted { refresh: Refresh::Every(Step::Month), rows: true }];
    let result = run(replayed(&config, &taxonomy, &settings, versions)).unwrap();
    let overall = &result.versions[0].overall;
    assert_eq!((tenths(overall.served_1.value), tenths(overall.served_n.value)), (18.2, 50.2));
}
