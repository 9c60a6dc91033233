//! The statements that join exposures with outcomes: plain SQL over `exposures(experiment, arm, unit, ts, copies)` and
//! `outcomes(unit, ts, v0, v1, ..., copies)`.

use chrono::{DateTime, Utc};

use crate::interactions::{Window, sql_instant};

/// What becomes of an outcome of a unit that was exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Older than anything that is looked at.
    Earlier = 0,
    /// In the time before the experiment that adjusts its metrics.
    Before = 1,
    /// Measured.
    After = 2,
    /// While the experiment ran, before the unit's own exposure.
    Unexposed = 3,
    /// Outside the time that was asked for.
    Outside = 4,
}

impl Part {
    pub(super) const ALL: [Self; 5] = [Self::Earlier, Self::Before, Self::After, Self::Unexposed, Self::Outside];
}

/// When an experiment is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// From when on units are looked at, to adjust by.
    pub(super) before: DateTime<Utc>,
    /// The first exposure of all.
    pub(super) began: DateTime<Utc>,
    /// The outcomes that are measured.
    pub(super) window: Window,
}

/// Exposures by experiment and arm: columns `experiment, arm, inside` (1 within the window), `exposures, logged` (with
/// their copies)`, first`.
pub(super) fn overview_sql(window: &Window) -> String {
    let inside = within(window);
    format!(
        "SELECT experiment, arm, CASE WHEN {inside} THEN 1 ELSE 0 END AS inside,
  count(*) AS exposures, sum(copies) AS logged, min(ts) AS first
FROM exposures
GROUP BY experiment, arm, CASE WHEN {inside} THEN 1 ELSE 0 END
ORDER BY experiment, arm, inside"
    )
}

/// The newest outcome within the window that follows the exposure of its unit: one row, `newest`, null where there is
/// none. What units did that were never exposed makes no days.
pub(super) fn newest_sql(experiment: &str, exposed: &Window, window: &Window) -> String {
    format!(
        "WITH exposed AS ({})
SELECT max(ts) AS newest FROM outcomes JOIN exposed ON unit = who WHERE ts >= since AND {}",
        exposed_sql(experiment, exposed),
        within(window)
    )
}

/// What each exposed unit did: columns `unit, arm, other_arm` (another one than `arm` where it was in two)`, since,
/// part` (null for a unit without outcomes)`, day` (of measured outcomes)`, outcomes, logged` (with their copies)`, v0,
/// v1, ...`; a unit's rows follow each other, the days in order.
pub(super) fn totals_sql(experiment: &str, exposed: &Window, times: &Times, values: usize) -> String {
    let list = |of: fn(usize) -> String| (0..values).map(of).collect::<String>();
    let (carried, sums, own) = (
        list(|at| format!(", v{at}")),
        list(|at| format!(", sum(v{at}) AS v{at}")),
        list(|at| format!(", daily.v{at}")),
    );
    let (before, began) = (sql_instant(times.before), sql_instant(times.began));
    let (exposed, measured) = (exposed_sql(experiment, exposed), within(&times.window));
    format!(
        "WITH exposed AS ({exposed}),
done AS (
  SELECT who, date_trunc('day', ts) AS day, copies{carried},
    CASE WHEN ts < {before} THEN 0
      WHEN ts < {began} THEN 1
      WHEN NOT ({measured}) THEN 4
      WHEN ts >= since THEN 2
      ELSE 3 END AS part
  FROM outcomes JOIN exposed ON unit = who
),
daily AS (
  SELECT who AS whose, part, CASE WHEN part = 2 THEN day END AS day, count(*) AS outcomes, sum(copies) AS logged{sums}
  FROM done
  GROUP BY who, part, CASE WHEN part = 2 THEN day END
)
SELECT who AS unit, arm, other_arm, since, CAST(part AS BIGINT) AS part, day, outcomes, logged{own}
FROM exposed LEFT JOIN daily ON who = whose
ORDER BY who, part, day"
    )
}

/// One row a unit: columns `who, arm, other_arm, since`.
fn exposed_sql(experiment: &str, window: &Window) -> String {
    let (name, within) = (experiment.replace('\'', "''"), within(window));
    format!(
        "
  SELECT unit AS who, min(arm) AS arm, max(arm) AS other_arm, min(ts) AS since
  FROM exposures
  WHERE experiment = '{name}' AND {within}
  GROUP BY unit
"
    )
}

fn within(window: &Window) -> String {
    let from = window.from.map(|from| format!("ts >= {}", sql_instant(from)));
    let to = window.to.map(|to| format!("ts < {}", sql_instant(to)));
    let bounds: Vec<String> = from.into_iter().chain(to).collect();
    if bounds.is_empty() { "ts IS NOT NULL".to_owned() } else { bounds.join(" AND ") }
}
