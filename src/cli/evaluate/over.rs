//! The stretch of a log that is evaluated, how it is cut, and what is asked about it.

use std::time::Duration;

use chrono::TimeDelta;

use crate::cli::output;
use crate::config::Config;
use crate::interactions::{Log, Window, load_taxonomy};
use crate::replay::{Period, Settings, Step};
use crate::taxonomy::Taxonomy;

/// When.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Over {
    /// The first moment: a date or RFC 3339, UTC [default: the first border after one window of the log]
    #[arg(long)]
    pub(super) from: Option<String>,
    /// The end, exclusive [default: behind the newest event]
    #[arg(long)]
    pub(super) to: Option<String>,
    /// The periods reported: day, week, month, or days like 2d
    #[arg(long, default_value = "month")]
    pub(super) by: Step,
}

/// A log that is open, and its stretch.
pub(super) struct Opened {
    pub(super) log: Log,
    pub(super) taxonomy: Taxonomy,
    pub(super) stretch: Period,
}

impl Over {
    /// Opens the log of the config. Unless told, the stretch begins once `behind` it lies a stretch to count.
    pub(super) async fn open(&self, config: &Config, behind: Option<Step>) -> anyhow::Result<Opened> {
        let asked = Window::parse(self.from.as_deref(), self.to.as_deref())?;
        let taxonomy = load_taxonomy(&config.clusters)?;
        let log = Log::open(&config.interactions, &taxonomy).await?;
        // Where something is counted before the stretch, it is read from its beginning.
        let read = Window { from: asked.from.filter(|_| behind.is_none()), to: asked.to };
        let report = log.report(&read).await?;
        if report.bad_rows() > 0 {
            output::note(format_args!("{}: {report}", config.interactions.path));
        }
        let span = log.span().await?;
        let counted = behind.map_or(span.first, |window| window.after(span.first, 1));
        let to = asked.to.unwrap_or(span.newest + TimeDelta::nanoseconds(1));
        // A short log may end before a whole month of it begins.
        let border = Some(self.by.border(counted)).filter(|border| *border < to);
        let from = asked.from.or(border).unwrap_or(counted);
        Ok(Opened { log, taxonomy, stretch: Period { from, to } })
    }
}

/// How much of a log is counted, and what is asked about it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Asked {
    /// What tables are counted from: month (the calendar month before), or days like 30d [default: refresh.window]
    #[arg(long, value_name = "STEP")]
    pub(super) window: Option<Step>,
    /// Predictions of an answer that may come true
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(super) limit: u64,
    /// How long they may take to
    #[arg(long, default_value = "7d", value_parser = humantime::parse_duration)]
    pub(super) horizon: Duration,
    /// Times that users, or worlds, are drawn anew for an interval
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub(super) resamples: u64,
}

impl Asked {
    /// What tables are counted from: as the option says, or `refresh.window` in days.
    pub(super) fn window(&self, config: &Config) -> Step {
        let days = config.refresh.window.as_secs().div_ceil(86_400).clamp(1, u64::from(u32::MAX));
        self.window.unwrap_or(Step::Days(u32::try_from(days).unwrap_or(u32::MAX)))
    }

    /// A replay of `stretch`, reported by `step`, that holds out the config's users.
    pub(super) fn settings(&self, config: &Config, stretch: Period, step: Step) -> Settings {
        Settings {
            from: stretch.from,
            to: stretch.to,
            step,
            window: self.window(config),
            table: config.table.clone(),
            n: self.limit as usize,
            horizon: TimeDelta::from_std(self.horizon).unwrap_or(TimeDelta::MAX / 4),
            held_out: Some(config.evaluation.held_out.clone()),
            beyond: 0,
            resamples: self.resamples as usize,
        }
    }
}
