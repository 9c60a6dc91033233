//! Logs written to files, in every format and with every kind of column that logs have.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use datafusion::parquet::arrow::ArrowWriter;
use segue::interactions::{Config, TimestampUnit};

use super::model::{Event, instant};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Integers, and timestamps in milliseconds.
    Parquet,
    /// Users as text, clusters as floats, ratings as text, timestamps in microseconds of a zone.
    OddParquet,
    /// Integer timestamps with a unit.
    Csv,
    CsvGz,
    /// Times as text.
    CsvZst,
    Json,
    JsonGz,
}

pub(crate) const KINDS: [Kind; 7] =
    [Kind::Parquet, Kind::OddParquet, Kind::Csv, Kind::CsvGz, Kind::CsvZst, Kind::Json, Kind::JsonGz];

/// Writes `events` into two files below `directory`; the config reads them.
pub(crate) fn write(kind: Kind, events: &[Event], directory: &Path) -> Config {
    let (extension, unit) = match kind {
        Kind::Parquet | Kind::OddParquet => ("parquet", None),
        Kind::Csv => ("csv", Some(TimestampUnit::Milliseconds)),
        Kind::CsvGz => ("csv.gz", Some(TimestampUnit::Milliseconds)),
        Kind::CsvZst => ("csv.zst", None),
        Kind::Json => ("jsonl", Some(TimestampUnit::Milliseconds)),
        Kind::JsonGz => ("ndjson.gz", None),
    };
    for (part, events) in events.chunks(events.len().div_ceil(2).max(1)).enumerate() {
        let path = directory.join(format!("part{part}.{extension}"));
        match kind {
            Kind::Parquet => write_parquet(&path, columns(events)),
            Kind::OddParquet => write_parquet(&path, odd_columns(events)),
            Kind::Csv | Kind::CsvGz | Kind::CsvZst => write_text(&path, &csv(events, unit.is_some())),
            Kind::Json | Kind::JsonGz => write_text(&path, &json(events, unit.is_some())),
        }
    }
    Config { timestamp_unit: unit, ..super::config(directory) }
}

pub(crate) fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Writes `text`, compressed as the extension says.
pub(crate) fn write_text(path: &Path, text: &str) {
    let file = File::create(path).unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "gz" => {
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        "zst" => zstd::stream::copy_encode(text.as_bytes(), file, 1).unwrap(),
        _ => { file }.write_all(text.as_bytes()).unwrap(),
    }
}

fn columns(events: &[Event]) -> Vec<(&'static str, ArrayRef)> {
    let column = |of: fn(&Event) -> Option<i64>| events.iter().map(of).collect::<Vec<_>>();
    let small = |of: fn(&Event) -> Option<i64>| column(of).into_iter().map(|v| v.map(|v| v as i32)).collect::<Vec<_>>();
    vec![
        ("user_id", Arc::new(Int64Array::from(column(|e| e.user)))),
        ("cluster_id", Arc::new(Int32Array::from(small(|e| e.cluster)))),
        ("timestamp", Arc::new(TimestampMillisecondArray::from(column(|e| e.time)))),
        ("rating", Arc::new(Int32Array::from(small(|e| e.rating)))),
    ]
}

fn odd_columns(events: &[Event]) -> Vec<(&'static str, ArrayRef)> {
    let text = |of: fn(&Event) -> Option<i64>| events.iter().map(|e| of(e).map(|v| v.to_string())).collect::<Vec<_>>();
    let clusters: Float64Array = events.iter().map(|e| e.cluster.map(|c| c as f64)).collect();
    let times: TimestampMicrosecondArray = events.iter().map(|e| e.time.map(|t| t * 1000)).collect();
    vec![
        ("user_id", Arc::new(StringArray::from(text(|e| e.user)))),
        ("cluster_id", Arc::new(clusters)),
        ("timestamp", Arc::new(times.with_timezone("+05:30"))),
        ("rating", Arc::new(StringArray::from(text(|e| e.rating)))),
    ]
}

fn csv(events: &[Event], counted: bool) -> String {
    let text = |value: Option<i64>| value.map_or(String::new(), |value| value.to_string());
    let mut csv = "rating,title,user_id,timestamp,cluster_id\n".to_owned();
    for event in events {
        let (user, cluster, rating) = (text(event.user), text(event.cluster), text(event.rating));
        let time = event.time.map_or(String::new(), |time| written(time, counted));
        writeln!(csv, "{rating},\"a \"\"title\"\", in\ntwo lines\",{user},{time},{cluster}").unwrap();
    }
    csv
}

fn written(time: i64, counted: bool) -> String {
    match time {
        _ if counted => time.to_string(),
        // All the ways in which people write times.
        _ if time % 86_400_000 == 0 => instant(time).format("%Y-%m-%d").to_string(),
        _ if time % 2 == 0 => instant(time).format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        _ => instant(time).with_timezone(&chrono::FixedOffset::west_opt(9000).unwrap()).to_rfc3339(),
    }
}

fn json(events: &[Event], counted: bool) -> String {
    let mut json = String::new();
    for (at, event) in events.iter().enumerate() {
        let time = event.time.map_or(serde_json::Value::Null, |time| match counted {
            true => serde_json::json!(time),
            false => serde_json::json!(written(time, false)),
        });
        // Users now as numbers, now as text; a field that is null is left out half of the time.
        let user = event.user.map(|user| if at % 2 == 0 { serde_json::json!(user) } else { user.to_string().into() });
        let mut line = serde_json::json!({ "user_id": user, "cluster_id": event.cluster, "timestamp": time,
            "rating": event.rating, "nested": { "user_id": [1, "2"] } });
        if at % 2 == 1 {
            line.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        writeln!(json, "{line}").unwrap();
    }
    json
}
