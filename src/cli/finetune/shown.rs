//! Steps as they are made: a bar on a terminal, one line a while otherwise.

use std::io::IsTerminal;

use indicatif::ProgressBar;

use crate::cli::output;
use crate::cli::progress::{self, Seldom};

pub(super) struct Shown {
    pub(super) bar: ProgressBar,
    lines: Seldom,
}

impl Shown {
    pub(super) fn new() -> Self {
        let bar = progress::bar("   train {bar:24} {pos}/{len}  {msg}  {elapsed}");
        Self { bar, lines: Seldom::default() }
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
        } else if self.lines.due(false) {
            output::note(format_args!("step {step}/{steps}: {message}"));
        }
    }

    /// A line that stays.
    pub(super) fn says(&self, line: &str) {
        if std::io::stderr().is_terminal() { self.bar.println(line) } else { output::note(line) }
    }
}
