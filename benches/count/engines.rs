//! The engines, each started as a process that counts one log into one CSV file.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytesize::ByteSize;
use segue::interactions::{Sequence, Users, Window, transition_sql};
use xxhash_rust::xxh3::Xxh3;

use crate::log::{POSITIVE, SimulatedLog};
use crate::measure::{Outcome, Taken, run};

const K: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Segue,
    DuckDb,
    Polars,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Segue, Self::DuckDb, Self::Polars];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Segue => "segue",
            Self::DuckDb => "duckdb",
            Self::Polars => "polars",
        }
    }

    pub(crate) fn named(name: &str) -> Outcome<Self> {
        let found = Self::ALL.into_iter().find(|engine| engine.name() == name);
        found.ok_or_else(|| format!("no engine is called {name}: segue, duckdb or polars").into())
    }
}

/// What every run is given.
pub(crate) struct Bench {
    threads: usize,
    memory: ByteSize,
    dir: PathBuf,
    engines: Vec<Engine>,
    python: PathBuf,
}

impl Bench {
    /// Finds out which of `wanted` there are, installing what is missing below `dir`.
    pub(crate) fn prepare(dir: &Path, threads: usize, memory: ByteSize, wanted: &[Engine]) -> Outcome<Self> {
        let dir = dir.canonicalize()?;
        let python = dir.join("venv/bin/python3");
        let asks_peers = wanted.iter().any(|&engine| engine != Engine::Segue);
        let peers = if asks_peers { install(&dir.join("venv"), &python) } else { Ok(()) };
        if let Err(problem) = &peers {
            println!("DuckDB and Polars are left out: {problem}");
        }
        let engines = wanted.iter().copied().filter(|&engine| engine == Engine::Segue || peers.is_ok()).collect();
        std::fs::create_dir_all(dir.join("spill"))?;
        Ok(Self { threads, memory, dir, engines, python })
    }

    pub(crate) fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// Counts `log`: what that took, and a hash of the CSV.
    pub(crate) fn count(&self, engine: Engine, log: &SimulatedLog) -> Outcome<(Taken, u128)> {
        let out = self.dir.join(format!("counts-{}.csv", engine.name()));
        let taken = match engine {
            Engine::Segue => run(&mut self.segue(log, &out)?)?,
            peer => run(&mut self.peer(peer, log, &out)?)?,
        };
        let mut hasher = Xxh3::new();
        io::copy(&mut File::open(&out)?, &mut hasher)?;
        std::fs::remove_file(&out)?;
        Ok((taken, hasher.digest128()))
    }

    fn segue(&self, log: &SimulatedLog, out: &Path) -> Outcome<Command> {
        // Its data go to standard output, so a shell sends them to the file, and then becomes the program.
        let mut command = Command::new("sh");
        command.args(["-c", r#"out=$1; shift; exec "$@" > "$out""#, "sh"]).arg(out);
        command.arg(env!("CARGO_BIN_EXE_segue")).arg("--config").arg(log.config()).args([
            "count",
            "--k",
            &K.to_string(),
        ]);
        let spill = self.dir.join("spill");
        for (key, value) in [
            ("positive", POSITIVE.to_owned()),
            ("threads", self.threads.to_string()),
            ("memory", format!("{}B", self.memory.as_u64())),
            ("spill_dir", spill.display().to_string()),
        ] {
            command.arg("--set").arg(format!("interactions.{key}={value}"));
        }
        Ok(command)
    }

    fn peer(&self, engine: Engine, log: &SimulatedLog, out: &Path) -> Outcome<Command> {
        let statement = self.dir.join("transitions.sql");
        std::fs::write(&statement, transition_sql(Sequence::User, K, 1, &Window::default(), &Users::Everyone))?;
        let mut command = Command::new(&self.python);
        command.arg(script()).arg(engine.name()).arg("--log").arg(log.glob()).arg("--out").arg(out);
        command.arg("--sql").arg(statement).arg("--spill").arg(self.dir.join("spill"));
        command.args(["--positive", POSITIVE, "--threads", &self.threads.to_string()]);
        command.args(["--memory", &self.memory.as_u64().to_string()]);
        Ok(command)
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/count/peers.py")
}

/// An environment of its own with both peers in it.
fn install(venv: &Path, python: &Path) -> Outcome<()> {
    let said = |command: &mut Command| -> Outcome<()> {
        let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
        let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {told}").into()) }
    };
    let is_there = |python: &Path| said(Command::new(python).args(["-c", "import duckdb, polars"]));
    if is_there(python).is_ok() {
        return Ok(());
    }
    println!("installing DuckDB and Polars into {}", venv.display());
    said(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    said(Command::new(python).args(["-m", "pip", "install", "--quiet", "duckdb", "polars"]))?;
    is_there(python)
}
