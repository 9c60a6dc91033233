//! The process's own memory.

use crate::Outcome;

/// RssAnon and RssShmem, in bytes.
pub(crate) fn own() -> Outcome<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kib = |field: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("the kernel does not tell RSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    Ok(1024 * (kib("RssAnon:")? + kib("RssShmem:")?))
}
