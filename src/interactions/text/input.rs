//! Decompressed bytes, with a limit on what one record may take.

use std::io::{self, Read};

/// No record is longer: what is, has a quote that is never closed, or is no text at all.
const MAX_RECORD: usize = 16 << 20;

/// Bytes of a log; it fails when [`Input::record_done`] has not been called for [`MAX_RECORD`] bytes.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    since_record: usize,
}

impl Input {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, since_record: 0 }
    }

    pub(super) fn record_done(&mut self) {
        self.since_record = 0;
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.since_record > MAX_RECORD {
            let problem =
                "a record is longer than 16 MiB: is there a quote that is never closed, or a single huge line?";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let read = self.reader.read(buffer)?;
        self.since_record += read;
        Ok(read)
    }
}
