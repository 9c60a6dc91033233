//! One process, from its start to its end.

use std::fs::read_to_string;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Outcome;

/// How often memory is looked at. `VmHWM` remembers its own peak; `RssAnon` is sampled.
const PAUSE: Duration = Duration::from_millis(5);

/// Clock ticks of `/proc`, which are the same on every Linux that Rust knows.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process took.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of all its threads, in user space and in the kernel.
    pub(crate) cpu: f64,
    /// The most bytes resident at once.
    pub(crate) rss: u64,
    /// The most bytes of anonymous memory seen at once: what no file stands behind.
    pub(crate) anon: u64,
    /// What it wrote to standard output.
    pub(crate) stdout: String,
}

/// Runs `command`, whose output must fit a pipe, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Outcome<Taken> {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut taken = Taken { wall: 0.0, cpu: 0.0, rss: 0, anon: 0, stdout: String::new() };
    // A process that has ended stays, with its times, until it is waited for.
    while let Some(cpu) = seconds_if_running(child.id(), &mut taken.cpu)? {
        taken.cpu = cpu;
        look_at_memory(child.id(), &mut taken);
        sleep(PAUSE);
    }
    taken.wall = began.elapsed().as_secs_f64();
    let mut told = String::new();
    child.stdout.take().ok_or("stdout is piped")?.read_to_string(&mut taken.stdout)?;
    child.stderr.take().ok_or("stderr is piped")?.read_to_string(&mut told)?;
    let status = child.wait()?;
    if status.success() { Ok(taken) } else { Err(format!("{command:?} failed, {status}: {}", told.trim_end()).into()) }
}

/// The processor time so far, or `None` at the end, with the whole of it in `total`.
fn seconds_if_running(process: u32, total: &mut f64) -> Outcome<Option<f64>> {
    let stat = read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("no name in /proc/stat")?.1.split_whitespace().collect();
    let [user, system] = [fields[11], fields[12]].map(|ticks| ticks.parse::<f64>().unwrap_or(0.0));
    *total = (user + system) / TICKS_PER_SECOND;
    Ok((fields[0] != "Z").then_some(*total))
}

fn look_at_memory(process: u32, taken: &mut Taken) {
    let status = read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let bytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
    };
    taken.rss = taken.rss.max(bytes("VmHWM:"));
    taken.anon = taken.anon.max(bytes("RssAnon:"));
}
