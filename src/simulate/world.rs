//! The users: who is there, what interests they have, and what they watch hour by hour.
//!
//! A user's first two interests are drawn by popularity; every later one follows her latest two by the truth of the
//! day. In between she watches her latest three interests again. A user who has met half of all clusters, or 64, finds
//! nothing new and leaves the next morning, as `churn` makes others leave; a newcomer with a new id takes the place.

use chrono::NaiveDate;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::{Config, Engagement};
use super::truth::{Pair, Structure, id};
use crate::ids::ClusterId;

const HOURS: u32 = 24;
const HOUR_MS: u32 = 3_600_000;

/// Interests that a user still watches.
const RECENT: usize = 3;

/// Interests that bound a user's memory, and this program's.
const MAX_INTERESTS: usize = 64;

/// One row of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    /// Milliseconds since 1970, UTC.
    pub(super) timestamp: i64,
    pub(super) user: i64,
    pub(super) item: i64,
    /// The item's cluster.
    pub(super) cluster: ClusterId,
    /// Hundredths of the item's length.
    pub(super) watched: u8,
    pub(super) liked: bool,
}

/// What happened in one hour.
#[derive(Debug, Default)]
pub(super) struct Hour {
    /// In order of time, then user. No user has two events in the same millisecond.
    pub(super) events: Vec<Event>,
    /// The pairs that a new interest followed, one for each such interest.
    pub(super) pairs: Vec<Pair>,
}

/// All users at one moment between two days.
#[derive(Debug)]
pub(super) struct World {
    habits: Habits,
    users: Vec<User>,
    /// Users that ever arrived; the next one's id is one more.
    arrived: i64,
    /// The day that comes next, from 0.
    day: u32,
    rng: ChaCha8Rng,
}

#[derive(Debug)]
struct User {
    id: i64,
    /// Interests as cluster indices, oldest first.
    met: Vec<u32>,
}

impl World {
    /// The morning of day 0, everyone being new.
    pub(super) fn new(config: &Config) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        // Popularity was dealt out from stream 0.
        rng.set_stream(1);
        let users = (1..=i64::from(config.users)).map(|id| User { id, met: Vec::new() }).collect();
        Self { habits: Habits::new(config), users, arrived: i64::from(config.users), day: 0, rng }
    }

    pub(super) fn day(&self) -> u32 {
        self.day
    }

    pub(super) fn structure(&self) -> &Structure {
        &self.habits.structure
    }

    /// Lives the next day and shows each of its hours. After an error the world stands somewhere within that day and is
    /// of no more use.
    pub(super) fn live<E>(&mut self, mut show: impl FnMut(&Hour) -> Result<(), E>) -> Result<(), E> {
        if self.day > 0 {
            self.replace_leavers();
        }
        let mut hour = Hour::default();
        for number in 0..HOURS {
            self.live_hour(number, &mut hour);
            show(&hour)?;
        }
        self.day += 1;
        Ok(())
    }

    fn replace_leavers(&mut self) {
        let Self { habits, users, arrived, rng, .. } = self;
        for user in users {
            let leaves = rng.random_bool(habits.config.churn);
            if leaves || user.met.len() >= habits.most_interests {
                *arrived += 1;
                user.id = *arrived;
                user.met.clear();
            }
        }
    }

    fn live_hour(&mut self, number: u32, hour: &mut Hour) {
        let Self { habits, users, day, rng, .. } = self;
        let start = habits.midnight(*day) + i64::from(number * HOUR_MS);
        let mut offsets = Vec::new();
        hour.events.clear();
        hour.pairs.clear();
        for user in users {
            habits.arrivals.draw(rng, &mut offsets);
            for offset in &offsets {
                let event = habits.watch(user, *day, rng, &mut hour.pairs);
                hour.events.push(Event { timestamp: start + i64::from(*offset), ..event });
            }
        }
        hour.events.sort_unstable_by_key(|event| (event.timestamp, event.user));
    }
}

/// What all users have in common.
#[derive(Debug)]
struct Habits {
    config: Config,
    structure: Structure,
    arrivals: Arrivals,
    /// A user with as many interests finds no new one.
    most_interests: usize,
}

impl Habits {
    fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            structure: Structure::new(config),
            arrivals: Arrivals::new(config.events_per_day / f64::from(HOURS)),
            // Three, because fewer would never make a pair and its successor.
            most_interests: (config.clusters as usize / 2).clamp(3, MAX_INTERESTS),
        }
    }

    fn midnight(&self, day: u32) -> i64 {
        let first = self.config.start.signed_duration_since(NaiveDate::default()).num_milliseconds();
        first + i64::from(day) * i64::from(HOURS * HOUR_MS)
    }

    /// One event of `user`, its time left open.
    fn watch(&self, user: &mut User, day: u32, rng: &mut ChaCha8Rng, pairs: &mut Vec<Pair>) -> Event {
        let Engagement { noise, interest, by_chance } = self.config.engagement;
        let may_discover = user.met.len() < self.most_interests;
        let (cluster, engaged) = if rng.random_bool(noise) {
            (self.noise(user, rng), rng.random_bool(by_chance))
        } else if user.met.len() < 2 || may_discover && rng.random_bool(self.config.discovery) {
            (self.discover(user, day, rng, pairs), true)
        } else {
            let recent = user.met.len().min(RECENT);
            (user.met[user.met.len() - 1 - rng.random_range(0..recent)], rng.random_bool(interest))
        };
        let (watched, liked) = react(engaged, rng);
        let item = rng.random_range(0..self.config.items_per_cluster);
        let item = item_id(cluster, item, self.config.items_per_cluster);
        Event { timestamp: 0, user: user.id, item, cluster: id(cluster), watched, liked }
    }

    fn discover(&self, user: &mut User, day: u32, rng: &mut ChaCha8Rng, pairs: &mut Vec<Pair>) -> u32 {
        let next = match user.met[..] {
            [.., older, newer] => {
                pairs.push((older, newer));
                self.structure.next(&user.met, (older, newer), day, rng)
            }
            _ => self.structure.popular(&user.met, rng),
        };
        user.met.push(next);
        next
    }

    /// A cluster that is none of the user's interests; there is one, for she leaves before she has met all.
    fn noise(&self, user: &User, rng: &mut ChaCha8Rng) -> u32 {
        loop {
            let cluster = rng.random_range(0..self.structure.clusters());
            if !user.met.contains(&cluster) {
                return cluster;
            }
        }
    }
}

/// The id of a cluster's item number `item`, both from 0.
pub(super) fn item_id(cluster: u32, item: u32, items_per_cluster: u32) -> i64 {
    i64::from(cluster) * i64::from(items_per_cluster) + i64::from(item) + 1
}

/// Hundredths watched, and the like.
fn react(engaged: bool, rng: &mut ChaCha8Rng) -> (u8, bool) {
    /// Share of engaged events that were cut short, but liked.
    const SHORT: f64 = 0.1;
    const LIKED: f64 = 0.3;
    if !engaged {
        (rng.random_range(1..80), false)
    } else if rng.random_bool(SHORT) {
        (rng.random_range(20..80), true)
    } else {
        (rng.random_range(81..=100), rng.random_bool(LIKED))
    }
}

/// When events come: a Poisson process.
#[derive(Debug)]
struct Arrivals {
    /// Probability of at most as many events in an hour as the position says.
    cumulative: Vec<f64>,
}

impl Arrivals {
    fn new(mean: f64) -> Self {
        let (mut probability, mut sum) = ((-mean).exp(), 0.0);
        let mut cumulative = Vec::new();
        while probability > 1e-15 || (cumulative.len() as f64) < mean {
            sum += probability;
            cumulative.push(sum);
            probability *= mean / cumulative.len() as f64;
        }
        Self { cumulative }
    }

    /// Draws one user's events in an hour, as distinct ascending milliseconds of it.
    fn draw(&self, rng: &mut ChaCha8Rng, offsets: &mut Vec<u32>) {
        let point = rng.random::<f64>();
        let count = self.cumulative.iter().position(|&sum| point < sum).unwrap_or(self.cumulative.len());
        offsets.clear();
        while offsets.len() < count {
            let offset = rng.random_range(0..HOUR_MS);
            if !offsets.contains(&offset) {
                offsets.push(offset);
            }
        }
        offsets.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_have_the_mean_and_variance_of_poisson() {
        for mean in [0.3, 4.0, 41.0] {
            let arrivals = Arrivals::new(mean);
            assert!((arrivals.cumulative.last().unwrap() - 1.0).abs() < 1e-9);
            let (mut rng, mut offsets) = (ChaCha8Rng::seed_from_u64(7), Vec::new());
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..20_000 {
                arrivals.draw(&mut rng, &mut offsets);
                assert!(offsets.is_sorted_by(|a, b| a < b));
                sum += offsets.len() as f64;
                squares += (offsets.len() as f64).powi(2);
            }
            let found = sum / 20_000.0;
            let variance = squares / 20_000.0 - found.powi(2);
            assert!((found - mean).abs() < 4.0 * (mean / 20_000.0).sqrt(), "{found} for {mean}");
            assert!((variance / mean - 1.0).abs() < 0.06, "{variance} for {mean}");
        }
    }
}
