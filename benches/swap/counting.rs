//! A reader's latencies while logs are counted beside it, at the lowest priority, as the supervised refresher does.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;
use crate::args::Args;
use crate::latency::{Pairs, latencies};
use crate::world::World;

/// p99 with counting : without.
const MAX_RATIO: f64 = 1.5;
const SEGUE: &str = env!("CARGO_BIN_EXE_segue");
const PAIRS: u64 = 9;

pub(crate) fn measure(world: &World, args: &Args) -> Outcome<bool> {
    let (users, window) =
        if args.bounded { ("200000", Duration::from_secs(2)) } else { ("200", Duration::from_millis(50)) };
    let config = simulated(&args.dir, users)?;
    let mut counting = Counting::start(&config)?;
    let mut pairs = Pairs::default();
    for _ in 0..PAIRS {
        counting.go_on(&config)?;
        let beside = latencies(&world.live, || {
            std::thread::sleep(window);
            Ok(())
        })?;
        counting.pause()?;
        let without = latencies(&world.live, || {
            std::thread::sleep(window);
            Ok(())
        })?;
        pairs.push(&beside, &without);
    }
    Ok(pairs.tell("with counting : without", MAX_RATIO))
}

/// A log of 30 days, made where it is not there yet; returns the config that reads it.
fn simulated(dir: &Path, users: &str) -> Outcome<std::path::PathBuf> {
    let dir = dir.join(format!("log-{users}"));
    let config = dir.join("segue.toml");
    if !config.exists() {
        let mut simulate = Command::new(SEGUE);
        simulate.args(["simulate", "--users", users, "--days", "30", "--dir"]).arg(&dir);
        if !simulate.stdout(Stdio::null()).status()?.success() {
            return Err("the log could not be simulated".into());
        }
    }
    Ok(config)
}

/// A process that counts. It ends with this.
struct Counting(Child);

impl Counting {
    fn start(config: &Path) -> Outcome<Self> {
        let mut count = Command::new("nice");
        count.args(["-n", "19", SEGUE, "--config"]).arg(config).arg("count");
        Ok(Self(count.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?))
    }

    /// Starts it anew where it has come to its end.
    fn go_on(&mut self, config: &Path) -> Outcome<()> {
        match self.0.try_wait()? {
            None => self.signal(Signal::CONT),
            Some(status) if status.success() => {
                *self = Self::start(config)?;
                Ok(())
            }
            Some(status) => Err(format!("counting ended with {status}").into()),
        }
    }

    fn pause(&mut self) -> Outcome<()> {
        // One that has just come to its end needs no pause.
        if self.0.try_wait()?.is_none() { self.signal(Signal::STOP) } else { Ok(()) }
    }

    fn signal(&self, signal: Signal) -> Outcome<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
