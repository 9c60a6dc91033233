//! A log of drifting interests whose truth is known: for the demo, tests and benches, and for showing what a refresh
//! cadence is worth (section 3.1 asks how predictions age; here the answer can be checked).
//!
//! Users come and go. Each has a latest pair of interests, and the next one follows that pair by a distribution that
//! [`Truth`] tells for every day; [`Drift`] says how it changes. Between new interests she watches items of recent ones,
//! and some noise. A directory of such a simulation:
//!
//! | file | columns |
//! |---|---|
//! | `simulation.json` | the [`Config`] |
//! | `clusters.csv` | `cluster_id`, `keywords` |
//! | `items.csv` | `item_id`, `cluster_id`, `title` |
//! | `log/date=YYYY-MM-DD/part-0.parquet` | `user_id`, `item_id` int64, `cluster_id` int32, `timestamp` (ms, UTC), `watch_ratio` float32, `is_like` bool; in order of time |
//! | `truth/date=YYYY-MM-DD/part-0.parquet` | `c1`, `c2`, `next` int32, `probability` float64: the preferred successors of every pair that a new interest followed on that day |
//!
//! Every file appears whole or not at all. The same config gives the same bytes (on one platform: popularity takes a
//! power, whose last bit the system's mathematics decides). Memory holds up to 400 bytes a user, the pairs of one day,
//! the events of one hour and one row group, whatever the number of days.

mod columns;
mod config;
mod directory;
mod draft;
mod error;
mod truth;
mod words;
mod world;

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use chrono::{Days, NaiveDate};

pub use config::{Config, Drift, Engagement};
pub use error::{ConfigError, SimulateError};
pub use truth::{Successor, Truth};

use crate::taxonomy::Taxonomy;
use columns::Log;
use draft::Draft;
use world::World;

/// The clusters file, within a simulation's directory.
pub const CLUSTERS_FILE: &str = "clusters.csv";

/// The items file, within a simulation's directory.
pub const ITEMS_FILE: &str = "items.csv";

/// Matches the files of the log, within a simulation's directory.
pub const LOG_GLOB: &str = "log/*/*.parquet";

/// One simulated world, standing before some day.
///
/// Days follow from each other, so they are lived in order. [`Simulation::write_day`] takes them in any order all the
/// same: for the next day it costs that day alone; otherwise the days before are lived again, unwritten. So a process
/// that was restarted just goes on with the day it wants.
#[derive(Debug)]
pub struct Simulation {
    config: Config,
    world: World,
}

/// One day of log that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayWritten {
    /// Its number, from 0.
    pub day: u32,
    /// Its date, UTC.
    pub date: NaiveDate,
    /// Events in it.
    pub rows: u64,
    /// The file of the log.
    pub path: PathBuf,
}

impl Simulation {
    /// Sets the world up. Refuses a config that [`Config::validate`] refuses.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config: config.clone(), world: World::new(config) })
    }

    /// The config it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The clusters, as `clusters.csv` lists them. They depend on their number alone.
    pub fn taxonomy(&self) -> Taxonomy {
        let rows = (0..self.config.clusters).map(|index| (truth::id(index), words::keywords(index)));
        Taxonomy::new(rows).expect("keywords are unique up to the number that the config may ask for")
    }

    /// What new interests are drawn from on `day`, counted from 0.
    pub fn truth(&self, day: u32) -> Truth<'_> {
        Truth { structure: self.world.structure(), day }
    }

    /// The date of `day`, counted from 0.
    pub fn date(&self, day: u32) -> Result<NaiveDate, SimulateError> {
        let date = self.config.start.checked_add_days(Days::new(u64::from(day)));
        date.filter(|_| day < self.config.days).ok_or(SimulateError::Day { day, days: self.config.days })
    }

    /// Writes `clusters.csv` and `items.csv`. `dir` is made if need be; one that holds anything but this very
    /// simulation is refused.
    pub fn write_static(&self, dir: &Path) -> Result<(), SimulateError> {
        directory::claim(dir, &self.config)?;
        let taxonomy = self.taxonomy();
        Draft::create(&dir.join(CLUSTERS_FILE))?.write(|out| {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(["cluster_id", "keywords"])?;
            for cluster in taxonomy.clusters() {
                csv.write_record([&cluster.id.to_string(), &cluster.description])?;
            }
            csv.flush()
        })?;
        Draft::create(&dir.join(ITEMS_FILE))?.write(|out| {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(["item_id", "cluster_id", "title"])?;
            for (cluster, item) in self.items() {
                let item_id = world::item_id(cluster, item, self.config.items_per_cluster).to_string();
                let title = format!("{} #{}", words::subject(cluster), item + 1);
                csv.write_record([item_id, truth::id(cluster).to_string(), title])?;
            }
            csv.flush()
        })
    }

    fn items(&self) -> impl Iterator<Item = (u32, u32)> {
        let per_cluster = self.config.items_per_cluster;
        (0..self.config.clusters).flat_map(move |cluster| (0..per_cluster).map(move |item| (cluster, item)))
    }

    /// Writes the log and the truth of `day`, counted from 0, into `dir`, which is held to the same rule as in
    /// [`Simulation::write_static`]. A day that is there already is replaced by its like.
    ///
    /// After an error the day can be asked for again.
    pub fn write_day(&mut self, dir: &Path, day: u32) -> Result<DayWritten, SimulateError> {
        let date = self.date(day)?;
        directory::claim(dir, &self.config)?;
        self.live_until(day);
        let written = self.write_next_day(dir, date);
        if written.is_err() {
            // The world was left within the day.
            self.world = World::new(&self.config);
        }
        written
    }

    /// Writes everything, from the first day to the last; returns the rows of the log. `progress` hears of each day.
    pub fn write_all(&mut self, dir: &Path, mut progress: impl FnMut(&DayWritten)) -> Result<u64, SimulateError> {
        self.write_static(dir)?;
        let mut rows = 0;
        for day in 0..self.config.days {
            let written = self.write_day(dir, day)?;
            rows += written.rows;
            progress(&written);
        }
        Ok(rows)
    }

    /// Lives, unwritten, until the morning of `day`.
    fn live_until(&mut self, day: u32) {
        if self.world.day() > day {
            self.world = World::new(&self.config);
        }
        while self.world.day() < day {
            let Ok(()) = self.world.live(|_| Ok::<(), Infallible>(()));
        }
    }

    fn write_next_day(&mut self, dir: &Path, date: NaiveDate) -> Result<DayWritten, SimulateError> {
        let day = self.world.day();
        let file = |kind: &str| dir.join(kind).join(format!("date={date}")).join("part-0.parquet");
        let path = file("log");
        let mut log = Log::create(&path)?;
        let (mut pairs, mut rows) = (Vec::new(), 0);
        self.world.live(|hour| {
            rows += hour.events.len() as u64;
            pairs.extend_from_slice(&hour.pairs);
            // Kept sorted and distinct from hour to hour, so that they never outgrow the pairs there are.
            pairs.sort();
            pairs.dedup();
            log.write(&hour.events)
        })?;
        columns::write_truth(&file("truth"), self.truth(day), &pairs)?;
        // Last, so that whoever sees the day's log finds its truth.
        log.finish()?;
        Ok(DayWritten { day, date, rows, path })
    }
}
