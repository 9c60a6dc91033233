//! Drift: seen where it was planted, and not where only chance is at work.

use segue::interactions::{ClustersConfig, Config, Log, load_taxonomy};
use segue::replay::{Step, drift};

use super::{day, written};
use crate::count::{config, run, shared, taxonomy};

/// 300 users a month of 30 days. Each goes from one of ten clusters on to another, and then to one of five, which are
/// other ones after each month where `moves` says by how many; the first of them is the most frequent by far.
fn months(moves: u32) -> Vec<(u32, u32, i64)> {
    let user = move |month: u32, nth: u32| {
        let (user, first) = (month * 300 + nth, i64::from(month * 30 + nth % 20));
        let rank = [10, 18, 24, 28, 30].iter().take_while(|&&up_to| nth / 10 >= up_to).count() as u32;
        [(user, nth % 10, first), (user, 10 + nth % 10, first + 1), (user, 20 + moves * month + rank, first + 2)]
    };
    (0..3).flat_map(|month| (0..300).flat_map(move |nth| user(month, nth))).collect()
}

#[test]
fn planted_drift_is_beyond_chance_and_chance_alone_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut measured = Vec::new();
    for moves in [0, 5] {
        let config = written(directory.path(), &months(moves));
        let result = run(async {
            let log = Log::open(&config, &taxonomy(40)).await.unwrap();
            drift(&log, 2, (day(0), day(90)), Step::Days(30), 5, &mut |_, _, _| ()).await.unwrap()
        });
        let shares: Vec<f64> = result.identical[2].shares.iter().map(|share| share.unwrap().value).collect();
        assert_eq!(shares, if moves == 0 { [1.0; 2] } else { [0.0; 2] });
        let pair = result.neighbours[0].clone();
        assert_eq!((result.keys.as_slice(), pair.all.unwrap().keys), (&[10, 10, 10][..], 10));
        measured.push((pair.all.unwrap().mean, pair.null.unwrap(), result.pooled.unwrap()));
    }
    let [(still, of_still, pooled_still), (moved, of_moved, pooled_moved)] = measured.try_into().unwrap();
    assert!(pooled_still.pairs == 2 && pooled_still.difference.low > 0.0, "{pooled_still:?}");
    assert!(pooled_moved.pairs == 2 && pooled_moved.difference.high < 0.0, "{pooled_moved:?}");
    assert!(still == 1.0 && of_still.interval().0 < 1.0 && of_still.mean > 0.8, "{of_still:?}");
    assert!(moved == 0.0 && of_moved.interval().0 > 0.0, "{of_moved:?}");
}

#[test]
fn the_development_data_is_as_stable_as_is_known() {
    let Some(path) = shared("interactions.parquet") else { return };
    let config = Config { positive: Some("rating >= 7".to_owned()), ..config(&path) };
    let taxonomy = load_taxonomy(&ClustersConfig { path: shared("clusters.csv").unwrap() }).unwrap();
    let result = run(async {
        let log = Log::open(&config, &taxonomy).await.unwrap();
        // November has six days.
        let whole = ("2013-03-01T00:00:00Z".parse().unwrap(), "2013-11-07T00:00:00Z".parse().unwrap());
        drift(&log, 2, whole, Step::Month, 0, &mut |_, _, _| ()).await.unwrap()
    });
    let means: Vec<f64> = result.neighbours.iter().map(|of| of.all.unwrap().mean).collect();
    let hundredths: Vec<f64> = means.iter().map(|mean| (100.0 * mean).round()).collect();
    assert_eq!(hundredths, [6.0, 7.0, 8.0, 7.0, 6.0, 7.0, 6.0, 3.0], "{means:?}");
}
