//! A server that answers as it is told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use segue::client::{Client, Config};
use segue::proto::lookup_service_server::{LookupService, LookupServiceServer};
use segue::proto::{BatchLookupRequest, BatchLookupResponse, LookupRequest, LookupResponse};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::Stream;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::codegen::BoxStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

/// What is said to the first call, the second, ...; then every call is answered.
#[derive(Clone, Default)]
pub(super) struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    refusals: VecDeque<Status>,
    /// The `grpc-timeout` of each call.
    timeouts: Vec<String>,
}

impl Scripted {
    pub(super) fn refusing(refusals: impl IntoIterator<Item = Status>) -> Self {
        let refusals = refusals.into_iter().collect();
        Self(Arc::new(Mutex::new(Script { refusals, timeouts: Vec::new() })))
    }

    /// A client that talks to it over TCP.
    pub(super) async fn client(&self, config: Config) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap());
        self.serve(TcpListenerStream::new(listener));
        Client::new(&Config { target, ..config }).unwrap()
    }

    pub(super) fn serve_at(&self, path: &std::path::Path) {
        self.serve(UnixListenerStream::new(UnixListener::bind(path).unwrap()));
    }

    fn serve<I, IO>(&self, incoming: I)
    where
        I: Stream<Item = std::io::Result<IO>> + Send + 'static,
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
        IO::ConnectInfo: Clone + Send + Sync + 'static,
    {
        let service = LookupServiceServer::new(self.clone());
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    }

    /// How long each call said that it waits.
    pub(super) fn timeouts(&self) -> Vec<Duration> {
        let nanos = |text: &String| {
            let (digits, unit) = text.split_at(text.len() - 1);
            let nanos = match unit {
                "n" => 1,
                "u" => 1_000,
                "m" => 1_000_000,
                "S" => 1_000_000_000,
                _ => panic!("{text}"),
            };
            Duration::from_nanos(digits.parse::<u64>().unwrap() * nanos)
        };
        self.0.lock().unwrap().timeouts.iter().map(nanos).collect()
    }

    fn take<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let mut script = self.0.lock().unwrap();
        let timeout = request.metadata().get("grpc-timeout").map(|timeout| timeout.to_str().unwrap().to_owned());
        script.timeouts.push(timeout.unwrap_or_default());
        script.refusals.pop_front().map_or(Ok(()), Err)
    }
}

#[tonic::async_trait]
impl LookupService for Scripted {
    async fn lookup(&self, request: Request<LookupRequest>) -> Result<Response<LookupResponse>, Status> {
        self.take(&request)?;
        Ok(Response::new(LookupResponse { version: 7, ..Default::default() }))
    }

    /// One answer too many.
    async fn batch_lookup(
        &self,
        request: Request<BatchLookupRequest>,
    ) -> Result<Response<BatchLookupResponse>, Status> {
        self.take(&request)?;
        let results = vec![LookupResponse::default(); request.get_ref().lookups.len() + 1];
        Ok(Response::new(BatchLookupResponse { results }))
    }

    type StreamLookupStream = BoxStream<LookupResponse>;

    async fn stream_lookup(
        &self,
        _: Request<Streaming<LookupRequest>>,
    ) -> Result<Response<Self::StreamLookupStream>, Status> {
        Err(Status::unimplemented("the client asks for no stream"))
    }
}
