//! One socket and what is spoken over it.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::{Target, Wire};
use crate::Outcome;

/// Room for what a server may send at once, and for the largest answer.
const INPUT: usize = 64 << 10;

trait Socket: Read + Write + Source {}

impl<S: Read + Write + Source> Socket for S {}

pub(super) struct Connection {
    socket: Box<dyn Socket>,
    wire: Box<dyn Wire>,
    /// The first `filled` bytes are what is not taken yet.
    input: Box<[u8]>,
    filled: usize,
    output: Vec<u8>,
    sent: usize,
}

impl Connection {
    pub(super) fn open(target: &Target, mut wire: Box<dyn Wire>, index: usize, registry: &Registry) -> Outcome<Self> {
        let mut socket = connect(target)?;
        registry.register(&mut socket, Token(index), Interest::READABLE)?;
        let mut output = Vec::new();
        wire.open(&mut output);
        Ok(Self { socket, wire, input: vec![0; INPUT].into(), filled: 0, output, sent: 0 })
    }

    /// Returns whether there was nothing to write before.
    pub(super) fn ask(&mut self, due: Instant) -> bool {
        let idle = self.output.is_empty();
        self.wire.ask(due, &mut self.output);
        idle
    }

    /// Returns whether something is left to write.
    pub(super) fn send(&mut self) -> Outcome<bool> {
        while self.sent < self.output.len() {
            match self.socket.write(&self.output[self.sent..]) {
                Ok(0) => return Err("the server takes no more".into()),
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(false)
    }

    /// Returns whether there is now something to write and was nothing before.
    pub(super) fn receive(&mut self, answered: &mut Vec<Instant>) -> Outcome<bool> {
        let idle = self.output.is_empty();
        loop {
            let read = match self.socket.read(&mut self.input[self.filled..]) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            self.filled += read;
            // One that is not filled has emptied the socket, and what comes later is told anew.
            let emptied = self.filled < self.input.len();
            let taken = self.wire.take(&self.input[..self.filled], &mut self.output, answered)?;
            self.input.copy_within(taken..self.filled, 0);
            self.filled -= taken;
            if emptied {
                break;
            }
        }
        Ok(idle && !self.output.is_empty())
    }
}

fn connect(target: &Target) -> io::Result<Box<dyn Socket>> {
    Ok(match target {
        Target::Tcp(addr) => {
            let stream = std::net::TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Box::new(TcpStream::from_std(stream))
        }
        Target::Unix(path) => {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            Box::new(UnixStream::from_std(stream))
        }
    })
}
