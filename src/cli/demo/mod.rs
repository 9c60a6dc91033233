//! `segue demo`: the whole loop, live. A drifting log is simulated, counted, published and served; then a new day of log
//! arrives every few seconds, the refresher weighs what the live table has lost, publishes when that pays, and the server
//! swaps while it is being asked.

mod agreement;
mod asker;

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
use crate::config::{Config, DEFAULT_FILE, Sources};
use crate::evaluation::Decision;
use crate::ids::VersionId;
use crate::refresh::{Cycle, Outcome, Request};
use crate::serve::Listeners;
use crate::simulate::{self, DayWritten, Drift, Simulation};
use crate::store::live::Live;
use crate::store::{Note, Store};
use crate::telemetry;
use agreement::Pairs;
use asker::Asker;

/// Days of log before the server starts.
const FIRST_DAYS: u32 = 14;
/// Few enough that two weeks of log tell most pairs' successors.
const CLUSTERS: u32 = 30;
/// When it refreshes, and how often it looks whether a new day has come.
const POLICY: [&str; 2] = ["refresh.policy=\"adaptive\"", "refresh.look=250ms"];
/// The longest wait for a decision or a refresh before the demo goes on without it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Arguments of `segue demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Days of log that arrive while it serves
    #[arg(long, default_value_t = 20)]
    days: u32,
    /// How long a day takes
    #[arg(long, default_value = "4s", value_parser = humantime::parse_duration)]
    pace: Duration,
    /// Share of the interest pairs whose successors change each day
    #[arg(long, default_value_t = 0.1)]
    drift_rate: f64,
    /// Where to simulate; kept afterwards [default: a temporary directory, removed at the end]
    #[arg(long)]
    dir: Option<PathBuf>,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let place = Place::new(args.dir.clone(), "segue-demo");
    let mut simulation = Simulation::new(&simulate::Config {
        days: FIRST_DAYS.saturating_add(args.days),
        drift: Drift::Slow { rate: args.drift_rate },
        clusters: CLUSTERS,
        ..simulate::Config::default()
    })?;
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

/// The demo's own settings, then those of the command line, which are stronger.
fn settings(common: &Common) -> Vec<String> {
    let own = POLICY.into_iter().chain(["telemetry.log=warn"]).map(str::to_owned);
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

fn announce(common: &Common, listeners: &Listeners) {
    let (http, grpc, admin) = (listeners.http_addr(), listeners.grpc_addr(), listeners.admin_addr());
    let file = common.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE)).display();
    let text = format!(
        "serving; try, in another terminal:

  segue lookup 3 7 --limit 5 --addr {grpc}
  curl -s {http}/v1/lookup -H 'content-type: application/json' -d '{{\"history\": [3, 7], \"limit\": 5}}'
  grpcurl -plaintext -d '{{\"history\": [3, 7], \"limit\": 5}}' {grpc} segue.v1.LookupService/Lookup
  curl -s {http}/metrics
  curl -s {admin}/admin/v1/versions
  segue refresh --why --config {file}

A new day of log arrives every few seconds, and a refresh follows once the loss since the last one has cost as much as a
refresh does. `agrees` is the share of the truth's preferred successors that a table's top five name: of the first
version, which goes stale, and of the live one.
"
    );
    tell(common, json!({ "http": http, "grpc": grpc, "admin": admin }), &text);
    if !common.json {
        println!("day         loss cost  weighed  live  first agrees  live agrees  lookups  failed      p50      p99");
    }
}

fn tell(common: &Common, data: serde_json::Value, text: &str) {
    if common.json { println!("{data}") } else { println!("{text}") }
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
        let grpc = app.listeners().grpc_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = app.run(async { drop(stopped.await) });
        let (serving, interrupted) = (std::pin::pin!(serving), std::pin::pin!(asked_to_stop()?));
        let arriving = async {
            tokio::select! {
                shown = self.days(simulation, dir, grpc) => shown?,
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
        for day in FIRST_DAYS..FIRST_DAYS + self.args.days {
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
            self.show(&written, decided.as_ref(), version, [stale, fresh], &asker.since_last());
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

    /// What was decided once the day had come; `None` where that takes too long.
    async fn decision(&self, store: &Store, day: &DayWritten) -> anyhow::Result<Option<Decision>> {
        let until = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < until {
            let newest = store.decisions(&self.config.serve.channel, 1)?.pop();
            if let Some(decided) = newest.filter(|decided| decided.log_to.date_naive() >= day.date) {
                return Ok(Some(serde_json::from_value(decided.decision)?));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }

    fn show(
        &self,
        day: &DayWritten,
        decided: Option<&Decision>,
        version: VersionId,
        [stale, fresh]: [f64; 2],
        asked: &asker::Asked,
    ) {
        let asker::Asked { answered, failed, p50, p99 } = asked;
        let (p50, p99) = (p50.as_secs_f64() * 1e6, p99.as_secs_f64() * 1e6);
        let data = json!({
            "day": day.date, "rows": day.rows, "decided": decided, "live": version, "first_agrees": stale, "live_agrees": fresh,
            "lookups": answered, "failed": failed, "p50_us": p50, "p99_us": p99,
        });
        let lost = decided.map_or("-".into(), |of| format!("{:.1}", of.gain));
        let does = decided.map_or("-", |of| if of.refresh { "refresh" } else { "wait" });
        let (stale, fresh) = (format!("{:.1} %", stale * 100.0), format!("{:.1} %", fresh * 100.0));
        let text = format!(
            "{}  {lost:>9}  {does:<7}  {:<4}  {stale:>12}  {fresh:>11}  {answered:>7}  {failed:>6}  {p50:>4.0} µs  {p99:>4.0} µs",
            day.date,
            version.to_string()
        );
        tell(self.common, data, &text);
    }
}
