//! Files on their way to an endpoint, from the disk and never whole in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

use super::http::{Failure, Http, MAX_BODY, read};

/// How long a file may be on its way.
pub(super) const FILE_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Bytes read at once.
const CHUNK: u64 = 256 << 10;

/// Uploads a file; returns the id that the endpoint gives it.
pub(super) async fn upload(http: &Http, purpose: &str, name: &str, file: File) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Uploaded {
        id: String,
    }
    let unread = |error| Failure::Endpoint(format!("{name}, which is to be uploaded, cannot be read: {error}"));
    let (len, file) = (file.metadata().map_err(unread)?.len(), Arc::new(file));
    let make = |client: &Client, url: &str| {
        let body = FileBody { file: Arc::clone(&file), at: 0, len };
        let part = Part::stream_with_length(reqwest::Body::wrap(body), len).file_name(name.to_owned());
        let form = Form::new().text("purpose", purpose.to_owned()).part("file", part);
        client.post(format!("{url}/files")).timeout(FILE_TIMEOUT).multipart(form)
    };
    let Uploaded { id } = read(&http.body(0, MAX_BODY, make).await?)?;
    Ok(id)
}

/// A file's bytes as a request's body. Each has a place of its own, so that a request can be sent again.
struct FileBody {
    file: Arc<File>,
    at: u64,
    len: u64,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let wanted = (self.len - self.at).min(CHUNK);
        if wanted == 0 {
            return Poll::Ready(None);
        }
        // It blocks for as long as a chunk takes from the disk, which is less than its way through the network.
        let mut chunk = vec![0; wanted as usize];
        let read = self.file.read_exact_at(&mut chunk, self.at);
        self.at += wanted;
        Poll::Ready(Some(read.map(|()| Frame::data(chunk.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len - self.at)
    }
}
