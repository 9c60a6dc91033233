//! The transition statement (section 2.4), and its siblings for the popular row, for sequences and for days: plain SQL
//! over `positives(user_id, cluster_id, ts)` without user-defined functions, so that the same text runs here, on a
//! Ballista cluster and on Spark (with the session's time zone set to UTC), with identical counts.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::config::Sequence;
use super::time;
use super::users::{HeldOut, Users};
use super::window::Window;

/// The statement that counts `(c1, ..., ck) -> next` in `window`: columns `c1, ..., ck, next, count`, ordered by key,
/// then next. Transitions made by fewer than `min_users` distinct users are left out.
pub fn transition_sql(sequence: Sequence, k: usize, min_users: u64, window: &Window, users: &Users) -> String {
    let (firsts, parts) = firsts(sequence, window, users);
    let key = (1..=k).map(|i| format!("c{i}, ")).collect::<String>();
    let later =
        (2..=k).map(|i| format!("lead(cluster_id, {}) OVER sequence AS c{i},\n    ", i - 1)).collect::<String>();
    let totals = totals(sequence, &key, min_users);
    format!(
        "{firsts},
steps AS (
  SELECT user_id, cluster_id AS c1,
    {later}lead(cluster_id, {k}) OVER sequence AS next
  FROM firsts
  WINDOW sequence AS (PARTITION BY {parts} ORDER BY ts, cluster_id)
){totals}
ORDER BY {key}next"
    )
}

/// The statement that gives for every cluster the `sequences` (of two or more clusters) that contain it, the most
/// popular first, ties by id. `starts` counts those that begin with it: their sum is the number of sequences.
pub fn popular_sql(sequence: Sequence, window: &Window, users: &Users) -> String {
    let (firsts, parts) = firsts(sequence, window, users);
    format!(
        "{firsts},
neighbours AS (
  SELECT cluster_id, lag(cluster_id) OVER sequence AS previous, lead(cluster_id) OVER sequence AS following
  FROM firsts
  WINDOW sequence AS (PARTITION BY {parts} ORDER BY ts, cluster_id)
)
SELECT cluster_id, count(*) AS sequences, sum(CASE WHEN previous IS NULL THEN 1 ELSE 0 END) AS starts
FROM neighbours
WHERE previous IS NOT NULL OR following IS NOT NULL
GROUP BY cluster_id
ORDER BY sequences DESC, cluster_id"
    )
}

/// The statement that gives the sequences of `users`, one cluster a row, in order: the cluster, when it was met in its
/// sequence, its place among all of its user's, and its place in its sequence; places count from 1.
pub fn sequence_sql(sequence: Sequence, window: &Window, users: &Users) -> String {
    let (firsts, parts) = firsts(sequence, window, users);
    format!(
        "{firsts}
SELECT cluster_id, ts,
  CAST(row_number() OVER (PARTITION BY user_id ORDER BY {parts}, ts, cluster_id) AS BIGINT) AS place_of_user,
  CAST(row_number() OVER (PARTITION BY {parts} ORDER BY ts, cluster_id) AS BIGINT) AS place
FROM firsts
ORDER BY {parts}, ts, cluster_id"
    )
}

/// The statement that gives when each of `users` first met each cluster in `window`, a user after the other, in the order of
/// a sequence that no border cuts: columns `cluster_id, ts, place` (among all of its user's, from 1).
pub fn meeting_sql(window: &Window, users: &Users) -> String {
    let (firsts, user) = firsts(Sequence::User, window, users);
    format!(
        "{firsts}
SELECT cluster_id, ts,
  CAST(row_number() OVER (PARTITION BY {user} ORDER BY ts, cluster_id) AS BIGINT) AS place
FROM firsts
ORDER BY {user}, ts, cluster_id"
    )
}

/// The statement that gives every transition of `window` with its times, in the order of time: columns `c1, ..., ck, next,
/// began` (when `c1` was met)`, moved` (when `next` was met)`, part` (of its user: 0 training, 1 validation, the `share` of
/// all users next to those held out, 2 held out), `novel` (1 where the user had never met `next`, whatever the window's
/// start) and `person` (the user's id as text).
pub fn sample_sql(sequence: Sequence, k: usize, window: &Window, held_out: &HeldOut, share: f64) -> String {
    let (firsts, parts) = firsts(sequence, window, &Users::Everyone);
    let key = (1..=k).map(|i| format!("c{i}, ")).collect::<String>();
    let later =
        (2..=k).map(|i| format!("lead(cluster_id, {}) OVER sequence AS c{i},\n    ", i - 1)).collect::<String>();
    let met = conditions(&Window { from: None, ..*window }, &Users::Everyone);
    let part = held_out.part(share);
    format!(
        "{firsts},
steps AS (
  SELECT user_id, cluster_id AS c1,
    {later}lead(cluster_id, {k}) OVER sequence AS next,
    ts AS began, lead(ts, {k}) OVER sequence AS moved
  FROM firsts
  WINDOW sequence AS (PARTITION BY {parts} ORDER BY ts, cluster_id)
),
met AS (
  SELECT user_id AS who, cluster_id AS what, min(ts) AS first_met
  FROM positives{met}
  GROUP BY user_id, cluster_id
)
SELECT {key}next, began, moved, CAST({part} AS BIGINT) AS part,
  CAST(CASE WHEN first_met = moved THEN 1 ELSE 0 END AS BIGINT) AS novel, concat('', user_id) AS person
FROM steps JOIN met ON who = user_id AND what = next
WHERE next IS NOT NULL
ORDER BY moved, {key}next, part, novel, began"
    )
}

/// The statement that counts the positives of each day (UTC) of `window` that has any: columns `day, positives`.
pub fn daily_sql(window: &Window) -> String {
    let bounds = conditions(window, &Users::Everyone);
    format!(
        "SELECT date_trunc('day', ts) AS day, count(*) AS positives
FROM positives{bounds}
GROUP BY date_trunc('day', ts)
ORDER BY day"
    )
}

/// The last step: steps to counts. Two levels of GROUP BY rather than `count(DISTINCT user_id)`, because those spill.
/// A user has one sequence under `Sequence::User` and makes a transition at most once: there, steps are users.
fn totals(sequence: Sequence, key: &str, min_users: u64) -> String {
    let counted = "FROM steps\n  WHERE next IS NOT NULL\n  GROUP BY";
    match (sequence, min_users) {
        (_, 0 | 1) => format!("\nSELECT {key}next, count(*) AS count\n  {counted} {key}next"),
        (Sequence::User, _) => {
            format!("\nSELECT {key}next, count(*) AS count\n  {counted} {key}next\nHAVING count(*) >= {min_users}")
        }
        _ => format!(
            ",
by_user AS (
  SELECT {key}next, count(*) AS count
  {counted} {key}next, user_id
)
SELECT {key}next, sum(count) AS count
FROM by_user
GROUP BY {key}next
HAVING count(*) >= {min_users}"
        ),
    }
}

/// The `firsts` step (each cluster once per sequence, at its first time) with those it needs before it, and the columns
/// that tell one sequence from another.
fn firsts(sequence: Sequence, window: &Window, users: &Users) -> (String, &'static str) {
    let positives = format!("FROM positives{}", conditions(window, users));
    match sequence {
        Sequence::User => (format!("WITH firsts AS ({}\n)", first_times("", &positives)), "user_id"),
        Sequence::UserDay => (by_calendar("day", &positives), "user_id, part"),
        Sequence::UserMonth => (by_calendar("month", &positives), "user_id, part"),
        Sequence::Gap(gap) => (by_pause(gap, &positives), "user_id, part"),
    }
}

fn by_calendar(unit: &str, positives: &str) -> String {
    format!(
        "WITH parts AS (
  SELECT user_id, cluster_id, ts, date_trunc('{unit}', ts) AS part
  {positives}
),
firsts AS ({}
)",
        first_times("part, ", "FROM parts")
    )
}

/// Numbers a user's parts by the pauses before them. Positives of one instant are peers: `lag` marks at most one of
/// them, and RANGE gives them all the same sum, so that the order in which an engine meets peers does not matter.
fn by_pause(gap: Duration, positives: &str) -> String {
    format!(
        "WITH pauses AS (
  SELECT user_id, cluster_id, ts, lag(ts) OVER (PARTITION BY user_id ORDER BY ts) AS previous
  {positives}
),
parts AS (
  SELECT user_id, cluster_id, ts,
    sum(CASE WHEN ts > previous + INTERVAL '{}' SECOND THEN 1 ELSE 0 END)
      OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS part
  FROM pauses
),
firsts AS ({}
)",
        seconds(gap),
        first_times("part, ", "FROM parts")
    )
}

fn first_times(part: &str, from: &str) -> String {
    format!(
        "
  SELECT user_id, {part}cluster_id, min(ts) AS ts
  {from}
  GROUP BY user_id, {part}cluster_id"
    )
}

fn conditions(window: &Window, users: &Users) -> String {
    let from = window.from.map(|from| format!("ts >= {}", literal(from)));
    let to = window.to.map(|to| format!("ts < {}", literal(to)));
    let conditions: Vec<String> = from.into_iter().chain(to).chain(users.condition()).collect();
    if conditions.is_empty() { String::new() } else { format!("\n  WHERE {}", conditions.join(" AND ")) }
}

/// An instant, as SQL writes it.
pub(crate) fn literal(time: DateTime<Utc>) -> String {
    format!("TIMESTAMP '{}'", time::within_range(time).format("%Y-%m-%d %H:%M:%S%.f"))
}

fn seconds(gap: Duration) -> String {
    match gap.subsec_nanos() {
        0 => gap.as_secs().to_string(),
        nanos => format!("{}.{nanos:09}", gap.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_statement_reads_as_the_paper_does() {
        let window = Window::parse(Some("2026-01-01"), Some("2026-02-01T00:00:00.5Z")).unwrap();
        let expected = "WITH firsts AS (
  SELECT user_id, cluster_id, min(ts) AS ts
  FROM positives
  WHERE ts >= TIMESTAMP '2026-01-01 00:00:00' AND ts < TIMESTAMP '2026-02-01 00:00:00.500'
  GROUP BY user_id, cluster_id
),
steps AS (
  SELECT user_id, cluster_id AS c1,
    lead(cluster_id, 1) OVER sequence AS c2,
    lead(cluster_id, 2) OVER sequence AS next
  FROM firsts
  WINDOW sequence AS (PARTITION BY user_id ORDER BY ts, cluster_id)
)
SELECT c1, c2, next, count(*) AS count
  FROM steps
  WHERE next IS NOT NULL
  GROUP BY c1, c2, next
ORDER BY c1, c2, next";
        assert_eq!(transition_sql(Sequence::User, 2, 1, &window, &Users::Everyone), expected);
    }
}
