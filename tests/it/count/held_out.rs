//! Held-out users: who they are, what is counted without them, and what they did.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::TryStreamExt;
use segue::interactions::{HeldOut, Log, Sequence, Users, Window};

use super::model::{Event, Model};
use super::{config, rows, run, taxonomy};

const CLUSTERS: u32 = 9;
const USERS: i64 = 60;

/// Of the users 0 to 59, as Python tells it:
/// `[u for u in range(60) if hashlib.md5(f"segue{u}".encode()).hexdigest()[:8] < "1999999a"]`.
const HELD_OUT: [i64; 3] = [21, 30, 31];

fn events() -> Vec<Event> {
    let mixed = |at: i64| (at.wrapping_mul(0x9E37_79B9) ^ at << 7).rem_euclid(1_000_003);
    let event = |at: i64| Event {
        user: Some(at % USERS),
        cluster: Some(mixed(at) % i64::from(CLUSTERS)),
        time: Some(1_767_225_600_000 + at / USERS * 7 * 3_600_000 + mixed(-at) % 3_600_000),
        rating: Some(7),
    };
    (0..USERS * 12).map(event).collect()
}

fn write(dir: &std::path::Path, user: impl Fn(i64) -> String) -> std::path::PathBuf {
    let line = |event: &Event| {
        let [id, cluster, time] = [event.user, event.cluster, event.time].map(Option::unwrap);
        format!("{},{cluster},{}\n", user(id), super::model::instant(time).to_rfc3339())
    };
    let lines: String = events().iter().map(line).collect();
    let path = dir.join("log.csv");
    std::fs::write(&path, format!("user_id,cluster_id,timestamp\n{lines}")).unwrap();
    path
}

fn of(is_wanted: impl Fn(i64) -> bool, sequence: Sequence) -> Model {
    let events: Vec<_> = events().into_iter().filter(|event| is_wanted(event.user.unwrap())).collect();
    Model::new(&events, CLUSTERS, sequence, &Window::default())
}

#[test]
fn the_held_out_are_counted_by_nobody_and_read_by_the_evaluation() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), |id| id.to_string());
    let (window, held_out) = (Window::default(), HeldOut::default());
    let is_held_out = |user: i64| HELD_OUT.contains(&user);
    let gap = Sequence::Gap(Duration::from_secs(7 * 3600));
    for sequence in [Sequence::User, Sequence::UserDay, Sequence::UserMonth, gap] {
        let config = segue::interactions::Config { sequence, ..config(&path) };
        let everyone = run(Log::open(&config, &taxonomy(CLUSTERS))).unwrap();
        let kept = everyone.of(Users::Kept(held_out.clone()));
        let (all, without) = (of(|_| true, sequence), of(|user| !is_held_out(user), sequence));
        assert_ne!(all.transitions(1, 1), without.transitions(1, 1));
        for k in 1..=3 {
            assert_eq!(run(rows(&everyone, k, &window)).unwrap(), all.transitions(k, 1), "{sequence:?}, {k}");
            assert_eq!(run(rows(&kept, k, &window)).unwrap(), without.transitions(k, 1), "{sequence:?}, {k}");
        }
        let popular = run(kept.popular(&window)).unwrap();
        assert_eq!(popular.sequences, without.popular().1);

        let those = everyone.of(Users::HeldOut(held_out.clone()));
        let users: Vec<_> = run(async { those.sequences(&window).await?.try_collect().await }).unwrap();
        let mut read: Vec<Vec<u32>> =
            users.iter().flatten().map(|sequence| sequence.iter().map(|met| met.cluster.0).collect()).collect();
        let mut expected = of(is_held_out, sequence).sequences();
        assert!(users.iter().flatten().all(|sequence| sequence.is_sorted_by_key(|met| met.at)), "{sequence:?}");
        read.sort();
        expected.sort();
        assert_eq!(read, expected, "{sequence:?}");
        assert_eq!(users.len(), HELD_OUT.len(), "{sequence:?}: a user's sequences come together");
    }
}

#[test]
fn a_user_is_the_same_whether_number_or_text_and_another_salt_holds_out_others() {
    let dir = tempfile::tempdir().unwrap();
    let texts = dir.path().join("texts");
    std::fs::create_dir(&texts).unwrap();
    let (numbers, texts) = (write(dir.path(), |id| id.to_string()), write(&texts, |id| format!("u{id}")));
    let kept = |path: &std::path::Path, salt: &str| {
        let held_out = HeldOut { salt: salt.into(), ..HeldOut::default() };
        let log = run(Log::open(&config(path), &taxonomy(CLUSTERS))).unwrap();
        run(rows(&log.of(Users::Kept(held_out)), 1, &Window::default())).unwrap()
    };
    // The salt stands before the id.
    assert_eq!(kept(&numbers, "saltu"), kept(&texts, "salt"));
    let kinds: BTreeSet<_> = ["a", "b", "c"].map(|salt| kept(&numbers, salt)).into_iter().collect();
    assert_eq!(kinds.len(), 3);
}

#[test]
fn days_are_counted_in_utc_within_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.csv");
    let rows =
        ["1,1,2026-01-01T23:59:59Z", "1,2,2026-01-02T00:00:00Z", "2,1,2026-01-02T01:00:00+02:00", "2,2,2026-01-04"];
    std::fs::write(&path, format!("user_id,cluster_id,timestamp\n{}\n", rows.join("\n"))).unwrap();
    let log = run(Log::open(&config(&path), &taxonomy(CLUSTERS))).unwrap();
    let daily = |from, to| {
        let days = run(log.daily(&Window::parse(from, to).unwrap())).unwrap();
        days.into_iter().map(|(day, positives)| (day.to_string(), positives)).collect::<Vec<_>>()
    };
    let day = |day: &str, positives| (day.to_owned(), positives);
    assert_eq!(daily(None, None), [day("2026-01-01", 2), day("2026-01-02", 1), day("2026-01-04", 1)]);
    assert_eq!(daily(Some("2026-01-02"), Some("2026-01-04")), [day("2026-01-02", 1)]);
}
