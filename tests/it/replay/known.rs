//! Figures that an independent script found in the development data.

use segue::interactions::{ClustersConfig, Config, load_taxonomy};
use segue::replay::{Refresh, Rows, Settings, Step, Version};
use segue::table::MinCount;
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
    let march = counted(Refresh::At("2013-04-01T00:00:00Z".parse().unwrap()), Rows::Configured);
    let supported = counted(month, Rows::Supported(MinCount::ByLength(vec![200, 30])));
    let versions =
        vec![counted(month, Rows::Configured), march, counted(month, Rows::None), Version::Random, supported];
    let result = run(replayed(&config, &taxonomy, &monthly(), versions)).unwrap();
    let rates: Vec<_> = result.versions.iter().map(|version| &version.overall).collect();
    assert!(rates.iter().all(|rates| rates.positions == 39_767), "{}", rates[0].positions);
    let served = |at: usize| (tenths(rates[at].served_1.value), tenths(rates[at].served_n.value));
    let table = |at: usize| (tenths(rates[at].table_1.unwrap().value), tenths(rates[at].table_n.unwrap().value));
    assert_eq!((table(0), table(1)), ((5.2, 12.3), (4.3, 9.3)), "full key only, last month and first month");
    assert_eq!((served(0).0, served(1), served(2)), (14.1, (12.4, 40.1), (18.0, 49.9)), "served, and popular");
    assert_eq!(served(4), (18.2, 50.2), "with support");
    // Known as 44.7, rounded twice: 17,754 of 39,767 are 44.645 %.
    assert_eq!(((39_767.0 * rates[0].served_n.value).round(), served(0).1), (17_754.0, 44.6));
    // Known as 0.9 and 4.2: of the 233 clusters that the log has a positive of. Here a random cluster is one of all 248, as
    // for the recall gate.
    assert_eq!(served(3), (0.8, 3.9));
}
