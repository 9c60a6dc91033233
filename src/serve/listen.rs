//! What a server listens on: three ports and, for callers on the same machine, a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::auth::Guard;
use super::config::Config;
use super::error::StartError;

/// The bound ports of one server, which nothing is accepted from yet.
pub struct Listeners {
    pub(super) config: Config,
    pub(super) guard: Guard,
    pub(super) http: Listener,
    pub(super) grpc: Listener,
    pub(super) grpc_socket: Option<Listener>,
    pub(super) admin: Listener,
    addrs: [SocketAddr; 3],
}

/// Checks the config, reads the admin token and binds the ports. Port 0 takes a free one.
pub async fn bind(config: &Config) -> Result<Listeners, StartError> {
    config.check()?;
    let (http, http_addr) = tcp("http_addr", config.http_addr).await?;
    let (grpc, grpc_addr) = tcp("grpc_addr", config.grpc_addr).await?;
    let (admin, admin_addr) = tcp("admin_addr", config.admin_addr).await?;
    Ok(Listeners {
        guard: Guard::new(config)?,
        http,
        grpc,
        grpc_socket: config.grpc_socket.as_deref().map(unix).transpose()?,
        admin,
        addrs: [http_addr, grpc_addr, admin_addr],
        config: config.clone(),
    })
}

impl Listeners {
    /// Where lookups as JSON, health and metrics are served.
    pub fn http_addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Where lookups as gRPC are served.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.addrs[1]
    }

    /// Where operations are served.
    pub fn admin_addr(&self) -> SocketAddr {
        self.addrs[2]
    }
}

/// Where connections come from.
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(SocketFile),
}

/// A bound Unix socket, whose file goes with it.
pub(super) struct SocketFile {
    socket: UnixListener,
    path: PathBuf,
    /// Its device and its number there.
    file: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already, or another server's by now: either way there is nothing to do.
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An accepted connection that belongs to no runtime yet.
pub(super) enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(StdUnixStream),
}

/// An accepted connection of the runtime that serves it.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(port) => port.accept().await?.0.into_std().map(Accepted::Tcp),
            Self::Unix(file) => file.socket.accept().await?.0.into_std().map(Accepted::Unix),
        }
    }
}

impl Accepted {
    /// To be called on the runtime that serves it.
    pub(super) fn register(self) -> io::Result<Stream> {
        match self {
            Self::Tcp(stream) => {
                // Answers are small: none should wait for a fuller packet.
                stream.set_nodelay(true)?;
                TcpStream::from_std(stream).map(Stream::Tcp)
            }
            Self::Unix(stream) => UnixStream::from_std(stream).map(Stream::Unix),
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = std::fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

async fn tcp(field: &'static str, addr: SocketAddr) -> Result<(Listener, SocketAddr), StartError> {
    let refused = |source| StartError::Bind { field, addr, source };
    let port = TcpListener::bind(addr).await.map_err(refused)?;
    let addr = port.local_addr().map_err(refused)?;
    Ok((Listener::Tcp(port), addr))
}

fn unix(path: &Path) -> Result<Listener, StartError> {
    let bound = remove_stale(path).and_then(|()| Ok((UnixListener::bind(path)?, identity(path)?)));
    let (socket, file) = bound.map_err(|source| StartError::BindSocket { path: path.to_owned(), source })?;
    Ok(Listener::Unix(SocketFile { socket, path: path.to_owned(), file }))
}

/// Removes a socket that a server left behind when it was killed; a living one's, and any other file, stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let refused = || StdUnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if is_socket && refused() { std::fs::remove_file(path) } else { Ok(()) }
}
