//! What was found in a log: rows, positives, and the rows that had to be left out, by reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Why a row is left out. A row with several faults is counted under the first of them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A line that is no record: fields too many or too few, not UTF-8, no JSON object.
    BrokenLine,
    /// No user.
    NoUser,
    /// No timestamp.
    NoTimestamp,
    /// A timestamp that is none, or not from 1700 to 2199.
    UnreadableTimestamp,
    /// No cluster.
    NoCluster,
    /// No item.
    NoItem,
    /// An item that the items file does not map.
    UnmappedItem,
    /// A cluster, its own or its item's, that the clusters file does not have.
    UnknownCluster,
    /// A value in a column of `positive`, or of a metric, that does not have the column's type, or is no finite number.
    UnreadableEngagement,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BrokenLine => "broken line",
            Self::NoUser => "no user",
            Self::NoTimestamp => "no timestamp",
            Self::UnreadableTimestamp => "unreadable timestamp",
            Self::NoCluster => "no cluster",
            Self::NoItem => "no item",
            Self::UnmappedItem => "item not in the items file",
            Self::UnknownCluster => "cluster not in the clusters file",
            Self::UnreadableEngagement => "unreadable engagement value",
        })
    }
}

/// A bad row, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRow {
    /// What is wrong with it.
    pub reason: Reason,
    /// The file it stands in.
    pub file: String,
    /// The line at which it begins; `None` in Parquet.
    pub line: Option<u64>,
    /// The columns that were read, with their values; for a broken line its beginning, without a name.
    pub values: Vec<(String, Option<String>)>,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        for (at, (name, value)) in self.values.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { ", " })?;
            if !name.is_empty() {
                write!(f, "{name} = ")?;
            }
            match value {
                Some(value) => write!(f, "`{value}`")?,
                None => f.write_str("null")?,
            }
        }
        Ok(())
    }
}

/// What a window of the log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Rows considered: those in the window, and those whose time cannot be told.
    pub rows: u64,
    /// Good rows that are positive.
    pub positives: u64,
    /// Bad rows by reason.
    pub bad: BTreeMap<Reason, u64>,
    /// A few bad rows of each reason.
    pub samples: Vec<BadRow>,
}

impl Report {
    /// The number of bad rows.
    pub fn bad_rows(&self) -> u64 {
        self.bad.values().sum()
    }

    /// Bad rows as a share of all, 0 to 1.
    pub fn bad_share(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.bad_rows() as f64 / self.rows as f64 }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {} positive, {} bad", self.rows, self.positives, self.bad_rows())?;
        for (reason, rows) in &self.bad {
            write!(f, "\n  {rows} rows: {reason}")?;
            for sample in self.samples.iter().filter(|sample| sample.reason == *reason) {
                write!(f, "\n    {sample}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_a_list_of_reasons_with_samples() {
        let mut report = Report { rows: 10, positives: 7, ..Report::default() };
        assert_eq!(report.to_string(), "10 rows, 7 positive, 0 bad");
        report.bad.insert(Reason::NoUser, 2);
        report.bad.insert(Reason::BrokenLine, 1);
        let sample = |reason, line, values: &[(&str, Option<&str>)]| BadRow {
            reason,
            file: "a.csv".to_owned(),
            line,
            values: values.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect(),
        };
        report.samples = vec![
            sample(Reason::NoUser, None, &[("user_id", None), ("cluster_id", Some("3"))]),
            sample(Reason::BrokenLine, Some(7), &[("", Some("1,2"))]),
        ];
        let expected = "10 rows, 7 positive, 3 bad
  1 rows: broken line
    a.csv, line 7: `1,2`
  2 rows: no user
    a.csv: user_id = null, cluster_id = `3`";
        assert_eq!(report.to_string(), expected);
        assert_eq!((report.bad_rows(), report.bad_share()), (3, 0.3));
    }
}
