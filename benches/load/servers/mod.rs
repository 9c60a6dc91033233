//! The servers that are compared: started when a row first needs them, stopped when the house is left.

mod check;
pub(crate) mod child;
mod ours;
mod plain;
pub(crate) mod redis;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::rc::Rc;
use std::thread;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::Outcome;
use crate::args::Args;
use crate::generator::Target;
use crate::rows::{Peer, Row, Side};
use crate::world::World;
use child::{Cores, Process};

/// A running server and one of its doors.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) process: Rc<Process>,
    pub(crate) target: Target,
}

/// All that runs and lies about while measuring.
pub(crate) struct House {
    // Processes end before their directory goes.
    servers: HashMap<(Peer, u32), Server>,
    stores: HashMap<u32, PathBuf>,
    dir: TempDir,
    cores: Cores,
    worlds: [World; 2],
}

impl House {
    /// From here on this thread runs on the generator's core.
    pub(crate) fn new(args: &Args) -> Outcome<Self> {
        let cores = Cores::split()?;
        let dir = tempfile::tempdir()?;
        leave_on_interrupt(dir.path().to_owned())?;
        cores.take_generators()?;
        let worlds = args.clusters.map(|clusters| World { clusters, limit: args.limit });
        Ok(Self { servers: HashMap::new(), stores: HashMap::new(), dir, cores, worlds })
    }

    /// Why a row cannot be measured here.
    pub(crate) fn lacks(&self, row: &Row) -> Option<&'static str> {
        let wants_redis = [row.ours.peer, row.theirs.peer].contains(&Peer::Redis);
        (wants_redis && redis::program().is_none()).then_some("there is no redis-server on PATH")
    }

    /// Batches go to a table that no cache holds.
    pub(crate) fn world(&self, side: &Side) -> World {
        self.worlds[usize::from(side.call.is_batch())]
    }

    /// The server, started and checked if it was not.
    pub(crate) fn server(&mut self, side: &Side) -> Outcome<Server> {
        let world = self.world(side);
        if let Some(server) = self.servers.get(&(side.peer, world.clusters)) {
            return Ok(server.clone());
        }
        eprintln!("starting {} for {} clusters", side.peer, world.clusters);
        match side.peer {
            Peer::Segue | Peer::SegueUnix => self.start_ours(world, [Peer::Segue, Peer::SegueUnix])?,
            Peer::Dealing => self.start_ours(world, [Peer::Dealing])?,
            Peer::Plain | Peer::Layered => self.start_plain(side.peer, world)?,
            Peer::Redis => {
                let (process, addr) = redis::start(self.cores, self.dir.path(), world)?;
                self.keep(Peer::Redis, world, &Rc::new(process), Target::Tcp(addr));
            }
        }
        let server = self.servers.get(&(side.peer, world.clusters));
        Ok(server.ok_or("the server has no such door")?.clone())
    }

    /// `doors` are how it is called over TCP and, where that is asked for too, over a socket.
    fn start_ours<const N: usize>(&mut self, world: World, doors: [Peer; N]) -> Outcome<()> {
        let store = match self.stores.entry(world.clusters) {
            Entry::Occupied(store) => store.into_mut(),
            Entry::Vacant(vacant) => {
                let dir = self.dir.path().join(world.clusters.to_string());
                std::fs::create_dir(&dir)?;
                world.publish(&dir)?;
                vacant.insert(dir)
            }
        };
        let ours::Ours { process, grpc, socket } = ours::start(self.cores, store, doors.contains(&Peer::Dealing))?;
        let process = Rc::new(process);
        for (peer, target) in doors.into_iter().zip([Target::Tcp(grpc), Target::Unix(socket)]) {
            check::check(&target, world, false)?;
            if peer == Peer::Dealing {
                check::check_dealt(&target, world)?;
            }
            self.keep(peer, world, &process, target);
        }
        Ok(())
    }

    fn start_plain(&mut self, peer: Peer, world: World) -> Outcome<()> {
        let role = if peer == Peer::Layered { child::LAYERED } else { child::PLAIN };
        let program = std::env::current_exe()?;
        let args = [role, &world.clusters.to_string(), &world.limit.to_string()];
        let mut process = Process::start(self.cores, self.dir.path(), program.as_os_str(), &args)?;
        let target = Target::Tcp(process.announced()?.parse()?);
        check::check(&target, world, true)?;
        self.keep(peer, world, &Rc::new(process), target);
        Ok(())
    }

    fn keep(&mut self, peer: Peer, world: World, process: &Rc<Process>, target: Target) {
        self.servers.insert((peer, world.clusters), Server { process: Rc::clone(process), target });
    }
}

/// Ctrl-C leaves nothing behind: the servers die with this process, the directory goes here.
fn leave_on_interrupt(dir: PathBuf) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let wait = async move {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::io::Result::Ok(())
    };
    thread::spawn(move || {
        if runtime.block_on(wait).is_ok() {
            let _ = std::fs::remove_dir_all(dir);
            std::process::exit(130);
        }
    });
    Ok(())
}
