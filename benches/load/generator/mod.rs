//! Asks a server, as fast as it answers or at a fixed rate: one thread that never sleeps, so that no server pays for
//! waking it, and that does little more than the system calls.

mod connection;
mod frames;
mod grpc;
mod latency;
mod pool;
mod resp;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::Outcome;
use super::rows::{Call, Shape};
use connection::Connection;

pub(super) use latency::Latency;
pub(super) use pool::Pool;

/// Where a server listens.
#[derive(Clone)]
pub(super) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// How long a server may be late before it counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a connection speaks. Requests and answers come in the same order or are told apart by the implementation;
/// `due` is when a request should have been sent, and comes back with its answer.
trait Wire {
    /// What a connection begins with.
    fn open(&mut self, out: &mut Vec<u8>);
    /// Adds one request to `out`.
    fn ask(&mut self, due: Instant, out: &mut Vec<u8>);
    /// Takes what is whole from the front of `input`, and returns how much that is.
    fn take(&mut self, input: &[u8], out: &mut Vec<u8>, answered: &mut Vec<Instant>) -> Outcome<usize>;
}

fn wire(call: Call, depth: usize, pool: &Rc<Pool>, first: usize) -> Outcome<Box<dyn Wire>> {
    Ok(match call {
        Call::Unary | Call::Unit => Box::new(grpc::Unary::new("Lookup", Rc::clone(pool), first, depth)?),
        Call::Batch => Box::new(grpc::Unary::new("BatchLookup", Rc::clone(pool), first, depth)?),
        Call::Stream => Box::new(grpc::Stream::new("StreamLookup", Rc::clone(pool), first, depth)?),
        Call::Get | Call::Mget => Box::new(resp::Resp::new(Rc::clone(pool), first)),
    })
}

/// Connections to one server, each with room for some requests at once.
pub(super) struct Generator {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    /// One entry, the connection, for each request that could be sent now; the longest unused first.
    free: VecDeque<usize>,
    /// Connections with something to write.
    unsent: Vec<usize>,
    answered: Vec<Instant>,
    slots: usize,
}

impl Generator {
    pub(super) fn connect(target: &Target, call: Call, shape: Shape, pool: &Rc<Pool>) -> Outcome<Self> {
        let Shape { connections: count, depth } = shape;
        let poll = Poll::new()?;
        let open = |index| {
            let wire = wire(call, depth, pool, pool.start(index, count))?;
            Connection::open(target, wire, index, poll.registry())
        };
        let connections = (0..count).map(open).collect::<Outcome<_>>()?;
        Ok(Self {
            poll,
            events: Events::with_capacity(count),
            connections,
            free: (0..count * depth).map(|slot| slot % count).collect(),
            unsent: (0..count).collect(),
            answered: Vec::with_capacity(count * depth),
            slots: count * depth,
        })
    }

    /// Sends the next request wherever one was answered; returns the answers that came within `span`.
    pub(super) fn saturate(&mut self, span: Duration) -> Outcome<u64> {
        let until = Instant::now() + span;
        let mut answers = 0;
        loop {
            let now = Instant::now();
            if now >= until {
                return Ok(answers);
            }
            while let Some(index) = self.free.pop_front() {
                self.ask(index, now);
            }
            self.turn(|_| answers += 1)?;
        }
    }

    /// Sends `rate` requests a second for `span`, each when it is due and not when the server is ready for it.
    pub(super) fn open_loop(&mut self, rate: f64, span: Duration) -> Outcome<Latency> {
        let mut latency = Latency::new(span)?;
        let requests = (rate * span.as_secs_f64()) as u64;
        let (mut sent, mut answered, began) = (0, 0, Instant::now());
        let due = |request: u64| began + Duration::from_secs_f64(request as f64 / rate);
        while answered < requests {
            let now = Instant::now();
            if now > began + span + PATIENCE {
                return Err(format!("{} of {requests} requests were not answered", requests - answered).into());
            }
            while sent < requests && due(sent) <= now {
                let Some(index) = self.free.pop_front() else { break };
                self.ask(index, due(sent));
                sent += 1;
            }
            self.turn(|due| {
                latency.record(due - began, due.elapsed());
                answered += 1;
            })?;
        }
        Ok(latency)
    }

    /// Waits for what was asked: an answer that never comes is an error.
    pub(super) fn drain(&mut self) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        while self.free.len() < self.slots {
            if Instant::now() > until {
                return Err(format!("{} requests were not answered", self.slots - self.free.len()).into());
            }
            self.turn(|_| {})?;
        }
        Ok(())
    }

    fn ask(&mut self, index: usize, due: Instant) {
        if self.connections[index].ask(due) {
            self.unsent.push(index);
        }
    }

    /// Writes what there is to write and reads what there is to read.
    fn turn(&mut self, mut seen: impl FnMut(Instant)) -> Outcome<()> {
        let mut failed = None;
        let connections = &mut self.connections;
        self.unsent.retain(|&index| {
            connections[index].send().unwrap_or_else(|error| {
                failed = Some(error);
                false
            })
        });
        failed.map_or(Ok(()), Err)?;
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &self.events {
            let index = event.token().0;
            if connections[index].receive(&mut self.answered)? {
                self.unsent.push(index);
            }
            for due in self.answered.drain(..) {
                seen(due);
                self.free.push_back(index);
            }
        }
        Ok(())
    }
}
