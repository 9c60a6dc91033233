//! Decisions whether to refresh: kept by channel, the newest year of them.

use segue::ids::VersionId;
use serde_json::json;

use super::fixture::open;

#[test]
fn decisions_are_kept_by_channel_and_the_oldest_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    assert_eq!(store.decisions("main", 5).unwrap(), []);
    let log_to = |day: i64| chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(day);
    for day in 1..=370 {
        let kept = store.keep_decision("main", log_to(day), VersionId(7), &json!({ "day": day })).unwrap();
        assert_eq!(kept.seq, day as u64);
    }
    let newest = store.decisions("main", 2).unwrap();
    let told: Vec<_> = newest.iter().map(|kept| (kept.log_to, kept.live, kept.decision["day"].clone())).collect();
    assert_eq!(told, [(log_to(369), VersionId(7), json!(369)), (log_to(370), VersionId(7), json!(370))]);
    let all = store.decisions("main", usize::MAX).unwrap();
    assert_eq!((all.len(), all[0].seq), (366, 5));
    assert_eq!(store.decisions("other", 5).unwrap(), []);
    assert!(store.decisions("../versions", 5).is_err());
}
