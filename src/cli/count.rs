//! `segue count`: transitions as CSV.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use futures::TryStreamExt;
use serde_json::json;

use super::{Common, output};
use crate::interactions::{CountStream, Log, Users, Window, load_taxonomy, transition_sql, write_counts};
use crate::table::format::MAX_K;

/// Arguments of `segue count`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Start of the window: a date or RFC 3339, UTC [default: the whole log]
    #[arg(long)]
    from: Option<String>,
    /// End of the window, exclusive
    #[arg(long)]
    to: Option<String>,
    /// Clusters in a key [default: table.k]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MAX_K as u64))]
    k: Option<u64>,
    /// Print the SQL statement instead: the same text runs on Ballista or Spark over positives(user_id, cluster_id, ts)
    #[arg(long)]
    show_sql: bool,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let k = args.k.map_or(config.table.k, |k| k as usize);
    let window = Window::parse(args.from.as_deref(), args.to.as_deref())?;
    let log = &config.interactions;
    if args.show_sql {
        output::line(transition_sql(log.sequence, k, log.min_users, &window, &Users::Everyone))?;
        return Ok(ExitCode::SUCCESS);
    }
    let taxonomy = load_taxonomy(&config.clusters)?;
    super::runtime()?.block_on(async {
        let log = Log::open(&config.interactions, &taxonomy).await?;
        let report = log.report(&window).await?;
        output::note(format_args!("{}: {report}", config.interactions.path));
        let out = BufWriter::new(io::stdout().lock());
        let counts = log.count(k, &window).await?;
        let transitions =
            if common.json { write_json(counts, out).await? } else { write_counts(counts, k, out).await? };
        output::note(format_args!("{transitions} transitions with keys of {k}"));
        Ok(ExitCode::SUCCESS)
    })
}

/// One object a line: `{"key": [c1, ...], "next": c, "count": n}`.
async fn write_json(mut counts: CountStream, mut out: impl Write) -> anyhow::Result<u64> {
    let mut transitions = 0;
    while let Some(counts) = counts.try_next().await? {
        for (next, count) in counts.next {
            serde_json::to_writer(&mut out, &json!({ "key": counts.key, "next": next, "count": count }))?;
            out.write_all(b"\n")?;
            transitions += 1;
        }
    }
    out.flush()?;
    Ok(transitions)
}
