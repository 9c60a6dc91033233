//! Redis with the same rows: a key is the pair's eight bytes, a value the answer's.

use std::env;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use prost::Message;

use super::child::{Cores, Process};
use crate::Outcome;
use crate::world::{BATCH, Pair, World};

/// Rows in a command when loading.
const LOADED_AT_ONCE: usize = 1000;
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Where it is installed, if it is.
pub(super) fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join("redis-server")).find(|program| program.is_file())
}

/// Starts it and fills it.
pub(super) fn start(cores: Cores, dir: &Path, world: World) -> Outcome<(Process, SocketAddr)> {
    let program = program().ok_or("there is no redis-server on PATH")?;
    // It cannot be asked for a free port; this one is, unless somebody is very quick.
    let addr = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let port = addr.port().to_string();
    let args = ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--loglevel", "warning"];
    let process = Process::start(cores, dir, OsStr::new(&program), &args)?;
    let began = Instant::now();
    let mut client = loop {
        match Client::connect(addr) {
            Ok(client) => break client,
            Err(_) if began.elapsed() < STARTS_WITHIN => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(process.failed(&error.to_string())),
        }
    };
    client.load(world)?;
    client.check(world)?;
    Ok((process, addr))
}

struct Client(TcpStream);

impl Client {
    fn connect(addr: SocketAddr) -> Outcome<Self> {
        let mut client = Self(TcpStream::connect(addr)?);
        client.0.set_read_timeout(Some(STARTS_WITHIN))?;
        client.expect(&command(&[b"PING"]), b"+PONG\r\n")?;
        Ok(client)
    }

    fn expect(&mut self, asked: &[u8], reply: &[u8]) -> Outcome<()> {
        self.0.write_all(asked)?;
        let mut got = vec![0; reply.len()];
        self.0.read_exact(&mut got)?;
        if got == reply {
            return Ok(());
        }
        Err(format!("redis says {} instead of {}", got.escape_ascii(), reply.escape_ascii()).into())
    }

    fn load(&mut self, world: World) -> Outcome<()> {
        let pairs: Vec<Pair> = world.pairs().collect();
        for pairs in pairs.chunks(LOADED_AT_ONCE) {
            let rows: Vec<_> = pairs.iter().map(|&pair| (key(pair), world.answer(pair).encode_to_vec())).collect();
            let mut words: Vec<&[u8]> = vec![b"MSET"];
            words.extend(rows.iter().flat_map(|(key, value)| [&key[..], value]));
            self.expect(&command(&words), b"+OK\r\n")?;
        }
        Ok(())
    }

    /// Some of what it answers is right.
    fn check(&mut self, world: World) -> Outcome<()> {
        let pairs: Vec<Pair> = world.random_pairs().take(BATCH).collect();
        let values: Vec<_> = pairs.iter().map(|&pair| bulk(&world.answer(pair).encode_to_vec())).collect();
        self.expect(&mget(&pairs), &[format!("*{BATCH}\r\n").as_bytes(), &values.concat()].concat())?;
        pairs.iter().zip(&values).try_for_each(|(&pair, value)| self.expect(&get(pair), value))
    }
}

fn key([first, second]: Pair) -> [u8; 8] {
    (u64::from(first) << 32 | u64::from(second)).to_be_bytes()
}

pub(crate) fn get(pair: Pair) -> Vec<u8> {
    command(&[b"GET", &key(pair)])
}

pub(crate) fn mget(pairs: &[Pair]) -> Vec<u8> {
    let keys: Vec<_> = pairs.iter().map(|&pair| key(pair)).collect();
    let mut words: Vec<&[u8]> = vec![b"MGET"];
    words.extend(keys.iter().map(|key| &key[..]));
    command(&words)
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| command.extend(bulk(word)));
    command
}

fn bulk(value: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// The bytes of a value of `len` bytes in a reply.
pub(crate) fn bulk_len(len: usize) -> usize {
    bulk(&vec![0; len]).len()
}

/// The bytes of a reply of `count` values that take `each`.
pub(crate) fn array_len(count: usize, each: usize) -> usize {
    format!("*{count}\r\n").len() + count * each
}
