//! Memory maps of private copies.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{Mmap, UncheckedAdvice};
use rustix::io::Errno;

use super::private::PrivateFile;

/// Bytes that one system call locks or releases. Each holds the process's memory map for as long as it
/// runs, and every other thread's `mmap` waits: 1 GiB at once is 100 ms and more, 4 MiB a fraction of one.
const STEP: usize = 4 << 20;

/// A private copy of a table, mapped read-only and shared. Dropping it gives the memory back in small steps.
#[derive(Debug)]
pub struct Mapping {
    map: Mmap,
    locked: AtomicBool,
}

impl Mapping {
    /// Maps the whole file, in huge pages where the kernel has them; nothing is read yet. The file may be closed at once.
    ///
    /// Whoever first reads a page waits for it, alone: page faults lock their own map only. Asking the kernel for all
    /// pages (`MADV_POPULATE_READ`) locks every map of the process, and while the asking thread waits for a processor,
    /// which a busy machine may take tens of milliseconds to give it, no other thread can map memory.
    pub(super) fn of(file: &PrivateFile) -> io::Result<Self> {
        // SAFETY: a map's bytes must not change while they are borrowed. A `PrivateFile` has no name and never gets
        // one, its only descriptor is handed out for reading, and it is written to only before it becomes a
        // `PrivateFile`; so nobody is left who could write to it or cut it off.
        let map = unsafe { Mmap::map(file.file()) }?;
        // Best effort: a kernel without huge pages for files costs time, not truth.
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self { map, locked: AtomicBool::new(false) })
    }

    /// Reads the whole file into memory and keeps it there, whatever else needs memory and if the disk fails.
    pub(super) fn lock(&self) -> io::Result<()> {
        self.locked.store(true, Ordering::Relaxed);
        self.steps().try_for_each(|step| {
            // SAFETY: the step lies within the map, and locking changes no byte.
            unsafe { rustix::mm::mlock(self.address(&step), step.len()) }.map_err(|error| match error {
                Errno::NOMEM | Errno::PERM | Errno::AGAIN => too_much_to_lock(error, self.map.len()),
                other => other.into(),
            })
        })
    }

    fn steps(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let len = self.map.len();
        (0..len).step_by(STEP).map(move |start| start..len.min(start + STEP))
    }

    fn address(&self, step: &Range<usize>) -> *mut c_void {
        self.map[step.clone()].as_ptr().cast_mut().cast()
    }

    fn release(&self, step: Range<usize>) {
        if self.locked.load(Ordering::Relaxed) {
            // SAFETY: the step lies within the map, and unlocking changes no byte.
            let _ = unsafe { rustix::mm::munlock(self.address(&step), step.len()) };
        }
        // SAFETY: the map is of a file and shared, so a page given back is read from the file again when touched; no
        // byte changes. What cannot be given back here goes with the map.
        let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, step.start, step.len()) };
    }
}

impl AsRef<[u8]> for Mapping {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.steps().for_each(|step| self.release(step));
    }
}

fn too_much_to_lock(error: Errno, len: usize) -> io::Error {
    let source = io::Error::from(error);
    let remedy = "raise RLIMIT_MEMLOCK (ulimit -l; LimitMEMLOCK= in a systemd unit), or use residence = \"mapped\"";
    io::Error::new(source.kind(), format!("{source}: {len} bytes cannot be locked in memory; {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(bytes: &[u8]) -> Mapping {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("source");
        std::fs::write(&path, bytes).unwrap();
        let source = std::fs::File::open(&path).unwrap();
        Mapping::of(&PrivateFile::copy(&source, dir.path()).unwrap()).unwrap()
    }

    #[test]
    fn bytes_stay_through_locking_and_giving_back() {
        // Two whole steps and a rest that is no multiple of a page.
        let bytes: Vec<u8> = (0..2 * STEP + 12_345).map(|at| (at % 251) as u8).collect();
        let mapping = mapping(&bytes);
        assert!(mapping.as_ref() == bytes);
        mapping.lock().unwrap_or_else(|error| assert!(error.to_string().contains("RLIMIT_MEMLOCK"), "{error}"));
        mapping.steps().for_each(|step| mapping.release(step));
        assert!(mapping.as_ref() == bytes);
    }

    #[test]
    fn steps_cover_everything_once() {
        for len in [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP] {
            let steps: Vec<_> = mapping(&vec![1; len]).steps().collect();
            assert_eq!(steps.iter().map(Range::len).sum::<usize>(), len);
            assert!(steps.windows(2).all(|pair| pair[0].end == pair[1].start && pair[0].len() == STEP));
        }
    }
}
