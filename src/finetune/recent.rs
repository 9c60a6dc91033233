//! What is known of a key just before a moment: its successors in the retrieval window that ends there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::ClusterId;
use crate::interactions::{Moved, Window};
use crate::retrieval::{Config, Context};

/// When a step began, its key, and where it led.
type Step = (DateTime<Utc>, Vec<ClusterId>, ClusterId);

/// Steps that lie wholly in a window, as a refresh at that moment counts them.
struct Steps {
    by_start: BinaryHeap<Reverse<Step>>,
    counts: HashMap<Vec<ClusterId>, BTreeMap<ClusterId, u64>>,
}

impl Steps {
    fn new() -> Self {
        Self { by_start: BinaryHeap::new(), counts: HashMap::new() }
    }

    fn add(&mut self, began: DateTime<Utc>, key: Vec<ClusterId>, next: ClusterId) {
        *self.counts.entry(key.clone()).or_default().entry(next).or_default() += 1;
        self.by_start.push(Reverse((began, key, next)));
    }

    /// Takes out one that began before `from`.
    fn before(&mut self, from: DateTime<Utc>) -> Option<Step> {
        let Reverse((began, ..)) = self.by_start.peek()?;
        if *began >= from {
            return None;
        }
        let Reverse((began, key, next)) = self.by_start.pop()?;
        if let Some(of_key) = self.counts.get_mut(&key) {
            if let Some(count) = of_key.get_mut(&next) {
                *count -= 1;
            }
            of_key.retain(|_, count| *count > 0);
            if of_key.is_empty() {
                self.counts.remove(&key);
            }
        }
        Some((began, key, next))
    }

    fn of(&self, key: &[ClusterId]) -> Vec<(ClusterId, u64)> {
        self.counts.get(key).into_iter().flatten().map(|(&next, &count)| (next, count)).collect()
    }
}

/// The steps of the window before now, and of the window before that.
pub(super) struct Recent {
    config: Config,
    window: TimeDelta,
    now: Steps,
    earlier: Steps,
    /// Those of this very instant, which it does not know yet.
    pending: Vec<Moved>,
}

impl Recent {
    pub(super) fn new(config: &Config) -> Self {
        let window = TimeDelta::from_std(config.window).unwrap_or(TimeDelta::MAX);
        Self { config: config.clone(), window, now: Steps::new(), earlier: Steps::new(), pending: Vec::new() }
    }

    /// The stretch of log whose steps the moments of `window` show: its first ones know what went before it.
    pub(super) fn reach(config: &Config, window: &Window) -> Window {
        let lead = TimeDelta::from_std(config.window.saturating_mul(2)).unwrap_or(TimeDelta::MAX);
        Window { from: window.from.and_then(|from| from.checked_sub_signed(lead)), to: window.to }
    }

    /// Takes a step, none earlier than the one before.
    pub(super) fn add(&mut self, moved: &Moved) {
        self.advance(moved.at);
        self.pending.push(moved.clone());
    }

    /// What a prompt for `key` at `at` shows: steps strictly before it.
    pub(super) fn context(&mut self, key: &[ClusterId], at: DateTime<Utc>) -> Context {
        self.advance(at);
        Context::instance(&self.config, &self.now.of(key), &self.earlier.of(key))
    }

    fn advance(&mut self, at: DateTime<Utc>) {
        if self.pending.first().is_some_and(|first| first.at < at) {
            for moved in self.pending.drain(..) {
                self.now.add(moved.began, moved.key, moved.next);
            }
        }
        let back = |from: Option<DateTime<Utc>>| from.and_then(|from| from.checked_sub_signed(self.window));
        let Some(from) = back(Some(at)) else { return };
        let before = back(Some(from));
        while let Some((began, key, next)) = self.now.before(from) {
            if before.is_none_or(|before| began >= before) {
                self.earlier.add(began, key, next);
            }
        }
        if let Some(before) = before {
            while self.earlier.before(before).is_some() {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::interactions::Part;

    #[test]
    fn a_moment_knows_the_window_before_it_and_nothing_of_itself() {
        let config = Config { window: Duration::from_secs(10), top: 9, ..Config::default() };
        let mut recent = Recent::new(&config);
        let time = |second| DateTime::from_timestamp(second, 0).unwrap();
        let key = vec![ClusterId(1), ClusterId(2)];
        let mut shown = |began, at, next| {
            let context = recent.context(&key, time(at));
            let (began, at, next) = (time(began), time(at), ClusterId(next));
            recent.add(&Moved { key: key.clone(), next, began, at, part: Part::Train, novel: true });
            context.successors.iter().map(|next| (next.cluster.0, next.count)).collect::<Vec<_>>()
        };
        assert_eq!(shown(0, 5, 3), []);
        assert_eq!(shown(1, 5, 4), [], "of the same instant");
        assert_eq!(shown(2, 6, 4), [(3, 1), (4, 1)]);
        assert_eq!(shown(9, 11, 5), [(4, 2)], "the first began before the window");
        assert_eq!(shown(9, 40, 5), []);
    }
}
