//! Input: the cluster set, the log in its window (or counts made elsewhere), and whether they are fit to be counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use crate::interactions::{CountsFile, Log, Report, Window, load_taxonomy};
use crate::refresh::config::Ends;
use crate::refresh::error::RefreshError;
use crate::refresh::pipeline::{Cycle, Progress, Settings};
use crate::table::Lineage;
use crate::taxonomy::Taxonomy;

/// What is going to be counted.
pub(in crate::refresh) struct Input {
    pub(in crate::refresh) taxonomy: Taxonomy,
    pub(in crate::refresh) source: Source,
    /// How the table will describe itself.
    pub(in crate::refresh) lineage: Lineage,
}

/// Where transitions come from.
pub(in crate::refresh) enum Source {
    Log {
        log: Box<Log>,
        window: Window,
    },
    /// By key length, one cluster first; lengths without a file are `None`.
    Counts(Vec<Option<CountsFile>>),
}

pub(in crate::refresh) async fn read(
    cycle: &Cycle<'_>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Input, RefreshError> {
    let settings = cycle.settings;
    let mut tell = |done, message| progress(Progress { step: "input", done, total: 2, message });
    tell(0, format!("reading {}", settings.clusters.path.display()));
    let taxonomy = load_taxonomy(&settings.clusters)?;
    if !cycle.request.counts.is_empty() {
        return counts(settings, taxonomy, &cycle.request.counts);
    }
    tell(1, format!("reading {}", settings.interactions.path));
    let log = Log::open(&settings.interactions, &taxonomy).await?;
    let window = window(settings, &log, &cycle.request.window).await?;
    let surveyed = match settings.refresh.ends {
        // The newest event is that of a good row: bad rows behind it are not to go unseen.
        Ends::NewestEvent => Window { to: cycle.request.window.to, ..window },
        Ends::WholeDays => window,
    };
    let report = log.report(&surveyed).await?;
    tell(2, format!("{} rows, {} positive, {} bad", report.rows, report.positives, report.bad_rows()));
    let mut lineage = log_lineage(settings, &window, &report)?;
    lineage.settings.insert("files".into(), log.fingerprint());
    Ok(Input { taxonomy, source: Source::Log { log: Box::new(log), window }, lineage })
}

/// The window asked for; what is open ends where `refresh.ends` says and reaches back `refresh.window`.
async fn window(settings: &Settings, log: &Log, asked: &Window) -> Result<Window, RefreshError> {
    let to = match asked.to {
        Some(to) => to,
        None => end(settings.refresh.ends, log.span().await?.newest),
    };
    let length = TimeDelta::from_std(settings.refresh.window).unwrap_or(TimeDelta::MAX);
    let from = asked.from.or_else(|| to.checked_sub_signed(length));
    Ok(Window { from, to: Some(to) })
}

/// Where the log ends.
pub(super) fn end(ends: Ends, newest: DateTime<Utc>) -> DateTime<Utc> {
    match ends {
        Ends::NewestEvent => newest + TimeDelta::nanoseconds(1),
        Ends::WholeDays => newest.date_naive().and_time(NaiveTime::MIN).and_utc(),
    }
}

fn log_lineage(settings: &Settings, window: &Window, report: &Report) -> Result<Lineage, RefreshError> {
    let config = &settings.interactions;
    let mut lineage = Lineage { window_from: window.from, window_to: window.to, ..shape_lineage(settings) };
    lineage.settings.extend([
        ("interactions.path".into(), config.path.clone()),
        ("interactions.columns".into(), json(&config.columns)),
        ("interactions.positive".into(), config.positive.clone().unwrap_or_default()),
        ("interactions.sequence".into(), json(&config.sequence)),
        ("interactions.min_users".into(), config.min_users.to_string()),
        ("rows".into(), report.rows.to_string()),
        ("positives".into(), report.positives.to_string()),
        ("bad_rows".into(), report.bad_rows().to_string()),
    ]);
    if let Some(items) = &config.items {
        lineage.settings.insert("interactions.items".into(), fingerprint(items)?);
    }
    Ok(lineage)
}

fn shape_lineage(settings: &Settings) -> Lineage {
    let table = &settings.table;
    let settings = BTreeMap::from([
        ("table.k".into(), table.k.to_string()),
        ("table.width".into(), table.width.to_string()),
        ("table.min_count".into(), json(&table.min_count)),
    ]);
    Lineage { created: Utc::now(), settings, ..Lineage::default() }
}

pub(in crate::refresh) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn counts(settings: &Settings, taxonomy: Taxonomy, paths: &[PathBuf]) -> Result<Input, RefreshError> {
    let k = settings.table.k;
    let mut files: Vec<Option<CountsFile>> = (0..k).map(|_| None).collect();
    let mut lineage = shape_lineage(settings);
    for path in paths {
        let file = CountsFile::open(path, &settings.interactions, &taxonomy)?;
        let key_len = file.k();
        let too_long = || RefreshError::TooLong { path: path.clone(), key_len, k };
        let place = files.get_mut(key_len - 1).ok_or_else(too_long)?;
        if let Some(first) = place {
            let (first, second) = (first.path().to_owned(), path.clone());
            return Err(RefreshError::SameLength { first, second, key_len });
        }
        *place = Some(file);
        lineage.settings.insert(format!("counts.{key_len}"), fingerprint(path)?);
    }
    Ok(Input { taxonomy, source: Source::Counts(files), lineage })
}

/// Names a file by its content.
fn fingerprint(path: &Path) -> Result<String, RefreshError> {
    let failed = |source| RefreshError::Read { path: path.to_owned(), source };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hasher = xxhash_rust::xxh3::Xxh3::new();
    std::io::copy(&mut file, &mut hasher).map_err(failed)?;
    Ok(format!("{} {:032x}", path.display(), hasher.digest128()))
}
