//! What bars on a terminal, and lines elsewhere, have in common.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines of what has many parts.
const A_WHILE: Duration = Duration::from_secs(10);

/// A bar that looks like `template`; how long it is may be told later.
pub(super) fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

/// One line a while.
#[derive(Default)]
pub(super) struct Seldom(Option<Instant>);

impl Seldom {
    /// Whether a line is due: `anyway`, or because the last one is a while ago.
    pub(super) fn due(&mut self, anyway: bool) -> bool {
        let due = anyway || self.0.is_none_or(|last| last.elapsed() >= A_WHILE);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}
