//! Steps as they are made: a bar on a terminal, one line a while otherwise.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output;

/// Between two lines.
const A_WHILE: Duration = Duration::from_secs(10);

pub(super) struct Shown {
    pub(super) bar: ProgressBar,
    last: Option<Instant>,
}

impl Shown {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("   train {bar:24} {pos}/{len}  {msg}  {elapsed}");
        let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, last: None }
    }

    /// A step, with what it `looked` like on the validation samples, which stays to be read.
    pub(super) fn step(&mut self, step: u64, steps: u64, message: String, looked: Option<String>) {
        if std::io::stderr().is_terminal() {
            self.bar.set_length(steps);
            self.bar.set_position(step);
            self.bar.set_message(message);
            looked.into_iter().for_each(|looked| self.bar.println(looked));
        } else if let Some(looked) = looked {
            output::note(format_args!("{looked}; {message}"));
        } else if self.last.is_none_or(|at| at.elapsed() >= A_WHILE) {
            self.last = Some(Instant::now());
            output::note(format_args!("step {step}/{steps}: {message}"));
        }
    }

    /// A line that stays.
    pub(super) fn says(&self, line: &str) {
        if std::io::stderr().is_terminal() { self.bar.println(line) } else { output::note(line) }
    }
}
