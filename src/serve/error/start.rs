//! Why a server does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The admin port would be open to others, without credentials.
    #[error(
        "serve.admin_addr is {0}, which other machines may reach: name a serve.admin_token_file, or listen on 127.0.0.1"
    )]
    AdminExposed(SocketAddr),
    /// The token's file cannot be read.
    #[error("serve.admin_token_file {path} cannot be read: {source}", path = path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The token's file holds no token.
    #[error("serve.admin_token_file {path} is no token: one line of visible ASCII characters is needed", path = .0.display())]
    NoToken(PathBuf),
    /// No call could ever be answered.
    #[error("serve.timeout is 0s, no call could be answered: set it to 1s, say")]
    NoTimeout,
    /// The address cannot be listened on.
    #[error("serve.{field} {addr} cannot be listened on: {source}; stop what uses the port, or set another address")]
    Bind {
        /// The config's field.
        field: &'static str,
        /// The address.
        addr: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The socket cannot be listened on.
    #[error("serve.grpc_socket {path} cannot be listened on: {source}; stop what uses it, or name another file in a folder that this user may write", path = path.display())]
    BindSocket {
        /// The socket's file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The threads that answer cannot be started.
    #[error("the threads that answer lookups cannot be started: {0}; set serve.workers lower")]
    Workers(io::Error),
    /// The descriptors built into the binary are damaged.
    #[error("the gRPC descriptors of this build cannot be read: {0}; install it again")]
    Descriptors(String),
}
