//! The stretch of a log that is evaluated, and how it is cut.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Config;
use crate::interactions::{Log, Window, load_taxonomy};
use crate::replay::Step;
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
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

impl Over {
    /// Opens the log of the config. Unless told, the stretch begins once `behind` it lies a stretch to count.
    pub(super) async fn open(&self, config: &Config, behind: Option<Step>) -> anyhow::Result<Opened> {
        let asked = Window::parse(self.from.as_deref(), self.to.as_deref())?;
        let taxonomy = load_taxonomy(&config.clusters)?;
        let log = Log::open(&config.interactions, &taxonomy).await?;
        log.report(&asked).await?;
        let span = log.span().await?;
        let counted = behind.map_or(span.first, |window| window.after(span.first, 1));
        let to = asked.to.unwrap_or(span.newest + TimeDelta::nanoseconds(1));
        // A short log may end before a whole month of it begins.
        let border = Some(self.by.border(counted)).filter(|border| *border < to);
        let from = asked.from.or(border).unwrap_or(counted);
        Ok(Opened { log, taxonomy, from, to })
    }
}

/// What tables are counted from: as the option says, or `refresh.window` in days.
pub(super) fn window(option: Option<Step>, config: &Config) -> Step {
    let days = config.refresh.window.as_secs().div_ceil(86_400).clamp(1, u64::from(u32::MAX));
    option.unwrap_or(Step::Days(u32::try_from(days).unwrap_or(u32::MAX)))
}
