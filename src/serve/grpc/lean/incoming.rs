//! A unary call's body as its DATA frames bring it.

use std::ops::Range;

use axum::body::Bytes;
use bytesize::ByteSize;
use tonic::Status;

use super::PREFIX;
use crate::serve::config::bytes;
use crate::serve::error::ServeError;

/// What has come so far, and which messages in it are whole. One is all that a unary call has to say; further ones are
/// read and left aside, as tonic does.
#[derive(Default)]
pub(super) struct Incoming {
    /// The one frame that most bodies are; empty once there are more.
    only: Bytes,
    /// All frames, where there are more than one.
    all: Vec<u8>,
    /// Where the first message that is not whole begins.
    open_at: usize,
    first: Option<Range<usize>>,
    others: Vec<Range<usize>>,
}

impl Incoming {
    /// Adds a frame's data. What its prefix says is wrong is refused before the rest has come.
    pub(super) fn push(&mut self, data: Bytes, max: ByteSize) -> Result<(), Status> {
        if self.bytes().is_empty() {
            self.only = data;
        } else {
            self.all.extend_from_slice(&std::mem::take(&mut self.only));
            self.all.extend_from_slice(&data);
        }
        while let Some(message) = self.next_message(max)? {
            self.open_at = message.end;
            match self.first {
                None => self.first = Some(message),
                Some(_) => self.others.push(message),
            }
        }
        match self.first {
            // Nobody has a use for what follows: it need not be taken without end.
            Some(_) if self.bytes().len() > bytes(max).saturating_add(PREFIX) => {
                Err(ServeError::TooLarge { max }.into())
            }
            _ => Ok(()),
        }
    }

    /// The messages of a body that has come to its end, the first one last.
    pub(super) fn messages(&self) -> Result<impl Iterator<Item = &[u8]>, Status> {
        if self.open_at != self.bytes().len() {
            return Err(Status::internal("the body ends within a message"));
        }
        let first = self.first.clone().ok_or_else(|| Status::internal("the body holds no message"))?;
        let ranges = self.others.iter().cloned().chain([first]);
        Ok(ranges.map(|range| &self.bytes()[range]))
    }

    fn bytes(&self) -> &[u8] {
        if self.all.is_empty() { &self.only } else { &self.all }
    }

    /// The next whole message, if there is one.
    fn next_message(&self, max: ByteSize) -> Result<Option<Range<usize>>, Status> {
        let rest = &self.bytes()[self.open_at..];
        let Some(&[compressed, ref len @ ..]) = rest.first_chunk::<PREFIX>() else { return Ok(None) };
        if compressed != 0 {
            return Err(Status::internal("a message is flagged as compressed, but the call names no grpc-encoding"));
        }
        let len = u32::from_be_bytes(*len) as usize;
        if len > bytes(max) {
            return Err(ServeError::TooLarge { max }.into());
        }
        let start = self.open_at + PREFIX;
        Ok((rest.len() - PREFIX >= len).then(|| start..start + len))
    }
}
