//! One run at a time, whoever starts it.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::RefreshError;

/// Held while a run goes on. The system lets go of it with the process, so that a killed run blocks nobody.
pub(super) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of the store at `root`, or says that another run has it.
    pub(super) fn take(root: &Path) -> Result<Self, RefreshError> {
        let path = root.join("refresh.lock");
        let failed = |source: io::Error| RefreshError::Lock { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(RefreshError::UnderWay { path }),
            Err(error) => Err(failed(error.into())),
        }
    }
}
