//! A directory with a config and a log, and the `segue` process run in it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use segue::simulate::{self, Simulation};
use serde_json::Value;
use tempfile::TempDir;

/// No command here takes longer, however busy the machine.
pub(super) const LONGEST_RUN: Duration = Duration::from_secs(180);

/// Every port is a free one, and nothing runs unless it is asked for.
const CONFIG: &str = r#"
[store]
path = "store"
[clusters]
path = "clusters.csv"
[interactions]
path = "log"
[table]
spill_dir = "."
[refresh]
window = "30d"
policy = "on_demand"
[serve]
http_addr = "127.0.0.1:0"
grpc_addr = "127.0.0.1:0"
admin_addr = "127.0.0.1:0"
"#;

/// A directory with `segue.toml`, `clusters.csv` and a log, from which nothing was made yet.
pub(super) struct World {
    dir: TempDir,
    /// What `segue` is told by variables.
    environment: Vec<(&'static str, String)>,
}

impl World {
    fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    /// Whatever runs here from now on has this variable.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.push((name, value.into()));
    }

    /// With the first `days` of a simulated log of twelve clusters, 1 to 12.
    pub(super) fn simulated(days: u32) -> Self {
        let world = Self::empty();
        simulation().write_static(world.path()).unwrap();
        (0..days).for_each(|day| world.add_day(day));
        world.write("segue.toml", CONFIG);
        world
    }

    /// With the clusters 0 to 9, and `log` in `log/log.csv`.
    pub(super) fn with_log(log: &str) -> Self {
        let world = Self::empty();
        let clusters: String = (0..10).map(|id| format!("{id},\"keyword {id}, other {id}\"\n")).collect();
        world.write("clusters.csv", &format!("cluster_id,keywords\n{clusters}"));
        world.write("log/log.csv", log);
        world.write("segue.toml", CONFIG);
        world
    }

    /// Lets another day of the simulated log arrive.
    pub(super) fn add_day(&self, day: u32) {
        simulation().write_day(self.path(), day).unwrap();
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// `segue` with `args`, about to start here.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.clean(env!("CARGO_BIN_EXE_segue"), args)
    }

    /// `sh -c script`, in which `$segue` is the binary.
    pub(super) fn shell(&self, script: &str) -> Command {
        let mut command = self.clean("sh", &["-c", script]);
        command.env("segue", env!("CARGO_BIN_EXE_segue"));
        command
    }

    /// No config reaches it from around the tests.
    fn clean(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        let is_ours = |name: &str| ["SEGUE__", "AWS_"].iter().any(|prefix| name.starts_with(prefix));
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(args).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args))
    }

    /// What a command that must end well prints.
    pub(super) fn text(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran.stdout
    }

    /// What a command that must end well prints with `--json`.
    pub(super) fn json(&self, args: &[&str]) -> Value {
        let text = self.text(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// Publishes what the log holds now; returns the version.
    pub(super) fn refresh(&self) -> u64 {
        let told = self.json(&["refresh"]);
        assert_eq!(told["outcome"], "published", "{told}");
        told["version"].as_u64().unwrap()
    }

    /// Everything below the store, by path and size; for showing that nothing changed.
    pub(super) fn store(&self) -> Vec<(PathBuf, u64)> {
        let (mut found, mut left) = (Vec::new(), vec![self.file("store")]);
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.exists() {
                found.push((path.clone(), path.metadata().unwrap().len()));
            }
        }
        found.sort();
        found
    }
}

fn simulation() -> Simulation {
    let config =
        simulate::Config { seed: 5, users: 60, days: 20, clusters: 12, items_per_cluster: 5, ..Default::default() };
    Simulation::new(&config).unwrap()
}

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Ran {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// It failed as a user wants it to: code 1, no data, and one line with all of `parts` that comes last.
    #[track_caller]
    pub(super) fn refused(&self, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("segue: "), "{self:?}");
        for part in parts {
            assert!(last.contains(part), "no `{part}` in `{last}`");
        }
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        assert_told_once(last);
    }
}

/// No half of a sentence stands twice, as it does where causes are told again.
#[track_caller]
fn assert_told_once(line: &str) {
    let parts: Vec<&str> = line.split(": ").filter(|part| part.len() > 20).collect();
    for (at, part) in parts.iter().enumerate() {
        assert!(!parts[..at].contains(part), "`{part}` stands twice in `{line}`");
    }
}

/// Runs a command to its end.
pub(super) fn finish(mut command: Command) -> Ran {
    let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let (stdout, stderr) = (process.0.stdout.take().unwrap(), process.0.stderr.take().unwrap());
    let (stdout, stderr) = (thread::spawn(move || all(stdout)), thread::spawn(move || all(stderr)));
    let status = process.ends_within(LONGEST_RUN);
    Ran { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn all(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Hands each line of a pipe to `take` as it comes.
pub(super) fn each_line(pipe: impl Read + Send + 'static, mut take: impl FnMut(String) + Send + 'static) {
    thread::spawn(move || BufReader::new(pipe).lines().map_while(Result::ok).for_each(&mut take));
}

/// A process that does not outlive the test.
pub(super) struct Process(pub(super) Child);

impl Process {
    pub(super) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(super) fn signal(&self, signal: Signal) {
        send_signal(self.pid(), signal);
    }

    #[track_caller]
    pub(super) fn ends_within(&mut self, limit: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < limit, "process {} still runs after {limit:?}", self.pid());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, and been waited for, already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Only ever of a process that a test started, or that such a process did.
pub(super) fn send_signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// The process ids of a process's children.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten() {
        let Ok(listed) = std::fs::read_to_string(task.unwrap().path().join("children")) else { continue };
        children.extend(listed.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
    }
    children
}

/// Orphans that ended may stay as zombies where nobody reaps them.
pub(super) fn is_running(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
