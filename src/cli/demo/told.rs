//! What the demo prints: where to ask, and a row a day.

use std::path::Path;

use serde_json::json;

use super::{asker, model};
use crate::cli::Common;
use crate::config::DEFAULT_FILE;
use crate::evaluation::Decision;
use crate::ids::VersionId;
use crate::serve::Listeners;
use crate::simulate::DayWritten;

pub(super) fn announce(common: &Common, listeners: &Listeners) {
    let (http, grpc, admin) = (listeners.http_addr(), listeners.grpc_addr(), listeners.admin_addr());
    let file = common.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display();
    let text = format!(
        "serving; try, in another terminal:

  segue lookup 3 7 --limit 5 --addr {grpc}
  curl -s {http}/v1/lookup -H 'content-type: application/json' -d '{{\"history\": [3, 7], \"limit\": 5}}'
  grpcurl -plaintext -d '{{\"history\": [3, 7], \"limit\": 5}}' {grpc} segue.v1.LookupService/Lookup
  curl -s {http}/metrics
  curl -s {admin}/admin/v1/versions
  segue refresh --why --config {file}

A new day of log arrives every few seconds, and a refresh follows once the loss since the last one has cost as much as a
refresh does. `agrees` is the share of the truth's preferred successors that a table's top five name: of the first
version, which goes stale, and of the live one.
{}
",
        model::ANNOUNCED
    );
    tell(common, json!({ "http": http, "grpc": grpc, "admin": admin }), &text);
    if !common.json {
        println!(
            "day         loss cost  weighed  live  by      first agrees  live agrees  lookups  failed      p50      p99"
        );
    }
}

/// As JSON where that is asked for, else for people.
pub(super) fn tell(common: &Common, data: serde_json::Value, text: &str) {
    if common.json { println!("{data}") } else { println!("{text}") }
}

/// What became of one day.
pub(super) struct Row<'r> {
    pub(super) day: &'r DayWritten,
    pub(super) decided: Option<Decision>,
    pub(super) live: VersionId,
    /// Who predicted the live table.
    pub(super) by: &'static str,
    /// The share of the truth that the first table and the live one name.
    pub(super) agrees: [f64; 2],
    pub(super) asked: asker::Asked,
}

impl Row<'_> {
    pub(super) fn tell(&self, common: &Common) {
        let Self { day, decided, live, by, agrees: [first, now], asked } = self;
        let asker::Asked { answered, failed, p50, p99 } = asked;
        let (p50, p99) = (p50.as_secs_f64() * 1e6, p99.as_secs_f64() * 1e6);
        let data = json!({
            "day": day.date, "rows": day.rows, "decided": decided, "live": live, "by": by, "first_agrees": first,
            "live_agrees": now, "lookups": answered, "failed": failed, "p50_us": p50, "p99_us": p99,
        });
        let lost = decided.map_or("-".into(), |of| format!("{:.1}", of.gain));
        let does = decided.map_or("-", |of| if of.refresh { "refresh" } else { "wait" });
        let (first, now) = (format!("{:.1} %", first * 100.0), format!("{:.1} %", now * 100.0));
        let text = format!(
            "{}  {lost:>9}  {does:<7}  {:<4}  {by:<6}  {first:>12}  {now:>11}  {answered:>7}  {failed:>6}  {p50:>4.0} µs  {p99:>4.0} µs",
            day.date,
            live.to_string()
        );
        tell(common, data, &text);
    }
}
