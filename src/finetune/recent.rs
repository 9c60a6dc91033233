//! What is known of a key just before a moment: its successors in the retrieval window that ends there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::ids::ClusterId;
use crate::interactions::{Moved, Window};
use crate::retrieval::{Config, Context};

/// When a step began and when it ended, its key, where it led, and who made it.
type Step = (DateTime<Utc>, DateTime<Utc>, Vec<ClusterId>, ClusterId, u64);

/// Steps that lie wholly in a window, as a refresh at that moment counts them.
struct Steps {
    /// A successor that fewer users took up is suppressed.
    min_users: u64,
    by_start: BinaryHeap<Reverse<Step>>,
    counts: HashMap<Vec<ClusterId>, BTreeMap<ClusterId, Made>>,
}

/// How often a step was made, and how often by whom.
#[derive(Default)]
struct Made {
    times: u64,
    by: HashMap<u64, u64>,
}

impl Steps {
    fn new(min_users: u64) -> Self {
        Self { min_users, by_start: BinaryHeap::new(), counts: HashMap::new() }
    }

    fn add(&mut self, step: Step) {
        let (_, _, key, next, user) = &step;
        let made = self.counts.entry(key.clone()).or_default().entry(*next).or_default();
        made.times += 1;
        *made.by.entry(*user).or_default() += 1;
        self.by_start.push(Reverse(step));
    }

    /// Takes out one that began before `from`.
    fn before(&mut self, from: DateTime<Utc>) -> Option<Step> {
        let Reverse((began, ..)) = self.by_start.peek()?;
        if *began >= from {
            return None;
        }
        let Reverse(step) = self.by_start.pop()?;
        let (_, _, key, next, user) = &step;
        if let Some(of_key) = self.counts.get_mut(key) {
            if let Some(made) = of_key.get_mut(next) {
                made.forget(*user);
            }
            of_key.retain(|_, made| made.times > 0);
            if of_key.is_empty() {
                self.counts.remove(key);
            }
        }
        Some(step)
    }

    fn of(&self, key: &[ClusterId]) -> Vec<(ClusterId, u64)> {
        let counts = self.counts.get(key).into_iter().flatten();
        let by_enough = counts.filter(|(_, made)| made.by.len() as u64 >= self.min_users);
        by_enough.map(|(&next, made)| (next, made.times)).collect()
    }
}

impl Made {
    fn forget(&mut self, user: u64) {
        self.times -= 1;
        if let Some(times) = self.by.get_mut(&user) {
            *times -= 1;
            if *times == 0 {
                self.by.remove(&user);
            }
        }
    }
}

/// The steps of the window before now, and of the window before that.
pub(super) struct Recent {
    config: Config,
    window: TimeDelta,
    now: Steps,
    /// Steps across the border of the two, by when they ended: neither counts them until the border has passed that.
    across: BinaryHeap<Reverse<(DateTime<Utc>, Step)>>,
    earlier: Steps,
    /// Those of this very instant, which it does not know yet.
    pending: Vec<Moved>,
}

impl Recent {
    /// What fewer than `min_users` did within one of the two windows is not shown, as a refresh does not count it.
    pub(super) fn new(config: &Config, min_users: u64) -> Self {
        let window = TimeDelta::from_std(config.window).unwrap_or(TimeDelta::MAX);
        let [now, earlier] = [Steps::new(min_users), Steps::new(min_users)];
        Self { config: config.clone(), window, now, across: BinaryHeap::new(), earlier, pending: Vec::new() }
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

    /// Takes out a step across the border that ended before `from`.
    fn ended_before(&mut self, from: DateTime<Utc>) -> Option<Step> {
        self.across.peek().filter(|Reverse((ended, _))| *ended < from)?;
        self.across.pop().map(|Reverse((_, step))| step)
    }

    fn advance(&mut self, at: DateTime<Utc>) {
        if self.pending.first().is_some_and(|first| first.at < at) {
            for moved in self.pending.drain(..) {
                self.now.add((moved.began, moved.at, moved.key, moved.next, moved.user));
            }
        }
        let back = |from: Option<DateTime<Utc>>| from.and_then(|from| from.checked_sub_signed(self.window));
        let Some(from) = back(Some(at)) else { return };
        let before = back(Some(from));
        while let Some(step) = self.now.before(from) {
            self.across.push(Reverse((step.1, step)));
        }
        while let Some(step) = self.ended_before(from) {
            if before.is_none_or(|before| step.0 >= before) {
                self.earlier.add(step);
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
    use crate::retrieval::Similarity;

    fn time(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    /// A step of the one key there is.
    fn step(user: u64, began: i64, at: i64, next: u32) -> Moved {
        let (key, next) = (vec![ClusterId(1), ClusterId(2)], ClusterId(next));
        Moved { key, next, began: time(began), at: time(at), user, part: Part::Train, novel: true }
    }

    fn recent(similarity: Similarity, min_users: u64) -> Recent {
        let config = Config { window: Duration::from_secs(10), top: 9, similarity, ..Config::default() };
        Recent::new(&config, min_users)
    }

    #[test]
    fn a_moment_knows_the_window_before_it_and_nothing_of_itself() {
        let mut recent = recent(Similarity::Frequency, 1);
        let mut shown = |began, at, next| {
            let moved = step(7, began, at, next);
            let context = recent.context(&moved.key, moved.at);
            recent.add(&moved);
            context.successors.iter().map(|next| (next.cluster.0, next.count)).collect::<Vec<_>>()
        };
        assert_eq!(shown(0, 5, 3), []);
        assert_eq!(shown(1, 5, 4), [], "of the same instant");
        assert_eq!(shown(2, 6, 4), [(3, 1), (4, 1)]);
        assert_eq!(shown(9, 11, 5), [(4, 2)], "the first began before the window");
        assert_eq!(shown(9, 40, 5), []);
    }

    #[test]
    fn a_trend_is_against_the_window_before_and_moves_on_with_time() {
        let mut recent = recent(Similarity::Trend, 1);
        let key = [ClusterId(1), ClusterId(2)];
        for (began, at, next) in [(0, 1, 3), (1, 2, 3), (2, 3, 4), (11, 12, 4), (12, 13, 5)] {
            recent.add(&step(7, began, at, next));
        }
        let mut shown = |at| {
            let context = recent.context(&key, time(at));
            context.successors.iter().map(|next| (next.cluster.0, next.change.unwrap())).collect::<Vec<_>>()
        };
        // [4, 14) against what began from -6 on and lies before it.
        assert_eq!(shown(14), [(3, -2), (5, 1)], "4 was taken up once in each, which is no trend");
        // [11, 21) against [1, 11): the first step has left both.
        assert_eq!(shown(21), [(3, -1), (5, 1)]);
        // [14, 24) against [4, 14): the window before has what was new a moment ago.
        assert_eq!(shown(24), [(4, -1), (5, -1)]);
        assert_eq!(shown(60), []);
    }

    #[test]
    fn a_step_across_the_border_of_the_two_windows_is_in_neither() {
        let mut recent = recent(Similarity::Trend, 1);
        recent.add(&step(7, 0, 5, 3));
        let mut shown = |at| {
            let context = recent.context(&[ClusterId(1), ClusterId(2)], time(at));
            context.successors.iter().map(|next| next.change.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(
            [shown(10), shown(12), shown(15), shown(16), shown(21)],
            [vec![1], vec![], vec![], vec![-1], vec![]]
        );
    }

    #[test]
    fn what_too_few_users_did_is_not_shown_however_often_they_did() {
        let mut recent = recent(Similarity::Frequency, 2);
        let key = [ClusterId(1), ClusterId(2)];
        for (user, began, next) in [(7, 0, 3), (7, 1, 3), (7, 2, 3), (7, 3, 4), (8, 4, 4)] {
            recent.add(&step(user, began, 5, next));
        }
        let mut shown = |at| {
            let context = recent.context(&key, time(at));
            context.successors.iter().map(|next| (next.cluster.0, next.count)).collect::<Vec<_>>()
        };
        assert_eq!(shown(6), [(4, 2)]);
        assert_eq!(shown(14), [], "of the two only one is still in the window");
    }
}
