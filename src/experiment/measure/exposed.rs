//! What the exposure log holds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use futures::TryStreamExt;

use super::sql::overview_sql;
use super::{LogCounts, MeasureError, Question};
use crate::interactions::{EventLog, Events, Window};

/// What the exposure log holds of the experiment.
pub(super) struct Exposed {
    /// The first exposure.
    pub(super) began: DateTime<Utc>,
    taken: u64,
    repeated: u64,
    outside: u64,
    bad: u64,
}

impl Exposed {
    /// Of the log that can be read at `path`.
    pub(super) async fn read(
        events: &Events,
        question: &Question<'_>,
        path: &str,
        window: &Window,
    ) -> Result<Self, MeasureError> {
        let log = EventLog {
            section: "the exposure log",
            path,
            unit: "unit",
            timestamp: "timestamp",
            timestamp_unit: None,
            texts: &["experiment", "arm"],
            numbers: &[],
            distinct: true,
        };
        let report = events.add("exposures", &log).await?;
        let doing = "reading exposures";
        let batches = events.rows(doing, &overview_sql(window)).await?.try_collect::<Vec<_>>().await;
        let mut found =
            Self { began: DateTime::<Utc>::MAX_UTC, taken: 0, repeated: 0, outside: 0, bad: report.bad_rows() };
        let mut others: BTreeMap<String, u64> = BTreeMap::new();
        for batch in batches.map_err(events.failed(doing))? {
            let experiments = batch.column(0).as_string_view();
            let [inside, exposures, logged] = [2, 3, 4].map(|at| batch.column(at).as_primitive::<Int64Type>());
            let first = batch.column(5).as_primitive::<TimestampNanosecondType>();
            for row in 0..batch.num_rows() {
                let name = if experiments.is_valid(row) { experiments.value(row) } else { "no name" };
                let (exposures, logged) = (exposures.value(row).unsigned_abs(), logged.value(row).unsigned_abs());
                if name != question.experiment.name {
                    *others.entry(name.to_owned()).or_default() += logged;
                } else if inside.value(row) == 1 {
                    found.began = found.began.min(DateTime::from_timestamp_nanos(first.value(row)));
                    found.taken += exposures;
                    found.repeated += logged - exposures;
                } else {
                    found.outside += logged;
                }
            }
        }
        if found.taken == 0 {
            let known = others.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Err(MeasureError::NoExposures {
                experiment: question.experiment.name.clone(),
                path: question.exposures.to_owned(),
                rows: report.rows,
                known: if known.is_empty() { "no other experiment".to_owned() } else { known },
            });
        }
        Ok(found)
    }

    pub(super) fn counts(&self, bad_outcomes: u64, strangers: u64) -> LogCounts {
        LogCounts {
            exposures: self.taken,
            exposures_repeated: self.repeated,
            exposures_at_other_times: self.outside,
            exposures_bad: self.bad,
            outcomes_bad: bad_outcomes,
            outcomes_of_unexposed_units: strangers,
        }
    }
}
