//! The servers' processes: each on the servers' core, gone when this one is, and their time on the processor.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::plain;
use crate::Outcome;

/// The roles that this binary plays when it starts itself.
const ON_CORE: &str = "--on-core";
pub(crate) const PLAIN: &str = "--plain-tonic";
pub(crate) const LAYERED: &str = "--layered-tonic";

/// Plays a role, where the first argument names one.
pub(crate) fn play(role: &str, args: &[String]) -> Option<Outcome<()>> {
    match role {
        ON_CORE => Some(become_program(args)),
        PLAIN | LAYERED => Some(plain::serve(role == LAYERED, args)),
        _ => None,
    }
}

/// Where servers run, and where the generator does; the same where there is only one.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    servers: usize,
    generator: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(crate) fn split() -> Outcome<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let servers = cores.next().ok_or("no core to run on")?;
        let generator = cores.next().unwrap_or(servers);
        if servers == generator {
            eprintln!("one core only: servers and generator take turns, and the figures say little");
        }
        Ok(Self { servers, generator })
    }

    /// Moves this thread to the generator's core.
    pub(crate) fn take_generators(self) -> Outcome<()> {
        pin(self.generator)
    }
}

fn pin(core: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Goes to the core and becomes the program there; it will die with the process that started it, however that ends.
fn become_program(args: &[String]) -> Outcome<()> {
    let [core, program, args @ ..] = args else { return Err("a core and a program are expected".into()) };
    pin(core.parse()?)?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    Err(Command::new(program).args(args).exec().into())
}

/// A server's process, killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` on the servers' core; what it says on stderr goes to a file in `dir`.
    pub(crate) fn start(cores: Cores, dir: &Path, program: &OsStr, args: &[&str]) -> Outcome<Self> {
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy().into_owned();
        let log = dir.join(format!("{name}.{}.log", fs::read_dir(dir)?.count()));
        let mut command = Command::new(std::env::current_exe()?);
        command.args([ON_CORE, &cores.servers.to_string()]).arg(program).args(args).current_dir(dir);
        // What is set around the bench is not what is measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SEGUE__")) {
            command.env_remove(name);
        }
        // Ctrl-C is for this process to hear: it ends the others.
        command.process_group(0);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?).spawn()?;
        Ok(Self { child, log })
    }

    /// The first line on its stdout.
    pub(crate) fn announced(&mut self) -> Outcome<String> {
        let mut line = String::new();
        let stdout = self.child.stdout.take().ok_or("its stdout was read already")?;
        BufReader::new(stdout).read_line(&mut line)?;
        if line.is_empty() {
            return Err(self.failed("it ended without a word"));
        }
        Ok(line.trim().to_owned())
    }

    pub(crate) fn failed(&self, what: &str) -> Box<dyn Error> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        format!("{}: {what}\n{log}", self.log.display()).into()
    }

    /// What all its threads have spent so far.
    pub(crate) fn spent(&self) -> Outcome<Spent> {
        let mut spent = Spent::default();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may have ended since it was listed.
            let Ok(stat) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            let thread = Spent::parse(&stat)?;
            spent = Spent { running: spent.running + thread.running, waiting: spent.waiting + thread.waiting };
        }
        Ok(spent)
    }
}

/// Time as the scheduler counts it, to the nanosecond.
#[derive(Clone, Copy, Default)]
pub(crate) struct Spent {
    /// On a processor.
    pub(crate) running: Duration,
    /// Ready to run while something else had the processor.
    pub(crate) waiting: Duration,
}

impl Spent {
    /// By this thread so far.
    pub(crate) fn here() -> Outcome<Self> {
        Self::parse(&fs::read_to_string("/proc/thread-self/schedstat")?)
    }

    fn parse(stat: &str) -> Outcome<Self> {
        let mut nanos = stat.split(' ').map(|field| field.parse().map(Duration::from_nanos));
        let mut next = || nanos.next().ok_or("the kernel does not tell what a thread has spent");
        Ok(Self { running: next()??, waiting: next()?? })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self { running: self.running - before.running, waiting: self.waiting - before.waiting }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
