//! `segue demo`: the whole loop, live. A drifting log is simulated, counted, published and served; then a new day of log
//! arrives every few seconds, the refresher weighs what the live table has lost, publishes when that pays, and the server
//! swaps while it is being asked.

mod agreement;
mod asker;
mod model;
mod told;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::sync::oneshot;

use super::place::Place;
use super::simulate::write_config;
use super::{Common, refresh, table};
use crate::app::{App, asked_to_stop};
use crate::config::{Config, Sources};
use crate::evaluation::Decision;
use crate::ids::VersionId;
use crate::refresh::{Cycle, Outcome, Request};
use crate::simulate::{self, DayWritten, Drift, Simulation};
use crate::store::live::Live;
use crate::store::{Note, Store};
use crate::telemetry;
use agreement::Pairs;
use asker::Asker;
use told::{Row, announce, tell};

/// Days of log before the server starts. The samples' window of the model, and the week before it that prompts show, are in.
const FIRST_DAYS: u32 = 28;
/// When it refreshes, and how often it looks whether a new day has come.
const POLICY: [&str; 2] = ["refresh.policy=\"adaptive\"", "refresh.look=250ms"];
/// What is told of the model is told by the demo itself.
const LOG: &str = "telemetry.log=\"warn,segue::refresh::agent::tuner=off,segue::refresh::steps::registry=error\"";
/// The longest wait for a decision or a refresh before the demo goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Arguments of `segue demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Days of log that arrive while it serves [default: 20; where a language model is tuned, until it has predicted for a few
    /// days]
    #[arg(long)]
    days: Option<u32>,
    /// How long a day takes
    #[arg(long, default_value = model::PACE, value_parser = humantime::parse_duration)]
    pace: Duration,
    /// Users present on every day: with many, a week of log tells most pairs' successors
    #[arg(long, default_value_t = 4_000)]
    users: u32,
    /// Share of the interest pairs whose successors change each day
    #[arg(long, default_value_t = 0.05)]
    drift_rate: f64,
    /// Where to simulate; kept afterwards [default: a temporary directory, removed at the end]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    /// Days that arrive, at least and at most.
    fn days(&self) -> [u32; 2] {
        self.days.map_or(model::DAYS, |days| [days; 2])
    }
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let place = Place::new(args.dir.clone(), "segue-demo");
    let mut simulation = Simulation::new(&world(&args))?;
    first_days(common, &mut simulation, &place.dir)?;
    let common = Common { config: Some(write_config(&place.dir)?), set: settings(common), ..common.clone() };
    let config = Config::load(&Sources { file: common.config.clone(), set: common.set.clone() })?;
    telemetry::init(&config.telemetry)?;
    super::runtime()?.block_on(async {
        let first = first_version(&config).await?;
        tell(&common, json!({ "published": first }), &format!("counted, built and published {first}"));
        let app = App::start(&config, Some(common.same(&["refresher"]))).await?;
        announce(&common, app.listeners());
        let demo = Demo { common: &common, config: &config, args: &args, live: app.live().clone(), first };
        demo.watch(app, &mut simulation, &place.dir).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Few clusters and strong pairs, so that a small model finds in minutes what there is to learn.
fn world(args: &Args) -> simulate::Config {
    simulate::Config {
        users: args.users,
        days: FIRST_DAYS.saturating_add(args.days()[1]),
        clusters: 40,
        events_per_day: 4.0,
        pair_strength: 0.9,
        popularity_skew: 0.4,
        drift: Drift::Slow { rate: args.drift_rate },
        ..simulate::Config::default()
    }
}

/// The demo's own settings, then those of the command line, which are stronger.
fn settings(common: &Common) -> Vec<String> {
    let own = POLICY.into_iter().chain([LOG]).chain(model::SETTINGS.iter().copied()).map(str::to_owned);
    own.chain(common.set.iter().cloned()).collect()
}

fn first_days(common: &Common, simulation: &mut Simulation, dir: &Path) -> anyhow::Result<()> {
    simulation.write_static(dir)?;
    let mut rows = 0;
    for day in 0..FIRST_DAYS {
        rows += simulation.write_day(dir, day)?.rows;
    }
    let config = simulation.config();
    let (users, clusters) = (config.users, config.clusters);
    let text = format!(
        "simulated {FIRST_DAYS} days of {users} users with {clusters} interest clusters: {rows} rows in {}",
        dir.display()
    );
    tell(common, json!({ "simulated_rows": rows, "dir": dir }), &text);
    Ok(())
}

async fn first_version(config: &Config) -> anyhow::Result<VersionId> {
    let store = Store::open(&config.store)?;
    let note = Note { who: "demo".into(), why: "the first days".into() };
    let request = Request::of_log(config.serve.channel.clone(), note);
    let settings = refresh::settings(config);
    match (Cycle { settings: &settings, store: &store, request: &request }).run(&mut |_| {}).await? {
        Outcome::Published(version) | Outcome::NothingToDo(version) => Ok(version),
        Outcome::Held(version) => {
            let why = store.judgements(version)?.pop().map_or(String::new(), |judgement| judgement.why);
            anyhow::bail!("the first version, {version}, is held by its gates: {why}")
        }
        Outcome::Exported(_) => anyhow::bail!("the first refresh published nothing"),
    }
}

/// The demo while it serves.
struct Demo<'d> {
    common: &'d Common,
    config: &'d Config,
    args: &'d Args,
    live: Live,
    first: VersionId,
}

impl Demo<'_> {
    async fn watch(&self, app: App, simulation: &mut Simulation, dir: &Path) -> anyhow::Result<()> {
        let (grpc, refreshes) = (app.listeners().grpc_addr(), app.refreshes());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = app.run(async { drop(stopped.await) });
        let (serving, interrupted) = (std::pin::pin!(serving), std::pin::pin!(asked_to_stop()?));
        let arriving = async {
            tokio::select! {
                shown = self.days(simulation, dir, grpc) => shown?,
                () = model::follow(self.common, refreshes) => {}
                () = interrupted => {}
            }
            drop(stop);
            anyhow::Ok(())
        };
        let (served, shown) = tokio::join!(serving, arriving);
        served?;
        shown
    }

    async fn days(&self, simulation: &mut Simulation, dir: &Path, grpc: SocketAddr) -> anyhow::Result<()> {
        self.wait_for_swap(None).await;
        let asker = Asker::start(grpc, simulation.config().clusters);
        let store = Store::open(&self.config.store)?;
        let first = table::read(&store.table_path(self.first))?;
        let pairs = Pairs::of(&first);
        let ([least, most], mut by_model) = (self.args.days(), 0);
        for day in FIRST_DAYS..FIRST_DAYS.saturating_add(most) {
            if day >= FIRST_DAYS + least && by_model >= model::SEEN {
                break;
            }
            let next_day = tokio::time::Instant::now() + self.args.pace;
            let before = self.version();
            let written = simulation.write_day(dir, day)?;
            let decided = self.decision(&store, &written).await?;
            if decided.as_ref().is_some_and(|decided| decided.refresh) {
                self.wait_for_swap(before).await;
            }
            let truth = simulation.truth(day);
            let live = self.live.load();
            let snapshot = live.get(&self.config.serve.channel).context("the channel is gone")?;
            let (stale, fresh) = (pairs.agreement(&first, &truth), pairs.agreement(&snapshot.table, &truth));
            let version = snapshot.version;
            drop(live);
            let by = store.manifest(version)?.lineage.model.map_or("counts", |_| model::NAME);
            by_model += u32::from(by == model::NAME);
            let agrees = [stale, fresh];
            let row = Row { day: &written, decided, live: version, by, agrees, asked: asker.since_last() };
            row.tell(self.common);
            tokio::time::sleep_until(next_day).await;
        }
        Ok(())
    }

    fn version(&self) -> Option<VersionId> {
        self.live.load().get(&self.config.serve.channel).map(|snapshot| snapshot.version)
    }

    async fn wait_for_swap(&self, before: Option<VersionId>) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while self.version() == before && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What was decided once the day had come; `None` where that takes too long, or a refresh took the day in unasked.
    async fn decision(&self, store: &Store, day: &DayWritten) -> anyhow::Result<Option<Decision>> {
        let until = tokio::time::Instant::now() + PATIENCE;
        let has = |version| {
            anyhow::Ok(store.manifest(version)?.lineage.window_to.map(|to| to.date_naive()) >= Some(day.date))
        };
        while tokio::time::Instant::now() < until && !self.version().map_or(Ok(false), has)? {
            let newest = store.decisions(&self.config.serve.channel, 1)?.pop();
            if let Some(decided) = newest.filter(|decided| decided.log_to.date_naive() >= day.date) {
                return Ok(Some(serde_json::from_value(decided.decision)?));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }
}
